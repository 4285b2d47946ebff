"""The entry points of a group: read at once from plain lists in directories, by importlib_metadata wherever else."""

from __future__ import annotations

import importlib.machinery
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from codetether.errors import PluginError

METADATA = (".dist-info", ".egg-info")
NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
"""What importlib_metadata, too, takes for no file."""


def normalised(name: str) -> str:
    """A name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Distribution:
    """One that looks like importlib_metadata's, which is asked only for what takes more than reading a file."""

    def __init__(self, path: str) -> None:
        """`path`: the directory of its metadata."""
        self._path = path

    def read_text(self, name: str) -> str | None:
        """A file of its metadata; None where there is none."""
        try:
            return Path(self._path, name).read_text(encoding="utf-8")
        except NOT_THERE:
            return None

    def locate_file(self, path: str) -> Path:
        """A file that its RECORD names."""
        return Path(self._path).parent / path

    def __getattr__(self, name: str) -> Any:
        import importlib_metadata

        return getattr(importlib_metadata.Distribution.at(self._path), name)


class EntryPoint(NamedTuple):
    """One of a plain list, that looks like importlib_metadata's: its value names a module, and nothing within it."""

    name: str
    value: str
    dist: Distribution

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
            plain = _plain(distribution, group) if isinstance(distribution, Distribution) else None
            yield from distribution.entry_points.select(group=group) if plain is None else plain
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


def _directories() -> Iterator[tuple[str, Distribution]]:
    """Each distribution, with its name."""
    for place in sys.path:
        try:
            found = list(os.scandir(place or "."))
        except OSError:  # nothing can be imported from there either
            continue
        for entry in found:
            if entry.name.lower().endswith(METADATA):
                yield normalised(entry.name.rpartition(".")[0].partition("-")[0]), Distribution(entry.path)


def _distributions() -> Iterator[tuple[str, Any]]:
    import importlib_metadata

    for distribution in importlib_metadata.distributions():
        try:
            name = normalised(distribution.name)
        except Exception:  # without metadata it is told by its place alone
            name = str(getattr(distribution, "_path", id(distribution)))
        yield name, distribution


def _plain(distribution: Distribution, group: str) -> list[EntryPoint] | None:
    """Those of a list that is plain; None where it is not."""
    text, within, lines = distribution.read_text("entry_points.txt") or "", False, []
    if f"[{group}]" not in text:
        return []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            within = line == f"[{group}]"
        elif within and line and not line.startswith("#"):
            lines.append(re.fullmatch(r"([^=]*[^=\s])\s*=\s*([A-Za-z_][\w.]*)", line))
    points = [EntryPoint(name=found[1], value=found[2], dist=distribution) for found in lines if found]
    return points if len(points) == len(lines) else None
