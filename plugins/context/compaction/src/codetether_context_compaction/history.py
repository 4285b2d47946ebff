"""Where a history can be parted, and how tool results in it are cut."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from codetether import FilePart, ImagePart, Message, TextPart, ToolResultPart, Unknown, estimated_tokens

SMALL = 200
"""Tokens of an old tool result that stay: its beginning and its end."""
CHARACTERS = 4
"""Of a token, about."""


def tail_start(messages: Sequence[Message], keep: int, room: int) -> int:
    """Where the last `keep` turns begin, or fewer, or the last steps of the last turn, so that they fit `room` tokens.

    At least the last step is kept whole, so it begins with a message of the user or of the model: no tool result is
    parted from its call.
    """
    starts = [index for index, message in enumerate(messages) if message.role == "user"]
    for start in starts[-keep:]:
        if _fits(messages[start:], room):
            return start
    last = starts[-1] if starts else 0
    steps = [index for index in range(last, len(messages)) if messages[index].role != "tool"]
    return next((step for step in steps if _fits(messages[step:], room)), steps[-1] if steps else 0)


def question(messages: Sequence[Message], start: int) -> tuple[Message, ...]:
    """The user's message that is being answered, where the history is parted after it."""
    if any(message.role == "user" for message in messages[start:]):
        return ()
    return next(((message,) for message in reversed(messages[:start]) if message.role == "user"), ())


def cut(message: Message, tokens: int) -> Message:
    """The message with tool results of at most so many tokens; the very same object where they are short enough."""
    parts = tuple(_cut_result(part, tokens) if isinstance(part, ToolResultPart) else part for part in message.parts)
    if all(new is old for new, old in zip(parts, message.parts, strict=True)):
        return message
    return attrs.evolve(message, parts=parts)


def _cut_result(result: ToolResultPart, tokens: int) -> ToolResultPart:
    if estimated_tokens(Message(role="tool", parts=(result,))) <= tokens + SMALL:
        return result
    count = max(sum(isinstance(part, TextPart) for part in result.content), 1)
    content = tuple(_cut_part(part, tokens * CHARACTERS // count) for part in result.content)
    return attrs.evolve(result, content=content)


def _cut_part(part: TextPart | ImagePart | FilePart | Unknown, size: int) -> TextPart:
    if not isinstance(part, TextPart):
        return TextPart(text="[left out to save room; call the tool again to see it]")
    if len(part.text) <= size:
        return part
    half = size // 2
    left_out = len(part.text) - 2 * half
    note = f"[… {left_out:,} characters left out to save room; call the tool again to see them …]"
    return TextPart(text=f"{part.text[:half]}\n{note}\n{part.text[-half:]}")


def _fits(messages: Sequence[Message], room: int) -> bool:
    return sum(map(estimated_tokens, messages)) <= room
