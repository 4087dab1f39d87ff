"""Blocks of ports for tests that run beside each other: a lock on a file each. They lie below the
kernel's range for outgoing connections, one of which could otherwise hold a port that a server needs."""
import fcntl
import os
import pathlib
import socket

FOLDER = pathlib.Path("/var/tmp/sealgate-ports")
BLOCK = 20


def port_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class PortBlock:
    """A block of ports that nobody else has until close(). SEALGATE_TEST_PORTS=FIRST-LAST bounds
    where blocks are looked for. Those that this process had before come first: platforms are kept for
    them (kept.py)."""

    had = []

    def __init__(self):
        first, last = os.environ.get("SEALGATE_TEST_PORTS", "21000-29999").split("-")
        FOLDER.mkdir(parents=True, exist_ok=True)
        for base in (*self.had, *range(int(first), int(last) - BLOCK + 2, BLOCK)):
            lock = open(FOLDER / str(base), "w", encoding="ascii")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            if all(port_free(base + i) for i in range(BLOCK)):
                self.base, self.lock = base, lock
                if base not in self.had:
                    self.had.append(base)
                return
            lock.close()
        raise RuntimeError(f"no free block of {BLOCK} ports in {first}-{last}")

    def close(self):
        self.lock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
