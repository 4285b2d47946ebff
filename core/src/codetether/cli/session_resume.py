"""`codetether sessions resume`: goes on with a session, at the terminal or with one prompt."""

from __future__ import annotations

from typing import Any

import click

from codetether.cli.completion import session_ids
from codetether.cli.session_options import OPTIONS, Command


def _options(command: Command) -> Command:
    """The options of a session, but for those that say which one."""
    for option in reversed(OPTIONS[2:]):
        command = option(command)
    return command


@click.command("resume")
@click.argument("session_id", metavar="[ID]", required=False, shell_complete=session_ids)
@click.argument("prompt", nargs=-1)
@_options
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON, as `run --format json` gives it.")
@click.pass_context
def resume(
    context: click.Context, /, session_id: str | None, prompt: tuple[str, ...], as_json: bool, **wishes: Any
) -> int:
    """Go on with a session: the last one of this directory where no ID is given.

    With a PROMPT it is answered, as by `codetether run -s ID PROMPT`; without one you talk at the terminal, as by
    `codetether chat -s ID`. One of another agent's is taken in first.
    """
    which = {"session": session_id, "resume": session_id is None}
    if prompt or as_json:
        from codetether.cli.run import run

        return int(context.invoke(run, prompt=prompt, form="json" if as_json else "text", **which, **wishes))
    from codetether.cli.chat import chat

    return int(context.invoke(chat, **which, **wishes))
