"""Promises: what a plugin of a kind keeps, each stated once, tried on every record, and judged with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from codetether.testing.trial import Trial

T = TypeVar("T")
Judged = Literal["kept", "broken", "excused", "not tried"]


class BrokenPromise(AssertionError):
    """A plugin does not keep a promise; the text tells its author what was seen."""


class NotTried(Exception):
    """A promise that cannot be tried on this plugin; the text tells what would let it be."""


def require(kept: object, why: str) -> None:
    """Raises BrokenPromise with the reason unless `kept` is true."""
    if not kept:
        raise BrokenPromise(why)


async def within(seconds: float, waiting: Awaitable[T]) -> T:
    """What it comes to, in this very task. Raises BrokenPromise when so many seconds pass."""
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            return await waiting
    except TimeoutError:
        if clock.expired():
            raise BrokenPromise(f"it took longer than {seconds:g} s") from None
        raise


@frozen(kw_only=True)
class Promise:
    """One promise.

    Attributes:
        kind: of records, e.g. `tools`: the hook without `codetether_`; `plugin` for the plugin as a whole.
        name: what is promised, in a few words. text: the same in a sentence or two.
        check: raises BrokenPromise or NotTried; whatever else it raises counts as broken.
    """

    kind: str
    name: str
    text: str
    check: Callable[[Trial], Awaitable[None]]

    @property
    def id(self) -> str:
        """`kind: name`."""
        return f"{self.kind}: {self.name}"

    @property
    def page(self) -> str:
        """Where it can be read about, in the documentation."""
        hook = "" if self.kind == "plugin" else f", reference/hooks.md#codetether_{self.kind}"
        return f"reference/testing.md#{self.kind}{hook}"


@frozen(kw_only=True)
class Verdict:
    """How a plugin's record stands to a promise; `why` is empty where it is kept."""

    plugin: str
    record: str
    promise: Promise
    judged: Judged
    why: str = ""
    seconds: float = 0.0


def promises(kind: str, *checks: Callable[[Trial], Awaitable[None]]) -> tuple[Promise, ...]:
    """The checks as promises: the function's name is the promise's, its docstring the text."""
    return tuple(
        Promise(
            kind=kind, name=check.__name__.replace("_", " "), text=" ".join((check.__doc__ or "").split()), check=check
        )
        for check in checks
    )
