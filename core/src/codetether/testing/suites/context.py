"""What context policies keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from codetether.models.completion import CompletionRequest, CompletionResponse, ModelLimits, ModelRef
from codetether.models.messages import ImagePart, Message, TextPart, ToolCallPart, ToolResultPart, user
from codetether.models.record import Unknown
from codetether.models.window import Window, estimated_tokens, is_paired
from codetether.protocols import Compactor
from codetether.testing.promises import BrokenPromise, promises, require
from codetether.testing.trial import Trial

TURNS = 60


def conversation(turns: int, words: int = 200) -> tuple[Message, ...]:
    """A history of so many turns, each with two calls and their results; the last ends with a question."""
    return (*(message for turn in range(turns) for message in _turn(turn, words)), user("And now?"))


def _turn(turn: int, words: int) -> Iterator[Message]:
    ids = [f"call-{turn}-{n}" for n in (1, 2)]
    yield user(f"Question {turn}")
    calls = (ToolCallPart(id=each, name="read", arguments='{"path": "a"}') for each in ids)
    yield Message(role="assistant", parts=(TextPart(text=f"I look ({turn})."), *calls))
    for each in ids:
        content = (TextPart(text=f"{each} " + "word " * words),)
        yield Message(
            role="tool", parts=(ToolResultPart(tool_call_id=each, name="read", content=content, success=True),)
        )
    yield Message(role="assistant", parts=(TextPart(text=f"Answer {turn}: " + "word " * words),))


def histories() -> Iterator[tuple[Message, ...]]:
    """Short and long ones, and one that ends within a turn."""
    yield conversation(1)
    yield conversation(TURNS)
    yield conversation(TURNS, 2000)
    yield (*conversation(TURNS), *tuple(_turn(TURNS, 10))[1:4])


async def chosen(trial: Trial, history: Sequence[Message]) -> Sequence[Message]:
    """What a fresh policy chooses."""
    policy = await trial.make()
    made: Any = await policy.choose(history)
    good = isinstance(made, Sequence) and all(isinstance(message, Message) for message in made)
    require(good, f"choose() gave {type(made).__name__}, not messages")
    return cast(Sequence[Message], made)


async def calls_and_results_stay_together(trial: Trial) -> None:
    """No result is sent without the call before it, and no call without its result: providers refuse such a history."""
    for history in histories():
        asked: set[str] = set()
        answered: set[str] = set()
        for message in await chosen(trial, history):
            results = {part.tool_call_id for part in message.parts if isinstance(part, ToolResultPart)}
            require(results <= asked, f"the result of {sorted(results - asked)[:1]} is chosen without its call")
            asked |= {call.id for call in message.tool_calls}
            answered |= results
        require(asked == answered, f"the call {sorted(asked - answered)[:1]} is chosen without its result")


async def what_is_not_changed_stays_the_same_object(trial: Trial) -> None:
    """A message that it does not change is the history's very object, so that it is rendered once, and in its place."""
    for history in histories():
        own = {id(message): place for place, message in enumerate(history)}
        made = await chosen(trial, history)
        copies = [message for message in made if id(message) not in own and message in history]
        require(not copies, f"{len(copies)} messages are equal to those of the history, but other objects")
        places = [own[id(message)] for message in made if id(message) in own]
        require(places == sorted(set(places)), "messages of the history are chosen twice, or in another order")


async def the_question_is_kept(trial: Trial) -> None:
    """The last message of the user is sent: it is what the model must answer."""
    for history in histories():
        asked = next(message for message in reversed(history) if message.role == "user")
        there = any(asked.text in message.text for message in await chosen(trial, history) if message.role == "user")
        require(there, f"of {len(history)} messages, the last one of the user is not chosen")


async def the_same_history_gets_the_same_choice(trial: Trial) -> None:
    """Asked twice, it chooses the same: prompt caches depend on it."""
    for history in histories():
        policy = await trial.make()
        first, second = list(await policy.choose(history)), list(await policy.choose(history))
        require(first == second, f"of the same {len(history)} messages it chooses {len(first)}, then {len(second)}")


async def odd_histories_are_taken(trial: Trial) -> None:
    """A history with nothing, with images, unknown parts or an open call raises nothing."""
    odd: Any = (
        (),
        (user(""),),
        (Message(role="user", parts=(ImagePart(media_type="image/png", data=b"\x89PNG"),)),),
        (user("go"), Message(role="assistant", parts=(Unknown(raw={"type": "from_the_future"}),))),
        (user("go"), Message(role="assistant", parts=(ToolCallPart(id="1", name="read", arguments="{"),))),
        (user("\ud800\0" + "x" * 1_000_000),),
    )
    for history in odd:
        try:
            await chosen(trial, history)
        except Exception as error:
            raise BrokenPromise(
                f"choose() raised {type(error).__name__} for {str(history)[:120]}: {str(error)[:200]}"
            ) from error


async def a_compaction_is_shorter_and_keeps_calls_with_results(trial: Trial) -> None:
    """What a compactor gives stands for whole steps, is shorter, and costs no call its result; others are not tried."""
    policy = await trial.make()
    if not isinstance(policy, Compactor):
        return
    trial.shared.complete = _summary
    for history in histories():
        size = sum(map(estimated_tokens, history))
        limits = ModelLimits(context=size * 3 // 4)
        window = Window(messages=history, model=ModelRef(provider="trial", model="model"), limits=limits)
        made = await policy.compact(window, "overflow")
        if made is None:
            continue
        rest = history[made.until :]
        require(is_paired(made.messages + rest), "it parts tool calls from their results")
        now = sum(map(estimated_tokens, made.messages + rest))
        require(now < size, f"of about {size:,} tokens it makes {now:,}")


async def _summary(request: CompletionRequest) -> CompletionResponse:
    """What the model says of anything."""
    return CompletionResponse(
        message=Message(role="assistant", parts=(TextPart(text="A summary."),)), finish_reason="stop"
    )


PROMISES = promises(
    "context_policies",
    calls_and_results_stay_together,
    what_is_not_changed_stays_the_same_object,
    the_question_is_kept,
    the_same_history_gets_the_same_choice,
    odd_histories_are_taken,
    a_compaction_is_shorter_and_keeps_calls_with_results,
)
