"""A released wheel asks for plain pinned names; in a checkout the same lines name the folders beside it."""

from __future__ import annotations

import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from codetether import __version__
from hatchling.build import build_wheel
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from .conftest import Distribution


def _ours(wheel: Path) -> dict[str, str]:
    """What the wheel asks for of ours, by name: a pin or an address."""
    with ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(files.read(name))
    asked = map(Requirement, metadata.get_all("Requires-Dist", []))
    return {it.name: it.url or str(it.specifier) for it in asked if it.name.startswith("codetether-")}


def test_a_release_pins_our_own_names_and_holds_no_path(
    root: Distribution, members: list[Distribution], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODETETHER_RELEASE", f"=={__version__}")
    pins = {}
    for distribution in [root, *members]:
        monkeypatch.chdir(distribution.folder)
        pins[distribution.name] = set(_ours(tmp_path / build_wheel(str(tmp_path))).values())
    assert pins == {"codetether-core": set()} | {
        name: {f"=={__version__}"} for name in pins if name != "codetether-core"
    }
    assert len(list(tmp_path.glob(f"codetether_*-{__version__}-py3-none-any.whl"))) == len(members) + 1
    check = [sys.executable, str(root.folder / ".ci" / "check_release.py"), str(tmp_path)]
    assert subprocess.run(check, check=False).returncode == 0
    (tmp_path / f"codetether_http-{__version__}-py3-none-any.whl").unlink()
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"asks for codetether-http=={__version__}, and there is none" in done.stderr


def test_a_checkout_names_the_folders_beside_it(
    root: Distribution, members: list[Distribution], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CODETETHER_RELEASE", raising=False)
    monkeypatch.chdir(root.folder)
    places = {member.name: member.folder.as_uri() for member in members}
    assert _ours(tmp_path / build_wheel(str(tmp_path))) == places
    for member in members:
        monkeypatch.chdir(member.folder)
        asked = _ours(tmp_path / build_wheel(str(tmp_path)))
        assert asked == {name: places[name] for name in asked}


def test_a_wheel_holds_its_licence_its_types_and_no_tests(
    members: list[Distribution], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for member in members:
        monkeypatch.chdir(member.folder)
        with ZipFile(tmp_path / build_wheel(str(tmp_path))) as files:
            names = files.namelist()
        (package,) = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
        assert f"{package}/py.typed" in names
        assert [name.partition("/")[2] for name in names if name.endswith("LICENSE")] == ["licenses/LICENSE"]
        assert [name for name in names if "tests/" in name or name.endswith(".pyc")] == []
