"""Opens files by walking from directory to directory, so that no link leads where nobody allowed."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from attrs import frozen
from codetether import ToolCall, ToolResult, UsageError, error_result

from codetether_tools_files.beneath import opened_beneath

P = ParamSpec("P")
T = TypeVar("T")
_WALK = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_REMEMBERED = 1000
CHUNK = 1024 * 1024


class Refused(UsageError):
    """What was asked cannot be done; the message is for the model."""


@frozen
class Stamp:
    """By what a file is recognised as unchanged."""

    device: int
    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp of a file's status."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class Workspace:
    """The directory of a session: where paths lead from there, what was judged of them, what was read.

    A path is resolved once, when the call's resources are told; what the policies judged is what is opened, without
    following any link that came later. A path that nobody judged must stay inside the workspace.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        self._judged: dict[tuple[str, str], str] = {}
        self._seen: dict[str, Stamp] = {}

    def declare(self, call: ToolCall, path: str) -> tuple[str, ...]:
        """The path as spelled, and as it resolves where that differs, for the call's `Resources`."""
        real = self._resolve(path)
        while len(self._judged) >= _REMEMBERED:
            self._judged.pop(next(iter(self._judged)))
        self._judged[call.id, path] = real
        plain = os.path.normpath(os.path.join(self.directory, path))  # noqa: PTH118 - lexical on purpose
        return (path,) if plain == real else (path, real)

    def looked_at(self, call: ToolCall, path: str) -> str:
        """The real path of a declared one, for a look before anything is allowed: inside the workspace or refused."""
        return self.inside(self._judged[call.id, path])

    def target(self, call: ToolCall, path: str) -> str:
        """The real path that this call may open."""
        judged = self._judged.pop((call.id, path), None)
        if judged is not None:
            return judged
        return self.inside(self._resolve(path))

    def inside(self, real: str) -> str:
        """The same real path; refused where it lies outside the workspace."""
        if real != self.directory and not real.startswith(self.directory.rstrip("/") + "/"):
            raise Refused(f"{shown(real)} lies outside the workspace {shown(self.directory)}")
        return real

    def name(self, real: str) -> str:
        """A real path as it is shown: relative to the workspace where it lies inside."""
        if real == self.directory:
            return "."
        return shown(real.removeprefix(self.directory.rstrip("/") + "/"))

    def _resolve(self, path: str) -> str:
        if not path or "\0" in path:
            raise Refused(f"not a path: {path!r}")
        try:
            return os.path.realpath(os.path.join(self.directory, path))  # noqa: PTH118 - one string, no Path
        except (OSError, ValueError) as error:
            raise Refused(f"not a path: {path!r} ({error})") from error

    def saw(self, real: str, status: os.stat_result) -> None:
        """The file's content is known to the session as of this status."""
        self._seen[real] = Stamp.of(status)

    def seen(self, real: str) -> Stamp | None:
        """What the session knows of the file, None where it never read it."""
        return self._seen.get(real)


@contextmanager
def directory_at(real: str) -> Iterator[int]:
    """A descriptor of a directory, reached without following a link. It serves for opening what lies in it."""
    fd = os.open("/", _WALK)
    try:
        relative = real.strip("/")
        whole = opened_beneath(fd, relative, _WALK) if relative else None
        if whole is not None:
            os.close(fd)
            fd, relative = whole, ""
        for part in relative.split("/"):
            if part:
                below = os.open(part, _WALK, dir_fd=fd)
                os.close(fd)
                fd = below
        yield fd
    finally:
        os.close(fd)


@contextmanager
def file_at(real: str, name: str) -> Iterator[tuple[int, os.stat_result]]:
    """A regular file, open for reading, with its status. Anything else is refused, and told what it is."""
    parent, _, last = real.rpartition("/")
    with told(real, name), directory_at(parent) as above:
        before = os.stat(last or ".", dir_fd=above, follow_symlinks=False)
        _must_be_regular(before, name)
        fd = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=above)
    try:
        status = os.fstat(fd)
        _must_be_regular(status, name)
        yield fd, status
    finally:
        os.close(fd)


@contextmanager
def told(real: str, name: str) -> Iterator[None]:
    """Turns errors of the system into words that name the path."""
    try:
        yield
    except FileNotFoundError as error:
        raise Refused(f"no such file or directory: {name}{_similar(real)}") from error
    except OSError as error:
        raise Refused(f"cannot open {name}: {error.strerror or error}") from error


def _must_be_regular(status: os.stat_result, name: str) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise Refused(f"{name} is a directory; use list to see what is in it")
    if stat.S_ISLNK(mode):
        raise Refused(f"{name} became a link while it was being opened")
    kinds = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"))
    kind = next((word for test, word in kinds if test(mode)), "a device")
    raise Refused(f"{name} is {kind}, not a file")


def _similar(real: str) -> str:
    parent, _, last = real.rpartition("/")
    from difflib import get_close_matches

    with suppress(OSError):
        with os.scandir(parent or "/") as entries:
            names = {entry.name.casefold(): entry.name for entry, _ in zip(entries, range(2000), strict=False)}
        close = get_close_matches(last.casefold(), names, n=3)
        if close:
            return f"; did you mean {' or '.join(shown(names[name]) for name in close)}?"
    return ""


def shown(name: str) -> str:
    """A file's name as text: control characters and bytes that are no UTF-8 made visible."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


async def result_of(work: Callable[P, ToolResult], *args: P.args, **kwargs: P.kwargs) -> ToolResult:
    """Runs file work on a thread; what is refused becomes an error result."""
    try:
        return await on_thread(work, *args, **kwargs)
    except Refused as refused:
        return error_result(refused.message)
    except OSError as error:
        return error_result(f"the file system refused: {error.strerror or error}")


async def on_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs file work on a thread.

    It is waited for even when the call is cancelled, so that nothing changes after the call's end.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        with suppress(Exception):
            await running
        raise


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 line`, `2 lines`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
