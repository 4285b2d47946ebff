"""One HTTP exchange at a time: limits on time and size, and every failure with its name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from codetether import (
    AuthenticationFailed,
    ConnectionFailed,
    DeadlineExceeded,
    IncompleteResponse,
    InvalidRequest,
    MalformedResponse,
    ProviderError,
)

from codetether_http.addresses import Target, check_base_url, joined, proxy, shown, target
from codetether_http.failures import Fault, ReadFailure, error_from, read_failure, retry_after
from codetether_http.limits import Limits

if TYPE_CHECKING:
    import ssl

    import httpcore

T = TypeVar("T")
_ERROR_BODY = 64 * 1024
_DRAIN_SECONDS = 0.25
_KEEP_ALIVE_SECONDS = 60.0
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


@cache
def _trusted() -> ssl.SSLContext:
    """The one TLS context of the process: loading the certificates costs more than a step of a session."""
    import ssl

    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or directory:
        return ssl.create_default_context(cafile=file or None, capath=None if file else directory)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _pool(base_url: str) -> httpcore.AsyncConnectionPool:
    """Connections to a server, by the proxy that the environment names for it."""
    import httpcore

    from codetether_http.network import Network

    by = proxy(base_url)
    tls = base_url.startswith("https:") or (by is not None and by.startswith("https:"))
    return httpcore.AsyncConnectionPool(
        ssl_context=_trusted() if tls else None,
        proxy=None if by is None else _proxy(by),
        max_connections=None,
        keepalive_expiry=_KEEP_ALIVE_SECONDS,
        network_backend=Network(),
    )


def _proxy(url: str) -> httpcore.Proxy:
    import httpcore

    parts = urlsplit(url)
    user = (unquote(parts.username or ""), unquote(parts.password or "")) if parts.username or parts.password else None
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return httpcore.Proxy(bare, auth=user, ssl_context=_trusted() if parts.scheme == "https" else None)


class Answer:
    """An answer whose status is a success. `kind` is `stream` or `body`."""

    def __init__(self, transport: Transport, response: httpcore.Response, deadline: float, kind: str) -> None:
        self._transport = transport
        self._deadline = deadline
        self._reads = response.aiter_stream()
        self.kind = kind

    async def read(self) -> bytes | None:
        """The next bytes as the network gave them, None at the end."""
        try:
            return await self._transport.within(self._deadline, anext(self._reads), began=True)
        except StopAsyncIteration:
            return None

    async def body(self) -> bytes:
        """The whole body. Raises MalformedResponse when it is larger than the limit."""
        limit = self._transport.limits.body
        whole = bytearray()
        while (data := await self.read()) is not None:
            whole += data
            if len(whole) > limit:
                raise MalformedResponse(f"{self._transport.name}: the answer is larger than {limit} bytes")
        return bytes(whole)

    async def drain(self) -> None:
        """Reads what follows the terminal event, so that the connection can be used again; not for long."""
        with contextlib.suppress(TimeoutError, ProviderError):  # it only costs a new connection
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await self.read() is not None:
                    pass


class _Body:
    """A request's body, let go of when it was sent: the answer may take minutes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        data, self._data = self._data, b""
        if not data:
            raise StopAsyncIteration
        return data


class Transport:
    """A provider's line: connections of its own, used by one session.

    Args:
        name: the provider's, for messages. headers: sent with each request, the key among them.
        key: where the key comes from. secrets: values that no error may show.
        media_type: the content type of an answer that streams.
        failure: reads what an answer that is no success says.

    Raises UsageError for a base URL that is none.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        limits: Limits,
        headers: Mapping[str, str],
        key: str = "",
        secrets: tuple[str, ...] = (),
        media_type: str = "text/event-stream",
        failure: ReadFailure = read_failure,
    ) -> None:
        check_base_url(name, base_url)
        self.name = name
        self.limits = limits
        self._base_url = base_url
        usual = {"accept": "*/*", "accept-encoding": "identity", "user-agent": _user_agent()}
        self._headers = {**usual, "content-type": "application/json", **_named(_sendable(name, headers))}
        self._key = key
        self._secrets: tuple[str, ...] = ()
        self.hide(secrets)
        self._media_type = media_type
        self._read_failure = failure
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}
        self._targets: dict[tuple[str, str], Target] = {}

    def __repr__(self) -> str:
        return f"Transport({self.name!r}, {shown(self._base_url)!r})"

    async def aclose(self) -> None:
        """Closes its connections; a later request makes new ones."""
        while self._pools:
            await self._pools.popitem()[1].aclose()

    def post(
        self, address: str, body: bytes, headers: Mapping[str, str], *, base_url: str = ""
    ) -> contextlib.AbstractAsyncContextManager[Answer]:
        """Posts once. Raises the typed error for every answer that is no success, and for none at all."""
        return self.send("POST", address, body, headers, base_url=base_url)

    @contextlib.asynccontextmanager
    async def send(
        self, method: str, address: str, body: bytes, headers: Mapping[str, str], *, base_url: str = ""
    ) -> AsyncIterator[Answer]:
        """The same with any method, e.g. `GET` with an empty body."""
        deadline = time.monotonic() + self.limits.total
        base_url = base_url or self._base_url
        response = await self.within(deadline, self._asked(method, base_url, address, body, headers))
        del body
        try:
            if not 200 <= response.status < 300:
                raise await self._failure(response, deadline)
            yield Answer(self, response, deadline, self._kind(_headers_of(response)))
        finally:
            await response.aclose()

    def _asked(
        self, method: str, base_url: str, address: str, body: bytes, headers: Mapping[str, str]
    ) -> Awaitable[httpcore.Response]:
        """The answer, up to its headers."""
        import httpcore

        to = self._target(base_url, address)
        length = {"content-length": str(len(body))} if body else {}
        request = httpcore.Request(
            method,
            to.url,
            headers=list({**self._headers, **_named(headers), **length, **to.headers}.items()),
            content=_Body(body) if body else None,
            extensions={"timeout": {"connect": self.limits.connect}},
        )
        pool = self._pools.get(base_url)
        if pool is None:
            pool = self._pools[base_url] = _pool(base_url)
        return pool.handle_async_request(request)

    def url(self, address: str) -> str:
        """The whole URL of an address below the base URL."""
        return self._target(self._base_url, address).text

    def _target(self, base_url: str, address: str) -> Target:
        found = self._targets.get((base_url, address))
        if found is None:
            try:
                found = self._targets[base_url, address] = target(joined(base_url, address))
            except ValueError as error:
                why = f"{self.name}: nothing can be sent to {shown(base_url)!r}: {error}"
                raise InvalidRequest(why, remedy=f"check providers.{self.name}.base_url") from None
        return found

    async def within(self, deadline: float, step: Awaitable[T], *, began: bool = False) -> T:
        """Awaits one step of an exchange within the limits; httpcore's errors become ours. `began`: an answer had."""
        import httpcore

        left = deadline - time.monotonic()
        idle = self.limits.idle
        try:
            async with asyncio.timeout(min(left, idle)):
                return await step
        except TimeoutError:
            which = f"no answer within {self.limits.total:g} s" if left <= idle else f"silent for {idle:g} s"
            raise DeadlineExceeded(f"{self.name}: {which}", remedy=self._longer(left <= idle)) from None
        except httpcore.ConnectTimeout:
            raise DeadlineExceeded(
                f"{self.name}: no connection to {shown(self._base_url)} within {self.limits.connect:g} s"
            ) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, httpcore.TimeoutException) as error:
            if began:
                raise IncompleteResponse(
                    f"{self.name}: the connection broke within the answer: {self.clean(_words(error))}"
                ) from None
            raise ConnectionFailed(
                f"{self.name}: no connection to {shown(self._base_url)}: {self.clean(_words(error))}",
                remedy="check the network, the proxy settings and the provider's base_url",
            ) from None

    def _longer(self, total: bool) -> str:
        return f"allow more with providers.{self.name}.{'timeout' if total else 'options.idle_timeout'}"

    def _kind(self, headers: Mapping[str, str]) -> str:
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding not in ("", "identity"):
            raise MalformedResponse(f"{self.name}: the answer is compressed ({encoding[:40]}), which nobody asked for")
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == self._media_type:
            return "stream"
        if media == "application/json" or media.endswith("+json"):
            return "body"
        raise MalformedResponse(
            f"{self.name}: the answer is {media[:80] or 'of no named type'}, neither JSON nor an event stream",
            remedy=f"check the base_url, now {shown(self._base_url)}",
        )

    async def _failure(self, response: httpcore.Response, deadline: float) -> ProviderError:
        headers = _headers_of(response)
        if response.status in _REDIRECTS and "location" in headers:
            fault = Fault(message=f"redirects to {shown(headers['location'])}", status=response.status)
            return error_from(fault, self.name)
        body = bytearray()
        plain = headers.get("content-encoding", "identity").lower() in ("", "identity")
        reads = response.aiter_stream()
        with contextlib.suppress(ProviderError, StopAsyncIteration):  # the status tells enough
            soon = min(deadline, time.monotonic() + 10.0)
            while plain and len(body) < _ERROR_BODY:
                body += await self.within(soon, anext(reads))
        cleaned = self.clean(bytes(body).decode("utf-8", "replace")).encode()
        fault = self._read_failure(cleaned, response.status, headers)
        return error_from(fault, self.name, retry_after=retry_after(headers), key=self._key)

    def hide(self, secrets: tuple[str, ...]) -> None:
        """Values that no error may show from now on; those shorter than 8 characters are not taken."""
        self._secrets = tuple(dict.fromkeys((*self._secrets, *(s for s in secrets if len(s) >= 8))))

    def clean(self, text: str) -> str:
        """The text without the provider's own secrets, for servers that echo them."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text


def _sendable(provider: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise AuthenticationFailed(
                f"{provider}: the header {name} holds characters that cannot be sent",
                remedy="check the key for a stray line end or a character outside ASCII",
            )
    return headers


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names in lower case, so that one takes the place of another."""
    return {name.lower(): value for name, value in headers.items()}


def _headers_of(response: httpcore.Response) -> dict[str, str]:
    """By name in lower case; of several of a name one line."""
    found: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


@cache
def _user_agent() -> str:
    import codetether

    return f"codetether/{codetether.__version__}"


def secrets_of(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of a secret that must not be shown: all texts but addresses."""
    open_ = ("base_url", "enterprise_url", "organization", "project", "region", "profile")
    texts = [v for k, v in values.items() if isinstance(v, str) and k.removeprefix("aws_") not in open_]
    headers = values.get("headers")
    return (*texts, *(str(v) for v in headers.values())) if isinstance(headers, Mapping) else tuple(texts)
