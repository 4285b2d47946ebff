"""Recorded exchanges of apis that complete nothing: the same is asked again, and the answer compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from codetether.errors import IncompleteResponse, ProviderError
from codetether.models.record import JSON
from codetether.testing.differences import differences
from codetether.testing.playback import Playback
from codetether.testing.recording import Exchange, Recording


async def retried(recording: Recording, dialect: Exchange, playback: Playback) -> list[str]:
    """How the exchange, asked again, differs from the recording, one line each."""
    root = playback.base_url.removesuffix("/v1")
    error: ProviderError | None = None
    try:
        await dialect.exchange(recording, root)
    except ProviderError as raised:
        error = raised
    return [*_compare(recording.expect, error), *_asked(recording, playback)]


def _compare(expect: Mapping[str, JSON], error: ProviderError | None) -> list[str]:
    wanted = expect.get("error")
    if expect.get("incomplete"):
        return [] if isinstance(error, IncompleteResponse) else [f"taken for a whole answer: {error!r}"]
    if wanted is None:
        return [f"failed: {error!r}"] if error is not None else []
    if error is None:
        return [f"took the error {wanted.get('message')!r} for an answer"]
    named = [name for name in ("type", "code", "message", "param") if wanted.get(name) is not None]
    said: dict[str, Any] = {name: _word(error.details.get(name)) for name in named}
    meant: dict[str, Any] = {name: _word(wanted[name]) for name in named}
    if not wanted.get("in_body_of_200"):
        said["status"], meant["status"] = error.status, wanted.get("status")
    return differences(meant, said, "error")


def _asked(recording: Recording, playback: Playback) -> list[str]:
    """The request: its method, the path below the server's own, the fields of a body that was kept."""
    if not playback.heads:
        return ["nothing was asked"]
    method, target, _ = playback.heads[-1].split(" ", 2)
    problems = differences(recording.method.lower(), method, "request method")
    path = urlsplit(recording.url).path.lower()
    if not urlsplit(target).path.endswith(path):
        problems.append(f"request path: {path!r} expected, got {target!r}")
    if isinstance(recording.body, Mapping):
        problems += differences(recording.body, _fields(playback.requests[-1]), "request")
    return problems


def _fields(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return dict(parse_qsl(body.decode("utf-8", "replace")))


def _word(value: Any) -> str | None:
    return None if value is None else str(value)
