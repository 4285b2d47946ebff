"""Runs ripgrep, which knows what is ignored, in a directory or on one open file."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from codetether_tools_files.workspace import CHUNK, Refused

ALWAYS = ("--no-config", "--no-messages", "--color=never", "--hidden", "--no-require-git")
RULES = "--ignore-file=/dev/stdin"
"""The file that is its standard input says what is left out."""


@lru_cache(maxsize=1)
def program() -> str:
    """Where ripgrep is: where its Python package put it, or on the path."""
    found = _packaged() or shutil.which("rg")
    if found is None:
        raise Refused("ripgrep (rg) is not installed; pip install ripgrep, or install it with the system's packages")
    return found


def _packaged() -> str | None:
    from importlib.metadata import PackageNotFoundError, files

    with suppress(PackageNotFoundError):
        for file in files("ripgrep") or ():
            if file.name in ("rg", "rg.exe") and Path(place := str(file.locate())).is_file():
                return os.path.realpath(place)
    return None


async def searched(
    arguments: Sequence[str],
    take: Callable[[bytes], bool],
    seconds: float,
    *,
    directory: int | None = None,
    file: int | None = None,
) -> bool:
    """Hands what ripgrep writes to `take`, on a thread, until that has enough; whether this was all within the time.

    Args:
        take: is given the output in pieces, and tells whether to go on.
        directory: an open directory in which it runs; `file`: an open file that is its standard input.

    A complaint of ripgrep's is raised as `Refused`, after all output.
    """
    process = subprocess.Popen(  # noqa: ASYNC220 - it is started without waiting, and read on a thread
        [program(), *arguments],
        stdin=subprocess.DEVNULL if file is None else file,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=None if directory is None else _path(directory),
        bufsize=0,
    )
    reading = asyncio.ensure_future(asyncio.to_thread(_read, process, take))
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(reading)
    except TimeoutError:
        return False
    finally:
        process.kill()  # then the thread comes to the end of the output
        with suppress(Refused):
            await reading


def _read(process: subprocess.Popen[bytes], take: Callable[[bytes], bool]) -> bool:
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        while piece := process.stdout.read(CHUNK):
            if not take(piece):
                process.kill()
                return False
        complaint = process.stderr.read(CHUNK)
        if process.wait() == 2 and complaint:
            raise Refused(complaint.decode("utf-8", "replace").removeprefix("rg: ").strip())
        return True


def _path(directory: int) -> str:
    """The open directory as a path, so that no renamed or linked one takes its place."""
    if os.path.isdir(f"/proc/self/fd/{directory}"):  # noqa: PTH112
        return f"/proc/self/fd/{directory}"
    import fcntl

    found = fcntl.fcntl(directory, fcntl.F_GETPATH, bytes(1024))  # type: ignore[attr-defined, unused-ignore]
    return os.fsdecode(found.rstrip(b"\0"))
