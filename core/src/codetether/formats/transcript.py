"""A transcript: what was said, as a reader of foreign files tells it, becomes a session whole and in order."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256

import attrs
from attrs import field

from codetether.models.completion import FinishReason, Usage
from codetether.models.foreign import BARE, CLOSED, CONTINUED, ORIGIN, ForeignSession
from codetether.models.messages import (
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from codetether.models.record import JSON
from codetether.models.session import (
    JournalEntry,
    JournalRecord,
    MessageAdded,
    Remembered,
    SessionStarted,
    TitleChanged,
    ToolCompleted,
    TurnEnded,
    title_from,
)
from codetether.values import define
from codetether.wire import storable

NO_RESULT = "Error: the session that this was imported from holds no result for this call"
UNANSWERED = "calls without a result, closed with an error"
ORPHANS = "results of calls that are not there"
_LONGEST = 90


@define(kw_only=True)
class _Said:
    """A message, and the results of its calls by their ids here."""

    message: Message
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    response_id: str | None = None
    results: dict[str, tuple[datetime, ToolCompleted]] = field(factory=dict)


@define(kw_only=True)
class Transcript:
    """Takes what was said in order, pairs calls with results, and counts what is left out.

    A call's id that was used before gets a number; a result goes to the earliest call of its id that has none, however
    late it comes; a call that gets none is closed with an error. Times may be missing: the one before counts then.

    Attributes:
        format: the format's name. source_id: the product's own id. directory: where it worked, absolute.
        created_at: when it began; the first message's time where it is None.
        model: `provider/model`, as far as it is known. parent: the source's id of the session that began this one.
        origin: what else is worth remembering of the source, e.g. the product's version.
    """

    format: str
    source_id: str
    directory: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    title: str | None = None
    model: str | None = None
    agent: str = "build"
    parent: str | None = None
    origin: dict[str, JSON] = field(factory=dict)
    _said: list[_Said] = field(factory=list)
    _lost: Counter[str] = field(factory=Counter)
    _open: dict[str, deque[tuple[_Said, str, str]]] = field(factory=dict)
    _ids: Counter[str] = field(factory=Counter)
    _last: _Said | None = None
    _orphans: list[tuple[str, datetime | None, ToolCompleted]] = field(factory=list)

    def lose(self, what: str, times: int = 1) -> None:
        """Counts something that is not taken over: a noun in the plural, `snapshots of files`."""
        if times > 0:
            self._lost[what] += times

    def user(self, parts: Iterable[MessagePart], at: datetime | None = None) -> None:
        """A message of the user."""
        self._said.append(_Said(message=Message(role="user", parts=tuple(parts), created_at=at)))

    def assistant(
        self,
        parts: Iterable[MessagePart],
        at: datetime | None = None,
        *,
        provider: str | None = None,
        model: str | None = None,
        usage: Usage | None = None,
        finish_reason: FinishReason | None = None,
        response_id: str | None = None,
        continued: bool = False,
    ) -> None:
        """A message of the model, its calls among the parts; `provider_data` of parts goes back to `provider` only.

        `continued`: the source holds it as one with the message of the model before it, so it is not counted.
        """
        extra = {CONTINUED: True} if continued else {}
        message = Message(role="assistant", parts=(), provider=provider, model=model, created_at=at, extra=extra)
        said = _Said(
            message=message,
            usage=usage,
            finish_reason=finish_reason,
            response_id=response_id,
        )
        mine = tuple(self._call(part, said) if isinstance(part, ToolCallPart) else part for part in parts)
        said.message = attrs.evolve(said.message, parts=mine)
        self._said.append(said)
        self._last = said
        if provider and model:
            self.model = f"{provider}/{model}"

    def result(
        self,
        call_id: str,
        content: Iterable[TextPart | ImagePart | FilePart],
        at: datetime | None = None,
        *,
        success: bool = True,
        duration_ms: float = 0.0,
        metadata: Mapping[str, JSON] | None = None,
    ) -> None:
        """What a tool answered, under the id that the source gives the call."""
        part = ToolResultPart(tool_call_id="", name="", content=tuple(content), success=success)
        entry = ToolCompleted(result=part, turn=0, step=0, duration_ms=duration_ms, metadata=metadata or {})
        if not self._answer(call_id, at, entry):
            self._orphans.append((call_id, at, entry))

    def spend(self, usage: Usage) -> None:
        """Tokens and money that belong to the last message of the model, or to none that the source tells of."""
        if usage == Usage():
            return
        if self._last is None:
            self._last = _Said(message=Message(role="assistant", parts=(), extra={BARE: True}))
            self._said.append(self._last)
        self._last.usage = (self._last.usage or Usage()) + usage

    def finish(self) -> ForeignSession:
        """The session, with all that was lost on the way."""
        for call_id, at, entry in self._orphans:
            if not self._answer(call_id, at, entry):
                self.lose(ORPHANS)
        self._orphans.clear()
        times = [said.message.created_at for said in self._said if said.message.created_at is not None]
        begun = self.created_at or min(times, default=datetime.fromtimestamp(0, UTC))
        records = _Records()
        records.add(begun, self._started())
        title = self.title or next((t for s in self._said if s.message.role == "user" and (t := _titled(s))), None)
        if title:
            records.add(begun, TitleChanged(title=title, automatic=self.title is None))
        self._conversation(records, begun)
        lost = [f"{what}: {times}" for what, times in sorted(self._lost.items())]
        origin = {"source_id": self.source_id, **self.origin, "lost": lost}
        at = max(self.updated_at or records.latest, records.latest)
        records.insert(2 if title else 1, begun, Remembered(plugin=self.format, key=ORIGIN, value=storable(origin)))
        records.close(at)
        return ForeignSession(source_id=self.source_id, records=records.numbered(), lost=tuple(lost))

    def _started(self) -> SessionStarted:
        return SessionStarted(
            id=foreign_id(self.format, self.source_id),
            directory=self.directory,
            agent=self.agent if self.agent in ("build", "plan", "explore") else "build",
            model=self.model,
            parent_id=foreign_id(self.format, self.parent) if self.parent else None,
        )

    def _conversation(self, records: _Records, begun: datetime) -> None:
        at, turn, step = begun, 0, 0
        for said in self._said:
            at = said.message.created_at or at
            if said.message.role == "user":
                if step or not turn:
                    records.end(turn, step)
                    turn, step = turn + 1, 0
            else:
                turn, step = max(turn, 1), step + 1
            message = attrs.evolve(said.message, created_at=at)
            records.add(
                at,
                MessageAdded(
                    message=message,
                    turn=max(turn, 1),
                    step=step,
                    usage=said.usage,
                    finish_reason=said.finish_reason,
                    response_id=said.response_id,
                ),
            )
            for call in message.tool_calls:
                if call.id not in said.results:
                    self.lose(UNANSWERED)
                    said.results[call.id] = (at, _closed(call))
            for when, entry in said.results.values():
                at = max(at, when)
                records.add(when, attrs.evolve(entry, turn=max(turn, 1), step=step))
        records.turn = (max(turn, 1), step) if self._said else (0, 0)

    def _call(self, part: ToolCallPart, said: _Said) -> ToolCallPart:
        mine = theirs = part.id or "call"
        while self._ids[mine]:  # `mine` may be another call's own id
            self._ids[theirs] += 1
            mine = f"{theirs}_{self._ids[theirs]}"
        self._ids[mine] += 1
        self._open.setdefault(theirs, deque()).append((said, mine, part.name))
        return part if mine == part.id else attrs.evolve(part, id=mine)

    def _answer(self, call_id: str, at: datetime | None, entry: ToolCompleted) -> bool:
        waiting = self._open.get(call_id or "call")
        if not waiting:
            return False
        said, mine, name = waiting.popleft()
        result = attrs.evolve(entry.result, tool_call_id=mine, name=name)
        when = at or said.message.created_at or self.created_at or datetime.fromtimestamp(0, UTC)
        said.results[mine] = (when, attrs.evolve(entry, result=result))
        return True


class _Records:
    """The journal's records as they are added up."""

    def __init__(self) -> None:
        self._entries: list[tuple[datetime, JournalEntry]] = []
        self.turn = (0, 0)

    @property
    def latest(self) -> datetime:
        return max(at for at, _ in self._entries)

    def add(self, at: datetime, entry: JournalEntry) -> None:
        self._entries.append((at, entry))

    def insert(self, place: int, at: datetime, entry: JournalEntry) -> None:
        self._entries.insert(place, (at, entry))

    def end(self, turn: int, steps: int) -> None:
        if turn:
            self.add(self._entries[-1][0], TurnEnded(turn=turn, status="done", steps=steps))

    def close(self, at: datetime) -> None:
        turn, steps = self.turn
        self.add(at, TurnEnded(turn=turn, status="done", steps=steps))

    def numbered(self) -> tuple[JournalRecord, ...]:
        return tuple(
            JournalRecord(sequence=number, recorded_at=at, entry=entry)
            for number, (at, entry) in enumerate(self._entries, 1)
        )


def _closed(call: ToolCallPart) -> ToolCompleted:
    result = ToolResultPart(
        tool_call_id=call.id, name=call.name, content=(TextPart(text=NO_RESULT),), success=False, extra={CLOSED: True}
    )
    return ToolCompleted(result=result, turn=0, step=0)


def _titled(said: _Said) -> str | None:
    return title_from(" ".join(p.text for p in said.message.parts if isinstance(p, TextPart)))


def foreign_id(format_name: str, source_id: str) -> str:
    """`<format>_<id>`: the id here of a session there; what no id may hold becomes `-`, with a digest at the end."""
    room = _LONGEST - len(format_name)
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", source_id)[:room]
    if plain != source_id or not plain:
        plain = f"{plain[: room - 9]}-{sha256(source_id.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return f"{format_name}_{plain}"
