"""What `codetether plugins verify` finds in an environment, and that it runs nothing of what it looks at."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import importlib_metadata
import pytest
from click.testing import CliRunner
from codetether.cli.doctor import examined
from codetether.cli.plugin_admin import plugins
from codetether.cli.plugin_files import Verified
from codetether.cli.plugin_names import read_as
from codetether.cli.plugin_verify import verified, verify

from .wheels import unpacked, wheel


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment's folder for packages, first on the path."""
    place = tmp_path / "lib" / "python3" / "site-packages"
    place.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(place))
    return place


@pytest.fixture
def weather(site: Path, tmp_path: Path) -> Path:
    """The plugin weather is installed; its package."""
    unpacked(wheel(tmp_path / "wheels", "codetether-tools-weather", plugin="weather"), site)
    return site / "codetether_tools_weather"


def alone(*names: str) -> list[Verified]:
    """What is found when nothing else is installed: ours has many distributions, and all would be read each time."""
    of_the_first_place = partial(importlib_metadata.distributions, path=sys.path[:1])
    with patch.object(importlib_metadata, "distributions", of_the_first_place):
        return verified(names)


def problems(*names: str) -> list[tuple[str, str]]:
    """Kind and thing of all problems."""
    return [(problem.kind, problem.what) for each in alone(*names) for problem in each.problems]


def test_an_untouched_plugin_is_whole(weather: Path) -> None:
    (found,) = alone("weather")
    assert attrs.asdict(found) == {
        "name": "codetether-tools-weather",
        "version": "1.0",
        "plugins": ("weather",),
        "files": 6,
        "editable": False,
        "source": "",
        "problems": (),
        "notes": (),
    }
    assert "codetether_tools_weather" not in sys.modules


def test_M07_one_changed_byte_is_found(weather: Path) -> None:
    plugin = weather / "plugin.py"
    plugin.write_text(plugin.read_text().replace("A plugin", "a plugin"))
    assert problems("weather") == [("changed", "codetether_tools_weather/plugin.py")]


def test_a_lost_file_is_found(weather: Path) -> None:
    (weather / "plugin.py").unlink()
    assert problems("weather") == [("missing", "codetether_tools_weather/plugin.py")]


@pytest.mark.parametrize("added", ["extra.py", "deep/er.so", "__pycache__/ghost.cpython-311.pyc", "plugin.pyc"])
def test_a_file_that_nobody_recorded_is_found(weather: Path, added: str) -> None:
    (weather / added).parent.mkdir(exist_ok=True)
    (weather / added).write_bytes(b"")
    assert problems("weather") == [("unrecorded", f"codetether_tools_weather/{added}")]


def test_what_python_compiled_is_no_stranger(weather: Path) -> None:
    (weather / "__pycache__").mkdir()
    (weather / "__pycache__" / "plugin.cpython-311.pyc").write_bytes(b"")
    assert problems("weather") == []


def test_other_entry_points_than_those_that_were_installed_are_found(weather: Path, site: Path) -> None:
    points = site / "codetether_tools_weather-1.0.dist-info" / "entry_points.txt"
    points.write_text("[codetether]\nweather = os:system\n")
    assert problems("weather") == [("changed", "codetether_tools_weather-1.0.dist-info/entry_points.txt")]


@pytest.mark.parametrize("startup", ["zz.pth", "sitecustomize.py"])
def test_M08_a_file_that_runs_at_every_start_is_found(site: Path, tmp_path: Path, startup: str) -> None:
    unpacked(wheel(tmp_path, "codetether-tools-sly", plugin="sly", files={startup: "import os\n"}), site)
    assert problems("sly") == [("startup", startup)]


def test_a_file_in_somebody_elses_package_is_found_at_both(weather: Path, site: Path, tmp_path: Path) -> None:
    files = {"codetether_tools_weather/plugin.py": "evil = True\n"}
    unpacked(wheel(tmp_path, "codetether-tools-cuckoo", plugin="cuckoo", files=files), site)
    assert problems("cuckoo") == [("claimed", "codetether_tools_weather/plugin.py")]
    assert problems("weather") == [
        ("changed", "codetether_tools_weather/plugin.py"),
        ("claimed", "codetether_tools_weather/plugin.py"),
    ]


@pytest.mark.parametrize(
    ("name", "plugin"), [("foo.weather", "Weather"), ("w\u0435ather", "w\u0435ather"), ("weather1", "vveather")]
)
def test_names_that_can_be_taken_for_each_other_are_found(
    weather: Path, site: Path, tmp_path: Path, name: str, plugin: str
) -> None:
    unpacked(wheel(tmp_path, name, plugin=plugin), site)
    assert ("lookalike", plugin) in problems(plugin)
    assert ("lookalike", "weather") in problems("codetether-tools-weather")


@pytest.mark.parametrize(
    ("one", "other"), [("Foo.Bar", "foo_bar"), ("openai", "0penai"), ("local", "1oca1"), ("modem", "modern")]
)
def test_what_a_person_reads_as_the_same(one: str, other: str) -> None:
    assert read_as(one) == read_as(other)


def test_our_own_names_are_not_taken_for_each_other() -> None:
    assert [problem for each in verified() for problem in each.problems if problem.kind == "lookalike"] == []


def test_entry_points_for_others_are_told(site: Path, tmp_path: Path) -> None:
    points = "[pytest11]\nhidden = codetether_tools_two.hidden\n[console_scripts]\ntwo = codetether_tools_two:main\n"
    unpacked(wheel(tmp_path, "codetether-tools-two", plugin="two", points=points), site)
    (found,) = alone("two")
    assert found.notes == ("also an entry point of pytest11: hidden = codetether_tools_two.hidden",)
    assert found.problems == ()


def test_where_it_came_from_is_told(weather: Path, site: Path) -> None:
    direct = {"url": "file:///home/me/weather", "dir_info": {"editable": True}}
    (site / "codetether_tools_weather-1.0.dist-info" / "direct_url.json").write_text(json.dumps(direct))
    (found,) = alone("weather")
    assert (found.source, found.editable) == ("file:///home/me/weather", True)
    assert [problem.kind for problem in found.problems] == ["unrecorded"]  # its RECORD does not know of it


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("../../../../../etc/passwd,sha256=x,1", "outside"),
        ("codetether_tools_weather/plugin.py,md5=x,1", "unreadable"),
        ("codetether_tools_weather/plugin.py,,", "unreadable"),
    ],
)
def test_a_record_that_proves_nothing_is_a_problem(weather: Path, site: Path, line: str, kind: str) -> None:
    record = site / "codetether_tools_weather-1.0.dist-info" / "RECORD"
    record.write_text(f"{record.read_text()}{line}\n")
    assert kind in [found for found, _ in problems("weather")]


def test_without_a_record_nothing_is_sure(weather: Path, site: Path) -> None:
    (site / "codetether_tools_weather-1.0.dist-info" / "RECORD").unlink()
    assert problems("weather") == [("unreadable", "RECORD")]


def test_hostile_metadata_stays_text(site: Path, tmp_path: Path) -> None:
    unpacked(wheel(tmp_path, "codetether-tools-loud", plugin="loud\x1b[2J", points=f"[{'x' * 300}]\na = b\n"), site)
    done = CliRunner().invoke(verify, ["codetether-tools-loud"], standalone_mode=False)
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 400


def test_the_listing_and_its_exit_code(weather: Path) -> None:
    whole = CliRunner().invoke(verify, ["weather"], standalone_mode=False)
    (weather / "extra.py").touch()
    found = CliRunner().invoke(verify, ["weather"], standalone_mode=False)
    told: dict[str, Any] = json.loads(CliRunner().invoke(verify, ["weather", "--json"], standalone_mode=False).stdout)
    assert (whole.return_value, found.return_value) == (0, 1)
    assert whole.stdout.splitlines()[1].split() == ["codetether-tools-weather", "1.0", "6", "ok"]
    row, problem = found.stdout.splitlines()[1:]
    assert row.split() == ["codetether-tools-weather", "1.0", "6", "1", "problem"]
    assert problem.startswith("! codetether-tools-weather: codetether_tools_weather/extra.py: unrecorded: ")
    assert "--reinstall" in found.stderr
    assert (told["ok"], [each["problems"][0]["kind"] for each in told["distributions"]]) == (False, ["unrecorded"])


def test_a_name_that_is_not_installed_is_an_error_with_the_nearest(weather: Path) -> None:
    done = CliRunner().invoke(verify, ["wether"], standalone_mode=False)
    assert "no plugin 'wether' is installed; did you mean \"weather\"?" in str(done.exception)


async def test_the_doctor_tells_of_a_changed_file(weather: Path) -> None:
    whole = [finding async for finding in examined() if "files" in finding.name]
    (weather / "plugin.py").write_text("changed = True\n")
    (changed,) = [finding async for finding in examined() if "files" in finding.name]
    assert [finding.health for finding in whole] == ["ok"]
    assert (changed.name, changed.health) == ("files of codetether-tools-weather", "fail")
    assert changed.seen == "codetether_tools_weather/plugin.py: changed: it is not what was installed"


def test_the_group_lists_when_it_is_called_bare_and_names_the_nearest_command(weather: Path) -> None:
    bare = json.loads(CliRunner().invoke(plugins, ["--json"], standalone_mode=False).stdout)
    listed = json.loads(CliRunner().invoke(plugins, ["list", "--json"], standalone_mode=False).stdout)
    unknown = CliRunner().invoke(plugins, ["verfy"]).stderr
    misplaced = CliRunner().invoke(plugins, ["--json", "verify"]).stderr
    assert bare == listed
    assert "weather" in [plugin["name"] for plugin in listed]
    assert "no command 'verfy'; did you mean \"verify\"?" in unknown
    assert "options stand after the command: codetether plugins verify …" in misplaced
