"""Events reach every sink from the journal: a durable one gets each, a lossy one never holds anybody up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from codetether.models import events
from codetether.models.completion import Usage
from codetether.models.events import EventRecord
from codetether.models.messages import Message, TextPart, ToolCallPart, ToolResultPart, user
from codetether.models.session import (
    Announced,
    MessageAdded,
    MetadataChanged,
    SessionStarted,
    TitleChanged,
    ToolCompleted,
    ToolIntent,
    TurnEnded,
)
from codetether.record import sinks
from codetether.record.redact import Redactor
from codetether.record.sinks import EventFeed
from codetether.specs import EventSinkSpec
from codetether.storage.durable import Disk
from codetether.storage.journal import Journal
from codetether.storage.store import Store


class Kept:
    """A sink that keeps events and does what it is told before each."""

    def __init__(self, before: Callable[[EventRecord], Awaitable[None]] | None = None) -> None:
        self.events: list[EventRecord] = []
        self.before = before
        self.flushes = 0

    async def cursor(self) -> int:
        return self.events[-1].sequence if self.events else 0

    async def write(self, record: EventRecord) -> None:
        if self.before is not None:
            await self.before(record)
        self.events.append(record)

    async def flush(self) -> None:
        self.flushes += 1


Delivery = Literal["durable", "lossy"]


class Stage:
    """A real session with its feed, and what the feed said."""

    def __init__(self, journal: Journal, kept: Kept, delivery: Delivery) -> None:
        self.journal = journal
        self.said: list[str] = []
        self.redactor = Redactor()
        spec = EventSinkSpec(name="kept", create=lambda ctx: kept, delivery=delivery)
        self.feed = EventFeed([("corp", spec, kept)], journal, self.redactor, self.said.append)

    def prompt(self, text: str = "go", *, agent: str | None = None) -> None:
        """One whole turn."""
        turn = self.journal.state.session.turn + 1
        call = ToolCallPart(id=f"c{turn}", name="list", arguments="{}")
        result = ToolResultPart(tool_call_id=call.id, name="list", content=(TextPart(text="a b"),), success=True)
        answer = Message(role="assistant", parts=(TextPart(text=f"{text}!"), call), provider="openai", model="m")
        last = Message(role="assistant", parts=(TextPart(text="done"),), provider="openai", model="m")
        entries = [
            MessageAdded(message=user(text), turn=turn),
            MetadataChanged(agent=agent) if agent else TitleChanged(title="t", automatic=True),
            MessageAdded(message=answer, turn=turn, step=1, usage=Usage(input_tokens=1), duration_ms=2.0),
            ToolIntent(call_id=call.id, name="list", turn=turn, step=1, repeatable=True),
            ToolCompleted(result=result, turn=turn, step=1),
            Announced(event=events.Notice(text="n"), turn=turn, step=1),
            MessageAdded(message=last, turn=turn, step=2),
            TurnEnded(turn=turn, status="done", steps=2),
            TitleChanged(title="later"),
        ]
        for entry in entries:
            self.feed.feed(self.journal.append(entry))

    def whole(self) -> list[EventRecord]:
        """What a sink must hold in the end."""
        return [event for made in self.feed.recorded(0) for event in made]


@asynccontextmanager
async def stage(directory: Path, kept: Kept, delivery: Delivery = "durable") -> AsyncIterator[Stage]:
    disk = Disk()
    async with Store(directory, disk) as store:
        if (directory / "sessions").exists():
            journal = await store.open("s1")
        else:
            journal = await store.create(SessionStarted(id="s1", directory="/w", agent="build"))
        made = Stage(journal, kept, delivery)
        await made.feed.open()
        try:
            yield made
        finally:
            await made.feed.close()
            await journal.close()
    await disk.close()


async def test_a_sink_gets_every_event_once_and_in_order(tmp_path: Path) -> None:
    kept = Kept()
    async with stage(tmp_path, kept) as s:
        s.prompt("one", agent="plan")
        s.prompt("two", agent="build")
        await s.feed.flush()
        assert kept.events == s.whole()
        assert kept.flushes == 1
    assert s.said == []
    assert [(e.turn, e.step, e.agent, type(e.event).__name__) for e in kept.events[:10]] == [
        (1, 0, "build", "UserMessage"),
        (1, 1, "plan", "Thinking"),
        (1, 1, "plan", "TextComplete"),
        (1, 1, "plan", "UsageReport"),
        (1, 1, "plan", "ToolCallStart"),
        (1, 1, "plan", "ToolCallComplete"),
        (1, 1, "plan", "Notice"),
        (1, 2, "plan", "Thinking"),
        (1, 2, "plan", "TextComplete"),
        (1, 2, "plan", "Done"),
    ]
    assert [e.event.text for e in kept.events if isinstance(e.event, events.Done)] == ["one!\ndone", "two!\ndone"]


async def test_a_replay_equals_the_live_run(tmp_path: Path) -> None:
    live, late = Kept(), Kept()
    async with stage(tmp_path, live) as s:
        s.prompt("one", agent="plan")
        s.prompt("two")
    async with stage(tmp_path, late) as s:
        s.prompt("three", agent="build")
        await s.feed.flush()
        assert late.events == s.whole()
    assert late.events[: len(live.events)] == live.events


async def test_nothing_is_read_again_where_nothing_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    async with stage(tmp_path, kept) as s:
        s.prompt()
    before = list(kept.events)
    monkeypatch.setattr(EventFeed, "recorded", None)
    async with stage(tmp_path, kept) as s:
        await s.feed.flush()
    assert kept.events == before


async def test_a_durable_sink_that_fails_gets_everything_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = True

    async def fail(record: EventRecord) -> None:
        if broken and record.sequence > 3:
            raise OSError("no space left")

    kept = Kept(fail)
    monkeypatch.setattr(sinks, "RETRY_FIRST", 0.02)
    async with stage(tmp_path, kept) as s:
        s.prompt()
        await s.feed.flush()
        s.prompt()
        await s.feed.flush()
        assert s.said == [
            'event sink "kept" (corp) fails, its events stay in the session and are sent again: OSError: no space left'
        ]
        broken = False
        async with asyncio.timeout(5):
            while len(s.said) < 2:  # noqa: ASYNC110 (by itself, without a flush)
                await asyncio.sleep(0.01)
        assert s.said[1:] == ['event sink "kept" (corp) works again; it has every event']
        s.prompt()
        await s.feed.flush()
        assert kept.events == s.whole()


async def test_what_a_durable_sink_lacks_at_the_end_comes_at_the_next_opening(tmp_path: Path) -> None:
    async def fail(record: EventRecord) -> None:
        raise OSError("gone")

    kept = Kept(fail)
    async with stage(tmp_path, kept) as s:
        s.prompt()
    assert s.said[1:] == [
        'event sink "kept" (corp) lacks events of this session; they are sent when it is opened again'
    ]
    kept.before = None
    async with stage(tmp_path, kept) as s:
        await s.feed.flush()
        assert kept.events == s.whole()
    assert s.said == []


async def test_a_durable_sink_only_knows_what_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = 0, Journal.sync

    async def watched(journal: Journal) -> None:
        nonlocal synced
        before = journal.state.sequence
        await sync(journal)
        synced = before

    async def check(record: EventRecord) -> None:
        assert record.sequence <= synced
        await asyncio.sleep(0)

    monkeypatch.setattr(Journal, "sync", watched)
    kept = Kept(check)
    async with stage(tmp_path, kept) as s:
        for _ in range(5):
            s.prompt()
            await asyncio.sleep(0.05)
        await s.feed.flush()
        assert kept.events == s.whole()
    assert s.said == []


async def test_a_lossy_sink_loses_what_it_refuses_and_it_is_counted(tmp_path: Path) -> None:
    async def fail(record: EventRecord) -> None:
        if isinstance(record.event, events.Thinking):
            raise ValueError("odd")

    kept = Kept(fail)
    async with stage(tmp_path, kept, "lossy") as s:
        s.prompt()
        s.prompt()
        await s.feed.flush()
        assert kept.events == [e for e in s.whole() if not isinstance(e.event, events.Thinking)]
    assert s.said == [
        'event sink "kept" (corp) fails, events are lost: ValueError: odd',
        'event sink "kept" (corp) lost 4 events of this session',
    ]


@pytest.mark.parametrize("delivery", ["durable", "lossy"])
async def test_a_full_queue_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivery: Delivery
) -> None:
    monkeypatch.setattr(sinks, "QUEUE", 15)
    gate = asyncio.Event()

    async def wait(record: EventRecord) -> None:
        await gate.wait()

    kept = Kept(wait)
    async with stage(tmp_path, kept, delivery) as s:
        for _ in range(5):
            s.prompt()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        gate.set()
        await s.feed.flush()
        whole = s.whole()
    if delivery == "durable":
        assert kept.events == whole
        assert s.said == []
    else:
        lost = len(whole) - len(kept.events)
        assert lost > 20
        assert s.said == [f'event sink "kept" (corp) lost {lost} events of this session']


@pytest.mark.parametrize("delivery", ["durable", "lossy"])
async def test_a_sink_that_hangs_costs_one_limit_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivery: Delivery
) -> None:
    monkeypatch.setattr(sinks, "END_LIMIT", 0.2)

    async def hang(record: EventRecord) -> None:
        await asyncio.Event().wait()

    begun = time.monotonic()
    async with stage(tmp_path, Kept(hang), delivery) as s:
        for _ in range(5):
            s.prompt()
            await s.feed.flush()
    assert 0.2 <= time.monotonic() - begun < 0.9
    assert len(s.said) == 1


async def test_a_slow_sink_does_not_keep_another_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "END_LIMIT", 0.2)

    async def hang(record: EventRecord) -> None:
        await asyncio.Event().wait()

    stuck, kept = Kept(hang), Kept()
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        journal = await store.create(SessionStarted(id="s1", directory="/w"))
        spec = EventSinkSpec(name="x", create=lambda ctx: kept, delivery="lossy")
        feed = EventFeed([("a", spec, stuck), ("b", spec, kept)], journal, Redactor(), lambda text: None)
        await feed.open()
        feed.feed(journal.append(MessageAdded(message=user("hi"), turn=1)))
        await feed.flush()
        assert [e.event for e in kept.events] == [events.UserMessage(message=user("hi"))]
        await feed.close()
        await journal.close()
    await disk.close()


async def test_a_sink_that_raises_cancellation_ends_nothing(tmp_path: Path) -> None:
    asked = 0

    async def cancelled(record: EventRecord) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise asyncio.CancelledError

    kept = Kept(cancelled)
    async with stage(tmp_path, kept) as s:
        s.prompt()
        await s.feed.flush()
        s.prompt()
        await s.feed.flush()
        assert kept.events == s.whole()


async def test_known_secrets_leave_no_session(tmp_path: Path) -> None:
    kept = Kept()
    async with stage(tmp_path, kept) as s:
        s.redactor.add("correct-horse", "pw")
        s.prompt("say correct-horse")
        await s.feed.flush()
    assert kept.events[0].event == events.UserMessage(message=user("say [redacted:pw]"))
    assert "correct-horse" not in repr(kept.events)


async def test_without_sinks_nothing_is_done(tmp_path: Path) -> None:
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        journal = await store.create(SessionStarted(id="s1", directory="/w"))
        feed = EventFeed([], journal, Redactor(), print)
        await feed.open()
        feed.feed(journal.append(MessageAdded(message=user("hi"), turn=1)))
        await feed.flush()
        await feed.close()
        await journal.close()
    await disk.close()
