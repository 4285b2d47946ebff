"""A long session goes on within its model's context, and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import codetether_context_compaction.plugin as compaction
import pytest
from codetether import (
    CompletionRequest,
    ContextOverflow,
    ModelDefaults,
    ModelLimits,
    RunningSession,
    Runtime,
    ToolResultPart,
    Usage,
    tool,
)
from codetether.models import events
from codetether.models.window import is_paired
from codetether.testing import sessions
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.sessions import ONLY, Tools, Yields, opened, results
from hypothesis import given, settings
from hypothesis import strategies as st

CONTEXT = 4000
SUMMARY = "Goal: to look at everything"


@tool(effects=("read",))
def look(n: int, words: int = 400) -> str:
    """Looks at something."""
    return f"{n}: " + "word " * words


def context(tokens: int = CONTEXT) -> Yields:
    """A plugin by which the scripted model takes so many tokens."""
    limits = ModelLimits(context=tokens)
    return Yields("codetether_model_defaults", ModelDefaults(match="*/model", limits=limits), name="small")


def is_summary(request: CompletionRequest) -> bool:
    """Whether the model is asked for a summary."""
    return request.system.startswith("You summarise")


def looking(times: int, **arguments: Any) -> Callable[[CompletionRequest], Any]:
    """A model that looks so often and is done, and sums up where it is asked to."""
    looked = 0

    def answer(request: CompletionRequest) -> Any:
        nonlocal looked
        if is_summary(request):
            return SUMMARY
        looked += 1
        return Call("look", {"n": looked, **arguments}) if looked <= times else "done"

    return answer


async def heard(session: RunningSession, prompt: str = "go") -> list[Any]:
    """All events of one prompt."""
    return list(await sessions.heard(session, prompt))


def of(kind: type[Any], found: list[Any]) -> list[Any]:
    """The events of a kind."""
    return [event for event in found if isinstance(event, kind)]


def asked(provider: ScriptedProvider) -> list[CompletionRequest]:
    """What the model was asked in the conversation itself."""
    return [request for request in provider.requests if not is_summary(request)]


async def test_a_session_of_many_contexts_goes_on_and_its_journal_has_all_of_it() -> None:
    script = [looking(30)] * 60
    async with opened(*script, tools=[look], plugins=[context(), compaction]) as (session, provider):
        found = await heard(session, "Look at everything, but never at the attic")
        assert of(events.Done, found)[0].status == "done"
        assert len(results(session)) == 30
        compactions = of(events.Compaction, found)
        assert len(compactions) > 3
        assert all(each.tokens_after < each.tokens_before <= CONTEXT for each in compactions)
        seen = asked(provider)
        assert all(is_paired(request.messages) for request in seen)
        assert "never at the attic" in seen[-1].messages[0].text
        assert SUMMARY in seen[-1].messages[0].text
        grown = [now.messages[: len(old.messages)] == old.messages for old, now in pairwise(seen)]
        assert grown.count(False) == len(compactions)
        kept = [all(a is b for a, b in zip(old.messages, now.messages, strict=False)) for old, now in pairwise(seen)]
        assert kept == grown
        assert all((request.system, request.tools) == (seen[0].system, seen[0].tools) for request in seen)


async def test_it_is_the_same_when_it_is_opened_again_and_longer_when_it_is_undone(tmp_path: Path) -> None:
    script = [looking(8)] * 12
    async with opened(*script, tools=[look], plugins=[context(), compaction], directory=tmp_path) as (session, first):
        await heard(session)
        seen = (*asked(first)[-1].messages, session.session.messages[-1])
        id_ = session.id
    async with opened("ok", tools=[look], plugins=[compaction], id=id_, directory=tmp_path) as (session, again):
        await heard(session, "and?")
        assert again.requests[0].messages[:-1] == seen
        assert await session.undo_compaction()
        await heard(session, "all of it?")
        assert again.requests[1].messages == session.session.messages[:-1]
        assert not await session.undo_compaction()


async def test_a_user_who_wants_it_gets_it_and_an_old_result_is_cut_where_that_is_enough() -> None:
    long = [Call("look", {"n": 1, "words": 2000}), "first", "second " * 250, "third", SUMMARY]
    async with opened(*long, tools=[look], plugins=[context(3500), compaction]) as (session, provider):
        await heard(session, "one")
        await heard(session, "two")
        found = await heard(session, "three")
        [cut] = of(events.Compaction, found)
        assert (cut.why, cut.by, cut.replaced) == ("threshold", 4, 4)
        assert not any(map(is_summary, provider.requests))
        parts = (part for message in provider.requests[-1].messages for part in message.parts)
        [result] = [part for part in parts if isinstance(part, ToolResultPart)]
        assert "characters left out to save room" in result.text
        assert len(result.text) < 1000
        assert len(results(session)[0][2]) == 10003
        assert await session.compact()
        assert is_summary(provider.requests[-1])
        assert len(session.journal.state.seen) == 3


async def test_a_provider_that_finds_it_too_long_is_asked_once_more_and_not_a_third_time() -> None:
    def play(fails: int) -> Callable[[CompletionRequest], Any]:
        left = fails

        def answer(request: CompletionRequest) -> Any:
            nonlocal left
            if is_summary(request):
                return SUMMARY
            if len(asked(provider)) <= 2:
                return "answer " * 1000
            left -= 1
            return ContextOverflow("too long") if left >= 0 else "fits"

        return answer

    for fails, status in ((1, "done"), (2, "provider_failed")):
        async with opened(*[play(fails)] * 9, plugins=[compaction]) as (session, provider):
            await heard(session, "one")
            await heard(session, "two")
            found = await heard(session, "three")
            assert [event.why for event in of(events.Compaction, found)] == ["overflow"]
            assert found[-1].status == status
            assert len(asked(provider)) == 4
            if fails == 2:
                assert found[-1].kind == "ContextOverflow"


async def test_what_cannot_be_made_smaller_ends_the_turn_resumably_with_its_reason() -> None:
    async with opened(*["done"] * 3, plugins=[context(), compaction]) as (session, provider):
        result = await session.prompt("word " * CONTEXT)
        assert (result.status, result.limit, provider.requests) == ("limit", "context", [])
        assert "its last step is too long" in result.reason
        assert not await session.compact()


async def test_results_longer_than_the_whole_context_are_cut_to_fit() -> None:
    script = [Call("look", {"n": 1, "words": 6000}), "done"]
    async with opened(*script, tools=[look], plugins=[context(), compaction]) as (session, _provider):
        found = await heard(session)
        assert found[-1].status == "done"
        [event] = of(events.Compaction, found)
        assert event.tokens_after < CONTEXT


async def test_a_summary_that_fails_is_said_and_not_tried_at_each_step() -> None:
    notices: list[str] = []
    tries = 0
    look_on = looking(6)

    def answer(request: CompletionRequest) -> Any:
        nonlocal tries
        if not is_summary(request):
            return look_on(request)
        tries += 1
        return ContextOverflow("the summary is too long as well")

    how: dict[str, Any] = {"plugins": [context(3000), compaction], "notices": notices}
    async with opened(*[answer] * 12, tools=[look], **how) as (session, _):
        result = await session.prompt("go")
        assert result.status == "done"
        assert tries == 2
        assert "the summary is too long as well" in notices[0]


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=10**15), Usage(input_tokens=-5, output_tokens=-5)])
async def test_usage_that_cannot_be_true_changes_nothing(usage: Usage) -> None:
    provider = ScriptedProvider(*[looking(12)] * 20, usage=usage)
    plugins = [provider, Tools(look), context(), compaction]
    async with Runtime.open(ONLY, plugins=plugins) as runtime, runtime.session(model="scripted") as session:
        result = await session.prompt("go")
        assert result.status == "done"
        assert 1 <= len([r for r in provider.requests if is_summary(r)]) <= 3


async def test_another_model_writes_the_summary_and_its_tokens_count() -> None:
    cheap = ScriptedProvider(*[SUMMARY] * 9, name="cheap", usage=Usage(input_tokens=7))
    how: dict[str, Any] = {"settings": {"context": {"model": "cheap/model"}}}
    async with opened(*[looking(8)] * 9, tools=[look], plugins=[context(), compaction, cheap], **how) as (session, own):
        result = await session.prompt("go")
        assert [is_summary(request) for request in cheap.requests] == [True]
        assert not any(map(is_summary, own.requests))
        assert result.usage == session.session.usage
        assert result.usage.input_tokens == 9 * 10 + 7


async def test_a_denial_outlives_a_compaction() -> None:
    rules = {"permissions": {"deny": ["attic"]}}

    @tool(effects=("read",))
    def attic() -> str:
        """Looks into the attic."""
        return "skeletons"

    script = [Call("attic"), *[looking(12)] * 11, Call("attic"), "done"]
    how: dict[str, Any] = {"plugins": [context(), compaction], "settings": rules}
    async with opened(*script, tools=[look, attic], **how) as (session, _provider):
        found = await heard(session, "never look into the attic")
        assert of(events.Compaction, found)
        denied = [success for name, success, _ in results(session) if name == "attic"]
        assert denied == [False, False]


@given(words=st.lists(st.integers(0, 900), min_size=1, max_size=25), keep=st.integers(1, 4))
@settings(max_examples=8, deadline=None)
async def test_between_two_compactions_what_the_model_sees_only_grows(words: list[int], keep: int) -> None:
    steps = [Call("look", {"n": n, "words": count}) for n, count in enumerate(words)]

    def answer(request: CompletionRequest) -> Any:
        return SUMMARY if is_summary(request) else (steps.pop(0) if steps else "done")

    script = [answer] * (2 * len(words) + 2)
    how: dict[str, Any] = {"plugins": [context(), compaction], "settings": {"context": {"keep": keep}}}
    async with opened(*script, tools=[look], **how) as (session, provider):
        found = await heard(session)
        assert found[-1].status == "done"
        seen = asked(provider)
        breaks = sum(now.messages[: len(old.messages)] != old.messages for old, now in pairwise(seen))
        assert breaks == len(of(events.Compaction, found))
        assert all(is_paired(request.messages) for request in seen)
