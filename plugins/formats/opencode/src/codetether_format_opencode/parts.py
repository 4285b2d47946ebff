"""The pieces that messages of all generations are made of."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from attrs import frozen
from codetether import (
    JSON,
    Fields,
    FilePart,
    FinishReason,
    ImagePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    Transcript,
    Usage,
    data_url,
    decoded,
)

NAME = "opencode"
_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "tool-calls": "tool_calls",
    "length": "length",
    "content-filter": "content_filter",
    "error": "error",
}


@frozen(kw_only=True)
class _Result:
    call_id: str
    content: list[TextPart | ImagePart | FilePart]
    success: bool
    at: datetime | None
    duration_ms: float


class Content:
    """Makes the parts of one message, and keeps the results of its calls until the message is told."""

    def __init__(self, talk: Transcript, provider: str) -> None:
        self._talk = talk
        self._provider = provider
        self._results: list[_Result] = []

    def thinking(self, part: Fields, metadata: Fields) -> ThinkingPart:
        """Reasoning, with what the provider must be given back with it, where that is held."""
        note: dict[str, JSON] = {}
        anthropic = metadata.object("anthropic") or metadata.object("bedrock") or metadata
        openai = metadata.object("openai") or metadata.object("azure")
        if signed := metadata.object("google").text("thoughtSignature"):
            note = {"thoughtSignature": signed}
        elif signature := anthropic.text("signature"):
            note = {"signature": signature}
        elif redacted := anthropic.text("redactedData"):
            note = {"redacted": redacted}
        elif sealed := openai.text("reasoningEncryptedContent"):
            item = {"type": "reasoning", "id": openai.text("itemId"), "encrypted_content": sealed}
            summary = [{"type": "summary_text", "text": part.text("text")}] if part.text("text") else []
            note = {"item": {**{k: v for k, v in item.items() if v}, "summary": summary}}
        return ThinkingPart(text=part.text("text"), provider_data={self._provider: note} if note else {})

    def call(self, call_id: str, name: str, state: Fields, metadata: Fields) -> ToolCallPart:
        """A call, and its result where its state holds one."""
        signed = metadata.object("google").text("thoughtSignature")
        time = state.object("time")
        begun, ended = time.time("start"), time.time("end")
        took = (ended - begun).total_seconds() * 1000 if begun and ended else 0.0
        match state.text("status"):
            case "completed":
                content = self._content(state)
                self._results.append(self._made(call_id, content, True, ended, took))
            case "error":
                error = state.text("error") or state.object("error").text("message")
                content = self._content(state) or [TextPart(text=error or "Error")]
                self._results.append(self._made(call_id, content, False, ended, took))
            case _:
                pass
        given = state.get("input")
        if given is None or given == "":
            given = state.text("raw") or {}
        arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        note = {self._provider: {"thoughtSignature": signed}} if signed else {}
        return ToolCallPart(id=call_id, name=name or "unknown", arguments=arguments, provider_data=note)

    def old_call(self, invocation: Fields) -> ToolCallPart:
        """A call of the time when messages held their parts."""
        call_id, result = invocation.text("toolCallId"), invocation.get("result")
        if invocation.text("state") == "result":
            text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
            self._results.append(self._made(call_id, [TextPart(text=text)], True, None, 0.0))
        return ToolCallPart(
            id=call_id,
            name=invocation.text("toolName") or "unknown",
            arguments=json.dumps(invocation.get("args") or {}, ensure_ascii=False, separators=(",", ":")),
        )

    def timed(self, call_id: str, ended: datetime | None, took: float) -> None:
        """Puts in when a call's result came, where that stands beside its state."""
        self._results = [
            self._made(r.call_id, r.content, r.success, ended, took) if r.call_id == call_id else r
            for r in self._results
        ]

    def tell_results(self, at: datetime | None) -> None:
        """Tells the results of the calls that were made since the last time."""
        for each in self._results:
            when = each.at or at
            self._talk.result(each.call_id, each.content, when, success=each.success, duration_ms=each.duration_ms)
        self._results.clear()

    def file(self, part: Fields) -> TextPart | ImagePart | FilePart:
        """A file that the message holds; of one that it only names, its name."""
        name, mime = part.text("filename", "name"), part.text("mime", "mediaType", "media_type")
        url, data = part.text("url", "uri"), decoded(part.text("data")) or None
        held = data_url(url)
        if held is not None:
            mime, data, url = mime or held[0], held[1], ""
        if data is None and not url.startswith(("http://", "https://")):
            self._talk.lose("files that are named and not held")
            return TextPart(text=f"[file: {name or url or mime or 'without a name'}]")
        if mime.startswith("image/"):
            return ImagePart(media_type=mime, data=data, url=url or None)
        return FilePart(media_type=mime or "application/octet-stream", name=name, data=data, url=url or None)

    def _content(self, state: Fields) -> list[TextPart | ImagePart | FilePart]:
        """What a tool gave back, of either generation."""
        made: list[TextPart | ImagePart | FilePart] = []
        if isinstance(output := state.get("output"), str):
            made.append(TextPart(text=output))
        made += [
            TextPart(text=piece.text("text")) if piece.text("type") == "text" else self.file(piece)
            for piece in state.objects("content")
        ]
        return made + [self.file(each) for each in state.objects("attachments")]

    def _made(self, call_id: str, content: list[Any], success: bool, at: datetime | None, took: float) -> _Result:
        return _Result(call_id=call_id, content=content, success=success, at=at, duration_ms=max(took, 0.0))


def finish_reason(word: str) -> FinishReason | None:
    """Why a response ended; None where it is not told or not known."""
    return _REASONS.get(word)


def usage_of(tokens: Fields, cost: Decimal | None) -> Usage:
    """The tokens of a message. `input` is without what was cached, and `output` without reasoning.

    Some versions count reasoning within `output`: then `total` tells.
    """
    cache = tokens.object("cache")
    read, written = cache.count("read"), cache.count("write")
    output, reasoning = tokens.count("output"), tokens.count("reasoning")
    within = "total" in tokens and tokens.count("total") == tokens.count("input") + read + written + output
    return Usage(
        input_tokens=tokens.count("input") + read + written,
        output_tokens=output if within else output + reasoning,
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        cost=cost or None,
    )
