"""What a session changed in files, turn by turn, and the way back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from codetether_tools_files.replacing import content_of, remove, replace
from codetether_tools_files.workspace import Refused, Workspace, directory_at

KEPT_DAYS = 30
"""Days after its last change for which a session's former contents are kept."""
LOG = "changes.jsonl"


@frozen(kw_only=True)
class Changed:
    """A file as it was before a turn, and as the turn left it.

    Attributes:
        before: the SHA-256 of the former content, None where there was no file; under it lies the content.
        after: the SHA-256 of the new content, None where the file was removed. mode: the permission bits of the former
            file; `mode_after` those of the new one, where the change is about them.
        made: directories that were made for it, the deepest first.
        between: what the turn left for a while: the last change was announced, and perhaps never made.
    """

    turn: int
    path: str
    before: str | None
    after: str | None
    mode: int = 0
    mode_after: int | None = None
    made: tuple[str, ...] = ()
    between: tuple[str | None, ...] = ()


@frozen(kw_only=True)
class Undone:
    """What an undo did, by paths: contents that are back, files that are gone, files that were so already."""

    turn: int
    restored: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    untouched: tuple[str, ...] = ()


class Changes:
    """The changes of one session with its subagents, kept in a private directory: a log, and former contents by hash.

    A change is noted before it is made, so that a killed process leaves nothing that cannot be undone.
    """

    def __init__(self, state: Path, session_id: str, directory: Path) -> None:
        """`state` is the plugin's own directory, `directory` the workspace."""
        self._place = state / "changes" / session_id
        self._workspace = Workspace(directory)

    def replace(
        self,
        turn: int,
        real: str,
        name: str,
        data: bytes,
        old: tuple[bytes, os.stat_result] | None,
        *,
        mode: int | None = None,
    ) -> os.stat_result:
        """Like `replacing.replace`, with the former content kept. `old` is None for a file that is not there yet."""
        before, status = (None, None) if old is None else old
        change = Changed(
            turn=turn,
            path=real,
            before=None if before is None else self._kept(before),
            after=_digest(data),
            mode=0 if status is None else stat.S_IMODE(status.st_mode),
            mode_after=mode if status is not None else None,
            made=_missing(real) if status is None else (),
        )
        with self._noted(change):
            return replace(real, name, data, status, mode=mode)

    def remove(self, turn: int, real: str, name: str, old: tuple[bytes, os.stat_result]) -> None:
        """Like `replacing.remove`, with the former content kept."""
        data, status = old
        mode = stat.S_IMODE(status.st_mode)
        with self._noted(Changed(turn=turn, path=real, before=self._kept(data), after=None, mode=mode)):
            remove(real, name, status)

    @contextmanager
    def _noted(self, change: Changed) -> Iterator[None]:
        """Notes a change before it is made, and that it was not made where that fails."""
        self._prepare()
        self._append(asdict(change))
        try:
            yield
        except BaseException:
            self.drop(change.turn, change.path)
            raise

    def drop(self, turn: int, real: str) -> None:
        """Forgets the last change of a file, which was not made or is taken back already."""
        self._append({"turn": turn, "path": real, "dropped": True})

    def turns(self) -> list[int]:
        """The turns that can be undone, in order."""
        found = {line["turn"] for line in self._lines() if "turn" in line}
        return [turn for turn in sorted(found) if self.of(turn)]

    def of(self, turn: int) -> list[Changed]:
        """A turn's changes that stand, one a file: from how it was before the turn to how the turn left it."""
        steps: dict[str, list[Changed]] = {}
        for line in self._lines():
            if line.get("undone") == turn:
                steps.clear()
            if line.get("turn") != turn:
                continue
            of_file = steps.setdefault(line["path"], [])
            if "dropped" in line:
                del of_file[-1:]
            else:
                of_file.append(Changed(**{**line, "made": tuple(line["made"]), "between": ()}))
        return [_joined(changes) for changes in steps.values() if changes]

    def undo(self, *, dry_run: bool = False) -> Undone | None:
        """Takes back what the last turn changed, as a whole; None where there is nothing. `dry_run` only tells.

        Refused, with every file named, when one of them lies outside of the workspace, was changed since, or its former
        content is lost: then nothing was touched.
        """
        turns = self.turns()
        if not turns:
            return None
        found = [_Way(self._workspace, change) for change in reversed(self.of(turns[-1]))]
        if obstacles := [way.obstacle(self._content(way.change)) for way in found if not way.done]:
            told = "; ".join(text for text in obstacles if text)
            if told:
                raise Refused(f"turn {turns[-1]} cannot be undone: {told}. Nothing was changed")
        for way in found if not dry_run else ():
            if not way.done:
                way.go(self._content(way.change))
        if not dry_run:
            self._append({"undone": turns[-1]})
        named = [(way.name, way) for way in reversed(found)]
        return Undone(
            turn=turns[-1],
            restored=tuple(name for name, way in named if not way.done and way.change.before is not None),
            removed=tuple(name for name, way in named if not way.done and way.change.before is None),
            untouched=tuple(name for name, way in named if way.done),
        )

    def _content(self, change: Changed) -> bytes | None:
        """The former content; None where there was none, or where it is not what was kept."""
        if change.before is None:
            return None
        with suppress(OSError):
            data = (self._place / change.before).read_bytes()
            return data if _digest(data) == change.before else None
        return None

    def _kept(self, data: bytes) -> str:
        name = _digest(data)
        if not (self._place / name).exists():
            self._prepare()
            fd = os.open(self._place / f"{name}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            (self._place / f"{name}.new").replace(self._place / name)
        return name

    def _append(self, line: dict[str, Any]) -> None:
        fd = os.open(self._place / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, b"\n" + json.dumps(line).encode() + b"\n")  # a torn line before it stays by itself
        finally:
            os.close(fd)

    def _prepare(self) -> None:
        if not self._place.is_dir():
            self._place.parent.mkdir(mode=0o700, exist_ok=True)
            _forget_old(self._place.parent)
            self._place.mkdir(mode=0o700, exist_ok=True)

    def _lines(self) -> Iterable[dict[str, Any]]:
        try:
            text = (self._place / LOG).read_bytes()
        except FileNotFoundError:
            return
        for line in text.splitlines():
            with suppress(ValueError):  # a torn last line: the change that it announced was not made
                yield json.loads(line)


class _Way:
    """The way back for one file, looked at before anything is touched."""

    def __init__(self, workspace: Workspace, change: Changed) -> None:
        self.change = change
        self.name = workspace.name(change.path)
        self._status: os.stat_result | None = None
        self._now: str | None = None
        self._odd = ""
        try:
            workspace.inside(change.path)
            if os.path.lexists(change.path):
                data, self._status = content_of(change.path, self.name)
                self._now = _digest(data)
        except Refused as refused:
            self._odd = refused.message
        self.done = not self._odd and self._now == change.before and not self._other_mode()
        """It is as it was before already: undone by hand, or never changed."""

    def _other_mode(self) -> bool:
        """Whether the change was of the mode, and the file still has the new one."""
        change, status = self.change, self._status
        return change.mode_after is not None and status is not None and stat.S_IMODE(status.st_mode) != change.mode

    def obstacle(self, content: bytes | None) -> str:
        """Why it cannot be taken; empty when it can."""
        if self._odd:
            return self._odd
        if self._now not in (self.change.after, self.change.before, *self.change.between):
            return f"{self.name} was {'removed' if self._now is None else 'changed'} since"
        if self.change.before is not None and content is None:
            return f"the former content of {self.name} is lost"
        return ""

    def go(self, content: bytes | None) -> None:
        """Puts the former content and mode back, or removes the file with the directories that were made for it."""
        if content is not None:
            replace(self.change.path, self.name, content, self._status, mode=self.change.mode)
            return
        assert self._status is not None
        remove(self.change.path, self.name, self._status)
        for made in self.change.made:
            parent, _, last = made.rpartition("/")
            with suppress(OSError), directory_at(parent) as above:  # something else lies in it: it stays
                os.rmdir(last, dir_fd=above)


def _joined(changes: Sequence[Changed]) -> Changed:
    """Several changes of one file as one: from before the first to after the last."""
    first, *rest = changes
    if not rest:
        return first
    modes = [change.mode_after for change in changes if change.mode_after is not None]
    between = tuple(step.after for step in changes[:-1])
    return evolve(first, after=rest[-1].after, between=between, mode_after=modes[-1] if modes else None)


def told(undone: Undone, *, dry_run: bool = False) -> str:
    """What an undo did, or would do, in a line for each file."""
    would = " would be" if dry_run else ""
    lines = [f"turn {undone.turn}{would} undone:"]
    lines += [f"  {name}{' would have' if dry_run else ' has'} its former content" for name in undone.restored]
    lines += [f"  {name}{would} removed" for name in undone.removed]
    lines += [f"  {name} was so already" for name in undone.untouched]
    return "\n".join(lines)


def _missing(real: str) -> tuple[str, ...]:
    """The directories above a path that are not there yet, the deepest first."""
    found: list[str] = []
    parent = real.rpartition("/")[0]
    while parent and not os.path.lexists(parent):
        found.append(parent)
        parent = parent.rpartition("/")[0]
    return tuple(found)


def _forget_old(place: Path) -> None:
    """Removes what nobody will want back: sessions whose last change is long ago."""
    for session in place.iterdir():
        with suppress(OSError):
            log: Sequence[Path] = [session / LOG, session]
            newest = next(path.stat().st_mtime for path in log if path.exists())
            if time.time() - newest > KEPT_DAYS * 86400:
                shutil.rmtree(session)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
