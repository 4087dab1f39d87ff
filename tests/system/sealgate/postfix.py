"""The two Postfix instances, in directories of their own, from the templates of deploy/postfix."""
import json
import os
import pathlib
import smtplib
import subprocess

from . import template
from .layout import user_id
from .process import NotReady, PidFile, children, start_time, stop, tail, wait_for


class Postfix:
    """which: "out" or "in". values: of the templates."""

    FILES = {"out": (("main.cf", 0o644), ("master.cf", 0o644), ("transport", 0o644),
                     ("hosted-transport.cf", 0o644), ("sealed-routes", 0o644), ("sealed-hosted.cf", 0o644),
                     ("gateway-filter.cf", 0o644)),
             "in": (("main.cf", 0o644), ("master.cf", 0o644), ("hosted-domains.cf", 0o644),
                    ("suspended-domains.cf", 0o644), ("gateway-transport.cf", 0o644))}

    def __init__(self, layout, which, values):
        self.layout, self.which, self.values = layout, which, values
        self.name = f"postfix-{which}"
        self.dir = getattr(layout, f"postfix_{which}")
        self.etc = self.dir / "etc"
        self.port = layout.port[f"postfix_{which}"]
        self.log = layout.log / f"{self.name}.log"
        self.pid_file = PidFile(layout.pids / f"{self.name}.pid")

    def prepare(self):
        postfix, _ = user_id("postfix")
        for folder, mode, uid in ((self.dir, 0o755, 0), (self.etc, 0o755, 0),
                                  (self.dir / "spool", 0o755, 0), (self.dir / "data", 0o700,
                                                                   postfix)):
            folder.mkdir(exist_ok=True)
            os.chown(folder, uid, 0)
            folder.chmod(mode)
        for name, mode in self.FILES[self.which]:
            text = template.render(f"postfix/{self.which}/{name}.in", self.values)
            self.layout.write(self.etc / name, text, mode)

    def command(self, program, *arguments, **more):
        if "input" not in more:
            more["stdin"] = subprocess.DEVNULL
        return subprocess.run([f"/usr/sbin/{program}", "-c", str(self.etc), *arguments], cwd="/",
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC"},
                              text=True, capture_output=True, timeout=60, check=False, **more)

    def run(self, program, *arguments, **more):
        result = self.command(program, *arguments, **more)
        if result.returncode != 0:
            raise NotReady(f"{self.name}: {program} {' '.join(arguments)}: "
                           f"{result.stderr.strip()}\n{self.tail()}")
        return result.stdout

    def master(self):
        """Postfix's own note of its master, whoever started it."""
        try:
            pid = int((self.dir / "spool/pid/master.pid").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            return None
        return pid if exe.endswith("/master") and start_time(pid) is not None else None

    def is_ready(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, "localhost", timeout=5) as smtp:
                return smtp.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def pid(self):
        return self.pid_file.pid()

    def check(self):
        """Its folders made and found good; `postfix start` skips that once where there is quick-start."""
        self.prepare()
        self.run("postfix", "check")

    def start(self):
        self.prepare()
        if self.pid() is None:
            if self.master() is None:
                self.run("postfix", "start")
            else:
                self.run("postfix", "reload")
            self.pid_file.write(wait_for(self.master, 15, self.name))
        else:
            self.run("postfix", "reload")
        try:
            wait_for(self.is_ready, 20, self.name)
        except NotReady as error:
            raise NotReady(f"{error}\n{self.tail()}") from None

    def stop(self):
        pid = self.pid() or self.master()
        if pid is not None:
            started = start_time(pid)
            below = {child: start_time(child) for child in children(pid)}
            self.command("postfix", "stop")
            if start_time(pid) == started:
                stop(pid, self.name)
            for child, started in below.items():
                if started is not None:
                    try:
                        wait_for(lambda c=child, s=started: start_time(c) != s, 10, self.name)
                    except NotReady:
                        os.kill(child, 9)
        self.pid_file.remove()
        return True

    def restart(self, **values):
        """With other values: from here on nothing runs with the old ones."""
        self.values = {**self.values, **values}
        self.stop()
        self.start()

    def flush(self):
        """What waits is tried at once; what is being tried, or what a reload interrupts, is not tried again by it."""
        self.run("postqueue", "-f")

    def flush_until(self, condition, timeout, what):
        """wait_for(), what waits being tried again and again."""
        return wait_for(lambda: condition() or self.flush(), timeout, what, 0.5)

    def queue(self):
        """What waits, as postqueue -j tells it."""
        return [json.loads(line) for line in self.run("postqueue", "-j").splitlines()]

    def message(self, queue_id):
        """A queued message as it would be sent on, headers and body."""
        return self.run("postcat", "-h", "-b", "-q", queue_id)

    def tail(self, lines=15):
        return tail(self.log, lines)


def tls_certificate(layout):
    """A self-signed certificate for the SMTP listeners."""
    key, cert = layout.secrets / "smtp.key.pem", layout.secrets / "smtp.cert.pem"
    if cert.exists():
        return
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "390", "-subj",
                    "/CN=sealgate.test", "-addext", "subjectAltName=DNS:sealgate.test,IP:127.0.0.1",
                    "-keyout", f"{key}.new", "-out", f"{cert}.new"],
                   check=True, capture_output=True, stdin=subprocess.DEVNULL)
    os.chmod(f"{key}.new", 0o600)
    pathlib.Path(f"{key}.new").replace(key)
    pathlib.Path(f"{cert}.new").replace(cert)
