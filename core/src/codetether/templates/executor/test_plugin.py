"""Stories about the executor, used by a tool as any other is."""

from __future__ import annotations

from codetether import ToolContext, tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import opened, results

NAME = "change-me"
SETTINGS = {"plugins": {"only": [NAME]}, "session": {"executor": NAME}}


@tool(effects=("execute",))
async def epoch(ctx: ToolContext) -> str:
    """Tells when the epoch began."""
    done = await ctx.executor.run(["sh", "-c", "date -d @0 2>/dev/null || date -r 0"])
    return done.stdout.decode()


async def test_hours_are_counted_alike() -> None:
    async with opened([Call("epoch")], "Done.", tools=[epoch], settings=SETTINGS, allow=["epoch"]) as (session, _):
        await session.prompt("go")
    ((_, success, told),) = results(session)
    assert success
    assert "00:00:00 UTC 1970" in " ".join(told.split())
