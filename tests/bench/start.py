"""Section `start` of tools/bench: how long hsmd and gatewayd take from their start until each says that it is ready, with
50,000 tenants, domains, keys and certificates in the database; and until the first message is through.
"""
import statistics
import time

from lab import A, PARTNER, Lab

DOMAINS, FIRST = 50_000, 100_000


def measure(lab, rounds):
    domains = 500 if rounds == 1 else DOMAINS
    taken = []
    lab.tenants(domains, certified=False, first=FIRST)
    plan = lab.plan("one", [(f"ann@{A}", f"joe@{PARTNER}", lab.sizes["10k"])])
    daemons = lab.platform.hsmd, lab.platform.gatewayd
    for _ in range(rounds):
        for daemon in reversed(daemons):
            assert daemon.stop(), f"{daemon.name} had to be killed"
        begin = time.monotonic()
        for daemon in daemons:
            daemon.start()
        ready = time.monotonic() - begin
        lab.send("outbound", plan, 1)
        taken.append((ready, time.monotonic() - begin))
    return [("start_50k_s", statistics.median(ready for ready, _ in taken), "s"),
            ("start_first_message_s", statistics.median(first for _, first in taken), "s")]


def run(build, rounds):
    """The figures: (name, value, unit)."""
    with Lab(build) as lab:
        return measure(lab, rounds)
