"""What plugins' objects are given: by the process, by a session, by one tool call."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from codetether.models.completion import CompletionRequest, CompletionResponse
from codetether.models.events import SessionEvent
from codetether.models.record import JSON
from codetether.models.session import Session, SessionResult
from codetether.models.tools import Decision, Mode, Resources, ToolResult

if TYPE_CHECKING:
    from codetether.protocols import Credentials, Executor, Person
    from codetether.settings.settings import CoreSettings
    from codetether.specs import AgentSpec


class PluginContext(Protocol):
    """What a plugin's `create` is given, for as long as the process lives."""

    @property
    def plugin(self) -> str:
        """The plugin's name."""

    @property
    def settings(self) -> Any:
        """`[plugins.NAME]`, structured into the plugin's own class; None where it declared none."""

    @property
    def core(self) -> CoreSettings:
        """The settings of the core, flags merged."""

    @property
    def credentials(self) -> Credentials:
        """Where keys come from."""

    @property
    def state_dir(self) -> Path:
        """A private directory, made when first asked for, mode 0700."""

    @property
    def config_dir(self) -> Path:
        """Where the user's settings are; it may not be there yet."""

    @property
    def cache_dir(self) -> Path:
        """Like `state_dir`, for what can be fetched again."""

    @property
    def log(self) -> logging.Logger:
        """The plugin's own logger; secrets are redacted from it."""

    def notice(self, text: str) -> None:
        """Says one line to the user, once."""

    def trusts(self, path: Path, data: bytes) -> bool:
        """Whether the user trusts this file of a repository with this content (`codetether config trust`)."""


class SessionContext(PluginContext, Protocol):
    """What a session's objects are given."""

    @property
    def session(self) -> Session:
        """The session as it now stands."""

    @property
    def root(self) -> Session:
        """The session that a person prompted: of a subagent the one at the top, else the session itself."""

    @property
    def directory(self) -> Path:
        """The workspace, absolute and resolved."""

    @property
    def agent(self) -> AgentSpec:
        """The session's agent."""

    @property
    def agents(self) -> Mapping[str, AgentSpec]:
        """The agents that work can be given to, by name."""

    @property
    def mode(self) -> Mode:
        """What is allowed without asking at this moment."""

    @property
    def executor(self) -> Executor:
        """Where commands run."""

    @property
    def person(self) -> Person | None:
        """Who can be asked, None where nobody can."""

    def emit(self, event: SessionEvent) -> None:
        """Announces an event to whoever listens to the running prompt."""

    def redact(self, text: str) -> str:
        """The text without secrets: for what a plugin itself writes to disk; what goes through the session is clean."""

    async def remember(self, key: str, value: JSON) -> None:
        """Keeps a value with the session, in its journal."""

    def recall(self, key: str) -> JSON:
        """What was remembered, None where nothing was."""

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        """A metered call to a model; its usage counts for the session."""

    async def restrict(self, mode: Mode | None) -> None:
        """Judges every call by this mode from now on, where it is stricter than the session's own; None ends that.

        It is kept with the session. A mode that the user asks for when the session is opened again ends it too.
        """

    async def delegate(
        self,
        prompt: str,
        *,
        agent: str = "build",
        model: str | None = None,
        tools: Sequence[str] | None = None,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
    ) -> SessionResult:
        """A subagent: a session of its own, whose tools, mode, permissions and limits are never wider than this one's.

        It has its own journal, its events come as SubagentEvent, its usage counts here too, and it ends with this call.
        Its model is the given one, else the agent's, else this session's; it takes no more than its agent may. At most
        8 work at once, the others wait; a subagent may have subagents, three deep. `text` of the result is its last
        answer. Raises UsageError where it is too deep, SettingsError for an unknown agent.
        """


class ToolContext(SessionContext, Protocol):
    """What one tool call is given."""

    @property
    def call_id(self) -> str:
        """The call's id."""

    def progress(self, text: str) -> None:
        """Shows more of the output while the tool runs."""

    async def permitted(self, resources: Resources) -> Decision:
        """Judges what the running call comes to touch besides what it declared; without `allow`, leave it alone."""

    async def secrets(self, names: Sequence[str], *, command: str = "", host: str = "") -> Mapping[str, str]:
        """The variables for the command, or the headers for the host, with the values of secrets of `[secrets]`.

        A tool names them in its `resources` too, so that the question comes before the call; what it did not name is
        judged now. Audited. Raises UsageError for a secret that is not meant for this, or not permitted,
        CredentialError where no source has it. The values go nowhere else, and never into arguments of a command.
        """

    async def call(self, calls: Sequence[tuple[str, Mapping[str, JSON]]]) -> Sequence[ToolResult]:
        """Runs other tools' calls, (name, arguments), as if the model had made them: each is judged and recorded.

        Those that only read run together, the others in order. The results have the order of the calls. Raises
        UsageError within a call that was made so itself.
        """
