"""The JSON document of an exported session: its fields are a promise, and the other forms are made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from codetether.models.foreign import BARE, ORIGIN
from codetether.models.messages import Message
from codetether.models.replay import Replayed, replay
from codetether.models.session import Gap, JournalRecord, MessageAdded, ToolCompleted, TurnEnded
from codetether.storage.forks import FORKED
from codetether.values import frozen
from codetether.wire import to_dict

FORMAT = "codetether-session"
VERSION = 1
"""Goes up when a field changes its meaning or goes; a new field does not change it."""

Document = dict[str, Any]


@frozen(kw_only=True)
class Exported:
    """A session's records, secrets taken out, and the sessions of its subagents."""

    records: Sequence[JournalRecord]
    children: Sequence[Exported] = ()


def document(exported: Exported) -> Document:
    """A session as JSON data; see the reference page `export`."""
    return {"format": FORMAT, "version": VERSION, **_body(exported)}


def _body(exported: Exported) -> Document:
    records = exported.records
    state = replay(records)
    assert state is not None, "the records begin with their first entry"
    entries = [record.entry for record in records]
    return {
        "session": _about(state),
        "usage": to_usage(state.session.usage),
        "messages": [*_messages(state, records)],
        "turns": [_turn(entry) for entry in entries if isinstance(entry, TurnEnded)],
        "damage": [_gap(entry) for entry in entries if isinstance(entry, Gap)],
        "children": [_body(child) for child in exported.children],
    }


def _about(state: Replayed) -> Document:
    session = state.session
    forked, origin = (state.memory.get(("core", key)) for key in (FORKED, ORIGIN))
    return {
        "id": session.id,
        "title": session.title,
        "directory": session.metadata.directory,
        "agent": session.agent,
        "model": session.metadata.model,
        "created_at": _time(session.created_at),
        "updated_at": _time(session.updated_at),
        "parent_id": session.parent_id,
        "parent_call_id": session.parent_call_id,
        "forked_from": {key: forked[key] for key in ("from", "messages")} if isinstance(forked, dict) else None,
        "origin": origin if isinstance(origin, dict) else None,
    }


def to_usage(usage: Any) -> Document:
    """Tokens and cost with every field, a cost that nobody knows as null."""
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    return {name: getattr(usage, name) for name in names} | {"cost": None if usage.cost is None else str(usage.cost)}


def _messages(state: Replayed, records: Sequence[JournalRecord]) -> Iterator[Document]:
    added = (record.entry for record in records if isinstance(record.entry, MessageAdded))
    completed = {e.result.tool_call_id: e for e in (r.entry for r in records) if isinstance(e, ToolCompleted)}
    for number, message in enumerate(state.session.messages, 1):
        if message.role == "tool":
            call = to_dict(message.parts[0]).get("tool_call_id", "")
            yield _said(number, message) | _result(completed.get(call))
        else:
            yield _said(number, message) | _added(next(added), assistant=message.role == "assistant")


def _said(number: int, message: Message) -> Document:
    return {
        "number": number,
        "role": message.role,
        "at": _time(message.created_at),
        "parts": [to_dict(part) for part in message.parts],
    }


def _added(entry: MessageAdded, *, assistant: bool) -> Document:
    place: Document = {"turn": entry.turn, "step": entry.step}
    if not assistant:
        return place
    message = entry.message
    return place | {
        "provider": message.provider,
        "model": message.model,
        "usage": None if entry.usage is None else to_usage(entry.usage),
        "duration_ms": entry.duration_ms,
        "finish_reason": entry.finish_reason,
        "only_usage": BARE in message.extra,
    }


def _result(entry: ToolCompleted | None) -> Document:
    """What the journal tells of a result; of one that a replay made for a call that has none, nothing."""
    if entry is None:
        return {"turn": None, "step": None, "duration_ms": None, "denied": False, "metadata": {}}
    told = {"turn": entry.turn, "step": entry.step, "duration_ms": entry.duration_ms, "denied": entry.denied}
    return told | {"metadata": dict(entry.metadata)}


def _turn(entry: TurnEnded) -> Document:
    return {
        "turn": entry.turn,
        "status": entry.status,
        "steps": entry.steps,
        "usage": to_usage(entry.usage),
        "reason": entry.reason,
        "error": entry.error,
    }


def _gap(gap: Gap) -> Document:
    return {"first_line": gap.first_line, "last_line": gap.last_line, "why": gap.why}


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")


def text_of(part: Mapping[str, Any]) -> str:
    """The text parts of a result, joined by newlines."""
    return "\n".join(inner["text"] for inner in part.get("content", ()) if inner.get("type") == "text")
