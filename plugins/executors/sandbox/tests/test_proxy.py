"""Stories about the way out: which names pass, what a tunnel must carry, and that nothing else does."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress

import pytest
from codetether import ExecutorError
from codetether_executor_sandbox.hosts import allowed_hosts, may_reach
from codetether_executor_sandbox.proxy import Proxy
from codetether_executor_sandbox.tls import Incomplete, server_name

from .conftest import Ground

HOSTS = allowed_hosts(["allowed.test", "*.below.test", "allowed.test:8443"])


def hello(name: str | None) -> bytes:
    """What a TLS client says first."""
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    sent, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(sent, out, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


@pytest.mark.parametrize(
    ("name", "port", "plain"),
    [
        ("allowed.test", 443, "allowed.test"),
        ("ALLOWED.test.", 443, "allowed.test"),
        ("allowed.test", 8443, "allowed.test"),
        ("allowed.test", 22, None),
        ("a.below.test", 443, "a.below.test"),
        ("a.b.below.test", 443, "a.b.below.test"),
        ("below.test", 443, None),
        ("xbelow.test", 443, None),
        ("allowed.test.evil", 443, None),
        ("evilallowed.test", 443, None),
        ("a.allowed.test", 443, None),
        ("user@allowed.test", 443, None),
        ("allowed.test@evil.test", 443, None),
        ("allowed.test\\.evil", 443, None),
        ("allowed\u3002test", 443, None),
        ("аllowed.test", 443, None),  # noqa: RUF001 - the first letter is Cyrillic
        ("127.0.0.1", 443, None),
        ("2130706433", 443, None),
        ("0x7f.1", 443, None),
        ("[::1]", 443, None),
        ("allowed.test\r\nHost: x", 443, None),
        ("", 443, None),
        (".", 443, None),
        ("allowed..test", 443, None),
    ],
)
def test_S14_names_are_compared_label_by_label(name: str, port: int, plain: str | None) -> None:
    assert may_reach(HOSTS, name, port) == plain


@pytest.mark.parametrize(
    "written", ["*", "test", "*.test", "127.0.0.1", "a.test:0", "a.test:x", "http://a.test", "", "a b.test"]
)
def test_S14_what_is_no_host_is_refused(written: str) -> None:
    with pytest.raises(ExecutorError):
        allowed_hosts([written])


@pytest.mark.parametrize("name", ["allowed.test", "a.b.c", None])
def test_the_name_in_a_hello_is_read(name: str | None) -> None:
    data = hello(name)
    assert server_name(data) == name
    for cut in range(0, len(data) - 1, 7):
        with pytest.raises(Incomplete):
            server_name(data[:cut])
    halves = data[5 : len(data) // 2], data[len(data) // 2 :]
    assert server_name(b"".join(b"\x16\x03\x01" + len(h).to_bytes(2) + h for h in halves)) == name


async def tunnelled(asked: str, said: bytes, addresses: Sequence[str], *, public: bool = False) -> tuple[bytes, bytes]:
    """What the client and what the server saw."""
    got = asyncio.Event()
    heard = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard = await reader.read(65536)
        writer.write(b"answer")
        await writer.drain()
        writer.close()
        got.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def resolve(name: str, number: int) -> Sequence[str]:
        return addresses

    proxy = Proxy(hosts=allowed_hosts([f"allowed.test:{port}"]), resolve=resolve, public=public)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(proxy.serve(listener))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(asked.replace("PORT", str(port)).encode() + b"\r\n\r\n" + said)
    seen = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(2):
            seen = await reader.read()
    writer.close()
    serving.cancel()
    await asyncio.wait([serving])
    server.close()
    return seen, heard


async def test_a_tunnel_to_an_allowed_host_carries_its_tls() -> None:
    said = hello("allowed.test")
    seen, heard = await tunnelled("CONNECT allowed.test:PORT HTTP/1.1", said, ["127.0.0.1"])
    assert (seen, heard) == (b"HTTP/1.1 200 Connection established\r\n\r\nanswer", said)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("CONNECT allowed.test:PORT HTTP/1.1", hello("other.test")),
        ("CONNECT allowed.test:PORT HTTP/1.1", hello(None)),
        ("CONNECT allowed.test:PORT HTTP/1.1", b"SSH-2.0-x\r\n"),
        ("CONNECT allowed.test:PORT HTTP/1.1", b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"),
        ("CONNECT other.test:PORT HTTP/1.1\r\nHost: allowed.test:PORT", hello("other.test")),
        ("CONNECT allowed.test:22 HTTP/1.1", hello("allowed.test")),
        ("CONNECT 127.0.0.1:PORT HTTP/1.1", hello("allowed.test")),
        ("GET http://allowed.test:PORT/ HTTP/1.1", b""),
        ("CONNECT allowed.test:PORT", hello("allowed.test")),
    ],
)
async def test_S15_a_tunnel_to_anything_else_is_refused(asked: str, said: bytes) -> None:
    seen, heard = await tunnelled(asked, said, ["127.0.0.1"])
    assert heard == b""
    assert b"answer" not in seen


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254", "0.0.0.0"]
)
async def test_S15_a_name_that_leads_into_this_network_is_refused(address: str) -> None:
    seen, heard = await tunnelled("CONNECT allowed.test:PORT HTTP/1.1", hello("allowed.test"), [address], public=True)
    assert (seen[:13], heard) == (b"HTTP/1.1 403 ", b"")


async def test_a_command_reaches_nothing_but_by_the_proxy(bwrap: Ground) -> None:
    ground = bwrap.with_settings(hosts=("allowed.test",))
    done = await ground.python(
        "import os,urllib.request\nprint(os.environ['https_proxy'] == os.environ['HTTPS_PROXY'])\n"
        "for url in ('https://other.test/', 'http://allowed.test/', 'https://127.0.0.1/'):\n"
        "  try: urllib.request.urlopen(url, timeout=5)\n  except OSError as e: print(e)"
    )
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "True"
    assert "[sandbox: other.test:443 is not among the hosts of [plugins.sandbox]]" in lines
