"""One toolset for each promise of tools."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
from codetether import (
    FunctionTools,
    Resources,
    Tool,
    ToolCall,
    ToolContext,
    ToolDefinition,
    ToolExample,
    ToolResult,
    ToolsetSpec,
    text_result,
)
from codetether.testing.trials import ToolTrial, Trials

from tests.kit.broken import breaking

SOUND = ToolDefinition(
    name="probe",
    description="Looks at a word and says it again.",
    schema={
        "type": "object",
        "properties": {"word": {"type": "string", "description": "the word"}},
        "required": ["word"],
        "additionalProperties": False,
    },
    effects=("read",),
    examples=(ToolExample(prompt="say hello", arguments={"word": "hello"}),),
)


def schema(**changes: Any) -> ToolDefinition:
    """The sound definition with another schema."""
    return attrs.evolve(SOUND, schema={**SOUND.schema, **changes})


class Probe:
    """A tool that keeps every promise."""

    definition = SOUND

    def resources(self, call: ToolCall, ctx: Any) -> Resources:
        return Resources()

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        return text_result(await self.said(call.arguments, ctx))

    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        return str(arguments["word"])


class Nameless(Probe):
    definition = attrs.evolve(SOUND, description=" ")


class Loose(Probe):
    definition = schema(additionalProperties=True)


class Undescribed(Probe):
    definition = schema(properties={"word": {"type": "string"}})


class Misled(Probe):
    definition = attrs.evolve(SOUND, examples=(*SOUND.examples, ToolExample(prompt="?", arguments={"words": 1})))


class Unstable(Probe):
    @property
    def definition(self) -> ToolDefinition:  # type: ignore[override]
        return attrs.evolve(SOUND)


class Busy(Probe):
    def resources(self, call: ToolCall, ctx: Any) -> Resources:
        (ctx.directory / uuid4().hex).touch()
        return Resources()


class Writer(Probe):
    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        Path(ctx.directory, "written").touch()
        return "read"


class Quitter(Probe):
    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        if not arguments["word"].strip():
            raise SystemExit(2)
        return "fine"


class Wanderer(Probe):
    definition = schema(properties={"path": {"type": "string", "description": "a file"}}, required=["path"])
    definition = attrs.evolve(definition, examples=(ToolExample(prompt="?", arguments={"path": "a"}),))

    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        path = Path(ctx.directory, arguments["path"].replace("\0", "")[:200])
        return path.read_text() if path.is_file() else "no file"


class Stubborn(Probe):
    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            await asyncio.sleep(1.5)
        return "slow"


class Parent(Probe):
    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        if arguments["word"] == "hello":
            subprocess.run(["sh", "-c", "sleep 67 > /dev/null 2>&1 &"], start_new_session=True, check=True)
        return "begun"


class Flood(Probe):
    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        return "x" * 5_000_000 if arguments["word"] == "much" else "little"


class Raw(Probe):
    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        return " ".join(sorted(os.listdir(ctx.directory)))  # noqa: PTH208


class Chatty(Probe):
    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        return repr(sorted(value for name, value in os.environ.items() if name.endswith("_KEY")))


class Alone(Probe):
    running = 0

    async def said(self, arguments: Any, ctx: ToolContext) -> str:
        self.running += 1
        await asyncio.sleep(0.001)
        said, self.running = f"{self.running} of us", 0
        return said


def with_(make: Callable[[], Any], trials: Trials | None = None) -> Any:
    """A plugin with such a tool."""
    return breaking("tools", ToolsetSpec(name="probe", create=lambda ctx: FunctionTools(make())), trials)


class Nothing:
    """No tools at all."""

    async def tools(self) -> Sequence[Tool]:
        return ()


MUCH = Trials(tools={"probe": ToolTrial(arguments={"word": "a"}, flood={"word": "much"})})
BROKEN: dict[str, Any] = {
    "definitions are sound": with_(Nameless),
    "definitions are stable": with_(Unstable),
    "unknown arguments are refused": with_(Loose),
    "arguments are described": with_(Undescribed),
    "examples fit the schema": with_(Misled),
    "resources only looks": with_(Busy),
    "effects are true": with_(Writer),
    "odd arguments end in a result": with_(Quitter),
    "paths lead nowhere else": with_(Wanderer),
    "a stopped call is over": with_(Stubborn),
    "nothing outlives a call": with_(Parent),
    "output is capped": with_(Flood, MUCH),
    "results are proper text": with_(Raw),
    "secrets of the environment stay there": with_(Chatty),
    "read only calls run together": with_(Alone),
}
