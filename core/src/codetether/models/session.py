"""Sessions: what a journal records, and the session that its entries add up to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import field

from codetether.models.completion import FinishReason, Usage
from codetether.models.events import SessionEvent, Status, Why
from codetether.models.messages import Message, TextPart, ToolResultPart
from codetether.models.record import JSON, Record, Unknown
from codetether.values import frozen

JOURNAL_FORMAT = 1
TITLE_LENGTH = 47


@frozen(kw_only=True)
class SessionStarted(Record):
    """The first entry of a journal; a subagent's names the session, and the tool call in it, that it works for.

    Attributes:
        parent_event_id: of that call's line in the event stream, as `<session>/<sequence>.<part>`.
    """

    id: str
    directory: str
    agent: str = "build"
    model: str | None = None
    parent_id: str | None = None
    parent_call_id: str | None = None
    parent_event_id: str | None = None
    format: int = field(default=JOURNAL_FORMAT, metadata={"always_written": True})
    version: str = ""


@frozen(kw_only=True)
class MessageAdded(Record):
    """A message of the user or the model; an assistant's with what it cost.

    Attributes:
        duration_ms: from the request to the last chunk of the answer. first_ms: to the first one.
        response_model: who answered by the provider's word, where that is not the model that was asked.
    """

    message: Message
    turn: int
    step: int = 0
    usage: Usage | None = None
    duration_ms: float | None = None
    finish_reason: FinishReason | None = None
    raw_usage: Mapping[str, JSON] = field(factory=dict)
    raw_finish_reason: str | None = None
    response_id: str | None = None
    first_ms: float | None = None
    response_model: str | None = None


@frozen(kw_only=True)
class ToolIntent(Record):
    """A call is about to run; durable before an unsafe one does."""

    call_id: str
    name: str
    turn: int
    step: int
    repeatable: bool
    decision: str = ""
    rule: str = ""


@frozen(kw_only=True)
class ToolCompleted(Record):
    """A call's result; from here on it is never run again. `usage`: what the subagents that it had used."""

    result: ToolResultPart
    turn: int
    step: int
    duration_ms: float = 0.0
    denied: bool = False
    metadata: Mapping[str, JSON] = field(factory=dict)
    usage: Usage | None = None


@frozen(kw_only=True)
class TitleChanged(Record):
    """None clears the title. `automatic` ones leave `updated_at` alone."""

    title: str | None
    automatic: bool = False


@frozen(kw_only=True)
class MetadataChanged(Record):
    """What changed of agent, model, sharing; None means unchanged."""

    agent: str | None = None
    model: str | None = None
    directory: str | None = None
    shared: bool | None = None
    share_url: str | None = None


@frozen(kw_only=True)
class Announced(Record):
    """An event that no other entry implies (a retry, a notice, a denial for want of an answer)."""

    event: SessionEvent
    turn: int
    step: int = 0


@frozen(kw_only=True)
class Remembered(Record):
    """A value that a plugin keeps with the session; null forgets it."""

    plugin: str
    key: str
    value: JSON


@frozen(kw_only=True)
class Compacted(Record):
    """From here on the model sees `messages` in place of the session's first ones, which the journal keeps.

    Attributes:
        until: how many of the session's messages, from the first on, are stood for.
        tokens_before, tokens_after: of what the model sees, estimated.
    """

    until: int
    messages: tuple[Message, ...]
    why: Why
    tokens_before: int
    tokens_after: int


@frozen(kw_only=True)
class CompactionUndone(Record):
    """The last compaction does not hold any more."""


@frozen(kw_only=True)
class TurnEnded(Record):
    """A prompt ended. `limit`: which limit it reached, where its status is that."""

    turn: int
    status: Status
    steps: int
    usage: Usage = Usage()
    reason: str = ""
    error: str = ""
    limit: str = ""


@frozen(kw_only=True)
class Gap(Record):
    """Made by the reader, never written: records between these lines could not be read."""

    first_line: int
    last_line: int
    why: str


JournalEntry = (
    SessionStarted
    | MessageAdded
    | ToolIntent
    | ToolCompleted
    | TitleChanged
    | MetadataChanged
    | Announced
    | Remembered
    | Compacted
    | CompactionUndone
    | TurnEnded
    | Gap
    | Unknown
)


@frozen(kw_only=True)
class JournalRecord:
    """An entry with its place in the journal: `sequence` from 1, `recorded_at` in UTC."""

    sequence: int
    recorded_at: datetime
    entry: JournalEntry


@frozen(kw_only=True)
class SessionMetadata(Record):
    """Where a session works and with what; `model` is `provider/model` as it was resolved."""

    directory: str
    model: str | None = None
    shared: bool = False
    share_url: str | None = None


@frozen(kw_only=True)
class ToolUse(Record):
    """One tool call that has its result."""

    id: str
    name: str
    success: bool
    duration_ms: float
    turn: int


@frozen(kw_only=True)
class Session(Record):
    """A session as its journal tells it; `usage` with that of its subagents."""

    id: str
    created_at: datetime
    updated_at: datetime
    metadata: SessionMetadata
    title: str | None = None
    messages: tuple[Message, ...] = ()
    tool_uses: tuple[ToolUse, ...] = ()
    usage: Usage = Usage()
    agent: str = "build"
    parent_id: str | None = None
    parent_call_id: str | None = None
    parent_event_id: str | None = None
    turn: int = 0


@frozen(kw_only=True)
class SessionSummary(Record):
    """One line of a listing."""

    id: str
    title: str | None
    created_at: datetime
    updated_at: datetime
    message_count: int
    agent: str
    directory: str
    model: str | None = None
    parent_id: str | None = None


@frozen(kw_only=True)
class ToolCallSummary(Record):
    """One tool call of a prompt, for `--format json`."""

    id: str
    name: str
    success: bool
    duration_ms: float


@frozen(kw_only=True)
class SessionResult(Record):
    """What a prompt came to.

    Attributes:
        text: the non-empty text parts of all steps of this prompt, joined by newlines, trimmed.
        provider, model: who answered last.
        error: the message of the failure, where there was one.
        reason: why it ended, where the status is not `done`.
        limit: which limit it reached, as in `Done`.
        structured: the value of an answer that was asked for by a schema; `text` is its JSON then.
    """

    text: str
    session_id: str
    status: Status
    usage: Usage = Usage()
    provider: str | None = None
    model: str | None = None
    tool_calls: tuple[ToolCallSummary, ...] = ()
    steps: int = 0
    reason: str = ""
    limit: str = ""
    error: str = ""
    structured: JSON = None


def title_from(text: str) -> str | None:
    """White space folded; over 47 code points: the first 47 and `...`; None where nothing is left."""
    folded = " ".join(text.split())
    if not folded:
        return None
    return folded if len(folded) <= TITLE_LENGTH else folded[:TITLE_LENGTH] + "..."


def _user_text(message: Message) -> str:
    return " ".join(p.text for p in message.parts if isinstance(p, TextPart))


def automatic_title(messages: tuple[Message, ...]) -> str | None:
    """The title made of the first user message, None while there is none."""
    return next((title_from(_user_text(m)) for m in messages if m.role == "user"), None)
