"""Real mails of many kinds, each as the bytes that go into DATA, made by other tools than ours.

corpus(sender, recipients, work) gives [(name, message)]: a message is bytes with CRLF line ends.
"""
import base64
import os
import struct
import subprocess
import zlib
from email import policy
from email.message import EmailMessage, MIMEPart
from pathlib import Path

from sealgate import keypool

CRLF = policy.SMTP


def _message(sender, recipients, subject):
    m = EmailMessage(policy=CRLF)
    m["From"] = f"Sender <{sender}>"
    m["To"] = ", ".join(recipients)
    m["Subject"] = subject
    m["Date"] = "Mon, 23 Nov 2026 10:00:00 +1300"
    m["Message-ID"] = f"<{subject.replace(' ', '-')}.{os.urandom(6).hex()}@example.test>"
    return m


def _head(sender, recipients, subject):
    return bytes(_message(sender, recipients, subject)).rstrip(b"\r\n") + b"\r\n"


def pdf(size=40000):
    """A small PDF with a real structure and random content."""
    stream = zlib.compress(os.urandom(size))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    out, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for n, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % o for o in offsets)
    return out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, xref)


def png(side=64):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\0" + os.urandom(3 * side) for _ in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def tnef():
    """winmail.dat as MS-OXTNEF lays it out: signature, key, version, codepage, subject, body."""
    def attribute(level, ident, data):
        return (struct.pack("<BII", level, ident, len(data)) + data
                + struct.pack("<H", sum(data) & 0xffff))
    return (struct.pack("<IH", 0x223e9f78, 1)
            + attribute(1, 0x00089006, struct.pack("<I", 0x00010000))
            + attribute(1, 0x00069007, struct.pack("<II", 1252, 0))
            + attribute(1, 0x00018004, b"Rich text from Outlook\0")
            + attribute(1, 0x0002800c, b"The body within the winmail.dat\0"))


def with_attachments(sender, recipients):
    m = _message(sender, recipients, "attachments")
    m.set_content("See the attached files.\n")
    m.add_alternative("<p>See the <b>attached</b> files.</p>\n", subtype="html")
    m.add_attachment(pdf(), maintype="application", subtype="pdf", filename="report.pdf")
    m.add_attachment(png(), maintype="image", subtype="png", filename="Büro.png")
    nested = _message("nested@elsewhere.test", ["x@elsewhere.test"], "nested message")
    nested.set_content("I am inside.\n")
    m.add_attachment(nested)
    return bytes(m)


def large(sender, recipients, size=20 << 20):
    m = _message(sender, recipients, "twenty megabytes")
    m.set_content("large\n")
    m.add_attachment(os.urandom(size), maintype="application", subtype="octet-stream",
                     filename="large.bin")
    return bytes(m)


def eight_bit(sender, recipients):
    return (_head(sender, recipients, "eight bit")
            + b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
              b"Content-Transfer-Encoding: 8bit\r\n\r\nM\xe4ori: k\xf6nnen wir? \xa3\xff\xfe\r\n")


def utf8(sender, recipients):
    return (_head(sender, recipients, "utf8")
            + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
              "Content-Transfer-Encoding: 8bit\r\n\r\nKia ora, Māori 日本語 😀\r\n".encode())


def long_lines(sender, recipients):
    return (_head(sender, recipients, "long lines")
            + b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n"
            + b"<p>" + b"word " * 900 + b"</p>\r\n" + b"x" * 12000 + b"\r\n")


def no_mime(sender, recipients):
    return _head(sender, recipients, "plain rfc822") + b"\r\nOld style, no MIME at all.\r\n"


def empty_body(sender, recipients):
    return _head(sender, recipients, "empty body") + b"\r\n"


def dots_and_boundaries(sender, recipients):
    return (_head(sender, recipients, "dots")
            + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
              b".\r\n..\r\n.leading dot\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
              b"------sealgate\r\n--b--\r\n\r\n\r\n \r\n\t trailing white space \t\r\n\r\n")


def calendar(sender, recipients):
    m = _message(sender, recipients, "invitation")
    m.set_content("Please come.\n")
    event = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nMETHOD:REQUEST\r\n"
             "BEGIN:VEVENT\r\nUID:42@example.test\r\nDTSTAMP:20261123T000000Z\r\n"
             "DTSTART:20261201T010000Z\r\nSUMMARY:Hui\r\n"
             f"ORGANIZER:mailto:{sender}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    part = MIMEPart(policy=CRLF)
    part.set_content(event, subtype="calendar", params={"method": "REQUEST"})
    m.make_alternative()
    m.attach(part)
    return bytes(m)


def outlook_tnef(sender, recipients):
    m = _message(sender, recipients, "tnef")
    m.set_content("The text part.\n")
    m.add_attachment(tnef(), maintype="application", subtype="ms-tnef", filename="winmail.dat")
    return bytes(m)


def _run(*args, **kw):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **kw).stdout


def individual_smime(sender, recipients, work):
    """Signed by a person with a certificate of their own, by openssl."""
    key, cert = Path(work) / "person.key", Path(work) / "person.crt"
    if not cert.exists():
        _run("openssl", "req", "-x509", *keypool.request(key), "-days", "30", "-out", str(cert), "-subj", "/CN=Person", "-addext",
             f"subjectAltName=email:{sender}")
    signed = _run("openssl", "smime", "-sign", "-signer", str(cert), "-inkey", str(key), "-md",
                  "sha256", "-crlfeol",
                  input=b"Content-Type: text/plain\r\n\r\nSigned by me.\r\n")
    signed = signed.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").lstrip(b"\r\n")
    return _head(sender, recipients, "individual smime") + signed


def pgp_mime(sender, recipients, work):
    """multipart/signed by GnuPG (RFC 3156)."""
    home = Path(work) / "gnupg"
    if not home.exists():
        home.mkdir(mode=0o700)
        _run("gpg", "--homedir", str(home), "--batch", "--passphrase", "", "--quick-generate-key",
             sender, "rsa2048", "sign")
    part = b"Content-Type: text/plain; charset=utf-8\r\n\r\nSigned with PGP.\r\n"
    signature = _run("gpg", "--homedir", str(home), "--batch", "--armor", "--detach-sign",
                     "--digest-algo", "SHA256", input=part).replace(b"\n", b"\r\n")
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    return (_head(sender, recipients, "pgp mime")
            + b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; micalg=pgp-sha256;\r\n"
              b"\tprotocol=\"application/pgp-signature\"; boundary=pgp\r\n\r\n--pgp\r\n" + part
            + b"\r\n--pgp\r\nContent-Type: application/pgp-signature; name=signature.asc\r\n\r\n"
            + signature + b"\r\n--pgp--\r\n")


def dkim_signed(sender, recipients, work):
    """DKIM by python3-dkim; .dkim_public_key(work) gives the TXT record to verify it with."""
    import dkim
    key = Path(work) / "dkim.key"
    if not key.exists():
        _run("openssl", "rsa", "-traditional", "-in", keypool.take(), "-out", str(key))
    m = _message(sender, recipients, "dkim signed")
    m.set_content("Signed by the domain's own DKIM key.\n")
    raw = bytes(m)
    head = dkim.sign(raw, b"sel", sender.partition("@")[2].encode(), key.read_bytes(),
                     include_headers=[b"from", b"to", b"subject", b"date", b"message-id",
                                      b"content-type"],
                     canonicalize=(b"simple", b"simple"))
    return head + raw


def dkim_txt(work):
    der = _run("openssl", "rsa", "-in", str(Path(work) / "dkim.key"), "-pubout", "-outform", "DER")
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def corpus(sender, recipients, work):
    return [
        ("attachments", with_attachments(sender, recipients)),
        ("eight_bit", eight_bit(sender, recipients)),
        ("utf8", utf8(sender, recipients)),
        ("long_lines", long_lines(sender, recipients)),
        ("no_mime", no_mime(sender, recipients)),
        ("empty_body", empty_body(sender, recipients)),
        ("dots", dots_and_boundaries(sender, recipients)),
        ("calendar", calendar(sender, recipients)),
        ("tnef", outlook_tnef(sender, recipients)),
        ("individual_smime", individual_smime(sender, recipients, work)),
        ("pgp_mime", pgp_mime(sender, recipients, work)),
        ("dkim", dkim_signed(sender, recipients, work)),
        ("large", large(sender, recipients)),
    ]


def split(message):
    """(list of header fields as bytes, body)."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\r\n" + line
        else:
            fields.append(line)
    return fields, body


def content_fields(message):
    """Content-* and MIME-Version: what belongs to the MIME body."""
    return [f for f in split(message)[0] if f.lower().startswith((b"content-", b"mime-version"))]
