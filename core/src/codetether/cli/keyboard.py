"""What the terminal does with what is typed."""

from __future__ import annotations

import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_NONE = (AttributeError, OSError, ValueError, termios.error)
"""Standard input is closed, or no terminal."""


@contextmanager
def echo(on: bool, when: int = termios.TCSADRAIN) -> Iterator[None]:
    """Until the end of the block what is typed is shown, or not; TCSAFLUSH forgets what was typed before."""
    restore = as_it_is(when)
    with suppress(*_NONE):
        changed = termios.tcgetattr(sys.stdin.fileno())
        changed[3] = changed[3] | termios.ECHO if on else changed[3] & ~termios.ECHO
        termios.tcsetattr(sys.stdin.fileno(), when, changed)
    try:
        yield
    finally:
        restore()


def as_it_is(when: int = termios.TCSADRAIN) -> Callable[[], None]:
    """Gives back to the terminal the state that it is in now."""
    try:
        before = termios.tcgetattr(sys.stdin.fileno())
    except _NONE:
        return lambda: None

    def restore() -> None:
        with suppress(*_NONE):
            termios.tcsetattr(sys.stdin.fileno(), when, before)

    return restore
