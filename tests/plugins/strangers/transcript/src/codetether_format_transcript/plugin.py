"""The session format `transcript`: lines that begin with `user:` or `assistant:`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path

from codetether import Message, Session, SessionFormatSpec, SessionMetadata, TextPart, UsageError, hookimpl

ROLES = ("user", "assistant")


class Transcript:
    """One file holds one conversation."""

    def recognises(self, source: Path) -> bool:
        """Whether it is a text file whose first line is somebody's."""
        if source.suffix != ".txt" or not source.is_file():
            return False
        with source.open(errors="replace") as file:
            return file.readline().partition(":")[0] in ROLES

    async def read(self, source: Path) -> AsyncIterator[Session]:
        """The conversation. Raises UsageError for a line that is nobody's."""
        written = datetime.fromtimestamp(source.stat().st_mtime, UTC)
        messages = []
        for number, line in enumerate(source.read_text(errors="replace").splitlines(), 1):
            role, colon, text = line.partition(":")
            match role if colon else "":
                case "user" | "assistant" as speaker:
                    messages.append(Message(role=speaker, parts=(TextPart(text=text.strip()),)))
                case _:
                    raise UsageError(f"{source}:{number}: the line begins with neither user: nor assistant:")
        yield Session(
            id=f"transcript_{source.stem}",
            created_at=written,
            updated_at=written,
            messages=tuple(messages),
            metadata=SessionMetadata(directory=str(source.parent)),
        )


@hookimpl
def codetether_session_formats() -> Iterable[SessionFormatSpec]:
    """Read only."""
    yield SessionFormatSpec(name="transcript", create=lambda ctx: Transcript())
