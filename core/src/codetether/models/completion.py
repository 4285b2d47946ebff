"""One completion: what is asked of a model, the chunks in which the answer arrives, the whole answer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from attrs import field

from codetether.models.messages import Message, MessagePart, ToolCallPart
from codetether.models.record import JSON, Record
from codetether.models.tools import ToolDefinition
from codetether.values import define, frozen

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "unknown"]
ToolChoice = Literal["auto", "none", "required"] | str
"""`auto`, `none`, `required`, or the name of the one tool to call."""


@frozen(kw_only=True)
class ModelRef:
    """A model of a provider, e.g. `openai/gpt-4o`; the model id may itself hold slashes."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@frozen(kw_only=True)
class SamplingParams(Record):
    """How to sample; None leaves the choice to the provider. `max_output_tokens` counts tokens."""

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


@frozen(kw_only=True)
class Usage(Record):
    """Tokens of one or many responses; adds with `+`.

    Attributes:
        input_tokens: with those read from and written to the cache.
        output_tokens: with reasoning.
        cost: in US dollars; None when no price is known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cost=self.cost if other.cost is None else other.cost + (self.cost or Decimal(0)),
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@frozen(kw_only=True)
class ModelLimits:
    """What a model takes: `context` and `output` in tokens, None where unknown."""

    context: int | None = None
    output: int | None = None


@frozen(kw_only=True)
class CompletionRequest:
    """One question to a model.

    Attributes:
        system: the rendered system prompt; empty for none.
        messages: the history as the model shall see it, oldest first.
        tools: in a stable order, because prompt caches depend on it.
        schema: the JSON schema that the answer's text shall fit, where the provider can enforce it.
        directory: the session's workspace, for models that run in this process; never sent anywhere.
    """

    model: ModelRef
    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: ToolChoice = "auto"
    sampling: SamplingParams = SamplingParams()
    session_id: str = ""
    schema: Mapping[str, JSON] | None = None
    directory: str = ""


# Chunks are made by the thousand and live for a moment, so they are mutable slots: half the price of frozen ones.
@define
class TextDelta:
    """More visible text; `provider_data` is merged into the part. A change of `block` begins a new text part."""

    text: str
    block: int = 0
    provider_data: Mapping[str, JSON] | None = None


@define
class ThinkingDelta:
    """More reasoning; `provider_data` is merged into the part. A change of `block` begins a new part."""

    text: str = ""
    block: int = 0
    provider_data: Mapping[str, JSON] | None = None


@define
class RefusalDelta:
    """More of a refusal."""

    text: str


@define
class ToolCallDelta:
    """More of the tool call at `index`: the first id and name that come count, arguments are joined."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    provider_data: Mapping[str, JSON] | None = None


@define
class WholePart:
    """A part that came in one piece."""

    part: MessagePart


@define
class ResponseStarted:
    """What the provider says of itself: response id and the model that really answers."""

    id: str | None = None
    model: str | None = None


@define
class UsageReported:
    """Tokens so far; the last one wins. `raw` is the provider's own object."""

    usage: Usage
    raw: Mapping[str, JSON]


@define
class Finished:
    """The terminal event was seen. Without it a stream is incomplete, whatever text came."""

    reason: FinishReason
    raw: str | None = None


StreamChunk = (
    TextDelta | ThinkingDelta | RefusalDelta | ToolCallDelta | WholePart | ResponseStarted | UsageReported | Finished
)


@frozen(kw_only=True)
class CompletionResponse:
    """A whole answer.

    Attributes:
        raw_usage, raw_finish_reason: the provider's own words.
        duration_ms: from the request to the last chunk. first_ms: to the first one, whatever it held.
    """

    message: Message
    finish_reason: FinishReason
    usage: Usage = Usage()
    model: str = ""
    response_id: str | None = None
    raw_usage: Mapping[str, JSON] = field(factory=dict)
    raw_finish_reason: str | None = None
    duration_ms: float = 0.0
    first_ms: float | None = None

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls in the order the model made them."""
        return self.message.tool_calls

    @property
    def other_model(self) -> str | None:
        """Who answered by the provider's word, None where that is the model that was asked."""
        return self.model if self.model and self.model != self.message.model else None
