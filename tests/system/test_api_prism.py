"""The main flows through Prism as a validating proxy: another implementation of OpenAPI finds requests
and answers as openapi.yaml has them. (apienv.Client holds every answer of all tests against it too.)
"""
import re
import shutil
import subprocess

import pytest

from apienv import OPENAPI, Client, Platform, new_id
from apigen import ROUTES, fill, good_body
from pg import ROOT
from sealgate.process import wait_for
from test_api import held, message

PRISM = ROOT / "tests/openapi/prism"
HOP = {"protocol": "smtp", "host": "mail.agency.test", "port": 25, "tls": "required"}


@pytest.fixture(scope="module")
def prism():
    """The program, installed as locked where it is not there yet."""
    program, lock = PRISM / "node_modules/.bin/prism", PRISM / "package-lock.json"
    if not shutil.which("npm"):
        pytest.fail("no npm")
    installed = PRISM / "node_modules/.package-lock.json"
    if not program.exists() or lock.stat().st_mtime > installed.stat().st_mtime:
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=PRISM,
                       check=True, timeout=300)
    return program


@pytest.fixture(scope="module")
def platform():
    with Platform(tenantd=False, hsm=False) as p:
        p.gatewayd_start()
        yield p


@pytest.fixture(scope="module")
def proxied(platform, prism):
    """A client of Prism, which asks apid."""
    port, log = platform.ports.base + 2, open(platform.dir / "prism.log", "wb")
    process = subprocess.Popen(
        [prism, "proxy", ROOT / "api/openapi.yaml", f"http://127.0.0.1:{platform.port}", "--errors", "--host",
         "127.0.0.1", "--port", str(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    client = Client(port, platform.token)

    def up():
        assert process.poll() is None, (platform.dir / "prism.log").read_text()[-2000:]
        try:
            return client.raw("GET", "/healthz").status == 200
        except OSError:
            return False

    try:
        wait_for(up, 60, "prism")
        yield client
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def test_it_is_prism(proxied):
    """A request that openapi.yaml does not have is Prism's to refuse: it is in between."""
    reply = proxied.raw("POST", "/v1/tenants", '{"nome":"x"}', {"Content-Type": "application/json",
                                                               "Authorization": f"Bearer {proxied.token}"})
    assert reply.status == 422 and "stoplight" in reply.json["type"]


def test_from_the_order_to_the_audit_log(platform, proxied):
    made = proxied.post("/v1/provisioning", {
        "tenant": {"name": "Through Prism"},
        "domains": [{"name": "prism.test", "environment": "seemail", "attested": True, "next_hop": HOP}],
        "submitters": [{"kind": "network", "network": "192.0.2.0/24"}]})
    tenant = made["tenant"]["id"]
    path, domain = f"/v1/tenants/{tenant}", made["domains"][0]["domain"]
    assert proxied.get(f"{path}/domains")["data"] == [domain]
    assert proxied.put(f"{path}/domains/{domain['id']}/next-hop", {**HOP, "port": 26})["port"] == 26
    key = proxied.post(f"{path}/domains/{domain['id']}/keys", {"algorithm": "rsa-2048", "kind": "wrapped"}, 202)
    assert proxied.get(f"{path}/jobs/{key['job']['id']}")["state"] == "queued"
    token = proxied.post("/v1/tokens", {"name": "x", "role": "tenant-viewer", "tenant_id": tenant})
    viewer = Client(proxied.port, token["token"])
    assert viewer.get(path)["name"] == "Through Prism"
    viewer.get("/v1/tenants", expect=404)
    viewer.put(f"{path}/domains/{domain['id']}/next-hop", HOP, 403)
    message_id, held_id = new_id("msg"), new_id("hld")
    owner = type("Owner", (), {"id": tenant, "domain": domain})
    platform.feed(message(message_id, tenant), held(held_id, message_id, owner))
    assert viewer.get(f"{path}/messages", sender="joe@sender.test")["data"][0]["id"] == message_id
    assert viewer.get(f"{path}/messages/{message_id}/trace")["data"]
    assert proxied.post(f"{path}/held/{held_id}/release", expect=200)["state"] == "held"
    proxied.delete(f"{path}/held/{held_id}")
    client = proxied.post("/v1/api-clients", {"name": "Billing", "role": "billing"})
    proxied.post(f"/v1/api-clients/{client['id']}/tokens", {"bound": False})
    proxied.delete(f"/v1/tokens/{token['id']}")
    assert len(proxied.get("/v1/audit", tenant_id=tenant)["data"]) > 8


def test_every_operation_that_needs_no_more(platform, proxied):
    """What can be made at once is made with a body out of openapi.yaml, then every list and what it shows
    is read."""
    tenant = platform.tenant("prism-all")
    ids = {"tenant_id": tenant.id, "domain_id": tenant.domain["id"]}
    tried = 0
    for method in "POST", "GET":
        for path in [p for m, p in ROUTES if m == method and set(re.findall(r"\{([a-z_]+)\}", p)) <= set(ids)]:
            reply = proxied.call(method, fill(path, ids), good_body(method, path))
            assert "stoplight" not in (reply.json or {}).get("type", ""), (method, path, reply.json)
            assert reply.status < 500, (method, path, reply.json)
            tried += 1
            rows = reply.json.get("data") if method == "GET" and isinstance(reply.json, dict) else None
            for shown in [s for m, s in ROUTES if m == "GET" and s.startswith(path + "/{") and s.count("/") ==
                          path.count("/") + 1]:
                if rows and "id" in rows[0]:
                    one = proxied.call("GET", fill(path, ids) + "/" + rows[0]["id"])
                    assert one.status == 200, (shown, one.json)
                    tried += 1
    print(f"{tried} of {len(OPENAPI.operations)} operations")
