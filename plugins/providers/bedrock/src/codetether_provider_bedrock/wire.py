"""The wire bedrock-converse: connections to Bedrock's runtime, or whatever speaks its Converse."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

import attrs
from codetether import CompletionRequest, Provider
from codetether_http import HttpConnection, quirks_from

from codetether_provider_bedrock.access import Access, access
from codetether_provider_bedrock.failures import read_failure
from codetether_provider_bedrock.frames import FRAMING, MEDIA_TYPE
from codetether_provider_bedrock.parser import ConverseParser
from codetether_provider_bedrock.quirks import Quirks
from codetether_provider_bedrock.render import Renderer


class ConverseCodec:
    """Converse as one provider speaks it, for one session."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._stream = quirks.stream
        self._renderer = Renderer(provider, quirks)

    def address(self, request: CompletionRequest) -> str:
        """The model, its inference profile or its ARN is part of the path."""
        return f"/model/{quote(request.model.model, safe='-._~')}/{'converse-stream' if self._stream else 'converse'}"

    def headers(self, request: CompletionRequest) -> Mapping[str, str]:
        """What is expected in return."""
        return {"accept": MEDIA_TYPE if self._stream else "application/json"}

    def render(self, request: CompletionRequest) -> bytes:
        """The request's body."""
        return self._renderer.render(request)

    def parser(self) -> ConverseParser:
        """A parser for one answer."""
        return ConverseParser(self._provider)


class ConverseWire:
    """Makes connections that speak Converse."""

    async def connect(self, provider: Provider) -> HttpConnection:
        """A connection with its own client.

        Raises SettingsError for a quirk of a wrong type, UsageError where no region is known, AuthenticationFailed
        for credentials that cannot be used.
        """
        quirks = quirks_from(provider, Quirks)
        granted = await asyncio.to_thread(_begin, provider, quirks)
        return HttpConnection(
            attrs.evolve(provider, base_url=granted.base_url),
            ConverseCodec(provider.name, quirks),
            granted.headers,
            authorize=granted.authorize,
            framing=FRAMING,
            failure=read_failure,
        )


def _begin(provider: Provider, quirks: Quirks) -> Access:
    """What takes its time is done at once, and on a thread: importing botocore, reading its files."""
    import botocore.eventstream  # type: ignore[import-untyped]  # noqa: F401

    return access(provider, quirks)
