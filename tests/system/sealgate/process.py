"""Processes that outlive the one that started them: pid files with the start time, so that a
number that was given anew is never mistaken for ours."""
import os
import secrets
import signal
import socket
import subprocess
import time


SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")  # of the daemons, where a build has them


class NotReady(Exception):
    """A process ended, or did not answer in time."""


def wait_for(condition, timeout, what, interval=None):
    """Polls until condition() is true; its value. NotReady after timeout seconds. Without an interval the
    pauses grow with the time that it takes, for each look costs something."""
    begin = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - begin
        if waited > timeout:
            raise NotReady(f"{what}: not within {timeout} s")
        time.sleep(interval or min(max(0.02, waited / 8), 0.25))


def start_time(pid):
    """The start time of a live process in clock ticks since boot; None for a dead one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in ("Z", "X"):
        return None
    return int(fields[19])


def children(pid):
    """Live children of a process, and theirs."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and start_time(name) is not None:
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as f:
                    parents[int(name)] = int(f.read().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                pass
    found, more = set(), {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more} - found
        found |= more
    return found


def program(pid):
    """The name of what it runs; "" when it is gone."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).split(" ")[0]
    except OSError:
        return ""


def courier(gatewayd):
    """The pid of gatewayd's courier, which has its connections to next hops."""
    def is_courier(pid):  # under valgrind too
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                return any(word.endswith(b"sealgate-courier") for word in f.read().split(b"\0"))
        except OSError:
            return False
    pid, = filter(is_courier, children(gatewayd))
    return pid


def as_user(command, uid, gid, groups=()):
    """The command under another user, without privileges it could get back."""
    groups = ",".join(str(g) for g in groups)
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}",
            f"--groups={groups}" if groups else "--clear-groups",
            "--no-new-privs", "--inh-caps=-all", "--", *map(str, command)]


class PidFile:
    """`pid starttime` in a file."""

    def __init__(self, path):
        self.path = path

    def write(self, pid):
        started = start_time(pid)
        if started is None:
            raise NotReady(f"{self.path.stem}: ended at once")
        self.path.write_text(f"{pid} {started}\n", encoding="ascii")

    def pid(self):
        """The process if it still is the one; else None."""
        try:
            pid, started = map(int, self.path.read_text(encoding="ascii").split())
        except (FileNotFoundError, ValueError):
            return None
        return pid if start_time(pid) == started else None

    def remove(self):
        self.path.unlink(missing_ok=True)


def tail(path, lines=15):
    """The end of a log, indented."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join("    " + line for line in text.splitlines()[-lines:])


def reap(pid):
    """Takes the exit status of a child of ours; of another's, nothing happens."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def gone(pid):
    """Has the last thread of it ended? A leader is a zombie while others still hold its files."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return not os.path.exists(f"/proc/{pid}")


def stop(pid, what, grace=15.0):
    """SIGTERM, then after the grace SIGKILL. True where SIGTERM was enough."""
    started = start_time(pid)
    if started is None:
        reap(pid)
        return True
    os.kill(pid, signal.SIGTERM)
    try:
        wait_for(lambda: start_time(pid) != started, grace, what)
        return True
    except NotReady:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: start_time(pid) != started, 10, what)
        return False
    finally:
        reap(pid)


class Notify:
    """Where a daemon says READY=1, as to systemd (sd_notify): a datagram socket without a file."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        name = f"sealgate-{secrets.token_hex(8)}"
        self.socket.bind("\0" + name)
        self.env = {"NOTIFY_SOCKET": "@" + name}

    def ready(self):
        try:
            return "READY=1" in self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return False

    def close(self):
        self.socket.close()


class Service:
    """A daemon in the foreground, detached from the terminal, its output in log/NAME.log.

    Without ready it is one that says READY=1 by sd_notify; else ready() is asked until it is true,
    and may raise what comes up meanwhile. limits: resource limits, as prlimit takes them. before: a
    command that becomes it, as `unshare`."""

    def __init__(self, layout, name, command, ready=None, env=None, uid=0, gid=0, groups=(),
                 timeout=20.0, grace=15.0, limits=(), before=()):
        self.name, self.command, self.ready = name, command, ready
        self.env, self.uid, self.gid, self.groups = env or {}, uid, gid, groups
        self.timeout, self.grace, self.limits = timeout, grace, limits
        self.before = before
        self.log = layout.log / f"{name}.log"
        self.pid_file = PidFile(layout.pids / f"{name}.pid")

    def pid(self):
        return self.pid_file.pid()

    def is_ready(self):
        """Of one that runs; one without a probe of its own was ready when it was started."""
        if self.pid() is None:
            return False
        try:
            return self.ready() if self.ready else True
        except (OSError, subprocess.SubprocessError, ValueError):
            return False

    def start(self):
        """Started and ready; where it runs already, just that."""
        if self.pid() is not None:
            self.wait(self.is_ready)
            return
        notify = None if self.ready else Notify()
        try:
            env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC",
                   **{name: value for name, value in os.environ.items() if name in SANITIZERS},
                   **self.env, **(notify.env if notify else {})}
            with open(self.log, "ab") as log:
                command = [*self.before, *as_user(self.command, self.uid, self.gid, self.groups)]
                process = subprocess.Popen(
                    ["prlimit", *self.limits, *command] if self.limits else command, env=env, cwd="/",
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            process.returncode = 0  # reap() takes the status, not the object
            try:
                self.pid_file.write(process.pid)
            except NotReady:
                raise NotReady(f"{self.name} ended at once:\n{self.tail()}") from None
            self.wait(notify.ready if notify else self.is_ready)
        except NotReady:
            self.stop()
            raise
        finally:
            if notify:
                notify.close()

    def wait(self, ready):
        def answered():
            if self.pid() is None:
                raise NotReady(f"{self.name} ended:\n{self.tail()}")
            return ready()

        try:
            wait_for(answered, self.timeout, self.name)
        except NotReady as error:
            text = str(error)
            if "\n" not in text:
                text += f"; the end of {self.log}:\n{self.tail()}"
            raise NotReady(text) from None

    def stop(self):
        """True where it ended by itself after SIGTERM."""
        pid = self.pid()
        clean = stop(pid, self.name, self.grace) if pid is not None else True
        self.pid_file.remove()
        return clean

    def kill(self, number=signal.SIGKILL):
        """For tests that take a daemon away."""
        pid = self.pid()
        os.kill(pid, number)
        if number == signal.SIGKILL:
            wait_for(lambda: gone(pid), 10, self.name)

    def tail(self, lines=15):
        return tail(self.log, lines)
