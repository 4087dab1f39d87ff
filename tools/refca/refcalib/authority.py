"""Makes the CA's own certificates, certificates of domains, and revocation lists."""
import datetime as dt
import hashlib
import sqlite3
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from . import RefcaError, clock, rules
from .clock import from_seconds, seconds
from .store import Store, load_certificate, write_file

REASONS = ["unspecified", "keyCompromise", "affiliationChanged", "superseded",
           "cessationOfOperation", "certificateHold", "privilegeWithdrawn"]
DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM


def spki_sha256(public_key) -> str:
    return hashlib.sha256(public_key.public_bytes(
        DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def key_usage(**which) -> x509.KeyUsage:
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: which.get(name, False) for name in names})


def distribution_points(urls: list) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints([
        x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
        for url in urls])


def _authority_certificate(subject, key, issuer_name, issuer_key, years, path_length, crl_urls,
                           not_before):
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer_name)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(not_before)
               .not_valid_after(rules.add_months(not_before, 12 * years))
               .add_extension(x509.BasicConstraints(True, path_length), critical=True)
               .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                   issuer_key.public_key()), False))
    if crl_urls:
        builder = builder.add_extension(distribution_points(crl_urls), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def private_keys(files: list, bits: int):
    """Those of the PEM files, then new ones."""
    for file in files:
        try:
            yield serialization.load_pem_private_key(Path(file).read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise RefcaError(f"{file}: no private key: {error}") from error
    while True:
        yield rsa.generate_private_key(65537, bits)


def create(store: Store, name: str, crl_urls: list, root_crl_urls: list, aia_url, keys,
           root_only: bool, not_before) -> None:
    """A root, and below it, unless root_only, the CA that issues to domains. keys: an iterator."""
    def subject(common_name):
        return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "NZ"),
                          x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
                          x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    not_before = not_before or clock.now()
    root_key = next(keys)
    root_name = subject(f"{name} Root")
    root = _authority_certificate(root_name, root_key, root_name, root_key, 20, None, [],
                                  not_before)
    with store.change():
        store.save_authority("root", root_key, root)
        if not root_only:
            key = next(keys)
            issuing = _authority_certificate(subject(f"{name} Issuing"), key, root_name, root_key,
                                             10, 0, root_crl_urls, not_before)
            store.save_authority("issuing", key, issuing)
            write_file(store.folder / "chain.pem",
                       issuing.public_bytes(PEM) + root.public_bytes(PEM))
        else:
            write_file(store.folder / "chain.pem", root.public_bytes(PEM))
        store.set_setting("name", name)
        store.set_setting("crl_urls", crl_urls)
        store.set_setting("aia_url", aia_url)


def issue(store: Store, csr_bytes: bytes, domain, overlap: bool, not_before, not_after,
          days) -> str:
    """One certificate under REQ-158 to 164 and 166; returns the PEM chain without the root."""
    csr, domain = rules.check_request(csr_bytes, domain)
    with store.change():
        order = check_order(store, csr.public_key(), domain, overlap, not_before, not_after, days,
                            not_after is not None or days is not None)
        pem = certify(store, order).public_bytes(PEM).decode()
    if store.issuer == "issuing":
        pem += store.load_authority("issuing")[1].public_bytes(PEM).decode()
    return pem


class Order:
    """What is about to be certified; check_order has found nothing against it."""

    def __init__(self, public_key, domain, not_before, not_after):
        self.public_key, self.domain = public_key, domain
        self.not_before, self.not_after = not_before, not_after
        self.spki = spki_sha256(public_key)


def check_order(store: Store, public_key, domain: str, overlap: bool, not_before=None,
                not_after=None, days=None, explicit=False) -> Order:
    """In the transaction that will certify: the rules that look at what was issued before. An end
    that is too late is refused where it was asked for explicitly, else cut."""
    not_before = not_before or clock.now()
    if not_after is None:
        not_after = not_before + dt.timedelta(days=rules.DEFAULT_DAYS if days is None else days)
    order = Order(public_key, domain, not_before, not_after)
    row = store.db.execute("SELECT * FROM key WHERE spki_sha256 = ?", (order.spki,)).fetchone()
    rules.check_key_history(row, domain, not_before)
    if store.certificates("spki_sha256 = ? AND reason = 'certificateHold' AND not_after > ?",
                          (order.spki, seconds(not_before))):
        raise RefcaError("a certificate of this key is suspended; what becomes of it is decided"
                         " first")
    if not overlap:
        rules.check_only_one(store.certificates("domain = ? AND revoked_at IS NULL", (domain,)),
                             domain, not_before, not_after)
    first_use = from_seconds(row["first_use"]) if row else not_before
    order.not_after = rules.check_validity(not_before, not_after, first_use,
                                           store.load_authority(store.issuer)[1].not_valid_after,
                                           explicit)
    return order


def certify(store: Store, order: Order, adopt: bool = False) -> x509.Certificate:
    """Signs, and enters it in the same transaction. adopt: from now on the domain is published."""
    certificate = domain_certificate(store, order)
    _enter(store, order, certificate)
    store.owe(order.domain, adopt)
    return certificate


def _enter(store: Store, order: Order, certificate: x509.Certificate) -> None:
    store.db.execute("INSERT INTO key (spki_sha256, domain, first_use) VALUES (?, ?, ?)"
                     " ON CONFLICT (spki_sha256) DO UPDATE SET"
                     " first_use = min(first_use, excluded.first_use)",
                     (order.spki, order.domain, seconds(order.not_before)))
    store.db.execute("INSERT INTO certificate (serial, domain, spki_sha256, not_before, not_after,"
                     " pem) VALUES (?, ?, ?, ?, ?, ?)",
                     (f"{certificate.serial_number:x}", order.domain, order.spki,
                      seconds(order.not_before), seconds(order.not_after),
                      certificate.public_bytes(PEM).decode()))


def domain_certificate(store: Store, order: Order) -> x509.Certificate:
    crl_urls = store.setting("crl_urls")
    if not crl_urls:
        raise RefcaError("REQ-158: this CA has no address for its revocation list;"
                         " make it with init --crl-url")
    return certificate_builder(store, order, crl_urls=crl_urls).sign(
        store.load_authority(store.issuer)[0], hashes.SHA256())


def certificate_builder(store: Store, order: Order, common_name=rules.DCA, crl_urls=None,
                        usage=None) -> x509.CertificateBuilder:
    key, authority = store.load_authority(store.issuer)
    domain, public_key = order.domain, order.public_key
    crl_urls = store.setting("crl_urls") if crl_urls is None else crl_urls
    agrees = isinstance(public_key, ec.EllipticCurvePublicKey)
    usage = usage or {"digital_signature": True,
                      "key_agreement" if agrees else "key_encipherment": True}
    builder = (x509.CertificateBuilder()
               .subject_name(x509.Name([
                   x509.NameAttribute(NameOID.COUNTRY_NAME, "NZ"),
                   x509.NameAttribute(NameOID.ORGANIZATION_NAME, domain[:64]),
                   x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
               .issuer_name(authority.subject)
               .public_key(public_key).serial_number(x509.random_serial_number())
               .not_valid_before(order.not_before).not_valid_after(order.not_after)
               .add_extension(x509.BasicConstraints(False, None), critical=True)
               .add_extension(key_usage(**usage), True)
               .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
               .add_extension(x509.SubjectAlternativeName(
                   [x509.RFC822Name(f"{rules.DCA}@{domain}")]), False)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                   key.public_key()), False))
    if crl_urls:
        builder = builder.add_extension(distribution_points(crl_urls), False)
    aia = store.setting("aia_url")
    if aia:
        builder = builder.add_extension(x509.AuthorityInformationAccess([x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(aia))]),
            False)
    return builder


def adopt(store: Store, data: bytes) -> sqlite3.Row:
    """Enters a certificate of this CA that ca.db has lost, as after a backup was brought back."""
    try:
        certificate = load_certificate(data)
        addresses = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName).value.get_values_for_type(x509.RFC822Name)
        _, authority = store.load_authority(store.issuer)
        authority.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes,
                                      padding.PKCS1v15(), certificate.signature_hash_algorithm)
    except InvalidSignature:
        raise RefcaError("that certificate was not issued by this CA") from None
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise RefcaError(f"not a certificate of a domain: {error}") from error
    domain = rules.check_domain(addresses[0].rpartition("@")[2] if addresses else "")
    order = Order(certificate.public_key(), domain, certificate.not_valid_before,
                  certificate.not_valid_after)
    serial = f"{certificate.serial_number:x}"
    with store.change():
        if not store.certificates("serial = ?", (serial,)):
            _enter(store, order, certificate)
        return store.find(serial)


def revoke(store: Store, reference: str, reason: str, when=None, account=None):
    """Also turns a suspension into a revocation. Returns the certificate's row and whether anything
    changed. A revocation for another reason may still be found to be a compromise (REQ-174)."""
    with store.change() as db:
        row = store.find(reference)
        if row["revoked_at"] is not None and row["reason"] != "certificateHold" \
                and not (reason == "keyCompromise" != row["reason"]):
            return row, False
        if row["reason"] == reason:
            return row, False
        db.execute("UPDATE certificate SET revoked_at = ?, reason = ? WHERE serial = ?",
                   (seconds(when or clock.now()), reason, row["serial"]))
        if reason == "keyCompromise":
            db.execute("UPDATE key SET compromised = 1 WHERE spki_sha256 = ?",
                       (row["spki_sha256"],))
        _revocation_done(store, row, reason, account)
        return store.find(row["serial"]), True


def restore(store: Store, reference: str, account=None):
    """Ends a suspension. Returns the certificate's row."""
    with store.change() as db:
        row = store.find(reference)
        if row["reason"] != "certificateHold":
            state = f"revoked ({row['reason']})" if row["reason"] else "not suspended"
            raise RefcaError(f"{row['serial']} is {state}: only a suspended certificate comes back")
        db.execute("UPDATE certificate SET revoked_at = NULL, reason = NULL WHERE serial = ?",
                   (row["serial"],))
        _revocation_done(store, row, "removeFromCRL", account)
        return store.find(row["serial"])


def _revocation_done(store: Store, row, reason: str, account) -> None:
    """The lists are behind until write_crls, the directory until it was published."""
    store.db.execute("INSERT INTO revocation (serial, account, reason, at) VALUES (?, ?, ?, ?)",
                     (row["serial"], account, reason, seconds(clock.now())))
    store.set_setting("crl_owed", True)
    store.owe(row["domain"])


def revocations(store: Store) -> list:
    """Revocations, suspensions and their ends, in order."""
    return store.db.execute("SELECT revocation.*, domain FROM revocation JOIN certificate"
                            " USING (serial) ORDER BY id").fetchall()


def write_crls(store: Store, this_update=None, next_update=None, hours=None, number=None) -> None:
    """ca.crl of what domains hold, and root.crl (nothing is ever on it) where there are two CAs.
    number: of both, beyond those that are out; one more than the last unless given."""
    this_update = this_update or clock.now()
    next_update = next_update or this_update + dt.timedelta(
        hours=hours or store.setting("crl_hours", 7 * 24))
    if next_update <= this_update:
        raise RefcaError("a revocation list cannot expire before it begins")
    with store.change():
        for name in ("ca.crl_number", "root.crl_number") if number is not None else ():
            if number <= store.setting(name, 0):
                raise RefcaError(f"there is a list with number {store.setting(name)} already")
            store.set_setting(name, number - 1)
        _write_crl(store, store.issuer, "ca.crl", this_update, next_update,
                   store.certificates("revoked_at IS NOT NULL"))
        if store.issuer != "root":
            _write_crl(store, "root", "root.crl", this_update, next_update, [])
        store.set_setting("crl_owed", False)
        store.owe("", adopt=True)


def _write_crl(store, authority_name, file_name, this_update, next_update, rows) -> None:
    key, authority = store.load_authority(authority_name)
    builder = (x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
               .last_update(this_update).next_update(next_update)
               .add_extension(x509.CRLNumber(store.next_number(f"{file_name}_number")), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                   key.public_key()), False))
    for row in rows:
        entry = (x509.RevokedCertificateBuilder().serial_number(int(row["serial"], 16))
                 .revocation_date(from_seconds(row["revoked_at"])))
        if row["reason"] != "unspecified":  # RFC 5280 5.3.1: absent rather than unspecified
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(row["reason"])), False)
        builder = builder.add_revoked_certificate(entry.build())
    crl = builder.sign(key, hashes.SHA256())
    write_file(store.folder / file_name, crl.public_bytes(DER))
