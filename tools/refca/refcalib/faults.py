"""Misbehaviour on demand, for tests and pilots: what a gateway has to survive of its CA.

The file is JSON and read anew for each request of the EST server; no file, or {}, is no fault.

    {"fault": "slow:5"}
    {"fault": ["slow:1", "status:503"], "retry_after": 2, "paths": ["simpleenroll"],
     "domains": ["a.test"], "times": 2}

paths and domains bound it to these; times to the first so many requests after the file changed.
Certificates made wrong are signed by the CA's real key (but for "untrusted"); none of them enters ca.db.
"""
import datetime as dt
import json
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from . import RefcaError, authority, clock, rules

SIMPLE = {
    "down",          # the connection is closed without an answer
    "garbage",       # 200, the right type, base64 of no PKCS#7
    "empty",         # a PKCS#7 message without a certificate
    "truncated",     # the answer breaks off
    "html",          # 200 with a page, as a proxy makes it
    "latin-1",       # 200 with a type that is no UTF-8
}
CERTIFICATES = {
    "wrong-key",     # for another key
    "wrong-domain",  # for another domain
    "wrong-name",    # common name that is not that of an authority (REQ-164)
    "wrong-usage",   # may sign, not encrypt
    "expired",
    "future",        # not valid yet
    "too-long",      # fourteen months (REQ-160)
    "no-cdp",        # without CRL distribution point (REQ-158)
    "untrusted",     # by a CA that only bears our CA's name
}
NUMBERED = {"slow": float, "status": int, "retry_after": int}  # retry_after:N is a 202


class Fault:
    def __init__(self, words, retry_after):
        self.retry_after = retry_after
        self.slow = self.status = self.pending = None
        self.simple = self.certificate = None
        for word in words:
            self._take(word)

    def _take(self, word: str) -> None:
        name, _, number = word.partition(":")
        if name in NUMBERED:
            value = NUMBERED[name](number)
            setattr(self, {"retry_after": "pending"}.get(name, name), value)
        elif word in SIMPLE:
            self.simple = word
        elif word in CERTIFICATES:
            self.certificate = word
        else:
            raise ValueError(f"no fault {word!r}")


class Faults:
    def __init__(self, path):
        self._path = Path(path) if path else None
        self._lock = threading.Lock()
        self._mark, self._used = None, 0

    @property
    def idle(self) -> bool:
        return self._path is None

    def current(self, path: str, domain):
        """The fault of this request, or None. domain: of its CSR where it could be read."""
        if not self._path:
            return None
        try:
            state = self._path.stat()
            text = self._path.read_text()
        except FileNotFoundError:
            return None
        try:
            return self._match(json.loads(text or "{}"),
                               (state.st_ino, state.st_mtime_ns), path, domain)
        except (ValueError, TypeError, AttributeError) as error:
            raise RefcaError(f"{self._path}: {error}") from error

    def _match(self, what, mark, path, domain):
        words = what.get("fault") or []
        words = [words] if isinstance(words, str) else words
        unknown = what.keys() - {"fault", "retry_after", "paths", "domains", "times"}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        if not words or ("paths" in what and path.rpartition("/")[2] not in what["paths"]) \
                or ("domains" in what and domain not in what["domains"]):
            return None
        fault = Fault(words, what.get("retry_after"))
        with self._lock:
            if mark != self._mark:
                self._mark, self._used = mark, 0
            self._used += 1
            return fault if self._used <= what.get("times", self._used) else None


def certificate(store, csr, domain: str, kind: str) -> x509.Certificate:
    """One that a gateway must not install."""
    now = clock.now()
    day = dt.timedelta(days=1)
    order = authority.Order(csr.public_key(), domain, now, now + 390 * day)
    if kind == "wrong-key":
        order.public_key = rsa.generate_private_key(65537, 2048).public_key()
    elif kind == "wrong-domain":
        order.domain = "wrong-domain.test"
    elif kind == "expired":
        order.not_before, order.not_after = now - 390 * day, now - day
    elif kind == "future":
        order.not_before, order.not_after = now + 30 * day, now + 390 * day
    elif kind == "too-long":
        order.not_after = rules.add_months(now, 14)
    builder = authority.certificate_builder(store, order, **{
        "wrong-name": {"common_name": "Agency"}, "no-cdp": {"crl_urls": []},
        "wrong-usage": {"usage": {"digital_signature": True}}}.get(kind, {}))
    key = store.load_authority(store.issuer)[0]
    if kind == "untrusted":
        key = rsa.generate_private_key(65537, 2048)
    return builder.sign(key, hashes.SHA256())
