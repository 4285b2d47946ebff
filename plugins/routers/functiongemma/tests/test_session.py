"""Whole prompts: a scripted model that announces what it does, the text router before this one, a real small model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codetether import TextPart, ToolCallPart, tool
from codetether.testing.sessions import opened, results

ANNOUNCED = "Let me call read_poem with `roses`."


@tool(effects=("read",))
def read_poem(title: str) -> str:
    """Reads a poem."""
    return f"{title} are red"


def settings(path: Path, **changes: Any) -> dict[str, Any]:
    own = {"enabled": True, "model_path": str(path), "threads": 1, "context": 2048, "timeout": 100.0, **changes}
    return {"plugins": {"only": ["functiongemma", "text"], "functiongemma": own}}


async def test_an_announced_call_runs_and_the_journal_keeps_what_was_written(model_path: Path) -> None:
    async with opened(ANNOUNCED, "Done.", tools=[read_poem], settings=settings(model_path)) as (session, _):
        result = await session.prompt("go")
    assert results(session) == [("read_poem", True, "roses are red")]
    assert result.text == f"{ANNOUNCED}\nDone."
    assistant = session.session.messages[1]
    (call,) = assistant.tool_calls
    assert assistant.parts == (
        TextPart(text=ANNOUNCED),
        ToolCallPart(id=call.id, name="read_poem", arguments='{"title": "roses"}', written=ANNOUNCED),
    )
    assert call.id.startswith("fc_")


async def test_a_call_in_a_known_format_is_not_asked_about(tmp_path: Path) -> None:
    written = '<tool_call>\n{"name": "read_poem", "arguments": {"title": "violets"}}\n</tool_call>'
    broken = tmp_path / "model.gguf"
    broken.write_bytes(b"GGUF and no model")
    async with opened(written, "Done.", tools=[read_poem], settings=settings(broken)) as (session, _):
        await session.prompt("go")
    assert results(session) == [("read_poem", True, "violets are red")]


async def test_without_a_model_the_text_stays_and_the_run_goes_on(tmp_path: Path) -> None:
    async with opened(ANNOUNCED, tools=[read_poem], settings=settings(tmp_path / "none.gguf")) as (session, _):
        result = await session.prompt("go")
    assert (results(session), result.status, result.text) == ([], "done", ANNOUNCED)
