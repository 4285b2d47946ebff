"""Writes a session as a rollout that Codex can resume."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
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
)

from codetether_format_codex.items import CLOSED, KIND, OURS

_VERSION = "0.0.0"


def write(session: ForeignSession, target: BinaryIO) -> list[str]:
    """All lines of the rollout; gives what it cannot hold."""
    return _Lines(session, target).write()


class _Lines:
    """The lines, one after the other."""

    def __init__(self, session: ForeignSession, target: BinaryIO) -> None:
        self._session = session
        self._whole = session.session
        self._target = target
        self._lost: Counter[str] = Counter()
        self._kinds: dict[str, str] = {}
        self._total = Usage()
        self._model = ""
        self._provider = (self._whole.metadata.model or "openai/").partition("/")[0]
        self._at = self._whole.created_at

    def write(self) -> list[str]:
        """All of them."""
        whole = self._whole
        about = {
            "id": thread_id(self._session),
            "timestamp": _time(whole.created_at),
            "cwd": whole.metadata.directory,
            "originator": "codetether",
            "cli_version": _VERSION,
            "source": "cli",
            "model_provider": self._provider,
        }
        ours = {"title": whole.title} if whole.title else None
        self._line("session_meta", about, ours)
        self._context((whole.metadata.model or "").partition("/")[2])
        for message, added, completed in self._session.told():
            self._at = message.created_at or self._at
            match message.role:
                case "user":
                    self._user(message)
                case "assistant":
                    self._assistant(message, added)
                case "tool":
                    self._results(message, completed)
        if whole.parent_id:
            self._lost["sessions that began this one (their ids)"] += 1
        return [f"{what}: {times}" for what, times in sorted(self._lost.items())]

    def _line(self, kind: str, payload: Mapping[str, Any], ours: Mapping[str, Any] | None = None) -> None:
        record: dict[str, Any] = {"timestamp": _time(self._at), "type": kind, "payload": payload}
        if ours:
            record[OURS] = ours
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        self._target.write(text.encode("utf-8", "replace") + b"\n")

    def _context(self, model: str) -> None:
        if model and model != self._model:
            self._model = model
            about = {"cwd": self._whole.metadata.directory, "model": model, "summary": "auto"}
            self._line(
                "turn_context", {**about, "approval_policy": "on-request", "sandbox_policy": {"type": "read-only"}}
            )

    def _user(self, message: Message) -> None:
        content = [piece for part in message.parts if (piece := self._piece(part, "input_text")) is not None]
        self._line("event_msg", {"type": "user_message", "message": message.text})
        self._line("response_item", {"type": "message", "role": "user", "content": content})

    def _assistant(self, message: Message, added: MessageAdded | None) -> None:
        self._context(message.model or "")
        if message.provider and message.provider != self._provider:
            self._lost[f"that answers came from {message.provider} too, and not from {self._provider} alone"] += 1
        texts: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, TextPart | RefusalPart):
                texts.append({"type": "output_text", "text": part.text})
                continue
            self._say(texts)
            self._part(part, message)
        self._say(texts)
        self._spend(added.usage if added is not None else None)

    def _say(self, texts: list[dict[str, Any]]) -> None:
        if texts:
            said = "\n".join(text["text"] for text in texts)
            self._line("event_msg", {"type": "agent_message", "message": said})
            self._line("response_item", {"type": "message", "role": "assistant", "content": list(texts)})
            texts.clear()

    def _part(self, part: Any, message: Message) -> None:
        match part:
            case ThinkingPart():
                self._thought(part, message)
            case ToolCallPart():
                self._call(part)
            case _:
                self._lost[f"{_word(part)}s in answers of the model"] += 1

    def _thought(self, part: ThinkingPart, message: Message) -> None:
        held = part.provider_data.get(message.provider or "")
        item = held.get("item") if isinstance(held, Mapping) else None
        if not isinstance(item, Mapping):
            if held:
                self._lost["signatures of thinking, which are another provider's"] += 1
            item = {"type": "reasoning", "summary": [{"type": "summary_text", "text": part.text}] if part.text else []}
        self._line("response_item", item)

    def _call(self, part: ToolCallPart) -> None:
        kind = part.extra.get(KIND, "function_call")
        self._kinds[part.id] = kind
        call = {"type": kind, "call_id": part.id, "name": part.name}
        given = _parsed(part.arguments)
        if kind == "custom_tool_call" and isinstance(given, dict):
            call |= {"input": given.get("input", ""), "status": "completed"}
        elif kind == "local_shell_call":
            call = {"type": kind, "call_id": part.id, "status": "completed", "action": given}
        elif kind == "function_call":
            call["arguments"] = part.arguments
        else:
            call = {"type": kind, "id": part.id, "status": "completed", "action": given}
        self._line("response_item", call)

    def _results(self, message: Message, completed: ToolCompleted | None) -> None:
        for part in message.parts:
            if not isinstance(part, ToolResultPart) or CLOSED in part.extra:
                continue
            pieces = [piece for p in part.content if (piece := self._piece(p, "input_text")) is not None]
            plain = all(isinstance(p, TextPart) for p in part.content)
            kind = "custom_tool_call_output" if self._kinds.get(part.tool_call_id) == "custom_tool_call" else ""
            ours: dict[str, Any] = {} if part.success else {"success": False}
            if completed is not None and completed.duration_ms:
                ours["duration_ms"] = completed.duration_ms
            output: Any = part.text if plain and len(part.content) <= 1 else pieces
            kind = kind or "function_call_output"
            self._line("response_item", {"type": kind, "call_id": part.tool_call_id, "output": output}, ours)

    def _piece(self, part: Any, kind: str) -> dict[str, Any] | None:
        match part:
            case TextPart():
                return {"type": kind, "text": part.text}
            case ImagePart():
                data = f"data:{part.media_type};base64,{b64encode(part.data or b'').decode()}"
                return {"type": "input_image", "image_url": part.url or data}
            case FilePart():
                self._lost["files"] += 1
                return {"type": kind, "text": f"[file: {part.name or part.media_type}]"}
            case _:
                self._lost[f"{_word(part)}s"] += 1
                return None

    def _spend(self, usage: Usage | None) -> None:
        """Also where nothing was spent: it ends the response."""
        self._total += usage or Usage()
        if usage is not None and usage.cost is not None:
            self._lost["what answers cost"] += 1
        info = {"total_token_usage": _counts(self._total), "last_token_usage": _counts(usage or Usage())}
        self._line("event_msg", {"type": "token_count", "info": info, "rate_limits": None})


def thread_id(session: ForeignSession) -> str:
    """The id of the thread: Codex's own where it came from there, else one made of our id."""
    try:
        return str(UUID(session.source_id))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, f"codetether:{session.started.id}"))


def _counts(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": usage.cache_read_tokens,
        "cache_write_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_output_tokens": usage.reasoning_tokens,
        "total_tokens": usage.total_tokens,
    }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _word(part: Any) -> str:
    return type(part).__name__.removesuffix("Part").lower()
