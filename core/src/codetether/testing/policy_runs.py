"""Runs commands in the sandbox, each in a fresh workspace, and looks what appears outside of it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from codetether.errors import UsageError
from codetether.testing.subjects import Subject, installed_subjects
from codetether.testing.trial import on_trial

EXECUTOR = "sandbox"
LIMIT = 20.0
"""Seconds that a command may take."""
_FILES: Mapping[str, str] = {"f": "one\ntwo\n", "a.txt": "b\na\n", "src/a.py": "x = 1\n", "package.json": "{}\n"}
_PATHS = re.compile(r"[\w./~@%+:-]+")
_WIDE = ("/", "/tmp", "/var/tmp", "/dev/shm", "/etc", "~")


class Runner:
    """Runs one command after the other with the executor of the plugin `sandbox`, tried once."""

    def __init__(self, subject: Subject, record: Any, limit: float = LIMIT) -> None:
        self._limit = limit
        self._subject = subject
        self._record = record
        self._stack = ExitStack()
        self._open = AsyncExitStack()

    def __enter__(self) -> Runner:
        place = Path(os.path.realpath(self._stack.enter_context(TemporaryDirectory(prefix="codetether-run-"))))
        self._loop = self._stack.enter_context(asyncio.Runner())
        self._stack.callback(lambda: self._loop.run(self._open.aclose()))
        try:
            self._loop.run(self._begin(place))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    async def _begin(self, place: Path) -> None:
        self._place = place
        self._trial = await self._open.enter_async_context(on_trial(self._subject, "executors", self._record, place))
        self._executor = await self._trial.make()

    @property
    def workspace(self) -> Path:
        """Where commands run; each finds the same few files in it."""
        return self._trial.directory

    def changed(self) -> list[str]:
        """Files of the workspace that the last command made, changed or removed."""
        there = {str(p.relative_to(self.workspace)): p for p in self.workspace.rglob("*") if not p.is_dir()}
        same = {name for name, path in there.items() if path.read_bytes() == _FILES.get(name, "\0").encode()}
        return sorted((there.keys() | _FILES.keys()) - same)

    def run(self, command: str) -> dict[str, Any]:
        """`markers`: what it made or changed outside its workspace; `error` where it could not be run at all."""
        try:
            return self._loop.run(self._run(command))
        except Exception as error:  # one that cannot be run is an answer too
            return {"markers": [], "error": f"not run: {type(error).__name__}: {error}"}

    async def _run(self, command: str) -> dict[str, Any]:
        workspace = self._trial.directory
        _make_anew(workspace)
        before = _seen(self._place, workspace, command)
        done = await self._executor.run(["/bin/bash", "-c", command], directory=workspace, timeout=self._limit)
        after = _seen(self._place, workspace, command)
        markers = sorted(path for path, state in after.items() if before.get(path) != state)
        return {"markers": markers, "exit_code": done.exit_code}


def _make_anew(workspace: Path) -> None:
    """The same few files, and nothing else."""
    for entry in list(os.scandir(workspace)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink()
    for name, text in _FILES.items():
        path = workspace / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def _seen(place: Path, workspace: Path, command: str) -> dict[str, tuple[int, int]]:
    """What there is around the workspace, and at every place that the command may name: path -> size, time."""
    named = {os.path.join(wide, word) for word in _PATHS.findall(command) for wide in (str(workspace), *_WIDE)}  # noqa: PTH118
    paths = {os.path.normpath(os.path.expanduser(path)) for path in named}  # noqa: PTH111
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if os.path.join(folder, name) != str(workspace)]  # noqa: PTH118
        paths |= {os.path.join(folder, name) for name in files}  # noqa: PTH118
    found = {}
    for path in paths:
        if Path(path) == workspace or workspace in Path(path).parents:
            continue
        try:
            state = os.lstat(path)
        except (OSError, ValueError):
            continue
        is_directory = os.path.isdir(path)  # noqa: PTH112 - a directory's own time says nothing of who wrote in it
        found[path] = (0, 0) if is_directory else (state.st_size, state.st_mtime_ns)
    return found


def runner_here(limit: float = LIMIT) -> Runner | None:
    """The runner, where the sandbox is installed; else says that nothing will be run. `limit`: seconds a command."""
    try:
        (subject,) = installed_subjects([EXECUTOR])
        record = next(r for kind, r in subject.records if kind == "executors" and r.name == EXECUTOR)
    except (UsageError, StopIteration, ValueError) as error:
        sys.stderr.write(f"note: nothing is executed: there is no executor {EXECUTOR!r} ({error})\n")
        return None
    return Runner(subject, record, limit)
