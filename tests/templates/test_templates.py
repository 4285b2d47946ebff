"""Each kind of plugin is green as it is made, is found once it is installed, and can be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner
from codetether.cli.plugin_new import KINDS, Sketch, new
from codetether.errors import UsageError
from codetether.testing.suites.plugin import HEAVY

from .conftest import Made

HOOKS = {
    "tool": ["codetether_tools"],
    "provider": ["codetether_model_defaults", "codetether_providers"],
    "wire": ["codetether_providers", "codetether_wires"],
    "audit-sink": ["codetether_audit_sinks"],
    "event-sink": ["codetether_event_sinks"],
    "router": ["codetether_tool_call_routers"],
    "policy": ["codetether_permission_policies"],
    "credentials": ["codetether_credential_sources", "codetether_settings"],
    "executor": ["codetether_executors"],
    "format": ["codetether_session_formats"],
    "context": ["codetether_context_policies", "codetether_settings"],
}


def test_every_kind_is_listed_whole_once_it_is_installed(made: Made) -> None:
    done = made.run("-m", "codetether", "plugins", "--json")
    listed = {plugin["name"]: plugin for plugin in json.loads(done.stdout)}
    seen = {
        kind: (plugin["distribution"], plugin["status"], plugin["hooks"], plugin["problems"])
        for kind, sketch in made.sketches.items()
        if (plugin := listed[sketch.name])
    }
    assert seen == {kind: (sketch.distribution, "loaded", HOOKS[kind], []) for kind, sketch in made.sketches.items()}


def test_no_kind_imports_anything_heavy(made: Made) -> None:
    modules = [f"{sketch.package}.plugin" for sketch in made.sketches.values()]
    done = made.run("-c", f"import sys, {', '.join(modules)}; print(*sys.modules)")
    assert HEAVY.isdisjoint(done.stdout.split())
    assert set(modules) < set(done.stdout.split())


def test_every_kind_passes_its_own_tests_and_keeps_every_promise(made: Made) -> None:
    """The promises that start many processes are tried in the proof: the tests of the kit try them on our plugins."""
    folders = [str(made.project(kind) / "tests") for kind in KINDS]
    configuration = str(made.project("tool") / "pyproject.toml")  # all have the same, but for the plugin's own name
    names = [f"--codetether={sketch.name}" for kind, sketch in made.sketches.items() if kind != "tool"]
    options = ["-q", "-rs", "-p", "no:cacheprovider", "-c", configuration, "--rootdir", ".", *names]
    if "CODETETHER_PROOF" not in os.environ:
        options += ["-k", "not (light or share or twice or kill or again)"]
    kit = [] if entry_points(group="pytest11", name="codetether") else ["-p", "codetether.testing.pytest_plugin"]
    done = made.run("-m", "pytest", *kit, *options, *folders)
    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout
    assert "give Trials.s" not in done.stdout  # what a promise needs to be tried is in the template


def test_linter_and_formatter_have_nothing_to_say_however_long_the_name_is(tmp_path: Path) -> None:
    for name in ("x", "the-longest-name-of-a-plugin-x"):
        for kind in KINDS:
            Sketch.of(kind, name).write(tmp_path / name / kind)
    for check in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *check, "--no-cache", str(tmp_path)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.skipif("CODETETHER_PROOF" not in os.environ, reason="mypy over all kinds: part of the proof, and of CI")
def test_types_hold(made: Made) -> None:
    sources = [str(made.project(kind) / "src") for kind in KINDS]
    tests = [str(made.project(kind) / "tests") for kind in KINDS]
    strict = ["--strict", "--explicit-package-bases", "--cache-dir", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *strict, *sources, *tests],
        cwd=made.place,
        env={**os.environ, "MYPYPATH": os.pathsep.join(sources)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "Success"), done.stdout


def test_a_new_tool_is_offered_and_a_new_provider_answers(made: Made, tmp_path: Path) -> None:
    tools = json.loads(made.run("-m", "codetether", "tools", "--json").stdout)
    assert "my-tool" in [tool["name"] for tool in tools]
    said = made.run("-m", "codetether", "run", "-m", "my-wire", "say it again", "--format", "json", cwd=tmp_path)
    assert json.loads(said.stdout)["text"] == "say it again"


def test_the_command_says_what_it_made_and_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(new, ["tool", "Weather_Map"], standalone_mode=False)
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert done.return_value == 0
    assert made == done.stdout.splitlines()
    assert "codetether-tools-weather-map/src/codetether_tools_weather_map/plugin.py" in made
    assert 'cd codetether-tools-weather-map && pip install -e ".[test]" && pytest' in done.stderr


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        Sketch.of("tool", "weather").write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


@pytest.mark.parametrize(
    "name", ["", "1st", "-x", "a b", "../up", "wéather", "w\u0435ather", "x" * 31, "a/b", "\x1b[31m"]
)
def test_a_name_that_no_distribution_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no name for a plugin"):
        Sketch.of("tool", name)


@pytest.mark.parametrize("name", ["class", "import", "list", "tool", "hookimpl"])
def test_words_of_python_are_names_as_good_as_others(name: str) -> None:
    files = Sketch.of("tool", name).files()
    for path, content in files.items():
        if path.endswith(".py"):
            compile(content, path, "exec")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("files", 'a plugin "files" is installed already: codetether-tools-files'),
        ("Policy", 'a plugin "policy" is installed already: codetether-core'),
        ("all", '"all" means every plugin'),
    ],
)
def test_a_name_that_is_taken_is_refused_with_its_owner(name: str, why: str) -> None:
    done = CliRunner().invoke(new, ["tool", name], standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert done.exception.message.startswith(why)
