"""One customer's server is slow or hung, in each way that a server can be: everybody else's mail goes on as if
nothing were, and what is for him waits, comes when he is back, and once.

Run with -s for the figures.
"""
import contextlib
import os
import signal
import socket
import statistics
import tempfile
import time

import pytest

from sealgate import mailserver
from sealgate.mailserver import HANG
from sealgate.ports import PortBlock
from sealgate.process import children, courier, wait_for
from setting import A, B, C, FROM_A, FROM_B, OUTSIDE, simple
from test_connections import peers
from test_faults_load import Busy, Load, SlowServer

SHARED = 12  # [client] connections
FLOOD = 60  # mails for each slow one that are under way: more than slots, and than Postfix's connections


class Dripping(SlowServer):
    """Can answer an octet at a time, a second apart: there is always something to be read, and never an end."""

    dripping = False

    def _session(self, client):
        session = mailserver._Session(self, client)
        usual = session.say

        def say(text):
            if not self.dripping:
                return usual(text)
            for octet in text.encode() + b"\r\n":
                session.socket.sendall(bytes([octet]))
                time.sleep(1 if self.dripping else 0)
        session.say = say
        try:
            session.run()
        except (OSError, EOFError):
            pass
        finally:
            with self._lock:
                self._sockets.discard(client)
            session.close()


class Several(Busy):
    """Postfix "in" has connections for little more than gatewayd shares among the next hops. It tries again not quite as
    often as in other tests (5 minutes on a real host), so that the tries do not take all of a small machine."""

    def __init__(self, folder, block):
        super().__init__(folder, block,
                         postfix_values={"gateway_processes": 15, "queue_run_delay": "3s", "minimal_backoff_time": "6s",
                                         "maximal_backoff_time": "6s"},
                         settings={"gatewayd": {"client.connections": SHARED}})
        for domain in (A, B):
            usual = self.servers[domain]
            self.servers[domain] = Dripping(usual.port, usual.folder)


class Flood(Load):
    """Some mail for C, and a queue for those that are slow. C's own customer is not slow."""

    OTHERS = 2

    def __init__(self, setting, name, *slow):
        self.WAYS = (((A, FROM_A, C), (B, FROM_B, C))
                     + sum((((B, FROM_B, A), (B, FROM_B, A)) if to == A else ((A, FROM_A, B), (A, FROM_A, B))
                            for to in slow), ()))
        self.flooding = False
        super().__init__(setting, name)

    def between(self, number):
        if number < self.OTHERS:
            self._stop.wait(0.1)
            return
        while not self._stop.is_set() and (not self.flooding or self.waiting(number) > FLOOD / 2):
            self._stop.wait(0.05)

    def waiting(self, *numbers):
        return sum(1 for s in list(self.accepted) if self.number(s) in numbers) - len(self.of(*numbers))


@pytest.fixture(scope="module")
def several():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgs", dir="/var/tmp") as folder:
        s = Several(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def begin(server, how):
    if how == "drips":
        server.dripping = True
    elif how == "slow":
        server.pause = 3.0
    elif how == "never greets":
        server.stop()  # over connections that are kept it would go on taking mail
        server.answer("connect", HANG)
        server.start()
    else:
        server.answer("data", HANG)


def end(server, how):
    server.accept_all()
    server.dripping, server.pause = False, 0.0
    if how in ("never greets", "takes no content"):
        server.stop()  # what hangs at it is cut off, as at the end of a process
        server.start()


@pytest.mark.parametrize("how, slow", [
    ("takes no content", (B,)), ("drips", (B,)), ("never greets", (A, B)),
    pytest.param("never greets", (B,), marks=pytest.mark.long), pytest.param("slow", (B,), marks=pytest.mark.long),
    pytest.param("takes no content", (A, B), marks=pytest.mark.long)])
def test_others_mail_goes_on(several, how, slow):
    with Flood(several, f"{how.replace(' ', '-')}-{len(slow)}", *slow) as load:
        wait_for(lambda: len(load.of(0, 1)) >= 10, 60, "usual mail")
        usual = [took for _, took in load.of(0, 1)]
        try:
            for domain in slow:
                begin(several.servers[domain], how)
            load.flooding = True
            wait_for(lambda: load.waiting(*range(2, 2 + 2 * len(slow))) >= FLOOD * len(slow), 60, "queues for the slow")
            flooded = time.time()
            wait_for(lambda: sum(1 for at, _ in load.of(0, 1) if at > flooded) >= 20, 60, "others' mail")
        finally:
            for domain in slow:
                end(several.servers[domain], how)
        meanwhile = [took for at, took in load.of(0, 1) if at > flooded]
        load.more(20, 120)
    load.account()
    print(f"\n{' and '.join(slow)}: {how}: others' mail took {statistics.median(usual):.2f} s, at most {max(usual):.2f} s; "
          f"meanwhile {statistics.median(meanwhile):.2f} s, at most {max(meanwhile):.2f} s; {len(load.accepted)} accepted")
    assert statistics.median(meanwhile) < statistics.median(usual) + 2


@contextlib.contextmanager
def silent():
    """The port of a server on all addresses of this machine, which takes connections and never says a word."""
    with contextlib.closing(socket.create_server(("", 0), backlog=1000)) as server:
        yield server.getsockname()[1]


def settled(look, seconds=3):
    """What look() gives, once it has given the same for so long."""
    last = {"seen": look(), "at": time.monotonic()}

    def stays():
        seen = look()
        if seen != last["seen"]:
            last.update(seen=seen, at=time.monotonic())
        return time.monotonic() - last["at"] >= seconds
    wait_for(stays, 60, "what stays as it is", 0.2)
    return last["seen"]


def comes_in(setting, name, to, count=8):
    """Mail from outside, one after the other; how long each took."""
    took = []
    for i in range(count):
        subject, began = f"{name}-{i}", time.monotonic()
        setting.from_outside(f"joe@{OUTSIDE}", [f"ann@{to}"], simple(f"joe@{OUTSIDE}", [f"ann@{to}"], subject))
        setting.arrived(to, subject)
        took.append(time.monotonic() - began)
    return took


DOMAINS = 20  # more than Postfix "in" has processes for gatewayd


def test_many_servers_of_one_tenant(several):
    """Each of its domains has a server of its own, and all of them hang: together they have half of the connections."""
    api, postfix, tenant = several.platform.api, several.platform.postfix_in, several.a
    usual = comes_in(several, "one-tenant-usual", C)
    with silent() as port:
        for i in range(DOMAINS):
            name = f"silent-{i}.test"
            made = api.post(f"{tenant.path}/domains", {"name": name, "environment": "seemail", "attested": True})
            api.put(f"{tenant.path}/domains/{made['id']}/next-hop",
                    {"protocol": "smtp", "host": f"127.0.1.{i + 1}", "port": port, "tls": "none", "ca_pem": ""})
            for n in range(3):
                several.from_outside(f"joe@{OUTSIDE}", [f"ann@{name}"], simple(f"joe@{OUTSIDE}", [f"ann@{name}"], f"silent-{i}-{n}"))
        hang = settled(lambda: len(peers(courier(several.platform.gatewayd.pid()), port)))
        try:
            meanwhile = comes_in(several, "one-tenant-meanwhile", C)
        finally:
            postfix.run("postsuper", "-d", "ALL")
    print(f"\n{hang} connections hang of {DOMAINS} servers: others' mail took {statistics.median(usual):.2f} s, at most "
          f"{max(usual):.2f} s; meanwhile {statistics.median(meanwhile):.2f} s, at most {max(meanwhile):.2f} s")
    assert hang == SHARED / 2 and statistics.median(meanwhile) < statistics.median(usual) + 2


def test_another_tenants_server_as_ones_own(several):
    """Two tenants name the same server: the mail of one, which it keeps waiting, takes no connection of the other's."""
    api, server, postfix = several.platform.api, several.servers[B], several.platform.postfix_in
    made = api.post(f"{several.a.path}/domains", {"name": "borrowed.test", "environment": "seemail", "attested": True})
    hop = api.get(f"{several.b.domain_path}/next-hop")
    api.put(f"{several.a.path}/domains/{made['id']}/next-hop",
            {name: hop[name] for name in ("protocol", "host", "port", "tls", "ca_pem")})
    usual = comes_in(several, "borrowed-usual", B)
    waits = server.verdict
    server.verdict = lambda mail: time.sleep(60) if b"Subject: borrowing" in mail.head else waits(mail)
    try:
        for i in range(FLOOD):
            several.from_outside(f"joe@{OUTSIDE}", ["ann@borrowed.test"],
                                 simple(f"joe@{OUTSIDE}", ["ann@borrowed.test"], f"borrowing-{i}"))
        port = several.platform.port["agency_b"]
        settled(lambda: len(peers(courier(several.platform.gatewayd.pid()), port)))
        meanwhile = comes_in(several, "borrowed-meanwhile", B)
    finally:
        server.verdict = waits
        postfix.run("postsuper", "-d", "ALL")
    assert statistics.median(meanwhile) < statistics.median(usual) + 2


def reentry_of(postfix, port):
    """The processes that take mail back from gatewayd, behind the master that would start others."""
    found = [postfix.pid()]
    for pid in children(postfix.pid()):
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().split(b"\0")
        if words[0] == b"smtpd" and any(word.endswith(f":{port}".encode()) for word in words):
            found.append(pid)
    return found


def test_postfix_out_hangs(several):
    """No mail goes out; what comes in does not notice."""
    platform = several.platform
    with Flood(several, "reentry") as load:
        load.more(4)
        frozen = reentry_of(platform.postfix_out, platform.port["reentry"])
        assert len(frozen) > 1
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        took = []
        try:
            load.stands_still()
            for i in range(10):
                subject, began = f"comes-in-{i}", time.monotonic()
                several.from_outside(f"joe@{OUTSIDE}", [f"ann@{C}"], simple(f"joe@{OUTSIDE}", [f"ann@{C}"], subject))
                several.arrived(C, subject)
                took.append(time.monotonic() - began)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        recovered = load.more(8, 120)
    load.account()
    print(f"\nre-entry hangs: mail that comes in took {statistics.median(took):.2f} s, at most {max(took):.2f} s; "
          f"next eight after {recovered:.1f} s")
    assert statistics.median(took) < 2
