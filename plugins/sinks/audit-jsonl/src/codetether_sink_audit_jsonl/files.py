"""Where the log, its full files and its anchors lie."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from codetether_sink_audit_jsonl.chain import link_of
from codetether_sink_audit_jsonl.settings import AuditJsonlSettings

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of a line: more than any entry can have."""


@frozen(kw_only=True)
class LogFile:
    """A file of the log. `first` and `end`: the bytes of the whole log that its name says it holds; None while open."""

    path: Path
    first: int | None = None
    end: int | None = None


def log_path(settings: AuditJsonlSettings, state_dir: Callable[[], Path]) -> Path:
    """The open file of the log."""
    return (settings.path or state_dir() / "audit.jsonl").expanduser().absolute()


def anchor_path(settings: AuditJsonlSettings, log: Path, state_dir: Callable[[], Path]) -> Path:
    """The file of its anchors: in the state directory, under a name that tells logs of other places apart."""
    if settings.anchors is not None:
        return settings.anchors.expanduser().absolute()
    state = state_dir().expanduser().absolute()
    if log.parent == state:
        return state / f"{log.stem}.anchors"
    return state / f"{log.stem}-{hashlib.sha256(os.fsencode(log)).hexdigest()[:12]}.anchors"


def files_of(log: Path) -> list[LogFile]:
    """The log's files in order: the full ones, then the open one if it is there. Raises OSError."""
    name = re.compile(rf"{re.escape(log.stem)}-(\d{{20}})-(\d{{20}}){re.escape(log.suffix)}")
    full = sorted(
        (int(m[1]), int(m[2]), entry.name) for entry in os.scandir(log.parent) if (m := name.fullmatch(entry.name))
    )
    made = [LogFile(path=log.with_name(name), first=first, end=end) for first, end, name in full]
    return [*made, LogFile(path=log)] if os.path.lexists(log) else made


def opened(path: Path) -> BinaryIO:
    """A regular file, to be read. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb", 1 << 20)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(0, "it is not a regular file", str(path))
    return file


def lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file with their ends, too long ones cut in pieces; then it is closed. Raises OSError."""
    with file:
        while line := file.readline(LINE_LIMIT):
            yield line


def lines_of(log: Path) -> Iterator[bytes]:
    """All whole lines of the log, oldest first. Raises OSError."""
    for file in files_of(log):
        yield from (line for line in lines(opened(file.path)) if line.endswith(b"\n"))


def chain_name(log: Path) -> str:
    """What tells this log from every other: the beginning of its first MAC; empty where it has none."""
    links = (link_of(line[:-1]) for line in lines_of(log))
    return next((link.mac[:16].decode() for link in links if link), "")
