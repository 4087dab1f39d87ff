"""The life of certificates against the reference CA's EST server, slapd and SoftHSM, with a clock that
is moved: orders, what a CA may do wrong, renewals of years, compromise, kill -9."""
import contextlib
import datetime
import random
import re
import tempfile
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import apienv
from sealgate import Platform, PortBlock, hsm, provision
from sealgate.api import Problem
from sealgate.layout import GROUP, TENANT
from sealgate.process import NotReady, Service, wait_for

DAY = 86400
OPEN = ("key", "csr", "enrol", "pending", "received")
FAST = {"tenantd": {"jobs.poll": "200ms", "jobs.retry": "100ms", "jobs.lease": "5s",
                    "jobs.workers": "4", "authorities.timeout": "1500ms",
                    "authorities.retry": "100ms", "authorities.retry_most": "1s",
                    "authorities.poll": "100ms", "authorities.poll_most": "2s",
                    "authorities.again": "300ms"}}
DER = serialization.Encoding.DER


class Checked(apienv.Client):
    """The API, each answer held against its description; with the ways of sealgate.api.Api."""

    def request(self, method, path, body=None, **query):
        reply = self.call(method, path, body, query=query)
        if reply.status >= 300:
            raise Problem(method, path, reply.status, reply.json)
        return reply.json

    def get(self, path, **query):
        return self.request("GET", path, **query)

    def post(self, path, body=None):
        return self.request("POST", path, body)

    def put(self, path, body):
        return self.request("PUT", path, body)

    def delete(self, path):
        return self.request("DELETE", path)

    list = apienv.Client.pages

    def find(self, path, **fields):
        return next((row for row in self.list(path)
                     if all(row[k] == v for k, v in fields.items())), None)


class Life:
    """A platform without its mail path, an authority, and domains that are to have certificates."""

    def __init__(self, folder, base):
        self.platform = Platform(folder, base, clock=True, settings=FAST, without={
            "gatewayd", "postfix-out", "postfix-in"})
        self.refca = self.platform.refca

    def start(self):
        self.platform.up()
        # One that is good for the years that are simulated.
        drop = self.platform.layout.run / "token"
        provision.run([self.platform.layout.bin / "tenantd", "token", "-c",
                       self.platform.layout.etc / "tenantd.conf", "--role", "provider-admin",
                       "--name", "years", "--days", "3650", "--out", drop], TENANT,
                      GROUP)
        self.platform.api.token = drop.read_text("ascii").strip()
        self.api = Checked(self.platform.port["api"], self.platform.api.token)
        self.authority = self.new_authority()
        return self

    def new_authority(self, **more):
        """Of keys that are made in no time; test_certlife_mail and test_quickstart have RSA keys."""
        return provision.authority(self.platform, key_algorithm="ec-p256", **more)

    def stop(self):
        killed = self.platform.down()
        assert self.platform.sanitizer_reports() == []
        assert killed == []

    def sql(self, query):
        return self.platform.postgresql.rows(query)

    def domain(self, name, authority=None):
        """Attested; with an authority, its certificate is ordered."""
        organisation = self.platform.organisation(name.partition(".")[0], name)
        organisation.configure()
        self.use(organisation, authority or self.authority)
        return organisation

    def manual(self):
        """An authority without EST."""
        return provision.ensure(self.api, "/v1/authorities", {"name": "By hand"}, {
            "method": "manual", "renewal_lead_days": 60, "key_kind": "token"})

    def use(self, organisation, authority):
        self.api.put(f"{organisation.domain_path}/authority", {"authority_id": authority["id"]})

    def orders(self, organisation):
        return self.api.list(f"{organisation.domain_path}/orders")

    def order(self, organisation, *states, timeout=60, **fields):
        """The newest order, once it is in one of the states and has these fields."""
        def look():
            rows = self.orders(organisation)
            return rows and rows[-1]["state"] in states and all(
                rows[-1][k] == v for k, v in fields.items()) and rows[-1]
        try:
            return wait_for(look, timeout, f"an order {states}")
        except Exception as error:
            raise AssertionError((self.orders(organisation), self.api.list(
                f"{organisation.path}/jobs")[-4:])) from error

    def certificates(self, organisation, **fields):
        return [c for c in self.api.list(f"{organisation.domain_path}/certificates")
                if all(c[k] == v for k, v in fields.items())]

    def active(self, organisation):
        return wait_for(lambda: next(iter(self.certificates(organisation, state="active")), None),
                        30, "an active certificate")

    def key(self, organisation, key_id):
        return self.api.get(f"{organisation.domain_path}/keys/{key_id}")

    def incident(self, kind, state="open", domain_id=None):
        return wait_for(lambda: next((i for i in self.api.list("/v1/incidents", kind=kind, state=state)
                                      if domain_id in (None, i["domain_id"])), None), 60,
                        f"an incident {kind} {state}")

    def told(self, certificate):
        """The one request to revoke it, as the CA has it."""
        serial = int(certificate["serial"], 16)
        told, = [r for r in self.refca.revocations() if int(r["serial"], 16) == serial]
        return told

    def published(self, name):
        """The certificates in the directory, DER."""
        text = self.platform.directory.search(
            "c=NZ", "sub", f"(mail=domain-confidentiality-authority@{name})", "userCertificate")
        return set(re.findall(r"userCertificate;binary:: (\S+)", text))

    def token_keys(self):
        """The domains' key pairs on the token, by CKA_ID in hexadecimal: hsmctl's inventory."""
        rows = [line.split("\t") for line in hsm.ctl(self.platform.layout, "list").splitlines()]
        return {row[2] for row in rows if row[0] == "private" and row[3].startswith("dca/")}

    def clock(self, seconds):
        self.refca.clock(int(seconds))
        self.platform.clock_set(seconds)

    def settled(self, job=None):
        """Nothing is queued for now or at work."""
        def left():
            return self.sql("SELECT id, kind, state, attempts, run_at, lease_until, last_error FROM job WHERE"
                            " state = 'running' OR (state = 'queued' AND kind LIKE 'certificate%'"
                            " AND run_at <= created_at)")
        try:
            wait_for(lambda: left() == [], 60, "jobs to end")
        except NotReady as error:
            raise NotReady(f"{error}: {left()}") from None


@contextlib.contextmanager
def twin(life):
    """A second tenantd on the same database."""
    layout = life.platform.layout
    text = (layout.etc / "tenantd.conf").read_text("utf-8").replace("ops-tenantd.sock",
                                                                    "ops-tenantd-2.sock")
    layout.write(layout.etc / "tenantd-2.conf", text)
    service = Service(layout, "tenantd-2", [layout.bin / "tenantd", "-c",
                                            layout.etc / "tenantd-2.conf"], uid=TENANT, gid=GROUP)
    service.start()
    try:
        yield service
    finally:
        service.stop()


def killed(service):
    """kill -9, and up again: as soon as the last thread of the old one has let go of its socket."""
    def up():
        try:
            service.start()
            return True
        except NotReady as error:
            if "is in use" not in str(error):
                raise
            return False
    service.kill()
    wait_for(up, 20, service.name)


@pytest.fixture(scope="module")
def life():
    with tempfile.TemporaryDirectory(prefix="sgc", dir="/var/tmp") as folder, PortBlock() as block:
        site = Life(folder, block.base)
        try:
            yield site.start()
        finally:
            site.stop()


@pytest.fixture(autouse=True)
def no_fault(life):
    life.refca.fault()
    yield
    life.refca.fault()


def cka_id(key_id):
    """The 16 bytes of an id, in hexadecimal."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    number = 0
    for c in key_id.partition("_")[2]:
        number = number * 32 + digits.index(c)
    return f"{number:032x}"


def pem_of(certificate):
    return [x509.load_pem_x509_certificate(part.encode()) for part in re.findall(
        "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", certificate["pem"], re.S)]


@pytest.mark.smoke
def test_an_order_from_nothing(life):
    """REQ-45 REQ-46 REQ-51 REQ-163 REQ-178: key, request, enrolment, check, installation, publication."""
    began = time.monotonic()
    site = life.domain("first.test")
    order = life.order(site, "installed")
    took = time.monotonic() - began
    print(f"order to certificate: {took:.2f} s")
    assert (order["reason"], order["cause"], order["explanation"]) == ("initial", "", "")
    certificate = life.active(site)
    assert certificate["id"] == order["certificate_id"]
    assert certificate["authority_id"] == life.authority["id"]
    wait_for(lambda: life.certificates(site, published="published"), 20, "its publication")
    leaf, issuer = pem_of(certificate)
    assert leaf.issuer == issuer.subject
    assert f"{leaf.serial_number:x}" == life.refca.issued("first.test")[0]["serial"]
    renew = datetime.datetime.fromisoformat(certificate["renew_at"].replace("Z", "+00:00"))
    before = (leaf.not_valid_after.replace(tzinfo=datetime.timezone.utc) - renew).days
    assert 30 <= before <= 37  # the lead, and up to a week by domain
    assert life.key(site, order["key_id"])["state"] == "active"
    assert life.api.get(f"{site.domain_path}/orders/{order['id']}") == order
    assert life.api.get(f"{site.domain_path}/authority") == {"authority_id": life.authority["id"]}
    # Asked again, nothing is done: it has one.
    life.use(site, life.authority)
    life.settled()
    assert len(life.orders(site)) == 1
    assert len(life.refca.issued("first.test")) == 1


def test_asked_again_too_soon(life):
    """A CA may answer the same request with the certificate that there is: that is no fault."""
    site = life.domain("eager.test")
    life.order(site, "installed")
    first = life.active(site)
    for reason in ("first", "second", "third"):
        before = len(life.orders(site))
        life.api.post(f"{site.domain_path}/orders")
        wait_for(lambda n=before: len(life.orders(site)) > n, 20, f"the {reason} order")
        life.order(site, "installed", reason="request")
    assert all(o["state"] == "installed" for o in life.orders(site))
    assert len(life.certificates(site, state="active")) == 1
    assert life.key(site, first["key_id"])["state"] == "active"


def test_two_ask_at_once(life):
    """One order, however often it is asked for."""
    life.refca.fault("slow:1")
    site = life.domain("twice.test")
    for _ in range(20):  # never "too busy", whatever else asks at that moment
        life.api.post(f"{site.domain_path}/orders")
    life.order(site, "installed")
    life.settled()
    assert len(life.refca.issued("twice.test")) == len(
        [o for o in life.orders(site) if o["state"] == "installed"])


AWAY = {"down": "unreachable", "slow:3": "unreachable", "status:503": "unreachable",
        "status:401": "unauthorized", "status:403": "unauthorized", "garbage": "malformed",
        "empty": "malformed", "truncated": None, "html": "malformed", "latin-1": "malformed"}


@pytest.mark.parametrize("fault", AWAY)
def test_an_authority_that_does_not_answer_well(life, fault):
    """Asked again with growing pauses, the reason in words; an incident; then it goes on."""
    life.refca.fault(fault)
    name = re.sub(r"[^a-z0-9]", "-", fault)
    site = life.domain(f"{name}.test")
    order = wait_for(lambda: next((o for o in life.orders(site) if o["attempts"] >= 3), None), 40,
                     f"attempts at {fault}: {life.orders(site)}")
    assert order["state"] == "enrol" and order["explanation"]
    assert order["cause"] == AWAY[fault] or (fault == "truncated" and
                                             order["cause"] in ("unreachable", "malformed"))
    kind = "authority.unavailable" if order["cause"] == "unreachable" else "authority.refused"
    life.incident(kind)
    life.refca.fault()
    assert life.order(site, "installed")["id"] == order["id"]
    life.active(site)
    life.incident(kind, "resolved")


UNFIT = {"wrong-key": "wrong-key", "wrong-domain": "wrong-domain", "wrong-name": "wrong-name",
         "wrong-usage": "unfit", "expired": "expired", "future": "not-yet-valid",
         "too-long": "too-long", "no-cdp": "no-revocation-list", "untrusted": "untrusted"}


def test_an_authority_that_sends_us_elsewhere(life):
    """A redirection is not followed: the order fails, and the next one succeeds."""
    life.refca.fault("status:302", paths=["simpleenroll"])
    site = life.domain("elsewhere.test")
    failed = wait_for(lambda: next((o for o in life.orders(site) if o["state"] == "failed"), None),
                      20, "a refusal")
    assert failed["cause"] == "refused" and "302" in failed["explanation"]
    life.refca.fault()
    life.order(site, "installed")


def test_another_ones_server(life):
    """TLS is verified: a server that the authority's CA does not vouch for is not spoken to."""
    row = life.new_authority(name="Pinned", tls_ca_pem=life.refca.anchor_pem)
    site = life.domain("pinned.test", row)
    order = life.order(site, "enrol", cause="unreachable")
    assert "certificate" in order["explanation"].lower()
    assert life.refca.issued("pinned.test") == []
    body = {k: v for k, v in row.items() if k not in ("id", "created_at", "updated_at")}
    life.api.put(f"/v1/authorities/{row['id']}",
                 {**body, "tls_ca_pem": life.authority["tls_ca_pem"]})
    life.order(site, "installed")


@pytest.mark.parametrize("fault", UNFIT)
def test_a_certificate_that_must_not_be_installed(life, fault):
    """REQ-158 REQ-160 REQ-163 REQ-164 REQ-166 REQ-179: the order fails with the cause and an incident; the
    next one, with the same key, succeeds."""
    life.refca.fault(fault)
    site = life.domain(f"unfit-{fault}.test")
    life.order(site, "failed", "installed", *OPEN)
    failed = wait_for(lambda: next((o for o in life.orders(site) if o["state"] == "failed"), None),
                      30, f"{fault} to be refused")
    assert failed["cause"] == UNFIT[fault], failed
    assert failed["explanation"] and failed["certificate_id"] is None
    assert life.certificates(site) == []
    life.incident("certificate.order", domain_id=site.domain["id"])
    life.refca.fault()
    order = life.order(site, "installed")
    assert order["key_id"] == failed["key_id"]
    life.incident("certificate.order", "resolved", site.domain["id"])


@pytest.mark.smoke
def test_an_authority_that_considers(life):
    """RFC 7030 §4.2.3: 202 with Retry-After is a state, polled without burning attempts."""
    life.refca.fault("retry_after:1", paths=["simpleenroll"])
    site = life.domain("patient.test")
    order = life.order(site, "pending")
    wait_for(lambda: life.orders(site)[-1]["polls"] >= 3, 20, "polls")
    order = life.orders(site)[-1]
    assert (order["state"], order["attempts"]) == ("pending", 0)
    assert "considers" in order["explanation"]
    life.refca.fault()
    assert life.order(site, "installed")["id"] == order["id"]


def test_not_accredited(life):
    """REQ-178 REQ-179 REQ-180: nothing is asked of a CA that leads to no accredited root."""
    anchor, = life.api.list("/v1/trust-anchors")
    life.api.delete(f"/v1/trust-anchors/{anchor['id']}")
    try:
        site = life.domain("strange.test")
        order = life.order(site, "enrol", cause="untrusted")
        assert "accredited" in order["explanation"]
        assert life.refca.issued("strange.test") == []
    finally:
        life.api.post("/v1/trust-anchors", {"pem": anchor["pem"]})
    life.order(site, "installed")


def test_credentials(life):
    """A secret that is missing, or that does not belong to the account: in words, and no secret in them."""
    lost = life.new_authority(name="Lost password", credential="no-such-file")
    site = life.domain("no-secret.test", lost)
    order = life.order(site, "enrol", cause="credentials")
    assert "no-such-file.est" in order["explanation"]
    wrong = {k: v for k, v in lost.items() if k not in ("id", "created_at", "updated_at")}
    # The folder has the platform's other secrets too: none of them is sent to a server that a row names.
    life.platform.layout.write(life.platform.layout.secrets / "others", "a PIN\n", 0o400, TENANT, GROUP)
    life.api.put(f"/v1/authorities/{lost['id']}", {**wrong, "credential": "others"})
    order = life.order(life.domain("others-secret.test", lost), "enrol", cause="credentials")
    assert "others.est" in order["explanation"]
    life.platform.layout.write(life.platform.layout.secrets / "wrong.est", "not the password\n", 0o400,
                               TENANT, GROUP)
    life.api.put(f"/v1/authorities/{lost['id']}", {**wrong, "credential": "wrong"})
    order = life.order(site, "enrol", cause="unauthorized")
    assert "not the password" not in str(order)
    life.api.put(f"/v1/authorities/{lost['id']}",
                 {**wrong, "credential": life.refca.password_file.stem})
    life.order(site, "installed", timeout=90)  # refca makes one who guesses wait


def test_a_client_certificate(life):
    """TLS with a client certificate in place of a password; its key is closed to others, or not used."""
    layout = life.platform.layout
    key, certificate = layout.run / "gw.key", layout.run / "gw.pem"
    provision.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                   "/CN=gateway", "-keyout", key, "-out", certificate])
    certificate.chmod(0o644)
    life.refca.run("account-add", "by-certificate", "--certificate", certificate)
    for path, mode in ((certificate, 0o444), (key, 0o444)):
        layout.write(layout.secrets / path.name, path.read_bytes(), mode, TENANT, GROUP)
    row = life.new_authority(name="By TLS", authentication="certificate", account="",
                              credential="gw")
    site = life.domain("tls-client.test", row)
    order = life.order(site, "enrol", cause="credentials")
    assert "others may read" in order["explanation"]
    (layout.secrets / "gw.key").chmod(0o400)
    life.order(site, "installed")


def test_by_hand(life):
    """An authority without EST: the order waits, and what a person brings ends it."""
    site = life.domain("hand.test", life.manual())
    order = life.order(site, "pending")
    assert "person" in order["explanation"] and order["polls"] == 0
    life.incident("certificate.awaited", domain_id=site.domain["id"])
    csr = life.api.get(f"{site.domain_path}/keys/{order['key_id']}/csr")["pem"]
    site.install(life.refca.issue(csr))
    order = life.order(site, "installed")
    life.incident("certificate.awaited", "resolved", site.domain["id"])
    assert life.active(site)["id"] == order["certificate_id"]
    assert life.active(site)["published"] == "unchecked"


def test_cancelled(life):
    site = life.domain("cancelled.test", life.manual())
    order = life.order(site, "pending")
    path = f"{site.domain_path}/orders/{order['id']}"
    assert life.api.post(f"{path}/cancel")["state"] == "cancelled"
    with pytest.raises(Problem) as problem:
        life.api.post(f"{path}/cancel")
    assert problem.value.status == 409


def test_authorities(life):
    api = life.api
    row = api.get(f"/v1/authorities/{life.authority['id']}")
    assert row == life.authority and "password" not in row
    with pytest.raises(Problem) as problem:
        api.delete(f"/v1/authorities/{row['id']}")
    assert problem.value.status == 409
    for change, pointer in [({"est_url": "http://plain.test/est"}, "/est_url"),
                            ({"est_url": ""}, "/est_url"), ({"credential": "../pin"}, "/credential"),
                            ({"account": ""}, "/account"),
                            ({"directory_id": "dir_" + "0" * 26}, "/directory_id"),
                            ({"revocation_url": "https://u:p@ca.test/"}, "/revocation_url")]:
        body = {k: v for k, v in row.items() if k not in ("id", "created_at", "updated_at")}
        with pytest.raises(Problem) as problem:
            api.post("/v1/authorities", {**body, "name": "other", **change})
        assert (problem.value.status, problem.value.body["pointer"]) == (422, pointer), change
    gone = api.post("/v1/authorities", {"name": "Gone", "method": "manual"})
    api.delete(f"/v1/authorities/{gone['id']}")
    assert api.find("/v1/authorities", name="Gone") is None


def test_a_tenants_authority(life):
    """Its domains use it; a domain's own comes first."""
    site = life.platform.organisation("whole", "whole.test")
    site.configure()
    api = life.api
    assert api.get(f"{site.path}/authority") == {"authority_id": None}
    api.put(f"{site.path}/authority", {"authority_id": life.authority["id"]})
    api.post(f"{site.domain_path}/orders")
    assert life.order(site, "installed")["authority_id"] == life.authority["id"]
    api.delete(f"{site.path}/authority")
    assert api.get(f"{site.path}/authority") == {"authority_id": None}


def test_suspended_meanwhile(life):
    """Who lost a domain gets no certificate for it, though the order was made before."""
    life.refca.fault("retry_after:1", paths=["simpleenroll"])
    site = life.domain("lost.test")
    life.order(site, "pending")
    change = ("SELECT set_config('app.actor', 'test', false), set_config('app.now', now()::text, false);"
              " UPDATE domain SET state = '{}' WHERE id = '" + site.domain["id"] + "'")
    life.sql(change.format("suspended"))
    life.refca.fault()
    order = life.order(site, "pending", cause="suspended")
    assert "suspended" in order["explanation"]
    life.platform.clock_set(360)
    try:
        life.order(site, "pending", cause="suspended")
        assert life.refca.issued("lost.test") == []
        life.sql(change.format("verified"))
        life.platform.clock_set(720)
        assert life.order(site, "installed")["id"] == order["id"]
    finally:
        life.platform.clock_set(0)


def test_the_default_authority(life):
    """From the order of a domain to its certificate without another call. There is one default."""
    api = life.api
    body = {k: v for k, v in life.authority.items() if k not in ("id", "created_at", "updated_at")}
    path = f"/v1/authorities/{life.authority['id']}"
    api.put(path, {**body, "is_default": True})
    try:
        site = life.platform.organisation("default", "default.test")
        began = time.monotonic()
        site.configure()
        life.order(site, "installed")
        print(f"from the tenant's making to the certificate: {time.monotonic() - began:.2f} s")
        with pytest.raises(Problem) as problem:
            api.post("/v1/authorities", {"name": "second", "method": "manual", "is_default": True})
        assert problem.value.status == 409
    finally:
        api.put(path, body)


def test_revoked_for_another_reason(life):
    """A domain that is given up: cessationOfOperation, once; on the list and out of the directory."""
    site = life.domain("given-up.test")
    life.order(site, "installed")
    certificate = life.active(site)
    wait_for(lambda: life.published("given-up.test"), 20, "publication")
    life.api.delete(f"{site.domain_path}/authority")
    path = f"{site.domain_path}/certificates/{certificate['id']}"
    first = life.api.post(f"{path}/revoke", {"reason": "cessationOfOperation"})
    assert life.api.post(f"{path}/revoke", {"reason": "superseded"})["id"] == first["id"]
    assert life.api.get(path)["state"] == "revoked"
    path = f"{site.domain_path}/revocations/{first['id']}"
    done = wait_for(lambda: (r := life.api.get(path))["state"] == "confirmed" and r, 30,
                    "the revocation")
    assert done["requested_at"] and done["listed_at"] and done["removed_at"]
    assert life.published("given-up.test") == set()
    told = life.told(certificate)
    assert told["reason"] == "cessationOfOperation"


@pytest.mark.smoke
def test_compromise(life):
    """REQ-174 REQ-200: one call; every step has its time; a second call is the same."""
    site = life.domain("stolen.test")
    old_order = life.order(site, "installed")
    old = life.active(site)
    wait_for(lambda: life.published("stolen.test"), 20, "publication")
    before = life.published("stolen.test")
    began = time.monotonic()
    reason = "a disk was lost " + "\u0101" * 484  # as long as it may be
    first = life.api.post(f"{site.domain_path}/compromise", {"reason": reason})
    again = life.api.post(f"{site.domain_path}/compromise", {"reason": "again"})
    assert again["id"] == first["id"] and again["reason"] == reason
    assert life.api.get(f"{site.domain_path}/certificates/{old['id']}")["state"] == "revoked"
    assert life.key(site, old_order["key_id"])["state"] == "compromised"
    path = f"{site.domain_path}/compromises/{first['id']}"
    done = wait_for(lambda: (c := life.api.get(path))["state"] == "done" and c, 60,
                    f"the compromise: {life.api.get(path)}")
    print(f"compromise: {time.monotonic() - began:.2f} s; "
          + ", ".join(f"{k} {v}" for k, v in done.items() if k.endswith("_at")))
    times = [done[f"{step}_at"] for step in ("created", "ordered", "installed", "finished")]
    assert times == sorted(times)
    assert all(done[f"{s}_at"] for s in ("released", "revoked", "published", "listed", "removed"))
    new = life.active(site)
    assert new["id"] == done["certificate_id"] and new["key_id"] != old["key_id"]
    assert life.published("stolen.test") not in (before, set())
    told = life.told(old)
    assert told["reason"] == "keyCompromise"
    life.incident("certificate.compromised", "resolved", site.domain["id"])
    assert len(life.refca.issued("stolen.test")) == 2
    with pytest.raises(Problem) as problem:
        life.api.get(f"{site.domain_path}/compromises/cmp_{'0' * 26}")
    assert problem.value.status == 404


def test_compromise_while_the_authority_is_away(life):
    """Nothing signs meanwhile, and it goes on by itself when the authority is back."""
    site = life.domain("far.test")
    life.order(site, "installed")
    life.active(site)
    life.refca.fault("status:503")
    life.api.post(f"{site.domain_path}/compromise", {"reason": "stolen"})
    life.order(site, "enrol", cause="unreachable")
    assert life.certificates(site, state="active") == []
    row, = life.api.list(f"{site.domain_path}/compromises")
    assert row["state"] == "running"
    life.refca.fault()
    wait_for(lambda: life.api.list(f"{site.domain_path}/compromises")[0]["state"] == "done", 60,
             "the compromise")
    assert life.active(site)


def test_compromise_without_an_authority(life):
    """A domain whose certificates come by hand alone: key and certificate by hand, and it is done."""
    site = life.platform.organisation("alone", "alone.test")
    site.configure()
    site.make_key()
    site.certify()
    made = life.api.post(f"{site.domain_path}/compromise", {"reason": "lost"})
    path = f"{site.domain_path}/compromises/{made['id']}"
    wait_for(lambda: "authority" in life.api.get(path)["waits_for"], 20, "what it waits for")
    incident = life.incident("certificate.compromised", domain_id=site.domain["id"])
    life.refca.run("revoke", f"{int(site.certificate['serial'], 16):x}", "--reason", "keyCompromise")
    site.make_key()
    site.certify()
    wait_for(lambda: life.api.get(path)["state"] == "done", 30, "the compromise")
    assert incident["occurrences"] == 1


def test_a_domain_that_is_given_up(life):
    """REQ-174: the certificates of a domain that is revoked are, as cessationOfOperation."""
    site = life.domain("left.test")
    life.order(site, "installed")
    certificate = life.active(site)
    wait_for(lambda: life.published("left.test"), 20, "publication")
    life.sql("SELECT set_config('app.actor', 'test', false), set_config('app.now', now()::text, false);"
             f" UPDATE domain SET state = 'revoked' WHERE id = '{site.domain['id']}'")
    life.platform.clock_set(3600)  # the next sweep
    try:
        wait_for(lambda: [r for r in life.refca.revocations()
                          if int(r["serial"], 16) == int(certificate["serial"], 16)], 30,
                 "its revocation")
        assert life.told(certificate)["reason"] == "cessationOfOperation"
        wait_for(lambda: life.published("left.test") == set(), 20, "it to leave the directory")
    finally:
        life.platform.clock_set(0)


def test_a_tenant_whose_contract_ended(life):
    """REQ-142, 174: closed after its cancellation, its certificates are revoked at the CA and leave the
    directory; the keys stay (REQ-189), and another tenant's certificate is not touched."""
    site, other = life.domain("cancelled-tenant.test"), life.domain("staying-tenant.test")
    for organisation in (site, other):
        life.order(organisation, "installed")
    certificate, kept = life.active(site), life.active(other)
    wait_for(lambda: life.published("cancelled-tenant.test"), 20, "publication")

    def revocations(of):
        return [r for r in life.refca.revocations() if int(r["serial"], 16) == int(of["serial"], 16)]

    cancellation = f"{site.path}/cancellation"
    life.api.post(cancellation, {"reason": "moves away"})  # its notice period runs: nothing ends yet
    life.api.delete(cancellation)
    life.api.post(cancellation, {"reason": "spam", "notice_days": 0})
    wait_for(lambda: life.api.get(site.path)["state"] == "closed", 30, "the end")
    assert life.api.get(site.domain_path)["state"] == "revoked"
    life.platform.clock_set(7200)  # the next sweep
    try:
        wait_for(lambda: revocations(certificate), 30, "its revocation")
        assert life.told(certificate)["reason"] == "cessationOfOperation"
        row, = wait_for(lambda: [r for r in life.api.list(f"{site.domain_path}/revocations")
                                 if r["state"] == "confirmed"], 30, "the list and the directory")
        assert row["certificate_id"] == certificate["id"] and row["listed_at"] and row["removed_at"]
        assert life.published("cancelled-tenant.test") == set()
        assert life.certificates(site, state="revoked")[0]["id"] == certificate["id"]
        assert life.key(site, certificate["key_id"])["state"] == "active"
        assert [o["state"] for o in life.orders(site)] == ["installed"]  # nothing new for it
        assert revocations(kept) == [] and life.active(other)["id"] == kept["id"]
        assert life.published("staying-tenant.test")
    finally:
        life.platform.clock_set(0)


def test_compromise_by_hand(life):
    """Without EST and without an address for revocations a person is told what to do, step by step."""
    site = life.domain("by-hand.test", life.manual())

    def certify():
        order = life.order(site, "pending")
        csr = life.api.get(f"{site.domain_path}/keys/{order['key_id']}/csr")["pem"]
        site.install(life.refca.issue(csr))
        return life.order(site, "installed")

    certify()
    old = life.active(site)
    made = life.api.post(f"{site.domain_path}/compromise", {"reason": "found on a stick"})
    revocation = wait_for(lambda: next((r for r in life.api.list(f"{site.domain_path}/revocations")
                                        if r["state"] == "by_hand"), None), 20, "a task by hand")
    assert old["serial"] in revocation["explanation"] and "keyCompromise" in revocation["explanation"]
    life.refca.run("revoke", f"{int(old['serial'], 16):x}", "--reason", "keyCompromise")
    certify()
    path = f"{site.domain_path}/compromises/{made['id']}"
    wait_for(lambda: life.api.get(path)["state"] == "done", 30, "the compromise")
    assert life.active(site)["key_id"] != old["key_id"]


def test_killed_during_compromises(life):
    """kill -9 while six compromises are under way: each has one new key, one certificate, one revocation."""
    rng = random.Random(11)
    sites = [life.domain(f"s{i}.test") for i in range(6)]
    for site in sites:
        life.order(site, "installed")
    with twin(life) as other:
        made = [life.api.post(f"{site.domain_path}/compromise", {"reason": "stolen"})
                for site in sites]
        for _ in range(5):
            time.sleep(rng.uniform(0.05, 0.3))
            for service in (life.platform.tenantd, other):
                killed(service)
        for site, row in zip(sites, made):
            path = f"{site.domain_path}/compromises/{row['id']}"
            wait_for(lambda path=path: life.api.get(path)["state"] == "done", 60, site.domain_name)
    serials = [int(r["serial"], 16) for r in life.refca.revocations()]
    for site in sites:
        rows = life.certificates(site)
        assert sorted(c["state"] for c in rows) == ["active", "revoked"]
        assert len(life.refca.issued(site.domain_name)) == 2
        old, = (c for c in rows if c["state"] == "revoked")
        assert serials.count(int(old["serial"], 16)) == 1
        assert len(life.api.list(f"{site.domain_path}/keys")) == 2


def test_publication_is_awaited(life):
    """A renewed certificate signs only when it is in the directory; what takes too long is reported."""
    site = life.domain("shown.test")
    life.order(site, "installed")
    old = life.active(site)
    wait_for(lambda: life.certificates(site, published="published"), 20, "publication")
    life.platform.directory.stop()
    try:
        life.api.post(f"{site.domain_path}/orders")
        order = life.order(site, "installed", reason="request")
        new, = life.certificates(site, state="installed")
        assert new["id"] == order["certificate_id"] and new["published"] == "waiting"
        assert life.active(site)["id"] == old["id"]
        life.platform.clock_set(2 * DAY)
        incident = life.incident("certificate.unpublished", domain_id=site.domain["id"])
        assert incident["detail"]["about"] == new["id"]
        assert life.certificates(site, state="installed")[0]["published"] == "overdue"
        assert life.active(site)["id"] == old["id"]
        life.platform.directory.start()
        wait_for(lambda: len(life.published("shown.test")) == 2, 60, "the CA to publish it")
        life.platform.clock_set(2 * DAY + 1200)
        wait_for(lambda: life.active(site)["id"] == new["id"], 60, "the cut-over")
    finally:
        life.platform.directory.start()
        life.platform.clock_set(0)
    life.incident("certificate.unpublished", "resolved", site.domain["id"])
    assert life.api.get(f"{site.domain_path}/certificates/{old['id']}")["state"] == "superseded"


def test_a_hundred(life):
    """A hundred domains with one call each: how long it takes until all have their certificates."""
    sites = [life.platform.organisation(f"h{i}", f"h{i}.test") for i in range(100)]
    for site in sites:
        site.configure()
    began = time.monotonic()
    for site in sites:
        life.use(site, life.authority)
    asked = time.monotonic()
    wait_for(lambda: life.sql("SELECT count(*) FROM certificate c JOIN domain d ON d.id = c.domain_id"
                              " WHERE d.name ~ '^h[0-9]+[.]test$' AND c.state = 'active'") == [["100"]],
             120, "a hundred certificates", 0.1)
    print(f"100 domains: asked in {asked - began:.1f} s, all certified {time.monotonic() - began:.1f} s"
          " after the first")
    assert len(life.sql("SELECT DISTINCT spki_sha256 FROM hsm_key k JOIN domain d ON d.id ="
                        " k.domain_id WHERE d.name ~ '^h[0-9]+[.]test$'")) == 100


def test_killed_during_orders(life):
    """kill -9 of two tenantd at random: each effect once, no orphan key, no certificate without key."""
    rng = random.Random(7)
    token = life.new_authority(name="Token keys", key_kind="token")
    sites = [life.platform.organisation(f"k{i}", f"k{i}.test") for i in range(20)]
    for site in sites:
        site.configure()
    for i, site in enumerate(sites):
        life.use(site, token if i % 2 else life.authority)
    with twin(life) as other:
        for _ in range(8):
            time.sleep(rng.uniform(0.05, 0.4))  # the moment is at random
            for service in (life.platform.tenantd, other):
                if rng.random() < 0.8:
                    killed(service)
        for site in sites:
            life.order(site, "installed", timeout=90)
    life.settled()
    for site in sites:
        issued = life.refca.issued(site.domain_name)
        certificates = life.certificates(site)
        assert len(issued) == len(certificates) == 1, (site.domain_name, issued, certificates)
        assert int(certificates[0]["serial"], 16) == int(issued[0]["serial"], 16)
        assert len(life.orders(site)) == 1
    # Inventory: what is on the token has a row, what has a row that lives is on the token.
    rows = {cka_id(key) for key, in life.sql("SELECT id FROM hsm_key WHERE kind = 'token'"
                                     " AND state NOT IN ('destroyed', 'pending', 'failed')")}
    known = {cka_id(key) for key, in life.sql("SELECT id FROM hsm_key WHERE kind = 'token'"
                                      " AND state <> 'destroyed'")}
    on_token = life.token_keys()
    assert rows <= on_token <= known, (rows - on_token, on_token - known)
    assert life.sql("SELECT count(*) FROM certificate c LEFT JOIN hsm_key k ON k.id = c.key_id"
                    " WHERE k.id IS NULL OR k.spki IS NULL") == [["0"]]
