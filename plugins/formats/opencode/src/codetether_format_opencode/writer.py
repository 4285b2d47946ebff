"""Writes a session as the file that `opencode import` takes."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, BinaryIO

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

_VERSION = "1.0.0"
_CLOSED = "closed_by_import"
_CONTINUED = "continued"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_REASONS = {"stop": "stop", "tool_calls": "tool-calls", "length": "length", "content_filter": "content-filter"}


def write(session: ForeignSession, target: BinaryIO) -> list[str]:
    """The whole file; gives what it cannot hold."""
    made = _Export(session)
    body = made.body()
    target.write(json.dumps(body, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n")
    return [f"{what}: {times}" for what, times in sorted(made.lost.items())]


class _Export:
    """The object that the file holds."""

    def __init__(self, session: ForeignSession) -> None:
        self.lost: Counter[str] = Counter()
        self._session = session
        self._whole = session.session
        self._id = session_id(session)
        self._messages: list[dict[str, Any]] = []
        self._calls: dict[str, dict[str, Any]] = {}
        self._asked = ""
        self._stamp = 0
        self._at = self._whole.created_at
        self._provider, _, self._model = (self._whole.metadata.model or "unknown/unknown").partition("/")

    def body(self) -> dict[str, Any]:
        """What was said, in OpenCode's words."""
        whole = self._whole
        for message, added, completed in self._session.told():
            self._at = message.created_at or self._at
            match message.role:
                case "user":
                    self._user(message)
                case "assistant":
                    self._assistant(message, added)
                case "tool":
                    self._results(message, completed)
        if whole.parent_id and not whole.parent_id.startswith("opencode_"):
            self.lost["sessions that began this one (their ids)"] += 1
        parent = (whole.parent_id or "").removeprefix("opencode_")
        info = {
            "id": self._id,
            "slug": "from-codetether",
            "version": _VERSION,
            "projectID": "global",
            "directory": whole.metadata.directory,
            **({"parentID": parent} if parent.startswith("ses_") else {}),
            "title": whole.title or "",
            "time": {"created": _ms(whole.created_at), "updated": _ms(self._session.updated_at)},
        }
        return {"info": info, "messages": self._messages}

    def _new(self, prefix: str) -> str:
        """An id that sorts after all before it, and is the same each time."""
        self._stamp = max(self._stamp + 1, _ms(self._at) << 12)
        return f"{prefix}_{self._stamp & 0xFFFFFFFFFFFF:012x}{_word(f'{self._id} {prefix} {self._stamp}', 14)}"

    def _user(self, message: Message) -> None:
        self._asked = self._new("msg")
        info = {
            "id": self._asked,
            "sessionID": self._id,
            "role": "user",
            "time": {"created": _ms(self._at)},
            "agent": self._whole.agent,
            "model": {"providerID": self._provider, "modelID": self._model},
        }
        made: dict[str, Any] = {"info": info, "parts": []}
        self._messages.append(made)
        for part in message.parts:
            self._put(made, self._piece(part))

    def _assistant(self, message: Message, added: MessageAdded | None) -> None:
        usage = (added.usage if added is not None else None) or Usage()
        reason = _REASONS.get((added.finish_reason if added is not None else None) or "")
        last = self._messages[-1] if self._messages else None
        if _CONTINUED in message.extra and last is not None and last["info"]["role"] == "assistant":
            made = last
        else:
            info = {
                "id": self._new("msg"),
                "sessionID": self._id,
                "role": "assistant",
                "parentID": self._asked,
                "mode": self._whole.agent,
                "agent": self._whole.agent,
                "path": {"cwd": self._whole.metadata.directory, "root": self._whole.metadata.directory},
                "cost": float(usage.cost or 0),
                "tokens": _tokens(usage),
                "modelID": message.model or self._model,
                "providerID": message.provider or self._provider,
                "time": {"created": _ms(self._at), "completed": _ms(self._at)},
            }
            made = {"info": info, "parts": []}
            self._messages.append(made)
        if reason:
            made["info"]["finish"] = reason
        self._put(made, {"type": "step-start"})
        for part in message.parts:
            self._put(made, self._answer(part, message))

    def _answer(self, part: Any, message: Message) -> dict[str, Any] | None:
        match part:
            case RefusalPart():
                return {"type": "text", "text": part.text}
            case ThinkingPart():
                now = {"start": _ms(self._at), "end": _ms(self._at)}
                metadata = self._kept(part, message.provider or "")
                return {
                    "type": "reasoning",
                    "text": part.text,
                    "time": now,
                    **({"metadata": metadata} if metadata else {}),
                }
            case ToolCallPart():
                state = {"status": "pending", "input": self._input(part), "raw": ""}
                made = {"type": "tool", "callID": part.id, "tool": part.name, "state": state}
                self._calls[part.id] = made
                return made
            case _:
                return self._piece(part)

    def _kept(self, part: ThinkingPart, provider: str) -> dict[str, Any]:
        """What the provider must be given back, where OpenCode keeps it."""
        held = part.provider_data.get(provider)
        note = held if isinstance(held, Mapping) else {}
        item = note.get("item") if isinstance(note.get("item"), Mapping) else {}
        if "signature" in note:
            return {"anthropic": {"signature": note["signature"]}}
        if "redacted" in note:
            return {"anthropic": {"redactedData": note["redacted"]}}
        if item and item.get("encrypted_content"):
            sealed = {"itemId": item.get("id"), "reasoningEncryptedContent": item["encrypted_content"]}
            return {"openai": {name: value for name, value in sealed.items() if value}}
        if part.provider_data:
            self.lost["signatures of thinking that OpenCode has no place for"] += 1
        return {}

    def _input(self, part: ToolCallPart) -> dict[str, Any]:
        try:
            given = json_value(part.arguments)
        except ValueError:
            given = None
        if isinstance(given, dict):
            return given
        self.lost["arguments of calls that are no JSON object"] += 1
        return {"arguments": part.arguments}

    def _results(self, message: Message, completed: ToolCompleted | None) -> None:
        for part in message.parts:
            if not isinstance(part, ToolResultPart) or _CLOSED in part.extra:
                continue
            call = self._calls.get(part.tool_call_id)
            if call is None:
                continue
            took = int(completed.duration_ms) if completed is not None else 0
            time = {"start": _ms(self._at) - took, "end": _ms(self._at)}
            texts = [p.text for p in part.content if isinstance(p, TextPart)]
            others = [p for p in part.content if not isinstance(p, TextPart)]
            state = {"input": call["state"]["input"], "metadata": {}, "time": time}
            if part.success:
                attached = [
                    {"id": self._new("prt"), "sessionID": self._id, **a} for p in others if (a := self._piece(p))
                ]
                state |= {"status": "completed", "output": "\n".join(texts), "title": ""}
                state |= {"attachments": attached} if attached else {}
            else:
                self.lost["images and files in results of calls that failed"] += len(others)
                state |= {"status": "error", "error": "\n".join(texts) or "Error"}
            call["state"] = state
        self.lost = +self.lost

    def _piece(self, part: Any) -> dict[str, Any] | None:
        match part:
            case TextPart():
                return {"type": "text", "text": part.text}
            case ImagePart() | FilePart():
                data = f"data:{part.media_type};base64,{b64encode(part.data or b'').decode()}"
                url = data if part.data is not None else part.url
                if not url:
                    self.lost["files that lie with a provider"] += 1
                    return None
                named = {"filename": part.name} if isinstance(part, FilePart) and part.name else {}
                return {"type": "file", "mime": part.media_type, "url": url, **named}
            case _:
                self.lost[f"pieces of the kind {type(part).__name__.removesuffix('Part').lower()}"] += 1
                return None

    def _put(self, made: dict[str, Any], part: dict[str, Any] | None) -> None:
        if part is not None:
            head = {"id": self._new("prt"), "sessionID": self._id, "messageID": made["info"]["id"]}
            for name, value in head.items():
                part.setdefault(name, value)
            made["parts"].append(part)


def session_id(session: ForeignSession) -> str:
    """OpenCode's own id where it came from there, else one made of ours."""
    if re.fullmatch(r"ses_[A-Za-z0-9]{10,40}", session.source_id):
        return session.source_id
    newest_first = ~(_ms(session.session.created_at) << 12) & 0xFFFFFFFFFFFF
    return f"ses_{newest_first:012x}{_word(session.started.id, 14)}"


def _word(seed: str, length: int) -> str:
    number = int.from_bytes(sha256(seed.encode()).digest())
    letters = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        letters.append(_LETTERS[digit])
    return "".join(letters)


def _tokens(usage: Usage) -> dict[str, Any]:
    return {
        "input": max(usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens, 0),
        "output": max(usage.output_tokens - usage.reasoning_tokens, 0),
        "reasoning": usage.reasoning_tokens,
        "cache": {"read": usage.cache_read_tokens, "write": usage.cache_write_tokens},
    }


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
