"""An output item of a Responses server: as it grows, and what is worth keeping of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from codetether import JSON

CALLS = ("function_call", "custom_tool_call")
SPOKEN = ("message", "reasoning", *CALLS)
"""The kinds of items that deltas tell of."""
TEXTS = {"output_text": "text", "text": "text", "refusal": "refusal"}
"""The parts of a message, and the field in which their text stands."""
SAID: Mapping[str, tuple[str, str, str]] = {
    "response.output_text.delta": ("message", "text", "content_index"),
    "response.refusal.delta": ("message", "refusal", "content_index"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_index"),
    "response.reasoning_text.delta": ("reasoning", "content", "content_index"),
}
"""Deltas of text: the item's kind, where the text stands in the finished item, and the field that tells its place."""
_OF_A_CALL = ("type", "status", "call_id", "name", "arguments")
_LEVELS_AROUND = 32
"""So many levels a journal or a request adds, at most, around what is kept."""


class Item:
    """One item: what was said of it, by kind and place, and what was shown.

    Attributes:
        said: the deltas of each text. blocks: the block in which a text is shown.
        note: what goes back with a message's texts; noted: what of it was given out already.
        opened: the item as it was announced; final: as it was finished.
        call: its place among the calls. held: its text waits, because another item speaks.
    """

    __slots__ = ("blocks", "call", "final", "held", "index", "kind", "note", "noted", "opened", "said")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.index: int | None = None
        self.said: dict[tuple[str, int], list[str]] = {}
        self.blocks: dict[tuple[str, int], int] = {}
        self.note: dict[str, JSON] = {}
        self.noted: dict[tuple[str, int], dict[str, JSON]] = {}
        self.opened: Mapping[str, JSON] = {}
        self.final: Mapping[str, JSON] | None = None
        self.call: int | None = None
        self.held = False


class Items:
    """The items of one answer, found by whatever a server tells of them.

    Attributes:
        all: in the order in which they came. at: by their index.
    """

    def __init__(self) -> None:
        self.all: list[Item] = []
        self.at: dict[Any, Item] = {}
        self._ids: dict[str, Item] = {}
        self._growing: defaultdict[str, dict[Item, None]] = defaultdict(dict)
        self._loose: defaultdict[str, dict[Item, None]] = defaultdict(dict)

    def find(self, index: Any, ids: Iterable[str], kind: str, *, over: bool = False) -> Item | None:
        """The item of an event: by its index, by its ids, else the last of its kind that grows, or the first to end."""
        if index in self.at:
            return self.at[index]
        item = next((self._ids[id_] for id_ in ids if id_ in self._ids), None)
        if item is None or (index is not None and item.index is not None):
            pool = self._growing[kind] if index is None else self._loose[kind]
            item = next(iter(pool) if over else reversed(pool), None)
        if item is not None:
            self._put(item, index)
        return item

    def open(self, kind: str, index: Any) -> Item:
        """A new item; one that was at that index is not found there any more."""
        item = Item(kind)
        self.all.append(item)
        self._growing[kind][item] = self._loose[kind][item] = None
        self._put(item, index)
        return item

    def name(self, item: Item, ids: Iterable[str]) -> None:
        """The item is found by these ids from now on."""
        self._ids |= dict.fromkeys(ids, item)

    def finish(self, item: Item, final: Mapping[str, JSON]) -> None:
        """The item does not grow any more."""
        item.final = final
        self._growing[item.kind].pop(item, None)
        self._loose[item.kind].pop(item, None)

    def _put(self, item: Item, index: Any) -> None:
        if isinstance(index, int):
            item.index = index
            self.at[index] = item
            self._loose[item.kind].pop(item, None)


def kind_of(item: Mapping[str, Any]) -> str:
    """The item's type. Raises TypeError where it is no text."""
    kind = item["type"]
    if not isinstance(kind, str):
        raise TypeError("an item without a type")
    return kind


def ids_of(told: Mapping[str, Any]) -> list[str]:
    """The ids by which an item is named: in the item itself, or in an event about it."""
    return [id_ for name in ("item_id", "id", "call_id") if isinstance(id_ := told.get(name), str)]


def note_of(message: Mapping[str, Any]) -> dict[str, JSON]:
    """What goes back with the texts of a message: its id, and whether it is commentary or the answer."""
    return {name: message[name] for name in ("id", "phase") if isinstance(message.get(name), str)}


def extra_of(call: Item) -> dict[str, JSON]:
    """What goes back with a call that is over, beyond what makes it one."""
    if call.final is None or call.kind != "function_call":
        return {}
    return {k: v for k, v in call.final.items() if k not in _OF_A_CALL and v is not None}


def word(value: Any) -> str | None:
    """A text that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def place_of(body: Mapping[str, Any], name: str) -> int:
    """An index, 0 where a server leaves it out."""
    place = body.get(name)
    return place if isinstance(place, int) else 0


def arguments_of(call: Mapping[str, Any], said: str) -> str:
    """The arguments of a finished call, which begin with what was said of them; free input becomes the field `input`.

    Raises ValueError where the two mean different things.
    """
    free = call["type"] == "custom_tool_call"
    arguments = {"input": call.get("input")} if free else call.get("arguments") or ""
    whole = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    if whole.startswith(said):
        return whole
    if whole and _value(whole) != _value(said):
        raise ValueError("a tool call whose end contradicts what came before")
    return said


def _value(arguments: str) -> JSON:
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


def size_of(value: Any) -> int | None:
    """Bytes of a value as JSON, None where it is nested too deeply to be written down."""
    for _ in range(_LEVELS_AROUND):
        value = [value]
    try:
        return len(orjson.dumps(value))
    except TypeError:
        return None
