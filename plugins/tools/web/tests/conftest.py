"""A server on loopback whose pages are the bytes that a test wants, and the tools that may reach it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from codetether import Tool, ToolResult, error_result
from codetether.testing.playback import Playback, Respond
from codetether.testing.workbench import BenchContext, Workbench
from codetether_tools_web.network import Border, Resolve
from codetether_tools_web.settings import WebSettings
from codetether_tools_web.webfetch import WebFetch
from codetether_tools_web.websearch import WebSearch


def answer(body: bytes, kind: str = "text/html", status: int = 200, **headers: str) -> Respond:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return respond


def moved(place: str, status: int = 302) -> Respond:
    """A redirect."""
    return answer(b"", status=status, location=place)


@define
class Site:
    """Pages by their path, and what was asked for."""

    pages: dict[str, Respond] = field(factory=dict)
    playback: Playback = field(factory=Playback)

    async def respond(self, writer: asyncio.StreamWriter) -> None:
        """Answers the request that came last."""
        path = self.heads[-1].split()[1].partition("?")[0]
        await self.pages.get(path, answer(b"nothing here", "text/plain", 404))(writer)

    @property
    def heads(self) -> list[str]:
        """The heads of all requests, lower-cased."""
        return self.playback.heads

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [head.split()[1] for head in self.heads]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.playback.base_url.split(":")[2].partition("/")[0])

    @property
    def place(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        """The address of a page."""
        return f"http://{self.place}{path}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server without pages."""
    made = Site()
    made.playback.respond = made.respond
    async with made.playback:
        yield made


@pytest.fixture
async def other() -> AsyncIterator[Site]:
    """Another one."""
    made = Site()
    made.playback.respond = made.respond
    async with made.playback:
        yield made


@define(kw_only=True)
class Context(BenchContext):
    """With keys."""

    credentials: Any = None


class Bench(Workbench):
    """The web tools by the rules of a user who allows the network."""

    async def fetch(self, url: str, **more: object) -> ToolResult:
        """A call of webfetch; what it raises is an error result, as in the loop."""
        return await self._answered("webfetch", {"url": url, **more})

    async def search(self, query: str, **more: object) -> ToolResult:
        """A call of websearch."""
        return await self._answered("websearch", {"query": query, **more})

    async def _answered(self, name: str, arguments: Mapping[str, object]) -> ToolResult:
        try:
            return await self.call(name, **arguments)
        except Exception as error:  # the loop's own way
            return error_result(" ".join(str(error).split()))


Make = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Make:
    """Makes the tools with settings, by default those of a user who allows the given sites."""

    def make(
        *sites: Site, allow: tuple[str, ...] = ("network",), resolve: Resolve | None = None, **how: object
    ) -> Bench:
        settings = WebSettings(**{"allow_private": tuple(each.place for each in sites), **how})  # type: ignore[arg-type]
        border = Border(settings.allow_private, resolve=resolve) if resolve else None
        tools: dict[str, Tool] = {"webfetch": WebFetch(settings, border), "websearch": WebSearch(settings)}
        context = Context(directory=tmp_path)
        return Bench(directory=tmp_path, tools=tools, permissions={"allow": allow}, context=context)

    return make
