"""The plugins under test: installed ones by name, or objects of this process."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from codetether.errors import UsageError
from codetether.plugins.contracts import YIELDS
from codetether.plugins.discovery import Candidate, in_process, installed
from codetether.plugins.entry_points import normalised
from codetether.plugins.loaded import LoadedPlugins, PluginInfo
from codetether.runtime import builtin_plugins
from codetether.specs import SettingsSpec
from codetether.testing.trials import GROUP, Trials


@frozen(kw_only=True)
class Subject:
    """A plugin under test.

    Attributes:
        locator: how another process finds it: `module`, or `module:attribute/key`; empty where none can.
        info: how it loaded. records: what its hooks yielded, as (kind, record).
    """

    name: str
    locator: str
    info: PluginInfo
    records: tuple[tuple[str, Any], ...]
    trials: Trials

    @property
    def package(self) -> str:
        """The package of its modules; empty where no other process finds it."""
        module = self.locator.partition(":")[0]
        return module.rpartition(".")[0] or module

    @property
    def settings(self) -> type[Any] | None:
        """The class of its settings."""
        return next((record.cls for kind, record in self.records if kind == "settings"), None)


class Everyone:
    """Every plugin is wanted."""

    allow = only = None
    block: Sequence[str] = ()
    altered = "ignore"


def subject(plugin: Any, *, locator: str = "", trials: Trials | None = None) -> Subject:
    """A module, or an object with hooks, as a plugin under test; it may bring `__codetether_trials__`."""
    module = plugin.__name__ if hasattr(plugin, "__file__") else ""
    told = trials or getattr(plugin, "__codetether_trials__", None) or Trials()
    return _loaded(in_process(plugin), locator or module, told)


def located(locator: str) -> Any:
    """The object at `module:attribute/key`."""
    module, _, path = locator.partition(":")
    found: Any = importlib.import_module(module)
    for word in filter(None, path.split("/")):
        found = found[word] if isinstance(found, Mapping) else getattr(found, word)
    return found


def candidates() -> list[Candidate]:
    """All plugins that can be tried by name: those in core's own box, and those that are installed."""
    return [*builtin_plugins(), *installed()]


def installed_subjects(names: Iterable[str] = ()) -> list[Subject]:
    """The plugins of these names, all unless some are given. Raises UsageError for a name that nobody has."""
    wanted = {normalised(name): name for name in names}
    found = [c for c in candidates() if not wanted or normalised(c.name) in wanted]
    missing = wanted.keys() - {normalised(c.name) for c in found}
    if missing:
        there = ", ".join(sorted(c.name for c in candidates()))
        remedy = f"install it, e.g. by `pip install -e .` where it is made; there are: {there}"
        raise UsageError(f"no plugin {wanted[missing.pop()]!r} is installed", remedy=remedy)

    told = _told()
    return [_loaded(c, c.module, told.get(normalised(c.name)) or Trials()) for c in found]


def _told() -> dict[str, Trials]:
    import importlib_metadata

    return {normalised(point.name): point.load() for point in importlib_metadata.entry_points(group=GROUP)}


def _loaded(candidate: Candidate, locator: str, trials: Trials) -> Subject:
    plugins = LoadedPlugins()
    try:
        plugins.load([candidate], Everyone())
        records: list[tuple[str, Any]] = []
        for hook, kind in sorted(YIELDS.items(), key=lambda pair: pair[1] is not SettingsSpec):
            records += [(hook.removeprefix("codetether_"), provided.record) for provided in plugins.collect(kind)]
    finally:
        plugins.close()
    info = plugins.plugins[0]
    return Subject(name=info.name, locator=locator, info=info, records=tuple(records), trials=trials)
