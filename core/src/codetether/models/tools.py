"""Tools: what the model is offered, what a call may touch, what was decided, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from attrs import field

from codetether.models.approvals import ApprovalRequest
from codetether.models.messages import FilePart, ImagePart, TextPart
from codetether.models.record import JSON, Unknown
from codetether.values import frozen

Effect = Literal["read", "write", "execute", "network"]
Verdict = Literal["allow", "ask", "deny"]
Mode = Literal["plan", "default", "edit", "auto", "unsafe"]


@frozen(kw_only=True)
class ToolExample:
    """A request in a user's words, and the arguments of the call that answers it."""

    prompt: str
    arguments: Mapping[str, JSON]


@frozen(kw_only=True)
class ToolDefinition:
    """What a model is told of a tool, and what we must know of it.

    Attributes:
        name: `[A-Za-z0-9_-]{1,64}`.
        schema: JSON schema of the arguments, an object's.
        effects: what a call can do at most; `("read",)` alone runs unasked, and beside others.
        idempotent: running it twice is the same as once, so a resumed session may run it again.
        interactive: needs a person to answer; hidden where there is none.
        concurrent: whether a call may run beside others; None for those that only read.
        examples: for models that need help, and for documentation.
        timeout: seconds after which a call is stopped.
    """

    name: str
    description: str
    schema: Mapping[str, JSON]
    effects: tuple[Effect, ...] = ("read", "write", "execute", "network")
    idempotent: bool = False
    interactive: bool = False
    concurrent: bool | None = None
    examples: tuple[ToolExample, ...] = ()
    timeout: float = 600.0

    @property
    def read_only(self) -> bool:
        """Whether it changes nothing and reaches nobody."""
        return all(effect == "read" for effect in self.effects)


@frozen(kw_only=True)
class ToolCall:
    """A validated call: `arguments` is the parsed object that the schema accepted."""

    id: str
    name: str
    arguments: Mapping[str, JSON]


@frozen(kw_only=True)
class Resources:
    """What one call touches, derived by the tool from its arguments before anything happens.

    Attributes:
        reads, writes: paths as spelled; the policy resolves them against the workspace.
        commands: shell text, or argv joined by `shlex.join`.
        hosts: names or addresses, with a port where one is given.
        secrets: names of `[secrets]` whose values the commands, or the hosts, are given.
        effects: of this very call; None means those of the definition.
        calls: other tools' calls, (name, arguments), that it will make: each is judged by itself when it is made.
        preview: what a person should see before saying yes, e.g. a diff.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    effects: tuple[Effect, ...] | None = None
    calls: tuple[tuple[str, Mapping[str, JSON]], ...] = ()
    preview: str = ""


@frozen(kw_only=True)
class PermissionRequest:
    """What a permission policy judges.

    Attributes:
        directory: the workspace, absolute and resolved.
        mode: the session's mode.
        confined: commands of the call are run by an executor that was seen to confine them in every way.
        subagent: the agent that makes the call for the session; empty where the session makes it itself.
    """

    call: ToolCall
    definition: ToolDefinition
    resources: Resources
    directory: Path
    mode: Mode
    session_id: str = ""
    confined: bool = False
    subagent: str = ""

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The effects of this very call."""
        return self.definition.effects if self.resources.effects is None else self.resources.effects


@frozen(kw_only=True)
class Decision:
    """A verdict with its grounds.

    Attributes:
        rule: the rule that decided, as written, e.g. `mode default: execute asks`.
        source: the policy, or the layer of settings, that holds the rule.
        reason: one sentence for the model and the user.
    """

    verdict: Verdict
    rule: str = ""
    source: str = ""
    reason: str = ""


@frozen(kw_only=True)
class Question:
    """What a person is asked: a text, and the answers to choose from (none: free text).

    Attributes:
        approval: what would happen, where it is a yes that is asked for. The choices are then `no`, which any other
            answer and none mean too, and the scopes that a yes may have: `once`, `session`, `always`.
        request: the same as policies judged it.
    """

    text: str
    choices: tuple[str, ...] = ()
    request: PermissionRequest | None = None
    approval: ApprovalRequest | None = None


@frozen(kw_only=True)
class Answer:
    """A person's answer: one of the choices, or free text.

    Attributes:
        reason: why not, for the model.
        by: who gave it, for the audit trail, e.g. `ann@desk`.
    """

    text: str
    reason: str = ""
    by: str = ""


@frozen(kw_only=True)
class Completed:
    """A finished command: its exit code (negative: the signal), what it wrote, whether time ran out.

    Attributes:
        left_behind: processes that it started outlived it, and were ended.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    left_behind: bool = False


@frozen(kw_only=True)
class ConfinementProperty:
    """One thing that confinement keeps commands from, and what trying it showed.

    Attributes:
        detail: what was seen, or why it could not be tried.
    """

    name: str
    state: Literal["enforced", "not", "unknown"]
    detail: str = ""


@frozen(kw_only=True)
class Confinement:
    """How an executor confines commands, as a trial of it showed.

    Attributes:
        backend: what confines them, e.g. `bubblewrap`.
        remedy: what would enforce the properties that are missing.
    """

    backend: str
    properties: tuple[ConfinementProperty, ...] = ()
    remedy: str = ""

    @property
    def complete(self) -> bool:
        """Whether every property was seen to be enforced."""
        return bool(self.properties) and all(each.state == "enforced" for each in self.properties)

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of those that were not."""
        return tuple(each.name for each in self.properties if each.state != "enforced")


@frozen(kw_only=True)
class ToolResult:
    """What a tool gives back.

    Attributes:
        success: the flag that counts; the text is never read for it.
        metadata: for screens and records (`diff`, `path`, `exit_code`), not for the model.
        answer: ends the turn: the agent's answer, instead of another response of the model. Not where the answer has to
            fit a schema.
    """

    content: tuple[TextPart | ImagePart | FilePart | Unknown, ...] = ()
    success: bool = True
    metadata: Mapping[str, JSON] = field(factory=dict)
    answer: str = ""

    @property
    def output(self) -> str:
        """The text parts joined by newlines."""
        return "\n".join(p.text for p in self.content if isinstance(p, TextPart))


def text_result(text: str, *, success: bool = True, **metadata: JSON) -> ToolResult:
    """A result of one text."""
    return ToolResult(content=(TextPart(text=text),), success=success, metadata=metadata)


def error_result(what: str, **metadata: JSON) -> ToolResult:
    """A failed result: `Error: <what>`."""
    return text_result(f"Error: {what}", success=False, **metadata)
