"""Stories about the router, with a model that only writes text."""

from __future__ import annotations

import pytest
from codetether import tool
from codetether.testing.sessions import opened, results

NAME = "change-me"

SETTINGS = {"plugins": {"only": [NAME]}}


@tool(effects=("read",))
def shout(text: str) -> str:
    """Says it louder."""
    return text.upper()


async def test_a_fenced_block_becomes_a_call() -> None:
    described = 'Let me.\n```tool\n{"name": "shout", "arguments": {"text": "hello"}}\n```'
    async with opened(described, "Done.", tools=[shout], settings=SETTINGS) as (session, _):
        result = await session.prompt("go")
    assert results(session) == [("shout", True, "HELLO")]
    assert result.text == "Let me.\nDone."


@pytest.mark.parametrize(
    "text",
    [
        "Only words.",
        "```tool\nno JSON\n```",
        '```tool\n{"name": "unknown", "arguments": {}}\n```',
        '```python\n{"name": "shout", "arguments": {}}\n```',
    ],
)
async def test_what_is_no_call_stays_as_it_is(text: str) -> None:
    async with opened(text, tools=[shout], settings=SETTINGS) as (session, _):
        result = await session.prompt("go")
    assert (results(session), result.text) == ([], text)
