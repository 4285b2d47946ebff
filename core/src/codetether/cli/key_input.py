"""A key as the user gives it: typed unseen or piped in, never as an argument."""

from __future__ import annotations

import sys
import termios
from urllib.parse import urlsplit

from codetether.cli.keyboard import echo
from codetether.cli.person import TerminalPerson, typed_line
from codetether.cli.terminal import BOLD, Screen, visible
from codetether.errors import UsageError

_LONGEST = 64 * 1024
_LONGEST_TYPED = 4000
"""A terminal drops what goes beyond 4096 bytes of a line, and does not say so."""


def piped_key() -> str:
    """The key on standard input; blocks until that ends. Raises UsageError where it is a terminal, or holds no key."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("--stdin reads a pipe, and there is none", remedy="leave it out to type the key unseen")
    return _checked(sys.stdin.read(_LONGEST + 1))


async def typed_key(screen: Screen, provider: str) -> str:
    """The key, typed at the terminal without being shown. Raises UsageError where there is no terminal, or no key."""
    if not TerminalPerson.present():
        raise UsageError(
            "there is no terminal at which the key could be typed",
            remedy=f"pipe it: … | codetether auth login {provider} --stdin",
        )
    with echo(False, termios.TCSAFLUSH):
        screen.err.write(visible(f"the key of {provider} (it is not shown): "))
        screen.err.flush()
        try:
            typed = await typed_line()
        finally:
            screen.say("", BOLD)
    if len(typed) > _LONGEST_TYPED:
        raise UsageError(
            "the key is too long to be typed", remedy=f"pipe it: … | codetether auth login {provider} --stdin"
        )
    return _checked(typed)


def _checked(text: str) -> str:
    key = text.strip()
    if not key:
        raise UsageError("no key was given, so nothing was changed")
    if len(key) > _LONGEST or not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(
            "that is no key: it is longer than one, or holds white space or a character outside ASCII",
            remedy="give the key alone, on one line",
        )
    return key


def checked_url(url: str) -> str:
    """The base URL. Raises UsageError for one that cannot be used, or that holds a secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable:
        raise UsageError(
            "--base-url is no http:// or https:// address of a host", remedy="e.g. https://models.example/v1"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError("--base-url holds more than an address", remedy="the key is asked for, and kept apart from it")
    return url
