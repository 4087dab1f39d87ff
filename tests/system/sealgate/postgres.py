"""PostgreSQL 15: a cluster of its own, Unix socket alone, SCRAM, fsync on."""
import os
import pathlib
import secrets
import shutil
import subprocess

import psycopg2

from .layout import GATEWAY, API, ROOT, TENANT, user_id
from .process import NotReady, PidFile, start_time, stop, wait_for

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
# Who reads the password of which role.
ROLES = {"owner": TENANT, "gateway": GATEWAY, "tenant": TENANT, "api": API, "provider": API,
         "auth": API, "audit": 0, "postfix": 0}


class PostgreSQL:
    name = "postgresql"

    def __init__(self, layout):
        self.layout = layout
        self.data = layout.pg / "data"
        self.socket = layout.run / "pg"
        self.port = layout.port["postgresql"]
        self.log = layout.log / "postgresql.log"
        self.pid_file = PidFile(layout.pids / "postgresql.pid")
        self.kept = None
        self.conninfo = f"host={self.socket} port={self.port} dbname=sealgate"

    def run(self, *command, **more):
        uid, gid = user_id("postgres")
        if "input" not in more:
            more["stdin"] = subprocess.DEVNULL
        result = subprocess.run(
            ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs",
             "--", *map(str, command)],
            env={"PATH": f"{BIN}:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                 "PGPASSFILE": str(self.layout.secrets / "postgres.pgpass")},
            cwd="/", text=True, capture_output=True, check=False, **more)
        if result.returncode != 0:
            raise NotReady(f"{pathlib.Path(str(command[0])).name}: {result.stderr.strip()}")
        return result.stdout

    def psql(self, sql, database="sealgate"):
        """As the administrator: for set-up, and for looking at things."""
        return self.run(BIN / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                        "-h", self.socket, "-p", self.port, "-U", "postgres", "-d", database,
                        input=sql).strip()

    def connect(self):
        """The administrator's, of psycopg2."""
        admin = (self.layout.secrets / "postgres.admin").read_text(encoding="ascii").strip()
        return psycopg2.connect(self.conninfo, user="postgres", password=admin, options="-c search_path=sealgate")

    def rows(self, sql):
        """The same over a connection that is kept, for what is asked again and again: rows of text as psql
        shows them, of the last statement."""
        if self.kept is None or self.kept.closed:
            self.kept = self.connect()
            self.kept.autocommit = True
        shown = {None: "", True: "t", False: "f"}
        with self.kept.cursor() as cursor:
            cursor.execute(sql)
            return [[shown[v] if v is None or isinstance(v, bool) else str(v) for v in row]
                    for row in (cursor.fetchall() if cursor.description else [])]

    def create_secrets(self):
        uid, gid = user_id("postgres")
        for role, owner in ROLES.items():
            self.layout.secret(f"db.{role}", lambda: secrets.token_urlsafe(24), owner)
        admin = self.layout.secret("postgres.admin", lambda: secrets.token_urlsafe(24), uid, gid)
        self.layout.write(self.layout.secrets / "postgres.pgpass", f"*:*:*:postgres:{admin}\n",
                          0o600, uid, gid)
        self.layout.write(self.layout.secrets / "pgpass.postfix", f"*:*:*:sg_postfix:{self.password('postfix')}\n",
                          0o600, *user_id("postfix"))

    def create(self):
        """The cluster; True where it was made now."""
        if (self.layout.pg / "created").exists():
            return False
        shutil.rmtree(self.data, ignore_errors=True)  # what an interrupted first time left
        self.run(BIN / "initdb", "-D", self.data, "-U", "postgres", "-A", "scram-sha-256",
                 f"--pwfile={self.layout.secrets / 'postgres.admin'}", "-E", "UTF8",
                 "--locale=C.UTF-8")
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"""
listen_addresses = ''
port = {self.port}
unix_socket_directories = '{self.socket}'
password_encryption = 'scram-sha-256'
max_connections = 150
shared_buffers = 64MB
fsync = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
""")
        (self.data / "pg_hba.conf").write_text("local all all scram-sha-256\n", encoding="ascii")
        return True

    def password(self, role):
        return (self.layout.secrets / f"db.{role}").read_text(encoding="ascii").strip()

    def bootstrap(self):
        settings = "".join(f"\\set {role}_password '{self.password(role)}'\n" for role in ROLES)
        sql = (ROOT / "deploy/postgresql/bootstrap.sql").read_text(encoding="utf-8")
        self.psql(settings + sql, "postgres")
        (self.layout.pg / "created").touch()

    def is_ready(self):
        try:
            return self.run(BIN / "pg_isready", "-q", "-h", self.socket, "-p", self.port) == ""
        except NotReady:
            return False

    def pid(self):
        return self.pid_file.pid()

    def start(self):
        self.create_secrets()
        fresh = self.create()
        if self.pid() is None:
            uid, gid = user_id("postgres")
            self.log.touch()
            os.chown(self.log, uid, gid)
            self.run(BIN / "pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "60", "-s",
                     "start")
            pid = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
            self.pid_file.write(pid)
        wait_for(self.is_ready, 30, self.name)
        if fresh:
            self.bootstrap()

    def stop(self):
        if self.kept:
            self.kept.close()
        pid = self.pid()
        if pid is not None:
            try:
                self.run(BIN / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", "30", "-s",
                         "stop")
            except NotReady:
                if start_time(pid) is not None:
                    stop(pid, self.name)
        self.pid_file.remove()
        return True
