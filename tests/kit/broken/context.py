"""One policy for each promise of context policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from codetether import Compacted, ContextPolicySpec, Message, Why, Window, user

from tests.kit.broken import breaking


class LastTurns:
    """A policy that keeps every promise."""

    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        starts = [index for index, message in enumerate(history) if message.role == "user"]
        return history[starts[-10] :] if len(starts) > 10 else history


class LastMessages(LastTurns):
    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        return history[-13:]


class Copying(LastTurns):
    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        return [evolve(message) for message in await super().choose(history)]


class Impatient(LastTurns):
    """Leaves out the question when the answer is already begun."""

    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        kept = list(await super().choose(history))
        return [m for m in kept if m.text != "And now?" and not m.text.startswith("Question")]


class Rotating(LastTurns):
    times = 0

    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        self.times += 1
        starts = [index for index, message in enumerate(history) if message.role == "user"]
        return history[starts[-self.times] :] if len(starts) > 5 else history


class Expecting(LastTurns):
    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        assert history[-1].parts[-1].text is not None  # type: ignore[union-attr]
        return await super().choose(history)


class Parting(LastTurns):
    """Stands for a call, and leaves its result."""

    async def compact(self, window: Window, why: Why) -> Compacted:
        short = (user("in short"),)
        return Compacted(until=2, messages=short, why=why, tokens_before=2, tokens_after=1)


def policy(cls: type[Any]) -> Any:
    """A plugin with such a policy."""
    return breaking("context_policies", ContextPolicySpec(name="probe", create=lambda ctx: cls()))


BROKEN: dict[str, Any] = {
    "calls and results stay together": policy(LastMessages),
    "what is not changed stays the same object": policy(Copying),
    "the question is kept": policy(Impatient),
    "the same history gets the same choice": policy(Rotating),
    "odd histories are taken": policy(Expecting),
    "a compaction is shorter and keeps calls with results": policy(Parting),
}
