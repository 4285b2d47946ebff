"""What a model sees of a session, and how much of its context that takes."""

from __future__ import annotations

from codetether.models.completion import ModelLimits, ModelRef
from codetether.models.messages import Message, RefusalPart, TextPart, ThinkingPart, ToolCallPart, ToolResultPart
from codetether.models.record import Unknown
from codetether.models.session import Compacted
from codetether.values import frozen

BYTES_PER_TOKEN = 4
PER_PART = 4
PER_IMAGE = 1500
"""Tokens that a part costs beside its text, and that an image or a file costs: rough, and rather too many."""


@frozen(kw_only=True)
class Window:
    """What a model sees of a session's history, and how much it may see.

    Attributes:
        messages: what would be sent, oldest first.
        model, limits: who would be asked, and what it takes; `limits.context` is None where nobody knows.
        compaction: the one that holds: the first `len(compaction.messages)` messages are its own.
        measured: tokens of the last request and its answer as the provider counted them, prompt and tools included;
            0 where nobody counted since the last compaction.
        unmeasured: how many of the messages, the last ones, came after that answer.
    """

    messages: tuple[Message, ...]
    model: ModelRef
    limits: ModelLimits = ModelLimits()
    compaction: Compacted | None = None
    measured: int = 0
    unmeasured: int = 0

    @property
    def stand_ins(self) -> int:
        """How many of the messages, the first ones, stand for others."""
        return len(self.compaction.messages) if self.compaction else 0

    def until(self, index: int) -> int:
        """How many of the session's messages come before the message at this index, at or after the stand-ins."""
        return index - self.stand_ins + (self.compaction.until if self.compaction else 0)


def estimated_tokens(message: Message) -> int:
    """About how many tokens a message takes, by the length of its texts: nobody's tokenizer is asked."""
    return sum(map(_part_tokens, message.parts))


def _part_tokens(part: object) -> int:
    match part:
        case ToolCallPart():
            return PER_PART + _tokens(part.name) + _tokens(part.arguments)
        case ToolResultPart(content=content):
            return PER_PART + sum(map(_part_tokens, content))
        case Unknown(raw=raw):
            return PER_PART + _tokens(str(raw))
        case TextPart(text=text) | ThinkingPart(text=text) | RefusalPart(text=text):
            return PER_PART + _tokens(text)
        case _:
            return PER_IMAGE


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def is_paired(messages: tuple[Message, ...]) -> bool:
    """Whether every result stands after its call, and every call has its result: providers refuse anything else."""
    calls: set[str] = set()
    results: set[str] = set()
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                if part.tool_call_id not in calls:
                    return False
                results.add(part.tool_call_id)
            elif isinstance(part, ToolCallPart):
                calls.add(part.id)
    return calls == results
