"""Each daemon is locked into what it needs: under a user of its own, behind the filter of its systemd unit and its own
of system calls, without core dumps, closed to other processes of its own user; and mail flows. REQ-132"""
import gzip
import os
import pathlib
import re
import signal
import stat
import subprocess
import tempfile

import pytest
from conftest import ROOT

import unitfilter
from sealgate import layout as lay
from sealgate.hsm import may_lock
from sealgate.ops import Ops
from sealgate.ports import PortBlock
from sealgate.process import as_user, courier, wait_for
from setting import A, B, FROM_A, Setting, header, simple

UNITS = ROOT / "deploy/systemd"
USERS = {"gatewayd": lay.GATEWAY, "hsmd": lay.HSM, "tenantd": lay.TENANT, "apid": lay.API}
SIGSYS = 1 << (signal.SIGSYS - 1)
# How exposed systemd finds the units, of 100. Without a network it is hsmd alone, and Postfix's master has root's users.
EXPOSURE = {"gatewayd": 20, "hsmd": 8, "tenantd": 20, "apid": 18, "postfix@": 33}


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        s = Setting(folder, block)
        s.platform.layout.prepare()
        for name in USERS:
            daemon = getattr(s.platform, name)
            daemon.command = unitfilter.behind(UNITS / f"sealgate-{name}.service", s.platform.layout.bin, daemon.command)
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.fixture(params=USERS)
def daemon(setting, request):
    return getattr(setting.platform, request.param)


def status(path):
    return dict(line.split(":\t", 1) for line in (path / "status").read_text("ascii").splitlines())


def of_user(daemon, *command, **more):
    """Run as the daemon's user, with its groups."""
    return subprocess.run(as_user(command, daemon.uid, daemon.gid, daemon.groups), cwd="/", check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def carry(setting, subject):
    setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], subject), FROM_A)
    got, = setting.arrived(B, subject)
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    _, wire = setting.on_wire(subject)[0]
    assert b"application/pkcs7-mime" in wire and b"Kia ora" not in wire


def test_mail_flows(setting):
    carry(setting, "confined")
    assert "tnef.unavailable" not in setting.platform.gatewayd.log.read_text("utf-8")


def test_whom_the_message_path_wakes_interrupts_nobody(setting):
    """SCHED_BATCH, which costs a message fewer changes of threads; its unit lets it ask for that."""
    gatewayd = setting.platform.gatewayd.pid()
    for pid in gatewayd, courier(gatewayd), setting.platform.hsmd.pid():
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                assert os.sched_getscheduler(int(thread)) == os.SCHED_BATCH
            except ProcessLookupError:
                continue  # it has ended


def test_every_thread_is_confined(daemon):
    """Two filters: the unit's, and its own. A thread that blocked SIGSYS would end the daemon with what it is refused."""
    looked = 0
    for thread in pathlib.Path(f"/proc/{daemon.pid()}/task").iterdir():
        try:
            found = status(thread)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        looked += 1
        assert found["Seccomp"].strip() == "2" and found["Seccomp_filters"].strip() == "2", found["Name"]
        assert found["NoNewPrivs"].strip() == "1" and int(found["CapEff"], 16) == int(found["CapPrm"], 16) == 0
        assert not int(found["SigBlk"], 16) & SIGSYS, found["Name"]
    assert looked > 1


def test_each_has_a_user_of_its_own(setting):
    users = {name: status(pathlib.Path(f"/proc/{getattr(setting.platform, name).pid()}"))["Uid"].split() for name in USERS}
    assert users == {name: [str(uid)] * 4 for name, uid in USERS.items()}


LOOKS = r"""
import ctypes, sys
pid = int(sys.argv[1])
for name in ("mem", "environ", "auxv", "maps", "fd/0", "syscall"):
    try:
        open(f"/proc/{pid}/{name}", "rb").read(1)
        print("read", name)
    except OSError as error:
        if name == "mem" and error.errno == 5:
            print("read mem")  # the first page is not mapped, but the file was opened
libc = ctypes.CDLL(None)
if libc.ptrace(16, pid, 0, 0) == 0:  # PTRACE_ATTACH
    print("attached")
    libc.ptrace(17, pid, 0, 0)
"""


def test_its_own_user_sees_nothing_of_it(daemon):
    """As one of its user, broken into by another way: no memory, no environment, no ptrace."""
    other = subprocess.Popen(as_user(["sleep", "60"], daemon.uid, daemon.gid), env={"X": "1"})
    try:
        wait_for(lambda: status(pathlib.Path(f"/proc/{other.pid}"))["Name"] == "sleep", 5, "sleep")
        seen = of_user(daemon, "/usr/bin/python3", "-I", "-c", LOOKS, other.pid).stdout
        assert "read mem" in seen and "read environ" in seen and "attached" in seen  # so the test can tell
    finally:
        other.kill()
        other.wait()
    assert of_user(daemon, "/usr/bin/python3", "-I", "-c", LOOKS, daemon.pid()).stdout == ""


# What each may open for reading in the folders of the platform, of what is not for all. In groups as in the units.
SECRETS = {
    "gatewayd": {"secrets/db.gateway", "secrets/submission.key", "spool", "archive/journal", "run/simulate"},
    "hsmd": {"secrets/hsm.pin", "secrets/hsm.so-pin", "hsm", "hsm/tokens"},
    "tenantd": {"secrets/db.tenant", "secrets/db.owner", "secrets/refca.est", "exports"},
    "apid": {"secrets/db.api", "secrets/db.auth", "secrets/db.provider"},
}
OPENS = r"""
import os, sys
for path in sys.argv[1:]:
    try:
        os.close(os.open(path, os.O_RDONLY))
        print(path)
    except PermissionError:
        pass
"""


def test_no_other_sees_its_secrets(setting):
    layout = setting.platform.layout
    paths = {f"secrets/{path.name}" for path in layout.secrets.iterdir() if not path.stat().st_mode & stat.S_IROTH}
    paths |= {"hsm", "hsm/tokens", "spool", "archive/journal", "exports", "run/simulate"}
    assert set().union(*SECRETS.values()) <= paths
    for name, expected in SECRETS.items():
        daemon = getattr(setting.platform, name)
        seen = of_user(daemon, "/usr/bin/python3", "-I", "-c", OPENS, *(layout.dir / path for path in paths)).stdout
        found = {str(pathlib.Path(line).relative_to(layout.dir)) for line in seen.split()}
        shared = {"exports", "run/simulate"}  # of the group: apid gives out the one, and asks through the other
        assert found - shared == expected - shared, name


CALLS = r"""
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(10)
    try:
        s.connect(sys.argv[1])
        print("connected")
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.parametrize("name,wrong", [("policy.sock", ("hsmd", "apid")), ("bounce.sock", ("hsmd", "apid")),
                                        ("recipients.sock", ("hsmd", "apid"))])
def test_sockets_of_postfix_are_for_postfix(setting, name, wrong):
    path = setting.platform.layout.run / name
    for user in wrong:
        assert "PermissionError" in of_user(getattr(setting.platform, user), "/usr/bin/python3", "-I", "-c", CALLS, path).stdout


def test_hsmd_serves_whom_its_rules_name(setting):
    """apid is in the group of the socket, but in no rule: it is turned away as soon as it connects (SO_PEERCRED)."""
    platform = setting.platform
    path = platform.layout.run / "hsmd.sock"
    before = platform.hsmd.log.read_text("utf-8").count("hsm.turned-away")
    of_user(platform.apid, "/usr/bin/python3", "-I", "-c", CALLS, path)
    wait_for(lambda: platform.hsmd.log.read_text("utf-8").count("hsm.turned-away") > before, 10, "turned away")
    line = [line for line in platform.hsmd.log.read_text("utf-8").splitlines() if "hsm.turned-away" in line][-1]
    assert f'"uid":"{lay.API}"' in line
    nobody = as_user(["/usr/bin/python3", "-I", "-c", CALLS, path], 65534, 65534)
    assert "PermissionError" in subprocess.run(nobody, check=True, text=True, stdout=subprocess.PIPE).stdout


def test_memory_of_hsmd_stays_out_of_swap(setting):
    """Where root here may raise the limit as hsmd's unit does; else hsmd must say that it is not so."""
    found = status(pathlib.Path(f"/proc/{setting.platform.hsmd.pid()}"))
    locked, resident = (int(found[name].split()[0]) for name in ("VmLck", "RssAnon"))
    assert (locked >= resident > 0) == may_lock()
    assert ("hsm.memory-not-locked" in setting.platform.hsmd.log.read_text("utf-8")) != may_lock()
    assert Ops(setting.platform.layout.ops("hsmd")).series()["sealgate_hsm_memory_locked"] == may_lock()


def test_hsmd_without_the_right_to_lock_its_memory(setting):
    """It serves all the same, and says so in log and figures: a limit would end it when its memory grows beyond."""
    hsmd = setting.platform.hsmd
    limits, said = hsmd.limits, hsmd.log.read_text("utf-8").count("hsm.memory-not-locked")
    hsmd.stop()
    hsmd.limits = ("--memlock=65536",)
    try:
        hsmd.start()
        lines = [line for line in hsmd.log.read_text("utf-8").splitlines() if "hsm.memory-not-locked" in line][said:]
        assert len(lines) == 1 and "RLIMIT_MEMLOCK is not unlimited" in lines[0] and '"level":"warning"' in lines[0]
        assert int(status(pathlib.Path(f"/proc/{hsmd.pid()}"))["VmLck"].split()[0]) == 0
        assert Ops(setting.platform.layout.ops("hsmd")).series()["sealgate_hsm_memory_locked"] == 0
        setting.submit(f"joe@{A}", [f"ann@{B}"], simple(f"joe@{A}", [f"ann@{B}"], "not-locked"))
        setting.arrived(B, "not-locked")
    finally:
        hsmd.stop()
        hsmd.limits = limits
        hsmd.start()


def test_no_core_dump(setting, daemon):
    """Neither by the limit nor by a pipe of the kernel's core_pattern, which knows no limit."""
    other = subprocess.Popen(["sh", "-c", "ulimit -c unlimited; cd \"$0\"; exec sleep 60", setting.platform.layout.dir])
    wait_for(lambda: status(pathlib.Path(f"/proc/{other.pid}"))["Name"] == "sleep", 5, "sleep")
    other.send_signal(signal.SIGABRT)
    assert os.WCOREDUMP(os.waitpid(other.pid, 0)[1])  # so the test can tell
    other.returncode = 0
    pid = daemon.pid()
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text("ascii")
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    os.kill(pid, signal.SIGABRT)
    _, ended = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGABRT and not os.WCOREDUMP(ended)
    daemon.start()


def test_mail_flows_after_all_that(setting):
    carry(setting, "confined-again")


def test_the_log_of_postfix_is_put_aside(setting):
    """What its timer runs each night: the old log is packed beside it, and the next line stands in a new one."""
    log = setting.platform.postfix_out.log
    begin, = (start.split() for start in unitfilter.settings(UNITS / "sealgate-postfix-log@.service", "ExecStart")
              if start.startswith("/usr/sbin/postfix"))
    assert begin == ["/usr/sbin/postfix", "-c", "/etc/sealgate/postfix-%i", "logrotate"]
    setting.platform.postfix_out.run("postfix", "logrotate")
    carry(setting, "after-the-log")
    packed, = log.parent.glob(f"{log.name}.*.gz")
    assert b"confined-again" not in log.read_bytes() and gzip.decompress(packed.read_bytes())


@pytest.mark.parametrize("name", EXPOSURE)
def test_unit(name):
    """systemd finds nothing wrong with the units, and little exposed."""
    unit = UNITS / f"sealgate-{name}.service"
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE[name]}", "--no-pager", unit],
                          check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout


def test_what_ends_with_2_is_not_restarted():
    """hsmd, of a PIN that the token refused: each further try would bring the token nearer to its lock."""
    unit = UNITS / "sealgate-hsmd.service"
    assert unitfilter.settings(unit, "RestartPreventExitStatus") == ["2"]
    assert unitfilter.settings(unit, "Restart") == ["on-failure"]  # all else is tried again


def test_who_looks_through_its_journal_is_given_the_time():
    """systemd would kill gatewayd after 90 s, in the midst of it, and start it anew for ever."""
    unit = UNITS / "sealgate-gatewayd.service"
    assert unitfilter.settings(unit, "Type") == ["notify"]
    assert unitfilter.settings(unit, "TimeoutStartSec") == ["infinity"]


def test_users_and_folders_of_the_units():
    """The users of the units are those of sysusers.conf, and folders of tmpfiles.conf have the modes that the platform of
    the tests has."""
    users = set(re.findall(r"^u (\S+)", (UNITS / "sysusers.conf").read_text("ascii"), re.M))
    assert {unitfilter.settings(UNITS / f"sealgate-{name}.service", "User")[0] for name in USERS} == users
    modes = {line.split()[1]: line.split()[2:5] for line in (UNITS / "tmpfiles.conf").read_text("ascii").splitlines()
             if line.startswith("d ")}
    with tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        layout = lay.Layout(folder + "/p")
        layout.prepare()
        names = {uid: f"sealgate-{short}" for uid, short in ((lay.GATEWAY, "gw"), (lay.HSM, "hsm"), (lay.TENANT, "tn"))}
        names |= {0: "root"}
        groups = {lay.GROUP: "sealgate", 0: "root"}
        for path, where in ((layout.run, "/run/sealgate"), (layout.run / "simulate", "/run/sealgate/simulate"),
                            (layout.secrets, "/etc/sealgate/secrets"), (layout.spool, "/var/spool/sealgate"),
                            (layout.archive / "journal", "/var/lib/sealgate/journal"),
                            (layout.exports, "/var/lib/sealgate/exports"), (layout.hsm, "/var/lib/sealgate/hsm")):
            found = path.stat()
            assert [f"{stat.S_IMODE(found.st_mode):04o}", names[found.st_uid], groups[found.st_gid]] == modes[where], where


def test_the_units_find_their_folders_after_a_boot(tmp_path):
    """/run is empty then. systemd makes what the units name in ReadWritePaths=, without which none of them starts, from the
    files that it finds where the README puts them."""
    readme = " ".join((ROOT / "deploy/README.md").read_text().split())
    for name in ("sysusers", "tmpfiles"):
        place = f"/etc/{name}.d/sealgate.conf"
        assert f"`{name}.conf` to `{place}`" in readme
        put = tmp_path / place[1:]
        put.parent.mkdir(parents=True)
        put.write_bytes((UNITS / f"{name}.conf").read_bytes())
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\npostfix:x:101:101::/:/bin/false\n")
    (tmp_path / "etc/group").write_text("root:x:0:\npostfix:x:101:\n")
    for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create", "--boot"]):
        subprocess.run([*command, f"--root={tmp_path}"], check=True)
    for unit in UNITS.glob("*.service"):
        for path in " ".join(unitfilter.settings(unit, "ReadWritePaths")).replace("%i", "out").split():
            assert (tmp_path / path[1:]).is_dir(), (unit.name, path)
