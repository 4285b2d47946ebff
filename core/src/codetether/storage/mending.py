"""Mends a damaged journal: what cannot be read is put aside, the rest stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from attrs import field

from codetether._version import __version__
from codetether.errors import JournalDamaged
from codetether.models.session import JOURNAL_FORMAT, JournalEntry, JournalRecord, SessionStarted
from codetether.storage.durable import read, replace
from codetether.storage.lines import (
    JOURNAL,
    RESERVED,
    encode,
    format_of,
    of_another,
    record_in,
    too_new,
    whole,
    whole_pieces,
)
from codetether.values import define, frozen
from codetether.wire import reader

PUT_ASIDE = "damaged"


@frozen(kw_only=True)
class Mending:
    """What was wrong with a journal. `kept`: the file beside it with what was put aside, where there is one."""

    session_id: str
    problems: tuple[str, ...] = ()
    kept: Path | None = None


@define
class _Found:
    """The lines of a journal: those that stay, and those that cannot."""

    good: list[bytes] = field(factory=list)
    bad: list[tuple[int, bytes, str]] = field(factory=list)
    next: int = 1

    def sort(self, number: int, line: bytes) -> None:
        """A line that is whole."""
        read = record_in(line, self.next, _entry())
        if isinstance(read, str):
            self.bad.append((number, line, read))
        else:
            self.good.append(line)
            self.next = read.sequence + 1


def mend(directory: Path, session_id: str, work: str, *, dry: bool) -> Mending:
    """Puts aside what cannot be read of a session's journal. Blocks; its lock is held.

    Where the first record is lost another takes its place, by which the session works in `work`. The numbers of the
    records stay, so that what is lost leaves a gap that can be seen. With `dry` nothing is written.

    FileNotFoundError where there is no journal; JournalDamaged where it is another session's; JournalTooNew.
    """
    path = directory / JOURNAL
    data = read(path)
    if format_of(data) > JOURNAL_FORMAT:
        raise too_new(path, format_of(data))
    found = _Found()
    for number, line in enumerate(data.split(b"\n"), 1):
        pieces, start = ([line], len(line)) if whole(line) else whole_pieces(line)
        for piece in pieces:
            found.sort(number, piece)
        if line[start:]:
            found.bad.append((number, line[start:], "its checksum does not fit"))
    problems = [f"line {number}: {len(line):,} bytes cannot be read: {why}" for number, line, why in found.bad]
    head = _head(path, found, session_id, work)
    if head is not None:
        problems.append(f"its first record is damaged; it is taken to work in {head.directory}")
    if not problems and b"\n".join(found.good) + b"\n" != data:
        problems.append("the end of a line is damaged or missing; nothing is lost")
    if not problems:
        return Mending(session_id=session_id)
    kept = None
    if not dry:
        if found.bad:
            kept = directory / f"{PUT_ASIDE}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
            replace(kept, b"\n".join(line for _, line, _ in found.bad) + b"\n")
        at = datetime.fromisoformat(orjson.loads(found.good[0])["at"])
        first = [encode(JournalRecord(sequence=1, recorded_at=at, entry=head))] if head is not None else []
        replace(path, b"".join([*first, *(line + b"\n" for line in found.good)]))
    return Mending(session_id=session_id, problems=tuple(problems), kept=kept)


def _head(path: Path, found: _Found, session_id: str, work: str) -> SessionStarted | None:
    """The first record where it is lost; None where it is there."""
    if not found.good:
        raise JournalDamaged(
            f"{path} cannot be repaired: there is no whole record in it",
            remedy="Put the file back from a backup, or delete the session.",
        )
    first = orjson.loads(found.good[0])
    if first["type"] == "session_started":
        if first["id"] == session_id:
            return None
        raise of_another(path, first["id"], session_id)
    if first["seq"] == 1:
        raise JournalDamaged(f"{path} is no journal: its record 1 begins no session", remedy="Delete the session.")
    return _salvaged(found, session_id) or SessionStarted(id=session_id, directory=work, version=__version__)


def _salvaged(found: _Found, session_id: str) -> SessionStarted | None:
    """What the first line still says, if it can be read at all."""
    for number, line, _ in found.bad:
        if number == 1:
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                entry = _entry()({name: value for name, value in orjson.loads(line).items() if name not in RESERVED})
                if isinstance(entry, SessionStarted) and entry.id == session_id:
                    return entry
    return None


@cache
def _entry() -> Callable[[Any], Any]:
    return reader(JournalEntry)
