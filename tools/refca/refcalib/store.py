"""State of a CA directory: an SQLite file for what was issued, plain files for keys and PEM.

Everything that changes state happens in one write transaction of the database, which is also the
lock between processes; files that others read are replaced whole.
"""
import contextlib
import json
import os
import sqlite3
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from . import RefcaError, clock

SCHEMA = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE key (
    spki_sha256 TEXT PRIMARY KEY,
    domain TEXT NOT NULL,
    first_use INTEGER NOT NULL,          -- notBefore of its first certificate (REQ-161)
    compromised INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE certificate (
    serial TEXT PRIMARY KEY,             -- lower-case hexadecimal
    domain TEXT NOT NULL,
    spki_sha256 TEXT NOT NULL REFERENCES key,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    pem TEXT NOT NULL,
    revoked_at INTEGER,
    reason TEXT
);
CREATE INDEX certificate_domain ON certificate (domain);
"""

# What came later; each step is made once, where the file is opened. PRAGMA user_version counts them.
STEPS = ["""
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    domains TEXT NOT NULL,               -- JSON list: "a.test", "*.a.test", or "*" for every one
    created INTEGER NOT NULL
);
CREATE TABLE credential (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('password', 'certificate')),
    salt BLOB,
    hash BLOB NOT NULL,                  -- scrypt of the password, or SHA-256 of the certificate
    pem TEXT,
    not_after INTEGER                    -- of one that has a successor, else NULL
);
CREATE TABLE enrolment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    csr_sha256 TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('enroll', 'reenroll')),
    account TEXT NOT NULL,
    domain TEXT NOT NULL,
    csr BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'issued', 'refused')),
    serial TEXT REFERENCES certificate,
    words TEXT,                          -- why it was refused
    created INTEGER NOT NULL,
    decided INTEGER
);
CREATE INDEX enrolment_csr ON enrolment (csr_sha256, kind);
CREATE INDEX enrolment_state ON enrolment (state);
CREATE TABLE revocation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    serial TEXT NOT NULL REFERENCES certificate,
    account TEXT,                        -- NULL: by the command
    reason TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE TABLE publication (               -- domains that stand in the directory, and "": the CRL
    domain TEXT PRIMARY KEY,
    number INTEGER NOT NULL              -- of the change that the directory lacks, 0 for none
);
"""]

_writers = {}                            # folder → the lock of this process's threads
_authorities = {}                        # (folder, name) → (mark of the file, key, certificate)


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replaces path whole, with its data on disk before its name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(fd, "wb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Store:
    def __init__(self, folder: Path):
        self.folder = folder
        if not (folder / "ca.db").exists():
            raise RefcaError(f"{folder} holds no CA: run `refca --dir {folder} init` first")
        self.db = self._connect(folder)
        self.writer = _writers.setdefault(str(folder), threading.Lock())
        self._upgrade()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.db.close()

    def _upgrade(self) -> None:
        def version():
            return self.db.execute("PRAGMA user_version").fetchone()[0]

        if version() >= len(STEPS):
            return
        with self.change() as db:
            for step in STEPS[version():]:
                for statement in step.split(";\n"):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {len(STEPS)}")
        (self.folder / "ca.db").chmod(0o600)  # from now on it holds the hashes of passwords

    @staticmethod
    def _connect(folder: Path) -> sqlite3.Connection:
        db = sqlite3.connect(folder / "ca.db", timeout=30, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    @classmethod
    def create(cls, folder: Path) -> "Store":
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if (folder / "ca.db").exists():
            raise RefcaError(f"{folder} holds a CA already")
        db = cls._connect(folder)
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        db.close()
        return cls(folder)

    @contextlib.contextmanager
    def change(self):
        """One writer at a time; all of it or nothing."""
        with self.writer:  # threads take turns here; SQLite would have them sleep and try
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    def setting(self, name, default=None):
        row = self.db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return json.loads(row["value"]) if row else default

    def set_setting(self, name, value) -> None:
        self.db.execute("INSERT INTO setting VALUES (?, ?) ON CONFLICT (name)"
                        " DO UPDATE SET value = excluded.value", (name, json.dumps(value)))

    def next_number(self, name: str) -> int:
        number = self.setting(name, 0) + 1
        self.set_setting(name, number)
        return number

    # Keys and certificates of the CA itself -------------------------------------------------

    def save_authority(self, name: str, key, certificate) -> None:
        write_file(self.folder / f"{name}.key.pem", key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()), 0o600)
        write_file(self.folder / f"{name}.pem",
                   certificate.public_bytes(serialization.Encoding.PEM))
        write_file(self.folder / f"{name}.cer",
                   certificate.public_bytes(serialization.Encoding.DER))

    def load_authority(self, name: str):
        """Kept in memory, for the library checks a key's numbers at length when it reads it."""
        path = self.folder / f"{name}.key.pem"
        state = path.stat()
        mark = (state.st_ino, state.st_mtime_ns, state.st_size)
        known = _authorities.get((str(self.folder), name))
        if not known or known[0] != mark:
            known = (mark, serialization.load_pem_private_key(path.read_bytes(), None),
                     x509.load_pem_x509_certificate((self.folder / f"{name}.pem").read_bytes()))
            _authorities[str(self.folder), name] = known
        return known[1:]

    @property
    def issuer(self) -> str:
        """Which of the CA's keys signs for domains: "issuing", or "root" where there is no other."""
        return "issuing" if (self.folder / "issuing.pem").exists() else "root"

    # What the directory has to be told ---------------------------------------------------------

    def owe(self, domain: str, adopt: bool = False) -> None:
        """In the transaction that changed something: the directory is behind for this domain; ""
        is the CRL. A domain that was never published stays out of it, unless it is adopted."""
        number = self.next_number("publication_number")
        self.db.execute("UPDATE publication SET number = ? WHERE domain = ?", (number, domain))
        if adopt:
            self.db.execute("INSERT INTO publication VALUES (?, ?) ON CONFLICT DO NOTHING",
                            (domain, number))

    def owed(self) -> list:
        return self.db.execute("SELECT domain, number FROM publication WHERE number > 0"
                               " ORDER BY number").fetchall()

    def paid(self, domain: str, number: int) -> None:
        """The directory has it, unless something was owed anew meanwhile."""
        with self.change() as db:
            db.execute("INSERT INTO publication VALUES (?, 0) ON CONFLICT (domain) DO UPDATE"
                       " SET number = 0 WHERE number <= ?", (domain, number))

    def disown(self, domain: str) -> None:
        with self.change() as db:
            db.execute("DELETE FROM publication WHERE domain = ?", (domain,))

    def owe_expired(self) -> None:
        """Certificates that ended since this was asked last are still in the directory."""
        now = clock.seconds(clock.now())
        since = self.setting("expiry_seen", 0)
        if now == since:
            return
        rows = self.db.execute("SELECT DISTINCT domain FROM certificate WHERE not_after"
                               " BETWEEN ? AND ?", (min(since, now), max(since, now))).fetchall()
        if rows or abs(now - since) > 3600:
            with self.change():
                for row in rows:
                    self.owe(row["domain"])
                self.set_setting("expiry_seen", now)

    # What was issued -------------------------------------------------------------------------

    def find(self, reference: str) -> sqlite3.Row:
        """A certificate by serial number (hexadecimal) or by a file that holds it."""
        path = Path(reference)
        if path.is_file():
            try:
                serial = f"{load_certificate(path.read_bytes()).serial_number:x}"
            except ValueError as error:
                raise RefcaError(f"{path}: not a certificate ({error})") from error
        else:
            serial = reference.lower().replace(":", "").lstrip("0")
        row = self.db.execute("SELECT * FROM certificate WHERE serial = ?", (serial,)).fetchone()
        if not row:
            raise RefcaError(f"no certificate with serial number {serial} was issued here")
        return row

    def certificates(self, where: str = "1", parameters=()) -> list:
        return self.db.execute(
            f"SELECT * FROM certificate WHERE {where} ORDER BY not_before, serial",
            parameters).fetchall()


def load_certificate(data: bytes):
    if data.lstrip().startswith(b"-----"):
        return x509.load_pem_x509_certificate(data)
    return x509.load_der_x509_certificate(data)
