"""Stories about the audit sink, with a tool that leaves a trace when it runs."""

from __future__ import annotations

import json
from pathlib import Path

from codetether import tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import opened, results

NAME = "change-me"

SETTINGS = {"plugins": {"only": [NAME]}}


async def test_the_intent_stands_before_the_effect_and_its_outcome_after(codetether_home: Path) -> None:
    book = codetether_home / "state" / "plugins" / NAME / "audit.jsonl"
    seen: list[str] = []

    @tool(effects=("read",))
    def look() -> str:
        """Looks into the book."""
        seen.append(json.loads(book.read_text().splitlines()[-1])["outcome"])
        return "looked"

    async with opened([Call("look")], "Done.", tools=[look], settings=SETTINGS) as (session, _):
        await session.prompt("go")
    entries = [json.loads(line) for line in book.read_text().splitlines()]
    told = [entry["outcome"] for entry in entries if entry["action"] == "tool:look"]
    assert (seen, told) == (["intent"], ["intent", "success"])
    assert book.stat().st_mode & 0o777 == 0o600


async def test_what_cannot_be_recorded_is_not_done(codetether_home: Path) -> None:
    book = codetether_home / "state" / "plugins" / NAME / "audit.jsonl"
    book.mkdir(parents=True)  # no file can be written here
    done: list[str] = []

    @tool(effects=("read",))
    def work() -> str:
        """Does something."""
        done.append("done")
        return "done"

    async with opened([Call("work")], "Done.", tools=[work], settings=SETTINGS) as (session, _):
        result = await session.prompt("go")
    assert (done, result.status) == ([], "error")
    assert NAME in result.error
    assert [success for _, success, _ in results(session)] == [False]
