"""What the fixture `cassette` gives: opens a session that is recorded the first time, and replayed ever after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from codetether.runtime import Runtime
from codetether.session.running import RunningSession
from codetether.testing.cassette import Cassette
from codetether.testing.sessions import ONLY
from codetether.testing.subjects import Subject, installed_subjects, subject
from codetether.testing.tape import Player, recorded


@define(kw_only=True)
class Deck:
    """Where one test's traffic is recorded, or played.

    Attributes:
        path: of the cassette. directory: the workspace.
        record: ask what really answers, and keep it.
    """

    path: Path
    directory: Path
    record: bool
    cassette: Cassette | None = None
    player: Player | None = None
    _whole: bool = field(default=False, init=False)

    @asynccontextmanager
    async def session(
        self, *plugins: Any, model: str | None = None, settings: dict[str, Any] | None = None, **how: Any
    ) -> AsyncIterator[RunningSession]:
        """A session whose providers and tools are those of the plugins: names of installed ones, or modules.

        When it is replayed they are not loaded: the cassette stands for them. `how` goes to `Runtime.session`.
        """
        taking = self._plugins(plugins)
        try:
            async with (
                Runtime.open({**ONLY, **(settings or {})}, plugins=taking, directory=self.directory) as runtime,
                runtime.session(model=model, **how) as session,
            ):
                yield session
        except Exception as error:
            if self.player is not None and self.player.mismatch is not None:
                raise self.player.mismatch from error
            raise
        self._whole = True

    def _plugins(self, plugins: Sequence[Any]) -> list[Any]:
        if self.record:
            self.cassette = Cassette(path=self.path)
            return list(recorded(self.cassette, [_subject(each) for each in plugins]))
        self.cassette = Cassette.load(self.path)
        self.player = Player(self.cassette)
        return [self.player.plugin]

    def close(self) -> None:
        """Writes what was recorded; raises CassetteMismatch where a replay differed or did not use all of it."""
        if self.record and self.cassette is not None and self._whole:
            self.cassette.save()
        if self.player is not None and self._whole:
            self.player.check()


def _subject(plugin: Any) -> Subject:
    return installed_subjects([plugin])[0] if isinstance(plugin, str) else subject(plugin)
