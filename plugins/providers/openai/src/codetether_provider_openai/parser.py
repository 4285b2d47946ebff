"""One answer of an openai-chat server, streamed or not, becomes chunks; whatever servers do differently is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson
from codetether import (
    JSON,
    Finished,
    FinishReason,
    IncompleteResponse,
    RefusalDelta,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from codetether_http import OF_A_DELTA, Fault, ServerSentEvent, check_size, malformed, read_fault, read_object

from codetether_provider_openai.alike import Alike

_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "error": "error",
    "network_error": "error",
}


class ChatParser:
    """Reads one answer. `provider` is the name under which reasoning that must go back is noted."""

    def __init__(self, provider: str, *, done_optional: bool = False, reasoning_apart: bool = False) -> None:
        self._provider = provider
        self._reasoning_apart = reasoning_apart
        self._done_optional = done_optional
        self._started = False
        self._finish: str | None = None
        self._usage: Any = None
        self._calls: dict[int, str | None] = {}
        self._ids: set[str] = set()
        self._details: list[dict[str, JSON]] = []
        self._noted = False
        self._size = 0
        self._alike = Alike()
        self.done = False
        self.fault: Fault | None = None

    def feed(self, event: ServerSentEvent) -> list[StreamChunk]:
        """The chunks of one event."""
        data = event.data
        if self.done or not data:
            return []
        if data.startswith(b"[DONE]"):
            return self._end()
        text = None if event.event else self._alike.text(data)
        if text is None:
            chunks = self._read(data, event.event)
            self._alike.learn(data, chunks, self._read)
        else:
            chunks = []
            self._say(text, chunks)
        check_size(self._provider, self._size)
        return chunks

    def _read(self, data: bytes, name: bytes = b"") -> list[StreamChunk]:
        body = read_object(self._provider, data)
        chunks: list[StreamChunk] = []
        try:
            if not self._started:
                self._start(body, chunks)
            for choice in body.get("choices") or ():
                if not choice.get("index"):
                    self._choice(choice, choice.get("delta") or choice.get("message") or {}, chunks)
            if "usage" in body or "x_groq" in body:
                self._report(body.get("usage") or (body.get("x_groq") or {}).get("usage"), chunks)
            if body.get("error") or name == b"error":
                self._fail(body)
        except (
            AttributeError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:  # whatever a server sends, it ends typed
            raise malformed(self._provider, f"an event of an unknown shape ({error})") from None
        return chunks

    def whole(self, body: bytes) -> list[StreamChunk]:
        """The chunks of an answer that came in one piece."""
        answer = read_object(self._provider, body)
        choices = answer.get("choices")
        fault = read_fault(answer)
        if fault is None and not (isinstance(choices, list) and choices):
            raise malformed(self._provider, "an answer without choices")
        chunks = self.feed(ServerSentEvent(body))
        if fault is not None:
            self._fail(answer)
        return chunks if self.fault else [*chunks, *self._end()]

    def finish(self) -> list[StreamChunk]:
        """Nothing where the terminal event came; else the answer is incomplete."""
        if self.done:
            return []
        if self._done_optional and self._finish is not None:
            return self._end()
        raise IncompleteResponse(f"{self._provider}: the stream ended without [DONE]")

    def _start(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        id_, model = body.get("id"), body.get("model")
        if id_ or model:
            self._started = True
            chunks.append(ResponseStarted(id_ if isinstance(id_, str) else None, str(model) if model else None))

    def _choice(self, choice: dict[str, Any], delta: dict[str, Any], chunks: list[StreamChunk]) -> None:
        if "reasoning_content" in delta or "reasoning" in delta or "reasoning_details" in delta:
            self._reasoning(delta, chunks)
        content = delta.get("content")
        if isinstance(content, str):
            self._say(content, chunks)
        elif content:
            self._content(content, chunks)
        if delta.get("refusal"):
            self._flush(chunks)
            refusal = "".join(delta["refusal"])
            self._size += len(refusal) + OF_A_DELTA
            chunks.append(RefusalDelta(refusal))
        if delta.get("tool_calls"):
            self._flush(chunks)
            self._tool_calls(delta["tool_calls"], chunks)
        finish = choice.get("finish_reason")
        if finish:
            self._finish = str(finish)
        if "usage" in choice:
            self._report(choice["usage"], chunks)
        if choice.get("error"):
            self._fail(choice)

    def _say(self, text: str, chunks: list[StreamChunk]) -> None:
        if not text:
            return
        if self._noted:
            self._flush(chunks)
        self._size += len(text) + OF_A_DELTA
        chunks.append(TextDelta(text))

    def _content(self, parts: Iterable[Any], chunks: list[StreamChunk]) -> None:
        """Content as a list: texts, and reasoning beside them."""
        for part in parts:
            match part:
                case str(text) | {"type": "text", "text": str(text)} if text:
                    self._say(text, chunks)
                case {"type": "thinking", "thinking": thought}:
                    pieces = [thought] if isinstance(thought, str) else [str(t.get("text") or "") for t in thought]
                    self._think("".join(pieces), "content", chunks)
                case _:
                    pass

    def _think(self, text: Any, field: str, chunks: list[StreamChunk]) -> None:
        if not text:
            return
        if not isinstance(text, str):
            raise TypeError("reasoning that is no text")
        self._size += len(text) + OF_A_DELTA
        note = None if self._noted else {self._provider: {"field": field}}
        self._noted = True
        chunks.append(ThinkingDelta(text, 0, note))

    def _reasoning(self, delta: dict[str, Any], chunks: list[StreamChunk]) -> None:
        details = delta.get("reasoning_details") or []
        for detail in details:
            self._size += 200
            self._detail(detail)
        if text := delta.get("reasoning_content"):
            self._think(text, "reasoning_content", chunks)
        elif text := delta.get("reasoning"):
            self._think(text, "reasoning", chunks)
        else:
            told = (d.get("text") or d.get("summary") for d in details)
            self._think("".join(t for t in told if isinstance(t, str)), "reasoning_details", chunks)
        self._noted = self._noted or bool(details)

    def _detail(self, detail: dict[str, JSON]) -> None:
        """A detail that goes on where the last one stopped is joined to it, as the server would send it whole."""
        _storable(detail)
        last = self._details[-1] if self._details else None
        if last is None or any(last.get(k) != detail.get(k) for k in ("type", "index")) or "data" in detail:
            self._details.append(dict(detail))
            return
        for key, value in detail.items():
            if key in ("text", "summary") and isinstance(value, str):
                last[key] = (last.get(key) or "") + value
            elif value is not None:
                last[key] = value

    def _flush(self, chunks: list[StreamChunk]) -> None:
        """A run of reasoning ends: what must go back with it is noted."""
        self._noted = False
        if self._details:
            chunks.append(ThinkingDelta("", 0, {self._provider: {"reasoning_details": self._details}}))
            self._details = []

    def _tool_calls(self, calls: list[Any], chunks: list[StreamChunk]) -> None:
        for place, call in enumerate(calls):
            function = call.get("function") or {}
            arguments = function.get("arguments") or ""
            if not isinstance(arguments, str):
                arguments = orjson.dumps(arguments).decode()
            index = call.get("index")
            if not isinstance(index, int):
                index = self._index(call.get("id"), place)
            self._size += len(arguments) + OF_A_DELTA
            name = function.get("name")
            id_ = None if self._calls.get(index) else self._identity(index, call.get("id"))
            chunks.append(ToolCallDelta(index, id_, str(name) if name else None, arguments))

    def _identity(self, index: int, id_: Any) -> str | None:
        """The call's id, the first that comes; one that another call has is replaced."""
        self._size += 200
        if not id_:
            self._calls[index] = None
            return None
        own = str(id_)
        if own in self._ids:
            own = _new_id()
        self._ids.add(own)
        self._calls[index] = own
        return own

    def _index(self, id_: Any, place: int) -> int:
        """The index of a call that came without one: a new id begins a new call."""
        last = len(self._calls) - 1
        if last < 0 or (id_ and str(id_) != self._calls.get(last)):
            return last + 1
        return last if place == 0 else last + 1

    def _report(self, usage: Any, chunks: list[StreamChunk]) -> None:
        if isinstance(usage, dict) and usage and usage != self._usage:
            self._usage = _storable(usage)
            chunks.append(UsageReported(read_usage(usage, apart=self._reasoning_apart), usage))

    def _fail(self, body: dict[str, Any]) -> None:
        self.done = True
        said = body.get("error")
        self.fault = read_fault(body) or Fault(message=orjson.dumps(said or body)[:500].decode())

    def _end(self) -> list[StreamChunk]:
        """The terminal event."""
        self.done = True
        chunks: list[StreamChunk] = []
        self._flush(chunks)
        chunks += [ToolCallDelta(index, _new_id()) for index, id_ in self._calls.items() if id_ is None]
        reason: FinishReason = _REASONS.get(self._finish or "", "unknown")
        if self._calls and reason in ("stop", "unknown"):
            reason = "tool_calls"
        chunks.append(Finished(reason, self._finish))
        return chunks


def _storable(value: Any) -> Any:
    """The value, which will be kept. Raises TypeError for one that is nested too deeply to be written down."""
    nested = value
    for _ in range(32):  # so many levels a journal or a request adds at most
        nested = [nested]
    orjson.dumps(nested)
    return value


def _new_id() -> str:
    return f"call_{uuid4().hex[:24]}"


def read_usage(raw: Mapping[str, JSON], *, apart: bool = False) -> Usage:
    """Tokens as we count them: output with reasoning, though some count that apart, as their total tells or a quirk."""
    into, out = _counts(raw, "prompt_tokens_details"), _counts(raw, "completion_tokens_details")
    output, reasoning = _count(raw.get("completion_tokens")), _count(out.get("reasoning_tokens"))
    prompt, total = _count(raw.get("prompt_tokens")), _count(raw.get("total_tokens"))
    if reasoning and (total == prompt + output + reasoning or (apart and not total)):
        output += reasoning
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_tokens=_count(
            into.get("cached_tokens") or raw.get("cached_tokens") or raw.get("prompt_cache_hit_tokens")
        ),
        cache_write_tokens=_count(into.get("cache_write_tokens") or raw.get("cache_write_tokens")),
        reasoning_tokens=reasoning or _count(raw.get("reasoning_tokens")),
        cost=_cost(raw.get("cost")),
    )


def _counts(raw: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    found = raw.get(name)
    return found if isinstance(found, Mapping) else {}


def _count(value: Any) -> int:
    """A number of tokens; nonsense counts as none."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0


def _cost(value: Any) -> Decimal | None:
    return Decimal(str(value)) if isinstance(value, int | float) and 0 <= value < 1e9 else None
