"""The whole gateway against openssl cms, NSS cmsutil and gpgsm, both ways, by real mail.

Each tool is the gateway of a member organisation elsewhere: its certificate from the reference CA, found
by LDAP, its mail by SMTP. REQ-17 REQ-22 REQ-23 REQ-24 REQ-25 REQ-36 REQ-43 REQ-47 REQ-48 REQ-53 REQ-56
REQ-67 REQ-69 REQ-71 REQ-76 REQ-81 REQ-87
"""
import base64
import datetime
import email
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

import corpus
import peers
from interop import ENTITIES, NAMES, Matrix, theirs
from partners import Partner, from_directory, further_ca
from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, FROM_A, FROM_B, OUTSIDE, Setting, header, simple

DOMAINS = {peers.OpenSsl: "openssl-partner.test", peers.CmsUtil: "nss-partner.test",
           peers.GpgSm: "gpgsm-partner.test"}
NAMED = {"ids": lambda kind: getattr(kind, "name", str(kind))}
# The object identifier of the attribute sMIMECapabilities
CAPABILITIES = bytes.fromhex("06092a864886f70d01090f")


def days(count):
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=count)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Interop(Setting):
    """The setting, with the partners elsewhere, one server for the mail of all of them."""

    FAILING = ("revoked.test", "suspended.test", "untrusted.test", "expired.test", "early.test",
               "silent.test", "misnamed.test")

    def __init__(self, folder, block):
        self.partners_port = block.base + 18
        self.other_port, self.dead_port = block.base + 16, block.base + 17
        domains = [*DOMAINS.values(), *self.FAILING]
        super().__init__(folder, block, {domain: self.partners_port for domain in domains})
        self.servers["partners"] = MailServer(self.partners_port, f"{folder}/mail/partners")
        self.software, self.partner = {}, {}
        self.other = None

    def start(self):
        super().start()
        platform = self.platform
        self.other = further_ca(platform, "other-ca", self.other_port)
        silent = further_ca(platform, "silent-ca", self.dead_port)
        rogue = further_ca(platform, "rogue-ca", self.other_port)
        for ca in (self.other, silent):
            platform.api.post("/v1/trust-anchors", {"pem": ca.anchor_pem})
        self.other.start()
        # Two at a time: most of it is waiting for keys and for programs to start.
        with ThreadPoolExecutor(2) as pool:
            for work in [pool.submit(self.join, platform.refca, *DOMAINS.values()),
                         pool.submit(self.join, rogue, "untrusted.test"),
                         pool.submit(self.join, silent, "silent.test"),
                         pool.submit(self.failing)]:
                work.result()
        platform.refca.list_add("SEEMAIL2", *DOMAINS.values())
        self.partner["misnamed.test"].put(self.partner["openssl-partner.test"].identity)
        self.agency = {domain: from_directory(platform, domain, platform.layout.dir / "found")
                       for domain in (A, B, C)}
        for kind, domain in DOMAINS.items():
            self.software[kind] = kind(platform.layout.dir, platform.layout.ca / "root.pem")
            self.software[kind].own(self.partner[domain].identity)
            for identity in self.agency.values():
                self.software[kind].partner(identity)
        return self

    def join(self, ca, *domains):
        """Partners with certificates of that CA, in the directory."""
        for domain in domains:
            self.partner[domain] = Partner(self.platform, domain, ca)
        ca.publish()

    def failing(self):
        """Certificates of a CA that is trusted, each no good for a reason of its own."""
        platform, partner, ca = self.platform, self.partner, self.other
        partner["early.test"] = Partner(platform, "early.test", ca, "--not-before", days(2))
        self.join(ca, "revoked.test", "suspended.test")
        # Before anybody fetched the list; the directory still has both.
        partner["revoked.test"].revoke("keyCompromise")
        partner["suspended.test"].revoke("certificateHold")
        partner["expired.test"] = Partner(platform, "expired.test", ca, "--not-before", days(-60),
                                          "--not-after", days(-2)).put()
        partner["misnamed.test"] = Partner(platform, "misnamed.test", ca)

    def stop(self):
        for software in self.software.values():
            software.close()
        if self.other:
            self.other.stop()
        super().stop()

    def openssl(self, domain):
        """openssl as the gateway of that partner."""
        made = peers.OpenSsl(self.platform.layout.dir, self.platform.layout.ca / "root.pem")
        made.own(self.partner[domain].identity)
        return made

    def chain(self, domain):
        """What makes openssl send the CAs along."""
        return [option for path in self.partner[domain].identity.chain
                for option in ("-certfile", path)]

    def receive(self, entity, subject, sender, to=A, claims=True):
        """An entity from elsewhere as mail to agency "to"; what its server got."""
        claim = b"X-NZ-Secure-email: 1.0\r\nX-SEEMail-Version: 2.0\r\n" if claims else b""
        head = simple(sender, [f"ann@{to}"], subject).partition(b"\r\n\r\n")[0]
        if b"mime-version:" not in entity.partition(b"\r\n\r\n")[0].lower():
            claim += b"MIME-Version: 1.0\r\n"
        self.from_outside(sender, [f"ann@{to}"], head + b"\r\n" + claim + wire(entity))
        return self.arrived(to, subject)[0]

    def steps(self, organisation, subject, last):
        """The trace of the message with that subject, once it has come as far as that step."""
        def found():
            for row in organisation.messages(message_id=f"{subject}@x.test"):
                rows = organisation.trace(row["id"])
                if any(r["step"] == last for r in rows):
                    return rows
            return None
        return wait_for(found, 20, f"{last} in the trace of {subject}")


def wire(entity):
    """CRLF everywhere: openssl ends the lines of its own header fields and boundaries with LF."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", entity)


def step(trace, name):
    return next(r for r in trace if r["step"] == name)


def entity_of(mail):
    """The MIME entity of a mail: its content fields and its body."""
    fields = [f for f in corpus.content_fields(mail) if not f.lower().startswith(b"mime-version")]
    return b"\r\n".join(fields) + b"\r\n\r\n" + corpus.split(mail)[1]


def verified(mail, domain, entity):
    assert header(mail.raw, "X-Sealgate-Verdict") == f"verified; domain={domain}"
    assert header(mail.raw, "X-NZ-Secure-email") == "1.0"
    # SMTP cannot carry a last line without an end.
    assert entity_of(mail.raw) == (entity if entity.endswith(b"\r\n") else entity + b"\r\n")


def unverified(mail, code, rendered, entity):
    """The warning, and the entity as an attachment: as message/rfc822, or one that nothing renders."""
    assert header(mail.raw, "X-Sealgate-Verdict") == f"unverified; code={code}"
    assert header(mail.raw, "X-NZ-Secure-email") is None
    shown, attached = email.message_from_bytes(mail.raw).get_payload()
    assert shown.get_content_type() == "text/plain"
    text = shown.get_payload(decode=True).decode()
    assert f"[Code: {code}]" in text and "UNVERIFIED MESSAGE \u2013" in text
    assert attached.get_content_disposition() == "attachment"
    if rendered:
        assert attached.get_content_type() == "message/rfc822"
        part = mail.body[mail.body.index(b"Content-Type: message/rfc822"):].partition(b"\r\n\r\n")[2]
        inner = part[:part.rindex(b"\r\n--")]
    else:
        assert attached.get_content_type() == "application/octet-stream"
        inner = attached.get_payload(decode=True)
        assert corpus.split(entity)[1].strip() not in mail.raw
    assert entity_of(wire(inner)) == entity_of(wire(entity))


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgi", dir="/var/tmp") as folder:
        s = Interop(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.fixture(scope="module")
def matrix(request):
    table = Matrix("gateway, by mail",
                   "what gatewayd sends to whom: docs/algorithms.md; keys on curves: test_curves.py")
    yield table
    table.print(request.config)


# What we send ------------------------------------------------------------------------------------

SENT = ("text", "8-bit", "empty", "many final line ends", "dots", "long line", "multipart", "200 KB")


@pytest.mark.parametrize("sender,source", [(A, FROM_A), (B, FROM_B)], ids=["token", "wrapped"])
@pytest.mark.parametrize("kind", peers.PEERS, **NAMED)
def test_what_we_send_is_read(setting, matrix, kind, sender, source):
    """REQ-17 REQ-23 REQ-43 REQ-53 REQ-67 REQ-69 REQ-71: found by LDAP, signed, encrypted."""
    peer, domain, good = setting.software[kind], DOMAINS[kind], False
    try:
        for name in SENT if sender == A else ("8-bit",):
            subject = f"to-{domain}-{name.replace(' ', '-')}-from-{sender}"
            head = simple(f"ann@{sender}", [f"joe@{domain}"], subject).partition(b"\r\n\r\n")[0]
            entity = b"MIME-Version: 1.0\r\n" + ENTITIES[name]
            setting.submit(f"ann@{sender}", [f"joe@{domain}"], head + b"\r\n" + entity, source=source)
            got, = setting.arrived("partners", subject)
            assert header(got.raw, "X-NZ-Secure-email") == "1.0"
            assert "pkcs7-mime" in header(got.raw, "Content-Type")
            assert name == "empty" or corpus.split(entity)[1].strip()[:40] not in got.raw
            signed = peer.decrypt(entity_of(got.raw))
            assert peer.verify(signed) == entity, name
            assert CAPABILITIES in peers.split_signed(signed)[1]
            shown = peers.run("openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in",
                              peer._file(peers.cms_of(entity_of(got.raw)))).decode()
            assert "aes-256-cbc" in shown
        good = True
    finally:
        matrix.add(peer.name, "reads ours",
                   f"aes256-cbc+sha256 ({'token' if sender == A else 'wrapped'} key)", good)


# What they send ----------------------------------------------------------------------------------

@pytest.mark.parametrize("opaque", [False, True], ids=["detached", "opaque"])
@pytest.mark.parametrize("kind,cipher,digest", [row for kind in peers.PEERS for row in theirs(kind)],
                         **NAMED)
def test_what_they_send_is_accepted(setting, matrix, kind, cipher, digest, opaque):
    """REQ-17 REQ-24 REQ-25 REQ-36 REQ-47 REQ-76 REQ-81"""
    peer, domain, good, named = setting.software[kind], DOMAINS[kind], False, cipher
    entity = ENTITIES["8-bit"]
    subject = f"from-{domain}-{cipher}-{digest}-{'opaque' if opaque else 'detached'}"
    try:
        sealed = peer.encrypt(peer.sign(entity, digest, opaque), setting.agency[A], cipher)
        verified(setting.receive(sealed, subject, f"joe@{domain}"), domain, entity)
        trace = setting.steps(setting.a, subject, "next-hop")
        named = NAMES[step(trace, "envelope")["detail"]["cipher"]]
        assert cipher in ("default", named)
        signature = step(trace, "signature")["detail"]
        assert (signature["digest"], signature["result"], signature["certificate"]) == \
            (digest, "ok", "valid")
        assert step(trace, "decided")["detail"]["rule"] == "verified"
        good = True
    finally:
        matrix.add(peer.name, "is accepted", f"{named}+{digest}{' opaque' if opaque else ''}", good)


def test_newer_algorithms_are_accepted(setting, matrix):
    """REQ-24 REQ-25: RSA-PSS, RSA-OAEP and more than one recipient, to a key on the token and to a wrapped one."""
    domain, entity = DOMAINS[peers.OpenSsl], ENTITIES["8-bit"]
    peer = setting.software[peers.OpenSsl]
    for organisation, to in ((setting.a, A), (setting.c, C)):
        agency = setting.agency[to]
        oaep = ["-recip", agency.certificate, "-keyopt", "rsa_padding_mode:oaep"]
        forms = {
            "RSA-PSS": (["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest"], {}),
            "RSA-OAEP SHA-1": ([], {"recipients": oaep}),
            "RSA-OAEP SHA-256": ([], {"recipients": [*oaep, "-keyopt", "rsa_oaep_md:sha256"]}),
            "second of two recipients": ([], {"more": [setting.agency[B]]}),
        }
        for name, (sign, encrypt) in forms.items():
            good, subject = False, f"{name.replace(' ', '-')}-to-{to}"
            try:
                sealed = peer.encrypt(peer.sign(entity, options=sign), agency, "aes256-cbc", **encrypt)
                verified(setting.receive(sealed, subject, f"joe@{domain}", to), domain, entity)
                trace = setting.steps(organisation, subject, "next-hop")
                assert step(trace, "envelope")["detail"]["transport"] == \
                    ("rsa-oaep" if "OAEP" in name else "rsa-pkcs1")
                assert step(trace, "signature")["detail"]["algorithm"] == \
                    ("rsassaPss" if name == "RSA-PSS" else "rsaEncryption")
                good = True
            finally:
                matrix.add(peer.name, "is accepted",
                           f"{name} ({'token' if to == A else 'wrapped'} key)", good)


@pytest.mark.parametrize("kind", peers.PEERS, **NAMED)
def test_all_kinds_of_content(setting, kind):
    """REQ-17: byte for byte, to a key on the token and to a wrapped one of RSA-3072."""
    peer, domain = setting.software[kind], DOMAINS[kind]
    for name, entity in ENTITIES.items():
        for to in (A, C):
            sealed = peer.encrypt(peer.sign(entity, "sha256"), setting.agency[to], kind.ciphers[0])
            subject = f"{name.replace(' ', '-')}-from-{domain}-to-{to}"
            verified(setting.receive(sealed, subject, f"joe@{domain}", to), domain, entity)


@pytest.mark.parametrize("kind", peers.PEERS, **NAMED)
def test_encrypted_only(setting, matrix, kind):
    """REQ-87: accepted and opened, but nothing shows who sent it: marked, and rendered by nothing."""
    peer, domain = setting.software[kind], DOMAINS[kind]
    entity = ENTITIES["8-bit"]
    sealed = peer.encrypt(entity, setting.agency[A], kind.ciphers[0])
    for sender, rule in ((f"joe@{domain}", "member-unsigned"), (f"joe@{OUTSIDE}", "encrypted-unsigned")):
        subject = f"encrypted-only-{sender}".replace("@", "-")
        mail = setting.receive(sealed, subject, sender, claims=sender != f"joe@{OUTSIDE}")
        unverified(mail, "002", False, entity)
        trace = setting.steps(setting.a, subject, "next-hop")
        assert step(trace, "decided")["detail"]["rule"] == rule
        assert step(trace, "envelope")["detail"]["result"] == "ok"
    matrix.add(peer.name, "is accepted", "encrypted only (marked 002)", True)


@pytest.mark.parametrize("opaque", [False, True], ids=["detached", "opaque"])
@pytest.mark.parametrize("kind", peers.PEERS, **NAMED)
def test_signed_only(setting, matrix, kind, opaque):
    """REQ-22: the signature is good, but a member has to encrypt."""
    peer, domain = setting.software[kind], DOMAINS[kind]
    entity = ENTITIES["8-bit"]
    subject = f"signed-only-{domain}-{'opaque' if opaque else 'detached'}"
    mail = setting.receive(peer.sign(entity, "sha256", opaque), subject, f"joe@{domain}")
    unverified(mail, "008", True, entity)
    trace = setting.steps(setting.a, subject, "next-hop")
    assert step(trace, "decided")["detail"]["rule"] == "member-not-encrypted"
    assert step(trace, "signature")["detail"]["result"] == "ok"
    matrix.add(peer.name, "is accepted", f"signed only{' opaque' if opaque else ''} (marked 008)", True)


# What is wrong is told apart ---------------------------------------------------------------------

FAILURES = [  # REQ-36, and what the trace has to say of it
    ("revoked.test", "101", "signer-revoked", "revoked", r"^revoked since .* \(keyCompromise\)"),
    ("suspended.test", "101", "signer-revoked", "revoked", r"^suspended since .* \(certificateHold\)"),
    ("untrusted.test", "102", "signer-untrusted", "untrusted", r"no chain to an accredited root"),
    ("expired.test", "103", "signer-expired", "expired", r"^expired \d+ days? ago, on \d"),
    ("silent.test", "104", "signer-unknown", "status-unknown", r"not known whether it is revoked: .*"),
    ("early.test", "105", "signer-not-yet", "not-yet-valid", r"^valid only in \d+ days?, from \d"),
]


@pytest.mark.parametrize("domain,code,rule,status,words", FAILURES, ids=[f[0] for f in FAILURES])
def test_signers_that_are_no_good(setting, domain, code, rule, status, words):
    """REQ-36 REQ-67: each with its code and its words; what was signed is intact and can be read."""
    entity, subject = ENTITIES["8-bit"], f"failing-{domain}"
    with setting.openssl(domain) as peer:
        signed = peer.sign(entity, options=setting.chain(domain))
        sealed = peer.encrypt(signed, setting.agency[A], "aes256-cbc")
        unverified(setting.receive(sealed, subject, f"joe@{domain}"), code, True, entity)
    trace = setting.steps(setting.a, subject, "next-hop")
    decided, signature = step(trace, "decided"), step(trace, "signature")["detail"]
    assert (decided["requirement"], decided["detail"]["code"]) == ("REQ-36", code)
    assert decided["detail"]["rule"] == rule
    assert signature["result"] == "ok" and signature["certificate"] == status
    assert re.search(words, signature["certificate_detail"])
    row, = setting.a.messages(message_id=f"{subject}@x.test")
    assert setting.a.message(row["id"])["recipients"][0]["outcome"] == "delivered"


@pytest.mark.parametrize("sender", ["joe@nss-partner.test", "joe@sub.openssl-partner.test",
                                    "joe@test", f"joe@{OUTSIDE}"])
def test_signed_by_another_domain(setting, sender):
    """REQ-47 REQ-48: neither another domain, nor one above or below, a member or not."""
    peer, entity = setting.software[peers.OpenSsl], ENTITIES["8-bit"]
    sealed = peer.encrypt(peer.sign(entity), setting.agency[A], "aes256-cbc")
    subject = f"another-domain-{sender.partition('@')[2]}"
    unverified(setting.receive(sealed, subject, sender), "002", True, entity)
    trace = setting.steps(setting.a, subject, "next-hop")
    assert step(trace, "decided")["detail"]["rule"] == "signer-mismatch"
    assert "openssl-partner.test is not of the domain" in \
        step(trace, "signature")["detail"]["certificate_detail"]


@pytest.mark.parametrize("opaque", [False, True], ids=["detached", "opaque"])
@pytest.mark.parametrize("kind", peers.PEERS, **NAMED)
def test_altered_inside(setting, kind, opaque):
    """REQ-22: signed, altered, then encrypted: 003, and rendered by nothing."""
    peer, domain = setting.software[kind], DOMAINS[kind]
    signed = peer.sign(ENTITIES["text"], "sha256", opaque)
    if opaque:
        cms = peers.cms_of(wire(signed)).replace(b"world", b"moved")
        assert b"moved" in cms
        signed = peers.cms_entity(cms, "signed-data")
    else:
        signed = signed.replace(b"world", b"moved")
    sealed = peer.encrypt(signed, setting.agency[A], kind.ciphers[0])
    subject = f"altered-{domain}-{'opaque' if opaque else 'detached'}"
    mail = setting.receive(sealed, subject, f"joe@{domain}")
    unverified(mail, "003", False, signed)
    assert b"moved" not in mail.raw
    trace = setting.steps(setting.a, subject, "next-hop")
    assert step(trace, "decided")["detail"]["rule"] == "altered-inside"
    assert step(trace, "signature")["detail"]["result"] == "altered"


@pytest.mark.parametrize("kind", peers.PEERS, **NAMED)
def test_altered_signed_only(setting, kind):
    """REQ-22: 003 and not 008; it was never secret, so it is shown."""
    peer, domain = setting.software[kind], DOMAINS[kind]
    signed = peer.sign(ENTITIES["text"], "sha256").replace(b"world", b"moved")
    subject = f"altered-signed-{domain}"
    mail = setting.receive(signed, subject, f"joe@{domain}")
    unverified(mail, "003", True, signed)
    assert step(setting.steps(setting.a, subject, "next-hop"), "decided")["detail"]["rule"] == "altered"


def test_certificates_that_come_along(setting):
    """REQ-81: any number, in any order; or the signer's alone."""
    peer, entity = setting.software[peers.OpenSsl], ENTITIES["text"]
    own = setting.partner["openssl-partner.test"].identity
    others = [setting.partner[d].identity.certificate for d in ("nss-partner.test", "revoked.test",
                                                                "untrusted.test")]
    root = setting.platform.layout.ca / "root.pem"
    forms = {"alone": [], "chain": own.chain, "many": [*others, root, *own.chain],
             "turned": [*own.chain, root, *reversed(others)]}
    for name, files in forms.items():
        more = [option for path in files for option in ("-certfile", path)]
        sealed = peer.encrypt(peer.sign(entity, options=more), setting.agency[A], "aes256-cbc")
        mail = setting.receive(sealed, f"certificates-{name}", "joe@openssl-partner.test")
        verified(mail, "openssl-partner.test", entity)


def test_signers_certificate_alone_after_a_restart(setting):
    """REQ-67 REQ-81: what lies between it and the root is in the directory; the outcome must not hang
    on whose mail came before."""
    gatewayd = setting.platform.gatewayd
    gatewayd.stop()
    gatewayd.start()
    peer, entity = setting.software[peers.OpenSsl], ENTITIES["text"]
    sealed = peer.encrypt(peer.sign(entity), setting.agency[A], "aes256-cbc")
    mail = setting.receive(sealed, "leaf-alone", "joe@openssl-partner.test")
    verified(mail, "openssl-partner.test", entity)


# To whom nothing can be sent ---------------------------------------------------------------------

HELD = [
    ("revoked.test", "201", "revoked"), ("suspended.test", "201", "revoked"),
    ("untrusted.test", "201", "untrusted"), ("expired.test", "201", "expired"),
    ("silent.test", "202", "status-unknown"), ("early.test", "201", "not-yet-valid"),
    ("misnamed.test", "201", "mismatch"),
]


@pytest.mark.parametrize("domain,code,status", HELD, ids=[h[0] for h in HELD])
def test_recipients_whose_certificate_is_no_good(setting, domain, code, status):
    """REQ-36 REQ-56 REQ-69: held, with the reason; nothing goes out."""
    subject = f"held-for-{domain}"
    setting.submit(f"ann@{A}", [f"joe@{domain}"], simple(f"ann@{A}", [f"joe@{domain}"], subject))
    held, = wait_for(lambda: [h for h in setting.a.held(state="held")
                              if h["recipient_domain"] == domain], 30, "held mail")
    assert held["reason"] == code
    trace = setting.steps(setting.a, subject, "held")
    assert step(trace, "decided")["detail"]["code"] == code
    assert step(trace, "certificate-candidate")["detail"]["status"] == status
    setting.servers[A].wait(1, 30, lambda m: f"[Code: {code}]".encode() in m.raw
                            and f"joe@{domain}".encode() in m.raw)
    assert not [m for m in setting.servers["partners"].mails if f"joe@{domain}" in m.recipients]
