"""Parts that are stopped, hung and killed while mail flows both ways: every accepted message arrives, and once; nothing
leaves in the clear; what was brought back serves again without a hand. Invariants 1 and 2 of the architecture.

A directory or a CA that goes is felt by mail to members that nobody has written to yet: it waits, and no other does.

A few faults and rounds of kill -9 in tools/check, all of them with --long. Run with -s for the figures.
"""
import collections
import itertools
import math
import os
import re
import shutil
import signal
import smtplib
import statistics
import tempfile
import threading
import time

import pytest

from members import Members
from sealgate.layout import GROUP, HSM
from sealgate.mailserver import HANG, MailServer
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import NotReady, children, wait_for
from setting import A, B, C, FROM_A, FROM_B, OUTSIDE, Setting, simple

MARK = "Plaintext-Marker-4711"
SUBJECT = re.compile(rb"(?:^|\r\n)Subject: (\S+)")
MARKED = re.compile(MARK.encode() + rb"-(\S+)\r\n")


class SlowServer(MailServer):
    """Takes its time for each mail, and knows how many it has in hand."""

    pause = 0.0
    in_hand = 0

    def verdict(self, mail):
        with self._lock:
            self.in_hand += 1
        time.sleep(self.pause)
        with self._lock:
            self.in_hand -= 1


class Busy(Setting):
    def __init__(self, folder, block, routes=None, **more):
        super().__init__(folder, block, routes, **more)
        for domain in (A, B, C):
            usual = self.servers[domain]
            self.servers[domain] = SlowServer(usual.port, usual.folder)

    def queued(self):
        platform = self.platform
        return platform.postfix_out.queue() + platform.postfix_in.queue()

    def copies(self):
        """Subject → when each copy came to a customer's server, or to that of the members elsewhere."""
        found = collections.defaultdict(list)
        for where in {A, B, C, "members"} & self.servers.keys():
            for mail in self.servers[where].mails:
                found[SUBJECT.search(mail.head)[1].decode()].append(mail.received_at)
        return found

    def in_the_clear(self, name):
        """What passed the wire, or reached somebody outside, with the text of that load."""
        mark = f"{MARK}-{name}-".encode()
        return ([raw for _, raw in self.tap.messages if mark in raw]
                + [mail.raw for where in {OUTSIDE, "members"} & self.servers.keys()
                   for mail in self.servers[where].mails if mark in mail.raw])


class Faulty(Busy):
    """hsmd is on a module with faults (tests/unit/hsm/p11_faults.c)."""

    def __init__(self, folder, block, routes=None, *, settings=None, **more):
        module = f"{folder}/p11-faults.so"
        settings = settings or {}
        super().__init__(folder, block, routes, **more, settings={
            **settings, "hsmd": {"pkcs11.module": module, **settings.get("hsmd", {})}})
        os.chmod(folder, 0o755)
        shutil.copy(self.platform.build / "tests/p11-faults.so", module)
        self.faults = self.platform.layout.dir / "faults/fault"
        self.faults.parent.mkdir(mode=0o755, parents=True)
        os.chown(self.faults.parent, HSM, GROUP)
        self.platform.hsmd.env["SG_FAULT_FILE"] = str(self.faults)

    def fault(self, name):
        """Strikes with the next call."""
        hung = self.faults.with_name("fault.hung")
        hung.unlink(missing_ok=True)
        temporary = self.faults.with_name("new")
        temporary.write_text(name, encoding="ascii")
        temporary.rename(self.faults)
        wait_for(hung.exists, 60, "a call that hangs")

    def operations(self):
        """How many hsmd has at the module, by its own count."""
        return Ops(self.platform.layout.ops("hsmd")).series()['sealgate_hsm_sessions{state="busy"}']

    def stop(self):
        self.faults.unlink(missing_ok=True)
        super().stop()


class Load:
    """Customers of A and B who write to B, A and C, one mail after the other, until the end of the block."""

    WAYS = ((A, FROM_A, B), (B, FROM_B, A), (A, FROM_A, C), (A, FROM_A, B))

    def __init__(self, setting, name):
        self.setting, self.name = setting, name
        self.accepted = {}
        self.refused = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(i, *way)) for i, way in enumerate(self.WAYS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number, author, source, to):
        count = 0
        while not self._stop.is_set():
            count += 1
            if not self.write(f"{self.name}-{number}-{count}", author, source, to):
                self._stop.wait(0.2)
            self.between(number)

    def write(self, subject, author, source, to):
        """Was it accepted?"""
        sender, recipient = f"joe@{author}", f"ann@{to}"
        message = simple(sender, [recipient], subject, f"{MARK}-{subject}\r\n" + 40 * ("x" * 70 + "\r\n"))
        try:
            self.setting.submit(sender, [recipient], message, source=source)
        except (OSError, smtplib.SMTPException):
            self.refused += 1  # it may arrive, if the reply was lost, but not twice
            return False
        self.accepted[subject] = time.time()
        return True

    def between(self, number):
        """The pause of a writer before its next mail."""
        self._stop.wait(0.02)

    def arrived(self):
        copies = self.setting.copies()
        return [subject for subject in list(self.accepted) if subject in copies]

    @staticmethod
    def number(subject):
        return int(subject.rsplit("-", 2)[1])

    def of(self, *numbers):
        """When each of these writers' mails that arrived was accepted, and how long it took, in seconds."""
        copies = self.setting.copies()
        return [(at, copies[s][0] - at) for s, at in list(self.accepted.items())
                if self.number(s) in numbers and s in copies]

    def under_way(self):
        return len(self.accepted) - len(self.arrived())

    def more(self, count, timeout=60):
        """Waits until so many more have arrived; how long it took."""
        began, wanted = time.monotonic(), len(self.arrived()) + count
        wait_for(lambda: len(self.arrived()) >= wanted, timeout, f"{count} more mails", 0.1)
        return time.monotonic() - began

    def stands_still(self, seconds=2.0, timeout=60, each=lambda: None):
        """Waits until nothing has arrived for so long, although there is mail to be sent on or to be taken; each() is
        done at each look."""
        last = {"count": -1, "at": 0.0}

        def still():
            each()
            count = len(self.arrived())
            if count != last["count"]:
                last.update(count=count, at=time.monotonic())
            return time.monotonic() - last["at"] >= seconds
        wait_for(still, timeout, "mail to stand still", 0.1)

    def account(self, most=1, held=0):
        """Message by message, once all is quiet: each came, and once (at most so often); so many are held, of others."""
        try:
            wait_for(lambda: self.under_way() == 0 and not self.setting.queued(), 120, "every message", 0.3)
        except NotReady:
            missing = sorted(set(self.accepted) - set(self.arrived()))
            queued = self.setting.queued()
            raise AssertionError(f"{len(missing)} missing of {len(self.accepted)}: {missing[:5]}; "
                                 f"{len(queued)} queued: {queued[:3]}") from None
        twice = {s: times for s, times in self.setting.copies().items()
                 if s.startswith(self.name + "-") and len(times) > most}
        assert not twice, twice
        assert self.setting.in_the_clear(self.name) == []
        assert sum(len(organisation.held(state="held")) for organisation in (self.setting.a, self.setting.b)) == held

    def proved(self):
        """Sendings that were in doubt after a kill, and were not repeated: their courier had heard the answer."""
        return int(self.setting.platform.postgresql.rows(
            "SELECT count(*) FROM trace_event t JOIN message m ON m.id = t.msg_id AND m.received_at = t.received_at "
            f"WHERE t.step = 'not-sent-again' AND m.message_id LIKE '{self.name}-%'")[0][0])


NEWCOMERS = 24  # more than the mails that Postfix hands on at a time (20), and than a directory is asked at a time (4)
QUESTION = 3  # seconds, for a directory's answer and for a revocation list
NEEDED = {"directory": 'sealgate_gateway_directories{state="away"}',  # by new partners, and where it is seen to be missing
          "refca": 'sealgate_gateway_crls{state="failing"}'}


class Elsewhere(Members, Faulty):
    """… and members elsewhere, some for each way in which what they need can go."""

    def __init__(self, folder, block):
        self.new = {(what, how): [f"{what}-{how}-{i}.test" for i in range(NEWCOMERS)]
                    for what in NEEDED for how in ("stop", "hang")}
        super().__init__(folder, block, sum(self.new.values(), []), {
            "hold.discover": "1s", "certificates.ldap_timeout": f"{QUESTION}s", "certificates.ldap_pause": "1s",
            "certificates.crl_timeout": f"{QUESTION}s", "certificates.crl_retry": "100ms"})

    def join(self, what, how):
        """The domains of new members. What a CA that goes has to be asked for is a list that nobody has fetched yet."""
        point = self.platform.refca.crl_url
        self.newcomers(self.new[what, how], points=[f"{point}?{how}" if what == "refca" else point])
        return self.new[what, how]

    def away(self, what):
        return Ops(self.platform.layout.ops("gatewayd")).series()[NEEDED[what]] > 0

    def waiting(self):
        """Held mail: the domain that it is for."""
        return sorted(row["recipient_domain"] for one in (self.a, self.b) for row in one.held(state="held"))

    def opened(self, domain):
        """What came for that member, opened with its key: the text's first lines."""
        return sorted(MARKED.search(self.members[domain].open(mail.raw))[1].decode()
                      for mail in self.outside.mails if mail.recipients == [f"ann@{domain}"])


@pytest.fixture(scope="module")
def busy():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        s = Elsewhere(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


class NextHop:
    """The customer's server of B, as a part among the others."""

    def __init__(self, setting):
        self.server = setting.servers[B]

    def stop(self):
        self.server.stop()

    def start(self):
        self.server.accept_all()
        self.server.start()

    def hang(self):
        for stage in ("connect", "data"):
            self.server.answer(stage, HANG)

    def thaw(self):
        self.server.stop()  # what hangs at it is cut off, as at the end of a process
        self.start()


class Part:
    """A process of the platform, with those below it."""

    def __init__(self, part):
        self.part, self.frozen = part, []

    def stop(self):
        self.part.stop()

    def start(self):
        self.part.start()

    def hang(self):
        pid = self.part.pid()
        self.frozen = [pid, *children(pid)]
        self._signal(signal.SIGSTOP)

    def thaw(self):
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        for pid in self.frozen:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


def part_of(setting, what):
    return NextHop(setting) if what == "next-hop" else Part(getattr(setting.platform, what))


SHORT = {("postgresql", "hang"), ("hsmd", "stop"), ("next-hop", "hang")}


@pytest.mark.parametrize("what, how", [
    pytest.param(what, how, marks=[] if (what, how) in SHORT else [pytest.mark.long])
    for what in ("postgresql", "hsmd", "directory", "next-hop", "refca") for how in ("stop", "hang")])
def test_a_part_goes_and_comes_back(busy, what, how):
    part, back = part_of(busy, what), {"stop": "start", "hang": "thaw"}[how]
    with Load(busy, f"{what}-{how}") as load:
        load.more(8)
        getattr(part, how)()
        try:
            if what == "next-hop":  # one customer's server takes nobody else's mail away
                others = len(busy.servers[A].mails) + len(busy.servers[C].mails)
                wait_for(lambda: len(busy.servers[A].mails) + len(busy.servers[C].mails) > others + 8, 30,
                         "mail to the others")
            elif what in ("directory", "refca"):  # what is known serves
                load.more(8)
            else:
                load.stands_still()  # the fault is felt: without this part no mail goes out or in
        finally:
            getattr(part, back)()
        recovered = load.more(8, 120)
    load.account()
    print(f"\n{what} {how}: {len(load.accepted)} accepted, {load.refused} refused, next eight after {recovered:.1f} s")


class Acquainting(Load):
    """… and a mail to each of some members, by A and B in turn. Not as much as the machine can do: the mail that takes its
    time is to wait for what is away, and not for a processor."""

    USUAL, NEW = range(len(Load.WAYS)), len(Load.WAYS)

    def __init__(self, setting, name):
        super().__init__(setting, name)
        self.written = {}

    def between(self, number):
        self._stop.wait(0.3)

    def write_to(self, domains):
        """… one each; all of them so far are in .written, the domain by the subject."""
        for domain in domains:
            subject = f"{self.name}-{self.NEW}-{len(self.written)}"
            assert self.write(subject, *((A, FROM_A), (B, FROM_B))[len(self.written) % 2], domain)
            self.written[subject] = domain

    def held(self):
        """Is all of that held?"""
        assert self.setting.in_the_clear(self.name) == []
        return self.setting.waiting() == sorted(self.written.values())

    def usual(self, since=0.0, until=math.inf):
        """How long each of the usual mails took that were accepted in that time."""
        return [took for at, took in self.of(*self.USUAL) if since < at < until]


def figures(times):
    return f"{statistics.median(times):.2f} s, at most {max(times):.2f} s ({len(times)})"


@pytest.mark.parametrize("what, how", [
    pytest.param(what, how, marks=[] if (what, how) == ("directory", "hang") else [pytest.mark.long])
    for what in NEEDED for how in ("hang", "stop")])
def test_what_new_partners_need_goes_and_comes_back(busy, what, how):
    """Their mail is held and then goes by itself. The first of it may take all of Postfix's connections to gatewayd for the
    time of one question, and the usual mail waits so long; from then on it is known that nobody answers, one asks whether
    that is still so, and nobody else waits, however much more mail comes that needs it."""
    part, back, domains = part_of(busy, what), {"stop": "start", "hang": "thaw"}[how], busy.join(what, how)
    with Acquainting(busy, f"new-{what}-{how}") as load:
        load.more(20)
        assert not busy.away(what)
        before = load.usual()
        getattr(part, how)()
        try:
            gone = time.time()
            load.write_to(domains)
            wait_for(lambda: busy.away(what), 20, f"the {what} to be missed")
            wait_for(load.held, 60, "the new partners' mail to be held")
            known = time.time()
            load.write_to(2 * domains)
            wait_for(load.held, 60, "their further mail to be held")
            wait_for(lambda: len(load.usual(known)) >= 20, 30, "the usual mail")
            assert load.held() and load.of(load.NEW) == [] and busy.away(what)
        finally:
            returned = time.time()
            getattr(part, back)()
        wait_for(lambda: len(load.of(load.NEW)) == len(load.written), 60, "the new partners' mail")
        recovered = time.time() - returned
        wait_for(lambda: not busy.away(what), 30, f"the {what} to be seen again")
    load.account()
    for domain in domains:
        assert busy.opened(domain) == sorted(subject for subject, to in load.written.items() if to == domain)
    meanwhile, later = load.usual(gone, returned), load.usual(known, returned)
    print(f"\n{what} {how}: the usual mail took {figures(before)}; meanwhile {figures(meanwhile)}, once "
          f"that was known {figures(later)}; new partners' came after {recovered:.1f} s")
    assert max(meanwhile) < max(before) + QUESTION + 2
    assert statistics.median(later) < statistics.median(before) + 1 and max(later) < max(before) + QUESTION - 1


@pytest.mark.parametrize("what, rounds", [
    ("gatewayd", 4), ("hsmd", 3), pytest.param("gatewayd", 100, marks=pytest.mark.long),
    pytest.param("hsmd", 100, marks=pytest.mark.long)])
def test_killed_with_mail_in_flight(busy, what, rounds):
    """Of hsmd: amid operations that have begun in its module, and do not come back before the kill."""
    part = getattr(busy.platform, what)
    for domain in (A, B, C):
        busy.servers[domain].pause = 0.05
    in_flight, operations, calls = [], [], itertools.cycle(("sign", "decrypt"))
    try:
        with Load(busy, f"kill-{what}-{rounds}") as load:
            for _ in range(rounds):
                load.more(2, 120)
                # Mail is at a customer's server, which has not answered, or on its way to it.
                wait_for(lambda: load.under_way() and any(busy.servers[d].in_hand for d in (A, B, C)), 60,
                         "mail in flight", 0.001)
                if what == "hsmd":
                    busy.fault(f"hang {next(calls)}")
                    operations.append(busy.operations())
                in_flight.append(load.under_way())
                part.kill()
                busy.faults.unlink(missing_ok=True)
                part.start()
            load.more(8, 120)
    finally:
        busy.faults.unlink(missing_ok=True)
        for domain in (A, B, C):
            busy.servers[domain].pause = 0.0
    load.account()
    assert min(in_flight) >= 1 and min(operations, default=1) >= 1, (in_flight, operations)
    print(f"\nkill -9 of {what}, {rounds} times: {len(load.accepted)} accepted, {load.refused} refused, "
          f"{min(in_flight)} to {max(in_flight)} in flight, operations of hsmd {operations}, none lost, none twice, "
          f"{load.proved()} proved")
