"""The Python API: opens the plugins, the store and the sinks, and makes sessions of them."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field

from codetether import specs
from codetether.agents import Agents
from codetether.catalog import Catalog
from codetether.credentials import Chain
from codetether.errors import CodetetherError, PluginError, UnknownModel, UsageError
from codetether.models.completion import ModelRef
from codetether.models.providers import Availability, Provider
from codetether.models.tools import Mode, ToolDefinition
from codetether.permissions.approvals import Approvals, approvals_of
from codetether.plugins.boundary import BROKEN, reason_of
from codetether.plugins.contracts import YIELDS
from codetether.plugins.discovery import Candidate, in_process, installed
from codetether.plugins.life import created, entered
from codetether.plugins.loaded import LoadedPlugins
from codetether.protocols import ModelStore, Person, Wire
from codetether.record.archiving import Archiving
from codetether.record.redact import Redactor
from codetether.record.sinks import AuditTrail
from codetether.session.contexts import ContextFactory
from codetether.session.definitions import Definitions
from codetether.session.opening import Opening, open_session
from codetether.session.pacing import Paces
from codetether.session.running import RunningSession
from codetether.session.workplace import offered_tools
from codetether.settings.settings import Settings, load_settings, looks_secret
from codetether.storage.disk import Disk
from codetether.storage.store import Store
from codetether.values import define
from codetether.wiring import Wiring, learn_secrets, own_settings

if TYPE_CHECKING:
    from codetether.session.foreign import ForeignSessions

BLOCK_ONE = "block one: [plugins] block"
_LATER = (specs.SessionFormatSpec, specs.SlashCommandSpec)
"""What plugins are asked for where it is used; for all else at the start, which tells what is wrong with it."""
BUILTIN = ("agents", "credentials", "executor", "policy", "prompts", "question", "selection")
Notify = Callable[[str, str], None]
"""Told (source, text): one line for the user."""


def say(source: str, text: str) -> None:
    """The default for notices: one line on standard error."""
    sys.stderr.write(f"codetether: {source}: {text}\n" if source else f"codetether: {text}\n")


def builtin_plugins() -> list[Candidate]:
    """The plugins in core's own box."""
    return [
        Candidate(
            name=name,
            load=partial(import_module, f"codetether.builtin.{name}"),
            module=f"codetether.builtin.{name}",
            distribution="codetether-core",
            ours=True,
        )
        for name in BUILTIN
    ]


@define(kw_only=True)
class Runtime:
    """Everything that is assembled, for as long as the process works.

    Attributes:
        settings: as merged. plugins: what was found, loaded, refused. sessions: the store.
        redactor: the secrets that are known by now. archiving: what stores sealed event files elsewhere.
        approvals: what was allowed for longer than once.
    """

    settings: Settings
    plugins: LoadedPlugins
    sessions: Store
    redactor: Redactor
    audit: AuditTrail
    archiving: Archiving
    catalog: Catalog
    credentials: Chain
    contexts: ContextFactory
    approvals: Approvals
    person: Person | None
    directory: Path
    notify: Notify
    _stack: AsyncExitStack
    _wires: dict[str, Wire] = field(factory=dict)
    paces: Paces = field(factory=Paces)
    definitions: Definitions = field(factory=Definitions)
    _closed: bool = False
    _foreign: ForeignSessions | None = None
    _archives: bool = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Mapping[str, Any] | Settings | None = None,
        *,
        plugins: Sequence[Any] = (),
        directory: Path | str | None = None,
        person: Person | None = None,
        strict: bool = False,
        on_notice: Notify | None = None,
    ) -> AsyncIterator[Runtime]:
        """Loads what is installed and opens the store.

        Args:
            settings: a mapping like the TOML, laid over the files and the environment; or settings already read.
            plugins: modules of this process, registered beside the installed ones.
            directory: where the work is; the current directory by default.
            person: who can be asked; nobody by default, and then what would be asked is denied.
            strict: every report about a plugin is raised.
            on_notice: told (source, text) of what the user should know; by default a line on standard error.

        Raises SettingsError, RequiredPluginMissing, StorageError.
        """
        place = Path(directory or Path.cwd()).resolve()
        merged = settings if isinstance(settings, Settings) else load_settings(place, overrides=settings)
        redactor = redactor_of(merged)
        notify = once(_without_secrets(on_notice or say, redactor))
        async with AsyncExitStack() as stack:
            stack.enter_context(redactor.logs())
            loaded = LoadedPlugins(strict=strict)
            stack.callback(loaded.close)
            chosen = merged.core.plugins
            loaded.load(
                [*builtin_plugins(), *installed(), *map(in_process, plugins)],
                attrs.evolve(chosen, block=(*chosen.block, *chosen.not_)),
            )
            runtime = await _assemble(cls, merged, loaded, stack, place, person, notify, redactor)
            for notice in merged.notices:
                notify("settings", notice)
            runtime.say_problems()
            for info, problem in loaded.problems():
                detail = {"hook": problem.hook, "error": problem.reason}
                await runtime.audit.record("plugin", f"plugin:{info.name}", "failure", detail=detail)
            try:
                yield runtime
            except BaseException as error:
                redactor.clean(error)
                raise
            finally:
                runtime._closed = True

    def say_problems(self) -> None:
        """Tells the user, once each, which plugin broke which promise."""
        for info, problem in self.plugins.problems():
            hook = f" ({problem.hook})" if problem.hook else ""
            self.notify("plugins", f"{info.name}{hook}: {problem.reason}")

    @asynccontextmanager
    async def session(
        self,
        id: str | None = None,  # noqa: A002 - the word of the field
        *,
        model: str | None = None,
        directory: Path | str | None = None,
        agent: str | None = None,
        mode: Mode | None = None,
        allow: Sequence[str] = (),
        max_steps: int | None = None,
        max_seconds: float | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
    ) -> AsyncIterator[RunningSession]:
        """Opens a session: the one of that id, or a new one.

        Args:
            model: `provider/model`, a provider, or a model of the preferred provider; the session's own by default.
            allow: tools and effects that are allowed without asking.
            max_steps, max_seconds, max_tokens, max_cost: what each prompt may take, with its subagents; the cost in US
                dollars. One that takes more ends with the status `limit`, and the next goes on from there.

        Raises SessionNotFound, SessionLocked, UnknownModel, NoProviderAvailable, RequiredPluginMissing.
        """
        if self._closed:
            raise UsageError("this runtime is closed", remedy="open one: async with Runtime.open(…) as runtime")
        wanted = Opening(
            id=id,
            model=model,
            directory=Path(directory).resolve() if directory else None,
            agent=agent,
            mode=mode,
            allow=(allow,) if isinstance(allow, str) else tuple(allow),
            max_steps=max_steps,
            max_seconds=max_seconds,
            max_tokens=max_tokens,
            max_cost=max_cost,
        )
        await self._start_archiving()
        async with AsyncExitStack() as stack:
            stack.callback(self.archiving.wake)
            yield await open_session(self, wanted, stack)

    async def _start_archiving(self) -> None:
        if not self._archives:
            self._archives = True
            await self.archiving.start()
            self._stack.push_async_callback(self.archiving.close)  # after all sessions, before the archives' own end

    async def providers(self) -> list[Availability]:
        """Every provider, with the reason where it cannot be used."""
        return await self.catalog.availability()

    async def resolve(self, wish: str | None) -> ModelRef:
        """The model that a wish means."""
        return await self.catalog.resolve(wish)

    def agents(self) -> dict[str, specs.AgentSpec]:
        """Those that can be used, by name: of the settings, the user's files, the plugins, a trusted repository."""
        return self.agents_here.all()

    @property
    def agents_here(self) -> Agents:
        """The agents that there are, and the files that describe them."""
        return Agents(settings=self.settings, plugins=self.plugins, directory=self.directory)

    def agent(self, name: str) -> specs.AgentSpec:
        """The agent of that name. Raises SettingsError where there is none, PluginError where two plugins have one."""
        return self.agents_here.one(name)

    def model_stores(self) -> dict[str, ModelStore]:
        """The providers that keep model files on this machine, by name."""
        return {
            p.record.name: p.record.store(self.contexts.process(p.plugin))
            for p in self.plugins.collect(specs.ProviderSpec)
            if p.record.store is not None
        }

    async def tools(self, directory: Path | str | None = None) -> list[ToolDefinition]:
        """The tools that a session in the directory would be offered. No session is made."""
        return await offered_tools(self, Path(directory).resolve() if directory else self.directory)

    @property
    def foreign(self) -> ForeignSessions:
        """The sessions of other products on this machine."""
        if self._foreign is None:
            from codetether.session.foreign import ForeignSessions

            self._foreign = ForeignSessions(
                plugins=self.plugins,
                contexts=self.contexts,
                store=self.sessions,
                stack=self._stack,
                audit=self.audit,
            )
        return self._foreign

    async def wire(self, name: str) -> Wire:
        """The wire format of that name, created when first asked for."""
        if name in self._wires:
            return self._wires[name]
        found = [p for p in self.plugins.collect(specs.WireSpec) if p.record.name == name]
        if not found:
            raise UnknownModel(f"no plugin speaks the wire format {name!r}", remedy="codetether plugins")
        if len(found) > 1:
            owners = " and ".join(p.plugin for p in found)
            raise PluginError(f"the wire format {name!r} is offered by {owners}", remedy=BLOCK_ONE)
        owner = found[0].plugin
        try:
            wire: Wire = await created(self._stack, found[0].record, self.contexts.process(owner))
        except BROKEN as error:  # it was chosen, so nothing can go on without it: the error names it
            self.plugins.report(owner, f"create of {name}", error)
            raise PluginError(f"the wire {name!r} of the plugin {owner} could not start: {reason_of(error)}") from error
        self._wires[name] = wire
        return wire

    async def connect(self, provider: Provider, stack: AsyncExitStack) -> Any:
        """A connection to the provider that lives as long as the stack."""
        wire = await self.wire(provider.wire)
        try:
            connection = await wire.connect(provider)
            return await entered(stack, connection, f"the connection to {provider.name}", partial(self.notify, ""))
        except CodetetherError:
            raise
        except BROKEN as error:  # a wire that fails otherwise than it promised: the error names it
            what = f"the wire {provider.wire!r} could not connect to {provider.name}: {reason_of(error)}"
            raise PluginError(what) from error


def once(notify: Notify) -> Notify:
    """The same, but each line only once."""
    said: set[tuple[str, str]] = set()

    def tell(source: str, text: str) -> None:
        if (source, text) not in said:
            said.add((source, text))
            notify(source, text)

    return tell


def _without_secrets(notify: Notify, redactor: Redactor) -> Notify:
    return lambda source, text: notify(source, redactor.text(text))


def redactor_of(settings: Settings) -> Redactor:
    """Knows the environment's secrets by their names, and how others look unless the settings leave that out."""
    shapes = None
    if settings.core.redaction.unknown:
        from codetether.record.search import ShapeSearch
        from codetether.record.shapes import shapes as all_shapes

        shapes = ShapeSearch(all_shapes())
    redactor = Redactor(shapes)
    for name, value in os.environ.items():
        if looks_secret((name,)) and not (value.isalpha() or value.isdigit() or value.startswith(("/", "~"))):
            redactor.add(value, name)
    return redactor


async def _assemble(
    cls: type[Runtime],
    settings: Settings,
    loaded: LoadedPlugins,
    stack: AsyncExitStack,
    directory: Path,
    person: Person | None,
    notify: Notify,
    redactor: Redactor,
) -> Runtime:
    """Settings, plugins, credential sources, audit; wires and sessions come when they are needed."""
    contexts = ContextFactory(
        core=settings.core,
        credentials=Chain(()),
        directories=settings.directories,
        notify=notify,
        sections=own_settings(settings, loaded, notify),
    )
    learn_secrets(contexts.sections, redactor)
    wiring = Wiring(settings=settings, plugins=loaded, contexts=contexts, stack=stack, redactor=redactor, notify=notify)
    contexts.credentials = credentials = await wiring.credentials()
    audit = await wiring.audit()
    catalog = await wiring.catalog(credentials)
    for kind in YIELDS.values():
        if kind not in _LATER:
            loaded.collect(kind)
    disk = Disk()
    stack.push_async_callback(disk.close)
    store = await stack.enter_async_context(Store(settings.directories.data, disk, redactor))
    return cls(
        settings=settings,
        plugins=loaded,
        sessions=store,
        redactor=redactor,
        audit=audit,
        archiving=Archiving(wiring.event_archives, partial(notify, "events")),
        catalog=catalog,
        credentials=credentials,
        contexts=contexts,
        approvals=Approvals(directory=approvals_of(settings.directories.state)),
        person=person,
        directory=directory,
        notify=notify,
        stack=stack,
    )
