"""Plugins: found through entry points, loaded one by one, asked one by one, each failure named and contained."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from types import ModuleType
from typing import Any, Generic, Literal, Protocol, TypeVar

import attrs
import pluggy
from attrs import define, field, frozen

from codetether import hookspecs, specs
from codetether.errors import PluginError, RequiredPluginMissing

GROUP = "codetether"
IMPORT_LIMIT = 5.0
"""Seconds that a plugin may take to import."""
HOOK_LIMIT = 10.0
"""Seconds that one hook of one plugin may take."""
RECORD_LIMIT = 10_000
"""Records that one hook of one plugin may yield."""

T = TypeVar("T")
R = TypeVar("R")
Status = Literal["loaded", "failed", "blocked", "not_allowed"]

YIELDS: dict[str, type[Any]] = {
    "codetether_settings": specs.SettingsSpec,
    "codetether_wires": specs.WireSpec,
    "codetether_providers": specs.ProviderSpec,
    "codetether_model_defaults": specs.ModelDefaults,
    "codetether_selectors": specs.SelectorSpec,
    "codetether_agents": specs.AgentSpec,
    "codetether_tools": specs.ToolsetSpec,
    "codetether_tool_filters": specs.ToolFilterSpec,
    "codetether_prompt_sections": specs.PromptSectionSpec,
    "codetether_tool_call_routers": specs.RouterSpec,
    "codetether_context_policies": specs.ContextPolicySpec,
    "codetether_permission_policies": specs.PolicySpec,
    "codetether_executors": specs.ExecutorSpec,
    "codetether_credential_sources": specs.CredentialSourceSpec,
    "codetether_audit_sinks": specs.AuditSinkSpec,
    "codetether_event_sinks": specs.EventSinkSpec,
    "codetether_session_formats": specs.SessionFormatSpec,
}
"""What each hook must yield."""


@frozen(kw_only=True)
class Problem:
    """A broken promise: the hook (empty: at import) and the reason, in one line."""

    hook: str
    reason: str


@define(kw_only=True)
class PluginInfo:
    """A plugin as it was found and loaded. `seconds` of import; `hook_seconds` by hook."""

    name: str
    distribution: str = ""
    version: str = ""
    module: str = ""
    status: Status = "loaded"
    seconds: float = 0.0
    hooks: tuple[str, ...] = ()
    hook_seconds: dict[str, float] = field(factory=dict)
    problems: list[Problem] = field(factory=list)

    @property
    def whole(self) -> bool:
        """Whether it loaded, and no hook of it failed."""
        return self.status == "loaded" and not self.problems


@frozen(kw_only=True)
class Provided(Generic[R]):
    """A record with the plugin that yielded it."""

    plugin: str
    record: R


class Wanted(Protocol):
    """The settings that choose plugins: names are compared by PEP 503."""

    @property
    def allow(self) -> Sequence[str] | None:
        """Only these; None for all."""
        ...

    @property
    def block(self) -> Sequence[str]:
        """Never these."""
        ...

    @property
    def only(self) -> Sequence[str] | None:
        """Only these, as the environment says; None for all."""
        ...


@frozen(kw_only=True)
class Candidate:
    """A plugin that could be loaded: where it comes from, and how to get its module.

    Attributes:
        ours: in core's own box. given: a program handed it over, so the environment's choice does not concern it.
    """

    name: str
    load: Callable[[], Any]
    distribution: str = ""
    version: str = ""
    module: str = ""
    ours: bool = False
    given: bool = False


def normalised(name: str) -> str:
    """A name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def in_process(plugin: Any) -> Candidate:
    """A module (or object) that is there already; named by `__codetether_name__`, else by its last word."""
    module = getattr(plugin, "__name__", type(plugin).__name__)
    name = getattr(plugin, "__codetether_name__", module.rpartition(".")[2])
    return Candidate(name=name, load=lambda: plugin, module=module, given=True)


def installed() -> list[Candidate]:
    """The entry points of the group `codetether`, by name and distribution."""
    import importlib_metadata

    found = [
        Candidate(
            name=point.name,
            load=point.load,
            distribution=point.dist.name if point.dist else "",
            version=point.dist.version if point.dist else "",
            module=point.value,
        )
        for point in importlib_metadata.entry_points(group=GROUP)
    ]
    return sorted(found, key=lambda c: (c.name, c.distribution))


class Limiter:
    """Runs calls on a daemon thread, for a limited time; a call that hangs is abandoned with its thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] | None = None

    def run(self, call: Callable[[], T], limit: float) -> T:
        """The call's value. Raises PluginError that names what the call raised, or that `limit` seconds passed."""
        done = threading.Event()
        outcome: list[T] = []
        failure: list[BaseException] = []

        def job() -> None:
            # The plugin boundary, the one place where even SystemExit is caught: the caller reports it.
            try:
                outcome.append(call())
            except BaseException as error:
                failure.append(error)
            done.set()

        if self._jobs is None:
            self._jobs = queue.SimpleQueue()
            threading.Thread(target=_work, args=(self._jobs,), name="codetether-plugins", daemon=True).start()
        self._jobs.put(job)
        if not done.wait(limit):
            self._jobs = None
            raise PluginError(f"took longer than {limit:g} s; abandoned")
        if failure:
            raise PluginError(reason_of(failure[0])) from failure[0]
        return outcome[0]

    def close(self) -> None:
        """Ends the thread."""
        if self._jobs is not None:
            self._jobs.put(_stop)
            self._jobs = None


def _stop() -> None:
    raise SystemExit


def _work(jobs: queue.SimpleQueue[Callable[[], None]]) -> None:
    while True:
        job = jobs.get()
        if job is _stop:
            return
        job()


def reason_of(error: BaseException) -> str:
    """One line that names an exception."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class LoadedPlugins:
    """The plugins of a process, and what their hooks yield."""

    def __init__(
        self, *, strict: bool = False, import_limit: float = IMPORT_LIMIT, hook_limit: float = HOOK_LIMIT
    ) -> None:
        self.plugins: list[PluginInfo] = []
        self._strict = strict
        self._limits = (import_limit, hook_limit)
        self._limiter = Limiter()
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._collected: dict[str, list[Provided[Any]]] = {}

    def load(self, candidates: Iterable[Candidate], wanted: Wanted) -> None:
        """Loads those that are wanted, one by one; the others are listed with the reason."""
        found = list(candidates)
        count: dict[str, list[Candidate]] = {}
        for candidate in found:
            count.setdefault(normalised(candidate.name), []).append(candidate)
        for candidate in found:
            info = PluginInfo(
                name=candidate.name,
                distribution=candidate.distribution,
                version=candidate.version,
                module=candidate.module,
            )
            self.plugins.append(info)
            refusal = _refusal(candidate, wanted)
            if refusal is not None:
                info.status = refusal
                continue
            twins = [c for c in count[normalised(candidate.name)] if c is not candidate]
            if twins and not candidate.ours:
                others = ", ".join(c.distribution or c.module for c in twins)
                self._fail(info, f"the name {candidate.name!r} is also used by {others}; uninstall one, or block it")
            elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", candidate.name):
                self._fail(info, "its name is not made of ASCII letters, digits, '.', '_' and '-'")
            else:
                self._load_one(info, candidate)

    def _load_one(self, info: PluginInfo, candidate: Candidate) -> None:
        began = time.perf_counter()
        try:
            plugin = self._limiter.run(lambda: self._register(candidate), self._limits[0])
        except PluginError as error:
            self._unregister(candidate.name)
            self._fail(info, error.message)
            return
        finally:
            info.seconds = time.perf_counter() - began
        self._check_hooks(info, plugin)

    def _register(self, candidate: Candidate) -> Any:
        plugin = candidate.load()
        if candidate.distribution and not isinstance(plugin, ModuleType):
            raise TypeError(f"its entry point {candidate.module!r} is no module")
        self._manager.register(plugin, candidate.name)
        return plugin

    def _check_hooks(self, info: PluginInfo, plugin: Any) -> None:
        hooks = []
        for caller in self._manager.get_hookcallers(plugin) or ():
            impl = next(i for i in caller.get_hookimpls() if i.plugin is plugin)
            if caller.name not in YIELDS:
                if not impl.optionalhook:
                    self._report(info, caller.name, "this hook is unknown to this version of codetether")
            elif impl.wrapper or impl.hookwrapper:
                self._report(info, caller.name, "hook wrappers are refused")
            else:
                hooks.append(caller.name)
        info.hooks = tuple(sorted(hooks))
        if not hooks and not info.problems:
            self._report(info, "", "it has no hook: mark functions named codetether_… with @codetether.hookimpl")

    def collect(self, kind: type[R]) -> list[Provided[R]]:
        """What the plugins yield of this kind of record, plugin by plugin in the order of their names, asked once."""
        hook = next(name for name, cls in YIELDS.items() if cls is kind)
        if hook not in self._collected:
            infos = sorted((p for p in self.plugins if hook in p.hooks), key=lambda p: p.name)
            self._collected[hook] = [provided for info in infos for provided in self._ask(info, hook, kind)]
        return self._collected[hook]

    def _ask(self, info: PluginInfo, hook: str, kind: type[R]) -> list[Provided[R]]:
        plugin = self._manager.get_plugin(info.name)
        function = next(i for i in getattr(self._manager.hook, hook).get_hookimpls() if i.plugin is plugin).function
        began = time.perf_counter()
        try:
            records = self._limiter.run(lambda: list(islice(function(), RECORD_LIMIT)), self._limits[1])
            for item in records:
                _check_record(item, kind)
        except PluginError as error:
            self._report(info, hook, error.message)
            return []
        finally:
            info.hook_seconds[hook] = time.perf_counter() - began
        return [Provided(plugin=info.name, record=item) for item in records]

    def report(self, plugin: str, hook: str, error: BaseException) -> None:
        """Lists what went wrong with an object that a plugin's record made."""
        info = next((p for p in self.plugins if p.name == plugin), None)
        if info is not None:
            self._report(info, hook, reason_of(error))

    def problems(self) -> list[tuple[PluginInfo, Problem]]:
        """All broken promises so far."""
        return [(info, problem) for info in self.plugins for problem in info.problems]

    def check_required(self, names: Sequence[str]) -> None:
        """Raises RequiredPluginMissing unless each was loaded whole."""
        for name in names:
            found = [p for p in self.plugins if normalised(p.name) == normalised(name)]
            if any(p.whole for p in found):
                continue
            why = "; ".join(problem.reason for p in found for problem in p.problems)
            why = why or (found[0].status.replace("_", " ") if found else "not installed")
            raise RequiredPluginMissing(
                f"the required plugin {name!r} is not there whole: {why}",
                remedy="`codetether plugins` shows all; this setting is [plugins] required",
            )

    def close(self) -> None:
        """Ends the thread that hooks run on."""
        self._limiter.close()

    def _fail(self, info: PluginInfo, reason: str) -> None:
        info.status = "failed"
        self._report(info, "", reason)

    def _report(self, info: PluginInfo, hook: str, reason: str) -> None:
        info.problems.append(Problem(hook=hook, reason=reason))
        if self._strict:
            raise PluginError(f"plugin {info.name}{', hook ' + hook if hook else ''}: {reason}")

    def _unregister(self, name: str) -> None:
        if self._manager.has_plugin(name):
            with contextlib.suppress(ValueError, AssertionError):
                self._manager.unregister(name=name)


def _refusal(candidate: Candidate, wanted: Wanted) -> Status | None:
    name = normalised(candidate.name)
    if name in map(normalised, wanted.block):
        return "blocked"
    if candidate.ours:
        return None
    for allowed in (wanted.allow, None if candidate.given else wanted.only):
        if allowed is not None and name not in map(normalised, allowed):
            return "not_allowed"
    return None


def _check_record(item: Any, kind: type[Any]) -> None:
    """Raises PluginError for a record that is not of the kind that the hook must yield."""
    if not isinstance(item, kind):
        raise PluginError(f"yielded {type(item).__name__}, not {kind.__name__}")
    for attribute in attrs.fields(kind):
        value = getattr(item, attribute.name)
        if attribute.name == "name" and not (isinstance(value, str) and value):
            raise PluginError(f"yielded a {kind.__name__} without a name")
        if attribute.name == "create" and not callable(value):
            raise PluginError(f"yielded {kind.__name__} {item.name!r} whose `create` cannot be called")
