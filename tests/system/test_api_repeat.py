"""Requests that are sent again (Idempotency-Key), conditions (ETag, If-Match, If-None-Match), and
limits of rate."""
import concurrent.futures
import contextlib
import json
import secrets
import threading
import time

import pytest

from apienv import Client, Platform, new_id
from sealgate.process import wait_for

KEY = "Idempotency-Key"


@pytest.fixture(scope="module")
def platform():
    with Platform(tenantd=False, hsm=False) as p:
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


@pytest.fixture(scope="module")
def pair(platform):
    return platform.tenant("repeat-a"), platform.tenant("repeat-b")


def key():
    return {KEY: secrets.token_urlsafe(16)}


def same(first, again):
    """The answer once more: status, body to the byte, where it is."""
    assert again.headers["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first.headers
    assert (again.status, again.text) == (first.status, first.text)
    for name in "Location", "ETag", "Content-Type":
        assert again.headers[name] == first.headers[name]
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]


# Idempotency-Key ----------------------------------------------------------------------------------

def test_done_once(platform, provider, pair):
    """POST, PUT, PATCH and DELETE; the effect is there once, and so is its row of the audit log."""
    path, k = f"{pair[0].path}/domains", key()
    body = {"name": "once.test", "environment": "seemail", "attested": True}
    first = provider.call("POST", path, body, headers=k, expect=201)
    for _ in range(3):
        same(first, provider.call("POST", path, body, headers=k))
    assert [d["name"] for d in provider.pages(path)].count("once.test") == 1

    hop, k = {"protocol": "smtp", "host": "mail.once.test", "port": 25, "tls": "required"}, key()
    first = provider.call("PUT", f"{pair[0].domain_path}/next-hop", hop, headers=k, expect=200)
    provider.put(f"{pair[0].domain_path}/next-hop", {**hop, "port": 26})
    same(first, provider.call("PUT", f"{pair[0].domain_path}/next-hop", hop, headers=k))
    assert provider.get(f"{pair[0].domain_path}/next-hop")["port"] == 26

    made = provider.post(f"{pair[0].path}/submitters", {"kind": "network", "network": "198.51.100.7"})
    gone, k = f"{pair[0].path}/submitters/{made['id']}", key()
    first = provider.call("DELETE", gone, headers=k, expect=204)
    same(first, provider.call("DELETE", gone, headers=k))
    provider.call("DELETE", gone, headers=key(), expect=404)

    client, k = provider.post("/v1/api-clients", {"name": "c", "role": "auditor"}), key()
    first = provider.call("PATCH", f"/v1/api-clients/{client['id']}", {"state": "disabled"}, headers=k, expect=200)
    same(first, provider.call("PATCH", f"/v1/api-clients/{client['id']}", {"state": "disabled"}, headers=k))
    changes = [e for e in pair[0].viewer.pages(f"{pair[0].path}/audit") if e["object_id"] == made["id"]]
    assert sorted(e["action"] for e in changes) == ["delete", "insert"]


def test_another_request_with_the_key(provider, pair):
    k, other = key(), f"{pair[1].path}/domains"
    provider.call("POST", "/v1/tenants", {"name": "first"}, headers=k, expect=201)
    for method, path, body in (("POST", "/v1/tenants", {"name": "second"}),
                               ("POST", "/v1/tenants", b'{"name":  "first"}'),
                               ("POST", other, {"name": "x.test", "environment": "seemail", "attested": True}),
                               ("DELETE", f"{pair[0].path}/submitters/{new_id('sub')}", None)):
        reply = provider.call(method, path, body, headers=k, expect=422)
        assert reply.json["type"] == "urn:sealgate:error:idempotency"
    # A key is its caller's alone.
    bodies = [pair[n].admin.call("PUT", f"{pair[n].domain_path}/next-hop",
                                 {"protocol": "lmtp", "host": "192.0.2.9", "port": 24, "tls": "none"},
                                 headers=k, expect=200).json for n in (0, 1)]
    assert bodies[0]["domain_id"] != bodies[1]["domain_id"]


def test_what_failed_may_be_tried_again(provider, pair):
    """A 4xx changed nothing and is not kept."""
    k, path = key(), f"{pair[0].path}/submitters"
    body = {"kind": "network", "network": "198.51.100.64/28"}
    other = provider.post(f"{pair[1].path}/submitters", body)
    provider.call("POST", path, body, headers=k, expect=409)
    provider.delete(f"{pair[1].path}/submitters/{other['id']}")
    provider.call("POST", path, body, headers=k, expect=201)


@pytest.mark.parametrize("bad", ["", " ", "x" * 256, "a b", "ä", '""', "tab\there"])
def test_no_such_key(provider, bad):
    reply = provider.call("POST", "/v1/tenants", {"name": "x"}, headers={KEY: bad.encode("latin-1")}, expect=400)
    assert reply.json["type"] == "urn:sealgate:error:malformed" and KEY in reply.json["detail"]


def test_good_keys(provider):
    quoted = secrets.token_urlsafe(16)
    first = provider.call("POST", "/v1/tenants", {"name": "quoted"}, headers={KEY: f'"{quoted}"'}, expect=201)
    same(first, provider.call("POST", "/v1/tenants", {"name": "quoted"}, headers={KEY: quoted}))
    longest = secrets.token_hex(127) + "x"
    provider.call("POST", "/v1/tenants", {"name": "longest"}, headers={KEY: longest}, expect=201)
    provider.call("GET", "/v1/tenants", headers={KEY: "not looked at, a b"}, expect=200)


def test_copies_at_once(provider, pair):
    """Twenty at a time: one effect, one answer."""
    path = f"{pair[0].path}/domains"
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for n in range(5):
            k, body = key(), {"name": f"burst-{n}.test", "environment": "seemail", "attested": True}
            replies = list(pool.map(lambda _: provider.call("POST", path, body, headers=k), range(20)))
            assert {r.status for r in replies} == {201}
            assert len({r.text for r in replies}) == 1
            assert [r.headers["Idempotency-Replayed"] for r in replies].count(None) == 1
    names = [d["name"] for d in provider.pages(path)]
    assert all(names.count(f"burst-{n}.test") == 1 for n in range(5))


def test_a_copy_waits_no_longer_than_it_should(platform, provider):
    """While the first is held up, a copy gets 409 and may come again."""
    k, replies = key(), []

    def ask():
        replies.append(provider.call("POST", "/v1/tenants", {"name": "slow"}, headers=k))

    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("LOCK TABLE tenant IN SHARE MODE")
        first = threading.Thread(target=ask)
        first.start()
        with platform.pg.connect("sg_owner") as watcher, watcher.cursor() as c:
            wait_for(lambda: c.execute("SELECT 1 FROM pg_locks WHERE NOT granted") or c.fetchone(), 10, "the first")
        began = time.monotonic()
        copy = provider.call("POST", "/v1/tenants", {"name": "slow"}, headers=k, expect=409)
        assert 1.5 < time.monotonic() - began < 10
        assert copy.json["type"] == "urn:sealgate:error:in-progress" and copy.headers["Retry-After"] == "1"
        connection.commit()
    first.join(30)
    assert replies[0].status == 201
    same(replies[0], provider.call("POST", "/v1/tenants", {"name": "slow"}, headers=k))


def test_answers_expire(platform, provider):
    k = key()
    first = provider.call("POST", "/v1/tenants", {"name": "expires"}, headers=k, expect=201)
    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM expires_at - created_at) FROM idempotency_key WHERE key = %s",
                       (k[KEY],))
        assert cursor.fetchone() == (86400,)
        cursor.execute("UPDATE idempotency_key SET expires_at = created_at WHERE key = %s", (k[KEY],))
    again = provider.call("POST", "/v1/tenants", {"name": "another"}, headers=k, expect=201)
    assert again.json["id"] != first.json["id"]
    same(again, provider.call("POST", "/v1/tenants", {"name": "another"}, headers=k))


def test_what_expired_is_cleared_away(platform, provider):
    kept, gone = key(), key()
    for k in kept, gone:
        provider.call("POST", "/v1/tenants", {"name": "cleared"}, headers=k, expect=201)
    def ask(sql, *values):
        with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else None

    ask("UPDATE idempotency_key SET expires_at = created_at WHERE key = %s", gone[KEY])
    platform.tenantd_start()  # makes the hour's job at once
    wait_for(lambda: ask("SELECT key FROM idempotency_key WHERE key IN (%s, %s)", kept[KEY], gone[KEY])
             == [(kept[KEY],)], 30, "the job to clear it away")
    platform.stop("tenantd")


def test_secrets_are_not_kept_in_clear(platform, provider):
    """The same caller sees its new token again; who has the database alone, or another token of the
    same client, does not."""
    k, body = key(), {"name": "shown twice", "role": "auditor"}
    first = provider.call("POST", "/v1/tokens", body, headers=k, expect=201)
    assert first.json["token"].startswith("sgt_")
    same(first, provider.call("POST", "/v1/tokens", body, headers=k))
    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT k::text, body, secret FROM idempotency_key k WHERE key = %s", (k[KEY],))
        row, kept, sealed = cursor.fetchone()
    assert first.json["token"] not in row and first.json["token"].encode() not in bytes(sealed)
    assert json.loads(kept)["token"] is None
    made = provider.post("/v1/api-clients", {"name": "rotates", "role": "provider-admin"})
    old, new = (platform.client(provider.post(f"/v1/api-clients/{made['id']}/tokens", {})["token"]) for _ in "ab")
    k = key()
    first = old.call("POST", "/v1/tokens", body, headers=k, expect=201)
    again = new.call("POST", "/v1/tokens", body, headers=k, expect=201)
    assert again.json == {**first.json, "token": None}
    same(first, old.call("POST", "/v1/tokens", body, headers=k))


def test_a_lost_connection_to_the_database(platform, provider):
    """The effect and its answer are one transaction: after any loss the repeat finds both or neither."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        stop = threading.Event()

        def kill():
            with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
                while not stop.is_set():
                    platform.pg.psql("-c", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                     " WHERE usename = 'sg_provider'")

        killer = threading.Thread(target=kill)
        killer.start()

        def order(n):
            k = key()
            for _ in range(100):
                with contextlib.suppress(OSError):
                    reply = provider.call("POST", "/v1/tenants", {"name": f"lost-{n}"}, headers=k)
                    if reply.status == 201:
                        return reply.json["id"]
                    assert reply.status in (500, 503, 409), reply.json
            raise AssertionError(f"order {n} was never taken")

        try:
            ids = list(pool.map(order, range(40)))
        finally:
            stop.set()
            killer.join()
    made = [t["id"] for t in provider.pages("/v1/tenants") if t["name"].startswith("lost-")]
    assert sorted(made) == sorted(ids)


# Conditions ---------------------------------------------------------------------------------------

def test_etag(provider, pair):
    path = f"{pair[0].domain_path}/next-hop"
    hop = {"protocol": "smtp", "host": "mail.etag.test", "port": 25, "tls": "required"}
    tag = provider.call("PUT", path, hop, expect=200).headers["ETag"]
    assert tag[0] == tag[-1] == '"'
    reply = provider.call("GET", path, expect=200)
    assert reply.headers["ETag"] == tag
    for header in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        same_still = provider.call("GET", path, headers={"If-None-Match": header}, expect=304)
        assert same_still.text == b"" and same_still.headers["ETag"] == tag
    provider.call("GET", path, headers={"If-None-Match": '"x"'}, expect=200)

    changed = provider.call("PUT", path, {**hop, "port": 26}, headers={"If-Match": tag}, expect=200)
    assert changed.headers["ETag"] != tag
    problem = provider.call("PUT", path, {**hop, "port": 27}, headers={"If-Match": tag}, expect=412)
    assert problem.json["type"] == "urn:sealgate:error:precondition"
    provider.call("PUT", path, {**hop, "port": 27}, headers={"If-Match": f"W/{changed.headers['ETag']}"}, expect=412)
    provider.call("PUT", path, {**hop, "port": 27}, headers={"If-None-Match": "*"}, expect=412)
    assert provider.get(path)["port"] == 26
    provider.call("PUT", path, {**hop, "port": 27}, headers={"If-Match": "*"}, expect=200)
    # Where nothing is: If-Match fails, If-None-Match holds.
    fresh = provider.post(f"{pair[1].path}/domains", {"name": "fresh.test", "environment": "seemail",
                                                      "attested": True})
    other = f"{pair[1].path}/domains/{fresh['id']}/next-hop"
    provider.call("PUT", other, hop, headers={"If-Match": "*"}, expect=412)
    provider.call("PUT", other, hop, headers={"If-None-Match": "*"}, expect=200)


def test_etag_of_what_was_made(provider):
    made = provider.call("POST", "/v1/api-clients", {"name": "tagged", "role": "auditor"}, expect=201)
    path, tag = made.headers["Location"], made.headers["ETag"]
    assert provider.call("GET", path).headers["ETag"] == tag
    changed = provider.call("PATCH", path, {"name": "retagged"}, headers={"If-Match": tag}, expect=200)
    provider.call("PATCH", path, {"name": "lost update"}, headers={"If-Match": tag}, expect=412)
    assert provider.call("GET", path).headers["ETag"] == changed.headers["ETag"]
    # A list and a secret have none; what has none matches nothing.
    assert "ETag" not in provider.call("GET", "/v1/api-clients").headers
    token = provider.call("POST", "/v1/tokens", {"name": "t", "role": "auditor"}, expect=201)
    assert "ETag" not in token.headers
    provider.call("DELETE", f"/v1/tokens/{token.json['id']}", headers={"If-Match": "*"}, expect=412)
    provider.call("DELETE", f"/v1/tokens/{token.json['id']}", expect=204)


def test_if_match_of_many_at_once(provider):
    """Of twenty that saw the same state one is taken."""
    made = provider.call("POST", "/v1/api-clients", {"name": "race", "role": "auditor"}, expect=201)
    path = made.headers["Location"]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for _ in range(5):
            tag = provider.call("GET", path).headers["ETag"]
            replies = list(pool.map(lambda n: provider.call("PATCH", path, {"name": f"n{n} {new_id('x')}"},
                                                            headers={"If-Match": tag}).status, range(20)))
            assert sorted(replies) == [200] + [412] * 19


def test_a_repeat_meets_no_condition(provider):
    """The change was made, the answer was lost: If-Match of the repeat names what is no longer there."""
    made = provider.call("POST", "/v1/api-clients", {"name": "both", "role": "auditor"}, expect=201)
    headers = {**key(), "If-Match": made.headers["ETag"]}
    first = provider.call("PATCH", made.headers["Location"], {"name": "both 2"}, headers=headers, expect=200)
    same(first, provider.call("PATCH", made.headers["Location"], {"name": "both 2"}, headers=headers))


def test_conditions_tell_nothing_about_others(pair):
    a, b = pair
    hop = {"protocol": "smtp", "host": "mail.b.test", "port": 25, "tls": "none"}
    b.admin.put(f"{b.domain_path}/next-hop", hop)
    for headers in ({"If-Match": "*"}, {"If-None-Match": "*"}, key()):
        there = a.admin.call("PUT", f"{b.domain_path}/next-hop", hop, headers=headers, expect=404)
        nothing = a.admin.call("PUT", f"{a.path.replace(a.id, new_id('ten'))}/domains/{new_id('dom')}/next-hop", hop,
                               headers=headers, expect=404)
        assert there.problem() == nothing.problem()


# Rates --------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def limited(platform):
    """A second apid on the same database, with small rates."""
    port = platform.ports.base + 2
    config = (platform.dir / "apid.conf").read_text().replace(
        f"inet:127.0.0.1:{platform.port} unix:{platform.dir}/apid.sock", f"inet:127.0.0.1:{port}").replace(
        "rates = *=100000/100000", "rates = *=0.5/5 anonymous=0.5/3 auditor=1000/1000")
    path = platform.write("limited.conf", config)
    platform.spawn("limited", platform.program("apid"), "-c", path)
    wait_for(lambda: platform.alive("limited") and platform.events("limited", "started"), 30, "apid")
    return port


def test_rate(platform, provider, limited):
    def token(role):
        return Client(limited, provider.post("/v1/tokens", {"name": role, "role": role})["token"])

    billing, other, auditor = token("billing"), token("billing"), token("auditor")
    for left in (4, 3, 2, 1, 0):
        reply = billing.call("GET", "/v1/tenants", expect=200)
        assert reply.headers["RateLimit-Policy"] == '"billing";q=5;w=10'
        assert reply.headers["RateLimit"].startswith(f'"billing";r={left};t=')
    refused = billing.call("GET", "/v1/tenants", expect=429)
    assert refused.json["type"] == "urn:sealgate:error:rate" and refused.headers["Retry-After"] in "12"
    assert refused.headers["RateLimit"].startswith('"billing";r=0;t=')
    for _ in range(20):  # neither another's bucket nor another role's
        auditor.call("GET", "/v1/tenants", expect=200)
    other.call("GET", "/v1/tenants", expect=200)
    wait_for(lambda: billing.call("GET", "/v1/tenants").status == 200, 10, "one more")


def test_rate_by_address(limited):
    """Who shows no right is counted by address; the checks of the house are not."""
    nobody = Client(limited, "sgt_" + "A" * 43)
    statuses = [nobody.call("GET", "/v1/tenants").status for _ in range(6)]
    assert statuses[:3] == [401] * 3 and statuses[-1] == 429
    refused = nobody.call("GET", "/v1/no-such-thing", expect=429)
    assert refused.headers["RateLimit-Policy"] == '"anonymous";q=3;w=6'
    for _ in range(20):
        assert "RateLimit" not in nobody.call("GET", "/healthz", expect=200).headers
        nobody.call("GET", "/readyz", expect=200)
