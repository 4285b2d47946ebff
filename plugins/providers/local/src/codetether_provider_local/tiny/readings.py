"""Readings of a request: which of its words are paths, kinds of files or numbers, and what is left to be a word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import attrs

from codetether_provider_local.tiny.templates import DIRECTORY, EXTENSION, FILE, NUMBER
from codetether_provider_local.tiny.words import Word, stem, words
from codetether_provider_local.tiny.workspace import EXTENSIONS, Nearness, Workspace, pathlike

_FOLDER_WORDS = frozenset(stem(word) for word in ("folder", "directory", "dir", "subfolder", "subdirectory", "path"))
_INTO = frozenset({"in", "into", "inside", "under", "within", "of", "below"})
_FILE_WORDS = frozenset(stem(word) for word in ("file", "script", "source", "page", "module", "document"))
_NEAR_READINGS = 4


@attrs.define(frozen=True, kw_only=True)
class Reading:
    """One way to read a request.

    Attributes:
        terms: the words as the ranking compares them, paths replaced by what they are.
        paths: index of a word -> the paths that it may mean; new names stand for themselves.
        fresh: indices whose path is not there yet. taken: indices that are no longer words of their own.
        confidence: 1 where the paths were spelled out, less where they were made out of words.
    """

    request: Sequence[Word]
    terms: tuple[str, ...]
    paths: Mapping[int, tuple[str, ...]]
    fresh: frozenset[int] = frozenset()
    extensions: Mapping[int, str] = attrs.field(factory=dict)
    numbers: Mapping[int, int] = attrs.field(factory=dict)
    taken: frozenset[int] = frozenset()
    confidence: float = 1.0


def readings(text: str, workspace: Workspace) -> list[Reading]:
    """The plain reading first, then those in which words of the request make up the name of a path."""
    request = words(text)
    spelled, fresh = _spelled(request, workspace)
    extensions = _extensions(request, workspace, spelled)
    numbers = {
        i: int(word.text) for i, word in enumerate(request) if re.fullmatch(r"\d{1,9}", word.text) and i not in spelled
    }
    marks = {
        **dict.fromkeys(extensions, EXTENSION),
        **dict.fromkeys(numbers, NUMBER),
        **{i: _mark(paths[0], workspace) for i, paths in spelled.items()},
    }
    plain = Reading(
        request=request,
        terms=tuple(marks.get(i, word.stem) for i, word in enumerate(request)),
        paths=spelled,
        fresh=fresh,
        extensions=extensions,
        numbers=numbers,
        taken=frozenset(spelled),
    )
    if set(spelled) - fresh:
        return [plain]
    near = sorted(workspace.near(request).items(), key=lambda item: (-item[1].score, len(item[0]), item[0]))
    return [plain, *(_through(plain, path, how, marks, workspace) for path, how in near[:_NEAR_READINGS])]


def _spelled(request: Sequence[Word], workspace: Workspace) -> tuple[dict[int, tuple[str, ...]], frozenset[int]]:
    paths: dict[int, tuple[str, ...]] = {}
    fresh: set[int] = set()
    for i, word in enumerate(request):
        hits = workspace.named(word.text)
        looks = pathlike(word.text)
        folders = tuple(path for path in hits if workspace.kinds[path] == "dir")
        if hits and (looks or (word.text in hits and not folders)):
            paths[i] = hits
        elif folders and _speaks_of_folder(request, i):
            paths[i] = folders
        elif looks and not hits:
            paths[i] = (word.text,)
            fresh.add(i)
    return paths, frozenset(fresh)


def _speaks_of_folder(request: Sequence[Word], i: int) -> bool:
    beside = {request[j].stem for j in (i - 1, i + 1) if 0 <= j < len(request)}
    return bool(beside & _FOLDER_WORDS) or "/" in request[i].text or (i > 0 and request[i - 1].text.lower() in _INTO)


def _extensions(request: Sequence[Word], workspace: Workspace, spelled: Mapping[int, object]) -> dict[int, str]:
    """The extension that a word before `files` means: `css`, `*.css`, `python`; one in use where there is a choice."""
    found: dict[int, str] = {}
    for i, word in enumerate(request):
        name = word.text.lower().lstrip("*").lstrip(".")
        meant = EXTENSIONS.get(name) or EXTENSIONS.get(name.removesuffix("s"), (name,))
        used = next((extension for extension in meant if extension in workspace.extensions), None)
        known = used is not None or name in EXTENSIONS
        before_files = i + 1 < len(request) and request[i + 1].stem in _FILE_WORDS
        if i not in spelled and known and (before_files or word.text.startswith("*.")):
            found[i] = used or meant[0]
    return found


def _through(plain: Reading, path: str, how: Nearness, marks: Mapping[int, str], workspace: Workspace) -> Reading:
    first = min(how.taken)
    terms = [
        _mark(path, workspace) if i == first else marks.get(i, word.stem)
        for i, word in enumerate(plain.request)
        if i == first or i not in how.taken
    ]
    return attrs.evolve(
        plain,
        terms=tuple(terms),
        paths={**plain.paths, first: (path,)},
        taken=plain.taken | how.taken,
        confidence=min(1.0, 0.55 + 0.42 * how.score),
    )


def _mark(path: str, workspace: Workspace) -> str:
    return DIRECTORY if workspace.kinds.get(path) == "dir" else FILE
