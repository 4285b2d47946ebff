"""One question to a GitHub, and its answer as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from codetether import MalformedResponse
from codetether_http import Fault, Limits, Transport, read_failure

_LIMITS = Limits(total=30.0, connect=10.0, idle=30.0, body=4 * 1024 * 1024)
EDITOR: Mapping[str, str] = {
    "editor-version": "vscode/1.107.0",
    "editor-plugin-version": "copilot-chat/0.35.0",
    "copilot-integration-id": "vscode-chat",
}
"""As whom Copilot is asked: it answers only editors that it knows."""


def line(
    name: str, base_url: str, headers: Mapping[str, str], *, secrets: tuple[str, ...] = (), key: str = ""
) -> Transport:
    """A line to a server, for short answers; to be closed. `key` says where the secret comes from."""
    said = {"accept": "application/json", **EDITOR, **headers}
    return Transport(name, base_url, limits=_LIMITS, headers=said, secrets=secrets, key=key, failure=_failure)


def _failure(body: bytes, status: int, headers: Mapping[str, str]) -> Fault:
    """What most servers mean, or OAuth's `{"error": "some_word", "error_description": "…"}`."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    word = said.get("error") if isinstance(said, dict) else None
    if not (isinstance(word, str) and re.fullmatch(r"[a-z_]{1,80}", word)):
        return read_failure(body, status, headers)
    told = said.get("error_description")
    message = told[:2000] if isinstance(told, str) and told else word
    more = {"interval": said["interval"]} if "interval" in said else {}
    return Fault(message=message, status=status, type=word, code=word, more=more)


async def ask(to: Transport, address: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the server says at the address: to a form that is posted, else to a mere look. Raises ProviderError."""
    body = b"" if form is None else urlencode(form).encode()
    kind = {} if form is None else {"content-type": "application/x-www-form-urlencoded"}
    async with to.send("GET" if form is None else "POST", address, body, kind) as answer:
        text = await answer.body()
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedResponse(f"{to.name}: the server sent JSON that cannot be read ({error})") from None
    if not isinstance(said, dict):
        raise MalformedResponse(f"{to.name}: the server sent JSON that is no object")
    return said


def number(value: Any, otherwise: float) -> float:
    """A number above 0 as a server gives it; nonsense counts as not given."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12
    return float(value) if good else otherwise
