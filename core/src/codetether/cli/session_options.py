"""Options that every command has which opens a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from codetether.cli.completion import model_names, session_ids
from codetether.settings.core import MODES

Command = TypeVar("Command", bound=Callable[..., Any])

SANDBOXES = ("auto", "bwrap", "landlock", "none")

OPTIONS = (
    click.option("-c", "--continue", "resume", is_flag=True, help="Go on with the last session of this directory."),
    click.option("-s", "--session", metavar="ID", shell_complete=session_ids, help="Go on with this session."),
    click.option(
        "-m", "--model", metavar="MODEL", shell_complete=model_names, help="provider/model, a provider, or a model."
    ),
    click.option("--agent", metavar="NAME", help="The agent to be: build, plan, explore, or one of your own."),
    click.option("--mode", type=click.Choice(MODES), help="What is allowed without asking."),
    click.option("--allow", metavar="TOOL|EFFECT", multiple=True, help="Allow a tool, or an effect; repeatable."),
    click.option("--sandbox", type=click.Choice(SANDBOXES), help="What confines commands, in any mode; none: nothing."),
    click.option("--max-steps", type=click.IntRange(1), help="Responses of the model before it is stopped."),
)


def session_options(command: Command) -> Command:
    """The command with all of them."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def sandbox_settings(sandbox: str | None) -> dict[str, Any]:
    """What `--sandbox` lays over the settings."""
    match sandbox:
        case None:
            return {}
        case "none":
            return {"session": {"executor": "local"}}
        case _:
            return {"session": {"executor": "sandbox"}, "plugins": {"sandbox": {"backend": sandbox}}}
