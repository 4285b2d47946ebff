"""Session ids: how they are made, what counts as one, and under which directory it lies."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from hashlib import sha256

from codetether.errors import InvalidSessionId

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80


class _Ids:
    """Makes ids: 48 bits of milliseconds and 80 random ones, each greater than the one before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._process = 0

    def next(self) -> str:
        with self._lock:
            fresh = time.time_ns() // 1_000_000 << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
            if os.getpid() == self._process and fresh >> _RANDOM_BITS <= self._last >> _RANDOM_BITS:
                fresh = self._last + 1 + secrets.randbits(32)
            self._process, self._last = os.getpid(), fresh
        return "".join(_ALPHABET[fresh >> shift & 31] for shift in range(125, -1, -5))


_ids = _Ids()


def new_session_id() -> str:
    """A new id: 26 characters of lower-case Crockford base32 that sort by time, strictly so within a process."""
    return _ids.next()


def is_session_id(name: str) -> bool:
    """Whether it is `[A-Za-z0-9][A-Za-z0-9_-]{0,99}`."""
    return _ID.fullmatch(name) is not None


def check_session_id(session_id: str) -> str:
    """The id itself where it is one; InvalidSessionId where it is not `[A-Za-z0-9][A-Za-z0-9_-]{0,99}`."""
    if not is_session_id(session_id):
        shown = session_id if len(session_id) <= 120 else session_id[:117] + "..."
        raise InvalidSessionId(
            f"{shown!r} is no session id",
            remedy="An id is 1 to 100 letters, digits, `_` and `-`, and begins with a letter or digit.",
        )
    return session_id


def bucket_of(session_id: str) -> str:
    """The two hex digits under which a session lies; ids that differ by case only share them."""
    return sha256(session_id.lower().encode()).hexdigest()[:2]
