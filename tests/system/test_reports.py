"""Reports: a month of known events, and every number of the reports against a hand-made expectation; the same in
JSON, CSV and HTML; made anew, made late, made by two tenantd; who sees what. REQ-119, REQ-120, REQ-142, REQ-144"""
import csv
import datetime
import hashlib
import html.parser
import io
import json
import time
import zoneinfo

import pytest

from apienv import Platform, new_id
from browser import CHROMIUM, Visit
from sealgate.mailserver import MailServer
from sealgate.process import wait_for

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
        # Old partitions with nothing in them are disposed of when tenantd starts.
        wait_for(lambda: p.client().pages("/v1/jobs", kind="retention.dispose", state="done"), 30, "disposal")
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
    assert forms.rows("incidents") == []


def test_report_of_the_platform(platform, provider, world):
    path, _ = made(provider, "/v1", "service")
    forms = Forms(provider, path)
    forms.agree()
    assert forms.data["subject"] == {"tenant_id": None, "name": "the whole platform"}
    both = dict(TRAFFIC_A, messages_out=7, recipients_out=9, sealed=5, bytes=7507)
    assert {k[1]: v for k, v in forms.figures.items() if k[0] == "traffic"} == both


def test_months_of_23_and_25_hour_days(platform, provider):
    """April 2024 has 30 days and an hour: summer time ends on the 7th. Both 2:30 of that night are the 7th."""
    tenant = platform.tenant("agency-dst")
    ends = {"2024-04": ("2024-03-31T11:00:00.000Z", "2024-04-30T12:00:00.000Z", 30 * 24 + 1),
            MONTH: ("2024-08-31T12:00:00.000Z", "2024-09-30T11:00:00.000Z", 30 * 24 - 1)}
    first = mail(tenant, "2024-04-07 02:30:00", "outbound", "a@x.test", [("b@y.test", "delivered", "sealed", "")])
    again = {**mail(tenant, "2024-04-07 02:30:00", "outbound", "a@x.test", [("b@y.test", "delivered", "sealed", "")]),
             "received_at": first["received_at"] + 3600 * 1000000}
    platform.feed(first, again)
    for month, (begin, end, hours) in ends.items():
        path, _ = made(provider, tenant.path, "service", month)
        forms = Forms(tenant.viewer, path)
        period = forms.data["period"]
        assert (period["begins_at"], period["ends_at"]) == (begin, end)
        times = [datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (begin, end)]
        assert times[1] - times[0] == datetime.timedelta(hours=hours)
        assert len(forms.rows("traffic_days")) == 30
        sealed = {d[0]: d[1] for d in forms.rows("traffic_days") if d[1]}
        assert sealed == ({"2024-04-07": 2} if month == "2024-04" else {})


def test_made_again_it_is_the_same(provider, world):
    a, _ = world
    path, first = made(provider, a.path, "service")
    before = provider.get(path)
    again, second = made(provider, a.path, "service")
    assert again == path and second == {**first, "same": True}
    assert provider.get(path) == before


def test_late_rows_make_a_revision_that_says_why(platform, provider, world):
    _, b = world
    path, result = made(provider, b.path, "service")
    before = provider.get(path)
    assert before["differs"] == [] and before["watermark"]["recipients"] == 1
    platform.feed(mail(b, "2024-09-30 12:01:00", "outbound", "eve@agency-b.test",
                       [("ann@one.test", "delivered", "sealed", "")]))
    new_path, new = made(provider, b.path, "service")
    assert new == {"report_id": new["report_id"], "revision": 2, "same": False} and new_path != path
    after = provider.get(new_path)
    assert after["state"] == "current" and provider.get(path) == {**before, "state": "superseded"}
    assert after["differs"] == [
        "the log of the period has 2 messages now, and had 1: rows that came late",
        "the log of the period has 2 recipients now, and had 1: rows that came late",
        "Traffic, Messages sent: 2 now, 1 before",
        "Traffic, Recipients of messages sent: 2 now, 1 before",
        "Traffic, delivered sealed (signed and encrypted): 2 now, 1 before",
        "Traffic, Size of all messages as they came: 2000 now, 1000 before",
        "Traffic, table Recipients a day: 1 rows are other than before",
        "Partners, table Domains: 1 rows are other than before"]
    assert [r["revision"] for r in provider.get(f"{b.path}/reports", kind="service", period=MONTH)["data"]] == [2, 1]
    assert [r["revision"] for r in provider.get(f"{b.path}/reports", state="superseded")["data"]] == [1]
    # What was superseded is no longer to be signed.
    provider.call("POST", f"{path}/signatures", {**SIGNATURE, "sha256": before["sha256"]}, expect=409)


SIGNATURE = {"name": "A. Officer", "title": "Security officer", "words": "Read, and correct <as far as I know>."}


def test_signing(platform, provider, world):
    """REQ-120: who signs says what is signed."""
    a, _ = world
    path, _ = made(provider, a.path, "compliance")
    officer = platform.client(provider.post("/v1/tokens", {
        "name": "officer", "role": "security-officer", "tenant_id": a.id})["token"])
    report = officer.get(path)
    officer.call("POST", f"{path}/signatures", {**SIGNATURE, "sha256": "0" * 64}, expect=409)
    bad = officer.call("POST", f"{path}/signatures", {**SIGNATURE, "sha256": "X" * 64}, expect=422)
    assert bad.json["pointer"] == "/sha256"
    a.viewer.call("POST", f"{path}/signatures", {**SIGNATURE, "sha256": report["sha256"]}, expect=403)
    signed = officer.call("POST", f"{path}/signatures", {**SIGNATURE, "sha256": report["sha256"]}, expect=200).json
    assert signed["data"] == report["data"] and signed["sha256"] == report["sha256"]
    (signature,) = signed["signatures"]
    assert {k: signature[k] for k in (*SIGNATURE, "sha256")} == {**SIGNATURE, "sha256": report["sha256"]}
    forms = Forms(officer, path)
    forms.agree()
    assert "Read, and correct &lt;as far as I know&gt;." in forms.html
    audited = [r for r in provider.pages(f"{a.path}/audit") if r["object"] == "report_signature"]
    assert audited[0]["after"]["sha256"] == "\\x" + report["sha256"] and "officer" in audited[0]["actor"]
    # Platform-wide the same report stands under its own path.
    assert provider.get(f"/v1/reports/{report['id']}")["signatures"] == signed["signatures"]
    platform_path, _ = made(provider, "/v1", "compliance")
    sha256 = provider.get(platform_path)["sha256"]
    assert provider.call("POST", f"{platform_path}/signatures", {**SIGNATURE, "sha256": sha256},
                         expect=200).json["signature_count"] == 1


def test_a_tenant_sees_its_own_alone(provider, world):
    a, b = world
    path, _ = made(provider, a.path, "service")
    platform_path, _ = made(provider, "/v1", "service")
    report_id, platform_id = (p.rsplit("/", 1)[1] for p in (path, platform_path))
    for form in ("", "/html", "/csv"):
        for client, where in ((b.admin, path), (b.admin, f"{b.path}/reports/{report_id}"),
                              (b.admin, f"/v1/reports/{report_id}"), (a.admin, f"/v1/reports/{report_id}"),
                              (a.admin, f"{a.path}/reports/{platform_id}")):
            client.call("GET", where + form, expect=404)
        provider.call("GET", f"{b.path}/reports/{report_id}{form}", expect=404)
    assert all(r["tenant_id"] == b.id for r in b.viewer.pages(f"{b.path}/reports"))
    everything = provider.pages("/v1/reports")
    assert {r["tenant_id"] for r in everything} >= {None, a.id, b.id}
    assert {r["tenant_id"] for r in provider.pages("/v1/reports", subject="platform")} == {None}
    assert None not in {r["tenant_id"] for r in provider.pages("/v1/reports", subject="tenants")}
    # A number of agency-b stands in no report of agency-a.
    assert "agency-b" not in Forms(a.viewer, path).html


def test_attestations(platform, provider, world):
    """REQ-119, REQ-120: what is missing is said, what is attested is shown; a tenant has no part in it."""
    a, _ = world
    path, _ = made(provider, "/v1", "compliance", "2024-05")
    before = Forms(provider, path)
    before.agree()
    gaps = {row[0]: row for row in before.rows("gaps")}
    rows = {row[0]: row for row in before.rows("requirements")}
    assert 131 in gaps and rows[131][6] == "open"
    assert len(rows) == before.figures["standing", "requirements"] == 198  # 165 and 167 are deleted
    must = [r for r in rows.values() if r[1] == "M"]
    assert before.figures["standing", "must"] == len(must)
    assert before.figures["standing", "must_shown"] == len(must) - len(gaps)
    assert f"{len(gaps)} requirements that MUST be met are not shown" in before.data["missing"][0]

    body = {"requirement": 131, "words": "=The firewall is certified to EAL4.", "name": "A. Officer",
            "title": "Security officer", "valid_until": "2099-01-01T00:00:00.000Z"}
    made_one = provider.post("/v1/attestations", body)
    old = provider.call("POST", "/v1/attestations", {**body, "valid_until": "2020-01-01T00:00:00Z"}, expect=422)
    assert old.json["pointer"] == "/valid_until"
    assert provider.get("/v1/attestations", requirement=131)["data"] == [made_one]
    a.admin.call("GET", "/v1/attestations", expect=404)
    path, _ = made(provider, "/v1", "compliance", "2024-05")
    after = Forms(provider, path)
    after.agree()
    assert {row[0] for row in after.rows("gaps")} == set(gaps) - {131}
    assert [r for r in after.rows("requirements") if r[0] == 131][0][5:] == ["2099-01-01", "attested"]
    today = datetime.datetime.now(ZONE).date().isoformat()
    assert after.rows("attestations") == [
        [131, body["words"], "A. Officer, Security officer", today, "2099-01-01", True]]
    assert "Standing, attested by the provider: 1 now, 0 before" in after.json["differs"]

    provider.delete(f"/v1/attestations/{made_one['id']}")
    provider.call("DELETE", f"/v1/attestations/{made_one['id']}", expect=404)
    path, _ = made(provider, "/v1", "compliance", "2024-05")
    assert Forms(provider, path).data == before.data


def test_evidence_counts_what_there_is(platform, provider):
    """A check that fails is said to, in the evidence, the requirement's row and the gaps."""
    tenant = platform.tenant("agency-evidence")
    with platform.pg.connect("sg_tenant").cursor() as cursor:
        cursor.execute("SELECT partitions_ensure(now()::date, 1)")
    month = datetime.datetime.now(ZONE).strftime("%Y-%m")
    path, _ = made(provider, tenant.path, "compliance", month)
    forms = Forms(tenant.viewer, path)
    forms.agree()
    assert forms.json["complete"] is False and "provisional" in forms.html
    checks = {row[1]: row for row in forms.rows("evidence")}
    assert checks["domains in service that have a valid certificate of their own"] == [
        45, "domains in service that have a valid certificate of their own", 0, 1, False]
    assert checks["domains in service whose ownership is verified by DNS"][2:] == [0, 1, False]
    assert checks["certificates in use with an RSA key of at least 2048 bits"][2:] == [0, 0, None]
    rows = {row[0]: row for row in forms.rows("requirements")}
    assert rows[45][4:] == ["0 of 1 met", "", "not met"]
    assert [45, rows[45][2], "Not met: domains in service that have a valid certificate of their own."] in forms.rows("gaps")


def test_what_is_refused(provider, world):
    a, _ = world
    for period, pointer in (("2024-13", "/period"), ("2024-1", "/period"), ("1999-12", "/period"), ("latest1", "/period")):
        bad = provider.call("POST", f"{a.path}/reports", {"kind": "service", "period": period}, expect=422)
        assert bad.json["pointer"] == pointer
    provider.call("POST", f"{a.path}/reports", {"kind": "gossip", "period": MONTH}, expect=422)
    path, _ = made(provider, a.path, "service")
    provider.call("GET", f"{path}/csv", query={"table": "gossip"}, expect=404)
    provider.call("GET", f"{path}/csv", query={"tables": "codes"}, expect=400)
    # A month that has not begun: the job says so, and is not tried again.
    reply = provider.call("POST", f"{a.path}/reports", {"kind": "service", "period": "2099-01"}, expect=202)
    assert provider.job(reply.headers["Location"], "dead")["last_error"] == "January 2099 has not begun"


def test_page_in_a_browser(platform, provider, world):
    """The page alone: nothing asked for, no complaint, and its numbers are those of the JSON after rendering too."""
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    a, _ = world
    # What a stranger wrote for his domain, in From and in the envelope.
    evil = "<img src=http://127.0.0.1:9/x onerror=console.error(1)>\"><style>*{display:none}</style>.test"
    hostile = platform.tenant("agency-hostile")
    platform.feed(mail(hostile, "2024-09-03 10:00:00", "inbound", f"eve@{evil}",
                       [("joe@agency-hostile.test", "delivered", "unverified", "003,103")]))
    for where, kind in ((a.path, "service"), ("/v1", "compliance"), ("/v1", "availability"), ("/v1", "usage"),
                        (hostile.path, "breach"), (hostile.path, "service")):
        path, _ = made(provider, where, kind)
        forms = Forms(provider, path)
        reply = provider.call("GET", f"{path}/html", expect=200)
        headers = {name: reply.headers[name] for name in ("Content-Type", "Content-Security-Policy")}
        prints = kind == "compliance"
        visit = Visit(forms.html, headers, prints)
        page = Page(visit.dom)
        assert set(visit.asked) == {"/report.html"} and set(visit.requests) == {visit.url}
        assert visit.console == [] and page.scripts == 0
        if where == hostile.path:
            assert evil in [cell for table in page.tables.values() for row in table for cell in row]
        assert page.figures == Page(forms.html).figures and page.tables == Page(forms.html).tables
        assert not prints or (visit.picture.startswith(b"\x89PNG") and len(visit.picture) > 20000 and visit.pages > 5)
    # The check itself: a page that asks for something, and complains, is found out.
    visit = Visit("<script>console.error('x')</script><img src='http://127.0.0.1:9/x.png'>", {"Content-Type": "text/html"})
    assert "http://127.0.0.1:9/x.png" in visit.requests and visit.console


class Clocked(Platform):
    """Its daemons' clock can be set, and tenantd looks at it often."""

    def configure(self, **http):
        super().configure(**http)
        path = self.dir / "tenantd.conf"
        path.write_text(path.read_text() + "[jobs]\npoll = 200ms\nlease = 1s\nretry = 100ms\n[reports]\ndelay = 6h\n")


def ahead(local):
    """How far a local time is ahead of now, in seconds."""
    return int(datetime.datetime.fromisoformat(local).replace(tzinfo=ZONE).timestamp() - time.time())


@pytest.fixture(scope="module")
def clocked():
    with Clocked(hsm=False, clock=True) as p:
        yield p


def test_the_months_end_by_the_clock_of_two_tenantd(clocked):
    """Each report is made once: not before the delay is over, and not again. What was made of the month while it lasted
    is made anew; a tenant that came later has none."""
    provider = clocked.client()
    clocked.tenantd_start("tenantd-2")
    # Two months on: both daemons have lived through the end of the month before.
    now = datetime.datetime.now(ZONE)
    month = datetime.datetime(now.year + (now.month + 1) // 12, (now.month + 1) % 12 + 1, 1)
    following = datetime.datetime(month.year + month.month // 12, month.month % 12 + 1, 1)
    name = month.strftime("%Y-%m")
    clocked.clock_set(ahead(f"{name}-15 12:00:00"))
    # Tables are made two months ahead, by UTC: where the local month is the next already, that is not there yet.
    table = f"sealgate.audit_{month:%Y_%m}"
    wait_for(lambda: clocked.pg.psql("-c", f"SELECT to_regclass('{table}')", database="sealgate").strip(), 30, "the month's tables")
    a = clocked.tenant("agency-a")
    path, provisional = made(provider, a.path, "service", name)
    assert provider.get(path)["complete"] is False

    due = lambda: len(provider.pages("/v1/jobs", kind="report.due", state="done"))
    count = due()
    clocked.clock_set(ahead(f"{following:%Y-%m}-01 05:30:00"))
    wait_for(lambda: due() > count, 30, "report.due")
    current = lambda: [r for r in provider.pages("/v1/reports", period=name) if r["complete"]]
    assert current() == []

    b = clocked.tenant("agency-b")  # of the next month: nothing of this one is about it
    clocked.clock_set(ahead(f"{following:%Y-%m}-01 06:30:00"))
    kinds = {"availability", "breach", "compliance", "service", "usage"}
    want = {(tenant, kind) for tenant in (a.id, None) for kind in kinds}
    wait_for(lambda: {(r["tenant_id"], r["kind"]) for r in current()} >= want, 60, "the month's reports")
    wait_for(lambda: not provider.pages("/v1/jobs", kind="report.make", state="queued")
             and not provider.pages("/v1/jobs", kind="report.make", state="running"), 60, "quiet")
    # Hours later the same is asked, and nothing is due any more.
    for hour in (8, 10):
        count = due()
        clocked.clock_set(ahead(f"{following:%Y-%m}-01 {hour:02d}:30:00"))
        wait_for(lambda: due() > count, 30, "report.due")
    reports = current()
    assert sorted((r["tenant_id"] or "", r["kind"], r["revision"]) for r in reports) == sorted(
        (tenant or "", kind, 2 if (tenant, kind) == (a.id, "service") else 1) for tenant, kind in want)
    asked = [j for j in provider.pages("/v1/jobs", kind="report.make")
             if j["result"] and j["result"]["report_id"] in {r["id"] for r in reports}]
    assert len(asked) == len(reports)
    assert "it was made before while the month was not over" in provider.get(
        next(f"/v1/reports/{r['id']}" for r in reports if r["revision"] == 2))["differs"]
    assert provider.pages(f"{b.path}/reports") == []
    clocked.stop("tenantd-2")

    # All but those of the platform that wait for a signature are mailed; nobody is there to get them.
    wait_for(lambda: {j["state"] for j in provider.pages("/v1/jobs", kind="report.mail")} == {"done"}, 30, "mailed")
    mailed = provider.pages("/v1/jobs", kind="report.mail")
    waiting = [r for r in reports if r["tenant_id"] is None and r["kind"] in ("breach", "compliance")]
    assert len(mailed) == len(reports) - len(waiting)
    assert all(j["result"] == {"recipients": 0, "sealed": 0} for j in mailed)

    def unsigned(day):
        count = due()
        clocked.clock_set(ahead(f"{following:%Y-%m}-{day:02d} 12:00:00"))
        wait_for(lambda: due() > count, 30, "report.due")
        return {i["summary"].split()[2] for i in provider.pages("/v1/incidents", kind="report.unsigned", state="open")}

    assert unsigned(5) == set()
    assert unsigned(7) == {r["id"] for r in waiting} != set()
    for r in waiting:
        provider.call("POST", f"/v1/reports/{r['id']}/signatures", {**SIGNATURE, "sha256": r["sha256"]}, expect=200)
    assert unsigned(8) == set()
    wait_for(lambda: len(provider.pages("/v1/jobs", kind="report.mail", state="done")) == len(reports), 30, "mailed")


def test_kill_in_the_midst(clocked):
    """kill -9 while a report is about to be kept: another does it, and there is one."""
    provider = clocked.client()
    tenant = clocked.tenant("agency-kill")
    with clocked.pg.connect("sg_tenant") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"report {tenant.id} service 2024-01",))
        reply = provider.call("POST", f"{tenant.path}/reports", {"kind": "service", "period": "2024-01"}, expect=202)
        again = provider.call("POST", f"{tenant.path}/reports", {"kind": "service", "period": "2024-01"}, expect=202)
        assert again.headers["Location"] == reply.headers["Location"]  # it is asked for already

        def waits():
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return cursor.fetchone()[0] == 1
        wait_for(waits, 30, "the job at the lock")
        assert provider.get(reply.headers["Location"])["state"] == "running"
        clocked.processes["tenantd"].kill()
        clocked.processes.pop("tenantd").wait()
        clocked.tenantd_start()
        cursor.execute("SELECT pg_advisory_unlock_all()")
    job = provider.job(reply.headers["Location"])
    assert job["attempts"] == 2
    (report,) = provider.pages(f"{tenant.path}/reports")
    assert report["id"] == job["result"]["report_id"] and report["revision"] == 1


def test_what_was_not_delivered_is_tried_again(clocked):
    """Six hours later, and for a week; meanwhile it is an incident. Here tenantd has no mail server."""
    provider = clocked.client()
    tenant = clocked.tenant("agency-again")
    provider.post(f"{tenant.path}/report-recipients", {
        "kind": "service", "address": f"{'d' * 236}@agency-again.test"})  # as long as one may be
    begin = time.time() + int((clocked.dir / "clock").read_text())

    def at_hour(hours):
        """The time is so many hours on; waits until what is due then was asked for and done."""
        then = datetime.datetime.fromtimestamp(begin + hours * 3600 - 60, datetime.timezone.utc).isoformat()
        clocked.clock_set(begin + hours * 3600 - time.time())
        # Old jobs are cleaned away meanwhile, so one of then is looked for.
        wait_for(lambda: any(j["created_at"] > then for j in provider.pages(
            "/v1/jobs", kind="report.due", state="done")), 60, "report.due")
        wait_for(lambda: not provider.pages("/v1/jobs", kind="report.mail", state="queued")
                 and not provider.pages("/v1/jobs", kind="report.mail", state="running"), 30, "quiet")
        (delivery,) = provider.get(path)["deliveries"]
        assert delivery["state"] == "failed"
        return delivery["attempts"]

    path, _ = made(provider, tenant.path, "service", "2024-01")
    reply = provider.call("POST", f"{path}/deliveries", expect=202)
    provider.job(reply.headers["Location"])
    assert at_hour(5) == 1 and at_hour(7) == 2 and at_hour(9) == 2 and at_hour(14) == 3
    (incident,) = provider.pages(f"{tenant.path}/incidents", kind="report.not-delivered")
    assert (incident["state"], incident["occurrences"]) == ("open", 3)
    assert at_hour(7 * 24 + 1) == 3


def test_sending_by_hand(provider, world):
    """What was superseded is not sent; how it goes is in test_reports_mail.py."""
    a, b = world
    for where, client in ((a.path, a.admin), ("/v1", provider)):
        path, _ = made(provider, where, "service")
        reply = client.call("POST", f"{path}/deliveries", expect=202)
        assert client.job(reply.headers["Location"])["result"] == {"recipients": 0, "sealed": 0}
        assert client.get(path)["deliveries"] == []
    old = provider.get(f"{b.path}/reports", state="superseded")["data"][0]
    provider.call("POST", f"{b.path}/reports/{old['id']}/deliveries", expect=409)
    a.viewer.call("POST", f"{a.path}/reports/{old['id']}/deliveries", expect=403)
    a.admin.call("POST", f"{a.path}/reports/{old['id']}/deliveries", expect=404)


# Availability -------------------------------------------------------------------------------------

def local(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(datetime.timezone.utc)


def test_availability_report(platform, provider, world):
    """REQ-142: minutes up, down, not measured and of maintenance, counted by hand; 30 days less an hour are 43140
    minutes."""
    a, _ = world
    with platform.pg.connect("sg_tenant").cursor() as cursor, platform.pg.connect("sg_owner").cursor() as owner:
        owner.execute("SELECT set_config('app.actor', 'x', false), set_config('app.now', now()::text, false)")
        cursor.execute("""
            INSERT INTO availability_sample (minute, component, node, ok)
            SELECT minute, component, node, true
            FROM generate_series(%s::timestamptz, %s, interval '1 minute') AS minute,
                 (VALUES ('in', 'gw1'), ('out', 'gw1'), ('out', 'gw2')) AS part (component, node)""",
                       (local("2024-08-31 23:50:00"), local("2024-10-01 00:10:00")))

        def change(begin, minutes, ok, component="%", node="%"):
            owner.execute("""UPDATE availability_sample SET ok = %s WHERE minute >= %s AND minute < %s
                             AND component LIKE %s AND node LIKE %s""",
                          (ok, local(begin), local(begin) + datetime.timedelta(minutes=minutes), component, node))
            return owner.rowcount

        # The last ten minutes of August and the first of September; one node of two; a part; nothing looked at.
        assert change("2024-08-31 23:50:00", 20, False, "in") == 20
        assert change("2024-09-02 10:00:00", 60, False, "out", "gw1") == 60
        assert change("2024-09-02 12:00:00", 7, False, "out") == 14
        owner.execute("DELETE FROM availability_sample WHERE minute >= %s AND minute < %s",
                      (local("2024-09-05 00:58:00"), local("2024-09-05 01:03:00")))
        # From half past one for an hour: the clocks went on to three at two.
        assert change("2024-09-29 01:30:00", 60, False) == 180
        # Announced before: 120 minutes, of which 30 were down. Announced afterwards: down as ever.
        assert change("2024-09-10 22:00:00", 30, False, "in") == 30
        assert change("2024-09-12 22:00:00", 15, False, "in") == 15
        for begin, minutes, announced in (("2024-09-10 21:30:00", 120, "2024-09-09 12:00:00"),
                                          ("2024-09-12 22:00:00", 15, "2024-09-12 22:05:00")):
            owner.execute("INSERT INTO maintenance_window VALUES (%s, %s, %s, 'w', %s, 'x')",
                          (new_id("mnt"), local(begin), local(begin) + datetime.timedelta(minutes=minutes),
                           local(announced)))
    path, _ = made(provider, "/v1", "availability")
    forms = Forms(provider, path)
    forms.agree()
    down, unmeasured, maintenance = 10 + 7 + 60 + 15, 5, 120
    up = 43140 - down - unmeasured - maintenance
    assert {name: value for (_, name), value in forms.figures.items()} == {
        "availability": "99.774", "guaranteed": "99.500", "met": True, "minutes": 43140, "up": up, "down": down,
        "unmeasured": unmeasured, "maintenance": maintenance, "with_maintenance": "99.496"}
    assert forms.rows("outages") == [
        ["2024-09-01", "00:00", "down", 10, 0], ["2024-09-02", "12:00", "down", 7, 720],
        ["2024-09-05", "00:58", "unmeasured", 5, 58], ["2024-09-10", "21:30", "maintenance", 120, 1290],
        ["2024-09-12", "22:00", "down", 15, 1320], ["2024-09-29", "01:30", "down", 60, 90]]
    days = {row[0]: row[1:] for row in forms.rows("days")}
    assert len(days) == 30 and days["2024-09-03"] == [1440, 1440, 0, 0, 0]
    assert days["2024-09-29"] == [1380, 1320, 60, 0, 0] and days["2024-09-10"] == [1440, 1320, 0, 0, 120]
    assert days["2024-09-05"] == [1440, 1435, 0, 5, 0]
    assert "5 of 43140 minutes were not measured" in forms.data["missing"][0]
    # The customer's is of the same service.
    path, _ = made(provider, a.path, "availability")
    assert Forms(a.viewer, path).figures == forms.figures
    # Counting begins with the first look, in the last ten minutes of August; before, there was no service.
    path, _ = made(provider, "/v1", "availability", "2024-08")
    figures = Forms(provider, path).figures
    assert [figures["availability", name] for name in ("minutes", "down", "unmeasured")] == [10, 10, 0]
    path, _ = made(provider, "/v1", "availability", "2024-07")
    forms = Forms(provider, path)
    forms.agree()
    assert forms.figures["availability", "minutes"] == 0 and forms.figures["availability", "met"] is False
    assert "The service had not begun in July 2024." in str(forms.data)
    # A month of which nothing is known since then was not available.
    path, _ = made(provider, "/v1", "availability", "2024-11")
    figures = Forms(provider, path).figures
    assert figures["availability", "availability"] == "0.000" and figures["availability", "met"] is False
    assert figures["availability", "unmeasured"] == 30 * 1440

# Breaches -----------------------------------------------------------------------------------------

def test_breach_report(platform, provider):
    """REQ-144, REQ-113: every cause, whom it affects, when it was seen, what became of it; counted by hand."""
    tenant = platform.tenant("agency-breach")
    us, them = "joe@agency-breach.test", "ann@one.test"
    platform.feed(
        mail(tenant, "2024-08-31 23:59:58", "inbound", them, [(us, "delivered", "unverified", "002")]),  # before
        mail(tenant, "2024-09-01 00:00:00", "inbound", them, [(us, "delivered", "unverified", "002")]),
        # A recipient more, and another code of the same message.
        mail(tenant, "2024-09-29 02:00:00", "inbound", them, [
            (us, "delivered", "unverified", "002"), ("jim@agency-breach.test", "delivered", "unverified", "002,003")]),
        mail(tenant, "2024-09-29 03:00:00", "inbound", "eve@=two.test", [(us, "delivered", "unverified", "103,104")]),
        mail(tenant, "2024-09-30 23:59:58", "outbound", us, [("x@outside.test", "refused", "", "001"),
                                                             ("y@outside.test", "refused", "", "001")]),
        mail(tenant, "2024-09-10 10:00:00", "outbound", us, [("x@late.test", "held", "", "201")]),
        mail(tenant, "2024-10-01 00:00:00", "outbound", us, [("x@outside.test", "refused", "", "001")]))  # after
    path, _ = made(provider, tenant.path, "breach")
    forms = Forms(tenant.viewer, path)
    forms.agree()
    altered, unsigned = "altered on the way", "from a participating agency, and nothing shows that it came from there"
    word = "a trigger word towards an agency that cannot receive it securely"
    d = "agency-breach.test"
    rows = [[unsigned, "002", d, "one.test", "inbound", 2, 3, "2024-09-01 00:00", "2024-09-29 03:00", "open", ""],
            [altered, "003", d, "one.test", "inbound", 1, 1, "2024-09-29 03:00", "2024-09-29 03:00", "open", ""],
            [word, "001", d, "outside.test", "outbound", 1, 2, "2024-09-30 23:59", "2024-09-30 23:59", "open", ""]]
    assert forms.rows("breaches") == rows
    assert {name: value for (_, name), value in forms.figures.items()} == {
        "breaches": 3, "resolved": 0, "open": 3, "messages": 3, "recipients": 5, "trigger_words": 1, "warned": 1,
        "delayed": 1}
    assert {row[0]: row[1:] for row in forms.rows("days") if any(row[1:])} == {
        "2024-09-01": [1, 0, 0], "2024-09-10": [0, 0, 1], "2024-09-29": [1, 1, 0], "2024-09-30": [1, 0, 0]}
    # A partner that writes a formula for its name.
    expired, unknown = "the sender's certificate has expired", "the status of the sender's certificate cannot be verified"
    assert forms.rows("warnings") == [
        [expired, "103", d, "=two.test", "inbound", 1, 1, "2024-09-29 03:00", "2024-09-29 03:00"],
        [unknown, "104", d, "=two.test", "inbound", 1, 1, "2024-09-29 03:00", "2024-09-29 03:00"]]
    assert "\"'=two.test\"" in forms.tables_csv["warnings"]
    assert forms.data["summary"] == ["3 breaches of security were found in September 2024; 0 are resolved, 3 are open."]
    assert forms.data["missing"] == ["3 breaches have no resolution yet."]

    # Resolved, in both months of UTC that the month in New Zealand is of.
    wait_for(lambda: len(provider.pages(f"{tenant.path}/breaches", code="002")) == 2, 30, "counted")
    for n, breach in enumerate(provider.pages(f"{tenant.path}/breaches", code="002")):
        provider.post(f"/v1/breaches/{breach['id']}/resolve", {"words": f"The partner signs again ({breach['month']})."}, 200)
        path, _ = made(provider, tenant.path, "breach")
        assert Forms(provider, path).figures["totals", "resolved"] == n
    after = Forms(provider, path)
    after.agree()
    assert after.rows("breaches") == [[*rows[0][:9], "resolved", "The partner signs again (2024-09)."], *rows[1:]]
    assert after.json["revision"] == 2
    assert after.json["differs"] == ["In numbers, resolved: 1 now, 0 before", "In numbers, open: 2 now, 3 before",
                                     "Breaches and their resolution, table Breaches: 1 rows are other than before"]


def test_a_breach_that_is_found_after_a_long_hold(platform, provider):
    """REQ-144: mail may be held for 60 days; what its outcome says then is of the month in which it said so."""
    tenant = platform.tenant("agency-held")
    late = mail(tenant, "2024-07-12 10:00:00", "inbound", "ann@one.test",
                [("joe@agency-held.test", "delivered", "unverified", "002,103")])
    late["recipients"][0]["outcome_at"] = at("2024-09-05 22:00:00")
    platform.feed(late)
    path, _ = made(provider, tenant.path, "breach")
    forms = Forms(tenant.viewer, path)
    assert [(row[1], row[7]) for row in forms.rows("breaches")] == [("002", "2024-09-05 22:00")]
    assert [row[1] for row in forms.rows("warnings")] == ["103"]
    assert (forms.figures["totals", "breaches"], forms.figures["totals", "messages"]) == (1, 1)
    assert [row[0] for row in forms.rows("days") if any(row[1:])] == ["2024-09-05"]


def test_a_month_without_a_breach_says_so(provider, world):
    path, _ = made(provider, "/v1", "breach", "2024-05")
    forms = Forms(provider, path)
    forms.agree()
    assert forms.data["summary"] == ["No breach of security was found in May 2024."] and forms.data["missing"] == []
    assert set(forms.figures.values()) == {0} and forms.rows("breaches") == []
    assert "No breach of security was found in May 2024." in forms.html


def test_an_incident_that_is_a_breach(platform, provider):
    """Of the month in which it was seen; its resolution is the incident's."""
    tenant = platform.tenant("agency-compromised")
    platform.feed({"incident": "certificate.compromised", "tenant_id": tenant.id, "severity": "critical",
                   "summary": "The key was lost.", "key": f"certificate.compromised {tenant.id}"})
    month = datetime.datetime.now(ZONE).strftime("%Y-%m")
    path, _ = made(provider, tenant.path, "breach", month)
    forms = Forms(provider, path)
    forms.agree()
    (row,) = forms.rows("breaches")
    assert row[1:7] == ["", "", "", "", 0, 0] and row[9:] == ["open", ""]
    path, _ = made(provider, tenant.path, "service", month)
    (row,) = Forms(tenant.viewer, path).rows("incidents")
    assert row[:4] == ["The key was lost.", "certificate.compromised", "critical", 1] and row[6:] == ["open", ""]
    incident = provider.get(f"{tenant.path}/incidents")["data"][0]
    provider.post(f"/v1/incidents/{incident['id']}/resolve", {"words": "A new key was made."}, 200)
    path, _ = made(provider, tenant.path, "breach", month)
    assert Forms(provider, path).rows("breaches")[0][9:] == ["resolved", "A new key was made."]


# Usage --------------------------------------------------------------------------------------------

def since(platform, tenant, day="2024-01-01"):
    """The tenant has been there since then, and its domain."""
    with platform.pg.connect("sg_owner").cursor() as owner:
        owner.execute("SELECT set_config('app.actor', 'x', false), set_config('app.now', now()::text, false)")
        owner.execute("UPDATE tenant SET created_at = %s WHERE id = %s", (local(f"{day} 00:00:00"), tenant.id))
        owner.execute("UPDATE domain_state SET at = %s WHERE tenant_id = %s", (local(f"{day} 00:00:00"), tenant.id))


def test_usage_report(platform, provider, world):
    """REQ-142: the numbers of billing, counted by hand; by domain, what is for two of ours stands at each of them."""
    tenant, idle = platform.tenant("agency-usage"), platform.tenant("agency-idle")
    since(platform, tenant, "2024-09-28")  # 28, 29 (of 23 hours) and 30 September
    since(platform, idle)
    ours = [(f"joe@agency-usage.test", "delivered", "verified", "")]
    platform.feed(
        mail(tenant, "2024-08-31 23:59:59", "outbound", "joe@agency-usage.test", [("a@one.test", "delivered", "sealed", "")]),
        mail(tenant, "2024-09-01 00:00:00", "outbound", "joe@agency-usage.test",
             [("a@one.test", "delivered", "sealed", ""), ("b@one.test", "held", "", "201")], size=300),
        mail(tenant, "2024-09-30 23:59:59", "inbound", "a@one.test",
             [*ours, ("jim@agency-usage.test", "refused", "", ""), ("x@second.test", "delivered", "verified", "")], size=2000),
        mail(tenant, "2024-09-02 00:00:00", "outbound", "", [("a@one.test", "delivered", "sealed", "")], size=5))
    path, _ = made(provider, tenant.path, "usage")
    forms = Forms(tenant.viewer, path)
    forms.agree()
    # Kept are August's thousand bytes too.
    want = {"tenants": 1, "domains": 1, "domain_days": 3, "messages_out": 2, "recipients_out": 3, "bytes_out": 305,
            "sealed": 2, "messages_in": 1, "recipients_in": 3, "bytes_in": 2000, "opened": 1, "held": 1, "refused": 1,
            "storage_bytes": 3305}
    assert {name: value for (_, name), value in forms.figures.items()} == want
    (row,) = forms.rows("tenants")
    names = [c["name"] for t in forms.tables if t["id"] == "tenants" for c in t["columns"]]
    row = dict(zip(names, row))
    assert {k: v for k, v in row.items() if k in want} == {k: v for k, v in want.items() if k != "tenants"}
    assert (row["tenant_id"], row["tenant"]) == (tenant.id, "agency-usage")
    assert forms.rows("domains") == [
        [tenant.id, "agency-usage", "", 1, 1, 5, 0, 0, 0],
        [tenant.id, "agency-usage", "agency-usage.test", 1, 2, 300, 1, 2, 2000],
        [tenant.id, "agency-usage", "second.test", 0, 0, 0, 1, 1, 2000]]
    # What billing is told is the same.
    billed = provider.get(f"{tenant.path}/usage", month=MONTH)
    assert {k: billed[k] for k in want if k != "tenants"} == {k: v for k, v in want.items() if k != "tenants"}
    # Platform-wide the same rows, beside everybody's; one without mail has one too.
    path, _ = made(provider, "/v1", "usage")
    everybody = Forms(provider, path)
    everybody.agree()
    rows = {r[0]: dict(zip(names, r)) for r in everybody.rows("tenants")}
    assert rows[tenant.id] == row and rows[idle.id]["messages_out"] == 0 and rows[idle.id]["domain_days"] == 30
    assert sum(r["messages_out"] for r in rows.values()) == everybody.figures["usage", "messages_out"]


def test_recipients(platform, provider, world):
    """Each once; a tenant's are its own, and so are the provider's."""
    a, b = world
    made_one = a.admin.post(f"{a.path}/report-recipients", {"kind": "usage", "address": "Billing@Agency-A.test"})
    assert made_one["address"] == "billing@agency-a.test" and made_one["tenant_id"] == a.id
    again = a.admin.call("POST", f"{a.path}/report-recipients", {"kind": "usage", "address": "billing@agency-a.test"}, expect=409)
    assert again.json["pointer"] == "/address"
    for bad in ("billing", "@agency-a.test", "<>", "a b@agency-a.test"):
        assert a.admin.call("POST", f"{a.path}/report-recipients", {"kind": "usage", "address": bad},
                            expect=422).json["pointer"] == "/address"
    platform_one = provider.post("/v1/report-recipients", {"kind": "usage", "address": "billing@agency-a.test"})
    assert provider.get("/v1/report-recipients")["data"] == [platform_one]
    assert a.viewer.get(f"{a.path}/report-recipients")["data"] == [made_one]
    assert b.viewer.get(f"{b.path}/report-recipients")["data"] == []
    b.admin.call("DELETE", f"{b.path}/report-recipients/{made_one['id']}", expect=404)
    provider.call("DELETE", f"/v1/report-recipients/{made_one['id']}", expect=404)
    a.viewer.call("DELETE", f"{a.path}/report-recipients/{made_one['id']}", expect=403)
    # Nothing is sent: tenantd has no mail server here, and says so.
    path, _ = made(provider, a.path, "usage")
    reply = provider.call("POST", f"{path}/deliveries", expect=202)
    provider.job(reply.headers["Location"])
    (delivery,) = provider.get(path)["deliveries"]
    assert (delivery["recipient"], delivery["state"]) == ("billing@agency-a.test", "failed")
    # Named ones are in the place of the contacts: of security, and for usage of billing.
    for role in ("security", "billing", "technical"):
        a.admin.post(f"{a.path}/contacts", {"role": role, "organisation": "Agency A", "mailbox": f"{role}@agency-a.test",
                                            "role_mailbox": True})
    got = {}
    for kind in ("usage", "service"):
        path, _ = made(provider, a.path, kind, "2024-06")
        reply = provider.call("POST", f"{path}/deliveries", expect=202)
        provider.job(reply.headers["Location"])
        got[kind] = [d["recipient"] for d in provider.get(path)["deliveries"]]
    assert got == {"usage": ["billing@agency-a.test"], "service": ["security@agency-a.test"]}
    a.admin.post(f"{a.path}/report-recipients", {"kind": "service", "address": "desk@agency-a.test"})
    path, _ = made(provider, a.path, "service", "2024-05")
    reply = provider.call("POST", f"{path}/deliveries", expect=202)
    provider.job(reply.headers["Location"])
    assert [d["recipient"] for d in provider.get(path)["deliveries"]] == ["desk@agency-a.test"]
    a.admin.delete(f"{a.path}/report-recipients/{made_one['id']}")
    provider.delete(f"/v1/report-recipients/{platform_one['id']}")
    # The limit at its edge.
    for n in range(100):
        b.admin.post(f"{b.path}/report-recipients", {"kind": "usage", "address": f"a{n}@agency-b.test"})
    b.admin.call("POST", f"{b.path}/report-recipients", {"kind": "usage", "address": "one-more@agency-b.test"}, expect=413)


def test_maintenance_is_announced_before(provider, world):
    a, _ = world
    window = {"begins_at": "2098-12-31T00:00:00.000Z", "ends_at": "2098-12-31T01:00:00.000Z", "words": "New disks."}
    row = provider.post("/v1/maintenance", window)
    assert {k: row[k] for k in window} == window
    assert row in provider.pages("/v1/maintenance")
    for change, pointer in (({"begins_at": "2020-01-01T00:00:00Z", "ends_at": "2020-01-01T01:00:00Z"}, "/begins_at"),
                            ({"ends_at": window["begins_at"]}, "/ends_at"), ({"ends_at": "2099-01-08T00:00:01Z"}, "/ends_at")):
        bad = provider.call("POST", "/v1/maintenance", {**window, **change}, expect=422)
        assert bad.json["pointer"] == pointer
    a.admin.call("GET", "/v1/maintenance", expect=404)
    provider.delete(f"/v1/maintenance/{row['id']}")
    past = next(w for w in provider.pages("/v1/maintenance") if w["begins_at"] < "2025")
    provider.call("DELETE", f"/v1/maintenance/{past['id']}", expect=404)


class Watched(Platform):
    """tenantd looks at apid, at itself and at a mail server."""

    def configure(self, **http):
        super().configure(**http)
        path = self.dir / "tenantd.conf"
        self.smtp = self.ports.base + 9
        path.write_text(path.read_text() + f"[availability]\nprobes = in=smtp:127.0.0.1:{self.smtp} "
                        f"api=unix:{self.dir}/apid.sock api=inet:127.0.0.1:1\ntimeout = 2s\n")


def test_each_minute_is_looked_at(tmp_path):
    """Two tenantd write a row for a minute and part: what one of them found well is. A server that is away is down."""
    with Watched(hsm=False, clock=True) as p, MailServer(p.smtp, tmp_path / "mail") as server:
        p.tenantd_start("tenantd-2")

        def samples(minutes_ahead):
            p.clock_set(minutes_ahead * 60)
            begin = time.time() + minutes_ahead * 60 - 60
            with p.pg.connect("sg_tenant").cursor() as cursor:
                def rows():
                    cursor.execute("""SELECT component, node, ok, detail FROM availability_sample
                                      WHERE minute > to_timestamp(%s) ORDER BY 1, 2""", (begin,))
                    found = cursor.fetchall()
                    return found if len(found) >= 3 else None
                return {(c, n): (ok, detail) for c, n, ok, detail in wait_for(rows, 30, "samples")}

        found = samples(10)
        smtp, api, nobody = ("in", f"127.0.0.1:{p.smtp}"), ("api", f"{p.dir}/apid.sock"), ("api", "127.0.0.1:1")
        assert set(found) == {smtp, api, nobody}
        assert found[smtp] == found[api] == (True, "") and found[nobody][0] is False and found[nobody][1]
        server.stop()
        found = samples(20)
        assert found[smtp][0] is False and found[api][0] is True
        month = datetime.datetime.now(ZONE) + datetime.timedelta(minutes=21)
        p.clock_set(21 * 60)
        path, _ = made(p.client(), "/v1", "availability", month.strftime("%Y-%m"))
        figures = Forms(p.client(), path).figures
        # The server was away; the other part was well on one node of two.
        assert figures["availability", "up"] >= 1 and figures["availability", "down"] >= 1
        assert p.stop("tenantd-2") == 0
