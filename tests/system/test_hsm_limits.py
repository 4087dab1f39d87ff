#!/usr/bin/python3
"""Settings of hsmd at values other than their defaults, each felt at its edge: times of a connection and of a lost HSM, how
many keys are kept, who may open its sockets. What test_hsm_faults.py does of its other times is not repeated here."""
import contextlib
import datetime
import fcntl
import os
import select
import socket
import stat
import statistics
import struct
import termios
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from test_hsm import (BUILD, BUSY, GATEWAY, HSM, ROOT, RULES, TENANT, Key, figure, healthy, refused, running, verify,
                      wait_for)

SLACK = 5.0  # of a busy machine
HEALTH = b"\2\1" + bytes(16)  # hsm/client/protocol.h: a request without names
LONG = "90s"


@contextlib.contextmanager
def for_us(**settings):
    """An hsmd that the test itself may talk to, octet by octet."""
    with running(rules=f"{RULES} {os.geteuid()}:hold:make", **settings) as hsmd:
        yield hsmd


def connection(hsmd):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(str(hsmd.socket))
    return s


def frame(body=HEALTH):
    return struct.pack(">I", len(body)) + body


def answered(s):
    """Whether there is a reply; without one hsmd has hung up."""
    got = b""
    while len(got) < 4 or len(got) < 4 + struct.unpack(">I", got[:4])[0]:
        try:
            more = s.recv(65536)
        except ConnectionResetError:  # with something of ours not read
            more = b""
        if not more:
            assert not got
            return False
        got += more
    return True


def ended_after(s, began):
    assert not answered(s)
    return time.monotonic() - began


# Connections --------------------------------------------------------------------------------------


def dripped(s, pause):
    """Whether a request that comes an octet at a time is answered."""
    for octet in frame():
        try:
            s.sendall(bytes([octet]))
        except (BrokenPipeError, ConnectionResetError):
            return False
        time.sleep(pause)
    return answered(s)


def test_the_time_for_a_request():
    """All of it, not each octet; and it is the connection's own trouble."""
    with for_us(request_timeout="600ms", idle_timeout=LONG) as hsmd, contextlib.closing(connection(hsmd)) as half, \
            contextlib.closing(connection(hsmd)) as dripping, contextlib.closing(connection(hsmd)) as idle:
        began = time.monotonic()
        half.sendall(frame()[:10])
        assert 0.6 <= ended_after(half, began) < 0.6 + SLACK
        assert not dripped(dripping, 0.1)
        idle.sendall(frame())  # it has waited for longer, but not in the middle of a request
        assert answered(idle)


def test_a_request_that_comes_in_time():
    """The same drops, and time enough: the connection serves on."""
    with for_us(request_timeout=LONG, idle_timeout="300ms") as hsmd, contextlib.closing(connection(hsmd)) as s:
        assert dripped(s, 0.1)
        s.sendall(frame())
        assert answered(s)


def replies_bytes(s):
    """What lies there to be read."""
    return struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, bytes(4)))[0]


def test_the_time_for_a_reply_to_be_taken():
    """Who asks, and asks again, and reads nothing of it loses the connection."""
    with for_us(request_timeout="600ms", idle_timeout=LONG) as hsmd, contextlib.closing(connection(hsmd)) as s:
        hung_up, took = select.poll(), None
        hung_up.register(s, select.POLLRDHUP)
        while not took:
            before, began = replies_bytes(s), time.monotonic()
            s.sendall(frame())
            while replies_bytes(s) == before and not took:
                if hung_up.poll(1):
                    took = time.monotonic() - began
                assert time.monotonic() - began < 0.6 + SLACK
        assert took >= 0.59
        with contextlib.closing(connection(hsmd)) as other:
            other.sendall(frame())
            assert answered(other)


def test_the_time_to_lie_idle():
    """From the last request on; who goes on asking stays connected, and a client library connects anew without a word."""
    with for_us(request_timeout=LONG, idle_timeout="2s") as hsmd, contextlib.closing(connection(hsmd)) as idle, \
            contextlib.closing(connection(hsmd)) as busy:
        gateway = hsmd.client(GATEWAY, connections=1)
        gateway.health()
        threads = f"/proc/{hsmd.process.pid}/task"
        before = len(os.listdir(threads))
        idle.sendall(frame())
        assert answered(idle)
        began = time.monotonic()
        idle.setblocking(False)
        while True:
            busy.sendall(frame())
            assert answered(busy)
            with contextlib.suppress(BlockingIOError):
                assert idle.recv(1) == b""
                break
            assert time.monotonic() - began < 2 + SLACK
        assert time.monotonic() - began >= 1.99

        def fewer():
            busy.sendall(frame())
            return answered(busy) and len(os.listdir(threads)) <= before - 2
        wait_for(fewer, "the end of the client's connection")
        gateway.health()


def test_the_connections_of_a_client():
    """The client library's: while an operation hangs in each of them, the next waits its time and never gets to hsmd."""
    with running(module=BUILD / "tests/p11-faults.so", sessions=8, answer_timeout="30s") as hsmd:
        key = hsmd.client(TENANT).generate(Key("token"), 2048)
        gateway = hsmd.client(GATEWAY, connections=2, timeout_ms=3000)
        gateway.public(key)
        hsmd.fault("hang sign")
        began, seen = time.monotonic(), []
        gateway.send(f"load 4 1 {key.words()} pkcs1 sha256 {'00' * 32}")
        while time.monotonic() - began < 3:  # before that nobody gives up, and lets in the next
            seen.append(figure(hsmd, BUSY))
        assert statistics.median_low(seen) == 2  # hsmd's own look at the token is one, now and then
        good, bad, _ = gateway.receive()
        assert (good, bad) == ("0", "4") and 3 <= time.monotonic() - began < 3 + SLACK
        hsmd.faults.unlink()
        verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")


# Keys that are kept -------------------------------------------------------------------------------

KEPT = 3


def loads(hsmd, kind):
    return figure(hsmd, f'sealgate_hsm_cache_total{{cache="{kind}",found="load"}}')


@pytest.mark.parametrize("kind, setting", [("token", "token_cache"), ("wrapped", "wrapped_cache")])
def test_keys_that_are_kept(kind, setting):
    """As many as it says are found once; of one more some goes, and is found again, and signs rightly."""
    with running(**{setting: KEPT}) as hsmd:
        tenant, gateway = hsmd.client(TENANT), hsmd.client(GATEWAY)
        keys = [tenant.generate(Key(kind), 256) for _ in range(2 * KEPT)]

        def used(count):
            before = loads(hsmd, kind)
            for key in keys[:count]:
                verify_ec(key, gateway.sign(key, "sha256", b"x", "ecdsa"))
            return loads(hsmd, kind) - before
        used(KEPT)
        used(KEPT)  # nothing of what was made is left before them
        assert used(KEPT) == used(KEPT) == 0
        used(KEPT + 1)
        assert all(used(KEPT + 1) >= 1 for _ in range(3))
        assert all(used(2 * KEPT) >= KEPT for _ in range(3))


def verify_ec(key, signature):
    key.public.verify(signature, b"x", ec.ECDSA(hashes.SHA256()))


# Sockets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting, mode", [({"socket_mode": "0600"}, 0o600), ({"socket_mode": "0660"}, 0o660), ({}, 0o660)])
def test_the_mode_of_its_sockets(setting, mode):
    with running(rules=f"{RULES} {HSM}:hold:make", **setting) as hsmd:
        for path in (hsmd.socket, hsmd.ops_socket):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        hsmd.client(HSM).health()
        if mode == 0o600 and ROOT:
            refused("SG_E_HSM_UNAVAILABLE", hsmd.client(GATEWAY).health)
        else:
            hsmd.client(GATEWAY).health()


# A lost HSM ---------------------------------------------------------------------------------------


def at(event):
    return datetime.datetime.fromisoformat(event["ts"].replace("Z", "+00:00")).timestamp()


@pytest.mark.parametrize("retry_ms", [300, 3000])
def test_when_a_lost_hsm_is_tried_again(retry_ms):
    """No sooner, however often somebody asks, and soon after; the others are told at once. (The default is 2 s.)"""
    with running(module=BUILD / "tests/p11-faults.so", retry=f"{retry_ms}ms", sessions=2) as hsmd:
        gateway = hsmd.client(GATEWAY)
        gateway.health()
        hsmd.fault("gone")
        asked = 0
        tries = 4 if retry_ms < 2000 else 2
        while len(lost := hsmd.events("hsm.lost")) < tries:
            refused("SG_E_HSM_UNAVAILABLE", gateway.health)
            asked += 1
        gaps = [at(b) - at(a) for a, b in zip(lost, lost[1:])]
        assert min(gaps) >= retry_ms / 1000 - 0.005, gaps
        if retry_ms < 2000:
            assert min(gaps) < 1.9, gaps
        assert asked > 2 * tries
        hsmd.faults.unlink()
        wait_for(lambda: healthy(gateway), "the HSM to be back", retry_ms / 1000 + 20)
