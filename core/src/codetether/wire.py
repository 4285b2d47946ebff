"""The one converter between values and JSON: tags, unknown members and unknown fields survive a round trip."""

from __future__ import annotations

import types
import typing
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
import orjson
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from codetether.models import events, session
from codetether.models import messages as parts
from codetether.models.record import Record, Unknown
from codetether.readers import Read, literal_reader, read_mapping, record_reader, tuple_reader, union_reader

T = TypeVar("T")

TAGS: dict[type, str] = {
    parts.TextPart: "text",
    parts.ThinkingPart: "thinking",
    parts.RefusalPart: "refusal",
    parts.ImagePart: "image",
    parts.FilePart: "file",
    parts.ToolCallPart: "tool_call",
    parts.ToolResultPart: "tool_result",
    events.UserMessage: "user_message",
    events.Thinking: "thinking_start",
    events.ThinkingChunk: "thinking_chunk",
    events.ThinkingComplete: "thinking_complete",
    events.TextChunk: "text_chunk",
    events.TextComplete: "text_complete",
    events.UsageReport: "usage_report",
    events.ToolCallStart: "tool_call_start",
    events.ToolCallOutput: "tool_call_output",
    events.ToolCallComplete: "tool_call_complete",
    events.SubagentEvent: "subagent_event",
    events.ApprovalRequired: "approval_required",
    events.Retry: "retry",
    events.Notice: "notice",
    events.AuditAnchor: "audit_anchor",
    events.Compaction: "compaction",
    events.SessionSync: "session_sync",
    events.Done: "done",
    events.Error: "error",
    session.SessionStarted: "session_started",
    session.MessageAdded: "message_added",
    session.ToolIntent: "tool_intent",
    session.ToolCompleted: "tool_completed",
    session.TitleChanged: "title_changed",
    session.MetadataChanged: "metadata_changed",
    session.Announced: "announced",
    session.Remembered: "remembered",
    session.Compacted: "compacted",
    session.CompactionUndone: "compaction_undone",
    session.TurnEnded: "turn_ended",
    session.Gap: "gap",
}
"""The word under `type` of every union member. Fixed for ever: files hold them."""


def _time(value: Any, _: Any = None) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _write_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_subagent_event(value: Any, _: Any = None) -> events.SubagentEvent:
    inner: Any = from_dict(value["event"], typing.cast(Any, events.SessionEvent))
    about = {name: value.get(name) for name in ("call_id", "session_id", "agent")}
    return events.SubagentEvent(event=inner, **about)


def _decimal(value: Any, _: Any = None) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"a decimal number is needed, not {value!r:.100}") from None


def _union(converter: Converter, union: Any) -> Read:
    """Reads a union by its `type`; an unknown word becomes `Unknown`."""
    members = {TAGS[m]: converter.get_structure_hook(m) for m in get_args(union) if m in TAGS}
    return union_reader(members, lambda value: Unknown(raw=value))


def _writer(converter: Converter, cls: type[Any]) -> Callable[[Any], dict[str, Any]]:
    """Unstructures an attrs class: its tag first, defaults omitted, unknown keys as they came."""
    open_ended = issubclass(cls, Record)
    skip = {"extra": override(omit=True)} if open_ended else {}
    skip |= {a.name: override(omit_if_default=False) for a in attrs.fields(cls) if a.metadata.get("always_written")}
    write = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **skip)  # type: ignore[arg-type]
    tag = TAGS.get(cls)

    def tagged(value: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"type": tag, **write(value)} if tag else write(value)
        if open_ended and value.extra:
            body.update(value.extra)
        return body

    return tagged


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _is_json_mapping(kind: Any) -> bool:
    return get_origin(kind) in (Mapping, dict) and get_args(kind) == (str, Any)


def _is_tagged_union(kind: Any) -> bool:
    return get_origin(kind) in (typing.Union, types.UnionType) and any(m in TAGS for m in get_args(kind))


@cache
def converter() -> Converter:
    """The converter, made when first needed."""
    attrs.resolve_types(events.SessionSync, localns={"Session": session.Session})
    made = Converter(omit_if_default=True, detailed_validation=False)
    read_of = made.get_structure_hook
    made.register_structure_hook(datetime, _time)
    made.register_unstructure_hook(datetime, _write_time)
    made.register_structure_hook(Decimal, _decimal)
    made.register_unstructure_hook(Decimal, str)
    made.register_structure_hook(bytes, lambda value, _: b64decode(value))
    made.register_unstructure_hook(bytes, lambda value: b64encode(value).decode())
    made.register_structure_hook_factory(attrs.has, lambda cls: record_reader(cls, cls in TAGS, read_of))
    made.register_unstructure_hook_factory(attrs.has, lambda cls: _writer(made, cls))
    made.register_structure_hook(events.SubagentEvent, _read_subagent_event)  # the one event that holds events
    made.register_structure_hook(Unknown, lambda value, _: Unknown(raw=value))
    made.register_unstructure_hook(Unknown, lambda value: dict(value.raw))
    made.register_structure_hook_factory(_is_tuple, lambda kind: tuple_reader(get_args(kind)[0], read_of))
    made.register_structure_hook_factory(_is_literal, lambda kind: literal_reader(get_args(kind)))
    made.register_structure_hook_func(_is_json_mapping, read_mapping)
    made.register_structure_hook_factory(_is_tagged_union, lambda union: _union(made, union))
    made.register_unstructure_hook_func(_is_tagged_union, lambda value: made.unstructure(value, value.__class__))
    return made


def to_json(value: Any) -> bytes:
    """A value as one line of UTF-8 JSON, without the line end; what JSON cannot hold is made `storable`."""
    return written(converter().unstructure(value))


def written(body: Any) -> bytes:
    """The same of plain JSON data."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return orjson.dumps(storable(body))


def from_json(data: bytes | str, kind: type[T]) -> T:
    """The value in a line of JSON. Raises ValueError, TypeError, KeyError or OverflowError for what does not fit."""
    return from_dict(orjson.loads(data), kind)


def to_dict(value: Any) -> dict[str, Any]:
    """A value as plain JSON data."""
    made: dict[str, Any] = converter().unstructure(value)
    return made


def from_dict(data: Any, kind: type[T]) -> T:
    """The value in plain JSON data."""
    made: T = reader(typing.cast(Any, kind))(data)
    return made


@cache
def reader(kind: Any) -> Callable[[Any], Any]:
    """What `from_dict` does for one kind of value, for those who read many."""
    read = converter().get_structure_hook(kind)
    return lambda data: read(data, kind)


def storable(value: Any) -> Any:
    """The same JSON data as files can hold it: lone surrogates become U+FFFD, whole numbers past 64 bits floats.

    UTF-8 cannot hold the former, and the latter are read back as floats anyhow; null where a float cannot hold one.
    """
    match value:
        case int() if not -(2**63) <= value < 2**64:
            try:
                return float(value)
            except OverflowError:
                return None
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {storable(k): storable(v) for k, v in value.items()}
        case list() | tuple():
            return [storable(v) for v in value]
        case _:
            return value
