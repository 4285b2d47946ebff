"""What a journal record means to those who watch a session: its events, the same on every replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from codetether.models import events, replay
from codetether.models.events import EventRecord, SessionEvent
from codetether.models.messages import Message, ThinkingPart
from codetether.models.session import (
    Announced,
    Compacted,
    CompactionUndone,
    JournalRecord,
    MessageAdded,
    MetadataChanged,
    Session,
    SessionStarted,
    ToolCompleted,
    TurnEnded,
)


def project(item: JournalRecord, session: Session, step: int) -> tuple[EventRecord, ...]:
    """The events that a journal record stands for, always the same for the same record.

    `session` is the session after this record: its id, directory and agent, and the messages of the running turn.
    `step` counts where the entry itself names none.
    """
    turn, entry_step, found = _events(item, session)
    return tuple(
        EventRecord(
            sequence=item.sequence,
            part=part,
            recorded_at=item.recorded_at,
            session_id=session.id,
            directory=session.metadata.directory,
            agent=session.agent,
            turn=turn,
            step=entry_step or step,
            event=event,
            parts=len(found),
            parent_event_id=session.parent_event_id,
        )
        for part, event in enumerate(found)
    )


def _events(item: JournalRecord, session: Session) -> tuple[int, int, list[SessionEvent]]:
    """The turn, the step and the events of a record."""
    match item.entry:
        case MessageAdded(message=message) as entry if message.role == "user":
            return entry.turn, entry.step, [events.UserMessage(message=message)]
        case MessageAdded(message=message) as entry if message.role == "assistant":
            return entry.turn, entry.step, list(_answer_events(entry, message))
        case ToolCompleted() as entry:
            return entry.turn, entry.step, [completion(entry)]
        case Announced() as entry:
            return entry.turn, entry.step, [entry.event]
        case Compacted() | CompactionUndone() as entry:
            return session.turn, 0, [compaction(entry)]
        case TurnEnded() as entry:
            return entry.turn, entry.steps, [_end_event(entry, session)]
        case _:
            return session.turn, 0, []


def completion(entry: ToolCompleted) -> events.ToolCallComplete:
    """The event that a call has its result."""
    return events.ToolCallComplete(
        call_id=entry.result.tool_call_id,
        name=entry.result.name,
        output=entry.result.text,
        success=entry.result.success,
        duration_ms=entry.duration_ms,
        denied=entry.denied,
        metadata=entry.metadata,
    )


def _answer_events(entry: MessageAdded, message: Message) -> Iterator[SessionEvent]:
    yield events.Thinking(step=entry.step)
    thinking = "\n".join(p.text for p in message.parts if isinstance(p, ThinkingPart) and p.text)
    if thinking:
        yield events.ThinkingComplete(text=thinking)
    if message.text:
        yield events.TextComplete(text=message.text)
    if entry.usage is not None:
        model = "/".join(filter(None, (message.provider, message.model)))
        yield events.UsageReport(
            usage=entry.usage,
            duration_ms=entry.duration_ms or 0.0,
            model=model,
            first_ms=entry.first_ms,
            finish_reason=entry.finish_reason,
            response_id=entry.response_id,
            response_model=entry.response_model,
        )
    for call in message.tool_calls:
        yield events.ToolCallStart(call_id=call.id, name=call.name, arguments=call.arguments)


def _end_event(entry: TurnEnded, session: Session) -> SessionEvent:
    if entry.status in ("error", "provider_failed"):
        message = entry.reason or entry.error or entry.status
        return events.Error(message=message, kind=entry.error or entry.status, status=entry.status)
    texts = [m.text for m in running_turn(session.messages) if m.role == "assistant" and m.text]
    text = "\n".join(texts).strip()
    return events.Done(
        status=entry.status, text=text, usage=entry.usage, steps=entry.steps, reason=entry.reason, limit=entry.limit
    )


def compaction(entry: Compacted | CompactionUndone) -> events.Compaction:
    """What is told of a compaction, or of its end."""
    if isinstance(entry, CompactionUndone):
        return events.Compaction(undone=True)
    return events.Compaction(
        why=entry.why,
        replaced=entry.until,
        by=len(entry.messages),
        tokens_before=entry.tokens_before,
        tokens_after=entry.tokens_after,
    )


def running_turn(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages from the last one of the user on."""
    first = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].role == "user"), 0)
    return tuple(messages[first:])


def follow(session: Session, item: JournalRecord) -> Session:
    """The session after one more record, as far as events need it: its head and the running turn's messages."""
    match item.entry:
        case SessionStarted() as entry:
            return replay.start(entry, item.recorded_at).session
        case MetadataChanged():
            return replay.apply(replay.Replayed(session=session), item).session
        case MessageAdded(message=message) as entry:
            earlier = () if message.role == "user" else session.messages
            return attrs.evolve(session, messages=(*earlier, message), turn=max(session.turn, entry.turn))
        case _:
            return session
