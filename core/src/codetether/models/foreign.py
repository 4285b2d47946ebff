"""Sessions of other products: each as the journal that it would be here, with what could not be taken over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from codetether.models.completion import Usage
from codetether.models.messages import Message, ToolCallPart, ToolResultPart
from codetether.models.record import Record
from codetether.models.replay import replay
from codetether.models.session import (
    JournalRecord,
    MessageAdded,
    Session,
    SessionStarted,
    SessionSummary,
    ToolCompleted,
)
from codetether.values import frozen

ORIGIN = "origin"
"""The key under which an imported session remembers where it came from."""
BARE = "usage_only"
"""Marks a message that stands only for tokens that no message of the source accounts for."""
CONTINUED = "continued"
"""Marks a message that the source holds as one with the message of the model before it."""
CLOSED = "closed_by_import"
"""Marks a result that the source did not hold."""


@frozen(kw_only=True)
class ForeignSummary(Record):
    """One line of a listing of another product's sessions.

    Attributes:
        source_id: the product's own id. source: what to read it from.
        session: as listings show it; its id is `<format>_<id>`.
    """

    source_id: str
    source: str
    session: SessionSummary


@frozen(kw_only=True)
class ForeignSession:
    """A session as another product kept it; `Transcript` makes it.

    Attributes:
        source_id: the product's own id.
        records: the journal that it would be here, whole: every call has its result, every result its call.
        lost: what was not taken over, a line each, with counts.
    """

    source_id: str
    records: tuple[JournalRecord, ...]
    lost: tuple[str, ...] = ()

    @property
    def session(self) -> Session:
        """The session that the records add up to; made anew each time."""
        replayed = replay(self.records)
        assert replayed is not None, "the records begin with their first entry"
        return replayed.session

    @property
    def started(self) -> SessionStarted:
        """The first entry."""
        entry = self.records[0].entry
        assert isinstance(entry, SessionStarted)
        return entry

    @property
    def messages(self) -> int:
        """Messages of the user and of the model; results of tools are counted apart."""
        uncounted = {BARE, CONTINUED}
        return sum(isinstance(e, MessageAdded) and not uncounted & e.message.extra.keys() for e in self._entries())

    @property
    def tool_calls(self) -> int:
        """Calls that the model made."""
        added = (entry.message for entry in self._entries() if isinstance(entry, MessageAdded))
        return sum(isinstance(part, ToolCallPart) for message in added for part in message.parts)

    @property
    def tool_results(self) -> int:
        """Results that the source holds; a call without one is closed here, and that is not counted."""
        return sum(isinstance(e, ToolCompleted) and CLOSED not in e.result.extra for e in self._entries())

    @property
    def usage(self) -> Usage:
        """The tokens of all messages."""
        total = Usage()
        for entry in self._entries():
            if isinstance(entry, MessageAdded) and entry.usage is not None:
                total += entry.usage
        return total

    @property
    def updated_at(self) -> datetime:
        """When it was last changed there."""
        return self.records[-1].recorded_at

    def summary(self, source: str) -> ForeignSummary:
        """What a listing shows of it; `source`: what it was read from."""
        session = self.session
        return ForeignSummary(
            source_id=self.source_id,
            source=source,
            session=SessionSummary(
                id=session.id,
                title=session.title,
                created_at=session.created_at,
                updated_at=self.updated_at,
                message_count=self.messages,
                agent=session.agent,
                directory=session.metadata.directory,
                model=session.metadata.model,
                parent_id=session.parent_id,
            ),
        )

    def told(self) -> Iterator[tuple[Message, MessageAdded | None, ToolCompleted | None]]:
        """The messages in order, with the entry that tells more of each: of a result that a replay made, there is none.

        A message that stands only for tokens comes too, marked with `usage_only`.
        """
        added = (entry for entry in self._entries() if isinstance(entry, MessageAdded))
        completed = {e.result.tool_call_id: e for e in self._entries() if isinstance(e, ToolCompleted)}
        for message in self.session.messages:
            if message.role != "tool":
                yield message, next(added), None
                continue
            for part in message.parts:
                if isinstance(part, ToolResultPart):
                    yield message, None, completed.get(part.tool_call_id)

    def _entries(self) -> list[object]:
        return [record.entry for record in self.records]


@frozen(kw_only=True)
class Unreadable:
    """A part of a source that could not be read; the rest was.

    Attributes:
        source: the file, with `:line` where it has lines, or what else names it.
        why: in words.
    """

    source: str
    why: str
