"""The paths of a workspace, found again in the words of a request."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath
from typing import Literal

import attrs

from codetether_provider_local.tiny.words import Word, stem

Kind = Literal["file", "dir"]

_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "target", "dist", "build"})
_PATHISH = re.compile(
    r"^[\w.@+-]*(/[\w.@+-]+)+/?$"  # has a slash
    r"|^[\w@+-][\w.@+-]*\.[A-Za-z]\w{0,9}$"  # has an extension
    r"|^\.\w[\w.-]*$"  # hidden
)
_ALIKE = 0.84
_ORDERS = frozenset(
    map(
        stem,
        [
            "list",
            "show",
            "read",
            "print",
            "find",
            "search",
            "open",
            "display",
            "count",
            "give",
            "tell",
            "run",
            "view",
            "see",
        ],
    )
)
_KINDS = frozenset(map(stem, ["file", "files", "folder", "folders", "directory", "directories"]))

EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    line.split()[0]: tuple(line.split()[1:])
    for line in """python py
markdown md markdown
typescript ts tsx
javascript js mjs jsx
rust rs
ruby rb
text txt
shell sh bash zsh
bash sh bash
golang go
c++ cpp cc cxx
header h hpp hh
perl pl pm
yaml yaml yml
yml yml yaml
html html htm
kotlin kt kts
image png jpg jpeg gif svg""".splitlines()
}
"""What people call files by, and the extensions that it may mean."""


@attrs.define(frozen=True, kw_only=True)
class Nearness:
    """How well a path's name fits some words: a share of 1, and the indices of the words it takes."""

    score: float
    taken: frozenset[int]


@attrs.define(frozen=True, kw_only=True)
class Workspace:
    """What lies below a directory: relative posix paths and whether each is a file or a directory."""

    kinds: Mapping[str, Kind]

    @property
    def extensions(self) -> frozenset[str]:
        """The extensions in use, lower-case, without the dot."""
        return frozenset(
            PurePosixPath(path).suffix[1:].lower() for path, kind in self.kinds.items() if kind == "file"
        ) - {""}

    def named(self, text: str) -> tuple[str, ...]:
        """The paths that a word names: whole, by the end, by the base name, or but for a slip of the pen."""
        low = text.removeprefix("./").strip("/").lower()
        if not low:
            return ()
        base = PurePosixPath(low).name
        tests = (
            lambda path: path == low,
            lambda path: path.endswith(f"/{low}"),
            lambda path: pathlike(text) and _alike(PurePosixPath(path).name, base),
        )
        for test in tests:
            hits = tuple(path for path in self.kinds if test(path.lower()))
            if hits:
                return hits
        return ()

    def near(self, request: Sequence[Word]) -> dict[str, Nearness]:
        """The paths whose names are made of the request's words, e.g. `recipes/soup.md` in `the soup recipe`."""
        telling = [(i, word.stem) for i, word in enumerate(request) if not word.stop and len(word.stem) > 2]
        if telling and telling[0][1] in _ORDERS:  # what is to be done names no file: "list …" is not listing.py
            del telling[0]
        telling = [(i, said) for i, said in telling if said not in _KINDS]
        found = {path: _nearness(path, telling) for path in self.kinds}
        return {path: nearness for path, nearness in found.items() if nearness is not None}


def explore(directory: str, limit: int = 1000) -> Workspace:
    """Walks a directory, level by level, hidden and generated folders left out, until `limit` paths are seen."""
    kinds: dict[str, Kind] = {}
    level = [""]
    while level and len(kinds) < limit:
        below: list[str] = []
        for folder in level:
            for name, kind in _entries(Path(directory, folder)):
                kinds[folder + name] = kind
                if kind == "dir":
                    below.append(f"{folder}{name}/")
            if len(kinds) >= limit:
                break
        level = below
    return Workspace(kinds=kinds)


def _entries(folder: Path) -> list[tuple[str, Kind]]:
    """What of a folder counts, by name. Links are not followed; a folder that cannot be read has nothing."""
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _SKIPPED]
    except OSError:
        return []
    return sorted((entry.name, "dir" if entry.is_dir(follow_symlinks=False) else "file") for entry in seen)


def pathlike(text: str) -> bool:
    """Whether a word looks like a path: a slash within, an extension, or a hidden name."""
    return bool(_PATHISH.match(text))


def name_parts(path: str) -> list[str]:
    """The words that a file name is made of: `loadUser_v2.py` gives load, User, v2, py."""
    return [part for part in re.split(r"[/._\- ]+|(?<=[a-z])(?=[A-Z])", path) if part]


def _nearness(path: str, telling: Sequence[tuple[int, str]]) -> Nearness | None:
    *parents, name = path.split("/")
    extension = stem(PurePosixPath(name).suffix[1:])
    own = [stem(part) for part in name_parts(name)]
    core = [part for part in own if part != extension] or own
    hits = {part: _first(part, telling) for part in core}
    taken = {i for i in hits.values() if i is not None}
    if not taken:
        return None
    score = len(taken) / len(core)
    for parent in (stem(part) for folder in parents for part in name_parts(folder)):
        at = _first(parent, telling)
        if at is not None and at not in taken:
            score += 0.25
            taken.add(at)
    return Nearness(score=score, taken=frozenset(taken))


def _first(part: str, telling: Sequence[tuple[int, str]]) -> int | None:
    return next((i for i, said in telling if said == part or (len(part) > 5 and _alike(said, part))), None)


def _alike(one: str, other: str) -> bool:
    if 2 * min(len(one), len(other)) <= _ALIKE * (len(one) + len(other)):
        return False  # too unlike in length, and most are
    matcher = SequenceMatcher(None, one, other)
    return matcher.quick_ratio() > _ALIKE and matcher.ratio() > _ALIKE
