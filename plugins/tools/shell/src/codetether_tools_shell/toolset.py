"""The shell tools of one session, which share where it stands and what it runs in the background.

The code of each is loaded by its first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from codetether import DeferredTool, Tool

from codetether_tools_shell import definitions

if TYPE_CHECKING:
    from codetether_tools_shell.jobs import Jobs
    from codetether_tools_shell.place import Place


class ShellTools:
    """The tools of this plugin; what runs in the background ends when this is left."""

    def __init__(self, directory: Path, secrets: Sequence[str] = ()) -> None:
        self._directory = directory
        self._secrets = secrets
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> ShellTools:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    async def tools(self) -> Sequence[Tool]:
        """bash, exec, job_output, job_kill."""
        return (
            DeferredTool(definitions.with_secrets(definitions.BASH, self._secrets), self._bash),
            DeferredTool(definitions.with_secrets(definitions.EXEC, self._secrets), self._exec),
            DeferredTool(definitions.JOB_OUTPUT, self._job_output),
            DeferredTool(definitions.JOB_KILL, self._job_kill),
        )

    @cached_property
    def _place(self) -> Place:
        from codetether_tools_shell.place import Place

        return Place(self._directory)

    @cached_property
    def _jobs(self) -> Jobs:
        from codetether_tools_shell.jobs import Jobs

        jobs = Jobs()
        self._closing.push_async_callback(jobs.close)
        return jobs

    def _bash(self) -> Tool:
        from codetether_tools_shell.bash import Bash

        return Bash(self._place, self._jobs, self._secrets)

    def _exec(self) -> Tool:
        from codetether_tools_shell.bash import Exec

        return Exec(self._place, self._secrets)

    def _job_output(self) -> Tool:
        from codetether_tools_shell.job_tools import JobOutput

        return JobOutput(self._jobs)

    def _job_kill(self) -> Tool:
        from codetether_tools_shell.job_tools import JobKill

        return JobKill(self._jobs)
