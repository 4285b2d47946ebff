"""Keeps protected paths of the workspace as they are: which are shut while a command runs, which are put back after."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from attrs import define, field, frozen

from codetether_executor_sandbox.layout import inside

SEALED = (".codetether", ".git", ".git/hooks")
"""Of the protected paths those that are held by an empty directory where they are not there."""
_MOST = 16 * 1024 * 1024
"""Bytes of protected files that are kept to be put back."""


@frozen
class File:
    """A file as it was: its mode, its content if that is kept, and what changes with it."""

    mode: int
    content: bytes | None
    signature: tuple[int, int, int] = (0, 0, 0)


@frozen
class Directory:
    """A directory as it was."""

    mode: int


State: TypeAlias = "File | Directory | str | None"
"""What stands at a path; text is where a link leads."""


@frozen(kw_only=True)
class Fences:
    """What a backend that can shut paths does with them, in this order.

    Attributes:
        pinned: directories that cannot be renamed, since what is in them is protected.
        shut: may be read only.
        watched: is looked at afterwards, since it is not there yet or is a link.
    """

    pinned: tuple[Path, ...] = ()
    shut: tuple[Path, ...] = ()
    watched: tuple[Path, ...] = ()


def fences(workspace: Path, protected: Iterable[str], sealed: Sequence[Path] = ()) -> Fences:
    """How the protected paths can be shut as they now are; `sealed` are there only to be shut."""
    pinned: dict[Path, None] = {}
    shut, watched = list(sealed), []
    if (workspace / ".git").is_file():  # of a worktree or a submodule: it tells where the repository is
        shut.append(workspace / ".git")
    for relative in protected:
        path = workspace / relative
        if any(inside(path, each) for each in shut):
            continue
        if not _real(path):
            watched.append(path)
            continue
        shut.append(path)
        for parent in path.relative_to(workspace).parents[:-1]:
            pinned[workspace / parent] = None
    return Fences(pinned=tuple(sorted(pinned)), shut=tuple(shut), watched=tuple(watched))


def _real(path: Path) -> bool:
    """Whether the path is there, with no link on the way."""
    return os.path.lexists(path) and os.path.realpath(path) == str(path)


@define(kw_only=True)
class Seals:
    """Empty directories where protected ones are missing, for as long as a command runs; a context manager."""

    workspace: Path
    protected: Sequence[str]
    _held: list[tuple[Path, int]] = field(factory=list, init=False)

    def __enter__(self) -> tuple[Path, ...]:
        """Those that were made, or that another command's end would take away."""
        sealed: list[Path] = []
        for relative in SEALED:
            path = self.workspace / relative
            wanted = any(each == relative or each.startswith(f"{relative}/") for each in self.protected)
            if not wanted or path.parent in sealed or not _real(path.parent):
                continue
            with suppress(OSError):  # it is there, or nobody can make it
                path.mkdir(mode=0o700)
            if not path.is_symlink() and path.is_dir() and not os.listdir(path):  # noqa: PTH208
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                self._held.append((path, descriptor))
                sealed.append(path)
        return tuple(sealed)

    def __exit__(self, *_: object) -> None:
        while self._held:
            path, descriptor = self._held.pop()
            with suppress(OSError):  # another command needs it, or somebody filled it meanwhile
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.rmdir()
            os.close(descriptor)


@define(kw_only=True)
class Watch:
    """Paths that are put back as they were when a command has ended; a context manager.

    What stood in their place then is not lost: it is moved to a directory that the note names.

    Attributes:
        undone: those that had changed, below the workspace.
    """

    workspace: Path
    paths: Sequence[Path]
    undone: list[str] = field(factory=list)
    _before: dict[Path, State] = field(factory=dict, init=False)
    _aside: Path | None = field(default=None, init=False)

    def __enter__(self) -> Watch:
        self._before = _states(self.paths)
        return self

    def __exit__(self, *_: object) -> None:
        after = _states(self.paths)
        for path in sorted(self._before.keys() | after.keys()):
            before, now = self._before.get(path), after.get(path)
            if before == now or not _reachable(path) or (before is None and not os.path.lexists(path)):
                continue
            self.undone.append(str(path.relative_to(self.workspace)))
            if isinstance(before, File) and before.content is None:
                continue  # too large to be kept: it is only said
            if isinstance(before, Directory) and isinstance(now, Directory):
                path.chmod(before.mode)
                continue
            self._move_aside(path)
            _restore(path, before)

    @property
    def notes(self) -> list[str]:
        """What was undone, in a line."""
        if not self.undone:
            return []
        more = f" and {len(self.undone) - 5} more" if len(self.undone) > 5 else ""
        aside = f"; what stood there is in {self._aside}" if self._aside else ""
        return [f"{', '.join(self.undone[:5])}{more}: protected, and put back as before{aside}"]

    def _move_aside(self, path: Path) -> None:
        if not os.path.lexists(path):
            return
        if self._aside is None:
            self._aside = Path(tempfile.mkdtemp(prefix="codetether-aside-"))
        name = "__".join(path.relative_to(self.workspace).parts)
        try:
            shutil.move(path, self._aside / name)
        except OSError:  # a pipe, or something else that cannot be taken along
            _remove(path)


def _reachable(path: Path) -> bool:
    """Whether no link stands on the way: a directory that became one was undone before what is in it."""
    return os.path.realpath(path.parent) == str(path.parent)


def _states(paths: Iterable[Path]) -> dict[Path, State]:
    found: dict[Path, State] = {}
    room = _MOST
    left = sorted(paths, reverse=True)
    while left:
        path = left.pop()
        state = _state(path, room)
        if isinstance(state, Directory):
            with suppress(OSError):
                left += sorted((path / name for name in os.listdir(path)), reverse=True)  # noqa: PTH208
        if isinstance(state, File):
            room -= len(state.content or b"")
        found[path] = state
    return found


def _state(path: Path, room: int) -> State:
    try:
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISLNK(found.st_mode):
            return os.readlink(path)  # noqa: PTH115
        if stat.S_ISDIR(found.st_mode):
            return Directory(mode)
        if stat.S_ISREG(found.st_mode) and found.st_size <= room:
            return File(mode, path.read_bytes())
        return File(mode, None, (found.st_size, found.st_mtime_ns, found.st_ino))
    except OSError:
        return None


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _restore(path: Path, state: State) -> None:
    with suppress(OSError):
        match state:
            case str():
                path.symlink_to(state)
            case Directory(mode):
                path.mkdir(mode=mode, parents=True, exist_ok=True)
            case File(mode, bytes() as content):
                path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
            case _:
                pass
