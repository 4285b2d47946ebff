"""Where skills lie: in the user's own folders, and in the repository from the workspace up to its root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from attrs import frozen

FOLDERS = (".codetether/skills", ".claude/skills", ".agents/skills")
FILE = "SKILL.md"


class Around(Protocol):
    """What must be known to look for skills; the context of a session knows it."""

    @property
    def directory(self) -> Path:
        """The workspace."""

    @property
    def config_dir(self) -> Path:
        """Where the user's settings are."""

    def trusts(self, path: Path, data: bytes) -> bool:
        """Whether the user trusts a repository's file with this content."""


@frozen(kw_only=True)
class Places:
    """The folders that hold skills, by whose they are; earlier ones count first."""

    own: tuple[Path, ...]
    of_repository: tuple[Path, ...]

    @classmethod
    def of(cls, ctx: Around) -> Places:
        """Those that hold there."""
        home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.expanduser raises where there is none
        own = (ctx.config_dir / "skills", *(home / name for name in FOLDERS))
        upward = [ctx.directory, *ctx.directory.parents]
        root = next((number for number, place in enumerate(upward) if (place / ".git").exists()), 0)
        found = (place / name for place in upward[: root + 1] for name in FOLDERS)
        return cls(own=own, of_repository=tuple(folder for folder in found if folder not in own))

    def skill_files(self) -> Iterator[tuple[Path, bool]]:
        """Each SKILL.md, with whether it is the user's own."""
        for folders, own in ((self.own, True), (self.of_repository, False)):
            for folder in folders:
                for name in _names(folder):
                    path = folder / name / FILE
                    if os.path.lexists(path):
                        yield path, own


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are enough
    except OSError:  # most of them are not there
        return []
