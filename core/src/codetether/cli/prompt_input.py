"""What the user asks: the prompt from arguments and standard input, and the files that go with it."""

from __future__ import annotations

import json
import os
import select
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from codetether.cli.terminal import Screen
from codetether.errors import UsageError
from codetether.images import IMAGE_LIMIT, image_flaw, image_type
from codetether.models.messages import FilePart, ImagePart, MessagePart, TextPart

PATIENCE = 3.0
"""Seconds that a pipe may stay silent when there is a prompt already."""
FILE_LIMIT = 20 * 1024 * 1024
"""Bytes of one attached file."""


def whole_prompt(words: tuple[str, ...], screen: Screen) -> str:
    """The prompt, with what is piped in below it; `-` stands for standard input alone. UsageError for an empty one."""
    text = " ".join(words)
    if text == "-":
        text = _piped(None, screen)
    elif not _at_terminal() and (piped := _piped(PATIENCE if text.strip() else None, screen)):
        text = f"{text}\n\n{piped}" if text.strip() else piped
    if not text.strip():
        raise click.UsageError('there is no prompt: codetether run "…", or pipe one in')
    return text


def _piped(patience: float | None, screen: Screen) -> str:
    """Standard input to its end. A terminal is read only when nothing else was asked for; a pipe may stay silent
    for `patience` seconds, because programs that start others often leave one open."""
    try:
        descriptor = sys.stdin.fileno()
        kind = os.fstat(descriptor).st_mode
    except (AttributeError, OSError, ValueError):  # closed, or replaced by something that is no file
        return ""
    waits = stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)
    if waits and patience is not None and not select.select([descriptor], [], [], patience)[0]:
        screen.say(f"note: nothing came on standard input in {patience:g} s: going on without it (< /dev/null to skip)")
        return ""
    return _decoded(sys.stdin.buffer.read())


def _at_terminal() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def _decoded(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n").rstrip("\n")


def json_schema(wish: str | None) -> Mapping[str, Any] | None:
    """The JSON schema in a file, or the one that is written out. UsageError for what is none."""
    if wish is None:
        return None
    from codetether.session.structured import Form

    inline = wish.lstrip().startswith("{")
    name = "--schema" if inline else wish
    try:
        schema = json.loads(wish if inline else Path(wish).read_text("utf-8-sig"))
    except OSError as error:
        raise click.UsageError(f"--schema: {wish} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise click.UsageError(f"{name} is no JSON: {error}") from None
    if not isinstance(schema, dict):
        raise click.UsageError(f'{name} is no JSON schema: an object is wanted, e.g. {{"type": "object", …}}')
    try:
        Form.of(schema)
    except UsageError as error:
        raise click.UsageError(f"{name}: {error.message}") from None
    return schema


def attached(paths: tuple[Path, ...], how: str = "--file ") -> tuple[MessagePart, ...]:
    """The files as parts: text under its path, images and anything else as they are.

    UsageError names a bad one, `how` the user named it before it.
    """
    return tuple(_part(path, f"{how}{path}") for path in paths)


def _part(path: Path, named: str) -> MessagePart:
    try:
        if path.is_dir():
            raise click.UsageError(f"{named}: is a directory")
        with path.open("rb") as file:  # a device or a pipe has no size, and may have no end
            data = file.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            raise click.UsageError(f"{named}: has more than {FILE_LIMIT // 2**20} MB")
    except OSError as error:
        raise click.UsageError(f"{named}: {error.strerror}") from error
    if media_type := image_type(data):
        if (flaw := image_flaw(data)) and len(data) <= IMAGE_LIMIT:  # some models do take larger ones
            raise click.UsageError(f"{named}: is an image ({media_type}) that {flaw}")
        return ImagePart(media_type=media_type, data=data)
    try:
        return TextPart(text=f"File {path}:\n\n{data.decode('utf-8-sig')}")
    except UnicodeDecodeError:
        from mimetypes import guess_type

        return FilePart(media_type=guess_type(path.name)[0] or "application/octet-stream", name=path.name, data=data)
