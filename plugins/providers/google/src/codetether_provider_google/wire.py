"""The wire google-generate-content: connections to servers that speak Gemini's generateContent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import attrs
from codetether import CompletionRequest, Provider
from codetether_http import HttpConnection, quirks_from

from codetether_provider_google.parser import GenerateParser
from codetether_provider_google.quirks import Quirks
from codetether_provider_google.render import Renderer

_VERSION = re.compile(r"/v\d+[a-z0-9]*(/|$)")
_COLLECTIONS = ("models/", "tunedModels/", "publishers/", "projects/", "endpoints/")


class GenerateCodec:
    """generateContent as one provider speaks it, for one session."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._quirks = quirks
        self._renderer = Renderer(provider, quirks)

    def address(self, request: CompletionRequest) -> str:
        """The model's own, and whether it shall stream."""
        model = quote(request.model.model, safe="/@.-_~")
        path = f"/{model}" if model.startswith(_COLLECTIONS) else f"/models/{model}"
        return f"{path}:streamGenerateContent?alt=sse" if self._quirks.stream else f"{path}:generateContent"

    def headers(self, request: CompletionRequest) -> Mapping[str, str]:
        """None of its own."""
        return {}

    def render(self, request: CompletionRequest) -> bytes:
        """The request's body."""
        return self._renderer.render(request)

    def parser(self) -> GenerateParser:
        """A parser for one answer."""
        return GenerateParser(self._provider)


class GenerateWire:
    """Makes connections that speak generateContent."""

    async def connect(self, provider: Provider) -> HttpConnection:
        """A connection with its own client. Raises SettingsError for a quirk of a wrong type."""
        quirks = quirks_from(provider, Quirks)
        versioned = attrs.evolve(provider, base_url=with_version(provider.base_url))
        return HttpConnection(versioned, GenerateCodec(provider.name, quirks), _headers(provider, quirks))


def with_version(base_url: str) -> str:
    """The base URL with `/v1beta` where it names no version of the api."""
    try:
        parts = urlsplit(base_url)
    except ValueError:  # the transport says what is wrong with it
        return base_url
    if not parts.netloc or _VERSION.search(parts.path):
        return base_url
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/v1beta"))


def _headers(provider: Provider, quirks: Quirks) -> dict[str, str]:
    """The key, in a header and never in the URL."""
    key = provider.secret.get("api_key") if provider.secret else None
    if not key:
        return {}
    key = key.strip()
    return {"authorization": f"Bearer {key}"} if quirks.key == "bearer" else {"x-goog-api-key": key}
