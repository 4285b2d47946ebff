"""Asks servers: one request at a time, redirects followed one by one, with limits on time and size."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import cache
from http import HTTPStatus

import httpcore
import httpx
from attrs import evolve, field, frozen
from codetether import __version__

from codetether_tools_web.decoding import ACCEPTED, Body
from codetether_tools_web.failures import Refused
from codetether_tools_web.network import Border, Checked
from codetether_tools_web.settings import WebSettings
from codetether_tools_web.targets import Target, read_target

REDIRECTS = 10
_MOVED = frozenset((301, 302, 303, 307, 308))
_HEADERS = {
    "user-agent": f"codetether/{__version__}",
    "accept": "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0.5",
    "accept-language": "en, *;q=0.5",
    "accept-encoding": ACCEPTED,
}
Permit = Callable[[Target], Awaitable[None]]
"""Judges the host of a redirect. Raises Refused."""


@frozen(kw_only=True)
class Ask:
    """One request."""

    target: Target
    headers: Mapping[str, str] = field(factory=dict)
    content: bytes | None = None


@frozen(kw_only=True)
class Reply:
    """A server's answer, unpacked.

    Attributes:
        headers: by name in lower case, the first of several.
        cut: there was more, beyond the limit.
        began: the target that was asked for first, where redirects led here.
    """

    target: Target
    status: int
    headers: Mapping[str, str]
    data: bytes
    cut: bool = False
    began: Target | None = None

    @property
    def said(self) -> str:
        """The status in words, `404 Not Found`."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)


@cache
def trust() -> ssl.SSLContext:
    """Whom TLS trusts: loading the certificates takes a while, so once a process."""
    return httpx.create_ssl_context()


class Client:
    """Asks servers within a border. Each request has a connection of its own, which ends with it.

    No variable of the environment names a proxy for it: where one stands between, nobody here sees which address is
    connected to, so only the user's settings can.
    """

    def __init__(self, settings: WebSettings, border: Border | None = None) -> None:
        self._limit = settings.max_bytes
        self._proxy = read_target(settings.proxy) if settings.proxy else None
        self._border = border or Border(settings.allow_private)

    async def follow(self, ask: Ask, seconds: float, permit: Permit) -> Reply:
        """The answer at the end of all redirects; headers and content go to the first origin only. Raises Refused."""
        first, left, clock = ask.target, seconds, asyncio.get_running_loop().time
        permitted = {first.authority}
        for _ in range(REDIRECTS + 1):
            since = clock()
            reply = await self.answer(ask, left, of=seconds)
            left -= clock() - since  # what a person takes to answer is not the server's time
            place = reply.headers.get("location")
            if reply.status not in _MOVED or place is None:
                return reply if reply.target == first else evolve(reply, began=first)
            target = ask.target.join(place)
            if target.authority not in permitted:
                await permit(target)
                permitted.add(target.authority)
            ask = Ask(target=target, headers=ask.headers if target.origin == first.origin else {})
        raise Refused(f"{first} redirects more than {REDIRECTS} times")

    async def answer(self, ask: Ask, seconds: float, *, of: float | None = None) -> Reply:
        """The answer to one request, redirects not followed. Raises Refused."""
        place = ask.target.authority
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(ask)
        except TimeoutError as error:
            raise Refused(f"{place} was not done after {of or seconds:g} s") from error
        except httpcore.ProxyError as error:
            raise Refused(f"the proxy does not lead to {place}: {error}") from error
        except (httpcore.ConnectError, httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            raise Refused(f"no connection to {place}: {_words(error)}") from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, ValueError) as error:
            raise Refused(f"{place} does not speak HTTP as it should: {_words(error)}") from error

    async def _answer(self, ask: Ask) -> Reply:
        target = ask.target
        headers = {"host": target.authority, **_HEADERS, **ask.headers}
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        method = "GET" if ask.content is None else "POST"
        async with (
            await self._pool(target) as pool,
            pool.stream(method, url, headers=[*headers.items()], content=ask.content) as response,
        ):
            found = {
                name.decode("ascii").lower(): value.decode("latin-1") for name, value in reversed(response.headers)
            }
            body = Body(found.get("content-encoding", ""), self._limit)
            async with aclosing(response.aiter_stream()) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    body.feed(piece)
                    if body.full:
                        break
        return Reply(target=target, status=response.status, headers=found, data=body.data, cut=body.full)

    async def _pool(self, target: Target) -> httpcore.AsyncConnectionPool:
        context = trust() if target.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._proxy is None:
            backend = Checked(self._border)
            return httpcore.AsyncConnectionPool(context, max_connections=1, network_backend=backend)
        await self._border.check_through_proxy(target)
        proxy = self._proxy
        url = httpcore.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/")
        return httpcore.AsyncHTTPProxy(url, ssl_context=context, max_connections=1)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
