"""The ping responder: who is answered, with what, and who is not (REQ-96 to 99)."""
import tempfile

import pytest

import corpus
import peers
from partners import Partner, from_directory
from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, Setting, header, simple

MEMBER = "partner.test"
PING = "secure-email-ping"


class Pinged(Setting):
    """With a member elsewhere whose keys we have."""

    def __init__(self, folder, block):
        super().__init__(folder, block, {MEMBER: block.base + 18})
        self.servers[MEMBER] = MailServer(block.base + 18, f"{folder}/mail/member")

    def start(self):
        super().start()
        self.partner = Partner(self.platform, MEMBER)
        self.platform.refca.publish()
        found = self.platform.layout.dir / "found"
        self.own = {domain: from_directory(self.platform, domain, found) for domain in (B, C)}
        self.software = peers.OpenSsl(self.platform.layout.dir, self.partner.identity.certificate)
        self.software.own(self.partner.identity)
        return self

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
