"""A recorded session as a script: what the model was shown, what it answered, what its calls came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

from codetether.errors import JournalDamaged
from codetether.models.completion import Finished, ModelRef, StreamChunk, UsageReported, WholePart
from codetether.models.messages import Message, ToolResultPart
from codetether.models.record import JSON
from codetether.models.replay import Replay, Replayed, start
from codetether.models.session import (
    Compacted,
    CompactionUndone,
    JournalRecord,
    MessageAdded,
    Session,
    SessionStarted,
)
from codetether.models.tools import ToolDefinition, ToolResult
from codetether.testing.cassette import HERE, Cassette, chunk_to_dict, moved, said
from codetether.wire import to_dict


@frozen(kw_only=True)
class Answer:
    """One answer of the model.

    Attributes:
        seen: the messages that it was shown. place: of the answer among the session's messages.
    """

    entry: MessageAdded
    seen: tuple[Message, ...]
    place: int

    @property
    def model(self) -> ModelRef:
        """Who gave it."""
        message = self.entry.message
        return ModelRef(provider=message.provider or "unknown", model=message.model or "unknown")

    def chunks(self) -> list[StreamChunk]:
        """It as a provider would send it."""
        made: list[StreamChunk] = [WholePart(part) for part in self.entry.message.parts]
        if self.entry.usage is not None:
            made.append(UsageReported(self.entry.usage, self.entry.raw_usage))
        return [*made, Finished(self.entry.finish_reason or "stop", self.entry.raw_finish_reason)]


@frozen(kw_only=True)
class Script:
    """A whole session.

    Attributes:
        answers: in order. results: of calls, by id.
        changes: of what the model saw, each with the number of messages that the session then had.
        turns: the turn and the step of each message in the user's place, by its place; step 0 is a prompt.
    """

    session: Session
    answers: tuple[Answer, ...]
    results: Mapping[str, ToolResultPart]
    changes: tuple[tuple[int, Compacted | CompactionUndone], ...]
    turns: Mapping[int, tuple[int, int]]

    @property
    def prompts(self) -> list[Message]:
        """What the user asked."""
        return [self.session.messages[place] for place, (_, step) in self.turns.items() if step == 0]

    def is_whole(self, place: int) -> bool:
        """Whether the message is an answer that asks for nothing more."""
        message = self.session.messages[place]
        return message.role == "assistant" and not message.tool_calls

    @classmethod
    def of(cls, records: Iterable[JournalRecord]) -> Script:
        """The script in a journal. Raises JournalDamaged where its beginning is missing."""
        found = iter(records)
        first = next(found, None)
        if first is None or not isinstance(first.entry, SessionStarted):
            raise JournalDamaged("the journal has no beginning", remedy="codetether sessions repair")
        replay = Replay(start(first.entry, first.recorded_at))
        answers: list[Answer] = []
        changes: list[tuple[int, Compacted | CompactionUndone]] = []
        turns: dict[int, tuple[int, int]] = {}
        for item in found:
            before = replay.state.seen if isinstance(item.entry, MessageAdded) else ()
            replay.add(item)
            match item.entry:
                case MessageAdded(message=message) as entry:
                    place = len(replay.state.session.messages) - 1
                    if message.role == "assistant":
                        answers.append(Answer(entry=entry, seen=before, place=place))
                    else:
                        turns[place] = entry.turn, entry.step
                case Compacted() | CompactionUndone() as change:
                    changes.append((len(replay.state.session.messages), change))
                case _:
                    pass
        return cls(
            session=replay.state.session,
            answers=tuple(answers),
            results=_results(replay.state),
            changes=tuple(changes),
            turns=turns,
        )

    def cassette(self, path: Path, **how: Any) -> Cassette:
        """The session as a cassette, its tools known by their names only; `how` goes to Cassette."""
        names = dict.fromkeys(result.name for result in self.results.values())
        tools = tuple(
            ToolDefinition(name=n, description="", schema={"type": "object"}, effects=("read",)) for n in names
        )
        made = Cassette(path=path, tools=tools, **how)
        before: tuple[Message, ...] = ()
        for answer in self.answers:
            same = next(
                (n for n, (a, b) in enumerate(zip(before, answer.seen, strict=False)) if a is not b), len(before)
            )
            request = {"model": str(answer.model), "same": same, "messages": [said(m) for m in answer.seen[same:]]}
            chunks = [chunk_to_dict(chunk) for chunk in answer.chunks()]
            made.add(self._moved({"exchange": "completion", "request": request, "chunks": chunks}))
            before = answer.seen
            for call in answer.entry.message.tool_calls:
                if call.id in self.results and isinstance(arguments := _arguments(call.arguments), dict):
                    result = self.results[call.id]
                    kept = to_dict(ToolResult(content=result.content, success=result.success))
                    told = {
                        "exchange": "tool",
                        "name": call.name,
                        "arguments": arguments,
                        "resources": {},
                        "result": kept,
                    }
                    made.add(self._moved(told))
        return made

    def _moved(self, exchange: Mapping[str, JSON]) -> dict[str, JSON]:
        made: dict[str, JSON] = moved(dict(exchange), self.session.metadata.directory, HERE)
        return made


def _results(state: Replayed) -> dict[str, ToolResultPart]:
    parts = (part for message in state.session.messages for part in message.parts)
    return {part.tool_call_id: part for part in parts if isinstance(part, ToolResultPart)}


def _arguments(text: str) -> JSON:
    try:
        return orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        return None
