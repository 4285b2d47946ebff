"""One executor for each promise of executors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
from codetether import Completed, ExecutorError, ExecutorSpec
from codetether.builtin.executor import LocalExecutor

from tests.kit.broken import breaking


class Failing(LocalExecutor):
    """Says that all went well."""

    async def run(self, argv: Sequence[str], **how: Any) -> Completed:
        return attrs.evolve(await super().run(argv, **how), exit_code=0)


class Waiting(LocalExecutor):
    """Gives a command that reads something to wait for."""

    async def run(self, argv: Sequence[str], **how: Any) -> Completed:
        if argv[-1].startswith("cat;"):
            argv = [*argv[:-1], f"sleep 30 | {argv[-1]}"]
        return await super().run(argv, **how)


class Careless(LocalExecutor):
    """Waits for the command alone, whatever that leaves behind."""

    async def run(self, argv: Sequence[str], **how: Any) -> Completed:
        if "setsid sleep 68" not in argv[-1]:
            return await super().run(argv, **how)
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return Completed(exit_code=0, stdout=out, stderr=b"")


class Apart(LocalExecutor):
    async def run(self, argv: Sequence[str], *, merged: bool = False, **how: Any) -> Completed:
        done = await super().run(argv, **how)
        return attrs.evolve(done, stdout=done.stdout + done.stderr, stderr=b"") if merged else done


class Endless(LocalExecutor):
    """Knows no limit of less than three seconds."""

    async def run(self, argv: Sequence[str], *, timeout: float = 120.0, **how: Any) -> Completed:
        return await super().run(argv, timeout=timeout if timeout >= 1 else 3.0, **how)


class Uncancelled(LocalExecutor):
    """Lets a command go on that nobody waits for."""

    async def run(self, argv: Sequence[str], **how: Any) -> Completed:
        return await asyncio.shield(asyncio.ensure_future(super().run(argv, **how)))


class Hoarding(LocalExecutor):
    async def run(self, argv: Sequence[str], *, limit: int = 0, **how: Any) -> Completed:
        return await super().run(argv, limit=1 << 30, **how)


class Late(LocalExecutor):
    async def run(
        self, argv: Sequence[str], *, on_output: Callable[[bytes], None] | None = None, **how: Any
    ) -> Completed:
        done = await super().run(argv, **how)
        if on_output:
            on_output(done.stdout)
        return done


class Homebound(LocalExecutor):
    async def run(self, argv: Sequence[str], *, environment: Mapping[str, str] | None = None, **how: Any) -> Completed:
        return await super().run(argv, **how)


class Sharing(LocalExecutor):
    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, **(more or {})}


class Crude(LocalExecutor):
    async def run(self, argv: Sequence[str], **how: Any) -> Completed:
        try:
            return await super().run(argv, **how)
        except ExecutorError as error:
            raise OSError(str(error)) from error


class Leaving(LocalExecutor):
    """Ends only the process that it started."""

    async def start(self, argv: Sequence[str], **how: Any) -> Any:
        process = await super().start(argv, **how)
        process.kill = partial(_end, process)  # type: ignore[method-assign]
        return process


class Mixing(LocalExecutor):
    """Mixes what a server complains about into what it says."""

    async def start(self, argv: Sequence[str], *, merged: bool = True, **how: Any) -> Any:
        return await super().start(argv, **how)


async def _end(process: Any) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, 9)


def executor(cls: type[Any]) -> Any:
    """A plugin with such an executor."""
    return breaking("executors", ExecutorSpec(name="probe", create=lambda ctx: cls()))


BROKEN: dict[str, Any] = {
    "a command tells how it ended": executor(Failing),
    "standard input is empty": executor(Waiting),
    "nothing outlives a command": executor(Careless),
    "output can be merged": executor(Apart),
    "the time limit ends the tree": executor(Endless),
    "cancelling ends the tree": executor(Uncancelled),
    "output is capped": executor(Hoarding),
    "output is told as it comes": executor(Late),
    "directory and environment are obeyed": executor(Homebound),
    "keys are withheld": executor(Sharing),
    "what cannot start is an ExecutorError": executor(Crude),
    "pipes can be talked to": executor(Leaving),
    "standard error can be started apart": executor(Mixing),
}
