"""Both Postfix with who is silent, or whose mail takes long: servers of the world, clients, and one customer's lookups. Mail of all others
goes on meanwhile (docs/architecture.md, "What one tenant can take").
"""
import contextlib
import select
import smtplib
import socket
import tempfile
import time

import pytest

from members import Members
from sealgate import template
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, FROM_B, OUTSIDE, simple
from test_faults_load import Part

SILENT = 120  # more than Postfix has processes for anything by default: 100
SOON_S = 8  # of a busy machine; what is silent is waited for longer by far
DIRECTORY_S, NEWCOMERS = 12, 25
EACH = 20  # connections of an address of the world
WORLD_S = EDGE_S = 12  # what is silent, or says an octet now and then, is waited for


class Silence(Members):
    """What connects to the silent port is connected, and hears nothing. Its servers differ by address: each has a process of Postfix's."""

    def __init__(self, folder, block):
        self.new = [f"new-{n}.test" for n in range(NEWCOMERS)]
        super().__init__(folder, block, self.new, {"certificates.ldap_timeout": f"{DIRECTORY_S}s"})
        self.silent_port = block.base + 16
        routes = "".join(f"{domain} smtp:[127.0.0.1]:{port}\n" for domain, port in self.platform.routes.items())
        routes += "".join(f"silent-{n}.test smtp:[127.0.9.{n + 1}]:{self.silent_port}\n" for n in range(SILENT))
        self.platform.postfix_values = {"routes": routes, "sealed_routes": template.sealed_routes(routes),
                                       "world_timeout": f"{WORLD_S}s", "edge_timeout": EDGE_S, "edge_connections": EACH}

    def waiting(self, sender):
        return sum(mail["sender"] == sender for mail in self.platform.postfix_out.queue())

    def soon(self, name):
        """Mail of B to the world arrives."""
        self.submit(f"bob@{B}", [f"joe@{OUTSIDE}"], simple(f"bob@{B}", [f"joe@{OUTSIDE}"], name), FROM_B)
        self.arrived(OUTSIDE, name, timeout=SOON_S)


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgq", dir="/var/tmp") as folder:
        s = Silence(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def drip(sock, octets):
    """An octet each half second, until the other side has something to say, or is gone; for how long."""
    began = time.monotonic()
    for octet in octets:
        with contextlib.suppress(OSError):
            sock.sendall(bytes([octet]))
        if select.select([sock], [], [], 0.5)[0]:
            break
    return time.monotonic() - began


def test_servers_of_the_world(setting):
    """One mail to many of them."""
    people = [f"x@silent-{n}.test" for n in range(SILENT)]
    with socket.create_server(("0.0.0.0", setting.silent_port), backlog=2 * SILENT) as silent:
        setting.submit(f"ann@{A}", people, simple(f"ann@{A}", people[:1], "to-the-silent"))
        with contextlib.ExitStack() as stack:
            silent.settimeout(60)
            clients = [stack.enter_context(silent.accept()[0]) for _ in range(SILENT)]
            setting.soon("past-the-silent")
            assert WORLD_S / 2 < drip(clients[-1], b"220-" + 200 * b"x") < 2 * WORLD_S
    wait_for(lambda: all(mail["queue_name"] == "deferred" for mail in setting.platform.postfix_out.queue()), 60, "it to be put off")
    setting.platform.postfix_out.run("postsuper", "-d", "ALL")


def connect(stack, port, source):
    """And the first line that the server says."""
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 60, source_address=(source, 0)))
    return client, stack.enter_context(client.makefile("rb")).readline()


@pytest.mark.parametrize("edge", ["postfix_in", "postfix_out"])
def test_clients(setting, edge):
    """Connected, greeted, and silent from then on: more than 100, of several addresses, of which each has a few at Postfix "in"."""
    port = setting.platform.port[edge]
    with contextlib.ExitStack() as stack:
        for n in range(SILENT):
            client, said = connect(stack, port, f"127.0.3.{1 + n // EACH}")
            assert said.startswith(b"220 "), said
        _, one_more = connect(stack, port, "127.0.3.1")
        assert one_more.startswith(b"421 4.7.0 " if edge == "postfix_in" else b"220 "), one_more
        began = time.monotonic()
        with smtplib.SMTP("127.0.0.1", port, "somebody.test", timeout=60, source_address=(FROM_B, 0)) as smtp:
            assert smtp.ehlo()[0] == 250
        assert time.monotonic() - began < SOON_S
        assert drip(client, b"EHLO " + 200 * b"x") < EDGE_S + SOON_S
        assert client.recv(1000).startswith(b"421 4.4.2 ")


def test_lookups_of_one_customer(setting):
    """All of A's mail waits for a directory that hangs: B's has a queue of its own to gatewayd."""
    setting.newcomers(setting.new)
    directory = Part(setting.platform.directory)
    directory.hang()
    try:
        for n, domain in enumerate(setting.new):
            setting.send(domain, f"slow-{n}")
        wait_for(lambda: setting.waiting(f"joe@{A}") == NEWCOMERS, 10, "mail of A's to wait")
        setting.soon("past-the-lookups")
        assert setting.waiting(f"joe@{A}") > NEWCOMERS / 2
    finally:
        directory.thaw()
    for n in range(NEWCOMERS):
        setting.at_members(f"slow-{n}", timeout=90)
