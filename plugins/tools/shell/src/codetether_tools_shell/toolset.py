"""The shell tools of one session, which share where it stands and what it runs in the background."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from codetether import Tool

from codetether_tools_shell.bash import Bash, Exec
from codetether_tools_shell.job_tools import JobKill, JobOutput
from codetether_tools_shell.jobs import Jobs
from codetether_tools_shell.place import Place


class ShellTools:
    """The tools of this plugin; what runs in the background ends when this is left."""

    def __init__(self, directory: Path, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets
        self._place = Place(directory)
        self._jobs = Jobs()

    async def __aenter__(self) -> ShellTools:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._jobs.close()

    async def tools(self) -> Sequence[Tool]:
        """bash, exec, job_output, job_kill."""
        return (
            Bash(self._place, self._jobs, self._secrets),
            Exec(self._place, self._secrets),
            JobOutput(self._jobs),
            JobKill(self._jobs),
        )
