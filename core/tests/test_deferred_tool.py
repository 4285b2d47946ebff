"""A tool whose code is loaded by its first call."""

from __future__ import annotations

from codetether import DeferredTool, Tool, ToolCallComplete, tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import heard, opened


@tool(effects=("read",))
def length(word: str) -> str:
    """How long a word is."""
    return str(len(word))


async def test_it_is_offered_at_once_and_loaded_when_it_is_first_called() -> None:
    loaded: list[str] = []

    def load() -> Tool:
        loaded.append("length")
        return length

    twice = [Call("length", {"word": "one"}), Call("length", {"word": "three"})]
    async with opened(*([call] for call in twice), "ok", tools=[DeferredTool(length.definition, load)]) as (session, _):
        assert loaded == []
        said = [event.output for event in await heard(session) if isinstance(event, ToolCallComplete)]
    assert (said, loaded) == (["3", "5"], ["length"])
