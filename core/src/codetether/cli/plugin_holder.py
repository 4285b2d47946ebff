"""Which installer holds this environment, and the command lines that it takes."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from codetether.errors import PluginError
from codetether.plugins.entry_points import normalised

ENVIRONMENT = "Make an environment: `uv tool install codetether-agent`, `pipx install codetether-agent`, or \
`python3 -m venv DIR` and pip in it."


@frozen(kw_only=True)
class Sources:
    """Where distributions come from."""

    index_url: str | None = None
    find_links: tuple[str, ...] = ()
    no_index: bool = False

    @property
    def options(self) -> list[str]:
        """As pip and uv take them."""
        made = ["--no-index"] if self.no_index else []
        made += ["--index-url", self.index_url] if self.index_url else []
        return made + [word for place in self.find_links for word in ("--find-links", place)]


class Holder(Protocol):
    """An installer that holds an environment."""

    @property
    def tries(self) -> bool:
        """Whether it knows `--dry-run`."""
        ...

    def install(
        self, names: Sequence[str], sources: Sources, *, upgrade: bool, reinstall: bool, dry_run: bool
    ) -> list[str]:
        """The command that installs them."""
        ...

    def fetch(self, names: Sequence[str], sources: Sources, place: Path) -> list[str]:
        """The command that puts them, without what they need, into a folder to be looked at."""
        ...

    def uninstall(self, names: Sequence[str]) -> list[str]:
        """The command that removes them."""
        ...


@frozen(kw_only=True)
class Pip:
    """A virtual environment with pip in it."""

    python: str
    tries: bool = True

    def install(
        self, names: Sequence[str], sources: Sources, *, upgrade: bool, reinstall: bool, dry_run: bool
    ) -> list[str]:
        """`python -m pip install …`."""
        flags = _flags({"--upgrade": upgrade, "--force-reinstall": reinstall, "--dry-run": dry_run})
        # only what was named is replaced by --force-reinstall, not all that it needs
        flags += ["--no-deps"] if reinstall else []
        return [self.python, "-m", "pip", "install", *flags, *sources.options, *names]

    def fetch(self, names: Sequence[str], sources: Sources, place: Path) -> list[str]:
        """`python -m pip wheel --no-deps …`: what comes as source becomes the wheel that would be installed."""
        return [self.python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place), *sources.options, *names]

    def uninstall(self, names: Sequence[str]) -> list[str]:
        """`python -m pip uninstall …`."""
        return [self.python, "-m", "pip", "uninstall", "--yes", *names]


@frozen(kw_only=True)
class Uv:
    """A virtual environment that uv made, or one without pip."""

    uv: str
    python: str
    tries: bool = True

    def install(
        self, names: Sequence[str], sources: Sources, *, upgrade: bool, reinstall: bool, dry_run: bool
    ) -> list[str]:
        """`uv pip install …`."""
        flags = _flags({"--upgrade": upgrade, "--dry-run": dry_run})
        flags += _anew(names) if reinstall else []
        return [self.uv, "pip", "install", "--python", self.python, *flags, *sources.options, *names]

    def fetch(self, names: Sequence[str], sources: Sources, place: Path) -> list[str]:
        """`uv pip install --target …`: a folder that Python does not look into when it starts."""
        into = ["--no-deps", "--target", str(place), "--python", self.python]
        return [self.uv, "pip", "install", "-q", *into, *sources.options, *names]

    def uninstall(self, names: Sequence[str]) -> list[str]:
        """`uv pip uninstall …`."""
        return [self.uv, "pip", "uninstall", "--python", self.python, *names]


@frozen(kw_only=True)
class UvTool:
    """`uv tool install` made it, and keeps what is in it in a receipt.

    Attributes:
        receipt: the table `[tool]` of `uv-receipt.toml`.
    """

    uv: str
    python: str
    name: str
    receipt: dict[str, Any]
    tries: bool = False

    def install(
        self, names: Sequence[str], sources: Sources, *, upgrade: bool, reinstall: bool, dry_run: bool
    ) -> list[str]:
        """`uv tool install … --with …`: all that the receipt names, and the new ones."""
        wanted = {_bare(name) for name in names}
        flags = [word for name in names if upgrade for word in ("--upgrade-package", _bare(name))]
        flags += _anew(names) if reinstall else []
        new = [word for name in names for word in ("--with", name)]
        return [*self._kept(wanted), *new, *flags, *sources.options]

    def fetch(self, names: Sequence[str], sources: Sources, place: Path) -> list[str]:
        """As uv does."""
        return Uv(uv=self.uv, python=self.python).fetch(names, sources, place)

    def uninstall(self, names: Sequence[str]) -> list[str]:
        """`uv tool install … --with …`: all that the receipt names, but these."""
        missing = sorted({_bare(name) for name in names} - {normalised(r["name"]) for r in self._requirements()})
        if missing:
            raise PluginError(
                f"{', '.join(missing)} came with {self.name}, not by itself",
                remedy="Block the plugin instead: `[plugins] block` in the settings.",
            )
        return self._kept({_bare(name) for name in names})

    def _requirements(self) -> list[dict[str, Any]]:
        return list(self.receipt.get("requirements", []))

    def _kept(self, but: set[str]) -> list[str]:
        command = [self.uv, "tool", "install"]
        command += ["--python", self.receipt["python"]] if self.receipt.get("python") else []
        for it in self._requirements():
            plain = normalised(it["name"])
            if plain == normalised(self.name):
                command += ["--editable", it["editable"]] if it.get("editable") else [_requirement(it)]
            elif plain not in but:
                command += ["--with-editable", it["editable"]] if it.get("editable") else ["--with", _requirement(it)]
        return command


@frozen(kw_only=True)
class Pipx:
    """`pipx install` made it."""

    pipx: str
    name: str
    tries: bool = False

    def install(
        self, names: Sequence[str], sources: Sources, *, upgrade: bool, reinstall: bool, dry_run: bool
    ) -> list[str]:
        """`pipx inject …`."""
        import shlex

        options = ["--upgrade", *sources.options] if upgrade else sources.options
        passed = [f"--pip-args={shlex.join(options)}"] if options else []
        return [self.pipx, "inject", *passed, *_flags({"--force": upgrade or reinstall}), self.name, *names]

    def fetch(self, names: Sequence[str], sources: Sources, place: Path) -> list[str]:
        """`pipx runpip … install --target`: what pip and uv both know, for pipx works with either."""
        into = ["install", "-q", "--no-deps", "--target", str(place)]
        return [self.pipx, "runpip", self.name, *into, *sources.options, *names]

    def uninstall(self, names: Sequence[str]) -> list[str]:
        """`pipx uninject …`."""
        return [self.pipx, "uninject", self.name, *names]


def holder_here() -> Holder:
    """The installer of the running interpreter's environment. Raises PluginError where nothing can be installed."""
    prefix = Path(sys.prefix)
    if (prefix / "uv-receipt.toml").is_file():
        receipt = tomllib.loads((prefix / "uv-receipt.toml").read_text())["tool"]
        return UvTool(uv=_found("uv"), python=sys.executable, name=prefix.name, receipt=receipt)
    if (prefix / "pipx_metadata.json").is_file():
        return Pipx(pipx=_found("pipx"), name=prefix.name)
    _must_be_open(prefix)
    made_by_uv = prefix / "pyvenv.cfg"
    if made_by_uv.is_file() and "\nuv = " in f"\n{made_by_uv.read_text()}" and _uv():
        return Uv(uv=_found("uv"), python=sys.executable)
    from importlib.util import find_spec

    if find_spec("pip"):
        return Pip(python=sys.executable)
    if _uv():
        return Uv(uv=_found("uv"), python=sys.executable)
    raise PluginError(
        f"there is neither pip in {prefix} nor uv on the PATH",
        remedy=f"{sys.executable} -m ensurepip, or install uv",
    )


def _must_be_open(prefix: Path) -> None:
    """Raises PluginError for an environment that belongs to the system, or to somebody else."""
    of_the_system = sys.prefix == sys.base_prefix
    if of_the_system and (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").is_file():
        raise PluginError(f"{prefix} belongs to the system's own package manager", remedy=ENVIRONMENT)
    packages = sysconfig.get_path("purelib")
    if not os.access(packages, os.W_OK):
        raise PluginError(f"nothing can be written to {packages}", remedy=ENVIRONMENT)


def _uv() -> str | None:
    if found := shutil.which("uv"):
        return found
    try:
        import uv
    except ImportError:
        return None
    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError:
        return None


def _found(program: str) -> str:
    found = _uv() if program == "uv" else shutil.which(program)
    if found is None:
        raise PluginError(f"{program} made {sys.prefix}, but it is not on the PATH", remedy=f"Put {program} on it.")
    return found


def _flags(wanted: dict[str, bool]) -> list[str]:
    return [flag for flag, on in wanted.items() if on]


def _anew(names: Sequence[str]) -> list[str]:
    """Without uv's cache: its files are the very ones that were linked here, with whatever was changed in them."""
    return ["--no-cache", *(word for name in names for word in ("--reinstall-package", _bare(name)))]


def _bare(name: str) -> str:
    """The distribution's name of a requirement or a wheel's path, as PEP 503 writes it."""
    if name.endswith(".whl"):
        return normalised(Path(name).name.split("-")[0])
    words = name
    for mark in "[<>=!~ ;":
        words = words.partition(mark)[0]
    return normalised(words)


def _requirement(it: dict[str, Any]) -> str:
    """A line of the receipt as a requirement."""
    extras = f"[{','.join(it['extras'])}]" if it.get("extras") else ""
    place = it.get("directory") or it.get("path")
    url = it.get("url") or (f"git+{it['git']}" if it.get("git") else None) or (Path(place).as_uri() if place else None)
    return f"{it['name']}{extras} @ {url}" if url else f"{it['name']}{extras}{it.get('specifier', '')}"
