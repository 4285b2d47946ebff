"""Messages as the conventions write them on spans: JSON text, sent only where content is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

LIMIT = 10_000
"""Characters (code points) of one text; what goes beyond is left out, with its number."""

Part = dict[str, Any]


def cut(text: str) -> str:
    """The text, at most LIMIT characters of it; a lone surrogate becomes U+FFFD, because it cannot be sent."""
    if len(text) > LIMIT:
        text = f"{text[:LIMIT]}… [{len(text) - LIMIT} characters left out]"
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text(content: str) -> Part:
    """Visible text."""
    return {"type": "text", "content": cut(content)}


def reasoning(content: str) -> Part:
    """The model's reasoning."""
    return {"type": "reasoning", "content": cut(content)}


def call(call_id: str, name: str, arguments: str) -> Part:
    """A tool call; arguments that are no JSON stay text."""
    try:
        read = json.loads(arguments) if len(arguments) <= LIMIT else cut(arguments)
    except ValueError:
        read = cut(arguments)
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": read}


def response(call_id: str, output: str) -> Part:
    """What a tool call came to."""
    return {"type": "tool_call_response", "id": call_id, "response": cut(output)}


def message(role: str, parts: Sequence[Part], **more: str) -> dict[str, Any]:
    """A message of parts."""
    return {"role": role, "parts": list(parts), **more}


def written(messages: Sequence[dict[str, Any]]) -> str:
    """The value of an attribute that holds messages."""
    return json.dumps(messages, ensure_ascii=False)
