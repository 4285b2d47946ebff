"""One exchange over a real socket: what is sent, what is never shown, and how the line is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from codetether import (
    AuthenticationFailed,
    CompletionRequest,
    DeadlineExceeded,
    Finished,
    InvalidRequest,
    ModelRef,
    Provider,
    Secret,
    SettingsError,
    StreamChunk,
    TextDelta,
    UsageError,
)
from codetether.testing.playback import Playback, chunked
from codetether_http import Fault, HttpConnection, ServerSentEvent, joined, shown

KEY = "sk-very-secret-0123456789"
STREAM = {"content-type": "text/event-stream"}


class EchoParser:
    """Every event is a text; `end` ends."""

    done = False
    fault: Fault | None = None

    def feed(self, event: ServerSentEvent) -> Sequence[StreamChunk]:
        self.done = event.data == b"end"
        return [Finished("stop")] if self.done else [TextDelta(event.data.decode())]

    def whole(self, body: bytes) -> Sequence[StreamChunk]:
        return [TextDelta(body.decode()), Finished("stop")]

    def finish(self) -> Sequence[StreamChunk]:
        return []


class EchoCodec:
    """A wire that says nothing."""

    def address(self, request: CompletionRequest) -> str:
        return "/echo"

    def headers(self, request: CompletionRequest) -> Mapping[str, str]:
        return {"x-initiator": "user"}

    def render(self, request: CompletionRequest) -> bytes:
        return b"{}"

    def parser(self) -> EchoParser:
        return EchoParser()


def connection(base_url: str, *, key: str = KEY, timeout: float = 5.0, **options: object) -> HttpConnection:
    secret = Secret(values={"api_key": key}, source="env:ACME_API_KEY")
    provider = Provider(
        name="acme",
        wire="echo",
        base_url=base_url,
        secret=secret,
        timeout=timeout,
        options=options,
        headers={"x-a": "1"},
    )
    return HttpConnection(provider, EchoCodec(), {"authorization": f"Bearer {key}"})


REQUEST = CompletionRequest(model=ModelRef(provider="acme", model="m"), messages=())


async def ask(line: HttpConnection) -> list[StreamChunk]:
    return [chunk async for chunk in line.stream(REQUEST)]


@pytest.fixture
async def server() -> AsyncIterator[Playback]:
    async with Playback() as playback:
        playback.play(200, STREAM, [b"data: hel", b"lo\n\ndata: end\n\n"])
        yield playback


async def test_a_request_says_who_asks_and_wants_nothing_compressed(server: Playback) -> None:
    async with connection(server.base_url) as line:
        assert await ask(line) == [TextDelta("hello"), Finished("stop")]
    head = server.heads[0].splitlines()
    assert head[0] == "post /v1/echo http/1.1"
    wanted = {f"authorization: bearer {KEY}", "accept-encoding: identity", "x-initiator: user", "x-a: 1"}
    assert wanted <= set(head)
    assert any(line.startswith("user-agent: codetether/") for line in head)


async def test_text_that_comes_together_is_one_chunk_also_before_a_failure(server: Playback) -> None:
    async with connection(server.base_url) as line:
        server.play(200, STREAM, [b"data: a\n\ndata: b\n\ndata: end\n\ndata: c\n\n"])
        assert await ask(line) == [TextDelta("ab"), Finished("stop")]

        server.play(200, STREAM, [b"data: a\n\ndata: b\n\ndata: \xff\n\n"])
        stream = line.stream(REQUEST)
        assert await anext(stream) == TextDelta("ab")
        with pytest.raises(UnicodeDecodeError):
            await anext(stream)


async def test_one_connection_serves_a_session(server: Playback) -> None:
    peers = set()
    answer = chunked(200, STREAM, [b"data: a\n\ndata: end\n\n"])

    async def respond(writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        writer.write(answer)

    server.respond = respond
    async with connection(server.base_url) as line:
        for _ in range(5):
            await ask(line)
    assert len(peers) == 1


async def test_what_follows_the_end_is_not_waited_for(server: Playback) -> None:
    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(chunked(200, STREAM, [b"data: a\n\ndata: end\n\n"], end=False))
        await writer.drain()
        await asyncio.sleep(60)

    server.respond = respond
    async with connection(server.base_url) as line, asyncio.timeout(2):
        assert await ask(line) == [TextDelta("a"), Finished("stop")]


async def test_a_server_that_echoes_the_key_does_not_get_it_shown(server: Playback) -> None:
    server.play(401, {}, [f'{{"error":{{"message":"bad key {KEY}"}}}}'.encode()])
    async with connection(server.base_url) as line:
        with pytest.raises(AuthenticationFailed) as caught:
            await ask(line)
        assert str(caught.value) == "acme answered 401: bad key [redacted]\n  check the key (env:ACME_API_KEY)"
        assert KEY not in repr((caught.value.details, line, vars(line)))


@pytest.mark.parametrize("key", [KEY + "\n", "schl\u00fcssel-0123456789", KEY + "\r\nx-evil: 1"])
def test_a_key_that_no_header_can_hold_is_refused_unshown(key: str) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        connection("https://example.com/v1", key=key)
    assert "authorization holds characters that cannot be sent" in str(caught.value)
    assert key.strip() not in str(caught.value)


async def test_redirects_are_not_followed(server: Playback) -> None:
    server.play(307, {"location": "http://user:pw@127.0.0.1:9/v2?key=1"}, [])
    async with connection(server.base_url) as line:
        with pytest.raises(InvalidRequest, match=r"acme answered 307: redirects to http://127.0.0.1:9/v2\n"):
            await ask(line)
    assert len(server.requests) == 1


async def test_a_proxy_of_the_environment_is_used(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.base_url.removesuffix("/v1"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with connection("http://models.example/v1") as line:
        assert await ask(line) == [TextDelta("hello"), Finished("stop")]
    assert server.heads[0].startswith("post http://models.example/v1/echo ")


BAD_URLS = {
    "": "it needs http:// or https:// and a host",
    "nonsense": "it needs http:// or https:// and a host",
    "models.example/v1": "it needs http:// or https:// and a host",
    "ftp://x/v1": "it needs http:// or https:// and a host",
    "http://": "it needs http:// or https:// and a host",
    "http://x:port/v1": "Port could not be cast to integer value as 'port'",
    "http://x:99999/v1": "Port out of range 0-65535",
    "http://[::1/v1": "Invalid IPv6 URL",
}


@pytest.mark.parametrize("base_url", BAD_URLS)
def test_a_base_url_that_is_none_is_a_slip_of_the_user_and_never_tried(base_url: str) -> None:
    with pytest.raises(UsageError) as caught:
        connection(base_url)
    assert caught.value.message == f"acme: the base URL {base_url!r} cannot be used: {BAD_URLS[base_url]}"
    assert "providers.acme.base_url" in caught.value.remedy


async def test_a_host_that_is_none_is_not_tried_again() -> None:
    async with connection("http://a b\x00/v1") as line:
        with pytest.raises(InvalidRequest, match="acme: nothing can be sent to"):
            await ask(line)


async def test_leaving_the_stream_ends_the_request(server: Playback) -> None:
    gone = asyncio.Event()

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(chunked(200, STREAM, [b"data: a\n\n"], end=False))
        await writer.drain()
        try:
            while True:
                writer.write(b"8\r\n: ping\n\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            gone.set()

    server.respond = respond
    async with connection(server.base_url) as line:
        stream = line.stream(REQUEST)
        assert await anext(stream) == TextDelta("a")
        await stream.aclose()
        async with asyncio.timeout(2):
            await gone.wait()


async def test_silence_has_a_limit_of_its_own(server: Playback) -> None:
    async def respond(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    server.respond = respond
    async with connection(server.base_url, timeout=60, idle_timeout=0.1) as line:
        with pytest.raises(DeadlineExceeded) as caught:
            await ask(line)
    assert str(caught.value) == "acme: silent for 0.1 s\n  allow more with providers.acme.options.idle_timeout"


@pytest.mark.parametrize("value", [0, -1, "30", True])
def test_a_limit_of_a_wrong_kind_is_a_mistake_in_the_settings(value: object) -> None:
    with pytest.raises(SettingsError, match=r"providers\.acme\.options\.idle_timeout"):
        connection("http://x/v1", idle_timeout=value)


def test_addresses_are_joined_to_base_urls() -> None:
    assert joined("https://x/v1/", "/chat") == "https://x/v1/chat"
    assert joined("https://x/v1/chat", "/chat") == "https://x/v1/chat"
    assert joined("https://x/v1?api-version=2", "/chat") == "https://x/v1/chat?api-version=2"
    assert joined("https://x/v1", "/m:stream?alt=sse") == "https://x/v1/m:stream?alt=sse"
    assert joined("https://x/v1?a=2", "/m:stream?alt=sse") == "https://x/v1/m:stream?a=2&alt=sse"
    assert shown("https://me:pw@x:8/v1?key=1#k") == "https://x:8/v1"
