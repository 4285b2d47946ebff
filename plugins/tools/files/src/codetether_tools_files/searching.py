"""The tools glob and grep: files by name, lines by content, without what is ignored."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from heapq import nsmallest
from pathlib import Path

from attrs import define, field
from codetether import (
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolResult,
    error_result,
    secret_name,
    text_result,
)

from codetether_tools_files.definitions import DEADLINE, GLOB, GREP
from codetether_tools_files.globs import compiled
from codetether_tools_files.ripgrep import ALWAYS, RULES, searched
from codetether_tools_files.workspace import (
    Refused,
    Workspace,
    counted,
    directory_at,
    file_at,
    on_thread,
    shown,
    told,
)

FILES = 200
LISTED = 64 * 1024 * 1024
"""Bytes of file names that are looked through."""
MATCHES = 500
SIZE = 48 * 1024
WIDTH = 400
_SURE = re.compile(
    r"(?!\*+$)(?!.{1000})([^][\\{}\s\ud800-\udfff]|\{[^][\\{}\s,\ud800-\udfff]+(,[^][\\{}\s,\ud800-\udfff]+)+\})+"
)
"""The last part of a glob that ripgrep surely reads as we do, and that goes into a pipe which nobody empties yet."""


_SAID = b": WARNING: stopped searching binary file"


def _reads(workspace: Workspace, call: ToolCall) -> Resources:
    return Resources(reads=workspace.declare(call, str(call.arguments.get("path", "."))))


class Glob:
    """Finds files by name."""

    definition = GLOB

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads names below the directory."""
        return _reads(self._workspace, call)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The files that fit, newest first."""
        try:
            real = self._workspace.target(call, str(call.arguments.get("path", ".")))
            pattern = _relative(str(call.arguments["pattern"]), real)
            with told(real, self._workspace.name(real)), directory_at(real) as directory:
                files = Files(directory, pattern)
                await files.take()
                return await on_thread(files.result, self._workspace.name(real))
        except Refused as refused:
            return error_result(str(refused))


class Files:
    """The files below a directory that fit a glob, and when they changed, as their names come.

    Where none lies in the directory itself, those below it count.
    """

    def __init__(self, directory: int, pattern: str) -> None:
        self._directory = directory
        self._pattern = pattern
        self._fits = compiled(pattern)
        self._below = None if "/" in pattern else compiled(f"**/{pattern}")
        self._found: list[tuple[float, str]] = []
        self._deeper: list[str] = []
        self._rest = b""
        self._size = 0
        self._whole = True

    async def take(self) -> None:
        """Runs the search until it ends, until there is enough, or until the deadline."""
        arguments = [*ALWAYS, "--files", "--null", RULES]
        with _left_out(self._pattern) as rules:
            self._whole = await searched(arguments, self._add, DEADLINE, directory=self._directory, file=rules)

    def _add(self, piece: bytes) -> bool:
        names, _, self._rest = (self._rest + piece).rpartition(b"\0")
        each = os.fsdecode(names).split("\0") if names else []
        if b".git/" in names:
            each = [name for name in each if not _of_git(name)]
        self._stamp(filter(self._fits.fullmatch, each))
        if self._found:
            self._deeper.clear()
        elif self._below:
            self._deeper += filter(self._below.fullmatch, each)
        self._size += len(piece)
        return self._size <= LISTED

    def _stamp(self, names: Iterable[str]) -> None:
        self._found += [(-_changed(self._directory, name), name) for name in names]

    def result(self, base: str) -> ToolResult:
        """The newest of them, for the model."""
        self._stamp(self._deeper)
        number = len(self._found)
        rows = [_join(base, name) for _, name in nsmallest(FILES, self._found)]
        if number > FILES:
            rows.append(f"… and {number - FILES} more")
        count = f"{counted(number, 'file')} {'fits' if number == 1 else 'fit'} {self._pattern} in {base}"
        if self._deeper:
            count = f"none directly in {base}; {counted(number, 'file')} below it"
        if not self._whole:
            count += f" (the search was ended after {DEADLINE:g} s or too many files: there may be more)"
        return text_result("\n".join([*rows, *([""] if rows else []), count]), files=number)


class Grep:
    """Finds lines by content."""

    definition = GREP

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads the file, or the files below the directory."""
        return _reads(self._workspace, call)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The matching lines."""
        pattern = str(call.arguments["pattern"])
        try:
            real = self._workspace.target(call, str(call.arguments.get("path", ".")))
            glob = call.arguments.get("glob")
            wanted = None if glob is None else _relative(str(glob), real)
            lines = ["--multiline"] if "\\n" in pattern or "\n" in pattern else []
            try:
                found = await self._search(real, [*lines, "--regexp", pattern], wanted)
                note = ""
            except _InvalidPattern as invalid:
                found = await self._search(real, ["--fixed-strings", "--regexp", pattern], wanted)
                note = f" (searched as plain text, since it is no regular expression: {invalid})"
            if not found.only and not found.base.startswith("/"):  # a place outside was allowed as a whole
                await found.keep_readable(ctx)
            return found.result(pattern, self._workspace.name(real), note)
        except Refused as refused:
            return error_result(str(refused))

    async def _search(self, real: str, pattern: list[str], glob: str | None) -> Matches:
        """The matches below a directory or in a file."""
        name = self._workspace.name(real)
        arguments = [*ALWAYS, "--line-number", "--with-filename", "--null", "--no-heading", "--crlf"]
        arguments += [f"--max-columns={WIDTH}", "--max-columns-preview", "--regex-size-limit=8M", *pattern]
        if not _is_directory(real, name):
            matches = Matches(only=name)
            with file_at(real, name) as (file, _):
                await matches.take([*arguments, "--", "-"], file=file)
            return matches
        unlike, fits = (glob or "").startswith("!"), (glob or "").removeprefix("!")
        matches = Matches(base=name, unlike=unlike)
        matches.fits = compiled(fits if "/" in fits else f"**/{fits}") if fits else None
        with told(real, name), directory_at(real) as directory, _left_out(None if unlike else glob) as rules:
            await matches.take([*arguments, RULES, "--", "./"], directory=directory, file=rules)
        return matches


class _InvalidPattern(Refused):
    """The pattern is no regular expression."""


@define
class Matches:
    """Matching lines as they come, as many as anybody reads.

    Attributes:
        base: the directory as it is shown; `only`: the one file that is searched.
        fits: which of the paths below the directory count, or do not where they shall be `unlike` it; None for all.
    """

    base: str = "."
    only: str = ""
    fits: re.Pattern[str] | None = None
    unlike: bool = False
    rows: list[tuple[str, int, str]] = field(factory=list)
    more: bool = False
    late: bool = False
    _rest: bytes = b""
    _begun: bytes = b""
    _size: int = 0
    _files: set[str] = field(factory=set)

    async def take(self, arguments: list[str], *, directory: int | None = None, file: int | None = None) -> None:
        """Runs the search until it ends, until there is enough, or until the deadline."""
        try:
            whole = await searched(arguments, self._add, DEADLINE, directory=directory, file=file)
            self.late = not whole and not self.more
        except Refused as refused:
            if "regex parse error" in str(refused) or "not supported" in str(refused):
                raise _InvalidPattern(str(refused).strip().splitlines()[-1].removeprefix("error: ")) from refused
            raise

    def _add(self, piece: bytes) -> bool:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._add_line(line)
            if self.more:
                return False
        return True

    def _add_line(self, line: bytes) -> None:
        path, zero, rest = line.partition(b"\0")
        number, colon, text = rest.partition(b":")
        if not zero:  # a name goes on behind a line end, or ripgrep says why it went no further in a file
            self._begun = b"" if _SAID in line else self._begun + line + b"\n"
            return
        name, self._begun = os.fsdecode((self._begun + path).removeprefix(b"./")), b""
        if not colon or not number.isdigit() or _of_git(name) or secret_name(name):
            return
        if self.fits and (self.fits.fullmatch(name) is None) != self.unlike:
            return
        if len(self.rows) >= MATCHES or self._size >= SIZE:
            self.more = True
            return
        where = self.only or _join(self.base, name)
        shown_text = text.decode("utf-8", "replace").rstrip("\r")
        self._size += len(where) + len(text) + 8
        self._files.add(where)
        self.rows.append((where, int(number), shown_text))

    async def keep_readable(self, ctx: ToolContext) -> None:
        """Leaves out the files that a rule keeps from being read: the directory alone was judged before."""
        if await _denied(ctx, sorted(self._files)):
            hidden = {path for path in sorted(self._files) if await _denied(ctx, [path])}
            self.rows = [row for row in self.rows if row[0] not in hidden]
            self._files -= hidden

    def result(self, pattern: str, where: str, note: str) -> ToolResult:
        """What the model is told."""
        lines = [f"{path}:{number}: {text}" for path, number, text in sorted(self.rows)]
        count = f"{counted(len(lines), 'match', 'matches')} in {counted(len(self._files), 'file')}"
        if not lines:
            count = f"no matches for {pattern} in {where}"
        if self.more:
            count = f"the first {count}; there are more: narrow the pattern, the path or the glob"
        if self.late:
            count += f" (the search was ended after {DEADLINE:g} s: there may be more)"
        text = "\n".join([*lines, *([""] if lines else []), count + note])
        return text_result(text, matches=len(lines), files=len(self._files), complete=not (self.more or self.late))


async def _denied(ctx: ToolContext, paths: list[str]) -> bool:
    """Whether a rule of the settings denies reading one of them, or nobody allowed what one asks about."""
    if not paths:
        return False
    decision = await ctx.permitted(Resources(reads=tuple(paths)))
    return decision.verdict != "allow" and decision.source == "settings"


@contextmanager
def _left_out(glob: str | None) -> Iterator[int]:
    """An open file of rules, as .gitignore has them, of what ripgrep need not look at: what git keeps for itself,
    and, where that is sure, the files whose last name cannot fit the glob.

    Said in one place each name is looked at once: a glob and a type of ripgrep's own would be two looks more.
    """
    last = (glob or "").rpartition("/")[2]
    wanted = f"*\n!*/\n!{last}\n" if _SURE.fullmatch(last) else ""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as rules:
            rules.write(os.fsencode(f"{wanted}.git\n"))
        yield reading
    finally:
        os.close(reading)


def _of_git(name: str) -> bool:
    """Whether it lies in what git keeps for itself: a .gitignore that names `!*/` brings that back."""
    return ".git" in name.split("/")


def _relative(pattern: str, real: str) -> str:
    """The glob as seen from the directory that is searched."""
    pattern = pattern.removeprefix(real.rstrip("/") + "/").removeprefix("./")
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise Refused(f"the glob {pattern} leads out of the directory that is searched; name the directory with path")
    return pattern


def _is_directory(real: str, name: str) -> bool:
    with told(real, name):
        return stat.S_ISDIR(Path(real).lstat().st_mode)


def _changed(directory: int, name: str) -> float:
    try:
        return os.lstat(name, dir_fd=directory).st_mtime
    except OSError:
        return 0.0


def _join(base: str, name: str) -> str:
    return shown(name) if base == "." else f"{base}/{shown(name)}"
