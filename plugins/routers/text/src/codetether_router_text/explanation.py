"""What a model without structured calls is told: the tools, one format for calls, and its own calls in that format."""

from __future__ import annotations

import json
from collections.abc import Sequence

from attrs import evolve
from codetether import Message, MessagePart, TextPart, ToolCallPart, ToolDefinition, ToolResultPart

TEXT = """\
# Tools

You can call these tools, each described by a JSON Schema of its arguments:

{tools}

To call a tool, write nothing but its name and arguments as JSON between these tags, once for each call:

<tool_call>
{{"name": "{name}", "arguments": {{…}}}}
</tool_call>

Then stop: the results come in the next message, between <tool_response> tags. Never write a result yourself."""


def explained(offered: Sequence[ToolDefinition]) -> str:
    """The section of the prompt."""
    tools = [
        json.dumps(
            {"name": tool.name, "description": tool.description, "parameters": dict(tool.schema)}, ensure_ascii=False
        )
        for tool in offered
    ]
    return TEXT.format(tools="\n".join(f"- {tool}" for tool in tools), name=offered[0].name)


def spoken(message: Message) -> Message:
    """The message without structured parts: calls as the model writes them, results as a user's message.

    The very same object where it has none.
    """
    if not any(isinstance(part, ToolCallPart | ToolResultPart) for part in message.parts):
        return message
    parts: list[MessagePart] = []
    for part in message.parts:
        match part:
            case ToolCallPart():
                parts.append(TextPart(text=f"<tool_call>\n{_call(part)}\n</tool_call>"))
            case ToolResultPart():
                parts += _result(part)
            case _:
                parts.append(part)
    return evolve(message, role="user" if message.role == "tool" else message.role, parts=tuple(_joined(parts)))


def _call(part: ToolCallPart) -> str:
    return f'{{"name": {json.dumps(part.name)}, "arguments": {part.arguments.strip() or "{}"}}}'


def _result(part: ToolResultPart) -> list[MessagePart]:
    """The result as text, what is no text after it."""
    others: list[MessagePart] = [piece for piece in part.content if not isinstance(piece, TextPart)]
    body = json.dumps({"name": part.name, "success": part.success, "content": part.text}, ensure_ascii=False)
    return [TextPart(text=f"<tool_response>\n{body}\n</tool_response>"), *others]


def _joined(parts: Sequence[MessagePart]) -> list[MessagePart]:
    """The parts, with texts that stand together as one."""
    made: list[MessagePart] = []
    for part in parts:
        last = made[-1] if made else None
        if isinstance(part, TextPart) and isinstance(last, TextPart) and not part.provider_data:
            made[-1] = evolve(last, text=f"{last.text}\n{part.text}")
        else:
            made.append(part)
    return made
