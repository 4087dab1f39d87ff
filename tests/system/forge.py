"""Certificates and CMS objects made octet by octet (RFC 5652, 5083), for mail that no honest software writes.

    key = Authority(folder, crl_url).certificate([f"{DCA}@evil.test"], folder)   # a peers.Identity
    entity = sealed(signed(content, key), recipient)               # as an honest gateway would
    entity = detached(content, signer(key, b"something else"))     # … and as it would not

Written from the RFCs with python3-cryptography; it shares nothing with the gateway's own code.
"""
import base64
import datetime as dt
import os
import pathlib
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import certlab
import peers
from partners import DCA

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM

# DER ---------------------------------------------------------------------------------------------


def der(tag, *parts):
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def seq(*parts):
    return der(0x30, *parts)


def set_of(*parts):
    return der(0x31, *sorted(parts))


def octets(data):
    return der(0x04, data)


def integer(number):
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def explicit(number, *parts):
    return der(0xa0 | number, *parts)


def oid(text):
    first, second, *rest = (int(n) for n in text.split("."))
    out = b""
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7f]
        while arc := arc >> 7:
            digits.insert(0, 0x80 | arc & 0x7f)
        out += bytes(digits)
    return der(0x06, out)


def elements(data):
    """[(tag, content, whole)] of the elements that stand in data, indefinite lengths included."""
    found, at = [], 0
    while at < len(data):
        start, tag, first = at, data[at], data[at + 1]
        at += 2
        if first == 0x80:
            end = at
            while data[end:end + 2] != b"\0\0":
                end += len(elements_one(data[end:]))
            found.append((tag, data[at:end], data[start:end + 2]))
            at = end + 2
            continue
        if first > 0x80:
            size = first & 0x7f
            first = int.from_bytes(data[at:at + size], "big")
            at += size
        found.append((tag, data[at:at + first], data[start:at + first]))
        at += first
    return found


def elements_one(data):
    """The first element of data, as it stands."""
    first = data[1]
    if first < 0x80:
        return data[:2 + first]
    if first > 0x80:
        size = first & 0x7f
        return data[:2 + size + int.from_bytes(data[2:2 + size], "big")]
    at = 2
    while data[at:at + 2] != b"\0\0":
        at += len(elements_one(data[at:]))
    return data[:at + 2]


DATA, SIGNED = oid("1.2.840.113549.1.7.1"), oid("1.2.840.113549.1.7.2")
ENVELOPED = oid("1.2.840.113549.1.7.3")
AUTH_ENVELOPED = oid("1.2.840.113549.1.9.16.1.23")
PKI_DATA = oid("1.3.6.1.5.5.7.12.2")
CONTENT_TYPE, MESSAGE_DIGEST = oid("1.2.840.113549.1.9.3"), oid("1.2.840.113549.1.9.4")
SHA256 = seq(oid("2.16.840.1.101.3.4.2.1"))
RSA = seq(oid("1.2.840.113549.1.1.1"), der(0x05))
AES256_CBC, AES256_GCM = oid("2.16.840.1.101.3.4.1.42"), oid("2.16.840.1.101.3.4.1.46")


def content_info(kind, content):
    return seq(kind, explicit(0, content))


# Certificates ------------------------------------------------------------------------------------


def rsa_key(name="forged"):
    return certlab.rsa_key(f"forge: {name}")


def load(path):
    return x509.load_pem_x509_certificate(pathlib.Path(path).read_bytes())


def load_key(path):
    return serialization.load_pem_private_key(pathlib.Path(path).read_bytes(), None)


def store(folder, certificate, key, chain=()):
    """A certificate and its key as a peers.Identity."""
    base = pathlib.Path(tempfile.mkdtemp(dir=folder))
    (base / "certificate.pem").write_bytes(certificate.public_bytes(PEM))
    (base / "key.pem").write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                                     serialization.NoEncryption()))
    return peers.Identity(base.name, base / "certificate.pem", base / "key.pem", chain)


class Authority:
    """Signs whatever is wanted with the key of a reference CA, which would refuse some of it."""

    def __init__(self, certificate, key, crl_url, chain=()):
        self.certificate, self.key, self.crl_url = certificate, key, crl_url
        self.chain = list(chain)

    @classmethod
    def of(cls, ca):
        """Of a sealgate.directory.ReferenceCA."""
        return cls(load(ca.folder / "issuing.pem"), load_key(ca.folder / "issuing.key.pem"),
                   ca.crl_url, [ca.folder / "issuing.pem"])

    def _builder(self, subject, key):
        now = dt.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(x509.Name(subject))
                .issuer_name(self.certificate.subject).public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - dt.timedelta(hours=2))
                .not_valid_after(now + dt.timedelta(days=90))
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.key.public_key()), False)
                .add_extension(x509.CRLDistributionPoints([x509.DistributionPoint(
                    [x509.UniformResourceIdentifier(self.crl_url)], None, None, None)]), False))

    def certificate_for(self, addresses, folder, common_name=DCA, subject_addresses=()):
        """An end certificate with these rfc822Names, and emailAddresses in its subject."""
        key = rsa_key()
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        subject += [x509.NameAttribute(NameOID.EMAIL_ADDRESS, a) for a in subject_addresses]
        builder = (self._builder(subject, key)
                   .add_extension(x509.KeyUsage(True, False, True, False, False, False, False,
                                                False, False), True)
                   .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]),
                                  False))
        if addresses:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.RFC822Name._init_without_validation(a) for a in addresses]), False)
        return store(folder, builder.sign(self.key, hashes.SHA256()), key, self.chain)

    def below(self, folder, permitted):
        """A CA below this one, for addresses of these domains alone (RFC 5280 section 4.2.1.10)."""
        key = rsa_key("constrained")
        certificate = (self._builder([x509.NameAttribute(NameOID.COMMON_NAME, "Constrained CA")], key)
                       .add_extension(x509.BasicConstraints(True, None), True)
                       .add_extension(x509.KeyUsage(False, False, False, False, False, True, True,
                                                    False, False), True)
                       .add_extension(x509.NameConstraints(
                           [x509.RFC822Name._init_without_validation(d) for d in permitted], None),
                           True)
                       .sign(self.key, hashes.SHA256()))
        path = pathlib.Path(store(folder, certificate, key).certificate)
        return Authority(certificate, key, self.crl_url, [path, *self.chain])


def self_made(addresses, folder):
    """A certificate that nobody vouches for, named as a domain's authority."""
    key = rsa_key("self-made")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DCA)])
    now = dt.datetime.utcnow()
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - dt.timedelta(days=1))
                   .not_valid_after(now + dt.timedelta(days=30))
                   .add_extension(x509.SubjectAlternativeName(
                       [x509.RFC822Name(a) for a in addresses]), False)
                   .sign(key, hashes.SHA256()))
    return store(folder, certificate, key)


# Signatures --------------------------------------------------------------------------------------


def issuer_and_serial(certificate):
    return seq(certificate.issuer.public_bytes(), integer(certificate.serial_number))


def sha256(data):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def attributes(content, kind=DATA, more=()):
    """Signed attributes as a DER SET: it is what is signed, with an implicit tag where it stands."""
    return set_of(seq(CONTENT_TYPE, set_of(kind)), seq(MESSAGE_DIGEST, set_of(octets(sha256(content)))),
                  *more)


def signature_of(identity, data):
    return load_key(identity.key).sign(data, rsa_padding.PKCS1v15(), hashes.SHA256())


def signer(identity, content, attrs=None, claims=None, signature=None):
    """A SignerInfo of this identity over content. attrs: another set of attributes, b"" for none;
    claims: the identity whose certificate it names in place of its own."""
    attrs = attributes(content) if attrs is None else attrs
    signature = signature or signature_of(identity, attrs or content)
    return seq(integer(1), issuer_and_serial(load((claims or identity).certificate)), SHA256,
               b"\xa0" + attrs[1:] if attrs else b"", RSA, octets(signature))


def signed_data(content, signers, certificates, kind=DATA):
    """content None: detached. certificates are paths."""
    body = seq(kind, explicit(0, octets(content)) if content is not None else b"")
    stack = b"".join(load(path).public_bytes(DER) for path in certificates)
    return content_info(SIGNED, seq(integer(1), der(0x31, SHA256), body,
                                    explicit(0, stack) if stack else b"", der(0x31, *signers)))


def certificates_of(*identities):
    return [path for identity in identities for path in (identity.certificate, *identity.chain)]


def detached(content, identities, signers=None, **more):
    """multipart/signed; signers: what stands there in place of honest ones."""
    signers = [signer(i, content) for i in identities] if signers is None else signers
    return peers.signed_entity(content, signed_data(None, signers, certificates_of(*identities), **more),
                               "sha256")


def opaque(content, identities, signers=None, **more):
    signers = [signer(i, content) for i in identities] if signers is None else signers
    return peers.cms_entity(signed_data(content, signers, certificates_of(*identities), **more),
                            "signed-data")


# Envelopes ---------------------------------------------------------------------------------------


def transport(recipient, cek=None, encrypted=None):
    """KeyTransRecipientInfo; encrypted: what stands in the place of the encrypted key."""
    certificate = load(recipient.certificate)
    if encrypted is None:
        encrypted = certificate.public_key().encrypt(cek, rsa_padding.PKCS1v15())
    return seq(integer(0), issuer_and_serial(certificate), RSA, octets(encrypted))


def enveloped_data(recipients, iv, ciphertext, cipher=AES256_CBC):
    return content_info(ENVELOPED, seq(
        integer(0), der(0x31, *recipients),
        seq(DATA, seq(cipher, octets(iv)), der(0x80, ciphertext))))


def auth_enveloped_data(recipients, nonce, ciphertext, tag, cipher=AES256_GCM, tag_size=16, attrs=b""):
    return content_info(AUTH_ENVELOPED, seq(
        integer(0), der(0x31, *recipients),
        seq(DATA, seq(cipher, seq(octets(nonce), integer(tag_size))), der(0x80, ciphertext)), attrs,
        octets(tag)))


def cbc(cek, iv, plain, pad=True):
    if pad:
        padder = padding.PKCS7(128).padder()
        plain = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(cek), modes.CBC(iv)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def entity(cms, smime_type="enveloped-data"):
    return peers.cms_entity(cms, smime_type)


def sealed(content, *recipients):
    """AES-256-CBC, as it should be."""
    cek, iv = os.urandom(32), os.urandom(16)
    return entity(enveloped_data([transport(r, cek) for r in recipients], iv, cbc(cek, iv, content)))


def sealed_gcm(content, *recipients):
    cek, nonce = os.urandom(32), os.urandom(12)
    both = AESGCM(cek).encrypt(nonce, content, None)
    return entity(auth_enveloped_data([transport(r, cek) for r in recipients], nonce, both[:-16],
                                      both[-16:]), "authEnveloped-data")


class Captured:
    """Somebody's envelope as an attacker has it: .recipients (RecipientInfos as they are), .iv or nonce,
    .ciphertext, .tag of AuthEnvelopedData. The key is not there."""

    def __init__(self, entity_):
        cms = base64.b64decode(entity_.replace(b"\r\n", b"\n").partition(b"\n\n")[2])
        (_, info, _), = elements(cms)
        (_, kind, _), (_, inside, _) = elements(info)
        (_, body, _), = elements(inside)
        parts = [e for e in elements(body) if e[0] != 0xa0]
        self.recipients = [whole for _, _, whole in elements(parts[1][1])]
        (_, _, _), (_, algorithm, _), (tag, content, _) = elements(parts[2][1])
        self.ciphertext = content if tag == 0x80 else b"".join(c for _, c, _ in elements(content))
        (_, cipher, _), (tag, parameters, _) = elements(algorithm)
        self.cipher = der(0x06, cipher)
        self.iv = parameters if tag == 0x04 else elements(parameters)[0][1]
        self.authenticated = der(0x06, kind) == AUTH_ENVELOPED
        self.tag = parts[3][1] if self.authenticated else None

    @property
    def serial(self):
        """Of the certificate that it was sealed to."""
        return int.from_bytes(elements(elements(elements(self.recipients[0])[0][1])[1][1])[1][1], "big")

    @property
    def blocks(self):
        return [self.ciphertext[i:i + 16] for i in range(0, len(self.ciphertext), 16)]

    def cbc(self, iv, ciphertext):
        """The same key and recipients around another ciphertext."""
        return entity(enveloped_data(self.recipients, iv, ciphertext))

    def gadget(self, known, *wanted):
        """EFAIL's malleability: the plaintext begins with each of wanted, 16 octets of garbage between
        them, and goes on with what the victim's said behind its first block, which was known."""
        first = self.blocks[0]
        turned = [xor(self.iv, known, block) for block in wanted]
        chain = b"".join(t + first for t in turned[1:])
        return self.cbc(turned[0], first + chain + os.urandom(16) + first + b"".join(self.blocks[1:]))


def xor(*blocks):
    out = bytes(16)
    for block in blocks:
        out = bytes(a ^ b for a, b in zip(out, block))
    return out
