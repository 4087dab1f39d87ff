"""Enrolment accounts: who may ask over EST, for which domains.

A DCA key sits in an HSM and its certificate is for e-mail alone, so a gateway does not authenticate
with it: it has an account, with a password (HTTP Basic) or a TLS client certificate of its own.
Of a password only a salted scrypt hash is kept.
"""
import hashlib
import hmac
import json
import re
import secrets
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from . import RefcaError, authority, clock, rules
from .store import Store

MIN_PASSWORD = 16        # bytes: a password of a machine, so let it be long
MAX_PASSWORD = 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
_process_key = secrets.token_bytes(32)
_verified = {}           # credential's hash → MAC of the password that fitted it, in this process


def scrypt(password: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=2 ** 14, r=8, p=1, dklen=32)


def check_pattern(text: str) -> str:
    if text == "*":
        return text
    prefix, domain = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    return prefix + rules.check_domain(domain)


def may(account, domain: str) -> bool:
    """Whether the account's domains hold this one. "*.a.test" holds what is below a.test."""
    return any(pattern in ("*", domain) or (pattern.startswith("*.") and
                                            domain.endswith(pattern[1:]))
               for pattern in json.loads(account["domains"]))


def add(store: Store, name: str, domains: list) -> None:
    if not NAME.match(name):
        raise RefcaError(f"not a name for an account: {name!r}")
    with store.change() as db:
        if find(store, name):
            raise RefcaError(f"there is an account {name}")
        db.execute("INSERT INTO account VALUES (?, ?, ?)",
                   (name, json.dumps([check_pattern(text) for text in domains or ["*"]]),
                    clock.seconds(clock.now())))


def set_domains(store: Store, name: str, domains: list) -> None:
    with store.change() as db:
        existing(store, name)
        db.execute("UPDATE account SET domains = ? WHERE name = ?",
                   (json.dumps([check_pattern(text) for text in domains]), name))


def remove(store: Store, name: str) -> None:
    with store.change() as db:
        existing(store, name)
        db.execute("DELETE FROM account WHERE name = ?", (name,))


def find(store: Store, name: str):
    return store.db.execute("SELECT * FROM account WHERE name = ?", (name,)).fetchone()


def existing(store: Store, name: str):
    account = find(store, name)
    if not account:
        raise RefcaError(f"there is no account {name}")
    return account


def set_password(store: Store, name: str, password: bytes, keep_hours: float = 0) -> None:
    """The one password from now on; the old one is good for keep_hours more."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise RefcaError(f"a password of {len(password)} bytes; {MIN_PASSWORD} to {MAX_PASSWORD}"
                         " are allowed")
    if any(byte < 0x20 or byte == 0x7f for byte in password):
        raise RefcaError("a password with control characters, which HTTP Basic does not take")
    salt = secrets.token_bytes(16)
    _succeed(store, name, "password", (salt, scrypt(password, salt), None), keep_hours)


def set_certificate(store: Store, name: str, data: bytes, keep_hours: float = 0) -> None:
    """The one TLS client certificate from now on. It is trusted by itself, whoever issued it."""
    try:
        certificate = x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise RefcaError(f"not a certificate in PEM: {error}") from error
    _succeed(store, name, "certificate",
             (None, certificate.fingerprint(hashes.SHA256()),
              certificate.public_bytes(authority.PEM).decode()), keep_hours)


def _succeed(store: Store, name, kind, values, keep_hours) -> None:
    now = clock.seconds(clock.now())
    end = now + int(keep_hours * 3600)
    with store.change() as db:
        existing(store, name)
        db.execute("DELETE FROM credential WHERE account = ? AND kind = ? AND"
                   " (not_after <= ? OR ? <= ?)", (name, kind, now, end, now))
        db.execute("UPDATE credential SET not_after = min(coalesce(not_after, ?), ?)"
                   " WHERE account = ? AND kind = ?", (end, end, name, kind))
        db.execute("INSERT INTO credential (account, kind, salt, hash, pem)"
                   " VALUES (?, ?, ?, ?, ?)", (name, kind, *values))


def _passwords(store: Store, name: str) -> list:
    return store.db.execute(
        "SELECT salt, hash FROM credential WHERE account = ? AND kind = 'password'"
        " AND (not_after IS NULL OR not_after > ?)",
        (name, clock.seconds(clock.now()))).fetchall()


def by_known_password(store: Store, name: str, password: bytes):
    """The account, where this process has seen the password fit before: quick, for a MAC answers."""
    mac = hmac.digest(_process_key, password, "sha256")
    for row in _passwords(store, name):
        if hmac.compare_digest(_verified.get(row["hash"], b""), mac):
            return find(store, name)
    return None


def by_password(store: Store, name: str, password: bytes):
    """The account, or None; slow on purpose. As long for a name that there is not as for a wrong
    password."""
    fits = None
    for row in _passwords(store, name) or [{"salt": b"nobody", "hash": b""}]:
        if hmac.compare_digest(scrypt(password[:MAX_PASSWORD + 1], row["salt"]), row["hash"]):
            fits = row["hash"]
    if fits is None:
        return None
    _verified[fits] = hmac.digest(_process_key, password, "sha256")
    return find(store, name)


def by_certificate(store: Store, der: bytes):
    row = store.db.execute(
        "SELECT account FROM credential WHERE kind = 'certificate' AND hash = ?"
        " AND (not_after IS NULL OR not_after > ?)",
        (hashlib.sha256(der).digest(), clock.seconds(clock.now()))).fetchone()
    return find(store, row["account"]) if row else None


def certificates(store: Store) -> list:
    """PEM of every client certificate that authenticates an account."""
    return [row["pem"] for row in store.db.execute(
        "SELECT pem FROM credential WHERE kind = 'certificate'"
        " AND (not_after IS NULL OR not_after > ?) ORDER BY id", (clock.seconds(clock.now()),))]


def listing(store: Store) -> list:
    now = clock.seconds(clock.now())
    result = []
    for account in store.db.execute("SELECT * FROM account ORDER BY name").fetchall():
        rows = store.db.execute("SELECT kind, not_after FROM credential WHERE account = ? AND"
                                " (not_after IS NULL OR not_after > ?) ORDER BY id",
                                (account["name"], now)).fetchall()
        result.append({"name": account["name"], "domains": json.loads(account["domains"]),
                       "created": clock.iso(account["created"]),
                       "credentials": [{"kind": row["kind"], "until": clock.iso(row["not_after"])}
                                       for row in rows]})
    return result


class Throttle:
    """Guessing gets slower: after FREE failures from one address for one name, and after MANY from
    one address for any name, nothing is tried for a time that doubles up to LONGEST seconds.
    An attacker at another address does not lock the gateway out."""

    FREE, MANY, LONGEST, KEPT = 3, 30, 60.0, 10_000

    def __init__(self, now):
        self._now = now              # monotonic seconds
        # One unknown password at a time: many at once would all be tried before the first has failed,
        # and each takes 16 MiB.
        self.turn = threading.Lock()
        self._failures = {}          # key → (count, no try before)

    def _keys(self, address, name):
        return ((address, name), self.FREE), ((address, None), self.MANY)

    def wait(self, address, name) -> float:
        """Seconds until another try is looked at; 0 for at once."""
        return max(0.0, *(self._failures.get(key, (0, 0.0))[1] - self._now()
                          for key, _ in self._keys(address, name)))

    def failed(self, address, name) -> None:
        if len(self._failures) >= self.KEPT:
            old = self._now() - 2 * self.LONGEST
            self._failures = {k: v for k, v in self._failures.items() if v[1] > old}
            while len(self._failures) >= self.KEPT:
                self._failures.pop(next(iter(self._failures)))
        for key, free in self._keys(address, name):
            count = self._failures.get(key, (0, 0.0))[0] + 1
            over = count - free
            delay = min(2.0 ** min(over, 10), self.LONGEST) if over >= 0 else 0.0
            self._failures[key] = (count, self._now() + delay)

    def succeeded(self, address, name) -> None:
        self._failures.pop((address, name), None)
