"""The session format `change-me`: a text file whose lines begin with `user:` or `assistant:`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from codetether import ForeignSession, SessionFormatSpec, SourceFile, TextPart, Transcript, Unreadable, hookimpl

NAME = "change-me"

ROLES = ("user", "assistant")


class Talks:
    """One file holds one conversation."""

    def recognises(self, source: Path) -> bool:
        """Whether it is a text file whose first line is somebody's."""
        if source.suffix != ".txt":
            return False
        return SourceFile(source).head(1000).decode(errors="replace").partition(":")[0] in ROLES

    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        """The conversation, and the lines in it that are nobody's. Raises SourceDamaged where it cannot be read."""
        talk = Transcript(format=NAME, source_id=source.stem, directory=str(source.parent))
        problems = []
        for number, line in enumerate(SourceFile(source).contents().decode(errors="replace").splitlines(), 1):
            role, colon, text = line.partition(":")
            match role if colon else "":
                case "user":
                    talk.user([TextPart(text=text.strip())])
                case "assistant":
                    talk.assistant([TextPart(text=text.strip())])
                case _:
                    talk.lose("lines of nobody")
                    why = "the line begins with neither user: nor assistant:"
                    problems.append(Unreadable(source=f"{source}:{number}", why=why))
        yield talk.finish()
        for problem in problems:
            yield problem


@hookimpl
def codetether_session_formats() -> Iterable[SessionFormatSpec]:
    """One format, which is only read."""
    yield SessionFormatSpec(name=NAME, create=lambda ctx: Talks())
