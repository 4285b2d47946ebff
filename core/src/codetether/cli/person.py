"""The person at the terminal: shown the whole request, asked for a yes, and no is what silence means."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import termios
from collections.abc import Callable

from codetether import Answer, Question
from codetether.cli.terminal import BOLD, DIM, GREEN, RED, YELLOW, Screen, visible
from codetether.models.tools import PermissionRequest


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
        if question.request is not None:
            self._show(question.request)
        self.screen.say(f"? {question.text}", BOLD, YELLOW)
        keys = _keys(question.choices)
        _forget_typed()
        menu = "  ".join(f"[{key}] {choice}" for key, choice in keys.items())
        self.screen.err.write(visible(f"  {menu} > " if menu else "  > "))
        self.screen.err.flush()
        try:
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
        if not question.choices:
            return Answer(text=typed) if typed else None
        chosen = [c for key, c in keys.items() if typed.lower() in (key, c.lower())]
        if question.request is None:  # the model's own question: words of one's own are an answer too
            return Answer(text=chosen[0] if chosen else typed) if typed else None
        return Answer(text=chosen[0] if chosen else question.choices[0])

    def _show(self, request: PermissionRequest) -> None:
        self.screen.say(f"{request.call.name} wants to {' and '.join(request.effects) or 'run'}", BOLD)
        resources = request.resources
        for label, values in (
            ("command", resources.commands),
            ("writes", tuple(str(request.directory / value) for value in resources.writes)),
            ("reads", tuple(str(request.directory / value) for value in resources.reads)),
            ("host", resources.hosts),
        ):
            for value in values:
                self._field(label, value)
        if not any((resources.commands, resources.writes, resources.reads, resources.hosts)):
            for name, argument in request.call.arguments.items():
                self._field(name, str(argument))
        if resources.preview.strip() in resources.commands:  # shown above
            return
        for line in resources.preview.splitlines():
            colour = {"+": (GREEN,), "-": (RED,)}.get(line[:1], ())
            self.screen.say(f"    {unpadded(line)}", *colour)

    def _field(self, label: str, value: str) -> None:
        first, *more = unpadded(value).split("\n")
        self.screen.say(f"    {label}: {first}")
        for line in more:
            self.screen.say(f"    {' ' * len(label)}  {line}")


def unpadded(text: str) -> str:
    """The text with long runs of white space counted, so that nothing can hide behind them."""
    return re.sub(r"[ \t]{20,}|\n{5,}", lambda run: f" <{len(run[0])} white space characters> ", text)


def _keys(choices: tuple[str, ...]) -> dict[str, str]:
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
