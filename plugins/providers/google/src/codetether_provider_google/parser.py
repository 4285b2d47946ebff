"""One answer of generateContent, streamed or not, becomes chunks."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import orjson
from codetether import (
    JSON,
    FilePart,
    Finished,
    FinishReason,
    ImagePart,
    IncompleteResponse,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    ThinkingDelta,
    ThinkingPart,
    ToolCallDelta,
    Usage,
    UsageReported,
    WholePart,
)
from codetether_http import OF_A_DELTA, Fault, ServerSentEvent, check_size, malformed, read_fault, read_json

from codetether_provider_google.calls import made_id

_OF_A_PART = 200
_UNSAID = ("FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED")
_FILTERED = (
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
)
_FAILED = (
    "LANGUAGE",
    "OTHER",
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "NO_IMAGE",
    "IMAGE_OTHER",
)
_REASONS: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(_FILTERED, "content_filter"),
    **dict.fromkeys(_FAILED, "error"),
}


class GenerateParser:
    """Reads one answer. `provider` is the name under which signatures that must go back are noted.

    No event ends a stream: a finish reason may come in its midst, where the provider ran a tool of its own. So it is
    read to the end of the connection, and it is whole where nothing followed the last finish reason.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._started = False
        self._answered = False
        self._finish: str | None = None
        self._blocked: str | None = None
        self._usage: Mapping[str, JSON] | None = None
        self._calls = 0
        self._ids: set[str] = set()
        self._block = 0
        self._size = 0
        self.done = False
        self.fault: Fault | None = None

    def feed(self, event: ServerSentEvent) -> list[StreamChunk]:
        """The chunks of one event."""
        data = event.data
        if self.done or not data or data == b"[DONE]":  # Google sends none; gateways do
            return []
        return self._read_all(read_json(self._provider, data))

    def whole(self, body: bytes) -> list[StreamChunk]:
        """The chunks of an answer that came in one piece, or of a stream that came as one JSON array."""
        answer = read_json(self._provider, body)
        chunks = self._read_all(answer)
        if self.fault is not None:
            return chunks
        if isinstance(answer, list):
            return [*chunks, *self.finish()]
        if not self._answered and self._blocked is None:
            raise malformed(self._provider, "an answer without candidates")
        return [*chunks, *self._end()]

    def finish(self) -> list[StreamChunk]:
        """The end, where a finish reason or a blocked prompt was the last that came; else the answer is incomplete."""
        if self.done:
            return []
        if self._finish is None and self._blocked is None:
            raise IncompleteResponse(f"{self._provider}: the stream ended without a finish reason")
        return self._end()

    def _read_all(self, answer: Any) -> list[StreamChunk]:
        chunks: list[StreamChunk] = []
        for body in answer if isinstance(answer, list) else (answer,):
            if not isinstance(body, dict):
                raise malformed(self._provider, "JSON that is no object")
            try:
                self._read(body, chunks)
            except (AttributeError, KeyError, TypeError, ValueError) as error:  # whatever a server sends, it ends typed
                raise malformed(self._provider, f"an event of an unknown shape ({error})") from None
            check_size(self._provider, self._size)
            if self.done:
                break
        return chunks

    def _read(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        if not self._started:
            self._start(body, chunks)
        for candidate in body.get("candidates") or ():
            if not candidate.get("index"):
                self._candidate(candidate, chunks)
        feedback = body.get("promptFeedback")
        if feedback:
            self._blocked = _word(feedback.get("blockReason")) or self._blocked
        usage = body.get("usageMetadata")
        if usage and isinstance(usage, dict):
            self._usage = usage
        if body.get("error"):
            self._fail(body)

    def _start(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        id_, model = body.get("responseId"), body.get("modelVersion")
        if id_ or model:
            self._started = True
            chunks.append(ResponseStarted(str(id_) if id_ else None, str(model) if model else None))

    def _candidate(self, candidate: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self._answered = True
        content = candidate.get("content") or {}
        for part in content.get("parts") or ():
            if part != {"text": ""}:
                self._finish = None
                self._part(part, chunks)
        self._finish = _word(candidate.get("finishReason")) or self._finish

    def _part(self, part: dict[str, Any], chunks: list[StreamChunk]) -> None:
        signature = part.get("thoughtSignature")
        own = {"thoughtSignature": signature} if signature else {}
        text, thought = part.get("text"), part.get("thought")
        if "functionCall" in part:
            self._call(part["functionCall"], own, chunks)
        elif isinstance(text, str):
            self._text(text, bool(thought), own, chunks)
        elif "inlineData" in part or "fileData" in part:
            media = _media(part, self._note({**own, "thought": True} if thought else own) or {})
            self._size += _OF_A_PART + (len(media.data) if media.data else 0)
            chunks.append(WholePart(media))
        else:
            self._size += _OF_A_PART + len(orjson.dumps(part))
            chunks.append(WholePart(ThinkingPart(provider_data={self._provider: {"part": part}})))

    def _note(self, own: Mapping[str, JSON]) -> dict[str, JSON] | None:
        return {self._provider: own} if own else None

    def _text(self, text: str, thought: bool, own: Mapping[str, JSON], chunks: list[StreamChunk]) -> None:
        """A text with a signature is a part of its own: it goes back as it came."""
        if not (text or own):
            return
        self._size += len(text) + OF_A_DELTA
        if own:
            self._block += 1
        delta = ThinkingDelta if thought else TextDelta
        chunks.append(delta(text, self._block, self._note(own)))
        if own:
            self._size += _OF_A_PART
            self._block += 1

    def _call(self, call: dict[str, Any], own: Mapping[str, JSON], chunks: list[StreamChunk]) -> None:
        id_, name, arguments = call.get("id"), call.get("name"), call.get("args")
        if not (id_ and isinstance(id_, str)) or id_ in self._ids:
            id_ = made_id()
        self._ids.add(id_)
        written = "{}" if arguments is None else orjson.dumps(arguments).decode()
        self._size += len(written) + _OF_A_PART
        chunks.append(ToolCallDelta(self._calls, id_, str(name) if name else None, written, self._note(own)))
        self._calls += 1

    def _fail(self, body: dict[str, Any]) -> None:
        self.done = True
        self.fault = read_fault(body) or Fault(message=orjson.dumps(body["error"])[:500].decode("utf-8", "replace"))

    def _end(self) -> list[StreamChunk]:
        """The counts that came last, and the terminal event."""
        self.done = True
        chunks: list[StreamChunk] = []
        if self._usage is not None:
            chunks.append(UsageReported(read_usage(self._usage), self._usage))
        if self._finish is None and self._blocked is not None:
            return [*chunks, Finished("content_filter", self._blocked)]
        reason: FinishReason = _REASONS.get(self._finish or "", "unknown")
        if self._calls and reason in ("stop", "unknown"):
            reason = "tool_calls"
        return [*chunks, Finished(reason, self._finish)]


def _word(value: Any) -> str | None:
    """A reason that says something."""
    return str(value) if value and value not in _UNSAID else None


def _media(part: Mapping[str, Any], own: Mapping[str, JSON]) -> ImagePart | FilePart:
    """An image or a file, with its bytes or its address."""
    inline = part.get("inlineData")
    source = part["fileData"] if inline is None else inline
    media_type = str(source.get("mimeType") or "application/octet-stream")
    kind = ImagePart if media_type.startswith("image/") else FilePart
    if inline is None:
        return kind(media_type=media_type, url=str(source["fileUri"]), provider_data=own)
    data = b64decode(str(source.get("data") or "").translate({ord("-"): "+", ord("_"): "/"}))
    return kind(media_type=media_type, data=data, provider_data=own)


def read_usage(raw: Mapping[str, JSON]) -> Usage:
    """Tokens as we count them: input with what tools of the provider's own read, output with thoughts.

    Google counts thoughts beside the candidates; a total that says otherwise is believed.
    """
    prompt, read = _count(raw.get("promptTokenCount")), _count(raw.get("toolUsePromptTokenCount"))
    output, thoughts = _count(raw.get("candidatesTokenCount")), _count(raw.get("thoughtsTokenCount"))
    if _count(raw.get("totalTokenCount")) != prompt + read + output or not output:
        output += thoughts
    return Usage(
        input_tokens=prompt + read,
        output_tokens=output,
        cache_read_tokens=_count(raw.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
    )


def _count(value: Any) -> int:
    """A number of tokens; nonsense counts as none."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0
