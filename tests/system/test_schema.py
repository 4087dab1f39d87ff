"""schema/: migrations, roles, row-level security, audit, partitions, connections that come back."""
import contextlib
import datetime
import hashlib
import os
import pathlib
import queue
import re
import secrets
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import psycopg2
import pytest

from pg import PostgreSQL, ROOT
from sealgate.process import wait_for

BUILD = ROOT / os.environ.get("SG_BUILD", "build/release")
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
NOW = datetime.datetime.now(datetime.timezone.utc)
MIGRATIONS = len(list((ROOT / "schema/migrations").glob("*.sql")))


def new_id(prefix):
    return f"{prefix}_{secrets.choice(DIGITS[:8])}" + "".join(
        secrets.choice(DIGITS) for _ in range(25))


@pytest.fixture(scope="module")
def pg():
    folder = tempfile.mkdtemp(prefix="sealgate-pg-", dir="/tmp")
    try:
        with PostgreSQL(folder, 5432) as server:
            server.config = write_config(server)
            assert migrate(server).stdout == f"{MIGRATIONS} applied\n"
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_config(server, more=""):
    path = server.folder / "tenantd.conf"
    path.write_text(f"""[database]
conninfo = {server.conninfo("sg_tenant")}
password_file = {server.password_file("sg_tenant")}
owner_conninfo = {server.conninfo("sg_owner")}
owner_password_file = {server.password_file("sg_owner")}
{more}""")
    return path


def tenantd(server, *args):
    return subprocess.run([BUILD / "bin/tenantd", *args, "-c", server.config], text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


def migrate(server):
    return tenantd(server, "migrate")


class Session:
    """A connection of a role whose transactions set the context as the daemons' do."""

    def __init__(self, server, role, **context):
        self.connection = server.connect(role)
        self.connection.autocommit = False
        self.context = {"tenant": "", "actor": "test", "address": "192.0.2.1",
                        "request_id": "req_1", "now": NOW.isoformat(), **context}

    def run(self, sql, *args, **context):
        with self.connection, self.connection.cursor() as cursor:
            for name, value in {**self.context, **context}.items():
                if value is not None:
                    cursor.execute("SELECT set_config(%s, %s, true)", (f"app.{name}", value))
            cursor.execute(sql, args)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def insert(self, table, **values):
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        self.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values())
        return values.get("id")


def make_tenant(pg, name, network, fingerprint, environment="seemail"):
    """A tenant with a row in every table that has tenants; the ids."""
    provider, gateway = Session(pg, "sg_provider"), Session(pg, "sg_gateway")
    times = {"created_at": NOW, "updated_at": NOW}
    tenant = provider.insert("tenant", id=new_id("ten"), name=name, state="active", **times)
    domain = provider.insert("domain", id=new_id("dom"), tenant_id=tenant, name=f"{name}.test",
                             environment=environment, state="attested", **times)
    provider.insert("domain_ownership", domain_id=domain, tenant_id=tenant, method="attested",
                    challenge="")
    provider.insert("postmaster_check", domain_id=domain, tenant_id=tenant, state="asked",
                    asked_at=NOW, asked_today=1, day_begin=NOW)
    provider.insert("submitter", id=new_id("sub"), tenant_id=tenant, kind="network",
                    network=network, created_at=NOW)
    provider.insert("submitter", id=new_id("sub"), tenant_id=tenant, kind="client_certificate",
                    fingerprint=fingerprint, created_at=NOW)
    provider.insert("next_hop", domain_id=domain, tenant_id=tenant, protocol="smtp",
                    host=f"mail.{name}.test", port=25, tls="required", updated_at=NOW)
    key = provider.insert("hsm_key", id=new_id("key"), tenant_id=tenant, domain_id=domain,
                          kind="wrapped", algorithm="rsa-2048", state="pending", **{"class": "dca"},
                          **times)
    provider.insert("job", id=new_id("job"), tenant_id=tenant, kind="key.generate",
                    payload="{}", state="queued", max_attempts=3, run_at=NOW, created_at=NOW)
    provider.insert("api_token", id=new_id("tok"), tenant_id=tenant, role="tenant-admin",
                    name="x", hash=secrets.token_bytes(32), created_at=NOW, expires_at=NOW)
    provider.insert("idempotency_key", caller=new_id("tok"), key="k", tenant_id=tenant,
                    fingerprint=secrets.token_bytes(32), created_at=NOW, expires_at=NOW)
    msg = new_id("msg")
    gateway.insert("message", id=msg, received_at=NOW, tenant_id=tenant, direction="outbound",
                   node="n", queue_id="q", sender="", sender_domain="", header_from="",
                   message_id="", client_address="", size_bytes=1, archive_ref="")
    gateway.insert("message_recipient", msg_id=msg, received_at=NOW, tenant_id=tenant,
                   recipient="r", recipient_domain="d", outcome="received", outcome_at=NOW)
    gateway.insert("trace_event", record_id=b"r", msg_id=msg, received_at=NOW, tenant_id=tenant,
                   at=NOW, seq=0, step="s", detail="{}")
    held = insert_held(gateway, {"tenant": tenant, "domain": domain}, msg_id=msg)
    gateway.insert("held_chunk", held_id=held, tenant_id=tenant, seq=0, data=b"d")
    notice = gateway.insert("notice", id=new_id("ntc"), msg_id=msg, tenant_id=tenant,
                            domain_id=domain, kind="failure", recipient="r", original=b"o",
                            wrapped_key=b"w", state="sent", created_at=NOW, next_try_at=NOW)
    gateway.insert("notice_item", msg_id=msg, kind="failure", recipient="r", about="r",
                   tenant_id=tenant, notice_id=notice, address="r", code="201", status="5.7.5",
                   words="", partner="", created_at=NOW)
    gateway.insert("notice_fold", domain_id=domain, kind="failure", recipient="r", partner="",
                   codes="", tenant_id=tenant, summary_id=new_id("ntc"), began_at=NOW, ends_at=NOW,
                   singly=1, folded=0)
    incident = gateway.insert("incident", id=new_id("inc"), tenant_id=tenant, kind="a.b", detail="{}",
                              severity="info", state="open", summary="s", dedup_key=tenant,
                              occurrences=1, first_seen=NOW, last_seen=NOW)
    gateway.insert("incident_note", id=new_id("inn"), incident_id=incident, tenant_id=tenant,
                   at=NOW, actor="x", action="noted", words="w")
    gateway.insert("message_code", msg_id=msg, received_at=NOW, tenant_id=tenant, recipient="r",
                   recipient_domain="d", code="002", at=NOW)
    breach = gateway.insert("breach", id=new_id("bre"), tenant_id=tenant, source="mail",
                            month=NOW.date().replace(day=1), level="breach", code="002", cause="",
                            domain="d", partner_domain="p", direction="inbound", messages=1,
                            recipients=1, samples=[msg], first_seen=NOW, last_seen=NOW, state="open",
                            **{"class": "unsigned"})
    gateway.insert("breach_note", id=new_id("brn"), breach_id=breach, tenant_id=tenant,
                   at=NOW, actor="x", action="noted", words="w")
    add_retention(Session(pg, "sg_tenant"), provider, Session(pg, "sg_owner"), tenant)
    add_report(Session(pg, "sg_tenant"), provider, tenant)
    return {"tenant": tenant, "domain": domain, "key": key, "held": held, "msg": msg}


def insert_held(gateway, t, **values):
    return gateway.insert("held_message", **{
        "id": new_id("hld"), "msg_id": new_id("msg"), "tenant_id": t["tenant"], "domain_id": t["domain"],
        "direction": "outbound", "state": "held", "reason": "201", "explanation": "", "sender": "",
        "recipients": ["r"], "recipient_domain": "p.test", "queue_id": "q", "size_bytes": 1, "wrapped_key": b"w",
        "received_at": NOW, "held_at": NOW, "next_try_at": NOW + datetime.timedelta(days=1),
        "expires_at": NOW + datetime.timedelta(days=2), **values})


def add_retention(worker, provider, owner, tenant):
    counts = dict.fromkeys(("messages_out", "recipients_out", "bytes_out", "messages_in", "recipients_in",
                            "bytes_in", "sealed", "opened", "held", "refused", "domains", "domain_days",
                            "storage_bytes"), 0)
    worker.insert("usage_month", tenant_id=tenant, month="2026-10-01", revision=0, time_zone="UTC",
                  watermark="", made_at=NOW, **counts)
    provider.insert("retention_policy", tenant_id=tenant, months=24, updated_at=NOW,
                    **{"class": "messages"})
    provider.insert("legal_hold", id=new_id("lgh"), tenant_id=tenant, words="w", created_at=NOW, created_by="x")
    owner.insert("disposal", id=new_id("dsp"), at=NOW, tenant_id=tenant, method="rows", relation="message",
                 rows=1, oldest=NOW, newest=NOW, cutoff=NOW, policy="p", actor="x", **{"class": "messages"})


def add_report(worker, provider, tenant):
    report = worker.insert("report", id=new_id("rep"), tenant_id=tenant, kind="service", period="2026-10",
                           revision=1, state="current", complete=True, schema_version=1, data="{}",
                           sha256=b"h" * 32, watermark="{}", made_at=NOW, made_by="x")
    provider.insert("report_signature", id=new_id("sgn"), tenant_id=tenant, report_id=report, sha256=b"h" * 32,
                    name="n", title="t", words="w", actor="x", signed_at=NOW)
    provider.insert("report_recipient", id=new_id("rrc"), tenant_id=tenant, kind="service", address="a@b.test",
                    created_at=NOW)
    worker.insert("report_delivery", id=new_id("rdl"), tenant_id=tenant, report_id=report, recipient="r",
                  state="queued", message_id="m", created_at=NOW)


@pytest.fixture(scope="module")
def tenants(pg):
    a = make_tenant(pg, "a", "192.0.2.0/24", "00112233445566778899aabbccddeeff" * 2)
    b = make_tenant(pg, "b", "198.18.0.0/15", "ff" * 32, environment="securemail")
    worker = Session(pg, "sg_tenant")
    for t in (a, b):
        t["certificate"] = add_certificate(worker, t, t["key"], "superseded", 30)
        add_certificate_life(pg, worker, t)
        add_resources(pg, t)
    return a, b


def add_resources(pg, t):
    """One of each thing that a tenant's life brings."""
    provider, document = Session(pg, "sg_provider"), new_id("doc")
    of = {"tenant_id": t["tenant"], "created_at": NOW}
    provider.insert("document", id=document, kind="terms", title="Terms", version=t["tenant"], text="x",
                    sha256="0" * 64, required=False, valid_from=NOW, created_at=NOW)
    provider.insert("acknowledgement", id=new_id("ack"), document_id=document, sha256="0" * 64, role="CIO", **of)
    provider.insert("contact", id=new_id("con"), role="abuse", organisation="A", mailbox="abuse@a.test",
                    role_mailbox=False, review_days=1, reviewed_at=NOW, updated_at=NOW, **of)
    provider.insert("smime_exception", id=new_id("exc"), domain_id=t["domain"], partner="p.test", **of)
    provider.insert("domain_anchor", id=new_id("anc"), domain_id=t["domain"], der=b"x", sha256=b"x", subject="",
                    not_after=NOW, **of)
    provider.insert("policy", id=new_id("pol"), tenant_id=t["tenant"], domain_id=t["domain"], settings="{}",
                    updated_at=NOW)
    provider.insert("tenant_export", id=new_id("exp"), state="pending", job_id=new_id("job"), expires_at=NOW, **of)


def add_certificate(worker, t, key, state, age_days):
    worker.run("UPDATE hsm_key SET state = 'active', spki = %s, spki_sha256 = %s, blob = 'blob'"
               " WHERE id = %s AND state = 'pending'", key.encode(), key.encode(), key)
    return worker.insert(
        "certificate", id=new_id("crt"), tenant_id=t["tenant"], domain_id=t["domain"], key_id=key,
        state=state, der=secrets.token_bytes(8), chain=[b"first", b"second"],
        sha256=secrets.token_bytes(32), subject="", issuer="", serial="01",
        not_before=NOW - datetime.timedelta(days=age_days), not_after=NOW, created_at=NOW,
        updated_at=NOW)


def add_certificate_life(pg, worker, t):
    """An authority's order, a compromise and a revocation."""
    authority = Session(pg, "sg_provider").insert(
        "certificate_authority", id=new_id("cau"), name=t["tenant"], method="manual",
        renewal_lead_days=30, key_algorithm="rsa-2048", key_kind="token", created_at=NOW,
        updated_at=NOW)
    of = {"tenant_id": t["tenant"], "domain_id": t["domain"], "created_at": NOW, "updated_at": NOW}
    worker.insert("certificate_order", id=new_id("ord"), authority_id=authority, reason="initial",
                  state="pending", key_id=t["key"], **of)
    compromise = worker.insert("certificate_compromise", id=new_id("cmp"), reason="lost",
                               state="running", **of)
    worker.insert("certificate_revocation", id=new_id("rev"), certificate_id=t["certificate"],
                  compromise_id=compromise, reason="keyCompromise", state="queued", **of)


# Migrations -----------------------------------------------------------------------------------


def test_migrate_twice(pg):
    done = migrate(pg)
    assert (done.returncode, done.stdout) == (0, "0 applied\n")


@pytest.fixture(scope="module")
def other():
    """A server whose schema may come and go."""
    folder = tempfile.mkdtemp(prefix="sealgate-pg-", dir="/tmp")
    try:
        with PostgreSQL(folder, 5432) as server:
            server.config = write_config(server)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_migrate_at_the_same_time(other):
    """Nodes upgrade together: each migration is applied once."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(migrate(other))) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [r.returncode for r in results] == [0, 0, 0], results
    # One at a time; which of them applies which is their race.
    assert sum(int(r.stdout.removesuffix(" applied\n")) for r in results) == MIGRATIONS


def apply_first(server, count):
    """The schema as a release of the past left it."""
    owner = server.connect("sg_owner").cursor()
    owner.execute("DROP SCHEMA IF EXISTS sealgate CASCADE; CREATE SCHEMA sealgate; CREATE TABLE sealgate.migration"
                  " (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL)")
    for path in sorted((ROOT / "schema/migrations").glob("*.sql"))[:count]:
        sql = path.read_bytes()
        owner.execute(sql)  # several statements at once are one transaction
        owner.execute("INSERT INTO sealgate.migration VALUES (%s, %s, %s, now())",
                      (int(path.stem[:4]), path.stem[5:], hashlib.sha256(sql).hexdigest()))


def waiting_for_locks(server):
    return server.psql("-c", "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tenantd migrate'"
                       " AND wait_event_type = 'Lock'", database="sealgate")


def test_a_migration_waits_without_keeping_others_waiting(other):
    """It has to change a table that a long reader (a dump) reads: it gives way to those who came after it, comes back,
    and says so where that does not end."""
    applied = 24  # the next one makes a column of held_message
    apply_first(other, applied)
    other.config = write_config(other, "lock_timeout = 100ms\n")
    done = []

    def begin():
        thread = threading.Thread(target=lambda: done.append(migrate(other)))
        thread.start()
        wait_for(lambda: waiting_for_locks(other), 10, "the migration to wait")
        return thread

    with contextlib.closing(other.connect("sg_owner")) as reader, contextlib.closing(other.connect("sg_owner")) as mail:
        reader.autocommit = False
        reader.cursor().execute("LOCK TABLE sealgate.held_message IN ACCESS SHARE MODE")
        mail.cursor().execute("SET lock_timeout = '5s'")
        thread = begin()
        for _ in range(3):
            mail.cursor().execute("SELECT count(*) FROM sealgate.held_message")
        assert not done
        thread.join()
        refused = done.pop()
        assert refused.returncode == 1 and "pg_stat_activity" in refused.stderr, refused
        thread = begin()
        reader.rollback()
        thread.join()
        assert (done[0].returncode, done[0].stdout) == (0, f"{MIGRATIONS - applied} applied\n"), done


@pytest.mark.parametrize("change, undo, words", [
    ("UPDATE migration SET checksum = 'x' || substr(checksum, 2) WHERE version = 1",
     None, "was edited after it had been applied"),
    ("INSERT INTO migration VALUES (9999, 'future', 'x', now())",
     "DELETE FROM migration WHERE version = 9999", "does not know"),
])
def test_foreign_migration_refused(pg, change, undo, words):
    owner = pg.connect("sg_owner").cursor()
    owner.execute("SELECT checksum FROM migration WHERE version = 1")
    checksum = owner.fetchone()[0]
    owner.execute(change)
    try:
        done = migrate(pg)
        assert done.returncode == 1 and words in done.stderr
    finally:
        owner.execute(undo or "UPDATE migration SET checksum = %s WHERE version = 1", (checksum,))
    assert migrate(pg).returncode == 0


# Roles and row-level security ---------------------------------------------------------------------


def test_roles(pg):
    rows = pg.psql("-c", "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
                   " rolreplication FROM pg_roles WHERE rolname LIKE 'sg\\_%' ORDER BY 1").split()
    assert len(rows) == 8
    assert all(row.endswith("|f|f|f|f|f") for row in rows), rows
    assert pg.psql("-c", "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member"
                   " WHERE r.rolname LIKE 'sg\\_%'") == "0\n"
    owners = pg.psql("-c", "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
                     " WHERE relnamespace = 'sealgate'::regnamespace", database="sealgate").split()
    assert owners == ["sg_owner"]
    definers = pg.psql("-c", "SELECT proname, has_function_privilege('public', oid, 'execute')"
                       " FROM pg_proc WHERE prosecdef AND pronamespace = 'sealgate'::regnamespace"
                       " ORDER BY 1", database="sealgate").split()
    assert definers == ["archive_key_destroyed|f", "archive_key_in_use|f", "audit_read|f", "audit_write|f",
                        "disposal_partition|f", "disposal_preview|f", "disposal_rows|f", "domain_state_write|f",
                        "message_discarded_audit|f", "partitions_ensure|f", "partitions_for|f", "retention_audit|f", "token_used|f"]


def tables_with_tenant(pg):
    rows = pg.psql("-c", """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
               has_table_privilege('sg_api', c.oid, 'select')
        FROM pg_class c
        WHERE c.relnamespace = 'sealgate'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition
          AND (c.relname = 'tenant' OR EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'))
        ORDER BY 1""", database="sealgate").split()
    return [row.split("|") for row in rows]


def test_every_table_with_a_tenant_is_protected(pg):
    rows = tables_with_tenant(pg)
    assert len(rows) >= 16
    assert all(security == force == "t" for _, security, force, _ in rows), rows


def test_tenant_sees_its_own_alone(pg, tenants):
    """REQ-136, principle: a tenant never sees another's row, nor any without a context."""
    a, b = tenants
    readable = [name for name, _, _, may in tables_with_tenant(pg) if may == "t"]
    assert {"tenant", "domain", "certificate", "held_message", "message", "audit"} <= set(readable)
    session = Session(pg, "sg_api")
    for table in readable:
        column = "id" if table == "tenant" else "tenant_id"
        query = f"SELECT DISTINCT {column} FROM {table}"
        assert session.run(query, tenant=None) == [], table
        assert session.run(query) == [], table
        assert session.run(query, tenant="x' OR true --") == [], table
        assert session.run(query, tenant=a["tenant"]) == [(a["tenant"],)], table
        assert session.run(query, tenant=b["tenant"]) == [(b["tenant"],)], table


def test_tenant_changes_its_own_alone(pg, tenants):
    a, b = tenants
    session = Session(pg, "sg_api", tenant=a["tenant"])
    release = "UPDATE held_message SET next_try_at = %s WHERE id = %s"
    assert session.run(release, NOW, b["held"]) == 0
    assert session.run(release, NOW, a["held"]) == 1
    assert session.run("DELETE FROM next_hop WHERE domain_id = %s", b["domain"]) == 0
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        session.insert("job", id=new_id("job"), tenant_id=b["tenant"], kind="key.csr",
                       payload="{}", state="queued", max_attempts=1, run_at=NOW, created_at=NOW)
    # Its domains it claims and gives up, and never proves by its own word.
    for change in ("UPDATE domain SET state = 'verified'", "UPDATE domain SET state = 'attested'",
                   "UPDATE domain SET name = 'other.test'", "UPDATE domain SET state = 'suspended'"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            session.run(change)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        session.insert("domain", id=new_id("dom"), tenant_id=a["tenant"], name="mine.test",
                       environment="seemail", state="verified", created_at=NOW, updated_at=NOW)
    assert session.run("DELETE FROM domain WHERE state NOT IN ('pending', 'failed')") == 0


def test_tenant_lifts_no_suspension(pg, tenants):
    """A pending tenant becomes active by its last acknowledgement: no other state is for a tenant to change."""
    tenant, become = tenants[0]["tenant"], "UPDATE tenant SET state = %s"
    session, provider = Session(pg, "sg_api", tenant=tenant), Session(pg, "sg_provider")
    try:
        for state, wanted in [("active", "suspended"), ("active", "pending"), ("suspended", "active")]:
            provider.run("UPDATE tenant SET state = %s WHERE id = %s", state, tenant)
            assert session.run(become, wanted) == 0, (state, wanted)
        provider.run("UPDATE tenant SET state = 'pending' WHERE id = %s", tenant)
        for change in ("UPDATE tenant SET state = 'suspended'", "UPDATE tenant SET state_reason = 'x'",
                       "UPDATE tenant SET name = 'x'"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                session.run(change)
        assert session.run(become, "active") == 1
    finally:
        provider.run("UPDATE tenant SET state = 'active' WHERE id = %s", tenant)


def verbs_of_gatewayd():
    """What the statements that gatewayd can send change: {(table, verb)}."""
    heads = {head for folder in ("common", "gatewayd") for path in (ROOT / folder).rglob("*.[ch]")
             for head in re.findall(r'#include "schema/(\w+)\.h"', path.read_text())}
    verbs = set()
    for path in (ROOT / "schema").glob("*.c"):
        source = path.read_text()
        own = re.search(r'#include "schema/(\w+)\.h"', source)
        for name in re.findall(r"SG_Q_(\w+)", source) if own and own[1] in heads else []:
            query = re.sub("--.*", "", (ROOT / f"schema/queries/{name.lower()}.sql").read_text())
            if name.startswith("API_"):
                continue
            verbs |= {(table, verb) for verb, table in re.findall(r"\b(INSERT|UPDATE|DELETE)(?: INTO| FROM)? (\w+)", query)}
            if "DO UPDATE" in query:
                verbs |= {(table, "UPDATE") for table in re.findall(r"INSERT INTO (\w+)", query)}
            if "FOR UPDATE" in query:
                verbs |= {(table, "UPDATE") for table in re.findall(r"FROM (\w+)", query)}
    return verbs


def test_gateway_may_do_what_it_does_alone(pg):
    """It reads strangers' mail, and the log is evidence (REQ-117): whoever has taken it over changes no row of that."""
    rows = pg.psql("-c", """
        SELECT c.relname, verb FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) verb
        WHERE c.relnamespace = 'sealgate'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND (has_table_privilege('sg_gateway', c.oid, verb)
               OR verb IN ('INSERT', 'UPDATE') AND has_any_column_privilege('sg_gateway', c.oid, verb))""",
                   database="sealgate").split()
    may = {tuple(row.split("|")) for row in rows}
    does = verbs_of_gatewayd() | {("held_wake", "INSERT")}  # the trigger of partner_certificate
    assert {("message", "INSERT"), ("held_message", "UPDATE"), ("crl", "DELETE")} <= may & does
    assert may - does == set()
    assert not may & {("message", "UPDATE"), ("trace_event", "UPDATE"), ("held_message", "DELETE"),
                      ("partner_certificate", "DELETE"), ("certificate_request", "DELETE"),
                      ("certificate_answer", "DELETE")}


def test_partitions_are_no_way_around(pg, tenants):
    name = f"message_{NOW:%Y_%m}"
    for role in ("sg_api", "sg_provider", "sg_gateway", "sg_tenant"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            Session(pg, role, tenant=tenants[0]["tenant"]).run(f"SELECT count(*) FROM {name}")


# Audit ------------------------------------------------------------------------------------------


def audit_of(pg, object_id, table):
    rows = Session(pg, "sg_audit").run(
        "SELECT action, actor, address, request_id, tenant_id, before, after FROM audit"
        " WHERE object = %s AND object_id = %s ORDER BY id", table, object_id)
    return rows


def test_change_is_audited_or_does_not_happen(pg, tenants):
    a = tenants[0]
    provider = Session(pg, "sg_provider", actor="token:tok_1", request_id="req_7")
    assert audit_of(pg, a["domain"], "domain")[0][0] == "insert"
    provider.run("UPDATE domain SET updated_at = %s WHERE id = %s", NOW, a["domain"])
    action, actor, address, request, tenant, before, after = audit_of(pg, a["domain"], "domain")[-1]
    assert (action, actor, address, request, tenant) == ("update", "token:tok_1", "192.0.2.1",
                                                        "req_7", a["tenant"])
    assert before["id"] == after["id"] == a["domain"]
    for actor in (None, ""):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="without app.actor"):
            provider.run("UPDATE domain SET state = 'suspended' WHERE id = %s", a["domain"],
                         actor=actor)
    assert provider.run("SELECT state FROM domain WHERE id = %s", a["domain"]) == [("attested",)]


def test_every_configuration_table_is_audited(pg, tenants):
    a = tenants[0]
    for table, object_id in [("tenant", a["tenant"]), ("domain", a["domain"]),
                             ("hsm_key", a["key"]), ("next_hop", a["domain"]),
                             ("certificate", a["certificate"]), ("held_message", a["held"])]:
        assert audit_of(pg, object_id, table)[0][0] == "insert", table
    triggered = pg.psql("-c", "SELECT DISTINCT tgrelid::regclass FROM pg_trigger"
                        " WHERE tgfoid = 'sealgate.audit_write'::regproc", database="sealgate")
    assert set(triggered.replace("sealgate.", "").split()) >= {
        "tenant", "domain", "submitter", "next_hop", "hsm_key", "certificate", "trust_anchor",
        "directory_source", "member_domain", "api_token", "archive_key", "held_message", "job"}


def test_audit_keeps_no_key_and_cannot_be_changed(pg, tenants):
    rows = Session(pg, "sg_audit").run(
        "SELECT count(*) FROM audit, (VALUES (%s::text[])) v (k)"
        " WHERE before ?| k OR after ?| k",
        ["blob", "hash", "wrapped_key", "der", "chain", "spki", "csr", "payload"])
    assert rows == [(0,)]
    for role in ("sg_api", "sg_provider", "sg_gateway", "sg_tenant", "sg_audit"):
        for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                Session(pg, role).run(statement)


def test_lease_of_held_mail_is_not_audited_and_wakes_nobody(pg, tenants):
    held = tenants[1]["held"]
    gateway = Session(pg, "sg_gateway")
    listener = pg.connect("sg_gateway")
    listener.cursor().execute("LISTEN sealgate_held")
    before = len(audit_of(pg, held, "held_message"))
    lease = "UPDATE held_message SET next_try_at = next_try_at + interval '1 hour' WHERE id = %s"
    gateway.run(lease, held)
    gateway.run("UPDATE held_message SET next_try_at = next_try_at WHERE false")
    assert len(audit_of(pg, held, "held_message")) == before
    gateway.run("UPDATE held_message SET next_try_at = %s WHERE id = %s", NOW, held)  # released
    assert len(audit_of(pg, held, "held_message")) == before + 1
    while select.select([listener], [], [], 0 if listener.notifies else 10)[0]:
        listener.poll()
    assert len(listener.notifies) == 1
    listener.close()
    gateway.run("UPDATE held_message SET next_try_at = next_try_at - interval '1 minute' WHERE id = %s", held,
                actor="gatewayd")  # it comes to it by itself
    assert len(audit_of(pg, held, "held_message")) == before + 1


def execute(session, query, *args):
    """One of schema/queries, as the daemons send it."""
    text = (ROOT / f"schema/queries/{query}.sql").read_text()
    marks = ", ".join(["%s"] * len(args))
    with session.connection, session.connection.cursor() as cursor:
        cursor.execute(f"PREPARE {query} AS {text}")
    try:
        return session.run(f"EXECUTE {query} ({marks})", *args)
    finally:
        with session.connection, session.connection.cursor() as cursor:
            cursor.execute(f"DEALLOCATE {query}")


def test_a_certificate_is_stored_whatever_waits_for_it(pg, tenants):
    """REQ-51: the change is of one row; gatewayd makes due what waits, which is none of the audit log's."""
    provider, gateway = Session(pg, "sg_provider"), Session(pg, "sg_gateway", actor="gatewayd")
    held = [insert_held(gateway, tenants[0], recipient_domain="wanted.test") for _ in range(3)]
    state = ("SELECT count(*) FILTER (WHERE next_try_at <= %s), (SELECT count(*) FROM audit WHERE object_id = ANY(%s))"
             " FROM held_message WHERE id = ANY(%s)")
    listener = pg.connect("sg_gateway")
    listener.cursor().execute("LISTEN sealgate_held")
    provider.insert("partner_certificate", id=new_id("pct"), sha256=b"w", domain="wanted.test", der=b"w", source="api",
                    origin="", not_before=NOW, not_after=NOW, fetched_at=NOW, stored_at=NOW, state="active")
    assert provider.run(state, NOW, held, held) == [(0, 3)]
    wait_for(lambda: listener.poll() or listener.notifies, 10, "that gatewayd is woken")
    listener.close()
    for due, more in [(2, True), (3, True), (3, False)]:
        assert execute(gateway, "held_wake_next", NOW, 2) == [(more,)]
        assert provider.run(state, NOW, held, held) == [(due, 3)]
    Session(pg, "sg_owner").run("DELETE FROM held_message WHERE id = ANY(%s)", held)


def test_wanted_by_each_policy(pg, tenants):
    """REQ-51, 54: who approves of certificates keeps nobody else's mail out of discovery; who judges alike asks once."""
    a, b = tenants
    provider, gateway = Session(pg, "sg_provider"), Session(pg, "sg_gateway")
    more = {"environment": "seemail", "state": "attested", "created_at": NOW, "updated_at": NOW}
    alike, rooted = [provider.insert("domain", id=new_id("dom"), tenant_id=a["tenant"], name=f"{name}.a.test", **more)
                     for name in ("alike", "rooted")]
    approving = provider.insert("domain", id=new_id("dom"), tenant_id=b["tenant"], name="approving.b.test", **more)
    provider.insert("policy", id=new_id("pol"), tenant_id=b["tenant"], domain_id=approving, updated_at=NOW,
                    settings='{"discovery_approval": true}')
    provider.insert("domain_anchor", id=new_id("anc"), tenant_id=a["tenant"], domain_id=rooted, der=b"r", sha256=b"r",
                    subject="", not_after=NOW, created_at=NOW)
    Session(pg, "sg_owner").run("DELETE FROM domain_anchor WHERE domain_id = %s", a["domain"])
    held = [insert_held(gateway, t, recipient_domain=partner, held_at=NOW + datetime.timedelta(seconds=n))
            for partner in ("one.wanted.test", "two.wanted.test")
            for n, t in enumerate([a, {**a, "domain": alike}, {**a, "domain": rooted}, {**b, "domain": approving}])]

    groups, after = {}, ("one.wanted", "")
    while page := execute(gateway, "held_wanting", *after, 1):
        (partner, asked, domains), = page
        assert asked == min(domains)
        groups.setdefault(partner, []).append(set(domains))
        after = (partner, asked)
    expected = sorted([{a["domain"], alike}, {rooted}, {approving}], key=min)
    assert groups["one.wanted.test"] == groups["two.wanted.test"] == expected
    Session(pg, "sg_owner").run("DELETE FROM held_message WHERE id = ANY(%s)", held)


# Partitions -------------------------------------------------------------------------------------


def month_add(day, months):
    index = day.year * 12 + day.month - 1 + months
    return datetime.date(index // 12, index % 12 + 1, 1)


def test_partitions(pg, tenants):
    gateway = Session(pg, "sg_gateway")
    months = [month_add(NOW, n) for n in range(-1, 3)]
    names = pg.psql("-c", "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
                    " ORDER BY 1", database="sealgate").split()
    for table in ("message", "message_recipient", "trace_event", "audit"):
        assert [n for n in names if n.startswith(table + "_2")] == [
            f"{table}_{m:%Y_%m}" for m in months]
    row = dict(tenant_id=tenants[0]["tenant"], direction="inbound", node="n", queue_id="q",
               sender="", sender_domain="", header_from="", message_id="", client_address="",
               size_bytes=1, archive_ref="")
    for month in months:  # the first instant of each is in it, in UTC
        at = datetime.datetime(month.year, month.month, 1, tzinfo=datetime.timezone.utc)
        gateway.insert("message", id=new_id("msg"), received_at=at, **row)
    with pytest.raises(psycopg2.errors.CheckViolation):
        gateway.insert("message", id=new_id("msg"), received_at=month_add(NOW, 4), **row)
    Session(pg, "sg_tenant").run("SELECT partitions_ensure(%s, 6)", month_add(NOW, -1))
    gateway.insert("message", id=new_id("msg"), received_at=month_add(NOW, 4), **row)


def shape(pg, cursor, table):
    """What there is to say about a table, but for its name and its months."""
    looks = [
        "SELECT relowner, relrowsecurity, relforcerowsecurity, relacl::text, reloptions::text, relispartition,"
        " relpersistence FROM pg_class WHERE oid = %s::regclass",
        "SELECT attname, atttypid, atttypmod, attcollation, attnotnull, atthasdef, attidentity, attgenerated, attstorage,"
        " attcompression, attislocal, attinhcount FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        "SELECT conname, contype, conislocal, coninhcount, connoinherit, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass ORDER BY conname",
        "SELECT pg_get_indexdef(indexrelid), indisprimary, indisvalid, (SELECT inhparent FROM pg_inherits"
        " WHERE inhrelid = indexrelid) FROM pg_index WHERE indrelid = %s::regclass ORDER BY 1",
        "SELECT tgname, tgfoid, tgtype, tgenabled, tgisinternal, tgparentid, pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE tgrelid = %s::regclass ORDER BY 1",
        "SELECT polname FROM pg_policy WHERE polrelid = %s::regclass",
    ]
    seen = []
    for look in looks:
        cursor.execute(look, (table,))
        seen.append([[str(value).replace(table, "T") for value in row] for row in cursor.fetchall()])
    return seen


def test_a_month_made_is_like_any_partition(pg):
    """However it is made: columns, constraints, indexes, triggers, rights, ownership."""
    owner = pg.connect("sg_owner")
    owner.autocommit = False
    cursor = owner.cursor()
    cursor.execute("SELECT partitions_ensure('2031-01-01', 1)")
    cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = 'sealgate'::regnamespace")
    parents = [row[0] for row in cursor.fetchall()]
    assert len(parents) == 5
    for parent in parents:
        cursor.execute(f"CREATE TABLE {parent}_2031_02 PARTITION OF {parent}"
                       " FOR VALUES FROM ('2031-02-01') TO ('2031-03-01')")
        made, like = (shape(pg, cursor, f"{parent}_2031_{month}") for month in ("01", "02"))
        assert made == like
        assert made[0][0][5] == "True" and made[1] and made[2] and made[3], parent
        cursor.execute("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = %s::regclass", (f"{parent}_2031_01",))
        assert cursor.fetchone()[0] == "FOR VALUES FROM ('2031-01-01 00:00:00+00') TO ('2031-02-01 00:00:00+00')"
    owner.rollback()
    owner.close()


def test_months_are_made_behind_a_long_reader(pg, tenants):
    """A report or a backup that reads the log keeps neither the next month nor mail waiting."""
    reader, maker, looker = pg.connect("sg_provider"), pg.connect("sg_tenant"), pg.connect("sg_owner").cursor()
    reader.autocommit = False
    reader.cursor().execute("SELECT count(*) FROM message")
    maker.cursor().execute("SET statement_timeout = '5s'")
    failures = []

    def make():
        try:
            maker.cursor().execute("SELECT partitions_ensure(%s, 2)", (month_add(NOW, 8),))
        except psycopg2.Error as error:
            failures.append(error)

    def waits():
        looker.execute("SELECT FROM pg_locks WHERE pid = %s AND NOT granted", (maker.info.backend_pid,))
        return looker.rowcount > 0

    thread = threading.Thread(target=make)
    thread.start()
    try:
        wait_for(lambda: not thread.is_alive() or waits(), 10, "that a month is made or waited for")
        gateway = Session(pg, "sg_gateway")
        with gateway.connection, gateway.connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '1s'")
        held = insert_held(gateway, tenants[0])
        assert gateway.run("SELECT count(*) FROM message")[0][0] > 0
        Session(pg, "sg_owner").run("DELETE FROM held_message WHERE id = %s", held)
        thread.join()
        assert not failures
        gateway.run("SELECT %s::regclass", f"message_{month_add(NOW, 9):%Y_%m}")
    finally:
        reader.close()
        thread.join()


# The C library against a real server ------------------------------------------------------------------


def test_aggregates(pg, tenants):
    """domain, submitter, certificates, held mail, notices, feed and the others (REQ-37, 38, 56, 117)."""
    a, b = tenants
    provider, worker = Session(pg, "sg_provider"), Session(pg, "sg_tenant")
    times = {"created_at": NOW, "updated_at": NOW}
    suspended = provider.insert("domain", id=new_id("dom"), tenant_id=a["tenant"],
                                name="suspended.test", environment="seemail", state="suspended",
                                **times)
    for tenant in (a["tenant"], b["tenant"]):  # a claim shows nothing to the other
        provider.insert("domain", id=new_id("dom"), tenant_id=tenant, name="pending.test",
                        environment="seemail", state="pending", **times)
    gone = provider.insert("tenant", id=new_id("ten"), name="gone", state="suspended", **times)
    provider.insert("submitter", id=new_id("sub"), tenant_id=gone, kind="network",
                    network="203.0.113.0/24", created_at=NOW)
    provider.insert("submitter", id=new_id("sub"), tenant_id=a["tenant"], kind="network",
                    network="2001:db8:1::/48", created_at=NOW)
    with pytest.raises(psycopg2.errors.ExclusionViolation):  # one network, one tenant
        provider.insert("submitter", id=new_id("sub"), tenant_id=b["tenant"], kind="network",
                        network="192.0.2.128/25", created_at=NOW)
    destroyed = provider.insert("hsm_key", id=new_id("key"), tenant_id=a["tenant"],
                                domain_id=a["domain"], kind="token", algorithm="rsa-2048",
                                state="pending", **{"class": "dca"}, **times)
    add_certificate(worker, a, destroyed, "superseded", 50)
    with pytest.raises(psycopg2.errors.CheckViolation):  # REQ-189: never from use to nothing
        worker.run("UPDATE hsm_key SET state = 'destroyed' WHERE id = %s", destroyed)
    for state in ("retired", "destroyed"):
        worker.run("UPDATE hsm_key SET state = %s WHERE id = %s", state, destroyed)
    add_certificate(worker, a, a["key"], "revoked", 5)
    add_certificate(worker, a, a["key"], "active", 10)
    provider.insert("trust_anchor", id=new_id("anc"), der=b"anchor", sha256=b"x", subject="",
                    not_after=NOW, created_at=NOW)
    for position, url in [(2, "ldap://second.test"), (1, "ldap://first.test")]:
        provider.insert("directory_source", id=new_id("dir"), url=url, base_dn="C=NZ",
                        position=position, created_at=NOW)
    for name, environment in [("member.test", "securemail"), ("member.test", "seemail"),
                              ("b.test", "seemail"), ("list.test", "workspace"),
                              ("list.test", "seemail-test")]:
        provider.insert("member_domain", id=new_id("mem"), name=name, environment=environment,
                        created_at=NOW)
    newest, _ = [
        worker.insert("archive_key", id=new_id("ark"), quarter=f"{at.year}q{(at.month + 2) // 3}",
                      kind="token", spki=b"s", created_at=NOW)
        for at in (NOW, NOW - datetime.timedelta(days=200))]
    Session(pg, "sg_owner").run("DELETE FROM held_message")
    env = {**os.environ, "SG_CONNINFO": pg.conninfo("sg_gateway"),
           "SG_PASSWORD_FILE": str(pg.password_file("sg_gateway")), "SG_TENANT": a["tenant"],
           "SG_DOMAIN": a["domain"], "SG_SUSPENDED_DOMAIN": suspended,
           "SG_ARCHIVE_KEY": newest, "SG_NOW": str(int(time.time()))}
    for part in ("lookups", "partners", "held", "notices"):
        done = subprocess.run([BUILD / f"tests/schema_{part}"], env=env, text=True, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


class Probe:
    """The program schema_probe; see there for what it prints."""

    def __init__(self, pg, role="sg_tenant", *arguments, conninfo=None):
        self.process = subprocess.Popen(
            [BUILD / "tests/schema_probe", conninfo or pg.conninfo(role), pg.password_file(role), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, bufsize=1)
        self.lines = queue.Queue()
        self.stderr = []
        for stream, put in [(self.process.stdout, self.lines.put),
                            (self.process.stderr, self.stderr.append)]:
            threading.Thread(target=lambda s=stream, p=put: [p(line.split()) for line in s],
                             daemon=True).start()
        self.kept = []  # lines that were read while another was expected

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.expect(line.split()[0])

    def expect(self, word, seconds=10):
        for i, answer in enumerate(self.kept):
            if answer[0] == word:
                return self.kept.pop(i)[1:]
        while (answer := self.lines.get(timeout=seconds))[0] != word:
            self.kept.append(answer)
        return answer[1:]

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0, self.stderr


@pytest.fixture
def probe(pg):
    program = Probe(pg)
    yield program
    program.end()


def health_returns(probe, seconds=5):
    """Asks until the answer is ok; the refusals on the way."""
    refused = []
    deadline = time.monotonic() + seconds
    while (answer := probe.ask("health"))[0] != "ok":
        assert answer[0] == "SG_E_DB_UNAVAILABLE"
        assert time.monotonic() < deadline, answer
        refused.append(answer)
    return refused


def test_connections_survive_a_restart(pg, probe):
    """A server that was restarted while connections were idle is not noticed by the caller."""
    probe.expect("flush")
    assert probe.ask("parallel 4")[:3] == ["4", "of", "4"]
    for _ in range(3):
        pg.restart()
        assert probe.ask("health")[0] == "ok"
        assert probe.ask("parallel 8")[:3] == ["8", "of", "8"]
        probe.expect("flush")  # the listener came back as well
    Session(pg, "sg_provider").run("UPDATE tenant SET updated_at = updated_at")
    assert probe.expect("notify") == ["sealgate_config", "tenant"]


def test_killed_backends(pg, probe):
    assert probe.ask("parallel 4")[:3] == ["4", "of", "4"]
    pg.psql("-c", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'probe'")
    assert probe.ask("parallel 4")[:3] == ["4", "of", "4"]


def test_server_away_costs_nobody_a_long_wait(pg, probe):
    assert probe.ask("health")[0] == "ok"
    pg.stop()
    try:
        for _ in range(20):
            ok, _, total, _, longest = probe.ask("parallel 16")
            assert (ok, total) == ("0", "16")
            assert int(longest) < 1000
        assert probe.ask("health")[0] == "SG_E_DB_UNAVAILABLE"
    finally:
        pg.start()
    health_returns(probe)
    probe.expect("flush")


def test_server_that_hangs(pg, probe):
    """Stopped, not ended: what waits for it gives up in its time, and all comes back."""
    import signal
    assert probe.ask("health")[0] == "ok"
    children = subprocess.run(["pgrep", "-P", str(pg.process.pid)], capture_output=True,
                              text=True).stdout.split()
    everyone = [pg.process.pid, *map(int, children)]
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = probe.ask("health")
        assert answer[0] == "SG_E_DB_UNAVAILABLE"
        assert time.monotonic() - began < 9
    finally:
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
    health_returns(probe, 15)


def test_each_host_has_its_share_of_the_time(pg):
    """Of the hosts in conninfo the first takes connections and says nothing, as one that is stopped; the others are
    tried nevertheless, in one connecting's time, and target_session_attrs counts for each."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hole, port = silent.getsockname()
        conninfo = (f"host={hole},{pg.socket} port={port},{pg.port} dbname=sealgate user=sg_tenant"
                    " target_session_attrs=")
        program = Probe(pg, conninfo=conninfo + "read-write")
        assert program.ask("health")[0] == "ok", program.stderr
        program.expect("flush", 5)
        program.end()
        # None that will do is left: as long as connecting may take, and no longer.
        program = Probe(pg, conninfo=conninfo + "standby")
        verdict, took_ms, *words = program.ask("health")
        assert verdict == "SG_E_DB_UNAVAILABLE" and 500 <= int(took_ms) < 4000, (verdict, took_ms)
        assert "standby" in words, words
        program.end()


def test_two_of_one_name_are_told_of(pg):
    """What is leased to a node's name counts as its own: the second of a name says so, also when the first only seems to
    be there, and goes on; it is silent where the first has ended."""
    first = Probe(pg, "sg_gateway", "0", "gw1")
    wait_for(lambda: pg.psql("-c", "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"), 10, "its lock")
    other = Probe(pg, "sg_gateway", "0", "gw2")
    second = Probe(pg, "sg_gateway", "0", "gw1")

    def said(program, event):
        return [line for line in program.stderr if event in " ".join(line)]

    try:
        wait_for(lambda: said(second, "node.named-twice"), 10, "the second to be told of")
        assert f'"other_since":"{datetime.datetime.now(datetime.timezone.utc):%Y-}' in " ".join(said(second, "named-twice")[0])
        assert second.ask("health")[0] == "ok"
    finally:
        first.end()
    try:
        wait_for(lambda: said(second, "node.alone"), 10, "the second to be alone")
        assert len(said(second, "node.named-twice")) == 1
        assert not said(first, "named-twice") + said(other, "named-twice")
    finally:
        second.end()
        other.end()


KEPT_MS = 900  # for so long nothing is used without the server having said that it did not change


@pytest.fixture
def keeper(pg):
    """Keeps what it reads; and a domain that it reads."""
    program = Probe(pg, "sg_gateway", str(KEPT_MS))
    program.expect("flush")
    program.unheard = lambda sql: pg.psql("-c", f"SET session_replication_role = replica; {sql}", database="sealgate")
    tenant, domain = new_id("ten"), new_id("dom")
    program.tenant, program.domain = tenant, f"kept-{tenant[-6:]}.test"
    program.unheard(f"INSERT INTO sealgate.tenant (id, name, state, created_at, updated_at) VALUES ('{tenant}', 'K', 'active', now(), now());"
                    f" INSERT INTO sealgate.domain (id, tenant_id, name, environment, state, created_at, updated_at)"
                    f" VALUES ('{domain}', '{tenant}', '{program.domain}', 'seemail', 'attested', now(), now())")
    yield program
    program.end()


def kept(keeper):
    """State, and how many results were read so far."""
    state, misses = keeper.ask(f"domain {keeper.domain}")
    return state, int(misses)


def reads_within(keeper, seconds):
    """How many, while it is asked all the time."""
    until, first = time.monotonic() + seconds, kept(keeper)[1]
    while time.monotonic() < until:
        last = kept(keeper)[1]
    return last - first


def settled(keeper):
    """The server has counted what was changed for this test (a session says so when it ends, or a second later)."""
    wait_for(lambda: reads_within(keeper, KEPT_MS / 1000) == 0, 30, "counts that stand still")


def test_what_did_not_change_is_not_read_again(pg, keeper):
    """… however long ago it was read: the server says that its tables did not change."""
    settled(keeper)
    assert reads_within(keeper, 3 * KEPT_MS / 1000) == 0


def test_a_change_that_nobody_told_of_counts_within_the_lifetime(pg, keeper):
    """Of a row that nothing was heard of, as by a trigger that was switched off; and of one of its table's others."""
    settled(keeper)
    for state in ("suspended", "active"):
        keeper.unheard(f"UPDATE sealgate.tenant SET state = '{state}' WHERE id = '{keeper.tenant}'")
        began = time.monotonic()
        wait_for(lambda state=state: kept(keeper)[0] == state, 30, state, 0.01)
        assert time.monotonic() - began < KEPT_MS / 1000 + 2


def test_a_server_that_does_not_count_is_asked_again(pg, keeper):
    """track_counts = off: as old as that, and it is read again."""
    pg.psql("-c", "ALTER SYSTEM SET track_counts = off")
    try:
        pg.psql("-c", "SELECT pg_reload_conf()")
        wait_for(lambda: reads_within(keeper, 2 * KEPT_MS / 1000) >= 1, 30, "what is read again")
        assert reads_within(keeper, 2 * KEPT_MS / 1000) >= 1
        keeper.unheard(f"UPDATE sealgate.tenant SET state = 'suspended' WHERE id = '{keeper.tenant}'")
        began = time.monotonic()
        wait_for(lambda: kept(keeper)[0] == "suspended", 30, "suspended", 0.01)
        assert time.monotonic() - began < KEPT_MS / 1000 + 2
    finally:
        pg.psql("-c", "ALTER SYSTEM RESET track_counts")
        pg.psql("-c", "SELECT pg_reload_conf()")


def test_password_is_nowhere(pg, probe):
    """Not in the process's arguments, its environment or its log; a wrong one says so."""
    password = pg.password_file("sg_tenant").read_text()
    assert probe.ask("health")[0] == "ok"
    for name in ("cmdline", "environ"):
        assert password.encode() not in pathlib.Path(f"/proc/{probe.process.pid}/{name}").read_bytes()
    assert password not in (pg.folder / "server.log").read_text()


def test_no_password_in_conninfo(pg):
    config = pg.folder / "bad.conf"
    config.write_text(pg.config.read_text().replace("user=sg_owner", "user=sg_owner password=x"))
    done = subprocess.run([BUILD / "bin/tenantd", "migrate", "-c", config], text=True,
                          capture_output=True)
    assert done.returncode == 2 and "belongs into a file" in done.stderr


def test_no_two_share_a_key(pg, tenants):
    """REQ-45 REQ-189: neither two domains nor a partner's domain, and not after a key's end either."""
    a, b = tenants
    worker, gateway = Session(pg, "sg_tenant"), Session(pg, "sg_gateway")
    provider = Session(pg, "sg_provider")

    def pending(t):
        return provider.insert("hsm_key", id=new_id("key"), tenant_id=t["tenant"],
                               domain_id=t["domain"], kind="token", algorithm="rsa-2048",
                               state="pending", created_at=NOW, updated_at=NOW, **{"class": "dca"})

    def activate(key, spki):
        worker.run("UPDATE hsm_key SET state = 'active', spki = %s, spki_sha256 = sha256(%s)"
                   " WHERE id = %s", spki, spki, key)

    first, second, third = pending(a), pending(b), pending(a)
    spki = secrets.token_bytes(64)
    activate(first, spki)
    for key in (second, third):  # another tenant's, and the same domain's
        with pytest.raises(psycopg2.errors.UniqueViolation):
            activate(key, spki)
    for state in ("compromised", "retired", "destroyed"):
        worker.run("UPDATE hsm_key SET state = %s WHERE id = %s", state, first)
        with pytest.raises(psycopg2.errors.UniqueViolation):
            activate(second, spki)
    with pytest.raises(psycopg2.errors.CheckViolation):
        worker.run("UPDATE hsm_key SET state = 'active' WHERE id = %s", first)
    # In the certificate of a partner's domain.
    theirs = secrets.token_bytes(64)
    gateway.run("INSERT INTO partner_certificate (sha256, domain, der, source, origin, not_before,"
                " not_after, fetched_at) VALUES (%s, 'partner.test', %s, 'ldap', '', %s, %s, %s)",
                secrets.token_bytes(32), b"0" + theirs + b"1", NOW, NOW, NOW)
    with pytest.raises(psycopg2.errors.UniqueViolation, match="another domain"):
        activate(second, theirs)
    activate(second, secrets.token_bytes(64))


def test_the_api_only_takes_keys_out_of_use(pg, tenants):
    """REQ-174: its roles revoke and compromise, and bring nothing into use."""
    a, _ = tenants
    worker = Session(pg, "sg_tenant")
    certificate = add_certificate(worker, a, a["key"], "installed", 1)
    for role in ("sg_api", "sg_provider"):
        session = Session(pg, role)
        for statement in (f"UPDATE certificate SET state = 'active' WHERE id = '{certificate}'",
                          f"UPDATE hsm_key SET state = 'retired' WHERE id = '{a['key']}'"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                session.run(statement, tenant=a["tenant"])
    worker.run("UPDATE certificate SET state = 'superseded' WHERE id = %s", certificate)


def test_a_revoked_certificate_stays_revoked(pg, tenants):
    """REQ-174"""
    a, _ = tenants
    worker, provider = Session(pg, "sg_tenant"), Session(pg, "sg_provider")
    certificate = add_certificate(worker, a, a["key"], "active", 1)
    provider.run("UPDATE certificate SET state = 'revoked' WHERE id = %s", certificate)
    for session in (worker, provider):
        for state in ("active", "installed", "superseded"):
            with pytest.raises(psycopg2.errors.CheckViolation):
                session.run("UPDATE certificate SET state = %s WHERE id = %s", state, certificate)


def test_a_domain_without_a_valid_certificate_is_counted(pg):
    """REQ-174: whether its certificate has expired, was revoked or never came: its mail is held, and somebody is told."""
    worker, provider = Session(pg, "sg_tenant"), Session(pg, "sg_provider")
    sql = (ROOT / "schema/queries/figures.sql").read_text("utf-8").replace("$1", "%s")

    def figures():
        return {label: n for name, label, n in worker.run(sql, *[NOW] * sql.count("%s")) if name == "certificates"}

    before = figures()

    def now_in(bucket):
        """It alone has one domain more."""
        now = figures()
        return {b: n for b in now if (n := now[b] - before.get(b, 0))} == ({bucket: 1} if bucket else {})

    t = make_tenant(pg, "counted", "100.64.0.0/24", "ab" * 32)
    assert now_in("none"), figures()
    first = add_certificate(worker, t, t["key"], "active", 30)
    assert now_in("expired"), figures()  # at this moment
    worker.run("UPDATE certificate SET not_after = %s WHERE id = %s", NOW + datetime.timedelta(days=40), first)
    assert now_in("60"), figures()
    provider.run("UPDATE certificate SET state = 'revoked' WHERE id = %s", first)
    assert now_in("expired"), figures()
    # One that is published but not yet in use signs where no other can.
    second = add_certificate(worker, t, t["key"], "installed", 0)
    worker.run("UPDATE certificate SET not_after = %s WHERE id = %s", NOW + datetime.timedelta(days=90), second)
    assert now_in("more"), figures()
    provider.run("UPDATE tenant SET state = 'suspended' WHERE id = %s", t["tenant"])
    assert now_in(None), figures()
