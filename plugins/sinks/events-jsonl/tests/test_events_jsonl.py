"""The files of a session's event stream hold each event once, in order, at their true place."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from codetether import (
    ApprovalRequired,
    AuditAnchor,
    ChatEvent,
    Compaction,
    Disk,
    Done,
    Error,
    EventRecord,
    Message,
    MessageAdded,
    Notice,
    Retry,
    SessionEvent,
    SessionStarted,
    SessionSync,
    TextComplete,
    TextPart,
    Thinking,
    ThinkingComplete,
    ToolCallComplete,
    ToolCallPart,
    ToolCallStart,
    ToolCompleted,
    ToolResultPart,
    TurnEnded,
    Unknown,
    Usage,
    UsageReport,
    UserMessage,
    from_json,
    user,
)
from codetether.record.redact import Redactor
from codetether.record.sinks import EventFeed
from codetether.settings.settings import load_settings
from codetether.storage import durable
from codetether.storage.journal import Journal
from codetether.storage.store import Store
from codetether_sink_events_jsonl import plugin, stream
from codetether_sink_events_jsonl.lines import Family, chat_event
from codetether_sink_events_jsonl.settings import EventsJsonlSettings
from codetether_sink_events_jsonl.stream import EventStream
from hypothesis import given, settings
from hypothesis import strategies as st

PROOF = "CODETETHER_PROOF" in os.environ
AT = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)
NAME = re.compile(r"\d{8}T\d{6}Z-chat-events-(\d{20})-(\d{20})\.jsonl")


class Stage:
    """A real session that is fed to an event stream."""

    def __init__(self, journal: Journal, events: EventStream, said: list[str]) -> None:
        (spec,) = plugin.codetether_event_sinks()
        self.journal = journal
        self.said = said
        self.feed = EventFeed([("events-jsonl", spec, events)], journal, Redactor(), said.append)

    def prompt(self, text: str = "go") -> None:
        """One whole turn: five records of 1, 4, 1, 2 and 1 lines."""
        turn = self.journal.state.session.turn + 1
        call = ToolCallPart(id=f"c{turn}", name="list", arguments="{}")
        result = ToolResultPart(tool_call_id=call.id, name="list", content=(TextPart(text="a b"),), success=True)
        answer = Message(role="assistant", parts=(TextPart(text=f"{text}!"), call), provider="openai", model="m")
        last = Message(role="assistant", parts=(TextPart(text="done"),), provider="openai", model="m")
        for entry in (
            MessageAdded(message=user(text), turn=turn),
            MessageAdded(message=answer, turn=turn, step=1, usage=Usage(input_tokens=1), duration_ms=2.0),
            ToolCompleted(result=result, turn=turn, step=1, duration_ms=3.0),
            MessageAdded(message=last, turn=turn, step=2, usage=Usage(input_tokens=1), duration_ms=2.0),
            TurnEnded(turn=turn, status="done", steps=2),
        ):
            self.feed.feed(self.journal.append(entry))

    def expected(self) -> list[ChatEvent]:
        """What the stream must hold: the journal's events as lines."""
        family = Family()
        told = (chat_event(event, family) for made in self.feed.recorded(0) for event in made)
        return [line for line in told if line is not None]


@asynccontextmanager
async def stage(directory: Path, **more: Any) -> AsyncIterator[Stage]:
    said: list[str] = []
    base = more.pop("path", directory / "events")
    disk = Disk()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(disk.close)
        store = await stack.enter_async_context(Store(directory, disk))
        if (directory / "sessions").exists():
            journal = await store.open("s1")
        else:
            journal = await store.create(SessionStarted(id="s1", directory="/w"))
        stack.push_async_callback(journal.close)
        options = EventsJsonlSettings(path=base, **more)
        events = await stack.enter_async_context(EventStream(base / "s1", options, said.append))
        made = Stage(journal, events, said)
        await made.feed.open()
        stack.push_async_callback(made.feed.close)
        yield made


def sealed(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.jsonl"), key=lambda path: path.name.partition("-chat-events-")[2])


def lines(directory: Path) -> list[ChatEvent]:
    """The stream as its sealed files tell it, each at its place and named by the time of its first line."""
    place, found = 0, []
    for path in sealed(directory):
        data = path.read_bytes()
        named = NAME.fullmatch(path.name)
        assert named
        assert (int(named[1]), int(named[2])) == (place, place + len(data))
        place += len(data)
        events = [from_json(line, ChatEvent) for line in data.splitlines()]
        assert path.name.startswith(events[0].recorded_at.strftime("%Y%m%dT%H%M%SZ"))
        found += events
    return found


def only_sealed(directory: Path) -> bool:
    return all(NAME.fullmatch(path.name) for path in directory.iterdir())


ERRORS = (errno.EIO, errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EMFILE)
Failing = Callable[[Callable[[str, Path], bool]], None]


@pytest.fixture
def failing(request: pytest.FixtureRequest) -> Iterator[Failing]:
    """Lets operations fail, with EIO unless a test asks for more, where it says so of their name and path."""
    error = getattr(request, "param", errno.EIO)

    def arrange(wanted: Callable[[str, Path], bool]) -> None:
        def reached(operation: str, path: Path) -> None:
            if wanted(operation, path):
                raise OSError(error, os.strerror(error))

        durable.failpoint = reached

    yield arrange
    durable.failpoint = None


async def test_a_session_ends_as_one_sealed_file(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        s.prompt("list the files")
        expected = s.expected()
    (path,) = sealed(tmp_path / "events" / "s1")
    raw = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert all(event.pop("recorded_at").endswith("Z") for event in raw)
    every = {"workspace": "/w", "session_id": "s1", "agent_name": "build", "turn": 1, "schema_version": 1}
    prompt, start = {"parent_event_id": "2.0"}, {"parent_event_id": "3.3"}
    call = {"tool_name": "list", "tool_call_id": "c1"}
    usage = {"usage": {"input_tokens": 1}, "duration_ms": 2.0, "model": "openai/m"}
    assert raw == [
        {"role": "user", "message_type": "text", "sequence": 2, "content": "list the files"} | every,
        {"role": "assistant", "message_type": "text", "sequence": 3, "part": 1, "content": "list the files!", "step": 1}
        | prompt
        | every,
        {"role": "assistant", "message_type": "usage", "sequence": 3, "part": 2, "step": 1} | usage | prompt | every,
        {"role": "assistant", "message_type": "tool_call", "sequence": 3, "part": 3, "content": "{}", "step": 1}
        | call
        | prompt
        | every,
        {"role": "tool", "message_type": "tool_result", "sequence": 4, "content": "a b", "step": 1}
        | {"tool_success": True, "tool_duration_ms": 3.0}
        | call
        | start
        | every,
        {"role": "assistant", "message_type": "text", "sequence": 5, "part": 1, "content": "done", "step": 2}
        | prompt
        | every,
        {"role": "assistant", "message_type": "usage", "sequence": 5, "part": 2, "step": 2} | usage | prompt | every,
        {"role": "system", "message_type": "done", "sequence": 6, "status": "done", "usage": {}, "step": 2}
        | prompt
        | every,
    ]
    assert lines(path.parent) == expected
    assert s.said == []
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (UserMessage(message=user("hi")), {"role": "user", "message_type": "text", "content": "hi"}),
        (ThinkingComplete(text="hm"), {"role": "assistant", "message_type": "thinking", "content": "hm"}),
        (TextComplete(text="ok"), {"role": "assistant", "message_type": "text", "content": "ok"}),
        (
            ToolCallStart(call_id="c", name="bash", arguments='{"a":1}'),
            {
                "role": "assistant",
                "message_type": "tool_call",
                "content": '{"a":1}',
                "tool_name": "bash",
                "tool_call_id": "c",
            },
        ),
        (
            ToolCallComplete(call_id="c", name="bash", output="no", success=False, duration_ms=1.5),
            {
                "role": "tool",
                "message_type": "tool_result",
                "content": "no",
                "tool_name": "bash",
                "tool_call_id": "c",
                "tool_success": False,
                "tool_duration_ms": 1.5,
            },
        ),
        (
            UsageReport(usage=Usage(output_tokens=2), duration_ms=9.0, model="p/m"),
            {
                "role": "assistant",
                "message_type": "usage",
                "usage": Usage(output_tokens=2),
                "model": "p/m",
                "duration_ms": 9.0,
            },
        ),
        (
            ApprovalRequired(call_id="c", name="bash", rule="r", reason="asks"),
            {
                "role": "system",
                "message_type": "approval_required",
                "content": "asks",
                "tool_name": "bash",
                "tool_call_id": "c",
            },
        ),
        (Retry(attempt=2, delay=1.0, reason="429"), {"role": "system", "message_type": "retry", "content": "429"}),
        (
            Compaction(undone=True),
            {
                "role": "system",
                "message_type": "compaction",
                "content": "the last compaction is undone: the model sees again what it stood for",
            },
        ),
        (Notice(text="n"), {"role": "system", "message_type": "notice", "content": "n"}),
        (
            Done(status="limit", text="t", usage=Usage(input_tokens=1), reason="50 steps"),
            {
                "role": "system",
                "message_type": "done",
                "content": "50 steps",
                "status": "limit",
                "usage": Usage(input_tokens=1),
            },
        ),
        (
            Error(message="m", kind="k", status="error"),
            {"role": "system", "message_type": "error", "content": "m", "status": "error"},
        ),
        (
            Unknown(raw={"type": "later", "x": 1}),
            {"role": "system", "message_type": "later", "content": '{"x":1}'},
        ),
        (
            AuditAnchor(sink="audit-jsonl", detail={"records": 7}),
            {
                "role": "system",
                "message_type": "audit:anchor",
                "content": '{"type":"audit_anchor","sink":"audit-jsonl","detail":{"records":7}}',
            },
        ),
        (Unknown(raw={"type": "later"}), {"role": "system", "message_type": "later"}),
        (Thinking(step=1), None),
        (Unknown(raw={}), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_line_of_each_event(event: SessionEvent, expected: dict[str, Any] | None) -> None:
    record = record_of(event)
    common: dict[str, Any] = {
        "recorded_at": AT,
        "workspace": "/w",
        "session_id": "s1",
        "sequence": 7,
        "schema_version": 1,
        "agent_name": "plan",
        "turn": 2,
        "step": 3,
        "part": 1,
    }
    assert chat_event(record) == (None if expected is None else ChatEvent(**common, **expected))


def record_of(event: SessionEvent) -> EventRecord:
    return EventRecord(
        sequence=7, part=1, recorded_at=AT, session_id="s1", directory="/w", agent="plan", turn=2, step=3, event=event
    )


@pytest.mark.parametrize("char", ["x", "é", "\U0001f600", "\ud800", "\0"])
def test_content_is_cut_at_characters_and_says_how_many(char: str) -> None:
    for length, cut in ((9_999, None), (10_000, None), (10_001, 1), (25_000, 15_000)):
        line = chat_event(record_of(TextComplete(text=char * length)))
        assert line is not None
        assert (line.content, line.content_cut) == (char * min(length, 10_000), cut)


def test_a_session_state_leaves_no_line(tmp_path: Path) -> None:
    from codetether import Session, SessionMetadata

    session = Session(id="s1", created_at=AT, updated_at=AT, metadata=SessionMetadata(directory="/w"))
    assert chat_event(record_of(SessionSync(session=session))) is None


async def test_full_files_are_sealed_between_records(tmp_path: Path) -> None:
    async with stage(tmp_path, max_bytes=1024) as s:
        for number in range(6):
            s.prompt(f"prompt {number} é")
            await s.feed.flush()
        expected = s.expected()
    directory = tmp_path / "events" / "s1"
    assert lines(directory) == expected
    assert only_sealed(directory)
    files = [[from_json(x, ChatEvent).sequence for x in path.read_bytes().splitlines()] for path in sealed(directory)]
    assert len(files) > 6
    assert all(before[-1] < after[0] for before, after in pairwise(files))


async def test_a_file_is_sealed_by_age_while_nothing_happens(tmp_path: Path) -> None:
    directory = tmp_path / "events" / "s1"
    async with stage(tmp_path, max_seconds=0.1) as s:
        s.prompt()
        await s.feed.flush()
        async with asyncio.timeout(5):
            while not sealed(directory):  # noqa: ASYNC110 (there is nothing else to wait for)
                await asyncio.sleep(0.02)
        assert lines(directory) == s.expected()
        s.prompt()
        expected = s.expected()
    assert lines(directory) == expected
    assert len(sealed(directory)) == 2


async def test_a_file_is_sealed_by_age_while_a_turn_goes_on(tmp_path: Path) -> None:
    directory = tmp_path / "events" / "s1"
    async with stage(tmp_path, max_seconds=0.1) as s:
        call = ToolCallPart(id="c", name="list", arguments="{}")
        for entry in (
            MessageAdded(message=user("go"), turn=1),
            MessageAdded(message=Message(role="assistant", parts=(call,)), turn=1, step=1, usage=Usage(input_tokens=1)),
        ):
            s.feed.feed(s.journal.append(entry))
        async with asyncio.timeout(5):
            while not sealed(directory):  # noqa: ASYNC110 (there is nothing else to wait for)
                await asyncio.sleep(0.02)
        assert [line.message_type for line in lines(directory)] == ["text", "usage", "tool_call"]
        s.feed.feed(s.journal.append(TurnEnded(turn=1, status="done", steps=1)))
        expected = s.expected()
    assert lines(directory) == expected
    assert expected[-1].parent_event_id == "2.0"


async def test_a_record_that_is_not_whole_is_never_sealed(tmp_path: Path) -> None:
    """Its parts come one by one, slower than the clock; the file waits for the last."""
    directory = tmp_path / "events" / "s1"
    options = EventsJsonlSettings(path=tmp_path / "events", max_seconds=0.05)
    async with EventStream(directory, options, print) as events:
        for part in range(3):
            record = evolve(record_of(TextComplete(text=f"{part}")), part=part, parts=3)
            waiting = events.write(record)
            if waiting is not None:
                await waiting
            if part < 2:
                await asyncio.sleep(0.2)
                assert sealed(directory) == []
        async with asyncio.timeout(5):
            while not sealed(directory):  # noqa: ASYNC110 (there is nothing else to wait for)
                await asyncio.sleep(0.02)
    assert [line.content for line in lines(directory)] == ["0", "1", "2"]


async def test_what_was_left_open_is_sealed_at_the_next_end_though_nothing_new_came(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        s.prompt()
        expected = s.expected()
    (path,) = sealed(tmp_path / "events" / "s1")
    path.rename(path.parent / f"chat-events-{0:020}.open")
    async with stage(tmp_path):
        pass
    assert lines(path.parent) == expected
    assert only_sealed(path.parent)


async def test_a_parent_is_known_though_its_line_is_in_an_earlier_file(tmp_path: Path) -> None:
    """And after a restart in the midst of a turn."""
    for part in range(2):
        async with stage(tmp_path, max_bytes=1024) as s:
            if not part:
                s.feed.feed(s.journal.append(MessageAdded(message=user("x" * 900), turn=1)))
            for step in range(1, 4):
                answer = Message(role="assistant", parts=(TextPart(text="y" * 900),))
                s.feed.feed(s.journal.append(MessageAdded(message=answer, turn=1, step=3 * part + step)))
    directory = tmp_path / "events" / "s1"
    assert len(sealed(directory)) > 5
    assert [line.parent_event_id for line in lines(directory)] == [None] + ["2.0"] * 6


async def test_a_session_goes_on_in_the_same_stream(tmp_path: Path) -> None:
    expected: list[ChatEvent] = []
    for number in range(3):
        async with stage(tmp_path) as s:
            s.prompt(f"prompt {number}")
            expected = s.expected()
        assert s.said == []
    assert lines(tmp_path / "events" / "s1") == expected
    assert len(sealed(tmp_path / "events" / "s1")) == 3


async def test_a_stream_that_begins_late_holds_what_was_before(tmp_path: Path) -> None:
    async with stage(tmp_path, path=tmp_path / "other") as s:
        s.prompt()
    async with stage(tmp_path) as s:
        s.prompt()
        expected = s.expected()
    assert lines(tmp_path / "events" / "s1") == expected


@given(cut=st.integers(0, 6000), garbage=st.sampled_from([b"", b"torn", b"\0\0\n\0", b'{"sequence":9}\n', b"[]\n{}\n"]))
@settings(max_examples=25, deadline=None)
def test_a_stream_torn_anywhere_is_whole_again(cut: int, garbage: bytes) -> None:
    async def life(directory: Path) -> None:
        async with stage(directory) as s:
            for _ in range(3):
                s.prompt("a\nb")
        (path,) = sealed(directory / "events" / "s1")
        data = path.read_bytes()
        path.unlink()
        (path.parent / f"chat-events-{0:020}.open").write_bytes(data[:cut] + garbage)
        async with stage(directory) as s:
            s.prompt("later")
            expected = s.expected()
        assert lines(path.parent) == expected
        assert only_sealed(path.parent)

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(life(Path(name)))


@pytest.mark.parametrize("failing", ERRORS if PROOF else ERRORS[:1], indirect=True)
async def test_every_operation_fails_once_and_nothing_is_lost(
    tmp_path: Path, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th operation on the stream's files fails, for each n: at most one message, and each event once."""
    monkeypatch.setattr("codetether.record.sinks.RETRY_FIRST", 0.005)
    monkeypatch.setattr(durable, "_flush", lambda descriptor: None)  # waiting for the disk would take most of the time
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    at, seen, names = 0, 0, set()

    def wanted(operation: str, path: Path) -> bool:
        nonlocal seen
        if "events" not in path.parts:
            return False
        seen += 1
        if seen == at:
            names.add(operation)
        return seen == at

    failing(wanted)
    for at in range(1, 100):
        seen = 0
        directory = tmp_path / str(at)
        async with stage(directory, max_bytes=1024) as s:
            s.prompt()
            await s.feed.flush()
            s.prompt()
        assert len([text for text in s.said if "works again" not in text]) <= 1, s.said
        failed, seen = seen >= at, at
        async with stage(directory, max_bytes=1024) as s:
            s.prompt()
            expected = s.expected()
        assert lines(directory / "events" / "s1") == expected
        if not failed:
            break
    assert names >= {"mkdir", "open", "write", "fsync", "fsync_directory", "rename", "read", "close"}


async def test_D09_a_write_that_falls_short_leaves_each_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many bytes of a turn fit, then the disk is full, then it is not."""
    monkeypatch.setattr("codetether.record.sinks.RETRY_FIRST", 0.005)
    room: int | None = None
    real = os.write

    def short(descriptor: int, data: bytes) -> int:
        nonlocal room
        mine = [path.stat().st_ino for path in tmp_path.glob("*/events/*/*")]
        if room is None or os.fstat(descriptor).st_ino not in mine:
            return real(descriptor, data)
        if room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, data[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", short)
    for bytes_ in range(0, 1600, 37 if PROOF else 400):
        directory = tmp_path / str(bytes_)
        async with stage(directory) as s:
            room = bytes_
            s.prompt()
            await s.feed.flush()
            assert len(s.said) == 1
            assert "No space left on device" in s.said[0]
            room = None
            s.prompt()
            expected = s.expected()
        assert lines(directory / "events" / "s1") == expected


async def test_a_disk_that_fails_for_a_while_is_waited_for(tmp_path: Path, failing: Failing) -> None:
    down = True
    failing(lambda operation, path: down and "events" in path.parts and operation in ("write", "open", "mkdir"))
    async with stage(tmp_path) as s:
        for _ in range(3):
            s.prompt()
            await s.feed.flush()
        assert len(s.said) == 1
        assert 'event sink "events-jsonl" (events-jsonl) fails, its events stay in the session' in s.said[0]
        assert "Input/output error" in s.said[0]
        down = False
        s.prompt()
        await s.feed.flush()
        expected = s.expected()
    assert s.said[1:] == ['event sink "events-jsonl" (events-jsonl) works again; it has every event']
    assert lines(tmp_path / "events" / "s1") == expected


async def test_a_disk_that_hangs_costs_five_seconds_at_most(
    tmp_path: Path, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codetether.record.sinks.END_LIMIT", 0.2)
    monkeypatch.setattr(stream, "CLOSE_LIMIT", 0.2)
    hanging = False

    def hang(operation: str, path: Path) -> bool:
        while hanging and "events" in path.parts:
            time.sleep(0.01)
        return False

    failing(hang)
    async with stage(tmp_path) as s:
        s.prompt()
        await s.feed.flush()
        hanging = True
        begun = time.monotonic()
        for _ in range(3):
            s.prompt()
            await s.feed.flush()
    assert time.monotonic() - begun < 1.5
    hanging = False
    assert s.said[-1] == "the event stream was not closed: the disk did not answer within 0.2 s"
    await asyncio.sleep(0.1)  # the thread that hung writes what it had, as it would before the program ends
    async with stage(tmp_path) as s:
        await s.feed.flush()
        expected = s.expected()
    assert lines(tmp_path / "events" / "s1") == expected


PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from codetether import Disk, Message, MessageAdded, SessionStarted, TextPart, TurnEnded, Usage, user
    from codetether.record.redact import Redactor
    from codetether.record.sinks import EventFeed
    from codetether.storage.store import Store
    from codetether_sink_events_jsonl.plugin import codetether_event_sinks
    from codetether_sink_events_jsonl.settings import EventsJsonlSettings
    from codetether_sink_events_jsonl.stream import EventStream

    async def main(directory):
        store, (spec,) = Store(directory, Disk()), codetether_event_sinks()
        if (directory / "sessions").exists():
            journal = await store.open("s1")
        else:
            journal = await store.create(SessionStarted(id="s1", directory="/w"))
        options = EventsJsonlSettings(max_bytes=2048, max_seconds=0.05)
        events = EventStream(directory / "events" / "s1", options, print)
        feed = EventFeed([("events-jsonl", spec, events)], journal, Redactor(), print)
        await feed.open()
        turn = first = journal.state.session.turn
        while True:
            turn += 1
            answer = Message(role="assistant", parts=(TextPart(text="y" * 300),))
            for entry in (
                MessageAdded(message=user("x" * 300), turn=turn),
                MessageAdded(message=answer, turn=turn, step=1, usage=Usage(input_tokens=1)),
                TurnEnded(turn=turn, status="done", steps=1),
            ):
                feed.feed(journal.append(entry))
                await asyncio.sleep(0)
            if turn % 3 == 0:
                await feed.flush()
            if turn == first + 3:
                print("ready", flush=True)

    asyncio.run(main(Path(sys.argv[1])))
    """
)


def killed_at_random(directory: Path, chance: random.Random) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(directory)], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0, 0.1))
        program.send_signal(signal.SIGKILL)


async def test_a_killed_program_leaves_each_event_once(tmp_path: Path) -> None:
    chance = random.Random(5)
    for _ in range(6):
        killed_at_random(tmp_path, chance)
    async with stage(tmp_path, max_bytes=2048) as s:
        expected = s.expected()
    assert len(expected) >= 6 * 3 * 4
    assert lines(tmp_path / "events" / "s1") == expected
    assert only_sealed(tmp_path / "events" / "s1")


def test_it_is_off_until_a_path_is_set(tmp_path: Path) -> None:
    class Context:
        settings = load_settings(tmp_path, environment={"CODETETHER_HOME": str(tmp_path)}).plugin(
            "events-jsonl", EventsJsonlSettings
        )

    (spec,) = plugin.codetether_event_sinks()
    assert spec.create(Context()) is None  # type: ignore[arg-type]
    environment = {"CODETETHER_HOME": str(tmp_path), "CODETETHER_EVENT_STREAM_PATH": "/e"}
    made = load_settings(tmp_path, environment=environment).plugin("events-jsonl", EventsJsonlSettings)
    assert made == EventsJsonlSettings(path=Path("/e"))
