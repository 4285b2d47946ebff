"""What is read at once from plain lists is what importlib_metadata finds."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import importlib_metadata
import pytest
from codetether.errors import PluginError
from codetether.plugins.entry_points import Unreadable, entry_points

Told = list[tuple[str, str, str, str]]

LISTS = {
    "plain-1.0.dist-info": "[console_scripts]\nx = y:z\n\n[codetether]\nb = some.one\n a=other \n[codetether.x]\nq=r\n",
    "With.Attributes-1.0.dist-info": "[codetether]\nplain = module\nplugin = module:thing [extra]\n",
    "Commented-2.dist-info": "# of the author\n[codetether]\n# a note\nname with spaces = module\n",
    "older.egg-info": "[codetether]\nolder = older\n",
    "nothing-1.0.dist-info": "[console_scripts]\ncodetether = codetether.cli:main\n",
    "twice-1.0.dist-info": "[codetether]\nfirst = twice\n",
    "alone-1.0.dist-info": None,
}


def install(place: Path, lists: dict[str, str | None]) -> None:
    for directory, text in lists.items():
        (place / directory).mkdir(parents=True)
        name = directory.rpartition(".")[0].partition("-")[0]
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (place / directory / ("PKG-INFO" if directory.endswith("egg-info") else "METADATA")).write_text(head)
        if text is not None:
            (place / directory / "entry_points.txt").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place, later = tmp_path / "site", tmp_path / "later"
    install(place, LISTS)
    install(later, {"Twice-2.0.dist-info": "[codetether]\nsecond = twice\n"})
    monkeypatch.setattr(sys, "path", [str(place), str(tmp_path / "not there"), str(later)])
    return place


def by_library() -> Told:
    points = importlib_metadata.entry_points(group="codetether")
    return sorted((p.name, p.value, p.dist.name, p.dist.version) for p in points if p.dist)


def by_us() -> Told:
    return sorted((p.name, p.value, p.dist.name, p.dist.version) for p in entry_points("codetether"))


def test_plain_lists_and_others_are_found_as_the_library_finds_them(site: Path) -> None:
    assert by_us() == by_library()
    assert len(by_us()) == 7


def test_this_environment_is_found_as_the_library_finds_it() -> None:
    assert by_us() == by_library() != []


def test_where_an_archive_is_on_the_path_the_library_is_asked(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "zipped", {"zipped-1.0.dist-info": "[codetether]\nzipped = zipped\n"})
    shutil.make_archive(str(tmp_path / "some"), "zip", tmp_path / "zipped")
    assert zipfile.is_zipfile(tmp_path / "some.zip")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "some.zip")])

    assert by_us() == by_library()
    assert ("zipped", "zipped", "zipped", "1.0") in by_us()


def test_a_list_that_cannot_be_read_costs_no_other_its_own(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "twice-1.0.dist-info" / "entry_points.txt").write_bytes(b"[codetether]\n\xff = x\n")
    found = list(entry_points("codetether"))
    (broken,) = (point for point in found if isinstance(point, Unreadable))

    assert len(found) == 7
    assert broken.name == "twice-1.0.dist-info"
    monkeypatch.undo()
    with pytest.raises(PluginError, match="its entry points cannot be read: UnicodeDecodeError"):
        broken.load()


def test_a_point_loads_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, {"one-1.0.dist-info": "[codetether]\none = json.decoder\n"})
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (point,) = entry_points("codetether")

    assert point.load() is sys.modules["json.decoder"]
