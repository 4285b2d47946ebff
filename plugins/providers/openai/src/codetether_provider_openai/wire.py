"""The wire openai-chat: connections to any server that speaks Chat Completions."""

from __future__ import annotations

import os
from collections.abc import Mapping

from codetether import CompletionRequest, Provider
from codetether_http import HttpConnection, quirks_from

from codetether_provider_openai.parser import ChatParser
from codetether_provider_openai.quirks import Quirks
from codetether_provider_openai.render import Renderer


class ChatCodec:
    """Chat Completions as one provider speaks it, for one session."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._quirks = quirks
        self._renderer = Renderer(provider, quirks)

    def address(self, request: CompletionRequest) -> str:
        """The same for every request."""
        return "/chat/completions"

    def headers(self, request: CompletionRequest) -> Mapping[str, str]:
        """None of its own."""
        return {}

    def render(self, request: CompletionRequest) -> bytes:
        """The request's body."""
        return self._renderer.render(request)

    def parser(self) -> ChatParser:
        """A parser for one answer."""
        quirks = self._quirks
        return ChatParser(self._provider, done_optional=quirks.done_optional, reasoning_apart=quirks.reasoning_apart)


class ChatWire:
    """Makes connections that speak Chat Completions."""

    async def connect(self, provider: Provider) -> HttpConnection:
        """A connection with its own client. Raises SettingsError for a quirk of a wrong type."""
        quirks = quirks_from(provider, Quirks)
        return HttpConnection(provider, ChatCodec(provider.name, quirks), _headers(provider, quirks))


def _headers(provider: Provider, quirks: Quirks) -> dict[str, str]:
    """Who asks: the key as a bearer token, organisation and project from the secret or the environment."""
    headers = {str(name).lower(): str(value) for name, value in quirks.headers.items()}
    for header, variables in quirks.environment_headers.items():
        value = next((v for name in variables if (v := os.environ.get(name))), None)
        if value:
            headers[header] = value
    secret = provider.secret
    if secret is None:
        return headers
    for header, name in (("openai-organization", "organization"), ("openai-project", "project")):
        if value := secret.get(name):
            headers[header] = value
    if key := secret.get("api_key"):
        headers[quirks.key_header or "authorization"] = key.strip() if quirks.key_header else f"Bearer {key.strip()}"
    return headers
