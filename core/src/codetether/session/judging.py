"""What the present rules say of the calls of a past session; nothing is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from codetether.models.messages import ToolCallPart
from codetether.models.session import Session
from codetether.models.tools import Decision, Mode, ToolResult
from codetether.session.dispatch import Dispatch
from codetether.session.workplace import unrecorded
from codetether.values import frozen

if TYPE_CHECKING:
    from codetether.runtime import Runtime


@frozen(kw_only=True)
class JudgedCall:
    """A past call under the present rules.

    Attributes:
        ran: it ran then, and succeeded.
        decision: None where it is no call any more, which `problem` explains.
    """

    id: str
    name: str
    arguments: str
    ran: bool
    decision: Decision | None = None
    problem: str = ""


async def judge_calls(runtime: Runtime, session: Session, mode: Mode) -> list[JudgedCall]:
    """Each call of the session in its order, judged by the tools and the policies that are there now."""
    directory = Path(session.metadata.directory)
    ran = {use.id for use in session.tool_uses if use.success}
    found = []
    async with unrecorded(runtime, directory) as makers:
        makers.shared.mode = mode
        nobody: Any = None  # calls are judged, not run: nobody records, and nobody is asked
        dispatch = Dispatch(
            tools=await makers.tools(None),
            policies=await makers.policies(),
            audit=nobody,
            journal=nobody,
            context=makers.contexts.session("core", makers.shared),
            call_context=nobody,
            redactor=runtime.redactor,
            output_limit=0,
            approver=nobody,
            reviewing=nobody,
        )
        for part in (part for message in session.messages for part in message.parts):
            if isinstance(part, ToolCallPart):
                call = JudgedCall(id=part.id, name=part.name, arguments=part.arguments, ran=part.id in ran)
                found += await _judged(dispatch, call, session.id)
    return found


async def _judged(dispatch: Dispatch, call: JudgedCall, session_id: str) -> list[JudgedCall]:
    """The call, and the calls that it makes; these ran as it did."""
    part = ToolCallPart(id=call.id, name=call.name, arguments=call.arguments)
    judged = await dispatch.judge(part, session_id)
    if isinstance(judged, ToolResult):
        return [attrs.evolve(call, problem=judged.output)]
    _, request, decision = judged
    found = [attrs.evolve(call, decision=decision)]
    for number, (name, arguments) in enumerate(request.resources.calls, 1):
        made = JudgedCall(id=f"{call.id}.{number}", name=name, arguments=json.dumps(arguments), ran=call.ran)
        found += await _judged(dispatch, made, session_id)
    return found
