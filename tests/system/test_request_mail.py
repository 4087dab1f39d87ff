"""Certificates by mail, both roles: asking a partner's gateway when store and directory have nothing, taking its
answer in each of its forms, and answering others (REQ-44, 51, 54).
"""
import base64
import datetime as dt
import email
import hashlib
import subprocess
import tempfile
import time

import pytest

import certlab
import forge
import peers
from members import DAY, NOW, Members, text_of
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from sealgate.layout import GATEWAY, GROUP
from setting import A, B, C, FROM_B, header, simple

ASK, TAKE = "domain-certificate-request", "domain-certificate-answer"
FORMS = ["cer-der", "crt-pem", "cer-base64", "p7b", "p7c"]
TEXT = b"Content-Type: text/plain\r\n\r\nPlease.\r\n"
NAMES = [*FORMS, "asked", "refused", "approved", "asker", "silent", "foreign", "explained", "limits",
         "accounts", "again", "aged", "stale"]


class Post(Members):
    def __init__(self, folder, block):
        super().__init__(folder, block, [f"{name}.test" for name in NAMES], {"request.answer_every": "10m", "request.age": "1h", "request.size": "64k", "request.certificates": "4"})

    def requests(self, domain):
        return [m for m in self.outside.mails if m.recipients == [f"{ASK}@{domain}"]]

    def answer(self, to, *attachments, sender="", author=None, more=""):
        """A mail with these attachments, (name, type, octets), to the address that takes answers."""
        boundary = "edge"
        parts = "".join(
            f"--{boundary}\r\nContent-Type: {kind}; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
            + base64.encodebytes(data).decode().replace("\n", "\r\n") for name, kind, data in attachments)
        subject = f"answer-{time.monotonic_ns()}"
        self.from_outside(sender, [f"{TAKE}@{to}"], (
            f"From: <{author or f'{ASK}@whoever.test'}>\r\nTo: <{TAKE}@{to}>\r\nSubject: {subject}\r\n{more}"
            f"Message-ID: <{subject}@x.test>\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n{parts}--{boundary}--\r\n").encode())
        return subject

    def request(self, to, member, name, subject=None, sender=None, sign=True, more="", source=None, entity=None):
        """A member's request for our certificate."""
        author = sender if sender else f"{TAKE}@{member.domain}"
        entity = entity or (member.signed(TEXT) if sign else TEXT)
        message = (f"From: <{author}>\r\nTo: <{ASK}@{to}>\r\nMessage-ID: <{name}@x.test>\r\n{more}"
                   f"Subject: {subject or f'domain-confidentiality-authority@{to}'}\r\n"
                   "MIME-Version: 1.0\r\n").encode() + entity
        self.from_outside(author if source is None else source, [f"{ASK}@{to}"], message)


@pytest.fixture(scope="module")
def post():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgp", dir="/var/tmp") as folder:
        s = Post(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def bundle(*paths):
    """A PKCS#7 without signers, by openssl."""
    return subprocess.run(["openssl", "crl2pkcs7", "-nocrl", "-outform", "DER",
                           *(str(a) for path in paths for a in ("-certfile", path))], check=True,
                          capture_output=True).stdout


def test_asked_once_by_a_signed_mail(post):
    """REQ-44: to the special address, with the target's address as subject, from an address that takes answers;
    once, whatever number of messages and senders wait."""
    member = post.member("asked.test")
    for i in range(3):
        post.send("asked.test", f"waits-{i}")
    wait_for(lambda: post.requests("asked.test"), 60, "the request")  # A's: B comes after it
    post.submit(f"bob@{B}", ["ann@asked.test"], simple(f"bob@{B}", ["ann@asked.test"], "waits-b"), source=FROM_B)
    steps = {name: post.steps(name, "certificate-request", org)[0]["asked"]
             for name, org in [("waits-0", post.a), ("waits-1", post.a), ("waits-2", post.a), ("waits-b", post.b)]}
    assert sorted(steps.values()) == ["before", "before", "before", "yes"], steps
    request, = post.requests("asked.test")
    assert header(request.raw, "Subject") == "domain-confidentiality-authority@asked.test"
    assert request.sender == f"{TAKE}@{A}" and header(request.raw, "From") == f"{TAKE}@{A}"
    assert header(request.raw, "X-NZ-Secure-email") and header(request.raw, "Auto-Submitted") is None
    head, _, body = request.raw.partition(b"\r\n\r\n")
    signed = b"Content-Type" + head.partition(b"\r\nContent-Type")[2] + b"\r\n\r\n" + body
    assert b"asked.test" in member.software.verify(signed)
    assert {row["reason"] for row in post.held("asked.test")} == {"201"}
    assert len(post.requests("asked.test")) == 1


@pytest.mark.parametrize("form", FORMS)
def test_answer_is_taken_and_mail_goes_at_once(post, form):
    """Each usual form; from whom it comes says nothing. What waited goes, though its next try is an hour off."""
    domain = f"{form}.test"
    member = post.member(domain)
    leaf = member.leaves[0]
    der = leaf.path.read_bytes()
    attachment = {
        "cer-der": ("their.cer", "application/pkix-cert", der),
        "crt-pem": ("their.crt", "application/octet-stream", leaf.pem.read_bytes()),
        "cer-base64": ("their.cer", "application/octet-stream", base64.encodebytes(der)),
        "p7b": ("their.p7b", "application/x-pkcs7-certificates", bundle(leaf.pem, leaf.helpers)),
        "p7c": ("their.p7c", "application/pkcs7-mime; smime-type=certs-only", bundle(leaf.helpers, leaf.pem)),
    }[form]
    post.send(domain, f"goes-{form}")
    wait_for(lambda: post.requests(domain), 60, "the request")
    post.held(domain)
    wait_for(lambda: post.platform.postgresql.psql(
        f"SELECT 1 FROM sealgate.certificate_request WHERE partner = '{domain}' AND state = 'sent'"), 20, "it to be noted")
    started = time.monotonic()
    subject = post.answer(A, attachment)
    got, = post.at_members(f"goes-{form}")
    print(f"\n{form}: from the answer to the delivery {time.monotonic() - started:.2f} s")
    assert b"Kia ora, secret." in member.open(got.raw) and b"Kia ora" not in got.raw
    step = post.steps(subject, "certificate-answer")
    assert [s["state"] for s in step if "state" in s] == ["in use"] and step[-1]["taken"] == "yes"


def test_what_is_not_taken(post):
    """Nothing is taken by virtue of the mail: not asked for, of another CA, of a person, of another domain, expired."""
    member = post.member("refused.test")
    post.send("refused.test", "still-waits")
    wait_for(lambda: post.requests("refused.test"), 60, "the request")
    post.held("refused.test")
    good = member.leaves[0].path.read_bytes()
    own = peers.Pki(post.platform.layout.dir).issue("made", f"{certlab.DCA}@refused.test")
    cases = {
        "this domain did not ask for it": (B, good),
        "expired": (A, member.issue(not_before=NOW - 9 * DAY, not_after=NOW - 2 * DAY).path.read_bytes()),
        "no chain to an accredited root": (A, open(own.certificate, "rb").read()),
    }
    for words, (to, data) in cases.items():
        subject = post.answer(to, ("x.cer", "application/pkix-cert", data))
        step = post.steps(subject, "certificate-answer", post.a if to == A else post.b)
        assert step[0]["state"] == "refused" and words in step[0]["detail"], step
        assert step[-1]["taken"] == "no"
    person = post.ca.forge("refused.test", addresses=["ann@refused.test"], common_name="Ann")
    for data in (person.path.read_bytes(), b"no certificate at all", b"\x30\x82\xff\xff" + bytes(50)):
        subject = post.answer(A, ("x.cer", "application/pkix-cert", data))
        assert post.steps(subject, "certificate-answer")[-1]["because"] == "no domain's certificate in it"
    assert post.held("refused.test") and not [m for m in post.outside.mails if b"still-waits" in m.head]


def tlv(tag, *content):
    octets = b"".join(content)
    return bytes([tag, 0x84]) + len(octets).to_bytes(4, "big") + octets


def certificate(*addresses):
    """Of these rfc822Names, whatever their octets; nobody signed it."""
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    name = bytes.fromhex("300c310a300806035504030c0178")
    point = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    names = tlv(0x30, *(tlv(0x81, a) for a in addresses))
    return tlv(0x30, tlv(0x30, bytes.fromhex("a003020102020101"), algorithm, name,
                         tlv(0x30, tlv(0x17, b"250101000000Z"), tlv(0x17, b"490101000000Z")), name,
                         bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + point,
                         tlv(0xa3, tlv(0x30, tlv(0x30, bytes.fromhex("0603551d11"), tlv(4, names))))),
               algorithm, tlv(3, b"\0\1"))


@pytest.mark.parametrize("addresses", [[certlab.DCA.encode() + b"@\xff.test"], [certlab.DCA.encode() + b"@\xc3\xb6.test"],
                                       [b"%04x" % (i * 7919 % 4000) for i in range(4000)]], ids=["no-utf-8", "u-label", "many"])
def test_names_that_are_none(post, addresses):
    """An address of octets that PostgreSQL takes for no text: the mail is taken all the same, and is not tried for days."""
    started = time.monotonic()
    subject = post.answer(A, ("x.cer", "application/pkix-cert", certificate(*addresses)))
    assert post.steps(subject, "certificate-answer")[-1]["because"] == "no domain's certificate in it"
    print(f"\n{time.monotonic() - started:.2f} s")


def test_an_old_answer_comes_again(post):
    """REQ-44, 83: an answer that was captured is judged as things stand when it comes again. What was replaced stays
    replaced, what an administrator refused stays refused, what its CA revoked since then is not taken, though nothing of it
    is stored any more."""
    domain, api = "stale.test", post.platform.api
    member = post.member(domain)
    old, new = member.leaves[0], member.issue(by_the_rules=True)

    def answered(leaf):
        subject = post.answer(A, ("x.cer", "application/pkix-cert", leaf.path.read_bytes()))
        return post.steps(subject, "certificate-answer")[0]

    def sealed_with(name):
        post.send(domain, name)
        return forge.Captured(post.at_members(name)[0].raw).serial

    def row(leaf):
        return next(r for r in api.list("/v1/partner-certificates", domain=domain)
                    if r["sha256"] == hashlib.sha256(leaf.path.read_bytes()).hexdigest())

    def restart():
        """What gatewayd remembers of certificates and lists goes, so that the CAs above an answer are in the directory alone."""
        post.platform.gatewayd.stop()
        post.platform.postgresql.psql("DELETE FROM sealgate.crl")
        post.platform.gatewayd.start()
    post.send(domain, "stale-first")
    wait_for(lambda: post.requests(domain), 60, "the request")
    post.held(domain)
    assert answered(old)["state"] == "in use" and post.at_members("stale-first")
    assert answered(new)["state"] == "in use" and sealed_with("stale-new") == new.certificate.serial_number
    restart()
    assert answered(old)["state"] == "in use" and sealed_with("stale-still") == new.certificate.serial_number
    api.post(f"/v1/partner-certificates/{row(old)['id']}/refuse")
    restart()
    assert answered(old)["detail"] == "it waits already, or was refused" and row(old)["state"] == "refused"
    post.ca("revoke", new.pem, "--reason", "keyCompromise")
    api.delete(f"/v1/partner-certificates/{row(new)['id']}")
    restart()
    step = answered(new)
    assert step["state"] == "refused" and "revoked" in step["detail"], step
    post.send(domain, "stale-last")
    assert post.held(domain) and not [m for m in post.outside.mails if b"stale-last" in m.head]


def test_limits_of_answers(post):
    """[request] size and certificates, at their edges: what is beyond is not seen."""
    member = post.member("limits.test")
    good = ("their.cer", "application/pkix-cert", member.leaves[0].path.read_bytes())
    persons = [("x.cer", "application/pkix-cert",
                post.ca.forge("limits.test", addresses=["ann@limits.test"], common_name=f"Ann {i}").path.read_bytes())
               for i in range(4)]
    post.send("limits.test", "within-limits")
    wait_for(lambda: post.requests("limits.test"), 60, "the request")
    post.held("limits.test")
    for attachments in ([("note.txt", "text/plain", bytes(50000)), good], [*persons, good]):
        subject = post.answer(A, *attachments)
        assert post.steps(subject, "certificate-answer")[-1]["because"] == "no domain's certificate in it"
    subject = post.answer(A, ("note.txt", "text/plain", bytes(40000)), *persons[:3], good)
    assert post.steps(subject, "certificate-answer")[-1]["taken"] == "yes"


def test_a_directory_that_refuses_us_is_said(post):
    """Explain: a wrong password of a directory stands in the trace as it is, and is written nowhere."""
    platform, password = post.platform, "wrong-9Zk-and-secret"
    platform.layout.write(platform.layout.secrets / "other.ldap", password, 0o400, GATEWAY, GROUP)
    made = platform.api.post("/v1/directory-sources", {
        "url": platform.directory.ldaps_url, "ca_pem": platform.directory.certificate.read_text("ascii"),
        "bind_dn": "cn=admin,c=NZ", "credential": "other"})
    post.member("accounts.test")
    post.send("accounts.test", "refused-bind")
    post.held("accounts.test")
    words = post.steps("refused-bind", "discovery")[0]["detail"]
    # Who asked first, this mail or those that waited, was told so by the directory; the others by us.
    assert f"{platform.directory.ldaps_url}: " in words and "refused the bind (49)" in words, words
    platform.api.delete(f"/v1/directory-sources/{made['id']}")
    logs = "".join(path.read_text(errors="replace") for path in platform.layout.log.iterdir() if path.is_file())
    assert "cert.directory_circuit_open" in logs and password not in logs + words


def test_approval(post):
    """REQ-54: where the domain wants it an answer waits for an administrator; then what waited goes at once."""
    path = f"{post.a.domain_path}/policy"
    post.platform.api.put(path, {"discovery_approval": True})
    member = post.member("approved.test")
    post.send("approved.test", "after-approval")
    wait_for(lambda: post.requests("approved.test"), 60, "the request")
    post.held("approved.test")
    subject = post.answer(A, ("x.cer", "application/pkix-cert", member.leaves[0].path.read_bytes()))
    assert post.steps(subject, "certificate-answer")[0]["state"] == "to be approved"
    row, = [r for r in post.platform.api.list("/v1/partner-certificates", domain="approved.test")
            if r["state"] == "pending"]
    started = time.monotonic()
    post.platform.api.post(f"/v1/partner-certificates/{row['id']}/approve")
    got, = post.at_members("after-approval")
    print(f"\nfrom the approval to the delivery {time.monotonic() - started:.2f} s")
    assert b"Kia ora" in member.open(got.raw)
    post.platform.api.put(path, {})


def test_explained(post):
    """Explain: each candidate, the choice and each refusal in words, as gwctl prints them; what is there and waits for
    approval is not asked for by mail."""
    path = f"{post.a.domain_path}/policy"
    post.platform.api.put(path, {"discovery_approval": True})
    member = post.member("explained.test", not_before=NOW - 30 * DAY, not_after=NOW - 3 * DAY)
    old, new = member.leaves[0], member.issue()
    post.publish("explained.test", old, new)
    post.send("explained.test", "explain")
    post.held("explained.test")
    words = post.steps("explain", "discovery")[0]["detail"]
    for part in ("none can be used", f"{new.serial[:8]}… of {post.platform.directory.url}: good, but an administrator has yet",
                 f"{old.serial[:8]}… of {post.platform.directory.url}: expired 3 days ago"):
        assert part in words, words
    shown = subprocess.run([post.platform.layout.bin / "gwctl", "trace", post.a.name, post.message("explain")["id"],
                            "--url", post.platform.api.url, "--token-file",
                            post.platform.layout.secrets / "provider-admin.token"], check=True, capture_output=True, text=True).stdout
    assert "expired 3 days ago" in shown and "201" in shown
    row, = [r for r in post.platform.api.list("/v1/partner-certificates", domain="explained.test")
            if r["state"] == "pending"]
    post.platform.api.post(f"/v1/partner-certificates/{row['id']}/approve")
    got, = post.at_members("explain")
    assert b"Kia ora" in member.open(got.raw) and not post.requests("explained.test")
    post.platform.api.put(path, {})


def test_member_is_answered(post):
    """The converse: a member's signed request is answered with our certificate, signed; once in a while."""
    member = post.member("asker.test")
    post.request(B, member, "asks-1")
    got, = post.at_members(f"{certlab.DCA}@{B}")
    assert got.sender == "" and got.recipients == [f"{TAKE}@asker.test"]
    assert header(got.raw, "From") == f"{ASK}@{B}" and header(got.raw, "Auto-Submitted") == "auto-replied"
    head, _, body = got.raw.partition(b"\r\n\r\n")
    inner = member.software.verify(b"Content-Type" + head.partition(b"\r\nContent-Type")[2] + b"\r\n\r\n" + body)
    parts = {p.get_filename(): p.get_payload(decode=True) for p in email.message_from_bytes(inner).walk()
             if p.get_filename()}
    listed = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], check=True,
                            input=parts["domain-certificate.p7c"], capture_output=True).stdout
    assert listed.count(b"BEGIN CERTIFICATE") == 2 and certlab.DCA.encode() in listed
    shown = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-email"], check=True,
                           input=parts["domain-certificate.cer"], capture_output=True).stdout
    assert shown.decode().split() == [f"{certlab.DCA}@{B}"]
    post.request(B, member, "asks-2")
    step, = post.steps("asks-2", "certificate-request", post.b)
    assert step["answered"] == "no" and "a short while ago" in step["because"]


def signed_at(member, moment):
    """The request, signed at that time, or at none that is said."""
    said = [forge.seq(forge.oid("1.2.840.113549.1.9.5"), forge.set_of(forge.der(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())))] \
        if moment else []
    return forge.detached(TEXT, [member.identity], [
        forge.signer(member.identity, TEXT, forge.attributes(TEXT, more=said))])


def test_a_captured_request_brings_nothing(post):
    """The envelope is signed by nobody: with another sender or recipient, and after answer_every, a request that was
    answered is not answered again, nor is one that was signed before it. The domain's next request is."""
    member = post.member("again.test")
    moment = dt.datetime.utcnow() - dt.timedelta(minutes=20)
    older, asked = (signed_at(member, moment - dt.timedelta(seconds=s)) for s in (1, 0))
    answers = lambda: [m for m in post.outside.mails if m.recipients[0].endswith("@again.test")]
    post.request(B, member, "captured", entity=asked)
    assert post.steps("captured", "certificate-request", post.b)[0]["answered"] == "yes"
    wait_for(answers, 30, "the answer")
    later = lambda: post.platform.postgresql.psql(
        "UPDATE sealgate.certificate_answer SET answered_at = answered_at - interval '11 minutes' WHERE partner = 'again.test'")
    for name, entity in (("replayed", asked), ("replayed-older", older)):
        later()
        post.request(B, member, name, entity=entity, source="stranger@again.test")
        step, = post.steps(name, "certificate-request", post.b)
        assert step["answered"] == "no" and "signed no earlier" in step["because"], step
    assert len(answers()) == 1
    post.request(B, member, "asked-anew", entity=signed_at(member, moment + dt.timedelta(seconds=1)))
    assert post.steps("asked-anew", "certificate-request", post.b)[0]["answered"] == "yes"


@pytest.mark.parametrize("to,ago,words", [
    (B, 61, "signed too long ago"), (B, -7, "signed in the future"), (B, None, "does not say when"), (B, 58, None), (C, -4, None)])
def test_the_age_of_requests(post, to, ago, words):
    """[request] age, and the tolerance of clocks, at their edges; without a time it might be of any age."""
    member = post.members.get("aged.test") or post.member("aged.test")
    name = f"aged-{to}-{ago}"
    moment = dt.datetime.utcnow() - dt.timedelta(minutes=ago) if ago is not None else None
    post.request(to, member, name, entity=signed_at(member, moment))
    step, = post.steps(name, "certificate-request", {B: post.b, C: post.c}[to])
    assert step["answered"] == ("no" if words else "yes") and (not words or words in step["because"]), step


CASES = {
    "unsigned": ({"sign": False}, "no good signature"),
    "null-sender": ({"source": ""}, "null sender"),
    "machine": ({"more": "Auto-Submitted: auto-generated\r\n"}, "sent by a machine"),
    "other-subject": ({"subject": "domain-confidentiality-authority@asker.test"}, "the subject is not"),
    "other-envelope": ({"source": f"victim@{A}"}, "different domains"),
    "another's-name": ({"sender": f"{TAKE}@silent.test"}, "no good signature"),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_who_is_not_answered(post, case):
    """Nobody whose domain's signature does not verify; no machine, no null sender: no loops."""
    how, words = CASES[case]
    post.request(C, post.members.get("asker.test") or post.member("asker.test"), f"not-{case}", **how)
    step, = post.steps(f"not-{case}", "certificate-request", post.c)
    assert step["answered"] == "no" and words in step["because"], step


def test_strangers_are_not_answered(post):
    """A good certificate of an accredited CA, and no member: not answered. A member's that has expired: neither."""
    stranger = post.member("foreign.test", member=None)
    post.request(C, stranger, "stranger")
    step, = post.steps("stranger", "certificate-request", post.c)
    assert step["answered"] == "no" and "takes no part" in step["because"]
    lapsed = post.member("silent.test", not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    post.request(C, lapsed, "lapsed")
    step, = post.steps("lapsed", "certificate-request", post.c)
    assert step["answered"] == "no" and "expired" in step["because"]


def test_the_whole_way_while_the_directory_is_down(post):
    """Both roles of ours: with the directory away C's certificate comes by mail, and A's mail goes to C sealed."""
    with post.directory_down():
        started = post.send(C, "no-directory")
        got, = post.arrived(C, "no-directory")
        print(f"\nwithout a directory, from the submission to the delivery {time.monotonic() - started:.2f} s")
        assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    on_wire, = post.on_wire("no-directory")
    assert b"Kia ora" not in on_wire[1]
    text = text_of(post.notice(A, "SECURE DELIVERY DELAYED", "no-directory", to=f"joe@{A}").raw)
    assert "[Code: 201]" in text
