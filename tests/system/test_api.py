"""apid, over its REST API alone: every operation of openapi.yaml, what each refuses, who sees what.
Every answer in here is held against openapi.yaml (apienv.Client)."""
import base64
import concurrent.futures
import contextlib
import datetime
import json
import re
import socket
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from apienv import BUILD, OPENAPI, Platform, new_id
from apigen import PREFIX, ROUTES, fill, good_body, nowhere, self_signed
from sealgate.mailserver import MailServer
from sealgate.process import wait_for

FINGERPRINT = "0123456789abcdef" * 4
NOW = int(time.time()) * 1000000


@pytest.fixture(scope="module")
def platform():
    with Platform(dns=True) as p:
        p.gatewayd_start()
        p.root_pem = p.ca()
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


class World:
    """Two tenants that have one of everything; the ids of each by the names of path parts."""


@pytest.fixture(scope="module")
def world(platform, provider):
    w = World()
    w.a, w.b = platform.tenant("agency-a"), platform.tenant("agency-b", "securemail")
    for n, tenant in enumerate((w.a, w.b)):
        tenant.ids = {"tenant_id": tenant.id, "domain_id": tenant.domain["id"],
                      "certificate_id": new_id("crt")}
        submitter = provider.post(f"{tenant.path}/submitters", {
            "kind": "network", "network": f"198.51.100.{16 * n}/28"})
        tenant.ids["submitter_id"] = submitter["id"]
        key = tenant.admin.post(f"{tenant.domain_path}/keys",
                                {"algorithm": "rsa-2048", "kind": "wrapped"}, expect=202)
        tenant.ids["key_id"], tenant.ids["job_id"] = key["key"]["id"], key["job"]["id"]
        tenant.ids["msg_id"], tenant.ids["held_id"] = new_id("msg"), new_id("hld")
        platform.feed(
            message(tenant.ids["msg_id"], tenant.id),
            held(tenant.ids["held_id"], tenant.ids["msg_id"], tenant),
            {"incident": "domain.suspended", "tenant_id": tenant.id, "severity": "warning",
             "summary": "suspended", "key": f"domain.suspended {tenant.id}"})
        tenant.ids["incident_id"] = provider.get(f"{tenant.path}/incidents")["data"][0]["id"]
        tenant.ids["breach_id"] = provider.get(f"{tenant.path}/breaches", source="incident")["data"][0]["id"]
        tenant.ids["report_id"] = report(provider, tenant.path)
        tenant.ids["hold_id"] = provider.post(f"{tenant.path}/legal-holds", {"words": "Case 1"})["id"]
        tenant.ids["report_recipient_id"] = provider.post(f"{tenant.path}/report-recipients", RECIPIENT)["id"]
        tenant.ids["export_id"] = provider.post(f"{tenant.path}/exports", expect=202)["export"]["id"]
        tenant.ids["contact_id"] = provider.post(f"{tenant.path}/contacts", {
            "role": "security", "organisation": "Agency", "mailbox": f"security@agency-{n}.test"})["id"]
        tenant.ids["exception_id"] = provider.post(
            f"{tenant.domain_path}/exceptions", {"partner": f"partner-{n}.test"})["id"]
    w.platform_ids = {
        "report_id": report(provider, "/v1"),
        "report_recipient_id": provider.post("/v1/report-recipients", RECIPIENT)["id"],
        "maintenance_id": provider.post("/v1/maintenance", MAINTENANCE)["id"],
        "attestation_id": provider.post("/v1/attestations", ATTESTATION)["id"],
        "list_id": provider.get("/v1/lists")["data"][0]["id"],
        "change_id": list_change(platform),
        "anchor_id": provider.post("/v1/trust-anchors", {"pem": platform.root_pem})["id"],
        "directory_id": provider.post("/v1/directory-sources",
                                      {"url": "ldaps://directory.test"})["id"],
        "member_id": provider.post("/v1/member-domains",
                                   {"name": "member.test", "environment": "seemail"})["id"],
        "token_id": provider.post("/v1/tokens", {"name": "unused", "role": "tenant-viewer",
                                                 "tenant_id": w.a.id})["id"]}
    return w


def list_change(platform):
    """A change of a list that waits for approval."""
    change = new_id("lch")
    platform.pg.psql("-c", "SET search_path = sealgate; SET app.actor = 'test';"
                     " SELECT set_config('app.now', now()::text, false);"
                     " INSERT INTO list_change (id, list_id, state, reason, version, source_url,"
                     " members_before, members_after, added, removed, digest, created_at)"
                     f" SELECT '{change}', id, 'pending', 'approval', '', '', 0, 1, 1, 0, '', now()"
                     f" FROM member_list LIMIT 1; INSERT INTO list_change_item VALUES ('{change}',"
                     " 'waits.test', true)", database="sealgate")
    return change


def message(msg_id, tenant_id, seconds_ago=0, **more):
    return {"id": msg_id, "tenant_id": tenant_id, "received_at": NOW - seconds_ago * 1000000,
            "direction": "outbound", "queue_id": "4Rq1XyZ", "sender": "joe@sender.test",
            "message_id": f"{msg_id}@sender.test",
            "recipients": [{"recipient": "ann@recipient.test", "outcome": "delivered",
                            "verdict": "sealed", "codes": "002,103", "reply": "250 ok"},
                           {"recipient": "bob@recipient.test", "outcome": "held",
                            "verdict": "", "codes": "", "reply": ""}],
            "trace": [{"step": "received", "requirement": "", "detail": {}},
                      {"step": "certificate.checked", "requirement": "REQ-47",
                       "detail": {"subject": "cn=ä", "n": 3}},
                      {"step": "sealed", "requirement": "REQ-33", "detail": {"to": ["a", "b"]}}],
            **more}


def held(held_id, msg_id, tenant):
    return {"held_id": held_id, "msg_id": msg_id, "tenant_id": tenant.id,
            "domain_id": tenant.domain["id"], "sender": "joe@sender.test",
            "recipients": ["ann@recipient.test", "bob@recipient.test"], "at": NOW}


ATTESTATION = {"requirement": 131, "words": "The firewall is certified to EAL4.", "name": "A. Officer",
               "title": "Security officer", "valid_until": "2099-01-01T00:00:00.000Z"}


MAINTENANCE = {"begins_at": "2098-12-31T00:00:00Z", "ends_at": "2098-12-31T01:00:00Z", "words": "New disks."}
RECIPIENT = {"kind": "service", "address": "security@agency.test"}


def report(client, where):
    """The id of a report of a month that is over."""
    reply = client.call("POST", f"{where}/reports", {"kind": "service", "period": "2024-01"}, expect=202)
    return client.job(reply.headers["Location"])["result"]["report_id"]


# The description and the table of routes ----------------------------------------------------------

def test_openapi_has_the_routes_and_no_others():
    assert set(OPENAPI.operations) == set(ROUTES)


@pytest.mark.parametrize("route", ROUTES.values(), ids=lambda r: f"{r['method']} {r['path']}")
def test_openapi_says_what_the_route_takes(route):
    operation = OPENAPI.operations[route["method"], route["path"]]
    assert operation["x-access"] == route["access"]
    assert (operation.get("security") == []) == (route["access"] == "public")
    in_path = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
    assert in_path == re.findall(r"\{([a-z_]+)\}", route["path"])
    for p in operation["parameters"]:
        if p["in"] == "path":
            assert p["required"] and PREFIX[p["name"]] in OPENAPI.schema(p["schema"])["pattern"]
    query = {p["name"]: p for p in operation["parameters"] if p["in"] == "query"}
    assert set(query) == {f["name"] for f in route["query"]}
    for field in route["query"]:
        compare(query[field["name"]]["schema"], field)
        assert not query[field["name"]].get("required") and not field["required"]
    assert ("requestBody" in operation) == (route["body"] is not None)
    if route["body"] is not None:
        schema = OPENAPI.schema(
            operation["requestBody"]["content"]["application/json"]["schema"])
        assert operation["requestBody"]["required"]
        compare_object(schema, route["body"])


def compare_object(schema, fields):
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == {f["name"] for f in fields}
    assert set(schema.get("required", [])) == {f["name"] for f in fields if f["required"]}
    for field in fields:
        compare(schema["properties"][field["name"]], field)


def compare(schema, field):
    """One member of the description and its row of the spec say the same."""
    schema = OPENAPI.schema(schema)
    assert schema["type"] == field["type"]
    if field["type"] == "object":
        return compare_object(schema, field["fields"])
    if field["type"] == "array":
        assert schema.get("minItems", 0) == field["items_min"]
        assert schema["maxItems"] == field["items_max"]
        items = OPENAPI.schema(schema["items"])
        if "fields" in field:
            return compare_object(items, field["fields"])
        return compare(items, {**field, "type": "string", "required": True})
    assert schema.get("enum") == field.get("enum")
    if field["type"] == "integer":
        assert (schema["minimum"], schema["maximum"]) == (field["min"], field["max"])
    elif field.get("max"):
        assert schema["maxLength"] == field["max"]
    if not field["required"] and ("default" in schema or field.get("default")):
        assert schema["default"] == field["default"]


# Every operation ----------------------------------------------------------------------------------

def test_public(platform):
    anonymous = platform.anonymous()
    assert anonymous.get("/healthz") == {"status": "ok"}
    assert anonymous.get("/readyz") == {"status": "ok"}
    assert anonymous.get("/v1/version")["api"] == "v1"


def test_tenants(provider, world):
    made = provider.call("POST", "/v1/tenants", {"name": "Māori Agency 🥝"}, expect=201)
    assert made.json["state"] == "active" and made.json["name"] == "Māori Agency 🥝"
    assert provider.get(made.headers["Location"]) == made.json
    assert made.json in provider.pages("/v1/tenants", limit=2)
    assert world.a.viewer.get(world.a.path) == world.a.row


def test_domains(provider, world):
    path = f"{world.a.path}/domains"
    made = provider.call("POST", path, {"name": "WWW.Agency-A.Test", "environment": "securemail",
                                        "attested": True}, expect=201)
    assert made.json["name"] == "www.agency-a.test" and made.json["state"] == "attested"
    assert world.a.viewer.get(made.headers["Location"]) == made.json
    assert [d["name"] for d in provider.get(path)["data"]] == ["agency-a.test",
                                                              "www.agency-a.test"]
    assert provider.get(path, name="WWW.agency-a.test")["data"] == [made.json]
    assert provider.get(path, name="agency-b.test")["data"] == []
    problem = provider.post(f"{world.b.path}/domains", {
        "name": "agency-a.test", "environment": "seemail", "attested": True}, expect=409)
    assert problem["type"] == "urn:sealgate:error:conflict" and problem["pointer"] == "/name"
    # Only provider-admin vouches for a domain.
    body = {"name": "by-hand.agency-a.test", "environment": "seemail", "attested": True}
    assert world.a.admin.post(path, body, expect=403)["type"] == "urn:sealgate:error:forbidden"
    token = provider.post("/v1/tokens", {"name": "orders", "role": "provisioning"})["token"]
    platform_client = type(provider)(provider.port, token)
    assert platform_client.post(path, body, expect=403)["type"] == "urn:sealgate:error:forbidden"


@pytest.mark.parametrize("name, stored", [
    ("Tūroa.Agency.test", "xn--troa-v7a.agency.test"), ("xn--troa-v7a.x.test", None),
    (".".join(["a" * 61] * 3 + ["a" * 47]), None)])
def test_domain_names(provider, world, name, stored):
    """REQ-135: internationalised names are kept as A-labels."""
    made = world.b.admin.post(f"{world.b.path}/domains", {"name": name, "environment": "seemail"})
    assert made["name"] == (stored or name) and made["state"] == "pending"


@pytest.mark.parametrize("name, words", [
    ("govt.nz", "public suffix"), ("co.uk", "public suffix"), ("xn--p1ai", "two labels"),
    ("公司.hk", "public suffix"), ("*.agency.test", "wildcard"), ("a" * 64 + ".test", "63"),
    ("a‍b.test", "internationalised"), ("xn--a-\u00fc.test", "internationalised"), ("xn--99999999.test", "internationalised"), ("-ū.test", "internationalised"),
    ("ab.test.", "labels"), ("١.٢", "name"),
    (".".join(["a" * 61] * 3 + ["a" * 48]), "too long")])
def test_names_that_no_domain_has(provider, world, name, words):
    """REQ-135: public suffixes, wildcards, and what is no name."""
    problem = world.b.admin.post(f"{world.b.path}/domains",
                                 {"name": name, "environment": "seemail"}, expect=422)
    assert problem["pointer"] == "/name" and words in problem["detail"], problem


def test_next_hop(platform, world):
    path = f"{world.a.domain_path}/next-hop"
    assert world.a.viewer.get(path, expect=404)["detail"] == "the domain has no next hop yet"
    hop = {"protocol": "smtp", "host": "Mail.Agency-A.test", "port": 25, "tls": "verified",
           "ca_pem": "a comment\n" + platform.root_pem}
    first = world.a.admin.put(path, hop)
    assert first["host"] == "mail.agency-a.test"
    assert first["ca_pem"].startswith("-----BEGIN CERTIFICATE-----\n")
    assert world.a.viewer.get(path) == first
    second = world.a.admin.put(path, {"protocol": "lmtp", "host": "2001:DB8::1", "port": 24,
                                      "tls": "none"})
    assert (second["host"], second["ca_pem"]) == ("2001:db8::1", "")
    assert world.a.viewer.get(path) == second


def test_ownership(platform, provider, world, tmp_path):
    """Claims, challenges and the postmaster (REQ-135, 182); what each state means: test_ownership.py."""
    admin, path = world.a.admin, f"{world.a.path}/domains"
    body = {"name": "claimed.test", "environment": "seemail"}
    made = admin.call("POST", path, body, expect=201)
    one, own = made.json, made.headers["Location"]
    assert one["state"] == "pending"
    assert admin.post(path, body, expect=409)["detail"] == "the tenant has this domain already"
    assert world.b.admin.post(f"{world.b.path}/domains", body)["state"] == "pending"
    first = world.a.viewer.get(f"{own}/verification")
    assert first["challenge"]["name"] == "_sealgate-challenge.claimed.test"
    assert (first["state"], first["method"], first["verified_at"]) == ("pending", "dns", None)
    second = admin.post(f"{own}/verification", expect=200)
    assert second["challenge"]["value"] != first["challenge"]["value"]
    accepted = admin.call("POST", f"{own}/verification/check", expect=202)
    assert admin.job(accepted.headers["Location"])["result"]["result"] == "missing"
    hop = {"protocol": "smtp", "host": "127.0.0.1", "port": platform.mail_port, "tls": "none"}
    admin.put(f"{own}/next-hop", hop)
    assert "pending" in admin.post(f"{own}/postmaster", expect=409)["detail"]
    admin.delete(own)
    admin.get(own, expect=404)

    attested = world.a.domain_path
    assert admin.get(f"{attested}/verification")["method"] == "attested"
    assert admin.post(f"{attested}/verification/check", expect=409)
    assert "revoked" in admin.call("DELETE", attested, expect=409).json["detail"]
    admin.put(f"{attested}/next-hop", hop)
    with MailServer(platform.mail_port, tmp_path) as server:
        accepted = admin.call("POST", f"{attested}/postmaster", expect=202)
        admin.job(accepted.headers["Location"])
        mail, = server.wait(1)
        code = re.search(rb"The code is ([0-9-]+)\.", mail.raw)[1].decode()
        assert admin.get(f"{attested}/postmaster")["state"] == "sent"
        assert admin.post(f"{attested}/postmaster/confirm", {"code": code}, 200)["state"] == "verified"

    third = provider.post(path, {"name": "left.test", "environment": "seemail", "attested": True})
    left = f"{path}/{third['id']}"
    assert admin.post(f"{left}/revoke", expect=200)["state"] == "revoked"
    assert admin.post(f"{left}/revoke", expect=409)["detail"] == "the domain is revoked"
    assert admin.post(f"{left}/verification", expect=409)


def test_submitters(provider, world):
    """REQ-136: one network, one client certificate belongs to one tenant."""
    path = f"{world.a.path}/submitters"
    made = provider.call("POST", path, {"kind": "client_certificate", "description": "mx1",
                                        "fingerprint": ":".join(["AB"] * 32)}, expect=201)
    assert made.json["fingerprint"] == "ab" * 32 and made.json["network"] is None
    host = provider.post(path, {"kind": "network", "network": "192.0.2.7"})
    assert host["network"] == "192.0.2.7/32"
    assert len(world.a.viewer.get(path)["data"]) == 3
    assert provider.post(f"{world.b.path}/submitters",
                         {"kind": "client_certificate", "fingerprint": "ab" * 32},
                         expect=409)["pointer"] == "/fingerprint"
    assert provider.post(f"{world.b.path}/submitters",
                         {"kind": "network", "network": "192.0.2.0/24"},
                         expect=409)["pointer"] == "/network"
    provider.delete(f"{path}/{host['id']}")
    provider.delete(f"{path}/{host['id']}", expect=404)
    # Another tenant's is not there, even for the provider, on this tenant's path.
    provider.delete(f"{path}/{world.b.ids['submitter_id']}", expect=404)
    assert len(world.a.viewer.get(path)["data"]) == 2


def test_keys_and_certificates(platform, provider, world):
    """The whole way with the real HSM and the real CA."""
    admin, keys = world.a.admin, f"{world.a.domain_path}/keys"
    for kind in ("wrapped", "token"):
        accepted = admin.call("POST", keys, {"algorithm": "rsa-2048", "kind": kind}, expect=202)
        key = f"{keys}/{accepted.json['key']['id']}"
        job = admin.job(accepted.headers["Location"])
        assert job["kind"] == "key.generate" and job["id"] == accepted.json["job"]["id"]
    row = admin.get(key)
    assert row["state"] == "active"
    public = serialization.load_pem_public_key(row["public_key_pem"].encode())
    der = public.public_bytes(serialization.Encoding.DER,
                              serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    assert row["spki_sha256"] == digest.finalize().hex() and public.key_size == 2048
    assert row in admin.pages(keys, limit=1)

    assert admin.get(f"{key}/csr", expect=404)["detail"].startswith("the key has no")
    accepted = admin.call("POST", f"{key}/csr", expect=202)
    admin.job(accepted.headers["Location"])
    pem = admin.get(f"{key}/csr")["pem"]
    csr = x509.load_pem_x509_csr(pem.encode())
    assert csr.is_signature_valid and csr.public_key().public_numbers() == public.public_numbers()

    (platform.dir / "a.csr").write_text(pem)
    platform.refca("issue", platform.dir / "a.csr", "--out", platform.dir / "a.pem")
    certificates = f"{world.a.domain_path}/certificates"
    chain = (platform.dir / "a.pem").read_text()
    accepted = admin.call("POST", certificates, {"pem": chain}, expect=202)
    admin.job(accepted.headers["Location"])
    installed, = admin.get(certificates)["data"]
    world.a.ids["certificate_id"] = installed["id"]
    leaf = x509.load_pem_x509_certificate(chain.encode())
    assert installed["sha256"] == leaf.fingerprint(hashes.SHA256()).hex()
    assert installed["serial"].lstrip("0") == f"{leaf.serial_number:x}"
    assert installed["key_id"] == row["id"] and installed["state"] == "active"
    assert installed["pem"].split() == chain.split()
    assert world.a.viewer.get(f"{certificates}/{installed['id']}") == installed

    # A certificate for another key fails in words.
    accepted = world.b.admin.call("POST", f"{world.b.domain_path}/certificates", {"pem": chain},
                                  expect=202)
    job = world.b.admin.job(accepted.headers["Location"], "dead")
    assert job["last_error"] and job["finished_at"]
    assert job in world.b.admin.pages(f"{world.b.path}/jobs", limit=1)


def test_jobs(platform, provider, world):
    """A dead letter is retried and cancelled, by its tenant and by the provider; who has none of it
    sees none of it."""
    admin, path = world.a.admin, world.a.path

    def dead_letter():
        accepted = admin.call("POST", f"{world.a.domain_path}/certificates",
                             {"pem": platform.root_pem})
        job = admin.job(accepted.headers["Location"], "dead")
        return job, f"{path}/jobs/{job['id']}", f"/v1/jobs/{job['id']}"

    job, own, any_tenants = dead_letter()
    assert job["last_error"] and job["attempts"] == 1 and job["priority"] == 5
    assert job in admin.pages(f"{path}/jobs", state="dead", kind="certificate.install")
    assert job in provider.pages("/v1/jobs", state="dead")
    assert job not in provider.pages("/v1/jobs", state="dead", kind="key.csr")
    assert provider.get(any_tenants) == job
    assert world.b.admin.call("POST", f"{own}/retry").status == 404
    assert world.b.admin.call("POST", f"{world.b.path}/jobs/{job['id']}/retry").status == 404
    assert world.a.viewer.call("POST", f"{own}/retry").status == 403
    assert admin.call("GET", any_tenants).status == 404

    assert admin.post(f"{own}/retry", expect=200)["attempts"] == 0
    again = admin.job(own, "dead")
    assert again["attempts"] == 1 and again["finished_at"] > job["finished_at"]
    assert provider.post(f"{any_tenants}/retry", expect=200)["state"] in ("queued", "running")
    admin.job(own, "dead")
    cancelled = admin.post(f"{own}/cancel", expect=200)
    assert (cancelled["state"], cancelled["cancel"]) == ("cancelled", True)
    for what in ("retry", "cancel"):
        refused = admin.call("POST", f"{own}/{what}")
        assert refused.status == 409 and "cancelled" in refused.json["detail"]
    _, own, any_tenants = dead_letter()
    assert provider.post(f"{any_tenants}/cancel", expect=200)["state"] == "cancelled"
    updates = [e for e in admin.pages(f"{path}/audit")
               if e["object"] == "job" and e["action"] == "update" and e["object_id"] == job["id"]]
    assert len(updates) == 3 and all(e["actor"].startswith("token:") for e in updates)

    # The platform's own: the provider's alone.
    schedule, = provider.pages("/v1/jobs", kind="jobs.clean")
    assert schedule["tenant_id"] is None
    assert provider.call("GET", f"{path}/jobs/{schedule['id']}").status == 404


def test_csr_of_a_key_that_is_not_active(platform, world):
    platform.stop("tenantd")
    keys = f"{world.a.domain_path}/keys"
    key = world.a.admin.post(keys, {"algorithm": "rsa-2048", "kind": "wrapped"}, expect=202)
    assert key["key"]["state"] == "pending" and key["key"]["spki_sha256"] is None
    assert world.a.admin.post(f"{keys}/{key['key']['id']}/csr",
                              expect=409)["detail"] == "the key is not active: pending"
    platform.spawn("tenantd", BUILD / "bin/tenantd", "-c", platform.dir / "tenantd.conf")


def test_platform_lists(platform, provider):
    other = self_signed("Other Root")
    made = provider.call("POST", "/v1/trust-anchors", {"pem": other}, expect=201)
    assert made.json["subject"] == "CN=Other Root" and made.json["pem"] == other
    assert made.json in provider.pages("/v1/trust-anchors", limit=1)
    assert provider.post("/v1/trust-anchors", {"pem": other}, expect=409)["pointer"] == "/pem"
    provider.delete(made.headers["Location"])
    provider.delete(made.headers["Location"], expect=404)

    made = provider.call("POST", "/v1/directory-sources", {
        "url": "LDAPS://Directory.other.test:636/", "base_dn": "o=x,c=NZ", "ca_pem": other,
        "position": 3}, expect=201)
    assert made.json["url"] == "ldaps://directory.other.test:636"
    # By its id: tenantd may have tried to read it meanwhile, and says so.
    assert made.json["id"] in [d["id"] for d in provider.pages("/v1/directory-sources", limit=1)]
    assert provider.post("/v1/directory-sources", {"url": "ldaps://directory.other.test:636",
                                                   "base_dn": "o=x,c=NZ"},
                         expect=409)["pointer"] == "/url"
    anchor = provider.post("/v1/trust-anchors", {"pem": other})
    own = {"url": "ldaps://directory.other.test:636", "anchor_id": anchor["id"],
           "filter": "(&(objectClass=person)(mail={address}))", "attribute": "userSMIMECertificate;binary"}
    of_ca = provider.post("/v1/directory-sources", own)
    assert {name: of_ca[name] for name in own} == own and made.json["anchor_id"] is None
    assert provider.post("/v1/directory-sources", own, expect=409)["pointer"] == "/url"
    for name, value in (("filter", "(mail=x)"), ("filter", "(mail={address}"), ("attribute", "a b"),
                        ("anchor_id", "anc_00000000000000000000000000")):
        assert provider.post("/v1/directory-sources", {**own, name: value}, expect=422)["pointer"] == f"/{name}"
    provider.delete(f"/v1/trust-anchors/{anchor['id']}")
    assert of_ca["id"] not in [d["id"] for d in provider.pages("/v1/directory-sources")]
    provider.delete(made.headers["Location"])
    # Not anonymously: the name of a file, never a password.
    account = {"url": "ldap://closed.other.test", "bind_dn": "cn=gateway,o=x", "credential": "closed-1"}
    closed = provider.post("/v1/directory-sources", account)
    assert {name: closed[name] for name in account} == account and (of_ca["bind_dn"], of_ca["credential"]) == ("", "")
    for name, value in (("credential", None), ("bind_dn", None), ("credential", "../x"), ("credential", ".x"),
                        ("bind_dn", "gateway"), ("credential", "x" * 65)):
        wrong = {**account, "base_dn": "o=y", name: value} if value else \
            {key: text for key, text in {**account, "base_dn": "o=y"}.items() if key != name}
        assert provider.post("/v1/directory-sources", wrong, expect=422)["pointer"] == f"/{name}"
    assert provider.post("/v1/directory-sources", {**account, "base_dn": "o=y", "password": "x"},
                         expect=400)["pointer"] == "/password"
    provider.delete(f"/v1/directory-sources/{closed['id']}")
    again = provider.post("/v1/directory-sources", {"url": "ldap://[2001:db8::1]"})
    assert (again["base_dn"], again["position"], again["ca_pem"]) == ("c=NZ", 100, "")

    made = provider.call("POST", "/v1/member-domains",
                         {"name": "Other.test", "environment": "securemail"}, expect=201)
    assert made.json["name"] == "other.test"
    assert made.json in provider.pages("/v1/member-domains", limit=1)
    assert provider.post("/v1/member-domains", {"name": "other.test", "environment": "securemail"},
                         expect=409)["pointer"] == "/name"
    provider.delete(made.headers["Location"])


def test_held(platform, provider, world):
    """REQ-56: held mail is listed, tried at once, given up; not while a legal hold stands."""
    tenant, path = world.a, f"{world.a.path}/held"
    released, deleted = new_id("hld"), new_id("hld")
    platform.feed(held(released, new_id("msg"), tenant), held(deleted, new_id("msg"), tenant))
    row = tenant.viewer.get(f"{path}/{released}")
    assert row["recipients"] == ["ann@recipient.test", "bob@recipient.test"]
    assert row["state"] == "held" and row["reason"] == "201" and row["size_bytes"] == 12
    assert len(tenant.viewer.pages(path, limit=1, state="held")) == 3
    assert tenant.viewer.get(path, state="sent")["data"] == []

    now = tenant.admin.call("POST", f"{path}/{released}/release", expect=200)
    assert now.json["next_try_at"] < row["next_try_at"] and now.json["state"] == "held"
    assert abs(timestamp(now.json["next_try_at"]) - time.time()) < 60
    assert tenant.admin.delete(f"{path}/{deleted}", expect=409)["detail"].startswith("a legal hold stands")
    assert tenant.viewer.get(f"{path}/{deleted}")["state"] == "held"
    provider.delete(f"{tenant.path}/legal-holds/{tenant.ids['hold_id']}")
    gone = tenant.admin.call("DELETE", f"{path}/{deleted}", expect=204)
    row = tenant.viewer.get(f"{path}/{deleted}")
    assert row["state"] == "deleted" and row["finished_at"]
    assert tenant.admin.delete(f"{path}/{deleted}", expect=409)["detail"].endswith("deleted")
    tenant.admin.post(f"{path}/{deleted}/release", expect=409)
    # The content is destroyed, and its key.
    with platform.pg.connect("sg_gateway") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT held_id, count(*) FROM held_chunk WHERE held_id IN (%s, %s)"
                       " GROUP BY 1", (released, deleted))
        assert cursor.fetchall() == [(released, 2)]
        cursor.execute("SELECT wrapped_key FROM held_message WHERE id = %s", (deleted,))
        assert bytes(cursor.fetchone()[0]) == b""

    # Both are in the audit log, with who did it.
    entries = {e["request_id"]: e for e in tenant.viewer.pages(f"{tenant.path}/audit")}
    for reply, object_id in ((now, released), (gone, deleted)):
        entry = entries[reply.headers["X-Request-Id"]]
        assert (entry["object"], entry["object_id"], entry["action"]) == ("held_message",
                                                                        object_id, "update")
        assert re.fullmatch(r"token:tok_[0-9a-z]{26} agency-a tenant-admin", entry["actor"])
        assert entry["address"] == "127.0.0.1"
    assert entry["before"]["state"] == "held" and entry["after"]["state"] == "deleted"


def test_incidents(platform, provider, world):
    """What they are is in test_incidents.py; here each operation once."""
    for where in ("/v1", world.a.path):
        platform.feed({"incident": "test.incident", "tenant_id": world.a.id, "severity": "info",
                       "summary": "once more", "key": f"test {where}"})
        made = provider.get(f"{where}/incidents", kind="test.incident", state="open")["data"][0]
        path = f"{where}/incidents/{made['id']}"
        assert provider.get(path)["summary"] == "once more"
        assert provider.post(f"{path}/acknowledge", {"words": "me"}, 200)["state"] == "acknowledged"
        assert len(provider.post(f"{path}/notes", {"words": "it is"}, 200)["notes"]) == 2
        provider.post(f"/v1/incidents/{made['id']}/resolve", {"words": "was"}, 200)
    for where in ("/v1", world.a.path):
        platform.feed({"incident": "key.compromised", "tenant_id": world.a.id, "severity": "critical",
                       "summary": "lost", "key": f"breach {where}"})
        made = provider.get(f"{where}/breaches", state="open", source="incident")["data"][0]
        path = f"{where}/breaches/{made['id']}"
        assert provider.get(path)["class"] == "compromise"
        assert len(provider.post(f"{path}/notes", {"words": "it is"}, 200)["notes"]) == 1
        for what in ("resolve", "reopen"):
            provider.post(f"/v1/breaches/{made['id']}/{what}", {"words": "was"}, 200)


def timestamp(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_messages(platform, world):
    """REQ-117: the retention log is found by each of its fields."""
    tenant, path = world.b, f"{world.b.path}/messages"
    ids = [new_id("msg") for _ in range(5)]
    platform.feed(*[message(m, tenant.id, 3600 + n, queue_id=f"Q{n}",
                            direction="inbound" if n % 2 else "outbound",
                            sender="" if n == 4 else f"s{n}@sender.test",
                            recipients=[{"recipient": f"r{n}+x@recipient.test",
                                         "outcome": "delivered", "verdict": "verified",
                                         "codes": "", "reply": "250"}])
                    for n, m in enumerate(ids)])
    everything = tenant.viewer.pages(path, limit=2)
    assert [m["id"] for m in everything] == [tenant.ids["msg_id"], *ids]  # newest first
    one = everything[0]
    assert [r["recipient"] for r in one["recipients"]] == ["ann@recipient.test",
                                                           "bob@recipient.test"]
    assert one["recipients"][0]["codes"] == ["002", "103"]
    assert one["body_sha256"] == ("010203" + "00" * 29)
    assert tenant.viewer.get(f"{path}/{one['id']}") == one

    def found(**query):
        return [m["id"] for m in tenant.viewer.pages(path, **query)]

    at = {n: datetime.datetime.fromtimestamp(NOW / 1e6 - 3600 - n, datetime.timezone.utc)
          .isoformat().replace("+00:00", "Z") for n in range(5)}
    assert found(sender="S1@sender.test") == [ids[1]]
    assert found(sender="<>") == [ids[4]]
    assert found(recipient="R2+x@recipient.test") == [ids[2]]
    assert found(message_id=f"<{ids[3]}@sender.test>") == [ids[3]]
    assert found(message_id=f"{ids[3]}@sender.test") == [ids[3]]
    assert found(queue_id="Q0") == [ids[0]]
    assert found(direction="inbound") == [ids[1], ids[3]]
    assert found(**{"from": at[2], "to": at[0]}) == [ids[1], ids[2]]
    assert found(sender="nobody@sender.test") == []
    assert found(sender="s1@sender.test", queue_id="Q0") == []

    trace = tenant.viewer.pages(f"{path}/{ids[0]}/trace", limit=2)
    assert [e["step"] for e in trace] == ["received", "certificate.checked", "sealed"]
    assert trace[1]["requirement"] == "REQ-47" and trace[1]["detail"] == {"subject": "cn=ä", "n": 3}
    tenant.viewer.get(f"{path}/{new_id('msg')}/trace", expect=404)


def test_tokens(platform, provider, world):
    """REQ-138, REQ-140: a token is shown once, expires, and ends at once when it is revoked."""
    made = provider.call("POST", "/v1/tokens", {
        "name": "short", "role": "tenant-viewer", "tenant_id": world.a.id, "expires_in_days": 2},
        expect=201)
    lifetime = timestamp(made.json["expires_at"]) - timestamp(made.json["created_at"])
    assert abs(lifetime - 2 * 86400) < 1
    client = platform.client(made.json["token"])
    client.get(world.a.path)
    listed = provider.pages("/v1/tokens", limit=3)
    assert all("token" not in t for t in listed)
    assert made.json["id"] in [t["id"] for t in listed]
    assert made.json["token"] not in json.dumps(listed)
    provider.delete(f"/v1/tokens/{made.json['id']}")
    problem = client.get(world.a.path, expect=401)
    assert problem["type"] == "urn:sealgate:error:unauthenticated"
    provider.delete(f"/v1/tokens/{made.json['id']}")  # once more is no harm
    provider.delete(f"/v1/tokens/{new_id('tok')}", expect=404)
    assert provider.post("/v1/tokens", {"name": "x", "role": "tenant-admin",
                                        "tenant_id": "ten_" + "0" * 26},
                         expect=422)["pointer"] == "/tenant_id"


def test_audit(provider, world):
    """REQ-175: an agency reads its own log. Everything that the provider did is there."""
    entries = world.a.viewer.pages(f"{world.a.path}/audit", limit=3)
    assert all(e["tenant_id"] == world.a.id for e in entries)
    assert [e["at"] for e in entries] == sorted((e["at"] for e in entries), reverse=True)
    objects = {e["object"] for e in entries}
    assert {"tenant", "domain", "submitter", "hsm_key", "api_token", "job"} <= objects
    assert "hash" not in json.dumps(entries) and "wrapped_key" not in json.dumps(entries)
    first = next(e for e in entries if e["object"] == "tenant")
    assert first["actor"].endswith(" the tests") and first["action"] == "insert"


def test_audit_filters(provider, world):
    """By actor, kind, thing and time; of a tenant, and of the whole platform."""
    made = provider.call("POST", "/v1/tokens", {"name": "audited", "role": "auditor"}, expect=201)
    token_id, path = made.json["id"], f"{world.a.path}/audit"
    entry, = provider.get("/v1/audit", object="api_token", object_id=token_id)["data"]
    assert entry["request_id"] == made.headers["X-Request-Id"] and entry["tenant_id"] is None
    assert entry["before"] is None and entry["after"]["name"] == "audited" and "hash" not in entry["after"]
    actor = entry["actor"]
    maker = re.fullmatch(r"token:(tok_[0-9a-z]{26}) the tests", actor)[1]
    for who in (actor, maker):
        assert entry in provider.get("/v1/audit", actor=who, limit=5)["data"]
    assert provider.get("/v1/audit", actor="the tests")["data"] == []
    assert provider.get("/v1/audit", actor=f"token:{maker}")["data"] == []
    every = world.a.viewer.pages(path)
    domains = [e for e in every if e["object"] == "domain"]
    assert domains and world.a.viewer.pages(path, object="domain", limit=1) == domains
    assert provider.pages("/v1/audit", tenant_id=world.a.id, limit=7) == every
    middle = every[len(every) // 2]["at"]
    assert world.a.viewer.pages(path, since=middle) == [e for e in every if e["at"] >= middle]
    assert world.a.viewer.pages(path, until=middle) == [e for e in every if e["at"] < middle]
    # Another tenant's things are not found in one's own log.
    assert world.a.viewer.get(path, object_id=world.b.domain["id"])["data"] == []
    assert world.a.viewer.get(path, actor="apid")["data"] == []
    world.a.viewer.get("/v1/audit", expect=404)


# What is refused ----------------------------------------------------------------------------------

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
BAD = [  # path, change of the good body (None: left out), pointer
    ("/v1/tenants", {"name": None}, "/name"),
    ("/v1/tenants", {"name": ""}, "/name"),
    ("/v1/tenants", {"name": "x" * 201}, "/name"),
    ("/v1/tenants", {"name": " x"}, "/name"),
    ("/v1/tenants", {"name": "a\nb"}, "/name"),
    ("/v1/tenants", {"name": 7}, "/name"),
    ("/v1/tenants/{tenant_id}/domains", {"name": "test"}, "/name"),
    ("/v1/tenants/{tenant_id}/domains", {"name": "*.agency.test"}, "/name"),
    ("/v1/tenants/{tenant_id}/domains", {"name": "192.0.2.1"}, "/name"),
    ("/v1/tenants/{tenant_id}/domains", {"name": "a" * 250 + ".test"}, "/name"),
    ("/v1/tenants/{tenant_id}/domains", {"environment": "mail"}, "/environment"),
    ("/v1/tenants/{tenant_id}/domains", {"attested": "yes"}, "/attested"),
    ("/v1/tenants/{tenant_id}/submitters", {"kind": "sasl"}, "/kind"),
    ("/v1/tenants/{tenant_id}/submitters", {"network": None}, "/network"),
    ("/v1/tenants/{tenant_id}/submitters", {"network": "0.0.0.0/0"}, "/network"),
    ("/v1/tenants/{tenant_id}/submitters", {"network": "203.0.113.1/24"}, "/network"),
    ("/v1/tenants/{tenant_id}/submitters", {"fingerprint": FINGERPRINT}, "/fingerprint"),
    ("/v1/tenants/{tenant_id}/submitters", {"kind": "client_certificate"}, "/network"),
    ("/v1/tenants/{tenant_id}/submitters", {"kind": "client_certificate", "network": None},
     "/fingerprint"),
    ("/v1/tenants/{tenant_id}/submitters", {"description": "x" * 201}, "/description"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/next-hop", {"protocol": "http"}, "/protocol"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/next-hop", {"host": "localhost"}, "/host"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/next-hop", {"port": 0}, "/port"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/next-hop", {"port": "25"}, "/port"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/next-hop", {"tls": "yes"}, "/tls"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/next-hop", {"ca_pem": PEM}, "/ca_pem"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/keys", {"algorithm": "rsa-1024"}, "/algorithm"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/keys", {"kind": "file"}, "/kind"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/certificates", {"pem": PEM}, "/pem"),
    ("/v1/tenants/{tenant_id}/domains/{domain_id}/certificates", {"pem": "x"}, "/pem"),
    ("/v1/trust-anchors", {"pem": PEM}, "/pem"),
    ("/v1/directory-sources", {"url": "http://x.test"}, "/url"),
    ("/v1/directory-sources", {"base_dn": "NZ"}, "/base_dn"),
    ("/v1/directory-sources", {"ca_pem": "x"}, "/ca_pem"),
    ("/v1/directory-sources", {"position": -1}, "/position"),
    ("/v1/member-domains", {"name": "-x.test"}, "/name"),
    ("/v1/member-domains", {"environment": ""}, "/environment"),
    ("/v1/tokens", {"name": ""}, "/name"),
    ("/v1/tokens", {"role": "root"}, "/role"),
    ("/v1/tokens", {"role": "tenant-admin"}, "/tenant_id"),
    ("/v1/tokens", {"tenant_id": "ten_x"}, "/tenant_id"),
    ("/v1/tokens", {"tenant_id": "ten_" + "0" * 26}, "/tenant_id"),
    ("/v1/tokens", {"expires_in_days": 731}, "/expires_in_days"),
]


def method_of(path):
    return next(m for m in ("POST", "PUT") if (m, path) in ROUTES)


TAKE_BODY = [key for key, route in ROUTES.items() if route["body"] is not None]


@pytest.mark.parametrize("path,change,pointer", BAD, ids=lambda v: str(v)[:60])
def test_bad_field(platform, provider, world, path, change, pointer):
    method = method_of(path)
    body = {k: v for k, v in {**good_body(method, path), **change}.items() if v is not None}
    reply = provider.call(method, fill(path, world.a.ids), body, expect=422)
    assert reply.json["pointer"] == pointer and reply.json["detail"]
    assert reply.json["type"] == "urn:sealgate:error:invalid"


@pytest.mark.parametrize("method,path", TAKE_BODY, ids=lambda v: v)
def test_unknown_field(platform, provider, world, method, path):
    body = {**good_body(method, path), "a/b": 1}
    reply = provider.call(method, fill(path, world.a.ids), body, expect=400)
    assert reply.json["type"] == "urn:sealgate:error:unknown-field"
    assert reply.json["pointer"] == "/a~1b"


@pytest.mark.parametrize("method,path", ROUTES, ids=lambda v: v)
def test_unknown_parameter(platform, provider, world, method, path):
    reply = provider.call(method, fill(path, world.a.ids, world.platform_ids),
                          good_body(method, path), query={"verbose": "1"}, expect=400)
    assert reply.json["parameter"] == "verbose" and "pointer" not in reply.json


@pytest.mark.parametrize("query,parameter", [
    ({"limit": "0"}, "limit"), ({"limit": "501"}, "limit"), ({"limit": "x"}, "limit"),
    ({"limit": "-1"}, "limit"), ({"cursor": "x"}, "cursor"), ({"cursor": ""}, "cursor"),
    ({"cursor": base64.urlsafe_b64encode(b"1:x'; DROP").decode()}, "cursor"),
    ({"from": "yesterday"}, "from"), ({"to": "2026-01-01"}, "to"), ({"sender": ""}, "sender"),
    ({"direction": "up"}, "direction"), ({"queue_id": "x" * 65}, "queue_id")])
def test_bad_parameter(provider, world, query, parameter):
    problem = provider.get(f"{world.a.path}/messages", expect=422, **query)
    assert problem["parameter"] == parameter


def test_bodies_that_are_none(provider, world):
    for body, status in ((b"", 400), (b"{", 400), (b"[]", 400), (b'"x"', 400),
                         (b'{"name":"a","name":"b"}', 400), (b'{"name":"\xff"}', 400),
                         (b'{"name":"\\u0000"}', 400), (b"[" * 100000, 400)):
        reply = provider.call("POST", "/v1/tenants", body, expect=status)
        assert reply.json["type"] == "urn:sealgate:error:malformed"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        provider.call("POST", "/v1/tenants", b'{"name":"x"}', expect=415,
                      headers={"Content-Type": kind})
    provider.call("POST", "/v1/tenants", b'{"name":"charset"}', expect=201,
                  headers={"Content-Type": "Application/JSON; charset=utf-8"})
    # Where nothing is taken, nothing is taken in silence.
    held_path = f"{world.a.path}/held/{world.a.ids['held_id']}/release"
    provider.call("POST", held_path, {"force": True}, expect=400)
    provider.call("POST", held_path, {}, expect=200)


def test_limits(platform, provider):
    big = b'{"name":"' + b"x" * 300000 + b'"}'
    assert provider.call("POST", "/v1/tenants", big).status == 413
    with socket.create_connection(("127.0.0.1", platform.port)) as s:
        s.sendall(b"POST /v1/tenants HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{")
        answer = b"".join(iter(lambda: s.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")  # at once, and the connection is closed

    def chunks():
        for at in range(0, len(big), 8192):
            yield b"%x\r\n%s\r\n" % (len(big[at:at + 8192]), big[at:at + 8192])
        yield b"0\r\n\r\n"

    reply = provider.raw("POST", "/v1/tenants", chunks(), {
        "Authorization": f"Bearer {provider.token}", "Content-Type": "application/json",
        "Transfer-Encoding": "chunked"})
    assert reply.status == 413 and reply.json["type"] == "urn:sealgate:error:limit"
    with contextlib.suppress(ConnectionError):  # it need not read all of that to say no
        assert provider.raw("GET", "/v1/tenants", headers={"X-Long": "x" * 60000}).status == 431
    many = "&".join(f"p{n}=1" for n in range(60))
    assert provider.call("GET", f"/v1/tenants?{many}").status == 413
    assert provider.get("/v1/tenants")


def test_methods_and_paths(platform, provider, world):
    for method, path, allow in (("DELETE", "/v1/tenants", "GET, POST"), ("HEAD", "/healthz", "GET"),
                                ("OPTIONS", world.a.path, "GET, PATCH"), ("FROB", "/v1/tokens",
                                                                   "GET, POST")):
        reply = provider.call(method, path, expect=405)
        assert reply.headers["Allow"] == allow
    for path in ("/", "/v1", "/v1/", "/v2/tenants", "/v1/tenants/", "/v1//tenants",
                 "/v1/tenants/ten_1", f"{world.a.path}/", f"{world.a.path}%00",
                 "/v1/../v1/tenants", "/V1/tenants", "/v1/tenants%2f" + world.a.id):
        reply = provider.call("GET", path, expect=404)
        assert reply.json["type"] == "urn:sealgate:error:not-found"
    assert platform.anonymous().call("PATCH", "/v1/nothing").status == 404


# Who sees what ------------------------------------------------------------------------------------

CLOSED = [key for key, route in ROUTES.items() if route["access"] != "public"]


@pytest.mark.parametrize("method,path", CLOSED, ids=lambda v: v)
def test_no_token(platform, world, method, path):
    path = fill(path, world.a.ids, world.platform_ids)
    for header in (None, "Bearer", "Basic eDp5", "Bearer sgt_" + "A" * 43, "Bearer sgt_" + "A" * 42,
                   "Bearer " + "x" * 5000):
        headers = {"Authorization": header} if header else {}
        reply = platform.anonymous().call(method, path, headers=headers, expect=401)
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert reply.json["detail"] == "a valid bearer token is needed"


@pytest.mark.parametrize("method,path", CLOSED, ids=lambda v: v)
def test_wrong_tenant(platform, world, method, path):
    """A's tokens on B's paths: the same answer, to the byte, as where nothing is."""
    body = good_body(method, path)
    for client in (world.a.admin, world.a.viewer):
        for wrong in (None, body, {"unknown": 1}):
            there = client.call(method, fill(path, world.b.ids, world.platform_ids), wrong,
                                expect=404)
            nothing = client.call(method, nowhere(path), wrong, expect=404)
            assert there.problem() == nothing.problem()
            assert set(there.headers) == set(nothing.headers)
    # B's things under A's own path.
    mixed = {**world.b.ids, "tenant_id": world.a.id}
    if path.count("{") > 1 and may("tenant-admin", ROUTES[method, path]["access"]):
        there = world.a.admin.call(method, fill(path, mixed, world.platform_ids), body, expect=404)
        gone = {k: new_id(PREFIX[k]) for k in mixed if k != "tenant_id"}
        nothing = world.a.admin.call(method, fill(path, {**mixed, **gone}), body, expect=404)
        assert there.problem() == nothing.problem()


SCOPES = sorted({route["access"].split(":")[0] for route in ROUTES.values()} - {"public"})
# What each role may write, and where it stands; it reads what READS says, else everything.
WRITES = {
    "provider-admin": SCOPES,
    "provisioning": ["tenants", "contacts", "domains", "submitters", "next_hops", "keys",
                     "certificates", "policies", "lists", "exceptions", "jobs"],
    "billing": [], "support": ["held", "jobs"],
    "security-officer": ["compromise", "incidents", "breaches", "reports", "anchors", "partners",
                         "certificates", "held"],
    "auditor": [],
    "tenant-admin": ["contacts", "domains", "next_hops", "keys", "certificates", "compromise",
                     "held", "jobs", "incidents", "reports", "documents"],
    "tenant-viewer": []}
OPERATION = [s for s in SCOPES if s not in ("tokens", "clients")]
READS = {"provisioning": WRITES["provisioning"], "billing": ["usage", "tenants", "domains"],
         "support": OPERATION, "tenant-viewer": OPERATION}
PLATFORM = ["provider-admin", "provisioning", "billing", "support", "security-officer", "auditor"]
TENANT = ["security-officer", "auditor", "tenant-admin", "tenant-viewer"]


def may(role, access):
    scope, verb = access.split(":")
    return scope in WRITES[role] or (verb == "read" and scope in READS.get(role, SCOPES))


def test_description_has_the_roles():
    """The table in openapi.yaml and the one above say the same."""
    rows = re.findall(r"^\| (\S+) \| (.+?) \| (.+?) \| (.*?) ?\|$", OPENAPI.doc["info"]["description"],
                      re.M)
    told = {role: (of, reads, writes) for role, of, reads, writes in rows if role in WRITES}
    assert list(told) == list(WRITES) == OPENAPI.doc["components"]["schemas"]["Role"]["enum"]
    words = {"all": SCOPES, "all but tokens and clients": OPERATION}
    for role, (of, reads, writes) in told.items():
        assert ("the platform" in of, "tenant" in of) == (role in PLATFORM, role in TENANT)

        def scopes(text):
            return words.get(text) or [s for s in text.replace("next hops", "next_hops").split(", ")
                                       if s]
        assert scopes(writes) == list(WRITES[role]), role
        assert reads == "what it writes" or scopes(reads) == list(READS.get(role, SCOPES)), role


@pytest.fixture(scope="module")
def holders(platform, provider, world):
    """A client of each role, at each place where it may stand."""
    made = {}
    for place, roles in ((None, PLATFORM), (world.a.id, TENANT)):
        for role in roles:
            body = {"name": role, "role": role, **({"tenant_id": place} if place else {})}
            made[role, place] = platform.client(provider.post("/v1/tokens", body)["token"])
    return made


def test_who_orders_domains_decides_nothing_about_evidence(platform, provider, world, holders):
    """REQ-117, REQ-138: neither a billing system that orders domains nor who sets their rules shortens what is
    kept, or lifts the hold of a court."""
    hold = provider.post(f"{world.b.path}/legal-holds", {"words": "Case 2"})["id"]
    narrow = platform.client(provider.post("/v1/tokens", {"name": "rules", "role": "provider-admin",
                                                          "scope": "policies:write"})["token"])
    for client in holders["provisioning", None], narrow:
        client.delete(f"{world.b.path}/legal-holds/{hold}", expect=403)
        client.post(f"{world.b.path}/legal-holds", {"words": "x"}, expect=403)
        client.put("/v1/retention", {"class": "messages", "months": 12, "floor_months": 12, "ceiling_months": 12},
                   expect=403)
        client.put(f"{world.b.path}/retention", {"class": "messages", "months": 12}, expect=403)
    provider.delete(f"{world.b.path}/legal-holds/{hold}")


@pytest.mark.parametrize("method,path", CLOSED, ids=lambda v: v)
def test_roles(platform, world, holders, method, path):
    """REQ-138. What a role may not do is 403; what it may gets as far as the fields, which are wrong here."""
    access = ROUTES[method, path]["access"]
    target = fill(path, world.a.ids, world.platform_ids)
    for (role, place), client in holders.items():
        if place and "{tenant_id}" not in path:
            client.call(method, target, query={"no": "such"}, expect=404)
        elif may(role, access):
            reply = client.call(method, target, query={"no": "such"}, body=b"{}"
                                if ROUTES[method, path]["body"] is not None else None, expect=400)
            assert reply.json["parameter"] == "no"
        else:
            reply = client.call(method, target, query={"no": "such"}, expect=403)
            assert reply.json["detail"] == f"this needs the scope {access}"


def test_narrowed_token(platform, provider, world):
    made = provider.post("/v1/tokens", {"name": "narrow", "role": "tenant-admin",
                                        "scope": "held:write domains:read held:read",
                                        "tenant_id": world.a.id})
    assert made["scope"] == "domains:read held:write"
    client = platform.client(made["token"])
    client.get(f"{world.a.path}/domains")
    client.get(f"{world.a.path}/held")
    client.post(f"{world.a.path}/held/{new_id('hld')}/release", expect=404)
    client.get(f"{world.a.domain_path}/keys", expect=403)
    client.get(world.a.path, expect=403)
    for role, scope in (("billing", "keys:read"), ("auditor", "moon:read"), ("auditor", "keys")):
        assert provider.post("/v1/tokens", {"name": "x", "role": role, "scope": scope},
                             expect=422)["pointer"] == "/scope"


def test_nobody_hands_on_more_than_he_has(platform, provider, world):
    made = provider.post("/v1/tokens", {"name": "maker", "role": "provider-admin",
                                        "scope": "tokens:write domains:write keys:read"})
    maker = platform.client(made["token"])
    for body in ({"role": "provider-admin"}, {"role": "auditor"},
                 {"role": "tenant-viewer", "tenant_id": world.a.id},
                 {"role": "provider-admin", "scope": "keys:write"},
                 {"role": "auditor", "scope": "keys:read held:read"}):
        problem = maker.post("/v1/tokens", {"name": "x", **body}, expect=403)
        assert problem["detail"] == "you may not do all of that yourself"
    less = maker.post("/v1/tokens", {"name": "x", "role": "tenant-admin", "tenant_id": world.a.id,
                                     "scope": "domains:write keys:read"})
    platform.client(less["token"]).get(f"{world.a.path}/domains")
    assert maker.post("/v1/tokens", {"name": "x", "role": "provisioning", "scope": "domains:read"})


def test_only_the_provider_attests(world):
    assert world.a.admin.post(f"{world.a.path}/domains", {"name": "new.test", "environment": "seemail", "attested": True},
                              expect=403)["detail"].startswith("only the role provider-admin attests")


def test_last_use(platform, provider, world):
    """To the minute, and without a row of the audit log."""
    made = provider.post("/v1/tokens", {"name": "used", "role": "tenant-viewer",
                                        "tenant_id": world.a.id})
    assert made["last_used_at"] is None
    client = platform.client(made["token"])

    def last_use():
        return next(t for t in provider.pages("/v1/tokens") if t["id"] == made["id"])["last_used_at"]

    assert last_use() is None
    client.get(world.a.path)
    first = last_use()
    assert abs(timestamp(first) - time.time()) < 60
    client.get(world.a.path)
    assert last_use() == first
    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        cursor.execute("SET app.actor = 'a test'")
        cursor.execute("SET app.now = '2026-11-25T00:00:00Z'")
        cursor.execute("UPDATE api_token SET last_used_at = last_used_at - interval '61 seconds'"
                       " WHERE id = %s", (made["id"],))
    client.get(world.a.path)
    assert last_use() >= first
    changes = [e for e in world.a.viewer.pages(f"{world.a.path}/audit")
               if e["object_id"] == made["id"]]
    assert [e["action"] for e in changes] == ["insert"]


@pytest.mark.parametrize("method,path", [r for r in CLOSED if "{tenant_id}" in r[1]],
                         ids=lambda v: v)
def test_provider_on_what_is_not_there(platform, provider, method, path):
    body = good_body(method, path)
    assert provider.call(method, nowhere(path), body, expect=404).json["detail"] == "no such tenant"


def test_row_level_security_stands_behind(platform, world):
    """What sg_api sees without the API's own conditions: the rows of app.tenant, and no others."""
    with platform.pg.connect("sg_api") as connection, connection.cursor() as cursor:
        connection.autocommit = False
        for table, column in (("tenant", "id"), ("domain", "tenant_id"), ("submitter", "tenant_id"),
                              ("hsm_key", "tenant_id"), ("job", "tenant_id"),
                              ("held_message", "tenant_id"), ("message", "tenant_id"),
                              ("trace_event", "tenant_id"), ("audit", "tenant_id")):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table
            cursor.execute("SELECT set_config('app.tenant', %s, true)", (world.a.id,))
            cursor.execute(f"SELECT DISTINCT {column} FROM {table}")
            assert cursor.fetchall() == [(world.a.id,)], table
            connection.rollback()


def test_cursors_do_not_cross_tenants(world):
    cursor = world.b.viewer.get(f"{world.b.path}/audit", limit=1)["next_cursor"]
    page = world.a.viewer.get(f"{world.a.path}/audit", cursor=cursor)
    assert all(e["tenant_id"] == world.a.id for e in page["data"])
    world.a.viewer.get(f"{world.b.path}/audit", cursor=cursor, expect=404)


# How it runs --------------------------------------------------------------------------------------

def test_pages_are_stable_and_complete(platform, provider):
    tenant = provider.post("/v1/tenants", {"name": "paged"})
    path = f"/v1/tenants/{tenant['id']}/domains"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: provider.post(path, {
            "name": f"d{n}.paged.test", "environment": "seemail", "attested": True}), range(40)))
    names = sorted(d["name"] for d in made)
    for limit in (1, 7, 39, 40, 41, 500):
        got = provider.pages(path, limit=limit)
        assert sorted(d["name"] for d in got) == names
        assert [d["created_at"] for d in got] == sorted(d["created_at"] for d in got)
    first = provider.get(path, limit=7)
    assert len(first["data"]) == 7
    late = provider.post(path, {"name": "late.paged.test", "environment": "seemail",
                                "attested": True})
    rest, cursor = [], first["next_cursor"]
    while cursor:
        page = provider.get(path, limit=7, cursor=cursor)
        rest, cursor = rest + page["data"], page["next_cursor"]
    assert len(first["data"] + rest) == 41 and rest[-1] == late


def test_unix_socket(platform):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(platform.dir / "apid.sock"))
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"status":"ok"}')
    wait_for(lambda: [e for e in platform.events("apid", "request") if e.get("address") == "unix"],
             10, "the line in the log")


def test_log(platform, provider, world):
    """A line a request; no token, no address of mail, no name that the client wrote."""
    secret = f"someone-{new_id('x')}@agency.test"
    reply = provider.call("GET", f"{world.a.path}/messages", query={"sender": secret}, expect=200)
    lost = provider.call("GET", f"/v1/{secret}", expect=404)
    wanted = {reply.headers["X-Request-Id"], lost.headers["X-Request-Id"]}

    def lines():
        found = [e for e in platform.events("apid", "request") if e["request_id"] in wanted]
        return len(found) == 2 and found

    lines = {e["request_id"]: e for e in wait_for(lines, 10, "the lines in the log")}
    line = lines[reply.headers["X-Request-Id"]]
    assert line["route"] == "/v1/tenants/{tenant_id}/messages" and line["status"] == "200"
    assert line["tenant"] == world.a.id and line["token"].startswith("tok_")
    text = platform.log("apid").read_text()
    assert secret not in text and "sgt_" not in text and "@" not in text


def test_database_away(platform, provider, world):
    platform.pg.stop()
    try:
        problem = provider.get("/v1/tenants", expect=503)
        assert "detail" not in problem
        anonymous = platform.anonymous()
        assert anonymous.call("GET", "/readyz", expect=503).headers["Retry-After"] == "1"
        anonymous.get("/healthz")
    finally:
        platform.pg.start()
    wait_for(lambda: provider.call("GET", "/readyz").status == 200, 30, "the database again")
    provider.get("/v1/tenants")
    assert platform.alive("apid")


def test_stops_when_what_is_in_flight_is_done(platform, provider):
    """SIGTERM while a request waits for a lock of the database: it still gets its answer."""
    replies = []
    with platform.pg.connect("sg_owner") as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("LOCK TABLE tenant IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=lambda: replies.append(
            provider.call("POST", "/v1/tenants", {"name": "in flight"})))
        thread.start()
        watcher = platform.pg.connect("sg_owner")

        def waiting():
            with watcher.cursor() as c:
                c.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
                return c.fetchone()

        wait_for(waiting, 10, "the request to wait")
        process = platform.processes["apid"]
        process.terminate()

        def refused():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", platform.port)) != 0

        wait_for(refused, 10, "apid to listen no more")
        assert process.poll() is None
        connection.commit()
        watcher.close()
    thread.join(30)
    assert [r.status for r in replies] == [201]
    assert platform.stop("apid") == 0
    platform.apid_start()


def test_half_a_request_does_not_hold_up_the_end(platform):
    """What was cut off in the middle of its body is no request in flight."""
    with contextlib.ExitStack() as stack:
        for close in (True, False):
            s = socket.create_connection(("127.0.0.1", platform.port))
            s.sendall(b"POST /v1/tenants HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
            s.close() if close else stack.enter_context(s)
        began = time.monotonic()
        assert platform.stop("apid") == 0
        assert time.monotonic() - began < 5
    platform.apid_start()


def test_configuration_is_checked(platform):
    text = (platform.dir / "apid.conf").read_text()
    for bad in (text.replace("127.0.0.1", "0.0.0.0"), text + "colour = red\n",
                text.replace("[http]", "[http]\nthreads = 0"), "[http]\nlisten = x\n"):
        path = platform.write("bad.conf", bad)
        result = subprocess.run([BUILD / "bin/apid", "-c", path, "-t"], capture_output=True,
                                text=True)
        assert result.returncode == 2 and result.stderr.count("\n") == 1
    platform.run(BUILD / "bin/apid", "-c", platform.dir / "apid.conf", "-t")
