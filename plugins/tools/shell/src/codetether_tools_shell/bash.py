"""The tool bash: one command line, run in the workspace, with its output and its exit code."""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from signal import Signals

from codetether import (
    Completed,
    Resources,
    SessionContext,
    Tool,
    ToolCall,
    ToolContext,
    ToolDefinition,
    ToolResult,
    text_result,
)

from codetether_tools_shell.examples import examples

DEFAULT_TIMEOUT = 120.0
LONGEST_TIMEOUT = 600.0
KEPT = 2 * 1024 * 1024
"""Bytes of a command's output that are kept, half from its beginning and half from its end."""
SHOWN = 64 * 1024
"""Characters that are shown while the command runs."""

BASH = ToolDefinition(
    name="bash",
    description=(
        "Runs a shell command in the workspace and returns its output and exit code. Use it for git, tests, builds "
        "and other programs; to read, search or change files use the tools made for that. Nothing can be typed while "
        "it runs, each command starts anew in the workspace, and whatever it leaves running in the background ends "
        "with it."
    ),
    schema={
        "type": "object",
        "properties": {
            "command": {"type": "string", "minLength": 1, "description": "The command line, e.g. `git status`."},
            "timeout": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": LONGEST_TIMEOUT,
                "default": DEFAULT_TIMEOUT,
                "description": "Seconds after which the command is ended.",
            },
        },
        "required": ["command"],
        "additionalProperties": False,
    },
    effects=("read", "write", "execute", "network"),
    examples=examples("bash"),
    timeout=LONGEST_TIMEOUT + 10,
)


class ShellTools:
    """The tools of this plugin."""

    async def tools(self) -> Sequence[Tool]:
        """bash alone."""
        return (Bash(),)


class Bash:
    """Runs commands through the session's executor."""

    definition = BASH

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """The command; what it touches beyond that nobody can tell."""
        command = str(call.arguments["command"])
        return Resources(commands=(command,), preview=command)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The output as it would stand on a terminal, and how the command ended."""
        timeout = float(call.arguments.get("timeout", DEFAULT_TIMEOUT))
        done = await ctx.executor.run(
            [_shell(), "-c", str(call.arguments["command"])],
            directory=ctx.directory,
            timeout=timeout,
            on_output=_shown_on(ctx),
            limit=KEPT,
            merged=True,
        )
        output = done.stdout.decode("utf-8", "replace").rstrip("\n")
        status = _status(done, timeout)
        return text_result(
            f"{output}\n[{status}]" if output else f"(no output)\n[{status}]",
            success=done.exit_code == 0 and not done.timed_out,
            exit_code=done.exit_code,
            timed_out=done.timed_out,
        )


def _shell() -> str:
    return shutil.which("bash") or "/bin/sh"


def _status(done: Completed, timeout: float) -> str:
    if done.timed_out:
        return f"timed out after {timeout:g} s: the command and all that it started were ended"
    left = "; what it had left running in the background was ended" if done.left_behind else ""
    if done.exit_code < 0:
        return f"ended by signal {_signal(-done.exit_code)}{left}"
    return f"exit code {done.exit_code}{left}"


def _signal(number: int) -> str:
    with suppress(ValueError):
        return Signals(number).name
    return str(number)


def _shown_on(ctx: ToolContext) -> Callable[[bytes], None]:
    """Shows output as it comes, whole characters only, and no more than anybody would read."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    room = SHOWN

    def show(data: bytes) -> None:
        nonlocal room
        if room <= 0:
            return
        text = decoder.decode(data)[:room]
        room -= len(text)
        if text:
            ctx.progress(text if room > 0 else text + "\n[… more output, not shown …]\n")

    return show
