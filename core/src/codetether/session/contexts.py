"""What plugins' objects are given: the contexts of the process, of a session, of one tool call."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import field

from codetether.errors import UsageError
from codetether.models.completion import CompletionRequest, CompletionResponse
from codetether.models.events import SessionEvent, ToolCallOutput
from codetether.models.record import JSON
from codetether.models.session import Remembered, Session, SessionResult
from codetether.models.tools import Decision, Resources
from codetether.protocols import Credentials, Executor, Person
from codetether.settings.core import CoreSettings
from codetether.settings.settings import Directories
from codetether.specs import AgentSpec
from codetether.storage.durable import private_directory
from codetether.values import define

if TYPE_CHECKING:
    from codetether.storage.journal import Journal


def _nobody_listens(event: SessionEvent) -> None:
    """Before the session is open, events have no reader."""


async def _nobody_judges(resources: Resources) -> Decision:
    """Outside of a session's calls nothing more is permitted."""
    return Decision(verdict="deny", rule="no permission policy", reason="nobody judges it here")


def _not_open(*args: object, **kwargs: object) -> NoReturn:
    raise UsageError("the session is not open yet, or only lists its tools")


@define(kw_only=True)
class ProcessContext:
    """A PluginContext."""

    plugin: str
    settings: Any
    core: CoreSettings
    credentials: Credentials
    directories: Directories
    notify: Callable[[str, str], None]

    @property
    def state_dir(self) -> Path:
        """The plugin's private directory."""
        return private_directory(self.directories.state / "plugins" / self.plugin)

    @property
    def config_dir(self) -> Path:
        """Where the user's settings are."""
        return self.directories.config

    @property
    def cache_dir(self) -> Path:
        """The plugin's private directory for what can be fetched again."""
        return private_directory(self.directories.cache / self.plugin)

    @property
    def log(self) -> logging.Logger:
        """The plugin's own logger."""
        return logging.getLogger(f"codetether.plugins.{self.plugin}")

    def notice(self, text: str) -> None:
        """Says one line to the user, once."""
        self.notify(self.plugin, text)


@define(kw_only=True)
class Shared:
    """What all contexts of one session hold in common. What needs the whole session is set when it is open."""

    journal: Journal
    directory: Path
    agent: AgentSpec
    person: Person | None
    executor: Executor | None = None
    emit: Callable[[SessionEvent], None] = _nobody_listens
    complete: Callable[[CompletionRequest], Awaitable[CompletionResponse]] = _not_open
    delegate: Callable[..., Awaitable[SessionResult]] = _not_open


@define(kw_only=True)
class SessionPluginContext(ProcessContext):
    """A SessionContext."""

    shared: Shared = field()

    @property
    def session(self) -> Session:
        """The session as it now stands."""
        return self.shared.journal.state.session

    @property
    def directory(self) -> Path:
        """The workspace."""
        return self.shared.directory

    @property
    def agent(self) -> AgentSpec:
        """The session's agent."""
        return self.shared.agent

    @property
    def executor(self) -> Executor:
        """Where commands run."""
        if self.shared.executor is None:
            raise RuntimeError("the executor is being created: it cannot be used yet")
        return self.shared.executor

    @property
    def person(self) -> Person | None:
        """Who can be asked."""
        return self.shared.person

    def emit(self, event: SessionEvent) -> None:
        """Announces an event to whoever listens to the running prompt."""
        self.shared.emit(event)

    async def remember(self, key: str, value: JSON) -> None:
        """Keeps a value with the session."""
        self.shared.journal.append(Remembered(plugin=self.plugin, key=key, value=value))

    def recall(self, key: str) -> JSON:
        """What was remembered."""
        return self.shared.journal.state.memory.get((self.plugin, key))

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        """A metered call to the session's model."""
        return await self.shared.complete(request)

    async def delegate(
        self, prompt: str, *, agent: str = "build", tools: Sequence[str] | None = None, max_steps: int | None = None
    ) -> SessionResult:
        """A child session."""
        return await self.shared.delegate(prompt, agent=agent, tools=tools, max_steps=max_steps)


@define(kw_only=True)
class CallContext(SessionPluginContext):
    """A ToolContext."""

    call_id: str = ""
    judge: Callable[[Resources], Awaitable[Decision]] = _nobody_judges

    async def permitted(self, resources: Resources) -> Decision:
        """What is said of more that the call comes to touch."""
        return await self.judge(resources)

    async def delegate(
        self, prompt: str, *, agent: str = "build", tools: Sequence[str] | None = None, max_steps: int | None = None
    ) -> SessionResult:
        """A child session, which knows that this call asked for it."""
        return await self.shared.delegate(prompt, agent=agent, tools=tools, max_steps=max_steps, call_id=self.call_id)

    def progress(self, text: str) -> None:
        """Shows more of the output while the tool runs."""
        self.shared.emit(ToolCallOutput(call_id=self.call_id, text=text))


@define(kw_only=True)
class ContextFactory:
    """Makes the contexts of a process; `sections` are the plugins' own settings, by plugin."""

    core: CoreSettings
    credentials: Credentials
    directories: Directories
    notify: Callable[[str, str], None]
    sections: Mapping[str, Any] = field(factory=dict)

    def _common(self, plugin: str) -> dict[str, Any]:
        return {
            "plugin": plugin,
            "settings": self.sections.get(plugin),
            "core": self.core,
            "credentials": self.credentials,
            "directories": self.directories,
            "notify": self.notify,
        }

    def process(self, plugin: str) -> ProcessContext:
        """The context of a plugin for the life of the process."""
        return ProcessContext(**self._common(plugin))

    def session(self, plugin: str, shared: Shared) -> SessionPluginContext:
        """The context of a plugin in a session."""
        return SessionPluginContext(**self._common(plugin), shared=shared)

    def call(
        self,
        plugin: str,
        shared: Shared,
        call_id: str,
        judge: Callable[[Resources], Awaitable[Decision]] = _nobody_judges,
    ) -> CallContext:
        """The context of one tool call; `judge` decides about what it comes to touch besides."""
        return CallContext(**self._common(plugin), shared=shared, call_id=call_id, judge=judge)
