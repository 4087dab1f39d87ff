"""Held mail where two things come together: an attempt that is under way, and a release.

REQ-56
"""
import contextlib
import tempfile

import psycopg2
import pytest

from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, Setting, simple

SETTINGS = {"gatewayd": {"hold.retry_first": "12h", "hold.retry_most": "12h", "notice.merge": "1s"}}


class Held(Setting):
    def __init__(self, folder, block):
        super().__init__(folder, block, settings=SETTINGS)

    @property
    def rows(self):
        return self.platform.postgresql.rows

    def member(self, name):
        """An organisation whose mail goes to B's server, and of whom there is no certificate yet."""
        one = self.platform.organisation(name, f"{name}.test", next_hop_port=self.platform.port["agency_b"], key_kind="wrapped")
        one.configure()
        return one

    def send(self, one):
        """A mail to it; its subject is the organisation's name."""
        to = f"ann@{one.domain_name}"
        self.submit(f"joe@{A}", [to], simple(f"joe@{A}", [to], one.name))

    def held(self, one):
        return wait_for(lambda: self.a.held(state="held", recipient_domain=one.domain_name), 30, "held mail")[0]

    def row(self, held):
        return self.platform.api.get(f"{self.a.path}/held/{held['id']}")

    def release(self, held):
        self.platform.api.post(f"{self.a.path}/held/{held['id']}/release")

    def waiting(self, wait_event):
        """Backends of gatewayd's that wait for that."""
        return [pid for pid, in self.rows("SELECT pid FROM pg_stat_activity WHERE usename = 'sg_gateway'"
                                          f" AND wait_event = '{wait_event}'")]

    @contextlib.contextmanager
    def locked(self, table):
        """Nobody reads it meanwhile."""
        admin = (self.platform.layout.secrets / "postgres.admin").read_text(encoding="ascii").strip()
        with contextlib.closing(psycopg2.connect(self.platform.postgresql.conninfo, user="postgres", password=admin)) as other:
            with other.cursor() as cursor:
                cursor.execute(f"LOCK TABLE sealgate.{table} IN ACCESS EXCLUSIVE MODE")
                yield


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        s = Held(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.mark.parametrize("how", ["release", "bulk"])
def test_released_while_an_attempt_is_under_way(setting, how):
    """The attempt had begun before, and finds no certificate: it is tried again at once, for that was asked for."""
    api = setting.platform.api
    one = setting.member(f"meanwhile-{how}")
    setting.send(one)
    held = setting.held(one)
    with setting.locked("held_chunk"):
        setting.release(held)
        wait_for(lambda: setting.waiting("relation"), 30, "an attempt under way")
        if how == "release":
            setting.release(held)
        else:
            made = api.post(f"{setting.a.path}/held-actions", {"action": "retry", "recipient_domain": one.domain_name})
            assert api.job_done(setting.a.tenant["id"], made["job"])["result"]["count"] == 1
        assert setting.row(held)["attempts"] == 0
    wait_for(lambda: setting.row(held)["attempts"] == 2, 30, "the attempt that was asked for")
    after = setting.row(held)
    assert after["next_try_at"] > held["held_at"] and after["state"] == "held"
    # … and once alone: what was asked for was done.
    due = f"SELECT next_try_at > now() + interval '1 hour' FROM held_message WHERE id = '{held['id']}'"
    assert setting.rows(due) == [["t"]]
    api.delete(f"{setting.a.path}/held/{held['id']}")
