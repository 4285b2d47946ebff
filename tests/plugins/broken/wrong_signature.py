"""Its hook wants an argument that nobody gives."""

import codetether


@codetether.hookimpl
def codetether_tools(session: object) -> None:
    """Never called."""
