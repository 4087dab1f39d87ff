"""No room left, in each folder that mail passes, and a disk that fails at fsync: mail is deferred, nothing is lost or
comes twice, nothing half written passes for whole, and all goes on by itself when there is room.

Run with -s for the figures.
"""
import base64
import os
import re
import tempfile
import time

import pytest

from sealgate import layout as lay
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from sealgate.smalldisk import FailingDisk, SmallDisk
from setting import A, B, C, OUTSIDE, simple
from test_faults_load import Busy, Load

POSTFIX_ROOM = 200  # MiB: it takes no mail unless there is room for one and a half of the largest


class Crowded(Busy):
    """Each folder is on a disk of its own; a message's body is never in memory, a journal segment is soon full."""

    def __init__(self, folder, block):
        group = lay.user_id("postfix")[1]
        self.disks = {"journal": SmallDisk(f"{folder}/disk/journal", 300, lay.GATEWAY, group),
                      "spool": SmallDisk(f"{folder}/disk/spool", 8, lay.GATEWAY, group),
                      "failing": FailingDisk(f"{folder}/disk/failing", 48, lay.GATEWAY, group)}
        super().__init__(folder, block, settings={"gatewayd": {
            "journal.dir": self.disks["journal"].path, "journal.segment": "1m",
            "gateway.spool_dir": self.disks["spool"].path,
            "limits.message_memory": "4k", "limits.shared_memory": "0"}})
        platform = self.platform
        for name, path in (("postfix-out", platform.postfix_out.dir / "spool"),
                           ("postfix-in", platform.postfix_in.dir / "spool")):
            self.disks[name] = SmallDisk(path, POSTFIX_ROOM, mode=0o755)
        self.disks["postgresql"] = SmallDisk(platform.layout.pg, 600, lay.user_id("postgres")[0],
                                             lay.user_id("postgres")[1])

    def start(self):
        for disk in self.disks.values():
            disk.mount()
        return super().start()

    def stop(self):
        try:
            for disk in self.disks.values():
                disk.empty()
            super().stop()
        finally:
            for disk in self.disks.values():
                disk.unmount()

    def journal_on(self, name, feed="500ms"):
        """gatewayd is stopped; when it is started its journal is on that disk, and fed to PostgreSQL so often."""
        path = self.platform.layout.etc / "gatewayd.conf"
        self.platform.gatewayd.stop()
        path.write_text(re.sub(r"(?ms)^\[journal\]\n.*?\n\n", f"[journal]\ndir = {self.disks[name].path}\n"
                               f"segment = 1m\nfeed_interval = {feed}\n\n", path.read_text()))

    @property
    def ops(self):
        return Ops(self.platform.layout.ops("gatewayd"))

    def is_ready(self, part):
        """What /readyz says, in all and of that part, which are the same here."""
        status, _, parts = self.ops.ready()
        assert parts[part]["ready"] or (status == 503 and parts[part]["error"])
        return status == 200

    def deferred(self):
        """Figures, by direction."""
        name = 'sealgate_gateway_recipients_total{direction="%s",outcome="deferred"}'
        series = self.ops.series()
        return {direction: series[name % direction] for direction in ("outbound", "inbound")}

    def answers(self, since, listener="outbound"):
        """What gatewayd said to Postfix, from its log."""
        log = (self.platform.postfix_out if listener == "outbound" else self.platform.postfix_in).log
        return re.findall(r"status=deferred \(.*?said: (\d\d\d \S+)", log.read_text()[since:])


class Gentle(Load):
    """Not as much as the machine takes: what waits meanwhile has to be sent afterwards."""

    def between(self, number):
        self._stop.wait(0.2)


@pytest.fixture(scope="module")
def crowded():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgd", dir="/var/tmp") as folder:
        s = Crowded(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.mark.parametrize("where", ["journal", "spool", "postfix-out", "postfix-in"])
def test_no_room(crowded, where):
    disk, platform = crowded.disks[where], crowded.platform
    since, deferred = len(platform.postfix_out.log.read_text()), crowded.deferred()
    of_gatewayd = where in ("journal", "spool")
    with Gentle(crowded, f"full-{where}") as load:
        load.more(8)
        try:
            load.stands_still(each=disk.fill)  # what mail in work gives back of its room is taken too
            said = crowded.answers(since)
            if of_gatewayd:
                wait_for(lambda: disk.fill() or not crowded.is_ready(where), 10, f"the {where} to be missed")
        finally:
            disk.empty()
        recovered = load.more(8, 120)
    load.account()
    wait_for(lambda: crowded.is_ready(where if of_gatewayd else "journal"), 10, "gatewayd to be ready again")
    print(f"\n{where}: {len(load.accepted)} accepted, {load.refused} refused, next eight after {recovered:.1f} s; "
          f"Postfix heard {sorted(set(said))}")
    if of_gatewayd:
        assert set(said) == {"452 4.3.1"}
        # Both of its 452 that Postfix has logged by now and those that it had not: each was counted.
        assert crowded.deferred()["outbound"] - deferred["outbound"] >= len(said) > 0


@pytest.mark.parametrize("rounds", [12, pytest.param(200, marks=pytest.mark.long)])
def test_room_comes_and_goes(crowded, rounds):
    """Full at any moment: in the midst of a record, of a group of them, at the begin of a segment."""
    disk = crowded.disks["journal"]
    with Gentle(crowded, f"edge-{rounds}") as load:
        load.more(8)
        try:
            for i in range(rounds):
                disk.fill(leave=i % 6 * 4096)
                until = time.monotonic() + 0.4
                wait_for(lambda at=until: time.monotonic() > at, 2, "a moment without room")
                disk.empty()
                load.more(2, 60)
        finally:
            disk.empty()
    load.account()
    rows(crowded, load)


@pytest.mark.parametrize("rounds", [4, pytest.param(60, marks=pytest.mark.long)])
def test_ended_while_outcomes_are_owed(crowded, rounds):
    """What was taken by a next hop when there was no room to say so stands in the courier's file, at an orderly stop too."""
    disk, gatewayd = crowded.disks["journal"], crowded.platform.gatewayd
    failed = gatewayd.log.read_text().count('"journal.failed"')
    with Gentle(crowded, f"owed-{rounds}") as load:
        try:
            for number in range(rounds):
                load.more(4, 60)
                load.stands_still(each=disk.fill)
                (gatewayd.kill if number % 2 else gatewayd.stop)()
                disk.empty()
                gatewayd.start()
        finally:
            disk.empty()
        load.more(8, 120)
    assert gatewayd.log.read_text().count('"journal.failed"') > failed
    load.account()
    rows(crowded, load)


def rows(setting, load):
    """All that was accepted is in the retention log, as it went out and as it came in."""
    wanted = {(f"{subject}@x.test", way) for subject in load.accepted for way in ("outbound", "inbound")}

    def missing():
        return wanted - set(map(tuple, setting.platform.postgresql.rows(
            "SELECT message_id, direction FROM sealgate.message")))
    wait_for(lambda: not missing(), 60, "all of it in the retention log")


def test_fsync_fails(crowded):
    """What fsync() did not bring to disk is nobody's 250, though the page cache has it and a second fsync() would say
    yes: after a kill, with the pages gone, all that was accepted is there. What was on its way when the disk failed may
    come twice: neither the journal nor the courier has a place where to write that it was taken."""
    disk, platform = crowded.disks["failing"], crowded.platform
    crowded.journal_on("failing", feed="1m")  # until the kill it is in the journal alone
    crowded.platform.gatewayd.start()
    try:
        with Gentle(crowded, "fsync") as load:
            load.more(8)
            disk.fill()
            load.stands_still()
            assert "journal.sync" in platform.gatewayd.log.read_text()
            wait_for(lambda: not crowded.is_ready("journal"), 10, "the journal to be missed")
            assert crowded.ops.series()['sealgate_gateway_journal_faults_total{kind="sync"}'] > 0
            platform.gatewayd.kill()
            disk.empty()
            disk.detach()
            disk.attach()
            crowded.journal_on("failing")
            platform.gatewayd.start()
            recovered = load.more(8, 120)
        load.account(most=2)
        rows(crowded, load)
        print(f"\nfsync failed: {len(load.accepted)} accepted, next eight after {recovered:.1f} s")
    finally:
        disk.empty()
        crowded.journal_on("journal")
        crowded.platform.gatewayd.start()


def test_what_is_tried_again_is_not_sent(crowded):
    """The journal has it as received, and cannot take what would become of it: known in memory alone, it would go
    twice if the machine went down."""
    disk, server, postfix = crowded.disks["failing"], crowded.servers[B], crowded.platform.postfix_in
    field = b"\r\nSubject: again-"
    got = lambda: [m for m in server.mails if field in b"\r\n" + m.head]

    def bring(subject, body="Kia ora.\r\n"):
        crowded.from_outside(f"joe@{OUTSIDE}", [f"ann@{B}"], simple(f"joe@{OUTSIDE}", [f"ann@{B}"], subject, body))
    crowded.journal_on("failing")
    crowded.platform.gatewayd.start()
    server.answer("rcpt", "450 4.2.0 later")
    try:
        for i in range(3):
            bring(f"again-{i}")
        wait_for(lambda: len([q for q in postfix.queue() if q["queue_name"] == "deferred"]) == 3, 60, "three that wait")
        disk.fill()
        since = len(postfix.log.read_text())
        large = base64.encodebytes(os.urandom(200_000)).decode().replace("\n", "\r\n")  # than the room there is in the segment
        wait_for(lambda: bring("told", large) or "452 4.3.1" in crowded.answers(since, "inbound"), 60, "the journal's no", 0.5)
        server.accept_all()
        since = len(postfix.log.read_text())
        postfix.flush_until(lambda: len(crowded.answers(since, "inbound")) >= 8, 60, "all tried again")
        assert got() == []
        disk.empty()
        postfix.flush_until(lambda: len(got()) >= 3, 60, "all three")
        wait_for(lambda: postfix.queue() == [], 60, "an empty queue")
        assert len(got()) == 3
    finally:
        server.accept_all()
        disk.empty()
        crowded.journal_on("journal")
        crowded.platform.gatewayd.start()


def test_a_segment_out_of_a_rescue(crowded):
    """docs/operations/bad-day.md, "The journal's disk is broken": what ddrescue could not read is zeros, and all is fed
    again. gatewayd starts, PostgreSQL gets nothing a second time, mail goes on."""
    platform, gatewayd = crowded.platform, crowded.platform.gatewayd

    def counts():
        return [int(platform.postgresql.rows(f"SELECT count(*) FROM sealgate.{table}")[0][0])
                for table in ("message", "message_recipient", "trace_event")]
    with Gentle(crowded, "before") as load:
        load.more(8)
    load.account()
    rows(crowded, load)
    gatewayd.stop()
    before, folder = counts(), crowded.disks["journal"].path
    segment = max(folder.glob("*.sgj"))  # of the others the originals are not read at a start
    size = segment.stat().st_size
    assert size > 3 * 4096
    with open(segment, "r+b") as f:
        f.seek(size // 2 // 4096 * 4096)
        assert f.read(4096) != bytes(4096)
        f.seek(-4096, 1)
        f.write(bytes(4096))
    (folder / "position").unlink()
    gatewayd.start()
    wait_for(lambda: crowded.is_ready("journal"), 60, "the replay")
    assert crowded.ops.series()['sealgate_gateway_journal_faults_total{kind="damaged"}'] > 0
    assert segment.stat().st_size == size
    assert counts() == before
    with Gentle(crowded, "rescued") as load:
        load.more(4, 60)
    load.account()
    rows(crowded, load)


def test_no_room_for_the_database(crowded):
    """Mail goes on, the journal keeps what PostgreSQL does not take, and hands it on when there is room."""
    disk = crowded.disks["postgresql"]
    log = crowded.platform.gatewayd.log
    since, oldest = log.stat().st_size, "sealgate_gateway_journal_oldest_seconds"
    with Gentle(crowded, "database") as load:
        load.more(8)
        try:
            disk.fill()
            wait_for(lambda: "journal.not-fed" in log.read_text()[since:], 60, "a feed that fails")
            wait_for(lambda: crowded.ops.series()[oldest] > 3, 30, "the age of what is not fed")
            went_on = len(load.arrived())
            load.more(8)
            went_on = len(load.arrived()) - went_on
        finally:
            disk.empty()
        load.more(8, 120)
    load.account()
    rows(crowded, load)
    wait_for(lambda: crowded.ops.series()[oldest] == 0, 30, "nothing that is not fed")
    print(f"\ndatabase full: {len(load.accepted)} accepted, {went_on} went on meanwhile")
