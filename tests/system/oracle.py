"""Attempts on a ciphertext as an attacker makes them, and what their maker can see of each: the octets of the reply
and the time until it comes.

    assert Observer(setting, attempts(setting)).until_precise().faults() == []

All attempts are of one mail of a partner's gateway and equally long. Each is made anew every time, for whoever attacks
asks no question twice. Bleichenbacher 1998; Manger 2001; Vaudenay 2002; RFC 3218; RFC 8017 §7.2.2.
"""
import contextlib
import functools
import itertools
import math
import os
import random
import re
import socket
import statistics
import sys
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import forge
from forge import der, explicit, integer, octets, oid, seq
from sealgate.process import children
from setting import B, OUTSIDE
from spoof import VICTIM
from test_mail_hostile import Lines

WITHIN = 1.05  # medians of two kinds, one over the other
CONTENT = b"Content-Type: text/plain\r\n\r\n" + b"Of the settlement of the third quarter.\r\n" * 100
CEK = 32

# The key transport ------------------------------------------------------------------------------


@functools.cache
def certificate(identity):
    return forge.load(identity.certificate)


def raw_rsa(recipient, block):
    """The block as it is, encrypted."""
    public = certificate(recipient).public_key().public_numbers()
    size = (public.n.bit_length() + 7) // 8
    return pow(int.from_bytes(block.rjust(size, b"\0"), "big") % public.n, public.e, public.n).to_bytes(size, "big")


def nonzero(count):
    return bytes(octet or 1 for octet in os.urandom(count))


def v15(key, start=b"\0\2", separator=b"\0"):
    """EME-PKCS1-v1_5 for a modulus of 2048 bits."""
    return start + nonzero(256 - len(start) - len(separator) - len(key)) + separator + key


def turned(block, at, value):
    return block[:at] + bytes([value]) + block[at + 1:]


V15 = {
    "v15-first-octet": lambda key: v15(key, b"\1\2"),
    "v15-block-type": lambda key: v15(key, b"\0\1"),
    "v15-no-zero": lambda key: v15(nonzero(CEK), separator=b""),
    "v15-zero-at-once": lambda key: turned(v15(key), 2, 0),
    "v15-zero-too-early": lambda key: turned(v15(key), 100, 0),
    "v15-zero-in-the-key": lambda key: turned(v15(b"", separator=b"\0" + nonzero(CEK)), 256 - CEK // 2, 0),
    "v15-key-too-short": lambda key: v15(key[:16]),
    "v15-key-too-long": lambda key: v15(key + key[:16]),
    "v15-key-of-one": lambda key: v15(key[:1]),
    "v15-noise": lambda key: b"\0" + os.urandom(255),
}
OAEP = {
    "oaep-noise": lambda s, key: raw_rsa(s.agency[B], b"\0" + os.urandom(255)),
    "oaep-first-octet": lambda s, key: raw_rsa(s.agency[B], b"\1" + os.urandom(255)),
    "oaep-label": lambda s, key: oaep(s, key, b"of something else"),
    "oaep-key-too-short": lambda s, key: oaep(s, key[:16]),
}
RSAES_OAEP = oid("1.2.840.113549.1.1.7")
SHA256_MGF1 = seq(explicit(0, forge.SHA256), explicit(1, seq(oid("1.2.840.113549.1.1.8"), forge.SHA256)))


def oaep(s, key, label=None):
    return certificate(s.agency[B]).public_key().encrypt(
        key, rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA256()), hashes.SHA256(), label))


def transported(s, encrypted, algorithm=forge.RSA):
    return seq(integer(0), forge.issuer_and_serial(certificate(s.agency[B])), algorithm, octets(encrypted))


def by_v15(s, key):
    return transported(s, certificate(s.agency[B]).public_key().encrypt(key, rsa_padding.PKCS1v15()))


def by_oaep(s, encrypted):
    return transported(s, encrypted, seq(RSAES_OAEP, SHA256_MGF1))


def for_another(s, key):
    """Encrypted to somebody else, and said to be for B."""
    encrypted = certificate(s.victim).public_key().encrypt(key, rsa_padding.PKCS1v15())
    return transported(s, b"\0" + encrypted[1:])


# The content ------------------------------------------------------------------------------------


def cbc(s, plain, key=None, info=None, change=lambda ciphertext: ciphertext, pad=True):
    key, iv = key or os.urandom(CEK), os.urandom(16)
    ciphertext = change(forge.cbc(key, iv, plain, pad))
    return forge.entity(forge.enveloped_data([info or by_v15(s, key)], iv, ciphertext))


def gcm(s, plain, key, info, tag=None):
    nonce = os.urandom(12)
    both = AESGCM(key).encrypt(nonce, plain, None)
    return forge.entity(forge.auth_enveloped_data([info], nonce, both[:-16], tag or both[-16:]),
                        "authEnveloped-data")


def middle_turned(ciphertext):
    at = len(ciphertext) // 2
    return turned(ciphertext, at, ciphertext[at] ^ 1)


def end_turned(ciphertext):
    """So that the last octet says a padding of more than a block."""
    return turned(ciphertext, len(ciphertext) - 17, ciphertext[-17] ^ 0x80)


def attempts(s, content=CONTENT):
    """{name: makes an entity}, for B. All fail, each in another way."""
    signed = forge.detached(content, [s.victim])
    other = forge.detached(content, [s.victim], [forge.signer(s.victim, content, signature=os.urandom(256))])
    elsewhere = forge.detached(content, [s.victim], [forge.signer(s.victim, content[:-2] + b"!\n")])
    assert len(signed) == len(other) == len(elsewhere)
    made = {}
    for name, block in V15.items():
        made[name] = lambda key, block=block: cbc(s, signed, key, transported(s, raw_rsa(s.agency[B], block(key))))
    for name, encrypted in OAEP.items():
        made[name] = lambda key, encrypted=encrypted: cbc(s, signed, key, by_oaep(s, encrypted(s, key)))
    made |= {
        "wrong-key": lambda key: cbc(s, signed, key, by_v15(s, os.urandom(CEK))),
        "wrong-key-by-oaep": lambda key: cbc(s, signed, key, by_oaep(s, oaep(s, os.urandom(CEK)))),
        "for-another": lambda key: cbc(s, signed, key, for_another(s, key)),
        "cbc-padding": lambda key: cbc(s, signed, key, change=end_turned),
        "cbc-noise": lambda key: cbc(s, signed, key, change=lambda c: os.urandom(len(c) - 16) + c[-16:]),
        "cbc-middle": lambda key: cbc(s, signed, key, change=middle_turned),
        "no-mime": lambda key: cbc(s, b"\0" * len(signed), key),
        "gcm-tag": lambda key: gcm(s, signed, key, by_v15(s, key), os.urandom(16)),
        "gcm-wrong-key": lambda key: gcm(s, signed, key, by_v15(s, os.urandom(CEK))),
        "signature": lambda key: cbc(s, other, key),
        "signed-digest": lambda key: cbc(s, elsewhere, key),
    }
    return {name: lambda make=make: make(os.urandom(CEK)) for name, make in made.items()}


# Looking at it -----------------------------------------------------------------------------------


def message(name, entity):
    """name and number are equally long for all."""
    return (f"From: joe@{VICTIM}\r\nTo: ann@{B}\r\nSubject: attempt\r\nDate: Mon, 23 Nov 2026 10:00:00 +1300\r\n"
            f"Message-ID: <{name}@x.test>\r\nX-NZ-Secure-email: 1.0\r\nMIME-Version: 1.0\r\n").encode() + entity



def masked(reply):
    """But for the message's id, which is random."""
    return re.sub(r"msg_[0-9a-z]{26}", "msg", reply)


def median_between(times, z=3.9):
    """The median lies between these with a certainty of 1 in 10,000 that it does not (order statistics: how many of n
    are below the median is binomial)."""
    times, n = sorted(times), len(times)
    reach = z * math.sqrt(n) / 2
    return times[max(0, math.floor(n / 2 - reach))], times[min(n - 1, math.ceil(n / 2 + reach))]


def spread(times):
    """How far the medians are apart: (at least, as measured), the slowest kind's over the quickest's."""
    medians = {name: statistics.median(all_) for name, all_ in times.items()}
    slow, quick = max(medians, key=medians.get), min(medians, key=medians.get)
    least = median_between(times[slow])[0] / median_between(times[quick])[1]
    return least, medians[slow] / medians[quick], f"{slow} {medians[slow] * 1e3:.3f} ms, " \
                                                  f"{quick} {medians[quick] * 1e3:.3f} ms"


@contextlib.contextmanager
def ahead(pids):
    """Meanwhile these run before all else on the machine, where that may be had: what else there is to do only adds to
    the times, and to all of them."""
    usual = {pid: os.sched_getscheduler(pid) for pid in pids}

    def schedule(policies, priority):
        for pid, policy in policies.items():
            for thread in os.listdir(f"/proc/{pid}/task"):  # those that were started meanwhile have inherited it
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.sched_setscheduler(int(thread), policy, os.sched_param(priority))
    schedule(dict.fromkeys(usual, os.SCHED_RR), 1)
    try:
        yield
    finally:
        schedule(usual, 0)


def is_precise(times):
    """Each median is known well enough to tell 5 % from none: what lies between its bounds is no more than that."""
    return all(high <= low * WITHIN for low, high in map(median_between, times.values()))


class Observer:
    """Straight into gatewayd's inbound listener, as Postfix would: connections that are kept, with a thread each, in
    which each attempt is made once a round, in an order of the round's own."""

    CONNECTIONS = 4

    def __init__(self, setting, attempts_, *to):
        self.setting, self.attempts, self.to = setting, attempts_, to or (f"ann@{B}",)
        self.times, self.replies = {name: [] for name in attempts_}, {}
        self.run, self.number, self.lock = os.urandom(4).hex(), itertools.count(), threading.Lock()

    def rounds(self, count):
        before, errors = sys.getswitchinterval(), []
        sys.setswitchinterval(1e-4)  # a thread that computes keeps no other one from its clock
        threads = [threading.Thread(target=self._connection, args=(-(-count // self.CONNECTIONS), errors))
                   for _ in range(self.CONNECTIONS)]
        with ahead(self._involved()):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        sys.setswitchinterval(before)
        if errors:
            raise errors[0]
        return self

    def _involved(self):
        platform = self.setting.platform
        database = platform.postgresql.pid()
        return [platform.gatewayd.pid(), platform.hsmd.pid(), database, *children(database), os.getpid()]

    def until_precise(self, step=60, most=960):
        """Rounds until the medians are known; when to stop is decided by how precise they are, never by what they
        are, so that looking again and again makes nothing look the same."""
        done = 0
        while done < most and not (done and is_precise(self.times)):
            self.rounds(step)
            done += step
        return self

    def _connection(self, count, errors):
        try:
            with contextlib.closing(Lines("127.0.0.1", self.setting.platform.port["inbound"])) as lines:
                lines.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                assert lines.say("LHLO in.test").startswith("250")
                names = list(self.attempts)
                for _ in range(count):
                    random.shuffle(names)
                    for name in names:
                        self._attempt(lines, name)
        except Exception as error:
            errors.append(error)

    def _attempt(self, lines, name):
        queue_id = f"3{self.run}{next(self.number):08}"
        text = message(queue_id, self.attempts[name]())
        assert lines.say(f"XFORWARD IDENT={queue_id} ADDR=192.0.2.1").startswith("250")
        assert lines.say(f"MAIL FROM:<x@{OUTSIDE}>").startswith("250")
        for to in self.to:
            assert lines.say(f"RCPT TO:<{to}>").startswith("250")
        assert lines.say("DATA").startswith("354")
        lines.file.write(text)
        lines.file.flush()
        start = time.perf_counter()
        lines.file.write(b".\r\n")
        lines.file.flush()
        reply = "".join(lines.reply() for _ in self.to)
        seconds = time.perf_counter() - start
        with self.lock:
            self.times[name].append(seconds)
            self.replies.setdefault(masked(reply), set()).add(name)

    def faults(self, exactly=False):
        """What gives something away. exactly: the medians as they were measured count, else what is certain."""
        found = []
        if len(self.replies) > 1:
            found.append(f"replies differ: {self.replies}")
        least, measured, words = spread(self.times)
        if (measured if exactly else least) > WITHIN:
            found.append(f"times differ: {words}")
        return found
