"""The command line: `--version` is answered at once, all else by the click group in `codetether.cli.app`."""

from __future__ import annotations

import gc
import sys

from codetether._version import __version__

START, LATER = 200_000, 50_000
"""New objects until the collector looks for garbage: at a start nearly all of them stay, and looking costs a tenth."""


def started() -> None:
    """All is here that stays for the whole run: the collector need not look at it again."""
    gc.freeze()
    gc.set_threshold(LATER)


def main() -> int:
    """Runs the command line of this process and returns its exit code."""
    gc.set_threshold(START)
    arguments = sys.argv[1:]
    try:
        if arguments == ["--version"] and sys.stdout is not None and _said(f"codetether {__version__}\n"):
            return 0
        from codetether.cli.app import run

        code = run(arguments)
        if "asyncio" in sys.modules:  # a command that had an event loop
            from codetether.cli.interrupts import settled

            settled()
        return code
    except KeyboardInterrupt:  # before the command could say what an interrupt means to it
        return 130


def _said(text: str) -> bool:
    """Whether standard output took it; where not, the click group says why."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        return False
    return True
