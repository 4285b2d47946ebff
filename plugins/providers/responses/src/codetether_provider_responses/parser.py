"""One answer of an openai-responses server, streamed or not, becomes chunks; finished items have the last word."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs
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
    ThinkingPart,
    ToolCallDelta,
    UsageReported,
    WholePart,
)
from codetether_http import OF_A_DELTA, Fault, ServerSentEvent, check_size, malformed, read_fault, read_object

from codetether_provider_responses.items import (
    CALLS,
    SAID,
    SPOKEN,
    TEXTS,
    Item,
    Items,
    arguments_of,
    extra_of,
    ids_of,
    kind_of,
    note_of,
    place_of,
    size_of,
    word,
)
from codetether_provider_responses.usage import read_usage

_OF_AN_ITEM = 500
_CUT: Mapping[str, FinishReason] = {"content_filter": "content_filter"}
"""Why an answer is incomplete; any other cause means that it was cut off."""
_NO_WORDS = "an error without words"
_NONSENSE = (AttributeError, KeyError, RecursionError, TypeError, ValueError)


class ResponsesParser:
    """Reads one answer. `provider` is the name under which what must go back is noted.

    Items are told apart by `output_index`, because some servers give an item another id in each event. Text comes from
    the deltas; what the finished item has beyond them is added, and one that contradicts them is malformed.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._id: str | None = None
        self._model: str | None = None
        self._items = Items()
        self._speaking: Item | None = None
        self._blocks = 0
        self._calls = 0
        self._size = 0
        self.done = False
        self.fault: Fault | None = None

    def feed(self, event: ServerSentEvent) -> list[StreamChunk]:
        """The chunks of one event."""
        data = event.data
        if self.done or not data or data.startswith(b"[DONE]"):
            return []
        body = read_object(self._provider, data)
        chunks: list[StreamChunk] = []
        try:
            if "type" not in body:
                body["type"] = event.event.decode("utf-8", "replace")
            kind = body["type"]
            if kind in SAID:
                self._say(body, *SAID[kind], chunks)
            elif kind in _READERS:
                _READERS[kind](self, body, chunks)
            elif body.get("error"):
                self._failed(body, chunks)
        except _NONSENSE as error:  # whatever a server sends, it ends typed
            raise malformed(self._provider, f"an event of an unknown shape ({error})") from None
        check_size(self._provider, self._size)
        return chunks

    def whole(self, body: bytes) -> list[StreamChunk]:
        """The chunks of an answer that came in one piece."""
        answer = read_object(self._provider, body)
        chunks: list[StreamChunk] = []
        try:
            if "output" not in answer:
                fault = read_fault(answer)
                if fault is None:
                    raise malformed(self._provider, "an answer without output")
                self._fail(fault)
                return chunks
            self._start(answer, chunks)
            status = word(answer.get("status")) or ("failed" if answer.get("error") else "completed")
            self._end(answer, status, chunks)
        except _NONSENSE as error:
            raise malformed(self._provider, f"an answer of an unknown shape ({error})") from None
        return chunks

    def finish(self) -> list[StreamChunk]:
        """Nothing where the terminal event came; else the answer is incomplete."""
        if self.done:
            return []
        raise IncompleteResponse(f"{self._provider}: the stream ended without response.completed")

    def _begin(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self._start(body.get("response") or {}, chunks)

    def _start(self, response: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        id_, model = word(response.get("id")), word(response.get("model"))
        if (id_ and not self._id) or (model and not self._model):
            self._id, self._model = self._id or id_, self._model or model
            chunks.append(ResponseStarted(self._id, self._model))

    def _open(self, kind: str, index: Any = None) -> Item:
        self._size += _OF_AN_ITEM
        return self._items.open(kind, index)

    def _item(self, body: Mapping[str, Any], kind: str) -> Item:
        """The item of which a delta tells more."""
        index = body.get("output_index")
        item = self._items.at.get(index) or self._items.find(index, ids_of(body), kind)
        if item is None or (item.final is not None and item.kind != kind):
            item = self._open(kind, index)
        if item.kind != kind and item.kind in SPOKEN:
            raise TypeError(f"a {kind} that is a {item.kind}")
        return item

    def _added(self, body: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        self._announce(body)

    def _announce(self, body: Mapping[str, Any]) -> Item:
        """A new item. What it holds already comes again, in deltas or at its end."""
        opened, index = body["item"], body.get("output_index")
        kind = kind_of(opened)
        item = self._items.find(index, ids_of(opened), kind)
        if item is None or item.opened or item.final is not None or item.kind != kind:
            item = self._open(kind, index)
        self._items.name(item, ids_of(opened))
        item.opened = opened
        if kind == "message":
            item.note = note_of(opened)
        return item

    def _call(self, item: Item, said: Mapping[str, Any], arguments: str, chunks: list[StreamChunk]) -> None:
        """More of a call. Its id is the one that the result names."""
        if item.call is None:
            item.call = self._calls
            self._calls += 1
        id_, name = word(said.get("call_id") or said.get("id")), word(said.get("name"))
        extra = extra_of(item)
        self._size += len(arguments) + OF_A_DELTA
        chunks.append(ToolCallDelta(item.call, id_, name, arguments, {self._provider: extra} if extra else None))

    def _arguments(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        item = self._item(body, "function_call")
        delta = body["delta"]
        if not isinstance(delta, str):
            raise TypeError("arguments that are no text")
        if item.final is not None:
            return
        item.said.setdefault(("arguments", 0), []).append(delta)
        self._call(item, item.opened if item.call is None else {}, delta, chunks)

    def _say(self, body: dict[str, Any], kind: str, field: str, place: str, chunks: list[StreamChunk]) -> None:
        """More text of an item. While another one speaks, it is held back until its own end."""
        item, text = self._item(body, kind), body["delta"]
        if not isinstance(text, str):
            raise TypeError("text that is none")
        if not text or item.final is not None:  # a finished item has the last word
            return
        key = (field, place_of(body, place))
        self._size += len(text) + OF_A_DELTA
        item.said.setdefault(key, []).append(text)
        if self._speaking is not item:
            item.held = item.held or self._speaking is not None
            if not item.held:
                self._speaking = item
        if not item.held:
            self._show(item, key, text, chunks)

    def _show(self, item: Item, key: tuple[str, int], text: str, chunks: list[StreamChunk]) -> None:
        block = item.blocks.get(key)
        if block is None:
            block = item.blocks[key] = self._blocks
            self._blocks += 1
        match key[0]:
            case "text":
                new = item.note != item.noted.get(key, {})
                item.noted[key] = item.note
                chunks.append(TextDelta(text, block, {self._provider: item.note} if new else None))
            case "refusal":
                chunks.append(RefusalDelta(text))
            case _:
                chunks.append(ThinkingDelta(text, block))

    def _over(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        """An item is finished."""
        final, index = body["item"], body.get("output_index")
        item = self._items.find(index, ids_of(final), kind_of(final), over=True)
        if item is not None and item.final == final:
            return  # said twice
        if item is None or item.final is not None or item.kind != kind_of(final):
            item = self._announce(body)
        self._close(item, final, chunks)

    def _close(self, item: Item, final: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        self._check(final)
        self._items.finish(item, final)
        match item.kind:
            case "message":
                self._close_message(item, final, chunks)
            case "reasoning":
                self._close_reasoning(item, final, chunks)
            case "function_call" | "custom_tool_call":
                self._close_call(item, final, chunks)
            case _:  # what the server ran itself, and what is not known here: kept, to be sent back
                chunks.append(WholePart(ThinkingPart(provider_data=self._kept(final))))
        if self._speaking is item:
            self._speaking = None

    def _kept(self, item: Mapping[str, Any]) -> dict[str, JSON]:
        """A whole item as it goes back."""
        return {self._provider: {"item": item}}

    def _check(self, value: Any) -> None:
        """Raises MalformedResponse for what could be kept, but never be written down."""
        size = size_of(value)
        if size is None:
            raise malformed(self._provider, "what is nested too deeply")
        self._size += size

    def _close_message(self, item: Item, final: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        item.note = note_of(final)
        for place, part in enumerate(final.get("content") or ()):
            if field := TEXTS.get(part.get("type")):
                self._rest(item, (field, place), part.get(field), chunks)
        self._left(item, chunks)
        last = max(item.blocks, key=item.blocks.__getitem__, default=("", 0))
        if last[0] == "text" and item.note and item.note != item.noted[last]:
            self._show(item, last, "", chunks)

    def _close_reasoning(self, item: Item, final: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        for field in ("summary", "content"):
            for place, part in enumerate(final.get(field) or ()):
                self._rest(item, (field, place), part.get("text"), chunks)
        self._left(item, chunks)
        if not item.blocks:
            self._blocks += 1
        chunks.append(ThinkingDelta("", max(item.blocks.values(), default=self._blocks - 1), self._kept(final)))

    def _close_call(self, item: Item, final: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        said = "".join(item.said.get(("arguments", 0), ()))
        self._call(item, final, arguments_of(final, said)[len(said) :], chunks)

    def _rest(self, item: Item, key: tuple[str, int], final: Any, chunks: list[StreamChunk]) -> None:
        """What the finished text has beyond what was shown of it."""
        if not isinstance(final, str | None):
            raise TypeError("text that is none")
        said = "".join(item.said.get(key, ()))
        shown = "" if item.held else said
        final = final or said
        if final.startswith(shown):
            item.said[key] = [final]
            if len(final) > len(shown):
                self._size += len(final) - len(shown)
                self._show(item, key, final[len(shown) :], chunks)
        elif key[0] in ("text", "refusal") and final.strip() != said.strip():
            raise malformed(self._provider, "a text whose end contradicts what came before")

    def _left(self, item: Item, chunks: list[StreamChunk]) -> None:
        """What was held back of texts that the finished item does not repeat."""
        if item.held:
            for key, pieces in item.said.items():
                if key not in item.blocks:
                    self._show(item, key, "".join(pieces), chunks)
        item.held = False

    def _terminal(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        response = body.get("response") or {}
        self._start(response, chunks)
        status = body["type"].removeprefix("response.")
        said = response.get("status")
        self._end(response, said if said in ("incomplete", "failed", "cancelled") else status, chunks)

    def _end(self, response: Mapping[str, Any], status: str, chunks: list[StreamChunk]) -> None:
        """The answer is over, with what it holds that did not come before."""
        if status in ("failed", "cancelled"):
            self._settle(response.get("output") or [], chunks)
            self._report(response.get("usage"), chunks)
            error = response.get("error")
            self._fail(read_fault({"error": error}) if error else Fault(message=f"the answer's status is {status}"))
            return
        if status not in ("completed", "incomplete"):
            raise IncompleteResponse(f"{self._provider}: the answer is not there yet, its status is {status[:40]!r}")
        self._settle(response.get("output") or [], chunks)
        self._report(response.get("usage"), chunks)
        self.done = True
        if status == "completed":
            chunks.append(Finished("tool_calls" if self._calls else "stop", status))
            return
        cause = word((response.get("incomplete_details") or {}).get("reason")) or status
        chunks.append(Finished(_CUT.get(cause, "length"), cause))

    def _settle(self, output: list[Any], chunks: list[StreamChunk]) -> None:
        """Items of the final list that were not finished, or that never came; the ids in it may be new ones."""
        came: defaultdict[str, deque[Item]] = defaultdict(deque)
        for item in self._items.all:
            came[item.kind].append(item)
        for final in output:
            kind = kind_of(final)
            item = came[kind].popleft() if came[kind] else self._open(kind)
            if item.final is None:
                self._close(item, final, chunks)
        for item in self._items.all:
            if item.final is None:
                self._left(item, chunks)
                if item.kind in CALLS and item.call is None:
                    self._call(item, item.opened, "", chunks)

    def _report(self, usage: Any, chunks: list[StreamChunk]) -> None:
        if isinstance(usage, dict) and usage:
            self._check(usage)
            chunks.append(UsageReported(read_usage(usage), usage))

    def _failed(self, body: dict[str, Any], chunks: list[StreamChunk]) -> None:
        """An error in the stream: nested under `error`, or flat."""
        if body.get("error"):
            self._fail(read_fault(body))
            return
        flat = {name: body.get(name) for name in ("message", "code", "param")}
        self._fail(read_fault({"error": flat}))

    def _fail(self, fault: Fault | None) -> None:
        self.done = True
        self.fault = fault if fault and fault.message else attrs.evolve(fault or Fault(message=""), message=_NO_WORDS)


_READERS: Mapping[str, Callable[[ResponsesParser, dict[str, Any], list[StreamChunk]], None]] = {
    "response.created": ResponsesParser._begin,
    "response.queued": ResponsesParser._begin,
    "response.in_progress": ResponsesParser._begin,
    "response.output_item.added": ResponsesParser._added,
    "response.output_item.done": ResponsesParser._over,
    "response.function_call_arguments.delta": ResponsesParser._arguments,
    "response.completed": ResponsesParser._terminal,
    "response.incomplete": ResponsesParser._terminal,
    "response.failed": ResponsesParser._terminal,
    "response.cancelled": ResponsesParser._terminal,
    "error": ResponsesParser._failed,
}
