"""A session that comes from elsewhere is kept whole, with its own times, or not at all."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from codetether.errors import InvalidSessionId, StorageError
from codetether.formats.transcript import Transcript
from codetether.models.foreign import ForeignSession
from codetether.models.messages import TextPart, ToolCallPart
from codetether.record.redact import Redactor
from codetether.storage import durable
from codetether.storage.disk import Disk
from codetether.storage.store import Store

THEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def made(source_id: str = "a", said: str = "go") -> ForeignSession:
    talk = Transcript(format="x", source_id=source_id, directory="/work", created_at=THEN)
    talk.user([TextPart(text=said)], THEN)
    talk.assistant([ToolCallPart(id="c", name="f", arguments="{}")], THEN)
    return talk.finish()


@asynccontextmanager
async def store(place: Path, redactor: Redactor | None = None) -> AsyncIterator[Store]:
    disk = Disk()
    try:
        async with Store(place, disk, redactor) as opened:
            yield opened
    finally:
        await disk.close()


@pytest.fixture(autouse=True)
def no_failpoint() -> Iterator[None]:
    yield
    durable.failpoint = None


async def test_it_is_there_with_its_own_times_and_goes_on(tmp_path: Path) -> None:
    found = made()
    async with store(tmp_path) as ours:
        await ours.adopt(found.records)
        assert (await ours.load("x_a")).session == found.session
        (listed,) = await ours.list()
        assert (listed.created_at, listed.updated_at, listed.title) == (THEN, THEN, "go")
        journal = await ours.open("x_a")
        assert (journal.repairs, journal.state.open_calls) == ((), {})
        await journal.close()


async def test_one_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    async with store(tmp_path) as ours:
        await ours.adopt(made().records)
        for other in (made(said="another"), made("A")):
            with pytest.raises(InvalidSessionId):
                await ours.adopt(other.records)
        assert (await ours.load("x_a")).session == made().session


async def test_known_secrets_are_taken_out(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.add("sk-very-secret-indeed", "acme.api_key")
    async with store(tmp_path, redactor) as ours:
        await ours.adopt(made(said="use sk-very-secret-indeed").records)
        assert (await ours.load("x_a")).session.messages[0].text == "use [redacted:acme.api_key]"
        await ours.adopt(made("b", said=f"{'so ' * 11}use sk-very-secret-indeed").records)  # a title ends within it
        assert (await ours.load("x_b")).session.title == f"{'so ' * 11}use [redacted:..."


async def test_whatever_the_disk_refuses_leaves_the_whole_session_or_nothing(tmp_path: Path) -> None:
    for number in range(1, 30):
        reached: list[str] = []

        def refuse(operation: str, path: Path, reached: list[str] = reached, number: int = number) -> None:
            reached.append(operation)
            if len(reached) == number:
                raise OSError(errno.ENOSPC, "full", str(path))

        place = tmp_path / str(number)
        async with store(place) as ours:
            durable.failpoint = refuse
            try:
                await ours.adopt(made().records)
                failed = False
            except StorageError:
                failed = True
            durable.failpoint = None
            ids = [summary.id for summary in await ours.list()]
            assert ids == ([] if failed else ["x_a"]), reached
            assert not failed or list(place.rglob("journal.jsonl")) == []
            if failed:
                await ours.adopt(made().records)
                assert (await ours.load("x_a")).session == made().session
        if not failed:
            break
    else:
        pytest.fail("there is no end of operations")
    assert number > 5
