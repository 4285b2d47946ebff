"""What the present rules say of the calls of a past session; nothing is run."""

from __future__ import annotations

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
                judged = await dispatch.judge(part, session.id)
                if isinstance(judged, ToolResult):
                    found.append(attrs.evolve(call, problem=judged.output))
                else:
                    found.append(attrs.evolve(call, decision=judged[2]))
    return found
