"""A complete private Sealgate in a directory: started in order, each part awaited, stopped in
reverse. Running it again carries on with what is there."""
import filecmp
import os
import pathlib
import secrets
import shutil
import smtplib
import sys
import threading
import time

from . import directory, hsm, kept, layout as lay, postfix, postgres, provision, template
from .api import Api
from .dns import Dns, DnsService
from .ports import port_free
from .process import Service


class Platform:
    """
    build: a build directory (bin/ in it), else that of SG_BUILD, else build/release.
    routes: {domain: port} of Postfix "out", for domains that are not hosted.
    tap: Postfix "out" reaches Postfix "in" through port +13, where a WireTap must listen.
    without: names of parts that are not started.
    agencies: their test mail servers run as processes (quickstart); tests run theirs themselves.
    settings: of daemons, above the templates': {"gatewayd": {"hold.retry_first": "1s"}}.
    postfix_values: of the templates of both Postfix, above the usual ones.
    dns: .dns is a DNS that tenantd asks (dns.py).
    clock: daemons whose time clock_set() moves; the settable ones of the build.
    """

    def __init__(self, folder=lay.DIR, port_base=None, build=None, routes=None, tap=False,
                 without=(), agencies=False, log_level="info", settings=None,
                 clock=False, dns=False, postfix_values=None, say=lambda text: None):
        known = lay.ports_of(folder)
        if known and port_base and known["postfix_out"] != port_base:
            raise lay.SetupError(f"{folder} has the ports from {known['postfix_out']} on; choose "
                                 "another --dir for other ports")
        base = known["postfix_out"] if known else port_base or lay.PORT_BASE
        self.layout = lay.Layout(folder, base)
        self.port = self.layout.port
        self.build = lay.ROOT / (build or os.environ.get("SG_BUILD") or "build/release")
        self.say, self.without, self.log_level = say, set(without), log_level
        self.routes = {"outside.test": self.port["outside"], **(routes or {})}
        self.tap, self.settings, self.postfix_values = tap, settings or {}, postfix_values or {}
        self.clock_file = self.layout.etc / "clock" if clock else None
        self._changed = set()  # parts with a new program or new settings
        self.api = Api(f"http://127.0.0.1:{self.port['api']}")
        self.postgresql = postgres.PostgreSQL(self.layout)
        self.directory = directory.Directory(self.layout)
        self.refca = directory.ReferenceCA(self.layout, self.directory)
        self.refca.clock_file = self.clock_file or self.refca.clock_file
        self.hsmd = hsm.hsmd(self.layout)
        self.dns = Dns(self.layout.dns, self.port["dns"]) if dns else None
        self.named = DnsService(self.layout, self.dns) if dns else None
        self.apid = self._daemon("apid", lay.API, ready=self.api.ready)
        # Postfix reaches the policy and bounce sockets by its group; hsmd's by ours.
        try:
            postfix_group = lay.user_id("postfix")[1]
        except lay.SetupError:
            postfix_group = lay.GROUP  # not installed: check() and prepare() say so
        # tenantd asks gatewayd whether it is ready, by the socket that gatewayd's group may reach.
        self.tenantd = self._daemon("tenantd", lay.TENANT, groups=(postfix_group,))
        self.gatewayd = self._daemon("gatewayd", lay.GATEWAY, gid=postfix_group,
                                     groups=(lay.GROUP,), timeout=30, grace=30)
        self.postfix_out = postfix.Postfix(self.layout, "out", {})
        self.postfix_in = postfix.Postfix(self.layout, "in", {})
        self.servers = [self._agency(name) for name in ("agency_a", "agency_b", "outside")] \
            if agencies else []

    def _daemon(self, name, uid, gid=lay.GROUP, **more):
        return Service(self.layout, name,
                       [self.layout.bin / name, "-c", self.layout.etc / f"{name}.conf"],
                       uid=uid, gid=gid, **more)

    def _agency(self, name):
        folder = self.layout.mail / name
        return Service(self.layout, f"mail-{name}",
                       [sys.executable, "-B", self.layout.bin / f"mail-{name}.py", "--port",
                        self.port[name], "--folder", folder], uid=lay.MAIL, gid=lay.GROUP,
                       ready=lambda: _greets(self.port[name]))

    @property
    def parts(self):
        """In the order of starting."""
        return [part for part in
                (self.postgresql, self.hsmd, self.directory, self.refca, self.named, self.tenantd,
                 self.apid, self.gatewayd, *self.servers, self.postfix_out, self.postfix_in)
                if part is not None and part.name not in self.without]

    def _install(self):
        """Programs go into bin/: the daemons' users may have no way into the source tree."""
        needed = {"hsmd", "hsmctl", "tenantd", "apid", "gatewayd"} - self.without
        for name in sorted(needed | {"gwctl"}):
            source = self.build / "bin" / name
            clocked = self.build / "clock/bin" / name
            if self.clock_file and clocked.exists():
                source = clocked
            if source.exists():
                self._copy(name, source, self.layout.bin / name)
            elif name in needed:
                raise lay.SetupError(f"{source} is not built")
        if "gatewayd" in needed:
            for helper in ("sealgate-tnef", "sealgate-courier"):
                self._copy("gatewayd", self.build / "libexec/sealgate" / helper, self.layout.bin / helper)
        server = lay.ROOT / "tests/system/sealgate/mailserver.py"
        for part in self.servers:
            self._copy(part.name, server, self.layout.bin / f"{part.name}.py")
        refca = lay.ROOT / "tools/refca"
        for path in [refca / "refca", *(refca / "refcalib").glob("*.py")]:
            self._copy("refca", path, self.layout.bin / "refca" / path.relative_to(refca))

    def _copy(self, name, source, target):
        """Where it differs; what runs keeps its old file until it is started anew."""
        if target.exists() and filecmp.cmp(source, target, shallow=False):
            return
        target.parent.mkdir(mode=0o755, exist_ok=True)
        new = target.with_name(target.name + ".new")
        shutil.copyfile(source, new)
        new.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
        new.replace(target)
        self._changed.add(name)

    def _configure(self):
        values = template.values(
            self.layout, self.routes, self.port["wiretap" if self.tap else "postfix_in"],
            self.log_level, dns=self.dns is not None)
        values.update(self.postfix_values)
        for name in ("hsmd", "tenantd", "apid", "gatewayd"):
            settings = dict(self.settings.get(name, {}))
            if self.clock_file and name != "hsmd":
                settings["clock.file"] = self.clock_file
            text = template.change(template.render(f"conf/{name}.conf.in", values), settings)
            path = self.layout.etc / f"{name}.conf"
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                self.layout.write(path, text)
                self._changed.add(name)
        self.postfix_out.values = self.postfix_in.values = values

    def clock_set(self, seconds):
        """The daemons' time is this far ahead of the real one."""
        self.layout.write(self.clock_file, f"{int(seconds)}\n")

    def _timed(self, part):
        before = time.monotonic()
        if part.name in self._changed and part.pid() is not None:
            self.say(f"{part.name}: stopped, for its program or settings changed")
            part.stop()
        self._changed.discard(part.name)
        running = part.pid() is not None
        part.start()
        self.say(f"{part.name}: " + ("runs already" if running else
                                     f"up after {time.monotonic() - before:.1f} s"))

    def _check_ports(self):
        """Ports of parts that do not run yet must be free; said before anything is started."""
        names = {"slapd": ("ldap", "ldaps"), "refca": ("crl", "est"), "apid": ("api",),
                 "gatewayd": ("outbound", "inbound"), "postfix-out": ("postfix_out", "reentry"),
                 "postfix-in": ("postfix_in",)}
        names.update({server.name: (server.name.removeprefix("mail-"),) for server in self.servers})
        taken = [f"{self.port[name]} ({name})" for part in self.parts if part.pid() is None
                 for name in names.get(part.name, ()) if not port_free(self.port[name])]
        if taken:
            raise lay.SetupError(f"taken by another process: port {', '.join(taken)}; try again, "
                                 "or choose --port-base in a directory of its own")

    def up(self, copied=True):
        """copied: from the one that is kept, where they are (kept.py); else from nothing."""
        self.layout.check()
        self._check_ports()
        if copied:
            kept.fill(self)
        self.layout.prepare()
        self._install()
        self.layout.secret("submission.key", lambda: secrets.token_hex(32), lay.GATEWAY, lay.GROUP)
        postfix.tls_certificate(self.layout)
        self.postgresql.create_secrets()
        self._configure()
        if self.clock_file and not self.clock_file.exists():
            self.clock_set(0)
        for part in self.parts:
            if part is self.hsmd and part.pid() is None:
                hsm.make_token(self.layout)
            if part is self.tenantd and part.pid() is None:
                self.migrate()
            if part in (self.postfix_out, self.postfix_in):
                continue
            self._timed(part)
            if part is self.apid:
                self.api.token = provision.first_token(self).read_text("ascii").strip()
                provision.trust(self)
                self.egress()
        _together(lambda part=part: self._timed(part) for part in self.parts
                  if part in (self.postfix_out, self.postfix_in))
        return self

    def egress(self, networks=None):
        """Into which networks secure mail goes: loopback, where nothing was said yet. Postfix's table is written."""
        if networks is not None or not self.api.get("/v1/egress")["networks"]:
            self.api.put("/v1/egress", {"networks": ["127.0.0.0/8"] if networks is None else networks})
        directory.run([self.layout.bin / "gwctl", "egress", "postfix", "--out", self.layout.etc / "egress.cidr",
                       "--url", self.api.url, "--token-file", provision.first_token(self)], 0, 0)

    def migrate(self):
        directory.run([self.layout.bin / "tenantd", "migrate", "-c",
                       self.layout.etc / "tenantd.conf"], lay.TENANT, lay.GROUP)

    def down(self):
        """Stops what runs, in reverse; the names of what had to be killed."""
        killed = []
        for part in reversed(self.parts):
            if part.stop() is False:
                killed.append(part.name)
        return killed

    def sanitizer_reports(self):
        """What AddressSanitizer and its like wrote into the logs, and system calls that daemons were refused."""
        marks = ("process.call-refused", "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                 "WARNING: ThreadSanitizer")
        return [f"{log.name}: {line}" for log in sorted(self.layout.log.glob("*.log"))
                for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
                if any(mark in line for mark in marks)]

    def running(self):
        return [part.name for part in self.parts if part.pid() is not None]

    def strays(self):
        """Processes of this directory that are left: none after down()."""
        found = {}
        mark = os.fsencode(f"{self.layout.dir}/")
        homes = tuple(f"{folder}/" for folder in (self.layout.pg, self.layout.postfix_out,
                                                  self.layout.postfix_in))
        ours = range(lay.GATEWAY, lay.DNS + 1)
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = pathlib.Path(f"/proc/{name}/cmdline").read_bytes()
                home = os.readlink(f"/proc/{name}/cwd") + "/"
                uid = os.stat(f"/proc/{name}").st_uid
            except OSError:
                continue
            if not command:
                continue  # it has ended: its memory is gone
            if home.startswith(homes) or (uid in ours and mark in command):
                found[int(name)] = command.replace(b"\0", b" ").decode("utf-8", "replace").strip()
        return found

    def organisation(self, name, domain, **more):
        return provision.Organisation(self, name, domain, **more)

    def __enter__(self):
        try:
            return self.up()
        except BaseException:
            self.down()
            raise

    def __exit__(self, *_):
        self.down()


def _greets(port):
    with smtplib.SMTP("127.0.0.1", port, "localhost", timeout=3) as smtp:
        return smtp.noop()[0] == 250


def _together(actions):
    """Each in a thread; the first error of any."""
    errors = []

    def guarded(action):
        try:
            action()
        except Exception as error:  # handed on below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
