"""tenantd with a real PostgreSQL, hsmd on SoftHSM and the reference CA: key → request → certificate,
what it refuses to install and in which words, and jobs that survive kill -9."""
import base64
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import psycopg2.errors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certlab import new_key
from pg import PostgreSQL, ROOT
from sealgate import keypool
from test_schema import BUILD, Session, new_id

NOW = datetime.datetime.now(datetime.timezone.utc)
DCA = "domain-confidentiality-authority"
DAY = datetime.timedelta(days=1)


def await_true(what, ask, seconds=60):
    """Asks until it is so."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return answer


class Hsm:
    """A token in SoftHSM and hsmd in front of it; this process's user may do what tenantd may."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        (folder / "tokens").mkdir(parents=True)
        self.env = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf"), "PATH": "/usr/bin:/bin"}
        (folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        for name in ("pin", "so-pin"):
            (folder / name).write_text("123456")
            (folder / name).chmod(0o600)
        self.socket = folder / "hsmd.sock"
        uid = os.getuid()
        (folder / "hsmd.conf").write_text(f"""[hsmd]
socket = {self.socket}
[pkcs11]
token = sealgate
pin_file = {folder}/pin
[access]
rules = {uid}:dca:generate,csr,public,destroy {uid}:archive:generate,public,destroy
""")
        self.ctl("token-init", "--label", "sealgate", "--so-pin-file", folder / "so-pin")
        self.ctl("kek-make")

    def ctl(self, *args):
        done = subprocess.run([BUILD / "bin/hsmctl", "-c", self.folder / "hsmd.conf", *args],
                              env=self.env, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def key_labels(self):
        """Labels (class/tenant/domain) of the private keys on the token."""
        return re.findall(r"\b(?:dca|archive)/\S*", self.ctl("list"))

    def start(self):
        log = open(self.folder / "hsmd.log", "ab")
        self.process = subprocess.Popen([BUILD / "bin/hsmd", "-c", self.folder / "hsmd.conf"],
                                        env=self.env, stderr=log)
        await_true("hsmd's socket", self.socket.exists)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.socket.unlink(missing_ok=True)
        self.process = None


class Tenantd:
    def __init__(self, world, **settings):
        self.world, self.process = world, None
        world.daemons.append(self)
        values = {"workers": 2, "lease": "40s", "retry": "100ms", **settings}
        self.config = world.folder / f"tenantd-{new_id('cfg')}.conf"
        pg = world.pg
        self.config.write_text(f"""[database]
conninfo = {pg.conninfo("sg_tenant")}
password_file = {pg.password_file("sg_tenant")}
owner_conninfo = {pg.conninfo("sg_owner")}
owner_password_file = {pg.password_file("sg_owner")}
[hsm]
socket = {world.hsm.socket}
timeout = {values.pop("timeout", "30s")}
[archive]
key_bits = 2048
[jobs]
""" + "".join(f"{name} = {value}\n" for name, value in values.items()))

    def start(self):
        path = self.config.with_suffix(".log")
        begin = path.stat().st_size if path.exists() else 0
        with open(path, "ab") as log:
            self.process = subprocess.Popen([BUILD / "bin/tenantd", "-c", self.config], stderr=log,
                                            stdin=subprocess.DEVNULL)
        await_true("tenantd is ready", lambda: '"ready"' in path.read_text()[begin:])
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(20) == 0
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def run(self, *args):
        return subprocess.run([BUILD / "bin/tenantd", *args], text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60)


class World:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.chmod(0o755)
        self.pg = PostgreSQL(self.folder / "pg", 5432)
        self.hsm = None
        self.daemons = []

    def __enter__(self):
        self.pg.__enter__()
        self.hsm = Hsm(self.folder / "hsm")
        self.hsm.start()
        self.tenantd = Tenantd(self)
        done = self.tenantd.run("migrate", "-c", self.tenantd.config)
        assert done.returncode == 0, done.stderr
        self.provider = Session(self.pg, "sg_provider")
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:  # those that a failed test left
            if daemon.process and daemon.process.poll() is None:
                daemon.kill()
        if self.hsm:
            self.hsm.stop()
        self.pg.stop()

    def tenant(self, name):
        return self.provider.insert("tenant", id=new_id("ten"), name=name, state="active",
                                    created_at=NOW, updated_at=NOW)

    def domain(self, tenant, name):
        return self.provider.insert("domain", id=new_id("dom"), tenant_id=tenant, name=name,
                                    environment="seemail", state="attested", created_at=NOW,
                                    updated_at=NOW)

    def job(self, tenant, kind, max_attempts=5, **payload):
        now = datetime.datetime.now(datetime.timezone.utc)
        return self.provider.insert("job", id=new_id("job"), tenant_id=tenant, kind=kind,
                                    payload=json.dumps(payload), state="queued",
                                    max_attempts=max_attempts, run_at=now, created_at=now)

    def key(self, tenant, domain, kind="token", algorithm="rsa-2048", max_attempts=5):
        """The ids of the key and of the job that makes it."""
        key = self.provider.insert("hsm_key", id=new_id("key"), tenant_id=tenant,
                                   domain_id=domain, kind=kind, algorithm=algorithm,
                                   state="pending", created_at=NOW, updated_at=NOW,
                                   **{"class": "dca"})
        return key, self.job(tenant, "key.generate", max_attempts, key_id=key)

    def ask(self, sql, *args):
        return self.provider.run(sql, *args)[0]

    def finished(self, job, seconds=60):
        """Waits for the job's end: state, words, result."""
        def ended():
            row = self.ask("SELECT state, last_error, result FROM job WHERE id = %s", job)
            return row if row[0] in ("done", "dead", "cancelled") else None
        return await_true(f"job {job}", ended, seconds)

    def done(self, job):
        state, words, result = self.finished(job)
        assert state == "done", words
        return result

    def csr(self, tenant, key):
        self.done(self.job(tenant, "key.csr", key_id=key))
        return bytes(self.ask("SELECT csr FROM hsm_key WHERE id = %s", key)[0])

    def install(self, tenant, domain, *ders):
        return self.job(tenant, "certificate.install", domain_id=domain,
                        certificates=[base64.b64encode(der).decode() for der in ders])


@pytest.fixture(scope="module")
def world():
    folder = tempfile.mkdtemp(prefix="sealgate-tn-", dir="/tmp")
    try:
        with World(folder) as w:
            yield w
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def running(world):
    with world.tenantd:
        yield world


@pytest.fixture(scope="module")
def refca(world):
    """The reference CA, whose root is accredited."""
    folder = world.folder / "ca"

    def run(*args, **more):
        done = subprocess.run(["/usr/bin/python3", "-B", ROOT / "tools/refca/refca", "--dir", folder,
                               *args], capture_output=True, timeout=60, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout
    run("init", "--crl-url", "http://127.0.0.1:48599/ca.crl", "--keys", keypool.take(), keypool.take())
    root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
    anchor(world, root)
    return run


def anchor(world, certificate):
    der = certificate.public_bytes(serialization.Encoding.DER)
    world.provider.insert("trust_anchor", id=new_id("anc"), der=der,
                          sha256=hashlib.sha256(der).digest(), subject="",
                          not_after=certificate.not_valid_after, created_at=NOW)


def ders(pem):
    end = b"-----END CERTIFICATE-----"
    return [x509.load_pem_x509_certificate(part + end).public_bytes(serialization.Encoding.DER)
            for part in pem.split(end)[:-1]]


# From key to certificate -------------------------------------------------------------------------


@pytest.mark.parametrize("kind, algorithm", [("token", "rsa-2048"), ("wrapped", "rsa-3072")])
def test_key_csr_certificate(running, refca, kind, algorithm):
    """REQ-46, 158-164, 166: the request is as the CA wants it, and what the CA issues is installed."""
    world, name = running, f"{kind}.test"
    tenant = world.tenant("Te Tari " + "ō" * 90)
    domain = world.domain(tenant, name)
    key, job = world.key(tenant, domain, kind, algorithm)
    began = time.monotonic()
    assert world.done(job) == {"key_id": key}
    assert time.monotonic() - began < 15  # woken, not polled (30 s)
    state, spki, blob = world.ask("SELECT state, spki, blob FROM hsm_key WHERE id = %s", key)
    assert state == "active" and (blob is not None) == (kind == "wrapped")
    assert (f"dca/{tenant}/{domain}" in world.hsm.key_labels()) == (kind == "token")

    csr = x509.load_der_x509_csr(world.csr(tenant, key))
    assert csr.is_signature_valid
    assert csr.public_key().key_size == int(algorithm[4:])
    assert csr.public_key().public_bytes(serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo) == bytes(spki)
    assert [(a.oid, a.value) for a in csr.subject] == [
        (NameOID.COUNTRY_NAME, "NZ"), (NameOID.ORGANIZATION_NAME, "Te Tari " + "ō" * 56),
        (NameOID.COMMON_NAME, DCA)]
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == [f"{DCA}@{name}"]
    assert len(list(names)) == 1

    chain = ders(refca("issue", "-", input=csr.public_bytes(serialization.Encoding.PEM)))
    job = world.install(tenant, domain, *chain)
    certificate = world.done(job)["certificate_id"]
    row = world.ask("SELECT state, der, chain, key_id, issuer, serial FROM certificate"
                    " WHERE id = %s", certificate)
    assert (row[0], bytes(row[1]), [bytes(c) for c in row[2]], row[3]) == (
        "active", chain[0], chain[1:], key)
    assert int(row[5], 16) == x509.load_der_x509_certificate(chain[0]).serial_number
    # The same again is the same certificate; its renewal supersedes it.
    assert world.done(world.install(tenant, domain, *chain)) == {"certificate_id": certificate}
    again = ders(refca("issue", "-", "--overlap",
                       input=csr.public_bytes(serialization.Encoding.PEM)))
    renewed = world.done(world.install(tenant, domain, *again))["certificate_id"]
    assert world.provider.run("SELECT id, state FROM certificate WHERE domain_id = %s"
                              " ORDER BY state", domain) == [
        (renewed, "active"), (certificate, "superseded")]
    audit = Session(world.pg, "sg_audit").run(
        "SELECT DISTINCT actor, request_id FROM audit WHERE object_id = %s", certificate)
    assert ("tenantd", job) in audit


def test_request_asked_for_before_the_key_is_there(running):
    """The customer's program posts both at once."""
    world = running
    tenant = world.tenant("Early")
    domain = world.domain(tenant, "early.test")
    key, job = world.key(tenant, domain)
    csr = world.job(tenant, "key.csr", max_attempts=10, key_id=key)
    world.done(job)
    world.done(csr)


# What is refused, and in which words -----------------------------------------------------------------


class Ca:
    """A CA that issues whatever it is told to."""

    def __init__(self, name="Bad habits CA", issuer=None):
        self.key = new_key()
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by = issuer or self
        self.certificate = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(by.name)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 900 * DAY).not_valid_after(NOW + 900 * DAY)
            .add_extension(x509.BasicConstraints(True, None), True).sign(by.key, hashes.SHA256()))
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)

    def issue(self, public_key, domain, cn=DCA, addresses=None, email=None, cdp=True, ca=False,
              begin=NOW - DAY, end=NOW + 300 * DAY, usage=(True, True), extended=True,
              self_signed_by=None):
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, cn)]
        if email:
            subject.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, email))
        subject = x509.Name(subject)
        addresses = [f"{DCA}@{domain}"] if addresses is None else addresses
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(subject if self_signed_by else self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(begin)
                   .not_valid_after(end))
        if addresses:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.RFC822Name(a) for a in addresses]), False)
        if cdp:
            builder = builder.add_extension(x509.CRLDistributionPoints([x509.DistributionPoint(
                [x509.UniformResourceIdentifier("http://ca.test/crl")], None, None, None)]), False)
        if ca:
            builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        sign, encipher = usage
        builder = builder.add_extension(x509.KeyUsage(sign, False, encipher, False, False, ca, False,
                                                      False, False), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([
            ExtendedKeyUsageOID.EMAIL_PROTECTION if extended else ExtendedKeyUsageOID.SERVER_AUTH
        ]), False)
        certificate = builder.sign(self_signed_by or self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.DER)


@pytest.fixture(scope="module")
def site(world):
    """A domain with an active key, an accredited CA with bad habits, and one below it."""
    with world.tenantd:
        tenant = world.tenant("Site")
        domain = world.domain(tenant, "site.test")
        key, job = world.key(tenant, domain)
        world.done(job)
    class Site:
        pass
    s = Site()
    s.tenant, s.domain = tenant, domain
    s.public = serialization.load_der_public_key(
        bytes(world.ask("SELECT spki FROM hsm_key WHERE id = %s", key)[0]))
    s.ca = Ca()
    s.below = Ca("Below", s.ca)
    anchor(world, s.ca.certificate)
    return s


def plus_months(day, months):
    index = day.year * 12 + day.month - 1 + months
    return day.replace(year=index // 12, month=index % 12 + 1)


# name, words, arguments of Ca.issue()
REFUSED = {
    "expired": ("it expired on", dict(begin=NOW - 300 * DAY, end=NOW - DAY)),
    "future": ("it is not valid before", dict(begin=NOW + DAY)),
    "14 months": ("more than 13 months (REQ-160)", dict(end=NOW + 420 * DAY)),
    "no CDP": ("no CRL distribution point", dict(cdp=False)),
    "other name": (f"CN is not {DCA}", dict(cn="domain-signing-authority")),
    "longer name": (f"CN is not {DCA}", dict(cn=DCA + "\u200b")),
    "no address": (f"not the address {DCA}@site.test", dict(addresses=[])),
    "parent domain": ("not the address", dict(addresses=[f"{DCA}@test"])),
    "sub-domain": ("not the address", dict(addresses=[f"{DCA}@sub.site.test"])),
    "space": ("not the address", dict(addresses=[f"{DCA}@site.test "])),
    "two domains": ("has addresses besides", dict(
        addresses=[f"{DCA}@site.test", f"{DCA}@victim.test"])),
    "a person's address besides": ("has addresses besides", dict(email="joe@site.test")),
    "a CA's": ("CA's certificate", dict(ca=True)),
    "signs only": ("key usage must allow", dict(usage=(True, False))),
    "encrypts only": ("key usage must allow", dict(usage=(False, True))),
    "TLS server's": ("does not allow emailProtection", dict(extended=False)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_certificate_refused(running, site, case):
    """REQ-158 to 164, 166: refused at once, with the reason in the job."""
    words, how = REFUSED[case]
    der = site.ca.issue(site.public, "site.test", **how)
    state, error, result = running.finished(running.install(site.tenant, site.domain, der))
    assert (state, result) == ("dead", None)
    assert words in error
    assert running.ask("SELECT count(*) FROM certificate WHERE domain_id = %s", site.domain) == (0,)


def test_refused_for_other_reasons(running, site):
    other = new_key()
    stranger = Ca("Unknown CA")
    good = site.ca.issue(site.public, "site.test")
    elsewhere = running.domain(running.tenant("Elsewhere"), "elsewhere.test")
    cases = [
        ("none of this domain's active keys", [site.ca.issue(other.public_key(), "site.test")]),
        ("self-signed", [site.ca.issue(other.public_key(), "site.test", self_signed_by=other)]),
        ("no chain to an accredited root", [stranger.issue(site.public, "site.test")]),
        ("no chain to an accredited root", [stranger.issue(site.public, "site.test"), stranger.der]),
        ("no chain to an accredited root", [site.below.issue(site.public, "site.test")]),
        ("not a certificate", [b"0\x03\x02\x01\x01"]),
        ("not a certificate", [good + b"x"]),
        ("1 to 10 certificates", []),
        ("1 to 10 certificates", [good] * 11),
    ]
    for words, given in cases:
        state, error, _ = running.finished(running.install(site.tenant, site.domain, *given))
        if words == "self-signed":  # its key is refused before
            words = "none of this domain's active keys"
        assert state == "dead" and words in error, (words, error)
    for payload in ({"domain_id": elsewhere, "certificates": [base64.b64encode(good).decode()]},
                    {"domain_id": site.domain, "certificates": ["=not base64="]}, {}):
        state, error, _ = running.finished(
            running.job(site.tenant, "certificate.install", **payload))
        assert state == "dead" and error
    state, error, _ = running.finished(running.job(site.tenant, "no.such.kind"))
    assert state == "dead" and "unknown kind" in error


def test_thirteen_months_and_below_the_root(running, site):
    """The most that is allowed; with an intermediate, handed in out of order among others."""
    begin = (NOW - DAY).replace(day=1, microsecond=0)
    der = site.below.issue(site.public, "SITE.test", begin=begin, end=plus_months(begin, 13))
    job = running.install(site.tenant, site.domain, der, Ca("Noise").der, site.below.der)
    certificate = running.done(job)["certificate_id"]
    chain, = running.ask("SELECT chain FROM certificate WHERE id = %s", certificate)
    assert [bytes(c) for c in chain] == [site.below.der]


# Jobs under fire ---------------------------------------------------------------------------------------


def test_kill_during_jobs(world):
    """Killed again and again while jobs are at work: each is done in the end, nothing twice."""
    tenant = world.tenant("Killed")
    domain = world.domain(tenant, "killed.test")
    keys = [world.key(tenant, domain, kind, max_attempts=20)
            for kind in ("token", "wrapped") for _ in range(8)]
    daemon = Tenantd(world, lease="2500ms", timeout="2s")
    at_work = ("SELECT count(*) FILTER (WHERE state <> 'done'), array_agg(DISTINCT worker)"
               " FILTER (WHERE state = 'running') FROM job WHERE tenant_id = %s")
    struck, known = 0, {None}

    def news():
        """(jobs left,) once a process that was not killed yet is at work, or nothing is left."""
        left, workers = world.ask(at_work, tenant)
        return (left,) if left == 0 or set(workers or []) - known else None
    for _ in range(8):
        daemon.start()
        left, = await_true("a job at work, of this process", news)
        daemon.kill()
        struck += left > 0
        known |= set(world.ask(at_work, tenant)[1] or [])
    assert struck >= 3  # there was work in flight each time
    with Tenantd(world):
        for key, job in keys:
            assert world.done(job) == {"key_id": key}
    spkis = {bytes(s) for s, in world.provider.run(
        "SELECT spki FROM hsm_key WHERE domain_id = %s AND state = 'active'", domain)}
    assert len(spkis) == 16
    assert world.hsm.key_labels().count(f"dca/{tenant}/{domain}") == 8  # none left over


def test_stop_lets_jobs_end(world):
    tenant = world.tenant("Stopped")
    domain = world.domain(tenant, "stopped.test")
    daemon = Tenantd(world).start()
    keys = [world.key(tenant, domain, "wrapped") for _ in range(8)]
    await_true("a job at work", lambda: world.ask(
        "SELECT count(*) FROM job WHERE tenant_id = %s AND state = 'running'", tenant) != (0,))
    daemon.stop()  # exit status 0
    states = [s for s, in world.provider.run("SELECT DISTINCT state FROM job WHERE tenant_id = %s",
                                             tenant)]
    assert "running" not in states
    with daemon:
        for _, job in keys:
            world.done(job)


def test_hsm_away(running):
    """Tried again, with the reason in words meanwhile."""
    world = running
    tenant = world.tenant("Away")
    domain = world.domain(tenant, "away.test")
    world.hsm.stop()
    key, job = world.key(tenant, domain)
    words = await_true("the reason", lambda: world.ask(
        "SELECT last_error FROM job WHERE id = %s", job)[0])
    assert "hsmd" in words or "HSM" in words, words
    assert world.ask("SELECT state FROM hsm_key WHERE id = %s", key) == ("pending",)
    world.hsm.start()
    world.done(job)


def test_given_up(running):
    """No attempt left: the job is dead, the key failed."""
    world = running
    tenant = world.tenant("Given up")
    domain = world.domain(tenant, "given-up.test")
    world.hsm.stop()
    try:
        key = world.key(tenant, domain)[0]
        job = world.job(tenant, "key.generate", max_attempts=2, key_id=key)
        assert world.finished(job)[0] == "dead"
        assert world.ask("SELECT attempts FROM job WHERE id = %s", job) == (2,)
        assert world.ask("SELECT state FROM hsm_key WHERE id = %s", key) == ("failed",)
    finally:
        world.hsm.start()


def test_database_restarts(running):
    world = running
    tenant = world.tenant("Restarted")
    domain = world.domain(tenant, "restarted.test")
    jobs = [world.key(tenant, domain)[1] for _ in range(3)]
    world.pg.restart()
    world.provider = Session(world.pg, "sg_provider")
    jobs += [world.key(tenant, domain)[1]]
    for job in jobs:
        world.done(job)


# By the clock --------------------------------------------------------------------------------------


def test_archive_key_of_the_quarter(world):
    """One, though several tenantd start at once."""
    quarter = f"{NOW.year}q{(NOW.month + 2) // 3}"
    daemons = [Tenantd(world) for _ in range(3)]
    for d in daemons:
        d.start()
    rows = await_true("an archive key", lambda: Session(world.pg, "sg_tenant").run(
        "SELECT quarter, kind, spki, id FROM archive_key"))
    for d in daemons:
        d.stop()
    assert [(q, k) for q, k, _, _ in rows] == [(quarter, "token")]
    public = serialization.load_der_public_key(bytes(rows[0][2]))
    assert public.key_size == 2048
    assert len([l for l in world.hsm.key_labels() if l.startswith("archive/")]) == 1


def test_archive_key_goes_with_its_last_data_key(world):
    """REQ-133: retired, destroyed in the HSM and recorded; never the current one, nor one in use."""
    pg, tenant = world.pg, world.tenant("Archived")
    owner, gateway = Session(pg, "sg_owner"), Session(pg, "sg_gateway")

    def current():
        return owner.run("SELECT id FROM archive_key WHERE quarter <> '2020q1' AND quarter <> '2020q2'")

    def made():
        """A key of the current quarter: by the job that comes by the clock."""
        if not current():
            world.done(world.job(None, "archive.key"))
        return current()[0][0]

    def data_key(session, key):
        return session.insert("archive_data_key", id=new_id("adk"), archive_key_id=key, node="n", tenant_id=tenant,
                              day=NOW.date(), wrapped=b"w", created_at=NOW)

    def dispose():
        return world.done(world.job(None, "archive.dispose"))

    def row(key):
        return owner.run("SELECT state, destroyed_at IS NOT NULL, blob FROM archive_key WHERE id = %s", key)[0]

    def labels():
        return len([l for l in world.hsm.key_labels() if l.startswith("archive/")])

    with world.tenantd:
        # One of an earlier quarter, on the token, another that is nowhere but in its row.
        old = made()
        owner.run("UPDATE archive_key SET quarter = '2020q1' WHERE id = %s", old, actor="test")
        wrapped = owner.insert("archive_key", id=new_id("ark"), quarter="2020q2", kind="wrapped", spki=b"k",
                               blob=b"b", created_at=NOW)
        new = made()
        kept = [data_key(gateway, key) for key in (old, wrapped)]
        assert dispose() == {"retired": 0, "destroyed": 0}  # in use
        owner.run("DELETE FROM archive_data_key WHERE id = ANY(%s)", kept)
        assert dispose() == {"retired": 0, "destroyed": 0}  # its successor has just come
        assert labels() == 2
        owner.run("UPDATE archive_key SET created_at = created_at - interval '2 days'", actor="test")

        # Somebody wraps to it just now: that is waited for, and it stays.
        writer = pg.connect("sg_gateway")
        writer.autocommit = False
        with writer.cursor() as cursor:
            cursor.execute("INSERT INTO archive_data_key VALUES (%s, %s, 'n', %s, now()::date, 'w', now()) RETURNING id",
                           (new_id("adk"), old, tenant))
            late = cursor.fetchone()[0]
        job = world.job(None, "archive.dispose")
        await_true("the job waits", lambda: owner.run(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"))
        writer.commit()
        writer.close()
        assert world.done(job) == {"retired": 1, "destroyed": 1}
        assert row(old) == ("active", False, None) and row(wrapped) == ("destroyed", True, None)

        # hsmd is away: it is retired, and stays so until it is gone from the HSM.
        owner.run("DELETE FROM archive_data_key WHERE id = %s", late)
        world.hsm.stop()
        job = world.job(None, "archive.dispose")
        await_true("an error", lambda: world.ask("SELECT last_error FROM job WHERE id = %s", job)[0])
        assert row(old)[:2] == ("retired", False)
        with pytest.raises(psycopg2.errors.LockNotAvailable, match="the archive key is retired"):
            data_key(gateway, old)
        world.hsm.start()
        world.finished(job)
        assert dispose()["retired"] == 0
        assert row(old)[:2] == ("destroyed", True) and labels() == 1
        assert row(new)[:2] == ("active", False)  # nothing is wrapped to it either, but it is the current one
        data_key(gateway, new)
    assert owner.run("SELECT class, tenant_id, rows, policy FROM disposal WHERE method = 'key' ORDER BY policy") == [
        ("archive", None, 1, f"the key of 2020q{n}, after its last data key") for n in (1, 2)]
    states = Session(pg, "sg_audit").run("SELECT after->>'state' FROM audit WHERE object_id = %s AND action = 'update'"
                                         " AND actor = 'tenantd' ORDER BY id", old)
    assert states == [("retired",), ("destroyed",)]


def test_token_command(world):
    out = world.folder / "token"
    common = ["-c", world.tenantd.config, "--name", "first", "--out", out]
    assert world.tenantd.run("token", *common, "--role", "king").returncode == 1
    assert not out.exists()
    done = world.tenantd.run("token", *common, "--role", "provider-admin")
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    token = out.read_text()
    assert re.fullmatch(r"sgt_[A-Za-z0-9_-]{43}\n", token)
    row = world.ask("SELECT role, name, tenant_id, revoked_at FROM api_token WHERE hash = %s",
                    hashlib.sha256(token.strip().encode()).digest())
    assert row == ("provider-admin", "first", None, None)
    again = world.tenantd.run("token", *common, "--role", "provider-admin")
    assert again.returncode == 1 and "File exists" in again.stderr
    assert out.read_text() == token
    tenant = world.tenant("With token")
    done = world.tenantd.run("token", "-c", world.tenantd.config, "--name", "t", "--out",
                             world.folder / "token-t", "--role", "tenant-admin", "--tenant", tenant)
    assert done.returncode == 0, done.stderr
    narrow = ["token", "-c", world.tenantd.config, "--name", "n", "--out", world.folder / "token-n"]
    for role, scope, words in (("billing", "usage", "a scope that this version does not know"),
                               ("tenant-admin", "keys:read", "is not for the whole platform")):
        done = world.tenantd.run(*narrow, "--role", role, "--scope", scope)
        assert done.returncode == 1 and words in done.stderr
    done = world.tenantd.run(*narrow, "--role", "auditor", "--scope", "audit:read keys:read")
    assert done.returncode == 0, done.stderr
    assert world.ask("SELECT role, scope FROM api_token WHERE name = 'n'") == (
        "auditor", "audit:read keys:read")


def test_configuration(world):
    bad = world.folder / "bad.conf"
    text = world.tenantd.config.read_text()
    for change, words in [(text + "colour = blue\n", "unknown key colour"),
                          (text.replace("2048", "2222"), "2048, 3072 or 4096")]:
        bad.write_text(change)
        done = world.tenantd.run("-t", "-c", bad)
        assert done.returncode == 2 and words in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert world.tenantd.run("-t", "-c", world.tenantd.config).returncode == 0
