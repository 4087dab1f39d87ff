"""Held mail where two things come together: an answer of PostgreSQL that nobody heard, and Postfix's retry; an attempt that
is under way, and a release; the end, and gatewayd's own. It goes once, and nobody hears what is not so.

REQ-42 REQ-56
"""
import contextlib
import tempfile

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

    def member(self, name, **more):
        """An organisation whose mail goes to B's server, and of whom there is no certificate yet."""
        one = self.platform.organisation(name, f"{name}.test", next_hop_port=self.platform.port["agency_b"], key_kind="wrapped",
                                         **more)
        one.configure()
        return one

    @staticmethod
    def certified(one):
        one.make_key()
        one.certify()
        one.publish()

    def send(self, one, fields="", body="Kia ora.\r\n"):
        """A mail to it; its subject is the organisation's name."""
        to = f"ann@{one.domain_name}"
        mail = simple(f"joe@{A}", [to], one.name, body)
        self.submit(f"joe@{A}", [to], mail.replace(b"Subject:", f"{fields}Subject:".encode(), 1))

    def held(self, one):
        return wait_for(lambda: self.a.held(state="held", recipient_domain=one.domain_name), 30, "held mail")[0]

    def row(self, held):
        return self.platform.api.get(f"{self.a.path}/held/{held['id']}")

    def release(self, held):
        self.platform.api.post(f"{self.a.path}/held/{held['id']}/release")

    def lease(self, held, until):
        self.rows(f"UPDATE held_message SET leased_until = {until} WHERE id = '{held['id']}'")

    def outcomes(self, one):
        return [r["outcome"] for row in self.a.messages(message_id=f"{one.name}@x.test") for r in row["recipients"]]

    def copies(self, one):
        field = f"\r\nSubject: {one.name}\r\n".encode()
        return [mail for mail in self.servers[B].mails if field in b"\r\n" + mail.head + b"\r\n"]

    def quiet(self):
        """What waits in a queue is tried at once, until there is nothing."""
        for postfix in (self.platform.postfix_out, self.platform.postfix_in):
            postfix.flush_until(lambda p=postfix: not p.queue(), 90, "an empty queue")

    def waiting(self, wait_event):
        """Backends of gatewayd's that wait for that."""
        return [pid for pid, in self.rows("SELECT pid FROM pg_stat_activity WHERE usename = 'sg_gateway'"
                                          f" AND wait_event = '{wait_event}'")]

    def cut(self, pid):
        self.rows(f"SELECT pg_terminate_backend({pid})")
        wait_for(lambda: not self.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"), 30, "the end of its connection")

    def failures(self, held):
        """Whom the outbox tells that it was not sent."""
        return self.rows(f"SELECT recipient FROM notice WHERE kind = 'failure' AND msg_id = '{held['msg_id']}'")

    @contextlib.contextmanager
    def unanswered(self, table):
        """Who inserts into it commits, and waits for a standby that does not answer: what a failover cuts off."""
        psql = self.platform.postgresql.psql

        def setting(name, value, shown):
            psql(f"ALTER SYSTEM {value}; SELECT pg_reload_conf()")
            wait_for(lambda: self.rows(f"SHOW {name}") == [[shown]], 10, f"{name} {shown}")
        setting("synchronous_commit", "SET synchronous_commit = local", "local")
        setting("synchronous_standby_names", "SET synchronous_standby_names = nobody", "nobody")
        self.rows("CREATE FUNCTION test_remote() RETURNS trigger LANGUAGE plpgsql AS "
                  "$$ BEGIN PERFORM set_config('synchronous_commit', 'on', true); RETURN NULL; END $$")
        self.rows(f"CREATE TRIGGER test_remote AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION test_remote()")
        try:
            yield
        finally:
            self.rows("DROP FUNCTION test_remote CASCADE")
            setting("synchronous_standby_names", "RESET synchronous_standby_names", "")
            setting("synchronous_commit", "RESET synchronous_commit", "on")


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        s = Held(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.mark.parametrize("first", ["worker", "retry"])
@pytest.mark.parametrize("how", ["cut", "killed"])
def test_a_hold_that_nobody_heard_of_goes_once(setting, how, first):
    """It is committed, and gatewayd does not know: the connection was cut before the answer, or gatewayd was killed. Postfix
    tries again when there is a certificate, before or after the worker has sent it."""
    gatewayd, out = setting.platform.gatewayd, setting.platform.postfix_out
    one = setting.member(f"{how}-{first}")
    with setting.unanswered("held_message"):
        setting.send(one)
        pid, = wait_for(lambda: setting.waiting("SyncRep"), 30, "a COMMIT without an answer")
        if how == "killed":
            gatewayd.kill()
        setting.cut(pid)
        wait_for(lambda: any("delay_reason" in r for q in out.queue() for r in q["recipients"]), 30, "a retry to come")
    if how == "killed":
        gatewayd.start()
    held = setting.held(one)
    setting.lease(held, "now() + interval '1 hour'")
    setting.certified(one)

    def retry():
        setting.quiet()

    def worker():
        setting.lease(held, "NULL")
        setting.release(held)
        wait_for(lambda: setting.row(held)["state"] == "sent", 60, "held mail sent")
        setting.platform.postfix_in.flush_until(lambda: setting.copies(one), 60, "the mail")

    if first == "worker":
        worker()
        retry()
    else:
        retry()
        assert setting.copies(one) == []
        wait_for(lambda: setting.outcomes(one) == ["held"], 20, "the outcome in the log")
        worker()
    setting.quiet()
    assert len(setting.copies(one)) == 1
    assert setting.a.held(state="held", recipient_domain=one.domain_name) == []
    wait_for(lambda: setting.outcomes(one) == ["delivered"], 20, "the outcome in the log")


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


def test_nobody_hears_that_it_failed_before_it_has(setting):
    """Its time is up, and gatewayd is killed when it is about to end it. Its certificate is there when the next one comes to
    it: it is sent, and nobody was told that it was not."""
    platform, rows = setting.platform, setting.rows
    one = setting.member("given-up")
    setting.send(one)
    held = setting.held(one)
    rows("SELECT pg_advisory_lock(7)")
    rows("CREATE FUNCTION test_wait() RETURNS trigger LANGUAGE plpgsql AS "
         "$$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$")
    rows("CREATE TRIGGER test_wait BEFORE UPDATE OF recipients ON held_message FOR EACH ROW EXECUTE FUNCTION test_wait()")
    try:
        rows("SELECT set_config('app.actor', 'test', false), set_config('app.now', now()::text, false)")
        rows(f"UPDATE held_message SET next_try_at = now(), expires_at = now() WHERE id = '{held['id']}'")
        pid, = wait_for(lambda: setting.waiting("advisory"), 60, "gatewayd about to end it")
        platform.gatewayd.kill()
        setting.cut(pid)
    finally:
        rows("SELECT pg_advisory_unlock(7)")
        rows("DROP FUNCTION test_wait CASCADE")
    assert setting.row(held)["state"] == "held"
    setting.certified(one)
    platform.gatewayd.start()
    setting.lease(held, "now()")  # the lease has run out
    wait_for(lambda: setting.row(held)["state"] == "sent", 60, "held mail sent")
    setting.quiet()
    assert len(setting.copies(one)) == 1
    assert setting.failures(held) == []


def test_who_is_told_that_it_failed(setting):
    """REQ-42: its time is up, and there is no certificate: that it ends and that its sender hears of it is one."""
    one = setting.member("expired")
    setting.send(one)
    held = setting.held(one)
    setting.rows("SELECT set_config('app.actor', 'test', false), set_config('app.now', now()::text, false)")
    setting.rows(f"UPDATE held_message SET next_try_at = now(), expires_at = now() WHERE id = '{held['id']}'")
    wait_for(lambda: setting.row(held)["state"] == "expired", 60, "its end")
    assert setting.failures(held) == [[f"joe@{A}"]]
    wait_for(lambda: setting.outcomes(one) == ["expired"], 20, "the outcome in the log")
    notice, = setting.servers[A].wait(1, 60, lambda m: b"SECURE DELIVERY FAILURE" in m.raw and b"Subject: expired" in m.raw)
    assert notice.recipients == [f"joe@{A}"]


ATTACHED = ('--b\r\nContent-Type: text/plain\r\n\r\nSee the attached.\r\n--b\r\nContent-Type: text/plain\r\n'
            'Content-Disposition: attachment; filename="a.txt"\r\n\r\nIt is [SENSITIVE].\r\n--b--\r\n')


def test_refused_by_rules_that_were_changed_back(setting):
    """The rules refuse what is held, PostgreSQL does not take its end, and by the time of the next attempt the rules let it
    go: the log says what became of it, and nobody was told that it failed."""
    rows, api, policy = setting.rows, setting.platform.api, f"{setting.a.domain_path}/policy"
    one = setting.member("changed", environment="securemail")
    setting.send(one, 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n', ATTACHED)
    held = setting.held(one)
    before = api.get(policy)["settings"]
    rows("CREATE FUNCTION test_fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$")
    rows("CREATE TRIGGER test_fail BEFORE UPDATE OF recipients ON held_message FOR EACH ROW EXECUTE FUNCTION test_fail()")
    try:
        api.put(policy, {**before, "attachment_scanning": True})
        setting.release(held)
        wait_for(lambda: setting.outcomes(one) == ["refused"], 60, "the refusal in the log")
        wait_for(lambda: setting.row(held)["attempts"] == 1, 60, "the end of the attempt")
    finally:
        rows("DROP FUNCTION test_fail CASCADE")
        api.put(policy, before)
    assert setting.row(held)["state"] == "held"
    setting.certified(one)
    setting.release(held)
    wait_for(lambda: setting.row(held)["state"] == "sent", 60, "held mail sent")
    setting.quiet()
    assert len(setting.copies(one)) == 1 and setting.failures(held) == []
    wait_for(lambda: setting.outcomes(one) == ["delivered"], 20, "the outcome in the log")
