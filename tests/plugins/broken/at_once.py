"""Raises in its hook at once."""

import codetether


@codetether.hookimpl
def codetether_tools() -> None:
    """Raises."""
    raise ValueError("no tools today\n\x1b[31mreally")
