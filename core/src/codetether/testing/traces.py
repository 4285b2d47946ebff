"""What a trial leaves behind: changed files, texts in files, living processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

from codetether.testing.promises import NotTried
from codetether.testing.trial import Trial, environment

MARK = "CODETETHER_TRIAL_MARK"
READ_AT_MOST = 64 * 1024 * 1024


def snapshot(*directories: Path) -> dict[str, tuple[int, bytes]]:
    """All files below the directories: mode, and content or the target of a link."""
    return {
        str(path): (path.lstat().st_mode, str(path.readlink()).encode() if path.is_symlink() else path.read_bytes())
        for directory in directories
        for path in sorted(directory.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def changed(before: dict[str, tuple[int, bytes]], after: dict[str, tuple[int, bytes]]) -> list[str]:
    """Paths that came, went or differ."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def kept(trial: Trial) -> list[str]:
    """What a sink holds, file by file in the order of their names; else as the plugin's author says."""
    if trial.subject.trials.kept is not None:
        return list(trial.subject.trials.kept(trial.directory))
    files = [p for top in (trial.directory, trial.home) for p in sorted(top.rglob("*")) if p.is_file()]
    return [path.read_bytes()[:READ_AT_MOST].decode("utf-8", "replace") for path in files]


def positions(texts: Iterable[str], words: Iterable[str]) -> Iterator[list[tuple[int, int]]]:
    """For each word where it stands: (number of the text, place in it)."""
    texts = list(texts)
    for word in words:
        places = []
        for number, text in enumerate(texts):
            at = text.find(word)
            while at >= 0:
                places.append((number, at))
                at = text.find(word, at + 1)
        yield places


@asynccontextmanager
async def marked() -> AsyncIterator[str]:
    """Whatever starts meanwhile carries a mark by which `survivors` finds it; what is left is ended afterwards."""
    mark = uuid4().hex
    with environment({MARK: mark}):
        try:
            yield mark
        finally:
            left = _alive(mark) if sys.platform.startswith("linux") else []
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, 9)
            if left:
                await asyncio.sleep(0.1)  # their ends of pipes are closed now, and ours should be told


async def survivors(mark: str, patience: float = 1.0) -> list[str]:
    """The commands of processes with the mark that are still there after so many seconds."""
    if not sys.platform.startswith("linux"):
        raise NotTried("processes that are left can only be found on Linux")
    end = asyncio.get_running_loop().time() + patience
    while (left := _alive(mark)) and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    return sorted(_command(pid) for pid in left)


def _alive(mark: str) -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit() and _carries(entry.name, mark)]


def _carries(pid: str, mark: str) -> bool:
    if int(pid) == os.getpid():
        return False
    with suppress(OSError):
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    return False


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()[:200]
    return str(pid)
