"""Signing in to a server by OAuth: what comes of it is kept in a private file, and the browser comes back to us."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from codetether import UsageError, private_directory, replace_file

from codetether_tools_mcp.servers import Server

if TYPE_CHECKING:
    from mcp.client.auth import OAuthClientProvider
    from mcp.client.auth.oauth2 import OAuthContext
    from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthToken
    from pydantic import BaseModel

    from codetether_tools_mcp.renewal import Renewing

NOWHERE = "http://127.0.0.1/"
"""Where nobody comes back to: without somebody at a terminal nobody is sent out to sign in."""
PATIENCE = 300.0
"""Seconds for the user to sign in."""


class Tokens:
    """A server's tokens and client, in a file of mode 0600 under the state directory."""

    def __init__(self, state_dir: Path, server: Server) -> None:
        name = hashlib.sha256(f"{server.name}\0{server.settings.url}".encode()).hexdigest()
        self.path = state_dir / "tokens" / f"{name}.json"
        self._client_id = server.settings.client_id

    async def get_tokens(self) -> OAuthToken | None:
        """The tokens, None where nobody signed in."""
        from mcp.shared.auth import OAuthToken

        return OAuthToken.model_validate(found) if (found := self._read().get("tokens")) else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keeps them, with the time until which they hold."""
        until = None if tokens.expires_in is None else time.time() + tokens.expires_in
        self._write("tokens", tokens, expires_at=until)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Who we are to the server: the client of the settings, else the one that it made for us."""
        from mcp.shared.auth import OAuthClientInformationFull

        if self._client_id:
            return OAuthClientInformationFull(
                client_id=self._client_id, redirect_uris=None, token_endpoint_auth_method="none"
            )
        return OAuthClientInformationFull.model_validate(found) if (found := self._read().get("client")) else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keeps that."""
        self._write("client", client_info)

    def remember_server(self, metadata: BaseModel | None) -> None:
        """Keeps where the tokens are renewed."""
        if metadata is not None:
            self._write("metadata", metadata)

    async def restore(self, context: OAuthContext) -> None:
        """Tells what signs requests all that is kept, by whichever process."""
        from mcp.shared.auth import OAuthMetadata

        context.current_tokens = await self.get_tokens()
        context.client_info = await self.get_client_info()
        kept = self._read()
        context.token_expiry_time = kept.get("expires_at")
        if metadata := kept.get("metadata"):
            context.oauth_metadata = OAuthMetadata.model_validate(metadata)

    def forget(self) -> None:
        """Nobody is signed in any more."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.path.read_bytes()))
        except (OSError, ValueError):
            return {}

    def _write(self, name: str, value: BaseModel, **more: Any) -> None:
        private_directory(self.path.parent)
        kept = {**self._read(), name: value.model_dump(mode="json", exclude_none=True), **more}
        replace_file(self.path, json.dumps(kept).encode())


def signed_in(server: Server, state_dir: Path) -> Renewing | None:
    """What signs the requests to a server that the user signed in to; None where he did not."""
    tokens = Tokens(state_dir, server)
    if not tokens.path.is_file():
        return None
    from codetether_tools_mcp.renewal import Renewing

    return Renewing(_provider(server, tokens, None, None, NOWHERE), tokens)


@asynccontextmanager
async def signing_in(
    server: Server, state_dir: Path, show: Callable[[str], Awaitable[None]]
) -> AsyncIterator[OAuthClientProvider]:
    """What signs the requests and, when the server asks for it, lets the user sign in with a browser."""
    tokens = Tokens(state_dir, server)
    tokens.forget()
    arrived: asyncio.Future[AuthorizationCodeResult] = asyncio.get_running_loop().create_future()

    async def answered() -> AuthorizationCodeResult:
        try:
            async with asyncio.timeout(PATIENCE):
                return await arrived
        except TimeoutError:
            raise UsageError(f"nobody signed in within {PATIENCE:g} s", remedy="try it again") from None

    async with await asyncio.start_server(_callback(arrived), "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        provider = _provider(server, tokens, show, answered, f"http://127.0.0.1:{port}/callback")
        yield provider
        tokens.remember_server(provider.context.oauth_metadata)


def _provider(
    server: Server,
    tokens: Tokens,
    show: Callable[[str], Awaitable[None]] | None,
    answered: Callable[[], Awaitable[AuthorizationCodeResult]] | None,
    redirect: str,
) -> OAuthClientProvider:
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared.auth import OAuthClientMetadata
    from pydantic import AnyUrl

    settings = server.settings
    about = OAuthClientMetadata(
        client_name="codetether",
        redirect_uris=[AnyUrl(redirect)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
        scope=settings.scope,
    )
    return OAuthClientProvider(server.expanded(settings.url or ""), about, tokens, show, answered)


def _callback(
    arrived: asyncio.Future[AuthorizationCodeResult],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Answers the browser that comes back; the SDK checks the state that it brings."""
    from mcp.shared.auth import AuthorizationCodeResult

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                line = (await reader.readline()).decode("latin-1").split()
        except (TimeoutError, ValueError):
            line = []
        found = parse_qs(urlsplit(line[1]).query) if len(line) == 3 and line[0] == "GET" else {}
        mine = ("code" in found or "error" in found) and urlsplit(line[1]).path == "/callback"
        if mine and "error" in found and not arrived.done():
            arrived.set_exception(UsageError(f"the sign-in was refused: {found['error'][0][:200]}"))
        elif mine and not arrived.done():
            arrived.set_result(
                AuthorizationCodeResult(
                    code=found["code"][0], state=found.get("state", [None])[0], iss=found.get("iss", [None])[0]
                )
            )
        status, text = ("200 OK", "Back to codetether: this page can be closed.") if mine else ("404 Not Found", "")
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {len(text)}"
        writer.write(f"{head}\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()

    return answer
