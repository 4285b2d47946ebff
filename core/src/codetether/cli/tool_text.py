"""How a step reads on a screen: a call's arguments on a line, its output cut to both ends, subagents, retries."""

from __future__ import annotations

import json

from codetether.cli.terminal import visible
from codetether.models import events


def arguments_shown(text: str) -> str:
    """Arguments as `path="." depth=2`, or as the model wrote them where they are no object."""
    try:
        values = json.loads(text)
        return " ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    except (ValueError, AttributeError, RecursionError):
        return text


def lines_shown(output: str, head: int, tail: int) -> list[str]:
    """The lines of an output, made visible; of one that is longer the first and the last, what lies between counted."""
    lines = visible(output).rstrip("\n").split("\n")
    if len(lines) <= head + tail:
        return lines
    return [*lines[:head], f"… {len(lines) - head - tail:,} more lines", *lines[-tail:]]


def next_try(event: events.Retry) -> str:
    """Who is asked next, and when."""
    if event.model:
        return f"{event.model} is asked instead"
    return f"retrying in {event.delay:.0f} s" if event.delay >= 1 else "retrying"


def subagent_shown(event: events.SubagentEvent) -> str:
    """What a subagent does, under the names of those that it works for; empty for what is not worth a line."""
    match event.event:
        case events.SubagentEvent() as inner:
            below = subagent_shown(inner)
            return f"{event.agent} > {below}" if below else ""
        case events.ToolCallStart(name=name, arguments=arguments):
            return f"{event.agent} > {name} {arguments_shown(arguments)}"
        case events.Notice(text=text) | events.Retry(reason=text) | events.Error(message=text):
            return f"{event.agent} > {text}"
        case events.ApprovalRequired(name=name, reason=reason):
            return f"{event.agent} > {name} was denied: {reason}"
        case _:
            return ""
