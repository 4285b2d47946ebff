"""Sandboxes as root and as an ordinary user, each with a workspace, a place outside, and a home of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, field, frozen
from codetether import Completed
from codetether_executor_sandbox.bubblewrap import find_bubblewrap
from codetether_executor_sandbox.choice import Choice
from codetether_executor_sandbox.executor import SandboxExecutor
from codetether_executor_sandbox.landlock import landlock_version
from codetether_executor_sandbox.settings import SandboxSettings

NOBODY = 65534
PYTHON = "/usr/bin/python3"


@frozen(kw_only=True)
class Ground:
    """A sandbox to attack.

    Attributes:
        own: a directory of codetether, hidden.
    """

    backend: str
    place: Path
    user: int
    settings: SandboxSettings = field(factory=SandboxSettings)
    ours: dict[str, str] = field(factory=dict)

    @property
    def workspace(self) -> Path:
        return self.place / "W"

    @property
    def outside(self) -> Path:
        return self.place / "O"

    @property
    def home(self) -> Path:
        return self.place / "H"

    @property
    def own(self) -> Path:
        return self.home / ".config" / "codetether"

    @property
    def choice(self) -> Choice:
        outer: tuple[str, ...] = ()
        if self.user != os.geteuid():
            found = shutil.which("setpriv")
            assert found is not None
            outer = (found, f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--inh-caps=-all")
        return Choice(
            workspace=self.workspace,
            settings=self.settings,
            own=(self.own,),
            home=self.home,
            root=self.user == 0,
            python=os.path.realpath(PYTHON),
            outer=outer,
        )

    @property
    def executor(self) -> SandboxExecutor:
        ours = {**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin", **self.ours}
        return SandboxExecutor(backend=self.choice.backend(self.backend, self.workspace, ours))

    def with_settings(self, **changes: Any) -> Ground:
        """The same with other settings."""
        return evolve(self, settings=evolve(self.settings, **changes))

    def file(self, path: Path, text: str = "") -> Path:
        """A file of the user, with all directories on the way."""
        missing = [p for p in (path, *path.parents) if not p.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for each in missing:
            os.chown(each, self.user, self.user)
        return path

    async def bash(self, command: str, **how: Any) -> Completed:
        """One command line, with both outputs in one."""
        return await self.executor.run(["bash", "-c", command], **{"timeout": 20.0, "merged": True, **how})

    async def python(self, source: str, **how: Any) -> Completed:
        """One program."""
        argv = [PYTHON, "-I", "-c", source]
        return await self.executor.run(argv, **{"timeout": 20.0, "merged": True, **how})


def _unavailable(backend: str, who: str) -> str:
    if backend == "bwrap" and find_bubblewrap() is None:
        return "bubblewrap is not installed (apt install bubblewrap)"
    if backend == "landlock" and not landlock_version():
        return "this kernel has no Landlock"
    if who == "root" and os.geteuid() != 0:
        return "not run by root"
    if who == "user" and os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "there is no setpriv to become an ordinary user with"
    if not Path(PYTHON).exists():
        return f"there is no {PYTHON} that everyone may run"
    return ""


def _ground(backend: str, who: str) -> Iterator[Ground]:
    if why := _unavailable(backend, who):
        pytest.skip(why)
    user = os.geteuid() if who == "root" or os.geteuid() != 0 else NOBODY
    place = Path(tempfile.mkdtemp(prefix="sandbox-")).resolve()
    place.chmod(0o755)
    made = Ground(backend=backend, place=place, user=user)
    for each in (made.workspace, made.outside, made.home):
        each.mkdir()
        os.chown(each, user, user)
    before, tempfile.tempdir = tempfile.tempdir, str(place / "T")
    Path(tempfile.tempdir).mkdir()
    try:
        yield made
    finally:
        tempfile.tempdir = before
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(params=["bwrap-root", "bwrap-user"])
def bwrap(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Bubblewrap alone."""
    yield from _ground(*request.param.split("-"))


@pytest.fixture(params=["landlock-root", "landlock-user"])
def landlock(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Landlock alone."""
    yield from _ground(*request.param.split("-"))


@pytest.fixture(params=["bwrap-root", "bwrap-user", "landlock-root", "landlock-user"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Each backend, as root and as an ordinary user."""
    yield from _ground(*request.param.split("-"))
