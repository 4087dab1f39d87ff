"""A laboratory for certificates: reference CA with its HTTP server, slapd, special certificates,
and the certificate library behind a pipe (tests/unit/cert/cert_probe.c).

What the reference CA refuses to make is made here with python3-cryptography or openssl and the CA's key.
"""
import base64
import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sealgate import keypool

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPO / os.environ.get("SG_BUILD", "build/release")
REFCA = REPO / "tools/refca/refca"
sys.path.insert(0, str(REFCA.parent))

from refcalib.cli import main as refca_main  # noqa: E402

DCA = "domain-confidentiality-authority"
DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM
NOW = dt.datetime.utcnow().replace(microsecond=0)
DAY = dt.timedelta(days=1)


def run(*command, check=True, **more):
    result = subprocess.run([str(c) for c in command], capture_output=True, check=False,
                            stdin=subprocess.DEVNULL, **more)
    if check and result.returncode != 0:
        raise AssertionError(f"{command}: {result.stderr.decode()}")
    return result


def wait_for(condition, timeout=60):
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > end:
            assert value, "waited in vain"
            return value
        time.sleep(0.02)


def unix(time_):
    return int(time_.replace(tzinfo=dt.timezone.utc).timestamp())


def iso(time_):
    return time_.isoformat() + "Z"


_keys = {}
_read = {}  # reading one takes a while too


def rsa_key(name, bits=2048):
    """One key a name and size in a module of tests."""
    at = keypool.module, name, bits
    if at not in _keys:
        _keys[at] = new_key() if bits == 2048 else rsa.generate_private_key(65537, bits)
    return _keys[at]


def new_key():
    path = keypool.take()
    if path not in _read:
        _read[path] = serialization.load_pem_private_key(path.read_bytes(), None)
    return _read[path]


def key_pem(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def dca_csr(domain, key, common_name=DCA, address=None, digest=hashes.SHA256()):
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []))
    if address != "":
        builder = builder.add_extension(x509.SubjectAlternativeName(
            [x509.RFC822Name(address or f"{DCA}@{domain}")]), False)
    return builder.sign(key, digest).public_bytes(PEM)


class Process:
    """A server of the test's own."""

    def __init__(self, command, ready):
        self.command, self.ready = [str(c) for c in command], ready
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.ready)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


class CA:
    def __init__(self, folder, port, *arguments):
        self.folder, self.port = pathlib.Path(folder), port
        self.lists_touched = False
        self.url = f"http://127.0.0.1:{port}/ca.crl"
        self("init", "--keys", keypool.take(), keypool.take(), "--crl-url", self.url, "--not-before",
             iso(NOW - 3 * 365 * DAY), *arguments)
        self.server = Process([REFCA, "--dir", folder, "serve", "--port", port, "--quiet"],
                              self.answers)
        self.count = 0

    def __call__(self, *arguments):
        """The command in this process: quicker. test_refca.py tests it as a program. Its output."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = refca_main(["--dir", str(self.folder), *(str(a) for a in arguments)])
        assert status == 0, arguments
        self.lists_touched |= arguments[0] in ("crl", "revoke", "restore")
        return out.getvalue()

    def fresh_lists(self):
        """Lists as the CA makes them, when a test has left others."""
        if self.lists_touched:
            self("crl")
            self.lists_touched = False

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as r:
                return r.status == 200
        except OSError:
            return False

    def authority(self, name="issuing"):
        key = serialization.load_pem_private_key((self.folder / f"{name}.key.pem").read_bytes(),
                                                 None)
        return key, x509.load_pem_x509_certificate((self.folder / f"{name}.pem").read_bytes())

    def save(self, certificate):
        self.count += 1
        path = self.folder / f"leaf{self.count}.der"
        path.write_bytes(certificate.public_bytes(DER))
        return Leaf(path, certificate, self.folder / "issuing.pem")

    def issue(self, domain, *arguments, key=None):
        """By the rules."""
        csr = self.folder / "request.csr"
        csr.write_bytes(dca_csr(domain, key or rsa_key(domain)))
        pem = self("issue", csr, *arguments)
        return self.save(x509.load_pem_x509_certificate(pem.encode()))

    def forge(self, domain, *, key=None, addresses=None, common_name=DCA, usage=True,
              extended=(ExtendedKeyUsageOID.EMAIL_PROTECTION,), digest=hashes.SHA256(),
              points=None, not_before=NOW - DAY, not_after=NOW + 300 * DAY, issuer="issuing",
              email=None):
        """Against the rules: whatever the test wants, signed by this CA."""
        ca_key, ca = self.authority(issuer)
        key = key or rsa_key("forged")
        names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if email:
            names.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, email))
        builder = (x509.CertificateBuilder().subject_name(x509.Name(names))
                   .issuer_name(ca.subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(not_before).not_valid_after(not_after)
                   .add_extension(x509.KeyUsage(usage is True or usage == "sign", False,
                                                usage is True or usage == "encrypt",
                                                False, usage == "agree", False, False, False,
                                                False), True))
        if extended:
            builder = builder.add_extension(x509.ExtendedKeyUsage(extended), False)
        if addresses is None:
            addresses = [f"{DCA}@{domain}"]
        if addresses:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.RFC822Name._init_without_validation(a) for a in addresses]), False)
        points = [self.url] if points is None else points
        if points:
            builder = builder.add_extension(x509.CRLDistributionPoints(
                [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
                 for url in points]), False)
        return self.save(builder.sign(ca_key, digest))

    def openssl(self, domain, *arguments, serial=None):
        """By openssl x509, for what python3-cryptography does not sign."""
        serial = secrets.randbits(64) if serial is None else serial
        csr, extensions, out = (self.folder / n for n in ("o.csr", "o.ext", "o.pem"))
        csr.write_bytes(dca_csr(domain, rsa_key("forged")))
        extensions.write_text(f"subjectAltName=email:{DCA}@{domain}\n"
                              "keyUsage=critical,digitalSignature,keyEncipherment\n"
                              f"crlDistributionPoints=URI:{self.url}\n")
        run("openssl", "x509", "-req", "-in", csr, "-CA", self.folder / "issuing.pem", "-CAkey",
            self.folder / "issuing.key.pem", "-set_serial", serial, "-days", "100",
            "-extfile", extensions, "-out", out, *arguments)
        return self.save(x509.load_pem_x509_certificate(out.read_bytes()))

    def make_crl(self, revoked=(), *, issuer="issuing", file="ca.crl", extensions=(),
                 this_update=NOW - dt.timedelta(hours=1), next_update=NOW + 7 * DAY,
                 entry_extensions=()):
        """A revocation list that the CA itself would not make."""
        key, ca = self.authority(issuer)
        builder = (x509.CertificateRevocationListBuilder().issuer_name(ca.subject)
                   .last_update(this_update).next_update(next_update))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for certificate in revoked:
            entry = (x509.RevokedCertificateBuilder()
                     .serial_number(certificate.serial_number)
                     .revocation_date(NOW - DAY))
            for extension, critical in entry_extensions:
                entry = entry.add_extension(extension, critical)
            builder = builder.add_revoked_certificate(entry.build())
        data = builder.sign(key, hashes.SHA256()).public_bytes(DER)
        self.put_crl(data, file)
        return data

    def put_crl(self, data, file="ca.crl"):
        self.lists_touched = True
        (self.folder / file).write_bytes(data)


class Leaf:
    def __init__(self, path, certificate, helpers):
        self.path, self.certificate, self.helpers = path, certificate, helpers
        serial = abs(certificate.serial_number)
        self.serial = serial.to_bytes((serial.bit_length() + 7) // 8, "big").hex()


class Slapd:
    """By the commands of deploy/slapd/README.md."""

    def __init__(self, folder, port, tls_port, private=False, faulty=False):
        """private: nobody reads who has not bound, and nobody binds without TLS. faulty: a search that meets an entry
        of the class errAuxObject fails by that (slapo-retcode)."""
        self.folder = folder = pathlib.Path(folder)
        self.private = private
        self.url, self.tls_url = f"ldap://127.0.0.1:{port}", f"ldaps://127.0.0.1:{tls_port}"
        for name in ("ldap/db", "run", "etc", "secrets"):
            (folder / name).mkdir(parents=True)
        self.password = folder / "secrets/ldap-admin"
        self.password.write_text(secrets.token_hex(24))
        self.certificate = folder / "ldap/cert.pem"
        run("openssl", "req", "-x509", *keypool.request(folder / "ldap/key.pem"), "-days", "390", "-subj",
            "/CN=directory", "-addext", "subjectAltName=IP:127.0.0.1", "-out", self.certificate)
        text = (REPO / "deploy/slapd/slapd.conf.in").read_text()
        for name, value in (
                ("DIR", folder), ("TLS_CERTIFICATE", self.certificate),
                ("TLS_KEY", folder / "ldap/key.pem"), ("TLS_CA", self.certificate),
                ("ROOT_PASSWORD_HASH",
                 run("/usr/sbin/slappasswd", "-T", self.password).stdout.decode().strip())):
            text = text.replace(f"@{name}@", str(value))
        if private:
            text = text.replace("require LDAPv3\n", "require LDAPv3 authc\ndisallow bind_anon\n"
                                "security simple_bind=128\n")
            text = text.replace("access to * by * read", "access to * by users read by * none")
        if faulty:
            text = text.replace("moduleload back_mdb\n", "moduleload back_mdb\nmoduleload retcode\n")
            text += "overlay retcode\nretcode-parent \"cn=none,c=NZ\"\nretcode-indir\n"
        conf = folder / "etc/slapd.conf"
        conf.write_text(text)
        run("/usr/sbin/slapadd", "-q", "-f", conf, "-b", "c=NZ", "-l",
            REPO / "deploy/slapd/base.ldif")
        self.server = Process(["/usr/sbin/slapd", "-f", conf, "-d", "0", "-h",
                               f"{self.url}/ {self.tls_url}/"], self.answers)

    def tool(self, name, *arguments, bound=True, **more):
        """One of the ldap-utils, as the one who may write; where nobody else may read, by TLS."""
        who = ("-D", "cn=admin,c=NZ", "-y", self.password) if bound or self.private else ()
        return run(name, "-x", "-o", "nettimeout=2", "-H", self.tls_url if self.private else self.url, *who, *arguments,
                   env={**os.environ, "LDAPTLS_CACERT": str(self.certificate)}, **more)

    def answers(self):
        return self.tool("ldapsearch", "-s", "base", "-b", "c=NZ", bound=False, check=False).returncode == 0

    def search(self, flt, *attributes):
        return run("ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", self.url, "-b", "c=NZ",
                   flt, *attributes).stdout.decode()

    @property
    def bind(self):
        return ["--ldap-url", self.url, "--bind-dn", "cn=admin,c=NZ", "--password-file",
                self.password]

    def put_failing_authority(self, certificate, code=53, seconds=0):
        """CA certificates are there, and whoever searches for them gets this code after so many seconds."""
        value = base64.b64encode(certificate.read_bytes()).decode()
        ldif = self.folder / "failing.ldif"
        ldif.write_text("dn: cn=failing,c=NZ\nobjectClass: applicationProcess\nobjectClass: pkiCA\n"
                        f"objectClass: errAuxObject\ncn: failing\ncACertificate;binary:: {value}\n"
                        f"errCode: {code}\nerrOp: search\nerrSleepTime: {seconds}\n")
        self.tool("ldapadd", "-M", "-f", ldif)

    def put(self, domain, leaves):
        """An entry with just these certificates, by ldapmodify."""
        values = "".join("userCertificate;binary:: "
                         f"{base64.b64encode(leaf.certificate.public_bytes(DER)).decode()}\n"
                         for leaf in leaves)
        ldif = self.folder / "put.ldif"
        ldif.write_text(f"dn: ou={domain},c=NZ\nobjectClass: organizationalUnit\nou: {domain}\n\n"
                        f"dn: cn={DCA},ou={domain},c=NZ\nobjectClass: inetOrgPerson\n"
                        f"cn: {DCA}\nsn: {DCA}\nmail: {DCA}@{domain}\n{values}")
        for dn in (f"cn={DCA},ou={domain},c=NZ", f"ou={domain},c=NZ"):
            self.tool("ldapdelete", dn, check=False)
        self.tool("ldapadd", "-f", ldif)


class Probe:
    """The certificate library with storage in a folder."""

    def __init__(self, folder, anchors, directories=(), program="cert_probe", before=(), **limits):
        self.folder = pathlib.Path(folder)
        if not self.folder.exists():
            for name in ("anchors", "partners", "crls"):
                (self.folder / name).mkdir(parents=True)
        self.anchors(anchors)
        self.directories(directories)
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [*before, BUILD / "tests" / program, self.folder,
             *(f"{name}={value}" for name, value in limits.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def anchors(self, paths):
        for old in (self.folder / "anchors").iterdir():
            old.unlink()
        for i, path in enumerate(paths):
            shutil.copy(path, self.folder / f"anchors/{i}.cer")

    def domain_anchors(self, domain_id, paths):
        """Further roots of a domain of ours."""
        folder = self.folder / f"anchors-{domain_id}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for i, path in enumerate(paths):
            shutil.copy(path, folder / f"{i}.cer")

    def relying(self, domain_id):
        """Who asks from now on; None: nobody with roots of their own."""
        self.command("relying", domain_id or "-")
        return self

    def ours(self, domain_id):
        """Whose choices about lists count from now on; None: nobody's."""
        self.command("ours", domain_id or "-")
        return self

    def weak(self, will_do):
        """Will certificates do from now on that are weak?"""
        self.command("weak", int(will_do))
        return self

    def choice(self, domain_id, *, grace=-1, bypass=0):
        """What a domain of ours has chosen: seconds of grace, a bypass until a time."""
        (self.folder / f"choice-{domain_id}").write_text(f"{grace} {bypass and unix(bypass)}")

    def bypass(self, leaf, until, reason="disaster"):
        """Of one certificate; until None: none."""
        path = self.folder / f"bypass-{hashlib.sha256(leaf.path.read_bytes()).hexdigest()}"
        if until:
            path.write_text(f"{unix(until)} {reason}")
        else:
            path.unlink()

    def revoked_here(self, leaf):
        """By its owner, a domain of ours: no list says so."""
        (self.folder / f"revoked-{hashlib.sha256(leaf.path.read_bytes()).hexdigest()}").touch()

    def directories(self, directories):
        """(url, CA of its TLS), or behind these a CA that it belongs to, its filter and attribute, who binds and the
        name of his credential."""
        (self.folder / "directories").write_text(
            "".join(" ".join((url, "c=NZ", str(ca or "-"), *(str(m or "-") for m in (*more, *[None] * 5)[:5])))
                    + "\n" for url, ca, *more in directories))

    def command(self, *words, answers=1):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        lines = [json.loads(self.process.stdout.readline()) for _ in range(answers)]
        return lines if answers > 1 else lines[0]

    def check(self, leaf, domain="a.test", use="encrypt", now=None, helpers=True):
        return self.command("check", use, domain, unix(now) if now else "-", leaf.path,
                            *([leaf.helpers] if helpers else []))

    def checks(self, threads, leaf, domain="a.test", use="encrypt"):
        return self.command("checks", threads, use, domain, "-", leaf.path, leaf.helpers,
                            answers=threads)

    def discover(self, domain="a.test", now=None, threads=1):
        return self.command("discover", domain, unix(now) if now else "-", threads,
                            answers=threads)

    def flush(self):
        self.command("flush")

    def state(self):
        return self.command("state")

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(20)
        self.process.stdout.close()
        self.log.close()
        assert status == 0, (self.folder / "log").read_text()
