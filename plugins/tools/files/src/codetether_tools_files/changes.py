"""What a session changed in files, turn by turn, and the way back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
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
        after: the SHA-256 of the new content. mode: the permission bits of the former file.
        made: directories that were made for it, the deepest first.
        between: what the turn left for a while: the last change was announced, and perhaps never made.
    """

    turn: int
    path: str
    before: str | None
    after: str
    mode: int = 0
    made: tuple[str, ...] = ()
    between: tuple[str, ...] = ()


@frozen(kw_only=True)
class Undone:
    """What an undo did, by paths: contents that are back, files that are gone, files that were so already."""

    turn: int
    restored: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    untouched: tuple[str, ...] = ()


class Changes:
    """The changes of one session, kept in a private directory beside the sessions: a log, and former contents by hash.

    A change is noted before it is made, so that a killed process leaves nothing that cannot be undone.
    """

    def __init__(self, state: Path, session_id: str, directory: Path) -> None:
        """`state` is the plugin's own directory, `directory` the workspace."""
        self._place = state / "changes" / session_id
        self._workspace = Workspace(directory)

    def replace(
        self, turn: int, real: str, name: str, data: bytes, old: tuple[bytes, os.stat_result] | None
    ) -> os.stat_result:
        """Like `replacing.replace`, with the former content kept. `old` is None for a file that is not there yet."""
        before, status = (None, None) if old is None else old
        change = Changed(
            turn=turn,
            path=real,
            before=None if before is None else self._kept(before),
            after=_digest(data),
            mode=0 if status is None else stat.S_IMODE(status.st_mode),
            made=_missing(real) if status is None else (),
        )
        self._prepare()
        self._append(asdict(change))
        try:
            return replace(real, name, data, status)
        except BaseException:
            self._append({"turn": turn, "path": real, "dropped": change.after})
            raise

    def turns(self) -> list[int]:
        """The turns that can be undone, in order."""
        lines = list(self._lines())
        gone = {line["undone"] for line in lines if "undone" in line}
        found = {line["turn"] for line in lines if "turn" in line} - gone
        return [turn for turn in sorted(found) if self.of(turn)]

    def of(self, turn: int) -> list[Changed]:
        """A turn's changes, one a file: from how it was before the turn to how the turn left it."""
        steps: dict[str, list[Changed]] = {}
        for line in self._lines():
            if line.get("turn") != turn:
                continue
            of_file = steps.setdefault(line["path"], [])
            if "dropped" in line:
                del of_file[-1:]
            else:
                of_file.append(Changed(**{**line, "made": tuple(line["made"]), "between": ()}))
        return [
            evolve(first, after=rest[-1].after, between=tuple(step.after for step in (first, *rest[:-1])))
            if rest
            else first
            for first, *rest in filter(None, steps.values())
        ]

    def undo(self) -> Undone | None:
        """Takes back what the last turn changed, as a whole; None where there is nothing.

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
        for way in found:
            if not way.done:
                way.go(self._content(way.change))
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
        self.done = not self._odd and self._now == change.before
        """It is as it was before already: undone by hand, or never changed."""

    def obstacle(self, content: bytes | None) -> str:
        """Why it cannot be taken; empty when it can."""
        if self._odd:
            return self._odd
        if self._now is None:
            return f"{self.name} was removed since"
        if self._now not in (self.change.after, *self.change.between):
            return f"{self.name} was changed since"
        if self.change.before is not None and content is None:
            return f"the former content of {self.name} is lost"
        return ""

    def go(self, content: bytes | None) -> None:
        """Puts the former content and mode back, or removes the file with the directories that were made for it."""
        assert self._status is not None
        if content is not None:
            replace(self.change.path, self.name, content, self._status, mode=self.change.mode)
            return
        remove(self.change.path, self.name, self._status)
        for made in self.change.made:
            parent, _, last = made.rpartition("/")
            with suppress(OSError), directory_at(parent) as above:  # something else lies in it: it stays
                os.rmdir(last, dir_fd=above)


def told(undone: Undone) -> str:
    """What an undo did, in a line for each file."""
    lines = [f"turn {undone.turn} undone:"]
    lines += [f"  {name} has its former content" for name in undone.restored]
    lines += [f"  {name} removed" for name in undone.removed]
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
