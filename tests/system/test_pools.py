"""What gatewayd has a bounded number of is all in use, because somebody hangs: connections to PostgreSQL and to hsmd,
questions to a recipients' server, a customer's server at each stage of SMTP. Who comes next waits his time and is told to
come again, nothing is lost, mail that does not need it goes on, and once it is over nobody has to do anything.
"""
import contextlib
import datetime
import socket
import statistics
import tempfile
import threading
import time

import pytest

from sealgate.mailserver import HANG
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, simple
from test_cache import ask
from test_faults_load import Faulty
from test_mail_hostile import Lines
from test_stop_load import Log

SLACK = 3.0  # of a busy machine; the defaults are all farther away
TICK = 0.001  # gatewayd counts whole ones, and its time begins with one that has begun
OTHERS_S = 5.0  # mail that waits for nothing
DATABASE, DATABASE_S = 4, 1
HSM, HSM_S = 2, 6
SLOTS, DEADLINE_S = 2, 3
CONNECT_S, COMMAND_S, DATA_S = 1, 2, 3


@pytest.fixture(scope="module")
def pools():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgp", dir="/var/tmp") as folder:
        s = Faulty(folder, block, settings={"hsmd": {"hsmd.answer_timeout": "30s"}, "gatewayd": {
            "database.connections": DATABASE, "database.wait": f"{DATABASE_S}s",
            "hsm.connections": HSM, "hsm.timeout": f"{HSM_S}s",
            "recipients.slots": SLOTS, "recipients.deadline": f"{DEADLINE_S}s", "recipients.pause": "100ms",
            "client.connect_timeout": f"{CONNECT_S}s", "client.command_timeout": f"{COMMAND_S}s",
            "client.data_timeout": f"{DATA_S}s"}})
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.fixture(autouse=True)
def well_again(pools):
    yield
    for server in pools.servers.values():
        server.accept_all()


class Calls:
    """Calls that are made side by side; what came of each, and how long it took."""

    def __init__(self):
        self.threads, self.done = [], {}

    def begin(self, name, call, *arguments, **more):
        def run():
            began = time.monotonic()
            answer = call(*arguments, **more)
            self.done[name] = answer, time.monotonic() - began
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def end(self):
        for thread in self.threads:
            thread.join()
        assert len(self.done) == len(self.threads)
        return self.done

    def took_less_than(self, seconds):
        assert all(took < seconds for _, took in self.end().values()), self.done


def timed(call, *arguments, **more):
    began = time.monotonic()
    answer = call(*arguments, **more)
    return answer, time.monotonic() - began


def known(setting, recipient):
    """Postfix "in" asks for a recipient."""
    return ask(setting, sender=f"x@{OUTSIDE}", service="recipients.sock", protocol_state="RCPT", recipient=recipient)


def plain(setting, subject):
    """From A to somebody outside; how long it took. Warm, it needs neither the HSM nor one of these connections to PostgreSQL:
    what is kept is asked about over one of its own."""
    began = time.monotonic()
    setting.submit(f"joe@{A}", [f"x@{OUTSIDE}"], simple(f"joe@{A}", [f"x@{OUTSIDE}"], subject))
    setting.arrived(OUTSIDE, subject)
    return time.monotonic() - began


def from_outside(setting, subject, to=C):
    """Unsealed, to a customer."""
    began = time.monotonic()
    setting.from_outside(f"x@{OUTSIDE}", [f"ann@{to}"], simple(f"x@{OUTSIDE}", [f"ann@{to}"], subject))
    setting.arrived(to, subject)
    return time.monotonic() - began


def at(event):
    return datetime.datetime.fromisoformat(event["ts"].replace("Z", "+00:00")).timestamp()


def reasons(postfix):
    return [r.get("delay_reason", "") for mail in postfix.queue() for r in mail["recipients"]]


def arrive_by_themselves(setting, domain, *subjects):
    """Once, and nothing is left: Postfix tries again when its time has come."""
    for subject in subjects:
        setting.arrived(domain, subject)
    wait_for(lambda: not setting.queued(), 60, "empty queues", 0.2)
    for subject in subjects:
        assert len(setting.arrived(domain, subject)) == 1


# PostgreSQL ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(setting, table):
    """Whoever reads that table waits."""
    with contextlib.closing(setting.platform.postgresql.connect()) as connection:
        connection.cursor().execute(f"LOCK TABLE sealgate.{table} IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def waiting_for_a_lock(setting):
    return int(setting.platform.postgresql.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatewayd' AND wait_event_type = 'Lock'")[0][0])


def test_all_connections_to_postgresql(pools):
    for n in range(2):
        plain(pools, f"database-warm-{n}")
    calls, log = Calls(), Log(pools)
    with locked(pools, "submitter"):
        for n in range(DATABASE):
            calls.begin(n, ask, pools, client_address=f"127.0.1.{n}")
        wait_for(lambda: waiting_for_a_lock(pools) == DATABASE, 30, "calls that wait for the lock")
        pools.submit(f"joe@{A}", [f"ann@{C}"], simple(f"joe@{A}", [f"ann@{C}"], "database-cold"))
        # Of a server that is not known yet, and of a recipient.
        answer, took = timed(ask, pools, client_address="127.0.1.99")
        assert answer.startswith("451 4.3.0") and DATABASE_S - TICK <= took < DATABASE_S + SLACK
        answer, took = timed(known, pools, "ann@cold.test")
        assert answer == "DUNNO" and DATABASE_S - TICK <= took < DATABASE_S + SLACK
        assert any("no connection was free within 1000 ms" in e["detail"] for e in log.of("edge.deferred"))
        assert plain(pools, "database-warm") < OTHERS_S
        wait_for(lambda: any("451 4.3.0" in reason for reason in reasons(pools.platform.postfix_out)), 30, "mail that is put off")
        assert waiting_for_a_lock(pools) == DATABASE and not calls.done
    assert all(answer.startswith("550 5.7.1") for answer, _ in calls.end().values())
    assert ask(pools, client_address="127.0.1.99").startswith("550 5.7.1")
    arrive_by_themselves(pools, C, "database-cold")


# hsmd ---------------------------------------------------------------------------------------------


def test_all_connections_to_hsmd(pools):
    subjects = [f"hsm-{n}" for n in range(HSM + 2)]
    log, sent, began, clock = Log(pools), Calls(), time.monotonic(), time.time()
    for subject in subjects:
        sent.begin(subject, pools.submit, f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject))
    pools.fault("hang sign")
    try:
        wait_for(lambda: pools.operations() >= HSM, HSM_S, "calls that hang")
        others, seen = Calls(), []
        others.begin("outbound", plain, pools, "hsm-not-needed")
        others.begin("inbound", from_outside, pools, "hsm-not-needed-either")
        while time.monotonic() - began < HSM_S:  # before that nobody gives up, and lets in the next
            seen.append(pools.operations())
        assert statistics.median_low(seen) == HSM  # hsmd's own look at the token is one, now and then
        others.took_less_than(OTHERS_S)
        sent.end()
        wait_for(lambda: sum("451 4.3." in reason for reason in reasons(pools.platform.postfix_out)) >= len(subjects), 60,
                 "mail that is put off", 0.1)
        failed = [at(e) - clock for e in log.of("seal.failed")][:len(subjects)]
        assert HSM_S - TICK <= min(failed) and max(failed) < HSM_S + SLACK, failed
    finally:
        pools.faults.unlink()
    arrive_by_themselves(pools, B, *subjects)


# A recipients' server -----------------------------------------------------------------------------


def test_all_questions_to_a_server(pools):
    server = pools.servers[B]
    assert known(pools, f"warm@{B}") == known(pools, f"warm@{C}") == "DUNNO"
    server.answer("rcpt", HANG)
    calls, before, began = Calls(), len(server.log), time.monotonic()

    def asked():
        return sum(line.startswith("RCPT TO:<p") for line in server.log[before:])
    for n in range(SLOTS + 2):
        calls.begin(n, known, pools, f"p{n}@{B}")
    wait_for(lambda: asked() >= SLOTS, 30, "questions")
    others = Calls()
    others.begin("mail", from_outside, pools, "others-recipients")
    while time.monotonic() - began < DEADLINE_S:
        asked_now, done = asked(), len(calls.done)
        if time.monotonic() - began < DEADLINE_S:
            assert asked_now == SLOTS and not done
    others.took_less_than(OTHERS_S)
    for answer, took in calls.end().values():
        assert answer == "DUNNO" and DEADLINE_S - TICK <= took < DEADLINE_S + SLACK
    server.accept_all()
    server.answer("rcpt", "550 5.1.1 no such mailbox")
    wait_for(lambda: known(pools, f"nobody@{B}").startswith("550"), 30, "the server to be asked again")


# A customer's server, stage by stage --------------------------------------------------------------


@contextlib.contextmanager
def hangs_at(server, stage):
    """A server of which nothing comes back from there on."""
    server.stop()  # over connections that are kept it would be past some stages
    if stage == "syn":
        with full(server.host, server.port):
            yield
    else:
        server.answer(stage, HANG)
        server.start()
        yield
        server.stop()
        server.accept_all()
    server.start()


@contextlib.contextmanager
def full(host, port):
    """A listener whose queue is full: to who wants to connect nothing is said."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        while True:
            client = stack.enter_context(socket.socket())
            client.settimeout(0.3)
            try:
                client.connect((host, port))
            except TimeoutError:
                break
        yield


def lmtp(setting, queue_id, recipient, message):
    with contextlib.closing(Lines("127.0.0.1", setting.platform.port["inbound"])) as lines:
        assert lines.say("LHLO in.test").startswith("250")
        assert lines.say(f"XFORWARD IDENT={queue_id} ADDR=192.0.2.1").startswith("250")
        lines.transaction(f"x@{OUTSIDE}", [recipient], message)
        return lines.reply()


@pytest.mark.parametrize("stage, seconds, reply", [
    ("syn", CONNECT_S, "451 4.4.1"), ("connect", COMMAND_S, "451 4.4.1"), ("mail", COMMAND_S, "451 4.4.1"),
    ("rcpt", COMMAND_S, "451 4.4.1"), ("data", DATA_S, "451 4.4.2")])
def test_a_server_that_hangs(pools, stage, seconds, reply):
    """syn: the connection is not there; connect: it does not greet; data: it has the whole mail."""
    subject, calls = f"hangs-at-{stage}", Calls()
    message = simple(f"x@{OUTSIDE}", [f"ann@{B}"], subject)
    with hangs_at(pools.servers[B], stage):
        calls.begin("mail", lmtp, pools, f"3{stage}", f"ann@{B}", message)
        assert from_outside(pools, f"others-{stage}") < OTHERS_S
        (answer, took), = calls.end().values()
    assert answer.startswith(reply) and seconds - TICK <= took < seconds + SLACK, (answer, took)
    assert lmtp(pools, f"3{stage}", f"ann@{B}", message).startswith("250")
    assert len(pools.arrived(B, subject)) == 1
