"""Landlock: where namespaces cannot be had, the kernel still refuses paths and sockets to a command."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define
from codetether import ExecutorError, Launch

from codetether_executor_sandbox.backends import Common, Prepared, filter_for, scratch_directory
from codetether_executor_sandbox.guard import Watch
from codetether_executor_sandbox.layout import inside
from codetether_executor_sandbox.limits import exit_code, resource_limits

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
LACKS: Mapping[str, str] = {
    "protected": "what a command changed there is put back when it has ended",
    "metadata": "Landlock lets modes, owners and times of files outside be changed",
    "processes": "processes outside can be seen, though not read or, from Linux 6.12 on, signalled",
}
"""What the kernel cannot do this way, whatever a trial shows."""


def landlock_version() -> int:
    """Of the kernel's interface; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(444, None, 0, 1)))


@define(kw_only=True)
class LandlockBackend:
    """Paths by Landlock, system calls and sockets by seccomp, the end of all by a parent that inherits."""

    common: Common

    @contextmanager
    def prepared(
        self, argv: Sequence[str], directory: Path, environment: Mapping[str, str], *, lasting: bool = False
    ) -> Iterator[Prepared]:
        """The command behind a small program that confines itself before it becomes it."""
        common, settings = self.common, self.common.settings
        if settings.hosts:
            remedy = "Install bubblewrap, or leave hosts in [plugins.sandbox] empty."
            raise ExecutorError("hosts can be reached from a sandbox of bubblewrap only", remedy=remedy)
        source = Path(__file__).with_name("confine.py").read_text()
        paths = [] if lasting else [common.workspace / each for each in common.protected]
        paths += [] if lasting or (common.workspace / ".git").exists() else [common.workspace / ".git"]
        watching = Watch(workspace=common.workspace, paths=paths)
        with scratch_directory() as scratch, common.started() as before, watching as watch:
            variables = common.environment({"TMPDIR": scratch, **environment})
            command = common.resolved(argv, directory, variables)
            spec = {
                "readable": [*self._readable(), "/proc"],
                "writable": [str(common.workspace), scratch, *common.layout.writable],
                "devices": [*DEVICES],
                "limits": {f"RLIMIT_{name.upper()}": value for name, value in resource_limits(settings).items()},
                "grace": common.grace,
                "seccomp": filter_for(settings.sockets).hex(),
            }
            python = [common.python, "-I", "-S", "-c", source, json.dumps(spec)]
            launch = Launch(
                argv=[*before, *python, *command], directory=directory, environment=variables, enclosed=True
            )
            yield Prepared(launch=launch, notes=lambda: watch.notes, exit_code=exit_code)

    def _readable(self) -> Iterator[str]:
        """The trees that may be read; those that hold something hidden, in pieces."""
        hidden = [Path(each) for each in self.common.layout.hidden]
        for tree in self.common.layout.readable:
            yield from _without(Path(tree), hidden)


def _without(tree: Path, hidden: Sequence[Path]) -> Iterator[str]:
    if any(inside(tree, each) for each in hidden):
        return
    within = [each for each in hidden if inside(each, tree)]
    if not within:
        yield str(tree)
        return
    try:
        names = os.listdir(tree)  # noqa: PTH208
    except OSError:
        return
    for name in names:
        if not (tree / name).is_symlink():
            yield from _without(tree / name, within)
