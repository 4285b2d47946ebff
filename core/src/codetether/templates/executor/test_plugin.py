"""Stories about the executor, used by a tool as any other is."""

from __future__ import annotations

import pytest
from codetether import ExecutorError, ToolContext, tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import opened, results
from codetether_kind_change_me.plugin import DryRun

NAME = "change-me"

SETTINGS = {"plugins": {"only": [NAME]}, "session": {"executor": NAME}}


@tool(effects=("execute",))
async def tidy(ctx: ToolContext) -> str:
    """Removes what is not needed."""
    done = await ctx.executor.run(["rm", "-r", "no such thing"])
    return done.stdout.decode()


async def test_a_command_is_shown_instead_of_run() -> None:
    async with opened([Call("tidy")], "Done.", tools=[tidy], settings=SETTINGS, allow=["tidy"]) as (session, _):
        await session.prompt("go")
    assert results(session) == [("tidy", True, "would run: rm -r 'no such thing'\n")]


async def test_a_server_cannot_be_started() -> None:
    with pytest.raises(ExecutorError, match="dry run"):
        await DryRun().start(["server"])
