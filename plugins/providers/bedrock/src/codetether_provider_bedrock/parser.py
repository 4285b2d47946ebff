"""One answer of Converse, streamed or not, becomes chunks."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import orjson
from codetether import (
    JSON,
    Finished,
    FinishReason,
    IncompleteResponse,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
    WholePart,
)
from codetether_http import OF_A_DELTA, Fault, check_size, malformed, read_object

from codetether_provider_bedrock.blocks import Growing, is_run_there, kept
from codetether_provider_bedrock.failures import fault_of
from codetether_provider_bedrock.frames import Frame

_REASONS: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}


class ConverseParser:
    """Reads one answer. `provider` is the name under which what must go back is noted.

    Attributes:
        done: the usage came, which is the last event, or an error did.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._stop: str | None = None
        self._growing: dict[int, Growing] = {}
        self._said: set[int] = set()
        self._size = 0
        self.done = False
        self.fault: Fault | None = None

    def feed(self, event: Frame) -> list[StreamChunk]:
        """The chunks of one frame."""
        if self.done:
            return []
        chunks: list[StreamChunk] = []
        try:
            if event.kind == "event":
                self._event(event.name, read_object(self._provider, event.payload or b"{}"), chunks)
            else:
                self._fail(event)
        except (AttributeError, TypeError, ValueError, KeyError) as error:  # whatever a server sends, it ends typed
            raise malformed(self._provider, f"an event of an unknown shape ({error})") from None
        check_size(self._provider, self._size)
        return chunks

    def whole(self, body: bytes) -> list[StreamChunk]:
        """The chunks of an answer that came in one piece."""
        answer = read_object(self._provider, body)
        message = answer["output"].get("message") if isinstance(answer.get("output"), dict) else None
        if not isinstance(message, dict) or not isinstance(answer.get("stopReason"), str):
            raise malformed(self._provider, "an answer without a message")
        chunks: list[StreamChunk] = []
        try:
            for index, block in enumerate(message.get("content") or ()):
                self._block(index, block, chunks)
            self._event("messageStop", answer, chunks)
            self._event("metadata", answer, chunks)
        except (AttributeError, TypeError, ValueError, KeyError) as error:
            raise malformed(self._provider, f"an answer of an unknown shape ({error})") from None
        return chunks

    def finish(self) -> list[StreamChunk]:
        """The end, where only the usage is missing; else the answer is incomplete."""
        if self.done:
            return []
        if self._stop is None:
            raise IncompleteResponse(f"{self._provider}: the stream ended without messageStop")
        return self._end()

    def _event(self, name: str, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        match name:
            case "contentBlockDelta":
                self._delta(_index(body), body["delta"], chunks)
            case "contentBlockStart":
                self._start(_index(body), body["start"], chunks)
            case "contentBlockStop":
                self._close(_index(body), chunks)
            case "messageStop":
                for index in list(self._growing):
                    self._close(index, chunks)
                self._stop = str(body["stopReason"] or "")
            case "metadata":
                self._metadata(body, chunks)
            case _:
                pass

    def _start(self, index: int, start: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self._size += 200
        match start:
            case {"toolUse": dict(call)} if not is_run_there(call):
                chunks.append(ToolCallDelta(index, _text(call.get("toolUseId")), _text(call.get("name"))))
            case _:
                self._growing[index] = Growing(start)

    def _delta(self, index: int, delta: dict[str, Any], chunks: list[StreamChunk]) -> None:
        growing = self._growing.get(index)
        match delta:
            case {"text": str(text)}:
                self._grow(text)
                if text:
                    self._said.add(index)
                    chunks.append(TextDelta(text, index))
            case {"toolUse": dict(piece)} if growing is None:
                arguments = piece.get("input") or ""
                if not isinstance(arguments, str):
                    arguments = orjson.dumps(arguments).decode()
                self._grow(arguments)
                chunks.append(ToolCallDelta(index, None, None, arguments))
            case {"reasoningContent": dict(piece)}:
                self._think(index, piece, chunks)
            case _:
                if growing is None:
                    growing = self._growing[index] = Growing({})
                self._size += growing.add(delta) + OF_A_DELTA

    def _think(self, index: int, piece: dict[str, Any], chunks: list[StreamChunk]) -> None:
        match piece:
            case {"redactedContent": str(data)}:
                self._grow(data)
                growing = self._growing.setdefault(index, Growing({}))
                growing.redacted += b64decode(data, validate=True)
            case {"signature": str(signature)}:
                self._grow(signature)
                chunks.append(ThinkingDelta("", index, {self._provider: {"signature": signature}}))
            case {"text": str(text)}:
                self._grow(text)
                if text:
                    chunks.append(ThinkingDelta(text, index))
            case _:
                pass

    def _grow(self, text: str) -> None:
        self._size += len(text) + OF_A_DELTA

    def _close(self, index: int, chunks: list[StreamChunk]) -> None:
        growing = self._growing.pop(index, None)
        if growing is None:
            return
        if growing.redacted:
            data = b64encode(growing.redacted).decode()
            chunks.append(ThinkingDelta("", index, {self._provider: {"redacted": data}}))
        block = growing.block()
        if block and index not in self._said:  # citations of a text that was given out: the text is what is kept
            chunks.append(WholePart(kept(block)))

    def _block(self, index: int, block: dict[str, Any], chunks: list[StreamChunk]) -> None:
        """A block that came in one piece."""
        match block:
            case {"text": str(text)}:
                chunks.append(TextDelta(text, index))
            case {"toolUse": dict(call)} if not is_run_there(call):
                arguments = orjson.dumps(call.get("input", {})).decode()
                chunks.append(ToolCallDelta(index, _text(call.get("toolUseId")), _text(call.get("name")), arguments))
            case {"reasoningContent": {"reasoningText": {"text": str(text), **more}}}:
                signature = more.get("signature")
                note = {self._provider: {"signature": signature}} if signature else None
                chunks.append(ThinkingDelta(text, index, note))
            case {"reasoningContent": {"redactedContent": str(data)}}:
                chunks.append(ThinkingDelta("", index, {self._provider: {"redacted": data}}))
            case _:
                chunks.append(WholePart(kept(dict(block))))

    def _metadata(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        usage = body.get("usage")
        if isinstance(usage, dict) and usage:
            chunks.append(UsageReported(read_usage(usage), usage))
        match body.get("trace"):
            case {"promptRouter": {"invokedModelId": str(model)}}:
                chunks.append(ResponseStarted(None, model))
        if self._stop is not None:
            chunks += self._end()

    def _end(self) -> list[StreamChunk]:
        self.done = True
        return [Finished(_REASONS.get(self._stop or "", "unknown"), self._stop)]

    def _fail(self, frame: Frame) -> None:
        """An exception, which comes with its name, or an error, which is told in headers alone."""
        try:
            said = orjson.loads(frame.payload)
        except orjson.JSONDecodeError:
            said = None
        message = said.get("message") if isinstance(said, dict) else None
        self.done = True
        self.fault = fault_of(frame.name, str(message or frame.message)[:2000], 200)


def _index(body: Mapping[str, Any]) -> int:
    index = body.get("contentBlockIndex", 0)
    if isinstance(index, int):
        return index
    raise TypeError("a contentBlockIndex that is no number")


def _text(value: Any) -> str | None:
    return str(value) if value else None


def read_usage(raw: Mapping[str, JSON]) -> Usage:
    """Tokens as we count them: input with what was read from the cache and written to it."""
    read = _count(raw.get("cacheReadInputTokens", raw.get("cacheReadInputTokenCount")))
    written = _count(raw.get("cacheWriteInputTokens", raw.get("cacheWriteInputTokenCount")))
    return Usage(
        input_tokens=_count(raw.get("inputTokens")) + read + written,
        output_tokens=_count(raw.get("outputTokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
    )


def _count(value: Any) -> int:
    """A number of tokens; nonsense counts as none."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0
