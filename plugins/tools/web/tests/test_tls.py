"""Stories about TLS: the connection goes to a checked address, and still names and verifies the host."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from codetether_tools_web import fetching
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .conftest import Make

HOST = "docs.example"


def certificate(place: Path) -> Path:
    """A certificate of the host, which is its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    place.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return place


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[int, list[str]]]:
    """The port of a server with that certificate, which this process trusts, and the names that it was called by."""
    file = certificate(tmp_path / "docs.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    names: list[str] = []
    context.sni_callback = lambda _, name, __: names.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nsecure")
        await writer.drain()
        writer.close()

    monkeypatch.setattr(fetching, "trust", lambda: ssl.create_default_context(cafile=str(file)))
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield listening.sockets[0].getsockname()[1], names


async def test_the_name_stands_in_the_handshake_and_is_verified(server: tuple[int, list[str]], bench: Make) -> None:
    port, names = server

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    places = (f"{HOST}:{port}", f"other.example:{port}")
    tools = bench(allow_private=places, resolve=resolve)
    right = await tools.fetch(f"https://{HOST}:{port}/")
    wrong = await tools.fetch(f"https://other.example:{port}/")
    assert (right.success, right.output.endswith("secure"), names[0]) == (True, True, HOST)
    assert not wrong.success
    assert "Hostname mismatch" in wrong.output
