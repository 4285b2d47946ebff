"""Stories about several calls in one: each is judged and recorded, none may hide behind the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codetether import Announced, ToolCallComplete, ToolCallStart, ToolCompleted, ToolContext, ToolResult, tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import heard, opened, results
from codetether_tools_work import plugin


@tool(effects=("read",))
def look(place: str) -> str:
    """Looks.

    Args:
        place: where.
    """
    return f"seen {place}"


@tool(effects=("write",))
def put(place: str) -> str:
    """Changes something.

    Args:
        place: where.
    """
    return f"changed {place}"


def batch(*calls: tuple[str, dict[str, Any]]) -> Call:
    return Call("batch", {"calls": [{"tool": name, "arguments": arguments} for name, arguments in calls]}, id="b")


async def test_I11_each_call_is_judged_by_itself_and_the_results_keep_their_order(repo: Path) -> None:
    calls = batch(
        ("look", {"place": "a"}),
        ("look", {"place": "b"}),
        ("put", {"place": "c"}),
        ("Look", {"place": "d"}),
        ("task", {"prompt": "x", "agent": "build"}),
        ("look", {}),
        ("batch", {"calls": []}),
    )
    tools: dict[str, Any] = {"tools": [look, put], "plugins": [plugin], "directory": repo}
    async with opened(calls, "ok", **tools) as (session, _):
        events = await heard(session)
        ((name, success, text),) = results(session)
    lines = text.splitlines()
    assert (name, success) == ("batch", False)
    assert lines[:4] == ["[1] look: done", "seen a", "[2] look: done", "seen b"]
    assert lines[4] == "[3] put: failed"
    assert "put was denied" in lines[5]
    assert lines[6:10] == [
        "[4] Look: failed",
        "Error: Unknown tool 'Look'",
        "[5] task: failed",
        "Error: task cannot be called in a batch; call it by itself",
    ]
    assert lines[10] == "[6] look: failed"
    assert lines[-2:] == ["[7] batch: failed", "Error: batch cannot be called in a batch; call it by itself"]
    starts = [(e.call_id, e.name, e.parent_call_id) for e in events if isinstance(e, ToolCallStart)]
    assert starts[:2] == [("b", "batch", None), ("b.1", "look", "b")]
    ended = [e.call_id for e in events if isinstance(e, ToolCallComplete)]
    assert ended == [*(f"b.{n}" for n in range(1, 6)), "b"]


async def test_what_nobody_could_allow_in_a_batch_ends_the_run_as_denied(repo: Path) -> None:
    tools: dict[str, Any] = {"tools": [look, put], "plugins": [plugin], "directory": repo}
    async with opened(batch(("put", {"place": "c"})), "then not", **tools) as (session, _):
        assert (await session.prompt("go")).status == "denied"
    async with opened(batch(("put", {"place": "c"})), "done", allow=["put"], **tools) as (session, _):
        assert (await session.prompt("go")).status == "done"
        kept = session.id
        entries = [record.entry for record in session.journal.records()]
    completed = [entry.result.name for entry in entries if isinstance(entry, ToolCompleted)]
    announced = [entry.event for entry in entries if isinstance(entry, Announced)]
    told = [event.call_id for event in announced if isinstance(event, ToolCallComplete)]
    assert (completed, told) == (["batch"], ["b.1"])
    async with opened("again", id=kept, **tools) as (
        session,
        provider,
    ):  # the conversation holds the batch's result alone
        await session.prompt("and now?")
        assert [message.role for message in provider.requests[0].messages] == [
            "user",
            "assistant",
            "tool",
            "assistant",
            "user",
        ]
        assert results(session) == [("batch", True, "[1] put: done\nchanged c")]


async def test_a_call_within_a_call_goes_no_deeper(repo: Path) -> None:
    @tool(effects=())
    async def twice(ctx: ToolContext) -> ToolResult:
        """Calls itself."""
        return (await ctx.call([("twice", {})]))[0]

    async with opened(Call("twice"), "ok", tools=[twice], directory=repo) as (session, _):
        await session.prompt("go")
        assert results(session) == [("twice", False, "Error: a call that another call made may make none itself")]
