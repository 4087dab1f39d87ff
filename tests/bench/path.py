"""Section `path` of tools/bench: what a message costs gatewayd and hsmd, beside one bare private-key operation, plain
mail and opendkim; RSA-2048 in SoftHSM; rounds interleaved, medians. One round is a smoke: few messages.
"""
import pathlib
import shutil
import statistics
import subprocess
import tempfile

import lab as base
from lab import A, B, PARTNER, PLAIN, Lab, tail_of, wait_for

PARTNERS = 1000
CONNECTIONS = 8


class OpenDkim:
    """The Debian package: it signs, RSA-2048, behind a Unix socket."""

    def __init__(self, lab, message):
        self.lab, self.message = lab, message
        folder = lab.folder / "dkim"
        folder.mkdir()
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", folder / "key.pem", "2048"], check=True,
                       capture_output=True)
        (folder / "conf").write_text(
            f"Mode s\nDomain {A}\nSelector bench\nKeyFile {folder}/key.pem\nSocket local:{folder}/socket\n"
            "Canonicalization relaxed/simple\nInternalHosts 127.0.0.1\nSyslog no\nRequireSafeKeys no\nBackground no\n")
        self.socket = folder / "socket"
        self.process = subprocess.Popen([shutil.which("opendkim") or "/usr/sbin/opendkim", "-f", "-x", folder / "conf"])
        wait_for(self.socket.exists, 10, "opendkim")

    def cost(self, count):
        tool = self.lab.tool("bench_milter", f"unix:{self.socket}", CONNECTIONS, count, self.message)
        before = base.cpu(self.process.pid)
        tool.go()
        assert tool.done() == [str(count)], "opendkim signed less than it got"
        return (base.cpu(self.process.pid) - before) / count * 1e3

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def passes(lab, rounds, size):
    """The octets' own passes, in ms: {name: ms}."""
    out = subprocess.run([lab.layout.bin / "bench_passes", str(max(rounds, 5)), str(size)], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return {name: float(ms) for _, name, ms in (line.split("\t") for line in out.splitlines())}


class Path:
    def __init__(self, lab, rounds):
        self.lab, self.rounds, self.smoke = lab, rounds, rounds == 1
        self.partners = 20 if self.smoke else PARTNERS
        self.small, self.large = (40, 4) if self.smoke else (400, 40)
        self.taken = {}

    def prepare(self):
        """Plans, and what has to be there before: mail sealed by us, for the way in."""
        lab = self.lab
        names = lab.members(self.partners)
        self.out, self.into = {}, {}
        for size, path in lab.sizes.items():
            self.out[size] = lab.plan(f"out-{size}", [(f"ann@{A}", f"joe@{PARTNER}", path)])
            back = lab.plan(f"back-{size}", [(f"ann@{A}", f"bob@{B}", path)])
            self.into[size] = lab.capture(size, back, self.large // 2 if size == "1m" else self.small // 4)
        self.out["partners"] = lab.plan("partners", [(f"ann@{A}", f"joe@{name}", lab.sizes["10k"]) for name in names])
        self.into["partners"] = lab.from_members(names, lab.sizes["10k"])
        self.plain = lab.plan("plain", [(f"ann@{A}", f"joe@{PLAIN}", lab.sizes["10k"])])
        for way, plans in (("outbound", self.out), ("inbound", self.into)):
            lab.send(way, plans["partners"], self.partners)  # first contact is not what is measured

    def sent(self, way, kind, count):
        """Of what is measured a few are kept, and opened and verified by others, or found to be what was sent."""
        lab, plan = self.lab, (self.out if way == "outbound" else self.into)[kind]
        written = lab.sizes.get(kind, lab.sizes["10k"]).read_bytes()
        with tempfile.TemporaryDirectory(dir=lab.folder) as folder:
            lab.sink.keep(folder, max(1, count // 3))
            found = lab.send(way, plan, count, CONNECTIONS)
            lab.sink.keep(folder, 0)
            kept = list(lab.kept(pathlib.Path(folder, "plan")))
        assert kept, "nothing was kept of what came out"
        for sender, recipient, message in kept:
            if way == "outbound":
                assert tail_of(lab.check_sealed(message, recipient), written), f"{kind}: sealed is not what was sent"
                assert written[-200:] not in message
            else:
                verified = f"X-Sealgate-Verdict: verified; domain={sender.partition('@')[2]}"
                assert verified.encode() in message, message[:2000]
                assert tail_of(message, written), f"{kind}: opened is not what was sent"
        return found

    def note(self, name, value):
        self.taken.setdefault(name, []).append(value)

    def round(self, dkim):
        """The bare operation is measured again and again in between: a machine's speed drifts."""
        lab, small, large = self.lab, self.small, self.large
        bare = [lab.private_operation(small)]
        for size in lab.sizes:
            count = large if size == "1m" else small
            for way in ("outbound", "inbound"):
                used, said = self.sent(way, size, count)
                self.note(f"{way}_{size}", used)
                self.note(f"{way}_{size}_rate", count / said["seconds"])
                bare.append(lab.private_operation(small))
        self.note("private_operation", statistics.mean(bare))
        for way in ("outbound", "inbound"):
            self.note(f"{way}_10k_partners", self.sent(way, "partners", small)[0])
        self.note("plain_10k", lab.send("outbound", self.plain, small, CONNECTIONS)[0])
        self.note("opendkim_10k", dkim.cost(small))
        self.note("edge", lab.edge_question(small))

    def latency(self, way, plan):
        """At half of what went through, by a clock of arrivals: the 99th percentile in ms, and that rate."""
        rate = statistics.median(self.taken[f"{way}_10k_rate"]) / 2
        count = 40 if self.smoke else int(rate * 10)
        return self.lab.send(way, plan, count, 50, rate)[1]["p99"], rate

    def figures(self):
        t = self.taken
        middle = {name: statistics.median(values) for name, values in t.items()}
        every = {name: statistics.median(each / one for each, one in zip(t[name], t["private_operation"]))
                 for name in ("outbound_10k", "inbound_10k", "outbound_10k_partners", "inbound_10k_partners")}
        own = statistics.median(each - one for each, one in zip(t["outbound_10k"], t["private_operation"]))
        p99, rate = self.latency("outbound", self.out["10k"])
        inbound_p99, inbound_rate = self.latency("inbound", self.into["10k"])
        alone = passes(self.lab, self.rounds, base.MIB)
        text = alone["encode"], alone["decode"]
        found = [("private_operation_cpu_ms", middle["private_operation"], "ms"),
                 ("outbound_10k_cpu_ratio", every["outbound_10k"], "ratio"),
                 ("inbound_10k_cpu_ratio", every["inbound_10k"], "ratio"),
                 ("outbound_10k_partners_cpu_ratio", every["outbound_10k_partners"], "ratio"),
                 ("inbound_10k_partners_cpu_ratio", every["inbound_10k_partners"], "ratio"),
                 ("own_cpu_ms", own, "ms")]
        for size in self.lab.sizes:
            for way in ("outbound", "inbound"):
                found += [(f"{way}_{size}_cpu_ms", middle[f"{way}_{size}"], "ms"),
                          (f"{way}_{size}_rate", middle[f"{way}_{size}_rate"], "messages/s")]
        found += [("outbound_1m_passes_ms", alone["encrypt"] + alone["hash"] + text[0], "ms"),
                  ("inbound_1m_passes_ms", alone["decrypt"] + alone["hash"] + text[1], "ms")]
        found.append(("edge_question_cpu_ms", middle["edge"], "ms"))
        found += [(f"pass_1m_{name}_ms", ms, "ms") for name, ms in alone.items()]
        found += [("plain_10k_cpu_ms", middle["plain_10k"], "ms"), ("opendkim_10k_cpu_ms", middle["opendkim_10k"], "ms"),
                  ("opendkim_cpu_ratio", statistics.median(
                      ours / theirs for ours, theirs in zip(t["outbound_10k"], t["opendkim_10k"])), "ratio"),
                  ("latency_rate", rate, "messages/s"), ("latency_p99_ms", p99, "ms"),
                  ("inbound_latency_rate", inbound_rate, "messages/s"), ("inbound_latency_p99_ms", inbound_p99, "ms")]
        return found


def measure(lab, rounds):
    path = Path(lab, rounds)
    path.prepare()
    dkim = OpenDkim(lab, lab.write("dkim.eml", f"From: <ann@{A}>\r\nTo: <joe@{PARTNER}>\r\nMessage-ID: <1@b.test>\r\n".encode()
                                   + lab.sizes["10k"].read_bytes()))
    try:
        for _ in range(rounds):
            path.round(dkim)
    finally:
        dkim.stop()
    return path.figures()


def run(build, rounds):
    """The figures: (name, value, unit)."""
    with Lab(build) as lab:
        return measure(lab, rounds)
