"""A tenant never sees, names, counts or changes another's: every operation of openapi.yaml, made from
it, tried as the other tenant with ids, filters, cursors and idempotency keys of the first. The answer
is the one of ids that nobody has, and nothing changes.

Then once more against a program in which apid's own checks are switched off (api/allow.c), so that
row-level security alone is what holds; it logs as whom it works with the database.
"""
import base64
import contextlib
import json
import re

import psycopg2.extras
import pytest

from apienv import BUILD, OPENAPI, Client, new_id
from apigen import PREFIX, ROUTES, body_schema, fill, good_body
from sealgate.process import wait_for
from test_api import platform, provider, world  # noqa: F401  (fixtures)

KEY = "Idempotency-Key"
HOP = "/v1/tenants/{tenant_id}/domains/{domain_id}/next-hop"
TRIED = [key for key, route in ROUTES.items() if route["access"] != "public"]
# Of platform-wide things a tenant has no ids; what else has none here is found by its list.
OUTSIDE = re.compile(r"anchor|directory|member|token|client|attestation|maintenance|authority|list_|change|document|partner|bypass")


@pytest.fixture(scope="module")
def victim(platform, provider, world):
    """B, with a thing behind every id that a path takes, an idempotency key in use, and a picture of
    all that is in the database but of what a client leaves by asking."""
    certificates(platform, provider, world.b)
    world.b.admin.call("PUT", f"{world.b.domain_path}/next-hop", good_body("PUT", HOP), expect=200)
    for name in list(platform.processes):
        if name not in ("apid", "hsmd", "gatewayd"):
            platform.stop(name)
    for part in sorted({p for _, path in TRIED for p in re.findall(r"\{([a-z_]+)\}", path)}):
        if part not in world.b.ids and not OUTSIDE.search(part):
            world.b.ids[part] = listed(provider, world.b, part)
    world.b.missing = [part for part in PREFIX if world.b.ids.get(part, part) is None]
    return world.b


def certificates(platform, provider, tenant):
    """What else comes of the work of tenantd and of an authority: rows as they would write them."""
    authority = provider.post("/v1/authorities", {"name": "By hand", "method": "manual"})["id"]
    ids = {**tenant.ids, "authority_id": authority,
           **{p: new_id(PREFIX[p]) for p in ("order_id", "compromise_id", "revocation_id", "notice_id")}}
    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        for sql in (
                "SELECT set_config('app.actor', 'test', true), set_config('app.now', now()::text, true)",
                "INSERT INTO certificate (id, tenant_id, domain_id, key_id, state, der, sha256, subject, issuer, serial,"
                " not_before, not_after, created_at, updated_at) VALUES (%(certificate_id)s, %(tenant_id)s,"
                " %(domain_id)s, %(key_id)s, 'active', '\\x3000', sha256('b'), 'CN=b', 'CN=ca', '01', now(), now(),"
                " now(), now())",
                "INSERT INTO certificate_order (id, tenant_id, domain_id, authority_id, reason, state, key_id,"
                " created_at, updated_at) VALUES (%(order_id)s, %(tenant_id)s, %(domain_id)s, %(authority_id)s,"
                " 'initial', 'pending', %(key_id)s, now(), now())",
                "INSERT INTO certificate_compromise (id, tenant_id, domain_id, reason, state, created_at, updated_at)"
                " VALUES (%(compromise_id)s, %(tenant_id)s, %(domain_id)s, 'lost', 'running', now(), now())",
                "INSERT INTO certificate_revocation (id, tenant_id, domain_id, certificate_id, reason, state,"
                " created_at, updated_at) VALUES (%(revocation_id)s, %(tenant_id)s, %(domain_id)s,"
                " %(certificate_id)s, 'keyCompromise', 'by_hand', now(), now())",
                "INSERT INTO notice (id, tenant_id, domain_id, kind, recipient, original, wrapped_key, state, created_at,"
                " next_try_at) VALUES (%(notice_id)s, %(tenant_id)s, %(domain_id)s, 'delayed', 'joe@b.test', '', '',"
                " 'sent', now(), now())"):
            cursor.execute(sql, ids)
    tenant.ids.update({p: ids[p] for p in ("order_id", "compromise_id", "revocation_id", "notice_id")})


def listed(provider, tenant, part):
    """The id of a thing of the tenant, from the list that has it."""
    for _, path in TRIED:
        head, found, _ = path.partition("/{" + part + "}")
        if found and head.startswith("/v1/tenants/{tenant_id}/") and ("GET", head) in ROUTES:
            rows = provider.get(fill(head, {k: v for k, v in tenant.ids.items() if v}))["data"]
            return rows[0]["id"] if rows else None
    return None


@pytest.fixture(scope="module")
def unchecked(platform, victim):
    """apid without its own checks, on the same database."""
    port = platform.ports.base + 2
    config = (platform.dir / "apid.conf").read_text().replace(
        f"inet:127.0.0.1:{platform.port} unix:{platform.dir}/apid.sock", f"inet:127.0.0.1:{port}")
    path = platform.write("unchecked.conf", config)
    platform.spawn("unchecked", BUILD / "unchecked/bin/apid", "-c", path)
    wait_for(lambda: platform.alive("unchecked") and platform.events("unchecked", "started"), 30, "apid")
    yield port
    platform.stop("unchecked")


def bytes_or_text(value):
    return bytes(value).hex() if isinstance(value, memoryview) else str(value)


def picture(platform, tenant_id):
    """All rows of B and of the platform, table by table, but what asking itself leaves."""
    left_by_asking = {"last_used_at"}
    shown = {}
    with platform.pg.connect("sg_owner") as connection, \
            connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute("SELECT relname, EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND"
                       " attname = 'tenant_id') AS tenants FROM pg_class c WHERE relnamespace = 'sealgate'::regnamespace"
                       " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'idempotency_key'")
        for table, tenants in [(r["relname"], r["tenants"]) for r in cursor.fetchall()]:
            where = f"WHERE tenant_id = '{tenant_id}' OR tenant_id IS NULL" if tenants else ""
            where = f"WHERE id = '{tenant_id}'" if table == "tenant" else where
            cursor.execute(f"SELECT * FROM {table} {where}")
            shown[table] = sorted(json.dumps({k: v for k, v in row.items() if k not in left_by_asking}, default=bytes_or_text)
                                  for row in cursor.fetchall())
    return shown


def plain(reply):
    """An answer without what is another at each request: ids (of what was asked for, of what was made)
    and times."""
    def named(text):
        text = re.sub(r"\b([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}\b", r"\1", text)
        return re.sub(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z\b", "time", text)

    changing = ("Date", "RateLimit", "ETag", "Content-Length")
    headers = {k: named(v) for k, v in reply.headers.items() if k not in changing}
    return reply.status, named(reply.text.decode()), headers


def ids_in(method, path, have):
    """The names of ids in the path and in the fields of the body, with values that have or nobody has."""
    names = re.findall(r"\{([a-z_]+)\}", path)
    schema = OPENAPI.schema(body_schema(method, path) or {})
    names += [n for n in schema.get("properties", {}) if n in PREFIX]
    names += [f["name"] for f in ROUTES[method, path]["query"] if f["name"] in PREFIX]
    return {n: have.get(n) or new_id(PREFIX[n]) for n in dict.fromkeys(names)}


def tries(method, path, ids, key):
    """Requests of one operation: as it is; with each filter and a cursor; with a key that is another's."""
    body = good_body(method, path)
    if body is not None:
        properties = OPENAPI.schema(body_schema(method, path))["properties"]
        body = {**body, **{n: v for n, v in ids.items() if n in properties and f"{{{n}}}" not in path}}
    yield body, {}, {}
    if method != "GET":
        yield body, {}, {KEY: key}
        yield body, {}, {"If-Match": "*"}
    else:
        yield None, {}, {"If-None-Match": "*"}
    for field in ROUTES[method, path]["query"]:
        values = {"limit": "1", "cursor": ids.get("cursor")}
        value = values.get(field["name"], ids.get(field["name"]) or (field.get("enum") or ["x.test"])[0])
        if value:
            yield body, {field["name"]: value}, {}


def cursor_of(client, path, ids):
    """A cursor out of B's own list, where there is a second page."""
    reply = client.call("GET", fill(path, ids), query={"limit": "1"})
    return reply.json.get("next_cursor") if reply.status == 200 else None


def words_of(victim):
    """What only B has: if it is in an answer, the answer tells of B."""
    return [v for v in victim.ids.values() if v] + [victim.domain["name"], victim.row["name"]]


def key_in_use(owner, victim):
    """A key that B has used, with an answer that is kept."""
    key = f"b-{new_id('key')}"
    with owner.cursor() as cursor:
        cursor.execute("INSERT INTO idempotency_key SELECT id, %s, tenant_id, sha256('x'), 200, NULL, '{}', NULL, now(),"
                       " now() + interval '1 day' FROM api_token WHERE tenant_id = %s AND role = 'tenant-admin'",
                       (key, victim.id))
        assert cursor.rowcount == 1
    return key


def attack(owner, client, method, path, sets, victim):
    """Each request with B's ids and with ids of nobody: one answer, and nothing of B in it."""
    there_ids, nobody_ids = sets
    theirs, nobodys = key_in_use(owner, victim), f"nobody-{new_id('key')}"
    for there, nobody in zip(tries(method, path, there_ids, theirs), tries(method, path, nobody_ids, nobodys)):
        replies = [client.call(method, fill(path, ids), body, query=query, headers=headers)
                   for ids, (body, query, headers) in ((there_ids, there), (nobody_ids, nobody))]
        assert plain(replies[0]) == plain(replies[1]), (method, path, there)
        yield there, replies[0]
        asked = set(there_ids.values())
        for word in words_of(victim):
            assert word in asked or word.encode() not in replies[0].text, (method, path, there, word)


def sets_of(method, path, world):
    """B's ids where B's are, and B's things under A's own path."""
    theirs = ids_in(method, path, world.b.ids)
    nobody = ids_in(method, path, {})
    cursor = {}
    if any(f["name"] == "cursor" for f in ROUTES[method, path]["query"]):
        cursor = {"cursor": cursor_of(world.b.admin, path, world.b.ids) or "MTox"}
    yield {**theirs, **cursor}, {**nobody, **cursor}
    if "{tenant_id}" in path and len(theirs) > 1:
        own = {"tenant_id": world.a.id}
        yield {**theirs, **own, **cursor}, {**nobody, **own, **cursor}


def test_b_has_one_of_everything(victim):
    """Or nothing of that kind would be tried: make one in test_api.world, or here."""
    assert victim.missing == []


@pytest.fixture(scope="module")
def owner(platform):
    """A connection of the database's owner."""
    with contextlib.closing(platform.pg.connect("sg_owner")) as connection:
        yield connection


@pytest.fixture(scope="module")
def before(platform, victim):
    return picture(platform, victim.id)


@pytest.mark.parametrize("method,path", TRIED, ids=lambda v: v)
def test_as_if_it_were_not_there(owner, world, victim, before, method, path):
    """404 for what is another's, wherever its ids stand; 403 where the own role may not do it at all."""
    for client in (world.a.admin, world.a.viewer):
        for there, nobody in sets_of(method, path, world):
            own = there.get("tenant_id") == world.a.id
            for (_, query, _), reply in attack(owner, client, method, path, (there, nobody), victim):
                plain_list = method == "GET" and re.findall(r"\{([a-z_]+)\}", path) == ["tenant_id"]
                if own and method == "GET" and (query or plain_list):  # a filter or a cursor of B on A's own list
                    assert reply.status in (200, 403, 404, 422)
                elif own:
                    assert reply.status in (404, 403, 412, 422), (reply.status, reply.json)  # 422: an id in the body
                else:
                    assert reply.status == 404, (reply.status, reply.json)


@pytest.mark.parametrize("method,path", TRIED, ids=lambda v: v)
def test_row_level_security_alone(owner, world, victim, unchecked, before, method, path):
    """Without the checks of apid: no answer but one that would be the same for nobody's ids."""
    client = Client(unchecked, world.a.admin.token)
    for sets in sets_of(method, path, world):
        for _, reply in attack(owner, client, method, path, sets, victim):
            assert reply.status < 500, (reply.status, reply.json)


def test_a_dry_run_is_for_who_sees_the_tenant(world, victim, unchecked):
    """gatewayd, which does it, is under no row-level security of the caller's: apid asks before."""
    method, path = "POST", "/v1/tenants/{tenant_id}/simulations"
    sender = f"joe@{victim.domain['name']}"
    message = base64.b64encode(f"From: <{sender}>\r\nSubject: x\r\n\r\n".encode()).decode()
    body = {**good_body(method, path), "sender": sender, "message": message}
    client = Client(unchecked, world.a.admin.token)
    client.call(method, fill(path, victim.ids), body, expect=404)
    client.call(method, fill(path, {"tenant_id": world.a.id}), body, expect=200)


def test_it_was_row_level_security(platform, world, unchecked):
    """The requests above did reach the database as sg_api; and what is A's own is there, so the answers
    were not empty for some other reason."""
    client = Client(unchecked, world.a.admin.token)
    assert client.get(f"{world.a.path}/domains")["data"]
    assert client.get(f"{world.a.path}/audit")["data"]
    users = [e["user"] for e in platform.events("unchecked", "unchecked")]
    assert len(users) > len(TRIED) and set(users) == {"sg_api"}


def test_nothing_has_changed(platform, victim, before):
    """After all of that B and the platform are as they were, row by row."""
    after = picture(platform, victim.id)
    for table, rows in before.items():
        assert after[table] == rows, table


def test_idempotency_keys_are_their_callers(world, victim):
    """The same key for the same request of two callers: each gets its own answer."""
    key = {KEY: f"both-{new_id('key')}"}
    for tenant in (world.b, world.a):
        reply = tenant.admin.call("PUT", f"{tenant.domain_path}/next-hop", good_body("PUT", HOP), headers=key,
                                  expect=200)
        assert reply.json["domain_id"] == tenant.domain["id"] and "Idempotency-Replayed" not in reply.headers


def test_the_program_that_ships_has_its_checks():
    """What the other program says of itself is not in it."""
    assert b"unchecked.test" in (BUILD / "unchecked/bin/apid").read_bytes()
    assert b"unchecked.test" not in (BUILD / "bin/apid").read_bytes()
