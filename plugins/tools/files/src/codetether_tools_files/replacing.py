"""Puts new content in a file's place at once: the old content or the new, never a part, and no link followed."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from codetether_tools_files.workspace import Refused, Stamp, directory_at, file_at, told

LARGEST = 32 * 1024 * 1024
"""Bytes of a file that is read whole, to be changed."""


def content_of(real: str, name: str) -> tuple[bytes, os.stat_result]:
    """All bytes of a file that is to be changed, and its status."""
    with file_at(real, name) as (fd, status), os.fdopen(os.dup(fd), "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Refused(f"{name} is larger than {LARGEST // 1024 // 1024} MiB; change it with a program")
    return data, status


def replace(
    real: str, name: str, data: bytes, before: os.stat_result | None, *, mode: int | None = None
) -> os.stat_result:
    """Writes a file anew, with the mode it had or `mode`, and returns its status.

    `before` is the status on which the new content rests, None for a file that must not be there yet. Missing
    directories are made. A file that may not be written is not replaced either. Killed at any point, this leaves the
    old content or the new.
    """
    parent, _, last = real.rpartition("/")
    with told(real, name), _made(parent) as above:
        if before is not None and not os.access(last, os.W_OK, dir_fd=above):
            raise Refused(f"{name} is read-only (mode {stat.S_IMODE(before.st_mode):o}); nothing was written")
        temporary = f".{last[:80]}.{secrets.token_hex(6)}.tmp"
        fd, nameless = _new(temporary, above)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                if before is not None:
                    _keep_owner(fd, before, mode)
                elif mode is not None:
                    os.fchmod(fd, mode)
                status = os.fstat(fd)
                _still(above, last, name, before)
                if nameless:
                    os.link(f"/proc/self/fd/{fd}", temporary, dst_dir_fd=above, follow_symlinks=True)
                os.rename(temporary, last, src_dir_fd=above, dst_dir_fd=above)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=above)
            raise
    return status


def _new(temporary: str, above: int) -> tuple[int, bool]:
    """A new file in the directory, and whether it has no name yet, so that nothing is left of it when we are killed."""
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):  # not every file system has it
            return os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666, dir_fd=above), True
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(temporary, flags, 0o666, dir_fd=above), False


def remove(real: str, name: str, before: os.stat_result) -> None:
    """Removes a file that is still what it was at `before`."""
    parent, _, last = real.rpartition("/")
    with told(real, name), directory_at(parent) as above:
        _still(above, last, name, before)
        os.unlink(last, dir_fd=above)


def _keep_owner(fd: int, before: os.stat_result, mode: int | None) -> None:
    with suppress(PermissionError):
        os.fchown(fd, before.st_uid, before.st_gid)
    os.fchmod(fd, stat.S_IMODE(before.st_mode) if mode is None else mode)


def _still(above: int, last: str, name: str, before: os.stat_result | None) -> None:
    """Refuses when somebody else changed the file meanwhile."""
    try:
        now = os.stat(last, dir_fd=above, follow_symlinks=False)
    except FileNotFoundError:
        if before is not None:
            raise Refused(f"{name} was removed meanwhile; nothing was written") from None
        return
    if before is None or Stamp.of(now) != Stamp.of(before):
        raise Refused(f"{name} was changed by another program meanwhile; read it again")


@contextmanager
def _made(directory: str) -> Iterator[int]:
    """A descriptor of a directory; it and those above it are made where they are missing."""
    existing, missing = directory or "/", []
    while not os.path.isdir(existing):  # noqa: PTH112 - only a guess; the walk below decides
        existing, _, part = existing.rpartition("/")
        existing = existing or "/"
        missing.append(part)
    with directory_at(existing) as top:
        fd = os.dup(top)
        try:
            for part in reversed(missing):
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=fd)
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
                os.close(fd)
                fd = below
            yield fd
        finally:
            os.close(fd)
