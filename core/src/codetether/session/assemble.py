"""Stream chunks become one response: the only place that assembles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never
from uuid import uuid4

import attrs

from codetether.errors import IncompleteResponse
from codetether.models.completion import (
    CompletionResponse,
    Finished,
    RefusalDelta,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
    WholePart,
)
from codetether.models.messages import (
    Message,
    MessagePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)


class _Open:
    """A part that still grows."""

    __slots__ = ("block", "id", "kind", "name", "pieces", "provider_data")

    def __init__(self, kind: str, block: int = 0) -> None:
        self.kind = kind
        self.block = block
        self.pieces: list[str] = []
        self.provider_data: dict[str, Any] = {}
        self.id: str | None = None
        self.name: str | None = None


class Assembly:
    """One response as it grows. Feed it every chunk, then take `response()`."""

    def __init__(self, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self._parts: list[_Open | MessagePart] = []
        self._last: _Open | None = None
        self._calls: dict[int, _Open] = {}
        self._usage = Usage()
        self._raw_usage: Mapping[str, Any] = {}
        self._finished: Finished | None = None
        self._response_id: str | None = None
        self._answering: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the terminal event was seen."""
        return self._finished is not None

    def feed(self, chunk: StreamChunk) -> None:
        """Takes one chunk."""
        match chunk:
            case TextDelta(text=text, block=block):
                last = self._last
                if last is None or last.kind != "text" or last.block != block:
                    last = self._open("text", block)
                last.pieces.append(text)
                if chunk.provider_data:
                    last.provider_data.update(chunk.provider_data)
            case ToolCallDelta():
                self._feed_call(chunk)
            case ThinkingDelta():
                last = self._last
                if last is None or last.kind != "thinking" or last.block != chunk.block:
                    last = self._open("thinking", chunk.block)
                last.pieces.append(chunk.text)
                if chunk.provider_data:
                    last.provider_data.update(chunk.provider_data)
            case RefusalDelta(text=text):
                last = self._last
                if last is None or last.kind != "refusal":
                    last = self._open("refusal", 0)
                last.pieces.append(text)
            case WholePart(part=part):
                self._parts.append(part)
                self._last = None
            case UsageReported(usage=usage, raw=raw):
                self._usage, self._raw_usage = usage, raw
            case ResponseStarted(id=id_, model=model):
                self._response_id = id_ or self._response_id
                self._answering = model or self._answering
            case Finished():
                self._finished = chunk
            case _:
                assert_never(chunk)

    def _open(self, kind: str, block: int) -> _Open:
        self._last = _Open(kind, block)
        self._parts.append(self._last)
        return self._last

    def _feed_call(self, delta: ToolCallDelta) -> None:
        call = self._calls.get(delta.index)
        if call is None:
            call = self._calls[delta.index] = self._open("tool_call", delta.index)
        call.id = call.id or delta.id
        call.name = call.name or delta.name
        if delta.arguments:
            call.pieces.append(delta.arguments)
        if delta.provider_data:
            call.provider_data.update(delta.provider_data)
        self._last = call

    def partial(self) -> Message | None:
        """The visible text that arrived so far as a message without its calls; None where there is none."""
        text = "".join("".join(p.pieces) for p in self._parts if isinstance(p, _Open) and p.kind == "text")
        if not text.strip():
            return None
        return Message(role="assistant", parts=(TextPart(text=text),), provider=self._provider, model=self._model)

    def message(self) -> Message:
        """What arrived so far, as a message. Calls without an id or a name keep an empty one."""
        made = (self._close(p) if isinstance(p, _Open) else p for p in self._parts)
        parts = tuple(p for p in made if p is not None)
        return Message(role="assistant", parts=parts, provider=self._provider, model=self._model)

    def response(self, duration_ms: float = 0.0, first_ms: float | None = None) -> CompletionResponse:
        """The whole answer. Raises IncompleteResponse where the terminal event is missing."""
        if self._finished is None:
            raise IncompleteResponse(
                f"{self._provider}: the answer ended before its terminal event",
                remedy="nothing of it was run; ask again",
            )
        message = self.message()
        reason = self._finished.reason
        if reason == "stop" and message.tool_calls:
            reason = "tool_calls"
        return CompletionResponse(
            message=message,
            finish_reason=reason,
            usage=self._usage,
            model=self._answering or self._model,
            response_id=self._response_id,
            raw_usage=self._raw_usage,
            raw_finish_reason=self._finished.raw,
            duration_ms=duration_ms,
            first_ms=first_ms,
        )

    @staticmethod
    def _close(part: _Open) -> MessagePart | None:
        text = "".join(part.pieces)
        if part.kind == "tool_call":
            return ToolCallPart(
                id=part.id or "", name=part.name or "", arguments=text, provider_data=part.provider_data
            )
        if not text and not part.provider_data:
            return None
        if part.kind == "thinking":
            return ThinkingPart(text=text, provider_data=part.provider_data)
        if part.kind == "refusal":
            return RefusalPart(text=text)
        return TextPart(text=text, provider_data=part.provider_data)


def with_unique_ids(response: CompletionResponse, taken: set[str]) -> CompletionResponse:
    """The response with an id for every call that no call in `taken` has, so that each result pairs with one call.

    The ids are added to `taken`. The very same response where nothing had to change.
    """
    parts: list[MessagePart] = []
    for part in response.message.parts:
        if isinstance(part, ToolCallPart):
            if not part.id or part.id in taken:
                part = attrs.evolve(part, id=f"call_{uuid4().hex}")
            taken.add(part.id)
        parts.append(part)
    if all(new is old for new, old in zip(parts, response.message.parts, strict=True)):
        return response
    return attrs.evolve(response, message=attrs.evolve(response.message, parts=tuple(parts)))
