"""Reads what `codetether sessions export` writes as JSON, so that a session can move to another machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from codetether import (
    Fields,
    FilePart,
    ForeignSession,
    ImagePart,
    MessagePart,
    SourceDamaged,
    TextPart,
    ToolResultPart,
    Transcript,
    Unknown,
    Unreadable,
    Usage,
    from_dict,
)

FORMAT = "codetether-session"
VERSION = 1


def read_export(path: Path, whole: Fields) -> list[ForeignSession | Unreadable]:
    """The session of an exported document and those of its subagents. Raises SourceDamaged."""
    if whole.count("version") > VERSION:
        raise SourceDamaged(path, f"it was written by a later version (format {whole.count('version')})")
    if not whole.object("session").text("id"):
        raise SourceDamaged(path, "it is no exported session: it has no `session` with an `id`")
    return [*_sessions(whole)]


def _sessions(whole: Fields) -> Iterator[ForeignSession]:
    about = whole.object("session")
    model = about.text("model")
    talk = Transcript(
        format="codetether",
        source_id=about.text("id"),
        directory=about.text("directory"),
        created_at=about.time("created_at"),
        updated_at=about.time("updated_at"),
        title=about.text("title") or None,
        model=model or None,
        agent=about.text("agent") or "build",
        parent=about.text("parent_id") or None,
    )
    for message in whole.objects("messages"):
        _say(talk, message)
    talk.lose("records that were damaged before it was exported", len(whole.list("damage")))
    yield talk.finish()
    for child in whole.objects("children"):
        yield from _sessions(child)


def _say(talk: Transcript, message: Fields) -> None:
    at, parts = message.time("at"), [*_parts(talk, message)]
    match message.text("role"):
        case "user":
            talk.user([part for part in parts if not isinstance(part, ToolResultPart)], at)
        case "assistant":
            talk.assistant(
                [part for part in parts if not isinstance(part, ToolResultPart)],
                at,
                provider=message.text("provider") or None,
                model=message.text("model") or None,
                usage=_usage(message.object("usage")) if message.get("usage") else None,
            )
        case "tool":
            metadata, took = message.get("metadata"), message.get("duration_ms")
            for part in (part for part in parts if isinstance(part, ToolResultPart)):
                talk.result(
                    part.tool_call_id,
                    [each for each in part.content if isinstance(each, TextPart | ImagePart | FilePart)],
                    at,
                    success=part.success,
                    duration_ms=took if isinstance(took, float) else 0.0,
                    metadata=metadata if isinstance(metadata, dict) else None,
                )
        case _:
            talk.lose("messages of an unknown role")


def _parts(talk: Transcript, message: Fields) -> Iterator[MessagePart]:
    for raw in message.list("parts"):
        try:
            part: Any = from_dict(raw, MessagePart)  # type: ignore[arg-type]
        except (ValueError, TypeError, KeyError, AttributeError):
            talk.lose("parts that cannot be read")
            continue
        if isinstance(part, get_args(MessagePart)) and not isinstance(part, Unknown):
            yield part
        else:
            talk.lose("parts of an unknown type")


def _usage(told: Fields) -> Usage:
    return Usage(
        input_tokens=told.count("input_tokens"),
        output_tokens=told.count("output_tokens"),
        cache_read_tokens=told.count("cache_read_tokens"),
        cache_write_tokens=told.count("cache_write_tokens"),
        reasoning_tokens=told.count("reasoning_tokens"),
        cost=told.money("cost"),
    )
