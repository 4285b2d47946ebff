"""Recording a session's traffic onto a cassette, and answering a session from one: plugins for the Runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any

import attrs

from codetether import errors
from codetether.hookspecs import hookimpl
from codetether.models.completion import CompletionRequest, StreamChunk
from codetether.models.providers import Provider
from codetether.models.record import JSON
from codetether.models.tools import Resources, ToolCall, ToolDefinition, ToolResult, error_result
from codetether.plugin_contexts import PluginContext, SessionContext, ToolContext
from codetether.plugins.contracts import YIELDS
from codetether.plugins.life import created
from codetether.protocols import Connection, Tool, Wire
from codetether.specs import ProviderSpec, ToolsetSpec, WireSpec
from codetether.testing.calls import words_of
from codetether.testing.cassette import (
    HERE,
    Cassette,
    CassetteMismatch,
    asked,
    chunk_from_dict,
    chunk_to_dict,
    first_difference,
    moved,
)
from codetether.testing.subjects import Subject
from codetether.wire import from_dict, to_dict

COMPARED = ("model", "messages", "tools", "tool_choice", "sampling")
"""What of a request must be as recorded; the system prompt names dates and machines."""


class Hooks:
    """A plugin that yields the given records: (kind, record)."""

    def __init__(self, name: str, records: Iterable[tuple[str, Any]]) -> None:
        self.__codetether_name__ = name
        found = list(records)
        for kind in dict(found):
            if f"codetether_{kind}" in YIELDS:
                self._add(f"codetether_{kind}", [record for each, record in found if each == kind])

    def _add(self, hook: str, records: Sequence[Any]) -> None:
        def implementation() -> Iterable[Any]:
            return iter(records)

        implementation.__name__ = hook
        setattr(self, hook, hookimpl(implementation))


def recorded(cassette: Cassette, subjects: Iterable[Subject]) -> list[Hooks]:
    """The plugins, with all that their providers and tools say kept on the cassette; pass them to `Runtime.open`."""
    return [Hooks(each.name, (_kept(cassette, kind, record) for kind, record in each.records)) for each in subjects]


def _kept(cassette: Cassette, kind: str, record: Any) -> tuple[str, Any]:
    match record:
        case WireSpec():
            return kind, attrs.evolve(record, create=partial(_RecordedWire, record, cassette))
        case ToolsetSpec():
            return kind, attrs.evolve(record, create=partial(_RecordedTools, record, cassette))
        case _:
            return kind, record


class _Wrapped:
    """Creates what a record creates, and enters and leaves it."""

    def __init__(self, record: Any, cassette: Cassette, ctx: Any) -> None:
        self._record = record
        self._cassette = cassette
        self._ctx = ctx
        self._stack = AsyncExitStack()
        self._made: Any = None

    async def __aenter__(self) -> Any:
        self._made = await created(self._stack, self._record, self._ctx)
        return self

    async def __aexit__(self, *why: Any) -> None:
        await self._stack.__aexit__(*why)


class _RecordedWire(_Wrapped):
    async def connect(self, provider: Provider) -> Connection:
        """A connection whose exchanges are kept; its secrets are known to the cassette from now on."""
        for name, value in (provider.secret.values if provider.secret else {}).items():
            if name not in ("base_url", "organization", "project", "region"):
                self._cassette.redactor.add(str(value), f"{provider.name}.{name}")
        wire: Wire = self._made
        return RecordedConnection(await wire.connect(provider), self._cassette)


class RecordedConnection:
    """A connection whose exchanges are kept."""

    def __init__(self, connection: Any, cassette: Cassette) -> None:
        self._connection = connection
        self._cassette = cassette

    async def __aenter__(self) -> RecordedConnection:
        if hasattr(self._connection, "__aenter__"):
            self._connection = await self._connection.__aenter__()
        return self

    async def __aexit__(self, *why: Any) -> None:
        if hasattr(self._connection, "__aexit__"):
            await self._connection.__aexit__(*why)

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The real answer; it is kept as far as it was read."""
        chunks: list[JSON] = []
        exchange: dict[str, JSON] = {
            "exchange": "completion",
            "request": moved(asked(request), request.directory, HERE),
        }
        self._cassette.exchanges.append(exchange)
        try:
            async with aclosing(self._connection.stream(request)) as answer:
                async for chunk in answer:
                    chunks.append(chunk_to_dict(chunk))
                    yield chunk
        except errors.ProviderError as error:
            exchange["error"] = {"type": type(error).__name__, "message": error.message, "remedy": error.remedy}
            raise
        finally:
            exchange["chunks"] = moved(chunks, request.directory, HERE)


class _RecordedTools(_Wrapped):
    async def tools(self) -> Sequence[Tool]:
        """The tools, their calls kept."""
        return [RecordedTool(tool, self._cassette) for tool in await self._made.tools()]


class RecordedTool:
    """A tool whose calls are kept."""

    def __init__(self, tool: Tool, cassette: Cassette) -> None:
        self._tool = tool
        self._cassette = cassette
        self.definition: ToolDefinition = tool.definition
        cassette.offer(tool.definition)

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """What the tool says."""
        return self._tool.resources(call, ctx)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The real result, kept."""
        try:
            resources = to_dict(self._tool.resources(call, ctx))
            result = await self._tool.run(call, ctx)
        except Exception as error:  # kept as what the loop makes of it, and raised again
            self._keep(call, {}, error_result(words_of(error)), str(ctx.directory))
            raise
        self._keep(call, resources, result, str(ctx.directory))
        return result

    def _keep(self, call: ToolCall, resources: JSON, result: ToolResult, directory: str) -> None:
        exchange = {
            "exchange": "tool",
            "name": call.name,
            "arguments": dict(call.arguments),
            "resources": resources,
            "result": to_dict(result),
        }
        self._cassette.exchanges.append(moved(exchange, directory, HERE))


class Player:
    """Answers from a cassette, in the place of the providers and tools that were recorded.

    `plugin` goes to `Runtime.open(plugins=…)`, beside settings that load no installed plugin. The first request or
    call that is not as recorded raises CassetteMismatch where it happens, and again at `check()`.
    """

    def __init__(self, cassette: Cassette) -> None:
        self.cassette = cassette
        self.mismatch: CassetteMismatch | None = None
        self._left = list(cassette.exchanges)
        self._messages: list[JSON] = []
        models = [str(e["request"]["model"]).split("/", 1) for e in self._left if e["exchange"] == "completion"]
        providers = dict(reversed(models))
        self.plugin = Hooks(
            "cassette",
            [
                ("wires", WireSpec(name="cassette", create=self._same)),
                ("tools", ToolsetSpec(name="cassette", create=self._same)),
                *(("providers", self._provider(name, model)) for name, model in providers.items()),
            ],
        )

    @staticmethod
    def _provider(name: str, model: str) -> ProviderSpec:
        return ProviderSpec(name=name, wire="cassette", default_model=model, models=(model,), keyless=True)

    def _same(self, ctx: PluginContext) -> Player:
        return self

    async def connect(self, provider: Provider) -> Player:
        """Itself."""
        return self

    async def tools(self) -> Sequence[Tool]:
        """The tools that were offered when it was recorded."""
        return [_PlayedTool(definition, self) for definition in self.cassette.tools]

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The recorded answer to the next request. Raises CassetteMismatch where it is another request."""
        exchange = self._next("completion")
        now = self.cassette.redactor.data(moved(asked(request), request.directory, HERE))
        recorded_request = self._whole(exchange["request"])
        for name in (name for name in COMPARED if name in recorded_request):
            if found := first_difference(recorded_request[name], now[name], name):
                raise self._failed(f"the request differs from the recorded one at {found}")
        for chunk in exchange["chunks"]:
            yield chunk_from_dict(moved(chunk, HERE, request.directory))
        if failure := exchange.get("error"):
            raise getattr(errors, failure["type"])(failure["message"], remedy=failure["remedy"])

    def _whole(self, request: Mapping[str, JSON]) -> dict[str, JSON]:
        """A recorded request; `same` of its messages are those that the last one began with."""
        messages = [*self._messages[: request.get("same", 0)], *request["messages"]]
        self._messages = messages
        return {**request, "messages": messages}

    def call(self, name: str, arguments: Mapping[str, JSON], directory: str) -> dict[str, JSON]:
        """The recorded exchange of this very call; calls that ran together may come in another order."""
        now = self.cassette.redactor.data(moved(dict(arguments), directory, HERE))
        waiting = [e for e in self._left if e["exchange"] == "tool" and e["name"] == name]
        for exchange in waiting:
            if exchange["arguments"] == now:
                return exchange
        if not waiting:
            raise self._failed(f"{name} was not called once more when the cassette was recorded")
        found = first_difference(waiting[0]["arguments"], now, "arguments")
        raise self._failed(f"the call of {name} differs from the recorded one at {found}")

    def done(self, exchange: Mapping[str, JSON]) -> None:
        """The exchange was played."""
        self._left.remove(dict(exchange))

    def check(self) -> None:
        """Raises CassetteMismatch for the first difference, or for what was recorded and never asked for."""
        if self.mismatch:
            raise self.mismatch
        if self._left:
            kinds = ", ".join(str(e.get("name", "a completion")) for e in self._left[:3])
            raise self._failed(f"{len(self._left)} recorded exchanges were not asked for: {kinds}")

    def _next(self, kind: str) -> dict[str, JSON]:
        for exchange in self._left:
            if exchange["exchange"] == kind:
                self.done(exchange)
                return exchange
        raise self._failed("the model is asked once more than when the cassette was recorded")

    def _failed(self, what: str) -> CassetteMismatch:
        made = CassetteMismatch(f"{self.cassette.path.name}: {what}", remedy="record it again, or mend what changed")
        self.mismatch = self.mismatch or made
        return made


class _PlayedTool:
    """A tool that answers from a cassette."""

    def __init__(self, definition: ToolDefinition, player: Player) -> None:
        self.definition = definition
        self._player = player

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """What the call touched when it was recorded."""
        directory = str(ctx.directory)
        exchange = self._player.call(call.name, call.arguments, directory)
        return from_dict(moved(exchange["resources"], HERE, directory), Resources)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The recorded result."""
        directory = str(ctx.directory)
        exchange = self._player.call(call.name, call.arguments, directory)
        self._player.done(exchange)
        return from_dict(moved(exchange["result"], HERE, directory), ToolResult)
