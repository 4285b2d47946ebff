"""The language servers that are started where they are installed, and those of the settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from codetether import SettingsError

from codetether_tools_lsp.settings import ServerSettings

Folders = tuple[tuple[str, int], ...]
"""The folders with programs, and when each was changed last."""
C = (".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".m", ".mm")
TYPESCRIPT = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")


@frozen(kw_only=True)
class Program:
    """How one language server is started, and for which files.

    Attributes:
        careful: it runs code of the project (build scripts, macros) to understand it: without a sandbox it is started
            only where the settings name it.
    """

    name: str
    command: tuple[str, ...]
    suffixes: tuple[str, ...]
    careful: bool = False
    options: Mapping[str, Any] = field(factory=dict)
    configuration: Mapping[str, Any] = field(factory=dict)

    def found(self, folders: Folders, workspace: Path) -> str | None:
        """Where the program is, absolute. One that lies in the workspace, or is found by way of it, does not count."""
        command = self.command[0]
        path = shutil.which(str(Path(command).expanduser())) if os.sep in command else _which(command, folders)
        if path is None or not Path(path).is_absolute() or Path(path).resolve().is_relative_to(workspace):
            return None
        return None if Path(path).is_relative_to(workspace) else path


KNOWN = (
    Program(name="basedpyright", command=("basedpyright-langserver", "--stdio"), suffixes=(".py", ".pyi")),
    Program(name="pyright", command=("pyright-langserver", "--stdio"), suffixes=(".py", ".pyi")),
    Program(name="pylsp", command=("pylsp",), suffixes=(".py", ".pyi")),
    Program(name="typescript", command=("typescript-language-server", "--stdio"), suffixes=TYPESCRIPT),
    Program(name="gopls", command=("gopls",), suffixes=(".go",)),
    Program(name="rust-analyzer", command=("rust-analyzer",), suffixes=(".rs",), careful=True),
    Program(name="clangd", command=("clangd",), suffixes=C),
    Program(name="jdtls", command=("jdtls",), suffixes=(".java",), careful=True),
    Program(name="kotlin", command=("kotlin-language-server",), suffixes=(".kt", ".kts"), careful=True),
    Program(name="csharp", command=("csharp-ls",), suffixes=(".cs",), careful=True),
    Program(name="ruby", command=("ruby-lsp",), suffixes=(".rb",), careful=True),
    Program(name="solargraph", command=("solargraph", "stdio"), suffixes=(".rb",), careful=True),
    Program(name="intelephense", command=("intelephense", "--stdio"), suffixes=(".php",)),
    Program(name="lua", command=("lua-language-server",), suffixes=(".lua",)),
    Program(name="bash", command=("bash-language-server", "start"), suffixes=(".sh", ".bash")),
    Program(name="zls", command=("zls",), suffixes=(".zig",), careful=True),
    Program(name="elixir", command=("elixir-ls",), suffixes=(".ex", ".exs"), careful=True),
    Program(name="haskell", command=("haskell-language-server-wrapper", "--lsp"), suffixes=(".hs",), careful=True),
    Program(name="dart", command=("dart", "language-server"), suffixes=(".dart",)),
    Program(name="swift", command=("sourcekit-lsp",), suffixes=(".swift",), careful=True),
    Program(name="terraform", command=("terraform-ls", "serve"), suffixes=(".tf",)),
)
"""Of two for the same files the first that is installed counts."""


def programs(own: Mapping[str, ServerSettings]) -> tuple[Program, ...]:
    """The servers of the settings, which come first, and the known ones. Raises SettingsError for half a server."""
    known = {program.name: program for program in KNOWN}
    named = [_named(name, settings, known.get(name)) for name, settings in own.items() if not settings.off]
    return (*named, *(program for name, program in known.items() if name not in own))


def _named(name: str, settings: ServerSettings, known: Program | None) -> Program:
    base = known or Program(name=name, command=settings.command, suffixes=settings.suffixes)
    made = evolve(
        base,
        command=settings.command or base.command,
        suffixes=settings.suffixes or base.suffixes,
        options=settings.options,
        configuration=settings.configuration,
        careful=False,
    )
    if not made.command or not made.suffixes:
        raise SettingsError(
            f"[plugins.lsp.servers.{name}] has no {'suffixes' if made.command else 'command'}",
            remedy='e.g. command = ["pylsp"], suffixes = [".py"]',
        )
    return made


def installed(found: Iterable[Program], workspace: Path, confined: bool) -> dict[str, tuple[Program, str]]:
    """Program and path by suffix: of those that are there and may be started."""
    folders = tuple((folder, _changed(folder)) for folder in os.get_exec_path() if folder.startswith(os.sep))
    chosen: dict[str, tuple[Program, str]] = {}
    for program in found:
        if (program.careful and not confined) or chosen.keys() >= set(program.suffixes):
            continue
        if (path := program.found(folders, workspace)) is not None:
            for suffix in program.suffixes:
                chosen.setdefault(suffix, (program, path))
    return chosen


@lru_cache(maxsize=256)
def _which(command: str, folders: Folders) -> str | None:
    """Where a program of this name lies; looked for again only where a folder has changed."""
    return shutil.which(command, path=os.pathsep.join(folder for folder, _ in folders))


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - a name is enough
    except OSError:  # it is not there
        return 0
