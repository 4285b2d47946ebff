"""A journal record always stands for the same events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from codetether.models import events
from codetether.models.completion import Usage
from codetether.models.events import EventRecord, SessionEvent
from codetether.models.messages import (
    ImagePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    user,
)
from codetether.models.record import Unknown
from codetether.models.session import (
    Announced,
    Gap,
    JournalEntry,
    JournalRecord,
    MessageAdded,
    MetadataChanged,
    Remembered,
    Session,
    SessionMetadata,
    SessionStarted,
    TitleChanged,
    ToolCompleted,
    ToolIntent,
    TurnEnded,
)
from codetether.record.sinks import project

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ASK = user("list the files")
ANSWER = Message(
    role="assistant",
    provider="openai",
    model="gpt/4o",
    parts=(
        ThinkingPart(text="hm"),
        ThinkingPart(text=""),
        TextPart(text="I look."),
        ToolCallPart(id="c1", name="list", arguments='{"path": "."}'),
        TextPart(text="Twice."),
        ToolCallPart(id="c2", name="read", arguments="{"),
    ),
)
LAST = Message(role="assistant", parts=(TextPart(text="Two files. "),))
RESULT = ToolResultPart(
    tool_call_id="c1",
    name="list",
    content=(TextPart(text="a"), ImagePart(media_type="image/png", data=b"x"), TextPart(text="b")),
    success=True,
)
SESSION = Session(
    id="s1",
    created_at=AT,
    updated_at=AT,
    metadata=SessionMetadata(directory="/w"),
    agent="plan",
    turn=3,
    messages=(user("before"), LAST, ASK, ANSWER, Message(role="tool", parts=(RESULT,)), LAST),
)
USAGE = Usage(input_tokens=3, output_tokens=4)


@pytest.mark.parametrize(
    ("entry", "step", "expected"),
    [
        (MessageAdded(message=ASK, turn=3), 0, [events.UserMessage(message=ASK)]),
        (
            MessageAdded(
                message=ANSWER,
                turn=3,
                step=2,
                usage=USAGE,
                duration_ms=12.5,
                first_ms=4.5,
                finish_reason="tool_calls",
                response_id="r1",
                response_model="gpt/4o-2024",
            ),
            2,
            [
                events.Thinking(step=2),
                events.ThinkingComplete(text="hm"),
                events.TextComplete(text="I look.\nTwice."),
                events.UsageReport(
                    usage=USAGE,
                    duration_ms=12.5,
                    model="openai/gpt/4o",
                    first_ms=4.5,
                    finish_reason="tool_calls",
                    response_id="r1",
                    response_model="gpt/4o-2024",
                ),
                events.ToolCallStart(call_id="c1", name="list", arguments='{"path": "."}'),
                events.ToolCallStart(call_id="c2", name="read", arguments="{"),
            ],
        ),
        (
            ToolCompleted(result=RESULT, turn=3, step=2, duration_ms=7.0, metadata={"n": 2}),
            2,
            [
                events.ToolCallComplete(
                    call_id="c1", name="list", output="a\nb", success=True, duration_ms=7.0, metadata={"n": 2}
                )
            ],
        ),
        (
            ToolCompleted(result=RESULT, turn=3, step=2, denied=True),
            2,
            [
                events.ToolCallComplete(
                    call_id="c1", name="list", output="a\nb", success=True, duration_ms=0.0, denied=True
                )
            ],
        ),
        (Announced(event=events.Notice(text="n"), turn=3, step=1), 1, [events.Notice(text="n")]),
        (Announced(event=Unknown(raw={"type": "later"}), turn=3), 0, [Unknown(raw={"type": "later"})]),
        (
            TurnEnded(turn=3, status="limit", steps=2, usage=USAGE, reason="50 steps"),
            2,
            [events.Done(status="limit", text="I look.\nTwice.\nTwo files.", usage=USAGE, steps=2, reason="50 steps")],
        ),
        (
            TurnEnded(turn=3, status="provider_failed", steps=2, reason="429 of openai", error="RateLimited"),
            2,
            [events.Error(message="429 of openai", kind="RateLimited", status="provider_failed")],
        ),
        (
            TurnEnded(turn=3, status="error", steps=2, reason="the model gave an empty answer"),
            2,
            [events.Error(message="the model gave an empty answer", kind="error", status="error")],
        ),
    ],
)
def test_what_an_entry_stands_for(entry: JournalEntry, step: int, expected: list[SessionEvent]) -> None:
    item = JournalRecord(sequence=9, recorded_at=AT, entry=entry)
    assert project(item, SESSION, 0) == tuple(
        EventRecord(
            sequence=9,
            part=part,
            recorded_at=AT,
            session_id="s1",
            directory="/w",
            agent="plan",
            turn=3,
            step=step,
            event=event,
            parts=len(expected),
        )
        for part, event in enumerate(expected)
    )


@pytest.mark.parametrize(
    "entry",
    [
        SessionStarted(id="s1", directory="/w"),
        ToolIntent(call_id="c1", name="list", turn=3, step=2, repeatable=True),
        TitleChanged(title="t"),
        MetadataChanged(agent="build"),
        Remembered(plugin="p", key="k", value=1),
        Gap(first_line=1, last_line=2, why="x"),
        Unknown(raw={"type": "later"}),
    ],
)
def test_what_stands_for_nothing(entry: JournalEntry) -> None:
    assert project(JournalRecord(sequence=9, recorded_at=AT, entry=entry), SESSION, 4) == ()
