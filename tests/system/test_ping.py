"""The ping responder: who is answered, with what, and who is not (REQ-96 to 99)."""
import contextlib
import itertools
import tempfile

import pytest

import corpus
import peers
from partners import Partner, from_directory
from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, Setting, header, simple

MEMBER, QUIET = "partner.test", "quiet.test"  # of the second there is nothing in the directory
PING = "secure-email-ping"
AGENCIES = 7


class Pinged(Setting):
    """With members elsewhere whose keys we have."""

    def __init__(self, folder, block):
        super().__init__(folder, block, {MEMBER: block.base + 18, QUIET: block.base + 18},
                         settings={"gatewayd": {"ping.agencies": AGENCIES}})
        self.servers[MEMBER] = MailServer(block.base + 18, f"{folder}/mail/member")

    def start(self):
        super().start()
        self.partner = Partner(self.platform, MEMBER)
        self.platform.refca.publish()
        found = self.platform.layout.dir / "found"
        self.own = {domain: from_directory(self.platform, domain, found) for domain in (B, C)}
        self.software = self.software_of(self.partner)
        self.quiet = Partner(self.platform, QUIET)
        return self

    def software_of(self, partner):
        software = peers.OpenSsl(self.platform.layout.dir, partner.identity.certificate)
        software.own(partner.identity)
        return software

    @contextlib.contextmanager
    def approval(self, organisation):
        """Of partners' certificates (REQ-54)."""
        path = f"{organisation.domain_path}/policy"
        self.platform.api.put(path, {"discovery_approval": True})
        try:
            yield
        finally:
            self.platform.api.put(path, {})

    def stored(self, domain):
        return self.platform.api.list("/v1/partner-certificates", domain=domain)

    def forget(self, domain):
        for row in self.stored(domain):
            self.platform.api.delete(f"/v1/partner-certificates/{row['id']}")

    def signed(self, partner, subject):
        entity = self.software_of(partner).sign(b"Content-Type: text/plain\r\n\r\nping\r\n")
        self.from_outside(f"joe@{partner.domain}", [f"{PING}@{B}"],
                          self.wrapped(entity, f"{PING}@{B}", subject, f"joe@{partner.domain}"))

    def sealed(self, to, subject, text="ping"):
        entity = f"Content-Type: text/plain\r\n\r\n{text}\r\n".encode()
        return self.wrapped(self.software.encrypt(self.software.sign(entity), self.own[to],
                                                  "aes256-cbc"), f"{PING}@{to}", subject)

    @staticmethod
    def wrapped(entity, to, subject, sender=f"joe@{MEMBER}", more=""):
        entity = entity.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return (f"From: <{sender}>\r\nTo: {to}\r\nSubject: {subject}\r\n{more}"
                f"Message-ID: <{subject}@x.test>\r\nMIME-Version: 1.0\r\n").encode() + entity

    def answer(self, subject):
        """The answer to a ping as it came, and its text once it is opened."""
        got = self.servers[MEMBER].wait(
            1, 60, lambda mail: f"<{subject}@x.test>".encode() in mail.head)[0]
        fields, body = corpus.split(got.raw)
        content = b"\r\n".join(f for f in fields if f.lower().startswith((b"content-", b"mime-")))
        opened = self.software.decrypt(content + b"\r\n\r\n" + body)
        return got, opened

    def traced(self, tenant, subject):
        """What the trace says of the ping, once it does."""
        def found():
            return [step for row in tenant.messages(message_id=f"{subject}@x.test")
                    for step in tenant.trace(row["id"]) if step["step"] == "ping"]
        step, = wait_for(found, 20, "the trace of the ping")
        return step


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgp", dir="/var/tmp") as folder:
        s = Pinged(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.mark.parametrize("domain, environment", [(B, "SEEMail 2.0"), (C, "SecureMail 1.0")])
def test_member_is_answered_sealed(setting, domain, environment):
    """REQ-98, 99: signed and encrypted; environment, software, agencies known."""
    subject = f"ping-{domain}"
    setting.from_outside(f"joe@{MEMBER}", [f"{PING}@{domain}"], setting.sealed(domain, subject))
    got, opened = setting.answer(subject)
    assert got.sender == "" and header(got.raw, "Auto-Submitted") == "auto-replied"
    assert header(got.raw, "From") == f"{PING}@{domain}"
    assert b"Software" not in got.raw and b"pkcs7-mime" in got.raw
    assert b"multipart/signed" in opened and domain.encode() in opened
    version = setting.platform.api.get("/v1/version")["version"]
    for line in (f"Environment: {environment}", f"Software: Sealgate {version}",
                 "Signed by a domain: yes", "Signer's certificate: valid",
                 "Encrypted to this domain: yes", f"  {MEMBER}"):
        assert line.encode() in opened, line
    assert [m for m in setting.servers[domain].mails if PING in str(m.recipients)] == []


def test_as_many_agencies_as_may_be_listed(setting):
    """REQ-99: of one more there is a word, but not its name."""
    api = setting.platform.api
    listed = {row["name"] for row in api.list("/v1/member-domains") if row["environment"] == "seemail"}
    more = [f"agency-{n}.test" for n in range(AGENCIES - len(listed))]
    made = [api.post("/v1/member-domains", {"name": name, "environment": "seemail"}) for name in more]

    def answered(subject):
        setting.from_outside(f"joe@{MEMBER}", [f"{PING}@{B}"], setting.sealed(B, subject))
        text = setting.answer(subject)[1].decode().replace("\r\n", "\n")
        lines = text.partition("SEEMail agencies known here:\n")[2].split("\n")
        return [line.strip() for line in itertools.takewhile(lambda line: line.startswith("  "), lines)]
    try:
        assert answered("ping-most") == sorted(listed | set(more))
        made.append(api.post("/v1/member-domains", {"name": "zz.test", "environment": "seemail"}))
        assert answered("ping-more") == [*sorted(listed | set(more)), "and more"]
    finally:
        for row in made:
            api.delete(f"/v1/member-domains/{row['id']}")


def test_customer_pings_a_customer(setting):
    """The way there and back through our own gateway; the answer is verified mail."""
    setting.submit(f"joe@{A}", [f"{PING}@{B}"], simple(f"joe@{A}", [f"{PING}@{B}"], "own-ping"))
    got = setting.arrived(A, f"Secure Email ping answered by {B}")[0]
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={B}"
    assert b"Environment: SEEMail 2.0" in got.raw


@pytest.mark.parametrize("form", ["signed", "encrypted"])
def test_one_layer_is_enough(setting, form):
    """REQ-98: signed and/or encrypted."""
    entity = b"Content-Type: text/plain\r\n\r\nping\r\n"
    entity = setting.software.sign(entity) if form == "signed" else \
        setting.software.encrypt(entity, setting.own[B], "aes256-cbc")
    setting.from_outside(f"joe@{MEMBER}", [f"{PING}@{B}"],
                         setting.wrapped(entity, f"{PING}@{B}", f"only-{form}"))
    _, opened = setting.answer(f"only-{form}")
    assert f"Signed by a domain: {'yes' if form == 'signed' else 'no'}".encode() in opened


def test_rules_are_not_asked(setting):
    """REQ-97: what would stop any other mail, a forbidden trigger word or another's name in front,
    does not keep a ping from its answer; and other recipients are treated by the rules all the
    same."""
    message = setting.sealed(B, "ping-[SECRET]", "[TOP SECRET]")
    setting.from_outside(f"joe@{MEMBER}", [f"{PING}@{B}", f"ann@{B}"], message)
    setting.answer("ping-[SECRET]")
    got = setting.arrived(B, "ping-[SECRET]")[0]
    assert got.recipients == [f"ann@{B}"]
    step = setting.traced(setting.b, "ping-[SECRET]")
    assert step["requirement"] == "REQ-96" and step["detail"]["answered"] == "yes"


def test_answer_is_sealed_to_what_was_approved(setting):
    """REQ-54: as any mail of the domain's, where its policy says so."""
    setting.forget(MEMBER)
    with setting.approval(setting.b):
        setting.signed(setting.partner, "to-be-approved")
        detail = setting.traced(setting.b, "to-be-approved")["detail"]
        assert detail["answered"] == "no" and "an administrator has yet to approve" in detail["because"], detail
        row, = [row for row in setting.stored(MEMBER) if row["state"] == "pending"]
        assert row["source"] == "ldap"
        setting.platform.api.post(f"/v1/partner-certificates/{row['id']}/approve")
        setting.signed(setting.partner, "was-approved")
        setting.answer("was-approved")


def test_answer_to_what_the_signature_alone_has_brought(setting):
    """REQ-54: by that, to the certificate that signed where there is no other; not where an administrator has to
    approve of it, or has refused it. It is not kept."""
    quiet, api = setting.quiet, setting.platform.api
    setting.signed(quiet, "quiet")
    assert setting.traced(setting.b, "quiet")["detail"]["answered"] == "yes"
    with setting.approval(setting.b):
        setting.signed(quiet, "quiet-approval")
        detail = setting.traced(setting.b, "quiet-approval")["detail"]
        assert detail["answered"] == "no" and "an administrator has yet to approve" in detail["because"], detail
    assert setting.stored(QUIET) == []
    made = api.post("/v1/partner-certificates", {"domain": QUIET, "origin": "by hand",
                                                 "pem": quiet.identity.certificate.read_text("ascii")})
    api.post(f"/v1/partner-certificates/{made['id']}/refuse")
    setting.signed(quiet, "quiet-refused")
    assert setting.traced(setting.b, "quiet-refused")["detail"]["answered"] == "no"


@pytest.mark.parametrize("sender, recipient, more", [
    ("", f"{PING}@{B}", ""),
    (f"joe@{MEMBER}", f"{PING}@{B}", "Auto-Submitted: auto-generated\r\n"),
    (f"victim@{A}", f"{PING}@{B}", "")],
    ids=["null-sender", "machine", "another's-name"])
def test_who_is_not_answered(setting, sender, recipient, more, request):
    """No loop, and nobody is written to in another's name."""
    subject = f"none-{request.node.callspec.id}"
    entity = setting.software.sign(b"Content-Type: text/plain\r\n\r\nping\r\n")
    setting.from_outside(sender, [recipient],
                         setting.wrapped(entity, recipient, subject, more=more))
    step = setting.traced(setting.b, subject)
    assert step["detail"]["answered"] == "no" and step["detail"]["because"]
    for domain in (MEMBER, A, B):
        assert not [m for m in setting.servers[domain].mails if subject.encode() in m.raw]


@pytest.mark.parametrize("form", ["plain", "self-made", "altered"])
def test_what_is_no_secure_email_is_not_answered(setting, form):
    """REQ-98: the software and the agencies are told to nobody but holders of a certificate."""
    subject = f"stranger-{form}"
    entity = b"Content-Type: text/plain\r\n\r\nping\r\n"
    if form == "self-made":
        maker = peers.Pki(setting.platform.layout.dir)
        own = maker.issue("stranger", f"domain-confidentiality-authority@{MEMBER}")
        stranger = peers.OpenSsl(setting.platform.layout.dir, own.certificate)
        stranger.own(own)
        entity = stranger.sign(entity)
    if form == "altered":
        entity = setting.software.sign(entity).replace(b"ping", b"pong", 1)
    setting.from_outside(f"joe@{MEMBER}", [f"{PING}@{B}"],
                         setting.wrapped(entity, f"{PING}@{B}", subject))
    step = setting.traced(setting.b, subject)
    assert step["detail"]["answered"] == "no"
    assert not [m for m in setting.servers[MEMBER].mails if subject.encode() in m.raw]
