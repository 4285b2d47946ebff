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
from codetether.models.tools import Decision, Mode, Resources, ToolResult
from codetether.protocols import Credentials, Executor, Person
from codetether.record.redact import RedactedStream, Redactor
from codetether.session.broker import Broker
from codetether.settings.core import MODES, CoreSettings
from codetether.settings.settings import Directories
from codetether.settings.trust import is_trusted
from codetether.specs import AgentSpec
from codetether.storage.durable import private_directory
from codetether.values import define

if TYPE_CHECKING:
    from codetether.record.trail import AuditTrail
    from codetether.storage.journal import Journal


RESTRICTION = ("core", "restriction")
"""Under this a session remembers by which mode its calls are judged at most."""


def _nobody_listens(event: SessionEvent) -> None:
    """Before the session is open, events have no reader."""


async def _nobody_judges(resources: Resources) -> Decision:
    """Outside of a session's calls nothing more is permitted."""
    return Decision(verdict="deny", rule="no permission policy", reason="nobody judges it here")


def _not_open(*args: object, **kwargs: object) -> NoReturn:
    raise UsageError("the session is not open yet, or only lists its tools")


def narrower(mode: Mode, limit: Mode | None) -> Mode:
    """The stricter of both; None limits nothing."""
    return mode if limit is None else min(mode, limit, key=MODES.index)


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

    def trusts(self, path: Path, data: bytes) -> bool:
        """Whether the user trusts this file with this content."""
        return is_trusted(self.directories.state, path, data)


@define(kw_only=True)
class Shared:
    """What all contexts of one session hold in common. What needs the whole session is set when it is open.

    Attributes:
        mode: the session's own. restriction: what calls are judged by at most, None where nobody restricts them.
        above: of a subagent, what its parent's contexts hold in common.
    """

    journal: Journal
    directory: Path
    agent: AgentSpec
    person: Person | None
    mode: Mode = "default"
    restriction: Mode | None = field()
    above: Shared | None = None
    agents: Callable[[], Mapping[str, AgentSpec]] = dict
    executor: Executor | None = None
    redactor: Redactor = field(factory=Redactor)
    broker: Broker = field(factory=Broker)
    audit: AuditTrail | None = None
    emit: Callable[[SessionEvent], None] = _nobody_listens
    complete: Callable[[CompletionRequest], Awaitable[CompletionResponse]] = _not_open
    delegate: Callable[..., Awaitable[SessionResult]] = _not_open
    call: Callable[..., Awaitable[Sequence[ToolResult]]] = _not_open

    @property
    def depth(self) -> int:
        """How many sessions it works for."""
        return 0 if self.above is None else self.above.depth + 1

    @property
    def root(self) -> Session:
        """The session at the top."""
        return self.journal.state.session if self.above is None else self.above.root

    @restriction.default
    def _kept(self) -> Mode | None:
        kept = self.journal.state.memory.get(RESTRICTION)
        return next((mode for mode in MODES if mode == kept), None)

    def restrict(self, mode: Mode | None) -> None:
        """Keeps another restriction with the session."""
        if mode != self.restriction:
            self.restriction = mode
            self.journal.append(Remembered(plugin=RESTRICTION[0], key=RESTRICTION[1], value=mode))


@define(kw_only=True)
class SessionPluginContext(ProcessContext):
    """A SessionContext."""

    shared: Shared = field()

    @property
    def session(self) -> Session:
        """The session as it now stands."""
        return self.shared.journal.state.session

    @property
    def root(self) -> Session:
        """The session that a person prompted."""
        return self.shared.root

    @property
    def directory(self) -> Path:
        """The workspace."""
        return self.shared.directory

    @property
    def agent(self) -> AgentSpec:
        """The session's agent."""
        return self.shared.agent

    @property
    def agents(self) -> Mapping[str, AgentSpec]:
        """The agents that work can be given to."""
        return self.shared.agents()

    @property
    def mode(self) -> Mode:
        """What is allowed without asking at this moment."""
        return narrower(self.shared.mode, self.shared.restriction)

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
        self.shared.emit(self.shared.redactor.value(event))

    def redact(self, text: str) -> str:
        """The text without secrets."""
        return self.shared.redactor.text(text)

    async def remember(self, key: str, value: JSON) -> None:
        """Keeps a value with the session."""
        self.shared.journal.append(Remembered(plugin=self.plugin, key=key, value=value))

    def recall(self, key: str) -> JSON:
        """What was remembered."""
        return self.shared.journal.state.memory.get((self.plugin, key))

    async def restrict(self, mode: Mode | None) -> None:
        """Judges every call by this mode at most."""
        self.shared.restrict(mode)

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        """A metered call to the session's model."""
        return await self.shared.complete(self.shared.redactor.value(request))

    async def delegate(self, prompt: str, **how: Any) -> SessionResult:
        """A subagent."""
        return await self.shared.delegate(prompt, **how)


@define(kw_only=True)
class CallContext(SessionPluginContext):
    """A ToolContext."""

    call_id: str = ""
    judge: Callable[[Resources], Awaitable[Decision]] = _nobody_judges
    declared: Resources = Resources()
    _shown: RedactedStream | None = None

    async def permitted(self, resources: Resources) -> Decision:
        """What is said of more that the call comes to touch."""
        return await self.judge(resources)

    async def delegate(self, prompt: str, **how: Any) -> SessionResult:
        """A subagent, which knows that this call asked for it."""
        return await self.shared.delegate(prompt, call_id=self.call_id, **how)

    async def call(self, calls: Sequence[tuple[str, Mapping[str, JSON]]]) -> Sequence[ToolResult]:
        """Other tools' calls."""
        return await self.shared.call(self.call_id, calls)

    def progress(self, text: str) -> None:
        """Shows more of the output while the tool runs; an end that may be the beginning of a secret waits."""
        self._shown = self._shown or self.shared.redactor.stream()
        self._emit(self._shown.feed(text))

    def ended(self) -> None:
        """Shows what still waits: no more comes that could make a secret of it."""
        if self._shown is not None:
            self._emit(self._shown.finish())

    def _emit(self, shown: str) -> None:
        if shown:
            self.shared.emit(ToolCallOutput(call_id=self.call_id, text=shown))

    async def secrets(self, names: Sequence[str], *, command: str = "", host: str = "") -> Mapping[str, str]:
        """Variables for the command, or headers for the host."""
        used = Resources(secrets=tuple(names), commands=(command,) * bool(command), hosts=(host,) * bool(host))
        broker = self.shared.broker
        broker.check(used)
        if not set(names) <= set(self.declared.secrets) and (said := await self.judge(used)).verdict != "allow":
            raise UsageError(f"the use of {', '.join(names)} was denied ({said.reason or said.rule})")
        given = await (broker.environment(names) if command else broker.headers(names))
        if (audit := self.shared.audit) is not None:
            detail = {"command" if command else "host": command or host}
            for name in names:
                await audit.record(
                    "auth",
                    f"secret:{name}",
                    "success",
                    session_id=self.session.id,
                    call_id=self.call_id,
                    detail=detail,
                )
        return given


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
        declared: Resources = Resources(),  # noqa: B008 - a value
    ) -> CallContext:
        """The context of one tool call; `judge` decides about what it comes to touch besides what it declared."""
        return CallContext(**self._common(plugin), shared=shared, call_id=call_id, judge=judge, declared=declared)
