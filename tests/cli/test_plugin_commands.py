"""Commands that installed distributions bring."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import pytest

from .conftest import CommandLine, Ran

GOOD = """
import click
open("imported", "w").close()

@click.command("weather")
@click.argument("city")
def command(city):
    "Tell the weather."
    click.echo(f"sunny in {city}")
    return 0
"""


class Site:
    """A directory on the path of the command, with distributions in it."""

    def __init__(self, root: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.cli = cli
        self._monkeypatch = monkeypatch
        root.mkdir()

    def install(self, name: str, code: str, *, plugin: str = "", module: str = "") -> None:
        """Puts a module there that offers `command` as the command `weather`."""
        module = module or name.replace("-", "_")
        (self.root / f"{module}.py").write_text(code)
        self._monkeypatch.delitem(sys.modules, module, raising=False)
        information = self.root / f"{name.replace('-', '_')}-1.2.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        points = f"[codetether.commands]\nweather = {module}:command\n"
        (information / "entry_points.txt").write_text(points + (f"[codetether]\n{plugin}\n" if plugin else ""))

    def run(self, *arguments: str, **env: str) -> Ran:
        """Runs the command line within this process, with these distributions installed."""
        with self._monkeypatch.context() as patched:
            patched.syspath_prepend(str(self.root))
            return self.cli(*arguments, cwd=None, stdin="", **env)

    def process(self, *arguments: str, **env: str) -> Ran:
        """The same as a process of its own."""
        added = {**self.cli.environment, "PYTHONPATH": str(self.root), **env}
        return attrs.evolve(self.cli, environment=added).process(*arguments)


@pytest.fixture
def site(bare: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path / "site", bare, monkeypatch)


EVERYTHING = {"CODETETHER_PLUGINS": "openai,shell,weather,corp"}


def test_help_names_a_command_without_importing_it(site: Site) -> None:
    site.install("codetether-weather", GOOD)

    ran = site.run("--help", **EVERYTHING)

    assert ran.out.endswith("\n  undo     from codetether-tools-files 0.1.0\n  weather  from codetether-weather 1.2\n")
    assert not (site.cli.workspace / "imported").exists()


def test_a_command_runs(site: Site) -> None:
    site.install("codetether-weather", GOOD)

    ran = site.process("weather", "Oslo", **EVERYTHING)
    slip = site.run("weather", **EVERYTHING)

    assert (ran.code, ran.out, ran.err) == (0, "sunny in Oslo\n", "")
    assert (slip.code, slip.err) == (2, "error: Missing argument 'CITY'.\n  See codetether weather --help.\n")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import absent_module", "cannot be loaded: ModuleNotFoundError: No module named 'absent_module'"),
        ("raise SystemExit(7)", "cannot be loaded: SystemExit: 7"),
        ("def command(", "cannot be loaded: SyntaxError: '(' was never closed (codetether_weather.py, line 1)"),
        ("command = 5", "is no click command"),
    ],
)
def test_one_that_cannot_load_is_named(site: Site, code: str, message: str) -> None:
    site.install("codetether-weather", code)

    ran = site.run("weather", **EVERYTHING)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f'error: the command "weather" of codetether-weather 1.2 {message}\n'
    assert site.run("sessions", "list").out == "No sessions found\n"


@pytest.mark.parametrize(
    ("env", "settings", "message"),
    [
        ({"CODETETHER_PLUGINS": "openai"}, "", "is not allowed by the settings"),
        ({**EVERYTHING, "CODETETHER_NO_PLUGINS": "Corp"}, "", "is blocked by the settings"),
        (EVERYTHING, '[plugins]\nblock = ["corp"]', "is blocked by the settings"),
        (EVERYTHING, '[plugins]\nallow = ["openai"]', "is not allowed by the settings"),
    ],
)
def test_one_that_is_not_wanted_is_not_imported(site: Site, env: dict[str, str], settings: str, message: str) -> None:
    site.install("codetether-weather", GOOD, plugin="corp = codetether_weather")
    site.cli.settings(settings)

    ran = site.run("weather", "Oslo", **env)

    assert (ran.code, ran.err) == (1, f'error: the command "weather" of codetether-weather 1.2 {message}\n')
    assert not (site.cli.workspace / "imported").exists()


def test_two_of_one_name_are_refused(site: Site) -> None:
    site.install("codetether-weather", GOOD)
    site.install("other-weather", GOOD)

    assert site.run("weather", "Oslo", **EVERYTHING).err == (
        'error: both codetether-weather 1.2 and other-weather 1.2 have a command "weather"\n  Uninstall one of them.\n'
    )


STORE = """
from pathlib import Path
from codetether import LocalModel, ProviderSpec, hookimpl

class Store:
    def list(self):
        there = Path("model.gguf").exists()
        return [LocalModel(name="toy", path=Path("model.gguf").resolve(), size=5000000, present=there)]

    async def pull(self, name, progress):
        for done in range(0, 5000001, 500000):
            progress(done, 5000000)
        Path("model.gguf").write_bytes(b"GGUF")
        return self.list()[0]

@hookimpl
def codetether_providers():
    yield ProviderSpec(name="corp", wire="none", keyless=True, default_model="toy", store=lambda ctx: Store())

command = None
"""


def test_model_files_are_listed_and_fetched_with_progress(site: Site) -> None:
    site.install("corp-models", STORE, plugin="corp = corp_models")
    path = site.cli.workspace / "model.gguf"

    absent = site.run("models", "path", **EVERYTHING)
    listed = site.run("models", "list", **EVERYTHING)
    pulled = site.run("models", "pull", "corp/toy", **EVERYTHING)
    there = site.run("models", "path", "toy", **EVERYTHING)
    unknown = site.run("models", "path", "nope", **EVERYTHING)

    assert (absent.code, absent.out, absent.err) == (
        1, f"{path}\n", "note: it is not there yet: codetether models pull toy\n"
    )  # fmt: skip
    assert listed.out.splitlines()[1].split() == ["corp/toy", "no", "5.0", "MB"]
    assert pulled.out == f"{path}\n"
    assert pulled.err == "".join(f"fetching: {tenth * 10}% of 5.0 MB\n" for tenth in range(11))
    assert (there.code, there.out) == (0, f"{path}\n")
    assert unknown.err == "error: no model file 'nope'\n  `codetether models list` shows those that are known.\n"
