"""How far a prompt may go: steps, seconds, tokens and dollars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from codetether.models.completion import CompletionResponse, Usage
from codetether.models.messages import Message, TextPart, ThinkingPart, ToolCallPart, ToolResultPart
from codetether.settings.core import PATIENCE
from codetether.values import frozen

N = TypeVar("N", int, float, Decimal)
BYTES_PER_TOKEN = 4
"""Where a provider reports no usage, so many characters count as a token."""


@frozen(kw_only=True)
class Limits:
    """What one prompt may take at most; None for no limit.

    Attributes:
        steps: responses of the model.
        seconds: from the prompt to the end, whatever is running then is cancelled.
        tokens: input and output together, those of subagents too.
        cost: in US dollars, that of subagents too.
        repeats: steps in a row that bring nothing new; 0 for no limit.
    """

    steps: int
    seconds: float | None = None
    tokens: int | None = None
    cost: Decimal | None = None
    repeats: int = PATIENCE

    def narrowed(self, other: Limits) -> Limits:
        """The stricter one of each."""
        return Limits(
            steps=min(self.steps, other.steps),
            seconds=_stricter(self.seconds, other.seconds),
            tokens=_stricter(self.tokens, other.tokens),
            cost=_stricter(self.cost, other.cost),
            repeats=self.repeats,
        )

    def left(self, spent: Usage) -> Limits:
        """What of them is left after that usage."""
        return Limits(
            steps=self.steps,
            seconds=self.seconds,
            tokens=None if self.tokens is None else max(self.tokens - spent.total_tokens, 0),
            cost=None if self.cost is None else max(self.cost - (spent.cost or 0), Decimal(0)),
            repeats=self.repeats,
        )

    def reached(self, steps: int, spent: Usage) -> tuple[str, str] | None:
        """The limit, as in `Done`, and the reason why no further response may be asked for; None while one may."""
        if steps >= self.steps:
            return "max_steps", f"stopped after {self.steps} step{'s' * (self.steps != 1)} (--max-steps)"
        return self.exceeded(spent)

    def exceeded(self, spent: Usage) -> tuple[str, str] | None:
        """The same of what subagents share: tokens and cost."""
        if self.tokens is not None and spent.total_tokens >= self.tokens:
            return "max_tokens", f"stopped after {spent.total_tokens:,} of {self.tokens:,} tokens (--max-tokens)"
        if self.cost is None or spent == Usage():
            return None
        if spent.cost is None:
            return "max_cost", "stopped, since no price is known for the model, and --max-cost could not hold"
        if spent.cost >= self.cost:
            return "max_cost", f"stopped after ${spent.cost} of ${self.cost} (--max-cost)"
        return None


def _stricter(one: N | None, other: N | None) -> N | None:
    return other if one is None else one if other is None else min(one, other)


def counted(response: CompletionResponse, history: Callable[[], Sequence[Message]]) -> Usage:
    """What a response counts as, whatever is reported: what that leaves out is estimated by length."""
    usage = response.usage
    given = usage.input_tokens if usage.input_tokens > 0 else sum(map(_size, history())) // BYTES_PER_TOKEN
    made = usage.output_tokens if usage.output_tokens > 0 else _size(response.message) // BYTES_PER_TOKEN
    return Usage(
        input_tokens=given, output_tokens=made, cost=None if usage.cost is None else max(usage.cost, Decimal(0))
    )


def _size(message: Message) -> int:
    size = 0
    for part in message.parts:
        match part:
            case ToolCallPart(arguments=text):
                size += len(text)
            case TextPart(text=text) | ThinkingPart(text=text) | ToolResultPart(text=text):
                size += len(text)
            case _:
                pass
    return size
