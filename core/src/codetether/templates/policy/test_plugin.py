"""Stories about the policy, with a tool that declares what it writes."""

from __future__ import annotations

from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolDefinition, ToolResult, text_result
from codetether.testing.scripted import Call
from codetether.testing.sessions import opened, results

NAME = "change-me"

SETTINGS = {"plugins": {"only": [NAME]}}


class Note:
    """A tool that would write a file."""

    definition = ToolDefinition(
        name="note",
        description="Writes a note.",
        schema={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
        effects=("write",),
    )

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """The file."""
        return Resources(writes=(str(call.arguments["path"]),))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """Says that it did."""
        return text_result("written")


async def test_a_lock_file_is_not_written_even_where_writing_is_allowed() -> None:
    calls = [Call("note", {"path": "notes.txt"}), Call("note", {"path": "deep/uv.lock"})]
    async with opened(calls, "Done.", tools=[Note()], settings=SETTINGS, allow=["write"]) as (session, _):
        await session.prompt("go")
    (_, wrote, _), (_, locked, why) = results(session)
    assert (wrote, locked) == (True, False)
    assert "deep/uv.lock is a lock file" in why
