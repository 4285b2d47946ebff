"""The command `codetether chat`: its options, and what stands between them and the conversation."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from codetether.cli.terminal import Screen
from codetether.errors import UsageError
from codetether.models.tools import Mode
from codetether.settings.core import MODES


@click.command("chat")
@click.option("-c", "--continue", "resume", is_flag=True, help="Go on with the last session of this directory.")
@click.option("-s", "--session", metavar="ID", help="Go on with this session.")
@click.option("-m", "--model", metavar="MODEL", help="provider/model, a provider, or a model.")
@click.option("--agent", metavar="NAME", help="The agent to be: build, plan, explore, or one of your own.")
@click.option("--mode", type=click.Choice(MODES), help="What is allowed without asking.")
@click.option("--allow", metavar="TOOL|EFFECT", multiple=True, help="Allow a tool, or an effect; repeatable.")
@click.option("--max-steps", type=click.IntRange(1), help="Responses of the model before it is stopped.")
def chat(
    resume: bool,
    session: str | None,
    model: str | None,
    agent: str | None,
    mode: Mode | None,
    allow: tuple[str, ...],
    max_steps: int | None,
) -> int:
    """Talk with the agent at the terminal.

    Enter sends, Alt-Enter begins a new line, @ names a file, / a command (/help lists them). Ctrl-C stops the answer,
    Ctrl-D leaves. Where standard input is no terminal, each line is a prompt.
    """
    if resume and session:
        raise click.UsageError("--continue and --session exclude each other")
    from codetether.cli.interrupts import launch

    screen = Screen()
    interactive = sys.stdin is not None and sys.stdin.isatty() and screen.live
    if interactive:
        require_terminal_libraries()
    from codetether.cli.chat.conversation import Conversation, Wishes

    wishes = Wishes(
        session_id=session, resume=resume, model=model, agent=agent, mode=mode, allow=allow, max_steps=max_steps
    )
    conversation = Conversation(wishes, screen, Path.cwd(), interactive=interactive)
    return launch(conversation.run)


def require_terminal_libraries() -> None:
    """Raises UsageError where what draws the conversation is not installed."""
    try:
        import prompt_toolkit
        import rich
    except ImportError as error:
        raise UsageError(
            f"chat needs {error.name}, which is not installed", remedy='pip install "codetether-agent[chat]"'
        ) from error
    del prompt_toolkit, rich
