"""One tool call: find, validate, permit, audit, run, cap, result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import attrs
from attrs import field

from codetether.arguments import Arguments, Misfit
from codetether.errors import AuditFailed, CodetetherError, PluginError, StorageError
from codetether.models.approvals import ApprovalRequest
from codetether.models.audit import AuditOutcome
from codetether.models.events import ApprovalRequired
from codetether.models.messages import ToolCallPart, ToolResultPart
from codetether.models.session import JournalEntry, JournalRecord, ToolIntent
from codetether.models.tools import (
    Decision,
    PermissionRequest,
    Resources,
    ToolCall,
    ToolDefinition,
    ToolResult,
    error_result,
)
from codetether.permissions.rules import strictest
from codetether.plugin_contexts import SessionContext
from codetether.plugins.boundary import BROKEN, asked, plain, reason_of
from codetether.plugins.contracts import check_result
from codetether.protocols import PermissionPolicy, Tool
from codetether.record.redact import Redactor
from codetether.record.sinks import AuditTrail
from codetether.session.approving import Approver, Settled
from codetether.session.broker import Broker
from codetether.session.confinement import is_confined
from codetether.session.results import presentable
from codetether.session.reviewing import Reviewing
from codetether.values import define, frozen

INTERACTIVE = "Interactive tool '{}' is disabled in this interface. Ask the user directly in assistant text."
KNOWN = (
    "the arguments of {} hold the secret {}, which goes nowhere: leave it out, or name it where the tool takes secrets"
)
MASKED = (
    "the arguments of {} hold {}, which stands for a secret that you were not shown: written, it would take the "
    "secret's place. Leave that part as it is: change a smaller piece, which does not hold it"
)
Permitted = Callable[[Resources], Awaitable[Decision]]
NO_POLICY = Decision(verdict="deny", rule="no permission policy", reason="no permission policy is installed")


class Recorder(Protocol):
    """Where a call's intent and result are kept."""

    def append(self, entry: JournalEntry) -> JournalRecord:
        """Writes an entry; it survives the death of this process from here on."""
        ...

    async def sync(self) -> None:
        """What was appended survives a power loss from here on."""
        ...

    def side_file(self, name: str, data: bytes) -> Any:
        """Keeps a whole output beside the journal and returns its path."""
        ...


@frozen(kw_only=True)
class OfferedTool:
    """A tool with the name under which it is offered, and the plugin that it comes from."""

    plugin: str
    definition: ToolDefinition
    tool: Tool


@frozen(kw_only=True)
class Outcome:
    """A call's result with what the journal keeps of it.

    Attributes:
        denied: the call was not allowed.
        unanswered: it was denied because nobody could be asked.
        unsafe: it ran, and may have changed something: the result must be on the disk before the turn goes on.
    """

    result: ToolResult
    duration_ms: float = 0.0
    denied: bool = False
    unanswered: ApprovalRequired | None = None
    unsafe: bool = False


@frozen(kw_only=True)
class Place:
    """Where in the session a call stands."""

    session_id: str
    turn: int
    step: int


@define(kw_only=True)
class Dispatch:
    """The tools of a session, and every rule that a call passes."""

    tools: Mapping[str, OfferedTool]
    waiting: Mapping[str, OfferedTool] = field(factory=dict)
    policies: Sequence[tuple[str, PermissionPolicy]]
    audit: AuditTrail
    journal: Recorder
    context: SessionContext
    call_context: Callable[[OfferedTool, str, Permitted, Resources], Any]
    redactor: Redactor
    output_limit: int
    subagent: str = ""
    approver: Approver
    reviewing: Reviewing
    broker: Broker = Broker()
    _arguments: Arguments = field(factory=Arguments)

    def runs_beside_others(self, call: ToolCallPart) -> bool:
        """Whether the call may run beside others."""
        offered = self.tools.get(call.name)
        if offered is None or offered.definition.interactive:
            return False
        definition = offered.definition
        return definition.read_only if definition.concurrent is None else definition.concurrent

    async def run(self, part: ToolCallPart, place: Place) -> Outcome:
        """The call's outcome. Raises only what must end the turn: AuditFailed, StorageError, cancellation."""
        judged = await self.judge(part, place.session_id)
        if isinstance(judged, ToolResult):
            return await self._refused(part, place, judged)
        offered, request, decision = judged
        settled = await self._settle(part, place, request, decision)
        if settled.decision.verdict != "allow":
            return await self._denied(part, place, decision, settled)
        return await self._run(offered, request, settled.decision, place, part)

    async def judge(
        self, part: ToolCallPart, session_id: str
    ) -> tuple[OfferedTool, PermissionRequest, Decision] | ToolResult:
        """What the policies say of the call, without asking anybody; or why it is no call at all."""
        offered = self.tools.get(part.name)
        if offered is None:
            return error_result(f"Unknown tool '{part.name}'" + "; tool_search finds it" * (part.name in self.waiting))
        checked = self._check(part, offered)
        if isinstance(checked, ToolResult):
            return checked
        resources = self._resources(offered, checked)
        if isinstance(resources, ToolResult):
            return resources
        mode = self.context.mode
        request = PermissionRequest(
            call=checked,
            definition=offered.definition,
            resources=resources,
            directory=self.context.directory,
            mode=mode,
            session_id=session_id,
            confined=mode == "auto" and is_confined(self.context.executor),
            subagent=self.subagent,
        )
        return offered, request, await self._decide(request)

    def _check(self, part: ToolCallPart, offered: OfferedTool) -> ToolCall | ToolResult:
        """The call with parsed and valid arguments, or what the model is told is wrong with it."""
        if offered.definition.interactive and self.context.person is None:
            return error_result(INTERACTIVE.format(part.name))
        if (secret := self.redactor.known(part.arguments.replace("\\n", "\n"))) is not None:
            return error_result(KNOWN.format(part.name, secret))
        if not offered.definition.read_only and (mask := self.redactor.mask(part.arguments)) is not None:
            return error_result(MASKED.format(part.name, mask))
        try:
            arguments = self._arguments.read(part.arguments, offered.definition)
        except Misfit as misfit:
            return error_result(str(misfit))
        return ToolCall(id=part.id, name=part.name, arguments=arguments)

    def _resources(self, offered: OfferedTool, call: ToolCall) -> Resources | ToolResult:
        try:
            resources = offered.tool.resources(call, self.context)
            if not isinstance(resources, Resources):
                raise PluginError(f"resources() of {call.name} gave {type(resources).__name__}, not Resources")
            self.broker.check(resources)
            return resources
        except BROKEN as error:  # a tool that cannot tell what it touches does not run; the model is told
            return error_result(_words(error))

    async def _decide(self, request: PermissionRequest) -> Decision:
        """The strictest decision of all policies; one that fails counts as DENY."""
        decisions = []
        for name, policy in self.policies:
            try:
                decision: Any = await asked(policy.decide, request)
                if not isinstance(decision, Decision) or decision.verdict not in ("allow", "ask", "deny"):
                    raise PluginError(f"decide() gave {plain(repr(decision), 100)}, no decision")
                decisions.append(decision)
            except BROKEN as error:  # fail closed: a policy that cannot judge denies, and says so
                decisions.append(
                    Decision(verdict="deny", source=name, rule=f"policy {name} failed", reason=reason_of(error))
                )
        return strictest(decisions) if decisions else NO_POLICY

    async def _settle(
        self, part: ToolCallPart, place: Place, request: PermissionRequest, decision: Decision
    ) -> Settled:
        """ASK becomes allow or deny: by what was said before, by a person, or by nobody."""
        if decision.verdict != "ask":
            return Settled(decision=decision)
        note = partial(self._note, place, part, what=("permission", f"approval:{part.name}"))
        return await self.approver.settle(request, decision, note)

    async def _run(
        self,
        offered: OfferedTool,
        request: PermissionRequest,
        decision: Decision,
        place: Place,
        part: ToolCallPart,
    ) -> Outcome:
        definition, call = offered.definition, request.call
        unsafe = not definition.read_only
        note = partial(self._note, place, part, decision=decision)
        await note("intent", detail=_origin(part))
        self.journal.append(
            ToolIntent(
                call_id=call.id,
                name=call.name,
                turn=place.turn,
                step=place.step,
                repeatable=definition.read_only or definition.idempotent,
                decision=decision.verdict,
                rule=decision.rule,
            )
        )
        if unsafe:
            await self.journal.sync()
        began = time.perf_counter()
        besides: list[Settled] = []
        try:
            permitted = partial(self._permitted, request, place, part, besides)
            result = await self._call(offered, call, self.call_context(offered, call.id, permitted, request.resources))
            result = await self.reviewing.reviewed(call, request.resources, result)
        except asyncio.CancelledError:
            await note("failure", detail={"error": "cancelled"})
            raise
        duration = (time.perf_counter() - began) * 1000
        result = presentable(result, call.id, self.redactor, self.output_limit, self.journal.side_file)
        detail = {"output_len": len(result.output)} if result.success else {"error": result.output[:500]}
        ended: AuditOutcome = "success" if result.success else "failure"
        await note(ended, duration_ms=duration, detail=detail, output=result.output)
        unanswered = next((s.unanswered for s in besides if s.unanswered), None)
        return Outcome(result=result, duration_ms=duration, unsafe=unsafe, unanswered=_required(part, unanswered))

    async def _permitted(
        self, request: PermissionRequest, place: Place, part: ToolCallPart, besides: list[Settled], more: Resources
    ) -> Decision:
        """The decision about what a running call comes to touch besides; it is judged and recorded as the call was."""
        request = attrs.evolve(request, resources=more)
        settled = await self._settle(part, place, request, await self._decide(request))
        besides.append(settled)
        decision = settled.decision
        outcome: AuditOutcome = "intent" if decision.verdict == "allow" else "denied"
        touched = {"reads": more.reads, "writes": more.writes, "commands": more.commands, "hosts": more.hosts}
        detail = {"besides": {k: list(v) for k, v in touched.items() if v}}
        await self._note(place, part, outcome, decision=decision, detail=detail)
        return decision

    async def _call(self, offered: OfferedTool, call: ToolCall, context: Any) -> ToolResult:
        """The tool's own result; any failure of it becomes `Error: <what>`."""
        limit = offered.definition.timeout
        clock = asyncio.timeout(limit)
        try:
            async with clock:
                return check_result(await offered.tool.run(call, context))
        except TimeoutError as error:
            what = f"{call.name} took longer than {limit:g} s and was stopped" if clock.expired() else _words(error)
            return error_result(what)
        except (AuditFailed, StorageError):
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return error_result(f"{call.name} cancelled itself")
        except BROKEN as error:  # whatever a tool raises is the model's to act on, not the user's to crash on
            return error_result(_words(error))
        finally:
            context.ended()

    async def _note(
        self,
        place: Place,
        part: ToolCallPart,
        outcome: AuditOutcome,
        *,
        what: tuple[str, str] | None = None,
        decision: Decision | None = None,
        duration_ms: float | None = None,
        detail: Mapping[str, Any] = MappingProxyType({}),
        output: str | None = None,
    ) -> None:
        """One audit entry about a call; `what` is another category and action than those of its run."""
        category, action = what or ("tool_execution", f"tool:{part.name}")
        await self.audit.record(
            category,
            action,
            outcome,
            session_id=place.session_id,
            turn=place.turn,
            call_id=part.id,
            decision=decision.verdict if decision else None,
            rule=decision.rule if decision else None,
            duration_ms=duration_ms,
            detail=detail,
            arguments=part.arguments,
            output=output,
        )

    async def _refused(self, part: ToolCallPart, place: Place, result: ToolResult) -> Outcome:
        why = "invalid_call" if part.name in self.tools else "unknown_tool"
        await self._note(place, part, "failure", detail={"error": why})
        return Outcome(result=result)

    async def _denied(self, part: ToolCallPart, place: Place, asked: Decision, settled: Settled) -> Outcome:
        final = settled.decision
        detail = {"reason": final.reason, **_origin(part)}
        await self._note(place, part, "denied", decision=attrs.evolve(final, verdict=asked.verdict), detail=detail)
        nobody = " Nobody can be asked here." if settled.unanswered else ""
        what = error_result(f"{part.name} was denied ({final.reason or final.rule}).{nobody}")
        return Outcome(result=what, denied=True, unanswered=_required(part, settled.unanswered))


def result_part(part: ToolCallPart, result: ToolResult) -> ToolResultPart:
    """A result as the conversation holds it."""
    return ToolResultPart(tool_call_id=part.id, name=part.name, content=result.content, success=result.success)


def _required(part: ToolCallPart, shown: ApprovalRequest | None) -> ApprovalRequired | None:
    if shown is None:
        return None
    return ApprovalRequired(call_id=part.id, name=part.name, rule=shown.rule, reason=shown.reason, request=shown)


def _words(error: BaseException) -> str:
    if isinstance(error, CodetetherError):
        return " ".join((f"{error.message} — {error.remedy}" if error.remedy else error.message).split())
    return reason_of(error)


def _origin(part: ToolCallPart) -> dict[str, Any]:
    """What the audit keeps of a call that a router made out of text."""
    return {} if part.written is None else {"written": part.written}
