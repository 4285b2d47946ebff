"""What sessions spent adds up to what their journals say, whatever befalls the index; only what is new is read."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from codetether import Message, SessionStarted, TextPart, ToolResultPart, Usage, UsageReport, user
from codetether.models.session import Announced, JournalEntry, MessageAdded, ToolCompleted, TurnEnded
from codetether.storage import journal as journal_module
from codetether.storage import tallies
from codetether.storage.disk import Disk
from codetether.storage.store import Store
from codetether.storage.tallies import Spending, TalliedSession, Tally, ToolTally

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


class Clock(datetime):
    """A `datetime` whose now is told to it."""

    at = NOON

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.at


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setattr(journal_module, "datetime", Clock)
    monkeypatch.setattr(Clock, "at", NOON)
    disk = Disk()
    async with Store(tmp_path / "data", disk) as store:
        yield store
    await disk.close()


def answer(usage: Usage | None, model: str = "m", provider: str = "p", text: str = "yes") -> MessageAdded:
    message = Message(role="assistant", parts=(TextPart(text=text),), provider=provider, model=model)
    return MessageAdded(message=message, turn=1, step=1, usage=usage, duration_ms=1.0)


def called(name: str, success: bool = True, denied: bool = False, ms: float = 10.0, text: str = "ok") -> ToolCompleted:
    result = ToolResultPart(tool_call_id="c", name=name, content=(TextPart(text=text),), success=success)
    return ToolCompleted(result=result, turn=1, step=1, duration_ms=ms, denied=denied)


async def held(store: Store, session_id: str, *entries: JournalEntry, directory: str = "/work") -> None:
    """A session, made where it is not there, with these entries more."""
    if (store.directory / "x").parent.exists() and any(s.id == session_id for s in await store.list()):
        journal = await store.open(session_id)
    else:
        journal = await store.create(SessionStarted(id=session_id, directory=directory))
    for entry in entries:
        journal.append(entry)
    await journal.close()


SPENT = Usage(
    input_tokens=100,
    output_tokens=50,
    cache_read_tokens=60,
    cache_write_tokens=30,
    reasoning_tokens=20,
    cost=Decimal("0.000000000000000001"),
)


async def test_everything_that_was_spent(store: Store) -> None:
    tricky = '"usage":{"input_tokens":999} "type":"message_added"'
    await held(
        store,
        "s1",
        MessageAdded(message=user(tricky), turn=1),
        answer(SPENT, text=tricky),
        called("read", text=tricky),
        called("bash", success=False, ms=2.5),
        called("bash", success=False, denied=True, ms=0),
        answer(SPENT),
        answer(Usage(input_tokens=1), model="a/b"),
        answer(None),
        Announced(event=UsageReport(usage=SPENT, duration_ms=2.0, model="p/a/b"), turn=1),
        TurnEnded(turn=1, status="done", steps=2, usage=SPENT + SPENT),
    )
    assert await store.tally() == Tally(
        sessions={"s1": TalliedSession(id="s1", title=None, directory="/work", parent_id=None)},
        spending=(
            Spending(
                session_id="s1",
                day="2026-03-14",
                provider="p",
                model="a/b",
                responses=2,
                unpriced=1,
                usage=Usage(input_tokens=1) + SPENT,
            ),
            Spending(
                session_id="s1",
                day="2026-03-14",
                provider="p",
                model="m",
                responses=2,
                unpriced=0,
                usage=Usage(
                    input_tokens=200,
                    output_tokens=100,
                    cache_read_tokens=120,
                    cache_write_tokens=60,
                    reasoning_tokens=40,
                    cost=Decimal("0.000000000000000002"),
                ),
            ),
        ),
        tools=(
            ToolTally(session_id="s1", day="2026-03-14", tool="bash", calls=2, failures=2, denied=1, duration_ms=2.5),
            ToolTally(session_id="s1", day="2026-03-14", tool="read", calls=1, failures=0, denied=0, duration_ms=10.0),
        ),
    )


async def test_days_are_those_of_utc_and_can_be_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (0, 11, 12, 36):
        monkeypatch.setattr(Clock, "at", NOON + timedelta(hours=hours, minutes=-1))
        await held(store, "s1", answer(SPENT), called("read"))
    found = await store.tally(date(2026, 3, 15))
    assert [(s.day, s.responses) for s in found.spending] == [("2026-03-15", 1)]
    assert [(t.day, t.calls) for t in found.tools] == [("2026-03-15", 1)]
    assert [(s.day, s.responses) for s in (await store.tally()).spending] == [("2026-03-14", 3), ("2026-03-15", 1)]


async def test_only_what_is_new_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        await held(store, f"s{number}", answer(SPENT))
    read: list[tuple[str, int]] = []
    real = tallies._bytes

    def counting(path: Path, start: int, end: int) -> bytes:
        read.append((path.parent.name, end - start))
        return real(path, start, end)

    await store.tally()
    monkeypatch.setattr(tallies, "_bytes", counting)
    await store.tally()
    assert read == []
    journal = await store.open("s7")
    before = journal.path.stat().st_size
    journal.append(answer(SPENT))
    assert sum(s.responses for s in (await store.tally()).spending) == 21
    assert read == [("s7", journal.path.stat().st_size - before)]
    await journal.close()


async def test_what_is_gone_counts_no_more(store: Store) -> None:
    await held(store, "s1", answer(SPENT), called("read"))
    await held(store, "s2", answer(SPENT), called("read"))
    await store.tally()
    await store.delete("s1")
    found = await store.tally()
    assert [(s.session_id, s.responses) for s in found.spending] == [("s2", 1)]
    assert [t.session_id for t in found.tools] == ["s2"]


async def test_a_journal_that_was_put_in_anothers_place_is_counted_anew(store: Store, tmp_path: Path) -> None:
    await held(store, "s1", answer(SPENT))
    (journal,) = store.directory.glob("*/s1/journal.jsonl")
    shutil.copy(journal, tmp_path / "old")
    await held(store, "s1", answer(SPENT), answer(SPENT))
    assert [s.responses for s in (await store.tally()).spending] == [3]
    journal.unlink()
    shutil.copy(tmp_path / "old", journal)
    journal.parent.parent.touch()
    assert [s.responses for s in (await store.tally()).spending] == [1]


async def test_damaged_lines_are_left_out(store: Store) -> None:
    await held(store, "s1", answer(SPENT), answer(SPENT, text="damaged"), answer(SPENT))
    (journal,) = store.directory.glob("*/s1/journal.jsonl")
    journal.write_bytes(journal.read_bytes().replace(b"damaged", b"dAmaged"))
    assert [s.responses for s in (await store.tally()).spending] == [2]


@pytest.mark.parametrize("harm", ["delete", "garbage", "version", "table"])
async def test_the_tallies_are_only_a_cache(store: Store, harm: str) -> None:
    await held(store, "s1", answer(SPENT), called("read"))
    expected = await store.tally()
    path = store.data / "index.sqlite"
    if harm == "delete":
        path.unlink()
    elif harm == "garbage":
        path.write_bytes(random.Random(3).randbytes(9_000))
    else:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version=1" if harm == "version" else "DROP TABLE spent")
        connection.close()
    async with Store(store.data, Disk()) as other:
        assert await other.tally() == expected


async def test_two_processes_count_each_answer_once(store: Store) -> None:
    async with Store(store.data, Disk()) as other:
        for number in range(10):
            await held(store, f"s{number % 3}", answer(SPENT), called("read"))
            both = await asyncio.gather(*(s.tally() for s in [store, other] * 3))
            assert [sum(s.responses for s in found.spending) for found in both] == [number + 1] * 6
            assert [sum(t.calls for t in found.tools) for found in both] == [number + 1] * 6


async def test_sums_are_those_of_the_journals(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random sessions, tallied in between: the end is what a naive reading of all entries adds up."""
    chance = random.Random(7)
    spent: dict[tuple[str, str, str], tuple[int, Usage]] = {}
    for _ in range(60):
        monkeypatch.setattr(Clock, "at", NOON + timedelta(hours=chance.randrange(100)))
        session, model = f"s{chance.randrange(5)}", f"m{chance.randrange(3)}"
        cost = chance.choice([None, Decimal(chance.randrange(10**6)) / 10**7])
        usage = Usage(input_tokens=chance.randrange(1000), output_tokens=chance.randrange(1000), cost=cost)
        await held(store, session, answer(usage, model=model))
        key = (session, Clock.at.date().isoformat(), model)
        responses, before = spent.get(key, (0, Usage()))
        spent[key] = (responses + 1, before + usage)
        if chance.random() < 0.3:
            await store.tally()
    found = await store.tally()
    assert {(s.session_id, s.day, s.model): (s.responses, s.usage) for s in found.spending} == spent
