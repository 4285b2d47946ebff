"""Which backend confines a session's commands: the strongest that can be had, or a refusal that says what to do."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import attrs
from attrs import define, field
from codetether import Confinement, ExecutorError, from_json, replace_file, to_json

from codetether_executor_sandbox.backends import GRACE, Backend, Common
from codetether_executor_sandbox.bubblewrap import Bubblewrap, BubblewrapBackend, find_bubblewrap
from codetether_executor_sandbox.executor import SandboxExecutor
from codetether_executor_sandbox.groups import Groups, usable_groups
from codetether_executor_sandbox.landlock import LACKS, LandlockBackend, landlock_version
from codetether_executor_sandbox.layout import plan
from codetether_executor_sandbox.seatbelt import SeatbeltBackend
from codetether_executor_sandbox.settings import SandboxSettings
from codetether_executor_sandbox.trial import MEANING, MakeBackend, tried

_SYSCTL = Path("/proc/sys")
_SEEN: dict[str, Confinement] = {}
"""Trials of this process, by their fingerprint."""
_INSTALL = {
    "apt-get": "apt install bubblewrap",
    "dnf": "dnf install bubblewrap",
    "pacman": "pacman -S bubblewrap",
    "apk": "apk add bubblewrap",
    "zypper": "zypper install bubblewrap",
}


@define(kw_only=True)
class Choice:
    """Everything that a backend is made of, for the workspace and for its trial alike.

    Attributes:
        own: directories of codetether, which no command sees.
        keys: values that no environment may hold.
        cache: where the outcome of a trial is kept; None asks no disk.
        root: whether commands would be root's. python, outer: see Common.
    """

    workspace: Path
    settings: SandboxSettings
    own: tuple[Path, ...] = ()
    keys: tuple[str, ...] = ()
    cache: Path | None = None
    root: bool = field(factory=lambda: os.geteuid() == 0)
    python: str = field(factory=lambda: os.path.realpath(sys.executable))
    outer: tuple[str, ...] = ()
    groups: Groups | None = field(default=None, init=False)
    home: Path = field(factory=lambda: Path(os.path.expanduser("~")).resolve())  # noqa: PTH111

    async def executor(self) -> SandboxExecutor:
        """The executor, its confinement tried. Raises ExecutorError where a required property is missing."""
        unknown = sorted(set(self.settings.require) - set(MEANING))
        if unknown:
            raise ExecutorError(f"no property {unknown[0]!r} to require", remedy=f"There are: {', '.join(MEANING)}.")
        self.groups = await usable_groups()
        name, confinement = await self._strongest()
        if self.root and self.groups is None:
            confinement = _with_detail(confinement, "limits", "memory and file size are; processes of root are not")
        missing = [each for each in confinement.missing if each in self.settings.require]
        if missing:
            why = "; ".join(f"{p.name}: {p.detail}" for p in confinement.properties if p.name in missing)
            raise ExecutorError(
                f"the sandbox {confinement.backend} does not enforce {', '.join(missing)} ({why})",
                remedy=confinement.remedy or "See `codetether doctor`; [plugins.sandbox] require names what is needed.",
            )
        return SandboxExecutor(backend=self.backend(name, self.workspace), confinement=confinement)

    async def _strongest(self) -> tuple[str, Confinement]:
        wanted = self.settings.backend
        if wanted in ("landlock", "seatbelt"):
            return wanted, await self._tried(wanted)
        try:
            return "bwrap", await self._tried("bwrap")
        except ExecutorError as error:
            if wanted != "auto" or not landlock_version():
                raise
            weaker = await self._tried("landlock")
            return "landlock", attrs.evolve(weaker, remedy=f"{error.message}. {error.remedy}")

    async def _tried(self, name: str) -> Confinement:
        """What a trial showed, or one on this system earlier."""
        if name == "bwrap" and find_bubblewrap() is None:
            raise ExecutorError("bubblewrap is not installed", remedy=f"{_how_to_install()}, or --sandbox none.")
        if name == "landlock" and not landlock_version():
            raise ExecutorError(
                "this kernel has no Landlock", remedy="It needs Linux 5.13 with Landlock, or bubblewrap."
            )
        fingerprint = self._fingerprint(name)
        kept = self.cache / f"trial-{fingerprint}.json" if self.cache else None
        if fingerprint in _SEEN:
            return _SEEN[fingerprint]
        if kept is not None:
            with suppress(OSError, ValueError, TypeError, KeyError):
                return from_json(kept.read_bytes(), Confinement)
        try:
            made = await tried(name, self._trial_backend(name), LACKS if name == "landlock" else {}, self.python)
        except ExecutorError as error:
            raise ExecutorError(f"{name} does not work here: {error.message}", remedy=remedy()) from error
        if name == "landlock" or made.complete:
            _SEEN[fingerprint] = made
            if kept is not None:
                with suppress(OSError):  # tried again next time
                    replace_file(kept, to_json(made))
        return made

    def _trial_backend(self, name: str) -> MakeBackend:
        def make(workspace: Path, readable: Path, hidden: Path, environment: Mapping[str, str]) -> Backend:
            settings = attrs.evolve(self.settings, readable=(*self.settings.readable, str(readable)), hosts=())
            own = (*self.own, hidden)
            return attrs.evolve(self, settings=settings, own=own).backend(name, workspace, environment, grace=0.0)

        return make

    def backend(
        self, name: str, workspace: Path, ours: Mapping[str, str] = os.environ, grace: float = GRACE
    ) -> Backend:
        """What confines commands in a workspace, tried or not."""
        layout = plan(
            workspace,
            home=self.home,
            path=ours.get("PATH", "").split(os.pathsep),
            prefixes=(str(Path(self.python).parents[1]),),
            readable=self.settings.readable,
            writable=self.settings.writable,
            own=self.own,
            root=self.root,
        )
        common = Common(
            layout=layout,
            settings=self.settings,
            keys=self.keys,
            ours=ours,
            own=self.own,
            grace=grace,
            python=self.python,
            outer=self.outer,
            groups=self.groups,
        )
        if name == "landlock":
            return LandlockBackend(common=common)
        if name == "seatbelt":
            return SeatbeltBackend(common=common)
        program = find_bubblewrap()
        assert program is not None
        return BubblewrapBackend(
            common=common,
            bubblewrap=Bubblewrap(program=program, layout=layout, scratch=self.settings.scratch, root=self.root),
        )

    def _fingerprint(self, name: str) -> str:
        """What an earlier trial holds for: this boot, this kernel, these programs, these settings, this code."""
        parts = [
            name,
            platform.version(),
            str(os.geteuid()),
            repr(self.settings),
            self.python,
            repr(self.outer),
            str(self.home),
        ]
        for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/attr/current"):
            with suppress(OSError):
                parts.append(Path(file).read_text())
        parts += [repr(remedies()), os.environ.get("PATH", "")]
        for program in (find_bubblewrap(), *map(str, sorted(Path(__file__).parent.glob("*.py")))):
            if program:
                found = Path(program).stat()
                parts.append(f"{program} {found.st_size} {found.st_mtime_ns}")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _with_detail(confinement: Confinement, name: str, detail: str) -> Confinement:
    """The same, with other words about a property that is enforced."""
    properties = tuple(
        attrs.evolve(each, detail=detail) if each.name == name and each.state == "enforced" else each
        for each in confinement.properties
    )
    return attrs.evolve(confinement, properties=properties)


def _how_to_install() -> str:
    return next((how for program, how in _INSTALL.items() if shutil.which(program)), "Install the package bubblewrap")


def remedy() -> str:
    """What this system refuses to bubblewrap, and what allows it."""
    found = remedies()
    return " ".join(found) if found else "Run `bwrap --unshare-all --ro-bind / / true` to see what it says."


def remedies() -> list[str]:
    """The known reasons that apply here, each with its cure."""
    found = []
    if _number("kernel/apparmor_restrict_unprivileged_userns") == 1:
        found.append(
            "AppArmor keeps programs without a profile from making namespaces: install the distribution's bubblewrap "
            "(/usr/bin/bwrap) and its profile /etc/apparmor.d/bwrap-userns-restrict, of the package apparmor-profiles."
        )
    if _number("kernel/unprivileged_userns_clone") == 0:
        found.append("User namespaces are off: sysctl -w kernel.unprivileged_userns_clone=1.")
    if _number("user/max_user_namespaces") == 0:
        found.append("User namespaces are off: sysctl -w user.max_user_namespaces=15000.")
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        found.append(
            "This is a container: start it with --security-opt seccomp=unconfined --security-opt "
            "systempaths=unconfined, or rely on the container itself and use --sandbox none."
        )
    return found


def _number(name: str) -> int | None:
    with suppress(OSError, ValueError):
        return int((_SYSCTL / name).read_text())
    return None
