"""Requests made out of openapi.yaml by hypothesis: good ones, ones that are wrong in one place, and
garbage; with ids that are there and that are not, by every kind of caller. None is answered with a 5xx,
nor with anything that openapi.yaml does not have (apienv.Client).

5,000 requests where the daemons run under sanitizers (tools/check --only smoke), ten times as many with
--long; a tenth for the release build.
"""
import collections
import json
import re
import string

import pytest
from hypothesis import HealthCheck, configuration, given, settings
from hypothesis import strategies as st

from apienv import BUILD, OPENAPI, Client, Platform, new_id
from apigen import PREFIX, ROUTES, body_schema, fill, good_body, root_pem
from test_api import PEM, held, message

configuration.set_hypothesis_home_dir(BUILD / "hypothesis")  # not into the tree
pytestmark = pytest.mark.smoke
BURST = 5  # requests of an example
KEYS = list(ROUTES)
CHANGES = [key for key in KEYS if key[0] != "GET"]

# Strings that the checks behind a field know, good and nearly good, by words in its name.
KNOWN = {
    "network": ["203.0.113.0/24", "203.0.113.7", "2001:db8::/48", "203.0.113.1/24", "0.0.0.0/0", "::/0", "::ffff:1.2.3.4"],
    "host": ["mail.agency.test", "192.0.2.1", "2001:db8::1", "localhost", "a..b", "x" * 64 + ".test"],
    "fingerprint": ["0123456789abcdef" * 4, ":".join(["AB"] * 32), "ab" * 31],
    "url": ["ldap://other.test", "ldaps://[2001:db8::1]:636", "https://ca.test/est", "http://x", "ldap://"],
    "dn": ["c=NZ", "ou=a\\,b,c=NZ", "c=", "c=NZ\\"],
    "scope": ["domains:read", "held:write domains:read", "domains", "moon:read"],
    "pem": [None, PEM, "x"],
    "name": ["agency.test", "www.agency.test", "xn--mori-qsa.test", "*.test", "test", "Agency", " x"],
    "mailbox": ["postmaster@agency.test", "joe.bloggs@agency.test", "@", "<>"],
    "sender": ["joe@sender.test", "<>", "ä@x.test"], "recipient": ["ann@recipient.test"],
    "cursor": ["MTox", "MTc2NDA2NTIyMDAwMDAwMDp0ZW5fMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA", "x", "===="],
    "month": ["2026-11", "2026-13", "0000-00", "2026-1"], "period": ["2026-11", "2026-13"],
    "code": ["201", "000", "abc"],
}
PRINTABLE = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=40)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2 ** 70, 2 ** 70) | st.floats(allow_nan=False) | st.text(max_size=30)
    | st.sampled_from(["", "x" * 300, "x" * 5000, "\x00", "\x7f", "\ud7ff", "';--", "%00", "../..", "🥝" * 200]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4), max_leaves=8)


class World:
    """What the requests are about; a new tenant now and then, for they also end tenants."""

    def __init__(self, platform):
        self.platform, self.provider, self.sent = platform, platform.client(), 0
        self.ids = {name: [] for name in PREFIX}
        self.statuses = collections.Counter()
        self.renew()

    def renew(self):
        tenant = self.platform.tenant(f"fuzz-{new_id('ten')[4:]}")
        self.callers = {"tenant-admin": tenant.admin, "tenant-viewer": tenant.viewer,
                        "provider-admin": self.provider, "nobody": Client(self.platform.port)}
        for role in ("provisioning", "billing", "support", "security-officer", "auditor"):
            made = self.provider.post("/v1/tokens", {"name": role, "role": role})
            self.callers[role] = self.platform.client(made["token"])
        others = self.ids["tenant_id"][:3]
        self.ids = {**{name: [] for name in PREFIX}, "tenant_id": [tenant.id, *others],
                    "domain_id": [tenant.domain["id"]]}
        self.furnish(tenant)

    def furnish(self, tenant):
        """One of everything that can be made at once; then what all lists show is known."""
        ids = {"tenant_id": tenant.id, "domain_id": tenant.domain["id"]}
        msg = new_id("msg")
        self.platform.feed(message(msg, tenant.id), held(new_id("hld"), msg, tenant),
                           {"incident": "domain.suspended", "tenant_id": tenant.id, "severity": "warning",
                            "summary": "suspended", "key": f"domain.suspended {tenant.id}"})
        for method, path in CHANGES:
            if method == "POST" and set(re.findall(r"\{([a-z_]+)\}", path)) <= set(ids):
                self.learn(self.provider.call(method, fill(path, ids), good_body(method, path)).json)
        for method, path in KEYS:
            if method == "GET" and set(re.findall(r"\{([a-z_]+)\}", path)) <= set(ids):
                self.learn(self.provider.call(method, fill(path, ids)).json)

    def keep(self, part, value):
        """The newest, but that tenant and domain stay the ones that the rest belongs to."""
        first = self.ids[part][:1] if part in ("tenant_id", "domain_id") else []
        self.ids[part] = list(dict.fromkeys([*first, value, *self.ids[part]]))[:4]

    def learn(self, value):
        """Ids in an answer are used by later requests; those of tokens are not, for ours must live."""
        if isinstance(value, dict):
            for name, item in value.items():
                self.learn(item)
                for part in self.parts(name, item):
                    self.keep(part, item)
        elif isinstance(value, list):
            for item in value[:5]:
                self.learn(item)

    @staticmethod
    def parts(name, item):
        if not isinstance(item, str) or len(item) != 30 or item[:4] in ("tok_", "req_"):
            return []
        return [p for p, prefix in PREFIX.items() if item.startswith(prefix + "_")
                and name in ("id", p)]

    def id(self, draw, part):
        """What is drawn does not depend on what is there, or hypothesis could not do it again."""
        place, known = draw(st.integers(0, 9)), self.ids.get(part)
        return known[max(place - 5, 0) % len(known)] if known and place < 9 else new_id(PREFIX[part])


def one_in(draw, n):
    """Seldom: hypothesis likes the ends of a range, so it is not at one of them."""
    return draw(st.integers(0, n + 1)) == n // 2


def text_of(world, draw, schema, name):
    pattern = schema.get("pattern", "")
    for part, prefix in PREFIX.items():
        if pattern.startswith(f"^{prefix}_"):
            return world.id(draw, part)
    if "T[0-9]" in pattern:
        return draw(st.sampled_from(["2026-11-25T00:00:00Z", "2026-02-30T00:00:00Z", "1970-01-01T00:00:00.000001Z",
                                     "9999-12-31T23:59:59Z"]))
    for word, known in KNOWN.items():
        if word in name:
            return draw(st.sampled_from(known)) or root_pem()
    longest = schema.get("maxLength", 40)
    if longest > 100_000:  # more than a request may have in all: answered before it is read (test_api.py)
        return draw(PRINTABLE | st.just("QUJD" * 2500))
    return draw(PRINTABLE | st.just("x" * longest) | st.just("x" * (longest + 1)))


def value_of(world, draw, schema, name):
    """As the schema has it, more or less."""
    schema = OPENAPI.schema(schema)
    for kind in ("oneOf", "anyOf"):
        if kind in schema:
            schema = OPENAPI.schema(draw(st.sampled_from(schema[kind])))
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kind = schema.get("type", "null")
    kind = draw(st.sampled_from(kind)) if isinstance(kind, list) else kind
    if kind == "object":
        required = schema.get("required", [])
        names = [n for n in schema.get("properties", {}) if n in required or draw(st.booleans())]
        return {n: value_of(world, draw, schema["properties"][n], n) for n in names}
    if kind == "array":
        most = min(schema.get("maxItems", 3), 3)
        return [value_of(world, draw, schema["items"], name)
                for _ in range(draw(st.integers(schema.get("minItems", 0), most)))]
    if kind == "integer":
        return draw(st.integers(schema.get("minimum", -5), schema.get("maximum", 100)))
    return {"boolean": lambda: draw(st.booleans()), "null": lambda: None,
            "number": lambda: draw(st.floats(allow_nan=False))}.get(
                kind, lambda: text_of(world, draw, schema, name))()


def places(value, at=()):
    """Where something is in a JSON value."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))


def mutated(draw, body):
    """The same with one thing in another's place, away, or added."""
    *way, last = draw(st.sampled_from([p for p in places(body) if p] or [("x",)]))
    at = body
    for step in way:
        at = at[step]
    what = draw(st.sampled_from(["replace", "delete", "add"]))
    if what == "replace":
        at[last] = draw(ANYTHING)
    elif what == "delete" and (last in at or isinstance(at, list)):
        del at[last]
    elif isinstance(at, dict):
        at[draw(st.text(max_size=70))] = draw(ANYTHING)
    return body


def garbage(draw, good):
    """What is no JSON object at all, or cut, or deep."""
    text = json.dumps(good).encode()
    return draw(st.binary(max_size=200) | st.sampled_from([
        text[:len(text) // 2], text * 2, b"[" * 5000, b"null", b"{}", b'{"a":1,"a":2}', text + b"\x00", b"\xff\xfe",
        b'{"x":' * 3000, b"x" * 300000, json.dumps([good]).encode()]))


def request_of(world, draw):
    method, pattern = draw(st.sampled_from(KEYS) | st.sampled_from(CHANGES))
    path = pattern
    for part in PREFIX:
        if f"{{{part}}}" in path:
            path = path.replace(f"{{{part}}}", world.id(draw, part))
    if one_in(draw, 30):
        path = draw(st.sampled_from([path + "/", path.upper(), path + "/x", path[:-1], "/" + draw(
            st.text(string.ascii_letters + "/%._-{}", max_size=40))]))
    if one_in(draw, 30):
        method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FROB"]))
    query = {}
    for field in OPENAPI.operations.get((method, pattern), {}).get("parameters", []):
        if field["in"] == "query" and one_in(draw, 2):
            odd = one_in(draw, 5)
            query[field["name"]] = draw(st.text(max_size=20)) if odd else value_of(world, draw, field["schema"],
                                                                                  field["name"])
    if one_in(draw, 40):
        query[draw(st.text(max_size=10))] = "x"
    schema = body_schema(method, pattern) if (method, pattern) in ROUTES else None
    body = None if schema is None else value_of(world, draw, schema, "")
    way = draw(st.sampled_from(["good"] * 5 + ["mutated"] * 3 + ["garbage"]))
    if way == "mutated" and body:
        body = mutated(draw, body)
    elif way == "garbage" and draw(st.booleans()):
        body = garbage(draw, body)
    return method, path, body, query, headers_of(draw)


def headers_of(draw):
    headers = {}
    if one_in(draw, 7):
        headers["Idempotency-Key"] = draw(st.sampled_from(["a", "b", "x" * 255, "x" * 256, '"q"', "a b", ""]))
    if one_in(draw, 12):
        name = draw(st.sampled_from(["If-Match", "If-None-Match"]))
        headers[name] = draw(st.sampled_from(["*", '"x"', 'W/"x"', '"', "", ", ,", '"a", "b"']))
    if one_in(draw, 20):
        headers["Content-Type"] = draw(st.sampled_from(["text/plain", "application/json; charset=x", "", "x"]))
    if one_in(draw, 40):
        headers["Authorization"] = draw(st.sampled_from(["Bearer", "Basic eDp5", "Bearer sgt_" + "A" * 43, "x" * 3000]))
    return headers


def send(world, draw):
    caller = draw(st.sampled_from(["provider-admin"] * 10 + ["tenant-admin"] * 4 + sorted(world.callers)))
    method, path, body, query, headers = request_of(world, draw)
    client = world.callers[caller]
    if "Authorization" in headers:
        client = Client(world.platform.port)
    reply = client.call(method, path.replace(" ", "%20"), body, query=query, headers=headers)
    assert reply.status < 500, (caller, method, path, query, headers, body, reply.json)
    world.learn(reply.json)
    world.sent += 1
    world.statuses[reply.status] += 1
    if world.sent % 300 == 0:
        world.renew()


@pytest.fixture(scope="module")
def world():
    with Platform(tenantd=False, hsm=False) as platform:
        platform.gatewayd_start()
        yield World(platform)


def test_no_5xx_and_no_answer_outside_the_description(request, world):
    count = 5000 if BUILD.name != "release" else 500
    count *= 10 if request.config.getoption("--long") else 1

    @settings(max_examples=count // BURST, deadline=None, database=None, print_blob=True,
              suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data):
        for _ in range(BURST):
            send(world, data.draw)

    run()
    print(f"{world.sent} requests")
    print(dict(world.statuses))
    assert world.sent >= count * 0.95
    world.platform.alive("apid")
    assert world.platform.events("apid", "request.failed") == []
