"""Section `domains` of tools/bench: what a message costs where 10,000 domains of as many tenants send, beside 10; who
sends is drawn by Zipf's law (exponent 1.0), hsmd keeps 2,000 unwrapped keys. The keys are P-256, wrapped; the partner's
is RSA-2048. And what a key costs that is not among the 2,000. One round is a smoke: few domains.
"""
import random
import statistics

from lab import PARTNER, Lab, client
from sealgate.ops import Ops

MANY, FEW, CACHED, MESSAGES = 10_000, 10, 2_000, 3_000
SETTINGS = {"hsmd": {"pkcs11.wrapped_cache": CACHED}}


def zipf(count, draws, rng):
    return rng.choices(range(count), [1 / (n + 1) for n in range(count)], k=draws)


def misses(lab):
    """How many lookups of wrapped keys hsmd has had, and how many found none."""
    series = Ops(lab.layout.ops("hsmd")).series()
    found = {what: series[f'sealgate_hsm_cache_total{{cache="wrapped",found="{what}"}}'] for what in ("hit", "load")}
    return found["hit"] + found["load"], found["load"]


def reads(lab):
    """How many results of its configuration gatewayd has asked PostgreSQL for."""
    return Ops(lab.layout.ops("gatewayd")).series()['sealgate_gateway_cache_events_total{event="miss"}']


def measure(lab, rounds):
    smoke = rounds == 1
    many, messages, room = (60, 60, CACHED) if smoke else (MANY, MESSAGES, CACHED)
    rng = random.Random(1)
    taken = {"many": [], "few": [], "missed": []}
    rates = {"many": [], "few": [], "missed": []}
    asked = {"many": [], "few": [], "missed": []}  # a message
    lab.tenants(many)

    def take(name, drawn):
        looked, missed = misses(lab)
        before = reads(lab)
        taken[name].append(lab.send("outbound", plan(drawn), len(drawn)))
        now_looked, now_missed = misses(lab)
        rates[name].append((now_missed - missed) / (now_looked - looked))
        asked[name].append((reads(lab) - before) / len(drawn))

    def plan(drawn):
        return lab.plan("drawn", [(f"ann@d{n}.test", f"joe@{PARTNER}", lab.sizes["10k"], client(n)) for n in drawn])

    everybody = list(range(many - 1, -1, -1))  # first contact, the often seen last
    lab.send("outbound", plan(everybody), many)
    operations = []
    for _ in range(rounds):
        take("many", zipf(many, messages, rng))
        take("few", zipf(FEW, messages, rng))
        operations.append(lab.private_operation(100 if smoke else 1000))
    rare = list(range(max(0, many - room - room // 2), many))  # most are forgotten before they come again
    for _ in range(min(rounds, 2)):
        take("missed", rare)
    cost = {name: statistics.median(ms for ms, _ in values) for name, values in taken.items()}
    hsmd = {name: statistics.median(said["hsmd"] for _, said in values) for name, values in taken.items()}
    rate = {name: statistics.median(values) for name, values in rates.items()}
    miss = (hsmd["missed"] - hsmd["few"]) / (rate["missed"] - rate["few"]) if rate["missed"] > rate["few"] else 0.0
    return [("domains_cost_ratio", statistics.median(m[0] / f[0] for m, f in zip(taken["many"], taken["few"])), "ratio"),
            ("domains_many_cpu_ms", cost["many"], "ms"), ("domains_few_cpu_ms", cost["few"], "ms"),
            ("domains_hsmd_many_cpu_ms", hsmd["many"], "ms"), ("domains_hsmd_few_cpu_ms", hsmd["few"], "ms"),
            ("domains_key_misses", rate["many"], "ratio"),
            ("domains_key_miss_cpu_ms", miss, "ms"),
            ("domains_key_miss_operations", miss / statistics.median(operations), "ratio"),
            ("domains_reads", statistics.median(asked["many"]), "queries"),
            ("domains_cold_cpu_ms", cost["missed"], "ms"),
            ("domains_cold_reads", statistics.median(asked["missed"]), "queries")]


def run(build, rounds):
    """The figures: (name, value, unit)."""
    with Lab(build, SETTINGS) as lab:
        return measure(lab, rounds)
