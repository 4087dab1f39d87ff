"""Contacts, exceptions, policies, partners' certificates, documents and acknowledgements, held mail in
bulk, and a tenant's life, over the REST API and its jobs. Every answer is held against openapi.yaml."""
import csv
import datetime
import hashlib
import io
import json
import subprocess
import tarfile
import time

import pytest

from apienv import Platform, new_id
from apigen import self_signed
from test_api import held, message

pytestmark = pytest.mark.smoke
DAY = datetime.timedelta(days=1)
DESK = {"role": "security", "organisation": "The Provider", "mailbox": "Security@Provider.test",
        "phone": "+64 4 123 4567"}


@pytest.fixture(scope="module")
def platform():
    with Platform() as p:
        yield p


@pytest.fixture(scope="module")
def provider(platform):
    return platform.client()


@pytest.fixture(scope="module")
def agency(platform):
    return platform.tenant("resources")


@pytest.fixture(scope="module")
def other(platform):
    return platform.tenant("others")


def refused(client, method, path, body, pointer, status=422):
    assert client.call(method, path, body, expect=status).json["pointer"] == pointer


def sql(platform, statement):
    return platform.pg.psql("-tA", "-c", "SET search_path = sealgate; SET app.actor = 'test';"
                            f" SELECT set_config('app.now', now()::text, false); {statement}",
                            database="sealgate")


# Contacts (REQ-143) ---------------------------------------------------------------------------------

def test_contacts_of_the_provider_and_of_a_tenant(platform, provider, agency, other):
    """REQ-143: roles and desks; what is not looked at for long is shown as stale."""
    made = provider.call("POST", "/v1/contacts", DESK, expect=201)
    at = made.headers["Location"]
    assert made.json["mailbox"] == "security@provider.test" and made.json["tenant_id"] is None
    assert provider.get(at) == made.json and not made.json["stale"]
    assert made.json in provider.get("/v1/contacts", role="security")["data"]
    assert provider.get("/v1/contacts", role="billing")["data"] == []
    # Whoever works for a tenant finds the provider's desk, and nothing else of it.
    assert agency.viewer.get(f"{agency.path}/provider-contacts")["data"] == [made.json]
    agency.viewer.call("GET", at, expect=404)

    own = agency.admin.call("POST", f"{agency.path}/contacts", {
        "role": "postmaster", "organisation": "Agency", "mailbox": "postmaster@resources.test",
        "review_days": 1}, expect=201)
    place = own.headers["Location"]
    assert agency.viewer.get(place) == own.json and provider.get(place) == own.json
    other.admin.call("GET", place, expect=404)
    provider.call("GET", place.replace(agency.id, other.id), expect=404)
    agency.viewer.call("POST", f"{agency.path}/contacts", DESK, expect=403)
    assert agency.admin.get(f"{agency.path}/contacts", stale="true")["data"] == []
    sql(platform, f"UPDATE contact SET reviewed_at = reviewed_at - interval '2 days' WHERE id = '{own.json['id']}'")
    late, = agency.admin.get(f"{agency.path}/contacts", stale="true")["data"]
    assert late["stale"] and late["id"] == own.json["id"]
    assert not agency.admin.post(f"{place}/review", expect=200)["stale"]
    assert agency.admin.get(f"{agency.path}/contacts", stale="true")["data"] == []
    changed = agency.admin.put(place, {**DESK, "mailbox": "duty@resources.test"})
    assert changed["mailbox"] == "duty@resources.test" and changed["review_days"] == 180
    agency.admin.delete(place)
    agency.admin.call("GET", place, expect=404)
    assert not provider.post(f"{at}/review", expect=200)["stale"]
    assert provider.put(at, DESK)["role"] == "security"
    provider.delete(at)


@pytest.mark.parametrize("mailbox", ["jane.doe@provider.test", "j.doe@provider.test", "jane_doe@provider.test",
                                     "jane-doe@provider.test", "āwhina.tane@provider.test"])
def test_a_contact_is_no_person(provider, mailbox):
    """REQ-143: without personal data."""
    refused(provider, "POST", "/v1/contacts", {**DESK, "mailbox": mailbox}, "/mailbox")
    made = provider.post("/v1/contacts", {**DESK, "mailbox": mailbox, "role_mailbox": True})
    provider.delete(f"/v1/contacts/{made['id']}")


@pytest.mark.parametrize("mailbox", ["security.team@provider.test", "it-support@provider.test", "noc@provider.test",
                                     "desk4.north@provider.test"])
def test_a_role_needs_no_statement(provider, mailbox):
    provider.delete(f"/v1/contacts/{provider.post('/v1/contacts', {**DESK, 'mailbox': mailbox})['id']}")


@pytest.mark.parametrize("field,value", [("mailbox", "nobody"), ("mailbox", "a@b@c.test"), ("mailbox", "a@localhost"),
                                         ("mailbox", "A <a@b.test>"), ("phone", "call me"), ("phone", "+"),
                                         ("role", "friend"), ("review_days", 0), ("review_days", 731)])
def test_contacts_are_checked(provider, field, value):
    refused(provider, "POST", "/v1/contacts", {**DESK, field: value}, f"/{field}")


# Whom a domain trusts -------------------------------------------------------------------------------

def test_exceptions(provider, agency, other):
    """REQ-91: S/MIME partners outside Secure Email, a domain's own list."""
    path = f"{agency.domain_path}/exceptions"
    made = provider.call("POST", path, {"partner": "Bank.Example.Test", "description": "salaries"}, expect=201)
    at = made.headers["Location"]
    assert made.json["partner"] == "bank.example.test" and agency.viewer.get(at) == made.json
    refused(provider, "POST", path, {"partner": "bank.example.test"}, "/partner", 409)
    refused(provider, "POST", path, {"partner": "*.test"}, "/partner")
    agency.admin.call("POST", path, {"partner": "own.test"}, expect=403)
    other.admin.call("GET", at, expect=404)
    assert agency.viewer.get(path)["data"] == [made.json]
    provider.delete(at)
    provider.call("DELETE", at, expect=404)


def test_roots_of_a_domain(provider, agency, other):
    """REQ-180: further roots, of a domain alone."""
    path, pem = f"{agency.domain_path}/trust-anchors", self_signed("A Root of a Domain")
    made = provider.call("POST", path, {"pem": pem}, expect=201)
    refused(provider, "POST", path, {"pem": pem}, "/pem", 409)
    assert [a["id"] for a in agency.viewer.get(path)["data"]] == [made.json["id"]]
    assert made.json not in provider.pages("/v1/trust-anchors")
    assert provider.get(f"{other.domain_path}/trust-anchors")["data"] == []
    provider.delete(made.headers["Location"])
    assert agency.viewer.get(path)["data"] == []


def test_partner_certificates(platform, provider, agency):
    """Found or added by hand; what an administrator refused is not used, and stays refused."""
    pem = self_signed("domain-confidentiality-authority")
    made = provider.call("POST", "/v1/partner-certificates",
                         {"domain": "Partner.test", "pem": pem, "origin": "letter of 3 May"}, expect=201)
    at = made.headers["Location"]
    assert (made.json["domain"], made.json["source"], made.json["state"]) == ("partner.test", "api", "active")
    assert provider.get(at) == made.json and made.json["pem"].strip() == pem.strip()
    body = {"domain": "partner.test", "pem": pem, "origin": "again"}
    refused(provider, "POST", "/v1/partner-certificates", body, "/pem", 409)
    refused(provider, "POST", "/v1/partner-certificates", {**body, "pem": "-----BEGIN"}, "/pem")
    agency.admin.call("GET", at, expect=404)
    assert provider.get("/v1/partner-certificates", domain="partner.test")["data"] == [made.json]
    assert provider.get("/v1/partner-certificates", domain="nobody.test")["data"] == []
    assert provider.post(f"{at}/refuse", expect=200)["state"] == "refused"
    assert [c["id"] for c in provider.get("/v1/partner-certificates", state="refused")["data"]] == [made.json["id"]]
    assert provider.post(f"{at}/approve", expect=200)["state"] == "active"
    provider.delete(at)
    provider.call("GET", at, expect=404)


# Policies -------------------------------------------------------------------------------------------

def values(policy):
    return {v["name"]: (v["value"], v["from"]) for v in policy["effective"]}


ACTING = {
    "attachment_scanning",
    "changed_certificate",
    "classification_approval",
    "discovery_approval",
    "hold_lifetime_hours",
    "hold_retry_minutes",
    "notice_form",
    "require_acknowledgements",
    "seal_to_correspondents",
    "undecodable_action",
    "unknown_encrypted",
    "unverified_action",
    "unverified_form",
    "weak_algorithms",
}


def test_policies_are_inherited(provider, agency, other):
    tenant, domain = f"{agency.path}/policy", f"{agency.domain_path}/policy"
    assert values(provider.get(domain))["hold_lifetime_hours"] == (None, "default")
    provider.put("/v1/policy", {"hold_lifetime_hours": 72, "notice_form": "brief"})
    provider.put(tenant, {"hold_lifetime_hours": 48})
    assert provider.put(domain, {"attachment_scanning": True})["settings"] == {"attachment_scanning": True}
    shown = agency.viewer.get(domain)
    assert shown["level"] == "domain"
    assert {k: v for k, v in values(shown).items() if v[1] != "default"} == {
        "hold_lifetime_hours": (48, "tenant"), "notice_form": ("brief", "platform"),
        "attachment_scanning": (True, "domain")}
    assert values(other.viewer.get(f"{other.domain_path}/policy"))["hold_lifetime_hours"] == (72, "platform")
    assert values(provider.get("/v1/policy"))["hold_lifetime_hours"] == (72, "platform")
    # What acts, and what is kept for later, can be told apart.
    acting = {v["name"] for v in shown["effective"] if not v["reserved"]}
    assert ACTING <= acting
    agency.admin.call("PUT", domain, {}, expect=403)
    agency.viewer.call("GET", "/v1/policy", expect=404)
    for path in (domain, tenant, "/v1/policy"):
        assert provider.put(path, {})["settings"] == {}
    assert values(provider.get(domain))["hold_lifetime_hours"] == (None, "default")


@pytest.mark.parametrize("body", [{"hold_lifetime_hours": 0}, {"hold_lifetime_hours": 1441}, {"notice_form": "loud"},
                                  {"administrator_address": "nobody"}, {"notice_addition": "x" * 1001}, {"notice_burst": 0},
                                  {"attachment_scanning": "yes"}, {"crl_bypass_until": "2020-01-01T00:00:00Z"},
                                  {"crl_bypass_until": "2099-01-01T00:00:00Z"}, {"require_acknowledgements": True},
                                  {"classification_approval": True}])
def test_policies_are_checked(provider, agency, body):
    refused(provider, "PUT", f"{agency.path}/policy", body, "/" + next(iter(body)))


def test_a_bypass_has_an_end(provider, agency):
    """REQ-59: within 30 days."""
    until = (datetime.datetime.utcnow() + 29 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = provider.put(f"{agency.domain_path}/policy", {"crl_bypass_until": until})
    assert values(shown)["crl_bypass_until"] == (until, "domain")
    provider.call("PUT", f"{agency.path}/policy", {"colour": "red"}, expect=400)
    provider.put(f"{agency.domain_path}/policy", {})


def test_grace_and_bypass_act(provider):
    """REQ-40, 59: both are settings of a domain that something acts on."""
    acting = {v["name"] for v in provider.get("/v1/policy")["effective"] if not v["reserved"]}
    assert {"crl_grace_hours", "crl_bypass_until"} <= acting


def test_bypass_of_a_certificate(platform, provider, agency):
    """REQ-59: with its reason, its end, and who asked for it; audited; nobody's but the platform's."""
    sha256 = hashlib.sha256(new_id("crt").encode()).hexdigest()
    ends = (datetime.datetime.utcnow() + DAY).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    body = {"sha256": ":".join(sha256.upper()[i:i + 2] for i in range(0, 64, 2)), "reason": "The CA has burnt down",
            "ends_at": ends}
    answer = provider.call("POST", "/v1/crl-bypasses", body, expect=201)
    made = answer.json
    assert (made["sha256"], made["reason"], made["ends_at"]) == (sha256, body["reason"], ends)
    assert made["actor"].startswith("token:tok_")
    assert provider.get(answer.headers["Location"]) == made
    assert made in provider.pages("/v1/crl-bypasses")
    kept, = json.loads(sql(platform, "SELECT json_agg(after) FROM audit WHERE object = 'crl_bypass' AND action = 'insert'"
                           f" AND object_id = '{made['id']}'").splitlines()[-1])
    assert (kept["reason"], kept["actor"]) == (body["reason"], made["actor"])
    provider.call("DELETE", answer.headers["Location"], expect=204)
    provider.call("GET", answer.headers["Location"], expect=404)
    for wrong, pointer in (({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"), ({"ends_at": "2099-01-01T00:00:00Z"}, "/ends_at"),
                           ({"reason": ""}, "/reason"), ({"sha256": "00" * 31}, "/sha256")):
        refused(provider, "POST", "/v1/crl-bypasses", {**body, **wrong}, pointer)
    agency.admin.call("POST", "/v1/crl-bypasses", body, expect=404)
    agency.viewer.call("GET", "/v1/crl-bypasses", expect=404)


def test_what_a_partner_can_do_is_set_by_hand(platform, provider, agency):
    """REQ-84: one row a domain, replaced as a whole; nobody's but the platform's."""
    body = {"domain": "hand.test", "capabilities": ["aes256-gcm", "rsa-oaep"], "reason": "Their operator says so"}
    made = provider.put("/v1/partner-capabilities", body)
    assert (made["domain"], made["by_hand"], made["learned"]) == ("hand.test", body["capabilities"], [])
    assert provider.put("/v1/partner-capabilities", {**body, "capabilities": ["aes128-cbc"]})["id"] == made["id"]
    path = f"/v1/partner-capabilities/{made['id']}"
    assert provider.get(path)["capabilities"] == ["aes128-cbc"]
    assert [row["id"] for row in provider.pages("/v1/partner-capabilities", domain="hand.test")] == [made["id"]]
    provider.call("DELETE", path, expect=204)
    provider.call("GET", path, expect=404)
    for wrong, pointer in (({"domain": "hand"}, "/domain"), ({"capabilities": ["rot13"]}, "/capabilities/0"),
                           ({"capabilities": []}, "/capabilities")):
        refused(provider, "PUT", "/v1/partner-capabilities", {**body, **wrong}, pointer)
    agency.admin.call("PUT", "/v1/partner-capabilities", body, expect=404)


# Documents ------------------------------------------------------------------------------------------

def document(**more):
    return {"kind": "terms", "title": "Terms of use", "version": new_id("doc"), "text": "Be good.", **more}


def test_documents_and_acknowledgements(provider, agency, other):
    """REQ-157: what was acknowledged, of which version and text, in which function, when."""
    body = document(required=True)
    made = provider.call("POST", "/v1/documents", body, expect=201).json
    assert made["sha256"] == hashlib.sha256(b"Be good.").hexdigest() and made["text"] == "Be good."
    refused(provider, "POST", "/v1/documents", body, "/version", 409)
    assert made["id"] in [d["id"] for d in provider.pages("/v1/documents")]
    assert provider.get(f"/v1/documents/{made['id']}") == made
    wanting = agency.admin.get(f"{agency.path}/documents", outstanding="true")["data"]
    assert [d["id"] for d in wanting] == [made["id"]] and wanting[0]["acknowledged_at"] is None
    assert agency.viewer.get(f"{agency.path}/documents/{made['id']}")["text"] == "Be good."
    path = f"{agency.path}/acknowledgements"
    given = {"document_id": made["id"], "sha256": made["sha256"], "role": "Chief Information Officer"}
    refused(agency.admin, "POST", path, {**given, "sha256": "0" * 64}, "/document_id")
    agency.viewer.call("POST", path, given, expect=403)
    done = agency.admin.call("POST", path, given, expect=201).json
    assert (done["role"], done["version"]) == ("Chief Information Officer", made["version"])
    refused(agency.admin, "POST", path, given, "/document_id", 409)
    assert agency.viewer.get(path)["data"] == [done]
    assert agency.admin.get(f"{agency.path}/documents", outstanding="true")["data"] == []
    assert other.viewer.get(f"{other.path}/acknowledgements")["data"] == []
    assert len(other.admin.get(f"{other.path}/documents", outstanding="true")["data"]) == 1
    assert provider.post(f"/v1/documents/{made['id']}/withdraw", expect=200)["withdrawn_at"]
    provider.call("POST", f"/v1/documents/{made['id']}/withdraw", expect=409)
    assert other.admin.get(f"{other.path}/documents", outstanding="true")["data"] == []


@pytest.mark.parametrize("kind", ["shared-mailbox", "consent", "electronic-signature", "integrity", "identity"])
def test_each_kind_is_acknowledged(provider, agency, kind):
    """REQ-155 (shared mailboxes), REQ-185 to 188: which text was acknowledged, in which function, and when, is on record by its kind."""
    made = provider.post("/v1/documents", document(kind=kind))
    given = {"document_id": made["id"], "sha256": made["sha256"], "role": "Director"}
    done = agency.admin.call("POST", f"{agency.path}/acknowledgements", given, expect=201).json
    mine = [a for a in agency.viewer.pages(f"{agency.path}/acknowledgements") if a["document_id"] == made["id"]]
    assert mine == [done] and (done["kind"], done["sha256"], done["role"]) == (kind, made["sha256"], "Director")
    assert done["created_at"]
    provider.post(f"/v1/documents/{made['id']}/withdraw", expect=200)


@pytest.mark.parametrize("more,pointer", [
    ({"url": "https://provider.test/terms"}, "/text"), ({"text": ""}, "/text"),
    ({"text": "", "url": "http://provider.test/"}, "/url"), ({"text": "", "url": "https://provider.test/"}, "/sha256"),
    ({"sha256": "0" * 64}, "/sha256"), ({"kind": "poem"}, "/kind")])
def test_documents_are_checked(provider, more, pointer):
    refused(provider, "POST", "/v1/documents", document(**more), pointer)


def test_a_tenant_waits_for_its_acknowledgements(platform, provider):
    """REQ-157: where the platform wants it so, a new tenant carries no mail before."""
    provider.put("/v1/policy", {"require_acknowledgements": True})
    docs = [provider.post("/v1/documents", document(required=True, title=f"Part {n}")) for n in (1, 2)]
    later = provider.post("/v1/documents", document(required=True, title="Later", valid_from="2099-01-01T00:00:00Z"))
    tenant = platform.tenant("waiting")
    assert tenant.row["state"] == "pending"
    mine = lambda: sql(platform, "SELECT count(*) FROM postfix_domain WHERE name = 'waiting.test'").strip()[-1]  # noqa: E731
    for n, doc in enumerate(docs):
        assert provider.get(tenant.path)["state"] == "pending" and mine() == "0"
        tenant.admin.post(f"{tenant.path}/acknowledgements",
                          {"document_id": doc["id"], "sha256": doc["sha256"], "role": "Director"})
    assert provider.get(tenant.path)["state"] == "active" and mine() == "1"
    provider.put("/v1/policy", {})
    for doc in (*docs, later):
        provider.post(f"/v1/documents/{doc['id']}/withdraw", expect=200)


# Tenants' life --------------------------------------------------------------------------------------

def test_another_systems_reference(provider, agency):
    made = provider.post("/v1/tenants", {"name": "Billed Agency", "external_ref": "customer 4711"})
    at = f"/v1/tenants/{made['id']}"
    assert provider.get("/v1/tenants", external_ref="customer 4711")["data"] == [made]
    refused(provider, "POST", "/v1/tenants", {"name": "Twin", "external_ref": "customer 4711"}, "/external_ref", 409)
    refused(provider, "PATCH", agency.path, {"external_ref": "customer 4711"}, "/external_ref", 409)
    changed = provider.call("PATCH", at, {"name": "Renamed Agency"}, expect=200).json
    assert (changed["name"], changed["external_ref"]) == ("Renamed Agency", "customer 4711")
    assert provider.get("/v1/tenants", name="Renamed Agency", state="active")["data"] == [changed]
    assert provider.get("/v1/tenants", name="Billed Agency")["data"] == []
    assert provider.get("/v1/tenants", name="Renamed Agency", state="suspended")["data"] == []
    assert provider.call("PATCH", at, {"external_ref": ""}, expect=200).json["external_ref"] is None
    agency.admin.call("PATCH", agency.path, {"name": "Mine"}, expect=403)


def test_suspended_and_resumed(platform, provider):
    """REQ-142: with a reason; its tokens are refused meanwhile. (The mail: test_mail_suspended.py.)"""
    tenant = platform.tenant("suspended")
    refused(provider, "POST", f"{tenant.path}/suspend", {"reason": ""}, "/reason")
    shown = provider.post(f"{tenant.path}/suspend", {"reason": "unpaid"}, expect=200)
    assert (shown["state"], shown["state_reason"]) == ("suspended", "unpaid")
    tenant.admin.call("GET", tenant.path, expect=403)
    provider.call("POST", f"{tenant.path}/suspend", {"reason": "again"}, expect=409)
    shown = provider.post(f"{tenant.path}/resume", expect=200)
    assert (shown["state"], shown["state_reason"]) == ("active", "")
    provider.call("POST", f"{tenant.path}/resume", expect=409)
    tenant.admin.get(tenant.path)


def test_cancelled_with_notice(platform, provider):
    """It works until the notice period is over, and may be withdrawn till then."""
    tenant = platform.tenant("leaving")
    shown = provider.post(f"{tenant.path}/cancellation", {"reason": "moves away"}, expect=200)
    begun, ends = (datetime.datetime.fromisoformat(shown[k].rstrip("Z")) for k in ("cancelled_at", "ends_at"))
    assert shown["state"] == "active" and ends - begun == 30 * DAY
    provider.call("POST", f"{tenant.path}/cancellation", {"reason": "again"}, expect=409)
    assert provider.call("DELETE", f"{tenant.path}/cancellation", expect=200).json["ends_at"] is None
    provider.call("DELETE", f"{tenant.path}/cancellation", expect=409)
    tenant.admin.get(tenant.path)


def test_cancelled_for_abuse(platform, provider, other):
    """REQ-142: at once. Domains, submitters, tokens go; the keys stay (REQ-189); others are not touched."""
    tenant = platform.tenant("abuser")
    for t, network in ((tenant, "192.0.2.0/25"), (other, "192.0.2.128/25")):
        provider.post(f"{t.path}/submitters", {"kind": "network", "network": network})
    key = tenant.admin.post(f"{tenant.domain_path}/keys", {"algorithm": "rsa-2048", "kind": "wrapped"}, expect=202)
    tenant.admin.job(f"{tenant.path}/jobs/{key['job']['id']}")
    provider.post(f"{tenant.path}/cancellation", {"reason": "spam", "notice_days": 0}, expect=200)
    job = next(j for j in provider.get(f"{tenant.path}/jobs")["data"] if j["kind"] == "tenant.close")
    assert provider.job(f"{tenant.path}/jobs/{job['id']}")["result"] == {"closed": True}
    shown = provider.get(tenant.path)
    assert shown["state"] == "closed" and shown["closed_at"] and shown["state_reason"] == "spam"
    assert provider.get(tenant.domain_path)["state"] == "revoked"
    assert provider.get(f"{tenant.path}/submitters")["data"] == []
    assert provider.get(f"{tenant.domain_path}/keys")["data"][0]["state"] == "active"
    tenant.admin.call("GET", tenant.path, expect=401)
    provider.call("POST", f"{tenant.path}/resume", expect=409)
    assert other.admin.get(other.domain_path)["state"] == "attested"
    assert len(other.admin.get(f"{other.path}/submitters")["data"]) == 1


def test_the_end_of_a_notice_period_is_noticed(platform, provider):
    """The sweep makes the job that closes it, once."""
    tenant = platform.tenant("ended")
    provider.post(f"{tenant.path}/cancellation", {"reason": "moves", "notice_days": 1}, expect=200)
    sql(platform, "UPDATE tenant SET ends_at = now() - interval '1 minute' WHERE name = 'ended'")
    sql(platform, "INSERT INTO job (id, kind, payload, state, max_attempts, run_at, created_at)"
        f" VALUES ('{new_id('job')}', 'tenant.sweep', '{{}}', 'queued', 3, now(), now())")
    end = time.monotonic() + 30
    while provider.get(tenant.path)["state"] != "closed":
        assert time.monotonic() < end
        time.sleep(0.1)


# Held mail in bulk ----------------------------------------------------------------------------------

def feed_held(platform, tenant, sender, count):
    ids = [new_id("hld") for _ in range(count)]
    msgs = [new_id("msg") for _ in ids]
    platform.feed(*[message(m, tenant.id) for m in msgs],
                  *[{**held(i, m, tenant), "sender": sender} for i, m in zip(ids, msgs)])
    return ids


def test_held_mail_in_bulk(platform, provider, agency, other):
    """REQ-56: by filter, as a job, of this tenant alone."""
    mine = feed_held(platform, agency, "joe@resources.test", 3) + feed_held(platform, agency, "ann@resources.test", 2)
    theirs = feed_held(platform, other, "joe@resources.test", 1)
    path = f"{agency.path}/held"
    listed = agency.viewer.get(path, sender="joe@resources.test", recipient_domain="recipient.test",
                               domain_id=agency.domain["id"])["data"]
    assert {h["id"] for h in listed} == set(mine[:3])
    assert agency.viewer.get(path, recipient_domain="nobody.test")["data"] == []
    assert agency.viewer.get(path, reason="999")["data"] == []
    refused(agency.admin, "POST", f"{agency.path}/held-actions", {"action": "delete"}, "/all")
    refused(agency.admin, "POST", f"{agency.path}/held-actions", {"action": "delete", "all": True, "sender": "x@y.test"}, "/all")
    agency.viewer.call("POST", f"{agency.path}/held-actions", {"action": "delete", "all": True}, expect=403)

    def bulk(**body):
        made = agency.admin.call("POST", f"{agency.path}/held-actions", body, expect=202)
        return agency.admin.job(made.headers["Location"])["result"]

    assert bulk(action="retry", sender="joe@resources.test") == {"count": 3}
    assert bulk(action="delete", sender="joe@resources.test") == {"count": 3}
    states = {h["id"]: h["state"] for h in agency.viewer.pages(path)}
    assert [states[i] for i in mine] == ["deleted"] * 3 + ["held"] * 2
    assert bulk(action="release", all=True) == {"count": 2}
    assert bulk(action="delete", all=True) == {"count": 2}
    assert bulk(action="delete", all=True) == {"count": 0}
    assert sql(platform, f"SELECT count(*) FROM held_chunk WHERE tenant_id = '{agency.id}'").strip()[-1] == "0"
    assert provider.get(f"{other.path}/held/{theirs[0]}")["state"] == "held"


def test_nothing_is_deleted_while_a_legal_hold_stands(platform, provider, agency):
    """REQ-117: neither one by one nor in bulk, nor by a job that was asked for before."""
    one, two = feed_held(platform, agency, "wanted@resources.test", 2)
    hold = provider.post(f"{agency.path}/legal-holds", {"words": "Case 3"})["id"]
    everything = {"action": "delete", "sender": "wanted@resources.test"}
    for method, path, body in (("DELETE", f"{agency.path}/held/{one}", None),
                               ("POST", f"{agency.path}/held-actions", everything)):
        for client in agency.admin, provider:
            assert client.call(method, path, body, expect=409).json["detail"].startswith("a legal hold stands")
    job = new_id("job")
    sql(platform, "INSERT INTO job (id, tenant_id, kind, payload, state, max_attempts, run_at, created_at) VALUES"
        f" ('{job}', '{agency.id}', 'held.bulk', jsonb_build_object('tenant_id', '{agency.id}', 'action', 'delete',"
        " 'until', (extract(epoch FROM now()) * 1000000)::int8), 'queued', 3, now(), now())")
    assert "a legal hold stands" in agency.admin.job(f"{agency.path}/jobs/{job}", "dead")["last_error"]
    assert sql(platform, f"SELECT count(*) FROM held_chunk WHERE held_id IN ('{one}', '{two}')").strip()[-1] == "4"
    agency.admin.post(f"{agency.path}/held/{one}/release", expect=200)
    provider.delete(f"{agency.path}/legal-holds/{hold}")
    agency.admin.delete(f"{agency.path}/held/{one}")
    agency.admin.delete(f"{agency.path}/held/{two}")


def test_a_release_does_not_break_a_lease(platform, provider, agency):
    """A running attempt has the message for itself: a release meanwhile makes no second one."""
    one, = feed_held(platform, agency, "lease@resources.test", 1)
    release = f"{agency.path}/held/{one}/release"
    platform.feed({"claim_held": 100})  # whatever else is due
    agency.admin.post(release, expect=200)
    assert platform.feed({"claim_held": 100}).split() in ([one], [])
    for _ in range(2):
        agency.admin.post(release, expect=200)
        assert platform.feed({"claim_held": 100}).split() == []
    # A worker that was killed loses it when the lease has run out.
    sql(platform, f"UPDATE held_message SET leased_until = now() WHERE id = '{one}'")
    assert platform.feed({"claim_held": 100}).split() == [one]


# What other things hang on -------------------------------------------------------------------------

def test_what_something_hangs_on_is_not_deleted(platform, provider, agency):
    """A claim with settings or exceptions of its own, a directory to which an authority publishes: 409 in words."""
    for name, path, body in (("set.test", "policy", {"hold_lifetime_hours": 5}),
                             ("except.test", "exceptions", {"partner": "partner.test"})):
        claim = agency.admin.post(f"{agency.path}/domains", {"name": name, "environment": "seemail"})
        at = f"{agency.path}/domains/{claim['id']}"
        assert provider.call("PUT" if path == "policy" else "POST", f"{at}/{path}", body).status < 300
        assert "revoked instead" in agency.admin.delete(at, expect=409)["detail"]
        assert agency.admin.post(f"{at}/revoke", expect=200)["state"] == "revoked"
    directory = provider.post("/v1/directory-sources", {"url": "ldaps://in-use.test"})
    authority = provider.post("/v1/authorities", {"name": "Publishes", "method": "manual",
                                                  "directory_id": directory["id"]})
    at = f"/v1/directory-sources/{directory['id']}"
    assert provider.delete(at, expect=409)["detail"] == "an authority publishes there"
    provider.delete(f"/v1/authorities/{authority['id']}")
    provider.delete(at)


def test_no_compromise_of_what_is_not_owned(provider, agency):
    """REQ-135, REQ-144: a mere claim makes no breach with another's name in it."""
    claim = agency.admin.post(f"{agency.path}/domains", {"name": "victim.test", "environment": "seemail"})
    at = f"{agency.path}/domains/{claim['id']}"
    problem = agency.admin.post(f"{at}/compromise", {"reason": "gossip"}, expect=409)
    assert problem["detail"] == "the domain is pending: it never had a key in service"
    assert provider.get(f"{at}/compromises")["data"] == []
    agency.admin.delete(at)


# Off-boarding (REQ-156) -----------------------------------------------------------------------------

def fetched(platform, provider, path):
    """An export's files, each held against the manifest."""
    made = provider.call("POST", f"{path}/exports", expect=202)
    provider.job(made.headers["Location"])
    at = f"{path}/exports/{made.json['export']['id']}"
    shown = provider.get(at)
    assert shown["state"] == "ready" and shown in provider.get(f"{path}/exports")["data"]
    content = provider.call("GET", f"{at}/content", expect=200)
    assert len(content.text) == shown["size_bytes"]
    assert hashlib.sha256(content.text).hexdigest() == shown["sha256"]
    plain = subprocess.run(["zstd", "-dc"], input=content.text, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    manifest = json.loads(files.pop("manifest.json"))
    assert [f["file"] for f in manifest["files"]] == list(files)
    for f in manifest["files"]:
        assert (len(files[f["file"]]), hashlib.sha256(files[f["file"]]).hexdigest()) == (f["size_bytes"], f["sha256"])
    return at, files, {f["file"]: f["rows"] for f in manifest["files"]}


def test_export_is_complete_and_ones_own(platform, provider, agency, other):
    """REQ-156: everything of a tenant, nothing of another; as many messages as there are, over pages."""
    count = 450
    platform.feed(*[message(new_id("msg"), agency.id, sender='"a,b"@resources.test') for _ in range(count)])
    formula, plus = message(new_id("msg"), agency.id), "+64@resources.test"
    formula |= {"sender": "=cmd|' /c calc'!a1@evil.test", "message_id": "@SUM(1+1)"}
    formula["recipients"][0]["recipient"] = plus
    platform.feed(formula)
    for tenant in (agency, other):
        feed_held(platform, tenant, "export@resources.test", 1)
        provider.post(f"{tenant.path}/contacts", {"role": "abuse", "organisation": tenant.row["name"],
                                                  "mailbox": f"abuse@{tenant.row['name']}.test"})
        sql(platform, "INSERT INTO incident VALUES"
            f" ('{new_id('inc')}', '{tenant.id}', NULL, 'domain.suspended', 'warning', 'open',"
            f" 'of {tenant.row['name']}.test', '{{}}', 'export {tenant.id}', 1, now(), now())")
        sql(platform, "INSERT INTO usage_month SELECT" f" '{tenant.id}', '2026-01-01', n, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,"
            " 1, 1, 'UTC', '', now() FROM generate_series(0, 1) AS n")
        made = provider.call("POST", f"{tenant.path}/reports", {"kind": "usage", "period": "2026-01"}, expect=202)
        provider.job(made.headers["Location"])
    at, files, rows = fetched(platform, provider, agency.path)
    assert rows["usage.jsonl"] == 2 and rows["incidents.jsonl"] >= 1 and rows["reports.jsonl"] == 1
    messages = [json.loads(line) for line in files["messages.jsonl"].splitlines()]
    here = {m["id"] for m in agency.viewer.pages(f"{agency.path}/messages", limit=500)}
    assert {m["id"] for m in messages} == here and len(messages) == len(here) == rows["messages.jsonl"] > count
    lines = list(csv.DictReader(io.StringIO(files["messages.csv"].decode())))
    assert len(lines) == sum(len(m["recipients"]) for m in messages)
    assert {line["id"] for line in lines} == here and '"a,b"@resources.test' in {line["sender"] for line in lines}
    # What others wrote is no formula of a spreadsheet; the lines of JSON have it as it was.
    line, = [line for line in lines if line["id"] == formula["id"] and plus in line["recipient"]]
    assert (line["sender"], line["recipient"], line["message_id"]) == (
        "'=cmd|' /c calc'!a1@evil.test", "'" + plus, "'@SUM(1+1)")
    assert [m["sender"] for m in messages if m["id"] == formula["id"]] == [formula["sender"]]
    for name in ("tenant", "domains", "contacts", "policies", "tokens", "held", "held_content", "audit"):
        assert rows[f"{name}.jsonl"] >= 1, name
        for line in files[f"{name}.jsonl"].splitlines():
            json.loads(line)
    whole = b"".join(files.values())
    for secret in (other.id, other.domain["id"], other.row["name"] + ".test", b'"hash"'):
        assert (secret if isinstance(secret, bytes) else secret.encode()) not in whole, secret
    agency.viewer.call("GET", f"{at}/content", expect=403)
    assert len(agency.admin.call("GET", f"{at}/content", expect=200).text) == agency.viewer.get(at)["size_bytes"]
    other.admin.call("GET", f"{at}/content", expect=404)
    other.admin.call("GET", at, expect=404)
    # A token that reads a part of what is in there does not get the whole by this way.
    for role, place in (("provider-admin", {}), ("tenant-admin", {"tenant_id": agency.id})):
        part = provider.post("/v1/tokens", {"name": "part", "role": role, "scope": "tenants:read tokens:write", **place})
        platform.client(part["token"]).call("GET", f"{at}/content", expect=403)
    # REQ-175: the tenant sees that the provider has read it.
    read = [e for e in agency.viewer.pages(f"{agency.path}/audit", object="tenant_export") if e["action"] == "read"]
    assert [(e["object_id"], e["actor"].endswith(" the tests")) for e in read] == [(at.rpartition("/")[2], True)]
    provider.call("GET", f"{at.replace(agency.id, other.id)}/content", expect=404)


def test_an_export_is_of_one_worker(platform, provider, agency):
    """A worker that lost its job and goes on writing does not write into what the next one makes."""
    platform.stop("tenantd")
    made = provider.call("POST", f"{agency.path}/exports", expect=202)
    at = f"{agency.path}/exports/{made.json['export']['id']}"
    lost = open(platform.dir / "exports" / f"{made.json['export']['id']}.tar.zst.part", "wb", buffering=0)
    with lost:
        lost.write(b"the first part of it")
        platform.tenantd_start()
        provider.job(made.headers["Location"])
        lost.write(b"and the next")
        shown, content = provider.get(at), provider.call("GET", f"{at}/content", expect=200).text
        assert shown["state"] == "ready" and hashlib.sha256(content).hexdigest() == shown["sha256"]


def test_export_expires(platform, provider, other):
    at, _, _ = fetched(platform, provider, other.path)
    name = f"{at.rpartition('/')[2]}.tar.zst"
    assert (platform.dir / "exports" / name).exists()
    sql(platform, f"UPDATE tenant_export SET expires_at = now() - interval '1 minute' WHERE tenant_id = '{other.id}'")
    provider.call("GET", f"{at}/content", expect=409)
    sql(platform, "INSERT INTO job (id, kind, payload, state, max_attempts, run_at, created_at)"
        f" VALUES ('{new_id('job')}', 'export.clean', '{{}}', 'queued', 3, now(), now())")
    end = time.monotonic() + 30
    while (platform.dir / "exports" / name).exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    assert provider.get(at)["state"] == "expired"
    assert list((platform.dir / "exports").glob("*.part")) == []


def test_all_is_audited(provider, agency):
    seen = {(e["object"], e["action"]) for e in provider.pages(f"{agency.path}/audit")}
    assert {("contact", "insert"), ("contact", "delete"), ("smime_exception", "insert"), ("policy", "update"),
            ("domain_anchor", "delete"), ("acknowledgement", "insert")} <= seen


def test_egress_networks_are_one_set(provider):
    """REQ-125: replaced as a whole; each once, in its shortest form."""
    networks = ["192.0.2.0/24", "2001:db8::/32"]
    assert sorted(provider.put("/v1/egress", {"networks": networks})["networks"]) == sorted(networks)
    assert sorted(provider.get("/v1/egress")["networks"]) == sorted(networks)
    assert provider.put("/v1/egress", {"networks": []})["networks"] == []
