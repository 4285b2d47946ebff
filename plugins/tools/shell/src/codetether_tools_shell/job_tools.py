"""The tools job_output and job_kill: what a command in the background writes, and its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolDefinition, ToolResult, text_result

from codetether_tools_shell.jobs import Job, Jobs

LONGEST_WAIT = 600.0
_JOB = {"type": "string", "minLength": 1, "description": "The id that bash gave, e.g. `job1`."}
JOB_OUTPUT = ToolDefinition(
    name="job_output",
    description=(
        "Shows what a background job has written since the last look, and whether it still runs; without a job, lists "
        "the jobs of this session."
    ),
    schema={
        "type": "object",
        "properties": {
            "job": {**_JOB},
            "wait": {
                "type": "number",
                "minimum": 0,
                "maximum": LONGEST_WAIT,
                "default": 0,
                "description": "Seconds to wait for the end of the job.",
            },
        },
        "additionalProperties": False,
    },
    effects=("read",),
    timeout=LONGEST_WAIT + 10,
)
JOB_KILL = ToolDefinition(
    name="job_kill",
    description="Ends a background job with all that it started, and shows the rest of its output.",
    schema={"type": "object", "properties": {"job": {**_JOB}}, "required": ["job"], "additionalProperties": False},
    effects=("execute",),
    idempotent=True,
    timeout=30.0,
)


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
