"""State of a CA directory: an SQLite file for what was issued, plain files for keys and PEM.

Everything that changes state happens in one write transaction of the database, which is also the
lock between processes; files that others read are replaced whole.
"""
import contextlib
import json
import os
import sqlite3
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from . import RefcaError

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

    @staticmethod
    def _connect(folder: Path) -> sqlite3.Connection:
        db = sqlite3.connect(folder / "ca.db", timeout=30, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = FULL")
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
        key = serialization.load_pem_private_key(
            (self.folder / f"{name}.key.pem").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((self.folder / f"{name}.pem").read_bytes())
        return key, certificate

    @property
    def issuer(self) -> str:
        """Which of the CA's keys signs for domains: "issuing", or "root" where there is no other."""
        return "issuing" if (self.folder / "issuing.pem").exists() else "root"

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
