"""What a prompt may take holds whatever a provider reports, and a prompt that reaches it can be gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from codetether import CompletionRequest, ModelDefaults, Runtime, SettingsError, StreamChunk, ToolContext, Usage, tool
from codetether.session.circles import HINT
from codetether.testing.scripted import Call, ScriptedProvider, Wait
from codetether.testing.sessions import ONLY, Tools, Yields, heard, opened
from codetether.wire import to_dict


@tool(effects=("read",))
def look(n: int) -> str:
    """Looks at something."""
    return f"saw {n}"


def dear(tokens: str = "100000") -> Yields:
    """A plugin by which a million tokens of input cost so many dollars."""
    prices = {"input": tokens, "output": "0"}
    return Yields("codetether_model_defaults", ModelDefaults(match="scripted/*", prices=prices), name="dear")


def looking(times: int = 60) -> list[Call]:
    """A model that looks at something else each time."""
    return [Call("look", {"n": n}) for n in range(times)]


@pytest.mark.parametrize(
    ("limits", "limit", "steps", "reason"),
    [
        ({"max_steps": 4}, "max_steps", 4, "stopped after 4 steps (--max-steps)"),
        ({"max_tokens": 40}, "max_tokens", 3, "stopped after 45 of 40 tokens (--max-tokens)"),
        ({"max_cost": 2.5}, "max_cost", 3, "stopped after $3 of $2.5 (--max-cost)"),
    ],
)
async def test_a_limit_pauses_the_session_which_then_goes_on(
    limits: dict[str, Any], limit: str, steps: int, reason: str, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"tools": [look], "plugins": [dear()], "directory": tmp_path}
    async with opened(*looking(), **how, **limits) as (session, _):
        found: list[Any] = list(await heard(session))
        assert (found[-1].status, found[-1].limit, found[-1].steps) == ("limit", limit, steps)
        assert found[-1].reason == reason
        assert to_dict(found[-1])["limit"] == limit
        ended: Any = list(session.journal.records())[-1].entry
        assert (ended.status, ended.limit) == ("limit", limit)
        assert session.journal.state.open_calls == {}
        id_ = session.id
    async with opened("there", id=id_, **how) as (session, provider):
        assert (await session.prompt("go on")).text == "there"
        assert len(provider.requests[0].messages) == 2 * steps + 2


async def test_time_ends_what_runs_and_its_calls_are_answered() -> None:
    @tool(effects=("read",))
    async def wait() -> str:
        """Waits."""
        await asyncio.sleep(60)
        return "waited"

    async with opened(Call("wait"), tools=[wait], max_seconds=0.1) as (session, _):
        result = await session.prompt("go")
        assert (result.status, result.limit, result.reason) == ("limit", "max_time", "stopped after 0.1 s (--max-time)")
        assert session.journal.state.open_calls == {}
    async with opened([Wait(60)], max_seconds=0.1) as (session, _):
        assert (await session.prompt("go")).limit == "max_time"


@pytest.mark.parametrize(
    "usage",
    [Usage(), Usage(input_tokens=-9, output_tokens=-9, cost=Decimal(-1)), Usage(output_tokens=1)],
)
async def test_R06_tokens_are_counted_where_no_usage_is_reported(usage: Usage) -> None:
    provider = ScriptedProvider(*looking(), usage=usage)
    plugins = [provider, Tools(look), dear()]
    async with (
        Runtime.open(ONLY, plugins=plugins) as runtime,
        runtime.session(model="scripted", max_tokens=100) as session,
    ):
        result = await session.prompt("look at everything")
        assert (result.status, result.limit) == ("limit", "max_tokens")
        assert 2 < result.steps < 30


async def test_huge_usage_pauses_at_once_and_is_kept() -> None:
    provider = ScriptedProvider(*looking(), usage=Usage(input_tokens=10**30))
    async with Runtime.open(ONLY, plugins=[provider, Tools(look)]) as runtime:
        async with runtime.session(model="scripted", max_tokens=10**9) as session:
            assert (await session.prompt("go")).limit == "max_tokens"
            id_ = session.id
        async with runtime.session(id_) as session:
            assert (await session.prompt("go")).status == "limit"


async def test_a_cost_that_nobody_knows_cannot_be_kept_to() -> None:
    async with opened(*looking(), tools=[look], max_cost=1) as (session, _):
        result = await session.prompt("go")
        assert (result.status, result.limit, result.steps) == ("limit", "max_cost", 1)
        assert result.reason == "stopped, since no price is known for the model, and --max-cost could not hold"


async def test_settings_limit_too_and_a_wish_comes_before_them() -> None:
    settings = {"limits": {"max_tokens": 50}}
    for wish, steps in ((None, 4), (100, 7)):
        async with opened(*looking(), tools=[look], settings=settings, max_tokens=wish) as (session, _):
            assert (await session.prompt("go")).steps == steps
    with pytest.raises(SettingsError, match="max_tokens: 0 is no number above 0"):
        async with opened(max_tokens=0):
            pass


async def test_who_goes_in_circles_is_told_and_then_stopped() -> None:
    script = [Call("look", {"n": n % 2}) for n in range(60)]
    async with opened(*script, tools=[look]) as (session, provider):
        result = await session.prompt("go")
        assert (result.status, result.limit, result.steps) == ("limit", "runaway", 12)
        assert (
            result.reason == "stopped after 10 steps in a row that repeated calls with the same results (max_repeats)"
        )
        told = [message.text for message in provider.requests[-1].messages if message.role == "user"]
        assert told == ["go", HINT.format(5)]
        await session.prompt("again")
        assert len(provider.requests) == 23 + 1


async def test_who_says_how_many_steps_it_may_be_means_it() -> None:
    async with opened(*[Call("look", {"n": 1})] * 30, tools=[look], max_steps=40) as (session, provider):
        assert (await session.prompt("go")).status == "done"
        assert len(provider.requests) == 31
    settings = {"limits": {"max_repeats": 3}}
    how: dict[str, Any] = {"tools": [look], "settings": settings, "max_steps": 40}
    async with opened(*[Call("look", {"n": 1})] * 30, **how) as (session, provider):
        assert (await session.prompt("go")).limit == "runaway"
        assert len(provider.requests) == 4


async def test_a_provider_is_asked_no_faster_than_the_settings_allow() -> None:
    for rate, requests in (({"requests_per_minute": 3}, 3), ({"tokens_per_minute": 50}, 3)):
        settings = {"providers": {"scripted": rate}}
        async with opened(*looking(), tools=[look], settings=settings, max_seconds=0.3) as (session, provider):
            assert (await session.prompt("go")).limit == "max_time"
            assert len(provider.requests) == requests


class Crowd(ScriptedProvider):
    """Counts how many ask it at the same time."""

    asking = most = 0

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        self.asking += 1
        self.most = max(self.most, self.asking)
        await asyncio.sleep(0.03)
        async for chunk in super().stream(request):
            yield chunk
        self.asking -= 1


async def test_sessions_share_a_providers_seats() -> None:
    for seats, most in ((2, {2}), (None, {3, 4, 5})):
        crowd = Crowd()
        settings = {**ONLY, "providers": {"scripted": {"concurrent": seats}}}
        async with Runtime.open(settings, plugins=[crowd]) as runtime:

            async def one(runtime: Runtime = runtime) -> str:
                async with runtime.session(model="scripted") as session:
                    return (await session.prompt("go")).status

            assert await asyncio.gather(*(one() for _ in range(5))) == ["done"] * 5
        assert crowd.most in most


async def test_subagents_share_what_is_left_also_side_by_side() -> None:
    @tool(effects=("read",))
    async def ask(n: int, ctx: ToolContext) -> str:
        """Gives work to a subagent."""
        return (await ctx.delegate(f"look {n}", agent="explore")).status

    def answer(request: CompletionRequest) -> Any:
        if request.messages[0].text == "go":
            return [Call("ask", {"n": n}) for n in range(4)] if len(request.messages) == 1 else "done"
        return Call("look", {"n": len(request.messages)})

    async with opened(*[answer] * 60, tools=[look, ask], max_tokens=150) as (session, provider):
        result = await session.prompt("go")
        assert (result.status, result.limit) == ("limit", "max_tokens")
        assert len(provider.requests) <= 10 + 4
        assert result.usage.total_tokens == 15 * len(provider.requests)
