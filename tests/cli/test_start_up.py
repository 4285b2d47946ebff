"""What starts without loading anything heavy."""

from __future__ import annotations

import subprocess
import sys

import codetether
import pytest

from .conftest import CommandLine

HEAVY = {
    "asyncio",
    "attrs",
    "cattrs",
    "httpx",
    "orjson",
    "pluggy",
    "platformdirs",
    "rich",
    "sqlite3",
    "tomlkit",
    "xllamacpp",
    "codetether.runtime",
    "codetether.plugins.loaded",
    "codetether_provider_openai",
    "codetether_provider_local",
    "codetether_tools_files",
    "codetether_tools_shell",
    "codetether_http",
}


def imported(cli: CommandLine, *arguments: str) -> tuple[str, set[str]]:
    """What the command prints, and the modules that it had imported by then."""
    script = (
        "import sys; from codetether.cli import main; sys.argv[1:] = sys.argv[2:]\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    argv = [sys.executable, "-P", "-c", script, "codetether", *arguments]
    done = subprocess.run(
        argv, env=dict(cli.environment), capture_output=True, check=True, text=True, cwd=cli.workspace
    )
    return done.stdout, set(done.stderr.split())


def test_the_version_is_said_before_click_is_imported(bare: CommandLine) -> None:
    out, modules = imported(bare, "--version")

    assert out == f"codetether {codetether.__version__}\n"
    assert modules.isdisjoint({*HEAVY, "click", "re", "json", "importlib_metadata", "pathlib"})


def test_help_imports_no_plugin_and_nothing_heavy(bare: CommandLine) -> None:
    out, modules = imported(bare, "--help")

    assert "Give the agent a prompt and show the answer." in out
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("command", ["run", "sessions", "models", "providers", "plugins", "tools", "config"])
def test_the_help_of_each_command_imports_no_plugin(bare: CommandLine, command: str) -> None:
    out, modules = imported(bare, command, "--help")

    assert out.startswith(f"Usage: codetether {command} ")
    assert modules.isdisjoint(HEAVY - {"attrs", "platformdirs", "asyncio"})


def test_C11_modules_in_the_workspace_do_not_shadow_real_ones(bare: CommandLine) -> None:
    for name in ("json", "click", "attrs", "httpx", "codetether", "sitecustomize"):
        (bare.workspace / f"{name}.py").write_text("open('shadowed', 'w')")

    assert bare.process("sessions", "list").out == "No sessions found\n"
    assert not (bare.workspace / "shadowed").exists()
