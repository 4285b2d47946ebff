"""What audit sinks keep."""

from __future__ import annotations

import asyncio
import math
import resource
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from codetether.models.audit import AuditEntry, AuditOutcome
from codetether.models.record import JSON
from codetether.testing.children import child, said, say
from codetether.testing.promises import BrokenPromise, promises, require, within
from codetether.testing.traces import kept, positions
from codetether.testing.trial import Trial

HERE = __name__
ELSEWHERE = "no file below its directories holds it; if it is kept elsewhere, say by Trials.kept how to read it"


def mark(number: int, batch: str = "") -> str:
    """A text that stands in one entry alone."""
    return f"tool:{batch or 'entry'}-{number:04}-{uuid4().hex}"


def entry(
    action: str, detail: Mapping[str, JSON] | None = None, outcome: AuditOutcome = "intent", **more: Any
) -> AuditEntry:
    """An entry about a call."""
    return AuditEntry(
        id=uuid4().hex,
        timestamp=datetime.now(UTC),
        category="tool_execution",
        action=action,
        outcome=outcome,
        principal="someone@somewhere",
        session_id="trial",
        turn=1,
        call_id="call-1",
        decision="allow",
        detail=detail or {},
        **more,
    )


async def record(sink: Any, made: AuditEntry) -> None:
    """Gives the sink an entry, as the trail does: what it returns is awaited if there is something to await."""
    waiting = sink.record(made)
    if waiting is not None:
        await within(10, waiting)


def missing(trial: Trial, marks: Sequence[str]) -> list[str]:
    """The marks that the sink does not hold."""
    return [each for each, places in zip(marks, positions(kept(trial), marks), strict=True) if not places]


async def every_entry_is_kept_in_order(trial: Trial) -> None:
    """Entries that were recorded one after the other are all there, once each, in that order."""
    marks = [mark(number) for number in range(40)]
    async with trial.made() as sink:
        for number, each in enumerate(marks):
            await record(sink, entry(each, outcome="success" if number % 2 else "intent"))
    places = list(positions(kept(trial), marks))
    lost = sum(not each for each in places)
    require(not lost, f"{lost} of {len(marks)} entries are not there: {ELSEWHERE}")
    twice = [each for each, found in zip(marks, places, strict=True) if len(found) > 1]
    require(not twice, f"{len(twice)} entries are there more than once")
    first = [found[0] for found in places]
    require(first == sorted(first), "the entries are not in the order in which they were recorded")


async def odd_values_are_kept(trial: Trial) -> None:
    """NUL, NaN, newlines, lone surrogates, huge texts and numbers are recorded; none of them forges an entry."""
    forged = f"forged-{uuid4().hex}"
    odd: list[dict[str, Any]] = [
        {"text": "\0\x1b[31m\u202e\u2028"},
        {"number": math.nan, "other": -math.inf},
        {"text": f'one\n{forged}\r\n{forged}"\\', "rule": f"x\n{forged}"},
        {"text": "\ud800 half"},
        {"text": "x" * 10_000_000},
        {"number": 2**63 - 1, "deep": {"a": [{"b": [None, True, 0.1]}]}, "": "no name"},
    ]
    marks = [mark(number) for number in range(len(odd))]
    async with trial.made() as sink:
        for each, detail in zip(marks, odd, strict=True):
            try:
                await record(sink, entry(each, detail, rule=detail.pop("rule", None)))
            except Exception as error:
                raise BrokenPromise(
                    f"record() raised {type(error).__name__} for the detail {str(detail)[:60]!r}: {str(error)[:200]}",
                ) from error
    lost = missing(trial, marks)
    require(not lost, f"{len(lost)} of {len(odd)} entries with odd values are not there: {ELSEWHERE}")
    lines = [line for text in kept(trial) for line in text.splitlines() if line.startswith(forged)]
    require(not lines, "a newline within a value begins a new line of the file: an entry can be forged")


async def what_is_recorded_survives_a_kill(trial: Trial) -> None:
    """When `record()` has returned, kill -9 loses nothing of it."""
    async with child(trial, f"{HERE}:recording", marks=[mark(n) for n in range(200)], linger=60) as process:
        assert process.stdout is not None
        told = [(await process.stdout.readline()).decode().strip() for _ in range(25)]
        process.kill()
        rest, err = await process.communicate()
    told = [each for each in (*told, *rest.decode().splitlines()) if each.startswith("tool:")]
    require(told, f"no entry was recorded: {err.decode('utf-8', 'replace')[-300:]}")
    lost = missing(trial, told)
    require(not lost, f"{len(lost)} of {len(told)} entries whose record() had returned are gone after kill -9")


async def a_failure_is_raised(trial: Trial) -> None:
    """`record()` raises when it could not record: what it announces then does not start."""
    text = mark(0)
    async with child(trial, f"{HERE}:recording_on_a_full_disk", text=text) as process:
        outcome = await said(process)
    if outcome == ["returned"]:
        require(not missing(trial, [text]), "nothing could be written, and record() returned as if it had been")


async def processes_share_it(trial: Trial) -> None:
    """Several processes record at the same time, and every entry of each is there, in its order."""
    batches = [[mark(n, batch) for n in range(25)] for batch in ("a", "b", "c")]
    async with (
        child(trial, f"{HERE}:recording", marks=batches[0]) as one,
        child(trial, f"{HERE}:recording", marks=batches[1]) as two,
        child(trial, f"{HERE}:recording", marks=batches[2]) as three,
    ):
        for process in (one, two, three):
            await said(process)
    for batch in batches:
        lost = missing(trial, batch)
        require(not lost, f"{len(lost)} of {len(batch)} entries of one process are lost beside those of two others")


async def recording(trial: Trial, sink: Any, *, marks: Sequence[str], linger: float = 0) -> None:
    """In a child: records, and says what is recorded; then it waits to be killed."""
    for each in marks:
        await record(sink, entry(each))
        say(each)
    await asyncio.sleep(linger)


async def recording_on_a_full_disk(trial: Trial, sink: Any, *, text: str) -> None:
    """In a child: no file takes another byte."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        await record(sink, entry(text))
    except Exception:  # which is what it must do
        say("raised")
    else:
        say("returned")


PROMISES = promises(
    "audit_sinks",
    every_entry_is_kept_in_order,
    odd_values_are_kept,
    what_is_recorded_survives_a_kill,
    a_failure_is_raised,
    processes_share_it,
)
