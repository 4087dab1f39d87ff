"""gatewayd is killed (kill -9) at the very moments at which SMTP cannot tell whether a message was taken: what the next hop
had taken is not sent again, for its courier heard the answer; what it had not is sent. Invariants 1 and 2.

Where the courier is killed too nobody heard it: the message may come twice, and is never lost.
"""
import os
import re
import signal
import smtplib
import tempfile
import threading

import pytest
from conftest import BUILD

from sealgate.mailserver import MailServer
from sealgate.ports import PortBlock
from sealgate.process import NotReady, children, courier, gone, program, wait_for
from setting import A, B, FROM_A, FROM_B, Setting, simple

SEALED = re.compile(r"postfix-out/sealed/smtpd\[(\d+)\]: \w+: client=")


class GateServer(MailServer):
    """Has the whole mail, and answers only while the gate is open."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.gate, self.in_hand = threading.Event(), 0
        self.gate.set()

    def verdict(self, mail):
        with self._lock:
            self.in_hand += 1
        self.gate.wait()
        with self._lock:
            self.in_hand -= 1


class Killed(Setting):
    def __init__(self, folder, block):
        # Connections are kept until a test has stopped whom they lead to.
        super().__init__(folder, block, settings={"gatewayd": {"client.idle": "60s", "notice.merge": "1s"}})
        for domain in (A, B):
            usual = self.servers[domain]
            self.servers[domain] = GateServer(usual.port, usual.folder)

    def send(self, subject, author=A, to=B):
        sender, recipient = f"joe@{author}", f"ann@{to}"
        self.submit(sender, [recipient], simple(sender, [recipient], subject), source={A: FROM_A, B: FROM_B}[author])

    def copies(self, subject, domain=B):
        field = b"\r\nSubject: " + subject.encode() + b"\r\n"
        return [mail for mail in self.servers[domain].mails if field in b"\r\n" + mail.head + b"\r\n"]

    def quiet(self):
        """All is delivered; what was deferred is tried at once, not when its time has come."""
        def empty():
            out, into = self.platform.postfix_out, self.platform.postfix_in
            waiting = [part for part in (out, into) if part.queue()]
            for part in waiting:
                part.flush()
            return not waiting
        try:
            wait_for(empty, 90, "empty queues", 0.5)
        except NotReady as error:
            platform = self.platform
            raise AssertionError((platform.postfix_out.queue(), platform.postfix_in.queue(), platform.postfix_out.tail(),
                                  platform.postfix_in.tail(), platform.gatewayd.tail())) from error

    def courier(self):
        return courier(self.platform.gatewayd.pid())

    def traces(self, subject):
        return [step for one in (self.a, self.b) for row in one.messages(message_id=f"{subject}@x.test")
                for step in one.trace(row["id"])]

    def proofs(self, subject):
        """How often it was not sent again, once both its sendings (out, and in) are in the database as taken."""
        def taken():
            return [step for step in self.traces(subject)
                    if (step["step"], step["detail"].get("reply", "")[:1]) in (("sent", "2"), ("next-hop", "2"))]
        wait_for(lambda: len(taken()) >= 2, 30, "both sendings in the trace")
        assert len(taken()) == 2
        return sum(step["step"] == "not-sent-again" for step in self.traces(subject))

    def reentry_freezes(self, subject):
        """The smtpd that takes back sealed mail over the connection that is kept, stopped before the next mail."""
        self.send(f"{subject}-before")
        wait_for(lambda: self.copies(f"{subject}-before") and not self.platform.postfix_in.queue(), 60, "the mail before")
        pid = self.reentry()
        os.kill(pid, signal.SIGSTOP)
        return pid

    def reentry(self):
        return int(SEALED.findall(self.platform.postfix_out.log.read_text(encoding="utf-8"))[-1])

    def reentry_waits(self):
        """Commands stand before the smtpd that is stopped: the courier is at it."""
        port = f":{self.platform.port['reentry']:04X}"
        with open("/proc/net/tcp", encoding="ascii") as f:
            rows = [line.split() for line in f.readlines()[1:]]
        return any(row[1].endswith(port) and row[3] == "01" and int(row[4].split(":")[1], 16) for row in rows)


def tree_kill(pids):
    """All at once: none of them may see another's end and do something about it."""
    everything = {pid for top in pids for pid in (top, *children(top))}
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in everything:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
    for pid in everything:
        wait_for(lambda p=pid: gone(p) or not os.path.exists(f"/proc/{p}"), 20, f"the end of {pid}")


@pytest.fixture(scope="module")
def killed():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgk", dir="/var/tmp") as folder:
        s = Killed(folder, block)
        try:
            yield s.start()
        finally:
            for domain in (A, B):
                s.servers[domain].gate.set()
            s.stop()


@pytest.fixture(autouse=True)
def open_gates(killed):
    yield
    for domain in (A, B):
        killed.servers[domain].gate.set()


def in_hand_of_b(killed, subject):
    server = killed.servers[B]
    server.gate.clear()
    killed.send(subject)
    wait_for(lambda: server.in_hand == 1, 60, "the mail at the customer's server")
    return server


def test_the_customers_server_had_it(killed):
    """It answers after the death, and before gatewayd is there again."""
    gatewayd = killed.platform.gatewayd
    server = in_hand_of_b(killed, "customer")
    left = killed.courier()
    gatewayd.kill()
    server.gate.set()
    wait_for(lambda: gone(left) or not program(left), 30, "the end of the courier that was left")
    gatewayd.start()
    killed.quiet()
    assert len(killed.copies("customer")) == 1
    assert killed.proofs("customer") == 1


def test_the_customers_server_is_still_at_it(killed):
    """gatewayd is there again before it answers: the message is put off, not sent beside."""
    gatewayd, postfix = killed.platform.gatewayd, killed.platform.postfix_in
    server = in_hand_of_b(killed, "slow")
    gatewayd.kill()
    gatewayd.start()

    def put_off():
        postfix.flush()
        return any("an earlier sending is not answered yet" in one["delay_reason"]
                   for mail in postfix.queue() for one in mail["recipients"] if "delay_reason" in one)
    wait_for(put_off, 60, "a retry that is put off", 0.5)
    assert server.in_hand == 1 and killed.copies("slow") == []
    server.gate.set()
    killed.quiet()
    assert len(killed.copies("slow")) == 1
    assert killed.proofs("slow") == 1


def test_our_own_postfix_had_it(killed):
    """It committed, its 250 came, and gatewayd did not live to read it."""
    gatewayd, postfix = killed.platform.gatewayd, killed.platform.postfix_out
    smtpd = killed.reentry_freezes("postfix")
    try:
        killed.send("postfix")
        wait_for(killed.reentry_waits, 30, "the courier at Postfix")
        os.kill(gatewayd.pid(), signal.SIGSTOP)
    finally:
        os.kill(smtpd, signal.SIGCONT)
    # That it is taken shows in Postfix "in", where it waits for gatewayd.
    wait_for(lambda: any(mail["sender"] == f"joe@{A}" for mail in killed.platform.postfix_in.queue()), 30,
             "the mail in the next queue")
    gatewayd.kill()
    gatewayd.start()
    killed.quiet()
    assert postfix.queue() == []
    assert len(killed.copies("postfix")) == 1
    assert killed.proofs("postfix") == 1
    inbound = [row for row in killed.b.messages(message_id="postfix@x.test") if row["direction"] == "inbound"]
    assert len(inbound) == 1


def test_postfix_had_not_all_of_it(killed):
    """Killed before the dot: the courier sends no dot, and the next gatewayd sends the message."""
    gatewayd = killed.platform.gatewayd
    smtpd = killed.reentry_freezes("half")
    try:
        killed.send("half")
        wait_for(killed.reentry_waits, 30, "the courier at Postfix")
        gatewayd.kill()
        gatewayd.start()
    finally:
        os.kill(smtpd, signal.SIGCONT)
    killed.quiet()
    assert len(killed.copies("half")) == 1
    assert killed.proofs("half") == 0
    inbound = [row for row in killed.b.messages(message_id="half@x.test") if row["direction"] == "inbound"]
    assert len(inbound) == 1


def test_killed_again_at_its_start(killed):
    """What the first one's courier heard is there for the third."""
    gatewayd = killed.platform.gatewayd
    server = in_hand_of_b(killed, "again")
    gatewayd.kill()
    for _ in range(2):
        gatewayd.start()
        gatewayd.kill()
    server.gate.set()
    gatewayd.start()
    killed.quiet()
    assert len(killed.copies("again")) == 1
    assert killed.proofs("again") == 1


def refused_and_frozen(killed, subject):
    """A mail of A's that B's server refuses, and the smtpd stopped that would take back the report of it."""
    killed.send(f"{subject}-before", A, B)  # a connection is kept …
    wait_for(lambda: killed.copies(f"{subject}-before"), 60, "the mail")
    killed.servers[B].answer("data", "550 5.7.1 not this one", times=1)
    killed.send(subject, A, B)
    wait_for(lambda: killed.servers[B].rules["data"][0].times == 0, 60, "the refusal", 0.01)
    smtpd = killed.reentry()
    os.kill(smtpd, signal.SIGSTOP)
    return smtpd


def test_a_notice_is_sent_once(killed):
    """The report that B's server refused a mail, taken by Postfix when gatewayd is killed."""
    gatewayd, database = killed.platform.gatewayd, killed.platform.postgresql
    smtpd = refused_and_frozen(killed, "report")
    try:
        wait_for(killed.reentry_waits, 30, "the notice at Postfix")
        os.kill(gatewayd.pid(), signal.SIGSTOP)
    finally:
        os.kill(smtpd, signal.SIGCONT)
    wait_for(lambda: any(mail["sender"] == "MAILER-DAEMON" for mail in killed.platform.postfix_in.queue()), 30,
             "the notice in the next queue")
    gatewayd.kill()
    gatewayd.start()
    database.rows("UPDATE notice SET next_try_at = now() WHERE state = 'pending'")  # the lease has run out
    killed.quiet()
    wait_for(lambda: not database.rows("SELECT 1 FROM notice WHERE state NOT IN ('sent', 'folded')"), 60, "the outbox")
    killed.quiet()
    found = [mail for mail in killed.servers[A].mails if b"  Subject: report" in mail.body]
    assert len(found) == 1


def test_a_notice_that_postgresql_does_not_hear_of_is_sent_once(killed):
    """Sent, and then its row cannot be written, until the lease has long run out."""
    gatewayd, database = killed.platform.gatewayd, killed.platform.postgresql
    smtpd = refused_and_frozen(killed, "unheard")
    since = gatewayd.log.stat().st_size

    def told():
        with open(gatewayd.log, "rb") as log:
            log.seek(since)
            return log.read().count(b'"notice.not_settled"')
    try:
        wait_for(killed.reentry_waits, 30, "the notice at Postfix")
        database.rows("REVOKE UPDATE ON notice FROM sg_gateway")
    finally:
        os.kill(smtpd, signal.SIGCONT)
    try:
        wait_for(told, 60, "word that it could not be settled")
        database.rows("UPDATE notice SET next_try_at = now() WHERE state = 'pending'")
        before = told()
        wait_for(lambda: told() > before, 60, "the next round")
    finally:
        database.rows("GRANT UPDATE ON notice TO sg_gateway")
    wait_for(lambda: not database.rows("SELECT 1 FROM notice WHERE state NOT IN ('sent', 'folded')"), 60, "the outbox")
    killed.quiet()
    assert len([mail for mail in killed.servers[A].mails if b"  Subject: unheard" in mail.body]) == 1


def test_blind_copies_of_held_mail_are_settled_one_by_one(killed):
    """All is killed when the first has been taken, and the others have not been begun."""
    platform, rows = killed.platform, killed.platform.postgresql.rows
    people = [f"{name}@late.test" for name in ("ann", "bob", "cid")]
    late = platform.organisation("Late", "late.test", next_hop_port=platform.port["agency_b"], key_kind="wrapped")
    late.configure()
    killed.submit(f"joe@{A}", people, simple(f"joe@{A}", [f"joe@{A}"], "blind"))
    held, = wait_for(lambda: [h for h in killed.a.held(state="held") if h["recipient_domain"] == "late.test"], 30, "held mail")
    rows("SELECT pg_advisory_lock(7)")
    rows("CREATE FUNCTION test_wait() RETURNS trigger LANGUAGE plpgsql AS "
         "$$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$")
    rows("CREATE TRIGGER test_wait BEFORE UPDATE OF recipients ON held_message FOR EACH ROW EXECUTE FUNCTION test_wait()")
    try:
        late.make_key()
        late.certify()
        late.publish()
        platform.api.post(f"{killed.a.path}/held/{held['id']}/release")
        waiting = "SELECT pid FROM pg_stat_activity WHERE usename = 'sg_gateway' AND wait_event = 'advisory'"
        wait_for(lambda: rows(waiting), 60, "gatewayd about to settle")
        killed.quiet()
        assert len(killed.copies("blind")) == 1
        tree_kill([platform.gatewayd.pid()])
        rows(f"SELECT pg_terminate_backend(pid::int) FROM ({waiting}) AS w")
        wait_for(lambda: not rows(waiting), 30, "the end of its connection")
    finally:
        rows("SELECT pg_advisory_unlock(7)")
        rows("DROP FUNCTION test_wait CASCADE")
    platform.gatewayd.start()
    rows(f"UPDATE held_message SET leased_until = now() WHERE id = '{held['id']}'")  # the lease has run out
    wait_for(lambda: platform.api.get(f"{killed.a.path}/held/{held['id']}")["state"] == "sent", 60, "held mail sent")
    killed.quiet()
    assert sorted(mail.recipients for mail in killed.copies("blind")) == [[one] for one in people]


def test_held_mail_that_was_sent_at_its_end_has_not_failed(killed):
    """Its last try reaches the recipient, and PostgreSQL does not take that for a while: it goes once, and nobody is told
    that it did not."""
    platform, rows = killed.platform, killed.platform.postgresql.rows
    late = platform.organisation("Later", "later.test", next_hop_port=platform.port["agency_b"], key_kind="wrapped")
    late.configure()
    killed.submit(f"joe@{A}", ["ann@later.test"], simple(f"joe@{A}", ["ann@later.test"], "at-its-end"))
    held, = wait_for(lambda: [h for h in killed.a.held(state="held") if h["recipient_domain"] == "later.test"], 30, "held mail")
    wait_for(lambda: not rows("SELECT 1 FROM notice WHERE state NOT IN ('sent', 'folded')"), 60, "word of the delay")
    rows("SELECT set_config('app.actor', 'test', false), set_config('app.now', now()::text, false)")
    rows("CREATE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$")
    rows("CREATE TRIGGER test_refuse BEFORE UPDATE OF recipients ON held_message FOR EACH ROW EXECUTE FUNCTION test_refuse()")
    told = platform.gatewayd.log.read_text().count('"hold.not_settled"')
    try:
        rows(f"UPDATE held_message SET leased_until = now() + interval '1 hour' WHERE id = '{held['id']}'")
        late.make_key()
        late.certify()
        late.publish()
        rows(f"UPDATE held_message SET leased_until = NULL, next_try_at = now(), expires_at = now() WHERE id = '{held['id']}'")
        wait_for(lambda: killed.copies("at-its-end"), 60, "the mail")
        rows(f"UPDATE held_message SET leased_until = NULL WHERE id = '{held['id']}'")
        wait_for(lambda: platform.gatewayd.log.read_text().count('"hold.not_settled"') > told + 1, 60, "further rounds")
    finally:
        rows("DROP FUNCTION test_refuse CASCADE")
    wait_for(lambda: platform.api.get(f"{killed.a.path}/held/{held['id']}")["state"] == "sent", 60, "held mail sent")
    killed.quiet()
    assert len(killed.copies("at-its-end")) == 1
    assert not rows("SELECT 1 FROM notice WHERE kind = 'failure'")


def test_a_courier_that_is_killed_alone(killed):
    """At rest it costs nothing; with a message nobody knows, and it is sent again."""
    os.kill(killed.courier(), signal.SIGKILL)
    killed.send("courier-rests")
    wait_for(lambda: killed.copies("courier-rests"), 60, "the mail")
    server = in_hand_of_b(killed, "courier-busy")
    second = killed.courier()
    with open(f"/proc/{second}/status", encoding="ascii") as f:
        status = dict(line.split(":\t", 1) for line in f)
    # gatewayd's filter, which whom it starts has as well, and its own; the sanitizers' builds have none.
    assert "san" in BUILD.name or (status["Seccomp"].strip(), status["Seccomp_filters"].strip()) == ("2", "2")
    os.kill(second, signal.SIGKILL)
    server.gate.set()
    killed.quiet()
    assert len(killed.copies("courier-rests")) == 1
    assert 1 <= len(killed.copies("courier-busy")) <= 2


def test_killed_with_its_courier(killed):
    """Nobody heard the answer: never lost, perhaps twice."""
    server = in_hand_of_b(killed, "both")
    tree_kill([killed.platform.gatewayd.pid()])
    server.gate.set()
    killed.platform.gatewayd.start()
    killed.quiet()
    assert 1 <= len(killed.copies("both")) <= 2
    assert killed.proofs("both") == 0


def started(part):
    """Tried again where it would not, as systemd does: Postfix may have to set its queue in order first."""
    try:
        part.start()
    except NotReady as error:
        print(error)
        return False
    return True


def test_the_whole_platform_killed_at_once(killed):
    """gatewayd, its courier, hsmd, PostgreSQL and both Postfix: every accepted mail arrives."""
    platform = killed.platform
    parts = (platform.postgresql, platform.hsmd, platform.gatewayd, platform.postfix_out, platform.postfix_in)
    accepted, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            subject = f"all-{len(accepted)}"
            try:
                killed.send(subject)
                accepted.append(subject)
            except (OSError, smtplib.SMTPException):
                stop.wait(0.1)
    for kill in range(2):
        stop.clear()
        writer = threading.Thread(target=load)
        writer.start()
        try:
            wanted = len(accepted) + 6
            wait_for(lambda: len(accepted) >= wanted, 60, "mail on its way", 0.01)
            tree_kill([part.pid() for part in parts])
        finally:
            stop.set()
            writer.join()
        for part in parts:
            wait_for(lambda p=part: started(p), 60, part.name)
    killed.quiet()
    wait_for(lambda: all(killed.copies(subject) for subject in accepted), 60, "every mail")
    twice = [subject for subject in accepted if len(killed.copies(subject)) > 1]
    print(f"\nthe whole platform killed twice: {len(accepted)} accepted, none lost, {len(twice)} came twice")
