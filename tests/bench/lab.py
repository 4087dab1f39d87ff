"""What the sections about the message path share: a platform without Postfix in the measured loop, the generator
(bench_send) in front of gatewayd, the sink (bench_sink) behind it, and CPU clocks.

gatewayd, hsmd, PostgreSQL with fsync, slapd and the reference CA are real; the sink stands where Postfix "out" takes
mail back, and is the next hop of the hosted domains too. A process is charged by its CPU clock, which counts all of its
threads, those that ended too, in nanoseconds.
"""
import base64
import contextlib
import datetime as dt
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key, load_pem_private_key  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: E402

import forge  # noqa: E402
import peers  # noqa: E402
from partners import DCA, Partner, from_directory  # noqa: E402
from sealgate.layout import GATEWAY, GROUP, TENANT  # noqa: E402
from sealgate.platform import Platform  # noqa: E402
from sealgate.ports import PortBlock  # noqa: E402
from sealgate.process import as_user, courier, wait_for  # noqa: E402
from text import prose  # noqa: E402

A, B, PARTNER, PLAIN = "agency-a.test", "agency-b.test", "partner.test", "nobody.test"
CLIENT = "127.0.0.2"
KIB, MIB = 1 << 10, 1 << 20
TOOLS = ("bench_send", "bench_sink", "bench_hsm", "bench_milter", "bench_passes")


def cpu(pid):
    """The CPU time of a process, in seconds."""
    return time.clock_gettime((~pid << 3) | 2)


def client(n):
    return f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"


def entity_id(prefix):
    return prefix + "_" + secrets.choice("01234567") + "".join(
        secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(25))


def body(size, rng):
    """Of a mail of about so many octets, with the fields that the generator does not write. What is large is an attachment."""
    fields = b"Date: Sun, 29 Nov 2026 10:00:00 +1300\r\nSubject: Figures of the month\r\nMIME-Version: 1.0\r\n"
    if size < 100 * KIB:
        return fields + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + prose(size - 300, rng) + b"\r\n"
    encoded = base64.encodebytes(rng.randbytes((size - 2048) * 57 // 78)).replace(b"\n", b"\r\n")
    return (fields + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + prose(KIB, rng) +
            b"\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded + b"--b--\r\n")


class Tool:
    """A generator: said what to do, prepared, then let go."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", f"{command[0]} did not get ready"

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def done(self):
        """What it printed."""
        out = self.process.communicate(timeout=900)[0]
        assert self.process.returncode == 0, self.process.args
        return out.split()


class Sink:
    def __init__(self, path, port):
        self.process = subprocess.Popen([str(path), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def keep(self, folder, every):
        return self._say(f"keep {folder} {every}")

    def count(self):
        return self._say("count")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Lab:
    """settings: of daemons, as Platform takes them."""

    def __init__(self, build, settings=None):
        self.build, self.settings = Path(build), settings or {}
        self.rng = random.Random(1)
        self.stack = contextlib.ExitStack()
        self.sent = 0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            block = stack.enter_context(PortBlock())
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sgb", dir="/var/tmp"))
            self.folder = Path(folder)
            os.chmod(folder, 0o755)
            self.platform = Platform(folder + "/p", block.base, build=self.build.resolve(), settings=self.settings,
                                     without=("postfix-out", "postfix-in"))
            stack.callback(self.platform.down)
            self.layout, self.port = self.platform.layout, self.platform.port
            self.layout.prepare()
            for tool in TOOLS:
                shutil.copy(self.build / "bench" / tool, self.layout.bin / tool)
            self.sink = Sink(self.layout.bin / "bench_sink", self.port["reentry"])
            stack.callback(self.sink.stop)
            self.platform.up()
            assert self.sql("SHOW fsync") == [["on"]] and self.sql("SHOW synchronous_commit") == [["on"]]
            self.hosted = {}
            for name, domain, network in (("Agency A", A, f"{CLIENT}/32"), ("Agency B", B, None)):
                self.hosted[domain] = self.platform.organisation(
                    name, domain, network=network, next_hop_port=self.port["reentry"]).provision()
            self._partner()
            wait_for(lambda: self.sql("SELECT id FROM archive_key"), 30, "tenantd's first archive key")
            self.sizes = {}
            for name, size in (("1k", KIB), ("10k", 10 * KIB), ("1m", MIB)):
                self.sizes[name] = self.write(f"body-{name}", body(size, self.rng))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _partner(self):
        """A member whose key is in a file here: what is sealed to it can be opened."""
        self.partner = Partner(self.platform, PARTNER)
        for path in (self.partner.identity.certificate, *self.partner.identity.chain):
            self.platform.api.post("/v1/partner-certificates", {
                "domain": PARTNER, "origin": "bench", "pem": path.read_text(encoding="ascii")})
        self.software = peers.OpenSsl(self.folder, self.layout.ca / "root.pem")
        self.software.own(self.partner.identity)
        self.identities = {PARTNER: self.partner.identity}
        self.stack.callback(self.software.close)

    def sql(self, text):
        return self.platform.postgresql.rows(text)

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def certificate(self, domain, public_key):
        """As the reference CA issues it, but quickly; DER."""
        folder = self.layout.ca
        if not hasattr(self, "issuer"):
            key = load_pem_private_key((folder / "issuing.key.pem").read_bytes(), None)
            self.issuer = key, x509.load_pem_x509_certificate((folder / "issuing.pem").read_bytes())
            model = x509.load_pem_x509_certificate(self.partner.identity.certificate.read_bytes())
            self.points = model.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        key, issuer = self.issuer
        curve = isinstance(public_key, ec.EllipticCurvePublicKey)
        now = dt.datetime.utcnow().replace(microsecond=0)
        return (x509.CertificateBuilder()
                .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DCA)]))
                .issuer_name(issuer.subject).public_key(public_key).serial_number(x509.random_serial_number())
                .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=300))
                .add_extension(x509.KeyUsage(True, False, not curve, False, curve, False, False, False, False), True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
                .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(f"{DCA}@{domain}")]), False)
                .add_extension(self.points, False).sign(key, hashes.SHA256())).public_bytes(Encoding.DER)

    def members(self, count):
        """So many further member domains with certificates in the store, all for the partner's key; their names."""
        key = load_pem_private_key((self.partner.folder / "key.pem").read_bytes(), None).public_key()
        chain = [x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
                 for path in self.partner.identity.chain]
        made = {name: self.certificate(name, key) for name in (f"m{n}.test" for n in range(count))}
        rows = []
        for name in made:
            for der in [made[name], *chain]:
                digest = hashes.Hash(hashes.SHA256())
                digest.update(der)
                rows.append(f"('{entity_id('pcr')}', '\\x{digest.finalize().hex()}', '{name}', '\\x{der.hex()}', 'api', "
                            "'bench', now() - interval '1 day', now() + interval '300 days', now())")
        self.load("INSERT INTO partner_certificate (id, sha256, domain, der, source, origin, not_before, not_after,"
                  f" fetched_at) VALUES {','.join(rows)};"
                  " INSERT INTO member_domain (id, name, environment, created_at) VALUES "
                  + ",".join(f"('{entity_id('mem')}', '{name}', 'seemail', now())" for name in made) + ";")
        folder = self.folder / "members"
        folder.mkdir()
        for name, der in made.items():
            path = folder / f"{name}.pem"
            path.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
            self.identities[name] = peers.Identity(name, path, self.partner.identity.key, self.partner.identity.chain)
        return list(made)

    def from_members(self, names, path):
        """A plan of mail from each of them to B, signed and sealed by other software than ours."""
        fields, kind, text = path.read_bytes().partition(b"Content-Type:")
        folder = self.folder / "from-members"
        recipient = from_directory(self.platform, B, folder)
        lines = []
        for name in names:
            sealed = forge.sealed(forge.detached(kind + text, [self.identities[name]]), recipient)
            mail = folder / name
            mail.write_bytes(f"From: <joe@{name}>\r\nTo: <bob@{B}>\r\nMessage-ID: <1@{name}>\r\n"
                             "X-NZ-Secure-email: 1.0\r\n".encode() + fields + sealed)
            lines.append((f"joe@{name}", f"bob@{B}", mail))
        return self.plan("from-members", lines)

    def tenants(self, count, certified=True, first=0):
        """So many tenants with a domain each, d<first>.test and on, a wrapped P-256 key and a certificate: written into the
        database, since the front door would take an hour. Not certified: rows alone, for what is never used.
        Who hands in mail of domain n has the address client(n)."""
        rows = [{"n": n, "name": f"d{n}.test", "tenant": entity_id("ten"), "domain": entity_id("dom"), "key": entity_id("key"),
                 "spki": f"\\x{n:064x}", "blob": f"\\x{n:064x}", "der": f"{n:064x}"} for n in range(first, first + count)]
        if certified:
            self._keys(rows)
        chain = ",".join(f"'\\x{x509.load_pem_x509_certificate(p.read_bytes()).public_bytes(Encoding.DER).hex()}'::bytea"
                         for p in self.partner.identity.chain)
        self.load("".join((
            self._rows("tenant (id, name, state, created_at, updated_at)", rows,
                       "('{tenant}', 'Tenant {n}', 'active', now(), now())"),
            self._rows("domain (id, tenant_id, name, environment, state, created_at, updated_at)", rows,
                       "('{domain}', '{tenant}', '{name}', 'seemail', 'attested', now(), now())"),
            self._rows("submitter (id, tenant_id, kind, network, created_at)", rows,
                       lambda r: f"('{entity_id('sub')}', '{r['tenant']}', 'network', '{client(r['n'])}/32', now())"),
            self._rows("next_hop (domain_id, tenant_id, protocol, host, port, tls, updated_at)", rows,
                       f"('{{domain}}', '{{tenant}}', 'smtp', '127.0.0.1', {self.port['reentry']}, 'none', now())"),
            self._rows("hsm_key (id, tenant_id, domain_id, class, kind, algorithm, state, spki, spki_sha256, blob, created_at,"
                       " updated_at)", rows, "('{key}', '{tenant}', '{domain}', 'dca', 'wrapped', 'ec-p256', 'active', '{spki}',"
                       " sha256('{spki}'::bytea), '{blob}', now(), now())"),
            self._rows("certificate (id, tenant_id, domain_id, key_id, state, der, chain, sha256, subject, issuer, serial,"
                       " not_before, not_after, created_at, updated_at)", rows,
                       lambda r: f"('{entity_id('crt')}', '{r['tenant']}', '{r['domain']}', '{r['key']}', 'active',"
                       f" '\\x{r['der']}', ARRAY[{chain}], sha256('\\x{r['der']}'::bytea), 'bench', 'bench', '{r['n']:02x}',"
                       " now() - interval '1 day', now() + interval '300 days', now(), now())"))))

    @staticmethod
    def _rows(table, rows, values):
        each = values if callable(values) else lambda row: values.format(**row)
        return f"INSERT INTO {table} VALUES {','.join(map(each, rows))};\n"

    def _keys(self, rows):
        """Made in the HSM by hsmd, as tenantd has them made; certificates by the reference CA's key."""
        command = [self.layout.bin / "bench_hsm", f"unix:{self.layout.run / 'hsmd.sock'}", "make"]
        text = "".join(f"{row['key']} {row['tenant']} {row['domain']}\n" for row in rows)
        out = subprocess.run(as_user(command, TENANT, GROUP), input=text, text=True, check=True, stdout=subprocess.PIPE).stdout
        for row, line in zip(rows, out.splitlines(), strict=True):
            _, spki, blob = line.split(" ")
            row["spki"], row["blob"] = f"\\x{spki}", f"\\x{blob}"
            row["der"] = self.certificate(row["name"], load_der_public_key(bytes.fromhex(spki))).hex()

    def load(self, statements):
        """Rows that are nobody's act: no audit of them, and no trigger; caches are told."""
        path = self.write("load.sql", ("SET search_path = sealgate; SET session_replication_role = replica;"
                                       + statements + " ANALYZE;").encode())
        path.chmod(0o644)
        self.platform.postgresql.psql(f"\\i {path}")

    def plan(self, name, lines):
        """Lines of (sender, recipient, path) and, if it is not A's, the address of who hands it in."""
        return self.write(f"plan-{name}", "".join(" ".join(map(str, (*line, CLIENT)[:4])) + "\n" for line in lines).encode())

    def tool(self, name, *arguments, uid=0):
        command = [self.layout.bin / name, *arguments]
        return Tool(as_user(command, uid, GROUP) if uid else command)

    def sender(self, way, plan, count, connections=8, rate=0):
        """The generator, ready. way: outbound or inbound."""
        more = [f"unix:{self.layout.run / 'policy.sock'}"] if way == "outbound" else []
        return self.tool("bench_send", f"127.0.0.1:{self.port[way]}", connections, count, rate, plan, *more)

    def fed(self):
        return int(self.sql("SELECT count(*) FROM message_recipient WHERE outcome <> 'received'")[0][0])

    def gatewayd(self):
        """Its processes: its own and its courier's."""
        pid = self.platform.gatewayd.pid()
        return [pid, courier(pid)]

    def cpu(self):
        return sum(map(cpu, self.gatewayd())), cpu(self.platform.hsmd.pid())

    def send(self, way, plan, count, connections=8, rate=0):
        """CPU milliseconds of both daemons a message, until all is in PostgreSQL; and what the generator said."""
        sender = self.sender(way, plan, count, connections, rate)
        fed, taken, before = self.fed(), self.sink.count(), self.cpu()
        sender.go()
        seconds, failed, p50, p99, most = map(float, sender.done())
        assert failed == 0, f"{failed} messages were not taken; {self.platform.gatewayd.tail()}"
        wait_for(lambda: self.fed() >= fed + count, 120, "the journal in PostgreSQL", 0.1)
        gatewayd, hsmd = (after - was for was, after in zip(before, self.cpu()))
        assert self.sink.count() == taken + count, "a message in is not a message out"
        return (gatewayd + hsmd) / count * 1e3, {"seconds": seconds, "p50": p50, "p99": p99, "most": most,
                                                 "hsmd": hsmd / count * 1e3}

    def private_operation(self, count, threads=8):
        """CPU milliseconds of hsmd for one signature, by its own client."""
        organisation = self.hosted[A]
        tool = self.tool("bench_hsm", f"unix:{self.layout.run / 'hsmd.sock'}", "sign", threads, count, organisation.key["id"],
                         organisation.tenant["id"], organisation.domain["id"], uid=GATEWAY)
        before = cpu(self.platform.hsmd.pid())
        tool.go()
        tool.done()
        return (cpu(self.platform.hsmd.pid()) - before) / count * 1e3

    def edge_question(self, count):
        """CPU milliseconds of gatewayd for what Postfix asks at the DATA of a submitted message, which send() counts too."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.layout.run / "policy.sock"))
            answers, before = s.makefile(), self.cpu()[0]
            for _ in range(count):
                s.sendall(f"request=smtpd_access_policy\nprotocol_state=DATA\nclient_address={CLIENT}\n"
                          f"sender=ann@{A}\nqueue_id=edge{time.monotonic_ns()}\n\n".encode())
                assert answers.readline().startswith("action=PREPEND")
                answers.readline()
            return (self.cpu()[0] - before) / count * 1e3

    def capture(self, name, plan, count):
        """What comes out of gatewayd for these messages, as a plan for the other way."""
        folder = self.folder / f"kept-{name}"
        folder.mkdir()
        self.sink.keep(folder, 1)
        self.send("outbound", plan, count)
        self.sink.keep(folder, 0)
        return folder / "plan"

    def kept(self, plan):
        """(sender, recipient, octets) of what the sink kept."""
        for line in plan.read_text().splitlines():
            sender, recipient, path, _ = line.split(" ")
            yield sender, recipient, re.sub(rb"(?m)^\.\.", b".", Path(path).read_bytes())

    def check_sealed(self, message, recipient):
        """Opened by the recipient's key and verified, by openssl: the content."""
        self.software.own(self.identities[recipient.partition("@")[2]])
        return self.software.verify(self.software.decrypt(message))


def tail_of(message, content):
    """Whether what was handed in comes out: its body, to the octet."""
    return message.partition(b"\r\n\r\n")[2].rstrip() == content.partition(b"\r\n\r\n")[2].rstrip()

