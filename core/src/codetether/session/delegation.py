"""Subagents: sessions that work for a call of another session, and are never allowed more than that one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field

from codetether.errors import UsageError
from codetether.models import events
from codetether.models.completion import Usage
from codetether.models.session import SessionResult
from codetether.record.projection import project, running_turn
from codetether.session.dispatch import Dispatch
from codetether.session.limits import Limits
from codetether.values import define, frozen

if TYPE_CHECKING:
    from codetether.runtime import Runtime
    from codetether.session.running import RunningSession

DEEPEST = 3
"""Subagents of subagents, at most."""
AT_ONCE = 8
"""Subagents of one session that work at the same time."""


@frozen(kw_only=True)
class Parent:
    """The session that a subagent works for.

    Attributes:
        left: of its limits. call_id, event_id: the call that asked for the subagent, and its line in the event stream.
    """

    session: RunningSession
    left: Limits
    call_id: str | None = None
    event_id: str | None = None

    @property
    def dispatch(self) -> Dispatch:
        """The rules that hold for the subagent too."""
        return self.session.agent.dispatch


@define(kw_only=True)
class Delegation:
    """Gives work of one session to subagents."""

    runtime: Runtime
    parent: RunningSession
    _seats: asyncio.Semaphore = field(factory=partial(asyncio.Semaphore, AT_ONCE))

    async def run(
        self,
        prompt: str,
        *,
        agent: str = "build",
        model: str | None = None,
        tools: Sequence[str] | None = None,
        call_id: str | None = None,
        **limits: Any,
    ) -> SessionResult:
        """What `SessionContext.delegate` promises."""
        from codetether.session.opening import Opening, open_session  # it imports this module

        parent = self.parent
        if parent.shared.depth >= DEEPEST:
            raise UsageError(f"subagents may go {DEEPEST} deep: do this part yourself")
        turn = parent.agent.turn
        spent = turn.spent if turn else Usage()
        wanted = Opening(
            model=model or self.runtime.agent(agent).model or str(parent.model),
            directory=parent.shared.directory,
            agent=agent,
            mode=parent.agent.dispatch.context.mode,
            parent=Parent(
                session=parent, left=parent.agent.limits.left(spent), call_id=call_id, event_id=self._event(call_id)
            ),
            tools=self._tools(tools),
            **limits,
        )
        async with self._seats, AsyncExitStack() as stack:
            child = await open_session(self.runtime, wanted, stack)
            child.listen(partial(self._tell, call_id, child))
            try:
                result = await child.prompt(prompt)
            finally:
                self._add(child.session.usage, call_id)
            messages = child.session.messages
            theirs = child.agent.turn
        if turn is not None and theirs is not None:
            turn.unanswered += [f"{each} in {agent}" for each in theirs.unanswered]
        last = next((m.text for m in reversed(running_turn(messages)) if m.role == "assistant" and m.text), "")
        return attrs.evolve(result, text=self.runtime.redactor.text(last).strip())

    def _tools(self, wanted: Sequence[str] | None) -> tuple[str, ...]:
        """Those of the parent's that were asked for; only the parent talks with the person."""
        dispatch = self.parent.agent.dispatch
        own = {**dispatch.tools, **dispatch.waiting}
        return tuple(n for n, t in own.items() if not t.definition.interactive and (wanted is None or n in wanted))

    def _event(self, call_id: str | None) -> str | None:
        """The id of the call's line, as the event streams have it."""
        answer, session = self.parent.agent.answer, self.parent.session
        for record in project(answer, session, 0) if answer else ():
            if isinstance(record.event, events.ToolCallStart) and record.event.call_id == call_id:
                return f"{session.id}/{record.sequence}.{record.part}"
        return None

    def _tell(self, call_id: str | None, child: RunningSession, event: events.SessionEvent) -> None:
        """Shows what the subagent does to whoever listens to its parent."""
        if not isinstance(event, events.SessionSync):
            told = events.SubagentEvent(
                call_id=call_id, session_id=child.id, agent=child.shared.agent.name, event=event
            )
            self.parent.emit(told)

    def _add(self, usage: Usage, call_id: str | None) -> None:
        """What the subagent used counts with the call's result."""
        if call_id is not None:
            delegated = self.parent.agent.delegated
            delegated[call_id] = delegated.get(call_id, Usage()) + usage
