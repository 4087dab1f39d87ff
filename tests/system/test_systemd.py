"""A host of its own, set up as deploy/README.md says, under systemd: the units start, keep what they promise of confinement,
come back after a kill and after a boot, and mail flows. systemd runs in a container over a copy-on-write view of this
machine, with a network that ends at its loopback."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from sealgate.layout import ROOT
from sealgate.process import children, program, wait_for

pytestmark = pytest.mark.long
BUILD = ROOT / (os.environ.get("SG_BUILD") or "build/release")
DAEMONS = ("hsmd", "gatewayd", "tenantd", "apid")
UNITS = [f"sealgate-{name}" for name in (*DAEMONS, "postfix@out", "postfix@in")]
TIMERS = [f"sealgate-postfix-log@{which}.timer" for which in ("out", "in")]
OUT = "192.0.2.1"  # of production.values; the world, which is not there, is an agency's server on the loopback
ADDRESSES = """[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
Before=network-pre.target sealgate-gatewayd.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'ip link set lo up; for a in 192.0.2.1/32 192.0.2.2/32 192.0.2.3/32 2001:db8::3/128; do ip addr replace $a dev lo; done'
[Install]
WantedBy=multi-user.target
"""
SINK = """[Service]
ExecStart=/usr/bin/python3 -B /srv/mailserver.py --port 2525 --folder /srv/mail
[Install]
WantedBy=multi-user.target
"""
# deploy/README.md, "On a host", from the users on.
SET_UP = r"""
set -e
systemd-sysusers
systemd-tmpfiles --create sealgate.conf
secret() { install -m 0400 -o "$2" /dev/stdin "/etc/sealgate/secrets/$1"; }
sets=
for role in owner:sealgate-tn gateway:sealgate-gw tenant:sealgate-tn api:sealgate-api provider:sealgate-api auth:sealgate-api audit:root postfix:root; do
    password=$(openssl rand -hex 16)
    echo "$password" | secret "db.${role%:*}" "${role#*:}"
    sets="$sets\\set ${role%:*}_password '$password'
"
done
for pin in hsm.pin hsm.so-pin; do openssl rand -hex 4 | secret $pin sealgate-hsm; done
openssl rand -hex 32 | secret submission.key sealgate-gw
echo "*:*:*:sg_postfix:$(cat /etc/sealgate/secrets/db.postfix)" | install -m 0600 -o postfix /dev/stdin /etc/sealgate/secrets/pgpass.postfix
pg_dropcluster --stop 15 main 2>/dev/null || true
pg_createcluster 15 main
sed -i '1i local sealgate all scram-sha-256' /etc/postgresql/15/main/pg_hba.conf
systemctl start postgresql@15-main
{ printf '%s' "$sets"; cat /srv/deploy/postgresql/bootstrap.sql; } | setpriv --reuid=postgres --regid=postgres --init-groups psql -X -q -v ON_ERROR_STOP=1 -d postgres -f -
mkdir -p /etc/sealgate/tls
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=gw1.example.nz -keyout /etc/sealgate/tls/key.pem -out /etc/sealgate/tls/cert.pem
sed -e 's/^dns = .*/dns = disabled/; s/^peername_lookup = .*/peername_lookup = no/; s/^routes = .*/routes = outside.test smtp:[127.0.0.1]:2525/' \
    /srv/deploy/production.values > /srv/values
/srv/deploy/render /srv/values /etc/sealgate
touch /etc/sealgate/egress.cidr
echo 'directories.tokendir = /var/lib/sealgate/hsm/tokens' | install -m 0640 -g sealgate /dev/stdin /etc/sealgate/softhsm2.conf
install -d -m 0700 -o sealgate-hsm -g sealgate /var/lib/sealgate/hsm/tokens
as() { user=$1; shift; setpriv --reuid="$user" --regid=sealgate --init-groups env SOFTHSM2_CONF=/etc/sealgate/softhsm2.conf "$@"; }
as sealgate-hsm hsmctl -c /etc/sealgate/hsmd.conf token-init --label sealgate --so-pin-file /etc/sealgate/secrets/hsm.so-pin
as sealgate-hsm hsmctl -c /etc/sealgate/hsmd.conf kek-make
as sealgate-tn tenantd migrate -c /etc/sealgate/tenantd.conf
systemctl enable --now UNITS
systemctl enable --now TIMERS
as sealgate-tn tenantd token -c /etc/sealgate/tenantd.conf --role provider-admin --name first --out /run/sealgate/first.token
install -m 0600 /run/sealgate/first.token /srv/token
"""
SEND = """
import smtplib, sys
with smtplib.SMTP("192.0.2.1", 25, "customer.test", timeout=60, source_address=("192.0.2.1", 0)) as smtp:
    smtp.starttls()
    for subject in sys.argv[1:]:
        smtp.sendmail("joe@agency-a.test", ["ann@outside.test"],
                      f"From: joe@agency-a.test\\r\\nTo: ann@outside.test\\r\\nSubject: {subject}\\r\\n\\r\\nKia ora.\\r\\n".encode())
"""


class Host:
    """A machine with systemd; its files are those of this one, and what it changes is its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "root"
        self.log = self.folder / "console"
        self.container = None
        for name in ("root", "upper", "work"):
            (self.folder / name).mkdir()
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir=/,upperdir={self.folder}/upper,workdir={self.folder}/work", self.root], check=True)

    def prepare(self):
        """Programs, units and what the set-up takes from the source tree."""
        put = self.root / "srv"
        for name in (*DAEMONS, "hsmctl", "gwctl"):
            shutil.copy(BUILD / "bin" / name, self.root / "usr/bin")
        shutil.copytree(BUILD / "libexec/sealgate", self.root / "usr/libexec/sealgate", dirs_exist_ok=True)
        shutil.copytree(ROOT / "deploy", put / "deploy")
        shutil.copy(ROOT / "tests/system/sealgate/mailserver.py", put)
        system = self.root / "etc/systemd/system"
        for unit in (*(ROOT / "deploy/systemd").glob("*.service"), *(ROOT / "deploy/systemd").glob("*.timer")):
            shutil.copy(unit, system)
        for name in ("sysusers", "tmpfiles"):
            folder = self.root / f"etc/{name}.d"
            folder.mkdir(exist_ok=True)
            shutil.copy(ROOT / f"deploy/systemd/{name}.conf", folder / "sealgate.conf")
        (system / "addresses.service").write_text(ADDRESSES)
        (system / "sink.service").write_text(SINK)
        (self.root / "etc/machine-id").write_text("")
        for mask in ("postfix.service", "postfix@-.service", "systemd-networkd-wait-online.service", "systemd-firstboot.service"):
            (system / mask).unlink(missing_ok=True)
            (system / mask).symlink_to("/dev/null")

    def boot(self):
        with open(self.log, "ab") as log:
            self.container = subprocess.Popen(
                ["systemd-nspawn", "-D", self.root, "-M", "sealgate-test", "--private-network", "--register=no", "--keep-unit",
                 "--capability=all", "--console=pipe", "-b"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_for(self.init, 30, "systemd in the container")
        # "degraded": units of the machine around it fail here, which are none of ours.
        wait_for(lambda: self.try_("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"), 120, "the boot")

    def init(self):
        """The pid of its systemd."""
        assert self.container.poll() is None, self.log.read_text(errors="replace")[-2000:]
        return next((pid for pid in children(self.container.pid) if program(pid) == "systemd"), None)

    def stop(self):
        init = self.init() if self.container and self.container.poll() is None else None
        if init:
            os.kill(init, 38)  # SIGRTMIN+4: power off
            try:
                self.container.wait(60)
            except subprocess.TimeoutExpired:
                self.container.kill()
                self.container.wait(10)
        self.container = None

    def close(self):
        self.stop()
        subprocess.run(["umount", self.root], check=True)

    def try_(self, *command, **more):
        return subprocess.run(["nsenter", "-t", str(self.init()), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env", "-i",
                               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "SEALGATE_URL=http://127.0.0.1:8443",
                               "SEALGATE_TOKEN_FILE=/srv/token", *command],
                              check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)

    def run(self, *command, **more):
        done = self.try_(*command, **more)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout.strip()

    def active(self, units):
        return self.try_("systemctl", "is-active", *units).stdout.split() == ["active"] * len(units)

    def pid(self, name):
        return int(self.run("systemctl", "show", "-p", "MainPID", "--value", f"sealgate-{name}"))

    def send(self, *subjects):
        self.run("python3", "-c", SEND, *subjects)

    def came(self):
        """Subjects of what came to the server outside."""
        mails = (self.root / "srv/mail").glob("*.eml")
        return sorted(re.search(rb"\r\nSubject: (\S+)", mail.read_bytes())[1].decode() for mail in mails)


@pytest.fixture(scope="module")
def host():
    with tempfile.TemporaryDirectory(prefix="sgh", dir="/var/tmp") as folder:
        h = Host(folder)
        try:
            h.prepare()
            h.boot()
            h.run("systemctl", "enable", "--now", "addresses", "sink")
            h.run("bash", "-c", SET_UP.replace("UNITS", " ".join(UNITS)).replace("TIMERS", " ".join(TIMERS)))
            tenant = "gwctl tenant list --json | grep -o 'ten_[a-z0-9]*' | head -1"
            h.run("bash", "-c", f"""set -e
                gwctl tenant create --name 'Agency A' && T=$({tenant})
                call() {{ curl -sS --fail-with-body -H "Authorization: Bearer $(cat /srv/token)" -H 'Content-Type: application/json' "$@"; }}
                call $SEALGATE_URL/v1/tenants/$T/domains -d '{{"name": "agency-a.test", "environment": "seemail", "attested": true}}'
                gwctl submitter add 'Agency A' --network {OUT}/32
                gwctl key create 'Agency A' agency-a.test --algorithm rsa-2048 --kind token --wait""")
            yield h
        finally:
            h.close()


def test_it_runs_as_the_readme_says(host):
    assert host.active(UNITS) and host.active(TIMERS)
    assert "ok" in host.run("gwctl", "ready")
    host.send("first")
    wait_for(lambda: host.came() == ["first"], 30, "the mail")


@pytest.mark.parametrize("name", DAEMONS)
def test_what_it_may(host, name):
    """A user of its own, no right of root's, a filter of system calls, no core of what it has in memory."""
    pid = host.pid(name)
    status = dict(line.split(":\t", 1) for line in host.run("cat", f"/proc/{pid}/status").splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    user = {"hsmd": "hsm", "gatewayd": "gw", "tenantd": "tn", "apid": "api"}[name]
    assert status["Uid"].split()[0] == host.run("id", "-u", f"sealgate-{user}")
    core, = (line for line in host.run("cat", f"/proc/{pid}/limits").splitlines() if line.startswith("Max core"))
    assert core.split()[4:6] == ["0", "0"]


@pytest.mark.parametrize("name", [*DAEMONS, "postfix@out"])
def test_killed_it_is_started_again(host, name):
    before, unit = host.pid(name), f"sealgate-{name}"
    host.run("systemctl", "kill", "--kill-who=main", "-s", "KILL", unit)
    wait_for(lambda: host.active([unit]) and host.pid(name) not in (0, before), 60, unit)
    wait_for(lambda: host.try_("gwctl", "ready").returncode == 0, 60, "all to be ready")
    host.send(f"after-{name}")
    wait_for(lambda: f"after-{name}" in host.came(), 60, "the mail after it")


def test_reload_and_rotation(host):
    for unit in UNITS:
        host.run("systemctl", "reload", unit)
    for which in ("out", "in"):
        host.run("systemctl", "start", f"sealgate-postfix-log@{which}")
    assert list((host.root / "var/log/sealgate").glob("postfix-out.log.*.gz"))
    host.send("reloaded")
    wait_for(lambda: "reloaded" in host.came(), 30, "the mail after it")


def test_a_boot(host):
    """What was taken before it is there after it; all of it starts by itself."""
    host.run("systemctl", "stop", "sink")
    host.send("over-the-boot")
    host.stop()
    host.boot()
    wait_for(lambda: host.active(UNITS) and host.active(TIMERS), 60, "the units")
    host.run("systemctl", "start", "sink")
    host.send("after-the-boot")

    def came():
        host.run("postqueue", "-c", "/etc/sealgate/postfix-out", "-f")
        return {"over-the-boot", "after-the-boot"} <= set(host.came())
    wait_for(came, 60, "mail of before and after")
    assert len(host.came()) == len(set(host.came()))


def test_nothing_was_refused(host):
    """No daemon wanted a system call, a file or a right that its unit does not give it."""
    log = host.run("journalctl", "--no-pager", *(word for unit in UNITS for word in ("-u", unit)))
    for word in ("process.call-refused", "Operation not permitted", "Permission denied", "Read-only file system"):
        assert word not in log, [line for line in log.splitlines() if word in line][:3]
