"""PostgreSQL's stand-by takes over while mail flows and is held: what was accepted arrives once or is held once, and is in
the retention log, without a hand on Sealgate (deploy/README.md, "PostgreSQL"). Run with -s for the figures."""
import os
import pathlib
import signal
import tempfile

import pytest

from sealgate.layout import user_id
from sealgate.ports import PortBlock
from sealgate.postgres import BIN, PostgreSQL
from sealgate.process import PidFile, children, wait_for
from setting import A, FROM_A
from test_faults_load import Busy, Load

NOCERT = "nocert.test"  # a member without a certificate: its mail is held


class Standby(PostgreSQL):
    """A synchronous stand-by of the platform's PostgreSQL."""

    name = "postgresql-standby"

    def __init__(self, primary):
        super().__init__(primary.layout)
        self.primary = primary
        self.data = self.layout.pg / "standby"
        self.socket = self.layout.run / "pg-standby"
        self.log = self.layout.log / "postgresql-standby.log"
        self.pid_file = PidFile(self.layout.pids / "postgresql-standby.pid")
        self.conninfo = f"host={self.socket} port={self.port} dbname=sealgate"

    def create(self):
        primary = self.primary
        self.socket.mkdir(mode=0o755)
        os.chown(self.socket, *user_id("postgres"))
        with open(primary.data / "pg_hba.conf", "a", encoding="ascii") as hba:
            hba.write("local replication postgres scram-sha-256\n")
        primary.psql("SELECT pg_reload_conf()")
        self.run(BIN / "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast",
                 "-h", primary.socket, "-p", primary.port, "-U", "postgres")
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as conf:  # the last word counts
            conf.write(f"unix_socket_directories = '{self.socket}'\n")
        return False

    def follow(self):
        """Is started, and followed synchronously from then on."""
        self.start()
        self.primary.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.psql("SELECT pg_reload_conf()")
        wait_for(lambda: self.primary.psql("SELECT sync_state FROM pg_stat_replication") == "sync", 30, "a synchronous stand-by")

    def take_over(self):
        self.run(BIN / "pg_ctl", "-D", self.data, "-w", "-t", "60", "-s", "promote")


class HighlyAvailable(Busy):
    def __init__(self, folder, block):
        run = pathlib.Path(folder) / "run"
        super().__init__(folder, block)
        port = self.platform.port["postgresql"]
        self.platform.postfix_values = {
            "database_conninfo": f"host={run}/pg,{run}/pg-standby port={port} dbname=sealgate "
                                 "target_session_attrs=read-write connect_timeout=5",
            "postfix_db_uri": f"postgresql:///sealgate?host={run}/pg%2C{run}/pg-standby&port={port}&user=sg_postfix"
                              "&target_session_attrs=read-write&connect_timeout=5"
                              f"&passfile={self.platform.layout.secrets}/pgpass.postfix"}
        self.standby = Standby(self.platform.postgresql)

    def start(self):
        super().start()
        self.platform.api.post("/v1/member-domains", {"name": NOCERT, "environment": "seemail"})
        self.standby.follow()
        return self

    def primary_signal(self, number):
        pid = self.platform.postgresql.pid()
        for one in [pid, *children(pid)]:
            try:
                os.kill(one, number)
            except ProcessLookupError:
                pass

    def fail_over(self):
        """The primary is fenced, so that nobody waits for it, and the stand-by takes over."""
        self.primary_signal(signal.SIGKILL)
        self.standby.take_over()
        self.platform.postgresql = self.standby


@pytest.fixture
def available():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        s = HighlyAvailable(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


class Waiting(Load):
    """Mail that is held, for its recipient's domain has no certificate."""

    WAYS = ((A, FROM_A, NOCERT),)

    def held(self):
        """Subject → how many entries of the held mail it has."""
        rows = self.setting.platform.postgresql.rows(
            "SELECT m.message_id, count(*) FROM held_message h JOIN message m ON m.id = h.msg_id "
            f"WHERE h.state = 'held' AND m.message_id LIKE '%{self.name}-%' GROUP BY 1")
        return {name.strip("<>").removesuffix("@x.test"): int(count) for name, count in rows}


def logged(setting, name):
    """Subjects with an outcome in the retention log."""
    rows = setting.platform.postgresql.rows(
        "SELECT DISTINCT m.message_id FROM message m JOIN message_recipient r ON r.msg_id = m.id AND r.received_at = m.received_at "
        f"WHERE m.message_id LIKE '%{name}-%' AND r.outcome IN ('delivered', 'held')")
    return {row[0].strip("<>").removesuffix("@x.test") for row in rows}


@pytest.mark.long
@pytest.mark.parametrize("how", ["killed", "hung"])
def test_the_standby_takes_over(available, how):
    with Load(available, f"over-{how}") as load, Waiting(available, f"wait-{how}") as waiting:
        load.more(8)
        wait_for(lambda: len(waiting.held()) >= 3, 60, "held mail")
        if how == "hung":
            available.primary_signal(signal.SIGSTOP)
            load.stands_still()
        available.fail_over()
        recovered = load.more(8, 120)
        before = len(waiting.held())
        wait_for(lambda: len(waiting.held()) >= before + 3, 60, "held mail after it")
    wait_for(lambda: set(waiting.held()) >= set(waiting.accepted), 60, "each that waits")
    assert set(waiting.held().values()) == {1}
    load.account(held=len(waiting.held()))
    for one in (load, waiting):
        wait_for(lambda: set(one.accepted) <= logged(available, one.name), 60, "the retention log")
    print(f"\nprimary {how}: {len(load.accepted)} accepted, {load.refused} refused, {len(waiting.accepted)} held, "
          f"next eight after {recovered:.1f} s")
