"""Writes a session as a file that Claude Code can resume."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, BinaryIO
from uuid import NAMESPACE_URL, UUID, uuid5

from codetether import (
    FilePart,
    ForeignSession,
    ImagePart,
    Message,
    MessageAdded,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolCompleted,
    ToolResultPart,
    Usage,
    json_value,
)

from codetether_format_claude.reader import PROVIDER

_VERSION = "2.0.0"
_CLOSED = "closed_by_import"
_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"}


def write(session: ForeignSession, target: BinaryIO) -> list[str]:
    """All records of the session; gives what they cannot hold."""
    return _Records(session, target).write()


class _Records:
    """The records, each below the one before it."""

    def __init__(self, session: ForeignSession, target: BinaryIO) -> None:
        self._session = session
        self._whole = session.session
        self._target = target
        self._id = session_uuid(session)
        self._lost: Counter[str] = Counter()
        self._last: str | None = None
        self._number = 0
        self._ids: set[str] = set()
        self._at = self._whole.created_at

    def write(self) -> list[str]:
        """All of them, the title at the end, since it names the last."""
        for message, added, completed in self._session.told():
            self._at = message.created_at or self._at
            match message.role:
                case "user":
                    self._user(message)
                case "assistant":
                    self._assistant(message, added)
                case "tool":
                    self._results(message, completed)
        if self._whole.title and self._last:
            self._line({"type": "summary", "summary": self._whole.title, "leafUuid": self._last})
        if self._whole.parent_id:
            self._lost["sessions that began this one (their ids)"] += 1
        return [f"{what}: {times}" for what, times in sorted(self._lost.items())]

    def _record(self, kind: str, message: Mapping[str, Any], **more: Any) -> None:
        self._number += 1
        uuid = str(uuid5(UUID(self._id), str(self._number)))
        record = {
            "parentUuid": self._last,
            "isSidechain": False,
            "userType": "external",
            "cwd": self._whole.metadata.directory,
            "sessionId": self._id,
            "version": _VERSION,
            "gitBranch": "",
            "type": kind,
            "message": message,
            **more,
            "uuid": uuid,
            "timestamp": _time(self._at),
        }
        self._last = uuid
        self._line(record)

    def _line(self, record: Mapping[str, Any]) -> None:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        self._target.write(text.encode("utf-8", "replace") + b"\n")

    def _user(self, message: Message) -> None:
        content = [block for part in message.parts if (block := self._block(part)) is not None]
        plain = len(content) == 1 and content[0]["type"] == "text"
        self._record("user", {"role": "user", "content": content[0]["text"] if plain else content})

    def _assistant(self, message: Message, added: MessageAdded | None) -> None:
        if message.provider not in (None, PROVIDER):
            self._lost[f"that answers came from {message.provider}"] += 1
        content = [block for part in message.parts if (block := self._answer(part, message)) is not None]
        usage = (added.usage if added is not None else None) or Usage()
        reason = _REASONS.get((added.finish_reason if added is not None else None) or "")
        told = {
            "id": self._response_id(added),
            "type": "message",
            "role": "assistant",
            "model": message.model or "<synthetic>",
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": _tokens(usage),
        }
        more = {} if usage.cost is None else {"costUSD": float(usage.cost)}
        self._record("assistant", told, **more)

    def _response_id(self, added: MessageAdded | None) -> str:
        """Once only: lines of one id are one answer."""
        made = (added.response_id if added is not None else None) or ""
        if not made or made in self._ids:
            made = f"msg_{uuid5(UUID(self._id), f'message {self._number}').hex}"
        self._ids.add(made)
        return made

    def _answer(self, part: Any, message: Message) -> dict[str, Any] | None:
        match part:
            case RefusalPart():
                return {"type": "text", "text": part.text}
            case ThinkingPart():
                held = part.provider_data.get(PROVIDER) if message.provider == PROVIDER else None
                note = held if isinstance(held, Mapping) else {}
                if "redacted" in note:
                    return {"type": "redacted_thinking", "data": note["redacted"]}
                if note.get("signature"):
                    return {"type": "thinking", "thinking": part.text, "signature": note["signature"]}
                self._lost["thinking without a signature, which would be refused"] += 1
                return None
            case ToolCallPart():
                given = _parsed(part.arguments)
                if not isinstance(given, dict):
                    self._lost["arguments of calls that are no JSON object"] += 1
                    given = {"arguments": part.arguments}
                return {"type": "tool_use", "id": tool_id(part.id), "name": part.name, "input": given}
            case _:
                return self._block(part)

    def _results(self, message: Message, completed: ToolCompleted | None) -> None:
        for part in message.parts:
            if not isinstance(part, ToolResultPart) or _CLOSED in part.extra:
                continue
            blocks = [block for p in part.content if (block := self._block(p)) is not None]
            plain = len(blocks) == 1 and blocks[0]["type"] == "text"
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": tool_id(part.tool_call_id)}
            result["content"] = blocks[0]["text"] if plain else blocks
            result["is_error"] = not part.success
            took = completed.duration_ms if completed is not None else 0
            more = {"toolUseResult": {"durationMs": took}} if took else {}
            self._record("user", {"role": "user", "content": [result]}, **more)

    def _block(self, part: Any) -> dict[str, Any] | None:
        match part:
            case TextPart():
                return {"type": "text", "text": part.text}
            case ImagePart() | FilePart():
                kind = "image" if isinstance(part, ImagePart) else "document"
                if part.data is None and not part.url:
                    self._lost[f"{kind}s that lie with a provider"] += 1
                    return None
                data = {"type": "base64", "media_type": part.media_type, "data": b64encode(part.data or b"").decode()}
                source = data if part.data is not None else {"type": "url", "url": part.url}
                named = {"title": part.name} if isinstance(part, FilePart) and part.name else {}
                return {"type": kind, "source": source, **named}
            case _:
                self._lost[f"pieces of the kind {type(part).__name__.removesuffix('Part').lower()}"] += 1
                return None


def session_uuid(session: ForeignSession) -> str:
    """The id of the session: Claude Code's own where it came from there, else one made of our id."""
    try:
        return str(UUID(session.source_id))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, f"codetether:{session.started.id}"))


def tool_id(id_: str) -> str:
    """A call's id as the API takes it."""
    return id_ if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id_) else f"toolu_{sha256(id_.encode()).hexdigest()[:24]}"


def _tokens(usage: Usage) -> dict[str, Any]:
    made: dict[str, Any] = {
        "input_tokens": max(usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens, 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        made["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return made


def _parsed(text: str) -> Any:
    try:
        return json_value(text)
    except ValueError:
        return None


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
