"""What a run was not allowed to do for want of a yes, and how to allow it next time."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from codetether.cli.terminal import one_line
from codetether.models.approvals import ApprovalRequest
from codetether.models.events import ApprovalRequired


def denied_record(event: ApprovalRequired) -> dict[str, Any]:
    """A denied call for machines: what was asked for, which rule asked, the rules that would allow it."""
    from codetether.wire import to_dict

    told = {"call_id": event.call_id, "name": event.name, "rule": event.rule, "reason": event.reason}
    if event.request is None:
        return told
    return {**told, "request": to_dict(event.request), "allow": list(allowances(event.request))}


def denied_lines(denied: Sequence[ApprovalRequired], session_id: str | None) -> Iterator[str]:
    """The calls that were denied, and the command that goes on with all of them allowed."""
    for event in denied:
        yield f"  {event.name}: {one_line(event.request.about, 400) if event.request else event.reason}"
        yield f"    {event.rule}"
    found = [tuple(allowances(event.request)) if event.request else (event.name,) for event in denied]
    rules = dict.fromkeys(rule for each in found for rule in each)
    session = f"-s {session_id}" if session_id else "-c"
    if rules:
        allowed = " ".join(f"--allow {shlex.quote(rule)}" for rule in rules)
        yield f"  To allow it: codetether run {session} {allowed} 'go on', or answer at a terminal."
    if not all(found):
        yield f"  {'Some of it' if rules else 'It'} asks each time: go on at a terminal (codetether chat {session})."


def allowances(asked: ApprovalRequest) -> Iterator[str]:
    """The narrowest rules that would allow the call; none where it asks whatever is allowed."""
    if asked.rule.startswith("outside the workspace: "):
        yield from (f"read({path})" for path in asked.reads if _plain(path))
        yield from (f"write({path})" for path in asked.writes if _plain(path))
    elif asked.rule.startswith("mode "):
        yield from _of_commands(asked) or _of_files(asked) or _of_hosts(asked) or [asked.tool]


def _of_commands(asked: ApprovalRequest) -> list[str]:
    """A rule for each command, word for word; none where a line is more than that."""
    from codetether.permissions.rules import parse_rule
    from codetether.permissions.shell import read_line

    made = []
    for part in (part for command in asked.commands for part in read_line(command).parts or (None,)):
        text = f"{asked.tool}({shlex.join(part.words)})" if part and not part.globs else ""
        if part is None or not text or not parse_rule("allow", text, 0).covers(part.words):
            return []
        made.append(text)
    return made


def _of_files(asked: ApprovalRequest) -> list[str]:
    """A rule for each file that would be written."""
    if set(asked.effects) <= {"read", "write"} and all(map(_plain, asked.writes)):
        return [f"write({path})" for path in asked.writes]
    return []


def _of_hosts(asked: ApprovalRequest) -> list[str]:
    """A rule for each host that would be reached."""
    return [f"network({host})" for host in asked.hosts] if set(asked.effects) <= {"read", "network"} else []


def _plain(path: str) -> bool:
    return not set(path) & set("*?[()")
