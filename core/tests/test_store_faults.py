"""Every I/O operation of the store fails in turn: one clear message, nothing acknowledged lost, no restart needed."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attrs import define, field
from codetether.errors import InvalidSessionId, StorageError
from codetether.models.completion import Usage
from codetether.models.messages import user
from codetether.models.session import (
    Gap,
    JournalEntry,
    JournalRecord,
    MessageAdded,
    SessionStarted,
    TitleChanged,
    TurnEnded,
)
from codetether.storage import durable
from codetether.storage.disk import Disk
from codetether.storage.phrases import Phrases
from codetether.storage.search import Scope
from codetether.storage.store import Journal, Store

T = TypeVar("T")
PROOF = bool(os.environ.get("CODETETHER_PROOF"))
ERRORS = (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EACCES, errno.EROFS, errno.EMFILE)


@pytest.fixture(autouse=True)
def mended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same operations in every run, since nothing syncs by the clock; no fault outlives its test."""
    monkeypatch.setattr(Disk, "INTERVAL", 60.0)
    yield
    durable.failpoint = None


@define
class Fault:
    """The operation that fails: the nth, once or from there on until the fault is mended."""

    nth: int
    error: int = errno.ENOSPC
    lasting: bool = False
    met: list[str] = field(factory=list)
    failed: list[str] = field(factory=list)
    mended: bool = False

    def __call__(self, operation: str, path: Path) -> None:
        self.met.append(f"{operation} {path.name}")
        reached = len(self.met) >= self.nth if self.lasting else len(self.met) == self.nth
        if reached and not self.mended:
            self.failed.append(f"{operation} {path.name}")
            raise OSError(self.error, os.strerror(self.error))


@define
class Story:
    """What a program does with the store, step by step; a step that fails is done again when the fault is mended."""

    store: Store
    fault: Fault
    journal: Journal | None = None
    acknowledged: list[JournalRecord] = field(factory=list)
    messages: list[str] = field(factory=list)

    async def told(self) -> None:
        """The whole life of a session."""
        await self.create()
        for entry in (MessageAdded(message=user("one"), turn=1), TitleChanged(title="one", automatic=True)):
            await self.append(entry)
        await self.sync()
        await self.side_file()
        await self.append(TurnEnded(turn=1, status="done", steps=1))
        await self.sync()
        await self.close()
        await self.open()
        await self.append(MessageAdded(message=user("two"), turn=2))
        await self.close()
        self.tear()
        await self.open()
        await self.append(TurnEnded(turn=2, status="done", steps=1))
        await self.close()

    async def tried(self, step: Callable[[], Awaitable[T]]) -> T:
        try:
            return await step()
        except StorageError as error:
            self.messages.append(str(error))
            self.fault.mended = True
            return await step()

    async def create(self) -> None:
        self.journal = await self.tried(lambda: self.store.create(SessionStarted(id="s1", directory="/work")))
        self.acknowledged = await self.tried(self.records)

    async def records(self) -> list[JournalRecord]:
        assert self.journal is not None
        return [*self.journal.records()]

    async def open(self) -> None:
        self.journal = await self.tried(lambda: self.store.open("s1"))

    async def append(self, entry: JournalEntry) -> None:
        async def step() -> JournalRecord:
            assert self.journal is not None
            return self.journal.append(entry)

        self.acknowledged.append(await self.tried(step))

    async def sync(self) -> None:
        async def step() -> None:
            assert self.journal is not None
            await self.journal.sync()

        await self.tried(step)

    async def side_file(self) -> None:
        async def step() -> Path:
            assert self.journal is not None
            return self.journal.side_file("out.txt", b"whole output")

        await self.tried(step)

    async def close(self) -> None:
        assert self.journal is not None
        await self.tried(self.journal.close)

    def tear(self) -> None:
        """Somebody pulls the plug within a write."""
        assert self.journal is not None
        with self.journal.path.open("ab") as file:
            file.write(b'{"seq":99,"at":"20')


async def lived(directory: Path, fault: Fault) -> Story:
    """The story told with a fault, and what the disk holds afterwards compared with what was acknowledged."""
    disk = Disk()
    durable.failpoint = fault
    try:
        async with Store(directory, disk) as store:
            story = Story(store, fault)
            await story.told()
            durable.failpoint = None
            kept = [item async for item in store.records("s1")]
            assert kept == story.acknowledged, fault
            again = await store.open("s1")
            assert again.repairs == (), fault
            await again.close()
            assert [summary.id for summary in await store.list()] == ["s1"]
            assert (again.directory / "files" / "out.txt").read_bytes() == b"whole output"
            assert await store.delete("s1") is True
    finally:
        durable.failpoint = None
        await disk.close()
    return story


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "until mended"])
async def test_every_operation_of_a_sessions_life_fails_in_turn(tmp_path: Path, lasting: bool) -> None:
    calm = await lived(tmp_path / "calm", Fault(nth=0, mended=True))
    assert calm.messages == []
    count = len(calm.fault.met)
    assert count > 30
    for nth in range(1, count + 1):
        for error in ERRORS if PROOF else ERRORS[nth % len(ERRORS) :][:1]:
            fault = Fault(nth=nth, error=error, lasting=lasting)
            story = await lived(tmp_path / f"{nth}-{error}", fault)
            assert fault.failed, nth
            assert len(story.messages) == 1, (fault.failed, story.messages)
            (message,) = story.messages
            assert "s1" in message or "sessions" in message or str(tmp_path) in message, message
            assert os.strerror(error) in message, message
            assert message.count("\n") == 1, message


async def test_every_operation_of_deleting_fails_in_turn(tmp_path: Path) -> None:
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        for nth in range(1, 40):
            journal = await store.create(SessionStarted(id="s1", directory="/work"))
            await journal.close()
            fault = Fault(nth=nth)
            durable.failpoint = fault
            try:
                assert await store.delete("s1") is True
                break
            except StorageError as error:
                assert str(journal.directory.parent) in error.message  # noqa: PT017
                fault.mended = True
                await store.delete("s1")
            finally:
                durable.failpoint = None
            assert list(journal.directory.parent.iterdir()) == []
        assert 3 < nth < 40
    await disk.close()


async def test_a_creation_that_failed_leaves_the_id_free(tmp_path: Path) -> None:
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        for nth in range(1, 60):
            fault = Fault(nth=nth)
            durable.failpoint = fault
            try:
                journal = await store.create(SessionStarted(id=f"s{nth}", directory="/work"))
            except StorageError:
                durable.failpoint = None
                assert await store.list() == []
                assert await store.delete(f"s{nth}") in (True, False)
                continue
            finally:
                durable.failpoint = None
            assert not fault.failed
            await journal.close()
            break
        assert nth > 5
        with pytest.raises(InvalidSessionId):
            await store.create(SessionStarted(id=f"s{nth}", directory="/work"))
    await disk.close()


async def test_a_failed_sync_in_the_background_is_told_at_the_next_append(tmp_path: Path) -> None:
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        journal = await store.create(SessionStarted(id="s1", directory="/work"))
        kept = journal.append(MessageAdded(message=user("one"), turn=1))
        durable.failpoint = Fault(nth=1, lasting=True, error=errno.EIO)
        await disk.call(disk._flush)
        durable.failpoint = None
        with pytest.raises(StorageError, match=r"an earlier sync failed .Input/output error."):
            journal.append(TitleChanged(title="x"))
        inode = journal.path.stat().st_ino
        assert journal.append(TitleChanged(title="x")).sequence == kept.sequence + 1
        assert journal.path.stat().st_ino != inode  # written anew: what a failed sync left behind proves nothing
        await journal.sync()
        await journal.close()
        assert await store.load("s1") == journal.state


async def test_a_session_closed_on_a_failing_disk_is_written_anew_when_it_is_opened_again(tmp_path: Path) -> None:
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        journal = await store.create(SessionStarted(id="s1", directory="/work"))
        journal.append(MessageAdded(message=user("one"), turn=1))
        fault = Fault(nth=1, lasting=True, error=errno.EIO)
        durable.failpoint = fault
        with pytest.raises(StorageError, match=r"cannot sync .*: Input/output error"):
            await journal.close()
        durable.failpoint = None
        inode = journal.path.stat().st_ino
        again = await store.open("s1")
        assert (again.state, again.repairs) == (journal.state, ())
        assert again.path.stat().st_ino != inode
        await again.close()
    await disk.close()


async def test_what_a_failing_disk_really_lost_is_told(tmp_path: Path) -> None:
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        journal = await store.create(SessionStarted(id="s1", directory="/work"))
        size = journal.path.stat().st_size
        journal.append(MessageAdded(message=user("one"), turn=1))
        durable.failpoint = Fault(nth=1, error=errno.EIO)
        with pytest.raises(StorageError):
            await journal.sync()
        durable.failpoint = None
        os.truncate(journal.path, size)
        for _ in range(2):
            with pytest.raises(StorageError, match="lost records when a sync failed"):
                journal.append(TitleChanged(title="x"))
        with pytest.raises(StorageError):
            await journal.close()
        again = await store.open("s1")
        assert again.repairs == (f"{journal.path}: records 2 to 2 were lost when a sync failed",)
        await again.close()
    await disk.close()


async def test_every_operation_of_a_whole_sessions_writing_and_mending_fails_in_turn(tmp_path: Path) -> None:
    said = MessageAdded(message=user("one"), turn=1)
    entries: list[JournalEntry] = [SessionStarted(id="s1", directory="/work"), said, TitleChanged(title="t")]
    records = [
        JournalRecord(sequence=n, recorded_at=datetime(2026, 1, 1, tzinfo=UTC), entry=entry)
        for n, entry in enumerate(entries, 1)
    ]
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        for nth in range(1, 60):
            fault = durable.failpoint = Fault(nth=nth, error=ERRORS[nth % len(ERRORS)])
            try:
                await store.adopt(records)
            except StorageError:
                assert await store.list() == []  # all of it, or nothing
                continue
            finally:
                durable.failpoint = None
            assert not fault.failed
            break
        assert 8 < nth < 60
        assert [item async for item in store.records("s1")] == records
        (journal,) = tmp_path.glob("sessions/*/s1/journal.jsonl")
        damaged = journal.read_bytes().replace(b"one", b"0ne")
        journal.write_bytes(damaged)
        for nth in range(1, 60):
            fault = durable.failpoint = Fault(nth=nth, error=ERRORS[nth % len(ERRORS)])
            try:
                mended = await store.mend("s1", "/work")
            except StorageError:
                kept = [item async for item in store.records("s1") if not isinstance(item.entry, Gap)]
                assert kept == [records[0], records[2]]
                journal.write_bytes(damaged)
                continue
            finally:
                durable.failpoint = None
            assert len(mended.problems) == 1
            break
        assert 5 < nth < 60
    await disk.close()


CODES = (
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_READONLY,
)


async def test_every_operation_of_the_index_fails_in_turn_and_no_answer_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = failing = 0

    def operation() -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            error = sqlite3.OperationalError("it fails")
            error.sqlite_errorcode = CODES[failing % len(CODES)]
            raise error

    class Failing(sqlite3.Connection):
        """A connection whose nth operation fails."""

        def execute(self, *given: Any) -> sqlite3.Cursor:
            operation()
            return super().execute(*given)

        def executemany(self, *given: Any) -> sqlite3.Cursor:
            operation()
            return super().executemany(*given)

        def executescript(self, script: str) -> sqlite3.Cursor:
            operation()
            return super().executescript(script)

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **named: real(*given, **named, factory=Failing))
    disk = Disk()

    async def answers(store: Store) -> list[object]:
        found = await store.search(Phrases("word"), Scope(directory=os.path.realpath("/work")))
        tally = await store.tally()
        return [
            [each.id for each in await store.list()],
            [each.id for each in await store.list_for_directory(Path("/work"))],
            [(each.session_id, each.hits[0].snippet) for each in found.sessions],
            {each.session_id: each.usage.input_tokens for each in tally.spending},
            await store.unreadable(),
            await store.known(["s0", "s7"]),
            [*await store.some(["s0", "s7"])],
            [each.id for each in await store.children("s0")],
        ]

    found = [("s1", "word 1"), ("s0", "word 0")]
    expected: list[object] = [*[["s1", "s0"]] * 2, found, {"s0": 5, "s1": 5}, {}, {"s0"}, ["s0"], ["s1"]]
    async with Store(tmp_path, disk) as store:
        for number in range(2):
            above = "s0" if number else None
            journal = await store.create(SessionStarted(id=f"s{number}", directory="/work", parent_id=above))
            journal.append(MessageAdded(message=user(f"word {number}"), turn=1, usage=Usage(input_tokens=5)))
            await journal.close()
    while calls >= failing:
        calls, failing = 0, failing + (1 if PROOF else 13)
        (tmp_path / "index.sqlite").unlink(missing_ok=True)
        async with Store(tmp_path, disk) as store:
            assert await answers(store) == expected, failing
        async with Store(tmp_path, disk) as store:
            assert await answers(store) == expected, failing
    assert failing > 80
    await disk.close()
