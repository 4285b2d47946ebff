"""An open file that one process alone may change for a while."""

from __future__ import annotations

import errno
import fcntl
import os
import time

from codetether.storage.durable import AppendFile, reached, refusals

_LOCK_PAUSE = 0.0005


class HeldFile:
    """An open file, ours alone among all processes while inside. Waits until a deadline."""

    def __init__(self, file: AppendFile, deadline: float) -> None:
        self._file = file
        self._deadline = deadline

    def __enter__(self) -> None:
        with refusals("lock", self._file.path):
            reached("lock", self._file.path)
            while not self.take():
                if time.monotonic() > self._deadline:
                    raise BlockingIOError(errno.EWOULDBLOCK, "another process holds it")
                time.sleep(_LOCK_PAUSE)

    def take(self) -> bool:
        """Whether it is ours now; False where another process has it."""
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Gives it back."""
        if self._file.fileno() >= 0:  # closing it has unlocked it
            fcntl.flock(self._file.fileno(), fcntl.LOCK_UN)


def named_size(file: AppendFile) -> int | None:
    """The file's length; None where its name is gone or names another file now."""
    with refusals("read", file.path):
        try:
            named = file.path.lstat()
        except FileNotFoundError:
            return None
        held = os.fstat(file.fileno())
    return held.st_size if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino) else None
