"""The tools job_output and job_kill: what a command in the background writes, and its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolResult, text_result

from codetether_tools_shell.definitions import JOB_KILL, JOB_OUTPUT
from codetether_tools_shell.jobs import Job, Jobs


class JobOutput:
    """Looks at jobs."""

    definition = JOB_OUTPUT

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing but the session's own jobs."""
        return Resources(effects=())

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The new output and the state; of all jobs the states."""
        name = call.arguments.get("job")
        if name is None:
            rows = [f"{job.id}  {job.status}  {job.command}" for job in self._jobs.all()]
            return text_result("\n".join(rows) or "no background jobs in this session")
        job = self._jobs.job(str(name))
        if job.exit_code is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(float(call.arguments.get("wait", 0)) or 0.001):
                    await job.ended.wait()
        return _shown(job)


class JobKill:
    """Ends jobs."""

    definition = JOB_KILL

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing but what the session itself started with permission."""
        return Resources(effects=())

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """How it ended."""
        job = self._jobs.job(str(call.arguments["job"]))
        await self._jobs.kill(job)
        return _shown(job)


def _shown(job: Job) -> ToolResult:
    output = job.fresh().rstrip("\n")
    return text_result(f"{output or '(no new output)'}\n[{job.id}: {job.status}]", exit_code=job.exit_code)
