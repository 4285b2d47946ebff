"""The tool apply_patch: changes of many files, all of them or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define, evolve, frozen
from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolResult, text_result

from codetether_tools_files import codex, unidiff
from codetether_tools_files.applying import applied
from codetether_tools_files.changes import Changes
from codetether_tools_files.definitions import APPLY_PATCH
from codetether_tools_files.diffs import unified
from codetether_tools_files.patches import FilePatch
from codetether_tools_files.replacing import content_of, remove, replace
from codetether_tools_files.text import Encoding, is_binary
from codetether_tools_files.workspace import Refused, Stamp, Workspace, counted, result_of, shown
from codetether_tools_files.writing import DIFF, PREVIEWED, encoded


@frozen(kw_only=True)
class _Content:
    """A file's bytes and permission bits."""

    data: bytes
    mode: int | None = None


@define(kw_only=True)
class _Changed:
    """One file that the patch touches: as it was, as it shall be (None: gone), and as it is named.

    Attributes:
        touched: the patch names lines of what it was, or keeps it under some name.
        gone: what it was is removed, or moved elsewhere. filled: something else is put there.
    """

    real: str
    name: str
    old: tuple[bytes, os.stat_result] | None
    new: _Content | None
    touched: bool = False
    gone: bool = False
    filled: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        if self.old is None or self.new is None:
            return (self.old is None) != (self.new is None)
        data, status = self.old
        return data != self.new.data or self.new.mode not in (None, stat.S_IMODE(status.st_mode))


@frozen(kw_only=True)
class _Outcome:
    files: Mapping[str, _Changed]
    said: tuple[str, ...]


class ApplyPatch:
    """Applies patches."""

    definition = APPLY_PATCH

    def __init__(self, workspace: Workspace, changes: Changes) -> None:
        self._workspace = workspace
        self._changes = changes

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads and writes every file that the patch names; the preview is the change as it would be made."""
        reads: dict[str, None] = {}
        writes: dict[str, None] = {}
        patches = files_of(call)
        for patch in patches:
            for path in {patch.path: None, patch.place: None}:
                spelled = self._workspace.declare(call, path)
                if path == patch.path and patch.kind != "add":
                    reads |= dict.fromkeys(spelled)
                if path == patch.place or not patch.copied:
                    writes |= dict.fromkeys(spelled)
        return Resources(reads=tuple(reads), writes=tuple(writes), preview=self._preview(call, patches))

    def _preview(self, call: ToolCall, patches: Sequence[FilePatch]) -> str:
        text = text_of(call)
        if len(text) > PREVIEWED:
            return text[:PREVIEWED]
        with suppress(Refused, OSError, ValueError):
            outcome = self._outcome(patches, {path: self._workspace.looked_at(call, path) for path in named(patches)})
            return "".join(_diff(each) for each in outcome.files.values())[:PREVIEWED]
        return text[:PREVIEWED]

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """Which files were changed, and how."""
        return await result_of(self._patch, call, ctx.root.turn)

    def _patch(self, call: ToolCall, turn: int) -> ToolResult:
        patches = files_of(call)
        outcome = self._outcome(patches, {path: self._workspace.target(call, path) for path in named(patches)})
        for each in outcome.files.values():
            self._must_be_known(each)
        diff = "".join(_diff(each) for each in outcome.files.values())
        self._commit(list(outcome.files.values()), turn)
        paths = [each.real for each in outcome.files.values()]
        head = f"patch applied to {counted(len(outcome.said), 'file')}:"
        return text_result("\n".join([head, *outcome.said]), paths=paths, diff=diff[:DIFF])

    def _must_be_known(self, file: _Changed) -> None:
        """A file that is lost as a whole, without the patch having told its lines, must have been read before."""
        if file.old is None or file.touched or not file.old[0]:  # of an empty one nothing can be lost
            return
        seen = self._workspace.seen(file.real)
        if seen is None:
            raise Refused(f"{file.name} exists and was not read in this session; read it first. Nothing was changed")
        if seen != Stamp.of(file.old[1]):
            raise Refused(f"{file.name} was changed since it was read; read it again. Nothing was changed")

    def _outcome(self, patches: Sequence[FilePatch], places: Mapping[str, str]) -> _Outcome:
        """What every file shall be; refused where one part of the patch does not fit. Nothing is written."""
        work = _Work()
        said = [work.take(patch, places) for patch in patches]
        work.check()
        return _Outcome(files=work.files, said=tuple(said))

    def _commit(self, files: list[_Changed], turn: int) -> None:
        """Makes all the changes; where one fails, those before it are taken back."""
        made: list[_Changed] = []
        try:
            for each in _in_order([file for file in files if file.changes]):
                status = self._make(each, turn)
                made.append(each)
                if status is not None:
                    self._workspace.saw(each.real, status)
        except BaseException as error:
            lost = [each.name for each in reversed(made) if not self._take_back(each, turn)]
            if isinstance(error, Refused | OSError):
                why = error.message if isinstance(error, Refused) else f"the file system refused: {error.strerror}"
                after = f"; {', '.join(lost)} could not be put back" if lost else "; nothing was changed"
                raise Refused(why + after) from error
            raise

    def _make(self, file: _Changed, turn: int) -> os.stat_result | None:
        if file.new is not None:
            return self._changes.replace(turn, file.real, file.name, file.new.data, file.old, mode=file.new.mode)
        assert file.old is not None
        self._changes.remove(turn, file.real, file.name, file.old)
        return None

    def _take_back(self, file: _Changed, turn: int) -> bool:
        try:
            now = None if file.new is None else content_of(file.real, file.name)[1]
            if file.old is None:
                assert now is not None
                remove(file.real, file.name, now)
            else:
                data, status = file.old
                self._workspace.saw(
                    file.real, replace(file.real, file.name, data, now, mode=stat.S_IMODE(status.st_mode))
                )
            self._changes.drop(turn, file.real)
        except (Refused, OSError):
            return False
        return True


class _Work:
    """The files as the patch leaves them, part after part."""

    def __init__(self) -> None:
        self.files: dict[str, _Changed] = {}

    def take(self, patch: FilePatch, places: Mapping[str, str]) -> str:
        """Lays one part of the patch over its file; what it does, in a line."""
        match patch.kind:
            case "add":
                return self._add(patch, self._file(patch.path, places))
            case "delete":
                return self._delete(patch, self._file(patch.path, places))
            case "update":
                return self._update(patch, self._file(patch.path, places), self._file(patch.place, places))

    def _file(self, path: str, places: Mapping[str, str]) -> _Changed:
        real, name = places[path], shown(path)
        if real not in self.files:
            old = content_of(real, name) if os.path.lexists(real) else None
            content = None if old is None else _Content(data=old[0])
            self.files[real] = _Changed(real=real, name=name, old=old, new=content)
        return self.files[real]

    def check(self) -> None:
        """Refused where the patch puts a file in the place of one that it leaves."""
        for file in self.files.values():
            if file.filled and file.old is not None and not file.gone:
                raise Refused(f"{file.name} is there already; nothing is moved or made over it")

    def _add(self, patch: FilePatch, file: _Changed) -> str:
        file.filled = patch.numbered
        encoding = Encoding()
        if file.new is not None and not is_binary(file.new.data[:8192]):
            encoding = Encoding.of(file.new.data)
        text = applied("", patch.hunks, file.name).text
        what = "replaced" if file.new is not None else "created"
        mode = file.new.mode if file.new is not None else None
        file.new = _Content(data=encoded(encoding, text, file.name), mode=_mode(mode, patch.executable, file))
        return f"  {file.name} {what}"

    def _delete(self, patch: FilePatch, file: _Changed) -> str:
        content = self._source(patch, file)
        if patch.hunks:
            _, text = self._text(content, patch, file.name)
            if applied(text, patch.hunks, file.name).text:
                raise Refused(f"{file.name} holds more than the patch removes, so it is not deleted")
            file.touched = True
        file.gone = True
        if not file.filled:
            file.new = None
        return f"  {file.name} deleted"

    def _update(self, patch: FilePatch, file: _Changed, target: _Changed) -> str:
        content = self._source(patch, file)
        notes: tuple[str, ...] = ()
        data = content.data
        if patch.hunks:
            encoding, text = self._text(content, patch, file.name)
            made = applied(text, patch.hunks, file.name)
            data, notes = encoded(encoding, made.text, file.name), made.notes
        note = f" ({'; '.join(notes)})" if notes else ""
        file.touched = True
        if target is file:
            file.new = _Content(data=data, mode=_mode(content.mode, patch.executable, file))
            what = "updated" if data != content.data or patch.executable is not None else "unchanged"
            return f"  {file.name} {what}{note}"
        if target.new is not None and not patch.numbered:
            raise Refused(f"{target.name} is there already; {file.name} is not moved over it")
        mode = content.mode
        if mode is None and file.old is not None:
            mode = stat.S_IMODE(file.old[1].st_mode)
        if not patch.copied:
            file.gone = True
            file.new = file.new if file.filled else None
        target.filled = patch.numbered
        target.new = _Content(data=data, mode=_mode(mode, patch.executable, target))
        return f"  {file.name} {'copied' if patch.copied else 'moved'} to {target.name}{note}"

    def _source(self, patch: FilePatch, file: _Changed) -> _Content:
        """What the part starts from: git's parts all speak of the files as they were before the first."""
        if patch.numbered and file.old is not None and (file.filled or file.gone or patch.copied):
            return _Content(data=file.old[0])
        return self._there(file, file.new)

    def _there(self, file: _Changed, content: _Content | None) -> _Content:
        if content is None:
            if file.old is None:
                content_of(file.real, file.name)  # tells that it is not there, and what is named alike
            raise Refused(f"{file.name} is not there any more: the patch itself removes it before")
        return content

    def _text(self, content: _Content, patch: FilePatch, name: str) -> tuple[Encoding, str]:
        """The file's text, with its byte order mark where the patch has it as a part of a line, as git writes it."""
        if is_binary(content.data[:8192]):
            raise Refused(f"{name} is a binary file; a patch changes text only")
        encoding = Encoding.of(content.data)
        if any(line.startswith("\ufeff") for hunk in patch.hunks for line in hunk.old):
            encoding = evolve(encoding, mark=b"")
        return encoding, encoding.decode(content.data)


def text_of(call: ToolCall) -> str:
    """The patch."""
    return str(call.arguments.get("patch") or call.arguments.get("input") or "")


def files_of(call: ToolCall) -> list[FilePatch]:
    """The patch's parts in their order. Refused where it is in no known format."""
    text = text_of(call)
    if codex.is_codex(text):
        return codex.parse(text)
    if unidiff.is_unified(text):
        return unidiff.parse(text)
    raise Refused(f"no patch is recognised; begin with {codex.BEGIN!r}, or with `--- a/path` and `+++ b/path`")


def named(patches: Sequence[FilePatch]) -> list[str]:
    """Every path that the patch names, once."""
    return list(dict.fromkeys(path for patch in patches for path in (patch.path, patch.place)))


def _mode(mode: int | None, executable: bool | None, file: _Changed) -> int | None:
    """The permission bits: those before, with the right to run given or taken."""
    if executable is None:
        return mode
    if mode is None:
        mode = 0o666 & ~_umask() if file.old is None else stat.S_IMODE(file.old[1].st_mode)
    return mode | (mode & 0o444) >> 2 if executable else mode & ~0o111


def _umask() -> int:
    """What new files are not allowed; asked of the kernel where it tells, since setting it would be felt elsewhere."""
    with suppress(OSError, StopIteration, ValueError), Path("/proc/self/status").open() as status:
        return int(next(line for line in status if line.startswith("Umask:")).split()[1], 8)
    return 0o022


def _in_order(files: list[_Changed]) -> Iterator[_Changed]:
    """First what stands in the way of another, then what is written, then what is removed."""
    written = [file for file in files if file.new is not None]
    removed = [file for file in files if file.new is None]
    first = [file for file in removed if any(each.real.startswith(file.real + "/") for each in written)]
    yield from first
    yield from written
    yield from (file for file in removed if file not in first)


def _diff(file: _Changed) -> str:
    """The change as a unified diff; of binary files nothing."""
    old = b"" if file.old is None else file.old[0]
    new = b"" if file.new is None else file.new.data
    if is_binary(old[:8192]) or is_binary(new[:8192]):
        return ""
    before, after = Encoding.of(old).decode(old), Encoding.of(new).decode(new)
    diff = unified(before, after, file.name, created=file.old is None)
    if file.new is None:
        diff = diff.replace(f"\n+++ b/{file.name}\n", "\n+++ /dev/null\n", 1)
    return diff
