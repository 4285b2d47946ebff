"""What core promises of compactions, whoever makes them: they are checked, recorded, and survive what a disk loses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import frozen
from codetether import (
    Compacted,
    ContextPolicySpec,
    Message,
    ToolCallPart,
    ToolResultPart,
    Window,
    tool,
    user,
)
from codetether.models.replay import replay
from codetether.models.session import Gap, JournalEntry, JournalRecord, MessageAdded, SessionStarted, ToolCompleted
from codetether.models.window import is_paired
from codetether.testing.scripted import Call
from codetether.testing.sessions import Yields, opened

START = SessionStarted(id="s", directory="/w")


@tool(effects=("read",))
def look(n: int) -> str:
    """Looks at something."""
    return f"saw {n}"


@frozen
class Compacting:
    """A compactor that does what it is told, once there are five messages."""

    make: Callable[[Window], Any]

    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        return history

    async def compact(self, window: Window, why: str) -> Any:
        return self.make(window) if len(window.messages) >= 5 and not window.compaction else None


def made(until: int, *messages: Message, **how: Any) -> Compacted:
    """A compaction by hand."""
    fields: dict[str, Any] = {"why": "threshold", "tokens_before": 9, "tokens_after": 3, **how}
    return Compacted(until=until, messages=messages, **fields)


async def looked_on(make: Callable[[Window], Any]) -> tuple[Any, list[int], list[str]]:
    """The result of a session with such a compactor, how much the model saw at each step, what was said."""
    notices: list[str] = []
    plugin = Yields(
        "codetether_context_policies", ContextPolicySpec(name="by-hand", create=lambda ctx: Compacting(make))
    )
    script = [Call("look", {"n": n}) for n in range(4)]
    async with opened(*script, tools=[look], plugins=[plugin], notices=notices) as (session, provider):
        result = await session.prompt("go")
        return result, [len(request.messages) for request in provider.requests], notices


async def test_what_a_compactor_gives_is_what_the_model_sees() -> None:
    result, seen, notices = await looked_on(lambda window: made(3, user("in short")))
    assert (result.status, seen, notices) == ("done", [1, 3, 3, 5, 7], [])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda window: made(2, user("in short")), "parts tool calls from their results"),
        (lambda window: made(99, user("in short")), "stands for 99 messages, of 0 to 5"),
        (lambda window: "shorter", "gave str, not Compacted"),
        (lambda window: window.nonsense, "'Window' object has no attribute 'nonsense'"),
    ],
)
async def test_what_no_model_can_be_sent_is_not_taken_and_said(make: Callable[[Window], Any], why: str) -> None:
    result, seen, notices = await looked_on(make)
    assert (result.status, seen) == ("done", [1, 3, 5, 7, 9])
    assert why in notices[0]


async def test_what_is_no_shorter_ends_the_turn_with_its_reason() -> None:
    result, seen, _ = await looked_on(lambda window: made(3, user("at length"), tokens_after=9))
    assert (result.status, result.limit, seen) == ("limit", "context", [1, 3])
    assert result.reason == (
        "compaction does not make the history smaller: about 9 tokens became 9. "
        "Go on with a model that takes more (--model), or in a new session."
    )


def test_records_that_are_lost_hide_nothing_that_comes_later_and_part_no_call() -> None:
    turn: list[JournalEntry] = [
        MessageAdded(message=user("look"), turn=1),
        MessageAdded(message=Message(role="assistant", parts=(_call("a"), _call("b"))), turn=1, step=1),
        ToolCompleted(result=_result("a"), turn=1, step=1),
        ToolCompleted(result=_result("b"), turn=1, step=1),
    ]
    later = MessageAdded(message=user("and now?"), turn=2)
    for lost in range(5):
        kept: list[JournalEntry] = [entry for number, entry in enumerate(turn) if number != lost]
        gap: list[JournalEntry] = [Gap(first_line=2, last_line=2, why="lost")] if lost < 4 else []
        state = replay(_records(START, *gap, *kept, made(4, user("in short")), later))
        assert state is not None
        assert is_paired(state.seen)
        assert [message.text for message in state.seen] == ["in short", "and now?"]
        state = replay(_records(START, *gap, *kept, made(1, user("in short")), later))
        assert state is not None
        assert is_paired(state.seen)
        assert state.seen[-1].text == "and now?"


def _call(id_: str) -> ToolCallPart:
    return ToolCallPart(id=id_, name="look", arguments="{}")


def _result(id_: str) -> ToolResultPart:
    return ToolResultPart(tool_call_id=id_, name="look", success=True)


def _records(*entries: JournalEntry) -> list[JournalRecord]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [JournalRecord(sequence=n, recorded_at=at, entry=entry) for n, entry in enumerate(entries, 1)]
