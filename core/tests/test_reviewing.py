"""What reviewers add to the results of tool calls."""

from __future__ import annotations

from codetether import Resources, ResultReviewerSpec, ToolCall, ToolCallComplete, ToolResult, tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import Yields, heard, opened


@tool(effects=("read",))
def note(text: str) -> str:
    """Notes a text."""
    return f"noted {text}"


class Reader:
    """Says which call it saw, and with which result."""

    async def review(self, call: ToolCall, resources: Resources, result: ToolResult) -> str | None:
        return f"{call.name}: {result.output}" if result.output != "noted dull" else None


class Broken(Reader):
    async def review(self, call: ToolCall, resources: Resources, result: ToolResult) -> str | None:
        raise ValueError("out of order")


async def test_a_review_stands_behind_the_result_and_a_failing_reviewer_takes_nothing_away() -> None:
    made = [
        ResultReviewerSpec(name="broken", create=lambda ctx: Broken()),
        ResultReviewerSpec(name="reader", create=lambda ctx: Reader()),
    ]
    plugins = [Yields("codetether_result_reviewers", record, name=record.name) for record in made]
    script = [Call("note", {"text": "this"}), Call("note", {"text": "dull"})]
    notices: list[str] = []
    async with opened(script, "ok", tools=[note], plugins=plugins, notices=notices) as (session, _):
        events = await heard(session)
    said = [event.output for event in events if isinstance(event, ToolCallComplete)]
    assert said == ["noted this\nnote: noted this", "noted dull"]
    assert any("out of order" in notice for notice in notices)
