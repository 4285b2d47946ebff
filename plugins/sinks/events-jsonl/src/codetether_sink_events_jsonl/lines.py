"""An event of a session as one flat line of the stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from codetether import (
    CHAT_EVENT_SCHEMA,
    ApprovalRequired,
    AuditAnchor,
    ChatEvent,
    CodetetherError,
    Compaction,
    Done,
    Error,
    EventRecord,
    Notice,
    Retry,
    TextComplete,
    ThinkingComplete,
    ToolCallComplete,
    ToolCallStart,
    Unknown,
    UsageReport,
    UserMessage,
    from_json,
    to_json,
)

CONTENT_LIMIT = 10_000
"""Characters (code points) of the content of a line."""


def chat_event(record: EventRecord, family: Family | None = None) -> ChatEvent | None:
    """The line of an event; None for those that leave none (the start of a step, a session's state).

    `family` finds the line's parent; events come to it in order.
    """
    told = _told(record)
    if told is None:
        return None
    content = told.get("content")
    if content is not None and len(content) > CONTENT_LIMIT:
        told |= {"content": content[:CONTENT_LIMIT], "content_cut": len(content) - CONTENT_LIMIT}
    return ChatEvent(
        recorded_at=record.recorded_at,
        workspace=record.directory,
        session_id=record.session_id,
        sequence=record.sequence,
        schema_version=CHAT_EVENT_SCHEMA,
        agent_name=record.agent,
        turn=record.turn,
        step=record.step,
        part=record.part,
        parent_event_id=None if family is None else family.parent(record, told),
        **told,
    )


def _told(record: EventRecord) -> dict[str, Any] | None:
    """What the line says beyond what every line does."""
    match record.event:
        case UserMessage(message=message):
            return _line("user", "text", content=message.text)
        case ThinkingComplete(text=text):
            return _line("assistant", "thinking", content=text)
        case TextComplete(text=text):
            return _line("assistant", "text", content=text)
        case ToolCallStart() as call:
            return _line(
                "assistant",
                "tool_call",
                content=call.arguments,
                tool_name=call.name,
                tool_call_id=call.call_id,
            )
        case ToolCallComplete() as call:
            return _line(
                "tool",
                "tool_result",
                content=call.output,
                tool_name=call.name,
                tool_call_id=call.call_id,
                tool_success=call.success,
                tool_duration_ms=call.duration_ms,
            )
        case UsageReport() as report:
            return _line(
                "assistant",
                "usage",
                usage=report.usage,
                model=report.model or None,
                duration_ms=report.duration_ms,
            )
        case ApprovalRequired() as asked:
            return _line(
                "system",
                "approval_required",
                content=asked.reason,
                tool_name=asked.name,
                tool_call_id=asked.call_id,
            )
        case Retry(reason=reason):
            return _line("system", "retry", content=reason)
        case Compaction() as compaction:
            return _line("system", "compaction", content=compaction.text)
        case Notice(text=text):
            return _line("system", "notice", content=text)
        case AuditAnchor() as anchor:
            return _line("system", "audit:anchor", content=to_json(anchor).decode())
        case Done() as done:
            return _line("system", "done", content=done.reason or None, status=done.status, usage=done.usage)
        case Error() as error:
            return _line("system", "error", content=error.message, status=error.status)
        case Unknown(raw=raw) if isinstance(raw.get("type"), str):
            more = {name: value for name, value in raw.items() if name != "type"}
            return _line("system", raw["type"], content=to_json(more).decode() if more else None)
        case _:
            return None


def _line(role: str, message_type: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "message_type": message_type, **more}


def place(line: bytes) -> tuple[int, int] | None:
    """The sequence and the part of an event, read from its line; None where it is no whole line."""
    try:
        read = json.loads(line)
        found = read["sequence"], read.get("part", 0)
        datetime.fromisoformat(read["recorded_at"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if all(isinstance(number, int) for number in found) else None


class Family:
    """Which line each line belongs to: known from the lines of the running turn that are there already."""

    def __init__(self) -> None:
        self._turn = 0
        self._prompt: str | None = None
        self._calls: dict[str, str] = {}

    def parent(self, record: EventRecord, told: Mapping[str, Any]) -> str | None:
        """The id of the line that a new one belongs to; None for a user's prompt, and where that line is not known."""
        kind, call = told["message_type"], told.get("tool_call_id")
        prompt = kind == "text" and told["role"] == "user"
        above = record.event.parent_call_id if isinstance(record.event, ToolCallStart) else call
        found = None
        if prompt:
            found = record.parent_event_id
        elif record.turn == self._turn:
            found = self._calls.get(above, self._prompt) if above else self._prompt
        if prompt or kind == "tool_call":
            self._learn(record.turn, f"{record.sequence}.{record.part}", None if prompt else call)
        return found

    def recall(self, lines: Iterable[bytes]) -> None:
        """Learns the running turn anew from the stream's lines, of which the last comes first."""
        self._turn, self._prompt, self._calls = 0, None, {}
        found: list[ChatEvent] = []
        for line in lines:
            event = _read(line)
            if event is None or (found and event.turn != found[0].turn):
                break
            found.append(event)
            if _is_prompt(event):
                break
        for event in reversed(found):
            if _is_prompt(event) or event.message_type == "tool_call":
                call = None if _is_prompt(event) else event.tool_call_id
                self._learn(event.turn, f"{event.sequence}.{event.part}", call)

    def _learn(self, turn: int, line: str, call: str | None) -> None:
        if turn != self._turn:
            self._turn, self._prompt, self._calls = turn, None, {}
        if call is None:
            self._prompt = line
        else:
            self._calls[call] = line


def _is_prompt(event: ChatEvent) -> bool:
    return event.role == "user" and event.message_type == "text"


def _read(line: bytes) -> ChatEvent | None:
    try:
        return from_json(line, ChatEvent)
    except (ValueError, CodetetherError):
        return None
