"""More connections than gatewayd takes, and those that it keeps: the limits at their edge, who is beyond them gets a clear
answer, the other sockets are served meanwhile, and a kept connection that the other end has closed costs nobody a deferral.

Run with -s for the figures.
"""
import os
import socket
import tempfile
import threading
import time

import pytest

from sealgate.mailserver import HANG
from sealgate.ports import PortBlock
from sealgate.process import courier, wait_for
from setting import A, B, C, FROM_A, simple
from test_faults_load import Busy, Load

MOST = 12          # [limits] connections, of each listener
COMMAND, DATA = 1.5, 3.0  # seconds
IDLE = 2.0
MESSAGE = 5        # [limits] message_time


@pytest.fixture(scope="module")
def bounded():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgc", dir="/var/tmp") as folder:
        s = Busy(folder, block, settings={"gatewayd": {
            "limits.connections": MOST, "limits.command_timeout": f"{int(COMMAND * 1000)}ms",
            "limits.data_timeout": f"{int(DATA * 1000)}ms", "client.idle": f"{int(IDLE * 1000)}ms",
            "limits.message_time": f"{MESSAGE}s", "client.command_timeout": f"{MESSAGE + 1}s"}})
        try:
            yield s.start()
        finally:
            s.stop()


class Client:
    """LMTP by hand."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.said = b""

    def until(self, what, timeout=10):
        """Reads until that stands in what it said; how long it took."""
        began = time.monotonic()
        self.socket.settimeout(timeout)
        while what not in self.said:
            more = self.socket.recv(4096)
            if not more:
                raise EOFError(self.said)
            self.said += more
        return time.monotonic() - began

    def say(self, *lines):
        self.socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def ended(self, timeout=10):
        self.socket.settimeout(timeout)
        while more := self.socket.recv(4096):
            self.said += more
        self.socket.close()
        return self.said

    def close(self):
        self.socket.close()


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def held(port, count):
    """So many that the listener has greeted and that say something now and then."""
    clients = []
    while len(clients) < count:
        client = Client(port)
        try:
            client.until(b"220 ")
            clients.append(client)
        except EOFError:  # Postfix's have not ended yet
            assert client.said.startswith(b"421 4.3.2 ")
    return clients


def asked(setting, name, request):
    """An answer of a policy service."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(setting.platform.layout.run / f"{name}.sock"))
        s.sendall(request)
        return s.recv(4096)


def test_connections_at_their_edge(bounded):
    """The last one that is taken is served, the next gets 421 4.3.2 and the end, and takes the place of one that goes."""
    port = bounded.platform.port["inbound"]
    clients = held(port, MOST)
    try:
        assert Client(port).ended().startswith(b"421 4.3.2 ")
        clients[-1].say(b"LHLO x")
        clients[-1].until(b"250 ")
        clients.pop().close()
        clients += held(port, 1)
    finally:
        for client in clients:
            client.close()


def test_time_of_a_command_and_of_content(bounded):
    port = bounded.platform.port["inbound"]
    slow = Client(port)
    slow.until(b"220 ")
    took = slow.until(b"421 4.4.2 ")
    assert COMMAND - 0.1 <= took < COMMAND + 2 and slow.ended()
    dripping = Client(port)
    dripping.until(b"220 ")
    began = time.monotonic()
    with pytest.raises((EOFError, OSError)):
        while time.monotonic() - began < 20:
            dripping.socket.sendall(b"x")
            dripping.socket.settimeout(0.2)
            try:
                if not dripping.socket.recv(4096):
                    raise EOFError
            except TimeoutError:
                pass
    assert time.monotonic() - began < COMMAND + 3
    content = Client(port)
    content.say(b"LHLO x", b"MAIL FROM:<a@b.test>", f"RCPT TO:<ann@{B}>".encode(), b"DATA")
    content.until(b"354 ")
    began = time.monotonic()
    with pytest.raises((EOFError, OSError)):
        while time.monotonic() - began < 20:
            content.socket.sendall(b"x: y\r\n")
            content.socket.settimeout(0.2)
            try:
                more = content.socket.recv(4096)
                content.said += more
                if not more:
                    raise EOFError
            except TimeoutError:
                pass
    took = time.monotonic() - began
    assert b"421 4.4.2 " in content.said and DATA - 0.5 <= took < DATA + 3


@pytest.mark.parametrize("second", ("ann", "domain-certificate-answer"))
def test_time_of_a_message(bounded, second):
    """The first recipient's server hangs until the message's time is up: the second one's is not begun with, nor what the
    gateway itself would take, and both wait."""
    client = Client(bounded.platform.port["inbound"])
    bounded.servers[B].answer("connect", HANG)
    try:
        client.say(b"LHLO x", b"MAIL FROM:<a@outside.test>", f"RCPT TO:<ann@{B}>".encode(), f"RCPT TO:<{second}@{C}>".encode(),
                   b"DATA")
        client.until(b"354 ")
        client.said = b""
        client.say(simple("a@outside.test", [f"ann@{B}"], "too-late"), b".", b"QUIT")
        assert client.ended(30).startswith(b"451 4.4.1 no connection to the next hop\r\n451 4.4.2 timed out\r\n221 ")
    finally:
        bounded.servers[B].accept_all()
        bounded.servers[B].stop()
        bounded.servers[B].start()
    assert not [mail for mail in bounded.servers[C].mails if b"too-late" in mail.head]


def test_what_postfix_gave_up_waiting_for_goes_once(bounded):
    """lmtp_data_done_timeout: the customer's server has the mail and takes its time, Postfix is gone. The outcome counts, and
    the next try of that queue id waits for it and is told."""
    server, taken, answer = bounded.servers[B], threading.Event(), threading.Event()
    usual, message = server.verdict, simple("a@outside.test", [f"ann@{B}"], "given-up")

    def handed_on():
        client = Client(bounded.platform.port["inbound"])
        client.say(b"LHLO x", b"XFORWARD IDENT=3GivenUp ADDR=192.0.2.1", b"MAIL FROM:<a@outside.test>",
                   f"RCPT TO:<ann@{B}>".encode(), b"DATA")
        client.until(b"354 ")
        client.said = b""
        client.say(message, b".", b"QUIT")
        return client

    def slow(mail):
        taken.set()
        answer.wait(30)
        return usual(mail)

    server.verdict = slow
    try:
        first = handed_on()
        assert taken.wait(10)
        first.close()
        again = handed_on()
        with pytest.raises(TimeoutError):
            again.until(b"\r\n", 1)
        answer.set()
        assert b"was seen to before" in again.ended(20)
    finally:
        answer.set()
        server.verdict = usual
    assert len([mail for mail in server.mails if b"given-up" in mail.head]) == 1


def test_many_more_than_it_takes(bounded):
    """Somebody opens connections without end; mail comes between, nothing is lost, and gatewayd does not grow."""
    platform, pid = bounded.platform, bounded.platform.gatewayd.pid()
    ports = [platform.port["inbound"], platform.port["outbound"]]
    begin = threads(pid), resident(pid)
    most = list(begin)
    turned_away = taken = 0
    with Load(bounded, "many") as load:
        load.more(4)
        crowd, began = [], time.monotonic()
        while time.monotonic() - began < 6:
            for port in ports:
                try:
                    crowd.append(Client(port))
                except OSError:
                    turned_away += 1
            most = [max(most[0], threads(pid)), max(most[1], resident(pid))]
            if len(crowd) >= 150:
                assert asked(bounded, "policy", b"request=smtpd_access_policy\nprotocol_state=DATA\n\n").startswith(b"action=")
                assert asked(bounded, "recipients", b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=postmaster@"
                             + B.encode() + b"\n\n").startswith(b"action=")
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(10)
                    s.connect(str(platform.layout.run / "bounce.sock"))
                    assert s.recv(100).startswith(b"220 ")
                for client in crowd:
                    client.close()
                taken += len(crowd)
                crowd = []
        for client in crowd:
            client.close()
        load.more(8, 60)
    load.account()
    print(f"\n{taken} connections: threads {begin[0]} to {most[0]}, {begin[1]} to {most[1]} MiB")
    assert most[0] <= begin[0] + 2 * MOST + 10 and most[1] <= begin[1] + 32


def peers(pid, port):
    """Established connections of the process to that port of this host."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return [r[1] for r in rows if r[9] in inodes and int(r[2].rpartition(":")[2], 16) == port and r[3] == "01"]


def write(setting, subject, to=C):
    setting.submit(f"joe@{A}", [f"ann@{to}"], simple(f"joe@{A}", [f"ann@{to}"], subject), source=FROM_A)
    return setting.arrived(to, subject)


def test_connections_are_kept_and_dropped(bounded):
    """One to the customer's server and one to Postfix for several mails; none once nobody needs them."""
    pid, port = courier(bounded.platform.gatewayd.pid()), bounded.platform.port
    seen = set()
    wait_for(lambda: not peers(pid, bounded.c_port) and not peers(pid, port["reentry"]), IDLE + 5, "no connections")
    for i in range(4):
        write(bounded, f"kept-{i}")
        seen.add((tuple(peers(pid, bounded.c_port)), tuple(peers(pid, port["reentry"]))))
    assert len(seen) == 1 and all(len(kept) == 1 for kept in next(iter(seen)))
    began = time.monotonic()
    wait_for(lambda: not peers(pid, bounded.c_port) and not peers(pid, port["reentry"]), IDLE + 5, "the end of idle ones")
    assert time.monotonic() - began > IDLE - 1


def closed_by_the_server(setting):
    server = setting.servers[C]
    server.stop()
    server.start()


def closed_by_postfix(setting):
    setting.platform.postfix_out.run("postfix", "reload")


def closed_by_postgresql(setting):
    setting.platform.postgresql.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sg_gateway'")


def closed_by_hsmd(setting):
    setting.platform.hsmd.stop()
    setting.platform.hsmd.start()


@pytest.mark.parametrize("close", [closed_by_the_server, closed_by_postfix, closed_by_postgresql, closed_by_hsmd])
def test_a_kept_connection_was_closed(bounded, close):
    """Between two mails: the next one comes at once, once, and nothing was deferred for it."""
    platform = bounded.platform
    logs = [platform.postfix_out.log, platform.postfix_in.log]
    write(bounded, f"before-{close.__name__}")
    wait_for(lambda: not bounded.queued(), 10, "its reply")
    since = [log.stat().st_size for log in logs]
    close(bounded)
    for i in range(3):
        assert len(write(bounded, f"after-{close.__name__}-{i}")) == 1
    wait_for(lambda: not bounded.queued(), 10, "an empty queue")
    assert not [line for log, at in zip(logs, since) for line in log.read_text()[at:].splitlines() if "status=deferred" in line]
    assert all(len(bounded.arrived(C, f"after-{close.__name__}-{i}")) == 1 for i in range(3))
