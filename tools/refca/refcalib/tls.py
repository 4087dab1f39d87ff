"""TLS for the EST server: a small CA of its own, so that the trust anchor for e-mail vouches for no
web server, and contexts. TLS checks certificates by the machine's clock, whatever --clock-file says."""
import datetime as dt
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import RefcaError, accounts, authority, clock, rules
from .store import Store, write_file

CA_YEARS = 20
SERVER_DAYS = 825


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _general_name(host: str):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(rules.check_domain(host) if host != "localhost" else host)


def make(store: Store, hosts: list, keys) -> None:
    """The TLS CA where there is none, and a new server certificate below it: est-ca.pem, est.pem."""
    with store.change():
        if not (store.folder / "est-ca.pem").exists():
            _make_ca(store, keys)
        ca_key, ca = store.load_authority("est-ca")
        key = next(keys)
        start = clock.real_now() - dt.timedelta(hours=1)
        certificate = (
            x509.CertificateBuilder().subject_name(_name(hosts[0])).issuer_name(ca.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(start).not_valid_after(start + dt.timedelta(days=SERVER_DAYS))
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(authority.key_usage(digital_signature=True, key_encipherment=True), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.SubjectAlternativeName([_general_name(h) for h in hosts]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                ca_key.public_key()), False)
            .sign(ca_key, hashes.SHA256()))
        # One file, replaced whole: a server that reads it never pairs old with new.
        write_file(store.folder / "est.pem",
                   certificate.public_bytes(authority.PEM) + key.private_bytes(
                       authority.PEM, serialization.PrivateFormat.PKCS8,
                       serialization.NoEncryption()), 0o600)


def _make_ca(store: Store, keys) -> None:
    key = next(keys)
    name = _name(f"{store.setting('name')} EST server CA")
    start = clock.real_now() - dt.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(start).not_valid_after(rules.add_months(start, 12 * CA_YEARS))
        .add_extension(x509.BasicConstraints(True, 0), critical=True)
        .add_extension(authority.key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256()))
    store.save_authority("est-ca", key, certificate)


class Contexts:
    """The server's TLS context, made anew when its certificate or the accounts' have changed."""

    def __init__(self, folder):
        self._folder = folder
        self._made = None            # (what it was made from, context)
        if not (folder / "est.pem").exists():
            raise RefcaError(f"no {folder / 'est.pem'}: run `refca --dir {folder} est-init` first")

    def current(self, store: Store) -> ssl.SSLContext:
        state = (self._folder / "est.pem").stat()
        clients = accounts.certificates(store)
        mark = (state.st_ino, state.st_mtime_ns, clients)
        made = self._made
        if not made or made[0] != mark:
            made = self._made = (mark, self._make(clients))
        return made[1]

    def _make(self, clients: list) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._folder / "est.pem")
        if clients:  # each trusted by itself, as what it is, not as a CA
            context.verify_mode = ssl.CERT_OPTIONAL
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(cadata="\n".join(clients))
        return context
