"""One plugin of each kind, made from its template and installed in an environment beside ours."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import uv
from attrs import frozen
from codetether.cli.plugin_new import KINDS, Sketch

BUILD = """
import os, sys
from hatchling.build import build_wheel
for project in sys.argv[2:]:
    os.chdir(project)
    build_wheel(sys.argv[1])
"""


@frozen(kw_only=True)
class Made:
    """The projects, by kind, and the interpreter that has them installed."""

    place: Path
    python: Path
    sketches: dict[str, Sketch]

    def project(self, kind: str) -> Path:
        """Where the plugin of this kind was made."""
        return self.place / kind.replace("-", "_")

    def run(self, *argv: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """`python argv…`, with these variables set."""
        return subprocess.run(
            [str(self.python), *argv],
            cwd=cwd or self.place,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One of each kind."""
    place = tmp_path_factory.mktemp("templates")
    sketches = {kind: Sketch.of(kind, f"my_{kind}") for kind in KINDS}
    for kind, sketch in sketches.items():
        sketch.write(place / kind.replace("-", "_"))
    projects = [str(place / kind.replace("-", "_")) for kind in sketches]
    subprocess.run([sys.executable, "-c", BUILD, str(place / "wheels"), *projects], check=True)
    python = environment(place / "env")
    wheels = map(str, (place / "wheels").glob("*.whl"))
    install = [
        uv.find_uv_bin(),
        "pip",
        "install",
        "-q",
        "--offline",
        "--no-index",
        "--no-deps",
        "--python",
        str(python),
    ]
    subprocess.run([*install, *wheels], check=True)
    return Made(place=place, python=python, sketches=sketches)


def environment(place: Path) -> Path:
    """The interpreter of a fresh environment that also sees ours."""
    subprocess.run([uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, str(place)], check=True)
    paths = sysconfig.get_paths(vars={"base": str(place), "platbase": str(place)})
    ours = sysconfig.get_path("purelib")
    (Path(paths["purelib"]) / "_beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return place / "bin" / "python"
