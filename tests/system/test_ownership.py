"""Whose a domain is: REQ-135 over a real DNS with DNSSEC (Knot), REQ-182 over a real mail server; tenantd
and apid with a clock that is set forward."""
import email
import email.policy
import re
import time

import pytest

from apienv import Platform
from sealgate.mailserver import MailServer
from sealgate.process import wait_for

DAY = 86400
LABEL = "_sealgate-challenge"


class World:
    def __init__(self, platform):
        self.platform, self.dns, self.ahead = platform, platform.dns, 0
        self.provider = platform.client()
        self.tenants = 0

    def forward(self, seconds):
        self.ahead += int(seconds)
        self.platform.clock_set(self.ahead)

    def tenant(self):
        self.tenants += 1
        return self.platform.tenant(f"owner-{self.tenants}")

    def claim(self, tenant, name, **more):
        made = tenant.admin.post(f"{tenant.path}/domains",
                                 {"name": name, "environment": "seemail", **more})
        return Domain(self, tenant, made)


class Domain:
    def __init__(self, world, tenant, row):
        self.world, self.tenant, self.name = world, tenant, row["name"]
        self.path, self.record = f"{tenant.path}/domains/{row['id']}", f"{LABEL}.{row['name']}"
        self.id = row["id"]

    @property
    def state(self):
        return self.tenant.admin.get(self.path)["state"]

    @property
    def verification(self):
        return self.tenant.admin.get(f"{self.path}/verification")

    @property
    def value(self):
        return self.verification["challenge"]["value"]

    def publish(self, *values):
        self.world.dns.set_txt(self.record, *(values or [self.value]))

    def look(self):
        """Looks now; the verification afterwards."""
        accepted = self.tenant.admin.call("POST", f"{self.path}/verification/check", expect=202)
        self.tenant.admin.job(accepted.headers["Location"])
        return self.verification

    def due(self, seconds):
        """The clock moves on, and the schedule alone makes tenantd look."""
        before = self.verification["checked_at"]
        self.world.forward(seconds)
        return wait_for(lambda: (v := self.verification)["checked_at"] != before and v, 30,
                        f"a look at {self.name}")

    def incidents(self, kind):
        return [i for i in self.world.provider.pages("/v1/incidents", kind=kind)
                if i["domain_id"] == self.id]


@pytest.fixture(scope="module")
def world():
    settings = {"jobs.poll": "100ms", "jobs.retry": "100ms", "mail.server": "127.0.0.1",
                "mail.sender": "sealgate@provider.test", "mail.tls": "none"}
    with Platform(hsm=False, clock=True, dns=True, tenantd=False, settings=settings) as platform:
        platform.settings["mail.port"] = platform.mail_port
        platform.configure()
        platform.tenantd_start()
        yield World(platform)


@pytest.fixture
def mails(world, tmp_path):
    with MailServer(world.platform.mail_port, tmp_path) as server:
        yield server


# The challenge ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, dnssec", [("agency.test", "secure"), ("a.signed.test", "secure"),
                                          ("a.plain.test", "insecure"),
                                          ("www.agency.test", "secure")])
def test_proved(world, name, dnssec):
    """REQ-135: from the claim to the proof without a hand; with the state of DNSSEC."""
    domain = world.claim(world.tenant(), name)
    first = wait_for(lambda: (v := domain.verification)["checked_at"] and v, 20, "the first look")
    assert (first["state"], first["result"], first["verified_at"]) == ("pending", "missing", None)
    assert "does not exist" in first["last_error"] or "no TXT" in first["last_error"]
    assert first["deadline_at"] and first["next_check_at"] and first["attempts"] == 1
    domain.publish("something else", domain.value, "and more")
    began = time.monotonic()
    found = domain.due(70)  # the first pause is a minute
    print(f"{name}: proved {time.monotonic() - began:.2f} s after its look was due")
    assert (found["state"], found["result"], found["dnssec"], found["method"]) == (
        "verified", "found", dnssec, "dns")
    assert found["verified_at"] and found["last_error"] == "" and found["attempts"] == 0
    assert domain.state == "verified"
    assert world.provider.get(domain.path)["state"] == "verified"
    # In the same transaction its certificate is asked for.
    (ensure,) = domain.tenant.admin.pages(f"{domain.tenant.path}/jobs", kind="certificate.ensure")
    assert ensure["created_at"] == found["verified_at"]


@pytest.mark.parametrize("name, result, dnssec, words", [
    ("a.bogus.test", "bogus", "bogus", "DNSSEC"), ("a.expired.test", "bogus", "bogus", "DNSSEC"),
    ("a.broken.test", "unavailable", None, "RCODE 2")])
def test_what_proves_nothing(world, name, result, dnssec, words):
    """A bogus answer is never accepted, though the value is in it; a failure is no answer. After the
    deadline the claim has failed, and may be asked for again."""
    domain = world.claim(world.tenant(), name)
    if "bogus" in name:
        domain.publish()
    looked = domain.look()
    assert (looked["state"], looked["result"], looked["dnssec"]) == ("pending", result, dnssec)
    assert words in looked["last_error"]
    old = domain.value
    late = domain.due(30 * DAY + 1)
    assert late["state"] == "failed" and late["next_check_at"] is None
    assert domain.tenant.admin.post(f"{domain.path}/verification/check", expect=409)
    again = domain.tenant.admin.post(f"{domain.path}/verification", expect=200)
    assert again["state"] == "pending" and again["challenge"]["value"] != old
    domain.tenant.admin.delete(domain.path)


def test_hung_dns(world):
    """No answer is a time-out that is said, and tried again."""
    domain = world.claim(world.tenant(), "hung.test")
    domain.publish()
    world.dns.hang()
    try:
        began = time.monotonic()
        looked = domain.look()
        assert looked["result"] == "unavailable" and "no answer" in looked["last_error"]
        assert time.monotonic() - began < 15
    finally:
        world.dns.resume()
    assert domain.due(DAY)["state"] == "verified"


def test_anothers_challenge(world):
    """Two tenants claim a name. Whose challenge is in the DNS owns it; the other learns nothing, until he
    has proved it as well, and gets it when the first one's proof has lapsed."""
    a, b = (world.claim(world.tenant(), "both.test") for _ in range(2))
    assert a.value != b.value and len(a.value) >= 20
    b.publish()
    assert a.look()["result"] == "missing" and "none of the 1 TXT" in a.verification["last_error"]
    assert b.look()["state"] == "verified"
    lost = a.look()
    assert lost["state"] == "pending" and "customer" not in lost["last_error"]
    a.publish(a.value, b.value)
    waiting = a.look()
    assert waiting["state"] == "pending" and "another customer's" in waiting["last_error"]
    a.publish()
    assert b.look()["missing_since"]
    a.look()
    assert (a.state, b.state) == ("pending", "verified")
    b.due(7 * DAY + 60)  # suspended; or already revoked, for a look at the other's was due as well
    assert a.look()["state"] == "verified" and b.state == "revoked"
    assert b.incidents("domain.transferred")
    b.tenant.admin.post(f"{b.path}/verification", expect=409)


def test_an_attested_domain_is_anothers(world):
    """What the provider has vouched for is not taken by a record in the DNS."""
    owner, thief = world.tenant(), world.tenant()
    world.provider.post(f"{owner.path}/domains", {"name": "vouched.test", "environment": "seemail",
                                                  "attested": True})
    claim = world.claim(thief, "vouched.test")
    claim.publish()
    assert claim.look()["state"] == "pending"
    assert "another customer's" in claim.verification["last_error"]


def test_attested_asks_for_a_challenge(world):
    """It stays attested meanwhile, and after a deadline; it is verified once its record is there."""
    tenant = world.tenant()
    row = world.provider.post(f"{tenant.path}/domains", {
        "name": "hand.test", "environment": "seemail", "attested": True})
    domain = Domain(world, tenant, row)
    assert domain.verification["challenge"] is None and domain.verification["next_check_at"] is None
    tenant.admin.post(f"{domain.path}/verification", expect=200)
    assert domain.look()["state"] == "attested"
    late = domain.due(30 * DAY + 1)
    assert (late["state"], late["method"], late["challenge"]) == ("attested", "attested", None)
    tenant.admin.post(f"{domain.path}/verification", expect=200)
    domain.publish()
    found = domain.look()
    assert (found["state"], found["method"]) == ("verified", "dns")


# The schedule -----------------------------------------------------------------------------------------


def of(mails, domain, count):
    """The subjects of the notices about a domain."""
    found = mails.wait(count, match=lambda m: domain.name.encode() in m.head) if count else \
        [m for m in mails.mails if domain.name.encode() in m.head]
    return [email.message_from_bytes(m.raw, policy=email.policy.default) for m in found]


def verified(world, name):
    domain = world.claim(world.tenant(), name)
    domain.publish()
    assert domain.look()["state"] == "verified"
    return domain


def test_lost_and_found(world, mails):
    """REQ-135: looked at again by schedule; grace and notices before suspension; back with its record."""
    domain = verified(world, "lost.test")
    for mailbox in ("Desk@Helpers.test", "no one@lost.test"):
        domain.tenant.admin.call("POST", f"{domain.tenant.path}/contacts", {
            "role": "technical", "organisation": "Helpers", "mailbox": mailbox, "role_mailbox": True})
    assert domain.due(1.2 * DAY)["result"] == "found"
    world.dns.remove(domain.record)
    missing = domain.due(1.2 * DAY)
    assert (missing["state"], missing["result"]) == ("verified", "missing")
    assert missing["missing_since"] == missing["checked_at"] and missing["suspend_at"]
    first, = of(mails, domain, 1)
    assert first["Subject"] == "The proof of ownership of lost.test is missing"
    others = f"postmaster@{domain.tenant.domain['name']}"
    assert first["To"].split(", ") == ["postmaster@lost.test", "desk@helpers.test", others]
    assert first["Auto-Submitted"] == "auto-generated"
    text = next(first.iter_parts()).get_content()
    assert domain.value in text and missing["suspend_at"] in text
    assert domain.incidents("domain.unproved")[0]["state"] == "open"
    assert domain.look()["missing_since"] == missing["missing_since"]
    assert domain.due(4 * DAY)["state"] == "verified"
    assert of(mails, domain, 2)[1]["Subject"].endswith("still missing")
    lost = domain.due(3 * DAY)
    assert (lost["state"], domain.state) == ("suspended", "suspended")
    assert of(mails, domain, 3)[2]["Subject"] == "lost.test is suspended"
    assert domain.incidents("domain.suspended")[0]["severity"] == "critical"
    assert domain.due(DAY)["state"] == "suspended"
    domain.publish()
    back = domain.due(DAY)
    assert (back["state"], back["missing_since"], back["suspend_at"]) == ("verified", None, None)
    assert of(mails, domain, 4)[3]["Subject"] == "lost.test is active again"
    for kind in ("domain.unproved", "domain.suspended"):
        assert domain.incidents(kind)[0]["state"] == "resolved"
    audit = [(e["before"]["state"], e["after"]["state"]) for e in
             domain.tenant.admin.pages(f"{domain.tenant.path}/audit")
             if e["object"] == "domain" and e["object_id"] == domain.id and e["before"]]
    assert list(reversed(audit)) == [("pending", "verified"), ("verified", "suspended"),
                                     ("suspended", "verified")]


def test_back_within_the_grace(world, mails):
    domain = verified(world, "blink.test")
    world.dns.remove(domain.record)
    assert domain.due(1.2 * DAY)["missing_since"]
    domain.publish()
    assert domain.due(DAY)["missing_since"] is None
    assert domain.incidents("domain.unproved")[0]["state"] == "resolved"
    world.dns.remove(domain.record)
    assert domain.due(1.2 * DAY)["missing_since"]
    assert len(of(mails, domain, 2)) == 2  # the grace begins anew, and is said anew


def test_silence_and_forgery_take_nothing(world, mails):
    """The grace is over while the DNS says nothing, or something bogus: only an answer suspends."""
    domain, forged = verified(world, "silent.test"), verified(world, "later.signed.test")
    world.dns.remove(domain.record)
    assert domain.due(1.2 * DAY)["missing_since"]
    world.dns.hang()
    try:
        silent = domain.due(8 * DAY)
        assert (silent["state"], silent["result"]) == ("verified", "unavailable")
        assert silent["missing_since"] and silent["next_check_at"]
    finally:
        world.dns.resume()
    assert domain.due(DAY)["state"] == "suspended"

    assert forged.look()["missing_since"] is None
    world.dns.remove(forged.record)
    assert forged.look()["missing_since"]
    world.dns.forge()
    try:
        late = forged.due(8 * DAY)
        assert (late["state"], late["result"], late["dnssec"]) == ("verified", "bogus", "bogus")
        assert late["missing_since"] and "DNSSEC" in late["last_error"]
    finally:
        world.dns.mend()
    assert forged.due(DAY)["state"] == "suspended"
    world.dns.forge()
    try:
        forged.publish()
        assert forged.look()["state"] == "suspended"  # the value is there, and proves nothing
    finally:
        world.dns.mend()
    assert forged.look()["state"] == "verified"


def test_jump_of_months(world, mails):
    """One look, not a thousand; and one that misses the record for the first time suspends nothing."""
    domain = verified(world, "months.test")
    world.dns.remove(domain.record)
    jobs = len(world.provider.pages("/v1/jobs", kind="domain.check"))
    late = domain.due(60 * DAY)
    assert late["state"] == "verified" and late["missing_since"] == late["checked_at"]
    others = world.tenants + 10
    assert len(world.provider.pages("/v1/jobs", kind="domain.check")) - jobs <= others


def test_revoked(world):
    """For good, and not looked at any more; the name may be claimed anew, by whom it may be."""
    domain = verified(world, "gone.test")
    assert domain.tenant.admin.post(f"{domain.path}/revoke", expect=200)["state"] == "revoked"
    assert domain.verification["next_check_at"] is None
    assert "revoked" in domain.tenant.admin.call("DELETE", domain.path, expect=409).json["detail"]
    again = world.claim(domain.tenant, "gone.test")
    assert again.value != domain.value and again.look()["result"] == "missing"
    again.publish()
    assert again.look()["state"] == "verified" and domain.state == "revoked"


# Postmaster -------------------------------------------------------------------------------------------


@pytest.fixture
def receiver(world, mails):
    domain = verified(world, f"post-{world.tenants}.test")
    domain.tenant.admin.put(f"{domain.path}/next-hop", {
        "protocol": "smtp", "host": "127.0.0.1", "port": world.platform.mail_port, "tls": "none"})
    return domain


def ask(domain, state="done"):
    accepted = domain.tenant.admin.call("POST", f"{domain.path}/postmaster", expect=202)
    return domain.tenant.admin.job(accepted.headers["Location"], state)


def code_of(mails, count):
    mail = mails.wait(count, match=lambda m: b"Subject: The code" in m.head)[-1]
    return mail, re.search(rb"The code is (\d{4}-\d{4})\.", mail.raw)[1].decode()


def confirm(domain, code, expect):
    return domain.tenant.admin.post(f"{domain.path}/postmaster/confirm", {"code": code}, expect)


def test_postmaster(world, mails, receiver):
    """REQ-182: a code straight to the next hop; confirmed once, by the right one alone."""
    path = f"{receiver.path}/postmaster"
    assert receiver.tenant.admin.get(path)["state"] == "unverified"
    assert confirm(receiver, "1234-5678", 409)["detail"].startswith("no code is waiting")
    ask(receiver)
    mail, code = code_of(mails, 1)
    assert (mail.sender, mail.recipients) == ("", [f"postmaster@{receiver.name}"])
    parsed = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert parsed["Date"] and parsed["Message-ID"] and parsed["Auto-Submitted"] == "auto-generated"
    wrong = confirm(receiver, "0000-0000" if code != "0000-0000" else "0000-0001", 422)
    assert wrong["pointer"] == "/code" and "4 tries" in wrong["detail"]
    state = receiver.tenant.admin.get(path)
    assert (state["state"], state["tries_left"]) == ("sent", 4)
    assert confirm(receiver, code.replace("-", " "), 200)["state"] == "verified"
    assert receiver.tenant.admin.get(path)["verified_at"]
    assert confirm(receiver, code, 409)


def test_postmaster_limits(world, mails, receiver):
    """Five tries, three days, a mail a minute, ten a day."""
    ask(receiver)
    _, first = code_of(mails, 1)
    soon = receiver.tenant.admin.call("POST", f"{receiver.path}/postmaster", expect=429)
    assert 0 < int(soon.headers["Retry-After"]) <= 60
    for left in range(4, -1, -1):
        wrong = f"{(int(first.replace('-', '')) + 1 + left) % 10 ** 8:08}"
        assert f"{left} tries" in confirm(receiver, wrong, 422)["detail"]
    assert "too many" in confirm(receiver, first, 409)["detail"]
    world.forward(61)
    ask(receiver)
    _, second = code_of(mails, 2)
    world.forward(3 * DAY + 1)
    assert "expired" in confirm(receiver, second, 409)["detail"]
    for count in range(3, 13):
        ask(receiver)
        world.forward(61)
    late = receiver.tenant.admin.call("POST", f"{receiver.path}/postmaster", expect=429)
    assert int(late.headers["Retry-After"]) > 3600
    _, last = code_of(mails, 12)
    assert confirm(receiver, last, 200)["state"] == "verified"


def test_postmaster_refused(world, mails, receiver):
    mails.answer("rcpt", "550 5.1.1 no postmaster here")
    job = ask(receiver, "dead")
    assert "no postmaster here" in job["last_error"]
    state = receiver.tenant.admin.get(f"{receiver.path}/postmaster")
    assert state["state"] == "failed" and state["last_error"]
    receiver.tenant.admin.post(f"{receiver.path}/revoke", expect=200)
    world.forward(61)
    assert receiver.tenant.admin.post(f"{receiver.path}/postmaster", expect=409)
