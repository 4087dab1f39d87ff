"""What a systemd unit allows its service in system calls, without systemd: its SystemCallFilter= lines as systemd 252
reads them (the sets are asked of systemd-analyze), RestrictAddressFamilies= and MemoryDenyWriteExecute=, loaded by
libseccomp in front of the daemon. LAUNCHER is a program of its own, for the daemons' users cannot read this tree:
    launcher CALLS FAMILIES COMMAND…    the calls in a file, one a line
"""
import re
import subprocess

LAUNCHER = r'''
import ctypes, os, sys
EPERM, EAFNOSUPPORT, ALLOW, ERRNO, MASKED_EQ = 1, 97, 0x7fff0000, 0x00050000, 7
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p

class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]

def rule(action, name, *compare):
    call = lib.seccomp_syscall_resolve_name(name.encode())
    if call == -1:
        return
    array = (Compare * len(compare))(*compare)
    done = lib.seccomp_rule_add_array(ctypes.c_void_p(filter), ctypes.c_uint32(action), call, len(compare), array)
    if done not in (0, -13):  # already so
        sys.exit(f"{name}: {done}")

filter = lib.seccomp_init(ctypes.c_uint32(ERRNO | EPERM))
calls = set(open(sys.argv[1], encoding="ascii").read().split())
for name in calls - {"socket", "mmap", "mprotect"}:
    rule(ALLOW, name)
for family in map(int, sys.argv[2].split(",")):
    rule(ALLOW, "socket", Compare(0, MASKED_EQ, 0xffffffff, family))
rule(ALLOW, "mmap", Compare(2, MASKED_EQ, 2, 0))
rule(ALLOW, "mmap", Compare(2, MASKED_EQ, 4, 0))
rule(ALLOW, "mprotect", Compare(2, MASKED_EQ, 4, 0))
if lib.seccomp_load(ctypes.c_void_p(filter)) != 0:
    sys.exit("no seccomp")
os.execv(sys.argv[3], sys.argv[3:])
'''
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}


def settings(unit, name):
    """The values of all lines NAME=value of a unit, in their order."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="ascii"), re.M)


def expand(name):
    """A set's calls; a call is itself."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    found = set()
    for line in text.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= expand(word)
    return found


def calls(unit):
    """The first line says whether it is a list of what is allowed, as all of ours are; what systemd itself needs to
    start a service is always among them."""
    lines = settings(unit, "SystemCallFilter")
    assert lines and not lines[0].startswith("~")
    allowed = expand("@default") | {"execve"}
    for line in lines:
        names = set().union(*(expand(name) for name in line.lstrip("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def families(unit):
    return ",".join(str(FAMILIES[name]) for line in settings(unit, "RestrictAddressFamilies") for name in line.split())


def behind(unit, folder, command):
    """The command behind the unit's filter; what it needs is written into the folder, which everybody may read."""
    assert settings(unit, "MemoryDenyWriteExecute") == ["yes"] and settings(unit, "SystemCallErrorNumber") == ["EPERM"]
    launcher, listed = folder / "launcher.py", folder / f"{unit.stem}.calls"
    launcher.write_text(LAUNCHER, encoding="ascii")
    listed.write_text("\n".join(sorted(calls(unit))), encoding="ascii")
    for path in (launcher, listed):
        path.chmod(0o644)
    return ["/usr/bin/python3", "-I", launcher, listed, families(unit), *command]
