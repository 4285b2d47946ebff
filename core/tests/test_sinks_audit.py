"""Audit entries reach every sink in order, small and clean; a required sink that fails stops the effect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from codetether.errors import AuditFailed, StorageError
from codetether.models.audit import AuditEntry
from codetether.record import trail
from codetether.record.redact import Redactor
from codetether.record.sinks import AuditTrail
from codetether.specs import AuditSinkSpec
from codetether.wire import from_json, to_json


class Book:
    """A sink that keeps entries and does what it is told before."""

    def __init__(self, before: Callable[[], Awaitable[None]] | None = None) -> None:
        self.entries: list[AuditEntry] = []
        self.before = before

    async def record(self, entry: AuditEntry) -> None:
        if self.before is not None:
            await self.before()
        self.entries.append(entry)


def opened(*books: tuple[str, bool, Book], redactor: Redactor | None = None) -> tuple[AuditTrail, list[str]]:
    said: list[str] = []
    sinks = []
    for name, required, book in books:
        spec = AuditSinkSpec(name=name, create=lambda ctx: Book(), required=required)
        sinks.append((f"corp-{name}", spec, book))
    return AuditTrail(sinks, redactor or Redactor(), "me@here", said.append), said


async def test_every_sink_gets_every_entry_in_order() -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.001)

    one, two = Book(), Book(slowly)
    audit, said = opened(("one", False, one), ("two", True, two))
    await asyncio.gather(*(audit.record("tool_execution", f"tool:t{i}", "intent") for i in range(20)))
    await audit.record(
        "tool_execution",
        "tool:bash",
        "denied",
        session_id="s",
        turn=2,
        call_id="c",
        decision="deny",
        rule="mode plan",
        duration_ms=1.5,
        detail={"output_len": 3},
    )
    assert one.entries == two.entries
    assert [e.action for e in one.entries] == [*(f"tool:t{i}" for i in range(20)), "tool:bash"]
    assert len({e.id for e in one.entries}) == 21
    last = one.entries[-1]
    assert last == AuditEntry(
        id=last.id,
        timestamp=last.timestamp,
        category="tool_execution",
        action="tool:bash",
        outcome="denied",
        principal="me@here",
        session_id="s",
        turn=2,
        call_id="c",
        decision="deny",
        rule="mode plan",
        duration_ms=1.5,
        detail={"output_len": 3},
    )
    assert abs((last.timestamp - datetime.now(UTC)).total_seconds()) < 5
    assert said == []


async def test_a_required_sink_that_fails_stops_the_effect_and_says_why() -> None:
    async def full() -> None:
        raise StorageError("cannot write /a: no space left", remedy="Make room.")

    good, bad = Book(), Book(full)
    audit, said = opened(("good", False, good), ("bad", True, bad))
    with pytest.raises(AuditFailed) as caught:
        await audit.record("tool_execution", "tool:bash", "intent")
    assert str(caught.value) == (
        'audit sink "bad" (corp-bad) could not record the intent of tool:bash, so it was not started: '
        "cannot write /a: no space left. Make room.\n"
        "  Make the sink work again; whether it is required stands in the settings under [audit]."
    )
    await audit.record("tool_execution", "tool:bash", "failure")  # an outcome cannot be undone
    bad.before = None
    await audit.record("tool_execution", "tool:bash", "intent")
    assert [e.outcome for e in good.entries] == ["intent", "failure", "intent"]
    assert [e.outcome for e in bad.entries] == ["intent"]
    assert said == [
        'audit sink "bad" (corp-bad) fails: cannot write /a: no space left. Make room.',
        'audit sink "bad" (corp-bad) works again; 2 audit entries did not reach it',
    ]


async def test_another_sink_that_fails_is_said_once_until_it_works_again() -> None:
    async def broken() -> None:
        raise OSError("no")

    book = Book(broken)
    audit, said = opened(("b", False, book))
    for _ in range(3):
        await audit.record("session", "session:open", "intent")
    book.before = None
    await audit.record("session", "session:open", "success")
    book.before = broken
    await audit.record("session", "session:open", "success")
    assert said == [
        'audit sink "b" (corp-b) fails: OSError: no',
        'audit sink "b" (corp-b) works again; 3 audit entries did not reach it',
        'audit sink "b" (corp-b) fails: OSError: no',
    ]


@pytest.mark.parametrize("stubborn", [False, True])
async def test_D02_a_sink_that_hangs_has_its_limit(monkeypatch: pytest.MonkeyPatch, stubborn: bool) -> None:
    for room in ("book", "trail"):
        monkeypatch.setattr(f"codetether.record.{room}.LIMIT", 0.05)
    freed = asyncio.Event()

    async def hang() -> None:
        while not freed.is_set():
            try:
                await freed.wait()
            except asyncio.CancelledError:
                if not stubborn:
                    raise

    required, book = Book(hang), Book(hang)
    audit, said = opened(("r", True, required), ("b", False, book))
    begun = time.monotonic()
    for _ in range(3):
        with pytest.raises(AuditFailed, match=r"did not answer within 0.05 s"):
            await audit.record("tool_execution", "tool:bash", "intent")
    assert time.monotonic() - begun < 1
    assert len(said) == 2
    freed.set()
    await asyncio.sleep(0.01)
    required.before = book.before = None
    monkeypatch.setattr("codetether.record.book.PAUSE", 0.0)
    await audit.record("tool_execution", "tool:bash", "intent")
    assert required.entries[-1].outcome == "intent"


async def test_D02_a_sink_that_hangs_has_its_limit_also_where_nobody_waits_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for room in ("book", "trail"):
        monkeypatch.setattr(f"codetether.record.{room}.LIMIT", 0.05)

    async def hang() -> None:
        await asyncio.Event().wait()

    book = Book(hang)
    audit, said = opened(("b", True, book))
    task = asyncio.create_task(audit.record("tool_execution", "tool:bash", "success"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    book.before = None
    await asyncio.sleep(0.1)
    await audit.record("tool_execution", "tool:bash", "intent")
    assert [e.outcome for e in book.entries] == ["intent"]
    assert said == [
        'audit sink "b" (corp-b) fails: it did not answer within 0.05 s',
        'audit sink "b" (corp-b) works again; 1 audit entries did not reach it',
    ]


async def test_a_cancelled_caller_loses_no_entry() -> None:
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    book = Book(wait)
    audit, _ = opened(("b", True, book))
    task = asyncio.create_task(audit.record("tool_execution", "tool:bash", "success"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await audit.close()
    assert [e.outcome for e in book.entries] == ["success"]


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("line\nnext\0", "line\nnext\0"),
        ("\ud800x", "\ufffdx"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**63 - 1, 2**63 - 1),
        (10**5000, "(an integer of 16610 bits)"),
        (b"raw", "(bytes)"),
        (Path("/w"), "/w"),
        (object, "(type)"),
        ({1: (2, None, True)}, {"1": [2, None, True]}),
        (nested(5000), [[[[[[["(list)"]]]]]]]),
        ("x" * 10_000_000, "x" * 4000 + "… (9996000 more characters)"),
    ],
    ids=lambda v: type(v).__name__,
)
async def test_D04_odd_values_are_small_plain_and_one_line(value: Any, held: Any) -> None:
    book = Book()
    audit, said = opened(("b", True, book))
    await audit.record("tool_execution", "tool:x", "intent", detail={"error": value})
    assert book.entries[0].detail == {"error": held}
    line = to_json(book.entries[0])
    assert b"\n" not in line
    assert from_json(line, AuditEntry) == book.entries[0]
    assert said == []


async def test_D04_a_wide_detail_is_bounded() -> None:
    book = Book()
    audit, _ = opened(("b", True, book))
    wide = {str(i): {str(j): [0] * 100 for j in range(100)} for i in range(100)}
    await audit.record("tool_execution", "tool:x\ud800", "intent", detail=wide, duration_ms=float("nan"))
    assert len(orjson.dumps(book.entries[0].detail)) < 5000
    assert (book.entries[0].action, book.entries[0].duration_ms) == ("tool:x\ufffd", None)


async def test_known_secrets_stay_out_even_where_a_text_is_cut() -> None:
    redactor = Redactor()
    redactor.add("correct-horse-battery", "pw")
    book = Book()
    audit, _ = opened(("b", True, book), redactor=redactor)
    text = "x" * (trail.TEXT_LIMIT - 5) + "correct-horse-battery"
    await audit.record("auth", "correct-horse-battery", "failure", detail={"error": text, "correct-horse-battery": 1})
    assert b"horse" not in to_json(book.entries[0])
    assert b"corre" not in to_json(book.entries[0])


async def test_without_sinks_nothing_happens() -> None:
    audit, said = opened()
    await audit.record("auth", "auth:login", "intent")
    assert said == []


async def test_the_principal_is_user_at_host_unless_said_otherwise() -> None:
    book = Book()
    audit = AuditTrail([("p", AuditSinkSpec(name="b", create=lambda ctx: book), book)], Redactor(), None, print)
    await audit.record("auth", "auth:login", "intent")
    user, _, host = (book.entries[0].principal or "").partition("@")
    assert user
    assert host
