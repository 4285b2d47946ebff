"""The messages of 2.0: rows that hold their parts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from codetether import Fields, MessagePart, TextPart, Transcript, Usage

from codetether_format_opencode.parts import Content, finish_reason, usage_of

_LOST = {
    "synthetic": "messages that OpenCode itself put in",
    "system": "messages that OpenCode itself put in",
    "skill": "skills that were loaded",
    "compaction": "summaries of compactions (the messages that they stand for are kept)",
}
_SILENT = frozenset(("idle", "agent-switched", "model-switched", "location-switched"))


def tell_rows(talk: Transcript, rows: Iterable[Fields]) -> None:
    """All of them, in order."""
    for row in rows:
        match row.text("type"):
            case "user":
                _user(talk, row)
            case "assistant":
                _assistant(talk, row)
            case "shell":
                said = f"$ {row.text('command')}\n{row.text('output')}".rstrip()
                talk.user([TextPart(text=said)], _time(row))
            case kind if kind not in _SILENT:
                talk.lose(_LOST.get(kind) or f"messages of the unknown type {kind[:60]!r}")


def _time(row: Fields) -> datetime | None:
    return row.object("time").time("created") or row.time("time_created")


def _user(talk: Transcript, row: Fields) -> None:
    content = Content(talk, "")
    said: list[MessagePart] = [TextPart(text=row.text("text"))] if row.text("text") else []
    said += [content.file(file) for file in row.objects("files")]
    talk.lose("mentions of agents", len(row.list("agents")))
    talk.user(said, _time(row))


def _assistant(talk: Transcript, row: Fields) -> None:
    model = row.object("model")
    provider, name = model.text("providerID"), model.text("id", "modelID")
    content = Content(talk, provider)
    said: list[MessagePart] = []
    for piece in row.objects("content"):
        state = piece.object("state")
        match piece.text("type"):
            case "text":
                said.append(TextPart(text=piece.text("text")))
            case "reasoning":
                said.append(content.thinking(piece, known_of(piece) or state))
            case "tool":
                said.append(
                    content.call(piece.text("id", "callID"), piece.text("name", "tool"), state, known_of(piece))
                )
                ran, done = piece.object("time").time("ran", "created"), piece.object("time").time("completed")
                content.timed(said[-1].id, done, (done - ran).total_seconds() * 1000 if ran and done else 0.0)  # type: ignore[union-attr]
            case "file":
                said.append(content.file(piece))
            case kind:
                talk.lose(f"parts of the unknown type {kind[:60]!r}")
    usage = usage_of(row.object("tokens"), row.money("cost"))
    known = bool(provider and name)
    talk.assistant(
        said,
        _time(row),
        provider=provider if known else None,
        model=name if known else None,
        usage=usage if usage != Usage() else None,
        finish_reason=finish_reason(row.text("finish")),
    )
    content.tell_results(_time(row))
    if row.object("snapshot"):
        talk.lose("snapshots of files")
    if error := row.object("error"):
        talk.lose(f"errors of responses ({error.text('type', 'name')[:40] or 'unnamed'})")


def known_of(piece: Fields) -> Fields:
    """What the provider told of a piece."""
    return piece.object("metadata") or piece.object("providerMetadata")
