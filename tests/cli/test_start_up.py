"""What starts without loading anything heavy."""

from __future__ import annotations

import subprocess
import sys

import attrs
import codetether

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
    return imported_by_all(cli, arguments)


def imported_by_all(cli: CommandLine, *commands: tuple[str, ...]) -> tuple[str, set[str]]:
    """The same for several commands, one after the other in one process."""
    script = (
        "import sys; from codetether.cli import main\n"
        f"for arguments in {commands!r}:\n"
        "  sys.argv[1:] = arguments\n"
        "  try: main()\n"
        "  except SystemExit as end: assert not end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    argv = [sys.executable, "-P", "-c", script]
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


def test_the_help_of_no_command_imports_a_plugin(bare: CommandLine) -> None:
    commands = ["run", "sessions", "models", "providers", "plugins", "tools", "config"]
    out, modules = imported_by_all(bare, *((command, "--help") for command in commands))

    assert [line.split()[2] for line in out.splitlines() if line.startswith("Usage: ")] == commands
    assert modules.isdisjoint(HEAVY - {"attrs", "platformdirs", "asyncio"})


def test_tools_that_are_offered_load_none_of_their_code(bare: CommandLine) -> None:
    every = {**bare.environment, "CODETETHER_PLUGINS": "files,lsp,mcp,shell,web,work"}
    out, modules = imported(attrs.evolve(bare, environment=every), "tools")

    assert {"bash", "edit", "memory", "webfetch"} <= {line.split()[0] for line in out.splitlines()}
    told = {"definitions", "examples", "places", "plugin", "programs", "servers", "settings", "sources", "toolset"}
    loaded = {name.rpartition(".")[2] for name in modules if name.startswith("codetether_tools_") and "." in name}
    assert loaded <= told


def test_C11_modules_in_the_workspace_do_not_shadow_real_ones(bare: CommandLine) -> None:
    for name in ("json", "click", "attrs", "httpx", "codetether", "sitecustomize"):
        (bare.workspace / f"{name}.py").write_text("open('shadowed', 'w')")

    assert bare.process("sessions", "list").out == "No sessions found\n"
    assert not (bare.workspace / "shadowed").exists()
