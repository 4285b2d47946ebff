"""Notices a turn that goes in circles: the same calls with the same results, over and over."""

from __future__ import annotations

from attrs import field

from codetether.settings.core import PATIENCE
from codetether.values import define

HINT = (
    "The last {} steps made calls that you had made before, and their results were the same. Making them again brings "
    "nothing new: do something else, or answer with what you know."
)


@define(kw_only=True)
class Circle:
    """The calls of a turn, and how many of its last steps brought nothing new.

    Attributes:
        most: steps after which the turn is to end; 0 for never.
    """

    most: int = PATIENCE
    steps: int = 0
    _seen: set[int] = field(factory=set)
    _news: bool = False

    def add(self, name: str, arguments: str, result: str) -> None:
        """A call has its result."""
        key = hash((name, arguments, result))
        if key not in self._seen:
            self._seen.add(key)
            self._news = True

    def turned(self) -> str:
        """A step is over: what the model is to be told now, if anything."""
        self.steps = 0 if self._news else self.steps + 1
        self._news = False
        return HINT.format(self.steps) if self.steps == ((self.most or PATIENCE) + 1) // 2 else ""

    @property
    def closed(self) -> str:
        """Why the turn ends; empty while it may go on."""
        if not self.most or self.steps < self.most:
            return ""
        return f"stopped after {self.steps} steps in a row that repeated calls with the same results (max_repeats)"
