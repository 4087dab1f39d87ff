"""Usage for billing: numbers by hand, closed once, adjusted in the open, equal to counting again; and
deletion by retention policy: what goes, what stays, its record, legal holds, kill -9. REQ-117 REQ-133
"""
import calendar
import csv
import io
import threading
import time

import psycopg2
import pytest

from apienv import Client, Platform, new_id
from sealgate import template
from sealgate.process import wait_for

SECOND, DAY = 1000000, 86400
NUMBERS = ["messages_out", "recipients_out", "bytes_out", "messages_in", "recipients_in", "bytes_in",
           "sealed", "opened", "held", "refused"]


@pytest.fixture(scope="module")
def platform():
    with Platform(hsm=False, clock=True, settings={"jobs.poll": "10m"}) as p:
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


def sql(platform, text, *args):
    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = sealgate; SELECT set_config('app.actor', 'test', false),"
                       " set_config('app.now', now()::text, false)")
        cursor.execute(text, args)
        return cursor.fetchall() if cursor.description else []


def run_job(platform, kind, payload="{}", tenant=None):
    """Makes the job that the schedule makes, and waits for its end."""
    job = new_id("job")
    sql(platform, "INSERT INTO job (id, tenant_id, kind, payload, state, max_attempts, run_at, created_at)"
        " VALUES (%s, %s, %s, %s, 'queued', 3, now(), now())", job, tenant, kind, payload)
    state = wait_for(lambda: (r := sql(platform, "SELECT state, last_error, result FROM job WHERE id = %s",
                                       job)[0])[0] in ("done", "dead", "failed") and r, 60, kind)
    assert state[0] == "done", state
    return state[2]


def mail(tenant, at, direction="outbound", size=1000, rcpt=(("delivered", "sealed", ""),), **more):
    own = tenant.domain["name"]
    sender = f"joe@{own}" if direction == "outbound" else "eve@partner.test"
    to = "partner.test" if direction == "outbound" else own
    return {"id": new_id("msg"), "tenant_id": tenant.id, "received_at": at, "direction": direction,
            "queue_id": "q", "sender": sender, "message_id": "m", "size_bytes": size, "recipients": [
                {"recipient": f"r{n}@{to}", "outcome": o, "verdict": v, "codes": c, "reply": "",
                 "outcome_at": at + SECOND} for n, (o, v, c) in enumerate(rcpt)], **more}


# Months of Auckland: 2026-10 there begins on 2026-09-30 at 11:00 UTC (daylight saving time).
def auckland(year, month, day, hour=12):
    return (calendar.timegm((year, month, day, hour, 0, 0)) - 13 * 3600) * SECOND


def test_a_month_by_hand(platform, provider):
    tenant, other = platform.tenant("bill"), platform.tenant("bill-other")
    run_job(platform, "usage.close")  # says the time zone
    now = time.gmtime(time.time() + 13 * 3600)
    year, month = now.tm_year, now.tm_mon
    first = auckland(year, month, 1, 0)
    platform.feed(
        mail(tenant, first - 1), mail(tenant, first),                       # before it, and its first
        mail(tenant, first + SECOND, size=500, rcpt=[("delivered", "sealed", ""), ("delivered", "plain", ""),
                                                     ("refused", "", "")]),
        mail(tenant, first + 2 * SECOND, size=70, rcpt=[("held", "", "201"), ("held", "", "201")]),
        mail(tenant, first + 3 * SECOND, "inbound", 3000, [("delivered", "verified", "")]),
        mail(tenant, first + 4 * SECOND, "inbound", 40, [("delivered", "plain", ""), ("delivered", "unverified", "002")]),
        mail(other, first + SECOND, size=9))
    this = f"{year}-{month:02}"
    got = tenant.viewer.get(f"{tenant.path}/usage", month=this)
    assert [got[n] for n in NUMBERS] == [3, 6, 1570, 2, 3, 3040, 2, 1, 1, 1]
    assert (got["domains"], got["domain_days"]) == (1, 1)  # it was made today
    assert got["storage_bytes"] == 1000 + 1570 + 3040
    assert (got["closed_at"], got["adjustments"], got["revisions"]) == (None, 0, [])
    assert got["time_zone"] == "Pacific/Auckland"
    assert tenant.viewer.get(f"{tenant.path}/usage") == got  # the current month
    rows = {r["tenant_id"]: r for r in provider.pages("/v1/usage", limit=1, month=this)}
    assert {k: v for k, v in got.items() if k != "revisions"} == rows[tenant.id]
    assert rows[other.id]["bytes_out"] == 9
    table = list(csv.DictReader(io.StringIO(
        provider.call("GET", "/v1/usage/csv", query={"month": this}, expect=200).text.decode())))
    line = next(r for r in table if r["tenant_id"] == tenant.id)
    assert [int(line[n]) for n in NUMBERS] == [got[n] for n in NUMBERS] and line["state"] == "open"
    other.viewer.get(f"{tenant.path}/usage", expect=404)
    tenant.viewer.get("/v1/usage", expect=404)
    tenant.viewer.get(f"{tenant.path}/usage", month="2001-01", expect=404)
    billing = platform.client(provider.post("/v1/tokens", {"name": "b", "role": "billing"})["token"])
    assert billing.get("/v1/usage", month=this)["data"]


def test_domain_days(platform, provider):
    """Verified on the 3rd, suspended on the 5th, back on the 20th: days of Auckland."""
    tenant = platform.tenant("days")
    domain = tenant.domain["id"]
    sql(platform, "DELETE FROM domain_state WHERE domain_id = %s", domain)
    at = lambda day, hour: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(auckland(2025, 3, day, hour) / SECOND))
    for state, when in (("pending", at(1, 9)), ("verified", at(3, 23)), ("suspended", at(5, 1)),
                        ("verified", at(20, 0)), ("suspended", at(20, 1)), ("verified", at(20, 2)),
                        ("revoked", at(22, 0))):
        sql(platform, "INSERT INTO domain_state (domain_id, tenant_id, state, at) VALUES (%s, %s, %s, %s)",
            domain, tenant.id, state, when)
    sql(platform, "UPDATE tenant SET created_at = '2025-01-01' WHERE id = %s", tenant.id)
    got = tenant.viewer.get(f"{tenant.path}/usage", month="2025-03")
    assert (got["domains"], got["domain_days"]) == (1, 3 + 2)  # the 3rd, 4th, 5th; the 20th and 21st
    assert tenant.viewer.get(f"{tenant.path}/usage", month="2025-04")["domain_days"] == 0


def test_closed_once_adjusted_in_the_open_and_equal_to_counting_again(platform, provider):
    tenant = platform.tenant("closed")
    at = time.time_ns() // 1000
    platform.feed(mail(tenant, at), mail(tenant, at + 1, "inbound", 10, [("delivered", "opened", "")]),
                  late := mail(tenant, at + 2, rcpt=[("held", "", "211")]))
    month = time.strftime("%Y-%m", time.gmtime(time.time() + 13 * 3600))
    before = tenant.viewer.get(f"{tenant.path}/usage", month=month)
    for days in range(1, 60):  # the month is over, and the lag not
        there = time.gmtime(time.time() + 13 * 3600 + days * DAY)
        if time.strftime("%Y-%m", there) != month and there.tm_mday == 2:
            break
    platform.clock_set(days * DAY)
    run_job(platform, "usage.close")
    assert tenant.viewer.get(f"{tenant.path}/usage", month=month)["closed_at"] is None
    platform.clock_set((days + 3) * DAY)
    assert run_job(platform, "usage.close")["closed"] >= 1
    closed = tenant.viewer.get(f"{tenant.path}/usage", month=month)
    assert closed["closed_at"] and len(closed["revisions"]) == 1 and closed["revisions"][0]["watermark"]
    # The domain went on to be active to the month's end; the rest is what it was.
    changed = {"closed_at", "revisions", "domain_days"}
    assert {k: v for k, v in closed.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed}
    assert closed["domain_days"] >= before["domain_days"]
    assert run_job(platform, "usage.close") == {"closed": 0, "adjusted": 0}
    # Frozen: nobody changes it, not even the owner.
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="closed month"):
        sql(platform, "UPDATE usage_month SET messages_out = 0")
    # A journal that was away comes back, and what was held is sent: a difference, and not a silent one.
    sent = {**late, "recipients": [{**late["recipients"][0], "outcome": "delivered", "verdict": "sealed",
                                    "codes": "", "outcome_at": at + 60 * SECOND}]}
    platform.feed(sent, mail(tenant, at + 3, size=5))
    assert tenant.viewer.get(f"{tenant.path}/usage", month=month) == closed  # until it is looked at again
    assert run_job(platform, "usage.close") == {"closed": 0, "adjusted": 1}
    adjusted = tenant.viewer.get(f"{tenant.path}/usage", month=month)
    assert adjusted["adjustments"] == 1 and adjusted["closed_at"] == closed["closed_at"]
    difference = adjusted["revisions"][1]
    assert [difference[n] for n in NUMBERS] == [1, 1, 5, 0, 0, 0, 2, 0, 0, 0]
    assert [adjusted[n] for n in NUMBERS] == [closed[n] + difference[n] for n in NUMBERS]
    assert run_job(platform, "usage.close") == {"closed": 0, "adjusted": 0}
    # What is billed is what the log says, counted again.
    again = sql(platform, f"""SELECT {", ".join(NUMBERS)} FROM usage_compute(
        %s::timestamp AT TIME ZONE 'Pacific/Auckland',
        (%s::timestamp + interval '1 month') AT TIME ZONE 'Pacific/Auckland', 'Pacific/Auckland', %s)""",
                f"{month}-01", f"{month}-01", tenant.id)[0]
    assert list(again) == [adjusted[n] for n in NUMBERS]
    # And the next month, of which every tenant has a closed one before it.
    following = time.strftime("%Y-%m", there)
    assert tenant.viewer.get(f"{tenant.path}/usage", month=following)["closed_at"] is None
    platform.clock_set((days + 34) * DAY)
    assert run_job(platform, "usage.close")["closed"] >= 1
    assert tenant.viewer.get(f"{tenant.path}/usage", month=following)["closed_at"]
    platform.clock_set(0)


# Deletion by policy -------------------------------------------------------------------------------

def old_month(platform, months):
    """Partitions of so many months ago; a time in it (µs)."""
    now = time.gmtime()
    index = now.tm_year * 12 + now.tm_mon - 1 - months
    year, month = index // 12, index % 12 + 1
    sql(platform, "SELECT partitions_ensure(%s, 1)", f"{year}-{month:02}-01")
    return calendar.timegm((year, month, 15, 12, 0, 0)) * SECOND


def left(platform, tenant, relation="message"):
    return sql(platform, f"SELECT count(*) FROM {relation} WHERE tenant_id = %s", tenant.id)[0][0]


def policy(client, path, **change):
    return {p["class"]: (p["months"], p["own"]) for p in client.put(path, change)["data"]}


def test_policies_and_their_limits(platform, provider):
    tenant = platform.tenant("policy")
    path = f"{tenant.path}/retention"
    shown = {p["class"]: p for p in tenant.viewer.get(path)["data"]}
    assert set(shown) == {"messages", "trace", "held", "notices", "archive", "audit"}
    assert not any(p["own"] for p in shown.values())
    assert policy(provider, path, **{"class": "messages"}, months=12)["messages"] == (12, True)
    for months in (11, 121):
        problem = provider.call("PUT", path, {"class": "messages", "months": months}, expect=422)
        assert problem.json["pointer"] == "/months"
    # The law changes: what is beyond it counts as the limit.
    policy(provider, "/v1/retention", **{"class": "messages"}, months=84, floor_months=24, ceiling_months=120)
    assert {p["class"]: p["months"] for p in tenant.viewer.get(path)["data"]}["messages"] == 24
    provider.call("PUT", "/v1/retention", {"class": "messages", "months": 10, "floor_months": 12,
                                           "ceiling_months": 120}, expect=422)
    provider.call("PUT", "/v1/retention", {"class": "messages", "months": 12, "floor_months": 13,
                                           "ceiling_months": 12}, expect=422)
    policy(provider, "/v1/retention", **{"class": "messages"}, months=84, floor_months=12, ceiling_months=120)
    assert policy(provider, path, **{"class": "messages"}, months=0)["messages"] == (84, False)
    tenant.admin.call("PUT", path, {"class": "messages", "months": 12}, expect=403)
    audit = [a["object"] for a in provider.pages(f"{tenant.path}/audit", object="retention_policy")]
    assert len(audit) == 2


def test_what_no_policy_keeps_goes_and_is_recorded(platform, provider):
    """One tenant keeps 13 months, one the platform's 84, one is under a legal hold."""
    short, long, held = (platform.tenant(f"keep-{n}") for n in ("short", "long", "hold"))
    at = old_month(platform, 20)
    for tenant in (short, long, held):
        platform.feed(*(mail(tenant, at + n * SECOND, rcpt=[("delivered", "sealed", "103")],
                             trace=[{"step": "s", "requirement": "", "detail": {}}]) for n in range(30)),
                      mail(tenant, time.time_ns() // 1000))
    wait_for(lambda: sql(platform, "SELECT count(*) FROM message_code WHERE NOT folded") == [(0,)], 20, "codes")
    for tenant in (short, held):
        policy(provider, f"{tenant.path}/retention", **{"class": "messages"}, months=13)
    hold = provider.post(f"{held.path}/legal-holds", {"words": "Case 17"})
    preview = [p for p in provider.get("/v1/retention/preview")["data"] if p["class"] == "messages"]
    assert {(p["relation"], p["tenant_id"], p["rows"]) for p in preview} == {
        (r, short.id, 30) for r in ("message", "message_recipient", "message_code")}
    assert left(platform, short) == 31  # the dry run was dry
    run_job(platform, "retention.dispose")
    assert [left(platform, t) for t in (short, long, held)] == [1, 31, 31]
    assert left(platform, short, "message_recipient") == 1 and left(platform, short, "message_code") == 0
    # The trace is kept for 12 months by everybody; nobody's but the held tenant's is left.
    assert [left(platform, t, "trace_event") for t in (short, long, held)] == [0, 0, 30]
    rows = {d["relation"]: d for d in short.viewer.get(f"{short.path}/disposals", **{"class": "messages"})["data"]}
    assert set(rows) == {"message", "message_recipient", "message_code"}
    for d in rows.values():
        assert d["rows"] == 30 and d["oldest"] <= d["newest"] < d["cutoff"] and d["actor"] == "tenantd"
        assert "messages older than" in d["policy"]
    assert provider.get(f"{held.path}/disposals")["data"] == []
    run_job(platform, "retention.dispose")
    assert len(short.viewer.get(f"{short.path}/disposals", **{"class": "messages"})["data"]) == 3
    # The hold is lifted: now it goes.
    provider.delete(f"{held.path}/legal-holds/{hold['id']}")
    provider.delete(f"{held.path}/legal-holds/{hold['id']}", expect=404)
    (lifted,) = held.viewer.get(f"{held.path}/legal-holds")["data"]
    assert lifted["lifted_at"] and lifted["words"] == "Case 17"
    run_job(platform, "retention.dispose")
    assert left(platform, held) == 1 and left(platform, held, "trace_event") == 0
    assert left(platform, long) == 31


def test_a_hold_that_is_made_while_something_is_deleted(platform, provider):
    """What is under way ends first; from the answer on nothing of the tenant is deleted."""
    tenant, keeper, client = platform.tenant("midway"), platform.tenant("midway-keeper"), platform.client()
    at = old_month(platform, 20)
    platform.feed(mail(keeper, at), *(mail(tenant, at + n) for n in range(3)))
    run_job(platform, "retention.dispose")  # the tables of that month that are empty
    policy(provider, f"{tenant.path}/retention", **{"class": "messages"}, months=13)
    seen = {}

    def counts():
        return [left(platform, tenant, relation) for relation in ("message", "message_recipient")]

    def make():
        client.post(f"{tenant.path}/legal-holds", {"words": "Case 18"})
        seen["answered"] = counts()

    def waits(kind):
        return sql(platform, "SELECT 1 FROM pg_locks WHERE locktype = %s AND NOT granted", kind)

    job, hold = threading.Thread(target=run_job, args=(platform, "retention.dispose")), threading.Thread(target=make)
    with platform.pg.connect("sg_owner") as connection:
        connection.autocommit = False
        connection.cursor().execute("LOCK TABLE sealgate.disposal IN SHARE MODE")  # none is recorded, so none ends
        job.start()
        wait_for(lambda: waits("relation"), 20, "a deletion under way")
        hold.start()
        wait_for(lambda: not hold.is_alive() or waits("advisory"), 20, "the hold to be made or to wait")
    job.join(60)
    hold.join(60)
    assert seen["answered"] == counts() == [0, 3]


def test_the_other_classes(platform, provider):
    """Held mail and notices once they have ended, keys of the archive, the audit log; each by its own age."""
    tenant = platform.tenant("classes")
    old, new = (f"to_timestamp({old_month(platform, months) / SECOND})" for months in (30, 1))
    for name in ("held", "notices", "archive", "audit"):
        policy(provider, f"{tenant.path}/retention", **{"class": name}, months=24 if name in ("archive", "audit") else 6)
    key = new_id("akq")
    sql(platform, "INSERT INTO archive_key VALUES (%s, '2020q1', 'wrapped', 'k', 'b', now())", key)
    held = {}
    for state, finished in (("sent", old), ("sent", new), ("held", "NULL")):
        held[state, finished] = new_id("hld")
        sql(platform, f"""INSERT INTO held_message VALUES (%s, %s, %s, %s, 'outbound', '{state}', '201', '', '', '{{r}}',
            'p.test', 'q', 1, 'w', {old}, {old}, now() + interval '1 year', now() + interval '1 year', 0, '', {finished})""",
            held[state, finished], new_id("msg"), tenant.id, tenant.domain["id"])
        sql(platform, "INSERT INTO held_chunk VALUES (%s, %s, 0, 'd')", held[state, finished], tenant.id)
    for state, finished in (("sent", old), ("failed", new), ("pending", "NULL")):
        sql(platform, f"""INSERT INTO notice (id, msg_id, tenant_id, domain_id, kind, recipient, original, wrapped_key,
            state, created_at, next_try_at, finished_at) VALUES (%s, %s, %s, %s, 'failure', 'r', 'o', 'w', '{state}', {old},
            now() + interval '1 year', {finished})""", new_id("ntc"), new_id("msg"), tenant.id, tenant.domain["id"])
    for made in (old, new):
        sql(platform, f"INSERT INTO archive_data_key VALUES (%s, %s, 'n', %s, {made}::date, 'w', {made})",
            new_id("adk"), key, tenant.id)
        for whose in (tenant.id, None):  # the platform's own stays: the month is not dropped whole
            sql(platform, f"""INSERT INTO audit (at, tenant_id, actor, address, request_id, action, object, object_id)
                VALUES ({made}, %s, 'x', '', '', 'insert', 'thing', 't')""", whose)
    before = left(platform, tenant, "audit")
    run_job(platform, "retention.dispose")
    assert {r[0] for r in sql(platform, "SELECT id FROM held_message WHERE tenant_id = %s", tenant.id)} == {
        held["sent", new], held["held", "NULL"]}
    assert left(platform, tenant, "held_chunk") == 2
    assert left(platform, tenant, "notice") == 2 and left(platform, tenant, "archive_data_key") == 1
    assert left(platform, tenant, "audit") >= before - 1
    assert sql(platform, f"SELECT count(*) FROM audit WHERE tenant_id = %s AND at <= {old}", tenant.id) == [(0,)]
    rows = {(d["class"], d["relation"]): d["rows"] for d in tenant.viewer.get(f"{tenant.path}/disposals")["data"]}
    assert rows == {("held", "held_message"): 1, ("notices", "notice"): 1, ("archive", "archive_data_key"): 1,
                    ("audit", "audit"): 1}


def test_a_month_that_nobody_keeps_is_dropped(platform, provider):
    tenant, keeper = platform.tenant("drop"), platform.tenant("keeper")
    at = old_month(platform, 90)
    name = "message_" + time.strftime("%Y_%m", time.gmtime(at / SECOND))
    there = lambda n=name: sql(platform, "SELECT to_regclass(%s) IS NOT NULL", f"sealgate.{n}")[0][0]
    platform.feed(mail(tenant, at), mail(tenant, at + 1), mail(keeper, at + 2))
    hold = provider.post(f"{keeper.path}/legal-holds", {"words": "wait"})
    run_job(platform, "retention.dispose")
    assert there() and left(platform, tenant) == 0 and left(platform, keeper) == 1
    provider.delete(f"{keeper.path}/legal-holds/{hold['id']}")
    platform.feed(mail(tenant, at + 3))
    run_job(platform, "retention.dispose")
    assert not there() and not there(name.replace("message", "message_recipient"))
    (record,) = [d for d in provider.pages("/v1/disposals", **{"class": "messages"}) if d["relation"] == name]
    assert (record["method"], record["rows"], record["tenant_id"]) == ("partition", 2, None)
    assert there("message_" + time.strftime("%Y_%m"))  # what is kept is kept


def test_a_month_is_not_dropped_while_mail_of_it_may_be_on_its_way(platform, provider):
    """A short policy deletes the rows, and leaves the partition that a late outcome needs."""
    law = next(p for p in provider.get("/v1/retention")["data"] if p["class"] == "trace")
    policy(provider, "/v1/retention", **{"class": "trace"}, months=1, floor_months=1, ceiling_months=120)
    tenant = platform.tenant("short-trace")
    at = old_month(platform, 4)
    message = mail(tenant, at, trace=[{"step": "s", "requirement": "", "detail": {}}])
    platform.feed(message)
    for _ in range(2):
        run_job(platform, "retention.dispose")
        assert left(platform, tenant, "trace_event") == 0 and left(platform, tenant) == 1
        platform.feed(message)  # the feed goes on
    policy(provider, "/v1/retention", **{"class": "trace"}, months=law["months"], floor_months=1, ceiling_months=120)


def test_kill_9_while_deleting(platform, provider):
    """Row by row, tenantd killed again and again: everything goes once, and every row is in the record."""
    tenant = platform.tenant("killed")
    at = old_month(platform, 15)
    platform.feed({"bulk": 1500, "tenant_id": tenant.id, "from": at, "step": 1000, "domain": "killed.test"})
    platform.feed(mail(platform.tenant("bystander"), at, rcpt=[("delivered", "sealed", "103")]))  # so that the month cannot be dropped whole
    wait_for(lambda: sql(platform, "SELECT count(*) FROM message_code WHERE NOT folded") == [(0,)], 20, "codes")
    policy(provider, f"{tenant.path}/retention", **{"class": "messages"}, months=13)
    platform.stop("tenantd")
    conf = platform.dir / "tenantd.conf"
    text = conf.read_text()
    conf.write_text(text + "[retention]\nbatch = 1\n[jobs]\nlease = 1s\nretry = 100ms\n")
    job, strikes = new_id("job"), 0
    sql(platform, "INSERT INTO job (id, kind, payload, state, max_attempts, run_at, created_at)"
        " VALUES (%s, 'retention.dispose', '{}', 'queued', 50, now(), now())", job)
    try:
        deadline = time.monotonic() + 60
        while left(platform, tenant) + left(platform, tenant, "message_recipient") and time.monotonic() < deadline:
            rows = left(platform, tenant)
            platform.tenantd_start()
            if strikes < 3:
                wait_for(lambda: left(platform, tenant) < rows or not rows, 30, "some rows gone")
                platform.processes["tenantd"].kill()
                platform.processes.pop("tenantd").wait()
                strikes += 1 if left(platform, tenant) else 0
            else:
                wait_for(lambda: left(platform, tenant) + left(platform, tenant, "message_recipient") == 0,
                         60, "the end")
        assert strikes == 3
    finally:
        conf.write_text(text)
        if "tenantd" in platform.processes:
            platform.stop("tenantd")
        platform.tenantd_start()
    run_job(platform, "retention.dispose")
    got = {d["relation"]: d["rows"] for d in provider.get(f"{tenant.path}/disposals", **{"class": "messages"})["data"]}
    assert got == {"message": 1500, "message_recipient": 1500, "message_code": 3}


def test_the_database_keeps_to_the_policy_whoever_asks(platform):
    """sg_tenant has no right to delete; what it can call looks the policy up itself."""
    tenant = platform.tenant("strict")
    platform.feed(mail(tenant, time.time_ns() // 1000))
    with platform.pg.connect("sg_tenant") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.actor', 'x', false), set_config('app.now', now()::text, false)")
        cursor.execute("SELECT sealgate.disposal_rows('message', %s, now(), 1000)", (tenant.id,))
        assert cursor.fetchone() == (0,)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM sealgate.message")


TABLE_MS = 400


@pytest.fixture(scope="module")
def hasty(platform):
    """A second apid on the same database, with little time for a table; and tenants for more than one portion (50)."""
    sql(platform, "INSERT INTO tenant (id, name, state, created_at, updated_at)"
        " SELECT t, t, 'active', now(), now() FROM unnest(%s) AS t", [f"ten_2{n:025}" for n in range(51)])
    port = platform.ports.base + 2
    config = template.change((platform.dir / "apid.conf").read_text(), {
        "http.listen": f"inet:127.0.0.1:{port}", "usage.table_time": f"{TABLE_MS}ms"})
    platform.spawn("hasty", platform.program("apid"), "-c", platform.write("hasty.conf", config))
    wait_for(lambda: platform.alive("hasty") and platform.events("hasty", "started"), 30, "apid")
    yield Client(port, platform.token)
    platform.stop("hasty")


@pytest.mark.parametrize("late", ["the table", "a statement of it"])
def test_table_that_takes_too_long_says_where_its_numbers_are(platform, provider, hasty, late):
    """Of an open month; what counts it is held up, or ended as by the time-out of a statement."""
    month, = sql(platform, "SELECT to_char(now() AT TIME ZONE 'Pacific/Auckland', 'YYYY-MM')")[0]
    ask = lambda client=hasty: client.call("GET", "/v1/usage/csv", query={"month": month})
    assert ask(provider).status == 200  # within the usual time
    replies, known = [], len(platform.events("hasty"))
    with platform.pg.connect("sg_owner") as connection:
        connection.cursor().execute("LOCK TABLE sealgate.usage_month IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=lambda: replies.append(ask()))
        thread.start()
        wait_for(lambda: sql(platform, "SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0], 10, "the question")
        waiting = time.monotonic()  # it began before
        if late == "the table":
            wait_for(lambda: time.monotonic() > waiting + TABLE_MS / 1000, 10, "the end of its time")
        else:
            platform.pg.psql("-c", "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted")
            thread.join()
        connection.rollback()
    thread.join()
    reply, = replies
    assert reply.status == 504 and reply.json["type"] == "urn:sealgate:error:timeout"
    assert "/v1/usage has it in pages" in reply.json["detail"]
    said = [e["detail"] for e in platform.events("hasty")[known:] if "detail" in e]
    assert any(("table_time" if late == "the table" else "canceling statement") in text for text in said), said
    assert len(provider.pages("/v1/usage", month=month, limit=20)) > 50


# Of many tenants -------------------------------------------------------------------------------------

CROWD = 150


@pytest.fixture(scope="module")
def crowd(platform):
    """Makes 10 messages for each of 150 tenants in the month so many months ago; their ids."""
    tenants = [f"ten_1{n:025}" for n in range(CROWD)]

    def make(months):
        at = old_month(platform, months)
        sql(platform, f"""
            INSERT INTO tenant (id, name, state, created_at, updated_at)
                SELECT t, t, 'active', to_timestamp({at / SECOND}) - interval '15 days', now() FROM unnest(%s) AS t
                ON CONFLICT DO NOTHING;
            CREATE TEMP TABLE mail AS SELECT t AS tenant, 'msg_1' || lpad({months} || '0' || n, 25, '0') AS id,
                    to_timestamp({at / SECOND}) + n * interval '1 second' AS at
                FROM generate_series(1, {10 * CROWD}) AS n, unnest(%s) WITH ORDINALITY AS w (t, nth) WHERE nth = (n - 1) / 10 + 1;
            INSERT INTO message (id, received_at, tenant_id, direction, node, queue_id, sender, sender_domain, header_from,
                                 message_id, client_address, size_bytes, archive_ref)
                SELECT id, at, tenant, 'outbound', 'n', 'q', 'a@b.test', 'b.test', '', id, '', 100, '' FROM mail;
            INSERT INTO message_recipient (msg_id, received_at, tenant_id, recipient, recipient_domain, outcome, outcome_at)
                SELECT id, at, tenant, 'x@y.test', 'y.test', 'delivered', at FROM mail;
            INSERT INTO message_code (msg_id, received_at, tenant_id, recipient, recipient_domain, code, at, folded)
                SELECT id, at, tenant, 'x@y.test', 'y.test', '201', at, true FROM mail;
            INSERT INTO trace_event (record_id, msg_id, received_at, tenant_id, at, seq, step, detail)
                SELECT '1', id, at, tenant, at, 0, 's', '{{}}' FROM mail;
            DROP TABLE mail; ANALYZE message, message_recipient, message_code, trace_event""", tenants, tenants)
        return tenants
    return make


LOG = "relname ~ '^(message(_recipient|_code)?|trace_event)_[0-9]'"


def rows_read(platform, work):
    """How many rows of the log tenantd looks at, and the result: by the server's statistics, which are whole when the
    sessions have ended."""
    count = lambda: sql(platform, f"SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_all_tables WHERE {LOG}")[0][0]
    platform.stop("tenantd")
    before = count()
    platform.tenantd_start()
    result = work()
    platform.stop("tenantd")
    read = count() - before
    platform.tenantd_start()
    return read, result


def test_months_of_many_tenants(platform, provider, crowd):
    """Each reads its own part of the log, when its month is closed and when that is looked at again: in portions, for a
    statement has a time-out, and all of a month may take longer."""
    tenants = crowd(2)
    total = sql(platform, "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM message_recipient)"
                " + (SELECT count(*) FROM message_code)")[0][0]
    read, result = rows_read(platform, lambda: run_job(platform, "usage.close"))
    print(f"closed: {read} rows read of {total}")
    assert result["closed"] >= CROWD and read <= 20 * total
    assert sql(platform, "SELECT messages_out, bytes_out, held, storage_bytes, count(*) FROM usage_month WHERE tenant_id ="
               " ANY(%s) AND bytes_out > 0 GROUP BY 1, 2, 3, 4", tenants) == [(10, 1000, 10, 1000, CROWD)]
    read, result = rows_read(platform, lambda: run_job(platform, "usage.close"))
    print(f"looked at again: {read} rows read of {total}")
    assert result == {"closed": 0, "adjusted": 0} and read <= 10 * total
    sql(platform, """
        INSERT INTO message (id, received_at, tenant_id, direction, node, queue_id, sender, sender_domain, header_from,
                             message_id, client_address, size_bytes, archive_ref)
            SELECT 'msg_7' || right(tenant_id, 25), received_at, tenant_id, direction, node, 'late', sender, sender_domain,
                   header_from, 'late', client_address, 7, '' FROM message
            WHERE id = ANY (SELECT min(id) FROM message WHERE tenant_id IN (%s, %s) GROUP BY tenant_id)""",
        tenants[0], tenants[-1])
    assert run_job(platform, "usage.close") == {"closed": 0, "adjusted": 2}
    month, = sql(platform, "SELECT DISTINCT left(month::text, 7) FROM usage_month WHERE tenant_id = %s AND bytes_out > 0",
                 tenants[0])
    table = csv.DictReader(io.StringIO(
        provider.call("GET", "/v1/usage/csv", query={"month": month[0]}, expect=200).text.decode()))
    bytes_out = [(row["tenant_id"], int(row["bytes_out"])) for row in table if row["tenant_id"] in tenants]
    assert sorted(bytes_out) == [(t, 1007 if t in (tenants[0], tenants[-1]) else 1000) for t in tenants]


def test_a_tenant_that_cannot_be_counted_keeps_no_other_from_it(platform, crowd):
    """Its statement takes too long: the others' months are closed, those behind it too, and the job says so."""
    tenants = crowd(5)
    crowd(4)
    sql(platform, """
        DROP TRIGGER kept ON usage_month; DELETE FROM usage_month WHERE tenant_id = ANY(%s);
        CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON usage_month FOR EACH ROW EXECUTE FUNCTION usage_month_kept();
        CREATE FUNCTION too_long() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION USING ERRCODE = 'query_canceled', MESSAGE = 'canceling statement due to statement timeout'; END $$;
        CREATE TRIGGER too_long BEFORE INSERT ON usage_month FOR EACH ROW WHEN (NEW.tenant_id = '""" + tenants[1] + """')
            EXECUTE FUNCTION too_long()""", tenants)
    closed = lambda: dict(sql(platform, "SELECT tenant_id, count(*)::int FROM usage_month WHERE tenant_id = ANY(%s) GROUP BY 1",
                              tenants))
    try:
        job = new_id("job")
        sql(platform, "INSERT INTO job (id, kind, payload, state, max_attempts, run_at, created_at)"
            " VALUES (%s, 'usage.close', '{}', 'queued', 1, now(), now())", job)
        state, said = wait_for(lambda: (r := sql(platform, "SELECT state, last_error FROM job WHERE id = %s", job)[0])[0]
                               in ("done", "dead", "failed") and r, 60, "the job")
        assert state != "done" and "timeout" in said, said
        found = closed()
        assert tenants[1] not in found and len(set(found.values())) == 1 and len(found) == CROWD - 1
        assert "usage.too-long" in platform.log("tenantd").read_text()
    finally:
        sql(platform, "DROP TRIGGER too_long ON usage_month; DROP FUNCTION too_long()")
    run_job(platform, "usage.close")
    assert len(closed()) == CROWD and len(set(closed().values())) == 1


def test_reports_of_many_tenants(platform, crowd):
    """A tenant's report reads its own part of the log, also after those of the whole platform."""
    tenants = crowd(3)
    period = time.strftime("%Y-%m", time.gmtime(old_month(platform, 3) / SECOND))

    def make(whose):
        for tenant in whose:
            run_job(platform, "report.make", f'{{"kind": "compliance", "period": "{period}"}}', tenant)

    platforms, _ = rows_read(platform, lambda: make([None] * 8))
    both, _ = rows_read(platform, lambda: make([None] * 8 + tenants[:8]))
    print(f"{platforms // 8} rows read for the platform, {(both - platforms) // 8} for a tenant")
    assert both - platforms <= 8 * 100


def test_deletion_of_many_tenants(platform, provider, crowd):
    """What is deleted is looked at, and not once for each tenant."""
    tenants = crowd(20)
    total = 4 * 10 * CROWD
    sql(platform, "INSERT INTO retention_policy SELECT t, 'messages', 13, now() FROM unnest(%s) AS t", tenants[1:])
    sql(platform, "INSERT INTO retention_policy VALUES (%s, 'trace', 24, now())", tenants[0])  # so no month is dropped whole
    gone = [(name, CROWD - 1, 10 * CROWD - 10) for name in ("message", "message_code", "message_recipient", "trace_event")]
    with platform.pg.connect("sg_tenant") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relation, count(*), sum(rows)::int FROM sealgate.disposal_preview(NULL, now()) WHERE tenant_id ="
                       " ANY(%s) GROUP BY 1 ORDER BY 1", (tenants,))
        assert cursor.fetchall() == gone
        cursor.execute(f"SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_xact_all_tables WHERE {LOG}")
        (read,) = cursor.fetchone()
        print(f"preview: {read} rows read for {total}")
        assert read <= 3 * total
    read, result = rows_read(platform, lambda: run_job(platform, "retention.dispose"))
    print(f"deleted: {read} rows read for {total}")
    assert result["rows"] >= total - 40 and read <= 10 * total
    assert sql(platform, "SELECT relation, count(*), sum(rows)::int FROM disposal WHERE tenant_id = ANY(%s) GROUP BY 1 ORDER BY 1",
               tenants) == gone
