"""slapd with c=NZ, and the reference CA that publishes to it."""
import contextlib
import json
import os
import pathlib
import secrets
import subprocess
import threading
import urllib.request

from .layout import CA, DIRECTORY, GROUP, ROOT, TENANT
from .process import NotReady, Service, as_user


ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def run(command, uid=0, gid=0, **more):
    if uid:
        command = as_user(command, uid, gid)
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=ENVIRONMENT,
                            cwd="/", stdin=subprocess.DEVNULL, check=False, **more)
    if result.returncode != 0:
        raise NotReady(f"{pathlib.Path(str(command[0])).name}: "
                       f"{(result.stderr or result.stdout).strip()}")
    return result.stdout


class Directory:
    name = "slapd"

    def __init__(self, layout):
        self.layout = layout
        self.folder = layout.ldap
        self.conf = layout.etc / "slapd.conf"
        self.certificate = self.folder / "cert.pem"
        self.password_file = layout.secrets / "ldap-admin"
        self.url = f"ldap://127.0.0.1:{layout.port['ldap']}"
        self.ldaps_url = f"ldaps://127.0.0.1:{layout.port['ldaps']}"
        self.service = Service(
            layout, "slapd",
            ["/usr/sbin/slapd", "-f", self.conf, "-d", "0", "-h", f"{self.url}/ {self.ldaps_url}/"],
            ready=self.answers, uid=DIRECTORY, gid=GROUP)

    def prepare(self):
        made = self.folder / "made"
        if made.exists():
            return
        # The CA binds with it; no newline, for the tools take the file as it is.
        if not self.password_file.exists():
            self.layout.write(self.password_file, secrets.token_hex(24), 0o400, CA, GROUP)
        if not self.certificate.exists():
            run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "390",
                 "-subj", "/CN=directory", "-addext", "subjectAltName=IP:127.0.0.1",
                 "-keyout", self.folder / "key.pem", "-out", self.certificate])
            os.chown(self.folder / "key.pem", DIRECTORY, GROUP)
            (self.folder / "key.pem").chmod(0o400)
        password_hash = run(["slappasswd", "-T", self.password_file]).strip()
        text = (ROOT / "deploy/slapd/slapd.conf.in").read_text(encoding="utf-8")
        for name, value in (("DIR", self.layout.dir), ("TLS_CERTIFICATE", self.certificate),
                            ("TLS_KEY", self.folder / "key.pem"), ("TLS_CA", self.certificate),
                            ("ROOT_PASSWORD_HASH", password_hash)):
            text = text.replace(f"@{name}@", str(value))
        self.layout.write(self.conf, text, 0o400, DIRECTORY, GROUP)
        database = self.folder / "db"
        subprocess.run(["rm", "-rf", str(database)], check=True)
        database.mkdir(mode=0o700)
        os.chown(database, DIRECTORY, GROUP)
        base = self.folder / "base.ldif"
        self.layout.write(base, (ROOT / "deploy/slapd/base.ldif").read_text(encoding="utf-8"))
        run(["/usr/sbin/slapadd", "-q", "-f", self.conf, "-b", "c=NZ", "-l", base],
            DIRECTORY, GROUP)
        made.touch()

    def search(self, base, scope="sub", flt="(objectClass=*)", *attributes):
        return run(["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-o", "nettimeout=3",
                    "-H", self.url, "-b", base, "-s", scope, flt, *attributes])

    def answers(self):
        try:
            return "c=NZ" in self.search("c=NZ", "base")
        except NotReady:
            return False

    def start(self):
        self.prepare()
        self.service.start()

    def stop(self):
        return self.service.stop()

    def pid(self):
        return self.service.pid()


class ReferenceCA:
    """The platform's, with an EST server that publishes what it issues; or a further one, with a name,
    folder and port of its own, and without EST unless it is given an est_port.

    EST clients: est_url, account, password_file (tenantd's), ca_file (which they trust). fault()
    has it misbehave, clock() moves its time (the platform's where that has a clock)."""

    account = "gateway"
    new_key = None  # tests: gives the file of a key to be taken instead of making one

    def __init__(self, layout, directory, name="refca", folder=None, port=None, est_port=None):
        self.layout, self.directory, self.name = layout, directory, name
        self.est_port = est_port or (layout.port["est"] if folder is None else None)
        self.folder, self.port = folder or layout.ca, port or layout.port["crl"]
        self.program = layout.bin / "refca/refca"
        self.crl_url = f"http://127.0.0.1:{self.port}/ca.crl"
        self.est_url = f"https://127.0.0.1:{self.est_port}/.well-known/est"
        self.revocation_url = f"https://127.0.0.1:{self.est_port}/revocations"
        self.password_file = layout.secrets / f"{name}.est"
        self.ca_file = layout.etc / f"est-{name}.pem"
        self.fault_file = layout.etc / f"{name}.fault"
        self.clock_file = layout.etc / f"{name}.clock"
        self.options = []            # further ones of `refca serve`
        self.batch = None            # `refca batch`, from the first command to stop()
        self.batch_lock = threading.Lock()
        self.service = Service(layout, name, self._command(), ready=self.answers, uid=CA, gid=GROUP,
                               env={"PYTHONDONTWRITEBYTECODE": "1"})

    def _command(self):
        est = ["--est-port", self.est_port, "--fault", self.fault_file, "--est-retry-after", "1",
               *self._ldap()] if self.est_port else []
        return [self.program, "--dir", self.folder, "--clock-file", self.clock_file, "serve",
                "--port", self.port, "--refresh", "60", *est, *self.options]

    def run(self, *arguments):
        with self.batch_lock:
            if self.batch is None:
                command = [self.program, "--dir", self.folder, "--clock-file", self.clock_file, "batch"]
                self.batch = subprocess.Popen(as_user(command, CA, GROUP), text=True, env=ENVIRONMENT,
                                              cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.batch.stdin.write(json.dumps([str(a) for a in arguments]) + "\n")
            self.batch.stdin.flush()
            answer = json.loads(self.batch.stdout.readline() or '{"status": 1, "err": "refca batch ended"}')
        if answer["status"]:
            raise NotReady(answer["err"].strip())
        return answer["out"]

    def answers(self):
        with urllib.request.urlopen(self.crl_url.replace("ca.crl", "healthz"), timeout=3) as r:
            return r.status == 200

    def make(self, title="Sealgate Quickstart CA"):
        if not (self.folder / "ca.db").exists():
            self.run("init", "--name", title, "--crl-url", self.crl_url, "--bits", "2048",
                     *self._keys())
        if self.est_port and not (self.folder / "est.pem").exists():
            self.run("est-init", *self._keys())
            self.layout.write(self.ca_file, (self.folder / "est-ca.pem").read_bytes())
            password = self.layout.secret(self.password_file.name,
                                          lambda: secrets.token_urlsafe(24), TENANT, GROUP)
            with self._file("password", password) as path:
                self.run("account-add", self.account, "--password-file", path)

    def _keys(self):
        return ["--keys", self.new_key(), self.new_key()] if self.new_key else []

    @contextlib.contextmanager
    def _file(self, kind, text):
        """A file that the CA's user can read, for as long as this lasts."""
        path = self.folder / f"{kind}-{secrets.token_hex(6)}"
        self.layout.write(path, text, 0o400, CA, GROUP)
        try:
            yield path
        finally:
            path.unlink()

    def start(self):
        self.make()
        self.service.command = self._command()
        self.service.start()

    def stop(self):
        if self.batch:
            self.batch.stdin.close()
            self.batch.stdout.close()
            self.batch.wait()
            self.batch = None
        return self.service.stop()

    def pid(self):
        return self.service.pid()

    def fault(self, *words, **more):
        """As in tools/refca/refcalib/faults.py; without words, none."""
        self.layout.write(self.fault_file, json.dumps({"fault": words, **more} if words else {}))

    def clock(self, seconds):
        self.layout.write(self.clock_file, f"{seconds}\n")

    def revocations(self):
        return [json.loads(line) for line in self.run("revocations").splitlines()]

    def issued(self, domain=None):
        rows = [json.loads(line) for line in self.run("list").splitlines()]
        return [row for row in rows if domain in (None, row["domain"])]

    @property
    def anchor_pem(self):
        return (self.folder / "root.pem").read_text(encoding="ascii")

    def issue(self, csr_pem, *more):
        """A certificate from a request: the chain without the root, PEM."""
        with self._file("request", csr_pem) as path:
            return self.run("issue", path, *more)

    def _ldap(self):
        return ["--ldap-url", self.directory.url, "--bind-dn", "cn=admin,c=NZ",
                "--password-file", self.directory.password_file]

    def publish(self):
        return self.run("publish", *self._ldap())

    def list_add(self, name, *domains):
        return self.run("list-add", *self._ldap(), name, *domains)

    def list_remove(self, name, *domains):
        return self.run("list-remove", *self._ldap(), name, *domains)

    def list_set(self, name, domains, *more):
        """The list as a whole; its version goes up by one where that changes it."""
        with self._file("list", "".join(f"{domain}\n" for domain in domains)) as path:
            return self.run("list-set", *self._ldap(), name, "--file", path, *more)
