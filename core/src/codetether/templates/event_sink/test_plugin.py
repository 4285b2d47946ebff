"""Stories about the event sink."""

from __future__ import annotations

from pathlib import Path

from codetether.testing.sessions import opened

NAME = "change-me"

SETTINGS = {"plugins": {"only": [NAME]}}


def lines(home: Path, session: str) -> list[list[str]]:
    """The words of each line of a session's file."""
    file = home / "state" / "plugins" / NAME / f"{session}.log"
    return [line.split() for line in file.read_text().splitlines()]


async def test_a_session_is_told_from_its_first_word_to_its_last(codetether_home: Path) -> None:
    async with opened("Hello.", settings=SETTINGS) as (session, _):
        await session.prompt("hi")
    kinds = [kind for _, _, kind in lines(codetether_home, session.id)]
    assert (kinds[0], kinds[-1]) == ("UserMessage", "Done")
    assert "TextComplete" in kinds


async def test_what_it_lost_is_sent_again(codetether_home: Path) -> None:
    async with opened("Hello.", settings=SETTINGS) as (session, _):
        await session.prompt("hi")
    whole = lines(codetether_home, session.id)
    file = codetether_home / "state" / "plugins" / NAME / f"{session.id}.log"
    file.write_text("".join(f"{' '.join(line)}\n" for line in whole[:1]))
    async with opened(id=session.id, settings=SETTINGS):
        pass
    assert lines(codetether_home, session.id) == whole
