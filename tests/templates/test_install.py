"""Plugins come and go through real installers, in environments that are thrown away."""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import pytest
import uv
from attrs import frozen
from codetether.cli.plugin_holder import Pipx, Sources, UvTool
from codetether.cli.plugin_install import fetched_startup_files
from codetether.errors import PluginError

from .conftest import environment
from .wheels import PLUGIN, unpacked, wheel


@frozen(kw_only=True)
class Place:
    """An environment with codetether in it, and a folder of wheels beside it."""

    python: Path
    wheels: Path

    def plugins(self, *argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """`codetether plugins argv…`, which may ask no index."""
        installs = ["--no-index", "--find-links", str(self.wheels)] if argv[0] == "install" else []
        return subprocess.run(
            [str(self.python), "-m", "codetether", "plugins", *argv, *installs],
            env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def names(self) -> set[str]:
        """The plugins that are installed in it."""
        (site,) = self.python.parent.parent.glob("lib/python*/site-packages")
        points = [point for each in distributions(path=[str(site)]) for point in each.entry_points]
        return {point.name for point in points if point.group == "codetether"}


def with_uv(place: Path) -> Path:
    """An environment that uv made."""
    return environment(place)


def with_pip(place: Path) -> Path:
    """An environment that Python made itself, with its own pip, which is unpacked here: that is quicker."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    ours = sysconfig.get_path("purelib")
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "_beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    unpacked(pip, packages)
    return place / "bin" / "python"


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("make", "shown", "mended"),
    [(with_uv, "pip install --python", True), (with_pip, "-m pip install", "CODETETHER_PROOF" in os.environ)],
    ids=["uv", "pip"],
)
def test_a_plugin_comes_is_mended_and_goes(
    make: Callable[[Path], Path], shown: str, mended: bool, tmp_path: Path
) -> None:
    """By pip it is mended in the proof: each of its starts takes a second."""
    here = Place(python=make(tmp_path / "env"), wheels=tmp_path / "wheels")
    wheel(here.wheels, "codetether-tools-weather", plugin="weather")
    done = here.plugins("install", "codetether-tools-weather")
    assert done.returncode == 0, done.stderr
    assert shown in done.stderr
    assert done.stdout.endswith("codetether-tools-weather 1.0: weather\n")
    assert here.names() == {"weather"}

    (plugin,) = (tmp_path / "env").glob("lib/python*/site-packages/codetether_tools_weather/plugin.py")
    if mended:
        plugin.write_text("changed = True\n")
        assert here.plugins("install", "--reinstall", "codetether-tools-weather").returncode == 0
    assert plugin.read_text() == PLUGIN

    gone = here.plugins("uninstall", "weather")
    assert gone.returncode == 0, gone.stderr
    assert here.names() == set()


def test_a_newer_version_comes_when_it_is_asked_for(here: Place) -> None:
    wheel(here.wheels, "codetether-tools-tides", plugin="tides")
    (site,) = here.python.parent.parent.glob("lib/python*/site-packages")
    unpacked(wheel(here.wheels, "codetether-tools-tides", plugin="tides"), site)
    wheel(here.wheels, "codetether-tools-tides", plugin="tides", version="2.0")
    tried = here.plugins("install", "--upgrade", "--dry-run", "codetether-tools-tides")
    same = here.plugins("install", "codetether-tools-tides")
    newer = here.plugins("install", "--upgrade", "codetether-tools-tides")
    assert (tried.returncode, tried.stdout, same.stdout) == (0, "", "")
    assert newer.stdout == "codetether-tools-tides 2.0: tides\n"


def test_what_runs_at_every_start_is_installed_only_when_the_user_says_so(here: Place) -> None:
    sly = wheel(here.wheels, "codetether-tools-sly", plugin="sly", files={"sly.pth": "import os\n"})
    refused = here.plugins("install", "codetether-tools-sly")
    assert (refused.returncode, "sly" in here.names()) == (1, False)
    assert "sly.pth: Python runs it at every start" in refused.stderr
    assert "Nothing was installed. If you trust it: --yes" in refused.stderr
    trusted = here.plugins("install", str(sly), "--yes")
    assert (trusted.returncode, "sly" in here.names()) == (0, True), trusted.stderr
    assert here.plugins("verify", "sly").returncode == 1
    here.plugins("uninstall", "sly")


def test_a_wheel_is_looked_into_without_being_installed(tmp_path: Path) -> None:
    wheel(tmp_path, "a", files={"a.pth": "", "a/b.pth": "", "a-1.0.data/purelib/sitecustomize.py": ""})
    wheel(tmp_path, "b", files={"b/c.py": ""})
    (tmp_path / "unpacked.pth").touch()
    assert fetched_startup_files(tmp_path) == [
        "unpacked.pth",
        "a-1.0-py3-none-any.whl: a.pth",
        "a-1.0-py3-none-any.whl: a-1.0.data/purelib/sitecustomize.py",
    ]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An environment for what changes nothing."""
    place = tmp_path_factory.mktemp("install")
    return Place(python=environment(place / "env"), wheels=place / "wheels")


@pytest.mark.parametrize(
    "name", ["-r requirements.txt", "--index-url=x", "w\u0435ather", "a b", "a;b", "https://x/y.whl"]
)
def test_what_is_no_name_is_not_passed_on(
    run_here: Callable[..., tuple[int, str, str]], tmp_path: Path, name: str
) -> None:
    argv = ["plugins", "install", "--no-index", *(["--"] if name.startswith("-") else []), name]
    code, _, said = run_here(*argv, cwd=tmp_path, environment=os.environ)
    assert code != 0
    assert "$ " not in said


def test_a_plugin_that_is_not_there_is_said_and_nothing_is_installed(here: Place) -> None:
    here.wheels.mkdir(exist_ok=True)
    done = here.plugins("install", "codetether-tools-nowhere")
    assert done.returncode == 1
    assert "codetether-tools-nowhere cannot be fetched" in done.stderr


def test_a_distribution_without_a_plugin_and_a_plugin_that_the_settings_keep_out_are_said(
    here: Place, home: Path
) -> None:
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "config.toml").write_text('[plugins]\nblock = ["weather"]\n')
    wheel(here.wheels, "something-else")
    wheel(here.wheels, "codetether-tools-weather", plugin="weather")
    done = here.plugins("install", "something-else", "codetether-tools-weather")
    assert done.returncode == 0
    assert "note: something-else has no plugin for codetether" in done.stderr
    assert "the settings do not let weather load" in done.stderr


def test_codetether_does_not_uninstall_itself(here: Place) -> None:
    done = here.plugins("uninstall", "codetether-core")
    assert done.returncode == 1
    assert "codetether-core is codetether itself" in done.stderr


def test_the_word_for_an_index_hides_its_password(here: Place) -> None:
    done = here.plugins("install", "--dry-run", "x", "--index-url", "https://me:secret@127.0.0.1:9/simple")
    assert "https://***@127.0.0.1:9/simple" in done.stderr
    assert "me:secret" not in done.stderr.partition("\n")[0]


def test_a_tool_of_uv_keeps_what_it_has(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    points = "[console_scripts]\ncodetether-stub = codetether_agent:plugin\n"
    wheel(wheels, "codetether-agent", points=points)
    for name in ("weather", "tides"):
        wheel(wheels, f"codetether-tools-{name}", plugin=name)
    tools = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    options = ["--no-index", "--find-links", str(wheels), "--python", sys.executable]
    subprocess.run(
        [uv.find_uv_bin(), "tool", "install", "-q", "codetether-agent", *options],
        env={**os.environ, **tools},
        check=True,
    )
    place = tmp_path / "tools" / "codetether-agent"
    (packages,) = place.glob("lib/python*/site-packages")
    ours = sysconfig.get_path("purelib")
    (packages / "_beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    here = Place(python=place / "bin" / "python", wheels=wheels)
    for name in ("weather", "tides"):
        done = here.plugins("install", f"codetether-tools-{name}", **tools)
        assert done.returncode == 0, done.stderr
    assert {"weather", "tides"} <= here.names()
    # uv asks no index for what it goes on with: the wheels' folder stands in the receipt, or in its own variables
    gone = here.plugins("uninstall", "weather", UV_NO_INDEX="1", UV_FIND_LINKS=str(wheels), **tools)
    assert gone.returncode == 0, gone.stderr
    assert {"weather", "tides"} & here.names() == {"tides"}


def test_the_commands_of_pipx() -> None:
    pipx, sources = Pipx(pipx="pipx", name="codetether-agent"), Sources(no_index=True, find_links=("a dir",))
    assert pipx.install(["x"], sources, upgrade=True, reinstall=False, dry_run=False) == [
        *["pipx", "inject", "--pip-args=--upgrade --no-index --find-links 'a dir'", "--force", "codetether-agent", "x"]
    ]
    assert pipx.uninstall(["x"]) == ["pipx", "uninject", "codetether-agent", "x"]


def test_what_came_with_the_tool_itself_is_not_taken_from_it() -> None:
    receipt = {"requirements": [{"name": "codetether-agent", "extras": ["chat"]}, {"name": "x", "specifier": ">=1"}]}
    tool = UvTool(uv="uv", python="python", name="codetether-agent", receipt=receipt)
    assert tool.uninstall(["x"]) == ["uv", "tool", "install", "codetether-agent[chat]"]
    with pytest.raises(PluginError, match="codetether-tools-files came with codetether-agent"):
        tool.uninstall(["codetether-tools-files"])


def test_an_environment_of_the_system_is_left_alone(tmp_path: Path) -> None:
    """The running interpreter with the mark that Debian gives to its own."""
    script = """
import sys, sysconfig
place, usual = sys.argv[1], sysconfig.get_path
sys.prefix = sys.base_prefix = place
sysconfig.get_path = lambda name, *a, **k: place if name == "stdlib" else usual(name, *a, **k)
sys.argv = ["codetether", "plugins", "install", "x", "--no-index"]
from codetether.cli import main
sys.exit(main())
"""
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "belongs to the system's own package manager" in done.stderr
    assert "pipx install codetether-agent" in done.stderr
