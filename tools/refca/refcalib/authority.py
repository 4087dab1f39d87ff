"""Makes the CA's own certificates, certificates of domains, and revocation lists."""
import datetime as dt
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from . import RefcaError, rules
from .store import Store, write_file

REASONS = ["unspecified", "keyCompromise", "affiliationChanged", "superseded",
           "cessationOfOperation", "certificateHold", "privilegeWithdrawn"]
DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM


def seconds(time: dt.datetime) -> int:
    return int(time.replace(tzinfo=dt.timezone.utc).timestamp())


def from_seconds(value: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(value, dt.timezone.utc).replace(tzinfo=None)


def utc_now() -> dt.datetime:
    return dt.datetime.utcnow().replace(microsecond=0)


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


def create(store: Store, name: str, crl_urls: list, root_crl_urls: list, aia_url, bits: int,
           root_only: bool, not_before) -> None:
    """A root, and below it, unless root_only, the CA that issues to domains."""
    def subject(common_name):
        return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "NZ"),
                          x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
                          x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    not_before = not_before or utc_now()
    root_key = rsa.generate_private_key(65537, bits)
    root_name = subject(f"{name} Root")
    root = _authority_certificate(root_name, root_key, root_name, root_key, 20, None, [],
                                  not_before)
    with store.change():
        store.save_authority("root", root_key, root)
        if not root_only:
            key = rsa.generate_private_key(65537, bits)
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
    explicit_end = not_after is not None or days is not None
    not_before = not_before or utc_now()
    if not_after is None:
        not_after = not_before + dt.timedelta(days=rules.DEFAULT_DAYS if days is None else days)
    spki = spki_sha256(csr.public_key())
    with store.change() as db:
        key, authority = store.load_authority(store.issuer)
        rules.check_key_history(
            db.execute("SELECT * FROM key WHERE spki_sha256 = ?", (spki,)).fetchone(), domain,
            not_before)
        if not overlap:
            rules.check_only_one(store.certificates("domain = ? AND revoked_at IS NULL",
                                                    (domain,)), domain, not_before, not_after)
        row = db.execute("SELECT first_use FROM key WHERE spki_sha256 = ?", (spki,)).fetchone()
        first_use = from_seconds(row["first_use"]) if row else not_before
        not_after = rules.check_validity(not_before, not_after, first_use,
                                         authority.not_valid_after, explicit_end)
        certificate = _domain_certificate(store, csr.public_key(), domain, key, authority,
                                          not_before, not_after)
        db.execute("INSERT INTO key (spki_sha256, domain, first_use) VALUES (?, ?, ?)"
                   " ON CONFLICT (spki_sha256) DO UPDATE SET"
                   " first_use = min(first_use, excluded.first_use)",
                   (spki, domain, seconds(not_before)))
        pem = certificate.public_bytes(PEM).decode()
        db.execute("INSERT INTO certificate (serial, domain, spki_sha256, not_before, not_after,"
                   " pem) VALUES (?, ?, ?, ?, ?, ?)",
                   (f"{certificate.serial_number:x}", domain, spki, seconds(not_before),
                    seconds(not_after), pem))
    if store.issuer == "issuing":
        pem += authority.public_bytes(PEM).decode()
    return pem


def _domain_certificate(store, public_key, domain, key, authority, not_before, not_after):
    crl_urls = store.setting("crl_urls")
    if not crl_urls:
        raise RefcaError("REQ-158: this CA has no address for its revocation list;"
                         " make it with init --crl-url")
    builder = (x509.CertificateBuilder()
               .subject_name(x509.Name([
                   x509.NameAttribute(NameOID.COUNTRY_NAME, "NZ"),
                   x509.NameAttribute(NameOID.ORGANIZATION_NAME, domain[:64]),
                   x509.NameAttribute(NameOID.COMMON_NAME, rules.DCA)]))
               .issuer_name(authority.subject)
               .public_key(public_key).serial_number(x509.random_serial_number())
               .not_valid_before(not_before).not_valid_after(not_after)
               .add_extension(x509.BasicConstraints(False, None), critical=True)
               .add_extension(key_usage(digital_signature=True, key_encipherment=True), True)
               .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
               .add_extension(x509.SubjectAlternativeName(
                   [x509.RFC822Name(f"{rules.DCA}@{domain}")]), False)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                   key.public_key()), False)
               .add_extension(distribution_points(crl_urls), False))
    aia = store.setting("aia_url")
    if aia:
        builder = builder.add_extension(x509.AuthorityInformationAccess([x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(aia))]),
            False)
    return builder.sign(key, hashes.SHA256())


def revoke(store: Store, reference: str, reason: str, when) -> str:
    """Also turns a suspension into a revocation. Returns the serial number."""
    row = store.find(reference)
    if row["revoked_at"] is not None and row["reason"] != "certificateHold":
        raise RefcaError(f"{row['serial']} is revoked already ({row['reason']})")
    with store.change() as db:
        db.execute("UPDATE certificate SET revoked_at = ?, reason = ? WHERE serial = ?",
                   (seconds(when or utc_now()), reason, row["serial"]))
        if reason == "keyCompromise":
            db.execute("UPDATE key SET compromised = 1 WHERE spki_sha256 = ?",
                       (row["spki_sha256"],))
    return row["serial"]


def restore(store: Store, reference: str) -> str:
    row = store.find(reference)
    if row["reason"] != "certificateHold":
        state = f"revoked ({row['reason']})" if row["reason"] else "not suspended"
        raise RefcaError(f"{row['serial']} is {state}: only a suspended certificate comes back")
    with store.change() as db:
        db.execute("UPDATE certificate SET revoked_at = NULL, reason = NULL WHERE serial = ?",
                   (row["serial"],))
    return row["serial"]


def write_crls(store: Store, this_update=None, next_update=None, hours=None) -> None:
    """ca.crl of what domains hold, and root.crl (nothing is ever on it) where there are two CAs."""
    this_update = this_update or utc_now()
    next_update = next_update or this_update + dt.timedelta(
        hours=hours or store.setting("crl_hours", 7 * 24))
    if next_update <= this_update:
        raise RefcaError("a revocation list cannot expire before it begins")
    with store.change():
        _write_crl(store, store.issuer, "ca.crl", this_update, next_update,
                   store.certificates("revoked_at IS NOT NULL"))
        if store.issuer != "root":
            _write_crl(store, "root", "root.crl", this_update, next_update, [])


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
