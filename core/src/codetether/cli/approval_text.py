"""What a call would do, in lines for the one who may allow it: split, nothing pushed out of sight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from codetether.cli.terminal import BOLD, GREEN, RED, YELLOW
from codetether.models.approvals import ApprovalRequest

Shown = tuple[str, tuple[int, ...]]
"""A line, and the codes of its colours."""
LONGEST = 400
"""Characters of one command of a line; of a longer one both ends are shown, below the whole of it."""
_BLANKS = re.compile(r"[^\S\n]{20,}|\n{5,}")
_REPEATED = re.compile(r"(?P<unit>[^\n]{1,8}?)(?P=unit){19,}")
OFFERED = {
    "no": ("n", "no, or say why"),
    "once": ("y", "yes, once"),
    "session": ("s", "yes, for this session"),
    "always": ("a", "yes, always: 30 days, exactly this"),
}
"""Choice -> its key, and how it is offered."""


def approval_lines(asked: ApprovalRequest) -> Iterator[Shown]:
    """All that a person needs to know before saying yes, the whole command first."""
    who = f"{asked.subagent} > {asked.tool}" if asked.subagent else asked.tool
    yield f"{who} wants to {' and '.join(asked.effects) or 'run'}", (BOLD,)
    for command in asked.commands:
        yield from _field("command", command)
    whole = [unpadded(command) for command in asked.commands]
    if whole != list(asked.parts) or any(len(text) > LONGEST for text in whole):
        for number, part in enumerate(asked.parts, 1):
            yield f"      {number}. {both_ends(unpadded(part).replace(chr(10), ' '))}", ()
    touched = {"writes": asked.writes, "reads": asked.reads, "host": asked.hosts, "given the secret": asked.secrets}
    for label, values in touched.items():
        for value in values:
            yield from _field(label, value)
    if not (asked.commands or asked.writes or asked.reads):
        for name, value in _arguments(asked.arguments).items():
            yield from _field(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    for line in asked.preview.splitlines():
        yield f"    {unpadded(line)}", {"+": (GREEN,), "-": (RED,)}.get(line[:1], ())
    for path in asked.files:
        yield from _field("runs, or is told by", path)
    if asked.commands:
        yield from _field("sandbox", asked.sandbox or "none: it runs with your rights")
    yield from _field("rule", asked.rule)
    for danger in asked.dangers:
        yield f"    careful: {unpadded(danger)}", (YELLOW,)


def _arguments(text: str) -> Mapping[str, Any]:
    with suppress(ValueError, RecursionError):
        found: Any = json.loads(text)
        if isinstance(found, dict):
            return found
    return {"arguments": text}  # what a redacted secret has left of them


def _field(label: str, value: str) -> Iterator[Shown]:
    first, *more = unpadded(value).split("\n")
    yield f"    {label}: {first}", ()
    for line in more:
        yield f"    {' ' * len(label)}| {line}", ()


def unpadded(text: str) -> str:
    """The text with what is repeated at length counted, so that nothing can hide behind it."""
    text = _BLANKS.sub(lambda run: f" <{len(run[0])} white space characters> ", text)
    return _REPEATED.sub(lambda run: f"{run['unit']} <{len(run[0])} characters like this> ", text)


def both_ends(text: str) -> str:
    """The text, of a long one its beginning and its end."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} <{len(text) - 2 * half} more characters> {text[-half:]}"
