"""What the model is told of the shell tools; their code is loaded by their first call."""

from __future__ import annotations

from collections.abc import Sequence

from codetether import ToolDefinition

from codetether_tools_shell.examples import examples

DEFAULT_TIMEOUT = 120.0
LONGEST_TIMEOUT = 600.0
LONGEST_WAIT = 600.0

BASH = ToolDefinition(
    name="bash",
    description=(
        "Runs a shell command in the workspace and returns its output and exit code. Use it for git, tests, builds "
        "and other programs; to read, search or change files use the tools made for that. Nothing can be typed while "
        "it runs. A `cd` inside the workspace holds for the next command, variables do not. Whatever it leaves running "
        "in the background ends with it; a server or a long build is started with `background`."
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
            "background": {
                "type": "boolean",
                "default": False,
                "description": "Return at once with the id of a job, for job_output and job_kill. No timeout counts.",
            },
        },
        "required": ["command"],
        "additionalProperties": False,
    },
    effects=("read", "write", "execute", "network"),
    examples=examples("bash"),
    timeout=LONGEST_TIMEOUT + 10,
)
EXEC = ToolDefinition(
    name="exec",
    description=(
        "Runs a program with its arguments, without a shell: nothing is quoted, expanded or piped. Returns its output "
        "and exit code."
    ),
    schema={
        "type": "object",
        "properties": {
            "argv": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string"},
                "description": 'The program, then each argument, e.g. `["git", "status"]`.',
            },
            "timeout": BASH.schema["properties"]["timeout"],
        },
        "required": ["argv"],
        "additionalProperties": False,
    },
    effects=("read", "write", "execute", "network"),
    timeout=LONGEST_TIMEOUT + 10,
)
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


def with_secrets(definition: ToolDefinition, names: Sequence[str]) -> ToolDefinition:
    """The same tool where there are secrets to name; without any, the very same object."""
    if not names:
        return definition
    from attrs import evolve

    secrets = {
        "type": "array",
        "items": {"type": "string", "enum": list(names)},
        "description": "Secrets that the command gets as environment variables of these names; you never see them.",
    }
    properties = {**definition.schema["properties"], "secrets": secrets}
    return evolve(definition, schema={**definition.schema, "properties": properties})
