"""RSA keys of 2048 bits for tests. Making one takes a quarter of a second, so they are made once, in files
for all runs on this machine; a module of tests takes them in turn, none twice."""
import contextlib
import os
import pathlib
import shutil
import subprocess

FOLDER = pathlib.Path("/var/tmp/sealgate-keys")  # for anybody to read: keys of tests
module = 0  # counts the modules
_shelf, _taken = "key", {}


def begin():
    """The keys from the first on: for a module that shares nothing with those before it."""
    global module
    module += 1
    _taken.pop("key", None)


@contextlib.contextmanager
def shelf(name):
    """Meanwhile keys of another row are taken, for what outlives a module."""
    global _shelf
    before, _shelf = _shelf, name
    try:
        yield
    finally:
        _shelf = before


def take():
    """The path of the next one, PEM."""
    number = _taken.get(_shelf, 0)
    _taken[_shelf] = number + 1
    path = FOLDER / f"{_shelf}-{number}.pem"
    if not path.exists():
        _make(path)
    return path


def request(into, *kind):
    """Options for `openssl req`: a key into that file, of this kind (as of -newkey) or one of these."""
    if kind not in ((), ("rsa:2048",)):
        return ["-newkey", *kind, "-nodes", "-keyout", into]
    shutil.copyfile(take(), into)
    os.chmod(into, 0o600)
    return ["-new", "-key", into]


def _make(path):
    FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                    "-out", new], check=True, stdin=subprocess.DEVNULL)
    new.chmod(0o644)
    with contextlib.suppress(FileExistsError):  # another process was quicker: its key is as good
        os.link(new, path)
    new.unlink()
