"""Calls of a tool on trial: which of them may run, and running them as the loop does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any

from attrs import frozen

from codetether.errors import CodetetherError
from codetether.models.record import JSON
from codetether.models.tools import PermissionRequest, Resources, ToolCall, ToolResult, error_result
from codetether.permissions.rules import Rules
from codetether.plugins.boundary import reason_of
from codetether.plugins.contracts import check_result, validator
from codetether.protocols import Tool
from codetether.testing.network import no_network
from codetether.testing.promises import BrokenPromise, NotTried, require
from codetether.testing.trial import Trial
from codetether.testing.trials import ToolTrial

LIMIT = 20.0
"""Seconds that one call may take."""


@frozen(kw_only=True)
class ToolOnTrial:
    """A tool, and what its author says of trying it."""

    trial: Trial
    tool: Tool
    told: ToolTrial

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.tool.definition.name

    def call(self, arguments: Mapping[str, JSON]) -> ToolCall:
        """A call with these arguments."""
        return ToolCall(id="call-1", name=self.name, arguments=dict(arguments))

    def resources(self, call: ToolCall) -> Resources:
        """What the call says that it touches."""
        return self.tool.resources(call, self.trial.call_context(call.id))

    def harmless(self, call: ToolCall) -> bool:
        """Whether a session in mode `edit` would run the call unasked."""
        try:
            resources = self.resources(call)
        except Exception:  # a call that cannot tell what it touches is not run
            return False
        request = PermissionRequest(
            call=call,
            definition=self.tool.definition,
            resources=resources,
            directory=self.trial.directory,
            mode="edit",
        )
        return Rules.parse({}).decide(request).verdict == "allow"

    def calls(self) -> list[ToolCall]:
        """The calls that can be run here: the author's own, and the examples that would be run unasked."""
        self.told.prepare(self.trial.directory)
        own = [] if self.told.arguments is None else [self.call(self.told.arguments)]
        check = validator(self.tool.definition.schema)
        examples = [self.call(e.arguments) for e in self.tool.definition.examples if check.is_valid(dict(e.arguments))]
        return own + [call for call in examples[:3] if self.harmless(call)]

    async def run(self, call: ToolCall) -> ToolResult:
        """The call's result; what the tool raises is an error result, as in the loop."""
        ctx = self.trial.call_context(call.id)
        reaches = "network" in self.tool.definition.effects and "execute" not in self.tool.definition.effects
        fence: AbstractContextManager[list[str]] = nullcontext([]) if reaches else no_network(f"the tool {self.name}")
        with fence as tried:
            try:
                async with asyncio.timeout(LIMIT):
                    result = check_result(await self.tool.run(call, ctx))
            except TimeoutError:
                raise BrokenPromise(f"{self.name} took longer than {LIMIT:g} s with {shown(call)}") from None
            except Exception as error:  # the model is told
                result = error_result(words_of(error))
            if tried:
                raise BrokenPromise(f"{self.name} tried to reach {tried[0]}, but does not declare the effect `network`")
        return result


async def tools_of(trial: Trial) -> list[ToolOnTrial]:
    """The tools of the toolset on trial."""
    toolset = await trial.make()
    found: Sequence[Tool] = await toolset.tools()
    told = trial.subject.trials.tools
    return [ToolOnTrial(trial=trial, tool=tool, told=told.get(tool.definition.name, ToolTrial())) for tool in found]


async def calls_of(trial: Trial) -> list[tuple[ToolOnTrial, ToolCall]]:
    """Every call that can be run. Raises NotTried where there is none."""
    found = [(tool, call) for tool in await tools_of(trial) for call in tool.calls()]
    if not found:
        raise NotTried("no call can be run unasked: give examples, or Trials.tools with arguments")
    return found


def first_of(calls: Sequence[tuple[ToolOnTrial, ToolCall]]) -> list[tuple[ToolOnTrial, ToolCall]]:
    """The first call of each tool."""
    return list({tool.name: (tool, call) for tool, call in reversed(calls)}.values())


@asynccontextmanager
async def running(tool: ToolOnTrial, call: ToolCall) -> AsyncIterator[asyncio.Task[Any]]:
    """The call, begun; ended with the block at the latest."""
    task = asyncio.ensure_future(_contained(tool, call))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=5)


async def _contained(tool: ToolOnTrial, call: ToolCall) -> None:
    with suppress(SystemExit):  # which would end the event loop from within a task
        await tool.run(call)


def odd_arguments(schema: Mapping[str, Any], base: Mapping[str, JSON]) -> Iterator[dict[str, JSON]]:
    """Arguments that a model might write and that fit the schema: empty, hostile, huge."""
    check = validator(schema)
    for name, rules in schema.get("properties", {}).items():
        for value in _ODD.get(str(rules.get("type", "")), ()):
            arguments = {**base, name: value}
            if check.is_valid(arguments):
                yield arguments


_ODD: dict[str, tuple[JSON, ...]] = {
    "string": (
        "",
        " ",
        "\0",
        "../../../../nowhere",
        "grüße 日本 \U0001f600 \u202e",
        "x" * 100_000,
        "$(false)",
        "-x",
        "[",
    ),
    "integer": (0, -1, 2**63),
    "number": (0, -1.5, 1e300),
    "boolean": (True, False),
    "array": ([],),
    "object": ({},),
}


def words_of(error: BaseException) -> str:
    """What the loop tells the model of an exception."""
    return " ".join(str(error).split()) if isinstance(error, CodetetherError) else reason_of(error)


def shown(call: ToolCall) -> str:
    """A call's arguments for a message."""
    text = repr(dict(call.arguments))
    return text if len(text) < 200 else f"{text[:200]}…"


def files_of(result: ToolResult) -> str:
    """All that a result says, for people and machines."""
    require(isinstance(result, ToolResult), f"{type(result).__name__} is no ToolResult")
    return result.output + repr(dict(result.metadata))
