"""Every durable byte passes through here: appended, synced, locked, or replaced whole."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from codetether.errors import StorageError
from codetether.storage.disk import Disk

failpoint: Callable[[str, Path], None] | None = None
"""Called with an operation's name and its path before each operation; a test lets it raise OSError.

The names: mkdir, open, read, write, truncate, fsync, fsync_directory, rename, remove, lock, close.
"""

_REMEDIES = {
    errno.ENOSPC: "Free some space on this disk and go on; nothing that was acknowledged is lost.",
    errno.EDQUOT: "Free some of your quota and go on; nothing that was acknowledged is lost.",
    errno.EFBIG: "The file may not grow: raise the limit of the file size (ulimit -f) and go on.",
    errno.EROFS: "The disk is mounted read-only: mount it for writing, or set CODETETHER_HOME to another directory.",
    errno.EACCES: "Check who owns it and its permissions, or set CODETETHER_HOME to a directory of yours.",
    errno.EPERM: "Check who owns it and its permissions, or set CODETETHER_HOME to a directory of yours.",
    errno.EMFILE: "Too many files are open: close some sessions, or raise the limit (ulimit -n).",
    errno.ENFILE: "Too many files are open on this machine: close some programs.",
    errno.ELOOP: "It is a symbolic link, and links are not followed here: put the real thing in its place.",
    errno.ENOTDIR: "Something else stands where a directory is needed: move it away.",
    errno.EISDIR: "A directory stands where a file is needed: move it away.",
    errno.EIO: "The disk failed: look at the system's log, and copy the data away before you go on.",
    errno.EINTR: "It was interrupted: try again.",
}


def refused(error: OSError, what: str, path: Path) -> StorageError:
    """The error for the user: what could not be done to which path, why, and the remedy."""
    why = os.strerror(error.errno) if error.errno else str(error)
    remedy = _REMEDIES.get(error.errno or 0, "Look at the path and the disk, and try again.")
    made = StorageError(f"cannot {what} {path}: {why}", remedy=remedy)
    made.__cause__ = error
    return made


@contextmanager
def refusals(what: str, path: Path) -> Iterator[None]:
    """Turns an OSError inside into the StorageError that names the path."""
    try:
        yield
    except OSError as error:
        raise refused(error, what, path) from error


def reached(operation: str, path: Path) -> None:
    """An operation on a path is about to happen: the place where a test lets it fail."""
    if failpoint is not None:
        failpoint(operation, path)


def _flush(descriptor: int) -> None:
    """To the disk itself, not only to its cache."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable. Blocks; raises StorageError."""
    with refusals("sync", path):
        reached("fsync_directory", path)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def private_directory(path: Path) -> Path:
    """The directory, made durably with its parents where they are missing: mode 0700 whatever the umask. Blocks."""
    for parent in make_directories(path):
        sync_directory(parent)
    return path


def make_directories(path: Path) -> list[Path]:
    """Makes what is missing of a private directory, and gives the directories that got a name not yet durable."""
    if path.is_dir():
        return []
    above = make_directories(path.parent) if path.parent != path else []
    with refusals("make", path):
        reached("mkdir", path)
        try:
            path.mkdir(0o700)
        except FileExistsError:
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
            return above
        path.chmod(0o700)
    return [*above, path.parent]


def read(path: Path) -> bytes:
    """A whole file, no link followed. Blocks; FileNotFoundError where there is none, else StorageError."""
    try:
        reached("read", path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            _check_regular(descriptor)
            return file.readall()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refused(error, "read", path) from error


def replace(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Puts `data` in the file's place, whole or not at all: a temporary file beside it, fsync, rename. Blocks.

    With `durable=False` it waits for no disk: `sync_file` does later.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident():x}.tmp")
    try:
        with refusals("write", path):
            _write_new(temporary, data, mode, durable)
            reached("rename", path)
            temporary.rename(path)
    except StorageError:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        sync_directory(path.parent)


replace_file = replace
"""`replace` under its public name."""


def sync_file(path: Path) -> None:
    """Makes a file and its name durable. Blocks; raises StorageError."""
    with refusals("sync", path):
        reached("fsync", path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _flush(descriptor)
        finally:
            os.close(descriptor)
    sync_directory(path.parent)


def _write_new(path: Path, data: bytes, mode: int, durable: bool) -> None:
    reached("open", path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    try:
        os.fchmod(descriptor, mode)
        reached("write", path)
        _write_all(descriptor, data)
        if durable:
            reached("fsync", path)
            _flush(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """Every byte; after a short write the next one tells why."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


def _check_regular(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


class AppendFile:
    """A file that only grows: mode 0600, no link followed, not inherited by commands.

    With `durable=False` the name of a new file is left to whoever syncs its directory.

    Not for two threads at once, but `sync` may run on another thread than `append`.

    After a failed fsync the kernel may have dropped what was written and call the file clean, so that a
    second fsync proves nothing: from then on every `append` and `sync` raises StorageError, until the file
    is opened anew and what it holds has been read back.

    Attributes:
        path: the file.
        offset: its length in bytes up to the last good append.
        distrusted: why it is not trusted any more, empty while it is.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self.distrusted = ""
        self._torn = False
        with refusals("open", path):
            self._descriptor, created = self._open()
        try:
            if created and durable:
                sync_directory(path.parent)
        except StorageError:
            os.close(self._descriptor)
            raise
        self.offset = os.fstat(self._descriptor).st_size
        self._unsynced = True

    def _open(self) -> tuple[int, bool]:
        reached("open", self.path)
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor, created = os.open(self.path, flags), False
        except FileNotFoundError:
            descriptor, created = os.open(self.path, flags | os.O_CREAT, 0o600), True
        try:
            _check_regular(descriptor)
            if stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o600:
                os.fchmod(descriptor, 0o600)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor, created

    def append(self, data: bytes) -> int:
        """Writes all of `data` at the end, on the caller's thread, and returns the offset where it begins.

        It is then safe from the end of this process, and from power loss after the next `sync`. A write that
        fails or falls short is cut back to the last good offset and raises StorageError: nothing happened,
        and the next append may succeed.
        """
        if self._descriptor < 0 or self.distrusted:
            raise self.unusable()
        start = self.offset
        try:
            if self._torn:
                self._cut_back()
            if failpoint is not None:
                failpoint("write", self.path)
            written = os.write(self._descriptor, data)
            if written < len(data):
                _write_all(self._descriptor, data[written:])
        except OSError as error:
            self._torn = True
            with suppress(OSError):
                self._cut_back()
            raise refused(error, "write", self.path) from error
        self.offset = start + len(data)
        self._unsynced = True
        return start

    def _cut_back(self) -> None:
        reached("truncate", self.path)
        os.ftruncate(self._descriptor, self.offset)
        self._torn = False

    def cut(self, offset: int) -> None:
        """Shortens the file to `offset` bytes, durably. Blocks; raises StorageError."""
        with refusals("shorten", self.path):
            reached("truncate", self.path)
            os.ftruncate(self._descriptor, offset)
        self.offset, self._unsynced = offset, True
        self.sync()

    def sync(self) -> None:
        """Waits until all that was appended is on the disk. Blocks; raises StorageError, and then for good."""
        if self._descriptor < 0 or self.distrusted:
            raise self.unusable()
        if not self._unsynced:
            return
        self._unsynced = False
        try:
            reached("fsync", self.path)
            _flush(self._descriptor)
            if os.fstat(self._descriptor).st_nlink == 0:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        except OSError as error:
            self.distrusted = os.strerror(error.errno) if error.errno else str(error)
            raise refused(error, "sync", self.path) from error

    def unusable(self) -> StorageError:
        """Why nothing can be appended: it is closed, or a sync failed."""
        if self._descriptor < 0:
            return StorageError(f"cannot write {self.path}: it is closed", remedy="Open it again.")
        return StorageError(
            f"cannot write {self.path}: an earlier sync failed ({self.distrusted}), so the file is not trusted",
            remedy="Mend the disk and go on: what the file holds is then read back and written anew.",
        )

    def fileno(self) -> int:
        """The open descriptor, to lock it or to tell which file it is; -1 once closed."""
        return self._descriptor

    def close(self) -> None:
        """Closes it without a sync; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with refusals("close", self.path):
                try:
                    reached("close", self.path)
                finally:
                    os.close(descriptor)


class FileLock:
    """An exclusive lock held by one open file of one process; it ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self) -> bool:
        """Takes the lock and writes our process id into the file; False at once where another has it."""
        while True:
            with refusals("lock", self.path):
                descriptor = self._try()
            if descriptor is None:
                return False
            if self._is_current(descriptor):
                break
            os.close(descriptor)
        self._descriptor = descriptor
        return True

    def _try(self) -> int | None:
        reached("lock", self.path)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _is_current(self, descriptor: int) -> bool:
        """Whether the file still has its name: who held the lock before may have removed it."""
        try:
            named = self.path.lstat()
        except FileNotFoundError:
            named = None
        held = os.fstat(descriptor)
        return named is not None and (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)

    def holder(self) -> int | None:
        """The process id that the holder wrote; None where it cannot be read."""
        try:
            return int(self.path.read_bytes())
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Gives the lock back; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)


__all__ = [
    "AppendFile",
    "Disk",
    "FileLock",
    "failpoint",
    "make_directories",
    "private_directory",
    "reached",
    "read",
    "refusals",
    "refused",
    "replace",
    "replace_file",
    "sync_directory",
    "sync_file",
]
