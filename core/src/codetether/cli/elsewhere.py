"""What people who know other agents type here, and how it is said here."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from codetether.cli.terminal import one_line

SHOWN = 200
"""Characters of a suggested command line."""
OPTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("-p", "--print", "--prompt", "--message", "--msg", "-q", "--quiet", "-e", "--exec"), ()),
    **dict.fromkeys(
        ("-y", "--yes", "--yes-always", "--yolo", "--full-auto", "--auto", "--auto-approve"), ("--mode", "edit")
    ),
    **dict.fromkeys(
        ("--dangerously-skip-permissions", "--dangerously-bypass-approvals-and-sandbox", "--force"),
        ("--mode", "unsafe"),
    ),
    **dict.fromkeys(("--output-format", "--output", "-o"), ("--format",)),
    **dict.fromkeys(("--json", "--stream-json"), ("--format", "json")),
    **dict.fromkeys(("--permission-mode", "--approval-mode", "--ask-for-approval"), ("--mode",)),
    **dict.fromkeys(("--plan", "--read-only"), ("--mode", "plan")),
    **dict.fromkeys(("--allowedTools", "--allowed-tools", "--allow-tool", "--tools", "-T", "--tool"), ("--allow",)),
    **dict.fromkeys(("--max-turns", "--max-iterations"), ("--max-steps",)),
    "--max-budget-usd": ("--max-cost",),
    **dict.fromkeys(("--session-id", "--conversation", "--cid"), ("--session",)),
    **dict.fromkeys(("--image", "-i", "--attachment", "-a", "--attach", "--read"), ("--file",)),
    "--last": ("--continue",),
}
"""An option elsewhere -> what it is here; a value stays behind it."""
RESUMES = ("--resume", "-r")
"""Elsewhere with an id or without one."""
COMMANDS = {
    **dict.fromkeys(("exec", "e", "ask", "prompt", "print", "do"), "codetether run"),
    **dict.fromkeys(("resume", "continue"), "codetether run -c"),
    **dict.fromkeys(("login", "logout", "keys", "key", "credentials"), "codetether auth --help"),
    **dict.fromkeys(("logs", "log", "history", "list", "ls"), "codetether sessions list"),
    **dict.fromkeys(("install", "uninstall", "upgrade", "update"), "codetether plugins --help"),
    **dict.fromkeys(("settings", "set", "get"), "codetether config --help"),
    **dict.fromkeys(("repl", "interactive", "tui", "code", "start"), "codetether chat"),
    **dict.fromkeys(("status", "check", "health"), "codetether doctor"),
    "help": "codetether --help",
    "version": "codetether --version",
}
"""A command elsewhere -> the nearest here."""


def hint(error: click.UsageError, arguments: Sequence[str]) -> str:
    """What to type instead, empty where nothing comes to mind."""
    where = error.ctx
    if where is None or not isinstance(error, click.NoSuchOption):
        return ""
    if where.command_path == "codetether":
        return "codetether --version" if error.option_name in ("-v", "-V") else run_instead(arguments)
    if where.info_name in ("run", "chat") and where.info_name in arguments:
        behind = arguments[list(arguments).index(where.info_name) + 1 :]
        return _instead(where.command, where.info_name, behind)
    return ""


def command_instead(name: str, rest: Sequence[str]) -> str:
    """What to type instead of a command that is none, empty where it is only a word."""
    words = [word for word in rest if not word.startswith("-")]
    known = COMMANDS.get(name, "")
    if known.startswith("codetether run"):
        return run_instead([*known.split()[2:], *rest]) or known
    if known and len(words) < 2:
        return known
    return run_instead([name, *rest]) if words or " " in name else ""


def run_instead(arguments: Sequence[str]) -> str:
    """The same wish to `codetether run`, empty where that would not understand it either."""
    from codetether.cli.run import run

    return _instead(run, "run", arguments)


def translated(arguments: Sequence[str]) -> list[str]:
    """A command line in the words of `codetether run`."""
    said: list[str] = []
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=") if argument.startswith("--") else (argument, "", "")
        after = arguments[index + 1] if index + 1 < len(arguments) else "-"
        if name in RESUMES:
            names_one = bool(value) or not (after.startswith("-") or " " in after)
            here: tuple[str, ...] = ("--session",) if names_one else ("--continue",)
        else:
            here = OPTIONS.get(name, (name,))
        said += [*here, *([value] if equals else [])]
    return said


def _instead(command: click.Command, name: str, arguments: Sequence[str]) -> str:
    said = translated(arguments)
    positional = [param.name for param in command.params if isinstance(param, click.Argument)]
    try:
        values, more, _ = command.make_parser(click.Context(command, info_name=name)).parse_args(list(said))
    except click.UsageError:
        return ""
    given = [values.get(param) for param in positional]  # click marks what is missing by a value of its own
    words = [word for found in given if isinstance(found, tuple | list) for word in found] + more
    options, left = [], list(words)
    for argument in said:
        if left and argument == left[0]:
            left.pop(0)
        elif argument != "--":
            options.append(argument)
    # Several words may be one prompt: in quotes, no shell takes it apart.
    shown = [*map(shlex.quote, options), *([_quoted(" ".join(words))] if words else [])]
    return one_line(" ".join(["codetether", name, *shown]), SHOWN)


def _quoted(prompt: str) -> str:
    """As a shell reads it back, in the double quotes that people use where nothing within means anything to it."""
    return shlex.quote(prompt) if set(prompt) & set('$`"\\!\n') else f'"{prompt}"'
