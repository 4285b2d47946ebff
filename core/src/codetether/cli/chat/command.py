"""The command `codetether chat`: its options, and what stands between them and the conversation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from codetether.cli.session_options import session_options
from codetether.cli.terminal import Screen
from codetether.errors import UsageError


@click.command("chat")
@session_options
def chat(resume: bool, session: str | None, **wishes: Any) -> int:
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

    wanted = Wishes(session_id=session, resume=resume, **wishes)
    conversation = Conversation(wanted, screen, Path.cwd(), interactive=interactive)
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
