"""Section `memory` of tools/bench: the largest resident memory of gatewayd (with its courier) and hsmd together while 32 messages of 25 MB
are on their way at once, outbound, inbound, and half of them each way (VmHWM of both, which counts mapped shared memory; spool files are
on a disk, which is asserted: neither tmpfs nor memfd).
"""
import contextlib
import os
import re
import subprocess
from pathlib import Path

from lab import A, B, MIB, PARTNER, Lab, body

AT_ONCE, SIZE = 32, 25 * MIB
SETTINGS = {"gatewayd": {"client.slots": 64, "journal.append_timeout": "5m"}}  # a busy disk is not what is measured


def peak(pid):
    """MiB."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))[1]) / 1024


def on_disk(lab):
    kind = subprocess.run(["stat", "-f", "-c", "%T", lab.layout.spool], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert kind.strip() not in ("tmpfs", "ramfs"), "spool files would be memory"


def unmapped(pid):
    """Files in memory that are open: they are in no process's resident memory."""
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return [link for link in links if link.startswith(("/memfd:", "/dev/shm"))]


def measure(lab, rounds):
    at_once, size = (4, 3 * MIB) if rounds == 1 else (AT_ONCE, SIZE)
    on_disk(lab)
    gatewayd = lab.gatewayd()
    daemons = *gatewayd, lab.platform.hsmd.pid()
    path = lab.write("body-large", body(size, lab.rng))
    into = lab.capture("large", lab.plan("back", [(f"ann@{A}", f"bob@{B}", path)]), 2)
    out = lab.plan("out", [(f"ann@{A}", f"joe@{PARTNER}", path)])
    figures, most = [], 0
    for name, ways in (("outbound", {"outbound": out}), ("inbound", {"inbound": into}), ("both", {"outbound": out, "inbound": into})):
        for pid in daemons:
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        share = at_once // len(ways)
        senders = [lab.sender(way, plan, share, share) for way, plan in ways.items()]
        for sender in senders:
            sender.go()
        while any(sender.process.poll() is None for sender in senders):
            assert not any(unmapped(pid) for pid in daemons)
            for sender in senders:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    sender.process.wait(0.1)
        for sender in senders:
            assert float(sender.done()[1]) == 0, lab.platform.gatewayd.tail()
        found = [peak(pid) for pid in daemons]
        figures += [(f"rss_{name}_gatewayd_mib", sum(found[:-1]), "MiB"), (f"rss_{name}_hsmd_mib", found[-1], "MiB")]
        most = max(most, sum(found))
    return [("rss_32x25m_mib", most, "MiB"), *figures]


def run(build, rounds):
    """The figures: (name, value, unit)."""
    with Lab(build, SETTINGS) as lab:
        return measure(lab, rounds)
