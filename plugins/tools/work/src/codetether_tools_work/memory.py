"""Notes that outlive a session: a Markdown file of the user, and one of each project, below the user's home."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from attrs import frozen
from codetether import (
    FileLock,
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolResult,
    UsageError,
    private_directory,
    replace_file,
    text_result,
    visible,
)

from codetether_tools_work.definitions import MEMORY

Scope = Literal["user", "project"]
SCOPES: tuple[Scope, ...] = ("user", "project")
LARGEST = 64 * 1024
"""Bytes of one file of notes."""
WAIT = 5.0
"""Seconds to wait for another session that writes notes."""


@frozen(kw_only=True)
class Memory:
    """The notes that hold in a directory."""

    place: Path
    project: Path

    @classmethod
    def of(cls, ctx: SessionContext) -> Memory:
        """Those of a session."""
        return cls.at(ctx.state_dir, ctx.directory)

    @classmethod
    def at(cls, state: Path, directory: Path) -> Memory:
        """Those of a directory: its project is the repository around it, else itself."""
        upward = (directory, *directory.parents)
        project = next((place for place in upward if (place / ".git").exists()), directory)
        return cls(place=state / "memory", project=project)

    def path(self, scope: Scope) -> Path:
        """The file, whether there is one or not. A project's is found by where it lies."""
        if scope == "user":
            return self.place / "user.md"
        digest = hashlib.sha256(str(self.project).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", self.project.name).strip("-")[:40]
        return self.place / "projects" / f"{name or 'root'}-{digest}.md"

    def text(self, scope: Scope) -> str:
        """What it holds; empty where there is none."""
        try:
            with self.path(scope).open("rb") as file:
                return file.read(LARGEST).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def change(self, scope: Scope, change: Callable[[str], str]) -> str:
        """Puts another text in its place, whole or not at all, and gives it. Raises UsageError."""
        path = self.path(scope)
        private_directory(path.parent)
        with _held(path.with_suffix(".lock")):
            text = change(self.text(scope))
            if len(data := text.encode("utf-8", "replace")) > LARGEST:
                raise UsageError(f"the notes would have more than {LARGEST:,} bytes", remedy="delete some first")
            replace_file(path, data)
        return text


@contextmanager
def _held(path: Path) -> Iterator[None]:
    lock, end = FileLock(path), time.monotonic() + WAIT
    while not lock.acquire():
        if time.monotonic() > end:
            raise UsageError("another session is writing these notes", remedy="try again")
        time.sleep(0.02)
    try:
        yield
    finally:
        lock.release()


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
        return await asyncio.to_thread(_done, Memory.of(ctx), scope, call)


def _done(memory: Memory, scope: Scope, call: ToolCall) -> ToolResult:
    def given(name: str) -> str:
        value = str(call.arguments.get(name) or "")
        if not value.strip():
            raise UsageError(f"to {call.arguments['action']} notes, give `{name}`")
        return value

    match call.arguments["action"]:
        case "add":
            note = given("note")
            text = memory.change(scope, lambda text: added(text, note))
        case "replace":
            old, note = given("old"), given("note")
            text = memory.change(scope, lambda text: replaced(text, old, note))
        case "delete":
            old = given("old")
            text = memory.change(scope, lambda text: replaced(text, old, None))
        case _:
            text = memory.text(scope)
    return text_result(visible(text).strip() or "nothing is noted", scope=scope)
