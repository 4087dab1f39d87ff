"""gatewayd is stopped and reloaded while mail flows: what is in work comes to its end or waits in Postfix, nothing is
lost, nothing comes twice, and the stop is over in the time that it has, whatever hangs.

Run with -s for the figures.
"""
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

import pytest
from conftest import BUILD

from sealgate.mailserver import HANG
from sealgate.ports import PortBlock
from sealgate.process import as_user, gone, wait_for
from setting import A, B, C
from test_faults_load import Busy, Load, part_of

GRACE = 12 if "tsan" in BUILD.name else 2  # seconds, of [gateway] stop_grace; what hangs is cut off 5 s later
LIMIT = GRACE + 5


@pytest.fixture(scope="module")
def busy():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgt", dir="/var/tmp") as folder:
        s = Busy(folder, block, settings={"gatewayd": {"gateway.stop_grace": f"{GRACE}s"}})
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.fixture(autouse=True)
def runs(busy):
    """A test that failed leaves it stopped."""
    yield
    if busy.platform.gatewayd.pid() is None:
        busy.platform.gatewayd.start()


class Log:
    """What gatewayd logs from here on."""

    def __init__(self, setting):
        self.path = setting.platform.gatewayd.log
        self.start = self.path.stat().st_size

    def events(self):
        with open(self.path, "rb") as f:
            f.seek(self.start)
            return [json.loads(line) for line in f.read().decode().splitlines(keepends=True)
                    if line.startswith("{") and line.endswith("\n")]

    def of(self, event):
        return [e for e in self.events() if e["event"] == event]


def stopped(setting, within, each=lambda: None):
    """SIGTERM, and waits for the end; how long it took."""
    gatewayd = setting.platform.gatewayd
    pid, began = gatewayd.pid(), time.monotonic()
    os.kill(pid, signal.SIGTERM)

    def over():
        each()
        return gone(pid)
    wait_for(over, within, "the end of gatewayd", 0.02)
    return time.monotonic() - began


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_stopped_with_mail_in_work(busy):
    """What is in work is finished, and nothing new begun."""
    took = []
    for domain in (A, B, C):
        busy.servers[domain].pause = 0.5
    try:
        with Load(busy, "stop") as load:
            for _ in range(3):
                load.more(2, 60)
                wait_for(lambda: any(busy.servers[d].in_hand for d in (A, B, C)), 60, "mail in flight", 0.001)
                log = Log(busy)
                took.append(stopped(busy, GRACE))
                assert log.of("stopped") and not log.of("stopped-in-flight") and not log.of("listener.cut")
                busy.platform.gatewayd.start()
            for domain in (A, B, C):
                busy.servers[domain].pause = 0.0
            load.more(8, 60)
    finally:
        for domain in (A, B, C):
            busy.servers[domain].pause = 0.0
    load.account()
    print(f"\nstopped in {', '.join(f'{t:.2f}' for t in took)} s; {len(load.accepted)} accepted, "
          f"{load.refused} refused")


@pytest.mark.parametrize("signals", [3, pytest.param(1, marks=pytest.mark.long)])
def test_stopped_while_a_server_hangs(busy, signals):
    """Both listeners refuse from the first moment on, others' mail in work is finished, the grace is one for all, and
    further signals change nothing."""
    server, port = busy.servers[B], busy.platform.port
    with Load(busy, f"stop-hang-{signals}") as load:
        load.more(4)
        before = server.log.count("DATA")
        server.answer("data", HANG)
        wait_for(lambda: server.log.count("DATA") > before, 30, "a delivery that hangs")
        log, pid = Log(busy), busy.platform.gatewayd.pid()
        sent = []

        def each():
            if len(sent) < signals - 1:
                sent.append(os.kill(pid, signal.SIGTERM))
            elif log.of("stopping") and not gone(pid):
                wait_for(lambda: refused(port["outbound"]) and refused(port["inbound"]), 1, "refusals")
        took = stopped(busy, LIMIT + 2, each)
        assert took >= GRACE
        server.stop()
        server.accept_all()
        server.start()
        busy.platform.gatewayd.start()
        load.more(8, 60)
    load.account()
    print(f"\n{signals} signals: stopped in {took:.2f} s")


@pytest.mark.parametrize("what", ["postgresql", "hsmd"])
def test_stopped_while_a_part_hangs(busy, what):
    part = part_of(busy, what)
    with Load(busy, f"stop-{what}") as load:
        load.more(4)
        part.hang()
        try:
            load.stands_still()
            took = stopped(busy, LIMIT + 2)
        finally:
            part.thaw()
        busy.platform.gatewayd.start()
        load.more(8, 60)
    load.account()
    print(f"\nstopped in {took:.2f} s while {what} hung")


def errors(setting):
    """So many that a warning is logged."""
    with socket.create_connection(("127.0.0.1", setting.platform.port["inbound"]), 10) as client:
        client.sendall(100 * b"nonsense\r\n")
        said = b""
        while b"421 " not in said:
            said += client.recv(65536)


def test_reloaded_under_load(busy):
    """Nothing is lost or comes twice; the level of the log changes, what needs a restart is named, and a bad file changes nothing."""
    gatewayd = busy.platform.gatewayd
    path = busy.platform.layout.etc / "gatewayd.conf"
    usual, pid = path.read_text(), gatewayd.pid()

    def reload(text):
        path.write_text(text)
        log = Log(busy)
        os.kill(pid, signal.SIGHUP)
        return log, wait_for(lambda: log.of("reloaded") + log.of("reload.failed"), 5, "the reload")[0]
    try:
        with Load(busy, "reload") as load:
            load.more(4)
            log, said = reload(usual.replace("level = info", "level = error") + "\n[limits]\nconnections = 7\n")
            assert said["event"] == "reloaded" and said["needs_restart"] == "limits.connections"
            errors(busy)
            assert not log.of("smtp.errors")
            log, said = reload(usual + "\n[nonsense]\n")
            assert said["event"] == "reload.failed" and "nonsense" in said["detail"]
            errors(busy)
            assert not log.of("smtp.errors")
            log, said = reload(usual)
            assert said["event"] == "reloaded" and "needs_restart" not in said
            errors(busy)
            assert log.of("smtp.errors")
            for _ in range(20):
                os.kill(pid, signal.SIGHUP)
                load.more(1)
    finally:
        path.write_text(usual)
    load.account()
    assert gatewayd.pid() == pid


def test_started_beside_the_one_that_runs(busy):
    """It says what is in use and ends; the first one does not notice."""
    gatewayd = busy.platform.gatewayd
    with Load(busy, "beside") as load:
        load.more(4)
        result = subprocess.run(as_user(gatewayd.command, gatewayd.uid, gatewayd.gid, gatewayd.groups), cwd="/",
                                capture_output=True, text=True, timeout=20, check=False)
        said = [json.loads(line) for line in result.stderr.splitlines()][-1]
        assert result.returncode == 1
        assert said["event"] == "start.failed" and "is in use by another process" in said["detail"]
        load.more(4)
    load.account()
