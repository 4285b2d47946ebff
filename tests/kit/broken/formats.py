"""One format for each promise of session formats."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from codetether import (
    ForeignSession,
    ForeignSummary,
    SessionFormatSpec,
    SourceDamaged,
    TextPart,
    Transcript,
    Unreadable,
)
from codetether.testing.trials import Trials

from tests.kit.broken import breaking

THEN = datetime(2026, 1, 1, tzinfo=UTC)


class Talk:
    """A format that keeps every promise: `{"talk": [texts]}`."""

    def recognises(self, source: Path) -> bool:
        return source.is_file() and source.read_bytes().startswith(b'{"talk"')

    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        try:
            texts = json.loads(source.read_bytes())["talk"]
        except ValueError as error:
            raise SourceDamaged(source, str(error)) from error
        talk = Transcript(format=self.name(), source_id=source.stem, created_at=self.begun())
        for text in self.heard(texts):
            talk.user([TextPart(text=text)])
        yield talk.finish()

    def find(self) -> list[Path]:
        return []

    async def listed(self, source: Path) -> list[ForeignSummary]:
        return [found.summary(str(source)) async for found in self.read(source) if isinstance(found, ForeignSession)]

    def write(self, session: ForeignSession, target: BinaryIO) -> list[str]:
        target.write(b'{"talk": %s}' % json.dumps([m.text for m in session.session.messages]).encode())
        return []

    def heard(self, texts: list[str]) -> list[str]:
        return texts

    def name(self) -> str:
        return "talk"

    def begun(self) -> datetime:
        return THEN


class Greedy(Talk):
    def recognises(self, source: Path) -> bool:
        return super().recognises(source) or (source.is_dir() and source.name == "folder")

    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        if source.is_file():
            async for session in super().read(source):
                yield session


class Blind(Talk):
    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        async for session in super().read(source):
            if session is None:
                yield session


class Deaf(Talk):
    def heard(self, texts: list[str]) -> list[str]:
        return texts[-1:]


class Unnameable(Talk):
    def name(self) -> str:
        return "another"


class Fresh(Talk):
    def begun(self) -> datetime:
        return datetime.now(UTC)


class Hiding(Talk):
    async def listed(self, source: Path) -> list[ForeignSummary]:
        return []


class Shortening(Talk):
    def write(self, session: ForeignSession, target: BinaryIO) -> list[str]:
        target.write(b'{"talk": ["and so on"]}')
        return []


class Fragile(Talk):
    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        json.loads(source.read_bytes())
        async for session in super().read(source):
            yield session


class Marking(Talk):
    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        source.with_suffix(".done").touch()
        async for session in super().read(source):
            yield session


def talk(directory: Path) -> Path:
    """One talk."""
    path = directory / "some.json"
    path.write_text('{"talk": ["hello", "and so on"]}')
    return path


def format_(cls: type[Any]) -> Any:
    """A plugin with such a format."""
    return breaking(
        "session_formats",
        SessionFormatSpec(name="talk", create=lambda ctx: cls()),
        Trials(source=talk, said=["hello", "and so on"]),
    )


BROKEN: dict[str, Any] = {
    "what is not its own is left": format_(Greedy),
    "its own is recognised and read": format_(Blind),
    "nothing that was said is lost": format_(Deaf),
    "what it reads can be kept": format_(Unnameable),
    "reading twice gives the same": format_(Fresh),
    "damage is a named error": format_(Fragile),
    "a listing agrees with what is read": format_(Hiding),
    "what it writes can be read": format_(Shortening),
    "reading changes nothing": format_(Marking),
}
