"""The command line: `--version` is answered at once, all else by the click group in `codetether.cli.app`."""

from __future__ import annotations

import sys

from codetether._version import __version__


def main() -> int:
    """Runs the command line of this process and returns its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"codetether {__version__}\n")
        return 0
    try:
        from codetether.cli.app import run

        code = run(arguments)
        if "asyncio" in sys.modules:  # a command that had an event loop
            from codetether.cli.interrupts import settled

            settled()
        return code
    except KeyboardInterrupt:  # before the command could say what an interrupt means to it
        return 130
