"""Archives are kept at work beside sessions, and whatever they do costs no session anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from codetether import ArchiveProgress, ArchiveReport, EventSinkSpec
from codetether.record import archiving
from codetether.record.archiving import Archives, Archiving, NamedArchive
from codetether.testing.sessions import Yields, opened


@define
class Shelf:
    """An archive that answers as told, and remembers when it was asked."""

    answers: list[Any] = field(factory=list)
    asked: list[Path] = field(factory=list)

    async def archive(self, spool: Path, told: Callable[[ArchiveProgress], None]) -> ArchiveReport:
        self.asked.append(spool)
        answer = self.answers.pop(0) if len(self.answers) > 1 else (self.answers or [ArchiveReport()])[0]
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return ArchiveReport()
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, ArchiveReport)
        return answer


def plugin(spool: Path | None, archive: Callable[[Any], Any]) -> Yields:
    spec = EventSinkSpec(name="shelf", create=lambda ctx: None, spool=lambda ctx: spool, archive=archive)
    return Yields("codetether_event_sinks", spec, name="shelf")


async def lived(spool: Path | None, archive: Callable[[Any], Any]) -> tuple[str, list[str]]:
    """A session beside the archive: how its prompt ended, and what was said."""
    said: list[str] = []
    async with opened("hello", plugins=[plugin(spool, archive)], notices=said) as (session, _):
        result = await session.prompt("hi")
    return result.status, said


async def test_it_is_asked_at_the_beginning_and_at_the_end(tmp_path: Path) -> None:
    shelf = Shelf()
    assert await lived(tmp_path, lambda ctx: shelf) == ("done", [])
    assert len(shelf.asked) >= 2
    assert set(shelf.asked) == {tmp_path}


async def test_one_that_is_off_or_has_no_spool_is_not_asked(tmp_path: Path) -> None:
    shelf = Shelf()
    assert await lived(tmp_path, lambda ctx: None) == ("done", [])
    status, said = await lived(None, lambda ctx: shelf)
    assert (status, shelf.asked) == ("done", [])
    assert said == [
        'events: archive "shelf" (shelf) has nothing to archive: name a directory by CODETETHER_EVENT_STREAM_PATH'
    ]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), asyncio.CancelledError()], ids=repr)
async def test_one_that_raises_is_told_and_costs_no_session(tmp_path: Path, error: BaseException) -> None:
    status, said = await lived(tmp_path, lambda ctx: Shelf([error]))
    assert status == "done"
    assert len([line for line in said if "waits, and tries again" in line]) == 1


async def test_one_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    def broken(ctx: Any) -> Any:
        raise RuntimeError("no shelf")

    status, said = await lived(tmp_path, broken)
    assert status == "done"
    assert [line for line in said if "no shelf" in line]


async def test_one_that_hangs_holds_the_end_up_no_longer_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving.Archiving.close, "__defaults__", (0.2,))
    began = time.monotonic()
    status, said = await lived(tmp_path, lambda ctx: Shelf([60.0]))
    assert (status, time.monotonic() - began < 5) == ("done", True)
    assert said == [
        (
            'events: archive "shelf" (shelf) could not look at what is to be archived; nothing is lost: '
            "codetether events flush"
        )
    ]


async def test_what_is_left_at_the_end_is_told(tmp_path: Path) -> None:
    report = ArchiveReport(waiting=2, waiting_bytes=3_400_000, problem="the store is away")
    _, said = await lived(tmp_path, lambda ctx: Shelf([report]))
    assert said == [
        'events: archive "shelf" (shelf) waits, and tries again: the store is away',
        (
            'events: archive "shelf" (shelf) lacks 2 files of events (3.4 MB), which stay here: '
            "the next run stores them, or codetether events flush"
        ),
    ]


async def test_a_flush_goes_on_until_nothing_waits_and_gives_up_on_one_that_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "RETRY_FIRST", 0.001)
    monkeypatch.setattr(archiving, "PATIENCE", 0.05)
    stuck = ArchiveReport(waiting=1, waiting_bytes=7, problem="away")
    steps = [ArchiveReport(stored=2, stored_bytes=5, waiting=1, problem="busy"), stuck]
    good = Shelf([*steps, ArchiveReport(stored=1, stored_bytes=7)])
    bad = Shelf([stuck])

    async def make() -> Archives:
        named = (NamedArchive(name="good", archive=good), NamedArchive(name="bad", archive=bad))
        return Archives(spools=(tmp_path,), archives=named)

    assert await Archiving(make, print).flush() == [("good", ArchiveReport(stored=3, stored_bytes=12)), ("bad", stuck)]
    assert len(bad.asked) > 2
