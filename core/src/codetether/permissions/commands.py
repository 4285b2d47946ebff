"""Decides whether a simple command line may run: by the user's rules, or because it only reads."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from glob import iglob
from pathlib import Path

from attrs import field

from codetether.models.tools import Decision, Effect
from codetether.permissions.effects import effects, read
from codetether.permissions.git import ALSO_WRITE as GIT_ALSO_WRITES
from codetether.permissions.git import COMMANDS as GIT_READS
from codetether.permissions.git import subcommand
from codetether.permissions.given import given
from codetether.permissions.options import NotHarmless
from codetether.permissions.patterns import Rule
from codetether.permissions.places import inside, secret_name
from codetether.permissions.readers import ALSO_WRITE, READERS, Use, inner
from codetether.permissions.repositories import helper_of
from codetether.permissions.risks import risk
from codetether.permissions.shell import Line
from codetether.permissions.words import Part
from codetether.values import define, frozen

READ_ONLY = "read-only commands"
MOST_MATCHES = 500
_VALUE = re.compile(r"--[a-z-]+=")
"""A long option whose value is a pattern: whatever the shell finds for it is a value of the same option."""
_NO_FILES = frozenset({"/dev/null", "/dev/stdin", "-"})

Judge = Callable[[Effect, str], Decision]
"""Judges reading or writing a path, given as an absolute one: (effect, path)."""


class NotAllowed(Exception):
    """Why a command of the line is not allowed."""


@frozen(kw_only=True)
class Allowed:
    """By which rule each command of the line may run, in their order."""

    rules: tuple[str, ...]
    by_user: bool


@define
class _Places:
    """The directories in which a command of the line may find itself."""

    known: tuple[str, ...]
    otherwise: tuple[str, ...] = field(default=())

    def after(self, joint: str) -> None:
        if joint in (";", "\n", "||"):
            self.known = tuple(dict.fromkeys((*self.known, *self.otherwise)))
            self.otherwise = ()


def allowed(line: Line, directory: Path, rules: Sequence[Rule], judge: Judge) -> Allowed:
    """By which rules every command of the line may run. Raises NotAllowed for the first that may not."""
    if not line.parts:
        raise NotAllowed(f"it has {line.why}" if line.why else "there is no command")
    places = _Places((str(directory),))
    found: list[str] = []
    reading = True
    for at, part in enumerate(line.parts):
        places.after(part.joint)
        after = line.parts[at + 1].joint if at + 1 < len(line.parts) else ""
        if part.words[0] == "cd" and part.joint != "|" and after != "|":
            _change(part, places, str(directory))
            found.append(READ_ONLY)
            continue
        rule = ""
        for place in places.known:
            rule, reads = _part(part, place, str(directory), rules, judge)
            reading = reading and reads
        if not reading and any(_loose(other) for other in line.parts):
            raise NotAllowed("file names that begin with a pattern may become options")
        found.append(rule)
    return Allowed(rules=tuple(dict.fromkeys(found)), by_user=any(rule != READ_ONLY for rule in found))


def _loose(part: Part) -> bool:
    return any(part.words[at][:1] in ("*", "?") for at in part.globs)


def _change(part: Part, places: _Places, workspace: str) -> None:
    """`cd` to a directory of the workspace, where no link leads it astray."""
    if len(part.words) != 2 or part.globs or part.words[1].startswith("-") or os.environ.get("CDPATH"):
        raise NotAllowed("cd to a place that cannot be told")
    moved = []
    for place in places.known:
        plain = os.path.normpath(os.path.join(place, part.words[1]))
        if os.path.realpath(plain) != plain or not inside(plain, workspace) or not os.path.isdir(plain):
            raise NotAllowed(f"cd to {part.words[1]}, which is no directory of the workspace")
        moved.append(plain)
    places.otherwise = (*places.otherwise, *places.known)
    places.known = tuple(moved)


def _part(part: Part, place: str, workspace: str, rules: Sequence[Rule], judge: Judge) -> tuple[str, bool]:
    """The rule that allows one command at one place, and whether the command only reads. Raises NotAllowed."""
    words = _matched(part, place)
    _free(part.reads, place, judge)
    why = ""
    for rule in rules:
        if not rule.covers(words):
            continue
        if rule.exact:
            return f"allow {rule.text}", False
        try:
            reads = _ruled(words, rule, place, workspace, judge)
        except NotAllowed as refused:
            why = why or f"{refused}: that is not what the rule {rule.text} allows"
            continue
        return f"allow {rule.text}", reads
    try:
        use = read(inner(words))
        if use is None:
            raise NotAllowed(f"no rule allows {part.text}")
        _used(use, words, place, workspace, judge)
    except NotHarmless as refused:
        raise NotAllowed(why or f"{words[0]} does more than read: {refused}") from None
    except NotAllowed as refused:
        raise NotAllowed(why or str(refused)) from None
    return READ_ONLY, True


def _ruled(words: tuple[str, ...], rule: Rule, place: str, workspace: str, judge: Judge) -> bool:
    """Whether it only reads. A rule for many commands means no options that make a reader write or run something."""
    named = rule.literal
    if why := risk(words, named):
        raise NotAllowed(why)
    plain = tuple(w for at, w in enumerate(words) if at >= named or not w.startswith("-") or at == 0)
    try:
        use = read(plain)
    except NotHarmless as refused:
        if not _also_writes(words):
            raise NotAllowed(f"{words[0]} with more than reading: {refused}") from None
        use = None
    if use is not None:
        _used(use, words, place, workspace, judge)
        return True
    line = Line(commands=(words,))
    known = effects(line, place)
    _free(known.reads, place, judge)
    _free(known.writes, place, judge, effect="write")
    _free(tuple(given((words[0], *words[named:]), place)), place, judge)
    if words[0] == "git" and (helper := helper_of(place)) and not _also_writes(words):
        raise NotAllowed(f"git might run a program of the repository: {helper}")
    return False


def _also_writes(words: tuple[str, ...]) -> bool:
    """Whether the program, or the command of git, is one that also writes where a rule allows it."""
    if words[0] != "git":
        return words[0] in ALSO_WRITE or words[0] not in READERS
    at = subcommand(words)
    return at < len(words) and (words[at] in GIT_ALSO_WRITES or words[at] not in GIT_READS)


def _used(use: Use, words: tuple[str, ...], place: str, workspace: str, judge: Judge) -> None:
    """Whether what a reader reads may be read, and whether it is the program that it seems to be."""
    program = inner(words)[0]
    if hijacked := _found_in(program, workspace):
        raise NotAllowed(f"{program} would be {hijacked}, a file of the workspace")
    if use.directory:
        _free((use.directory,), place, judge)
        place = os.path.realpath(os.path.join(place, use.directory))
    _free(use.reads, place, judge)
    if program == "diff" and any(os.path.isdir(os.path.join(place, path)) for path in use.reads):
        raise NotAllowed("diff follows links within directories")
    if use.below and (held := _secret_in(use.reads, place)):
        raise NotAllowed(f"it would read {held}, which often holds secrets; the tool grep leaves such files out")
    if use.repository and (helper := helper_of(place)):
        raise NotAllowed(f"git might run a program of the repository: {helper}")


def _secret_in(paths: Sequence[str], place: str) -> str | None:
    """A file that often holds secrets, right in one of the directories."""
    for path in paths:
        try:
            names = os.listdir(os.path.join(place, path))
        except OSError:
            continue
        for name in names:
            if name[:1] in (".", "i", "I") and secret_name(name):
                return os.path.normpath(os.path.join(path, name))
    return None


def _free(paths: Sequence[str], place: str, judge: Judge, *, effect: Effect = "read") -> None:
    for path in paths:
        if path in _NO_FILES:
            continue
        decision = judge(effect, path if path.startswith("/") else os.path.join(place, path))
        if decision.verdict != "allow":
            raise NotAllowed(decision.reason)


def _matched(part: Part, place: str) -> tuple[str, ...]:
    """The words as the shell will pass them: patterns of file names are matched now."""
    if not part.globs:
        return part.words
    return tuple(
        w for at, word in enumerate(part.words) for w in (_names(part, word, place) if at in part.globs else (word,))
    )


def _names(part: Part, word: str, place: str) -> Iterator[str]:
    free, option = word[:1] in ("*", "?"), word.startswith("-") and not _VALUE.match(word)
    if len(word) > 200 or sum(1 for piece in word.split("/") if "*" in piece or "?" in piece) > 2:
        raise NotAllowed(f"{word[:60]} may match a great many files")
    if option or (free and ("/" in word or "." not in word[1:] or part.words[0] in ("git", "find"))):
        raise NotAllowed(f"what {word} matches may be taken for an option")
    if any(name[:1] == "." and name != ".." and fnmatchcase("..", name) for name in word.split("/")):
        raise NotAllowed(f"{word} also matches .. for many shells")
    found = 0
    for name in iglob(word, root_dir=place):
        found += 1
        if found > MOST_MATCHES:
            raise NotAllowed(f"{word} matches more than {MOST_MATCHES} files")
        if name.startswith("-") and not word.startswith("-"):
            raise NotAllowed(f"{word} matches {name}, which would be taken for an option")
        yield name
    if not found:
        yield word


def _found_in(program: str, workspace: str) -> str | None:
    """Where the workspace holds a program of that name which would be found before the system's."""
    if "/" in program:
        return None if program.startswith(("/bin/", "/usr/bin/")) else program
    for place in _open_places(os.environ.get("PATH", ""), workspace):
        path = os.path.join(place, program)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


@lru_cache(maxsize=32)
def _open_places(search: str, workspace: str) -> tuple[str, ...]:
    """The places of PATH that the workspace holds, or that depend on where a command stands."""
    places = (place or "." for place in search.split(":"))
    return tuple(
        os.path.join(workspace, place) for place in places if not place.startswith("/") or inside(place, workspace)
    )
