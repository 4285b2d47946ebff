"""The session format `transcript`: lines that begin with `user:` or `assistant:`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from codetether import ForeignSession, SessionFormatSpec, SourceFile, TextPart, Transcript, Unreadable, hookimpl

ROLES = ("user", "assistant")


class Talks:
    """One file holds one conversation."""

    def recognises(self, source: Path) -> bool:
        """Whether it is a text file whose first line is somebody's."""
        if source.suffix != ".txt":
            return False
        return SourceFile(source).head(1000).decode(errors="replace").partition(":")[0] in ROLES

    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        """The conversation."""
        talk = Transcript(format="transcript", source_id=source.stem, directory=str(source.parent))
        for line in SourceFile(source).contents().decode(errors="replace").splitlines():
            role, colon, text = line.partition(":")
            match role if colon else "":
                case "user":
                    talk.user([TextPart(text=text.strip())])
                case "assistant":
                    talk.assistant([TextPart(text=text.strip())])
                case _:
                    talk.lose("lines of nobody")
        yield talk.finish()


@hookimpl
def codetether_session_formats() -> Iterable[SessionFormatSpec]:
    """Read only."""
    yield SessionFormatSpec(name="transcript", create=lambda ctx: Talks())
