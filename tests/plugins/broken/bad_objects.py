"""Its records are right; what they create fails."""

from collections.abc import Iterator
from typing import Any

import codetether


def _fails(ctx: codetether.SessionContext) -> Any:
    raise OSError("the backend is away")


class Silent:
    """A section that never says anything but an error."""

    async def render(self) -> str | None:
        """Raises."""
        raise OSError("no words")


@codetether.hookimpl
def codetether_tools() -> Iterator[codetether.ToolsetSpec]:
    """A toolset that cannot be created."""
    yield codetether.ToolsetSpec(name="away", create=_fails)


@codetether.hookimpl
def codetether_prompt_sections() -> Iterator[codetether.PromptSectionSpec]:
    """A section that cannot be rendered."""
    yield codetether.PromptSectionSpec(name="silent", create=lambda ctx: Silent())
