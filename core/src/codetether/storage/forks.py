"""A fork: a session of its own that begins with what another one held up to a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import attrs

from codetether._version import __version__
from codetether.errors import UsageError
from codetether.models.events import AuditAnchor
from codetether.models.foreign import ORIGIN
from codetether.models.record import JSON
from codetether.models.session import (
    Announced,
    Gap,
    JournalEntry,
    JournalRecord,
    MessageAdded,
    Remembered,
    SessionStarted,
    TitleChanged,
    ToolCompleted,
    TurnEnded,
)

FORKED = "forked"
"""The key under which a fork remembers `{"from": id, "messages": how many it took, "records": up to which}`."""


def fork(
    records: Sequence[JournalRecord],
    new_id: str,
    *,
    messages: int | None = None,
    turn: int | None = None,
    title: str | None = None,
) -> list[JournalRecord]:
    """The journal of a fork.

    Args:
        records: the other session's. new_id: the fork's id.
        messages: take so many messages, results of tools counted too, and the results of the last one's calls;
            `turn`: take up to the end of this turn; neither: take all.

    Raises UsageError where there are not so many.
    """
    started = records[0].entry
    assert isinstance(started, SessionStarted)
    taken = [*_until(records[1:], messages, turn)]
    count = sum(isinstance(item.entry, MessageAdded | ToolCompleted) for item in taken)
    named = [item.entry.title for item in taken if isinstance(item.entry, TitleChanged)]
    now = datetime.now(UTC)
    memory: dict[str, JSON] = {"from": started.id, "messages": count, "records": 2 + len(taken)}
    head = attrs.evolve(started, id=new_id, parent_id=None, parent_call_id=None, version=__version__)
    last = TitleChanged(title=title or f"{named[-1] if named and named[-1] else '(no title)'} (fork)")
    entries: list[tuple[datetime, JournalEntry]] = [
        (now, head),
        (now, Remembered(plugin="core", key=FORKED, value=memory)),
        *((item.recorded_at, item.entry) for item in taken),
        (now, last),
    ]
    return [JournalRecord(sequence=n, recorded_at=at, entry=entry) for n, (at, entry) in enumerate(entries, 1)]


def _until(records: Sequence[JournalRecord], messages: int | None, turn: int | None) -> Iterator[JournalRecord]:
    """What a fork takes: no more than asked for, and nothing that belongs to the other session alone."""
    count = seen = 0

    for item in records:
        entry = item.entry
        if isinstance(entry, MessageAdded):
            if (messages is not None and count >= messages) or (turn is not None and entry.turn > turn):
                return
            seen = max(seen, entry.turn)
        count += isinstance(entry, MessageAdded | ToolCompleted)
        if _taken(entry):
            yield item
        if isinstance(entry, TurnEnded) and (entry.turn == turn or count == messages):
            return
    if messages is not None and count < messages:
        raise UsageError(
            f"it has no more than {count} message{'s' * (count != 1)}",
            remedy="codetether sessions show ID numbers them",
        )
    if turn is not None and seen < turn:
        raise UsageError(
            f"it has no more than {seen} turn{'s' * (seen != 1)}", remedy="codetether sessions show ID numbers them"
        )


def _taken(entry: JournalEntry) -> bool:
    match entry:
        case Remembered(key=key):
            return key not in (ORIGIN, FORKED)
        case Announced(event=event):
            return not isinstance(event, AuditAnchor)
        case _:
            return not isinstance(entry, Gap)
