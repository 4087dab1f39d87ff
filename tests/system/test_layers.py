"""Every form of S/MIME that another gateway may send: what becomes of it, by which rule, with which code, and what
is delivered. The table stands in gatewayd/smime/README.md too.

REQ-1 REQ-2 REQ-12 REQ-17 REQ-18 REQ-22 REQ-24 REQ-36 REQ-80 REQ-81 REQ-82 REQ-87 REQ-88 REQ-89
"""
import base64
import datetime as dt
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import forge
import forms
from partners import DCA
from setting import A, B, OUTSIDE
from spoof import (EVIL, MESSAGE, OPAQUE, OPENED, UNCHANGED, VERIFIED, VICTIM, Attack, Attacks, multipart,
                   spoof_fixture, wire)

FORMS = Attacks()
MEMBER, STRANGER = f"joe@{VICTIM}", f"x@{OUTSIDE}"
PLAIN = b"Content-Type: text/plain\r\n\r\nKia ora.\r\n"

setting, sent = spoof_fixture(), FORMS.fixture()


def form(name, code, rule, shown, make, sender=MEMBER, **more):
    """A row of the table."""
    def made(s):
        entity, content = make(s), more.get("content")
        further = {k: v for k, v in more.items() if k != "content"}
        return Attack(entity, sender, code, rule, shown, domain=VICTIM if shown == VERIFIED else "",
                      content=content(s) if callable(content) else content, absent=(), **further)
    made.__name__ = name
    FORMS.add(made)


def verified(name, make, content=PLAIN, **more):
    form(name, "", "verified", VERIFIED, make, content=content, **more)


def to_us(s, entity):
    return forge.sealed(entity, s.agency[B])


def person(s, address=MEMBER):
    """Somebody's own certificate."""
    if not hasattr(s, "persons"):
        s.persons = {}
    if address not in s.persons:
        s.persons[address] = s.authority.certificate_for([address], s.folder, common_name="Joe")
    return s.persons[address]


def dsa(s):
    """The signing authority of RFC 3183 section 4.1, beside the one that encrypts (REQ-88)."""
    if not hasattr(s, "dsa"):
        s.dsa = s.authority.certificate_for([f"domain-signing-authority@{VICTIM}"], s.folder,
                                            common_name="domain-signing-authority")
    return s.dsa


def once(make):
    """What is made with random octets, the same for the mail and for what is expected of it."""
    made = {}

    def get(s):
        if id(s) not in made:
            made[id(s)] = make(s)
        return made[id(s)]
    return get


# Domain signatures -------------------------------------------------------------------------------

verified("detached", lambda s: to_us(s, forge.detached(PLAIN, [s.victim])))
verified("opaque", lambda s: to_us(s, forge.opaque(PLAIN, [s.victim])))
verified("gcm", lambda s: forge.sealed_gcm(forge.detached(PLAIN, [s.victim]), s.agency[B]))
verified("by-the-signing-authority", lambda s: to_us(s, forge.detached(PLAIN, [dsa(s)])))
form("detached-in-the-open", "008", "member-not-encrypted", MESSAGE, lambda s: forge.detached(PLAIN, [s.victim]))
form("opaque-in-the-open", "008", "member-not-encrypted", MESSAGE, lambda s: forge.opaque(PLAIN, [s.victim]))
verified("no-fields-inside", lambda s: to_us(s, forge.opaque(b"\r\nKia ora.\r\n", [s.victim])),
         content=b"\r\n\r\nKia ora.\r\n")
form("nothing-inside", "003", "not-opened", MESSAGE, lambda s: to_us(s, forge.opaque(b"", [s.victim])))
form("no-signer", "003", "not-opened", MESSAGE, lambda s: to_us(s, forge.opaque(PLAIN, [s.victim], [])))

# Orders ------------------------------------------------------------------------------------------

form("encrypted-then-signed", "002", "member-unsigned", OPAQUE,
     lambda s: forge.detached(to_us(s, PLAIN), [s.victim]))
verified("triple-wrap", lambda s: to_us(s, forge.opaque(to_us(s, forge.detached(PLAIN, [s.victim])), [s.victim])))
verified("signed-encrypted-signed", lambda s: forge.detached(to_us(s, forge.opaque(PLAIN, [s.victim])), [s.victim]))
verified("encrypted-twice", lambda s: to_us(s, to_us(s, forge.detached(PLAIN, [s.victim]))))
verified("signed-twice", lambda s: to_us(s, forge.detached(forge.opaque(PLAIN, [s.victim]), [s.victim])))


def deep(s, layers):
    entity = PLAIN
    for _ in range(layers):
        entity = forge.opaque(entity, [s.victim])
    return entity


verified("seven-signatures", lambda s: to_us(s, deep(s, 7)))
form("nine-layers", "002", "unsupported", MESSAGE, lambda s: to_us(s, deep(s, 8)))

# Signers and certificates ------------------------------------------------------------------------


def both(s, *signers):
    return to_us(s, forge.detached(PLAIN, list(signers)))


verified("domain-and-person", lambda s: both(s, s.victim, person(s)))
verified("person-and-domain", lambda s: both(s, person(s), s.victim))
verified("two-of-the-domain", lambda s: both(s, s.victim, dsa(s)))
verified("old-and-new", lambda s: both(s, forge.self_made([f"{DCA}@{VICTIM}"], s.folder), s.victim))
verified("another-domain-and-this", lambda s: both(s, s.evil, s.victim))
verified("good-and-of-an-unknown-kind", lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer_ed25519(person(s), PLAIN), forms.signer(s.victim, PLAIN)], [person(s), s.victim])))
verified("domains-unknown-kind-and-good", lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer_md5(dsa(s), PLAIN), forms.signer(s.victim, PLAIN)], [dsa(s), s.victim])))
verified("signer-by-key-identifier", lambda s: to_us(s, forms.opaque(
    [forms.signer(s.victim, PLAIN, sid=forms.key_id(s.victim), version=3)], PLAIN, [s.victim])))
verified("no-digest-algorithms", lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer(s.victim, PLAIN)], [s.victim], digests=())))
verified("certificates-of-others-first", lambda s: to_us(s, forge.detached(
    PLAIN, [s.evil, s.agency[A], person(s), s.victim], [forge.signer(s.victim, PLAIN)])))
verified("attribute-certificates-beside", lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer(s.victim, PLAIN)], [s.victim],
    more=forge.der(0xa1, forge.integer(1)) + forge.der(0xa3, forge.oid("1.2.3.4"), forge.octets(b"x")))))
form("too-many-certificates", "002", "unsupported", MESSAGE, lambda s: to_us(s, forge.detached(
    PLAIN, [s.victim] * 40, [forge.signer(s.victim, PLAIN)])))
form("too-many-signers", "002", "unsupported", MESSAGE, lambda s: to_us(s, forge.detached(
    PLAIN, [s.victim], [forge.signer(s.victim, PLAIN)] * 17)))
form("md5", "002", "unsupported", MESSAGE, lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer_md5(s.victim, PLAIN)], [s.victim])))
form("md5-in-the-open", "002", "unsupported", MESSAGE, lambda s: forms.detached(
    PLAIN, [forms.signer_md5(s.victim, PLAIN)], [s.victim]))
form("two-certificates-of-one-name-and-number", "", "verified", VERIFIED, lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer(s.victim, PLAIN)], [twin(s), s.victim])), content=PLAIN)


def twin(s):
    """Issuer and serial number of the victim's certificate on a key of somebody else's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    real, key = forge.load(s.victim.certificate), forge.rsa_key("twin")
    made = (x509.CertificateBuilder().subject_name(real.subject).issuer_name(real.issuer)
            .public_key(key.public_key()).serial_number(real.serial_number)
            .not_valid_before(real.not_valid_before).not_valid_after(real.not_valid_after)
            .sign(key, hashes.SHA256()))
    return forge.store(s.folder, made, key)


# Revocation lists that come along (RFC 8550 section 2.1) --------------------------------------------


def own(s, crl_url=None):
    """A certificate of the victim's domain of its own."""
    authority = forge.Authority(s.authority.certificate, s.authority.key, crl_url or s.authority.crl_url,
                                s.authority.chain)
    return authority.certificate_for([f"{DCA}@{VICTIM}"], s.folder)


def with_lists(s, identity, *lists):
    return to_us(s, forms.detached(PLAIN, [forms.signer(identity, PLAIN)], [identity], lists=lists))


def listed(s):
    identity = own(s)
    return with_lists(s, identity, forms.revocation_list(s.authority, identity))


NOWHERE = "http://127.0.0.1:1/none.crl"
OLD = {"since": dt.timedelta(days=-9), "until": dt.timedelta(days=-8)}
form("list-says-revoked", "101", "signer-revoked", MESSAGE, listed)
verified("list-says-nothing-of-it", lambda s: with_lists(
    s, own(s), forms.revocation_list(s.authority, s.evil)))
verified("list-in-place-of-one-that-is-away", lambda s: with_lists(
    s, own(s, NOWHERE), forms.revocation_list(s.authority)))
form("list-that-has-ended", "104", "signer-unknown", MESSAGE, lambda s: with_lists(
    s, own(s, NOWHERE), forms.revocation_list(s.authority, **OLD)))
form("list-of-somebody-else", "104", "signer-unknown", MESSAGE, lambda s: with_lists(
    s, own(s, NOWHERE), forms.revocation_list(forge.Authority(
        s.authority.certificate, forge.rsa_key("not-the-authority's"), ""))))


@FORMS.add
def list_older_than_the_published_one(s):
    """Whoever was revoked may choose an old list: it does not count against a newer one."""
    identity = own(s)
    old = forms.revocation_list(s.authority, identity, since=dt.timedelta(days=-1))
    return Attack(with_lists(s, identity, old), MEMBER, "", "verified", VERIFIED, domain=VICTIM, content=PLAIN,
                  absent=())


verified("lists-that-are-none", lambda s: with_lists(s, s.victim, forge.seq(), forge.seq(forge.octets(b"x")),
                                                     forge.der(0xa1, forge.oid("1.2.3"))))

# Attributes (RFC 2634) ---------------------------------------------------------------------------

for number, attribute in enumerate(forms.ESS):
    verified(f"ess-attribute-{number}", lambda s, a=attribute: to_us(s, forms.detached(
        PLAIN, [forms.signer(s.victim, PLAIN, attrs=forms.attributes(PLAIN, a))], [s.victim])))
verified("unsigned-attributes", lambda s: to_us(s, forms.opaque([forms.signer(
    s.victim, PLAIN, unsigned=forge.explicit(1, forge.seq(forge.oid("1.2.840.113549.1.9.16.2.14"), forge.set_of(
        forge.seq(forge.octets(b"a time stamp"))))))], PLAIN, [s.victim])))
persons_request = once(lambda s: forms.detached(
    PLAIN, [forms.signer(person(s), PLAIN, attrs=forms.attributes(PLAIN, forms.RECEIPT_REQUEST))], [person(s)]))
verified("persons-receipt-request", lambda s: to_us(s, forge.detached(persons_request(s), [s.victim])),
         content=persons_request)
form("receipt-by-the-domain", "002", "unsupported", MESSAGE, lambda s: to_us(s, forms.receipt([s.victim])))
form("receipt-by-a-person", "002", "unsupported", MESSAGE, lambda s: to_us(s, forms.receipt([person(s)])))
persons_receipt = once(lambda s: forms.receipt([person(s)]))
verified("receipt-inside-the-domains", lambda s: to_us(s, forge.detached(persons_receipt(s), [s.victim])),
         content=persons_receipt)
form("receipt-of-an-outsider", "", "not-secure-email", UNCHANGED, lambda s: forms.receipt([person(s, STRANGER)]),
     sender=STRANGER)

# A person's S/MIME inside the domain's is left alone (REQ-12, 88) ---------------------------------


def kept(name, make):
    make = once(make)
    verified(f"kept-{name}", lambda s: to_us(s, forge.detached(make(s), [s.victim])), content=make)


kept("signature", lambda s: forge.detached(PLAIN, [person(s)]))
kept("opaque-signature", lambda s: forge.opaque(PLAIN, [person(s)]))
kept("altered-signature", lambda s: forge.detached(PLAIN, [person(s)]).replace(b"Kia ora", b"Kia orA"))
kept("signature-of-an-unknown-kind", lambda s: forms.detached(
    PLAIN, [forms.signer_ed25519(person(s), PLAIN)], [person(s)]))
kept("signature-by-md5", lambda s: forms.detached(PLAIN, [forms.signer_md5(person(s), PLAIN)], [person(s)]))
kept("signature-cut-off", lambda s: wire(forge.detached(PLAIN, [person(s)]))[:-40] + b"\r\n")
kept("signature-without-certificate", lambda s: forms.detached(PLAIN, [forms.signer(person(s), PLAIN)], []))
kept("envelope", lambda s: forge.sealed(PLAIN, person(s)))
kept("envelope-of-an-unknown-kind", lambda s: forms.envelope([forms.password], PLAIN, cipher=forms.RC2_CBC))
kept("signed-envelope", lambda s: forge.detached(forge.sealed(PLAIN, person(s)), [person(s)]))
kept("compressed", lambda s: forms.compressed(PLAIN))
kept("certificates", lambda s: forge.entity(forms.signed([], None, [person(s)]), "certs-only"))
kept("certificates-without-saying-so", lambda s: forge.entity(forms.signed([], None, [person(s)]), "signed-data"))
kept("encrypted-data", lambda s: forms.other(forms.ENCRYPTED_DATA))

# Certificates alone ------------------------------------------------------------------------------


def certs_only(s, kind="certs-only"):
    return forge.entity(forms.signed([], None, [person(s, STRANGER)]), kind)


form("certs-only", "002", "member-unsigned", MESSAGE, certs_only)
form("certs-only-without-saying-so", "002", "member-unsigned", MESSAGE, lambda s: certs_only(s, "signed-data"))
form("certs-only-by-name", "002", "member-unsigned", MESSAGE, lambda s: forms.named(certs_only(s), b"smime.p7c"))
form("certs-only-of-an-outsider", "", "not-secure-email", UNCHANGED, certs_only, sender=STRANGER)
form("certs-only-sealed-by-an-outsider", "002", "encrypted-unsigned", OPAQUE,
     lambda s: to_us(s, certs_only(s, "signed-data")), sender=STRANGER)

# Compressed (RFC 3274) ---------------------------------------------------------------------------

form("compressed-of-an-outsider", "", "not-secure-email", UNCHANGED, lambda s: forms.compressed(PLAIN),
     sender=STRANGER)
form("compressed", "002", "unsupported", MESSAGE, lambda s: forms.compressed(PLAIN))
form("compressed-by-name", "002", "unsupported", MESSAGE,
     lambda s: forms.named(forms.compressed(PLAIN), b"smime.p7z"))
form("compressed-sealed", "002", "unsupported", MESSAGE, lambda s: to_us(s, forms.compressed(PLAIN)))
form("compressed-around-the-signature", "002", "unsupported", MESSAGE,
     lambda s: to_us(s, forms.compressed(forge.detached(PLAIN, [s.victim]))))
form("compressed-around-all", "002", "unsupported", MESSAGE,
     lambda s: forms.compressed(to_us(s, forge.detached(PLAIN, [s.victim]))))
form("compressed-bomb", "002", "unsupported", MESSAGE, lambda s: to_us(s, forms.bomb()))

# Others ------------------------------------------------------------------------------------------

for kind, oid in {"digested": forms.DIGESTED, "encrypted-data": forms.ENCRYPTED_DATA,
                  "authenticated": forms.AUTHENTICATED, "data": forge.DATA}.items():
    form(kind, "002", "unsupported", MESSAGE, lambda s, oid=oid: forms.other(oid, forge.octets(b"x")))
    form(f"{kind}-of-an-outsider", "", "not-secure-email", UNCHANGED,
         lambda s, oid=oid: forms.other(oid, forge.octets(b"x")), sender=STRANGER)
form("rc2", "002", "unsupported", MESSAGE, lambda s: forms.envelope(
    [forms.by_serial(s.agency[B])], PLAIN, cipher=forms.RC2_CBC))
form("no-cms-at-all", "003", "malformed", MESSAGE, lambda s: forge.entity(b"MZ is no CMS", "enveloped-data"))
form("no-cms-at-all-of-an-outsider", "", "not-secure-email", UNCHANGED,
     lambda s: forge.entity(b"MZ is no CMS", "enveloped-data"), sender=STRANGER)
form("file-of-an-outsider-named-like-it", "", "not-secure-email", UNCHANGED, lambda s: (
    b"Content-Type: application/octet-stream; name=invoice.xml.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"bm8gQ01T\r\n"), sender=STRANGER)

# Envelopes ---------------------------------------------------------------------------------------


def sealed_by(recipients, **more):
    """The detached domain signature in an envelope that is put together otherwise."""
    return lambda s: forms.envelope(recipients(s), forge.detached(PLAIN, [s.victim]), **more)


verified("several-recipients", sealed_by(lambda s: [forms.by_serial(i) for i in (
    s.evil, s.agency[A], s.agency[B], s.victim)]))
verified("recipient-by-key-identifier", sealed_by(lambda s: [forms.by_key_id(s.agency[B])]))
verified("recipients-of-every-kind", sealed_by(lambda s: [
    forms.password, forms.kek, forms.other_recipient, forms.by_key_id(s.evil), forms.by_serial(s.agency[B])]))
verified("originator", sealed_by(lambda s: [forms.by_serial(s.agency[B])],
                                 originator=forge.explicit(0, forge.explicit(0))))
verified("unprotected-attributes", sealed_by(
    lambda s: [forms.by_serial(s.agency[B])],
    unprotected=forge.explicit(1, forge.seq(forge.oid("1.2.3.4"), forge.set_of(forge.octets(b"x"))))))
verified("content-in-pieces", sealed_by(lambda s: [forms.by_serial(s.agency[B])], piece=100))
def gcm_tagged(s, octets, named):
    """A tag of so many octets, the size named so; None: not at all, which is 12 (RFC 5084 section 3.2)."""
    cek, nonce = os.urandom(32), os.urandom(12)
    both = AESGCM(cek).encrypt(nonce, forge.detached(PLAIN, [s.victim]), None)
    size = b"" if named is None else forge.integer(named)
    parameters = forge.seq(forge.AES256_GCM, forge.seq(forge.octets(nonce), size))
    return forge.entity(forge.content_info(forge.AUTH_ENVELOPED, forge.seq(
        forge.integer(0), forge.der(0x31, forge.transport(s.agency[B], cek)),
        forge.seq(forge.DATA, parameters, forge.der(0x80, both[:-16])), forge.octets(both[-16:][:octets]))),
        "authEnveloped-data")


for octets_, named_ in ((12, 12), (13, 13), (16, 16), (12, None), (16, None), (16, 12)):
    verified(f"gcm-tag-of-{octets_}-octets-named-{named_}", lambda s, o=octets_, n=named_: gcm_tagged(s, o, n))
for octets_, named_ in ((11, 11), (11, None), (12, 13), (17, 17), (0, None)):
    form(f"gcm-tag-of-{octets_}-octets-named-{named_}", "003", "not-opened", MESSAGE,
         lambda s, o=octets_, n=named_: gcm_tagged(s, o, n))
form("to-somebody-else", "002", "envelope-for-others", MESSAGE, lambda s: forge.sealed(PLAIN, s.evil))
form("to-somebody-else-of-an-outsider", "", "not-secure-email", UNCHANGED,
     lambda s: forge.sealed(PLAIN, s.evil), sender=STRANGER)
form("of-an-outsider", "002", "encrypted-unsigned", OPAQUE, lambda s: to_us(s, PLAIN), sender=STRANGER)
form("gcm-of-an-outsider", "", "opened", OPENED, lambda s: forge.sealed_gcm(PLAIN, s.agency[B]), sender=STRANGER,
     content=PLAIN)
strangers = once(lambda s: forge.detached(PLAIN, [person(s, STRANGER)]))
form("signed-by-an-outsider", "", "opened", OPENED, lambda s: to_us(s, strangers(s)), sender=STRANGER,
     content=strangers)

# How it is written -------------------------------------------------------------------------------


def opaque_to_us(s):
    return to_us(s, forge.opaque(PLAIN, [s.victim]))


verified("type-of-old", lambda s: opaque_to_us(s).replace(b"application/pkcs7-mime", b"application/x-pkcs7-mime"))
verified("by-name", lambda s: forms.named(opaque_to_us(s), b"smime.p7m"))
verified("by-name-in-capitals", lambda s: forms.named(opaque_to_us(s), b"SMIME.P7M"))
verified("by-another-name", lambda s: forms.named(opaque_to_us(s), b"message.p7m"))
verified("by-name-of-a-signature", lambda s: to_us(s, forms.named(forge.opaque(PLAIN, [s.victim]), b"smime.p7s")))
verified("signature-part-by-name", lambda s: to_us(s, forge.detached(PLAIN, [s.victim]).replace(
    b"Content-Type: application/pkcs7-signature;", b"Content-Type: application/octet-stream;")))
verified("no-smime-type", lambda s: opaque_to_us(s).replace(b"smime-type=enveloped-data; ", b""))
verified("another-smime-type", lambda s: opaque_to_us(s).replace(b"enveloped-data", b"signed-data"))
verified("no-line-ends", lambda s: forms.rewrapped(opaque_to_us(s)))
verified("short-lines", lambda s: forms.rewrapped(opaque_to_us(s), b"\r\n \r\n"))
verified("octets-behind", lambda s: forms.rewrapped(opaque_to_us(s), b"\r\n", b"\0" * 37 + b"footer"))
verified("octets-behind-the-signature", lambda s: to_us(s, forms.rewrapped(
    forge.opaque(PLAIN, [s.victim]), b"\r\n", b"\r\n")))
verified("text-behind", lambda s: opaque_to_us(s) + b"-- \r\nA list's footer!\r\n")
verified("no-transfer-encoding-named", lambda s: opaque_to_us(s).replace(
    b"Content-Transfer-Encoding: base64\r\n", b""))
BINARY = (b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
          + bytes(range(256)) * 9)
verified("binary", lambda s: to_us(s, forge.detached(BINARY, [s.victim])), content=(
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(bytes(range(256)) * 9).replace(b"\n", b"\r\n")))
form("binary-in-a-multipart", "002", "unsupported", MESSAGE,
     lambda s: to_us(s, forge.detached(multipart(b"mixed", PLAIN, BINARY), [s.victim])))
verified("indefinite", lambda s: to_us(s, s.openssl(s.victim).sign(PLAIN)))
verified("content-of-the-signature-in-pieces", lambda s: to_us(s, forms.opaque(
    [forms.signer(s.victim, PLAIN)], (forms.pieces(PLAIN, 7),), [s.victim])))
verified("pieces-within-pieces", lambda s: to_us(s, forms.opaque(
    [forms.signer(s.victim, PLAIN)],
    (forms.indefinite(0x24, forms.pieces(PLAIN[:20], 3), forge.octets(b""), forge.octets(PLAIN[20:])),),
    [s.victim])))

# S/MIME that is not the whole message ------------------------------------------------------------


def inside(s):
    return wire(to_us(s, forge.detached(PLAIN, [s.victim])))


def forwarded(s):
    return b"Content-Type: message/rfc822\r\n\r\nFrom: " + MEMBER.encode() + b"\r\nSubject: inside\r\n" + inside(s)


def with_footer(s):
    return multipart(b"mixed", inside(s), b"Content-Type: text/plain\r\n\r\nA list's footer.\r\n")


form("in-a-message", "002", "member-unsigned", MESSAGE, forwarded)
form("in-a-message-of-an-outsider", "", "not-secure-email", UNCHANGED, forwarded, sender=STRANGER)
form("beside-a-footer", "002", "member-unsigned", MESSAGE, with_footer)
form("beside-a-footer-of-an-outsider", "", "not-secure-email", UNCHANGED, with_footer, sender=STRANGER)
form("beside-a-footer-sealed", "002", "member-unsigned", OPAQUE, lambda s: to_us(s, multipart(
    b"mixed", wire(forge.detached(PLAIN, [s.victim])), b"Content-Type: text/plain\r\n\r\nA footer.\r\n")))

# Without its certificate (REQ-82) ----------------------------------------------------------------

verified("no-certificate", lambda s: to_us(s, forms.detached(PLAIN, [forms.signer(s.victim, PLAIN)], [])))
verified("no-certificate-by-key-identifier", lambda s: to_us(s, forms.opaque(
    [forms.signer(s.victim, PLAIN, sid=forms.key_id(s.victim))], PLAIN, [])))
verified("others-certificates-alone", lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer(s.victim, PLAIN)], [s.evil])))
form("no-certificate-of-another-domain", "002", "member-unsigned", OPAQUE, lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer(s.evil, PLAIN)], [])))
form("signature-without-certificate-of-an-outsider", "", "not-secure-email", UNCHANGED, lambda s: forms.detached(
    PLAIN, [forms.signer(person(s, STRANGER), PLAIN)], []), sender=STRANGER)
form("no-certificate-of-an-address-literal", "", "not-secure-email", UNCHANGED, lambda s: forms.detached(
    PLAIN, [forms.signer(person(s), PLAIN)], []), sender="joe@[192.0.2.1]", direct=True)
form("no-certificate-of-an-endless-name", "", "not-secure-email", UNCHANGED, lambda s: forms.detached(
    PLAIN, [forms.signer(person(s), PLAIN)], []), sender="joe@" + "a" * 60 + ".b" * 110 + ".test", direct=True)
form("no-certificate-altered", "003", "altered-inside", OPAQUE, lambda s: to_us(s, forms.detached(
    PLAIN, [forms.signer(s.victim, PLAIN)], []).replace(b"Kia ora", b"Kia orA")))


@pytest.mark.parametrize("name", FORMS.names)
def test_form(sent, name):
    sent.check(name)


# What the trace says of it, to an operator ---------------------------------------------------------

SAYS = [
    ("md5", "signature", "digest md5"),
    ("rc2", "envelope", "cipher rc2-cbc"),
    ("to-somebody-else", "envelope", "encrypted to none of our certificates"),
    ("no-cms-at-all", "envelope", "not the CMS structure that was expected"),
    ("no-signer", "signature", "signed by nobody"),
    ("compressed", "object", "compressed data (RFC 3274), which this gateway does not unpack"),
    ("encrypted-data", "envelope", "encrypted under a key that is agreed upon elsewhere"),
    ("certs-only-without-saying-so", "object", "certificates alone, which sign nothing"),
    ("receipt-by-a-person", "signature", "a signed receipt (RFC 2634)"),
    ("too-many-certificates", "signature", "more than 64 certificates"),
    ("nine-layers", "envelope", "more layers than we open"),
    ("kept-compressed", "left-alone", "inside what the domain has signed: compressed data"),
    ("kept-signature-by-md5", "left-alone", "inside what the domain has signed: digest md5"),
    ("kept-envelope", "left-alone", "inside what the domain has signed: encrypted to none of our certificates"),
    ("kept-signature", "signature", "not a domain's signature: left on; the signature is good"),
    ("in-a-message", "smime-inside", "is a part of the message and not the message"),
    ("beside-a-footer-of-an-outsider", "smime-inside", "is a part of the message and not the message"),
    ("beside-a-footer-sealed", "smime-inside", "is a part of the message and not the message"),
    ("no-certificate-of-another-domain", "signer-lookup", "certificate"),
    ("no-certificate-of-another-domain", "signature", "the signer's certificate is not in the message"),
]


def steps_of(sent, name):
    return sent.setting.steps(sent.setting.b, name)


@pytest.mark.parametrize("name, step, words", SAYS)
def test_trace(sent, name, step, words):
    """REQ-18: in words that say what it was."""
    details = [str(r["detail"].get("detail")) for r in steps_of(sent, name) if r["step"] == step]
    assert any(words in d for d in details), details


def test_lookups(sent):
    """REQ-82: nobody is asked for a message that carries its certificates; the directories only where the store
    does not know, and only for members."""
    lookups = {name: [r["detail"]["detail"] for r in steps_of(sent, name) if r["step"] == "signer-lookup"]
               for name in FORMS.names}
    without = {n for n in lookups if "no-certificate" in n}
    assert {n for n, asked in lookups.items() if asked} == without | {
        "others-certificates-alone", "signature-without-certificate-of-an-outsider"}
    assert all(len(asked) <= 2 and asked[0].startswith(("store:", "not asked:")) for n, asked in lookups.items() if asked)
    assert len(lookups["signature-without-certificate-of-an-outsider"]) == 1
