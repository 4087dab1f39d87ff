"""A message on which gatewayd crashes does not kill it for ever: a library that is put before gatewayd's (tests/unit/crash/bugs.c)
dies of a charset, or of a certificate, as of a bug in a converter or decoder. Twice it does; then the message is put off, and all
other mail goes on. docs/decisions/0016
"""
import json
import os
import shutil
import signal
import tempfile

import pytest

from conftest import BUILD
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import gone, wait_for
from setting import A, B, OUTSIDE, Setting, simple

MINUTES = 60
pytestmark = pytest.mark.skipif(BUILD.name in ("asan", "tsan"), reason="a sanitizer's run time has to come first")


class Crashing(Setting):
    def __init__(self, folder, block):
        super().__init__(folder, block, clock=True, settings={"gatewayd": {
            "hold.poll": "200ms", "hold.retry_first": "5m", "hold.discover": "500ms", "notice.merge": "500ms"}})
        self.ahead = 0

    def start(self):
        super().start()
        self.gatewayd, self.ops = self.platform.gatewayd, Ops(self.platform.layout.ops("gatewayd"))
        self.library = self.platform.layout.bin / "gatewayd-bugs.so"
        shutil.copyfile(BUILD / "tests/gatewayd-bugs.so", self.library)
        self.library.chmod(0o755)
        self.platform.api.post("/v1/member-domains", {"name": "nocert.test", "environment": "seemail"})
        return self

    def restart(self, broken):
        """With the bug, or without it."""
        self.gatewayd.stop()
        self.gatewayd.env = {"LD_PRELOAD": str(self.library)} if broken else {}
        self.gatewayd.start()

    def clock(self, seconds):
        self.ahead += seconds
        self.platform.clock_set(self.ahead)

    def send(self, subject, to, charset="EUC-TW", sender=f"joe@{A}", inbound=False):
        mail = simple(sender, [to], subject, "Kia ora.\r\n").replace(
            b"\r\n\r\n", f"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode(), 1)
        (self.from_outside if inbound else self.submit)(sender, [to], mail)

    def dies(self, by=lambda: None):
        """Of SIGSEGV, and is started again as systemd does."""
        pid, crashed = self.gatewayd.pid(), self.events("crash.found")
        wait_for(lambda: gone(pid) or by(), 60, "gatewayd to crash", 0.5)
        self.gatewayd.start()
        found, = self.events("crash.found")[len(crashed):]
        assert found["signal"] == "SEGV" and found["level"] == "error"
        return found

    def events(self, name):
        return [json.loads(line) for line in self.gatewayd.log.read_text(encoding="utf-8").splitlines()
                if f'"{name}"' in line]

    def figure(self, name):
        return self.ops.series()[f"sealgate_gateway_{name}"]

    def part(self):
        """What /readyz says of crashes, which never make it unready."""
        said = wait_for(lambda: (now := self.ops.ready()) and now[0] == 200 and now[2], 30, "gatewayd to be ready")
        return said["crashes"]

    def table(self):
        return next(self.platform.layout.dir.rglob("journal/**/crashes"))

    def arrives(self, subject):
        self.send(subject, f"ann@{B}", "utf-8")
        self.arrived(B, subject)


@pytest.fixture(scope="module")
def crashing():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgx", dir="/var/tmp") as folder:
        s = Crashing(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def reasons(postfix):
    return [one.get("delay_reason", "") for mail in postfix.queue() for one in mail["recipients"]]


@pytest.mark.parametrize("kind", ("outbound", "inbound"))
def test_it_crashes_twice_and_then_others_go_on(crashing, kind):
    inbound = kind == "inbound"
    postfix = crashing.platform.postfix_in if inbound else crashing.platform.postfix_out
    subject, to, server = f"deadly-{kind}", f"ann@{A if inbound else OUTSIDE}", A if inbound else OUTSIDE
    before = crashing.figure("crashes_total")
    crashing.restart(broken=True)
    crashing.send(subject, to, sender=f"joe@{OUTSIDE if inbound else A}", inbound=inbound)
    found = crashing.dies()
    queue_id = postfix.queue()[0]["queue_id"]
    assert (found["in_hand"], found["queue_id"], found["crashes"]) == (kind, queue_id, "1")
    assert crashing.part()["ready"] and crashing.figure("crash_suspects") == 0
    found = crashing.dies(postfix.flush)
    assert (found["queue_id"], found["crashes"]) == (queue_id, "2")

    # From now on it is put off, and nothing else is.
    pid = crashing.gatewayd.pid()
    postfix.flush_until(lambda: any("the gateway has crashed on it 2 times, it waits until" in why for why in reasons(postfix)),
                        60, "the words in the queue")
    crashing.arrives(f"others-{kind}")
    assert crashing.gatewayd.pid() == pid
    deferred = crashing.events("crash.deferred")[-1]
    assert (deferred["level"], deferred["in_hand"], deferred["queue_id"]) == ("error", kind, queue_id)
    assert crashing.figure("crashes_total") == before + 2
    assert crashing.figure("crash_suspects") == 1
    assert crashing.figure(f'crash_deferred_total{{kind="{kind}"}}') >= 1
    wait_for(lambda: not crashing.part()["ready"], 10, "word of it in /readyz")
    assert queue_id in json.dumps(crashing.part())

    # The wait is over: a third crash, and twice the wait.
    crashing.clock(11 * MINUTES)
    assert crashing.dies(postfix.flush)["crashes"] == "3"
    crashing.clock(11 * MINUTES)
    count = len(crashing.events("crash.deferred"))
    postfix.flush_until(lambda: len(crashing.events("crash.deferred")) > count, 60, "it to be put off")

    # Mended: it waits to the end all the same, and arrives once.
    crashing.restart(broken=False)
    count = len(crashing.events("crash.deferred"))
    postfix.flush_until(lambda: len(crashing.events("crash.deferred")) > count, 60, "it to be put off")
    assert crashing.figure("crash_suspects") == 1
    crashing.clock(11 * MINUTES)
    postfix.flush_until(lambda: not postfix.queue(), 60, "an empty queue")
    crashing.arrived(server, subject)
    assert len([mail for mail in crashing.servers[server].mails if f"\r\nSubject: {subject}".encode() in mail.head]) == 1
    assert crashing.figure("crash_suspects") == 0
    wait_for(lambda: crashing.part()["ready"], 10, "no more word of it")


def test_held_mail(crashing):
    """It is not even loaded when its turn comes, and its sender is told in the end."""
    rows = crashing.platform.postgresql.rows
    rows("SELECT set_config('app.actor', 'test', false), set_config('app.now', now()::text, false)")
    crashing.restart(broken=False)
    crashing.send("deadly-held", "ann@nocert.test")
    held, = wait_for(lambda: [h for h in crashing.a.held(state="held") if h["recipient_domain"] == "nocert.test"], 30,
                     "held mail")
    wait_for(lambda: not rows("SELECT 1 FROM notice WHERE state NOT IN ('sent', 'folded')"), 60, "word of the delay")

    def due(more=""):
        rows(f"UPDATE held_message SET leased_until = NULL, next_try_at = to_timestamp(0){more} WHERE id = '{held['id']}'")

    crashing.restart(broken=True)
    for crashes in ("1", "2"):
        due()
        found = crashing.dies()
        assert (found["in_hand"], found["held"], found["crashes"]) == ("held", held["id"], crashes)
    due()
    pid = crashing.gatewayd.pid()
    wait_for(lambda: rows(f"SELECT 1 FROM held_message WHERE id = '{held['id']}' AND last_error LIKE"
                          " '%crashed on it 2 times%' AND next_try_at > now() + interval '9 minutes'"), 60, "a new time")
    crashing.arrives("others-held")
    assert crashing.events("crash.deferred")[-1]["held"] == held["id"]
    assert crashing.gatewayd.pid() == pid
    due(", expires_at = to_timestamp(0)")
    wait_for(lambda: crashing.platform.api.get(f"{crashing.a.path}/held/{held['id']}")["state"] == "expired", 60, "its end")
    wait_for(lambda: rows("SELECT 1 FROM notice WHERE kind = 'failure' AND state = 'sent'"), 60, "word of the failure")
    assert crashing.gatewayd.pid() == pid


def test_a_partners_certificate(crashing):
    """The domain is to blame, and not each message to it; to others the message goes."""
    platform, out = crashing.platform, crashing.platform.postfix_out
    partner = platform.organisation("Deadly", "deadly.test", next_hop_port=platform.port["agency_b"], key_kind="wrapped")
    crashing.restart(broken=False)
    partner.provision()
    people = ["ann@deadly.test", f"ann@{B}"]
    for crashes, subject in (("1", "deadly-first"), ("2", "deadly-partner")):
        crashing.restart(broken=True)
        crashing.submit(f"joe@{A}", people, simple(f"joe@{A}", people, subject))
        found = crashing.dies(out.flush)
        if crashes == "1":  # a look that ends well clears nothing: the next may read more
            crashing.restart(broken=False)
            out.flush_until(lambda: not out.queue(), 60, "an empty queue")
        assert (found["in_hand"], found["domain"], found["crashes"]) == ("discovery", f"deadly.test:{crashing.a.domain['id']}", crashes)
    pid = crashing.gatewayd.pid()
    out.flush_until(lambda: crashing.events("crash.deferred")[-1].get("domain"), 60, "it to be put off")
    out.flush_until(lambda: any("the gateway has crashed on it" in why for why in reasons(out)), 60, "words in the queue")
    crashing.arrived(B, "deadly-partner")
    crashing.submit(f"joe@{A}", ["bob@deadly.test"], simple(f"joe@{A}", ["bob@deadly.test"], "deadly-second"))
    wait_for(lambda: len([why for why in reasons(out) if "has crashed on it" in why]) == 2, 60, "both put off")
    assert crashing.gatewayd.pid() == pid
    # Mended, and not to wait: what an operator does (docs/operations/bad-day.md).
    crashing.gatewayd.stop()
    crashing.table().unlink()
    crashing.restart(broken=False)
    out.flush_until(lambda: not out.queue(), 60, "an empty queue")
    assert crashing.figure("crash_suspects") == 0
    for subject, count in (("deadly-partner", 2), ("deadly-second", 1)):
        crashing.arrived(B, subject, count)


def test_our_own_certificate(crashing):
    """Held mail waits for it: the look at it that comes every minute is put off, and the other mail and rounds go on."""
    platform, rows = crashing.platform, crashing.platform.postgresql.rows
    crashing.restart(broken=False)
    own = platform.organisation("Own", "own-deadly.test", network="127.0.0.6/32", next_hop_port=platform.port["agency_a"],
                                key_kind="wrapped")
    own.configure()
    crashing.submit("joe@own-deadly.test", [f"ann@{B}"], simple("joe@own-deadly.test", [f"ann@{B}"], "own"), "127.0.0.6")
    held, = wait_for(lambda: own.held(state="held"), 30, "held mail")
    assert held["reason"] == "211"
    wait_for(lambda: not rows("SELECT 1 FROM notice WHERE state NOT IN ('sent', 'folded')"), 60, "word of the delay")

    def waits(reason):
        """For that alone, and not for its turn."""
        rows("SELECT set_config('app.actor', 'test', false), set_config('app.now', now()::text, false)")
        rows(f"UPDATE held_message SET reason = '{reason}', next_try_at = '2100-01-01', expires_at = '2100-01-01'"
             f" WHERE id = '{held['id']}'")

    waits("")
    own.make_key()
    own.certify()
    crashing.restart(broken=True)
    name = f"own-deadly.test:{own.domain['id']}"
    for crashes in ("1", "2"):
        pid = crashing.gatewayd.pid()
        waits("211")
        wait_for(lambda gone_one=pid: gone(gone_one), 60, "gatewayd to crash")
        waits("")
        crashing.gatewayd.start()
        found = crashing.events("crash.found")[-1]
        assert (found["in_hand"], found.get("domain"), found.get("crashes")) == ("discovery", name, crashes)
    pid = crashing.gatewayd.pid()
    waits("211")
    wait_for(lambda: any(e.get("domain") == name for e in crashing.events("crash.deferred")), 60, "it to be put off")
    crashing.arrives("others-own")
    wait_for(lambda: name in json.dumps(crashing.part()), 10, "word of it in /readyz")
    assert crashing.gatewayd.pid() == pid
    # Mended: it is looked at when its time has come, and what waits for it goes.
    crashing.restart(broken=False)
    crashing.clock(11 * MINUTES)
    wait_for(lambda: platform.api.get(f"{own.path}/held/{held['id']}")["state"] == "sent", 60, "held mail sent")
    crashing.arrived(B, "own")


@pytest.mark.parametrize("number", (signal.SIGKILL, signal.SIGABRT))
def test_who_is_killed_has_not_crashed(crashing, number):
    """With mail in flight or without; nor is a stop a crash."""
    before, found = crashing.figure("crashes_total"), len(crashing.events("crash.found"))
    pid = crashing.gatewayd.pid()
    crashing.send(f"killed-{number}", f"ann@{B}", "utf-8")
    os.kill(pid, number)
    wait_for(lambda: gone(pid), 20, "its end")
    crashing.gatewayd.start()
    crashing.restart(broken=False)
    for postfix in (crashing.platform.postfix_out, crashing.platform.postfix_in):
        postfix.flush_until(lambda p=postfix: not p.queue(), 60, "an empty queue")
    crashing.arrived(B, f"killed-{number}")
    assert crashing.figure("crashes_total") == before and len(crashing.events("crash.found")) == found


def test_a_table_that_cannot_be_read(crashing):
    """It is begun anew, and mail goes on; where there can be none, too."""
    table = crashing.table()
    crashing.gatewayd.stop()
    table.write_bytes(b"x" * 100)
    crashing.gatewayd.start()
    assert len(crashing.events("crash.not-read")) == 1 and crashing.figure("crashes_total") == 0
    crashing.arrives("unread")
    crashing.gatewayd.stop()
    table.unlink()
    table.mkdir()
    crashing.gatewayd.start()
    assert len(crashing.events("crash.not-watched")) == 1
    crashing.arrives("not-watched")
    crashing.gatewayd.stop()
    table.rmdir()
    crashing.gatewayd.start()
