"""What a run came to, gathered from its events: the object that `--format json` prints."""

from __future__ import annotations

from typing import Any

from attrs import field

from codetether.cli.app import explained
from codetether.cli.denied import denied_record
from codetether.errors import ProviderError
from codetether.models import events
from codetether.models.completion import ModelRef, Usage
from codetether.models.events import SessionEvent, Status
from codetether.values import define


@define(kw_only=True)
class Outcome:
    """The run so far; an `error` until something better happens.

    Attributes:
        unanswered: the calls that were denied for want of an answer.
    """

    status: Status = "error"
    session_id: str | None = None
    model: ModelRef | None = None
    text: str = ""
    usage: Usage = Usage()
    steps: int = 0
    structured: Any = None
    limit: str = ""
    error: str = ""
    remedy: str = ""
    tool_calls: list[dict[str, Any]] = field(factory=list)
    unanswered: list[events.ApprovalRequired] = field(factory=list)
    _texts: list[str] = field(factory=list)

    def take(self, event: SessionEvent) -> None:
        """One more event."""
        match event:
            case events.TextComplete():
                self._texts.append(event.text)
            case events.UsageReport():
                self.usage += event.usage
                self.steps += 1
                self.model = _reference(event.model)
            case events.ToolCallComplete():
                summary = {"id": event.call_id, "name": event.name}
                self.tool_calls.append(
                    {**summary, "success": event.success, "duration_ms": round(event.duration_ms, 3)}
                )
            case events.ApprovalRequired():
                self.unanswered.append(event)
            case events.SubagentEvent(event=events.ApprovalRequired() | events.SubagentEvent() as inner):
                self.take(inner)
            case events.Done():
                self.status, self.text, self.usage, self.steps = event.status, event.text, event.usage, event.steps
                self.error = event.reason if event.status != "done" else ""
                self.limit = event.limit
                self.structured = event.structured
            case events.Error():
                self.status, self.error, self.remedy = event.status, event.message, event.remedy
                self.text = "\n".join(self._texts).strip()
            case _:
                pass

    def fail(self, error: BaseException) -> None:
        """The run ended by an exception."""
        self.status = "provider_failed" if isinstance(error, ProviderError) else "error"
        self.error, self.remedy = explained(error)
        self.text = "\n".join(self._texts).strip()

    def interrupt(self) -> None:
        """The run was cancelled before its events could say so."""
        self.status, self.error = "interrupted", "interrupted"
        self.text = "\n".join(self._texts).strip()

    def record(self) -> dict[str, Any]:
        """The object for machines."""
        usage = {name: getattr(self.usage, name) for name in _TOKENS}
        if self.usage.cost is not None:
            usage["cost"] = str(self.usage.cost)
        made: dict[str, Any] = {
            "text": self.text,
            "session_id": self.session_id,
            "status": self.status,
            "provider": self.model.provider if self.model else None,
            "model": self.model.model if self.model else None,
            "usage": usage,
            "tool_calls": self.tool_calls,
        }
        if self.unanswered:
            made["denied"] = [denied_record(event) for event in self.unanswered]
        if self.structured is not None:
            made["structured"] = self.structured
        if self.limit:
            made["limit"] = self.limit
        if self.error:
            made["error"] = f"{self.error}\n{self.remedy}" if self.remedy else self.error
        return made


_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def _reference(text: str) -> ModelRef:
    provider, _, model = text.partition("/")
    return ModelRef(provider=provider, model=model)
