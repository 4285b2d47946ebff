"""The tutorial's tools do what it says."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
from codetether import tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import heard, opened, results

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "a-tool.md"


def blocks(language: str) -> list[str]:
    """The page's blocks of code."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


async def test_ten_lines_make_a_tool() -> None:
    source = blocks("python")[0]
    module: Any = ModuleType("shout")
    exec(source, module.__dict__)
    script = Call("shout", {"text": "hello"}), "done"
    async with opened(*script, plugins=[module]) as (session, _):
        await heard(session)
        assert results(session) == [("shout", True, "HELLO")]
    assert len([line for line in source.splitlines() if line.strip()]) <= 10


async def test_what_does_not_fit_is_answered_as_the_page_shows() -> None:
    source = next(block for block in blocks("python") if "class Waypoint" in block)
    names: dict[str, Any] = {"attrs": attrs, "tool": tool, "__name__": __name__}
    exec(source, names)
    script = Call("walk", {"way": [{"name": "Ulm", "rest": -5}]}), "done"
    async with opened(*script, tools=[names["walk"]]) as (session, _):
        await heard(session)
        ((_, success, said),) = results(session)
    (shown,) = (block.strip() for block in blocks("text") if block.startswith("Error:"))
    before, _, after = shown.partition("{…}")
    assert not success
    assert (said.startswith(before), said.endswith(after)) == (True, True)
