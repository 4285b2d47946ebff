"""Plugins that break their promises: installed beside good ones, named with the reason, and nothing else suffers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import HERE, Site, environment, wheels

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "broken-{name}"
version = "1.0"

[project.entry-points.codetether]
{points}
"""
HANGS = ("hang-at-import", "hang-in-hook")
REASONS = {
    "import-error": ("", "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
    "exit-at-import": ("", "SystemExit: goodbye"),
    "hang-at-import": ("", "took longer than 5 s; abandoned"),
    "hang-in-hook": ("codetether_agents", "took longer than 10 s; abandoned"),
    "at-once": ("codetether_tools", "ValueError: no tools today \\x1b[31mreally"),
    "half-way": ("codetether_agents", "KeyError: 'the second half'"),
    "exit-in-hook": ("codetether_prompt_sections", "SystemExit: 7"),
    "wrong-record": ("codetether_tools", "yielded AgentSpec, not ToolsetSpec"),
    "unknown-hook": (
        "codetether_tool",
        "this hook is unknown to this version of codetether; did you mean codetether_tools?",
    ),
    "wrapper": ("codetether_tools", "hook wrappers are refused"),
    "no-hook": ("", "it has no hook: mark functions named codetether_… with @codetether.hookimpl"),
    "no-module": ("", "its entry point 'os:system' is no module"),
    "Units": ("", "the name 'Units' is also used by codetether-units; uninstall one of them"),
    "units": ("", "the name 'units' is also used by broken-twin; uninstall one of them"),
}
"""Plugin -> hook and reason."""


def project(name: str, place: Path) -> Path:
    """One module of `broken/` as a project of its own."""
    package = f"broken_{name}"
    points = {"twin": "Units", "no_module": "no-module"}.get(name, name.replace("_", "-"))
    target = "os:system" if name == "no_module" else f"{package}.plugin"
    (place / name / "src" / package).mkdir(parents=True)
    (place / name / "src" / package / "__init__.py").touch()
    source = HERE / "broken" / f"{name}.py"
    (place / name / "src" / package / "plugin.py").write_text(source.read_text() if source.exists() else "")
    table = PROJECT.format(name=name.replace("_", "-"), points=f'{points} = "{target}"')
    (place / name / "pyproject.toml").write_text(table)
    return place / name


@pytest.fixture(scope="module")
def bad_site(strangers: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An environment with the strangers, and with every broken plugin."""
    place = tmp_path_factory.mktemp("broken")
    names = [*(file.stem for file in sorted((HERE / "broken").glob("*.py"))), "no_module"]
    broken = [project(name, place / "projects") for name in names]
    made = environment(place / "env", wheels([*strangers, *broken], place / "wheels"))
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def waiting(bad_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """`codetether plugins` with the plugins that hang, started first and waited for last."""
    process = subprocess.Popen(
        [str(bad_site.python), "-m", "codetether", "plugins", "--json"],
        env={**os.environ, "CODETETHER_HOME": str(tmp_path_factory.mktemp("waiting"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace."""
    place = tmp_path / "work"
    place.mkdir()
    (place / "notes.txt").write_text("text\n")
    return place


def without_hangs() -> dict[str, str]:
    return {"CODETETHER_NO_PLUGINS": ",".join(HANGS)}


def test_a_run_goes_on_and_says_each_in_one_line(bad_site: Site, work: Path) -> None:
    done = bad_site.cli("run", "-m", "parrot", "still here", cwd=work, environment=without_hangs())
    assert (done.code, done.out) == (0, "still here\n")
    for name, (hook, reason) in REASONS.items():
        if name not in HANGS:
            line = f"{name} ({hook}): {reason}" if hook else f"{name}: {reason}"
            assert sum(said.endswith(line) for said in done.err.splitlines()) == 1, line
    assert "bad-objects (create of away): OSError: the backend is away" in done.err
    assert "bad-objects (codetether_prompt_sections silent): OSError: no words" in done.err
    assert "\x1b" not in done.err


def test_a_hook_beside_a_broken_one_counts(bad_site: Site, work: Path) -> None:
    script = (
        "import asyncio, codetether\nasync def f():\n async with codetether.Runtime.open() as r: print(*r.agents())"
    )
    done = bad_site.run("-c", f"{script}\nasyncio.run(f())", cwd=work, environment=without_hangs())
    assert {"known", "reviewer", "build"} <= set(done.out.split())
    assert {"half", "twin", "tool", "never-seen"} & set(done.out.split()) == set()


def test_a_tool_whose_name_is_taken_gets_another(bad_site: Site, work: Path) -> None:
    calls = [
        {"call": "read", "arguments": {"path": "notes.txt"}},
        {"call": "same-names__read", "arguments": {"path": "notes.txt"}},
    ]
    told = bad_site.story([calls, "Done."], cwd=work, only="same-names,files")
    (_, read, text), other = told["tools"]
    assert (read, "text" in text) == (True, True)
    assert other == ["same-names__read", True, "not notes.txt"]
    assert told["notices"] == ["plugins: same-names: the tool read is files's already, so it is now same-names__read"]


def test_a_provider_whose_name_is_taken_is_an_error_when_it_is_chosen(bad_site: Site, work: Path) -> None:
    chosen = {"CODETETHER_PLUGINS": "same-names,openai,parrot"}
    other = bad_site.cli("run", "-m", "parrot", "fine", cwd=work, environment=chosen)
    taken = bad_site.cli("run", "-m", "openai/m", "fine", cwd=work, environment=chosen)
    assert (other.code, other.out) == (0, "fine\n")
    assert (taken.code, taken.out) == (1, "")
    assert "openai and same-names" in taken.err


def test_a_required_plugin_that_is_broken_stops_everything(bad_site: Site, work: Path, home: Path) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text('[plugins]\nrequired = ["half-way"]\n')
    done = bad_site.cli("run", "-m", "parrot", "not here", cwd=work, environment=without_hangs())
    assert (done.code != 0, done.out) == (True, "")
    assert "the required plugin 'half-way' is not there whole: KeyError: 'the second half'" in done.err


def test_strict_makes_the_first_of_them_an_error(bad_site: Site, work: Path) -> None:
    done = bad_site.cli("plugins", "--strict-plugins", cwd=work, environment={"CODETETHER_PLUGINS": "half-way"})
    assert done.code == 1
    assert "plugin half-way, hook codetether_agents: KeyError: 'the second half'" in done.err


def test_all_are_listed_with_hook_and_reason_within_the_limits(waiting: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    out, _ = waiting.communicate(timeout=60)
    assert time.monotonic() - began < 40
    assert waiting.returncode == 0
    listed: dict[str, dict[str, Any]] = {plugin["name"]: plugin for plugin in json.loads(out)}
    for name, (hook, reason) in REASONS.items():
        assert listed[name]["problems"] == [{"hook": hook, "reason": reason}], name
        assert listed[name]["status"] == ("loaded" if hook or name == "no-hook" else "failed"), name
    (signature,) = listed["wrong-signature"]["problems"]
    assert "codetether_tools(session: object)" in signature["reason"]
    whole = {name for name, plugin in listed.items() if not plugin["problems"]}
    assert whole >= {"parrot", "ledger", "same-names", "bad-objects", "files", "openai"}
