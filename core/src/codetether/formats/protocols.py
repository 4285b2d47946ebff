"""What a session format can do: read another product's sessions, find them on this machine, write them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, runtime_checkable

if TYPE_CHECKING:
    from codetether.models.foreign import ForeignSession, ForeignSummary, Unreadable


class SessionFormat(Protocol):
    """Another product's sessions, read from a file or a directory; nothing is ever written beside them."""

    def recognises(self, source: Path) -> bool:
        """Whether the source is of this format. It only looks, at no more than it needs, and raises nothing."""

    def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        """The sessions, children too, and what cannot be read; SourceDamaged where nothing can. See Transcript."""


@runtime_checkable
class SessionFinder(SessionFormat, Protocol):
    """A format whose product keeps its sessions in a known place on this machine."""

    def find(self) -> Sequence[Path]:
        """The sources that are there now, each of which `read` takes; empty where the product was never used."""

    async def listed(self, source: Path) -> Sequence[ForeignSummary]:
        """What a listing shows of the sessions in a source, without reading them whole. Raises SourceDamaged."""


@runtime_checkable
class SessionWriter(SessionFormat, Protocol):
    """A format in which sessions can go home."""

    def write(self, session: ForeignSession, target: BinaryIO) -> Sequence[str]:
        """Writes one of our sessions as a file of the product; gives what that cannot hold, a line each."""
