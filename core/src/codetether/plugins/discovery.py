"""Which plugins there are: those installed, by their entry points, and those that a program hands over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn

from codetether._version import __version__
from codetether.errors import PluginError
from codetether.plugins.altered import altered
from codetether.plugins.boundary import reason_of
from codetether.plugins.entry_points import entry_points
from codetether.plugins.fitting import unfit
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
    for point in entry_points(GROUP):
        load: Callable[[], Any] = point.load
        distribution, version = "", ""
        try:
            if point.dist:
                head = (point.dist.read_text("METADATA") or "").partition("\n\n")[0]
                distribution, version = _identity(point.dist, head)
                if why := unfit(head, __version__):
                    load = partial(_refuse, why)
        except Exception as error:  # metadata that cannot be read: the plugin is listed with the reason
            load = partial(_refuse, f"its metadata cannot be read: {reason_of(error)}")
        yield Candidate(
            name=point.name,
            load=load,
            distribution=str(distribution),
            version=str(version),
            module=point.value,
            altered=partial(altered, point.dist, point.value) if distribution else _untouched,
        )


def _identity(distribution: Any, head: str) -> tuple[str, str]:
    """Name and version, from the head of the metadata where it is plain: parsing all of it costs more than the rest."""
    found = dict(re.findall(r"^(Name|Version): *(\S+) *$", head, re.MULTILINE))
    return (found["Name"], found["Version"]) if len(found) == 2 else (distribution.name, distribution.version)


def _refuse(reason: str) -> NoReturn:
    raise PluginError(reason)
