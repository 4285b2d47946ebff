"""Stories about the network below an exchange: TLS, tunnels, large bodies, lines that end, and addresses as sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from codetether import ConnectionFailed, DeadlineExceeded, IncompleteResponse
from codetether_http import Limits, Transport, transport
from codetether_http.addresses import proxy, target
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LARGE = 4 * 1024 * 1024
"""Bytes: more than fit into the buffers of both ends."""


def certificate(place: Path) -> Path:
    """A certificate of this machine, which is its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = made.add_extension(here, critical=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    place.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return place


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with its own body as JSON, slow to read and slow to write."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await asyncio.sleep(0.05)
            body = await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % length)
            writer.write(body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A proxy that opens tunnels to those who say who they are."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if "Proxy-Authorization: Basic bWU6cEB3" not in head:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        writer.close()
        return
    host, _, port = head.split()[1].rpartition(":")
    far_reader, far_writer = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer), return_exceptions=True)


@pytest.fixture
async def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The base URL of a server under TLS, whose certificate is what `SSL_CERT_FILE` names."""
    file = certificate(tmp_path / "here.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    transport._trusted.cache_clear()
    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    transport._trusted.cache_clear()


@asynccontextmanager
async def line(base_url: str, **limits: float) -> AsyncIterator[Transport]:
    made = Transport("acme", base_url, limits=Limits(**limits), headers={})  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.aclose()


async def ask(made: Transport, body: bytes = b"{}") -> bytes:
    async with made.post("/echo", body, {}) as answer:
        return await answer.body()


async def test_large_bodies_pass_under_tls_in_both_directions(secure: str) -> None:
    body = bytes(range(256)) * (LARGE // 256)
    async with line(secure) as made:
        assert [await ask(made, body) == body for _ in range(2)] == [True, True]


async def test_who_is_not_trusted_is_sent_nothing(secure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    transport._trusted.cache_clear()
    async with line(secure) as made:
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            await ask(made)


async def test_a_tunnel_leads_through_a_proxy_that_wants_a_password(
    secure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await asyncio.start_server(tunnel, "127.0.0.1", 0) as server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40w@{place}")
        async with line(secure) as made:
            assert await ask(made, b"through") == b"through"
        monkeypatch.setenv("HTTPS_PROXY", f"http://you:no@{place}")
        async with line(secure) as made:
            with pytest.raises(ConnectionFailed, match="407"):
                await ask(made)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with line(secure) as made:
            assert await ask(made, b"beside it") == b"beside it"


async def test_a_line_that_the_server_has_closed_is_not_used_again() -> None:
    made_so_far = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made_so_far.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server, line(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as made:
        for _ in range(3):
            assert await ask(made) == b"{}"
            await asyncio.sleep(0.02)
    assert len(made_so_far) == 3


async def test_an_answer_that_breaks_off_is_not_whole_and_one_that_never_connects_has_its_limit() -> None:
    async def torn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{}")
        await writer.drain()
        writer.transport.abort()

    async with await asyncio.start_server(torn, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with line(f"http://127.0.0.1:{port}") as made:
            with pytest.raises(IncompleteResponse, match="the connection broke within the answer"):
                await ask(made)
        async with line(f"https://127.0.0.1:{port}", connect=0.1) as made:  # it waits for what no handshake sends
            with pytest.raises(DeadlineExceeded, match=rf"no connection to https://127\.0\.0\.1:{port} within 0\.1 s"):
                await ask(made)
    async with line(f"http://127.0.0.1:{port}") as made:
        with pytest.raises(ConnectionFailed, match=f"no connection to http://127.0.0.1:{port}: "):
            await ask(made)


@pytest.mark.parametrize(
    ("url", "sent", "headers"),
    [
        ("https://x.example/v1/chat?a=b", "https://x.example/v1/chat?a=b", {"host": "x.example"}),
        ("https://x.example:443", "https://x.example/", {"host": "x.example"}),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1", {"host": "[::1]:8080"}),
        ("http://bücher.example/ä b", "http://xn--bcher-kva.example/%C3%A4%20b", {"host": "xn--bcher-kva.example"}),
        ("http://me:p%40w@h/", "http://h/", {"host": "h", "authorization": "Basic bWU6cEB3"}),
    ],
)
def test_an_address_as_it_is_sent(url: str, sent: str, headers: dict[str, str]) -> None:
    made = target(url)
    assert (made.text, made.headers) == (sent, headers)


@pytest.mark.parametrize("url", ["ftp://x/", "http:///v1", "http://a b/", "http://a\x00/", "http://h/\n", "http://.ü/"])
def test_an_address_to_which_nothing_can_be_sent(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        target(url)


def test_the_environment_names_a_proxy_by_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert proxy("https://x.example/") is None
    monkeypatch.setenv("HTTPS_PROXY", "tls.example:3128")
    monkeypatch.setenv("ALL_PROXY", "socks5://any.example")
    monkeypatch.setenv("NO_PROXY", "inner.example, 10.0.0.1:8080")
    assert proxy("https://x.example/") == "http://tls.example:3128"
    assert proxy("http://x.example/") == "socks5://any.example"
    assert proxy("https://models.inner.example:8000/") is None
    assert proxy("http://10.0.0.1:8080/") is None
