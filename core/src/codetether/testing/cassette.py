"""Recorded traffic of a session, provider and tools alike: a file of JSON lines, written once and answered from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from attrs import define, field, frozen

from codetether.errors import CodetetherError, UsageError
from codetether.models import completion
from codetether.models.completion import CompletionRequest, StreamChunk
from codetether.models.messages import Message
from codetether.models.record import JSON
from codetether.models.tools import ToolDefinition
from codetether.record.redact import Redactor
from codetether.wire import from_dict, storable, to_dict

FORMAT = 1
CHUNKS: dict[str, type[Any]] = {
    "text": completion.TextDelta,
    "thinking": completion.ThinkingDelta,
    "refusal": completion.RefusalDelta,
    "tool_call": completion.ToolCallDelta,
    "part": completion.WholePart,
    "started": completion.ResponseStarted,
    "usage": completion.UsageReported,
    "finished": completion.Finished,
}
_NAMES = {cls: name for name, cls in CHUNKS.items()}


class CassetteMismatch(CodetetherError):
    """A replay asked for something else than was recorded; the message shows the first difference."""


@define(kw_only=True)
class Cassette:
    """What was said between a session, its provider and its tools, in the order in which it was said.

    Each line is one exchange: `{"exchange": "completion", "provider", "request", "chunks", "error"}` or
    `{"exchange": "tool", "name", "arguments", "resources", "result", "error"}`; the first one holds the format, and
    the definitions of the tools. A request with `same` begins with so many messages of the one
    before. Known secrets are out before a line is written.
    """

    path: Path
    tools: tuple[ToolDefinition, ...] = ()
    exchanges: list[dict[str, JSON]] = field(factory=list)
    redactor: Redactor = field(factory=Redactor)

    @classmethod
    def load(cls, path: Path) -> Cassette:
        """The cassette in a file. Raises UsageError where there is none, or one of another format."""
        if not path.is_file():
            raise UsageError(f"there is no cassette {path}", remedy="record it once: pytest --codetether-record")
        head, *exchanges = (orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip())
        if head.get("format") != FORMAT:
            raise UsageError(f"the cassette {path} has the format {head.get('format')!r}", remedy="record it again")
        tools = tuple(from_dict(tool, ToolDefinition) for tool in head.get("tools", ()))
        return cls(path=path, tools=tools, exchanges=exchanges)

    def offer(self, definition: ToolDefinition) -> None:
        """Keeps a tool's definition."""
        if all(known.name != definition.name for known in self.tools):
            self.tools = (*self.tools, definition)

    def add(self, exchange: Mapping[str, JSON]) -> None:
        """Keeps an exchange."""
        self.exchanges.append(dict(exchange))

    def save(self) -> None:
        """Writes the file, its secrets redacted."""
        head = {"format": FORMAT, "tools": [to_dict(tool) for tool in self.tools]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [storable(self.redactor.data(line)) for line in (head, *self.exchanges)]
        self.path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


HERE = "<directory>"
"""Stands on the cassette for the workspace, which is another one each time."""


def moved(data: JSON, here: str, there: str) -> JSON:
    """JSON data in whose texts one place is named as another."""
    match data:
        case str():
            return data.replace(here, there) if here else data
        case dict():
            return {name: moved(value, here, there) for name, value in data.items()}
        case list() | tuple():
            return [moved(value, here, there) for value in data]
        case _:
            return data


def asked(request: CompletionRequest) -> dict[str, JSON]:
    """A request as it is kept: what the model is told, without times and session."""
    return {
        "model": str(request.model),
        "system": request.system,
        "messages": [said(message) for message in request.messages],
        "tools": [tool.name for tool in request.tools],
        "tool_choice": request.tool_choice,
        "sampling": to_dict(request.sampling),
    }


def said(message: Message) -> dict[str, JSON]:
    """A message as it is kept: without its time."""
    return {name: value for name, value in to_dict(message).items() if name != "created_at"}


def chunk_to_dict(chunk: StreamChunk) -> dict[str, JSON]:
    """A chunk as plain data."""
    return {"chunk": _NAMES[type(chunk)], **to_dict(chunk)}


def chunk_from_dict(data: Mapping[str, JSON]) -> StreamChunk:
    """The chunk in plain data."""
    fields = {name: value for name, value in data.items() if name != "chunk"}
    made: StreamChunk = from_dict(fields, CHUNKS[data["chunk"]])
    return made


@frozen
class Difference:
    """Where two values part: the path, and both sides."""

    path: str
    recorded: JSON
    now: JSON

    def __str__(self) -> str:
        return f"{self.path or 'it'}: recorded {_short(self.recorded)}, now {_short(self.now)}"


def first_difference(recorded: JSON, now: JSON, path: str = "") -> Difference | None:
    """The first place where two JSON values differ."""
    match recorded, now:
        case dict(), dict():
            for name in (*recorded, *(name for name in now if name not in recorded)):
                where = f"{path}.{name}" if path else name
                if found := first_difference(recorded.get(name), now.get(name), where):
                    return found
            return None
        case list(), list():
            for number in range(max(len(recorded), len(now))):
                sides = [side[number] if number < len(side) else None for side in (recorded, now)]
                if found := first_difference(sides[0], sides[1], f"{path}[{number}]"):
                    return found
            return None
        case _:
            return None if recorded == now else Difference(path, recorded, now)


def _short(value: JSON) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:78]}…{text[-78:]}"
