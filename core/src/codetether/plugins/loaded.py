"""Plugins: found through entry points, loaded one by one, asked one by one, each failure named and contained."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from types import ModuleType
from typing import Any, Generic, Literal, Protocol, TypeVar

import pluggy
from attrs import field

from codetether import hookspecs, specs
from codetether.errors import PluginError, RequiredPluginMissing
from codetether.plugins import boundary
from codetether.plugins.boundary import Limiter, Outcome, plain, reason_of
from codetether.plugins.contracts import YIELDS, check_record
from codetether.plugins.discovery import Candidate
from codetether.plugins.entry_points import normalised
from codetether.plugins.guarded import replaced, watched
from codetether.values import define, frozen

RECORD_LIMIT = 10_000
"""Records that one hook of one plugin may yield."""

R = TypeVar("R")
Status = Literal["loaded", "failed", "blocked", "not_allowed"]


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

    @property
    def altered(self) -> str:
        """What happens to one whose files were changed: `warn`, `refuse` or `ignore`."""
        ...


class _Hooks(pluggy.PluginManager):
    """Finds marked functions by their mark alone, for a tenth of the cost: properties may run here."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """The mark of `hookimpl`, None where there is none."""
        mark = getattr(getattr(plugin, name, None), "codetether_impl", None)
        return mark if isinstance(mark, dict) else None


class LoadedPlugins:
    """The plugins of a process, and what their hooks yield."""

    def __init__(
        self, *, strict: bool = False, import_limit: float | None = None, hook_limit: float | None = None
    ) -> None:
        """`strict`: every report is raised. The limits are in seconds; None for those of the house."""
        self.plugins: list[PluginInfo] = []
        self._strict = strict
        self._import_limit = boundary.IMPORT_LIMIT if import_limit is None else import_limit
        self._hook_limit = boundary.HOOK_LIMIT if hook_limit is None else hook_limit
        self._limiter = Limiter()
        self._manager = _Hooks(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._collected: dict[str, list[Provided[Any]]] = {}

    def load(self, candidates: Iterable[Candidate], wanted: Wanted) -> None:
        """Loads those that are wanted, in their order; the others are listed with the reason."""
        found, chosen = list(candidates), []
        refused = [_refusal(candidate, wanted) for candidate in found]
        at_hand = [candidate for candidate, status in zip(found, refused, strict=True) if status is None]
        names = Counter(normalised(candidate.name) for candidate in at_hand)
        for candidate, status in zip(found, refused, strict=True):
            info = PluginInfo(
                name=plain(candidate.name, 100),
                distribution=plain(candidate.distribution, 100),
                version=plain(candidate.version, 100),
                module=plain(candidate.module, 200),
                status=status or "loaded",
            )
            self.plugins.append(info)
            if info.status != "loaded":
                continue
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", candidate.name):
                self._fail(info, "its name is not made of ASCII letters, digits, '.', '_' and '-'")
            elif names[normalised(candidate.name)] > 1 and not candidate.ours:
                twins = [c for c in at_hand if c is not candidate and normalised(c.name) == normalised(candidate.name)]
                others = ", ".join(plain(c.distribution or c.module, 100) for c in twins)
                remedy = "it needs another" if any(c.ours for c in twins) else "uninstall one of them"
                self._fail(info, f"the name {candidate.name!r} is also used by {others}; {remedy}")
            elif not self._is_altered(info, candidate, wanted.altered):
                chosen.append((info, candidate))
        self._load(chosen)

    def _is_altered(self, info: PluginInfo, candidate: Candidate, said: str) -> bool:
        """Whether a file of it was changed since it was installed and it is refused for that; else that is told.

        Those that came with codetether are compared only where a change is refused: it takes some milliseconds.
        """
        if said == "ignore" or (said == "warn" and normalised(candidate.distribution).startswith("codetether-")):
            return False
        try:
            path = candidate.altered()
        except Exception as error:  # metadata that cannot be read proves nothing
            path = f"its RECORD ({reason_of(error)})"
        if path is None:
            return False
        what = f"{plain(path, 200)} is not what was installed (codetether plugins verify)"
        if said == "refuse":
            self._fail(info, what)
            return True
        self._report(info, "", what)
        return False

    def _load(self, chosen: Sequence[tuple[PluginInfo, Candidate]]) -> None:
        imports = [partial(_imported, candidate) for _, candidate in chosen]
        imported = self._limiter.run_each(imports, self._import_limit)
        entries = [partial(self._enter, c, outcome) for (_, c), outcome in zip(chosen, imported, strict=True)]
        entered = self._limiter.run_each(entries, self._hook_limit)
        for (info, candidate), first, second in zip(chosen, imported, entered, strict=True):
            info.seconds = first.seconds + second.seconds
            try:
                plugin, touched = second.get()
            except PluginError as error:
                self._unregister(candidate.name)
                self._fail(info, error.message)
                continue
            self._check_hooks(info, plugin)
            for name in touched:
                self._report(info, "", f"it replaced {name}, which others rely on; nothing fences a plugin in")

    def _enter(self, candidate: Candidate, imported: Outcome) -> tuple[Any, list[str]]:
        """Registers what was imported; the plugin, with the names of what it replaced."""
        (plugin, touched), before = imported.get(), watched()
        self._manager.register(plugin, candidate.name)
        return plugin, [*touched, *replaced(before)]

    def _check_hooks(self, info: PluginInfo, plugin: Any) -> None:
        hooks = set()
        for caller in self._manager.get_hookcallers(plugin) or ():
            for impl in (i for i in caller.get_hookimpls() if i.plugin is plugin):
                if caller.name not in YIELDS:
                    if not impl.optionalhook:
                        near = "".join(f"; did you mean {name}?" for name in _like(caller.name))
                        self._report(info, caller.name, f"this hook is unknown to this version of codetether{near}")
                elif impl.wrapper or impl.hookwrapper:
                    self._report(info, caller.name, "hook wrappers are refused")
                else:
                    hooks.add(caller.name)
        info.hooks = tuple(sorted(hooks))
        if not hooks and not info.problems:
            self._report(info, "", "it has no hook: mark functions named codetether_… with @codetether.hookimpl")

    def collect(self, kind: type[R]) -> list[Provided[R]]:
        """What the plugins yield of this kind of record, plugin by plugin in the order of their names, asked once."""
        hook = next(name for name, cls in YIELDS.items() if cls is kind)
        if hook not in self._collected:
            infos = sorted((p for p in self.plugins if hook in p.hooks), key=lambda p: p.name)
            asked = self._limiter.run_each([partial(self._ask, info.name, hook) for info in infos], self._hook_limit)
            self._collected[hook] = [
                Provided(plugin=info.name, record=item)
                for info, outcome in zip(infos, asked, strict=True)
                for item in self._sound(info, hook, kind, outcome)
            ]
        return self._collected[hook]

    def _ask(self, name: str, hook: str) -> list[Any]:
        plugin = self._manager.get_plugin(name)
        impls = (i for i in getattr(self._manager.hook, hook).get_hookimpls() if i.plugin is plugin)
        return [item for i in impls if not (i.wrapper or i.hookwrapper) for item in _records(i.function)]

    def _sound(self, info: PluginInfo, hook: str, kind: type[R], outcome: Outcome) -> list[R]:
        """The records that a plugin's hook yielded; none where it broke its promise, which is listed."""
        info.hook_seconds[hook] = outcome.seconds
        try:
            records: list[R] = outcome.get()
            for item in records:
                check_record(item, kind)
            if kind is specs.SettingsSpec and len(records) > 1:
                raise PluginError(f"yielded {len(records)} classes of settings, and a plugin has one")
        except PluginError as error:
            if kind is specs.SettingsSpec:
                self._drop(info)
            self._report(info, hook, error.message)
            return []
        return records

    def drop(self, plugin: str, hook: str, error: BaseException) -> None:
        """Lists what went wrong, and asks none of the plugin's hooks from now on: without its settings it is not it."""
        for info in self.plugins:
            if info.name == plugin and info.status == "loaded":
                self._drop(info)
                self._report(info, hook, reason_of(error))

    def report(self, plugin: str, hook: str, error: BaseException) -> None:
        """Lists what went wrong with an object that a plugin's record made."""
        for info in self.plugins:
            if info.name == plugin and info.status == "loaded":
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

    def _drop(self, info: PluginInfo) -> None:
        info.status = "failed"
        info.hooks = ()

    def _fail(self, info: PluginInfo, reason: str) -> None:
        info.status = "failed"
        self._report(info, "", reason)

    def _report(self, info: PluginInfo, hook: str, reason: str) -> None:
        problem = Problem(hook=hook, reason=reason)
        if problem not in info.problems:
            info.problems.append(problem)
        if self._strict:
            raise PluginError(f"plugin {info.name}{', hook ' + hook if hook else ''}: {reason}")

    def _unregister(self, name: str) -> None:
        if self._manager.has_plugin(name):
            with contextlib.suppress(ValueError, AssertionError):
                self._manager.unregister(name=name)


def _like(name: str) -> list[str]:
    """The hook that may have been meant: what all hooks begin with makes none alike."""
    from difflib import get_close_matches

    hooks = {hook.removeprefix("codetether_"): hook for hook in YIELDS}
    return [hooks[near] for near in get_close_matches(name.removeprefix("codetether_"), hooks, 1)]


def _imported(candidate: Candidate) -> tuple[Any, list[str]]:
    """The plugin, with the names of what it replaced."""
    before = watched()
    plugin = candidate.load()
    if not (candidate.given or isinstance(plugin, ModuleType)):
        raise PluginError(f"its entry point {plain(candidate.module, 200)!r} is no module")
    return plugin, replaced(before)


def _records(function: Callable[[], Any]) -> list[Any]:
    """What a hook yields. Raises PluginError where that is nothing to iterate over, or has no end."""
    made = function()
    if inspect.iscoroutine(made):
        made.close()
        raise PluginError("is an async function; a hook is a plain one")
    if not hasattr(made, "__iter__"):
        raise PluginError(f"returned {type(made).__name__}, nothing that yields records")
    records = list(islice(made, RECORD_LIMIT + 1))
    if len(records) > RECORD_LIMIT:
        raise PluginError(f"yielded more than {RECORD_LIMIT} records")
    return records


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
