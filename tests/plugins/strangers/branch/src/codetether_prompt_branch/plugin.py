"""The prompt section `branch`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codetether import PromptSectionSpec, hookimpl


class Branch:
    """Reads the branch from the file in which git keeps it."""

    def __init__(self, directory: Path) -> None:
        self._head = directory / ".git" / "HEAD"

    async def render(self) -> str | None:
        """One line; None outside of a repository's root, and where no branch is checked out."""
        if not self._head.is_file():
            return None
        reference, _, branch = self._head.read_text(errors="replace").strip().partition("refs/heads/")
        return f"Git branch: {branch}" if reference == "ref: " else None


@hookimpl
def codetether_prompt_sections() -> Iterable[PromptSectionSpec]:
    """After the environment, before the project's instructions."""
    yield PromptSectionSpec(name="branch", create=lambda ctx: Branch(ctx.directory), place=350)
