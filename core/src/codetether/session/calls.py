"""The calls of one response, or of one call: those that may run together do, the others in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from itertools import groupby
from typing import TYPE_CHECKING

from codetether.errors import UsageError
from codetether.models import events
from codetether.models.completion import Usage
from codetether.models.messages import ToolCallPart
from codetether.models.record import JSON
from codetether.models.session import ToolCompleted
from codetether.models.tools import ToolResult
from codetether.session.dispatch import Dispatch, Outcome, Place, result_part
from codetether.session.turn import Turn
from codetether.wire import to_json

if TYPE_CHECKING:
    from codetether.session.agent import Agent

CUT_OFF = {
    "length": "the answer was cut off at the output limit, so this call is not whole and was not run; make it shorter",
    "content_filter": "the provider's filter stopped the answer, so this call was not run",
    "error": "the provider failed within the answer, so this call was not run",
}
"""Why no call of an answer runs that ended so."""


async def outcomes(
    dispatch: Dispatch, calls: Sequence[ToolCallPart], place: Place
) -> AsyncGenerator[tuple[ToolCallPart, Outcome], None]:
    """Each call with its outcome, in the order of the calls. Close it: what still runs is then cancelled."""
    for together, group in groupby(calls, dispatch.runs_beside_others):
        found = list(group)
        if not together or len(found) == 1:
            for call in found:
                yield call, await dispatch.run(call, place)
            continue
        tasks = [asyncio.create_task(dispatch.run(call, place)) for call in found]
        try:
            for call, task in zip(found, tasks, strict=True):
                yield call, await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def completed_call(turn: Turn, call: ToolCallPart, outcome: Outcome, usage: Usage | None) -> ToolCompleted:
    """The record of a call's result; `usage` is what its subagents used."""
    return ToolCompleted(
        result=result_part(call, outcome.result),
        turn=turn.number,
        step=turn.step,
        duration_ms=round(outcome.duration_ms, 3),
        denied=outcome.denied,
        metadata=outcome.result.metadata,
        usage=usage,
    )


async def nested(
    agent: Agent, turn: Turn | None, caller: str, wanted: Sequence[tuple[str, Mapping[str, JSON]]]
) -> Sequence[ToolResult]:
    """Runs calls that a running call makes: each is announced, judged and recorded like one of the model's.

    Their results are the caller's to tell: the conversation holds none of them.
    """
    if turn is None or caller in turn.nested:
        raise UsageError("a call that another call made may make none itself")
    calls = []
    for name, arguments in wanted:
        call = ToolCallPart(id=f"{caller}.{len(turn.nested) + 1}", name=name, arguments=to_json(arguments).decode())
        turn.nested.add(call.id)
        calls.append(call)
        shown = agent.redactor.text(call.arguments)
        agent.announce(turn, events.ToolCallStart(call_id=call.id, name=name, arguments=shown, parent_call_id=caller))
    results = []
    async with aclosing(outcomes(agent.dispatch, calls, agent.place(turn))) as found:
        async for call, outcome in found:
            if used := agent.delegated.pop(call.id, None):
                agent.delegated[caller] = agent.delegated.get(caller, Usage()) + used
            await agent.complete_call(turn, call, outcome)
            results.append(outcome.result)
    return results
