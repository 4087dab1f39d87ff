"""A bench's platform under mail of all kinds for long: what test_endure.py looks at. Plans both ways (sealed to a partner and
to a domain of ours, plain, refused for a trigger word, held for want of a certificate, with winmail.dat, large ones
that are spooled; in: good, altered, not for us, signed alone, altered under its signature, plain), and what a process has."""
import base64
import os
import re
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))
import peers  # noqa: E402
from lab import A, B, PARTNER, PLAIN  # noqa: E402
from sealgate.ops import Ops  # noqa: E402
from sealgate.process import courier, wait_for  # noqa: E402
from test_tnef import winmail  # noqa: E402

NOBODY, OTHER = "nocert.test", "outside.test"
DAEMONS = ("gatewayd", "hsmd")


def with_tnef(text):
    data = base64.encodebytes(winmail(text)).replace(b"\n", b"\r\n")
    return (b"Subject: With a winmail.dat\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
            b"Kia ora.\r\n--b\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + data + b"\r\n--b--\r\n")


def whole(sender, recipient, rest):
    """With the fields that, on the way in, nobody puts in front."""
    return f"From: <{sender}>\r\nTo: <{recipient}>\r\nMessage-ID: <endure@{OTHER}>\r\n".encode() + rest


class Mix:
    """Mail of all kinds on a lab; send() hands it in both ways."""

    def __init__(self, lab):
        self.lab = lab
        lab.platform.api.post("/v1/member-domains", {"name": NOBODY, "environment": "seemail"})
        small, middle, large = lab.sizes["1k"], lab.sizes["10k"], lab.sizes["1m"]
        ann, joe, bob = f"ann@{A}", f"joe@{PARTNER}", f"bob@{B}"
        refused = lab.write("refused", b"Subject: Of it [SENSITIVE]\r\n\r\nKia ora.\r\n")
        tnef = lab.write("tnef", with_tnef(b"Nothing secret."))
        tnef_word = lab.write("tnef-word", with_tnef(rb"It is [SENSI{\b TIVE}]."))
        each = [(joe, middle), (bob, small), (f"x@{PLAIN}", middle), (joe, small), (f"x@{PLAIN}", refused), (bob, middle),
                (f"x@{PLAIN}", tnef), (joe, tnef), (f"x@{PLAIN}", tnef_word), (joe, middle), (bob, small), (joe, small),
                (bob, middle), (f"x@{PLAIN}", small), (f"x@{NOBODY}", small)]
        self.out = lab.plan("endure-out", [(ann, to, path) for to, path in
                                           each + [(joe, large), (f"x@{PLAIN}", large)] + 3 * each])
        self.into = lab.plan("endure-in", self._inbound(ann, bob))

    def _inbound(self, ann, bob):
        lab = self.lab
        sealed = {}
        for size in ("1k", "10k", "1m"):
            plan = lab.capture(f"endure-{size}", lab.plan(f"back-{size}", [(ann, bob, lab.sizes[size])]), 1)
            sealed[size] = Path(plan.read_text(encoding="ascii").split()[2])
        theirs = lab.capture("endure-partner", lab.plan("theirs", [(ann, f"joe@{PARTNER}", lab.sizes["1k"])]), 1)
        theirs = Path(theirs.read_text(encoding="ascii").split()[2])
        content = sealed["10k"].read_bytes()
        altered = bytearray(content)
        at = len(altered) * 3 // 4
        altered[at] = ord("A") if altered[at] != ord("A") else ord("B")
        entity = b"Content-Type: text/plain\r\n\r\nKia ora, signed.\r\n"
        signature = lab.software.sign(entity, options=("-outform", "DER"))
        signed = whole(f"joe@{PARTNER}", bob, b"Subject: Signed\r\nMIME-Version: 1.0\r\n"
                       + peers.signed_entity(entity, signature, "sha256"))
        files = {
            "altered": bytes(altered),
            "signed": signed,
            "signed-altered": signed.replace(b"Kia ora, signed", b"Kia ora, changed"),
            "plain": whole(f"x@{OTHER}", bob, lab.sizes["10k"].read_bytes()),
            "plain-tnef": whole(f"x@{OTHER}", bob, with_tnef(b"Nothing secret.")),
            "broken": whole(f"joe@{PARTNER}", bob, b"Subject: Broken\r\nMIME-Version: 1.0\r\nContent-Type: "
                            b"application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                            b"MIAGCSqGSIb3DQEHA6CAMIACAQAxgg==\r\n"),
        }
        paths = {name: lab.write(f"in-{name}", data) for name, data in files.items()}
        outside = f"x@{OTHER}"
        each = [(ann, bob, sealed["10k"]), (ann, bob, sealed["1k"]), (outside, bob, paths["plain"]),
                (ann, bob, paths["altered"]), (ann, bob, sealed["1k"]), (f"joe@{PARTNER}", bob, paths["signed"]),
                (f"joe@{PARTNER}", bob, paths["signed-altered"]), (ann, bob, sealed["10k"]), (outside, bob, paths["plain-tnef"]),
                (ann, bob, theirs), (ann, bob, sealed["1k"]), (f"joe@{PARTNER}", bob, paths["broken"]),
                (ann, bob, sealed["10k"])]
        return each + [(ann, bob, sealed["1m"])] + 4 * each

    def send(self, count, connections=8):
        """So many each way at once, and until all of it is in PostgreSQL."""
        lab = self.lab
        senders = [lab.sender(way, plan, count, connections) for way, plan in (("outbound", self.out), ("inbound", self.into))]
        fed = lab.fed()
        for sender in senders:
            sender.go()
        for sender in senders:
            assert float(sender.done()[1]) == 0, lab.platform.gatewayd.tail()
        wait_for(lambda: lab.fed() >= fed + 2 * count, 600, "the journal in PostgreSQL", 0.2)

    def outcomes(self):
        return {outcome: int(n) for outcome, n in self.lab.sql("SELECT outcome, count(*) FROM message_recipient GROUP BY 1")}


def process(pid):
    """What a process has: KiB and counts."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {name: int(re.search(rf"(?m)^{key}:\s+(\d+) kB", text)[1]) for name, key in
             (("pss", "Pss"), ("rss", "Rss"), ("private", "Private_Dirty"))}
    return {**found, "fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task")),
            "maps": len(Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines())}


def sample(lab):
    """Of both daemons and the courier, hsmd's sessions, gatewayd's connections to PostgreSQL, the journal's files."""
    found = {f"{name}.{key}": value for name in DAEMONS
             for key, value in process(getattr(lab.platform, name).pid()).items()}
    found |= {f"courier.{key}": value for key, value in process(courier(lab.platform.gatewayd.pid())).items()}
    hsmd = Ops(lab.layout.ops("hsmd")).series()
    for name in DAEMONS:
        found[f"{name}.heap"] = Ops(lab.layout.ops(name)).series()["sealgate_heap_bytes"] / 1024
    found["hsmd.sessions"] = sum(hsmd[f'sealgate_hsm_sessions{{state="{state}"}}'] for state in ("busy", "idle"))
    found["hsmd.data_keys"] = sum(hsmd[f'sealgate_hsm_operations_total{{operation="{op}",result="ok"}}'] for op in ("make", "open"))
    found["postgresql.connections"] = int(lab.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'sg_gateway'")[0][0])
    segments = [path.stat().st_size for path in (lab.layout.archive / "journal").glob("*.sgj")]
    found["journal.files"], found["journal.mib"] = len(segments), sum(segments) >> 20
    found["spool.files"] = len(list(lab.layout.spool.iterdir()))
    return found


def slope(values):
    """The median of the slopes between all pairs (Theil and Sen), a step: what happens once, such as a heap that takes a
    further piece, is not growth; what goes on is."""
    return statistics.median((values[j] - values[i]) / (j - i) for i in range(len(values)) for j in range(i + 1, len(values)))
