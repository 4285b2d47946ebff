"""The tool webfetch: a page of the web, as Markdown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import evolve, field, frozen
from codetether import (
    ImagePart,
    Resources,
    SessionContext,
    TextPart,
    ToolCall,
    ToolContext,
    ToolResult,
    text_result,
)

from codetether_tools_web.definitions import LENGTH, SIZE, TIMEOUT, webfetch
from codetether_tools_web.downloads import kept
from codetether_tools_web.failures import Refused
from codetether_tools_web.fetching import Ask, Client, Permit, Reply
from codetether_tools_web.network import Border
from codetether_tools_web.pages import Page, read_page
from codetether_tools_web.settings import WebSettings
from codetether_tools_web.targets import Target, read_target

KEPT = 8
"""Pages that are kept for going on in them."""
FRESH = 900.0
"""Seconds for which they are."""
Key = tuple[str, str, tuple[str, ...]]
"""Address, form, secrets."""


@frozen(kw_only=True)
class Fetched:
    """A page with the head that stands over it.

    Attributes:
        file: where it is kept, when it is neither text nor an image.
    """

    head: str
    page: Page
    success: bool
    file: Path | None = None
    at: float = field(factory=time.monotonic)


class WebFetch:
    """Fetches pages; the last ones are kept a while, so that going on in one asks nobody again.

    Args:
        secrets: the names of those that hosts may be sent.
    """

    def __init__(self, settings: WebSettings, border: Border | None = None, secrets: Sequence[str] = ()) -> None:
        self.definition = webfetch(secrets)
        self._settings = settings
        self._border = border
        self._kept: dict[Key, Fetched] = {}

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """The host, as rules name it, and the secrets that it is sent."""
        target, secrets = read_target(str(call.arguments["url"])), _secrets(call)
        preview = f"GET {target}" + (f"\nwith the secret {', '.join(secrets)}" if secrets else "")
        return Resources(hosts=(target.authority,), secrets=secrets, preview=preview)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The page, or the part of it from `offset` on."""
        target = read_target(str(call.arguments["url"]))
        form = str(call.arguments.get("format", "markdown"))
        offset = int(call.arguments.get("offset", 0))
        secrets = _secrets(call)
        key = str(target), form, secrets
        fetched = self._kept.get(key) if offset else None
        if fetched is None or time.monotonic() - fetched.at > FRESH:
            headers = await self._headers(target, secrets, ctx)
            fetched = await self._fetch(target, headers, form, float(call.arguments.get("timeout", TIMEOUT)), ctx)
            self._keep(key, fetched)
        return _shown(fetched, offset, int(call.arguments.get("max_length", LENGTH)), str(target))

    async def _headers(self, target: Target, secrets: Sequence[str], ctx: ToolContext) -> Mapping[str, str]:
        if not secrets:
            return {}
        if target.scheme != "https" and target.place not in self._settings.allow_private:
            raise Refused(f"a secret is not sent to {target} in the clear; use https://")
        return await ctx.secrets(secrets, host=target.authority)

    async def _fetch(
        self, target: Target, headers: Mapping[str, str], form: str, seconds: float, ctx: ToolContext
    ) -> Fetched:
        client = Client(self._settings, self._border)
        reply = await client.follow(Ask(target=target, headers=headers), seconds, _permit(ctx, target))
        page = await asyncio.to_thread(read_page, reply, form)
        head = _head(reply, page)
        if page.other is None:
            return Fetched(head=head, page=page, success=reply.status < 400)
        file = await asyncio.to_thread(kept, ctx.cache_dir / "downloads", reply.target.path, page.other)
        head = f"{head}, {len(page.other)} bytes, no text: saved as {file}"
        return Fetched(head=head, page=evolve(page, other=None), success=True, file=file)

    def _keep(self, key: Key, fetched: Fetched) -> None:
        self._kept.pop(key, None)
        self._kept[key] = fetched
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]


def _secrets(call: ToolCall) -> tuple[str, ...]:
    return tuple(map(str, call.arguments.get("secrets", ())))


def _permit(ctx: ToolContext, origin: Target) -> Permit:
    async def permit(target: Target) -> None:
        decision = await ctx.permitted(
            Resources(hosts=(target.authority,), preview=f"GET {target}\nto which {origin} redirects")
        )
        if decision.verdict != "allow":
            why = decision.reason or decision.rule
            raise Refused(f"{origin} redirects to {target}, and {target.authority} was denied ({why})")

    return permit


def _head(reply: Reply, page: Page) -> str:
    led = f" (redirected from {reply.began})" if reply.began else ""
    said = [reply.said, page.kind, *([f'"{page.title[:200]}"'] if page.title else []), *page.notes]
    return f"{reply.target}{led}\n{', '.join(said)}"


def _shown(fetched: Fetched, offset: int, length: int, address: str) -> ToolResult:
    page, head = fetched.page, fetched.head
    if page.image is not None:
        said = TextPart(text=f"{head}, {len(page.image)} bytes")
        return ToolResult(
            content=(said, ImagePart(media_type=page.kind, data=page.image)),
            success=fetched.success,
            metadata={"url": address},
        )
    if fetched.file is not None:
        return text_result(head, url=address, file=str(fetched.file))
    total = len(page.text)
    if offset and offset >= total:
        raise Refused(f"{address} has only {total} characters; offset {offset} is past its end")
    part = page.text[offset : offset + length].encode("utf-8", "replace")[:SIZE].decode("utf-8", "ignore")
    last = offset + len(part)
    whole = f"{total} characters" if (offset, last) == (0, total) else f"{total} characters, {offset} to {last} shown"
    more = f"\n\n… go on with offset {last}" if last < total else ""
    text = f"{head}, {whole}\n\n{part}{more}" if part else f"{head}, no text"
    return text_result(text, success=fetched.success, url=address, characters=total, first=offset, last=last)
