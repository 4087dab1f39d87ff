"""A private PostgreSQL: Unix socket only, SCRAM, fsync on, roles and database by bootstrap.sql.

    with PostgreSQL(folder, port) as pg:
        pg.connect("sg_tenant")                 # psycopg2
        pg.conninfo("sg_tenant"), pg.password_file("sg_tenant")

The superuser connects by peer authentication as the user postgres, for set-up and for looking at
catalogs alone. Every parent of the folder must let the user postgres pass.
"""
import os
import pathlib
import secrets
import shutil
import subprocess
import time

import psycopg2

from sealgate import kept

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLES = ["owner", "gateway", "tenant", "api", "provider", "auth", "audit", "postfix"]


def as_postgres(command):
    """A command run as the user postgres, without a session or a shell."""
    if os.getuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
            "--no-new-privs", "--inh-caps=-all", "--", *command]


class PostgreSQL:
    """fresh: made from nothing; not so where a copy of one that keep() kept was taken."""

    kept = None

    def __init__(self, folder, port, copied=False):
        self.copied, self.fresh = copied and kept.wanted and PostgreSQL.kept is not None, True
        self.folder = pathlib.Path(folder)
        self.port = port
        self.data = self.folder / "data"
        self.socket = self.folder / "socket"
        self.secrets = self.folder / "secrets"
        self.process = None

    def __enter__(self):
        try:
            if self.copied:
                self.copy()
                self.start()
            else:
                self.create()
                self.start()
                self.bootstrap()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def run(self, *command, **more):
        env = {"PATH": f"{BIN}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}
        if "input" not in more:
            more["stdin"] = subprocess.DEVNULL
        return subprocess.run(as_postgres([str(c) for c in command]), env=env, check=True,
                              text=True,
                              capture_output=True, cwd="/", **more)

    def create(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        for path, mode in [(self.socket, 0o755), (self.data, 0o700)]:
            path.mkdir()
            path.chmod(mode)
            if os.getuid() == 0:
                shutil.chown(path, "postgres", "postgres")
        self.secrets.mkdir(mode=0o700)
        self.run(BIN / "initdb", "-D", self.data, "-U", "postgres", "--auth-local=peer",
                 "--auth-host=reject", "-E", "UTF8", "--locale=C.UTF-8")
        with open(self.data / "postgresql.conf", "a") as f:
            f.write(f"listen_addresses = ''\nport = {self.port}\n"
                    f"unix_socket_directories = '{self.socket}'\nfsync = on\n"
                    "password_encryption = 'scram-sha-256'\nmax_connections = 100\n"
                    "shared_buffers = 64MB\nlogging_collector = off\n")
        superuser = "postgres" if os.getuid() == 0 else os.environ.get("USER", "postgres")
        (self.data / "pg_hba.conf").write_text(
            f"local all postgres peer map=super\nlocal sealgate all scram-sha-256\n")
        (self.data / "pg_ident.conf").write_text(f"super {superuser} postgres\n")

    def keep(self):
        """As it is now, for later ones of this run that take a copy (kept.py)."""
        if kept.wanted and PostgreSQL.kept is None:
            self.stop()
            PostgreSQL.kept = kept.folder()
            subprocess.run(["cp", "-a", "--reflink=auto", self.data, self.secrets, PostgreSQL.kept], check=True)
            self.start()

    def copy(self):
        self.fresh = False
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        subprocess.run(["cp", "-a", "--reflink=auto", *pathlib.Path(self.kept).iterdir(), self.folder], check=True)
        self.socket.mkdir(mode=0o755)
        if os.getuid() == 0:
            shutil.chown(self.socket, "postgres", "postgres")
        # The last word on a setting counts.
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.socket}'\n")

    def start(self):
        """Starts the server and waits until it answers."""
        log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen(
            as_postgres([str(BIN / "postgres"), "-D", str(self.data)]), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, cwd="/", start_new_session=True)
        log.close()
        deadline = time.monotonic() + 30
        while subprocess.run([str(BIN / "pg_isready"), "-q", "-h", str(self.socket), "-p",
                              str(self.port)]).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.02)

    def stop(self, signal=2):
        """SIGINT is PostgreSQL's fast shutdown."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal)
            self.process.wait(30)
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    def password_file(self, role):
        return self.secrets / role

    def conninfo(self, role):
        """For libpq, without the password."""
        return f"host={self.socket} port={self.port} dbname=sealgate user={role}"

    def connect(self, role):
        password = self.password_file(role).read_text()
        connection = psycopg2.connect(self.conninfo(role), password=password)
        connection.autocommit = True
        return connection

    def psql(self, *args, database="postgres", **more):
        """As the superuser."""
        return self.run(BIN / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.socket,
                        "-p", self.port, "-U", "postgres", "-d", database, *args, **more).stdout

    def bootstrap(self):
        sets = ""
        for role in ROLES:
            password = secrets.token_urlsafe(24)
            path = self.password_file(f"sg_{role}")
            path.write_text(password)
            path.chmod(0o600)
            sets += f"\\set {role}_password '{password}'\n"
        script = sets + (ROOT / "deploy/postgresql/bootstrap.sql").read_text()
        self.psql("-f", "-", input=script)


def main():
    """pg.py FOLDER PORT: creates, starts, prints the process id and leaves it running."""
    import sys
    pg = PostgreSQL(sys.argv[1], int(sys.argv[2]))
    pg.create()
    pg.start()
    pg.bootstrap()
    print(pg.process.pid)


if __name__ == "__main__":
    main()
