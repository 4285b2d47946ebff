"""`codetether memory` and `codetether skills`: what sessions are told besides, looked at and edited by the user."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import frozen
from codetether import as_json

if TYPE_CHECKING:
    from codetether import Directories

    from codetether_tools_work.memory import Memory, Scope

scope = click.option("--user", "of_user", is_flag=True, help="The notes of the user, instead of this project's.")


@click.group("memory")
def command() -> None:
    """Look at the notes that sessions are given, and edit them.

    Those of a project hold in the repository around this directory; those of the user everywhere.
    """


@command.command("show")
@as_json
def show(as_json: bool) -> int:
    """Show all notes that hold here."""
    from codetether import Screen, print_json

    from codetether_tools_work.memory import SCOPES

    screen, memory = Screen(), _memory()
    if as_json:
        print_json(
            screen, [{"scope": s, "path": str(memory.path(s)), "text": memory.text(s)} for s in reversed(SCOPES)]
        )
        return 0
    for each in reversed(SCOPES):
        text = memory.text(each).strip()
        screen.line(f"{each}: {memory.path(each)}")
        screen.line(text or "(nothing is noted)")
    return 0


@command.command("path")
@scope
def path(of_user: bool) -> int:
    """Print where the notes lie."""
    from codetether import Screen

    Screen().line(str(_memory().path(_scope(of_user))))
    return 0


@command.command("edit")
@scope
def edit(of_user: bool) -> int:
    """Open the notes in $VISUAL or $EDITOR."""
    from codetether import UsageError

    memory, chosen = _memory(), _scope(of_user)
    memory.change(chosen, lambda text: text)  # the file is there, and private
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        code = subprocess.run([*editor, str(memory.path(chosen))], check=False).returncode
    except OSError as error:
        raise UsageError(f"{editor[0]} cannot be run: {error.strerror}", remedy="set VISUAL or EDITOR") from error
    return 1 if code else 0


@command.command("clear")
@scope
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(of_user: bool, yes: bool) -> int:
    """Forget the notes."""
    from codetether import Screen

    memory, chosen = _memory(), _scope(of_user)
    if not memory.text(chosen).strip():
        Screen().line("nothing was noted")
        return 0
    if not yes:
        click.confirm(f"Forget the notes of the {chosen}?", abort=True, err=True)
    memory.change(chosen, lambda text: "")
    Screen().line(f"forgotten: the notes of the {chosen}")
    return 0


@click.command("skills")
@as_json
def skills(as_json: bool) -> int:
    """List the skills that a session here would have, and what is wrong with those that it would not."""
    from codetether import Screen, load_settings, print_json, print_table

    from codetether_tools_work.skills import found_skills

    screen, here = Screen(), Path.cwd().resolve()
    found = found_skills(_Here(load_settings(here).directories, here))
    if as_json:
        names = ("name", "description", "own", "trusted", "problem")
        print_json(screen, [{"path": str(s.path), **{name: getattr(s, name) for name in names}} for s in found])
        return 0
    rows = [(s.name, "yes" if s.trusted else "no", s.path.parent, s.description) for s in found if not s.problem]
    if rows:
        print_table(screen, ("NAME", "TRUSTED", "FROM", "DESCRIPTION"), rows)
    for each in found:
        if each.problem:
            screen.line(f"! {each.path}: {each.problem}")
    if not found:
        screen.line("No skills found")
    return 0


@frozen
class _Here:
    """What skills are looked for by, without a session."""

    _directories: Directories
    directory: Path

    @property
    def config_dir(self) -> Path:
        return self._directories.config

    def trusts(self, path: Path, data: bytes) -> bool:
        from codetether import is_trusted

        return is_trusted(self._directories.state, path, data)


def _memory() -> Memory:
    from codetether import load_settings

    from codetether_tools_work.memory import Memory

    here = Path.cwd()
    return Memory.at(load_settings(here).directories.state / "plugins" / "work", here)


def _scope(of_user: bool) -> Scope:
    return "user" if of_user else "project"
