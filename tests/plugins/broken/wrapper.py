"""Wraps the hooks of all others, or tries to."""

from collections.abc import Generator

import codetether


@codetether.hookimpl(wrapper=True)
def codetether_tools() -> Generator[None, object, object]:
    """Would see what others yield."""
    return (yield)
