"""Turns an ask into a yes or a no: by what was allowed before, by a person, or by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs
from attrs import field

from codetether.errors import PluginError
from codetether.models.approvals import ApprovalRequest
from codetether.models.audit import AuditOutcome
from codetether.models.tools import Answer, Decision, PermissionRequest, Question
from codetether.permissions.approvals import Approvals
from codetether.plugin_contexts import SessionContext
from codetether.plugins.boundary import BROKEN, asked, reason_of
from codetether.record.redact import Redactor
from codetether.session.confinement import confinement_of
from codetether.values import define, frozen

if TYPE_CHECKING:
    from codetether.permissions.requests import Prepared

NO = "no"
_REACHES = {"once": "once", "session": "for this session", "always": "always"}
GRACE = 0.2
"""Seconds beyond the deadline for a person who says itself that it has passed."""


class Note(Protocol):
    """Writes an entry about the question into the audit trail; raises AuditFailed."""

    def __call__(self, outcome: AuditOutcome, *, decision: Decision, detail: Mapping[str, Any]) -> Awaitable[None]:
        """The entry is durable when this returns."""
        ...


@frozen(kw_only=True)
class Settled:
    """What an ask came to; `unanswered` where nobody could be asked."""

    decision: Decision
    unanswered: ApprovalRequest | None = None


@define(kw_only=True)
class Approver:
    """Settles the asks of a session, one at a time.

    Attributes:
        granted: the keys of what was allowed for this session. asking: one question at a time; a subagent shares both
            with its parent.
        rules: `[permissions]` as the files have it.
        deadline: seconds that a person has; then it is no.
    """

    context: SessionContext
    approvals: Approvals
    granted: set[str]
    rules: Mapping[Any, Any]
    deadline: float
    redactor: Redactor
    asking: asyncio.Lock = field(factory=asyncio.Lock)

    async def settle(self, request: PermissionRequest, asked: Decision, note: Note) -> Settled:
        """The decision about a call that policies ask about."""
        made = await self._prepared(request, asked)
        if before := await self._before(made, asked):
            return Settled(decision=before)
        if self.context.person is None:
            return Settled(decision=attrs.evolve(asked, verdict="deny"), unanswered=self.redactor.value(made.shown))
        async with self.asking:
            made = await self._prepared(request, asked)  # the question before this one may have taken minutes
            if before := await self._before(made, asked):
                return Settled(decision=before)
            return Settled(decision=await self._ask(request, asked, made, note))

    async def _prepared(self, request: PermissionRequest, asked: Decision) -> Prepared:
        from codetether.permissions.requests import prepared  # only who asks pays for the tables of programs

        return await asyncio.to_thread(prepared, request, asked, self.rules, confinement_of(self.context.executor))

    async def _before(self, made: Prepared, asked: Decision) -> Decision | None:
        """A yes that was given before and reaches to this call."""
        if made.shown.dangers:
            return None
        if made.key in self.granted:
            return attrs.evolve(asked, verdict="allow", rule=f"approved for this session ({asked.rule})")
        if "always" not in made.shown.scopes:
            return None
        kept = await asyncio.to_thread(self.approvals.find, made.key)
        if kept is None:
            return None
        return attrs.evolve(asked, verdict="allow", rule=f"approved always, as {kept.id} ({asked.rule})")

    async def _ask(self, request: PermissionRequest, asked: Decision, made: Prepared, note: Note) -> Decision:
        """A person's decision, in the audit trail before anything comes of it."""
        shown = self.redactor.value(made.shown)
        await note("intent", decision=asked, detail={"about": shown.about[:1000], "scopes": list(shown.scopes)})
        text = self.redactor.text(asked.reason or asked.rule)
        question = Question(text=text, choices=(NO, *shown.scopes), request=request, approval=shown)
        try:
            answer, why = await self._answer(question)
        except asyncio.CancelledError:
            await note("failure", decision=asked, detail={"error": "cancelled"})
            raise
        by = (answer.by if answer else "") or "person"
        scope = next((scope for scope in shown.scopes if answer and answer.text == scope), None)
        if scope is not None and (await self._prepared(request, asked)).key != made.key:
            scope, why = None, "what it would run changed while the user was asked"
        if scope is None:
            no = Decision(verdict="deny", rule=asked.rule, source="user", reason=why)
            await note("denied", decision=no, detail={"by": by, "reason": why})
            return no
        yes = attrs.evolve(asked, verdict="allow", rule=f"approved by the user, {_REACHES[scope]} ({asked.rule})")
        detail, kept = {"by": by, "scope": scope}, None
        if scope == "always":
            kept = self.approvals.new(made, shown, by=by, session_id=request.session_id)
            detail |= {"id": kept.id, "expires_at": kept.expires_at.isoformat()}
        await note("success", decision=yes, detail=detail)
        if kept is not None:
            await asyncio.to_thread(self.approvals.keep, kept)
        elif scope == "session":
            self.granted.add(made.key)
        return yes

    async def _answer(self, question: Question) -> tuple[Answer | None, str]:
        """What the person said, and the reason that the model is told where that was no yes."""
        person = self.context.person
        assert person is not None
        try:
            answer = await asked(person.ask, question, self.deadline, limit=self.deadline + GRACE)
            if not isinstance(answer, Answer | None):
                raise PluginError(f"ask() gave {type(answer).__name__}, no Answer")
        except BROKEN as error:  # an approver that fails has said no; the model and the trail are told
            return None, f"no answer could be had: {reason_of(error)}"
        if answer is None:
            return None, f"no answer came within {self.deadline:g} s, which means no"
        why = " ".join(answer.reason.split())
        return answer, f"the user said no: {why}" if why else "the user said no"
