"""The token in SoftHSM and hsmd in front of it."""
import os
import secrets
import subprocess

from .layout import GROUP, HSM
from .process import NotReady, Service, as_user


def environment(layout):
    return {"SOFTHSM2_CONF": str(layout.hsm / "softhsm2.conf")}


def may_lock():
    """May root here let a process lock all of its memory, as hsmd's unit does (LimitMEMLOCK)? Not in every container."""
    return subprocess.run(["prlimit", "--memlock=unlimited", "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0


def ctl(layout, *arguments):
    """hsmctl as hsmd's user; its output."""
    result = subprocess.run(
        as_user([layout.bin / "hsmctl", "-c", layout.etc / "hsmd.conf", *arguments], HSM, GROUP),
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **environment(layout)}, cwd="/",
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise NotReady(result.stderr.strip() or f"hsmctl {arguments[0]} failed")
    return result.stdout


def make_token(layout):
    """A token with its key-encryption key, the first time; a half-made one is made anew."""
    done = layout.hsm / "made"
    tokens = layout.hsm / "tokens"
    layout.secret("hsm.pin", lambda: secrets.token_hex(8), HSM, GROUP)
    layout.secret("hsm.so-pin", lambda: secrets.token_hex(8), HSM, GROUP)
    layout.write(layout.hsm / "softhsm2.conf",
                 f"directories.tokendir = {tokens}\nobjectstore.backend = file\n"
                 "log.level = INFO\nslots.removable = false\n", 0o440, 0, GROUP)
    if done.exists():
        return
    if tokens.exists():
        subprocess.run(["rm", "-rf", str(tokens)], check=True)
    tokens.mkdir(mode=0o700)
    os.chown(tokens, HSM, GROUP)
    ctl(layout, "token-init", "--label", "sealgate", "--so-pin-file",
        str(layout.secrets / "hsm.so-pin"))
    ctl(layout, "kek-make")
    done.touch()


def hsmd(layout):
    return Service(layout, "hsmd", [layout.bin / "hsmd", "-c", layout.etc / "hsmd.conf"],
                   env=environment(layout), uid=HSM, gid=GROUP,
                   limits=("--memlock=unlimited",) if may_lock() else ())
