"""What the model is told of each tool."""

from __future__ import annotations

from collections.abc import Mapping

from codetether import JSON, AgentSpec, ToolDefinition

HOUR = 3600.0
MOST_CALLS = 20
"""Calls of one batch."""
DESCRIBED = 300
"""Characters of the description of an agent."""
STATES = ("pending", "in_progress", "completed", "cancelled")
_NOTHING: dict[str, JSON] = {"type": "object", "properties": {}, "additionalProperties": False}

TODO_WRITE = ToolDefinition(
    name="todo_write",
    description=(
        "Keeps the list of what is to be done, in place of the former list. Use it for work of three steps or more: "
        "one entry is in_progress, and each is marked completed as soon as it is done."
    ),
    schema={
        "type": "object",
        "properties": {
            "todos": {
                "type": "array",
                "maxItems": 100,
                "description": "The whole list, in order.",
                "items": {
                    "type": "object",
                    "properties": {
                        "content": {"type": "string", "minLength": 1, "maxLength": 500},
                        "status": {"enum": list(STATES)},
                    },
                    "required": ["content", "status"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["todos"],
        "additionalProperties": False,
    },
    effects=(),
    idempotent=True,
    concurrent=False,
    timeout=10.0,
)
TODO_READ = ToolDefinition(
    name="todo_read",
    description="Shows the list of what is to be done, as todo_write left it, each entry with its state.",
    schema=_NOTHING,
    effects=(),
    concurrent=False,
    timeout=10.0,
)
PLAN_ENTER = ToolDefinition(
    name="plan_enter",
    description=(
        "Begins planning: from now on only reading is possible, until the user approves a plan. Use it when the user "
        "wants to see a plan first, or when the work is large and what is wanted is open."
    ),
    schema=_NOTHING,
    effects=(),
    concurrent=False,
    timeout=10.0,
)
PLAN_EXIT = ToolDefinition(
    name="plan_exit",
    description=(
        "Gives the finished plan to the user, who approves it or says what is wrong. Where nobody can be asked, it "
        "is the answer. Only for plans of work to do, not for what was found out."
    ),
    schema={
        "type": "object",
        "properties": {
            "plan": {
                "type": "string",
                "minLength": 1,
                "maxLength": 50_000,
                "description": "The plan in Markdown: steps, files, risks, how it will be tested.",
            }
        },
        "required": ["plan"],
        "additionalProperties": False,
    },
    effects=(),
    concurrent=False,
    timeout=HOUR,
)
BATCH = ToolDefinition(
    name="batch",
    description=(
        f"Makes up to {MOST_CALLS} tool calls at once, each judged by itself; those that only read run together, the "
        "others in order. Results have the order of the calls. Not for batch, task, question and the tools of planning."
    ),
    schema={
        "type": "object",
        "properties": {
            "calls": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_CALLS,
                "description": "The calls, in order.",
                "items": {
                    "type": "object",
                    "properties": {
                        "tool": {"type": "string", "minLength": 1},
                        "arguments": {"type": "object"},
                    },
                    "required": ["tool"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["calls"],
        "additionalProperties": False,
    },
    timeout=HOUR,
)
SKILL = ToolDefinition(
    name="skill",
    description=(
        "Shows the instructions of a skill by its name, and which files belong to it; with `file`, one of those files. "
        "The system prompt lists the skills that there are."
    ),
    schema={
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "description": "The skill."},
            "file": {"type": "string", "minLength": 1, "description": "One of its files, as they are listed."},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    effects=("read",),
    timeout=30.0,
)
MEMORY = ToolDefinition(
    name="memory",
    description=(
        "Notes that later sessions are given: of this project, or of the user for all projects. Note only what will "
        "help again and stands nowhere in the files: how things are run here, what the user prefers. No secrets."
    ),
    schema={
        "type": "object",
        "properties": {
            "action": {"enum": ["view", "add", "replace", "delete"], "description": "What to do."},
            "scope": {"enum": ["project", "user"], "default": "project", "description": "Whose notes."},
            "note": {
                "type": "string",
                "minLength": 1,
                "maxLength": 2000,
                "description": "The note to add, or to put in place of the old one.",
            },
            "old": {
                "type": "string",
                "minLength": 1,
                "description": "To replace or delete: words that stand in exactly one note.",
            },
        },
        "required": ["action"],
        "additionalProperties": False,
    },
    effects=("read", "write"),
    timeout=30.0,
)


def task(agents: Mapping[str, AgentSpec]) -> ToolDefinition:
    """The tool task, for the agents that there are."""
    known = "".join(f"\n- {name}: {_described(agents[name])}" for name in sorted(agents)) or " none"
    return ToolDefinition(
        name="task",
        description=(
            "Gives a piece of work to a subagent, which does it by itself and answers once. It knows nothing of this "
            "conversation: say all that it must know, and what its answer must hold. Several calls in one response run "
            f"at the same time. It may do no more than you. Its agents:{known}"
        ),
        schema={
            "type": "object",
            "properties": {
                "prompt": {"type": "string", "minLength": 1, "description": "The work, with all that it needs."},
                "agent": {
                    **({"enum": sorted(agents)} if agents else {"type": "string"}),
                    "description": "Who does it.",
                },
                "max_steps": {"type": "integer", "minimum": 1, "description": "Responses that it may take at most."},
                "max_seconds": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds at most."},
                "max_tokens": {"type": "integer", "minimum": 1, "description": "Tokens at most, in and out together."},
            },
            "required": ["prompt", "agent"],
            "additionalProperties": False,
        },
        concurrent=True,
        timeout=HOUR,
    )


def _described(agent: AgentSpec) -> str:
    text = agent.description or "no description"
    return text if len(text) <= DESCRIBED else f"{text[:DESCRIBED]}…"
