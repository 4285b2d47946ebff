"""The files of installed distributions, held against what their wheels recorded."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from attrs import frozen

from codetether.plugins.entry_points import normalised

GROUPS = ("codetether", "codetether.commands")
"""The groups of entry points that codetether looks for."""
HASHES = ("sha256", "sha384", "sha512")
STARTUP = ("sitecustomize.py", "usercustomize.py")
"""Like a `.pth` file at the top of an environment: Python runs them at every start."""

ProblemKind = Literal["changed", "missing", "unrecorded", "outside", "startup", "claimed", "unreadable", "lookalike"]


@frozen(kw_only=True)
class FileProblem:
    """What is wrong with a file or a name."""

    kind: ProblemKind
    what: str
    why: str


@frozen(kw_only=True)
class Verified:
    """What was found of one distribution.

    Attributes:
        plugins: its entry points in codetether's groups. files: how many were compared.
        source: where it was installed from, where that was no index. notes: what one should know, and is no fault.
    """

    name: str
    version: str
    plugins: tuple[str, ...] = ()
    files: int = 0
    editable: bool = False
    source: str = ""
    problems: tuple[FileProblem, ...] = ()
    notes: tuple[str, ...] = ()


@frozen
class Line:
    """A line of RECORD: a path from the root of the environment, and `algorithm=digest` (may be empty)."""

    path: str
    digest: str


class Environment:
    """All installed distributions, the first of each name on the path."""

    def __init__(self) -> None:
        self.distributions: dict[str, Any] = {}
        self.unreadable: list[str] = []
        for distribution, name in _named(self.unreadable):
            self.distributions.setdefault(name, distribution)

    def plugins(self) -> list[Any]:
        """Those that offer something to codetether, and codetether's own, by name."""
        return [found for name, found in sorted(self.distributions.items()) if _concerns_us(name, found)]

    @cached_property
    def owners(self) -> Mapping[str, Mapping[str, str]]:
        """Absolute path -> the distributions that recorded it, each with the digest."""
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for name, distribution in self.distributions.items():
            root = str(root_of(distribution))
            for line in record_of(distribution) or ():
                found[_absolute(root, line.path)][name] = line.digest
        return found

    def verify(self, distribution: Any) -> Verified:
        """Compares each file, looks for others beside them, and tells what else the distribution brings."""
        points = list(distribution.entry_points)
        source, editable = source_of(distribution)
        lines = record_of(distribution)
        problems: list[FileProblem] = []
        if lines is None:
            why = "the distribution has no RECORD, so nothing can be compared"
            problems.append(FileProblem(kind="unreadable", what="RECORD", why=why))
        else:
            problems += _compared(distribution, lines)
            problems += self._strangers(distribution, lines)
            problems += [] if editable else _startup(line.path for line in lines)
            problems += self._claimed(distribution, lines)
        others = [f"{p.group}: {p.name} = {p.value}" for p in points if not _known(p.group, p.value)]
        return Verified(
            name=str(distribution.name),
            version=str(distribution.version),
            plugins=tuple(sorted({p.name for p in points if p.group in GROUPS})),
            files=len(lines or ()),
            editable=editable,
            source=source,
            problems=tuple(problems),
            notes=tuple(f"also an entry point of {other}" for other in others),
        )

    def _strangers(self, distribution: Any, lines: Iterable[Line]) -> Iterator[FileProblem]:
        """Files in the distribution's own folders that nobody recorded."""
        root = root_of(distribution)
        tops = {line.path.split("/")[0] for line in lines if "/" in line.path and not line.path.startswith((".", "/"))}
        for top in sorted(tops - {"__pycache__"}):
            for path in _walk(root / top):
                if str(path) not in self.owners and not _is_cache(path):
                    why = "it is in none of the RECORDs: somebody added it"
                    yield FileProblem(kind="unrecorded", what=str(path.relative_to(root)), why=why)

    def _claimed(self, distribution: Any, lines: Iterable[Line]) -> Iterator[FileProblem]:
        """Files that another distribution brought too, with other content."""
        root, own = str(root_of(distribution)), normalised(distribution.name)
        for line in lines:
            owners = self.owners.get(_absolute(root, line.path), {})
            others = [name for name, digest in owners.items() if name != own and digest != line.digest]
            if others:
                yield FileProblem(kind="claimed", what=line.path, why=f"{', '.join(others)} brings it too")


def startup_files(paths: Iterable[str]) -> list[str]:
    """Of paths in a wheel or at the root of an environment, those that Python runs at every start."""
    found = []
    for path in paths:
        *folders, last = path.split("/")
        at_root = not folders or (folders[0].endswith(".data") and len(folders) == 2)
        if at_root and (last.endswith(".pth") or last in STARTUP):
            found.append(path)
    return found


def record_of(distribution: Any) -> list[Line] | None:
    """The lines of RECORD, None where there is none."""
    text = distribution.read_text("RECORD")
    if not text:
        return None
    return [Line(row[0], row[1] if len(row) > 1 else "") for row in csv.reader(text.splitlines()) if row]


def root_of(distribution: Any) -> Path:
    """The folder from which its paths count."""
    return Path(os.path.abspath(distribution.locate_file("")))  # noqa: PTH100 - lexical, as installers mean it


def source_of(distribution: Any) -> tuple[str, bool]:
    """Where it was installed from (empty: an index), and whether it is editable."""
    try:
        told = json.loads(distribution.read_text("direct_url.json") or "{}")
        return str(told.get("url", "")), bool(told.get("dir_info", {}).get("editable", False))
    except (ValueError, AttributeError):
        return "(direct_url.json cannot be read)", False


def _named(unreadable: list[str]) -> Iterator[tuple[Any, str]]:
    import importlib_metadata

    for distribution in importlib_metadata.distributions():
        try:
            name = normalised(str(distribution.metadata["Name"]))
            _ = distribution.entry_points
        except Exception as error:  # hostile or damaged metadata costs its own distribution only, and is said
            where = Path(str(getattr(distribution, "_path", "?"))).name
            unreadable.append(f"{where}: {type(error).__name__}")
            continue
        yield distribution, name


def _concerns_us(name: str, distribution: Any) -> bool:
    return name.startswith("codetether-") or any(point.group in GROUPS for point in distribution.entry_points)


def _known(group: str, value: str) -> bool:
    """Groups that are codetether's, or that start nothing by themselves; and the core's own plugin for pytest."""
    ours = group == "codetether" or group.startswith("codetether.") or value.startswith("codetether.testing.")
    return ours or group == "console_scripts"


def _compared(distribution: Any, lines: Iterable[Line]) -> Iterator[FileProblem]:
    root = root_of(distribution)
    top = str(root.parent.parent.parent) + os.sep
    for line in lines:
        path = _absolute(str(root), line.path)
        if not path.startswith(top):
            yield FileProblem(kind="outside", what=line.path, why="it lies outside of the environment")
        elif line.digest:
            yield from _same(Path(path), line)
        elif not (line.path.endswith((".pyc", "RECORD", "RECORD.jws", "RECORD.p7s"))):
            yield FileProblem(kind="unreadable", what=line.path, why="its RECORD has no hash of it")


def _same(path: Path, line: Line) -> Iterator[FileProblem]:
    algorithm, _, digest = line.digest.partition("=")
    if algorithm not in HASHES:
        yield FileProblem(kind="unreadable", what=line.path, why=f"{algorithm} is no hash to rely on")
        return
    try:
        if not path.is_file():
            yield FileProblem(kind="missing", what=line.path, why="it is recorded and not there")
            return
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).digest()
    except OSError as error:
        yield FileProblem(kind="unreadable", what=line.path, why=error.strerror or str(error))
        return
    if base64.urlsafe_b64encode(found).decode().rstrip("=") != digest.rstrip("="):
        yield FileProblem(kind="changed", what=line.path, why="it is not what was installed")


def _startup(paths: Iterable[str]) -> Iterator[FileProblem]:
    for path in startup_files(paths):
        yield FileProblem(kind="startup", what=path, why="Python runs it at every start, whatever is started")


def _walk(folder: Path) -> Iterator[Path]:
    for where, _, files in os.walk(folder):
        for name in sorted(files):
            yield Path(where) / name


def _is_cache(path: Path) -> bool:
    """Compiled from a source that lies where it should; one without a source would be imported by nobody's leave."""
    if path.parent.name != "__pycache__" or path.suffix != ".pyc":
        return False
    return (path.parent.parent / f"{path.name.split('.')[0]}.py").is_file()


def _absolute(root: str, path: str) -> str:
    """As a text: an environment has tens of thousands of files."""
    plain = not path.startswith(("/", ".")) and "/." not in path and "//" not in path
    return f"{root}/{path}" if plain else os.path.normpath(os.path.join(root, path))  # noqa: PTH118
