"""A DNS of our own on loopback: Knot with a root that it signs, from which everything is reachable.

    with Dns(folder, port) as dns:
        dns.set_txt("_sealgate-challenge.agency.test", "value")      # secure
        dns.set_txt("_sealgate-challenge.a.plain.test", "value")     # insecure: an unsigned zone
        dns.set_txt("_sealgate-challenge.a.bogus.test", "value")     # its DS fits no key of it
        dns.set_txt("_sealgate-challenge.a.expired.test", "value")   # signed long ago
        dns.remove("_sealgate-challenge.agency.test")                # NXDOMAIN
        # every name below broken.test is answered with SERVFAIL
        dns.hang(); dns.resume()                                     # no answer at all (SIGSTOP)
        dns.forge(); dns.mend()                                      # signed.test is bogus, is secure

settings() are those of tenantd that make it ask this DNS. Times of signatures are real ones.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from .layout import DNS, GROUP
from .process import Service, wait_for

SIGNED, UNSIGNED = ("bogus.test", "expired.test", "signed.test"), ("plain.test",)
AGE = 120  # days, of the keys


class Dns:
    def __init__(self, folder, port):
        self.folder, self.port = pathlib.Path(folder), port
        self.conf = self.folder / "knot.conf"
        self.anchor = self.folder / "root.key"
        self.process = None
        self.pid = lambda: self.process and self.process.pid

    def settings(self):
        return {"dns.trust_anchor": self.anchor, "dns.forwarders": f"127.0.0.1@{self.port}",
                "dns.reserved": "test", "dns.timeout": "2s"}

    # Zones ------------------------------------------------------------------------------------------

    def _zone(self, name, *records):
        origin = "." if name == "." else f"{name}."
        text = [f"{origin} 60 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 1",
                f"{origin} 60 IN NS ns.test.", *records]
        (self.folder / f"zone.{name}").write_text("\n".join(text) + "\n", encoding="ascii")

    def _configure(self):
        def zone(name, signed=True, **more):
            lines = [f"  - domain: {name}", f"    file: zone.{name}"]
            if signed:
                lines += ["    dnssec-signing: on", "    dnssec-policy: tests"]
            return "\n".join([*lines, *(f"    {k}: {v}" for k, v in more.items())]) + "\n"

        self.conf.write_text(f"""server:
    rundir: {self.folder}/run
    listen: 127.0.0.1@{self.port}
log:
  - target: stderr
    any: warning
database:
    storage: {self.folder}/db
policy:
  - id: tests
    algorithm: ecdsap256sha256
    single-type-signing: on
    nsec3: off
template:
  - id: default
    storage: {self.folder}
    zonefile-sync: -1
    semantic-checks: off
zone:
""" + zone(".") + "".join(zone(name, name != "expired.test") for name in SIGNED)
            + "".join(zone(name, False) for name in UNSIGNED)
            + zone("broken.test", False), encoding="ascii")  # without a file: SERVFAIL

    def _run(self, *command, **more):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, **more)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def _ds(self, name):
        """The DS records of a zone's own key, made where there is none yet."""
        if not self._run("keymgr", "-c", self.conf, name, "list").strip():
            self._run("keymgr", "-c", self.conf, name, "generate", "algorithm=ecdsap256sha256",
                      "ksk=yes", "zsk=yes", *(f"{when}=-{AGE}d" for when in
                                              ("created", "publish", "ready", "active")))
        return [re.sub(r"^\S+", f"{name.rstrip('.')}. 60 IN", line, count=1)
                for line in self._run("keymgr", "-c", self.conf, name, "ds").splitlines()
                if re.match(r"\S+ DS \d+ \d+ 2 ", line)]

    def _zones(self):
        glue = "ns.test. 60 IN A 127.0.0.1"
        delegations = [f"{name}. 60 IN NS ns.test." for name in (*SIGNED, *UNSIGNED, "broken.test")]
        wrong = f"bogus.test. 60 IN DS 12345 13 2 {'ab' * 32}"
        self._zone("expired.test", 'keep.expired.test. 60 IN TXT "x"')
        self._zone(".", glue, *delegations, *self._ds("signed.test"), *self._ds("expired.test"), wrong)
        for name in ("signed.test", "bogus.test", "plain.test"):
            self._zone(name)

    def _sign_expired(self):
        """Signed for a time that is over, and served as it is."""
        self._run("kzonesign", "-c", self.conf.with_suffix(".sign"), "-o", self.folder, "-t",
                  str(int(time.time()) - AGE // 2 * 86400), "expired.test")

    # Life -------------------------------------------------------------------------------------------

    def prepare(self):
        """Configuration, keys and zones, where there are none yet."""
        if not self.anchor.exists():
            for folder in (self.folder, self.folder / "run", self.folder / "db"):
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o755)
            self._configure()
            signing = self.conf.read_text().replace(
                "  - domain: expired.test\n    file: zone.expired.test\n",
                "  - domain: expired.test\n    file: zone.expired.test\n"
                "    dnssec-signing: on\n    dnssec-policy: tests\n")
            self.conf.with_suffix(".sign").write_text(signing)
            self._zones()
            self._sign_expired()
            self.anchor.write_text("\n".join(
                line if line.startswith(". ") else ". " + line.split(" ", 1)[1]
                for line in self._ds(".")) + "\n")
            self.anchor.chmod(0o644)

    def start(self):
        self.prepare()
        log = open(self.folder / "knot.log", "ab")
        self.process = subprocess.Popen(["knotd", "-c", self.conf], stderr=log, stdout=log,
                                        stdin=subprocess.DEVNULL)
        wait_for(self._runs, 30, "knotd")
        return self

    def _runs(self):
        assert self.process.poll() is None, (self.folder / "knot.log").read_text()[-2000:]
        return self.answers()

    def answers(self):
        return "NSEC" in self.dig("nowhere-at-all.test", "TXT")

    def dig(self, name, kind):
        return subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.port), "+dnssec", "+timeout=1",
                               "+retry=0", name, kind], capture_output=True, text=True,
                              timeout=30).stdout

    def stop(self):
        if self.process:
            self.resume()
            self.process.terminate()
            self.process.wait(20)
        self.process = None

    def hang(self):
        os.kill(self.pid(), signal.SIGSTOP)

    def _set_ds(self, records):
        with self._change(".") as change:
            change("zone-unset", "signed.test.", "DS")
            for record in records:
                _, _, _, kind, *data = record.split()
                change("zone-set", "signed.test.", "60", kind, " ".join(data))

    def forge(self):
        """The keys of signed.test are not those that its parent names: as if somebody else answered."""
        self._set_ds([f"signed.test. 60 IN DS 12345 13 2 {'cd' * 32}"])

    def mend(self):
        self._set_ds(self._ds("signed.test"))

    def resume(self):
        os.kill(self.pid(), signal.SIGCONT)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    # Records ------------------------------------------------------------------------------------------

    def _of(self, name):
        """The zone that a name lies in."""
        return next((zone for zone in (*SIGNED, *UNSIGNED, "broken.test")
                     if name == zone or name.endswith("." + zone)), ".")

    @contextlib.contextmanager
    def _change(self, name):
        zone = self._of(name)
        knotc = "knotc", "-c", self.conf
        self._run(*knotc, "zone-begin", zone)
        yield lambda *words: self._run(*knotc, words[0], zone, *words[1:])
        self._run(*knotc, "zone-commit", zone)

    def set_txt(self, name, *values):
        """These TXT records and no others; longer values are cut into strings of 200 octets."""
        self.remove(name)
        with self._change(name) as change:
            for value in values:
                parts = [value[i:i + 200] for i in range(0, len(value), 200)] or [""]
                change("zone-set", f"{name}.", "60", "TXT", " ".join(f'"{p}"' for p in parts))
        wait_for(lambda: not values or values[0][:200] in self.dig(name, "TXT"), 10, name)

    def remove(self, name):
        if "TXT" in self.dig(name, "TXT").partition("ANSWER SECTION")[2].partition(";;")[0]:
            with self._change(name) as change:
                change("zone-unset", f"{name}.", "TXT")


class DnsService(Service):
    """The same as a part of a platform, that outlives who started it."""

    def __init__(self, layout, dns):
        super().__init__(layout, "dns", ["knotd", "-c", dns.conf], ready=dns.answers, uid=DNS,
                         gid=GROUP, timeout=30)
        self.dns = dns
        dns.pid = self.pid

    def start(self):
        if self.pid() is None:
            self.dns.prepare()
            for folder, _, files in os.walk(self.dns.folder):
                for path in (folder, *(os.path.join(folder, name) for name in files)):
                    os.chown(path, DNS, GROUP)
        super().start()
