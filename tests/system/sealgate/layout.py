"""Where everything lies, under which user it runs, and which port it has."""
import os
import pathlib
import pwd
import stat

ROOT = pathlib.Path(__file__).resolve().parents[3]

# One user each, and one group for the sockets between them. Numbers alone: no entry in passwd.
GATEWAY, HSM, TENANT, API, CA, DIRECTORY, MAIL, DNS = range(61001, 61009)
GROUP = 61000

# Of a block of twenty; tests have those from +15 on for servers of their own.
PORTS = ("postfix_out", "postfix_in", "reentry", "outbound", "inbound", "api", "ldap", "ldaps",
         "crl", "agency_a", "agency_b", "postgresql", "outside", "wiretap",
         "est")
PORT_BASE = 47000
PEER_HOST = "127.0.0.12"  # where Postfix "in" has its port for what Postfix "out" brings
DIR = "/var/tmp/sealgate"
DIR_MAX = 60  # a socket's path has 107 bytes, and PostgreSQL's and Postfix's names are long


class SetupError(Exception):
    """What the user can put right: one line, exit status 2."""


def user_id(name):
    try:
        return pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid
    except KeyError:
        raise SetupError(f"no user {name}: is its package installed?") from None


class Layout:
    """The paths of a private Sealgate; prepare() makes the folders."""

    def __init__(self, folder=DIR, port_base=PORT_BASE):
        self.dir = pathlib.Path(os.path.abspath(folder))
        self.port = {name: port_base + i for i, name in enumerate(PORTS)}
        self.port["dns"] = port_base + 19  # behind those that tests have for servers of their own
        for name in ("bin", "etc", "run", "log", "pg", "hsm", "ldap", "ca", "spool", "archive",
                     "secrets"):
            setattr(self, name, self.dir / name)
        self.postfix_out = self.dir / "postfix-out"
        self.postfix_in = self.dir / "postfix-in"
        self.pids = self.run / "pids"
        self.dns = self.dir / "dns"
        self.exports = self.dir / "exports"
        self.mail = self.dir / "mail"  # what the agencies' test servers received

    def ops(self, daemon):
        """Where a daemon answers /metrics, /healthz and /readyz: a Unix socket."""
        return self.run / f"ops-{daemon}.sock"

    def check(self):
        path = str(self.dir)
        if len(os.fsencode(path)) > DIR_MAX:
            raise SetupError(f"--dir {path}: {len(os.fsencode(path))} bytes, at most {DIR_MAX} "
                             "so that the paths of the sockets in it fit")
        if any(not (c.isalnum() or c in "/._-+") for c in path):
            raise SetupError(f"--dir {path}: letters, digits and ._-+ alone, it goes into "
                             "configuration files")
        if self.dir == pathlib.Path("/root") or path.startswith("/root/"):
            raise SetupError(f"--dir {path}: not under /root, the daemons' users cannot get there")
        if os.geteuid() != 0:
            raise SetupError("Postfix's master and the change of users need root")
        for parent in reversed(self.dir.parents):
            try:
                mode = parent.stat().st_mode
            except FileNotFoundError:
                return
            if not mode & stat.S_IXOTH:
                raise SetupError(f"--dir {path}: {parent} does not let other users pass")

    def prepare(self):
        self.check()
        postgres, _ = user_id("postgres")

        def folder(path, mode, uid=0, gid=0):
            path.mkdir(parents=True, exist_ok=True)
            os.chown(path, uid, gid)
            path.chmod(mode)

        missing = [p for p in self.dir.parents if not p.exists()]
        for parent in reversed(missing):
            folder(parent, 0o755)
        folder(self.dir, 0o755)
        folder(self.bin, 0o755)
        folder(self.etc, 0o755)
        folder(self.run, 0o1775, 0, GROUP)
        folder(self.run / "pg", 0o755, postgres)
        folder(self.run / "simulate", 0o2750, GATEWAY, GROUP)
        folder(self.pids, 0o755)
        folder(self.log, 0o755)
        folder(self.pg, 0o755, postgres)
        folder(self.hsm, 0o700, HSM, GROUP)
        folder(self.ldap, 0o755, DIRECTORY, GROUP)
        folder(self.ca, 0o700, CA, GROUP)
        folder(self.spool, 0o700, GATEWAY, GROUP)
        folder(self.archive, 0o755)
        folder(self.archive / "journal", 0o700, GATEWAY, GROUP)
        folder(self.exports, 0o2750, TENANT, GROUP)
        folder(self.secrets, 0o711)
        folder(self.mail, 0o755, MAIL, GROUP)
        lines = [f"{name}={port}\n" for name, port in self.port.items()]
        (self.etc / "ports").write_text("".join(lines), encoding="ascii")

    def write(self, path, text, mode=0o644, uid=0, gid=0):
        """A file as a whole or not at all, with its owner from the first byte."""
        path = pathlib.Path(path)
        temporary = path.with_name(path.name + ".new")
        temporary.unlink(missing_ok=True)
        data = text if isinstance(text, bytes) else text.encode()
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
                       "wb") as f:
            os.fchown(f.fileno(), uid, gid)
            os.fchmod(f.fileno(), mode)
            f.write(data)
        temporary.replace(path)

    def secret(self, name, make, uid=0, gid=0, mode=0o400):
        """The text of a secret, made and stored the first time."""
        path = self.secrets / name
        if not path.exists():
            self.write(path, make() + "\n", mode, uid, gid)
        return path.read_text(encoding="ascii").rstrip("\n")


def ports_of(folder):
    """The ports of an existing Sealgate, from etc/ports; None where there is none."""
    try:
        text = (pathlib.Path(folder) / "etc" / "ports").read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    return {name: int(port) for name, port in
            (line.split("=", 1) for line in text.splitlines() if line)}
