"""What lies on the disk of the sessions: where, how large their journals are, and at which of them a writer is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from codetether.ids import bucket_of, is_session_id
from codetether.storage.durable import refused
from codetether.storage.lines import JOURNAL, LOCK
from codetether.values import frozen

_BUCKET = re.compile("[0-9a-f]{2}")


@frozen
class Seen:
    """One session as it lies on the disk: where, its journal's size, time (ns) and inode, whether a writer is at it."""

    bucket: str
    state: tuple[int, int, int]
    live: bool


def boot_id() -> str:
    """Which start of the machine this is; empty where it cannot be known."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def buckets_in(sessions: Path) -> Iterator[tuple[str, int]]:
    """The directories that hold sessions, each with the time of its last change (ns)."""
    try:
        with os.scandir(sessions) as entries:
            for entry in entries:
                if _BUCKET.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    yield entry.name, entry.stat(follow_symlinks=False).st_mtime_ns
    except FileNotFoundError:
        return
    except OSError as error:
        raise refused(error, "read", sessions) from error


def sessions_in(bucket: Path) -> dict[str, Seen]:
    """What lies in such a directory, by id; what does not belong there is left out."""
    try:
        with os.scandir(bucket) as entries:
            names = [e.name for e in entries if e.is_dir(follow_symlinks=False) and _belongs(e.name, bucket)]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise refused(error, "read", bucket) from error
    return seen_in(bucket, names)


def _belongs(name: str, bucket: Path) -> bool:
    return is_session_id(name) and bucket_of(name) == bucket.name


def seen_in(bucket: Path, names: list[str]) -> dict[str, Seen]:
    """What lies there of these sessions."""
    found: dict[str, Seen] = {}
    place = f"{bucket}/"
    for name in names:
        with suppress(OSError):
            journal = os.lstat(f"{place}{name}/{JOURNAL}")
            state = (journal.st_size, journal.st_mtime_ns, journal.st_ino)
            found[name] = Seen(bucket.name, state, _held(f"{place}{name}/{LOCK}"))
    return found


def _held(lock: str) -> bool:
    """Whether a writer's id stands in the lock: it is at the session, or was killed."""
    try:
        return os.lstat(lock).st_size > 0
    except OSError:
        return False
