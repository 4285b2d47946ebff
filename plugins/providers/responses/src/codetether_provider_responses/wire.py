"""The wire openai-responses: connections to any server that speaks OpenAI's Responses API."""

from __future__ import annotations

import os
from collections.abc import Mapping

from codetether import CompletionRequest, Provider
from codetether_http import HttpConnection, quirks_from

from codetether_provider_responses.parser import ResponsesParser
from codetether_provider_responses.quirks import Quirks
from codetether_provider_responses.render import Renderer


class ResponsesCodec:
    """The Responses API as one provider speaks it, for one session."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._renderer = Renderer(provider, quirks)

    def address(self, request: CompletionRequest) -> str:
        """The same for every request."""
        return "/responses"

    def headers(self, request: CompletionRequest) -> Mapping[str, str]:
        """None of its own."""
        return {}

    def render(self, request: CompletionRequest) -> bytes:
        """The request's body."""
        return self._renderer.render(request)

    def parser(self) -> ResponsesParser:
        """A parser for one answer."""
        return ResponsesParser(self._provider)


class ResponsesWire:
    """Makes connections that speak the Responses API."""

    async def connect(self, provider: Provider) -> HttpConnection:
        """A connection with its own client. Raises SettingsError for a quirk of a wrong type."""
        quirks = quirks_from(provider, Quirks)
        return HttpConnection(provider, ResponsesCodec(provider.name, quirks), _headers(provider, quirks))


def _headers(provider: Provider, quirks: Quirks) -> dict[str, str]:
    """Who asks: the key as a bearer token, organisation and project from the secret or the environment."""
    headers = {}
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
        headers["authorization"] = f"Bearer {key.strip()}"
    return headers
