"""For tests of the API: PostgreSQL, SoftHSM and hsmd, tenantd, refca and apid, started for real in a
private directory; and a client that holds every answer against api/openapi.yaml.

SG_BUILD names the build directory (default build/release of the repository).
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import urllib.parse

import jsonschema
import psycopg2
import yaml

from pg import PostgreSQL, ROOT
from sealgate import keypool, template
from sealgate.dns import Dns
from sealgate.ports import PortBlock
from sealgate.process import stop, wait_for

BUILD = ROOT / (os.environ.get("SG_BUILD") or "build/release")
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
UID = os.geteuid()


def new_id(prefix):
    return f"{prefix}_{secrets.choice(DIGITS[:8])}" + "".join(
        secrets.choice(DIGITS) for _ in range(25))


class OpenApi:
    """api/openapi.yaml, with references followed."""

    def __init__(self):
        self.doc = yaml.load((ROOT / "api/openapi.yaml").read_text(), Loader=yaml.CSafeLoader)
        self.resolver = jsonschema.RefResolver.from_schema(self.doc)
        self.operations = {}  # (method, pattern) → operation, with its parameters in full
        for pattern, item in self.doc["paths"].items():
            shared = item.get("parameters", [])
            for method in ("get", "put", "post", "patch", "delete"):
                if method in item:
                    operation = dict(item[method])
                    operation["parameters"] = [
                        self.deref(p) for p in shared + operation.get("parameters", [])]
                    self.operations[method.upper(), pattern] = operation
        self.patterns = [(re.compile(re.sub(r"\{[a-z_]+\}", "[^/]+", p) + "$"), p)
                         for p in self.doc["paths"]]

    def deref(self, item):
        while "$ref" in item:
            target = self.doc
            for part in item["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            item = target
        return item

    def schema(self, schema):
        """A schema's own keywords, with those that stand behind $ref and allOf."""
        flat = dict(self.deref(schema))
        for part in flat.pop("allOf", []):
            flat = {**self.schema(part), **flat}
        return flat

    def find(self, method, path):
        for regex, pattern in self.patterns:
            if regex.match(path) and (method, pattern) in self.operations:
                return self.operations[method, pattern]
        return None

    def valid(self, schema, value):
        jsonschema.Draft202012Validator(schema, resolver=self.resolver).validate(value)

    def check(self, method, path, reply):
        """The answer is one that the description allows."""
        operation = self.find(method, path)
        if operation is None:
            spec = self.doc["components"]["responses"]["Problem"]
        else:
            responses = operation["responses"]
            status = str(reply.status)
            assert status in responses or status[0] + "XX" in responses, (method, path, status)
            spec = self.deref(responses.get(status) or responses[status[0] + "XX"])
        for name, header in spec.get("headers", {}).items():
            header = self.deref(header)
            assert name in reply.headers, f"{method} {path}: no {name}"
            self.valid(header["schema"], reply.headers[name])
        if "content" not in spec:
            assert reply.text == b"" and reply.status in (204, 304)
            return
        (kind, content), = spec["content"].items()
        if "json" in kind:
            assert reply.headers["Content-Type"] == kind
            self.valid(content["schema"], reply.json)
        elif content["schema"].get("format") == "binary":
            assert reply.headers["Content-Type"] == kind
        else:
            assert reply.headers["Content-Type"] == f"{kind}; charset=utf-8"
            self.valid(content["schema"], reply.text.decode("utf-8"))


OPENAPI = OpenApi()


SEEN_FILE = ROOT / "build/operations"
SEEN = set()


def seen(*words):
    """Notes an operation that succeeded: a line each, once a process; several may write at a time."""
    if words not in SEEN:
        SEEN.add(words)
        with open(SEEN_FILE, "a", encoding="ascii") as file:
            file.write(" ".join(words) + "\n")


CHANGES = {}  # port → {request id: (method, pattern)} of what succeeded and was no GET


class Reply:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read()
        kind = self.headers.get("Content-Type", "")
        self.json = json.loads(self.text) if self.text and "json" in kind else None

    def problem(self):
        return {k: v for k, v in self.json.items() if k != "request_id"}


class Client:
    """Requests with a token. Each answer is held against openapi.yaml; what succeeded is written
    down, so that `tools/check --only operations` can say which operation no test has had."""

    def __init__(self, port, token=None):
        self.port, self.token = port, token

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers or {})
            return Reply(connection.getresponse())

    def call(self, method, path, body=None, query=None, expect=None, headers=None):
        headers = dict(headers or {})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        full = path + ("?" + urllib.parse.urlencode(query) if query else "")
        reply = self.raw(method, full, data, headers)
        if method != "HEAD":
            OPENAPI.check(method, path, reply)
        if reply.status < 300:
            pattern = next(p for regex, p in OPENAPI.patterns if regex.match(path))
            seen(method, pattern)
            if method != "GET":
                CHANGES.setdefault(self.port, {})[reply.headers["X-Request-Id"]] = method, pattern
            if data and json.loads(data) != {}:
                content = OPENAPI.operations[method, pattern]["requestBody"]["content"]
                OPENAPI.valid(content["application/json"]["schema"], json.loads(data))
        if expect is not None:
            assert reply.status == expect, (method, path, reply.status, reply.json)
        return reply

    def get(self, path, expect=200, **query):
        return self.call("GET", path, query=query, expect=expect).json

    def post(self, path, body=None, expect=201):
        return self.call("POST", path, body, expect=expect).json

    def put(self, path, body, expect=200):
        return self.call("PUT", path, body, expect=expect).json

    def delete(self, path, expect=204):
        return self.call("DELETE", path, expect=expect).json

    def pages(self, path, **query):
        """Every item of a list."""
        items, cursor = [], None
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            items += page["data"]
            cursor = page["next_cursor"]
            if not cursor:
                return items

    def job(self, job_path, state="done"):
        """Waits for the end of a job."""
        job = wait_for(lambda: (j := self.get(job_path))["state"] in ("done", "dead", "cancelled")
                       and j, 60, job_path)
        assert job["state"] == state, job
        return job


class ReferenceCA:
    """platform.refca("issue", …) is the command. After platform.ca() it serves: est_url, account,
    password_file and ca_file are what an EST client needs. fault() has it misbehave, clock() moves
    its time (the daemons' too where the platform has a clock); start(*options) after
    platform.stop("refca") starts it otherwise."""

    account, password = "gateway", secrets.token_urlsafe(24)

    def __init__(self, platform):
        self.platform, self.folder = platform, platform.dir / "ca"
        self.port, self.est_port = platform.ports.base + 1, platform.ports.base + 14
        self.crl_url = f"http://127.0.0.1:{self.port}/ca.crl"
        self.est_url = f"https://127.0.0.1:{self.est_port}/.well-known/est"
        self.revocation_url = f"https://127.0.0.1:{self.est_port}/revocations"
        self.ca_file = self.folder / "est-ca.pem"
        self.fault_file = platform.dir / "ca.fault"
        self.clock_file = platform.dir / ("clock" if platform.with_clock else "ca.clock")
        self.password_file = platform.write("est-password", self.password + "\n")

    def __call__(self, *arguments):
        return self.platform.run(*self._program(), *arguments)

    def _program(self):
        return (ROOT / "tools/refca/refca", "--dir", self.folder, "--clock-file", self.clock_file)

    def make(self):
        self("init", "--crl-url", self.crl_url, "--keys", keypool.take(), keypool.take())
        self("est-init", "--keys", keypool.take(), keypool.take())
        self("account-add", self.account, "--password-file", self.password_file)

    def start(self, *options):
        self.platform.spawn("refca", *self._program(), "serve", "--port", self.port, "--est-port",
                            self.est_port, "--fault", self.fault_file, "--est-retry-after", "1",
                            "--refresh", "60", *options)

        def answers():
            self.platform.alive("refca")
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.est_port)) == 0

        wait_for(answers, 30, "refca")

    def fault(self, *words, **more):
        """As in tools/refca/refcalib/faults.py; without words, none."""
        self._replace(self.fault_file, json.dumps({"fault": words, **more} if words else {}))

    def clock(self, seconds):
        self._replace(self.clock_file, f"{seconds}\n")

    @staticmethod
    def _replace(path, text):
        new = path.with_name(path.name + ".new")
        new.write_text(text)
        new.replace(path)

    def issued(self, domain=None):
        rows = [json.loads(line) for line in self("list").splitlines()]
        return [row for row in rows if domain in (None, row["domain"])]


class Platform:
    """Everything but the mail path. Use as a context. clock: time is what clock_set() says.
    dns: .dns is a DNS that tenantd asks (sealgate/dns.py).
    settings: of tenantd, above the usual: {"jobs.poll": "100ms"}; may be changed until it starts."""

    def __init__(self, tenantd=True, hsm=True, clock=False, dns=False, settings=None):
        self.with_tenantd, self.with_hsm, self.with_clock = tenantd, hsm, clock
        self.with_dns, self.dns = dns, None
        self.settings = dict(settings or {})
        self.processes = {}
        self.stack = contextlib.ExitStack()
        self.up = False

    def __enter__(self):
        try:
            self.start_all()
            self.up = True
        except BaseException:
            self.__exit__()
            raise
        return self

    def audited(self):
        """Which changes of this platform left a row in the audit log; each row is whole. That every
        operation did at least once is a step of tools/check (one that changes nothing leaves none)."""
        changes = CHANGES.pop(self.port, {})
        with contextlib.suppress(psycopg2.OperationalError), self.pg.connect("sg_audit") as connection, \
                connection.cursor() as cursor:
            cursor.execute("SELECT request_id, actor, address, action, before IS NOT NULL, after IS NOT NULL"
                           " FROM audit WHERE request_id LIKE 'req%'")
            for request_id, actor, address, action, before, after in cursor.fetchall():
                assert actor and address and (before, after) == (
                    action not in ("insert", "read"), action != "delete"), (
                    request_id, actor, address, action, before, after)
                if request_id in changes:
                    seen("audited", *changes[request_id])

    def __exit__(self, *_):
        try:
            if self.up:
                self.audited()
            status = {name: self.stop(name) for name in list(self.processes)}
            # Under a sanitizer, a leak is an exit status.
            for name in ("apid", "tenantd", "gatewayd"):
                assert status.get(name, 0) == 0, self.log(name).read_text()[-3000:]
        finally:
            self.stack.close()

    def start_all(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sg-api-", dir="/var/tmp"))
        self.stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.dir.chmod(0o755)
        (self.dir / "exports").mkdir()
        self.ports = self.stack.enter_context(PortBlock())
        self.port, self.crl_port = self.ports.base, self.ports.base + 1
        self.mail_port = self.ports.base + 18
        if self.with_dns:
            self.dns = self.stack.enter_context(Dns(self.dir / "dns", self.ports.base + 17))
            self.settings = {**self.dns.settings(), **self.settings}
        self.refca = ReferenceCA(self)
        self.pg = self.stack.enter_context(PostgreSQL(self.dir / "pg", 5432, copied=True))
        self.configure()
        if self.pg.fresh:
            self.tenantd("migrate")
            self.pg.keep()
        token = self.dir / "token"
        self.tenantd("token", "--role", "provider-admin", "--name", "the tests", "--out", token)
        assert token.stat().st_mode & 0o777 == 0o600
        self.token_file, self.token = token, token.read_text().strip()
        if self.with_hsm:
            self.hsm_start()
        if self.with_tenantd:
            self.tenantd_start()
        self.apid_start()

    def program(self, name):
        """A daemon; one whose clock can be set where that is wanted."""
        clocked = BUILD / "clock/bin" / name
        return clocked if self.with_clock and clocked.exists() else BUILD / "bin" / name

    def clock_set(self, seconds):
        """The daemons' time is this far ahead of the real one."""
        new = self.write("clock.new", f"{int(seconds)}\n", 0o644)
        new.replace(self.dir / "clock")

    def tenantd_start(self, name="tenantd"):
        self.spawn(name, self.program("tenantd"), "-c", self.dir / "tenantd.conf")

    def write(self, name, text, mode=0o600):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def configure(self, **http):
        pg = self.pg
        clock = ""
        if self.with_clock:
            if not (self.dir / "clock").exists():
                self.clock_set(0)
            clock = f"[clock]\nfile = {self.dir}/clock\n"
        self.write("tenantd.conf", template.change(f"""[database]
conninfo = {pg.conninfo("sg_tenant")}
password_file = {pg.password_file("sg_tenant")}
owner_conninfo = {pg.conninfo("sg_owner")}
owner_password_file = {pg.password_file("sg_owner")}
[hsm]
socket = unix:{self.dir}/hsmd.sock
[export]
dir = {self.dir}/exports
{clock}""", self.settings))
        self.write("apid.conf", f"""[http]
listen = inet:127.0.0.1:{self.port} unix:{self.dir}/apid.sock
{"" if "rates" in http else "rates = *=100000/100000"}
{"".join(f"{k} = {v}" + chr(10) for k, v in http.items())}
[database]
conninfo = host={pg.socket} port={pg.port} dbname=sealgate
api_password_file = {pg.password_file("sg_api")}
provider_password_file = {pg.password_file("sg_provider")}
auth_password_file = {pg.password_file("sg_auth")}
[export]
dir = {self.dir}/exports
[simulation]
socket = unix:{self.dir}/simulation.sock
{clock}""")

    def environment(self):
        return {**os.environ, "SOFTHSM2_CONF": str(self.dir / "softhsm2.conf"),
                "UBSAN_OPTIONS": "halt_on_error=1", "LC_ALL": "C.UTF-8"}

    def run(self, *command, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        result = subprocess.run([str(c) for c in command], env=self.environment(), text=True,
                                capture_output=True, timeout=120, check=False, **more)
        assert result.returncode == 0, (command, result.stderr)
        return result.stdout

    def tenantd(self, command, *arguments):
        return self.run(self.program("tenantd"), command, "-c", self.dir / "tenantd.conf",
                        *arguments)

    def log(self, name):
        return self.dir / f"{name}.log"

    def spawn(self, name, *command):
        with open(self.log(name), "ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(c) for c in command], env=self.environment(), stdin=subprocess.DEVNULL,
                stderr=log, stdout=log, cwd="/")

    def stop(self, name):
        """The exit status after SIGTERM."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def events(self, name, event=None):
        whole = self.log(name).read_text().rpartition("\n")[0]  # a line that is being written is none yet
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [e for e in lines if event is None or e["event"] == event]

    def alive(self, name):
        assert self.processes[name].poll() is None, self.log(name).read_text()[-3000:]
        return True

    def hsm_start(self):
        (self.dir / "tokens").mkdir()
        self.write("softhsm2.conf", f"directories.tokendir = {self.dir}/tokens\n"
                   "objectstore.backend = file\nlog.level = ERROR\n")
        self.write("pin", "user pin 1234\n")
        self.write("so-pin", "officer pin 5678\n")
        self.write("hsmd.conf", f"""[hsmd]
socket = {self.dir}/hsmd.sock
[pkcs11]
token = sealgate
pin_file = {self.dir}/pin
[access]
rules = {UID}:dca:generate,csr,public,destroy {UID}:archive:generate,public,destroy
""")
        ctl = BUILD / "bin/hsmctl", "-c", self.dir / "hsmd.conf"
        self.run(*ctl, "token-init", "--label", "sealgate", "--so-pin-file", self.dir / "so-pin")
        self.run(*ctl, "kek-make")
        self.spawn("hsmd", BUILD / "bin/hsmd", "-c", self.dir / "hsmd.conf")
        wait_for(lambda: self.alive("hsmd") and self.events("hsmd", "hsm.started"), 30, "hsmd")

    def apid_start(self):
        self.spawn("apid", self.program("apid"), "-c", self.dir / "apid.conf")

        def ready():
            self.alive("apid")
            try:
                return Client(self.port).raw("GET", "/readyz").status == 200
            except OSError:
                return False

        wait_for(ready, 30, "apid")

    def gatewayd_start(self):
        """For dry runs alone: no Postfix talks to it."""
        for name in ("journal", "spool"):
            (self.dir / name).mkdir(0o700)
        self.write("submission.key", secrets.token_hex(32))
        self.write("gatewayd.conf", f"""[gateway]
node = gw1
hostname = gateway.sealgate.test
spool_dir = {self.dir}/spool
[database]
conninfo = {self.pg.conninfo("sg_gateway")}
password_file = {self.pg.password_file("sg_gateway")}
[hsm]
socket = unix:{self.dir}/hsmd.sock
[outbound]
listen = unix:{self.dir}/outbound.sock
[inbound]
listen = unix:{self.dir}/inbound.sock
[bounce]
listen = unix:{self.dir}/bounce.sock
[policy]
listen = unix:{self.dir}/policy.sock
[recipients]
listen = unix:{self.dir}/recipients.sock
[reentry]
host = 127.0.0.1
port = {self.mail_port}
sealed_port = {self.mail_port}
[submission]
key_file = {self.dir}/submission.key
[journal]
dir = {self.dir}/journal
[client]
helper = {BUILD}/libexec/sealgate/sealgate-courier
[tnef]
helper = {BUILD}/libexec/sealgate/sealgate-tnef
[simulation]
listen = unix:{self.dir}/simulation.sock
""")
        self.spawn("gatewayd", self.program("gatewayd"), "-c", self.dir / "gatewayd.conf")
        wait_for(lambda: self.alive("gatewayd") and (self.dir / "simulation.sock").exists(), 30, "gatewayd")

    def client(self, token=None):
        return Client(self.port, token or self.token)

    def anonymous(self):
        return Client(self.port)

    def feed(self, *items):
        """Messages and held mail, written by gatewayd's own functions."""
        return self.run(BUILD / "tests/api_feed", self.pg.conninfo("sg_gateway"),
                        self.pg.password_file("sg_gateway"), stdin=None,
                        input="".join(json.dumps(i) + "\n" for i in items))

    def ca(self):
        """The reference CA, made and serving; the root in PEM."""
        self.refca.make()
        self.refca.start()
        return (self.dir / "ca/root.pem").read_text()

    def tenant(self, name, environment="seemail"):
        """A tenant with a domain; its ids and clients of both its roles."""
        provider = self.client()
        tenant = provider.post("/v1/tenants", {"name": name})
        path = f"/v1/tenants/{tenant['id']}"
        domain = provider.post(f"{path}/domains", {"name": f"{name}.test", "attested": True,
                                                   "environment": environment})
        clients = {}
        for role in ("tenant-admin", "tenant-viewer"):
            made = provider.post("/v1/tokens", {"name": f"{name} {role}", "role": role,
                                                "tenant_id": tenant["id"]})
            clients[role] = self.client(made["token"])
        return Tenant(tenant, domain, path, clients["tenant-admin"], clients["tenant-viewer"])


class Tenant:
    def __init__(self, row, domain, path, admin, viewer):
        self.row, self.id, self.path = row, row["id"], path
        self.domain, self.domain_path = domain, f"{path}/domains/{domain['id']}"
        self.admin, self.viewer = admin, viewer
