"""The tools bash and exec: a command, run in the workspace, with its output and its exit code."""

from __future__ import annotations

import codecs
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from signal import Signals

from codetether import (
    Completed,
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolResult,
    text_result,
)

from codetether_tools_shell.definitions import BASH, DEFAULT_TIMEOUT, EXEC, with_secrets
from codetether_tools_shell.jobs import Jobs
from codetether_tools_shell.place import Follower, Place

KEPT = 2 * 1024 * 1024
"""Bytes of a command's output that are kept, half from its beginning and half from its end."""
SHOWN = 64 * 1024
"""Characters that are shown while the command runs."""


class Bash:
    """Runs command lines through the session's executor; `secrets` are the names of those it may be given."""

    def __init__(self, place: Place, jobs: Jobs, secrets: Sequence[str] = ()) -> None:
        self.definition = with_secrets(BASH, secrets)
        self._place = place
        self._jobs = jobs

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """The command, where it runs; what it touches beyond that nobody can tell."""
        command = self._place.judged(call, str(call.arguments["command"]))
        return Resources(commands=(command,), preview=command, secrets=_secrets(call))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The output as it would stand on a terminal, and how the command ended."""
        command, directory = str(call.arguments["command"]), self._place.directory(call)
        shell = _shell(os.environ.get("PATH"))
        if call.arguments.get("background", False):
            argv = [shell, "-c", 'exec </dev/null; eval "shift; $1"', shell, command]
            job = await self._jobs.start(ctx.executor, argv, directory, command, await _given(call, ctx, command))
            return text_result(f"{job.id} started; job_output shows its output, job_kill ends it", job=job.id)
        follower = Follower.of(shell, command)
        argv = [shell, "-c", command] if follower is None else follower.argv(command)
        done, timeout = await _run(argv, directory, call, ctx, follower, await _given(call, ctx, command))
        output, told = (done.stdout, None) if follower is None else follower.split(done.stdout)
        return _result(done, output, timeout, "" if told is None else self._place.move(told))


class Exec:
    """Runs programs through the session's executor; `secrets` are the names of those it may be given."""

    def __init__(self, place: Place, secrets: Sequence[str] = ()) -> None:
        self.definition = with_secrets(EXEC, secrets)
        self._place = place

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """The command as a shell would be told it."""
        command = self._place.judged(call, shlex.join(_argv(call)))
        return Resources(commands=(command,), preview=command, secrets=_secrets(call))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The output as it would stand on a terminal, and how the program ended."""
        given = await _given(call, ctx, shlex.join(_argv(call)))
        done, timeout = await _run(_argv(call), self._place.directory(call), call, ctx, None, given)
        return _result(done, done.stdout, timeout, "")


def _argv(call: ToolCall) -> list[str]:
    argv = call.arguments["argv"]
    assert isinstance(argv, Sequence)
    return [str(word) for word in argv]


def _secrets(call: ToolCall) -> tuple[str, ...]:
    names = call.arguments.get("secrets", ())
    assert isinstance(names, Sequence)
    return tuple(map(str, names))


async def _given(call: ToolCall, ctx: ToolContext, command: str) -> Mapping[str, str]:
    """The variables with the secrets that the call names."""
    names = _secrets(call)
    return await ctx.secrets(names, command=command) if names else {}


async def _run(
    argv: Sequence[str],
    directory: Path,
    call: ToolCall,
    ctx: ToolContext,
    follower: Follower | None,
    environment: Mapping[str, str],
) -> tuple[Completed, float]:
    timeout = float(call.arguments.get("timeout", DEFAULT_TIMEOUT))
    done = await ctx.executor.run(
        argv,
        directory=directory,
        environment=environment,
        timeout=timeout,
        on_output=_shown_on(ctx, follower),
        limit=KEPT,
        merged=True,
    )
    return done, timeout


def _result(done: Completed, data: bytes, timeout: float, moved: str) -> ToolResult:
    output = data.decode("utf-8", "replace").rstrip("\n")
    status = _status(done, timeout) + moved
    return text_result(
        f"{output}\n[{status}]" if output else f"(no output)\n[{status}]",
        success=done.exit_code == 0 and not done.timed_out,
        exit_code=done.exit_code,
        timed_out=done.timed_out,
    )


@cache
def _shell(path: str | None) -> str:
    return shutil.which("bash", path=path) or "/bin/sh"


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


def _shown_on(ctx: ToolContext, follower: Follower | None) -> Callable[[bytes], None]:
    """Shows output as it comes, whole characters only, and no more than anybody would read."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    room, held = SHOWN, b""

    def show(data: bytes) -> None:
        nonlocal room, held
        if room <= 0:
            return
        if follower is not None:
            data, held = follower.shown(held, data)
        text = decoder.decode(data)[:room]
        room -= len(text)
        if text:
            ctx.progress(text if room > 0 else text + "\n[… more output, not shown …]\n")

    return show
