"""The wire anthropic-messages: connections to any server that speaks Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import attrs
from codetether import CompletionRequest, Provider
from codetether_http import HttpConnection, quirks_from

from codetether_provider_anthropic.parser import MessagesParser
from codetether_provider_anthropic.quirks import Quirks
from codetether_provider_anthropic.render import Renderer

_VERSION = "2023-06-01"
_ENDINGS = ("/messages", "/v1")


class MessagesCodec:
    """The Messages API as one provider speaks it, for one session."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._renderer = Renderer(provider, quirks)

    def address(self, request: CompletionRequest) -> str:
        """The same for every request."""
        return "/v1/messages"

    def headers(self, request: CompletionRequest) -> Mapping[str, str]:
        """None of its own."""
        return {}

    def render(self, request: CompletionRequest) -> bytes:
        """The request's body."""
        return self._renderer.render(request)

    def parser(self) -> MessagesParser:
        """A parser for one answer."""
        return MessagesParser(self._provider)


class MessagesWire:
    """Makes connections that speak the Messages API."""

    async def connect(self, provider: Provider) -> HttpConnection:
        """A connection with its own client. Raises SettingsError for a quirk of a wrong type."""
        quirks = quirks_from(provider, Quirks)
        placed = attrs.evolve(provider, base_url=root(provider.base_url, quirks.path))
        return HttpConnection(placed, MessagesCodec(provider.name, quirks), _headers(provider, quirks))


def root(base_url: str, path: str = "") -> str:
    """The URL above `/v1/messages`, whether or not the base URL already holds a part of that, or of `path`."""
    try:
        parts = urlsplit(base_url)
    except ValueError:  # it is none: the transport says so
        return base_url
    found = parts.path.rstrip("/")
    for ending in _ENDINGS:
        found = found.removesuffix(ending).rstrip("/")
    return urlunsplit(parts._replace(path=found if found.endswith(path) else found + path))


def _headers(provider: Provider, quirks: Quirks) -> dict[str, str]:
    """Who asks, and in which version of the API."""
    headers = {"anthropic-version": _VERSION}
    if quirks.beta:
        headers["anthropic-beta"] = ",".join(quirks.beta)
    secret = provider.secret
    if secret is None:
        return headers
    key, token = secret.get("api_key"), secret.get("auth_token")
    if secret.source.removeprefix("env:") in quirks.bearer_variables:
        key, token = None, key
    if key and quirks.auth != "bearer":
        headers["x-api-key"] = key.strip()
    if bearer := token or (key if quirks.auth != "x-api-key" else None):
        headers["authorization"] = f"Bearer {bearer.strip()}"
    return headers
