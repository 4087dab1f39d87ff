"""Section `certificates` of tools/bench: what large lists, many partners and a directory that hangs cost a message.

First a revocation list of 100,000 entries beside one of 10: reading, a look, memory, ours and OpenSSL's. Then a whole
platform: mail to and from a partner while his CA's list has 100,000 entries, 100,000 certificates of other partners are
in the store and the directory does not answer, beside a partner without any of that; the rounds are interleaved. The
cost is gatewayd's CPU time a message and the time until all have arrived.
"""
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key  # noqa: E402

import peers  # noqa: E402
from crllab import Shelf, der_entry, many_serials, signed_list  # noqa: E402
from partners import Partner, from_directory, further_ca  # noqa: E402
from sealgate.mailserver import MailServer  # noqa: E402
from sealgate.ports import PortBlock  # noqa: E402
from setting import A, Setting, simple  # noqa: E402

MANY, MAILS = 100_000, 60
PLAIN, LOADED = "plain.test", "loaded.test"


def lists(build, rounds):
    """By bench_crl, of a CA of its own."""
    from certlab import CA  # pylint: disable=import-outside-toplevel
    with tempfile.TemporaryDirectory() as folder, PortBlock() as ports:
        ca = CA(Path(folder) / "ca", ports.base, "--name", "Bench CA")
        leaf = ca.forge("a.test")
        key, issuer = ca.authority()
        (ca.folder / "issuer.der").write_bytes(issuer.public_bytes(Encoding.DER))
        paths = {}
        for count in (10, MANY):
            path = ca.folder / f"{count}.crl"
            path.write_bytes(signed_list(key, issuer, [der_entry(s, 1) for s in many_serials(count)]))
            paths[str(path)] = count
        out = subprocess.run([build / "bench/bench_crl", str(rounds), ca.folder / "issuer.der", leaf.path, *paths],
                             check=True, text=True, stdout=subprocess.PIPE).stdout
    found = {}
    for line in out.splitlines():
        path, figure, value = line.split("\t")
        found.setdefault((figure, paths[path]), []).append(float(value))
    units = {"ms": "ms", "us": "us", "bytes": "bytes"}
    return [(f"crl_{figure}_{count}", statistics.median(values), units[figure.rsplit("_", 1)[-1]])
            for (figure, count), values in found.items()]


class Loaded(Setting):
    """The setting with two partners below CAs of their own, of which one has the long list."""

    def __init__(self, folder, block):
        self.partners_port, self.base = block.base + 18, block.base
        super().__init__(folder, block, dict.fromkeys((PLAIN, LOADED), self.partners_port))
        self.servers["partners"] = MailServer(self.partners_port, f"{folder}/mail/partners")
        self.shelves, self.peer, self.sealed, self.count = [], {}, {}, 0

    def start(self):
        super().start()
        own = from_directory(self.platform, A, self.platform.layout.dir / "found")
        for domain, port, entries in ((PLAIN, self.base + 16, 10), (LOADED, self.base + 17, MANY)):
            ca = further_ca(self.platform, f"ca-{port}", port)
            key = load_pem_private_key((ca.folder / "issuing.key.pem").read_bytes(), None)
            issuer = x509.load_pem_x509_certificate((ca.folder / "issuing.pem").read_bytes())
            (ca.folder / "ca.crl").write_bytes(signed_list(key, issuer, [der_entry(s, 1) for s in many_serials(entries)]))
            self.shelves.append(Shelf(ca.folder, port))
            self.shelves[-1].start()
            self.platform.api.post("/v1/trust-anchors", {"pem": ca.anchor_pem})
            partner = Partner(self.platform, domain, ca)
            for path in (partner.identity.certificate, *partner.identity.chain):
                self.platform.api.post("/v1/partner-certificates", {
                    "domain": domain, "origin": "bench", "pem": path.read_text(encoding="ascii")})
            software = self.peer[domain] = peers.OpenSsl(self.platform.layout.dir, self.platform.layout.ca / "root.pem")
            software.own(partner.identity)
            software.partner(own)
            chain = [option for path in partner.identity.chain for option in ("-certfile", path)]
            entity = b"Content-Type: text/plain\r\n\r\n" + b"Kia ora.\r\n" * 1000
            sealed = software.encrypt(software.sign(entity, options=chain), own, "aes256-cbc")
            self.sealed[domain] = b"\r\n".join(sealed.replace(b"\r\n", b"\n").split(b"\n"))
        return self

    def stop(self):
        for software in self.peer.values():
            software.close()
        for shelf in self.shelves:
            shelf.stop()
        super().stop()

    def rows(self, wanted):
        """So many certificates of other partners in the store, of the usual size."""
        self.platform.postgresql.psql(
            "SET search_path = sealgate; SET session_replication_role = replica;"  # no audit of what is none's act
            " DELETE FROM partner_certificate WHERE origin = 'bench-many';"
            " INSERT INTO partner_certificate (id, sha256, domain, der, source, origin, not_before, not_after, fetched_at)"
            " SELECT 'pcr_0' || lpad(n::text, 25, '0'), sha256(n::text::bytea), 'p' || n || '.test',"
            " sha512(n::text::bytea) || decode(repeat('30', 900), 'hex'), 'ldap', 'bench-many', now(),"
            f" now() + interval '1 year', now() FROM generate_series(1, {wanted}) AS n;")
        self.platform.postgresql.psql("VACUUM ANALYZE sealgate.partner_certificate")

    def directory(self, answers):
        os.kill(self.platform.directory.pid(), signal.SIGCONT if answers else signal.SIGSTOP)

    def cpu(self):
        fields = Path(f"/proc/{self.platform.gatewayd.pid()}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") * 1e3

    def measure(self, domain, inbound):
        """CPU and time a message, in ms, of MAILS messages."""
        self.count += 1
        name = f"bench{self.count}"
        begin, cpu = time.monotonic(), self.cpu()
        for i in range(MAILS):
            if inbound:
                head = simple(f"joe@{domain}", [f"ann@{A}"], name).partition(b"\r\n\r\n")[0]
                head = head.replace(b"@x.test", f"-{i}@x.test".encode()) + b"\r\nX-NZ-Secure-email: 1.0\r\n"
                self.from_outside(f"joe@{domain}", [f"ann@{A}"], head + self.sealed[domain])
            else:
                mail = simple(f"ann@{A}", [f"joe@{domain}"], name, "Kia ora.\r\n" * 1000)
                self.submit(f"ann@{A}", [f"joe@{domain}"], mail.replace(b"@x.test", f"-{i}@x.test".encode()))
        self.arrived(A if inbound else "partners", name, MAILS, 120)
        return (self.cpu() - cpu) / MAILS, (time.monotonic() - begin) * 1e3 / MAILS


def messages(rounds):
    taken = {}
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgb", dir="/var/tmp") as folder:
        lab = Loaded(folder, block)
        try:
            lab.start()
            for domain in (PLAIN, LOADED):  # lists are fetched, connections made
                for inbound in (False, True):
                    lab.measure(domain, inbound)
            for _ in range(rounds):
                for domain in (PLAIN, LOADED):
                    lab.rows(0 if domain == PLAIN else MANY)
                    lab.directory(domain == PLAIN)
                    for inbound in (False, True):
                        taken.setdefault((domain, inbound), []).append(lab.measure(domain, inbound))
                    lab.directory(True)
        finally:
            lab.stop()
    figures = []
    for inbound, way in ((False, "sent"), (True, "received")):
        plain, loaded = taken[PLAIN, inbound], taken[LOADED, inbound]
        for i, what in enumerate(("cpu", "time")):
            figures.append((f"certificates_{way}_{what}_plain", statistics.median(p[i] for p in plain), "ms"))
            figures.append((f"certificates_{way}_{what}_loaded", statistics.median(q[i] for q in loaded), "ms"))
            figures.append((f"certificates_{way}_{what}_ratio",
                            statistics.median(q[i] / p[i] for p, q in zip(plain, loaded)), "ratio"))
    return figures


def run(build, rounds):
    """The figures: (name, value, unit)."""
    return lists(build, rounds) + messages(rounds)
