"""What a rule of permission says: of which tool, of which path, host or command."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Literal

from attrs import field

from codetether.models.tools import Effect, Verdict
from codetether.values import frozen

STAR = "\ue000"
"""Stands in the words of a pattern for a star that is only a star."""
_STARS = frozenset({"*", STAR})
_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"]|['"])+""")
_PIECE = re.compile(r"""'[^']*'|"[^"]*"|.""", re.DOTALL)
Kind = Literal["path", "command", "host", "secret", "whole", "implied"]


@frozen(kw_only=True)
class Touch:
    """One thing that a call touches, with the effect it has there.

    Attributes:
        kind: `whole` where the tool names nothing in particular; `implied` by a command that it does name.
        paths: as spelled (without `.` and `..`) and as resolved, for a path.
    """

    effect: Effect
    kind: Kind = "whole"
    spelled: str = ""
    paths: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.spelled or self.effect


@frozen(kw_only=True)
class Rule:
    """A rule as written: `tool`, `effect`, or either with a pattern in parentheses.

    Patterns of paths are globs, taken from the workspace unless absolute or under `~/`; one without `/` fits at any
    depth, and what fits a directory fits all below it. Patterns of commands are the command's words, where a last
    word `*` stands for any more. Patterns of hosts are globs.
    """

    verdict: Verdict
    text: str
    name: str
    pattern: str | None = None
    words: tuple[str, ...] = field(init=False, eq=False, repr=False)
    """The words of a command's pattern."""

    @words.default
    def _words(self) -> tuple[str, ...]:
        return _split(self.pattern or "")

    @property
    def exact(self) -> bool:
        """Whether it fits one command only, which a person wrote out."""
        return bool(self.words) and not any("*" in word for word in self.words)

    @property
    def literal(self) -> int:
        """How many of a command's first words it names."""
        return next((at for at, word in enumerate(self.words) if "*" in word), len(self.words))

    @property
    def of_commands(self) -> bool:
        """Whether it denies or asks about commands, whichever tool runs them: by the name that all of them go by."""
        return self.name == "bash" and self.pattern is not None and self.verdict != "allow"

    def named(self, tool: str, effect: Effect) -> bool:
        """Whether the rule speaks of the tool, or of the effect."""
        return self.name == effect or self.names(tool)

    def names(self, tool: str) -> bool:
        """Whether the rule speaks of the tool by its name."""
        return self.name == tool or ("*" in self.name and bool(name_pattern(self.name).fullmatch(tool)))

    def applies(self, tool: str, touch: Touch, directory: str) -> bool | None:
        """Whether the rule speaks of this touch of this tool; None where only running a command can tell.

        An allowing rule must fit it in every spelling, and never speaks of a command: see `covers`.
        """
        if touch.kind == "secret":
            return self.name == "secret" and bool(name_pattern(self.pattern or "*").fullmatch(touch.spelled))
        if not (self.named(tool, touch.effect) or (touch.kind == "command" and self.of_commands)):
            return False
        if self.pattern is None:
            return True
        match touch.kind:
            case "path":
                fits = [_fits_path(self.pattern, path, directory, self.verdict) for path in touch.paths]
                return all(fits) if self.verdict == "allow" else any(fits)
            case "command":
                return self.verdict != "allow" and _speaks_of(self.words, touch.spelled)
            case "host":
                return bool(name_pattern(self.pattern.casefold()).fullmatch(touch.spelled.casefold()))
            case "whole":
                return self.verdict != "allow"
            case _:
                return False

    def covers(self, words: tuple[str, ...]) -> bool:
        """Whether the pattern fits one command of a simple line, word for word."""
        pattern = self.words
        if not pattern or (pattern[0] != words[0] and not _STARS.intersection(pattern[0])):
            return False
        if pattern[-1] == "*":
            head = pattern[:-1]
            return len(words) >= len(head) and _each(head, words)
        return len(pattern) == len(words) and _each(pattern, words)


def _speaks_of(pattern: tuple[str, ...], command: str) -> bool | None:
    # Only who judges a command pays for the grammar and the tables of programs.
    from codetether.permissions.denials import named_in

    return named_in(pattern, command)


def _split(pattern: str) -> tuple[str, ...]:
    """The words of a command's pattern; in quotes a `*` is only a star."""
    if "'" not in pattern and '"' not in pattern:
        return tuple(pattern.split())
    return tuple(
        "".join(p[1:-1].replace("*", STAR) if p[0] in "'\"" else p for p in _PIECE.findall(word))
        for word in _WORD.findall(pattern)
    )


def _each(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    for wanted, word in zip(pattern, words, strict=False):
        if wanted != word and (not _STARS.intersection(wanted) or not name_pattern(wanted).fullmatch(word)):
            return False
    return True


@lru_cache(maxsize=512)
def name_pattern(pattern: str) -> re.Pattern[str]:
    """A name in which `*` stands for anything."""
    return re.compile(".*".join(re.escape(piece.replace(STAR, "*")) for piece in pattern.split("*")), re.DOTALL)


def _fits_path(pattern: str, path: str, directory: str, verdict: Verdict) -> bool:
    if verdict == "allow":
        return bool(_path_pattern(pattern, directory, False).fullmatch(path))
    return bool(_path_pattern(pattern, directory, True).fullmatch(path.casefold()))


@lru_cache(maxsize=512)
def _path_pattern(pattern: str, directory: str, strict: bool) -> re.Pattern[str]:
    """A glob over absolute paths. A strict rule's `**/` starts at the root of the file system, in any case."""
    if pattern.startswith("~/"):
        pattern = os.path.expanduser(pattern)
    pattern = pattern.removeprefix("./").rstrip("/") or "/"
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    if not pattern.startswith("/"):
        root = "" if strict and pattern.startswith("**/") else directory
        pattern = f"{_literal(root)}/{pattern}"
    if strict:
        pattern = pattern.casefold()
    return re.compile(_glob(pattern) + "(?:/.*)?", re.DOTALL)


def _literal(path: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", path)


_GLOB = re.compile(r"/\*\*(?=/|$)|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def _glob(pattern: str) -> str:
    out = []
    for token in _GLOB.findall(pattern):
        match token:
            case "/**":
                out.append("(?:/.*)?")
            case "**":
                out.append(".*")
            case "*":
                out.append("[^/]*")
            case "?":
                out.append("[^/]")
            case _ if len(token) > 2 and token[0] == "[":
                negative = token[1] == "!"
                out.append(f"[{'^' if negative else ''}{_set(token[1 + negative : -1])}]")
            case _:
                out.append(re.escape(token))
    return "".join(out)


def _set(members: str) -> str:
    return re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
