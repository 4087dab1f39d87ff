"""The retention log: found by what is known, by its indexes under row-level security, in pages that
hold still, within 2 s of the event; and that the provider looked is in the audit log.

REQ-117
"""
import json
import os
import pathlib
import re
import tempfile
import time

import pytest

from apienv import Platform, ROOT, new_id
from sealgate.ports import PortBlock
from sealgate.process import children, wait_for
from setting import A, B, Setting, simple

SECOND = 1000000
DAY = 86400 * SECOND


def now_within_a_month():
    """The log is kept by the month: on the first day of one, and in the last hour, yesterday's noon or today's, so that what
    is known here lies in the same partition as the many it is found among."""
    now = time.time_ns() // 1000
    noon = now - now % DAY + DAY // 2
    if time.gmtime(now / SECOND).tm_mday == 1:
        return noon - DAY
    return now if time.gmtime(now / SECOND + 3600).tm_mday != 1 else noon


NOW = now_within_a_month()
BULK = 100000


@pytest.fixture(scope="module")
def platform():
    with Platform(tenantd=False, hsm=False) as p:
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


@pytest.fixture(scope="module")
def world(platform):
    """One tenant with 100,000 messages, one with as many of its own, written by the feed itself."""
    class World:
        big, other = platform.tenant("big"), platform.tenant("other")
    for tenant in (World.big, World.other):
        platform.feed({"bulk": BULK, "tenant_id": tenant.id, "from": NOW - DAY,
                       "step": 500000, "domain": tenant.domain["name"]})
    platform.pg.psql("-c", "ANALYZE", database="sealgate")
    return World


def message(tenant, seconds_ago=0, recipients=(("ann@recipient.test", "delivered", "sealed", ""),), **more):
    return {"id": new_id("msg"), "tenant_id": tenant.id, "received_at": NOW - seconds_ago * SECOND,
            "direction": "outbound", "queue_id": "4Rq1XyZ", "sender": f"joe@{tenant.domain['name']}",
            "message_id": "m", "recipients": [
                dict(zip(("recipient", "outcome", "verdict", "codes"), r), reply="") for r in recipients],
            **more}


# What is found ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def known(platform):
    """A tenant with five messages."""
    tenant = platform.tenant("known")
    own = tenant.domain["name"]
    rows = {
        "out": message(tenant, 50, message_id="one@x", client="198.51.100.7",
                       sent_at=NOW - 55 * SECOND),
        "two": message(tenant, 40, [("ann@recipient.test", "delivered", "sealed", ""),
                                    ("bob@partner.test", "held", "", "201")], queue_id="Q2"),
        "in": message(tenant, 30, [(f"joe@{own}", "delivered", "unverified", "002,103")],
                      direction="inbound", sender="eve@partner.test"),
        "null": message(tenant, 20, [(f"joe@{own}", "delivered", "plain", "")], direction="inbound",
                        sender=""),
        "no": message(tenant, 10, [("x@nowhere.test", "refused", "", "")]),
    }
    platform.feed(*rows.values())
    return tenant, {row["id"]: name for name, row in rows.items()}


@pytest.mark.parametrize("query,expected", [
    ({}, "no null in two out"),
    ({"sender": "EVE@partner.test"}, "in"), ({"sender": "<>"}, "null"),
    ({"sender_domain": "partner.test"}, "in"), ({"recipient": "bob@partner.test"}, "two"),
    ({"recipient_domain": "Recipient.test"}, "two out"), ({"domain": "partner.test"}, "in two"),
    ({"domain": "known.test"}, "no null in two out"),
    ({"domain": "partner.test", "sender_domain": "known.test"}, "two"),
    ({"domain": "partner.test", "recipient_domain": "known.test"}, "in"),
    ({"message_id": "<one@x>"}, "out"), ({"queue_id": "Q2"}, "two"), ({"client": "198.51.100.7"}, "out"),
    ({"direction": "inbound"}, "null in"), ({"outcome": "held"}, "two"), ({"outcome": "refused"}, "no"),
    ({"outcome": "delivered"}, "null in two out"), ({"verdict": "unverified"}, "in"),
    ({"verdict": "sealed"}, "two out"), ({"code": "103"}, "in"), ({"code": "201"}, "two"),
    ({"code": "201", "outcome": "held"}, "two"), ({"code": "201", "outcome": "delivered"}, ""),
    ({"recipient": "ann@recipient.test", "outcome": "held"}, ""),  # Bob is held, Ann is not
    ({"code": "103", "recipient": "ann@recipient.test"}, ""),
    ({"outcome": "delivered", "direction": "outbound", "message_id": "one@x"}, "out"),
    ({"code": "999"}, ""), ({"sender": "nobody@x.test"}, "")], ids=str)
def test_filters(known, query, expected):
    tenant, names = known
    rows = tenant.viewer.pages(f"{tenant.path}/messages", **query)
    assert [names[r["id"]] for r in rows] == expected.split()
    one_by_one = tenant.viewer.pages(f"{tenant.path}/messages", limit=1, **query)
    assert one_by_one == rows


def test_times_of_a_message(known):
    """REQ-117: origin, destination, time sent, time received."""
    tenant, names = known
    rows = {names[r["id"]]: r for r in tenant.viewer.pages(f"{tenant.path}/messages")}
    one = rows["out"]
    assert one["sent_at"] < one["received_at"] < one["recipients"][0]["outcome_at"]
    assert rows["two"]["sent_at"] is None
    assert (one["sender"], one["recipients"][0]["recipient"]) == (
        "joe@known.test", "ann@recipient.test")
    found = tenant.viewer.pages(f"{tenant.path}/messages",
                                **{"from": rows["two"]["received_at"], "to": rows["null"]["received_at"]})
    assert [names[r["id"]] for r in found] == ["in", "two"]


def test_bad_filters(known):
    tenant, _ = known
    for name, value in (("outcome", "lost"), ("code", "1234"), ("domain", ""), ("verdict", "x" * 21),
                        ("client", "x" * 65)):
        assert tenant.viewer.get(f"{tenant.path}/messages", expect=422,
                                 **{name: value})["parameter"] == name


def test_a_code_that_is_gone_is_found(platform, known):
    """Held, then sent: the recipient has no code any more, but it had one."""
    tenant, _ = known
    row = message(tenant, 3600, [("late@partner.test", "held", "", "211")])
    sent = {**row, "recipients": [{**row["recipients"][0], "outcome": "delivered", "verdict": "sealed",
                                   "codes": "", "outcome_at": NOW}]}
    platform.feed(row, sent)
    (found,) = tenant.viewer.get(f"{tenant.path}/messages", code="211")["data"]
    assert found["id"] == row["id"] and found["recipients"][0]["codes"] == []


def test_pages_hold_still_while_rows_come_in(platform):
    tenant = platform.tenant("still")
    rows = [message(tenant, n) for n in range(40)]
    platform.feed(*rows)
    for query in ({}, {"recipient_domain": "recipient.test"}, {"domain": "still.test"}):
        got, cursor = [], None
        for k in range(100):
            page = tenant.viewer.get(f"{tenant.path}/messages", limit=3, **query,
                                     **({"cursor": cursor} if cursor else {}))
            got += [r["id"] for r in page["data"]]
            cursor = page["next_cursor"]
            if not cursor:
                break
            platform.feed(message(tenant, -k), message(tenant, 0))  # newer ones, all the time
        assert len(got) == len(set(got)) and set(got) >= {r["id"] for r in rows}


# By its indexes -----------------------------------------------------------------------------------

SEARCHES = [  # query, the condition that an index must serve, how many
    ({"sender": "u17@big.test"}, "sender", 100),
    ({"recipient": "p42@d42.test"}, "recipient", 20),
    ({"recipient_domain": "d7.test"}, "recipient_domain", 500),
    ({"message_id": "777@bulk"}, "message_id", 1),
    ({"queue_id": "q4711"}, "queue_id", 1),
    ({"client": "192.0.2.33"}, "client_address", 400),
    ({"outcome": "refused"}, "outcome", 100),
    ({"code": "103"}, "code", 200),
    ({"code": "103", "recipient": "p3@d3.test"}, "recipient|code", 20),
]
PARAMETERS = ["from", "to", "direction", "sender", "sender_domain", "message_id", "queue_id", "client",
              "recipient", "recipient_domain", "outcome", "verdict", "code"]


def spent(platform):
    """CPU seconds of apid and of its sessions with PostgreSQL so far: unlike a clock they do not count what else the
    machine has to do."""
    ticks = 0
    for pid in (platform.processes["apid"].pid, *children(platform.pg.process.pid)):
        try:
            folder = pathlib.Path(f"/proc/{pid}")
            if pid == platform.processes["apid"].pid or b"postgres: sg_" in (folder / "cmdline").read_bytes():
                ticks += sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:13]))
        except (FileNotFoundError, ProcessLookupError):
            pass  # a server process that had nothing to do with it
    return ticks / os.sysconf("SC_CLK_TCK")


def explain(platform, role, tenant, query):
    """The plan of the very statement, as that role: every node, and the blocks that were looked at."""
    kind = "_code" if "code" in query else "_recipient" if {
        "recipient", "recipient_domain", "outcome", "verdict"} & set(query) else ""
    sql = (ROOT / f"schema/queries/api_message_list{kind}.sql").read_text()
    cursor = platform.pg.connect(role).cursor()
    cursor.execute("SELECT set_config('app.tenant', %s, false),"
                   " set_config('plan_cache_mode', 'force_custom_plan', false)", (tenant or "",))
    cursor.execute(f"PREPARE search AS {sql}")
    values = [tenant, *(query.get(name) for name in PARAMETERS), None, None, 101]
    marks = ", ".join("NULL" if v is None else str(v) if isinstance(v, int) else f"'{v}'"
                      for v in values)
    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE search({marks})")
    (plan,) = cursor.fetchone()[0]

    def nodes(node):
        yield node
        for child in node.get("Plans", []):
            yield from nodes(child)

    return list(nodes(plan["Plan"])), plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


@pytest.mark.parametrize("query,column,count", SEARCHES, ids=str)
@pytest.mark.parametrize("whose", ["tenant", "platform"])
def test_found_by_index(platform, provider, world, whose, query, column, count):
    """100,000 messages of each of two tenants: what is rare is found by its own index, under
    row-level security as well as by the provider."""
    own = whose == "tenant"
    role, tenant = ("sg_api", world.big.id) if own else ("sg_provider", None)
    nodes, blocks = explain(platform, role, tenant, query)
    # The codes of a month are so few here that reading them through is right.
    assert not [n for n in nodes if n["Node Type"] == "Seq Scan" and n["Actual Rows"] > 0
                and n["Relation Name"].startswith(("message_2", "message_recipient_2"))], nodes
    assert max(n["Actual Rows"] * n["Actual Loops"] for n in nodes) <= 4 * count + 200, nodes
    conditions = [n.get("Index Cond", "") for n in nodes]
    conditions += [n["Filter"] for n in nodes if n.get("Relation Name", "").startswith("message_code_2")]
    assert any(re.search(rf"\b({column})\)?(::text)? = '", c) for c in conditions), conditions
    before = spent(platform)
    rows = (world.big.viewer.pages(f"{world.big.path}/messages", **query) if own
            else provider.pages("/v1/messages", **query))
    took = spent(platform) - before
    rows = [r for r in rows if r["message_id"].endswith("@bulk")]  # not those of the tests above
    assert len(rows) == (count if own or "sender" in query else 2 * count)
    print(f"{whose} {query}: {blocks} blocks, {len(rows)} rows for {took * 1000:.0f} ms of CPU time")
    assert blocks <= 10 * len(rows) + 100 and took < 1


def test_newest_first_of_many(platform, world):
    """What everything matches comes in its order, a page at a time."""
    for query in ({}, {"direction": "outbound"}, {"domain": "big.test"}, {"sender_domain": "big.test"},
                  {"outcome": "delivered"}, {"verdict": "sealed"}):
        before = spent(platform)
        page = world.big.viewer.get(f"{world.big.path}/messages", limit=50, **query)
        took = spent(platform) - before
        assert len(page["data"]) == 50 and page["next_cursor"]
        assert [r["received_at"] for r in page["data"]] == sorted(
            (r["received_at"] for r in page["data"]), reverse=True)
        print(f"{query}: {took * 1000:.0f} ms of CPU time")
        assert took < 1, query


READ = ("SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_xact_all_tables"
        " WHERE relname ~ '^(message(_recipient|_code)?|trace_event)_[0-9]'")


@pytest.mark.parametrize("name", ["watermark", "evidence", "traffic", "codes", "usage"])
def test_a_tenants_report_reads_its_own_log(platform, world, known, name):
    """Five messages beside 200,000 of others: a report costs what the tenant has in the log."""
    tenant, names = known
    platform.pg.psql("-c", "ANALYZE sealgate.message, sealgate.message_recipient", database="sealgate")
    with platform.pg.connect("sg_tenant") as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = sealgate; SET plan_cache_mode = force_custom_plan")
        cursor.execute(f"PREPARE report AS {(ROOT / f'schema/queries/report_{name}.sql').read_text()}")
        cursor.execute("EXECUTE report(%s, to_timestamp(%s), to_timestamp(%s), 'Pacific/Auckland')",
                       (tenant.id, (NOW - 2 * DAY) / SECOND, NOW / SECOND + 60))
        cursor.fetchall()
        cursor.execute(READ)
        (read,) = cursor.fetchone()
        print(f"{name}: {read} rows read")
        assert len(names) <= read <= 40 * len(names)


# Who looked ---------------------------------------------------------------------------------------

def test_the_providers_look_is_audited(platform, provider, known, world):
    tenant, names = known

    def reads(client, path):
        return [a for a in client.pages(path, object="message") if a["action"] == "read"]

    tenant.viewer.get(f"{tenant.path}/messages")
    before, wide = len(reads(provider, f"{tenant.path}/audit")), len(reads(provider, "/v1/audit"))
    tenant.viewer.get(f"{tenant.path}/messages")  # its own
    support = platform.client(provider.post("/v1/tokens", {"name": "desk", "role": "support"})["token"])
    found = support.get("/v1/messages", recipient="bob@partner.test")["data"]
    assert [names[r["id"]] for r in found] == ["two"]
    row = reads(tenant.viewer, f"{tenant.path}/audit")[0]
    assert "desk" in row["actor"] and row["after"] == {"recipient": "bob@partner.test", "shown": 1}
    support.get(f"{tenant.path}/messages/{found[0]['id']}")
    support.get(f"{tenant.path}/messages/{found[0]['id']}/trace")
    support.get(f"{tenant.path}/messages", code="103")
    support.get("/v1/messages", sender="nobody@known.test")  # nothing shown: the platform's log alone
    rows = reads(tenant.viewer, f"{tenant.path}/audit")
    assert len(rows) == before + 4
    assert [(a["object_id"], a["after"]) for a in rows[:3]] == [
        ("", {"code": "103", "shown": 1}), (found[0]["id"], {"what": "trace"}),
        (found[0]["id"], {"what": "message"})]
    everyone = reads(provider, "/v1/audit")
    assert len(everyone) == wide + 6
    assert everyone[0]["after"] == {"sender": "nobody@known.test", "shown": 0}
    assert everyone[0]["tenant_id"] is None
    # A page of several tenants' messages is in the log of each.
    shown = support.get("/v1/messages", limit=400, sender_domain="big.test")["data"]
    assert len(shown) == 400
    row = reads(provider, f"{world.big.path}/audit")[0]
    assert row["after"] == {"sender_domain": "big.test", "shown": 400}


def test_who_may_search_it_all(platform, provider, known):
    tenant, _ = known
    tenant.admin.get("/v1/messages", expect=404)
    for role, status in (("auditor", 200), ("support", 200), ("billing", 403)):
        token = provider.post("/v1/tokens", {"name": role, "role": role})["token"]
        platform.client(token).get("/v1/messages", expect=status, limit=1)


# Real mail ----------------------------------------------------------------------------------------

def test_real_mail_is_found_within_two_seconds():
    """Submitted to Postfix, sealed, opened, delivered: each half is found within 2 s of the delivery,
    with its times; and a forged one is a breach."""
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgr", dir="/var/tmp") as folder:
        setting = Setting(folder, block)
        try:
            setting.start()
            setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "first"))
            setting.arrived(B, "first")
            setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "timed"))
            setting.arrived(B, "timed")
            begin = time.monotonic()

            def found():
                rows = setting.platform.api.list("/v1/messages", message_id="timed@x.test")
                done = [r for r in rows if r["recipients"][0]["outcome"] == "delivered"]
                return len(done) == 2 and {r["direction"]: r for r in done}

            rows = wait_for(found, 10, "the mail in the retention log")
            took = time.monotonic() - begin
            print(f"found {took:.2f} s after it was delivered")
            assert took < 2
            for row in rows.values():
                assert row["sent_at"] == "2026-11-22T21:00:00.000Z"
                assert row["sender"] == f"joe@{A}"
                assert row["recipients"][0]["recipient"] == f"ann@{B}"
                assert row["received_at"] <= row["recipients"][0]["outcome_at"]
            assert rows["outbound"]["recipients"][0]["verdict"] == "sealed"
            assert rows["inbound"]["recipients"][0]["verdict"] == "verified"
            # As if it came from A, and it did not (002).
            setting.from_outside(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "forged"))
            setting.servers[B].wait(1, 60, lambda mail: b"UNVERIFIED" in mail.raw)
            begin = time.monotonic()
            (row,) = wait_for(lambda: setting.platform.api.list("/v1/breaches", code="002"), 10,
                              "the breach")
            assert time.monotonic() - begin < 2
            assert (row["domain"], row["partner_domain"], row["class"]) == (B, A, "unsigned")
            assert (row["messages"], row["direction"]) == (1, "inbound")
            json.dumps(row)
        finally:
            setting.stop()
