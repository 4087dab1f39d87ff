"""Folders with little room, which tests fill up and empty again: a file system of their own, mounted and taken away."""
import errno
import os
import pathlib
import subprocess

from .process import wait_for


def _run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True, stdin=subprocess.DEVNULL)


class SmallDisk:
    """A tmpfs of so many MiB at path: write() says ENOSPC when it is full."""

    def __init__(self, path, mib, uid=0, gid=0, mode=0o700):
        self.path, self.mib, self.owner, self.mode = pathlib.Path(path), mib, (uid, gid), mode
        self.mounted = False

    @property
    def room(self):
        """Whose room it is that fill() takes."""
        return self.path

    def mount(self):
        self.path.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={self.mib}m,mode={self.mode:o},uid={self.owner[0]},gid={self.owner[1]}",
             "none", self.path)
        self.mounted = True
        return self

    def unmount(self):
        """At the end; what still has it open keeps it no longer mounted."""
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=False)
        self.mounted = False

    def fill(self, leave=0):
        """Takes the room, but for so many bytes."""
        with open(self.room / "filler", "ab") as f:
            size = self.free() - leave
            while size > 0:
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, size)
                    size = self.free() - leave  # others may have given some back
                except OSError as error:  # others took some meanwhile
                    if error.errno != errno.ENOSPC:
                        raise
                    size = min(size // 2, self.free() - leave)

    def free(self):
        disk = os.statvfs(self.room)
        return disk.f_bavail * disk.f_frsize

    def empty(self):
        (self.room / "filler").unlink(missing_ok=True)


class FailingDisk(SmallDisk):
    """A file system on a device that is larger than what it lies on: when that is full, write() goes into the page
    cache and only fsync() fails, as with a disk that is broken. After the failure the pages pass for clean."""

    def __init__(self, path, mib, uid=0, gid=0, mode=0o700):
        super().__init__(path, mib, uid, gid, mode)
        self.below = pathlib.Path(f"{path}.below")

    @property
    def room(self):
        return self.below

    def mount(self):
        self.below.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={self.mib}m,mode=700", "none", self.below)
        image = self.below / "image"
        with open(image, "wb") as f:
            f.truncate(4 * self.mib << 20)
        # Without a journal of its own: it would stop all writing at the first failure.
        _run("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", "-N", "256", image)
        self.attach()
        os.chown(self.path, *self.owner)
        self.path.chmod(self.mode)
        return self

    def attach(self):
        _run("mount", "-o", "loop", self.below / "image", self.path)
        self.mounted = True

    def detach(self):
        """Once nobody has a file of it open. What attach() reads afterwards comes from the device."""
        wait_for(lambda: subprocess.run(["umount", self.path], check=False, capture_output=True).returncode == 0, 60,
                 f"{self.path} to be free")
        self.mounted = False

    def unmount(self):
        super().unmount()
        subprocess.run(["umount", "-l", self.below], check=False, capture_output=True)
