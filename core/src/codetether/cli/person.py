"""The person at the terminal: shown the whole request, asked for a yes, and no is what silence means."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import termios
from collections.abc import Callable, Sequence

from codetether import Answer, Question
from codetether.cli.approval_text import OFFERED, approval_lines, both_ends, unpadded
from codetether.cli.keyboard import echo
from codetether.cli.terminal import BOLD, DIM, YELLOW, Screen, visible

HERE = "terminal"
"""Who gave an answer, in the audit trail."""


class TerminalPerson:
    """Asks on standard error and reads from standard input, one question at a time."""

    def __init__(self, screen: Screen, before: Callable[[], None]) -> None:
        self.screen = screen
        self._before = before

    @staticmethod
    def present() -> bool:
        """Whether somebody sits there: standard input and standard error are both terminals."""
        return all(s is not None and not s.closed and s.isatty() for s in (sys.stdin, sys.stderr))

    async def ask(self, question: Question, deadline: float) -> Answer | None:
        """The answer within `deadline` seconds; to a request, what is not clearly another choice is the first: no."""
        await asyncio.sleep(0)  # what was announced before the question is shown before it
        self._before()
        sentence = question.text
        if question.approval is not None:
            for text, codes in approval_lines(question.approval):
                self.screen.say(text, *codes)
            sentence = both_ends(unpadded(sentence).replace("\n", " "))  # nothing may push what stands above away
        self.screen.say(f"? {sentence}", BOLD, YELLOW)
        offered = {c: (key, c) for key, c in _keys(question.choices).items()}
        if question.approval is not None:
            offered = {choice: OFFERED[choice] for choice in question.choices}
        _forget_typed()
        menu = "  ".join(f"[{key}] {label}" for key, label in offered.values())
        self.screen.err.write(visible(f"  {menu} > " if menu else "  > "))
        self.screen.err.flush()
        try:
            with echo(True):
                async with asyncio.timeout(deadline):
                    line = await typed_line()
        except TimeoutError:
            self.screen.say("\nno answer in time", DIM)
            return None
        except asyncio.CancelledError:  # what is said next begins a line of its own
            self.screen.say("")
            raise
        if not line.endswith("\n"):  # Ctrl-D
            self.screen.say("")
        typed = line.strip()
        chosen = next((c for c, (key, _) in offered.items() if typed.lower() in (key, c.lower())), None)
        if question.approval is not None:
            return Answer(text=chosen, by=HERE) if chosen else Answer(text="no", reason=_reason(typed), by=HERE)
        return Answer(text=chosen or typed) if typed else None


def _reason(typed: str) -> str:
    """Why not, in words of one's own: what is not clearly another choice."""
    word, _, rest = typed.partition(" ")
    return rest.strip() if word.lower().rstrip(",.:;") in ("n", "no") else typed


def _keys(choices: Sequence[str]) -> dict[str, str]:
    """A letter for each choice: the first of its last word, if that is still free."""
    keys: dict[str, str] = {}
    for choice in choices:
        words = [word[0].lower() for word in choice.split()]
        free = [k for k in (*reversed(words), *choice.lower()) if k.isalnum() and k not in keys]
        keys[free[0] if free else str(len(keys))] = choice
    return keys


def _forget_typed() -> None:
    """What was typed before the question does not count."""
    with contextlib.suppress(termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


async def typed_line() -> str:
    """One line from the terminal, read without blocking the loop."""
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    came: asyncio.Future[str] = loop.create_future()

    def readable() -> None:
        if not came.done():
            came.set_result(sys.stdin.readline())

    loop.add_reader(descriptor, readable)
    try:
        return await came
    finally:
        loop.remove_reader(descriptor)
