"""What confines a command: what all backends have in common."""

from __future__ import annotations

import fnmatch
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

from attrs import define, field, frozen
from codetether import ExecutorError, Launch

from codetether_executor_sandbox.environment import clean_environment, program_file
from codetether_executor_sandbox.groups import Groups
from codetether_executor_sandbox.layout import Layout, inside
from codetether_executor_sandbox.seccomp import packed, program
from codetether_executor_sandbox.settings import PROTECTED, SandboxSettings
from codetether_executor_sandbox.syscalls import ARCHITECTURES

_PRUNED = frozenset({".git", "node_modules", ".venv", "venv", "target", "__pycache__"})
_MOST_ENTRIES = 50_000
GRACE = 0.4
"""Seconds that processes have which a command left running."""


def _nothing() -> bool:
    return False


@frozen(kw_only=True)
class Prepared:
    """A command that is ready to start.

    Attributes:
        left_behind: asked when it has ended: whether processes outlived it, and were ended.
        notes: asked when all is over: what the model should know of it.
    """

    launch: Launch
    left_behind: Callable[[], bool] = _nothing
    notes: Callable[[], Sequence[str]] = tuple
    exit_code: Callable[[int], int] = int


@define(kw_only=True)
class Common:
    """What every backend needs to know.

    Attributes:
        keys: values that no environment may hold. ours: the environment to take from.
        own: directories of codetether; where the workspace holds them, they are protected too.
        grace: seconds that processes have which a command left running.
        python: an interpreter that everyone may run. outer: what starts the backend's own program, if anything.
        groups: where control groups can be made, if anywhere.
    """

    layout: Layout
    settings: SandboxSettings
    keys: Sequence[str] = ()
    ours: Mapping[str, str] = field(factory=lambda: os.environ)
    own: Sequence[Path] = ()
    grace: float = GRACE
    python: str = field(factory=lambda: os.path.realpath(sys.executable))
    outer: Sequence[str] = ()
    groups: Groups | None = None

    @property
    def workspace(self) -> Path:
        """What commands may change."""
        return self.layout.workspace

    @property
    def protected(self) -> tuple[str, ...]:
        """Paths in the workspace that no command changes."""
        own = (Path(os.path.realpath(each)) for each in self.own)
        ours = (str(each.relative_to(self.workspace)) for each in own if each.is_relative_to(self.workspace))
        return (*PROTECTED, *self.settings.protected, *(each for each in ours if each != "."))

    @contextmanager
    def started(self) -> Iterator[list[str]]:
        """What stands before the backend's own program."""
        if self.groups is None:
            yield [*self.outer]
            return
        with self.groups.joined(self.settings.memory, self.settings.processes) as prefix:
            yield [*prefix, *self.outer]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """What the command gets; `more` is laid over it as it is."""
        names = self.settings.environment
        made = clean_environment(self.ours, keys=self.keys, more_names=names, workspace=self.workspace)
        return {**made, "HOME": str(self.layout.home), **more}

    def resolved(self, argv: Sequence[str], directory: Path, environment: Mapping[str, str]) -> list[str]:
        """The argument list with the program's absolute path, which PATH never leads into the workspace for."""
        if not (directory == Path("/") or self.layout.sees(directory)):
            raise ExecutorError(
                f"cannot run {argv[0]!r} in {directory}: the sandbox does not show it",
                remedy=f"Work in {self.workspace}, or add it to readable in [plugins.sandbox].",
            )
        if "/" in argv[0]:
            found = argv[0] if os.access(directory / argv[0], os.X_OK) else None
        else:
            found = program_file(argv[0], environment.get("PATH", ""), self.workspace)
        if found is None:
            raise ExecutorError(f"cannot run {argv[0]!r}: not found", remedy="Check that it is installed.")
        return [str(directory / found) if "/" in found else found, *argv[1:]]

    def hidden_files(self) -> tuple[Path, ...]:
        """Files of the workspace with names that `hidden` fits, links followed as far as they stay in it."""
        patterns = self.settings.hidden
        return tuple(self._matching(patterns)) if patterns else ()

    def _matching(self, patterns: Sequence[str]) -> Iterator[Path]:
        seen = 0
        for place, directories, files in os.walk(self.workspace):
            seen += len(files) + len(directories)
            if seen > _MOST_ENTRIES:
                raise ExecutorError(
                    f"{self.workspace} has too many files to look for hidden ones",
                    remedy='Name them by their paths, or leave "hidden" in [plugins.sandbox] empty.',
                )
            for name in (*files, *directories):
                if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                    real = Path(os.path.realpath(Path(place, name)))
                    if inside(real, self.workspace):
                        yield real
            directories[:] = [name for name in directories if name not in _PRUNED]


class Backend(Protocol):
    """A way to confine commands."""

    common: Common

    def prepared(
        self, argv: Sequence[str], directory: Path, environment: Mapping[str, str], *, lasting: bool = False
    ) -> AbstractContextManager[Prepared]:
        """The command made ready, for as long as it runs. Raises ExecutorError where it cannot be.

        `lasting`: it is a server, beside which others work: nothing is put back when it ends.
        """


@contextmanager
def scratch_directory() -> Iterator[str]:
    """A directory of the command's own, removed in the end: no link in it is followed then."""
    made = tempfile.mkdtemp(prefix="codetether-")
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@cache
def filter_for(sockets: tuple[str, ...]) -> bytes:
    """The system call filter of this machine. Raises ExecutorError where none is known for its processor."""
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        raise ExecutorError(
            f"no system call filter for {platform.machine()}", remedy=f"There are: {', '.join(ARCHITECTURES)}."
        )
    return packed(program(architecture, sockets))
