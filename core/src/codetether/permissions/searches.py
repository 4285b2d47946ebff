"""Tells which files a command shows that it does not name: below directories, and in the history of a repository."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from itertools import islice

from codetether.permissions.denials import candidates
from codetether.permissions.effects import places_of, read
from codetether.permissions.git import subcommand
from codetether.permissions.options import NotHarmless, base, names
from codetether.permissions.readers import Use
from codetether.permissions.shell import Line

MOST = 2000
"""Files that are looked at, the nearest first: beyond them nothing is said."""
_EXPORTS = names("format-patch archive bundle fast-export diff-tree diff-index diff-files range-diff difftool")
_PASSED_OVER = frozenset({".git", "node_modules"})


def files_searched(line: Line, directory: str) -> Iterator[str]:
    """Paths from the directory, of at most MOST files. Hidden ones count for programs that read these."""
    found = candidates(line)
    places = ["", *places_of(found)]
    for words in dict.fromkeys(found):
        use = _use(words)
        if use is not None:
            starts = [os.path.join(at, use.directory, path) for at in places for path in use.reads or (".",)]
            yield from islice(_below(directory, starts, hidden=use.below), MOST)


def shows_history(line: Line, directory: str) -> bool:
    """Whether git would show what files held, other than plain ones that are named behind `--`."""
    return any(_beyond(words, directory) for words in candidates(line) if base(words[0]) == "git")


def _beyond(words: tuple[str, ...], directory: str) -> bool:
    command = words[subcommand(words) : subcommand(words) + 1]
    try:
        use = read(words)
    except NotHarmless:
        return command[0] in _EXPORTS if command else False
    if use is None:
        return False
    place = os.path.join(directory, use.directory)
    if command == ("grep",):
        return "--cached" in words or not all(os.path.lexists(os.path.join(place, path)) for path in use.reads)
    named = [os.path.join(place, path) for path in use.history or ()]
    return use.history is not None and not (named and all(map(os.path.isfile, named)))


def _use(words: tuple[str, ...]) -> Use | None:
    """What a program that searches directories reads; None for any other, and for one that asks anyway."""
    program = base(words[0])
    if program == "git" and words[subcommand(words) : subcommand(words) + 1] != ("grep",):
        return None
    if program not in ("git", "rg", "grep", "egrep", "fgrep"):
        return None
    try:
        use = read(words)
    except NotHarmless:
        return None
    return use if use is not None and (use.below or program in ("git", "rg")) else None


def _below(directory: str, starts: list[str], *, hidden: bool) -> Iterator[str]:
    queue = deque(starts)
    while queue:
        at = queue.popleft()
        try:
            entries = sorted(os.scandir(os.path.join(directory, at)), key=lambda entry: entry.name)
        except OSError:  # a file, which is judged as one, or nothing
            continue
        for entry in entries:
            if entry.name in _PASSED_OVER or entry.is_symlink() or (entry.name.startswith(".") and not hidden):
                continue
            path = os.path.normpath(os.path.join(at, entry.name))
            if entry.is_dir(follow_symlinks=False):
                queue.append(path)
            else:
                yield path
