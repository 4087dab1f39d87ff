"""A whole order in one transaction: all of it or nothing, and where in it the fault is."""
import copy
import secrets

import pytest

from apienv import Platform

HOP = {"protocol": "smtp", "host": "mail.order.test", "port": 25, "tls": "required"}


@pytest.fixture(scope="module")
def platform():
    with Platform(tenantd=False, hsm=False) as p:
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


def order(name, network):
    return {"tenant": {"name": name},
            "domains": [{"name": f"{name}.test", "environment": "seemail", "attested": True, "next_hop": HOP},
                        {"name": f"mail.{name}.test", "environment": "securemail", "attested": True}],
            "submitters": [{"kind": "network", "network": network},
                           {"kind": "client_certificate", "fingerprint": secrets.token_hex(32)}],
            "contacts": [{"role": "postmaster", "organisation": name, "mailbox": f"postmaster@{name}.test"}]}


def by_id(rows):
    """As a list shows what was made at one time."""
    return sorted(rows, key=lambda row: row["id"])


def state(provider):
    return [t["id"] for t in provider.pages("/v1/tenants")]


def test_an_order(platform, provider):
    made = provider.call("POST", "/v1/provisioning", order("one", "198.51.100.0/28"), expect=201)
    tenant, path = made.json["tenant"], made.headers["Location"]
    assert provider.get(path) == tenant and "ETag" not in made.headers
    domains = [d["domain"] for d in made.json["domains"]]
    assert [d["name"] for d in domains] == ["one.test", "mail.one.test"]
    assert provider.pages(f"{path}/domains") == by_id(domains)
    assert provider.get(f"{path}/domains/{domains[0]['id']}/next-hop") == made.json["domains"][0]["next_hop"]
    assert made.json["domains"][1]["next_hop"] is None
    assert provider.pages(f"{path}/submitters") == by_id(made.json["submitters"])
    # Each part has its row of the audit log, all of them of one request.
    entries = [e for e in provider.pages(f"{path}/audit") if e["request_id"] == made.headers["X-Request-Id"]]
    assert provider.pages(f"{path}/contacts") == made.json["contacts"]
    assert sorted(e["object"] for e in entries) == [
        "contact", "domain", "domain", "domain_ownership", "domain_ownership", "next_hop", "submitter", "submitter", "tenant"]


def test_more_for_a_tenant(platform, provider):
    path = provider.call("POST", "/v1/provisioning", {"tenant": {"name": "more"}}, expect=201).headers["Location"]
    body = {k: v for k, v in order("more", "198.51.100.32/28").items() if k != "tenant"}
    made = provider.call("POST", f"{path}/provisioning", body, expect=201)
    assert made.headers["Location"] == path and len(made.json["domains"]) == 2
    assert sorted(s["id"] for s in provider.pages(f"{path}/submitters")) == sorted(
        s["id"] for s in made.json["submitters"])
    empty = provider.call("POST", f"{path}/provisioning", {}, expect=201).json
    assert empty["domains"] == empty["submitters"] == []
    assert empty["tenant"] == made.json["tenant"]


def change(body, pointer, value):
    """Sets what a pointer names; ... takes it away."""
    *way, last = [int(p) if p.isdigit() else p for p in pointer.split("/")[1:]]
    at = body
    for part in way:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value


@pytest.mark.parametrize("pointer,value,status,told", [
    ("/tenant", ..., 422, "/tenant"), ("/tenant", 1, 422, "/tenant"), ("/tenant/name", "", 422, "/tenant/name"),
    ("/tenant/other", 1, 400, "/tenant/other"), ("/other", 1, 400, "/other"), ("/domains", {}, 422, "/domains"),
    ("/domains/1", "x", 422, "/domains/1"), ("/domains/1/name", "x", 422, "/domains/1/name"),
    ("/domains/1/name", ..., 422, "/domains/1/name"), ("/domains/1/x", 1, 400, "/domains/1/x"),
    ("/domains/1/environment", "x", 422, "/domains/1/environment"),
    ("/domains/0/next_hop/port", 0, 422, "/domains/0/next_hop/port"),
    ("/domains/0/next_hop", [], 422, "/domains/0/next_hop"),
    ("/domains/1/name", "taken.test", 409, "/domains/1/name"),
    ("/domains/1/name", "bad.test", 409, "/domains/1/name"),
    ("/submitters/0/network", "198.51.100.130", 409, "/submitters/0/network"),
    ("/submitters/0/network", ..., 422, "/submitters/0/network"),
    ("/submitters/1/kind", "x", 422, "/submitters/1/kind"),
    ("/contacts/0/mailbox", "joe.bloggs@bad.test", 422, "/contacts/0/mailbox"),
    ("/contacts/0/role", ..., 422, "/contacts/0/role"),
    ("/domains", [{"name": f"d{n}.bad.test", "environment": "seemail", "attested": True} for n in range(51)], 422,
     "/domains")])
def test_nothing_of_a_bad_order(provider, pointer, value, status, told):
    if "taken.test" not in [d["name"] for t in state(provider) for d in provider.pages(f"/v1/tenants/{t}/domains")]:
        provider.call("POST", "/v1/provisioning", {
            "tenant": {"name": "taken"}, "submitters": [{"kind": "network", "network": "198.51.100.128/28"}],
            "domains": [{"name": "taken.test", "environment": "seemail", "attested": True}]}, expect=201)
    body, before = copy.deepcopy(order("bad", "198.51.100.64/28")), state(provider)
    change(body, pointer, value)
    reply = provider.call("POST", "/v1/provisioning", body, expect=status)
    assert reply.json["pointer"] == told
    assert state(provider) == before


def test_fifty_domains(provider):
    body = {"tenant": {"name": "fifty"},
            "domains": [{"name": f"d{n}.fifty.test", "environment": "seemail", "attested": True, "next_hop": HOP}
                        for n in range(50)]}
    made = provider.call("POST", "/v1/provisioning", body, expect=201).json
    assert [d["domain"]["name"] for d in made["domains"]] == [d["name"] for d in body["domains"]]


def test_once(provider):
    body, key = order("repeated", "198.51.100.192/28"), {"Idempotency-Key": "order-1"}
    first = provider.call("POST", "/v1/provisioning", body, headers=key, expect=201)
    again = provider.call("POST", "/v1/provisioning", body, headers=key, expect=201)
    assert again.text == first.text
    assert [t["name"] for t in provider.pages("/v1/tenants")].count("repeated") == 1


def test_scopes(platform, provider):
    """Each part needs the scope that it needs alone."""
    def client(scope):
        return platform.client(provider.post("/v1/tokens", {
            "name": "x", "role": "provider-admin", "scope": scope})["token"])

    body = order("scoped", "198.51.100.208/28")
    client("tenants:read domains:write").call("POST", "/v1/provisioning", body, expect=403)
    for scope, part in (("tenants:write submitters:write", "/domains/0"),
                        ("tenants:write domains:write submitters:write", "/domains/0/next_hop"),
                        ("tenants:write domains:write next_hops:write", "/submitters/0"),
                        ("tenants:write domains:write next_hops:write submitters:write", "/contacts/0")):
        problem = client(scope).call("POST", "/v1/provisioning", body, expect=403).json
        assert problem["pointer"] == part and problem["detail"].startswith("this needs the scope ")
    client("tenants:write domains:write next_hops:write submitters:write contacts:write").call(
        "POST", "/v1/provisioning", body, expect=201)
    billing = provider.post("/v1/tokens", {"name": "x", "role": "billing"})
    platform.client(billing["token"]).call("POST", "/v1/provisioning", body, expect=403)
    provisioning = provider.post("/v1/tokens", {"name": "x", "role": "provisioning"})
    body, orders = order("by-role", "198.51.100.224/28"), platform.client(provisioning["token"])
    problem = orders.call("POST", "/v1/provisioning", body, expect=403).json
    assert problem["pointer"] == "/domains/0" and "provider-admin attests" in problem["detail"]
    for domain in body["domains"]:
        del domain["attested"]
    made = orders.call("POST", "/v1/provisioning", body, expect=201).json
    assert [d["domain"]["state"] for d in made["domains"]] == ["pending", "pending"]
