"""Reads session files: those of the codetether before this one, and exported ones; one JSON object a session."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codetether import (
    Fields,
    FilePart,
    ForeignSession,
    ForeignSummary,
    ImagePart,
    MessagePart,
    SourceDamaged,
    SourceFile,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    Transcript,
    Unreadable,
    Usage,
    data_url,
)

from codetether_format_codetether.exported import FORMAT, read_export

_JSON = (".json",)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.json")
_HEAD = re.compile(rb'\s*\{\s*"id"\s*:\s*"[^"]{1,200}"\s*,')
_EXPORT = re.compile(rb'\s*\{\s*"format"\s*:\s*"codetether-session"')
_BODY = re.compile(rb'"created_at"\s*:\s*"|"messages"\s*:\s*\[')
_FAILED = "Error:"
"""With this the old codetether began the output of a call that failed; it had no flag."""


class SessionFiles:
    """`<data directory>/sessions/<id>.json`."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    def recognises(self, source: Path) -> bool:
        """Whether it is a session's file, or a directory that holds one."""
        if source.is_dir():
            return any(_is_session(path) for path in SourceFile.below(source, _JSON, 2000))
        return _is_session(source)

    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        """The session of a file, or all below a directory."""
        if not source.is_dir():
            for found in await asyncio.to_thread(_read, source):
                yield found
            return
        for path in await asyncio.to_thread(SourceFile.below, source, _JSON):
            if not (_is_session(path) or _UUID.fullmatch(path.name)):
                continue
            try:
                for found in await asyncio.to_thread(_read, path):
                    yield found
            except SourceDamaged as error:
                yield Unreadable(source=error.source, why=error.why)

    def find(self) -> Sequence[Path]:
        """The files in `sessions` of its data directory."""
        default = "~/Library/Application Support" if sys.platform == "darwin" else "~/.local/share"
        data = Path(self._environment.get("XDG_DATA_HOME") or default).expanduser() / "codetether"
        try:
            return sorted(path for path in (data / "sessions").glob("*.json") if _UUID.fullmatch(path.name))
        except OSError:
            return []

    async def listed(self, source: Path) -> Sequence[ForeignSummary]:
        """What a listing shows: a session has to be read for that."""
        return [found.summary(str(source)) async for found in self.read(source) if isinstance(found, ForeignSession)]


def _is_session(path: Path) -> bool:
    if not path.name.endswith(_JSON):
        return False
    start = SourceFile(path).head(4096)
    return _EXPORT.match(start) is not None or (_HEAD.match(start) is not None and _BODY.search(start) is not None)


def _read(path: Path) -> list[ForeignSession | Unreadable]:
    whole = Fields(SourceFile(path).json())
    if whole.text("format") == FORMAT:
        return read_export(path, whole)
    if not whole or not isinstance(whole.get("messages"), list):
        raise SourceDamaged(path, "it is no session of codetether: it has no `messages`")
    about = whole.object("metadata")
    model = about.text("model")
    talk = Transcript(
        format="codetether",
        source_id=whole.text("id") or path.stem,
        directory=about.text("directory"),
        created_at=whole.time("created_at"),
        updated_at=whole.time("updated_at"),
        title=whole.text("title") or None,
        model=model or None,
        agent=whole.text("agent") or "build",
    )
    uses = {use.text("id"): use for use in whole.objects("tool_uses")}
    provider, _, name = model.partition("/")
    for message in whole.list("messages"):
        found = Fields(message)
        if not isinstance(message, dict):
            talk.lose("messages that are no objects")
            continue
        match found.text("role"):
            case "user":
                talk.user(_parts(talk, found))
            case "assistant":
                talk.assistant(_parts(talk, found), provider=provider if name else None, model=name or None)
            case "tool":
                for part in found.objects("content"):
                    _result(talk, part, uses.get(part.text("tool_call_id")))
            case "system":
                talk.lose("system prompts")
            case _:
                talk.lose("messages of an unknown role")
    talk.spend(_usage(whole.object("usage")))
    if about.flag("shared"):
        talk.lose("addresses under which it is shared")
    return [talk.finish()]


def _parts(talk: Transcript, message: Fields) -> list[MessagePart]:
    if isinstance(text := message.get("content"), str):
        return [TextPart(text=text)]
    parts: list[MessagePart] = []
    for raw in message.list("content"):
        part = Fields(raw)
        match part.text("type"):
            case "text":
                parts.append(TextPart(text=part.text("text")))
            case "thinking":
                parts.append(ThinkingPart(text=part.text("text")))
            case "tool_call":
                parts.append(_call(part))
            case "image":
                parts.append(_image(talk, part))
            case "file":
                talk.lose("files that are named and not held")
                parts.append(TextPart(text=f"[file: {part.text('path') or 'without a name'}]"))
            case kind:
                talk.lose(f"parts of the unknown type {kind[:60]!r}")
    return parts


def _call(part: Fields) -> ToolCallPart:
    given: Any = part.get("arguments")
    arguments = given if isinstance(given, str) else json.dumps({} if given is None else given, ensure_ascii=False)
    signature = part.text("thought_signature")
    kept = {"google": {"thoughtSignature": signature}} if signature else {}
    return ToolCallPart(
        id=part.text("id"), name=part.text("name") or "unknown", arguments=arguments or "{}", provider_data=kept
    )


def _image(talk: Transcript, part: Fields) -> ImagePart | TextPart:
    url = part.text("url")
    held = data_url(url)
    if held is not None:
        return ImagePart(media_type=part.text("mime_type") or held[0], data=held[1])
    if url.startswith(("http://", "https://")):
        return ImagePart(media_type=part.text("mime_type") or "image/*", url=url)
    talk.lose("images that are named and not held")
    return TextPart(text=f"[image: {url or 'without a name'}]")


def _result(talk: Transcript, part: Fields, use: Fields | None) -> None:
    if part.text("type") != "tool_result":
        talk.lose(f"parts of the unknown type {part.text('type')[:60]!r} in answers of tools")
        return
    text = part.text("content", "output")
    told = use.get("success") if use is not None else None
    success = told if isinstance(told, bool) else not text.startswith(_FAILED)
    content: list[TextPart | ImagePart | FilePart] = [TextPart(text=text)]
    talk.result(part.text("tool_call_id"), content, success=success)


def _usage(told: Fields) -> Usage:
    read, written = told.count("cache_read_tokens"), told.count("cache_write_tokens")
    return Usage(
        input_tokens=max(told.count("prompt_tokens"), read + written),
        output_tokens=told.count("completion_tokens"),
        cache_read_tokens=read,
        cache_write_tokens=written,
    )
