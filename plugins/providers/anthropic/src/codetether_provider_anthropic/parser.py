"""One answer of an anthropic-messages server, streamed or not, becomes chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import orjson
from codetether import (
    JSON,
    Finished,
    FinishReason,
    IncompleteResponse,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ToolCallDelta,
    Unknown,
    Usage,
    UsageReported,
    WholePart,
)
from codetether_http import OF_A_DELTA, Fault, ServerSentEvent, check_size, malformed, read_fault, read_object

from codetether_provider_anthropic.blocks import kept

_OF_A_BLOCK = 400
_REASONS: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",  # the provider's own tools came to their limit: the answer is no whole one
    "compaction": "length",
    "refusal": "content_filter",
}


class _Block:
    """A block of content that has begun.

    Attributes:
        number: which block of the answer it is, whatever index the server gives it.
        body: as it began; for a block that we do not know, as it grew.
        pieces: of the arguments of a call. citations: of a text.
    """

    __slots__ = ("body", "citations", "kind", "number", "pieces")

    def __init__(self, number: int, body: dict[str, Any]) -> None:
        self.number = number
        self.kind = str(body.get("type"))
        self.body = body
        self.pieces: list[str] = []
        self.citations: list[JSON] = []


class MessagesParser:
    """Reads one answer. `provider` is the name under which what must go back is noted."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._blocks: dict[Any, _Block] = {}
        self._begun = 0
        self._ids: set[str] = set()
        self._usage: dict[str, JSON] = {}
        self._stopped: str | None = None
        self._size = 0
        self.done = False
        self.fault: Fault | None = None

    def feed(self, event: ServerSentEvent) -> list[StreamChunk]:
        """The chunks of one event."""
        data = event.data
        if self.done or not data or data == b"[DONE]":
            return []
        body = read_object(self._provider, data)
        chunks: list[StreamChunk] = []
        try:
            self._event(body.get("type") or event.event.decode("ascii", "replace"), body, chunks)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # whatever a server sends, it ends typed
            raise malformed(self._provider, f"an event of an unknown shape ({error!r:.200})") from None
        check_size(self._provider, self._size)
        return chunks

    def whole(self, body: bytes) -> list[StreamChunk]:
        """The chunks of an answer that came in one piece."""
        answer = read_object(self._provider, body)
        self._look_for_a_fault(answer)
        if self.fault is not None:
            return []
        content = answer.get("content")
        if not isinstance(content, list):
            raise malformed(self._provider, "an answer without content")
        chunks: list[StreamChunk] = []
        try:
            self._start(answer, chunks)
            for index, block in enumerate(content):
                self._begin(index, block, chunks)
                self._close(index, chunks)
            self._stop(answer)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # whatever a server sends, it ends typed
            raise malformed(self._provider, f"an answer of an unknown shape ({error!r:.200})") from None
        return [*chunks, *self._end()]

    def finish(self) -> list[StreamChunk]:
        """Nothing where the terminal event came; else the answer is incomplete."""
        if self.done:
            return []
        raise IncompleteResponse(f"{self._provider}: the stream ended without message_stop")

    def _event(self, kind: str, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        if "base_resp" in body:
            self._look_for_a_fault(body)
        if self.fault is not None:
            return
        match kind:
            case "content_block_delta":
                self._delta(body.get("index"), body["delta"], chunks)
            case "content_block_start":
                self._begin(body.get("index"), body["content_block"], chunks)
            case "content_block_stop":
                self._close(body.get("index"), chunks)
            case "message_start":
                self._start(body["message"], chunks)
            case "message_delta":
                self._stop(body.get("delta") or {})
                self._report(body.get("usage"), chunks)
            case "message_stop":
                chunks += self._end()
            case "ping":
                return
            case _:
                self._look_for_a_fault(body)

    def _look_for_a_fault(self, body: dict[str, Any]) -> None:
        """An error in place of the answer, or of its rest; events that nobody knows are passed over."""
        failed = body.get("type") == "error" or body.get("error")
        if not failed and not isinstance(body.get("base_resp"), Mapping):
            return
        fault = read_fault(body)
        if fault is None and failed:
            fault = Fault(message=orjson.dumps(body.get("error") or body)[:500].decode("utf-8", "replace"))
        if fault is not None:
            self.done = True
            self.fault = fault

    def _start(self, message: dict[str, Any], chunks: list[StreamChunk]) -> None:
        id_, model = message.get("id"), message.get("model")
        if id_ or model:
            chunks.append(ResponseStarted(id_ if isinstance(id_, str) else None, str(model) if model else None))
        self._report(message.get("usage"), chunks)

    def _begin(self, index: Any, body: dict[str, Any], chunks: list[StreamChunk]) -> _Block:
        """A block begins; one of that index that had no end has it now."""
        self._close(index, chunks)
        block = self._blocks[index] = _Block(self._begun, dict(body))
        self._begun += 1
        self._size += _OF_A_BLOCK
        match block.kind:
            case "text":
                self._say(body.get("text") or "", block, chunks)
                block.citations += body.get("citations") or ()
            case "thinking":
                self._think(body.get("thinking") or "", block, chunks)
                self._sign(body.get("signature"), block, chunks)
            case "redacted_thinking":
                self._note({"redacted": body["data"]}, block, chunks)
            case "tool_use":
                chunks.append(self._call(block))
            case "fallback":
                model = (body.get("to") or {}).get("model")
                chunks.append(ResponseStarted(None, str(model) if model else None))
            case _:
                self._size += len(orjson.dumps(body))
        return block

    def _call(self, block: _Block) -> ToolCallDelta:
        own = str(block.body.get("id") or "")
        if not own or own in self._ids:  # a result must find its one call
            own = f"call_{uuid4().hex}"
        self._ids.add(own)
        caller = block.body.get("caller")
        indirect = isinstance(caller, Mapping) and caller.get("type") != "direct"
        note = {self._provider: {"caller": caller}} if indirect else None
        return ToolCallDelta(block.number, own, str(block.body.get("name") or ""), "", note)

    def _delta(self, index: Any, delta: dict[str, Any], chunks: list[StreamChunk]) -> None:
        block = self._blocks.get(index)
        kind = delta["type"]
        if block is None:
            if kind not in ("text_delta", "thinking_delta"):
                raise ValueError(f"{kind} for block {index}, which never began")
            block = self._begin(index, {"type": kind.removesuffix("_delta")}, chunks)
        if block.kind not in ("text", "thinking", "redacted_thinking", "tool_use"):
            self._grow(block, delta)
        elif kind == "text_delta":
            self._say(delta["text"], block, chunks)
        elif kind == "input_json_delta":
            self._argue(delta.get("partial_json") or "", block, chunks)
        elif kind == "thinking_delta":
            self._think(delta["thinking"], block, chunks)
        elif kind == "signature_delta":
            self._sign(delta["signature"], block, chunks)
        elif kind == "citations_delta":
            block.citations.append(delta["citation"])
            self._size += len(orjson.dumps(delta["citation"]))

    def _say(self, text: str, block: _Block, chunks: list[StreamChunk]) -> None:
        if text:
            self._size += len(_text(text)) + OF_A_DELTA
            chunks.append(TextDelta(text, block.number))

    def _think(self, text: str, block: _Block, chunks: list[StreamChunk]) -> None:
        if text:
            self._size += len(_text(text)) + OF_A_DELTA
            chunks.append(ThinkingDelta(text, block.number))

    def _sign(self, signature: str | None, block: _Block, chunks: list[StreamChunk]) -> None:
        if signature:
            self._note({"signature": _text(signature)}, block, chunks)

    def _note(self, note: dict[str, JSON], block: _Block, chunks: list[StreamChunk]) -> None:
        self._size += sum(len(_text(value)) for value in note.values())
        chunks.append(ThinkingDelta("", block.number, {self._provider: note}))

    def _argue(self, piece: str, block: _Block, chunks: list[StreamChunk]) -> None:
        if block.kind != "tool_use":
            raise ValueError("arguments in a block that is no call")
        if piece:
            self._size += len(_text(piece)) + OF_A_DELTA
            block.pieces.append(piece)
            chunks.append(ToolCallDelta(block.number, None, None, piece))

    def _grow(self, block: _Block, delta: dict[str, Any]) -> None:
        """More of a block that we only keep: texts go on, other values are replaced."""
        self._size += len(orjson.dumps(delta)) + OF_A_DELTA
        if delta["type"] == "input_json_delta":
            block.pieces.append(_text(delta.get("partial_json") or ""))
            return
        for name, value in delta.items():
            before = block.body.get(name)
            if name != "type":
                block.body[name] = before + value if isinstance(before, str) and isinstance(value, str) else value

    def _close(self, index: Any, chunks: list[StreamChunk]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        match block.kind:
            case "tool_use" if not block.pieces:
                given = block.body.get("input") or {}
                arguments = given if isinstance(given, str) else orjson.dumps(given).decode()
                self._argue(arguments, block, chunks)
            case "text" if block.citations:  # the text itself is out already: they follow it as a part of their own
                note = {self._provider: {"citations": block.citations}}
                chunks.append(WholePart(TextPart(text="", provider_data=note)))
            case "text" | "thinking" | "redacted_thinking" | "tool_use":
                pass
            case _:
                if block.pieces:
                    block.body["input"] = _parsed("".join(block.pieces))
                chunks.append(WholePart(Unknown(raw=kept(self._provider, block.body))))

    def _stop(self, delta: dict[str, Any]) -> None:
        reason = delta.get("stop_reason")
        if reason:
            self._stopped = _text(reason)

    def _report(self, usage: Any, chunks: list[StreamChunk]) -> None:
        """Counts that come later stand in place of earlier ones; those that do not come again stay."""
        if isinstance(usage, dict) and usage:
            self._usage = {**self._usage, **{name: value for name, value in usage.items() if value is not None}}
            chunks.append(UsageReported(read_usage(self._usage), self._usage))

    def _end(self) -> list[StreamChunk]:
        """The terminal event."""
        chunks: list[StreamChunk] = []
        for index in list(self._blocks):
            self._close(index, chunks)
        self.done = True
        return [*chunks, Finished(_REASONS.get(self._stopped or "", "unknown"), self._stopped)]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of a text")
    return value


def _parsed(arguments: str) -> JSON:
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:  # cut off; it goes back to nobody but its writer
        return {}


def read_usage(raw: Mapping[str, JSON]) -> Usage:
    """Tokens as we count them: input with what the cache gave and took, which this provider counts apart."""
    read, written = _count(raw.get("cache_read_input_tokens")), _count(raw.get("cache_creation_input_tokens"))
    details = raw.get("output_tokens_details")
    return Usage(
        input_tokens=_count(raw.get("input_tokens")) + read + written,
        output_tokens=_count(raw.get("output_tokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=_count(details.get("thinking_tokens")) if isinstance(details, Mapping) else 0,
    )


def _count(value: Any) -> int:
    """A number of tokens; nonsense counts as none."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0
