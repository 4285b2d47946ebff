"""What happens while a session works, as its callers and sinks see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from attrs import field

from codetether.models.approvals import ApprovalRequest
from codetether.models.completion import CompletionResponse, FinishReason, Usage
from codetether.models.messages import Message
from codetether.models.record import JSON, Record, Unknown
from codetether.values import define, frozen

if TYPE_CHECKING:
    from codetether.models.session import Session

Status = Literal["done", "error", "denied", "limit", "provider_failed", "interrupted"]
"""How a prompt ended. `denied`: a call was denied for want of an answer, even when text followed."""


Why = Literal["threshold", "overflow", "asked"]
"""Why a history is compacted: it has grown, the provider refused it as too long, or the user wants it."""


# Text arrives by the thousand pieces: mutable slots, like the chunks they come from.
@define
class TextChunk:
    """More of the visible answer, as it streams: what comes together is one chunk."""

    text: str


@define
class ThinkingChunk:
    """More of the model's reasoning, as it streams."""

    text: str


@frozen(kw_only=True)
class UserMessage(Record):
    """The user's message was recorded."""

    message: Message


@frozen(kw_only=True)
class Thinking(Record):
    """The model is being asked: at the start and at each step. Steps count from 1."""

    step: int


@frozen(kw_only=True)
class ThinkingComplete(Record):
    """The model's whole reasoning of this step; sent only where there was some."""

    text: str


@frozen(kw_only=True)
class TextComplete(Record):
    """The whole visible text of this step; sent only where there was some."""

    text: str


@frozen(kw_only=True)
class UsageReport(Record):
    """After each response: its tokens, how long it took, who was asked as `provider/model`.

    Attributes:
        first_ms: until its first chunk came; None where that is not known.
        finish_reason: why it ended, as in CompletionResponse.
        response_id: the provider's own id of it.
        response_model: who answered by the provider's word, where that is not the model that was asked.
    """

    usage: Usage
    duration_ms: float
    model: str
    first_ms: float | None = None
    finish_reason: FinishReason | None = None
    response_id: str | None = None
    response_model: str | None = None


def usage_report(response: CompletionResponse, asked: str) -> UsageReport:
    """What a response is reported as; `asked` is the model, as `provider/model`."""
    return UsageReport(
        usage=response.usage,
        duration_ms=response.duration_ms,
        model=asked,
        first_ms=response.first_ms,
        finish_reason=response.finish_reason,
        response_id=response.response_id,
        response_model=response.other_model,
    )


@frozen(kw_only=True)
class ToolCallStart(Record):
    """A tool call was found in the answer, before any check of it. `arguments` is JSON text.

    Attributes:
        parent_call_id: of the call that made this one; None for the model's own.
    """

    call_id: str
    name: str
    arguments: str
    parent_call_id: str | None = None


@frozen(kw_only=True)
class ToolCallOutput(Record):
    """More output of a running tool, as it comes."""

    call_id: str
    text: str


@frozen(kw_only=True)
class ToolCallComplete(Record):
    """A tool call has its result, which is recorded. `output` is what the model is told."""

    call_id: str
    name: str
    output: str
    success: bool
    duration_ms: float
    denied: bool = False
    metadata: Mapping[str, JSON] = field(factory=dict)


@frozen(kw_only=True)
class SubagentEvent(Record):
    """What a subagent does, as it happens. Its own session records it, so no journal of its parent's holds this.

    Attributes:
        call_id: of the call that it works for; None where none asked for it.
        session_id, agent: the subagent's.
    """

    call_id: str | None
    session_id: str
    agent: str
    event: SessionEvent


@frozen(kw_only=True)
class ApprovalRequired(Record):
    """A call needs a yes that nobody could give; it was denied. `request` is what a person would have been shown."""

    call_id: str
    name: str
    rule: str
    reason: str
    request: ApprovalRequest | None = None


@frozen(kw_only=True)
class Retry(Record):
    """The provider is asked again: text shown since the last `Thinking` is withdrawn. `delay` in seconds.

    Attributes:
        model: the one that is asked from now on, as `provider/model`; empty for the same one.
        kind: the name of the error, e.g. `RateLimited`.
    """

    attempt: int
    delay: float
    reason: str
    model: str = ""
    kind: str = ""


@frozen(kw_only=True)
class Notice(Record):
    """Something the user should know that stops nothing; `source` names who says it."""

    text: str
    source: str = ""


@frozen(kw_only=True)
class AuditAnchor(Record):
    """Where an audit sink's record stood: kept with the session, so that the end of that record cannot be cut unseen.

    Attributes:
        sink: its name. detail: what it says, e.g. `log` (which), `records` (how many), `head` (the last one's MAC).
    """

    sink: str
    detail: Mapping[str, JSON] = field(factory=dict)


@frozen(kw_only=True)
class Compaction(Record):
    """From now on the model sees a shorter history; `undone`: the longer one again.

    Attributes:
        replaced: how many of the session's messages are stood for. by: by how many.
        tokens_before, tokens_after: of what the model sees, estimated.
    """

    why: Why = "asked"
    replaced: int = 0
    by: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    undone: bool = False

    @property
    def text(self) -> str:
        """It in words."""
        if self.undone:
            return "the last compaction is undone: the model sees again what it stood for"
        after = f"about {self.tokens_before:,} tokens became {self.tokens_after:,}"
        return f"{self.replaced} messages are now {self.by} to the model, {after} (/compact undo takes it back)"


@frozen(kw_only=True)
class SessionSync(Record):
    """The session as it now stands: the same immutable object the session holds, not a copy."""

    session: Session


@frozen(kw_only=True)
class Done(Record):
    """The prompt ended; `text` is the answer, `reason` says why where the status is not `done`.

    Attributes:
        limit: which limit it reached, where its status is that: `max_steps`, `max_cost`, `max_tokens`, `max_time`,
            `output` (an answer was cut off), `context` (the history does not fit), `runaway` (the same calls over and
            over).
        structured: the value of an answer that was asked for by a schema.
    """

    status: Status
    text: str
    usage: Usage = Usage()
    steps: int = 0
    reason: str = ""
    limit: str = ""
    structured: JSON = None


@frozen(kw_only=True)
class Error(Record):
    """The prompt failed and ends with this event. `status` is the machine's word, `message` the user's."""

    message: str
    kind: str
    status: Status = "error"
    remedy: str = ""


SessionEvent = (
    UserMessage
    | Thinking
    | ThinkingChunk
    | ThinkingComplete
    | TextChunk
    | TextComplete
    | UsageReport
    | ToolCallStart
    | ToolCallOutput
    | ToolCallComplete
    | SubagentEvent
    | ApprovalRequired
    | Retry
    | Notice
    | AuditAnchor
    | Compaction
    | SessionSync
    | Done
    | Error
    | Unknown
)
"""Readers ignore kinds that they do not know."""


@frozen(kw_only=True)
class EventRecord:
    """An event as sinks get it: all but chunks, projected from the journal, so that a replay equals the live run.

    Attributes:
        sequence: the number of the journal record it comes from; a durable sink keeps the last one it holds.
        part: position among the events of that record, from 0, of `parts`.
        turn: which prompt of the session, from 1. step: which response within it, from 1; 0 before the first.
        parent_event_id: the line of its parent's stream that a subagent works for, as `<session>/<sequence>.<part>`.
    """

    sequence: int
    part: int
    recorded_at: datetime
    session_id: str
    directory: str
    agent: str
    turn: int
    step: int
    event: SessionEvent
    parts: int = 1
    parent_event_id: str | None = None


CHAT_EVENT_SCHEMA = 1
"""The version of the lines' schema. A new field does not change it; a field that changes its meaning does."""


@frozen(kw_only=True)
class ChatEvent(Record):
    """One line of the JSONL event stream: flat, the same for every kind.

    Attributes:
        workspace: the session's directory. role: user, assistant, tool or system.
        message_type: e.g. `text`, `thinking`, `tool_call`, `tool_result`, `usage`, `done`, `error`.
        schema_version: CHAT_EVENT_SCHEMA of who wrote the line; None for lines from before there was one.
        content: cut at 10,000 characters; `content_cut` says how many were left out.
        sequence, part: as in EventRecord: together they number the line; `<sequence>.<part>` is its id.
        parent_event_id: the id of the line that this one belongs to, in the same session: of a call's start for what
            is about the call, of the user's message for everything else in a turn. Of a subagent's prompt it is the
            start of the call in its parent's session, `<session>/<sequence>.<part>`. None for the user's messages,
            and where that line is not in the files any more.
        status: of a `done` or an `error`. duration_ms: of the response that a `usage` is about.
    """

    recorded_at: datetime
    workspace: str
    session_id: str
    role: str
    message_type: str
    sequence: int
    schema_version: int | None = None
    agent_name: str | None = None
    content: str | None = None
    content_cut: int | None = None
    tool_name: str | None = None
    tool_success: bool | None = None
    tool_duration_ms: float | None = None
    tool_call_id: str | None = None
    parent_event_id: str | None = None
    model: str | None = None
    usage: Usage | None = None
    turn: int = 0
    step: int = 0
    part: int = 0
    status: Status | None = None
    duration_ms: float | None = None
