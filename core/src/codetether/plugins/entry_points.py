"""The entry points of a group: read at once from plain lists in directories, by importlib_metadata wherever else."""

from __future__ import annotations

import importlib.machinery
import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from codetether.errors import PluginError

METADATA = (".dist-info", ".egg-info")
NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
"""What importlib_metadata, too, takes for no list."""


def normalised(name: str) -> str:
    """A name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class EntryPoint(NamedTuple):
    """One of a plain list, that looks like importlib_metadata's. `info`: the directory of its distribution's metadata.

    A value is plain that names a module and nothing within it.
    """

    name: str
    value: str
    info: str

    @property
    def dist(self) -> Any:
        """The distribution, as importlib_metadata knows it."""
        import importlib_metadata

        return importlib_metadata.Distribution.at(self.info)

    def load(self) -> Any:
        """Imports the module."""
        return import_module(self.value)


class Unreadable(NamedTuple):
    """Stands in for the entry points of a distribution whose list of them cannot be read."""

    name: str
    error: Exception
    dist: None = None
    value: str = ""

    def load(self) -> NoReturn:
        """Raises PluginError, with the reason."""
        from codetether.plugins.boundary import reason_of

        raise PluginError(f"its entry points cannot be read: {reason_of(self.error)}")


def entry_points(group: str) -> Iterator[Any]:
    """All of a group, in the order of `sys.path`; of two distributions with one name the first one's.

    To read 200 distributions through importlib_metadata takes as long as the rest of a start.
    """
    seen: set[str] = set()
    for name, distribution in _directories() if _only_directories() else _distributions():
        if name in seen:
            continue
        seen.add(name)
        try:
            if not isinstance(distribution, str):
                yield from distribution.entry_points.select(group=group)
            elif (text := _list_of(distribution)) is not None and f"[{group}]" in text:
                yield from _read(distribution, text, group)
        except Exception as error:  # the very one; nothing says whether it holds plugins, so it is listed
            where = str(getattr(distribution, "_path", distribution))
            yield Unreadable(name=Path(where).name, error=error)


def _only_directories() -> bool:
    """Whether what is installed lies in directories alone: no archive, no egg, no finder that has its own."""
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_distributions"))
    known = ("importlib_metadata", importlib.machinery.PathFinder.__module__)
    if any(getattr(finder, "__module__", type(finder).__module__) not in known for finder in finders):
        return False
    return not any(place.lower().endswith(".egg") or Path(place).is_file() for place in sys.path)


def _directories() -> Iterator[tuple[str, str]]:
    """Name and directory of each distribution's metadata."""
    for place in sys.path:
        try:
            found = list(os.scandir(place or "."))
        except OSError:  # nothing can be imported from there either
            continue
        for entry in found:
            if entry.name.lower().endswith(METADATA):
                yield normalised(entry.name.rpartition(".")[0].partition("-")[0]), entry.path


def _distributions() -> Iterator[tuple[str, Any]]:
    import importlib_metadata

    for distribution in importlib_metadata.distributions():
        try:
            name = normalised(distribution.name)
        except Exception:  # without metadata it is told by its place alone
            name = str(getattr(distribution, "_path", id(distribution)))
        yield name, distribution


def _list_of(info: str) -> str | None:
    try:
        return Path(info, "entry_points.txt").read_text(encoding="utf-8")
    except NOT_THERE:
        return None


def _read(info: str, text: str, group: str) -> Iterable[Any]:
    within, plain = False, []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            within = line == f"[{group}]"
        elif within and line and not line.startswith("#"):
            plain.append(re.fullmatch(r"([^=]*[^=\s])\s*=\s*([A-Za-z_][\w.]*)", line))
    points = [EntryPoint(name=found[1], value=found[2], info=info) for found in plain if found]
    if len(points) == len(plain):
        return points
    import importlib_metadata

    return importlib_metadata.Distribution.at(info).entry_points.select(group=group)
