"""What gatewayd keeps of the configuration (docs/decisions/0014): a warm mail asks PostgreSQL for nothing of it,
every change counts from its answer on, nothing stale outlives a lost connection, and memory is bounded.

REQ-142
"""
import ast
import base64
import os
import pathlib
import signal
import socket
import tempfile
import time

import pytest
from cryptography import x509

from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import start_time, wait_for
from setting import A, B, C, FROM_A, OUTSIDE, Setting, simple
from statements import NOTHING, Statements

QUERIES = pathlib.Path(__file__).parents[2] / "schema/queries"
NOCERT = "nocert.test"
ENTRIES, MANY = 1000, 10000
ENTRIES_KEPT = 'sealgate_gateway_cache_size{size="entries"}'
ROUNDS = 20
# Workers that look through what is due, the journal's feed, clocks and monitoring: not of a message.
BESIDE = {"certificate_request_claim", "held_claim_due", "held_wake_next", "held_wanting", "held_wanting_own",
          "notice_claim_due", "notice_fold_ended", "notice_open_take", "notice_receipt_take", "message_insert",
          "message_recipient_upsert", "trace_event_insert", "migration_version", "clock_ask", "row_changes"}
ACTOR = "SELECT set_config('app.actor', 'test', true), set_config('app.now', now()::text, true);"
TRANSACTION = {"BEGIN", "COMMIT", "context_set"}


@pytest.fixture(scope="module")
def setting():
    """Lifetimes are longer than the tests: what counts earlier was told of."""
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgk", dir="/var/tmp") as folder:
        s = Setting(folder, block, settings={"gatewayd": {
            "cache.entries": ENTRIES, "cache.lifetime": "10m", "database.wait": "1s",
            "database.statement_timeout": "1s"}})
        s.copied = False  # statements are counted: all of it is made by the daemons that run now
        try:
            s.start()
            s.platform.api.post("/v1/member-domains", {"name": NOCERT, "environment": "seemail"})
            s.ops = Ops(s.platform.layout.ops("gatewayd"))
            yield s
        finally:
            s.stop()


def ask(setting, sender=f"joe@{A}", service="policy.sock", **more):
    """Of a policy service, as Postfix asks: action and text."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(str(setting.platform.layout.run / service))
        lines = {"request": "smtpd_access_policy", "protocol_state": "DATA", "client_address": FROM_A,
                 "sender": sender, "queue_id": "4XyzAbc1Z2zz", **more}
        s.sendall("".join(f"{k}={v}\n" for k, v in lines.items()).encode() + b"\n")
        return s.makefile().readline().strip().removeprefix("action=")


def word(setting, **more):
    return ask(setting, **more).split()[0]


def plan(setting, domain, organisation=None, sender=f"joe@{A}"):
    """What would become of a mail: the engine of the message path, just now."""
    recipient = f"x@{domain}"
    answer = setting.platform.api.post(f"{(organisation or setting.a).path}/simulations", {
        "direction": "outbound", "sender": sender, "recipients": [recipient],
        "message": base64.b64encode(simple(sender, [recipient], "what-if")).decode()})
    return answer["plans"][0]["action"]


def send(setting, kind, subject):
    if kind == "sealed":
        setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject))
        setting.arrived(B, subject)
    elif kind == "plain":
        setting.submit(f"joe@{A}", [f"x@{OUTSIDE}"], simple(f"joe@{A}", [f"x@{OUTSIDE}"], subject))
        setting.arrived(OUTSIDE, subject)
    else:
        setting.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"], simple(f"x@{OUTSIDE}", [f"ann@{B}"], subject))
        setting.arrived(B, subject)


@pytest.mark.parametrize("kind, arriving", [("sealed", 1), ("plain", 0), ("from-outside", 1)])
def test_warm_mail_reads_no_configuration(setting, kind, arriving):
    """Fails when somebody adds a query to the message path. What is left is an empty command, once for each decision
    at most; and soon after the start whether the queue id of what arrives was seen before, in one round trip."""
    mails = 5
    for n in range(3):
        send(setting, kind, f"{kind}-warm-{n}")
    if kind == "sealed":  # what it says of itself is learned by the way, and read once more
        wait_for(lambda: setting.platform.api.list("/v1/partner-capabilities", domain=A), 20, "what A can do")
        send(setting, kind, f"{kind}-warm-last")
    with Statements(setting.platform.postgresql) as statements:
        statements.begin()
        for n in range(mails):
            send(setting, kind, f"{kind}-counted-{n}")
        counted, within = statements.counted("gatewayd"), statements.within("gatewayd")
    of_mail = {name: n for name, n in counted.items() if name not in BESIDE | TRANSACTION | {NOTHING, "SELECT"}}
    assert of_mail.pop("message_find_by_queue", 0) <= arriving * mails, counted
    assert not of_mail, counted
    assert mails <= counted[NOTHING] < 3 * mails  # twice for what goes through here twice; workers ask too
    assert "message_find_by_queue" not in within


# Each: what is said before and after, how it is changed, and changed back.

def suspended(s):
    path = s.a.path
    return (lambda: word(s), "PREPEND", "450", lambda: s.platform.api.post(f"{path}/suspend", {"reason": "test"}),
            lambda: s.platform.api.post(f"{path}/resume"))


def submitter(s):
    api, path = s.platform.api, f"{s.c.path}/submitters"
    made = []
    return (lambda: word(s, sender=f"joe@{C}", client_address="127.0.0.77"), "550", "PREPEND",
            lambda: made.append(api.post(path, {"kind": "network", "network": "127.0.0.77/32"})["id"]),
            lambda: api.delete(f"{path}/{made[-1]}"))


def member(s):
    api = s.platform.api
    made = []
    return (lambda: plan(s, "new.test"), "plain", "hold",
            lambda: made.append(api.post("/v1/member-domains", {"name": "new.test", "environment": "seemail"})["id"]),
            lambda: api.delete(f"/v1/member-domains/{made[-1]}"))


def exception(s):
    api, path = s.platform.api, f"{s.a.domain_path}/exceptions"
    made = []
    return (lambda: plan(s, "friend.test"), "plain", "hold",
            lambda: made.append(api.post(path, {"partner": "friend.test"})["id"]),
            lambda: api.delete(f"{path}/{made[-1]}"))


def policy(s):
    api, path = s.platform.api, f"{s.a.domain_path}/policy"
    return (lambda: api_policy_action(s), "warn-opened", "delete", lambda: api.put(path, {"unverified_action": "delete"}),
            lambda: api.put(path, {}))


def platform_policy(s):
    api = s.platform.api
    return (lambda: api_policy_action(s), "warn-opened", "delete",
            lambda: api.put("/v1/policy", {"unverified_action": "delete"}), lambda: api.put("/v1/policy", {}))


def api_policy_action(s):
    """Of a mail that claims to be a member's and is not signed."""
    message = simple(f"ann@{B}", [f"joe@{A}"], "forged")
    answer = s.platform.api.post(f"{s.a.path}/simulations", {
        "direction": "inbound", "sender": f"ann@{B}", "recipients": [f"joe@{A}"],
        "message": base64.b64encode(message).decode()})
    return answer["plans"][0]["action"]


@pytest.mark.parametrize("kind", [suspended, submitter, member, exception, policy, platform_policy],
                         ids=lambda kind: kind.__name__)
def test_a_change_counts_from_its_answer_on(setting, kind):
    """Asked at once, without a wait, many times: the answer of the API is the end of what was."""
    look, before, after, change, change_back = kind(setting)
    assert look() == before
    seen = []
    for _ in range(ROUNDS):
        change()
        seen.append(look())
        change_back()
        seen.append(look())
    assert seen == [after, before] * ROUNDS


def is_authority(pem):
    extensions = x509.load_pem_x509_certificate(pem.encode()).extensions
    return extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_refused_certificate_counts_for_the_next_mail(setting):
    """REQ-54: what an administrator refused is not sealed to; and is again when he has thought better of it."""
    s, api = setting, setting.platform.api
    send(s, "sealed", "certificate-found")
    row, = [r for r in api.list("/v1/partner-certificates", domain=B) if not is_authority(r["pem"])]
    for n in range(1):
        api.post(f"/v1/partner-certificates/{row['id']}/refuse")
        subject = f"refused-{n}"
        s.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject))

        def outcome(subject=subject):
            for message in s.a.messages(message_id=f"{subject}@x.test"):
                return {r["outcome"] for r in s.a.message(message["id"])["recipients"]} - {"received"}
            return None
        assert wait_for(outcome, 20, "the outcome") == {"held"}
        api.post(f"/v1/partner-certificates/{row['id']}/approve")
        send(s, "sealed", f"approved-{n}")


def test_next_hop_counts_for_the_next_mail(setting):
    """… of mail that flows: each goes where the domain pointed when it came."""
    s, path = setting, f"{setting.b.domain_path}/next-hop"
    hop = {"protocol": "smtp", "host": "127.0.0.1", "tls": "none", "ca_pem": ""}
    try:
        for n in range(3):
            for domain, port in ((C, s.c_port), (B, s.platform.port["agency_b"])):
                subject = f"hop-{n}-{domain}"
                s.platform.api.put(path, {**hop, "port": port})
                s.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject))
                s.arrived(domain, subject)
    finally:
        s.platform.api.put(path, {**hop, "port": s.platform.port["agency_b"]})


def test_capabilities_count_for_the_next_mail(setting):
    s, api = setting, setting.platform.api
    send(s, "sealed", "capable-before")
    for name, cipher in (("aes128-gcm", "aes-128-gcm"), ("aes256-cbc", "aes-256-cbc")):
        subject = f"capable-{name}"
        api.put("/v1/partner-capabilities", {"domain": B, "capabilities": [name], "reason": "a test"})
        send(s, "sealed", subject)

        def sealed(subject=subject):
            for row in s.a.messages(message_id=f"{subject}@x.test"):
                return [step["detail"]["cipher"] for step in s.a.trace(row["id"]) if step["step"] == "sealed"]
            return None
        assert wait_for(sealed, 20, "the trace") == [cipher]


def unheard(setting, sql):
    """A change that nobody is told of, as a fault would be."""
    setting.platform.postgresql.psql(f"SET session_replication_role = replica; {sql}")


def listeners(setting):
    """The server processes of its connections that listen, the one that was asked last first; the others of gatewayd have
    asked for something."""
    rows = setting.platform.postgresql.rows(
        "SELECT a.pid FROM pg_stat_activity a WHERE a.application_name = 'gatewayd' "
        "AND (a.query LIKE 'LISTEN%' OR a.query = '') AND a.backend_type = 'client backend' ORDER BY a.state_change DESC")
    return [int(pid) for pid, in rows]


def other_listener(setting, than):
    return wait_for(lambda: next((pid for pid in listeners(setting) if pid != than), None), 20, "a listener")


def test_lost_connection_flushes(setting):
    """What happened while nobody listened is found afterwards: a change without its notification stands for it."""
    s = setting
    assert word(s) == "PREPEND"
    pid = other_listener(s, None)
    unheard(s, f"UPDATE sealgate.tenant SET state = 'suspended' WHERE id = '{s.a.tenant['id']}'")
    try:
        assert word(s) == "PREPEND"  # it is kept, and this was not told
        s.platform.postgresql.psql(f"SELECT pg_terminate_backend({pid})")
        other = other_listener(s, pid)
        assert word(s) == "450"
    finally:
        unheard(s, f"UPDATE sealgate.tenant SET state = 'active' WHERE id = '{s.a.tenant['id']}'")
    s.platform.postgresql.psql(f"SELECT pg_terminate_backend({other})")
    other_listener(s, other)
    assert word(s) == "PREPEND"


def test_while_the_listener_hangs_the_database_is_asked(setting):
    """Its connection stands and says nothing: then nothing that is kept counts."""
    s = setting
    assert word(s) == "PREPEND"
    pid = other_listener(s, None)
    os.kill(pid, signal.SIGSTOP)
    try:
        unheard(s, f"UPDATE sealgate.tenant SET state = 'suspended' WHERE id = '{s.a.tenant['id']}'")
        assert word(s) == "450"
    finally:
        # Another connection may listen by now, and have kept what was said meanwhile.
        unheard(s, f"UPDATE sealgate.tenant SET state = 'active' WHERE id = '{s.a.tenant['id']}'; NOTIFY sealgate_row, 'tenant'")
        os.kill(pid, signal.SIGCONT)
    assert word(s) == "PREPEND"
    wait_for(lambda: warm(s), 20, "the cache in use again")


def warm(setting):
    """Is an answer found?"""
    hits = 'sealgate_gateway_cache_events_total{event="hit"}'
    before = setting.ops.series()[hits]
    word(setting)
    return setting.ops.series()[hits] > before


def test_database_hangs(setting):
    """Warm or not: without the database nothing is decided, and mail waits at the customer's."""
    s = setting
    assert word(s) == "PREPEND"
    pids = [int(p) for p, in s.platform.postgresql.rows(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'gatewayd'")]
    postmaster = s.platform.postgresql.pid()
    for pid in (postmaster, *pids):
        os.kill(pid, signal.SIGSTOP)
    try:
        assert word(s) == "451"
    finally:
        for pid in (*pids, postmaster):
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: word(s) == "PREPEND", 30, "the database again")


def heard(postgresql, *scripts):
    """Notifications of rows that each script causes."""
    connection = postgresql.connect()
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("LISTEN sealgate_row")
    counts = []
    for script in scripts:
        postgresql.psql(f"SET search_path = sealgate; BEGIN; {ACTOR} {script}; COMMIT")
        cursor.execute("SELECT 1")
        counts.append(sorted(note.payload for note in connection.notifies))
        connection.notifies.clear()
    connection.close()
    return counts


def test_bulk_changes_are_told_in_few_words(setting):
    rows = "SELECT 'mem_0' || lpad(n::text, 25, '0'), 'bulk-' || n || '.test', 'seemail', 'manual', now() FROM generate_series(1, 10000) n"
    columns = "INSERT INTO member_domain (id, name, environment, source, created_at)"
    one_by_one = f"DO $$ BEGIN FOR i IN 1..10000 LOOP {columns} VALUES ('mem_1' || lpad(i::text, 25, '0'), 'one-' || i || '.test', " \
                 "'seemail', 'manual', now()); END LOOP; END $$"
    few = f"{columns} SELECT 'mem_2' || lpad(n::text, 25, '0'), 'few-' || n || '.test', 'seemail', 'manual', now() FROM generate_series(1, 3) n"
    bulk, single, three, none, gone = heard(
        setting.platform.postgresql, f"{columns} {rows}", one_by_one, few,
        "UPDATE member_domain SET created_at = now() WHERE name LIKE 'few-%'",
        "DELETE FROM member_domain WHERE name ~ '^(bulk|one|few)-'")
    assert bulk == gone == ["member_domain"]
    assert "member_domain" in single and len(single) <= 101
    assert three == [f"member_domain few-{n}.test" for n in (1, 2, 3)]
    assert none == []  # nothing that is kept depends on it


def what_a_start_takes(setting):
    """Of gatewayd, to which nobody sends anything: what it keeps then, how many rows PostgreSQL has read for it, and the
    names of what it asked for. Nobody else asks meanwhile, and the counts of who is gone are complete. Where an index is all that
    is read, its entries count."""
    platform, postgresql = setting.platform, setting.platform.postgresql
    rows = "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables) + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
    others = (platform.tenantd, platform.apid, platform.gatewayd)
    for part in others:
        part.stop()
    alone = "SELECT 1 FROM pg_stat_activity WHERE usename ~ '^sg_' AND usename <> 'sg_postfix'"
    wait_for(lambda: not postgresql.rows(alone), 30, "the end of all connections")
    ((before,),) = postgresql.rows(rows)
    with Statements(postgresql) as statements:
        statements.begin()
        platform.gatewayd.start()
        wait_for(lambda: setting.ops.ready()[0] == 200, 20, "gatewayd")
        kept = setting.ops.series()[ENTRIES_KEPT]
        platform.gatewayd.stop()
        wait_for(lambda: not postgresql.rows(alone), 30, "the end of all connections")
        ((after,),) = postgresql.rows(rows)
        asked = {name for name in statements.of("gatewayd") if name not in BESIDE | TRANSACTION | {NOTHING, "SELECT", "LISTEN"}}
    for part in reversed(others):
        part.start()
    wait_for(lambda: setting.ops.ready()[0] == 200, 20, "gatewayd")
    return kept, int(after) - int(before), asked


def test_many_domains_in_bounded_memory(setting):
    """10,000 domains asked for one after the other, room for 1,000: for each that is cold two questions that read as much
    as it does among few; the start does not read them. REQ-6"""
    s = setting
    gatewayd = s.platform.gatewayd
    few = what_a_start_takes(s)
    s.platform.postgresql.psql(f"""SET search_path = sealgate; BEGIN; {ACTOR}
        INSERT INTO domain (id, tenant_id, name, environment, state, created_at, updated_at)
        SELECT 'dom_' || lpad(n::text, 26, '0'), '{s.b.tenant['id']}', 'many-' || n || '.test', 'seemail', 'attested', now(), now()
        FROM generate_series(1, {MANY}) n; COMMIT""")

    def rss():
        with open(f"/proc/{gatewayd.pid()}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def walk(first, last):
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(str(s.platform.layout.run / "recipients.sock"))
            answers = c.makefile()
            for n in range(first, last + 1):
                c.sendall(f"request=smtpd_access_policy\nprotocol_state=RCPT\nsender=x@{OUTSIDE}\n"
                          f"recipient=ann@many-{n}.test\nclient_address=127.0.0.9\n\n".encode())
                assert answers.readline().startswith("action=DUNNO")
                answers.readline()
    def blocks():
        """What PostgreSQL looks at to answer for one domain."""
        query = (QUERIES / "domain_find_by_name.sql").read_text().replace("$1", f"'many-{MANY // 2}.test'")
        ((text,),) = s.platform.postgresql.rows(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
        (plan,) = ast.literal_eval(text)
        assert plan["Plan"]["Actual Rows"] == 1
        return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]

    walk(1, ENTRIES)
    warm = rss()
    walk(1, MANY)
    with Statements(s.platform.postgresql) as statements:
        statements.begin()
        walk(1, 100)
        counted = statements.counted("gatewayd")
    asked = {name: n for name, n in counted.items() if name not in BESIDE | TRANSACTION | {NOTHING, "SELECT"}}
    assert asked == {"domain_find_by_name": 100, "next_hop_find": 100}, counted
    assert blocks() <= 10  # two indexes and two rows
    figures = s.ops.series()
    assert figures[ENTRIES_KEPT] <= ENTRIES
    assert figures['sealgate_gateway_cache_events_total{event="eviction"}'] > MANY
    assert rss() - warm < 4096, "KiB more"

    held, read, asked = what_a_start_takes(s)
    assert len(asked) < 20 and held <= len(asked), (held, asked)  # nothing but what some mail that waits wants
    assert read <= few[1] + 20, "rows more than with few domains"
    walk(1, 10)
    assert s.ops.series()[ENTRIES_KEPT] == held + 20  # of each the domain and its next hop
    send(s, "sealed", "after-many")


def test_compromise_counts_at_once(setting):
    """REQ-174: the last, for its key does not come back."""
    s = setting
    assert plan(s, A, s.c, f"joe@{C}") == "seal"
    s.platform.api.post(f"{s.c.domain_path}/compromise", {"reason": "a test"})
    assert plan(s, A, s.c, f"joe@{C}") == "hold"


def test_remembered_longer_than_a_mail_is_old(setting):
    """By its queue id, what arrives is younger than all that this gatewayd may have forgotten: it is not asked for."""
    began = int(start_time(setting.platform.gatewayd.pid())) / os.sysconf("SC_CLK_TCK")
    wait_for(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > began + 32, 60, "gatewayd to have run for half a minute")
    with Statements(setting.platform.postgresql) as statements:
        statements.begin()
        for n in range(5):
            send(setting, "from-outside", f"late-{n}")
        assert "message_find_by_queue" not in statements.of("gatewayd")
