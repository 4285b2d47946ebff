"""Reads a program's arguments by a list of the options that are known to be harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from codetether.values import frozen

_NUMBER = re.compile(r"-\d+")


class NotHarmless(Exception):
    """What of the arguments is not on the list."""


@frozen(kw_only=True)
class Options:
    """The harmless options of a program, as GNU and git read them. What is not listed is refused, abbreviations too.

    Attributes:
        flags: letters without a value. valued: letters with one. attached: with one only if it is attached (`-u5`).
        long: names without a value. named: with one, `--name=value` or `--name value`. maybe: `--name[=value]`.
        pairs: names with two, each a word of its own.
        files: names and letters whose value is a file that is read.
        number: `-5` is an option.
    """

    flags: str = ""
    valued: str = ""
    attached: str = ""
    long: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()
    pairs: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    number: bool = False

    def read(self, words: Iterable[str]) -> Arguments:
        """The arguments after the program's name. Raises NotHarmless."""
        operands: list[str] = []
        used: set[str] = set()
        files: list[str] = []
        left = list(reversed(list(words)))
        while left:
            word = left.pop()
            if word == "--":
                operands += reversed(left)
                break
            if word == "-" or not word.startswith("-"):
                operands.append(word)
            elif word.startswith("--"):
                self._long(word[2:], left, used, files)
            elif self.number and _NUMBER.fullmatch(word):
                used.add("number")
            else:
                self._short(word, left, used, files)
        return Arguments(operands=tuple(operands), used=frozenset(used), files=tuple(files))

    def _long(self, word: str, left: list[str], used: set[str], files: list[str]) -> None:
        name, equals, value = word.partition("=")
        if (name in self.long and not equals) or name in self.maybe:
            used.add(name)
        elif name in self.named or name in self.files:
            if not equals:
                if not left:
                    raise NotHarmless(f"--{name} without its value")
                value = left.pop()
            used.add(name)
            if name in self.files:
                files.append(value)
        elif word in self.pairs and len(left) > 1:
            del left[-2:]
            used.add(name)
        else:
            raise NotHarmless(f"the option --{name}")

    def _short(self, word: str, left: list[str], used: set[str], files: list[str]) -> None:
        for at, letter in enumerate(word[1:], 2):
            if letter in self.valued or letter in self.files:
                value = word[at:]
                if not value:
                    if not left:
                        raise NotHarmless(f"-{letter} without its value")
                    value = left.pop()
                used.add(letter)
                if letter in self.files:
                    files.append(value)
                return
            if letter in self.attached:
                used.add(letter)
                return
            if letter not in self.flags:
                raise NotHarmless(f"the option -{letter}")
            used.add(letter)


@frozen(kw_only=True)
class Arguments:
    """Arguments as read: operands, the options used (without dashes), the files that options name."""

    operands: tuple[str, ...]
    used: frozenset[str]
    files: tuple[str, ...]


def names(text: str) -> frozenset[str]:
    """A list of names as a set."""
    return frozenset(text.split())


@lru_cache(maxsize=2048)
def base(program: str) -> str:
    """The name of a program without its directory, and without what only looks different."""
    return program.rpartition("/")[2].casefold() or program
