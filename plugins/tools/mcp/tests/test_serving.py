"""Stories about our tools as a server, and about servers that are reached over HTTP, npm's own among them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from codetether import Runtime
from codetether.testing.scripted import Call
from codetether_tools_mcp.caller import NAME, Caller
from codetether_tools_mcp.oauth import Tokens, signed_in, signing_in
from codetether_tools_mcp.servers import Server
from codetether_tools_mcp.serving import serve_loopback, server_of
from codetether_tools_mcp.settings import ServerSettings
from codetether_tools_mcp.sources import found_servers

from .conftest import Desk

# The SDK takes a second and more to import: only where it is used, not in every process that looks for tests.


@asynccontextmanager
async def serving(directory: Path, **how: Any) -> AsyncIterator[tuple[int, Any]]:
    """The file tools, served on loopback to those who have the token `t`: the port, and the session."""
    caller = Caller()
    settings = {"plugins": {"only": ["files"]}}
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with (
        Runtime.open(settings, plugins=[caller], directory=directory) as runtime,
        runtime.session(model=NAME, **how) as session,
    ):
        task = asyncio.create_task(serve_loopback(server_of(session, caller, ["*"]), 0, "t", ready.set_result))
        try:
            yield await ready, session
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def text(answer: Any) -> str:
    """The text that an answer of the SDK begins with."""
    return str(answer.content[0].text)


async def test_our_tools_over_http_are_judged_and_recorded_as_in_a_session(desk: Desk) -> None:
    from mcp.client import Client
    from mcp.client.streamable_http import streamable_http_client

    (desk.directory / "a.txt").write_text("hello\n")
    async with serving(desk.directory) as (port, session):
        headers = {"Authorization": "Bearer t"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)) as client,
        ):
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            read = await client.call_tool("read", {"path": "a.txt"})
            wrong = await client.call_tool("read", {"path": 3})
            write = await client.call_tool("write", {"path": "b.txt", "content": "x"})
            unknown = await client.call_tool("bash", {})
        uses = [(use.name, use.success) for use in session.session.tool_uses]
    assert {"read", "write", "grep"} < set(tools)
    hints = [tools[name].annotations for name in ("read", "write")]
    assert [hint.read_only_hint for hint in hints if hint is not None] == [True, False]
    assert (read.is_error, "hello" in text(read)) == (False, True)
    assert [(each.is_error, text(each).partition(" (")[0]) for each in (write, unknown)] == [
        (True, "Error: write was denied"),
        (True, "Error: there is no tool 'bash'"),
    ]
    assert text(wrong).startswith("Error: invalid arguments for read")
    assert not (desk.directory / "b.txt").exists()
    assert uses == [("read", True), ("read", False), ("write", False)]


async def test_N10_who_has_no_token_or_comes_from_a_page_gets_nothing(desk: Desk) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    good = {"Authorization": "Bearer t", "Accept": "application/json, text/event-stream"}
    odd = {
        "no token": {"Authorization": ""},
        "another token": {"Authorization": "Bearer s"},
        "a page": {"Origin": "https://evil.example"},
        "a page of this machine": {"Origin": "http://localhost:3000"},
        "no origin": {"Origin": "null"},
        "a rebound name": {"Host": "evil.example"},
        "a form": {"Content-Type": "text/plain"},
    }
    async with serving(desk.directory) as (port, _), httpx2.AsyncClient() as http:
        url = f"http://127.0.0.1:{port}/mcp"
        answers = {n: (await http.post(url, json=ping, headers={**good, **h})).status_code for n, h in odd.items()}
        unread = (await http.get(url, headers={"Origin": "https://evil.example"})).status_code
        served = (await http.post(url, json=ping, headers=good)).status_code
    assert answers == dict.fromkeys(odd, 403)
    assert (unread, served == 403) == (403, False)


async def test_a_server_over_http_is_one_of_a_session(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_IT", "t")
    (desk.directory / "a.txt").write_text("hello\n")
    async with serving(desk.directory) as (port, _):
        there = {"url": f"http://127.0.0.1:{port}/mcp"}
        desk.servers["files"] = {**there, "headers": {"Authorization": "Bearer ${TOKEN_OF_IT}"}, "tools": ["re*"]}
        desk.servers["stranger"] = there
        read = Call("mcp__files__read", {"path": "a.txt"})
        (result,) = await desk.run(read)
        (denied,) = await desk.run(read, allow=())
        offered = await desk.offered()
    assert ("hello" in result.text, offered) == (True, ["mcp__files__read"])
    host = f"reaching 127.0.0.1:{port} needs permission in mode default"
    assert denied.text.startswith(f"Error: mcp__files__read was denied ({host}")
    assert (
        "MCP server stranger wants to know who you are. "
        "Sign in to it (codetether mcp login stranger), or give it a header." in desk.notices
    )


async def test_our_tools_over_pipes_are_driven_by_the_client_of_the_sdk(desk: Desk) -> None:
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters

    command = ["-m", "codetether", "mcp", "serve", "--allow", "write", "--tool", "[wr][re]*"]
    started = StdioServerParameters(command=sys.executable, args=command, cwd=desk.directory, env=_environment())
    async with asyncio.timeout(30), Client(started) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        done = await client.call_tool("write", {"path": "b.txt", "content": "x"})
    assert (tools, done.is_error) == (["read", "write"], False)
    assert (desk.directory / "b.txt").read_text() == "x"


def _environment() -> dict[str, str]:
    import os

    chosen = {"CODETETHER_PLUGINS": "files,mcp"}
    return {**{k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "CODETETHER_HOME")}, **chosen}


async def test_signing_in_with_a_browser_that_comes_back(desk: Desk, tmp_path: Path) -> None:
    from mcp.client.auth import OAuthFlowError

    async with authority() as (port, log):
        desk.servers["secured"] = {"url": f"http://127.0.0.1:{port}/mcp"}
        async with desk.runtime() as runtime:
            ctx = runtime.contexts.process("mcp")
            (server,) = found_servers(ctx.settings, desk.directory).servers.values()

            async def browse(url: str) -> None:
                async with httpx2.AsyncClient(follow_redirects=True) as browser:
                    away = httpx2.URL(url).params
                    lost = await browser.get(f"{away['redirect_uri'].removesuffix('callback')}favicon.ico")
                    back = await browser.get(url)
                told = away["code_challenge_method"], len(away["state"]) > 30
                log.append((lost.status_code, back.status_code, *told))

            async with signing_in(server, ctx.state_dir, browse) as auth, httpx2.AsyncClient(auth=auth) as http:
                answer = await http.post(str(server.settings.url), json={})
            path = Tokens(ctx.state_dir, server).path

            async def bend(url: str) -> None:
                async with httpx2.AsyncClient() as browser:
                    await browser.get(f"{httpx2.URL(url).params['redirect_uri']}?code=c&state=another")

            with pytest.raises(OAuthFlowError, match="State parameter mismatch"):
                async with signing_in(server, tmp_path, bend) as auth, httpx2.AsyncClient(auth=auth) as http:
                    await http.post(str(server.settings.url), json={})
    assert (answer.status_code, log.pop(), log) == (
        200,
        "registered",
        ["registered", (404, 200, "S256", True), "code c verified"],
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret-token" in path.read_text()


ASKING = """
import asyncio, sys
from pathlib import Path
import httpx2
from codetether_tools_mcp.oauth import signed_in
from codetether_tools_mcp.servers import Server
from codetether_tools_mcp.settings import ServerSettings

async def ask(url, state):
    server = Server(name="secured", settings=ServerSettings(url=url), origin="settings", trusted=True)
    async with httpx2.AsyncClient(auth=signed_in(server, Path(state))) as http:
        print(flush=True)
        sys.stdin.readline()
        print((await http.post(url, json={})).status_code)

asyncio.run(ask(*sys.argv[1:]))
"""


async def test_tokens_are_renewed_by_one_process_and_used_by_all(tmp_path: Path) -> None:
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

    async with authority() as (port, log):
        url = f"http://127.0.0.1:{port}/mcp"
        server = Server(name="secured", settings=ServerSettings(url=url), origin="settings", trusted=True)
        tokens = Tokens(tmp_path, server)
        await tokens.set_client_info(OAuthClientInformationFull(client_id="us", redirect_uris=None))
        first = OAuthToken(access_token="secret-token", refresh_token="refresh-0", expires_in=3600)
        await tokens.set_tokens(first)
        async with httpx2.AsyncClient(auth=signed_in(server, tmp_path)) as http:
            before = await http.post(url, json={})
            await tokens.set_tokens(first.model_copy(update={"expires_in": -1}))
            command = [sys.executable, "-c", ASKING, url, str(tmp_path)]
            other = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert other.stdout is not None
            await other.stdout.readline()
            (told, _), ours = await asyncio.gather(other.communicate(b"\n"), http.post(url, json={}))
            after = await http.post(url, json={})
    answers = [before.status_code, int(told), ours.status_code, after.status_code]
    assert (answers, log) == ([200] * 4, ["renewed refresh-0"])
    assert (await tokens.get_tokens()) == OAuthToken(
        access_token="secret-token-1", refresh_token="refresh-1", expires_in=3600
    )


@asynccontextmanager
async def authority() -> AsyncIterator[tuple[int, list[Any]]]:
    """A server that asks for a sign-in, and where one signs in: the port, and a log of what was asked."""
    import base64
    import hashlib
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, RedirectResponse, Response
    from starlette.routing import Route

    log: list[Any] = []
    challenges: list[str] = []
    current = ["secret-token"]
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    base = f"http://127.0.0.1:{port}"

    async def mcp(request: Request) -> Response:
        known = request.headers.get("authorization") == f"Bearer {current[-1]}"
        return Response(status_code=200 if known else 401)

    async def resource(request: Request) -> Response:
        return JSONResponse({"resource": f"{base}/mcp", "authorization_servers": [base]})

    async def metadata(request: Request) -> Response:
        ends = {f"{name}_endpoint": f"{base}/{name}" for name in ("authorization", "token", "registration")}
        more = {"response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"]}
        return JSONResponse({"issuer": base, **ends, **more})

    async def register(request: Request) -> Response:
        log.append("registered")
        return JSONResponse({**await request.json(), "client_id": "us"}, status_code=201)

    async def authorize(request: Request) -> Response:
        told = request.query_params
        challenges.append(told["code_challenge"])
        return RedirectResponse(f"{told['redirect_uri']}?code=c&state={told['state']}")

    async def token(request: Request) -> Response:
        form = await request.form()
        if form["grant_type"] == "refresh_token":
            log.append(f"renewed {form['refresh_token']}")
            await asyncio.sleep(0.3)  # in which others might want the same
            if form["refresh_token"] != f"refresh-{len(current) - 1}":
                return JSONResponse({"error": "invalid_grant"}, status_code=400)
            fresh = {"access_token": f"secret-token-{len(current)}", "refresh_token": f"refresh-{len(current)}"}
            current.append(fresh["access_token"])
            return JSONResponse({**fresh, "token_type": "Bearer", "expires_in": 3600})
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        fits = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenges[0]
        log.append(f"code {form['code']} {'verified' if fits else 'unverified'}")
        return JSONResponse({"access_token": "secret-token", "token_type": "Bearer", "expires_in": 3600})

    routes = [
        Route("/mcp", mcp, methods=["POST"]),
        Route("/.well-known/oauth-protected-resource/mcp", resource),
        Route("/.well-known/oauth-authorization-server", metadata),
        Route("/registration", register, methods=["POST"]),
        Route("/authorization", authorize),
        Route("/token", token, methods=["POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield port, log
    finally:
        server.should_exit = True
        await task
        listening.close()
