"""CMS objects (RFC 5652, 2634, 3274) in every form that another gateway may send, beyond forge's honest ones.

    forge.entity(signed([signer(identity, content, sid=key_id(identity))], content, [identity]), "signed-data")
"""
import base64
import datetime as dt
import os
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding

import forge
from forge import DATA, der, explicit, integer, octets, oid, seq, set_of

SMIME = "1.2.840.113549.1.9.16"
RECEIPT, COMPRESSED = oid(f"{SMIME}.1.1"), oid(f"{SMIME}.1.9")
DIGESTED, ENCRYPTED_DATA = oid("1.2.840.113549.1.7.5"), oid("1.2.840.113549.1.7.6")
AUTHENTICATED = oid(f"{SMIME}.1.2")
MD5 = seq(oid("1.2.840.113549.2.5"), der(0x05))
RC2_CBC = oid("1.2.840.113549.3.2")
ED25519 = seq(oid("1.3.101.112"))
SHA512 = seq(oid("2.16.840.1.101.3.4.2.3"))

# The attributes of RFC 2634 and 5035, each with a value of its kind
RECEIPT_REQUEST = seq(oid(f"{SMIME}.2.1"), set_of(seq(
    octets(b"id-1"), der(0x80, b"\0"), seq(seq(der(0xa1, b"")[:0] + der(0x81, b"joe@partner.test"))))))
SECURITY_LABEL = seq(oid(f"{SMIME}.2.2"), der(0x31, der(0x31, integer(5), oid("1.2.3.4"))))
EXPAND_HISTORY = seq(oid(f"{SMIME}.2.3"), set_of(seq(seq(octets(b"list"), der(0x18, b"20261123000000Z")))))
CONTENT_HINTS = seq(oid(f"{SMIME}.2.4"), set_of(seq(der(0x0c, b"a letter"), DATA)))
CONTENT_IDENTIFIER = seq(oid(f"{SMIME}.2.7"), set_of(octets(b"id-1")))
CONTENT_REFERENCE = seq(oid(f"{SMIME}.2.10"), set_of(seq(DATA, octets(b"id-1"), octets(b"signature"))))
EQUIVALENT_LABELS = seq(oid(f"{SMIME}.2.9"), set_of(seq(der(0x31, oid("1.2.3.4")))))
ESS = [RECEIPT_REQUEST, SECURITY_LABEL, EXPAND_HISTORY, CONTENT_HINTS, CONTENT_IDENTIFIER, CONTENT_REFERENCE,
       EQUIVALENT_LABELS]


def indefinite(tag, *parts):
    return bytes([tag, 0x80]) + b"".join(parts) + b"\0\0"


def pieces(data, size, tag=0x24):
    """An OCTET STRING in pieces."""
    return indefinite(tag, *(octets(data[i:i + size]) for i in range(0, len(data), size)))


# Signatures --------------------------------------------------------------------------------------


def key_id(identity):
    """SubjectKeyIdentifier of a SignerIdentifier or RecipientIdentifier."""
    certificate = forge.load(identity.certificate)
    return der(0x80, certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest)


def digest_of(data, algorithm):
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def attributes(content, *more, kind=DATA, algorithm=None):
    return set_of(seq(forge.CONTENT_TYPE, set_of(kind)),
                  seq(forge.MESSAGE_DIGEST, set_of(octets(digest_of(content, algorithm or hashes.SHA256())))),
                  *more)


def signer(identity, content, sid=None, attrs=None, unsigned=b"", digest=(forge.SHA256, hashes.SHA256()),
           version=1):
    """A good SignerInfo, however it is put together."""
    oid_, algorithm = digest
    attrs = attributes(content, algorithm=algorithm) if attrs is None else attrs
    signature = forge.load_key(identity.key).sign(attrs, rsa_padding.PKCS1v15(), algorithm)
    return seq(integer(version), sid or forge.issuer_and_serial(forge.load(identity.certificate)), oid_,
               b"\xa0" + attrs[1:], forge.RSA, octets(signature), unsigned)


def signer_md5(identity, content):
    return signer(identity, content, digest=(MD5, hashes.MD5()))


def signer_ed25519(identity, content):
    """Of a kind that no gateway here does, by a name that has another key."""
    signature = ed25519.Ed25519PrivateKey.generate().sign(attributes(content))
    return seq(integer(1), forge.issuer_and_serial(forge.load(identity.certificate)), SHA512,
               b"\xa0" + attributes(content, algorithm=hashes.SHA512())[1:], ED25519, octets(signature))


def stack_of(identities):
    return b"".join(forge.load(path).public_bytes(forge.DER) for path in forge.certificates_of(*identities))


def signed(signers, content, identities, kind=DATA, digests=(forge.SHA256,), more=b"", lists=()):
    """SignedData. content: octets, an element that stands there as it is (a tuple of one), or None;
    more: what stands behind the certificates in their set; lists: of revocation."""
    if isinstance(content, tuple):
        body = seq(kind, explicit(0, *content))
    else:
        body = seq(kind, explicit(0, octets(content)) if content is not None else b"")
    stack = stack_of(identities) + more
    return forge.content_info(forge.SIGNED, seq(
        integer(1), der(0x31, *digests), body, explicit(0, stack) if stack else b"",
        explicit(1, *lists) if lists else b"", der(0x31, *signers)))


def revocation_list(authority, *revoked, since=dt.timedelta(), until=dt.timedelta(hours=1)):
    """Of a forge.Authority, from now on unless told: these identities are on it."""
    now = dt.datetime.utcnow()
    builder = (x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
               .last_update(now + since).next_update(now + until))
    for identity in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(forge.load(identity.certificate).serial_number)
            .revocation_date(now - dt.timedelta(days=1)).build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(forge.DER)


def opaque(signers, content, identities, **more):
    return forge.entity(signed(signers, content, identities, **more), "signed-data")


def detached(content, signers, identities, **more):
    return forge.peers.signed_entity(content, signed(signers, None, identities, **more), "sha256")


def receipt(identities, signers=None):
    """A signed receipt (RFC 2634 section 2.8) by these."""
    content = seq(integer(1), DATA, octets(b"id-1"), octets(b"the signature that it is for"))
    signers = signers or [signer(i, content, attrs=attributes(content, kind=RECEIPT)) for i in identities]
    return forge.entity(signed(signers, content, identities, kind=RECEIPT), "signed-receipt")


# Others ------------------------------------------------------------------------------------------


def compressed(content):
    """RFC 3274."""
    return forge.entity(forge.content_info(COMPRESSED, seq(
        integer(0), seq(oid(f"{SMIME}.3.8")), seq(DATA, explicit(0, octets(zlib.compress(content, 9)))))),
        "compressed-data").replace(b"smime.p7m", b"smime.p7z")


def bomb():
    """CompressedData of a thousand times its size."""
    return compressed(b"Content-Type: text/plain\r\n\r\n" + bytes(4 << 20))


def other(kind, *content):
    """A content type that is neither signed nor enveloped."""
    return forge.entity(forge.content_info(kind, seq(integer(0), *content)), "signed-data")


def named(entity, name, type_=b"application/octet-stream"):
    """The same object with this type and file name alone."""
    head, _, body = entity.partition(b"\r\n\r\n")
    encoding = next(f for f in head.split(b"\r\n") if f.lower().startswith(b"content-transfer-encoding"))
    return (b"Content-Type: " + type_ + b"\r\nContent-Disposition: attachment; filename=\"" + name + b"\"\r\n"
            + encoding + b"\r\n\r\n" + body)


def rewrapped(entity, line_end=b"", behind=b""):
    """base64 with other line ends, and octets behind the structure."""
    head, _, body = entity.partition(b"\r\n\r\n")
    text = base64.b64encode(base64.b64decode(body) + behind)
    if line_end:
        text = line_end.join(text[i:i + 60] for i in range(0, len(text), 60))
    return head + b"\r\n\r\n" + text + b"\r\n"


def envelope(recipients, content, originator=b"", unprotected=b"", cipher=forge.AES256_CBC, kind=DATA,
             piece=None):
    """EnvelopedData. recipients: functions of the content-encryption key to a RecipientInfo."""
    cek, iv = os.urandom(32), os.urandom(16)
    ciphertext = forge.cbc(cek, iv, content)
    body = pieces(ciphertext, piece, 0xa0) if piece else der(0x80, ciphertext)
    return forge.entity(forge.content_info(forge.ENVELOPED, seq(
        integer(2), originator, der(0x31, *(r(cek) for r in recipients)),
        seq(kind, seq(cipher, octets(iv)), body), unprotected)), "enveloped-data")


def by_key_id(identity):
    def make(cek):
        encrypted = forge.load(identity.certificate).public_key().encrypt(cek, rsa_padding.PKCS1v15())
        return seq(integer(2), key_id(identity), forge.RSA, octets(encrypted))
    return make


def by_serial(identity):
    return lambda cek: forge.transport(identity, cek)


def password(cek):
    """PasswordRecipientInfo [3], of somebody's."""
    return der(0xa3, integer(0), seq(oid("1.2.840.113549.1.9.16.3.9"), seq(forge.AES256_CBC, octets(bytes(16)))),
               octets(bytes(48)))


def kek(cek):
    """KEKRecipientInfo [2]."""
    return der(0xa2, integer(4), seq(octets(b"kek-1")), seq(oid("2.16.840.1.101.3.4.1.45")), octets(bytes(40)))


def other_recipient(cek):
    """OtherRecipientInfo [4]."""
    return der(0xa4, oid("1.2.3.4.5"), octets(b"who knows"))
