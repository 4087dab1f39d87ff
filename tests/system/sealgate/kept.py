"""Platforms that are kept: where many modules of tests run, each begins with a copy of one that was made
once, with its database, directory, CA, token and secrets. A copy is a stopped platform that up() carries on
with. It has the ports of the one that was made, for they are in certificates and rows."""
import shutil
import subprocess
import tempfile

from . import keypool

# What is copied; the rest up() makes anew.
PARTS = ("pg", "hsm", "ldap", "ca", "secrets", "etc", "postfix-out", "postfix-in")
NAMING = ("etc/slapd.conf", "pg/data/postgresql.conf")  # those that name the folder

wanted = False  # else each is made from nothing
_made = {}
_folders = []


def fill(platform, name="", make=None):
    """The folder of a platform that was never up gets a copy of one that make(platform) has furnished;
    name says which one that is."""
    layout = platform.layout
    if not wanted or (layout.pg / "created").exists():
        return
    key = layout.port["postfix_out"], str(platform.build), name
    if key not in _made:
        _made[key] = _make(platform, make)
    source = _made[key]
    layout.dir.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", *(f"{source}/{part}" for part in PARTS), layout.dir],
                   check=True)
    for postfix in (platform.postfix_out, platform.postfix_in):
        (postfix.dir / "spool/quick-start").touch()
    for part in NAMING:
        path = layout.dir / part
        text = path.read_text(encoding="utf-8").replace(f"{source}/", f"{layout.dir}/")
        with open(path, "w", encoding="utf-8") as file:  # its owner stays
            file.write(text)


def folder():
    """A new one, there until the end of the run."""
    _folders.append(tempfile.mkdtemp(prefix="sgkept", dir="/var/tmp"))
    return _folders[-1]


def _make(platform, make):
    into = folder()
    made = type(platform)(into, platform.layout.port["postfix_out"], build=platform.build,
                          without={"gatewayd", "postfix-out", "postfix-in"})
    try:
        with keypool.shelf("kept"):
            made.up(copied=make is not None)
            if make:
                make(made)
            for postfix in (made.postfix_out, made.postfix_in):
                postfix.check()
    finally:
        made.down()
    return into


def clear():
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)
