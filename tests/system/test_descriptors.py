"""gatewayd and hsmd run out of file descriptors while mail flows: mail is deferred, nothing is lost or comes twice, no
thread spins, and all goes on by itself when there are some again.

Run with -s for the figures.
"""
import os
import socket
import subprocess
import tempfile
import time

import pytest

from sealgate.ports import PortBlock
from sealgate.process import NotReady, as_user, wait_for
from setting import A, B, C
from test_faults_load import Busy, Load
from test_full_disk import Gentle

TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def spooled():
    """A message's body is never in memory: each takes descriptors while it is on its way."""
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgx", dir="/var/tmp") as folder:
        s = Busy(folder, block, settings={"gatewayd": {"limits.message_memory": "4k", "limits.shared_memory": "0"}})
        try:
            yield s.start()
        finally:
            s.stop()


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def limit_set(part, count, pid=None):
    """Of the process that runs (or of that one of its user), at once."""
    subprocess.run(as_user(["prlimit", f"--pid={pid or part.pid()}", f"--nofile={count}:"], part.uid, part.gid, part.groups),
                   check=True, stdin=subprocess.DEVNULL)


def usual_limit(part):
    with open(f"/proc/{part.pid()}/limits", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("Max open files")).split()[3])


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def calm(pid):
    """How busy it is in the calmest of some spans: who spins is so in all of them, who has had mail again is not."""
    return next((busy for busy in (spin(pid) for _ in range(4)) if busy < 0.5), 1.0)


def spin(pid, seconds=2.0):
    """Of a processor, over that time."""
    used, began = cpu(pid), time.monotonic()
    wait_for(lambda: time.monotonic() - began >= seconds, seconds + 5, "the time")
    return (cpu(pid) - used) / (time.monotonic() - began)


@pytest.mark.parametrize("what, more", [
    pytest.param(what, more, marks=[] if (what, more) in {("gatewayd", 0), ("gatewayd", -20), ("hsmd", 0)}
                 else [pytest.mark.long])
    for what in ("gatewayd", "hsmd") for more in (-20, 0, 1, 2, 3, 5, 8)])
def test_no_descriptors(spooled, what, more):
    """As many as are open at a moment with mail in flight, and some more."""
    part = getattr(spooled.platform, what)
    pid = part.pid()
    usual = usual_limit(part)
    for domain in (A, B, C):
        spooled.servers[domain].pause = 0.05
    try:
        with Gentle(spooled, f"{what}-{more + 100}") as load:
            load.more(8)
            wait_for(lambda: any(spooled.servers[d].in_hand for d in (A, B, C)), 60, "mail in flight", 0.001)
            limit = max(8, descriptors(pid) + more)
            limit_set(part, limit)
            try:
                load.stands_still(1.0, 15)
                still = True
            except NotReady:
                still = False  # with so many it goes on
            busy = calm(pid) if still else 0
            limit_set(part, usual)
            recovered = load.more(8, 120)
        load.account()
    finally:
        limit_set(part, usual)
        for domain in (A, B, C):
            spooled.servers[domain].pause = 0.0
    print(f"\n{what} with {limit} descriptors: {'stood still' if still else 'went on'}, {busy:.0%} of a processor; "
          f"{len(load.accepted)} accepted, next eight after {recovered:.1f} s")
    assert part.pid() == pid and busy < 0.5


def test_many_cannot_be_accepted(spooled):
    """Connections wait to be accepted, to each listener, and there is no descriptor for them."""
    part, port = spooled.platform.gatewayd, spooled.platform.port
    pid = part.pid()
    usual = usual_limit(part)
    limit_set(part, 8)
    clients = []
    try:
        for name in ("outbound", "inbound"):
            clients += [socket.create_connection(("127.0.0.1", port[name]), 5) for _ in range(20)]
        for name in ("policy", "recipients", "bounce"):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(spooled.platform.layout.run / f"{name}.sock"))
            clients.append(client)

        def paused():
            began = part.log.stat().st_size
            return spin(pid) < 0.2 and part.log.read_text()[began:].count("listener.exhausted")
        said = wait_for(paused, 20, "acceptors that pause")  # what was begun before comes to its end
        limit_set(part, usual)
        clients[0].settimeout(10)
        assert clients[0].recv(100).startswith(b"220 ")
    finally:
        limit_set(part, usual)
        for client in clients:
            client.close()
    assert 1 <= said <= 20
    with Load(spooled, "accepted-again") as load:
        load.more(8)
    load.account()
