"""Reports: a month of known events, and every number of the reports against a hand-made expectation; the same in
JSON, CSV and HTML; made anew, made late, made by two tenantd; who sees what. REQ-119, REQ-120, REQ-142, REQ-144"""
import csv
import datetime
import hashlib
import html.parser
import io
import json
import zoneinfo

import pytest

from apienv import Platform, new_id

ZONE = zoneinfo.ZoneInfo("Pacific/Auckland")
# September 2024: summer time begins on the 29th, a day of 23 hours. The month begins on 31 August at
# 12:00 UTC, and ends on 30 September at 11:00 UTC.
MONTH = "2024-09"


def at(text):
    """Local time in New Zealand, "2024-09-01 00:00:00"; microseconds."""
    local = datetime.datetime.fromisoformat(text).replace(tzinfo=ZONE)
    return int(local.timestamp()) * 1000000


def mail(tenant, when, direction, sender, recipients, size=1000):
    """recipients: (address, outcome, verdict, codes)."""
    msg_id = new_id("msg")
    return {"id": msg_id, "tenant_id": tenant.id, "received_at": at(when), "direction": direction,
            "queue_id": "4Rq1XyZ", "sender": sender, "message_id": f"{msg_id}@test", "size_bytes": size,
            "recipients": [dict(zip(("recipient", "outcome", "verdict", "codes", "reply"), (*r, "250 ok")))
                           for r in recipients],
            "trace": []}


class Forms:
    """A report in its three forms; the numbers of each as {(section, figure): value} and {table: rows}."""

    def __init__(self, client, path):
        self.json = client.get(path)
        self.data = self.json["data"]
        self.csv = client.call("GET", f"{path}/csv", expect=200).text.decode()
        self.tables_csv = {t["id"]: client.call("GET", f"{path}/csv", query={"table": t["id"]},
                                                expect=200).text.decode() for t in self.tables}
        self.html = client.call("GET", f"{path}/html", expect=200).text.decode()

    @property
    def tables(self):
        return [t for s in self.data["sections"] for t in s["tables"]]

    @property
    def figures(self):
        return {(s["id"], f["name"]): f["value"] for s in self.data["sections"] for f in s["figures"]}

    def rows(self, table):
        return next(t["rows"] for t in self.tables if t["id"] == table)

    def agree(self):
        """The hash is of the data; CSV and HTML have the numbers of the JSON, each of them."""
        canonical = json.dumps(self.data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == self.json["sha256"]
        figures = list(csv.DictReader(io.StringIO(self.csv, newline="")))
        assert {(f["section"], f["name"]): f["value"] for f in figures} == {
            key: shown(value) for key, value in self.figures.items()}
        page = Page(self.html)
        assert page.figures == [(f["name"], shown(f["value"]))
                                for s in self.data["sections"] for f in s["figures"]]
        for table in self.tables:
            names, *rows = csv.reader(io.StringIO(self.tables_csv[table["id"]], newline=""))
            assert names == [c["name"] for c in table["columns"]]
            assert rows == [[defused(c) for c in row] for row in table["rows"]]
            visible = [i for i, c in enumerate(table["columns"]) if c["type"] != "hidden"]
            assert page.tables[table["id"]] == [[shown(row[i]) for i in visible] for row in table["rows"]]
        assert self.json["sha256"] in self.html


def shown(value):
    return {True: "yes", False: "no", None: ""}[value] if value is None or isinstance(value, bool) else str(value)


def defused(value):
    return "'" + value if isinstance(value, str) and value[:1] in tuple("=+-@\t\r\n") else shown(value)


class Page(html.parser.HTMLParser):
    """Figures and tables of a report's page."""

    def __init__(self, text):
        super().__init__()
        self.figures, self.tables, self.scripts = [], {}, 0
        self.figure = self.table = self.cell = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.scripts += tag == "script"
        if tag == "table":
            self.table = attrs.get("data-table")
            if self.table:
                self.tables[self.table] = []
        elif tag == "tr":
            self.figure = attrs.get("data-figure")
            self.row = []
        elif tag == "td":
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag == "td":
            self.row.append(self.cell.replace("\u202f", ""))
            self.cell = None
        elif tag == "tr" and self.figure:
            self.figures.append((self.figure, self.row[0]))
        elif tag == "tr" and self.table and self.row and self.row != ["None."]:
            self.tables[self.table].append(self.row)


@pytest.fixture(scope="module")
def platform():
    with Platform(hsm=False) as p:
        with p.pg.connect("sg_tenant").cursor() as cursor:
            cursor.execute("SELECT partitions_ensure('2024-03-01', 8)")
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


def made(client, where, kind, period=MONTH):
    """Has a report made; its path and the job's result."""
    reply = client.call("POST", f"{where}/reports", {"kind": kind, "period": period}, expect=202)
    result = client.job(reply.headers["Location"])["result"]
    return f"{where}/reports/{result['report_id']}", result


@pytest.fixture(scope="module")
def world(platform):
    a, b = platform.tenant("agency-a"), platform.tenant("agency-b")
    sealed, plain = ("ann@one.test", "delivered", "sealed", ""), ("bob@outside.test", "delivered", "plain", "")
    platform.feed(
        # The second before the month, and its first.
        mail(a, "2024-08-31 23:59:59", "outbound", "joe@agency-a.test", [sealed]),
        mail(a, "2024-09-01 00:00:00", "outbound", "joe@agency-a.test", [sealed, plain]),
        mail(a, "2024-09-10 12:00:00", "outbound", "joe@agency-a.test",
             [("x@two.test", "held", "", "201"), ("y@two.test", "refused", "", "001")], size=500),
        mail(a, "2024-09-10 13:00:00", "inbound", "ann@one.test",
             [("joe@agency-a.test", "delivered", "verified", ""), ("jim@agency-a.test", "delivered", "unverified", "002,103")]),
        mail(a, "2024-09-10 14:00:00", "inbound", "bob@outside.test",
             [("joe@agency-a.test", "delivered", "plain", ""), ("gone@agency-a.test", "deferred", "plain", "")]),
        # The day of 23 hours, before and after; 29 September 11:59 UTC is still the 29th.
        mail(a, "2024-09-29 01:30:00", "outbound", "joe@agency-a.test", [sealed]),
        mail(a, "2024-09-29 03:30:00", "outbound", "joe@agency-a.test", [sealed]),
        mail(a, "2024-09-29 23:59:59", "outbound", "joe@agency-a.test", [sealed]),
        # The last second of the month, and the first of the next.
        mail(a, "2024-09-30 23:59:59", "outbound", "joe@agency-a.test", [plain], size=7),
        mail(a, "2024-10-01 00:00:00", "outbound", "joe@agency-a.test", [plain]),
        mail(b, "2024-09-30 12:00:00", "outbound", "eve@agency-b.test", [sealed, sealed[:1] + ("expired", "", "")]))
    return a, b


# What the month of agency-a is, counted by hand from the mails above.
TRAFFIC_A = {"messages_out": 6, "recipients_out": 8, "sealed": 4, "plain_out": 2, "held_out": 1, "refused_out": 1,
             "others_out": 0, "messages_in": 2, "recipients_in": 4, "verified": 1, "unverified": 1, "plain_in": 1,
             "held_in": 0, "refused_in": 0, "others_in": 1, "bytes": 6507}
DAYS_A = {"2024-09-01": [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], "2024-09-10": [0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1],
          "2024-09-29": [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "2024-09-30": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]}


def test_service_report(platform, provider, world):
    a, _ = world
    path, _ = made(provider, a.path, "service")
    forms = Forms(a.viewer, path)
    forms.agree()
    period = forms.data["period"]
    assert (period["begins_at"], period["ends_at"], period["complete"]) == (
        "2024-08-31T12:00:00.000Z", "2024-09-30T11:00:00.000Z", True)
    assert {k[1]: v for k, v in forms.figures.items() if k[0] == "traffic"} == TRAFFIC_A
    days = forms.rows("traffic_days")
    assert [d[0] for d in days] == [f"2024-09-{d:02d}" for d in range(1, 31)]
    assert {d[0]: d[1:] for d in days if any(d[1:])} == DAYS_A
    assert forms.rows("codes") == [["001", 1], ["002", 1], ["103", 1], ["201", 1]]
    assert forms.rows("partners") == [["one.test", 4, 4, 2, 1], ["outside.test", 2, 0, 1, 0]]
    assert [row[0] for row in forms.rows("domains")] == []  # agency-a.test is of this year
