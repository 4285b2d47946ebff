"""An exported session as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from codetether.cli.exports.document import Document, text_of
from codetether.cli.tool_text import arguments_shown


def markdown(document: Document) -> str:
    """The whole conversation: thinking and results of tools folded, texts as they were written."""
    return "\n".join(_session(document, 1))


def _session(document: Mapping[str, Any], level: int) -> Iterator[str]:
    about = document["session"]
    yield f"{'#' * level} {_line(about['title'] or about['id'])}"
    yield ""
    for name, value in facts(document):
        yield f"- **{name}:** {_line(value)}"
    for gap in document["damage"]:
        yield f"- **damaged:** {lost(gap)}"
    ends = {turn["turn"]: turn for turn in document["turns"]}
    last = None
    for message in document["messages"]:
        if message.get("only_usage"):
            continue
        if last is not None and message["turn"] != last:
            yield from _end(ends.get(last))
        last = message["turn"]
        yield from _message(message, level)
    yield from _end(ends.get(last))
    for child in document["children"]:
        yield ""
        yield "---"
        yield ""
        yield from _session(child, level + 1)
    yield ""


def facts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is worth knowing of a session before one reads it."""
    about, usage = document["session"], document["usage"]
    yield "session", about["id"]
    yield "directory", about["directory"]
    if about["model"]:
        yield "model", about["model"]
    yield "agent", about["agent"]
    began, ended = minute(about["created_at"]), minute(about["updated_at"])
    yield "time", f"{began} to {ended.removeprefix(began[:11])} UTC"
    if about["parent_id"]:
        yield "subagent of", about["parent_id"]
    if about["forked_from"]:
        yield "fork of", f"{about['forked_from']['from']}, with its first {about['forked_from']['messages']} messages"
    tokens = f"{usage['input_tokens']:,} in, {usage['output_tokens']:,} out"
    if usage["cache_read_tokens"]:
        tokens += f", {usage['cache_read_tokens']:,} of the input from the cache"
    yield "tokens", tokens
    if usage["cost"] is not None:
        yield "cost", money(usage["cost"])


def _message(message: Mapping[str, Any], level: int) -> Iterator[str]:
    role = message["role"]
    if role != "tool":
        yield ""
        name = {"user": "User", "assistant": "Assistant"}.get(role, role)
        yield f"{'#' * (level + 1)} {name} {'· ' + message['model'] if message.get('model') else ''}".rstrip()
    for part in message["parts"]:
        yield ""
        match part:
            case {"type": "text" | "refusal", "text": text}:
                yield text
            case {"type": "thinking", "text": text} if text:
                yield from _folded("Thinking", text, "")
            case {"type": "tool_call", "name": name, "arguments": arguments}:
                yield f"**{_line(name)}** {_code(arguments_shown(arguments))}"
            case {"type": "tool_result"}:
                yield from _result(message, part)
            case {"type": "image" | "file" as kind}:
                yield f"*({kind}: {_line(part.get('name') or part.get('url') or part['media_type'])})*"
            case _:
                yield f"*({_line(str(part.get('type')))})*"


def _result(message: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[str]:
    diff = message["metadata"].get("diff")
    failed = "" if part["success"] else ": denied" if message["denied"] else ": failed"
    if isinstance(diff, str) and diff:
        yield from _folded(f"{part['name']}{failed}", diff, "diff")
    else:
        yield from _folded(f"{part['name']}{failed}", text_of(part), "")


def _folded(head: str, text: str, language: str) -> Iterator[str]:
    yield f"<details><summary>{_line(head).replace('<', '&lt;')}</summary>"
    yield ""
    yield _fenced(text, language)
    yield ""
    yield "</details>"


def _fenced(text: str, language: str) -> str:
    """A block of code; its fence is longer than any in the text."""
    longest = max(map(len, re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _code(text: str) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {_line(text)} {fence}" if longest else f"`{_line(text)}`"


def _end(turn: Mapping[str, Any] | None) -> Iterator[str]:
    if turn is not None and turn["status"] != "done":
        yield ""
        yield f"> **{turn['status']}** {_line(turn['error'] or turn['reason'])}".rstrip()


def _line(text: str) -> str:
    return " ".join(text.split())


def lost(gap: Mapping[str, Any]) -> str:
    """A gap in words."""
    return f"lines {gap['first_line']} to {gap['last_line']} of the journal could not be read ({gap['why']})"


def minute(time: str) -> str:
    """A time to the minute."""
    return time[:16].replace("T", " ")


def money(cost: str) -> str:
    """Dollars: cents, or four digits where there are few of them."""
    value = float(cost)
    return f"${value:,.2f}" if value >= 10 else f"${value:.4f}"
