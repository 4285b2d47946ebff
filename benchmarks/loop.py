"""The agent loop of the floors, on codetether's Runtime: prints the same line of JSON. Run as a child."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

import codetether
from codetether import Done, FunctionTools, RunningSession, Runtime, TextChunk, ToolsetSpec, tool

LATE = """
    httpx httpcore._async.connection_pool anyio._backends._asyncio cattrs jsonschema_rs sqlite3 importlib_metadata
    codetether_http.connection codetether_provider_openai.wire codetether_tools_files.toolset
    codetether_tools_shell.bash codetether_tools_shell.toolset codetether_tools_work.toolset
    codetether_tools_work.sections codetether_tools_work.memory codetether_tools_lsp.definitions
    codetether_tools_lsp.toolset codetether_tools_mcp.toolset codetether_tools_web.toolset
    codetether_context_compaction.compactor codetether_router_functiongemma.silent codetether_router_text.router
    codetether_router_text.offers codetether_router_text.scanner ahocorasick_rs difflib
"""
"""What a run imports at its first step, so that the memory above imports is not that of imports."""


class EchoPlugin:
    """Offers the tool that the floor offers."""

    __codetether_name__ = "echo"

    @codetether.hookimpl
    def codetether_tools(self) -> Iterable[ToolsetSpec]:
        """Just `echo`."""
        common = importlib.import_module("common")

        @tool(effects=("read",))
        async def echo(text: str) -> str:
            """Return a fixed text of 200 bytes."""
            said: str = common.echo(text)
            return said

        yield ToolsetSpec(name="echo", create=lambda ctx: FunctionTools(echo))


async def prompted(session: RunningSession, text: str) -> float:
    """One prompt streamed to its end; the seconds to the first text."""
    began = time.perf_counter()
    first = 0.0
    end: Any = None
    async with aclosing(session.stream(text)) as events:  # type: ignore[type-var]
        async for end in events:
            if not first and isinstance(end, TextChunk):
                first = time.perf_counter() - began
    if not isinstance(end, Done) or end.status != "done":
        raise RuntimeError(f"ended with {end}")
    return first


async def measured(arguments: Any, common: Any) -> None:
    """Runs what is asked for, and prints what it cost."""
    plugins = [] if arguments.bash else [EchoPlugin()]
    with tempfile.TemporaryDirectory() as workspace:
        async with Runtime.open(plugins=plugins, directory=workspace, on_notice=lambda *_: None) as runtime:

            async def one(prompts: int) -> list[float]:
                async with runtime.session(model="openai/fake", max_steps=10**6, allow=("bash",)) as session:
                    return [await prompted(session, common.PROMPT) for _ in range(prompts)]

            with common.Meter("codetether", arguments) as meter:
                if arguments.mode == "ttft":
                    meter.extra = common.ttft((await one(60))[10:])
                else:
                    await asyncio.gather(*(one(1) for _ in range(arguments.concurrency)))


def main() -> None:
    """The floors' own arguments."""
    sys.path.insert(0, os.environ["CODETETHER_BENCH"])
    common = importlib.import_module("common")
    arguments = common.parse(lambda parser: parser.add_argument("--bash", action="store_true"))
    for name in LATE.split():
        importlib.import_module(name)
    asyncio.run(measured(arguments, common))


if __name__ == "__main__":
    main()
