"""Publishing to the C=NZ directory (REQ-159, 168, 169, 190): certificates, CRLs, member lists.

Publishing is bringing the directory to the state of the CA: a domain's entry holds its certificates
that are neither revoked, suspended nor expired, and goes away with the last of them.
"""
import ssl
from pathlib import Path

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.utils.dn import escape_rdn

from . import RefcaError, authority, clock, rules
from .store import Store, load_certificate

CERTIFICATE = "userCertificate;binary"


class Unreachable(RefcaError):
    """The directory as a whole; not a refusal of one entry."""


class Directory:
    def __init__(self, url, bind_dn, password_file, base, ca_file):
        try:
            password = Path(password_file).read_text().rstrip("\n")
        except OSError as error:
            raise RefcaError(f"{password_file}: {error.strerror}") from error
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=ca_file) if ca_file else None
        self.base = base
        try:
            server = ldap3.Server(url, tls=tls, connect_timeout=5, get_info=ldap3.NONE)
            self.connection = ldap3.Connection(server, bind_dn, password, version=3,
                                               receive_timeout=10, raise_exceptions=False)
            if not self.connection.bind():
                raise RefcaError(f"{url}: {self._result()}")
        except LDAPException as error:
            raise RefcaError(f"{url}: {error}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.unbind()

    def _result(self) -> str:
        result = self.connection.result
        return f"{result['description']} {result.get('message') or ''}".strip()

    def _do(self, what, *arguments, tolerate=()):
        """One operation; codes in tolerate are as good as success."""
        try:
            getattr(self.connection, what)(*arguments)
        except LDAPException as error:
            raise Unreachable(f"the directory failed: {error}") from error
        code = self.connection.result["result"]
        if code not in (0, *tolerate):
            raise RefcaError(f"the directory refused to {what} {arguments[0]}: {self._result()}")
        return code

    def put(self, dn: str, classes: list, attributes: dict) -> None:
        """Makes the entry or replaces these attributes of it."""
        if self._do("add", dn, classes, attributes, tolerate=(68,)) == 68:  # entryAlreadyExists
            self._do("modify", dn, {name: [(ldap3.MODIFY_REPLACE, values if isinstance(
                values, list) else [values])] for name, values in attributes.items()})

    def remove(self, dn: str) -> None:
        self._do("delete", dn, tolerate=(32,))  # noSuchObject

    def domain_dn(self, domain: str) -> str:
        return f"ou={escape_rdn(domain)},{self.base}"

    def entry_dn(self, domain: str) -> str:
        return f"cn={rules.DCA},{self.domain_dn(domain)}"

    def publish_domain(self, domain: str, ders: list) -> None:
        if not ders:
            self.unpublish_domain(domain)
            return
        self.put(self.domain_dn(domain), ["organizationalUnit"], {"ou": domain})
        # The name and the address of the authority alone: no personal information (REQ-194).
        self.put(self.entry_dn(domain), ["inetOrgPerson"], {
            "cn": rules.DCA, "sn": rules.DCA, "mail": f"{rules.DCA}@{domain}",
            CERTIFICATE: ders})

    def unpublish_domain(self, domain: str) -> None:
        self.remove(self.entry_dn(domain))
        self._do("delete", self.domain_dn(domain), tolerate=(32, 66))  # or it has other children

    def publish_authority(self, name: str, ca_der: bytes, crl_der: bytes) -> None:
        self.put(f"cn={escape_rdn(name)},{self.base}", ["applicationProcess", "pkiCA"], {
            "cn": name, "cACertificate;binary": [ca_der],
            "certificateRevocationList;binary": [crl_der]})

    # What lists.py builds upon -----------------------------------------------------------------

    def read(self, dn: str, attributes: list):
        """{attribute: values as text}, or None where there is no such entry."""
        try:
            self.connection.search(dn, "(objectClass=*)", ldap3.BASE, attributes=attributes)
        except LDAPException as error:
            raise Unreachable(f"the directory failed: {error}") from error
        code = self.connection.result["result"]
        if code == 32:
            return None
        if code != 0:
            raise RefcaError(f"the directory refused to read {dn}: {self._result()}")
        entry = next(e for e in self.connection.response if e["type"] == "searchResEntry")
        return {name: [value.decode("utf-8", "replace") for value in values]
                for name, values in entry["raw_attributes"].items()}

    def add(self, dn: str, classes: list, attributes: dict) -> bool:
        """False where there is one already."""
        return self._do("add", dn, classes, attributes, tolerate=(68,)) == 0

    def modify(self, dn: str, changes: dict) -> bool:
        """False where it is not, or no more, as the changes suppose."""
        return self._do("modify", dn, changes, tolerate=(16, 20, 32)) == 0


def publish(store: Store, directory: Directory, domains: list) -> list:
    """All domains that ever had a certificate, or those named. Returns (domain, count)."""
    known = {row["domain"] for row in store.certificates()}
    owed = {row["domain"]: row["number"] for row in store.owed()}
    done = []
    for domain in sorted(rules.check_domain(name) for name in domains) or sorted(known):
        if domain not in known:
            raise RefcaError(f"{domain} has no certificate from here")
        done.append((domain, publish_domain(store, directory, domain)))
    publish_lists(store, directory)
    for domain in ["", *(domain for domain, _ in done)]:
        store.paid(domain, owed.get(domain, 0))
    return done


def publish_domain(store: Store, directory: Directory, domain: str) -> int:
    """Returns how many certificates stand there now."""
    rows = store.certificates("domain = ? AND revoked_at IS NULL AND not_after > ?",
                              (domain, clock.seconds(clock.now())))
    ders = [load_certificate(row["pem"].encode()).public_bytes(authority.DER) for row in rows]
    directory.publish_domain(domain, ders)
    return len(ders)


def publish_lists(store: Store, directory: Directory) -> None:
    if (store.folder / "ca.crl").exists():
        directory.publish_authority(store.setting("name"),
                                    (store.folder / f"{store.issuer}.cer").read_bytes(),
                                    (store.folder / "ca.crl").read_bytes())


def publish_owed(store: Store, directory: Directory, but=()):
    """What changed since it was published last, but for these domains. Returns the domains that were
    brought up to date, and {domain: words} of those whose entry the directory refused; they do not
    keep the others waiting."""
    done, refused = [], {}
    for row in store.owed():
        domain = row["domain"]
        if domain in but:
            continue
        try:
            if domain:
                publish_domain(store, directory, domain)
            else:
                publish_lists(store, directory)
        except Unreachable:
            raise
        except RefcaError as error:
            refused[domain] = str(error)
            continue
        store.paid(domain, row["number"])
        done.append(domain)
    return done, refused
