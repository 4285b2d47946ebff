"""What executors keep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from codetether.errors import ExecutorError
from codetether.models.tools import Completed
from codetether.testing.promises import BrokenPromise, promises, require
from codetether.testing.traces import marked, survivors
from codetether.testing.trial import CANARY, Trial

TREE = "sleep 61 & (sleep 62; true) & setsid sleep 63 & sleep 64"
"""A command that starts others, one of them with a session of its own."""


async def run(trial: Trial, argv: Sequence[str], **how: Any) -> Completed:
    """One command, in the workspace, with 10 seconds."""
    executor = await trial.make()
    made: Completed = await executor.run(argv, **{"directory": trial.directory, "timeout": 10.0, **how})
    require(isinstance(made, Completed), f"run() gave {type(made).__name__}, not Completed")
    return made


async def a_command_tells_how_it_ended(trial: Trial) -> None:
    """Exit code, standard output and standard error arrive as they are, byte for byte."""
    done = await run(trial, ["sh", "-c", r"printf 'out\377\000\n'; printf 'err\n' >&2; exit 3"])
    told = (done.exit_code, done.stdout, done.stderr, done.timed_out)
    require(told == (3, b"out\xff\0\n", b"err\n", False), f"a command that exits with 3 is told as {told}")


async def standard_input_is_empty(trial: Trial) -> None:
    """A command that reads its standard input sees its end at once, and waits for nobody."""
    done = await run(trial, ["sh", "-c", "cat; echo end"], timeout=2.0)
    require(not done.timed_out, "a command that reads its standard input waits for ever")


async def nothing_outlives_a_command(trial: Trial) -> None:
    """What a command started and left behind is ended with it, as after a time limit."""
    async with marked() as mark:
        await run(trial, ["sh", "-c", "sleep 67 > /dev/null 2>&1 & setsid sleep 68 > /dev/null 2>&1 & echo end"])
        left = await survivors(mark)
    require(not left, f"after a command's end these are left: {'; '.join(left)}")


async def output_can_be_merged(trial: Trial) -> None:
    """With `merged`, standard error stands within standard output, in the order in which both came."""
    done = await run(trial, ["sh", "-c", "echo 1; echo 2 >&2; echo 3; echo 4 >&2"], merged=True)
    require(done.stdout.split() == [b"1", b"2", b"3", b"4"], f"merged output is {done.stdout!r}")


async def the_time_limit_ends_the_tree(trial: Trial) -> None:
    """At the limit the command and all that it started are ended, and `timed_out` says so."""
    async with marked() as mark:
        began = time.perf_counter()
        done = await run(trial, ["sh", "-c", TREE], timeout=0.3)
        took = time.perf_counter() - began
        left = await survivors(mark)
    require(done.timed_out, "a command that ran into its limit is not told as timed out")
    require(took < 2.3, f"with a limit of 0.3 s it came back after {took:.1f} s")
    require(not left, f"after the time limit these are left: {'; '.join(left)}")


async def cancelling_ends_the_tree(trial: Trial) -> None:
    """When the wait is cancelled, the command and all that it started end within two seconds."""
    async with marked() as mark:
        task = asyncio.create_task(run(trial, ["sh", "-c", TREE]))
        await asyncio.sleep(0.3)
        task.cancel()
        began = time.perf_counter()
        await asyncio.wait({task}, timeout=5)
        took = time.perf_counter() - began
        left = await survivors(mark)
    require(took < 2.0, f"it came back {took:.1f} s after it was cancelled")
    require(not left, f"after a cancellation these are left: {'; '.join(left)}")


async def output_is_capped(trial: Trial) -> None:
    """Of a stream longer than `limit`, about that many bytes are kept, from its beginning and from its end."""
    script = "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"
    done = await run(trial, ["sh", "-c", script], limit=10_000)
    require(len(done.stdout) <= 10_500, f"with a limit of 10000 bytes, {len(done.stdout)} were kept")
    ends = done.stdout.startswith(b"first\n"), done.stdout.endswith(b"last\n")
    require(ends == (True, True), f"of a long output, beginning and end are kept: {ends}")


async def output_is_told_as_it_comes(trial: Trial) -> None:
    """`on_output` gets what a command writes while it runs."""
    seen: list[float] = []
    began = time.perf_counter()
    await run(
        trial, ["sh", "-c", "echo early; sleep 0.5"], on_output=lambda _: seen.append(time.perf_counter() - began)
    )
    require(
        seen and seen[0] < 0.4,
        "on_output was told only at the end of the command" if seen else "on_output was told nothing",
    )


async def directory_and_environment_are_obeyed(trial: Trial) -> None:
    """The command runs in `directory`, with `environment` laid over its own."""
    place = trial.directory / "a b ü"
    place.mkdir()
    done = await run(trial, ["sh", "-c", 'pwd; printf %s "$WORD"'], directory=place, environment={"WORD": "it's ü"})
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    require(lines == [str(place), "it's ü"], f"directory and environment are {lines}")


async def keys_are_withheld(trial: Trial) -> None:
    """API keys in the environment do not reach a command."""
    done = await run(trial, ["sh", "-c", "env"])
    require(CANARY.encode() not in done.stdout, "a variable named …_API_KEY reaches the commands that a model runs")


async def what_cannot_start_is_an_ExecutorError(trial: Trial) -> None:  # noqa: N802 - the error's own name
    """A program that is not there, or a directory that is gone, is an ExecutorError that names it."""
    for argv, how in ((["no-such-program-here"], {}), (["true"], {"directory": trial.directory / "gone"})):
        try:
            await run(trial, argv, **how)
        except ExecutorError:
            continue
        except Exception as error:
            raise BrokenPromise(f"what cannot start raised {type(error).__name__}: {error}") from error
        raise BrokenPromise(f"{argv[0]!r} with {how} cannot start, and nothing was raised")


async def pipes_can_be_talked_to(trial: Trial) -> None:
    """`start()` gives a process that takes input, gives output, and ends with all it started when it is killed."""
    executor = await trial.make()
    async with marked() as mark:
        process = await executor.start(
            ["sh", "-c", "read word; sleep 65 & sleep 66 & echo got $word; wait"], directory=trial.directory
        )
        await process.write(b"hello\n")
        said = b""
        async with asyncio.timeout(5):
            async for piece in process.output():
                said += piece
                if b"\n" in said:
                    break
            await process.kill()
            await process.wait()
        left = await survivors(mark)
    require(said == b"got hello\n", f"a process that was told 'hello' said {said!r}")
    require(not left, f"after kill() these are left: {'; '.join(left)}")


async def standard_error_can_be_started_apart(trial: Trial) -> None:
    """`start(merged=False)` keeps what a server complains about out of what it says."""
    executor = await trial.make()
    process = await executor.start(["sh", "-c", "echo said; echo wrong >&2"], directory=trial.directory, merged=False)
    async with asyncio.timeout(5):
        said = b"".join([piece async for piece in process.output()])
        wrong = b"".join([piece async for piece in process.errors()])
        await process.wait()
    require((said, wrong) == (b"said\n", b"wrong\n"), f"output {said!r} and errors {wrong!r}")


PROMISES = promises(
    "executors",
    a_command_tells_how_it_ended,
    standard_input_is_empty,
    nothing_outlives_a_command,
    output_can_be_merged,
    the_time_limit_ends_the_tree,
    cancelling_ends_the_tree,
    output_is_capped,
    output_is_told_as_it_comes,
    directory_and_environment_are_obeyed,
    keys_are_withheld,
    what_cannot_start_is_an_ExecutorError,
    pipes_can_be_talked_to,
    standard_error_can_be_started_apart,
)
