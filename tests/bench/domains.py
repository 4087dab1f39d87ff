"""Section `domains` of tools/bench: what a message costs where 10,000 domains of as many tenants send, beside 10; who
sends is drawn by Zipf's law (exponent 1.0), hsmd keeps 2,000 unwrapped keys. The keys are P-256, wrapped; the partner's
is RSA-2048. And what a key costs that is not among the 2,000. One round is a smoke: few domains.
"""
import random
import statistics
from collections import OrderedDict

from lab import PARTNER, Lab, client

MANY, FEW, CACHED, MESSAGES = 10_000, 10, 2_000, 3_000
SETTINGS = {"hsmd": {"pkcs11.wrapped_cache": CACHED}}


def zipf(count, draws, rng):
    return rng.choices(range(count), [1 / (n + 1) for n in range(count)], k=draws)


def misses(drawn, cached, room):
    """How many of the draws find no key in an LRU of so much room, which goes on from round to round."""
    missed = 0
    for n in drawn:
        missed += n not in cached
        cached[n] = True
        cached.move_to_end(n)
        if len(cached) > room:
            cached.popitem(last=False)
    return missed / len(drawn)


def measure(lab, rounds):
    smoke = rounds == 1
    many, messages, room = (60, 60, CACHED) if smoke else (MANY, MESSAGES, CACHED)
    rng, cached, rates = random.Random(1), OrderedDict(), []
    taken = {"many": [], "few": [], "missed": []}
    lab.tenants(many)

    def plan(drawn):
        return lab.plan("drawn", [(f"ann@d{n}.test", f"joe@{PARTNER}", lab.sizes["10k"], client(n)) for n in drawn])

    everybody = list(range(many - 1, -1, -1))  # first contact, the often seen last
    lab.send("outbound", plan(everybody), many)
    misses(everybody, cached, room)
    for _ in range(rounds):
        drawn = zipf(many, messages, rng)
        rates.append(misses(drawn, cached, room))
        taken["many"].append(lab.send("outbound", plan(drawn), messages))
        taken["few"].append(lab.send("outbound", plan(zipf(FEW, messages, rng)), messages))
        misses(range(FEW), cached, room)
    rare = list(range(max(0, many - room - room // 2), many))  # each is forgotten before it comes again
    for _ in range(min(rounds, 2)):
        taken["missed"].append(lab.send("outbound", plan(rare), len(rare)))
    cost = {name: statistics.median(ms for ms, _ in values) for name, values in taken.items()}
    hsmd = {name: statistics.median(said["hsmd"] for _, said in values) for name, values in taken.items()}
    return [("domains_cost_ratio", statistics.median(m[0] / f[0] for m, f in zip(taken["many"], taken["few"])), "ratio"),
            ("domains_many_cpu_ms", cost["many"], "ms"), ("domains_few_cpu_ms", cost["few"], "ms"),
            ("domains_hsmd_many_cpu_ms", hsmd["many"], "ms"), ("domains_hsmd_few_cpu_ms", hsmd["few"], "ms"),
            ("domains_key_misses", statistics.median(rates), "ratio"),
            ("domains_key_miss_cpu_ms", hsmd["missed"] - hsmd["few"], "ms"),
            ("domains_cold_cpu_ms", cost["missed"], "ms")]


def run(build, rounds):
    """The figures: (name, value, unit)."""
    with Lab(build, SETTINGS) as lab:
        return measure(lab, rounds)
