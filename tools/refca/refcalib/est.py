"""Enrolment as RFC 7030 means it, without the HTTP: what a request becomes.

The same request again is not a second one. A client that lost the answer gets the certificate that
was made for it: for simpleenroll as long as that is valid, for simplereenroll within REPEAT_DAYS
(a key has one and the same request every year, and next year's is a renewal).
"""
import base64
import binascii
import hashlib
import re
from types import SimpleNamespace

from cryptography.hazmat.primitives import serialization

from . import RefcaError, accounts, authority, clock, rules
from .store import Store, load_certificate

REPEAT_DAYS = 7
MAX_PENDING = 10_000     # of an account: requests that wait for a decision
MAX_VALID = 5            # certificates of a domain that are valid beside each other


class Refused(RefcaError):
    """A refusal with its HTTP status."""

    def __init__(self, status: int, words: str):
        super().__init__(words)
        self.status = status


def decode(body: bytes) -> bytes:
    """The DER in a request's base64 (RFC 8951: whatever Content-Transfer-Encoding says)."""
    text = re.sub(rb"[ \t\r\n]+", b"", body)
    try:
        der = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refused(400, f"the body is not base64: {error}") from None
    if not der.startswith(b"\x30"):
        raise Refused(400, "the body is not the base64 of a DER PKCS#10 request")
    return der


def certs_only(certificates: list) -> bytes:
    """A certs-only CMS message (RFC 5272 section 4.1), base64 in lines. By hand, for the library puts
    an empty content into it that does not belong there."""
    ders = sorted(cert.public_bytes(serialization.Encoding.DER) for cert in certificates)
    signed = (b"\x02\x01\x01" + _der(0x31, b"")             # version, no digest algorithms
              + _der(0x30, _DATA)                             # no content
              + (_der(0xa0, b"".join(ders)) if ders else b"")
              + _der(0x31, b""))                              # no signers
    return base64.encodebytes(_der(0x30, _SIGNED_DATA + _der(0xa0, _der(0x30, signed))))


_DATA = bytes.fromhex("06092a864886f70d010701")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def ca_certificates(store: Store) -> list:
    names = ["issuing", "root"] if store.issuer == "issuing" else ["root"]
    return [store.load_authority(name)[1] for name in names]


def enrol(store: Store, account, body: bytes, kind: str, manual: bool, days):
    """The state that the request is in now, with what goes with it: .state issued (.certificate, and
    .again where it was made before) or pending (.id), .domain."""
    der = decode(body)
    try:
        csr, domain = rules.check_request(der, None)
    except RefcaError as error:
        raise Refused(400, str(error)) from None
    if not accounts.may(account, domain):
        raise Refused(403, f"account {account['name']} may not ask for {domain}")
    digest = hashlib.sha256(der).hexdigest()
    try:
        with store.change():
            row = store.db.execute(
                "SELECT * FROM enrolment WHERE csr_sha256 = ? AND kind = ?"
                " ORDER BY id DESC LIMIT 1", (digest, kind)).fetchone()
            known = _known(store, row, manual)
            if known:
                return known
            order = _order(store, csr, domain, kind, days)
            waited = row and row["state"] == "pending"  # until approval was no longer by hand
            number = row["id"] if waited else _enter(store, account, der, kind, domain)
            if manual:
                return SimpleNamespace(state="pending", id=number, domain=domain)
            return _issue(store, order, number)
    except Refused:
        raise
    except RefcaError as error:
        raise Refused(400, str(error)) from None


def _known(store: Store, row, manual: bool):
    """What a repeated request is answered with; None for one that is new in effect."""
    if not row:
        return None
    if row["state"] == "refused":
        raise Refused(403, f"the CA has refused this request: {row['words']}")
    if row["state"] == "pending":
        return SimpleNamespace(state="pending", id=row["id"], domain=row["domain"]) \
            if manual else None
    certificate = store.find(row["serial"])
    now = clock.seconds(clock.now())
    if certificate["revoked_at"] is not None or not now < certificate["not_after"]:
        return None
    life = certificate["not_after"] - certificate["not_before"]
    if row["kind"] == "reenroll" and abs(now - row["decided"]) >= min(REPEAT_DAYS * 86400,
                                                                    life // 2):
        return None
    return SimpleNamespace(state="issued", domain=row["domain"], again=True,
                           certificate=load_certificate(certificate["pem"].encode()))


def _order(store: Store, csr, domain: str, kind: str, days):
    rows = store.certificates("domain = ?", (domain,))
    if kind == "reenroll" and not rows:
        raise Refused(400, f"{domain} has no certificate from here that could be renewed;"
                           " ask by simpleenroll")
    now = clock.seconds(clock.now())
    valid = [row for row in rows if row["revoked_at"] is None and now < row["not_after"]]
    if len(valid) >= MAX_VALID:
        raise Refused(400, f"REQ-163: {domain} has {len(valid)} valid certificates beside each"
                           " other already; have one revoked first")
    return authority.check_order(store, csr.public_key(), domain, kind == "reenroll",
                                 days=days)


def _enter(store: Store, account, der, kind, domain) -> int:
    """As one that waits; the number of its row."""
    count = store.db.execute("SELECT count(*) FROM enrolment WHERE state = 'pending' AND account = ?",
                             (account["name"],)).fetchone()
    if count[0] >= MAX_PENDING:
        raise Refused(503, f"{MAX_PENDING} requests of this account wait for the CA's decision")
    return store.db.execute(
        "INSERT INTO enrolment (csr_sha256, kind, account, domain, csr, state, created)"
        " VALUES (?, ?, ?, ?, ?, 'pending', ?)",
        (hashlib.sha256(der).hexdigest(), kind, account["name"], domain, der,
         clock.seconds(clock.now()))).lastrowid


def _issue(store: Store, order, number: int):
    """number: of the request's row."""
    certificate = authority.certify(store, order, adopt=True)
    store.db.execute("UPDATE enrolment SET state = 'issued', serial = ?, words = NULL, decided = ?"
                     " WHERE id = ?", (f"{certificate.serial_number:x}",
                                       clock.seconds(clock.now()), number))
    return SimpleNamespace(state="issued", domain=order.domain, certificate=certificate,
                           again=False)


# The officer's side -------------------------------------------------------------------------------

def undecided(store: Store) -> list:
    return store.db.execute("SELECT * FROM enrolment WHERE state = 'pending' ORDER BY id").fetchall()


def _decidable(store: Store, number: int):
    row = store.db.execute("SELECT * FROM enrolment WHERE id = ?", (number,)).fetchone()
    if not row:
        raise RefcaError(f"there is no request {number}")
    if row["state"] == "issued":
        raise RefcaError(f"request {number} has its certificate already ({row['serial']})")
    return row


def approve(store: Store, number: int, days) -> str:
    """Certifies, by the rules as they stand now; the client's next poll gets it."""
    with store.change():
        row = _decidable(store, number)
        csr, domain = rules.check_request(row["csr"], None)
        order = _order(store, csr, domain, row["kind"], days)
        answer = _issue(store, order, number)
    return f"{answer.certificate.serial_number:x}"


def refuse(store: Store, number: int, words: str) -> None:
    with store.change() as db:
        _decidable(store, number)
        db.execute("UPDATE enrolment SET state = 'refused', words = ?, decided = ? WHERE id = ?",
                   (words, clock.seconds(clock.now()), number))
