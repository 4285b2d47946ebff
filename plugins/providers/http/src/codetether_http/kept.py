"""What was rendered of messages and tools, each once: a request costs what is new in it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import orjson
from attrs import frozen
from codetether import JSON, Message, ToolDefinition

from codetether_http.bodies import dumps, exact

T = TypeVar("T")


class Kept(Generic[T]):
    """Renders each message once, and keeps that for as long as the message lives."""

    def __init__(self, render: Callable[[Message], T], forgotten: Callable[[], None] | None = None) -> None:
        """`forgotten` is called when a message is gone."""
        self._render = render
        self._forgotten = forgotten
        self._entries: dict[int, tuple[weakref.ref[Message], T]] = {}

    def of(self, messages: Iterable[Message]) -> list[T]:
        """What was rendered of each, in their order."""
        entries, keep = self._entries, self._keep
        return [entry[1] if (entry := entries.get(id(message))) else keep(message) for message in messages]

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forgets all."""
        self._entries.clear()

    def _keep(self, message: Message) -> T:
        rendered = self._render(message)
        gone = _Gone(message, self._forget)
        gone.key = id(message)
        self._entries[gone.key] = gone, rendered
        return rendered

    def _forget(self, gone: weakref.ref[Message]) -> None:
        """The entry goes when the message does, before its identity can be another's."""
        assert isinstance(gone, _Gone)
        self._entries.pop(gone.key, None)
        if self._forgotten is not None:
            self._forgotten()


class _Gone(weakref.ref[Message]):
    """Knows of which message it was."""

    __slots__ = ("key",)
    key: int


@frozen(kw_only=True, eq=False)
class Offer:
    """Tools with what was rendered of them."""

    tools: tuple[ToolDefinition, ...]
    rendered: orjson.Fragment


class Offers:
    """Renders the very same tools once for all sessions of a process, and keeps that for as long as an offer lives."""

    def __init__(self, render: Callable[[ToolDefinition], JSON]) -> None:
        self._render = render
        self._offers: weakref.WeakValueDictionary[tuple[int, ...], Offer] = weakref.WeakValueDictionary()

    def of(self, tools: tuple[ToolDefinition, ...]) -> Offer:
        """The offer of these tools, rendered as a JSON array."""
        key = tuple(map(id, tools))
        offer = self._offers.get(key)
        if offer is None:
            rendered = exact(dumps([self._render(tool) for tool in tools]))
            offer = self._offers[key] = Offer(tools=tools, rendered=orjson.Fragment(rendered))
        return offer
