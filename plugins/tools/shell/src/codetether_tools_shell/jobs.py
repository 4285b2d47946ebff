"""Commands that run in the background, from their start to the end of the session."""

from __future__ import annotations

import asyncio
import codecs
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from attrs import define, field
from codetether import Executor, Process, UsageError

MOST = 16
"""Jobs that run at once."""
KEPT = 1024 * 1024
"""Bytes of a job's output that wait to be read; of more the oldest are dropped."""
GRACE = 0.5
"""Seconds in which the output of a job that ended may still arrive."""
REMEMBERED = 100


@define(kw_only=True, eq=False)
class Job:
    """A command in the background.

    Attributes:
        exit_code: None while it runs; negative for a signal.
    """

    id: str
    command: str
    process: Process
    began: float = field(factory=time.monotonic)
    exit_code: int | None = None
    killed: bool = False
    ended: asyncio.Event = field(factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    _output: bytearray = field(factory=bytearray)
    _decoder: codecs.IncrementalDecoder = field(factory=partial(codecs.getincrementaldecoder("utf-8"), "replace"))
    _dropped: int = 0

    def fresh(self) -> str:
        """The output since the last look, whole characters only, and how much of it was dropped."""
        text, dropped = self._decoder.decode(self._output, self.exit_code is not None), self._dropped
        self._output.clear()
        self._dropped = 0
        return f"[… {dropped} bytes left out …]\n{text}" if dropped else text

    @property
    def status(self) -> str:
        """`running for 3 s`, `exit code 0`, `ended by job_kill`."""
        if self.exit_code is None:
            return f"running for {time.monotonic() - self.began:.0f} s"
        if self.killed:
            return "ended by job_kill"
        return f"ended by signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"

    async def follow(self) -> None:
        """Takes its output until it ends, then ends whatever it left behind."""
        reading = asyncio.create_task(self._read())
        try:
            code = await self.process.wait()
            await asyncio.wait({reading}, timeout=GRACE)
            await self.process.kill()
            await asyncio.wait({reading}, timeout=GRACE)
            self.exit_code = code
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading
            self.ended.set()

    async def _read(self) -> None:
        async for data in self.process.output():
            self._output += data
            if (excess := len(self._output) - KEPT) > 0:
                del self._output[:excess]
                self._dropped += excess


class Jobs:
    """The jobs of a session, by their ids."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._count = 0

    async def start(
        self,
        executor: Executor,
        argv: Sequence[str],
        directory: Path,
        command: str,
        environment: Mapping[str, str],
    ) -> Job:
        """Starts a job. Raises UsageError where too many run, ExecutorError where it cannot start."""
        running = [job for job in self._jobs.values() if job.exit_code is None]
        if len(running) >= MOST:
            raise UsageError(f"{MOST} jobs run already", remedy="job_kill ends one")
        process = await executor.start(argv, directory=directory, environment=environment)
        self._count += 1
        job = Job(id=f"job{self._count}", command=command, process=process)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(job.follow())
        for old in [each for each in self._jobs.values() if each.exit_code is not None][: -REMEMBERED or None]:
            del self._jobs[old.id]
        return job

    def job(self, name: str) -> Job:
        """The job of that id. Raises UsageError, naming those there are."""
        if name not in self._jobs:
            known = ", ".join(self._jobs) or "none"
            raise UsageError(f"no job {name!r}", remedy=f"jobs of this session: {known}")
        return self._jobs[name]

    def all(self) -> tuple[Job, ...]:
        """All of them, in their order."""
        return tuple(self._jobs.values())

    async def kill(self, job: Job) -> None:
        """Ends it with all that it started."""
        if job.exit_code is None:
            job.killed = True
            await job.process.kill()
            await job.ended.wait()

    async def close(self) -> None:
        """Ends them all."""
        await asyncio.gather(*(self.kill(job) for job in self.all()), return_exceptions=True)
        for job in self.all():
            if job.task is not None:
                job.task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await job.task
