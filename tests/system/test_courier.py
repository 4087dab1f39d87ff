"""gatewayd's courier is killed, hung, told how much to log and left without file descriptors while mail flows: nothing is lost,
what was not in its hands comes once, and all goes on without a hand. What is killed with it: test_killed.py.

A few rounds in tools/check, many with --long. Run with -s for the figures.
"""
import os
import signal
import tempfile

import pytest

from sealgate.ports import PortBlock
from sealgate.process import courier, gone, program, wait_for
from setting import A, B, C
from test_descriptors import descriptors, limit_set, spin, usual_limit
from test_faults_load import Busy, Load
from test_stop_load import Log

ALIVE = 3  # seconds, of [client] helper_timeout
DEFERRED = " status=deferred "


@pytest.fixture(scope="module")
def busy():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgu", dir="/var/tmp") as folder:
        s = Busy(folder, block, settings={"gatewayd": {"client.helper_timeout": f"{ALIVE}s"}})
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.fixture
def slow(busy):
    """Servers that take a moment for each mail, so that some is in hand."""
    for domain in (A, B, C):
        busy.servers[domain].pause = 0.05
    yield busy
    for domain in (A, B, C):
        busy.servers[domain].pause = 0.0


def pid_of(setting):
    """One is started with the next message where there is none."""
    def there():
        try:
            return courier(setting.platform.gatewayd.pid())
        except ValueError:
            return None
    return wait_for(there, 60, "a courier", 0.01)


def in_hand(setting):
    wait_for(lambda: any(setting.servers[d].in_hand for d in (A, B, C)), 60, "mail in flight", 0.001)


class Deferrals:
    """What both Postfix put off from here on, as they log it."""

    def __init__(self, setting):
        self.parts = (setting.platform.postfix_out, setting.platform.postfix_in)
        self.since = [part.log.stat().st_size for part in self.parts]

    def said(self):
        return [line for part, at in zip(self.parts, self.since)
                for line in part.log.read_text(encoding="utf-8")[at:].splitlines() if DEFERRED in line]


def account(load, under_way):
    """None lost; and how many copies there are beyond one of each: at most of what was under way when it struck."""
    load.account(most=1 + len(under_way))
    more = sum(len(times) - 1 for subject, times in load.setting.copies().items() if subject.startswith(load.name + "-"))
    assert more <= sum(under_way)
    return f"none lost, {more} came again"


@pytest.mark.parametrize("rounds", [4, pytest.param(100, marks=pytest.mark.long)])
def test_killed_under_load(slow, rounds):
    """Nobody heard what became of what was in its hands: that may come again, nothing else does, and all of it comes."""
    gatewayd, under_way = slow.platform.gatewayd.pid(), []
    with Load(slow, f"courier-{rounds}") as load:
        for _ in range(rounds):
            load.more(2, 120)
            pid = pid_of(slow)
            in_hand(slow)
            os.kill(pid, signal.SIGKILL)
            under_way.append(load.under_way())
        load.more(8, 120)
    again = account(load, under_way)
    assert slow.platform.gatewayd.pid() == gatewayd
    print(f"\nkill -9 of sealgate-courier, {rounds} times: {len(load.accepted)} accepted, {load.refused} refused, "
          f"{min(under_way)} to {max(under_way)} in flight, {again}")


def test_hung_for_good(slow):
    """It is noticed and replaced; what was in its hands is deferred with 4.x.x meanwhile, and comes."""
    log, deferrals = Log(slow), Deferrals(slow)
    with Load(slow, "hung") as load:
        load.more(4)
        pid = pid_of(slow)
        in_hand(slow)
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for(lambda: log.of("courier.hung"), 2 * ALIVE + 20, "that it is noticed")
            assert gone(pid) or program(pid) == ""
            under_way = [load.under_way()]
        finally:
            if not gone(pid):
                os.kill(pid, signal.SIGCONT)
        recovered = load.more(8, 120)
    again, said = account(load, under_way), deferrals.said()
    assert said and all("dsn=4." in line for line in said)
    print(f"\na courier that hung for good: {len(load.accepted)} accepted, {load.refused} refused, {len(said)} deferrals, {again}, "
          f"next eight after {recovered:.1f} s")


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_hung_for_a_moment(slow, rounds):
    """Less than the time that it has: it goes on where it was, and nothing comes twice."""
    with Load(slow, f"moment-{rounds}") as load:
        load.more(4)
        pid = pid_of(slow)
        for _ in range(rounds):
            in_hand(slow)
            os.kill(pid, signal.SIGSTOP)
            try:
                load.stands_still(ALIVE / 3)
            finally:
                os.kill(pid, signal.SIGCONT)
            load.more(4)
        assert pid_of(slow) == pid
    load.account()
    print(f"\na courier that hung for a moment, {rounds} times: {len(load.accepted)} accepted, none lost, none twice")


@pytest.mark.parametrize("limit", [4, pytest.param(12, marks=pytest.mark.long), pytest.param(20, marks=pytest.mark.long)])
def test_no_descriptors(busy, limit):
    """Fewer than are open, when its connections are cut: there is none for another connection, nor for another channel. Mail is
    deferred, nothing spins, and all goes on by itself when there are some again."""
    pid, part = pid_of(busy), busy.platform.gatewayd
    usual, deferrals = usual_limit(part), Deferrals(busy)
    with Load(busy, f"few-{limit}") as load:
        load.more(4)
        assert descriptors(pid) > limit
        limit_set(part, limit, pid)
        try:
            for domain in (A, B, C):
                busy.servers[domain].stop()
                busy.servers[domain].start()
            under_way = [load.under_way()]
            load.stands_still(1.0, 60)
            used = spin(pid, 1.0)
        finally:
            limit_set(part, usual, pid)
        recovered = load.more(8, 120)
        assert pid_of(busy) == pid
    again, said = account(load, under_way), deferrals.said()
    assert said and all("dsn=4." in line for line in said)
    print(f"\na courier with {limit} descriptors: stood still, {used:.0%} of a processor; {len(load.accepted)} accepted, "
          f"{len(said)} deferrals, {again}, next eight after {recovered:.1f} s")
    assert used < 0.5


def test_told_how_much_to_log(busy):
    """By gatewayd's SIGHUP, at once: that it is alone is a warning, and shows or does not."""
    gatewayd = busy.platform.gatewayd
    path = busy.platform.layout.etc / "gatewayd.conf"
    usual = path.read_text(encoding="utf-8")
    try:
        for level, told in (("error", False), ("info", True)):
            log = Log(busy)
            path.write_text(usual.replace("level = info", f"level = {level}"), encoding="utf-8")
            os.kill(gatewayd.pid(), signal.SIGHUP)
            wait_for(lambda: log.of("reloaded"), 10, "the reload")
            pid = pid_of(busy)
            gatewayd.kill()
            wait_for(lambda: gone(pid) or not program(pid), 30, "its end")
            assert bool(log.of("courier.alone")) == told
            path.write_text(usual, encoding="utf-8")
            gatewayd.start()
    finally:
        path.write_text(usual, encoding="utf-8")
