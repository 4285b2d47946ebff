"""The tool websearch: pages of the web that a search engine finds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from codetether import (
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolResult,
    text_result,
)

from codetether_tools_web.charsets import read_text
from codetether_tools_web.definitions import COUNT, TIMEOUT, WEBSEARCH
from codetether_tools_web.engines import Engine, Hit, Query, address, engine_named
from codetether_tools_web.failures import Refused
from codetether_tools_web.fetching import Ask, Client
from codetether_tools_web.network import Border
from codetether_tools_web.settings import WebSettings
from codetether_tools_web.targets import Target, read_target

LONGEST = 600
"""Characters of one result's words."""


class WebSearch:
    """Searches with the engine of the settings."""

    definition = WEBSEARCH

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """The engine's host, and the words that it is told."""
        engine, target = self._engine()
        preview = f"search with {engine.name} ({target.authority}): {self._query(call).worded}"
        return Resources(hosts=(target.authority,), preview=preview)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The results."""
        engine, place = self._engine()
        query = self._query(call, await self._key(engine, ctx))
        question = engine.ask(query)
        target = read_target(address(str(place), question))
        ask = Ask(target=target, headers=question.headers, content=question.content)
        own = [place.place] if self._settings.search_url else []  # the user named it, private or not
        reply = await Client(self._settings, Border([*self._settings.allow_private, *own])).answer(ask, TIMEOUT)
        text = read_text(reply.data, reply.headers.get("content-type", ""))
        if reply.status >= 300:
            raise Refused(
                f"{engine.name} answers {reply.said}: {' '.join(text.split())[:300]}", remedy=_remedy(reply.status)
            )
        try:
            hits = await asyncio.to_thread(engine.read, text)
        except ValueError as error:
            raise Refused(f"{engine.name} gave something else than results: {error}") from error
        return _shown(query, engine, hits[: query.count])

    def _engine(self) -> tuple[Engine, Target]:
        engine = engine_named(self._settings.search)
        url = self._settings.search_url or engine.url
        if not url:
            raise Refused(
                f"nobody said where {engine.name} is", remedy='The user sets it: [plugins.web] search_url = "…".'
            )
        return engine, read_target(url)

    async def _key(self, engine: Engine, ctx: ToolContext) -> str:
        if not engine.key:
            return ""
        secret = await ctx.credentials.get(engine.key, engine.env)
        if secret is None or not (key := secret.get("api_key")):
            raise Refused(
                f"there is no key for {engine.name}",
                remedy=f"The user keeps one: codetether auth login {engine.key}, or {' or '.join(engine.env)}.",
            )
        return key

    @staticmethod
    def _query(call: ToolCall, key: str = "") -> Query:
        words = " ".join(str(call.arguments["query"]).split())
        if not words:
            raise Refused("there are no words to search for")
        site, count = str(call.arguments.get("site", "")), int(call.arguments.get("count", COUNT))
        return Query(text=words, count=count, site=site, key=key)


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "The user should look at its key."
    return "Try again later, or with other words." if status in (202, 429) or status >= 500 else ""


def _shown(query: Query, engine: Engine, hits: Sequence[Hit]) -> ToolResult:
    if not hits:
        return text_result(f"{engine.name} found nothing for: {query.worded}", results=0)
    rows = [
        f"{number}. {hit.title or hit.url}\n   {hit.url}" + (f"\n   {hit.text[:LONGEST]}" if hit.text else "")
        for number, hit in enumerate(hits, 1)
    ]
    return text_result(f"{engine.name}: {query.worded}\n\n" + "\n\n".join(rows), results=len(hits))
