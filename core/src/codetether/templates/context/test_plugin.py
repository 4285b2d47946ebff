"""Stories about the context policy."""

from __future__ import annotations

from codetether import user
from codetether.testing.sessions import opened
from codetether_kind_change_me.plugin import LastTurns

NAME = "change-me"


async def test_the_model_sees_the_last_turns() -> None:
    settings = {"plugins": {"only": [NAME], NAME: {"turns": 2}}}
    async with opened("one", "two", "three", settings=settings) as (session, model):
        for prompt in ("first", "second", "third"):
            await session.prompt(prompt)
    assert [[message.text for message in request.messages] for request in model.requests] == [
        ["first"],
        ["first", "one", "second"],
        ["second", "two", "third"],
    ]
    assert len(session.session.messages) == 6  # the session itself keeps everything


async def test_a_short_history_stays_the_very_same_object() -> None:
    history = (user("hello"),)
    assert await LastTurns(1).choose(history) is history
