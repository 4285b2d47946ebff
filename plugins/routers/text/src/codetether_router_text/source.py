"""Text that is still arriving: reading it in steps that wait for more where more could change what is read."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Reading = Generator[None, None, T]
"""A parser at work: it yields where it needs more of the text, and returns what it read."""

SPACE = re.compile(r"\s*")


class NoCall(Exception):
    """What stands here is no call: that became clear `at`, and `resume`, if it is known, is where to go on."""

    def __init__(self, at: int, resume: int = 0) -> None:
        super().__init__(at)
        self.at = at
        self.resume = resume


class Source:
    """The text so far, and whether that is all of it.

    Every reading method gives the same answer however the text is cut, since it waits (yields) as long as
    what it looks at touches the end of a text that is not ended.
    """

    def __init__(self) -> None:
        self.text = ""
        self.ended = False
        self.effort = 0
        """How much was looked at in vain so far, by a reader that counts it."""
        self.barren: dict[str, int] = {}
        """From where on no closing tag of a kind comes any more."""
        self._absent: dict[str, int] = {}

    def has(self, end: int) -> Reading[bool]:
        """Whether the text reaches to `end`; waits for it."""
        while len(self.text) < end:
            if self.ended:
                return False
            yield
        return True

    def starts(self, literal: str, at: int) -> Reading[bool]:
        """Whether the literal stands there; waits only while it still could."""
        while not self.text.startswith(literal, at):
            if self.ended or not literal.startswith(self.text[at : at + len(literal)]):
                return False
            yield
        return True

    def run(self, pattern: re.Pattern[str], at: int, limit: int = 1 << 30) -> Reading[int]:
        """The end of the run of characters that begins there; the pattern matches any number of them.

        Waits only while the run touches the end; a run longer than `limit` is NoCall.
        """
        end = at
        while True:
            found = pattern.match(self.text, end)
            end = found.end() if found else end
            if end - at > limit:
                raise NoCall(end)
            if end < len(self.text) or self.ended:
                return end
            yield

    def space(self, at: int) -> Reading[int]:
        """The end of the white space that begins there."""
        return (yield from self.run(SPACE, at))

    def gap(self, at: int) -> Reading[int]:
        """The end of white space, also of line breaks that were escaped once too often."""
        while True:
            at = yield from self.space(at)
            if not (yield from self.starts("\\n", at)):
                return at
            at += 2

    def find(self, needle: str, at: int) -> Reading[int]:
        """Where the needle comes next; NoCall where it does not come any more."""
        if self._absent.get(needle, len(self.text) + 1) <= at:
            raise NoCall(len(self.text))
        start = at
        while (found := self.text.find(needle, start)) < 0:
            if self.ended:
                self._absent[needle] = at
                raise NoCall(len(self.text))
            start = max(at, len(self.text) - len(needle) + 1)
            yield
        return found

    def search(self, pattern: re.Pattern[str], at: int, longest: int = 1) -> Reading[re.Match[str] | None]:
        """The next match, or None; the pattern matches `longest` characters at most, or looks so far ahead."""
        start = at
        while True:
            found = pattern.search(self.text, start)
            if found and (self.ended or found.start() + longest <= len(self.text)):
                return found
            if self.ended:
                return None
            start = found.start() if found else max(at, len(self.text) - longest + 1)
            yield

    def drop(self, count: int) -> None:
        """Forgets the first characters; only between two sites, since positions move."""
        self.text = self.text[count:]
        self._absent.clear()
        self.barren.clear()
