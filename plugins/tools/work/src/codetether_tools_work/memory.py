"""Notes that outlive a session: a Markdown file of the user, and one of each project, below the user's home."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from attrs import frozen
from codetether import FileLock, SessionContext, UsageError, private_directory, replace_file

Scope = Literal["user", "project"]
SCOPES: tuple[Scope, ...] = ("user", "project")
LARGEST = 64 * 1024
"""Bytes of one file of notes."""
WAIT = 5.0
"""Seconds to wait for another session that writes notes."""


@frozen(kw_only=True)
class Memory:
    """The notes that hold in a directory."""

    place: Path
    project: Path

    @classmethod
    def of(cls, ctx: SessionContext) -> Memory:
        """Those of a session."""
        return cls.at(ctx.state_dir, ctx.directory)

    @classmethod
    def at(cls, state: Path, directory: Path) -> Memory:
        """Those of a directory: its project is the repository around it, else itself."""
        upward = (directory, *directory.parents)
        project = next((place for place in upward if (place / ".git").exists()), directory)
        return cls(place=state / "memory", project=project)

    def path(self, scope: Scope) -> Path:
        """The file, whether there is one or not. A project's is found by where it lies."""
        if scope == "user":
            return self.place / "user.md"
        digest = hashlib.sha256(str(self.project).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", self.project.name).strip("-")[:40]
        return self.place / "projects" / f"{name or 'root'}-{digest}.md"

    def text(self, scope: Scope) -> str:
        """What it holds; empty where there is none."""
        try:
            with self.path(scope).open("rb") as file:
                return file.read(LARGEST).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def change(self, scope: Scope, change: Callable[[str], str]) -> str:
        """Puts another text in its place, whole or not at all, and gives it. Raises UsageError."""
        path = self.path(scope)
        private_directory(path.parent)
        with _held(path.with_suffix(".lock")):
            if path.exists() and path.stat().st_size > LARGEST:  # what is not read would be lost
                raise UsageError(f"the notes have more than {LARGEST:,} bytes", remedy=f"shorten {path} by hand")
            text = change(self.text(scope))
            if len(data := text.encode("utf-8", "replace")) > LARGEST:
                raise UsageError(f"the notes would have more than {LARGEST:,} bytes", remedy="delete some first")
            replace_file(path, data)
        return text


@contextmanager
def _held(path: Path) -> Iterator[None]:
    lock, end = FileLock(path), time.monotonic() + WAIT
    while not lock.acquire():
        if time.monotonic() > end:
            raise UsageError("another session is writing these notes", remedy="try again")
        time.sleep(0.02)
    try:
        yield
    finally:
        lock.release()
