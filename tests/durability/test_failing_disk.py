"""The loop on a real disk: an effect waits for its safe intent, and a failing disk costs a turn, not a session."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from codetether import Done, Error, ToolCallComplete
from codetether.functions import tool
from codetether.models.session import ToolCompleted
from codetether.storage import durable
from codetether.storage.disk import Disk
from codetether.testing.scripted import Call
from codetether.testing.sessions import opened

PROOF = bool(os.environ.get("CODETETHER_PROOF"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of its own; nothing syncs by the clock; no fault outlives its test."""
    monkeypatch.setattr(Disk, "INTERVAL", 60.0)
    monkeypatch.setenv("CODETETHER_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    durable.failpoint = None


async def test_an_effect_waits_for_its_intent_and_the_next_request_for_its_result() -> None:
    trace: list[str] = []

    @tool(effects=("write",), name="mark")
    def mark() -> str:
        """Changes something."""
        trace.append("effect")
        return "marked"

    @tool(effects=("read",), name="look")
    def look() -> str:
        """Changes nothing."""
        trace.append("look")
        return "seen"

    def seen(operation: str, path: Path) -> None:
        if path.name == "journal.jsonl" and operation in ("write", "fsync"):
            trace.append(operation)

    def asked(*pieces: str | Call) -> object:
        def step(request: object) -> list[str | Call]:
            trace.append("request")
            return list(pieces)

        return step

    script = asked("a", Call("mark", id="c1")), asked(Call("look", id="c2")), asked(Call("mark", id="c3")), asked("end")
    async with opened(*script, tools=[mark, look], mode="unsafe") as (session, _):
        durable.failpoint = seen
        result = await session.prompt("go")
        durable.failpoint = None
    assert result.status == "done"
    steps = "".join({"write": "w", "fsync": "s", "effect": "E", "look": "L", "request": "R"}[word] for word in trace)
    assert steps.count("E") == 2
    for place, step in enumerate(steps):
        if step == "E":
            assert steps[place - 1] == "s", steps
            assert "ws" in steps[place : steps.index("R", place)], steps
    assert steps.endswith("s")
    read_only = steps[steps.index("E") : steps.index("L")]
    assert read_only.count("s") == 1, f"a call that only reads waits for no disk: {steps}"


async def lived(nth: int, error: int, home: Path) -> tuple[list[str], int]:
    """One prompt while the nth operation of the store fails, and one after it; the messages and how many there were."""
    effects: Counter[str] = Counter()
    met = 0

    @tool(effects=("write",), name="mark")
    def mark(name: str) -> str:
        """Changes something."""
        effects[name] += 1
        return f"marked {name}"

    def fault(operation: str, path: Path) -> None:
        nonlocal met
        met += 1
        if met == nth:
            raise OSError(error, os.strerror(error))

    script = [["first", Call("mark", {"name": "a"}, id="a")], "second", ["third", Call("mark", {"name": "b"}, id="b")]]
    messages: list[str] = []
    told: list[str] = []
    async with opened(*script, tools=[mark], mode="unsafe") as (session, _):
        durable.failpoint = fault
        async for event in session.stream("go"):
            match event:
                case Error(message=message, remedy=remedy):
                    messages.append(f"{message}\n{remedy}")
                case ToolCallComplete(call_id=call_id, success=True):
                    told.append(call_id)
                case _:
                    pass
        durable.failpoint = None
        again = [event async for event in session.stream("go on")]
        assert isinstance(again[-1], Done), (nth, again[-1])
        assert again[-1].status == "done"
        session_id, journal = session.id, session.journal
        kept = [item.entry for item in journal.records()]
    completed = [e.result.tool_call_id for e in kept if isinstance(e, ToolCompleted)]
    assert set(told) <= set(completed)
    assert len(completed) == len(set(completed))
    assert max(effects.values(), default=1) == 1
    async with opened(id=session_id) as (session, _):
        assert session.journal.repairs == ()
        assert session.journal.state.open_calls == {}
    return messages, met


async def test_every_operation_of_a_turn_fails_in_turn(home: Path) -> None:
    first, _ = await lived(0, errno.ENOSPC, home)
    calm, count = await lived(0, errno.ENOSPC, home)  # the directories above all sessions are there by now
    assert (first, calm) == ([], [])
    assert count > 10
    for nth in range(1, count + 1):
        for error in (errno.ENOSPC, errno.EIO) if PROOF else ((errno.ENOSPC, errno.EIO)[nth % 2],):
            messages, met = await lived(nth, error, home)
            if met < nth:  # its directory was there already: there is less to do
                continue
            assert len(messages) == 1, (nth, messages)
            assert os.strerror(error) in messages[0], messages
            assert str(home) in messages[0]
