"""What audit sinks keep."""

from __future__ import annotations

import asyncio
import math
import resource
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from attrs import evolve

from codetether.models.audit import AuditEntry, AuditOutcome
from codetether.models.record import JSON
from codetether.protocols import AnchoredAuditSink
from codetether.testing.children import child, said, say
from codetether.testing.promises import BrokenPromise, NotTried, promises, require, within
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
    """Entries recorded one after the other are all there, once each, in that order, and nobody changed them."""
    marks = [mark(number) for number in range(40)]
    async with trial.made() as sink:
        for number, each in enumerate(marks):
            made = entry(each, {"exit_code": number}, outcome="success" if number % 2 else "intent")
            await record(sink, made)
            require(made.detail == {"exit_code": number}, "it changed the entry's detail: other sinks get it too")
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
    async with child(trial, f"{HERE}:recording", marks=[mark(n) for n in range(211)], linger=60) as process:
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


async def it_works_again(trial: Trial) -> None:
    """After a failure it records again as soon as that is possible, and nobody has to start anything anew."""
    text, later = mark(0), mark(1)
    async with child(trial, f"{HERE}:recording_when_there_is_room_again", text=text, later=later) as process:
        outcome = await said(process)
    require(outcome[-1:] == ["recorded"], f"it does not work again after a failure: {' '.join(outcome)[:300]}")
    require(not missing(trial, [later]), "what it recorded after a failure is not there")


async def it_keeps_anchors_of_others(trial: Trial) -> None:
    """An entry `audit:anchor` is kept with the head that it tells, so that this sink can be asked for it later."""
    usual, head = uuid4().hex, uuid4().hex * 2
    async with trial.made() as sink:
        await record(sink, entry(mark(0), {"what": usual}, outcome="success"))
        told = {"sink": "other", "log": head[:16], "records": 100, "head": head}
        anchor = entry("audit:anchor", told, outcome="success")
        await record(sink, evolve(anchor, category="audit", session_id=None, turn=None, call_id=None, decision=None))
    if missing(trial, [usual]):
        raise NotTried("it keeps no detail of entries, so it is no witness of where another sink's record ended")
    require(not missing(trial, [head]), "it keeps the detail of other entries, and not the head that an anchor tells")


async def its_anchors_move_with_it(trial: Trial) -> None:
    """A sink with anchors tells its head when something was recorded, another one each time, and nothing otherwise."""
    async with trial.made() as sink:
        if not isinstance(sink, AnchoredAuditSink):
            raise NotTried("it has no anchors")
        heads = []
        for number in range(3):
            await record(sink, entry(mark(number)))
            heads.append(await within(10, sink.anchor()))
            require(isinstance(heads[-1], Mapping), f"anchor() gave {type(heads[-1]).__name__} after an entry")
            require(await within(10, sink.anchor()) is None, "anchor() gave something though nothing was recorded")
        require(heads[0] != heads[1] != heads[2], "anchors do not change though entries were recorded")


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


async def recording_when_there_is_room_again(trial: Trial, sink: Any, *, text: str, later: str) -> None:
    """In a child: no file takes another byte, and then they do again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    with suppress(Exception):  # whether it raises is another promise
        await record(sink, entry(text))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await record(sink, entry(later))
    say("recorded")


PROMISES = promises(
    "audit_sinks",
    every_entry_is_kept_in_order,
    odd_values_are_kept,
    what_is_recorded_survives_a_kill,
    a_failure_is_raised,
    it_works_again,
    it_keeps_anchors_of_others,
    its_anchors_move_with_it,
    processes_share_it,
)
