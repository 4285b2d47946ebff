"""One HTTP exchange at a time: limits on time and size, and every failure with its name."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from codetether import (
    AuthenticationFailed,
    ConnectionFailed,
    DeadlineExceeded,
    IncompleteResponse,
    InvalidRequest,
    MalformedResponse,
    ProviderError,
    UsageError,
)

from codetether_http.failures import Fault, ReadFailure, error_from, read_failure, retry_after
from codetether_http.limits import Limits

if TYPE_CHECKING:
    import ssl

    import httpx

T = TypeVar("T")
_ERROR_BODY = 64 * 1024
_DRAIN_SECONDS = 0.25
_KEEP_ALIVE_SECONDS = 60.0


@cache
def _import_httpx() -> None:
    """Imports httpx without its own command line, which brings click, rich and pygments: half of its cost.

    None in `sys.modules` stands for a module that is not to be had, for which httpx is prepared.
    """
    if "httpx" not in sys.modules:
        sys.modules["httpx._main"] = None  # type: ignore[assignment]
        import httpx  # noqa: F401

        del sys.modules["httpx._main"]


@cache
def _ssl_context() -> ssl.SSLContext:
    """The one TLS context of the process: loading the certificates costs more than a step of a session."""
    import httpx

    return httpx.create_ssl_context()


@cache
def _no_trust() -> ssl.SSLContext:
    """For lines without TLS, where loading certificates would be in vain: it trusts nobody."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _verification(url: str) -> ssl.SSLContext:
    """What a client is given, so that it makes no TLS context of its own."""
    from urllib.request import getproxies

    never_tls = url.startswith("http:") and not getproxies()
    return _no_trust() if never_tls else _ssl_context()


def joined(base_url: str, address: str) -> str:
    """The address below the base URL; at the end stand the base URL's query, and the address's own."""
    parts = urlsplit(base_url)
    below, _, own = address.partition("?")
    path = parts.path.rstrip("/")
    query = "&".join(part for part in (parts.query, own) if part)
    return urlunsplit(parts._replace(path=path if path.endswith(below) else path + below, query=query))


def shown(url: str) -> str:
    """The URL as it may be shown: without a password, a query or a fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:  # it is none
        return url.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _check_base_url(name: str, base_url: str) -> None:
    """Raises UsageError for what no request can be sent to: asking again would not help."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        why = "" if usable else "it needs http:// or https:// and a host"
    except ValueError as error:
        why = str(error)
    if why:
        raise UsageError(
            f"{name}: the base URL {shown(base_url)!r} cannot be used: {why}",
            remedy=f"set it right where it comes from: a variable, the entry of the key, or "
            f"codetether config set providers.{name}.base_url https://…",
        )


class Answer:
    """An answer whose status is a success. `kind` is `stream` or `body`."""

    def __init__(self, transport: Transport, response: httpx.Response, deadline: float, kind: str) -> None:
        self._transport = transport
        self._response = response
        self._deadline = deadline
        self._reads = response.aiter_raw()
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
    """A request's body, let go of when it was sent: httpx's requests and responses wait for the garbage collector."""

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
    """A provider's line: one client, used by one session.

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
        _check_base_url(name, base_url)
        self.name = name
        self.limits = limits
        self._base_url = base_url
        self._headers = {"accept-encoding": "identity", "content-type": "application/json", **_sendable(name, headers)}
        self._key = key
        self._secrets: tuple[str, ...] = ()
        self.hide(secrets)
        self._media_type = media_type
        self._read_failure = failure
        self._client: httpx.AsyncClient | None = None
        self._urls: dict[tuple[str, str], httpx.URL] = {}

    def __repr__(self) -> str:
        return f"Transport({self.name!r}, {shown(self._base_url)!r})"

    def _open(self) -> httpx.AsyncClient:
        _import_httpx()
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=_verification(self._base_url),
                headers={"user-agent": _user_agent(), **self._headers},
                timeout=httpx.Timeout(None, connect=self.limits.connect),
                limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEP_ALIVE_SECONDS),
                follow_redirects=False,
            )
        return self._client

    async def aclose(self) -> None:
        """Closes the client; a later request opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

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
        client = self._open()
        url = self._url(base_url or self._base_url, address)
        if body:
            headers = {**headers, "content-length": str(len(body))}
        request = client.build_request(method, url, content=_Body(body) if body else None, headers=headers)
        del body
        response = await self.within(deadline, client.send(request, stream=True))
        try:
            if not response.is_success:
                raise await self._failure(response, deadline)
            yield Answer(self, response, deadline, self._kind(response))
        finally:
            await response.aclose()
            del response.stream  # it holds the response in its turn: both would wait for the garbage collector

    def url(self, address: str) -> str:
        """The whole URL of an address below the base URL."""
        return str(self._url(self._base_url, address))

    def _url(self, base_url: str, address: str) -> httpx.URL:
        import httpx

        url = self._urls.get((base_url, address))
        if url is None:
            try:
                url = httpx.URL(joined(base_url, address))
            except (httpx.InvalidURL, ValueError) as error:
                why = f"{self.name}: nothing can be sent to {shown(base_url)!r}: {error}"
                raise InvalidRequest(why, remedy=f"check providers.{self.name}.base_url") from None
            self._urls[base_url, address] = url
        return url

    async def within(self, deadline: float, step: Awaitable[T], *, began: bool = False) -> T:
        """Awaits one step of an exchange within the limits; httpx's errors become ours. `began`: an answer had."""
        import httpx

        left = deadline - time.monotonic()
        idle = self.limits.idle
        try:
            async with asyncio.timeout(min(left, idle)):
                return await step
        except TimeoutError:
            which = f"no answer within {self.limits.total:g} s" if left <= idle else f"silent for {idle:g} s"
            raise DeadlineExceeded(f"{self.name}: {which}", remedy=self._longer(left <= idle)) from None
        except httpx.ConnectTimeout:
            raise DeadlineExceeded(
                f"{self.name}: no connection to {shown(self._base_url)} within {self.limits.connect:g} s"
            ) from None
        except httpx.TransportError as error:
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

    def _kind(self, response: httpx.Response) -> str:
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding not in ("", "identity"):
            raise MalformedResponse(f"{self.name}: the answer is compressed ({encoding[:40]}), which nobody asked for")
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == self._media_type:
            return "stream"
        if media == "application/json" or media.endswith("+json"):
            return "body"
        raise MalformedResponse(
            f"{self.name}: the answer is {media[:80] or 'of no named type'}, neither JSON nor an event stream",
            remedy=f"check the base_url, now {shown(self._base_url)}",
        )

    async def _failure(self, response: httpx.Response, deadline: float) -> ProviderError:
        if response.has_redirect_location:
            target = shown(response.headers["location"])
            return error_from(Fault(message=f"redirects to {target}", status=response.status_code), self.name)
        body = bytearray()
        plain = response.headers.get("content-encoding", "identity").lower() in ("", "identity")
        reads = response.aiter_raw()
        with contextlib.suppress(ProviderError, StopAsyncIteration):  # the status tells enough
            soon = min(deadline, time.monotonic() + 10.0)
            while plain and len(body) < _ERROR_BODY:
                body += await self.within(soon, anext(reads))
        cleaned = self.clean(bytes(body).decode("utf-8", "replace")).encode()
        fault = self._read_failure(cleaned, response.status_code, response.headers)
        return error_from(fault, self.name, retry_after=retry_after(response.headers), key=self._key)

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
