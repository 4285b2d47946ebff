"""Options that every command has which opens a session."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from codetether.cli.completion import agent_names, model_names, session_ids
from codetether.settings.core import MODES

Command = TypeVar("Command", bound=Callable[..., Any])

SANDBOXES = ("auto", "bwrap", "landlock", "none")


class Duration(click.ParamType[float]):
    """A time span, in seconds: `90`, `90s`, `10m`, `1h30m`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", str(value).strip().lower())
        seconds = (
            sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True))
            if found
            else 0
        )
        if not seconds:
            self.fail(f"{value!r} is no time; e.g. 90, 90s, 10m or 1h30m", param, ctx)
        return seconds


OPTIONS = (
    click.option("-c", "--continue", "resume", is_flag=True, help="Go on with the last session of this directory."),
    click.option("-s", "--session", metavar="ID", shell_complete=session_ids, help="Go on with this session."),
    click.option(
        "-m", "--model", metavar="MODEL", shell_complete=model_names, help="provider/model, a provider, or a model."
    ),
    click.option(
        "--agent",
        metavar="NAME",
        shell_complete=agent_names,
        help="The agent to be: build, plan, explore, or one of your own.",
    ),
    click.option("--mode", type=click.Choice(MODES), help="What is allowed without asking."),
    click.option("--allow", metavar="TOOL|EFFECT", multiple=True, help="Allow a tool, or an effect; repeatable."),
    click.option("--sandbox", type=click.Choice(SANDBOXES), help="What confines commands, in any mode; none: nothing."),
    click.option("--max-steps", type=click.IntRange(1), help="Responses of the model before it is stopped."),
    click.option("--max-tokens", type=click.IntRange(1), help="Tokens, in and out, before it is stopped."),
    click.option(
        "--max-cost", metavar="DOLLARS", type=click.FloatRange(0, min_open=True), help="Cost before it is stopped."
    ),
    click.option("--max-time", "max_seconds", type=Duration(), help="Time before it is stopped: 90, 90s, 10m, 1h30m."),
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
