"""One format for each promise of session formats."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from codetether import Message, Session, SessionFormatSpec, SessionMetadata, TextPart, UsageError
from codetether.testing.trials import Trials

from tests.kit.broken import breaking

THEN = datetime(2026, 1, 1, tzinfo=UTC)


class Talk:
    """A format that keeps every promise: `{"talk": [texts]}`."""

    def recognises(self, source: Path) -> bool:
        return source.is_file() and source.read_bytes().startswith(b'{"talk"')

    async def read(self, source: Path) -> AsyncIterator[Session]:
        try:
            texts = json.loads(source.read_bytes())["talk"]
        except ValueError as error:
            raise UsageError(f"{source} is damaged: {error}") from error
        yield Session(
            id=self.name(source),
            created_at=THEN,
            updated_at=THEN,
            messages=tuple(Message(role="user", parts=(TextPart(text=text),)) for text in texts),
            metadata=SessionMetadata(directory="/nowhere"),
        )

    def name(self, source: Path) -> str:
        return f"talk_{source.stem}"


class Greedy(Talk):
    def recognises(self, source: Path) -> bool:
        return super().recognises(source) or (source.is_dir() and source.name == "folder")

    async def read(self, source: Path) -> AsyncIterator[Session]:
        if source.is_file():
            async for session in super().read(source):
                yield session


class Blind(Talk):
    async def read(self, source: Path) -> AsyncIterator[Session]:
        async for session in super().read(source):
            if session.id == "":
                yield session


class Unnameable(Talk):
    def name(self, source: Path) -> str:
        return f"talk/{source.name}"


class Fresh(Talk):
    def name(self, source: Path) -> str:
        return f"talk_{uuid4().hex}"


class Fragile(Talk):
    async def read(self, source: Path) -> AsyncIterator[Session]:
        json.loads(source.read_bytes())
        async for session in super().read(source):
            yield session


class Marking(Talk):
    async def read(self, source: Path) -> AsyncIterator[Session]:
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
    return breaking("session_formats", SessionFormatSpec(name="talk", create=lambda ctx: cls()), Trials(source=talk))


BROKEN: dict[str, Any] = {
    "what is not its own is left": format_(Greedy),
    "its own is recognised and read": format_(Blind),
    "what it reads can be kept": format_(Unnameable),
    "reading twice gives the same": format_(Fresh),
    "damage is a named error": format_(Fragile),
    "reading changes nothing": format_(Marking),
}
