"""Replay: a journal's entries, one by one, add up to a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import assert_never

import attrs
from attrs import field

from codetether.models.completion import Usage
from codetether.models.events import UsageReport
from codetether.models.messages import Message, TextPart, ToolCallPart, ToolResultPart
from codetether.models.record import JSON, Unknown
from codetether.models.session import (
    Announced,
    Compacted,
    CompactionUndone,
    Gap,
    JournalRecord,
    MessageAdded,
    MetadataChanged,
    Remembered,
    Session,
    SessionMetadata,
    SessionStarted,
    TitleChanged,
    ToolCompleted,
    ToolIntent,
    ToolUse,
    TurnEnded,
    automatic_title,
)
from codetether.values import frozen, maker

UNKNOWN_OUTCOME = "unknown: may have run. The session was interrupted between the start of this call and its result."
CANCELLED = "Error: cancelled before it ran"


@frozen(kw_only=True)
class OpenCall:
    """A tool call without a result; `intent` tells whether it was started."""

    call: ToolCallPart
    turn: int
    step: int
    intent: ToolIntent | None = None


@frozen(kw_only=True)
class Replayed:
    """Everything a journal says so far.

    Attributes:
        open_calls: calls of the last assistant message that have no result, by id, in order.
        memory: what plugins remember, by (plugin, key).
        ended: whether the last turn has its end.
        sequence: of the last record.
        compactions: those in force, the last of which says what the model sees.
        measured: tokens of the last request and its answer as the provider counted them, and how many of the
            session's messages they were for; None where nobody counted since the last compaction.
    """

    session: Session
    open_calls: Mapping[str, OpenCall] = field(factory=dict)
    memory: Mapping[tuple[str, str], JSON] = field(factory=dict)
    ended: bool = True
    step: int = 0
    sequence: int = 0
    compactions: tuple[Compacted, ...] = ()
    measured: tuple[int, int] | None = None

    @property
    def seen(self) -> tuple[Message, ...]:
        """The history as the model sees it: between two compactions it only ever grows at its end."""
        if not self.compactions:
            return self.session.messages
        last, messages = self.compactions[-1], self.session.messages
        start = last.until
        while start < len(messages) and messages[start].role == "tool" and not _answers(messages[start], last.messages):
            start += 1  # the journal lost a result, and what closed its call came after the compaction
        return last.messages + messages[start:]


def _answers(results: Message, messages: Iterable[Message]) -> bool:
    called = {call.id for message in messages for call in message.tool_calls}
    return any(part.tool_call_id in called for part in results.parts if isinstance(part, ToolResultPart))


def start(entry: SessionStarted, at: datetime) -> Replayed:
    """The session as its first entry leaves it."""
    metadata = SessionMetadata(directory=entry.directory, model=entry.model)
    made = Session(
        id=entry.id,
        created_at=at,
        updated_at=at,
        metadata=metadata,
        agent=entry.agent,
        parent_id=entry.parent_id,
        parent_call_id=entry.parent_call_id,
        parent_event_id=entry.parent_event_id,
    )
    return Replayed(session=made, sequence=1)


class Replay:
    """Adds up a journal record by record; a record costs the same at message 10 and at message 10,000.

    Every call keeps its one result and every result its call, whatever the journal lost: a call that is
    still open when the next message comes is closed before it, and a result without an open call is left out.
    """

    def __init__(self, state: Replayed) -> None:
        session = state.session
        self._state: Replayed | None = state
        self._session = session
        self._messages: list[Message] = []
        self._uses: list[ToolUse] = []
        self._usage = session.usage
        self._title = session.title
        self._metadata = session.metadata
        self._agent = session.agent
        self._turn = session.turn
        self._updated_at = session.updated_at
        self._open: dict[str, OpenCall] = dict(state.open_calls)
        self._memory = dict(state.memory)
        self._ended = state.ended
        self._step = state.step
        self._sequence = state.sequence
        self._compactions = state.compactions
        self._measured = state.measured

    @property
    def state(self) -> Replayed:
        """What the records so far come to; made when it is asked for, in time linear in the messages."""
        if self._state is None:
            self._state = self._made()
        return self._state

    def _made(self) -> Replayed:
        old = self._session
        self._session = Session(
            id=old.id,
            created_at=old.created_at,
            updated_at=self._updated_at,
            metadata=self._metadata,
            title=self._title,
            messages=old.messages + tuple(self._messages),
            tool_uses=old.tool_uses + tuple(self._uses),
            usage=self._usage,
            agent=self._agent,
            parent_id=old.parent_id,
            parent_call_id=old.parent_call_id,
            parent_event_id=old.parent_event_id,
            turn=self._turn,
            extra=old.extra,
        )
        self._messages.clear()
        self._uses.clear()
        return Replayed(
            session=self._session,
            open_calls=dict(self._open),
            memory=dict(self._memory),
            ended=self._ended,
            step=self._step,
            sequence=self._sequence,
            compactions=self._compactions,
            measured=self._measured,
        )

    def add(self, item: JournalRecord) -> None:
        """Adds one more record. Announcements and unknown entries change nothing but the sequence."""
        entry, at = item.entry, item.recorded_at
        self._state = None
        self._sequence = item.sequence
        match entry:
            case MessageAdded():
                self._add_message(entry, at)
            case ToolIntent():
                opened = self._open.get(entry.call_id)
                if opened is not None:
                    self._open[entry.call_id] = _with_intent(opened, entry)
            case ToolCompleted():
                self._add_result(entry, at)
            case TitleChanged():
                self._title = entry.title
                self._updated_at = self._updated_at if entry.automatic else at
            case MetadataChanged():
                self._change(entry, at)
            case Remembered(value=None):
                self._memory.pop((entry.plugin, entry.key), None)
            case Remembered():
                self._memory[entry.plugin, entry.key] = entry.value
            case TurnEnded():
                self._ended, self._updated_at = True, at
            case Compacted():
                self._compactions, self._measured = (*self._compactions, self._there(entry)), None
            case CompactionUndone():
                self._compactions, self._measured = self._compactions[:-1], None
            case Announced(event=UsageReport(usage=usage)):
                self._usage += usage
            case Gap():
                self._open = {call_id: _perhaps_started(opened) for call_id, opened in self._open.items()}
            case Announced() | SessionStarted() | Unknown():
                pass
            case _:
                assert_never(entry)

    def _there(self, entry: Compacted) -> Compacted:
        """A compaction of what is there, so that what the journal lost hides nothing that comes later."""
        count = len(self._session.messages) + len(self._messages)
        return entry if entry.until <= count else attrs.evolve(entry, until=count)

    def _add_message(self, entry: MessageAdded, at: datetime) -> None:
        for opened in self._open.values():
            self._messages.append(Message(role="tool", parts=(closing_result(opened),), created_at=at))
        message = entry.message
        if message.created_at is None:
            message = maker(Message)(
                role=message.role,
                parts=message.parts,
                provider=message.provider,
                model=message.model,
                created_at=at,
                extra=message.extra,
            )
        self._messages.append(message)
        self._open = {
            part.id: maker(OpenCall)(call=part, turn=entry.turn, step=entry.step, intent=None)
            for part in message.parts
            if part.__class__ is ToolCallPart
        }
        if entry.usage is not None:
            self._usage += entry.usage
            count = len(self._session.messages) + len(self._messages)
            self._measured = (entry.usage.total_tokens, count)
        self._turn = max(self._turn, entry.turn)
        self._step, self._ended, self._updated_at = entry.step, False, at

    def _add_result(self, entry: ToolCompleted, at: datetime) -> None:
        result = entry.result
        self._updated_at = at
        if entry.usage is not None:
            self._usage += entry.usage
        if self._open.pop(result.tool_call_id, None) is None:
            return
        parts = (result,)
        self._messages.append(
            maker(Message)(role="tool", parts=parts, provider=None, model=None, created_at=at, extra={})
        )
        self._uses.append(
            maker(ToolUse)(
                id=result.tool_call_id,
                name=result.name,
                success=result.success,
                duration_ms=entry.duration_ms,
                turn=entry.turn,
                extra={},
            )
        )

    def _change(self, entry: MetadataChanged, at: datetime) -> None:
        fields = ("model", "directory", "shared", "share_url")
        new = {name: getattr(entry, name) for name in fields if getattr(entry, name) is not None}
        self._metadata = attrs.evolve(self._metadata, **new)
        self._agent = entry.agent or self._agent
        self._updated_at = at


def _perhaps_started(opened: OpenCall) -> OpenCall:
    """A call of which the journal lost something: it counts as started, so that it never runs a second time."""
    lost = ToolIntent(
        call_id=opened.call.id, name=opened.call.name, turn=opened.turn, step=opened.step, repeatable=False, rule="lost"
    )
    return _with_intent(opened, lost)


def _with_intent(opened: OpenCall, intent: ToolIntent) -> OpenCall:
    return OpenCall(call=opened.call, turn=opened.turn, step=opened.step, intent=intent)


def apply(state: Replayed, item: JournalRecord) -> Replayed:
    """The state after one more record."""
    made = Replay(state)
    made.add(item)
    return made.state


def replay(records: Iterable[JournalRecord]) -> Replayed | None:
    """The whole journal; None where it does not begin with its first entry."""
    found = iter(records)
    first = next(found, None)
    if first is None or not isinstance(first.entry, SessionStarted):
        return None
    made = Replay(attrs.evolve(start(first.entry, first.recorded_at), sequence=first.sequence))
    for item in found:
        made.add(item)
    return made.state


def closing_result(opened: OpenCall) -> ToolResultPart:
    """What an open call is answered with when it cannot run any more: cancelled, or unknown where it was started."""
    text = CANCELLED if opened.intent is None else UNKNOWN_OUTCOME
    return ToolResultPart(
        tool_call_id=opened.call.id, name=opened.call.name, content=(TextPart(text=text),), success=False
    )


__all__ = [
    "CANCELLED",
    "UNKNOWN_OUTCOME",
    "OpenCall",
    "Replay",
    "Replayed",
    "Usage",
    "apply",
    "automatic_title",
    "closing_result",
    "replay",
    "start",
]
