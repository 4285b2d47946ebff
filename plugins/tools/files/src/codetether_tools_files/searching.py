"""The tools glob and grep: files by name, lines by content, without what is ignored."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from contextlib import aclosing
from pathlib import Path

from attrs import define, field
from codetether import (
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolResult,
    error_result,
    text_result,
)

from codetether_tools_files.definitions import DEADLINE, GLOB, GREP
from codetether_tools_files.globs import compiled
from codetether_tools_files.ripgrep import ALWAYS, pieces
from codetether_tools_files.workspace import (
    Refused,
    Workspace,
    counted,
    directory_at,
    file_at,
    result_of,
    shown,
    told,
)

FILES = 200
LISTED = 64 * 1024 * 1024
"""Bytes of file names that are looked through."""
MATCHES = 500
SIZE = 48 * 1024
WIDTH = 400
SECRETS = (
    ".env",
    ".env.*",
    ".envrc",
    ".netrc",
    ".pypirc",
    ".npmrc",
    ".git-credentials",
    ".pgpass",
    ".vault-token",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".ssh",
    ".gnupg",
    ".aws",
)
"""Files that are searched only when they are named."""


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
            fits = compiled(pattern)
            with told(real, self._workspace.name(real)), directory_at(real) as directory:
                names, whole = await _names(directory, pattern)
                found = [name for name in names if fits.fullmatch(name)]
                deeper = "" if found or "/" in pattern else f"**/{pattern}"
                if deeper:
                    below = compiled(deeper)
                    found = [name for name in names if below.fullmatch(name)]
                return await result_of(self._listed, real, directory, pattern, found, bool(deeper), whole)
        except Refused as refused:
            return error_result(str(refused))

    def _listed(
        self, real: str, directory: int, pattern: str, found: list[str], deeper: bool, whole: bool
    ) -> ToolResult:
        base = self._workspace.name(real)
        newest = sorted(found, key=lambda name: (-_changed(directory, name), name))
        rows = [_join(base, name) for name in newest[:FILES]]
        if len(newest) > FILES:
            rows.append(f"… and {len(newest) - FILES} more")
        count = f"{counted(len(found), 'file')} {'fits' if len(found) == 1 else 'fit'} {pattern} in {base}"
        if deeper and found:
            count = f"none directly in {base}; {counted(len(found), 'file')} below it"
        if not whole:
            count += f" (the search was ended after {DEADLINE:g} s or too many files: there may be more)"
        return text_result("\n".join([*rows, *([""] if rows else []), count]), files=len(found))


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
            try:
                found = await self._search(real, ["--regexp", pattern], wanted)
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
        arguments = [*ALWAYS, "--line-number", "--with-filename", "--null", "--no-heading"]
        arguments += [f"--max-columns={WIDTH}", "--max-columns-preview", "--regex-size-limit=8M", *pattern]
        if not _is_directory(real, name):
            matches = Matches(only=name)
            with file_at(real, name) as (file, _):
                await matches.take([*arguments, "--", "-"], file=file)
            return matches
        matches = Matches(base=name, fits=compiled(glob if "/" in glob else f"**/{glob}") if glob else None)
        arguments += [f"--iglob=!{secret}" for secret in SECRETS]
        arguments += _named_like(glob) if glob else []
        with told(real, name), directory_at(real) as directory:
            await matches.take([*arguments, "--", "./"], directory=directory)
        return matches


class _InvalidPattern(Refused):
    """The pattern is no regular expression."""


@define
class Matches:
    """Matching lines as they come, as many as anybody reads.

    Attributes:
        base: the directory as it is shown; `only`: the one file that is searched.
        fits: which of the paths below the directory count; None for all.
    """

    base: str = "."
    only: str = ""
    fits: re.Pattern[str] | None = None
    rows: list[tuple[str, int, str]] = field(factory=list)
    more: bool = False
    late: bool = False
    _size: int = 0
    _files: set[str] = field(factory=set)

    async def take(self, arguments: list[str], *, directory: int | None = None, file: int | None = None) -> None:
        """Runs the search until it ends, until there is enough, or until the deadline."""
        rest = b""
        try:
            async with asyncio.timeout(DEADLINE), aclosing(pieces(arguments, directory=directory, file=file)) as output:
                async for piece in output:
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        self._add(line)
                        if self.more:
                            return
        except TimeoutError:
            self.late = True
        except Refused as refused:
            if "regex parse error" in str(refused) or "not supported" in str(refused):
                raise _InvalidPattern(str(refused).strip().splitlines()[-1].removeprefix("error: ")) from refused
            raise

    def _add(self, line: bytes) -> None:
        path, zero, rest = line.partition(b"\0")
        number, colon, text = rest.partition(b":")
        if not zero or not colon or not number.isdigit():
            return
        name = os.fsdecode(path.removeprefix(b"./"))
        if self.fits and not self.fits.fullmatch(name):
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


def _named_like(glob: str) -> list[str]:
    """Arguments that spare us the files whose names cannot fit; none where ripgrep might read the glob otherwise."""
    last = glob.rpartition("/")[2]
    if not last or last == "**" or ":" in last or last.count("{") != last.count("}"):
        return []
    return [f"--type-add=wanted:{last}", "--type=wanted"]


async def _names(directory: int, glob: str) -> tuple[list[str], bool]:
    """The files below the directory that are not ignored and may fit the glob, and whether these are all."""
    data = bytearray()
    whole = True
    try:
        async with (
            asyncio.timeout(DEADLINE),
            aclosing(
                pieces([*ALWAYS, "--files", "--null", *_named_like(glob), "--", "./"], directory=directory)
            ) as output,
        ):
            async for piece in output:
                data += piece
                if len(data) > LISTED:
                    whole = False
                    break
    except TimeoutError:
        whole = False
    return [os.fsdecode(name.removeprefix(b"./")) for name in bytes(data).split(b"\0")[:-1]], whole


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
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _join(base: str, name: str) -> str:
    return shown(name) if base == "." else f"{base}/{shown(name)}"
