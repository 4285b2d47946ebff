"""When a model fails for good, the next of the chain is asked, and the answer says who gave it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from codetether import (
    AuthenticationFailed,
    InvalidRequest,
    ModelRef,
    QuotaExhausted,
    Runtime,
    SelectorSpec,
    hookimpl,
)
from codetether.errors import ContextOverflow, ProviderError
from codetether.models import events
from codetether.session.running import RunningSession
from codetether.testing.scripted import Call, ScriptedProvider


@asynccontextmanager
async def session(
    *providers: ScriptedProvider, fallback: Sequence[str], plugins: Iterable[Any] = (), notices: Any = None
) -> AsyncIterator[RunningSession]:
    """A session with the first of the providers."""
    settings = {"session": {"fallback": list(fallback)}}
    opened = Runtime.open(settings=settings, plugins=[*providers, *plugins], on_notice=notices)
    async with opened as runtime, runtime.session(model=providers[0].name) as running:
        yield running


async def prompted(running: RunningSession, text: str = "hello") -> list[Any]:
    """The events that matter of one prompt."""
    wanted = (events.Thinking, events.Retry, events.TextComplete, events.UsageReport, events.Done, events.Error)
    return [event async for event in running.stream(text) if isinstance(event, wanted)]


@pytest.mark.parametrize(
    "error", [QuotaExhausted("no money"), AuthenticationFailed("bad key"), ContextOverflow("long")]
)
async def test_the_next_model_answers(error: ProviderError) -> None:
    first, second = ScriptedProvider([("half a "), error], name="one"), ScriptedProvider("whole", name="two")
    async with session(first, second, fallback=["two/other"]) as running:
        seen = await prompted(running)
        assert [type(event).__name__ for event in seen] == [
            "Thinking",
            "Retry",
            "Thinking",
            "TextComplete",
            "UsageReport",
            "Done",
        ]
        kind = type(error).__name__
        assert seen[1] == events.Retry(attempt=1, delay=0.0, reason=error.message, model="two/other", kind=kind)
        assert (seen[3].text, seen[4].model, seen[5].text) == ("whole", "two/other", "whole")
        answer = running.session.messages[-1]
        assert (answer.provider, answer.model, answer.text) == ("two", "other", "whole")
        assert [str(r.model) for p in (first, second) for r in p.requests] == ["one/model", "two/other"]


async def test_it_stays_with_the_one_that_answers_until_the_session_is_opened_again() -> None:
    first = ScriptedProvider(QuotaExhausted("no money"), "back again", name="one")
    second = ScriptedProvider(Call("nothing"), "two", "three", name="two")
    async with session(first, second, fallback=["two"]) as running:
        result = await running.prompt("a")
        assert (result.text, result.provider, result.model) == ("two", "two", "model")
        assert (await running.prompt("b")).text == "three"
        assert running.session.metadata.model == "one/model"
        assert len(first.requests) == 1


async def test_a_fallback_that_cannot_be_had_is_passed_over_and_said() -> None:
    notices: list[str] = []
    first = ScriptedProvider(QuotaExhausted("no money"), name="one")
    third = ScriptedProvider("three", name="three")
    chain = ["deepseek/model", "one", "three"]
    async with session(first, third, fallback=chain, notices=lambda _, text: notices.append(text)) as running:
        assert (await running.prompt("a")).text == "three"
    assert [n for n in notices if n.startswith("no fallback to deepseek/model: ")] == notices[-1:]


async def test_the_error_of_the_last_one_counts() -> None:
    first = ScriptedProvider(QuotaExhausted("no money"), name="one")
    second = ScriptedProvider(QuotaExhausted("no money here either"), name="two")
    async with session(first, second, fallback=["two"]) as running:
        result = await running.prompt("a")
    assert (result.status, result.reason) == ("provider_failed", "no money here either")


async def test_a_request_that_is_wrong_is_asked_of_nobody_else() -> None:
    first, second = ScriptedProvider(InvalidRequest("a bad schema"), name="one"), ScriptedProvider(name="two")
    async with session(first, second, fallback=["two"]) as running:
        result = await running.prompt("a")
    assert (result.status, result.reason, second.requests) == ("provider_failed", "a bad schema", [])


class Two:
    """A selector that gives two models."""

    __codetether_name__ = "both"

    @hookimpl
    def codetether_selectors(self) -> Iterable[SelectorSpec]:
        yield SelectorSpec(name="both", create=lambda ctx: self, place=1)

    async def select(self, wish: str | None, available: Any) -> list[ModelRef]:
        return [ModelRef(provider="one", model="model"), ModelRef(provider="two", model="tail")]


async def test_what_a_selector_gives_beyond_the_first_is_fallen_back_on() -> None:
    first, second = ScriptedProvider(QuotaExhausted("no money"), name="one"), ScriptedProvider("yes", name="two")
    async with session(first, second, fallback=[], plugins=[Two()]) as running:
        result = await running.prompt("a")
    assert (result.text, result.provider, result.model) == ("yes", "two", "tail")
