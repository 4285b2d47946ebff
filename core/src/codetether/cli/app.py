"""The command group: a command's module is imported when it runs, an error becomes a line and an exit code."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from codetether.cli.terminal import RED, Screen, one_line
from codetether.errors import CodetetherError, InvalidSessionId, ProviderError

EXIT = {"done": 0, "error": 1, "usage": 2, "denied": 3, "limit": 4, "provider_failed": 5, "interrupted": 130}
"""Status -> exit code."""
BROKEN_PIPE = 141
"""What a shell sees of a program that dies because nobody reads its output any more."""

COMMANDS = {
    "run": ("codetether.cli.run", "Give the agent a prompt and show the answer."),
    "chat": ("codetether.cli.chat", "Talk with the agent at the terminal."),
    "sessions": ("codetether.cli.sessions", "Find, read, go on with, fork, export and mend sessions."),
    "stats": ("codetether.cli.stats", "Add up tokens, costs and tool calls."),
    "models": ("codetether.cli.models", "List models; fetch model files to this machine."),
    "providers": ("codetether.cli.listings", "List providers and whether each can be used."),
    "auth": ("codetether.cli.auth", "Keep, forget and look at the keys of providers."),
    "plugins": ("codetether.cli.plugin_admin", "List, make, install and verify plugins."),
    "agents": ("codetether.cli.listings", "List the agents that a session can be, and its subagents."),
    "tools": ("codetether.cli.listings", "List the tools that a session here would offer."),
    "events": ("codetether.cli.events", "List, show and follow the event streams of sessions; archive them."),
    "policy": ("codetether.cli.policy", "Show what is permitted: a command, the rules, a past session."),
    "audit": ("codetether.cli.audit", "Look at the audit log; prove that nothing was changed."),
    "config": ("codetether.cli.config", "Show and change settings; trust a project's."),
    "doctor": ("codetether.cli.doctor", "Look at everything that a run needs; say what is broken."),
    "completion": ("codetether.cli.completion", "Print the completion script for bash, zsh or fish."),
}
"""Command -> the module that holds it under its own name, and its short help."""


class Commands(click.Group):
    """Core's commands, then those of plugins, none imported before it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Core's commands; plugins' are listed apart."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, its module imported."""
        if cmd_name in COMMANDS:
            found: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
            return found
        from codetether.cli.plugin_commands import load_command

        return load_command(cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command, or a usage error that names the nearest one."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            raise click.UsageError(f"no command {_unknown(name, args[1:])}", ctx)
        return name, command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names with their short help, from the table and from the distributions' metadata alone."""
        from codetether.cli.plugin_commands import listed_commands

        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
        if rows := listed_commands(COMMANDS):
            with formatter.section("Commands of plugins"):
                formatter.write_dl(rows)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="codetether-core", prog_name="codetether", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
def codetether(debug: bool) -> None:
    """An agent that works on your files, made of plugins.

    \b
      codetether run "list the files here"
      codetether run -c "and now sort them by size"
      git diff | codetether run "review this"

    Exit codes: 0 done, 1 error, 2 usage, 3 denied, 4 limit, 5 provider failed, 130 interrupted.
    """
    if debug:
        os.environ["CODETETHER_DEBUG"] = "1"


def debugging() -> bool:
    """Whether errors are shown with their traceback."""
    return os.environ.get("CODETETHER_DEBUG", "") not in ("", "0", "false")


def run(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit code; errors are said on standard error, without a traceback."""
    if asked := os.environ.get("_CODETETHER_COMPLETE"):
        from codetether.cli.completion import complete

        return complete(asked)
    try:
        with codetether.make_context("codetether", list(arguments)) as context:
            code = codetether.invoke(context)
        _flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return EXIT["usage"]
    except click.ClickException as error:
        return _usage(error, arguments)
    except (KeyboardInterrupt, click.Abort):
        return EXIT["interrupted"]
    except BrokenPipeError:
        _abandon_stdout()
        return BROKEN_PIPE
    except Exception as error:
        if debugging():
            raise
        with suppress(OSError):  # the terminal may be what has gone
            say_error(Screen(), error)
        if isinstance(error, OSError):
            _abandon_stdout()
        return exit_code(error)


def exit_code(error: BaseException) -> int:
    """The exit code for an exception: an id that is none is a slip of the command line."""
    match error:
        case ProviderError():
            return EXIT["provider_failed"]
        case InvalidSessionId():
            return EXIT["usage"]
        case _:
            return EXIT["error"]


def say_error(screen: Screen, error: BaseException) -> None:
    """`error: <what>`, and what to do about it below."""
    message, remedy = explained(error)
    screen.say(f"error: {message}" + (f"\n  {remedy}" if remedy else ""), RED)


def explained(error: BaseException) -> tuple[str, str]:
    """What went wrong in a user's words, and the remedy (may be empty)."""
    if isinstance(error, CodetetherError):
        return error.message if error.message and not error.args[1:] else str(error), error.remedy
    if isinstance(error, FileNotFoundError) and not error.filename:
        return "the current directory does not exist any more", "Change to one that does."
    if isinstance(error, OSError) and error.strerror:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)  # files of ours that cannot be written are named
        where = f"{error.filename}: " if error.filename else "standard output: " if full else ""
        return f"{where}{error.strerror}", ""
    text = " ".join(str(error).split())
    return (
        f"{type(error).__name__}: {text}" if text else type(error).__name__,
        "This is a fault of codetether or of \
a plugin: run again with CODETETHER_DEBUG=1 to see where.",
    )


def _usage(error: click.ClickException, arguments: Sequence[str]) -> int:
    screen = Screen()
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        from codetether.cli.elsewhere import hint

        if instead := hint(error, arguments):
            message = f"no such option {error.option_name}; did you mean: {instead}"
    screen.say(f"error: {message}", RED)
    if context is not None:
        screen.say(f"  See {context.command_path} --help.")
    return error.exit_code


def _unknown(name: str, rest: Sequence[str]) -> str:
    """The word that is no command, with what may have been meant: another command, or a prompt."""
    from difflib import get_close_matches

    from codetether.cli.elsewhere import COMMANDS as ELSEWHERE
    from codetether.cli.elsewhere import command_instead
    from codetether.cli.plugin_commands import listed_commands
    from codetether.settings.structure import did_you_mean

    shown = repr(one_line(name, 60))
    known = [*COMMANDS, *(command for command, _ in listed_commands(COMMANDS))]
    # Before more words it has to be nearer: they may be a prompt.
    slip = name not in ELSEWHERE and get_close_matches(name, known, n=1, cutoff=0.75 if len(rest) > 1 else 0.6)
    if slip:
        return f'{shown}; did you mean "{slip[0]}"?'
    if instead := command_instead(name, rest):
        return f"{shown}; did you mean: {instead}"
    return f"{shown}{did_you_mean(name, known)}\n  If it is a prompt: codetether run {shlex.quote(name)}"


def _abandon_stdout() -> None:
    """What is still buffered cannot be written: the interpreter's own flush at the end must not complain again."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
