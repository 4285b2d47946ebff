"""Has forgotten to mark its hook."""


def codetether_tools() -> None:
    """Nobody sees this."""
