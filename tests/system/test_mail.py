"""Real mail through the whole chain: Postfix out, gatewayd, Postfix in, gatewayd, the agency's server.

REQ-2 REQ-4 REQ-5 REQ-7 REQ-8 REQ-10 REQ-11 REQ-12 REQ-14 REQ-16 REQ-43 REQ-45 REQ-53 REQ-60
REQ-61 REQ-62 REQ-65 REQ-66 REQ-70 REQ-76 REQ-87 REQ-88 REQ-100 REQ-117 REQ-136
"""
import base64
import re
import smtplib
import subprocess
import tempfile

import pytest

import corpus
from members import text_of
from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, FROM_B, OUTSIDE, Setting, header, simple

pytestmark = pytest.mark.smoke  # the way of a mail, once more with the daemons under sanitizers


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgm", dir="/var/tmp") as folder:
        s = Setting(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def subject_of(message):
    return re.search(rb"^Subject: (.*)\r$", message, re.M).group(1).decode()


def shows_nothing(wire, message):
    """No 24 octets of the sent body stand on the wire, as they are or in base64."""
    _, body = corpus.split(message)
    _, sealed = corpus.split(wire)
    opened = base64.b64decode(sealed)
    step = max(24, len(body) // 200)
    for i in range(0, max(1, len(body) - 24), step):
        piece = body[i:i + 24]
        if len(piece) == 24:
            assert piece not in sealed and piece not in opened


@pytest.fixture(scope="module")
def mails():
    with tempfile.TemporaryDirectory(prefix="corpus") as work:
        yield {name: (message, work) for name, message in
               corpus.corpus(f"joe@{A}", [f"ann@{B}"], work)}


KINDS = ["attachments", "eight_bit", "utf8", "long_lines", "no_mime", "empty_body", "dots",
         "calendar", "tnef", "individual_smime", "pgp_mime", "dkim", "large"]


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_is_byte_exact(setting, mails, kind):
    message, work = mails[kind]
    subject = subject_of(message)
    setting.submit(f"joe@{A}", [f"ann@{B}"], message)
    got = setting.arrived(B, subject)[0]
    assert got.raw.endswith(b"\r\n\r\n" + corpus.split(message)[1])
    assert corpus.split(got.raw)[1] == corpus.split(message)[1]
    if corpus.content_fields(message):
        assert corpus.content_fields(got.raw) == corpus.content_fields(message)
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    assert header(got.raw, "X-Sealgate-Submission") is None
    for field in corpus.split(message)[0]:
        assert field in corpus.split(got.raw)[0]
    (_, wire), = setting.on_wire(subject)
    assert "application/pkcs7-mime" in header(wire, "Content-Type")
    assert header(wire, "X-NZ-Secure-email") == "1.0"
    assert header(wire, "X-SEEMail-Version") == "2.0"
    assert header(wire, "Subject") == subject
    shows_nothing(wire, message)
    if kind == "dkim":
        import dkim
        assert dkim.verify(got.raw[got.raw.index(b"DKIM-Signature:"):],
                           dnsfunc=lambda *_a, **_k: corpus.dkim_txt(work))


@pytest.mark.parametrize("kind", KINDS)
def test_mail_that_is_not_ours_is_untouched(setting, mails, kind):
    """Out to somebody outside, and in from somebody outside: Postfix's Received and nothing else."""
    message, _ = mails[kind]
    subject = subject_of(message)
    setting.submit(f"joe@{A}", [f"x@{OUTSIDE}"], message)
    got = setting.arrived(OUTSIDE, subject)[0]
    assert got.raw.endswith(message)
    added = corpus.split(got.raw)[0][:-len(corpus.split(message)[0])]
    assert all(field.startswith(b"Received:") for field in added)
    foreign = message.replace(f"joe@{A}".encode(), f"joe@{OUTSIDE}".encode())
    setting.from_outside(f"joe@{OUTSIDE}", [f"bob@{C}"], foreign)
    got = setting.arrived(C, subject)[0]
    assert got.raw.endswith(foreign)
    added = corpus.split(got.raw)[0][:-len(corpus.split(foreign)[0])]
    assert all(field.startswith(b"Received:") for field in added)


def test_several_domains_and_blind_copies(setting):
    recipients = [f"ann@{B}", f"bea@{B}", f"cat@{C}", f"x@{OUTSIDE}"]
    message = simple(f"joe@{A}", recipients, "three-domains", "For all of you.\r\n")
    setting.submit(f"joe@{A}", [*recipients, f"blind@{B}"], message)
    at_b = setting.arrived(B, "three-domains", 2)
    assert sorted(tuple(sorted(m.recipients)) for m in at_b) == [
        (f"ann@{B}", f"bea@{B}"), (f"blind@{B}",)]
    at_c = setting.arrived(C, "three-domains")[0]
    outside = setting.arrived(OUTSIDE, "three-domains")[0]
    for mail in (*at_b, at_c, outside):
        assert mail.raw.endswith(b"\r\n\r\nFor all of you.\r\n")
        assert b"blind" not in mail.raw.replace(f"for <blind@{B}>".encode(), b"")
    wires = setting.on_wire("three-domains", 3)
    by_domain = {}
    for rcpts, raw in wires:
        by_domain.setdefault(rcpts[0].partition("@")[2], set()).add(corpus.split(raw)[1])
        if f"blind@{B}" in rcpts:
            assert rcpts == [f"blind@{B}"]
        assert b"blind" not in raw.partition(b"\r\n\r\n")[0].replace(
            f"for <blind@{B}>".encode(), b"")
    assert len(by_domain[B]) == 1 and len(by_domain[C]) == 1
    assert by_domain[B].isdisjoint(by_domain[C])
    assert header(wires[0][1], "X-NZ-Secure-email") == "1.0"
    c_wire = next(raw for rcpts, raw in wires if rcpts[0].endswith(C))
    assert header(c_wire, "X-SEEMail-Version") is None  # a SecureMail domain


def test_retention_and_trace(setting):
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "trace-me"))
    setting.arrived(B, "trace-me")

    def found(organisation):
        rows = organisation.messages(message_id="trace-me@x.test")
        return rows if rows else None
    out, = wait_for(lambda: found(setting.a), 10, "retention of A")
    into, = wait_for(lambda: found(setting.b), 10, "retention of B")
    assert (out["direction"], into["direction"]) == ("outbound", "inbound")
    assert out["id"] != into["id"]

    def steps(organisation, row, last):
        rows = organisation.trace(row["id"])
        return rows if any(r["step"] == last for r in rows) else None
    sent = wait_for(lambda: steps(setting.a, out, "sent"), 10, "trace of A")
    names = [r["step"] for r in sent]
    for step in ("received", "own-certificate", "certificate-candidate", "discovery", "decided",
                 "sealed", "sent"):
        assert step in names
    decided = next(r for r in sent if r["step"] == "decided")
    assert decided["detail"]["rule"] == "member" and decided["requirement"] == "REQ-62"
    came = wait_for(lambda: steps(setting.b, into, "next-hop"), 10, "trace of B")
    assert next(r for r in came if r["step"] == "decided")["detail"]["rule"] == "verified"
    assert next(r for r in came if r["step"] == "signature")["detail"]["certificate"] == "valid"


def test_who_may_submit(setting):
    """REQ-136: unknown clients, others' senders, others' From."""
    message = simple(f"joe@{A}", [f"ann@{B}"], "spoof")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        setting.submit(f"joe@{A}", [f"ann@{B}"], message, source="127.0.0.9")
    assert refused.value.smtp_code == 550 and b"5.7.1" in refused.value.smtp_error
    with pytest.raises(smtplib.SMTPDataError) as refused:
        setting.submit(f"joe@{A}", [f"ann@{B}"], message, source=FROM_B)
    assert refused.value.smtp_code == 550 and b"5.7.1" in refused.value.smtp_error


@pytest.mark.parametrize("case,from_line", [
    ("from-foreign", f"From: ann@{B}"), ("from-missing", "X-No: from"), ("from-blank", "From: "),
    ("from-two", f"From: joe@{A}\r\nFrom: joe@{A}"), ("from-differs", f"From: joe@{OUTSIDE}"),
])
def test_from_must_be_the_senders(setting, case, from_line):
    """REQ-65, 66: refused behind the queue; the customer's bounce has no body."""
    message = (f"{from_line}\r\nTo: ann@{B}\r\nSubject: {case}\r\n\r\nbody-of-{case}\r\n").encode()
    setting.submit(f"joe@{A}", [f"ann@{B}"], message)
    bounce = setting.servers[A].wait(1, 60, lambda m: f"Subject: {case}".encode() in m.raw)[0]
    assert bounce.sender == ""
    assert f"body-of-{case}".encode() not in bounce.raw
    assert not [m for m in setting.servers[B].mails if f"Subject: {case}".encode() in m.raw]


def test_forged_submission_header_does_not_help(setting):
    message = (b"X-Sealgate-Submission: v=1; tenant=ten_00000000000000000000000000; submitter="
               b"sub_00000000000000000000000000; at=1; mac=" + b"0" * 64 + b"\r\n"
               + simple(f"joe@{A}", [f"ann@{B}"], "forged-proof"))
    setting.submit(f"joe@{A}", [f"ann@{B}"], message)
    got = setting.arrived(B, "forged-proof")[0]
    assert header(got.raw, "X-Sealgate-Submission") is None
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"


def unverified(mail, code):
    assert header(mail.raw, "X-Sealgate-Verdict") == f"unverified; code={code}"
    assert f"[Code: {code}]" in text_of(mail.raw) and "UNVERIFIED MESSAGE \u2013" in text_of(mail.raw)
    assert header(mail.raw, "X-NZ-Secure-email") is None


@pytest.mark.parametrize("sender,code", [(f"eve@{A}", "002"), (f"eve@{B}", "005")])
def test_mail_that_only_says_it_is_from_a_member(setting, sender, code):
    subject = f"forged-{code}"
    message = (b"X-NZ-Secure-email: 1.0\r\nX-Sealgate-Verdict: verified; domain=agency-a.test\r\n"
               + simple(sender, [f"ann@{B}"], subject))
    setting.from_outside(f"eve@{OUTSIDE}", [f"ann@{B}"], message)
    got = setting.arrived(B, subject)[0]
    unverified(got, code)
    assert b"verified; domain=" not in got.raw
    assert b"Content-Type: message/rfc822" in got.body and b"Kia ora.\r\n" in got.body


def test_altered_on_the_way(setting):
    """A bit of the ciphertext changed: marked, and nothing of it rendered."""
    setting.submit(f"joe@{A}", [f"ann@{B}"],
                   simple(f"joe@{A}", [f"ann@{B}"], "to-be-altered", "Marker-4711 " * 200))
    setting.arrived(B, "to-be-altered")
    (_, wire), = setting.on_wire("to-be-altered")
    head, _, body = wire.partition(b"\r\n\r\n")
    raw = bytearray(base64.b64decode(body))
    raw[len(raw) // 2] ^= 1
    lines = base64.encodebytes(bytes(raw)).replace(b"\n", b"\r\n")
    forged = head.replace(b"Subject: to-be-altered", b"Subject: altered") + b"\r\n\r\n" + lines
    setting.from_outside(f"joe@{A}", [f"ann@{B}"], forged)
    got = setting.arrived(B, "altered")[0]
    unverified(got, "003")
    assert b"Marker-4711" not in got.raw


def test_replayed_to_another_domain_it_cannot_be_opened(setting):
    """Sealed for B, sent to C: not for us, and From is a member."""
    (_, wire), = setting.on_wire("trace-me")[:1]
    setting.from_outside(f"joe@{A}", [f"bob@{C}"],
                         wire.replace(b"Subject: trace-me", b"Subject: misdirected"))
    got = setting.arrived(C, "misdirected")[0]
    unverified(got, "002")
    assert b"Kia ora" not in got.raw


def test_held_until_the_certificate_is_there(setting):
    """REQ-56: a member without a certificate; held, told, released."""
    late = setting.platform.organisation("Agency Late", "late.test",
                                         next_hop_port=setting.c_port, key_kind="wrapped")
    late.configure()
    setting.submit(f"joe@{A}", ["ann@late.test"],
                   simple(f"joe@{A}", ["ann@late.test"], "held-mail", "Held-Marker\r\n"))
    held, = wait_for(lambda: [h for h in setting.a.held(state="held")
                              if h["recipient_domain"] == "late.test"], 30, "held mail")
    assert held["reason"] == "201"
    notice = setting.servers[A].wait(
        1, 30, lambda m: b"SECURE DELIVERY DELAYED" in m.raw and m.recipients == [f"joe@{A}"])[0]
    assert b"[Code: 201]" in notice.raw and b"Held-Marker" not in notice.raw
    assert notice.sender == "" and f"From: postmaster@{A}".encode() in notice.raw
    assert header(notice.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"  # REQ-62
    late.make_key()
    late.certify()
    late.publish()
    setting.platform.api.post(f"{setting.a.path}/held/{held['id']}/release")
    got = setting.arrived(C, "held-mail")[0]
    assert got.raw.endswith(b"\r\n\r\nHeld-Marker\r\n")
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    wait_for(lambda: setting.platform.api.get(
        f"{setting.a.path}/held/{held['id']}")["state"] == "sent", 10, "held mail sent")


def test_held_mail_can_be_deleted(setting):
    api = setting.platform.api
    member = api.post("/v1/member-domains", {"name": "nocert.test", "environment": "seemail"})
    setting.submit(f"joe@{A}", ["ann@nocert.test"],
                   simple(f"joe@{A}", ["ann@nocert.test"], "delete-me"))
    held, = wait_for(lambda: [h for h in setting.a.held(state="held")
                              if h["recipient_domain"] == "nocert.test"], 30, "held mail")
    api.delete(f"{setting.a.path}/held/{held['id']}")
    assert api.get(f"{setting.a.path}/held/{held['id']}")["state"] == "deleted"
    api.delete(f"/v1/member-domains/{member['id']}")


def test_customers_server_over_tls(setting, tmp_path):
    """REQ-126: verified TLS to the next hop; with another CA nothing is delivered, and it waits."""
    def certificate(name):
        key, cert = tmp_path / f"{name}.key", tmp_path / f"{name}.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        return key, cert
    key, cert = certificate("server")
    _, other = certificate("other")

    def next_hop(port, tls, ca_pem):
        setting.platform.api.put(f"{setting.c.domain_path}/next-hop",
                                 {"protocol": "smtp", "host": "127.0.0.1", "port": port,
                                  "tls": tls, "ca_pem": ca_pem})
    port = setting.c_port + 1
    try:
        with MailServer(port, tmp_path / "mail", cert=cert, key=key) as server:
            next_hop(port, "verified", other.read_text())
            setting.submit(f"joe@{A}", [f"bob@{C}"], simple(f"joe@{A}", [f"bob@{C}"], "over-tls"))
            queued = wait_for(lambda: [r["delay_reason"] for q in
                                       setting.platform.postfix_in.queue()
                                       for r in q["recipients"] if r.get("delay_reason")],
                              60, "the mail that waits")
            assert "4.7.5" in queued[0] and server.mails == []
            next_hop(port, "verified", cert.read_text())

            def arrived():
                setting.platform.postfix_in.flush()
                return server.mails
            mail, = wait_for(arrived, 60, "the mail over TLS", 0.5)
            assert mail.tls and mail.raw.endswith(b"\r\n\r\nKia ora.\r\n")
    finally:
        next_hop(setting.c_port, "none", "")


def test_a_next_hop_that_does_not_offer_8bitmime(setting):
    """It gets what there is, octet for octet (REQ-12), and the trace says that it had not offered to take it."""
    server = setting.servers[B]
    offered = list(server.announce)

    def sent(subject, text, author=f"x@{OUTSIDE}"):
        setting.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"], simple(author, [f"ann@{B}"], subject, text))
        got = setting.arrived(B, f"{subject}\r\n")[0]
        row, = wait_for(lambda: setting.b.messages(message_id=f"{subject}@x.test"), 10, "retention of B")
        trace = wait_for(lambda: [r for r in setting.b.trace(row["id"]) if r["step"] == "next-hop"], 10, "the trace")
        return got, trace[0]["detail"].get("content", "")
    server.stop()
    server.announce.remove("8BITMIME")
    server.start()
    try:
        got, said = sent("of-eight-bits", "Kia ora, m\u0101nuka.\r\n")
        assert got.body == "Kia ora, m\u0101nuka.\r\n".encode() and "8BITMIME" not in str(got.sender_options)
        assert "8BITMIME" in said
        assert sent("of-seven-bits", "Kia ora.\r\n")[1] == ""
        got, said = sent("of-seven-bits-warned-of", "Kia ora.\r\n", f"eve@{A}")  # what we add is of seven bits too
        unverified(got, "002")
        assert got.raw.isascii() and said == ""
    finally:
        server.stop()
        server.announce[:] = offered
        server.start()
    assert sent("of-eight-bits-offered", "Kia ora, m\u0101nuka.\r\n")[1] == ""


# Beside other software ------------------------------------------------------------------------


class Scanner(MailServer):
    """A content filter at the customer's door: reads every mail, refuses what it knows, passes the rest
    on to the server behind it."""

    def __init__(self, port, folder, behind):
        super().__init__(port, folder)
        self.behind = behind

    def verdict(self, mail):
        if b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE" in mail.raw:
            return "554 5.7.1 a virus was found"
        with smtplib.SMTP("127.0.0.1", self.behind, "scanner.test", timeout=60) as smtp:
            smtp.sendmail(mail.sender, mail.recipients, mail.raw, ["BODY=8BITMIME"])
        return None


def test_filter_at_the_customers_door_sees_what_was_opened(setting):
    """REQ-9: what travels sealed is clear to the recipient's own virus checking, which has its say."""
    port = setting.platform.port
    path = f"{setting.b.domain_path}/next-hop"
    hop = setting.platform.api.get(path)
    scanner = Scanner(setting.c_port + 1, f"{setting.platform.layout.dir}/mail/scanner", port["agency_b"])
    scanner.start()
    try:
        setting.platform.api.put(path, {**{k: hop[k] for k in ("protocol", "host", "tls", "ca_pem")},
                                        "port": setting.c_port + 1})
        for subject, text in (("with-virus", r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"),
                              ("without-virus", "Kia ora.")):
            setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject, f"{text}\r\n"))
        got = setting.arrived(B, "without-virus")[0]
        assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
        told = setting.arrived(A, "NON DELIVERY REPORT")[0]
        assert b"EICAR" not in told.raw and b"with-virus" in told.raw
        assert not [m for m in setting.servers[B].mails if b"EICAR-STANDARD" in m.raw]  # five letters can be base64
    finally:
        scanner.stop()
        setting.platform.api.put(path, {k: hop[k] for k in ("protocol", "host", "port", "tls", "ca_pem")})


def test_each_domain_name_has_its_certificate(setting):
    """REQ-63, 64: a tenant with two domains; every address signs with its own domain's certificate, and
    each domain opens what is sealed to it."""
    second = "second-a.test"
    own = setting.platform.organisation("Agency A", second, next_hop_port=setting.platform.port["agency_a"],
                                        key_kind="wrapped").provision()
    assert own.tenant["id"] == setting.a.tenant["id"]
    for sender, subject in ((f"joe@{A}", "from-first"), (f"joe@{second}", "from-second"),
                            (f"any.other+tag@{second}", "from-any-address")):
        setting.submit(sender, [f"ann@{B}"], simple(sender, [f"ann@{B}"], subject))
        got = setting.arrived(B, subject)[0]
        assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={sender.rpartition('@')[2]}"
    setting.submit(f"ann@{B}", [f"joe@{second}"], simple(f"ann@{B}", [f"joe@{second}"], "to-second"),
                   source=FROM_B)
    got = setting.servers[A].wait(1, 60, lambda mail: b"Subject: to-second" in mail.head)[0]
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={B}"
