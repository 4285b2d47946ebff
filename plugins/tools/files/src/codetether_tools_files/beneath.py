"""Opens a path in one call of the system that follows no link, where there is such a call: Linux 5.6 and later."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache

_OPENAT2 = 437
"""The same number on every architecture."""
_NO_MAGIC_LINKS, _NO_LINKS, _BENEATH = 0x02, 0x04, 0x08


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def opened_beneath(root: int, path: str, flags: int) -> int | None:
    """A descriptor of the relative path below the directory `root`; None where the system has no such call.

    Raises OSError: ELOOP for any link on the way, EXDEV for what leads above the root.
    """
    if not available():
        return None
    how = _How(flags=flags | os.O_CLOEXEC, resolve=_NO_MAGIC_LINKS | _NO_LINKS | _BENEATH)
    while True:
        fd = _call(root, path, how)
        if fd >= 0:
            return fd
        if (number := ctypes.get_errno()) not in (errno.EAGAIN, errno.EINTR):  # a race was seen: look again
            raise OSError(number, os.strerror(number), path)


@cache
def available() -> bool:
    """Whether the system has the call, and lets us use it."""
    if sys.platform != "linux":
        return False
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        fd = _call(root, ".", _How(flags=os.O_PATH | os.O_CLOEXEC, resolve=_BENEATH))
        if fd >= 0:
            os.close(fd)
        return fd >= 0
    finally:
        os.close(root)


def _call(root: int, path: str, how: _How) -> int:
    return int(_libc().syscall(_OPENAT2, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
