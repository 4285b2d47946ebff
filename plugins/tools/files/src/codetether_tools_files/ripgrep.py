"""Runs ripgrep, which knows what is ignored, in a directory or on one open file."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from codetether_tools_files.workspace import CHUNK, Refused

ALWAYS = ("--no-config", "--no-messages", "--color=never", "--hidden", "--no-require-git", "--glob=!.git")


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


async def pieces(
    arguments: Sequence[str], *, directory: int | None = None, file: int | None = None
) -> AsyncGenerator[bytes, None]:
    """What ripgrep writes, in pieces; run in an open directory, or on an open file as its standard input.

    Leaving the iteration early ends it. A complaint of ripgrep's is raised as `Refused`, after all output.
    """
    process = await asyncio.create_subprocess_exec(
        program(),
        *arguments,
        stdin=subprocess.DEVNULL if file is None else file,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=None if directory is None else _path(directory),
        limit=CHUNK,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        while piece := await process.stdout.read(CHUNK):
            yield piece
        complaint = await process.stderr.read(CHUNK)
        if await process.wait() == 2 and complaint:
            raise Refused(complaint.decode("utf-8", "replace").removeprefix("rg: ").strip())
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        while await process.stdout.read(CHUNK):
            pass


def _path(directory: int) -> str:
    """The open directory as a path, so that no renamed or linked one takes its place."""
    if os.path.isdir(f"/proc/self/fd/{directory}"):  # noqa: PTH112
        return f"/proc/self/fd/{directory}"
    import fcntl

    found = fcntl.fcntl(directory, fcntl.F_GETPATH, bytes(1024))  # type: ignore[attr-defined, unused-ignore]
    return os.fsdecode(found.rstrip(b"\0"))
