"""What an archive of event files is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from codetether.values import frozen


@frozen(kw_only=True)
class ArchiveProgress:
    """How far an archive has come with what waited when it began.

    Attributes:
        file: the one that is on its way, `<session>/<name>`; `sent` of its `size` bytes have left.
        done: files that need nothing any more, of `files`; `done_bytes` of `bytes` the same in bytes.
    """

    file: str
    sent: int
    size: int
    done: int
    files: int
    done_bytes: int
    bytes: int


@frozen(kw_only=True)
class ArchiveReport:
    """What an archive did with a spool.

    Attributes:
        stored: files that it has now and had not before. waiting: those that it still lacks.
        problem: why it lacks them, and the remedy; empty when nothing waits.
        busy: another process archives the same spool, so that this one did nothing; its process id, 0 for nobody.
    """

    stored: int = 0
    stored_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    problem: str = ""
    busy: int = 0


class EventArchive(Protocol):
    """Keeps what event sinks have sealed somewhere else. It lives as long as the process."""

    async def archive(self, spool: Path, told: Callable[[ArchiveProgress], None]) -> ArchiveReport:
        """Stores every sealed file of a spool, `<spool>/<session>/<file>`, that it does not have: each once.

        It tries each file, comes back, and is asked again: soon, or later where it has a problem. What it has not
        stored stays where it is. A cancelled call stores nothing twice, and nothing half.
        """
        ...


def untold(progress: ArchiveProgress) -> None:
    """For those who do not watch."""
