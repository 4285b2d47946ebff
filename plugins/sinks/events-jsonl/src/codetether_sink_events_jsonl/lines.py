"""An event of a session as one flat line of the stream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import evolve
from codetether import (
    CHAT_EVENT_SCHEMA,
    ApprovalRequired,
    AuditAnchor,
    ChatEvent,
    CodetetherError,
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


def chat_event(record: EventRecord) -> ChatEvent | None:
    """The line of an event; None for those that leave none (the start of a step, a session's state)."""
    told = _told(record)
    if told is None:
        return None
    content = told.content
    if content is None or len(content) <= CONTENT_LIMIT:
        return told
    return evolve(told, content=content[:CONTENT_LIMIT], content_cut=len(content) - CONTENT_LIMIT)


def _told(record: EventRecord) -> ChatEvent | None:
    match record.event:
        case UserMessage(message=message):
            return _line(record, "user", "text", content=message.text)
        case ThinkingComplete(text=text):
            return _line(record, "assistant", "thinking", content=text)
        case TextComplete(text=text):
            return _line(record, "assistant", "text", content=text)
        case ToolCallStart() as call:
            return _line(
                record,
                "assistant",
                "tool_call",
                content=call.arguments,
                tool_name=call.name,
                tool_call_id=call.call_id,
            )
        case ToolCallComplete() as call:
            return _line(
                record,
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
                record,
                "assistant",
                "usage",
                usage=report.usage,
                model=report.model or None,
                duration_ms=report.duration_ms,
            )
        case ApprovalRequired() as asked:
            return _line(
                record,
                "system",
                "approval_required",
                content=asked.reason,
                tool_name=asked.name,
                tool_call_id=asked.call_id,
            )
        case Retry(reason=reason):
            return _line(record, "system", "retry", content=reason)
        case Notice(text=text):
            return _line(record, "system", "notice", content=text)
        case AuditAnchor() as anchor:
            return _line(record, "system", "audit:anchor", content=to_json(anchor).decode())
        case Done() as done:
            return _line(record, "system", "done", content=done.reason or None, status=done.status, usage=done.usage)
        case Error() as error:
            return _line(record, "system", "error", content=error.message, status=error.status)
        case Unknown(raw=raw) if isinstance(raw.get("type"), str):
            more = {name: value for name, value in raw.items() if name != "type"}
            return _line(record, "system", raw["type"], content=to_json(more).decode() if more else None)
        case _:
            return None


def _line(record: EventRecord, role: str, message_type: str, **more: Any) -> ChatEvent:
    return ChatEvent(
        recorded_at=record.recorded_at,
        workspace=record.directory,
        session_id=record.session_id,
        role=role,
        message_type=message_type,
        sequence=record.sequence,
        schema_version=CHAT_EVENT_SCHEMA,
        agent_name=record.agent,
        turn=record.turn,
        step=record.step,
        part=record.part,
        **more,
    )


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

    def joined(self, event: ChatEvent) -> ChatEvent:
        """The event with its parent; those that come later may have it for theirs."""
        parent = self._parent(event)
        self._learn(event)
        return event if parent is None else evolve(event, parent_event_id=parent)

    def recall(self, lines: Iterable[bytes]) -> None:
        """Learns the running turn anew from the stream's lines, of which the last comes first."""
        self.__init__()  # type: ignore[misc]
        found: list[ChatEvent] = []
        for line in lines:
            event = _read(line)
            if event is None or (found and event.turn != found[0].turn):
                break
            found.append(event)
            if _is_prompt(event):
                break
        for event in reversed(found):
            self._learn(event)

    def _learn(self, event: ChatEvent) -> None:
        if event.turn != self._turn:
            self._turn, self._prompt, self._calls = event.turn, None, {}
        if _is_prompt(event):
            self._prompt = _id(event)
        elif event.message_type == "tool_call" and event.tool_call_id:
            self._calls[event.tool_call_id] = _id(event)

    def _parent(self, event: ChatEvent) -> str | None:
        if event.turn != self._turn or _is_prompt(event):
            return None
        if event.tool_call_id and event.message_type != "tool_call":
            return self._calls.get(event.tool_call_id, self._prompt)
        return self._prompt


def _id(event: ChatEvent) -> str:
    return f"{event.sequence}.{event.part}"


def _is_prompt(event: ChatEvent) -> bool:
    return event.role == "user" and event.message_type == "text"


def _read(line: bytes) -> ChatEvent | None:
    try:
        return from_json(line, ChatEvent)
    except (ValueError, CodetetherError):
        return None
