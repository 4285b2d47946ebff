"""The tool memory: notes are looked at, added, replaced and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolResult, UsageError, text_result, visible

from codetether_tools_work.definitions import MEMORY
from codetether_tools_work.memory import Memory, Scope


class EditMemory:
    """Looks at notes and changes them."""

    definition = MEMORY

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Looking is free; what later sessions will be told is the user's to allow."""
        if call.arguments["action"] == "view":
            return Resources(effects=("read",))
        said = {"add": "+ ", "replace": "+ ", "delete": "- "}[str(call.arguments["action"])]
        lines = [f"{said}{call.arguments.get('note') or call.arguments.get('old', '')}"]
        if call.arguments["action"] == "replace":
            lines.insert(0, f"- {call.arguments.get('old', '')}")
        return Resources(effects=("write",), preview="\n".join(lines))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The notes as they then are."""
        scope: Scope = "user" if call.arguments.get("scope") == "user" else "project"
        return await asyncio.to_thread(_done, Memory.of(ctx), scope, call, ctx.redact)


def _done(memory: Memory, scope: Scope, call: ToolCall, redact: Callable[[str], str]) -> ToolResult:
    def given(name: str) -> str:
        value = str(call.arguments.get(name) or "")
        if not value.strip():
            raise UsageError(f"to {call.arguments['action']} notes, give `{name}`")
        return value

    match call.arguments["action"]:
        case "add":
            note = redact(given("note"))
            text = memory.change(scope, lambda text: added(text, note))
        case "replace":
            old, note = given("old"), redact(given("note"))
            text = memory.change(scope, lambda text: replaced(text, old, note))
        case "delete":
            old = given("old")
            text = memory.change(scope, lambda text: replaced(text, old, None))
        case _:
            text = memory.text(scope)
    return text_result(visible(text).strip() or "nothing is noted", scope=scope)


def added(text: str, note: str) -> str:
    """The text with one note more."""
    return f"{text.rstrip()}\n{_entry(note)}\n".lstrip("\n")


def replaced(text: str, old: str, note: str | None) -> str:
    """The text with the one note in which `old` stands replaced, or gone. Raises UsageError where it is not one."""
    entries = _entries(text)
    found = [number for number, entry in enumerate(entries) if old in entry]
    if len(found) != 1:
        many = "no note has" if not found else f"{len(found)} notes have"
        raise UsageError(f"{many} the words {visible(old)!r}", remedy="view them, and give words of exactly one")
    entries[found[0] : found[0] + 1] = [] if note is None else [_entry(note)]
    return "".join(f"{entry}\n" for entry in entries)


def _entry(note: str) -> str:
    return "- " + "\n  ".join(note.strip().removeprefix("- ").splitlines())


def _entries(text: str) -> list[str]:
    """Notes, each with the lines that are indented below it; every other line by itself."""
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith("  ") and entries and entries[-1].startswith("- "):
            entries[-1] += f"\n{line}"
        else:
            entries.append(line)
    return entries
