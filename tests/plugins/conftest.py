"""An environment beside ours, with the plugins of strangers installed from their wheels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import uv
from attrs import field, frozen

HERE = Path(__file__).parent
BUILD = """
import os, sys
from hatchling.build import build_wheel
for project in sys.argv[2:]:
    os.chdir(project)
    build_wheel(sys.argv[1])
"""


@frozen(kw_only=True)
class Ended:
    """A process that ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


@frozen(kw_only=True)
class Site:
    """An environment: what is installed in ours, and what was installed in it."""

    python: Path
    _teller: list[subprocess.Popen[str]] = field(factory=list, init=False)

    def run(
        self, *argv: str, cwd: Path | None = None, timeout: float = 60, environment: Mapping[str, str] | None = None
    ) -> Ended:
        """`python argv…`, with these variables set."""
        done = subprocess.run(
            [str(self.python), *argv],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)

    def cli(
        self, *argv: str, cwd: Path | None = None, timeout: float = 60, environment: Mapping[str, str] | None = None
    ) -> Ended:
        """`codetether argv…`."""
        return self.run("-m", "codetether", *argv, cwd=cwd, timeout=timeout, environment=environment)

    def plugins(self, **variables: str) -> dict[str, Any]:
        """What `codetether plugins --json` says, by name."""
        done = self.cli("plugins", "--json", environment=variables)
        assert done.code == 0, done.err
        return {plugin["name"]: plugin for plugin in json.loads(done.out)}

    def story(self, script: Sequence[Any], *prompts: str, cwd: Path, only: str, **wish: Any) -> dict[str, Any]:
        """A session on a scripted model, in a process that tells all of them; see `story.py`."""
        if not self._teller:
            argv = [str(self.python), str(HERE / "story.py")]
            self._teller.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        told, heard = self._teller[0].stdin, self._teller[0].stdout
        assert told is not None
        assert heard is not None
        environment = {"CODETETHER_PLUGINS": only, "CODETETHER_HOME": os.environ["CODETETHER_HOME"]}
        wish |= {"script": script, "prompts": prompts or ("go",), "directory": str(cwd), "environment": environment}
        print(json.dumps(wish), file=told, flush=True)
        made: dict[str, Any] = json.loads(heard.readline())
        return made

    def close(self) -> None:
        """Ends the process that tells the stories."""
        for teller in self._teller:
            teller.communicate(timeout=20)


def wheels(projects: Sequence[Path], out: Path) -> list[Path]:
    """Builds each project's wheel with its own build backend; two processes at a time."""
    out.mkdir()
    halves = [projects[::2], projects[1::2]]
    builders = [
        subprocess.Popen([sys.executable, "-c", BUILD, str(out), *map(str, half)], stdout=subprocess.DEVNULL)
        for half in halves
        if half
    ]
    assert [builder.wait(120) for builder in builders] == [0] * len(builders)
    return sorted(out.glob("*.whl"))


def environment(place: Path, packages: Sequence[Path]) -> Site:
    """A fresh environment that also sees ours, with the wheels installed by the installer that users have."""
    command = uv.find_uv_bin()
    subprocess.run([command, "venv", "-q", "--python", sys.executable, str(place)], check=True)
    python = place / "bin" / "python"
    paths: Mapping[str, str] = sysconfig.get_paths(vars={"base": str(place), "platbase": str(place)})
    ours = sysconfig.get_path("purelib")
    (Path(paths["purelib"]) / "_beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    install = [command, "pip", "install", "-q", "--offline", "--no-index", "--no-deps", "--python", str(python)]
    subprocess.run([*install, *map(str, packages)], check=True)
    return Site(python=python)


@pytest.fixture(scope="session")
def strangers() -> list[Path]:
    """The projects of plugins that live outside of the workspace."""
    return sorted(file.parent for file in HERE.glob("strangers/*/pyproject.toml"))


@pytest.fixture(scope="session")
def site(strangers: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An environment with all strangers that keep their promises."""
    place = tmp_path_factory.mktemp("strangers")
    made = environment(place / "env", wheels(strangers, place / "wheels"))
    yield made
    made.close()
