"""Which plugins there are: those installed, by their entry points, and those that a program hands over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn

from codetether.errors import PluginError
from codetether.plugins.altered import altered
from codetether.plugins.boundary import reason_of
from codetether.values import frozen

GROUP = "codetether"


def _untouched() -> None:
    """Nobody recorded anything."""


@frozen(kw_only=True)
class Candidate:
    """A plugin that could be loaded: where it comes from, and how to get its module.

    Attributes:
        ours: in core's own box. given: a program handed it over, so the environment's choice does not concern it.
        altered: the first of its files that is not what was installed, None where all are.
    """

    name: str
    load: Callable[[], Any]
    distribution: str = ""
    version: str = ""
    module: str = ""
    ours: bool = False
    given: bool = False
    altered: Callable[[], str | None] = _untouched


def normalised(name: str) -> str:
    """A name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def in_process(plugin: Any) -> Candidate:
    """A module (or object) that is there already.

    Named by `__codetether_name__`, else by the last word of its module that is not `plugin`.
    """
    module = str(getattr(plugin, "__name__", type(plugin).__name__))
    words = [word for word in module.split(".") if word != "plugin"] or [module]
    return Candidate(
        name=str(getattr(plugin, "__codetether_name__", words[-1])), load=lambda: plugin, module=module, given=True
    )


def installed() -> list[Candidate]:
    """The entry points of the group `codetether`, by name and distribution; nothing is imported."""
    return sorted(_found(), key=lambda c: (c.name, c.distribution))


def _found() -> Iterator[Candidate]:
    for point in _points():
        try:
            distribution, version = _identity(point.dist) if point.dist else ("", "")
        except Exception as error:  # metadata that cannot be read: the plugin is listed with the reason
            distribution, version = "", ""
            load: Callable[[], Any] = partial(_refuse, f"its metadata cannot be read: {reason_of(error)}")
        else:
            load = point.load
        yield Candidate(
            name=point.name,
            load=load,
            distribution=str(distribution),
            version=str(version),
            module=point.value,
            altered=partial(altered, point.dist, point.value) if distribution else _untouched,
        )


def _identity(distribution: Any) -> tuple[str, str]:
    """Name and version, from the head of the metadata where it is plain: parsing all of it costs more than the rest."""
    head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    found = dict(re.findall(r"^(Name|Version): *(\S+) *$", head, re.MULTILINE))
    return (found["Name"], found["Version"]) if len(found) == 2 else (distribution.name, distribution.version)


def _points() -> Iterator[Any]:
    """All entry points of the group; a distribution whose list of them cannot be read costs no other its own."""
    import importlib_metadata

    try:
        yield from importlib_metadata.entry_points(group=GROUP)
        return
    except Exception:  # one list is broken, and the call above does not say whose: each is read by itself
        pass
    seen = set()
    for distribution in importlib_metadata.distributions():
        try:
            points = distribution.entry_points.select(group=GROUP)
            name = normalised(distribution.name)
        except Exception as error:  # the very one; nothing says whether it holds plugins, so it is listed
            where = str(getattr(distribution, "_path", "?")).rpartition("/")[2]
            yield _Unreadable(name=where, reason=reason_of(error))
            continue
        if name not in seen:
            seen.add(name)
            yield from points


@frozen(kw_only=True)
class _Unreadable:
    """Stands in for the entry points of a distribution that cannot be read."""

    name: str
    reason: str
    dist: None = None

    @property
    def value(self) -> str:
        return ""

    def load(self) -> NoReturn:
        _refuse(f"its entry points cannot be read: {self.reason}")


def _refuse(reason: str) -> NoReturn:
    raise PluginError(reason)
