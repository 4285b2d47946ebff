"""What one prompt has come to, while it is at work and at its end."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field

from codetether.errors import CodetetherError
from codetether.models.completion import ModelRef, Usage
from codetether.models.events import SessionEvent, Status
from codetether.models.record import JSON
from codetether.models.session import SessionResult, ToolCallSummary, ToolCompleted
from codetether.record.projection import completion
from codetether.session.circles import Circle
from codetether.session.limits import Limits
from codetether.session.structured import Form
from codetether.values import define, frozen

Emit = Callable[[SessionEvent], None]


@define(kw_only=True)
class Turn:
    """What one prompt has come to so far.

    Attributes:
        usage: as reported, with that of subagents. spent: as it counts for the limits, up to now.
        limits: how far it may go. above: the turn that a subagent works for.
        answer: what a tool gave as the answer; the turn ends with it.
        nested: the ids of calls that calls made.
    """

    number: int
    emit: Emit
    limits: Limits
    step: int = 0
    usage: Usage = Usage()
    spent: Usage = Usage()
    above: Turn | None = None
    texts: list[str] = field(factory=list)
    calls: list[ToolCallSummary] = field(factory=list)
    nested: set[str] = field(factory=set)
    unanswered: list[str] = field(factory=list)
    answer: str = ""
    form: Form | None = None
    misses: int = 0
    structured: JSON = None
    circle: Circle = field(factory=Circle)

    @property
    def text(self) -> str:
        """All that the model said."""
        return "\n".join(self.texts).strip()

    @property
    def denied(self) -> End | None:
        """The end where something was denied because nobody could be asked."""
        if not self.unanswered:
            return None
        return End(status="denied", reason=f"denied, because nobody could be asked: {', '.join(self.unanswered)}")

    def reached(self) -> tuple[str, str] | None:
        """The limit, as in `Done`, and the reason why nothing more may be asked for; None while it may."""
        return self.limits.reached(self.step, self.spent) or self._exceeded_above()

    def _exceeded_above(self) -> tuple[str, str] | None:
        above = self.above
        return None if above is None else above.limits.exceeded(above.spent) or above._exceeded_above()

    def spend(self, usage: Usage) -> None:
        """Something was used: it counts for the limits of this turn, and of the one that it works for."""
        self.spent += usage
        if self.above is not None:
            self.above.spend(usage)

    def tell(self, completed: ToolCompleted) -> None:
        """A call has its result, which is recorded: it is announced, and counts."""
        result, duration = completed.result, completed.duration_ms
        if completed.usage is not None:
            self.usage += completed.usage
        self.calls.append(
            ToolCallSummary(id=result.tool_call_id, name=result.name, success=result.success, duration_ms=duration)
        )
        self.emit(completion(completed))

    def result(self, end: End, session_id: str, model: ModelRef) -> SessionResult:
        """What the prompt came to."""
        return SessionResult(
            text=self.text,
            session_id=session_id,
            status=end.status,
            usage=self.usage,
            provider=model.provider,
            model=model.model,
            tool_calls=tuple(self.calls),
            steps=self.step,
            reason=end.reason,
            limit=end.limit,
            structured=self.structured,
            error=str(end.error) if end.error else end.reason if end.status in ("error", "provider_failed") else "",
        )


@frozen(kw_only=True)
class End:
    """How a prompt ended."""

    status: Status
    reason: str = ""
    limit: str = ""
    error: CodetetherError | None = None
