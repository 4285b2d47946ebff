"""`make new-plugin`: in a copy of the checkout, what holds for every distribution holds for the new one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from codetether.cli.plugin_new import KINDS, TEMPLATES
from hatchling.build import build_wheel

ROOT = Path(__file__).resolve().parents[2]


def run(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """`python argv…` in the copy."""
    return subprocess.run([sys.executable, *argv], cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of the checkout as the tests of packaging and the linter look at."""
    place = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", "*.gguf", "testing", "templates", ".venv")
    for folder in ("core", "plugins", "tests/packaging", ".ci"):
        shutil.copytree(ROOT / folder, place / folder, symlinks=True, ignore=ignored)
    for file in ("pyproject.toml", "LICENSE", "constraints.txt", ".gitignore", "Makefile"):
        shutil.copy(ROOT / file, place)
    return place


@pytest.mark.skipif(
    "CODETETHER_PROOF" not in os.environ, reason="runs the tests of a whole workspace: part of the proof"
)
def test_the_workspace_stays_whole_with_one_more_of_each_kind(checkout: Path) -> None:
    for kind in KINDS:
        made = run(checkout, ".ci/new_plugin.py", kind, f"my-{kind}")
        assert made.returncode == 0, made.stderr
    again = run(checkout, ".ci/new_plugin.py", "tool", "my-tool")
    whole = run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/packaging/test_distributions.py")
    mine = sorted(str(file.parent) for file in checkout.glob("plugins/*/my-*/pyproject.toml"))
    checked = run(checkout, "-m", "ruff", "check", "--no-cache", *mine)
    formatted = run(checkout, "-m", "ruff", "format", "--check", "--no-cache", *mine)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert whole.returncode == 0, whole.stdout
    assert len(mine) == len(KINDS)
    assert (checked.returncode, formatted.returncode) == (0, 0), checked.stdout + formatted.stdout


def test_the_target_of_make_names_what_is_made() -> None:
    shown = subprocess.run(
        ["make", "-n", "new-plugin", "kind=tool", "name=weather"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == 'python .ci/new_plugin.py "tool" "weather"'


def test_the_wheel_of_the_core_holds_every_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "core")
    with ZipFile(tmp_path / build_wheel(str(tmp_path))) as files:
        held = {name for name in files.namelist() if name.startswith("codetether/templates/")}
    there = [path for path in TEMPLATES.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert held == {f"codetether/templates/{path.relative_to(TEMPLATES)}" for path in there}
