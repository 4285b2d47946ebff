"""What event sinks keep."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from codetether.models.events import EventRecord, TextComplete
from codetether.testing.children import child, said, say
from codetether.testing.promises import BrokenPromise, NotTried, promises, require, within
from codetether.testing.traces import kept, positions
from codetether.testing.trial import SESSION, Trial

HERE = __name__


def event(sequence: int, text: str, part: int = 0) -> EventRecord:
    """An event of the session on trial."""
    return EventRecord(
        sequence=sequence,
        part=part,
        recorded_at=datetime.now(UTC),
        session_id=SESSION,
        directory="/nowhere",
        agent="build",
        turn=1,
        step=sequence,
        event=TextComplete(text=text),
    )


def marks(count: int) -> list[str]:
    """Texts that stand in one event each."""
    return [f"event-{number:04}-{uuid4().hex}" for number in range(1, count + 1)]


async def write(sink: Any, record: EventRecord) -> None:
    """Gives the sink an event, as the feed does."""
    waiting = sink.write(record)
    if waiting is not None:
        await within(10, waiting)


def durable(trial: Trial) -> None:
    """Raises NotTried for a lossy sink."""
    if trial.record.delivery != "durable":
        raise NotTried("it is lossy, and promises nothing of the kind")


async def its_cursor_starts_at_0(trial: Trial) -> None:
    """Before anything was flushed, the cursor of a durable sink is 0, so that every event is sent."""
    durable(trial)
    async with trial.made() as sink:
        at = await sink.cursor()
        require(at == 0, f"cursor() of a sink that holds nothing is {at}")


async def its_cursor_tells_what_was_flushed(trial: Trial) -> None:
    """After `flush()`, the session's next object has the last event's cursor, and all are there in order."""
    durable(trial)
    texts = marks(10)
    async with trial.made() as sink:
        await sink.cursor()
        for number, text in enumerate(texts, 1):
            await write(sink, event(number, text))
        await sink.flush()
    async with trial.made() as sink:
        at = await sink.cursor()
    require(at == 10, f"10 events were flushed, and the next cursor() is {at}")
    places = list(positions(kept(trial), texts))
    if any(places):
        require(all(places), f"10 events were flushed, and {sum(not each for each in places)} of them are not there")
        require(places == sorted(places), "the events are not in the order in which they were written")


async def its_cursor_is_honest_after_a_kill(trial: Trial) -> None:
    """After kill -9, all up to the cursor is there, and of what was flushed at most the last is asked for again."""
    durable(trial)
    texts = marks(20)
    cursor = await _killed(trial, texts)
    require(9 <= cursor <= 20, f"10 of 20 events were flushed before kill -9, and the cursor is {cursor}")
    lost = [t for t, found in zip(texts[:cursor], positions(kept(trial), texts[:cursor]), strict=True) if not found]
    known = any(positions(kept(trial), texts))
    require(not lost or not known, f"the cursor is {cursor} after kill -9, and {len(lost)} events before it are lost")


async def no_event_is_kept_twice(trial: Trial) -> None:
    """When everything after the cursor is sent again after a kill, no event is there more than once."""
    durable(trial)
    texts = marks(20)
    cursor = await _killed(trial, texts)
    async with trial.made() as sink:
        await sink.cursor()
        for number in range(cursor + 1, 21):
            await write(sink, event(number, texts[number - 1]))
        await sink.flush()
    places = list(positions(kept(trial), texts))
    if not any(places):
        raise NotTried("the texts of events are in no file of it; say by Trials.kept how to read them")
    twice = [text for text, found in zip(texts, places, strict=True) if len(found) > 1]
    require(not twice, f"{len(twice)} events are there more than once after a kill and a replay")


async def odd_events_are_taken(trial: Trial) -> None:
    """NUL, newlines, lone surrogates and huge texts are taken and flushed like any other."""
    odd = ["\0\x1b[31m\u2028", "one\ntwo\r\n", "\ud800 half", "x" * 10_000_000, "", "grüße 日本 \U0001f600"]
    async with trial.made() as sink:
        await _cursor(sink)
        for number, text in enumerate(odd, 1):
            try:
                await write(sink, event(number, text))
                await within(10, sink.flush())
            except Exception as error:
                raise BrokenPromise(
                    f"an event with {text[:20]!r} raised {type(error).__name__}: {str(error)[:200]}"
                ) from error


async def what_cannot_be_kept_is_not_claimed(trial: Trial) -> None:
    """Where nothing can be written, a durable sink raises or its cursor stays: the events are sent again later."""
    durable(trial)
    async with trial.made() as sink:
        start = await sink.cursor()
    async with child(trial, f"{HERE}:writing_on_a_full_disk", texts=marks(3)) as process:
        await said(process)
    async with trial.made() as sink:
        at = await sink.cursor()
    require(at == start, f"no event could be written, and the cursor is {at}: they are lost")


async def _cursor(sink: Any) -> int:
    return int(await sink.cursor()) if hasattr(sink, "cursor") else 0


async def _killed(trial: Trial, texts: Sequence[str]) -> int:
    """A child writes 20 events, flushes after 10, and is killed; the cursor that is found afterwards."""
    async with child(trial, f"{HERE}:writing", texts=list(texts)) as process:
        assert process.stdout is not None
        ready = await process.stdout.readline()
        process.kill()
        _, err = await process.communicate()
    require(ready == b"written\n", f"writing failed: {err.decode('utf-8', 'replace')[-300:]}")
    async with trial.made() as sink:
        return int(await sink.cursor())


async def writing(trial: Trial, sink: Any, *, texts: Sequence[str]) -> None:
    """In a child: writes all, flushes after 10, and waits to be killed."""
    await sink.cursor()
    for number, text in enumerate(texts, 1):
        await write(sink, event(number, text))
        if number == 10:
            await sink.flush()
    say("written")
    await asyncio.sleep(60)


async def writing_on_a_full_disk(trial: Trial, sink: Any, *, texts: Sequence[str]) -> None:
    """In a child: no file takes another byte."""
    await sink.cursor()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        for number, text in enumerate(texts, 1):
            await write(sink, event(number, text))
        await within(10, sink.flush())
    except Exception as error:  # it may raise; what counts is the cursor that it has afterwards
        say(f"raised {type(error).__name__}")


PROMISES = promises(
    "event_sinks",
    its_cursor_starts_at_0,
    its_cursor_tells_what_was_flushed,
    its_cursor_is_honest_after_a_kill,
    no_event_is_kept_twice,
    odd_events_are_taken,
    what_cannot_be_kept_is_not_claimed,
)
