"""Changes parts of a file: the tool edit replaces an exact text by another, multiedit several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from attrs import evolve, frozen
from codetether import JSON, Resources, SessionContext, ToolCall, ToolContext, ToolDefinition, ToolResult, text_result

from codetether_tools_files.changes import Changes
from codetether_tools_files.diffs import unified
from codetether_tools_files.nearest import nearest
from codetether_tools_files.repairs import repaired
from codetether_tools_files.replacing import content_of
from codetether_tools_files.text import Encoding, has_crlf, is_binary, with_crlf
from codetether_tools_files.workspace import Refused, Workspace, counted, result_of, shown
from codetether_tools_files.writing import DIFF, PREVIEWED, encoded

NAMED = 20
"""Lines that are named of a text that stands in many places."""


@frozen(kw_only=True)
class Change:
    """A text as it was changed, and what is said of that."""

    after: str
    said: str


Make = Callable[[str, Mapping[str, JSON], str], Change]
"""Makes of a text what the arguments of a call ask for; is told the file's name, for what it says. Raises Refused."""


class Edit:
    """Changes parts of files, as `make` does their texts."""

    def __init__(self, definition: ToolDefinition, make: Make, workspace: Workspace, changes: Changes) -> None:
        self.definition = definition
        self._make = make
        self._workspace = workspace
        self._changes = changes

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads and writes the file; the preview is the change."""
        path = str(call.arguments["path"])
        paths = self._workspace.declare(call, path)
        return Resources(reads=paths, writes=paths, preview=self._preview(call, path))

    def _preview(self, call: ToolCall, path: str) -> str:
        name = shown(path)
        with suppress(Refused, OSError, ValueError):
            real = self._workspace.looked_at(call, path)
            if Path(real).lstat().st_size <= PREVIEWED:
                data, _ = content_of(real, name)
                before = Encoding.of(data).decode(data)
                return unified(before, self._make(before, call.arguments, name).after, name)
        return ""

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """What was replaced where."""
        return await result_of(self._edit, call, ctx.root.turn)

    def _edit(self, call: ToolCall, turn: int) -> ToolResult:
        path = str(call.arguments["path"])
        real, name = self._workspace.target(call, path), shown(path)
        data, status = content_of(real, name)
        if is_binary(data[:8192]):
            raise Refused(f"{name} is a binary file; {self.definition.name} changes text only")
        encoding = Encoding.of(data)
        before = encoding.decode(data)
        made = self._make(before, call.arguments, name)
        new = encoded(encoding, made.after, name)
        self._workspace.saw(real, self._changes.replace(turn, real, name, new, (data, status)))
        diff = unified(before, made.after, name)
        return text_result(f"{name} edited{made.said}", path=real, diff=diff[:DIFF])


def edited(text: str, arguments: Mapping[str, JSON], name: str) -> Change:
    """What the tool edit makes of a text."""
    made = change(text, arguments, name)
    return evolve(made, said=f": {made.said}")


def change(text: str, arguments: Mapping[str, JSON], name: str) -> Change:
    """The change that `old`, `new` and `replace_all` ask for.

    An `old` that stands nowhere is repaired where one place fits but for white space, quotes or line ends.
    Refused where it is missing, not unique, or the same as `new`.
    """
    old, new = str(arguments["old"]), str(arguments["new"])
    if not old:
        raise Refused("old is empty; to make a new file use write")
    if old == new:
        raise Refused("old and new are the same, so nothing would change")
    if has_crlf(text):
        new = with_crlf(new)
        old = old if old in text else with_crlf(old)
    count = text.count(old)
    if count == 0 and (repair := repaired(text, old, new)) and text.count(repair.old) == 1:
        if repair.old == repair.new:
            raise Refused(f"but for {repair.what}, {name} holds already what new says; nothing would change")
        after = text.replace(repair.old, repair.new)
        note = f"(old differs there in {repair.what}; the file's was kept)"
        return Change(after=after, said=f"1 replacement at {_where(text, repair.old)} {note}")
    if count == 0:
        near = nearest(text, old)
        raise Refused(f"old does not stand in {name}. {near}" if near else f"old does not stand in {name}; read it")
    if count > 1 and not arguments.get("replace_all", False):
        raise Refused(
            f"old stands {count} times in {name}, at {_where(text, old)}; give more of the lines around the one you "
            "mean, or set replace_all"
        )
    said = f"{counted(count, 'replacement')} at {_where(text, old)}"
    return Change(after=text.replace(old, new), said=said)


def _where(text: str, old: str) -> str:
    """`line 4`, or `lines 4, 9, …`: where the text begins."""
    found: list[int] = []
    line, last, place = 1, 0, text.find(old)
    while place >= 0 and len(found) < NAMED:
        line += text.count("\n", last, place)
        found.append(line)
        last, place = place, text.find(old, place + len(old))
    lines = ", ".join(str(number) for number in found)
    return f"line {lines}" if len(found) == 1 else f"lines {lines}{', …' if place >= 0 else ''}"
