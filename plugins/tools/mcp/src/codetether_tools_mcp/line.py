"""The line to one server: opened when it is first needed, and again when it was lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from codetether import CodetetherError, SessionContext

from codetether_tools_mcp.definitions import Listing, PromptEntry, ToolEntry, kept_tools
from codetether_tools_mcp.pins import Pins
from codetether_tools_mcp.servers import Server

if TYPE_CHECKING:
    import httpx2
    from mcp.client import Client

    from codetether_tools_mcp.pipes import Fate

T = TypeVar("T")
ATTEMPTS = 4
"""How often a server that was lost is started again for one call."""
PAGES = 100
"""Pages of one listing."""
_UNSAID = logging.NullHandler()
"""What the SDK logs is said by us where it matters, and not on standard error besides."""
CLOSING = 8.0
"""Seconds that a server has to end."""


class ServerLost(CodetetherError):
    """A server could not be started or reached, or ended before it answered."""


class Line:
    """One server as a session uses it: a command is started by the session's executor.

    Args:
        auth: what signs the requests to a server that is reached; by default what the user's signing in left.

    Attributes:
        listing: what it offered when it was opened last; what is not as it was approved is for its user to look at.
    """

    def __init__(self, server: Server, ctx: SessionContext, auth: httpx2.Auth | None = None) -> None:
        self.server = server
        self.listing = Listing()
        self._ctx = ctx
        self._auth = auth
        self._opening = asyncio.Lock()
        self._client: Client | None = None
        self._fate: Fate | None = None
        self._owner: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._lives = 0

    async def asked(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """What the server answers. Raises ServerLost; what went out to it is never sent again by itself."""
        client = await self.client()
        from mcp.shared.exceptions import MCPError

        try:
            return await question(client)
        except MCPError as error:
            if not self._is_lost(error):
                raise
            if self._client is client:  # no other call has opened it again meanwhile
                await self.close()
            raise ServerLost(
                f"MCP server {self.server.name} was lost while it worked: {self._why() or error.message}; "
                "what was asked of it may have been done",
                remedy="the next call starts it again",
            ) from error

    async def client(self) -> Client:
        """The open line, opened now where it is not. Raises ServerLost."""
        async with self._opening:
            if self._client is not None and self._fate is not None and not self._fate.why:
                return self._client
            if self._lives:
                self._say(f"was lost{self._why() and f' ({self._why()})'}, and is started again")
                await self._reopen()
            else:
                await self._open()
            assert self._client is not None
            return self._client

    async def close(self) -> None:
        """Ends the server; one that is still being opened at once."""
        client, self._client = self._client, None
        if (owner := self._owner) is None:
            return
        self._leave.set()
        await asyncio.wait({owner}, timeout=CLOSING if client else 0)
        owner.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await owner

    def _is_lost(self, error: Any) -> bool:
        from mcp.types import CONNECTION_CLOSED

        closed = error.message in ("Connection closed", "Session terminated")  # servers send the code for much else
        return bool(closed or self._why() or (self.server.kind != "stdio" and error.code == CONNECTION_CLOSED))

    async def _reopen(self) -> None:
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        await self.close()
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            retry=retry_if_exception_type(ServerLost),
            reraise=True,
        ):
            with attempt:
                await self._open()

    async def _open(self) -> None:
        from codetether_tools_mcp.pipes import Fate

        await asyncio.to_thread(import_module, "mcp.client")  # a second or two, in which others may go on
        self._fate, self._leave = Fate(), asyncio.Event()
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._live(self._fate, opened), name=f"mcp {self.server.name}")
        try:
            async with asyncio.timeout(self.server.settings.startup):
                await asyncio.shield(opened)
        except TimeoutError:
            await self.close()
            limit = f"{self.server.settings.startup:g} s"
            raise ServerLost(
                f"MCP server {self.server.name} did not tell within {limit} what it offers: {self.server.what}.",
                remedy="Give it more time by its setting startup, or look at what it says when you start it yourself.",
            ) from None
        except asyncio.CancelledError:
            await self.close()
            raise
        self._lives += 1

    async def _live(self, fate: Fate, opened: asyncio.Future[None]) -> None:
        """Owns the connection from its opening to its end: the SDK's scopes belong to one task."""
        from mcp.client import Client

        from codetether_tools_mcp.sampling import callbacks

        logging.getLogger("mcp").addHandler(_UNSAID)
        try:
            async with Client(self._transport(fate), cache=None, **callbacks(self.server, self._ctx)) as client:
                self.listing = await _listing(client, self._say)
                if changed := Pins(self._ctx.state_dir).seen(self.server, self.listing):
                    self._say(
                        f"has tools that are new or changed, so they are not offered: {', '.join(changed)}. "
                        f"Look at them: codetether mcp approve {self.server.name}"
                    )
                self._client = client
                if not opened.done():
                    opened.set_result(None)
                await self._leave.wait()
        except (Exception, BaseExceptionGroup) as error:  # whatever the SDK, or a server through it, comes up with
            if opened.done():
                fate.why = fate.why or _in_words(_first(error))
            else:
                opened.set_exception(self._lost(fate, _first(error)))
        finally:
            self._client = None
            if not opened.done():
                opened.cancel()

    def _say(self, text: str) -> None:
        self._ctx.notice(f"MCP server {self.server.name} {text}")

    def _why(self) -> str:
        return str(self._fate) if self._fate is not None and self._fate.why else ""

    def _lost(self, fate: Fate, why: BaseException) -> CodetetherError:
        if isinstance(why, CodetetherError):
            return why
        if fate.stranger or "OAuth" in type(why).__name__:
            return ServerLost(
                f"MCP server {self.server.name} wants to know who you are.",
                remedy=f"Sign in to it (codetether mcp login {self.server.name}), or give it a header.",
            )
        told = str(fate) or _in_words(why)
        return ServerLost(f"MCP server {self.server.name} cannot be used: {told} ({self.server.what})")

    @asynccontextmanager
    async def _transport(self, fate: Fate) -> AsyncIterator[tuple[Any, Any]]:
        if self.server.kind != "stdio":
            from codetether_tools_mcp.web import reached

            async with reached(self.server, self._auth or self._signed_in(), fate) as streams:
                yield streams
            return
        from codetether_tools_mcp.pipes import piped

        settings = self.server.settings
        process = await self._ctx.executor.start(
            [self.server.expanded(word) for word in (settings.command or "", *settings.args)],
            directory=self.server.directory(self._ctx.directory),
            environment=self.server.all_expanded(settings.env),
            merged=False,
        )
        async with piped(process, fate) as streams:
            yield streams

    def _signed_in(self) -> httpx2.Auth | None:
        """What signs the requests where the user signed in; a header of his own comes first."""
        if any(name.lower() == "authorization" for name in self.server.settings.headers):
            return None
        from codetether_tools_mcp.oauth import signed_in

        return signed_in(self.server, self._ctx.state_dir)


def _first(error: BaseException) -> BaseException:
    """What went wrong first, where several things did."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _in_words(error: BaseException) -> str:
    """What went wrong on one line."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"it does not speak as agreed: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(str(error).split())[:500] or type(error).__name__


async def _listing(client: Client, say: Callable[[str], None]) -> Listing:
    """All that the server offers."""
    can = client.server_capabilities
    found = [
        ToolEntry(name=tool.name, description=tool.description or "", schema=tool.input_schema)
        async for tool in paged(client.list_tools, "tools", can.tools is not None)
    ]
    tools, problems = kept_tools(found)
    for problem in problems:
        say(f"offers what cannot be used: {problem}")
    prompts = [
        PromptEntry(
            name=prompt.name,
            description=prompt.description or "",
            arguments={each.name: bool(each.required) for each in prompt.arguments or ()},
        )
        async for prompt in paged(client.list_prompts, "prompts", can.prompts is not None)
    ]
    return Listing(tools=tools, prompts=tuple(prompts), resources=can.resources is not None)


async def paged(ask: Callable[..., Awaitable[Any]], what: str, can: bool) -> AsyncIterator[Any]:
    """Each item of a listing that comes in pages."""
    cursor = None
    for _ in range(PAGES if can else 0):
        page = await ask(cursor=cursor)
        for item in getattr(page, what):
            yield item
        if (cursor := page.next_cursor) is None:
            return
