"""Replay: a journal's entries, one by one, add up to a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs
from attrs import field, frozen

from codetether.models.completion import Usage
from codetether.models.messages import Message, TextPart, ToolCallPart, ToolResultPart
from codetether.models.record import JSON
from codetether.models.session import (
    Announced,
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
    """

    session: Session
    open_calls: Mapping[str, OpenCall] = field(factory=dict)
    memory: Mapping[tuple[str, str], JSON] = field(factory=dict)
    ended: bool = True
    step: int = 0
    sequence: int = 0


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
    )
    return Replayed(session=made, sequence=1)


def apply(state: Replayed, item: JournalRecord) -> Replayed:
    """The state after one more record. Unknown entries and gaps change nothing but the sequence."""
    entry, at, session = item.entry, item.recorded_at, state.session
    changes: dict[str, Any] = {"sequence": item.sequence}
    match entry:
        case MessageAdded():
            message = attrs.evolve(entry.message, created_at=entry.message.created_at or at)
            changes["session"] = _with_message(session, message, entry, at)
            changes["open_calls"] = {
                c.id: OpenCall(call=c, turn=entry.turn, step=entry.step) for c in message.tool_calls
            }
            changes["ended"] = False
            changes["step"] = entry.step
        case ToolIntent():
            opened = state.open_calls.get(entry.call_id)
            if opened is not None:
                changes["open_calls"] = {**state.open_calls, entry.call_id: attrs.evolve(opened, intent=entry)}
        case ToolCompleted():
            changes["session"] = _with_result(session, entry, at)
            changes["open_calls"] = {k: v for k, v in state.open_calls.items() if k != entry.result.tool_call_id}
        case TitleChanged():
            changes["session"] = attrs.evolve(
                session, title=entry.title, updated_at=session.updated_at if entry.automatic else at
            )
        case MetadataChanged():
            changes["session"] = _with_metadata(session, entry, at)
        case Remembered():
            kept = {k: v for k, v in state.memory.items() if k != (entry.plugin, entry.key)}
            if entry.value is not None:
                kept[entry.plugin, entry.key] = entry.value
            changes["memory"] = kept
        case TurnEnded():
            changes["session"] = attrs.evolve(session, updated_at=at)
            changes["ended"] = True
        case Announced() | _:
            pass
    return attrs.evolve(state, **changes)


def replay(records: Iterable[JournalRecord]) -> Replayed | None:
    """The whole journal; None where it has no first entry."""
    state: Replayed | None = None
    for item in records:
        if state is not None:
            state = apply(state, item)
        elif isinstance(item.entry, SessionStarted):
            state = attrs.evolve(start(item.entry, item.recorded_at), sequence=item.sequence)
    return state


def closing_result(opened: OpenCall) -> ToolResultPart:
    """What an open call is answered with when it cannot run any more: cancelled, or unknown where it was started."""
    text = CANCELLED if opened.intent is None else UNKNOWN_OUTCOME
    return ToolResultPart(
        tool_call_id=opened.call.id, name=opened.call.name, content=(TextPart(text=text),), success=False
    )


def _with_message(session: Session, message: Message, entry: MessageAdded, at: datetime) -> Session:
    return attrs.evolve(
        session,
        messages=(*session.messages, message),
        usage=session.usage + entry.usage if entry.usage else session.usage,
        turn=max(session.turn, entry.turn),
        updated_at=at,
    )


def _with_result(session: Session, entry: ToolCompleted, at: datetime) -> Session:
    result = entry.result
    use = ToolUse(
        id=result.tool_call_id,
        name=result.name,
        success=result.success,
        duration_ms=entry.duration_ms,
        turn=entry.turn,
    )
    return attrs.evolve(
        session,
        messages=(*session.messages, Message(role="tool", parts=(result,), created_at=at)),
        tool_uses=(*session.tool_uses, use),
        updated_at=at,
    )


def _with_metadata(session: Session, entry: MetadataChanged, at: datetime) -> Session:
    fields = ("model", "directory", "shared", "share_url")
    new = {name: getattr(entry, name) for name in fields if getattr(entry, name) is not None}
    return attrs.evolve(
        session,
        agent=entry.agent or session.agent,
        metadata=attrs.evolve(session.metadata, **new),
        updated_at=at,
    )


__all__ = [
    "CANCELLED",
    "UNKNOWN_OUTCOME",
    "OpenCall",
    "Replayed",
    "Usage",
    "apply",
    "automatic_title",
    "closing_result",
    "replay",
    "start",
]
