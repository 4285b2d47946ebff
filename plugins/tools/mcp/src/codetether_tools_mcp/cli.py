"""`codetether mcp`: servers listed, added, approved and signed in to, and our own tools served."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from codetether import Runtime, Screen, UsageError, as_json, keep_setting, print_json, print_table, workplace

from codetether_tools_mcp.definitions import Listing, ToolEntry, offered_name
from codetether_tools_mcp.pins import Pin, Pins
from codetether_tools_mcp.servers import Server
from codetether_tools_mcp.settings import McpSettings, ServerSettings
from codetether_tools_mcp.sources import Found, found_servers

if TYPE_CHECKING:
    from codetether import SessionContext
    from mcp.client.auth import OAuthClientProvider

PLUGIN = "mcp"
TOKEN = "CODETETHER_MCP_TOKEN"
"""The variable that may hold the token of `serve --http`."""


@click.group("mcp")
def command() -> None:
    """Servers of the Model Context Protocol: which there are, and what they offer; our own tools as one.

    They stand in your settings ([plugins.mcp.servers.NAME]), in .mcp.json, and in the files of Claude Code, Codex and
    OpenCode. What a repository's files name is started only when you approved it.
    """


@asynccontextmanager
async def _place(screen: Screen) -> AsyncIterator[tuple[Runtime, SessionContext, Found]]:
    """A runtime, the plugin's context in it, and the servers that there are."""
    opening = Runtime.open(directory=Path.cwd(), on_notice=screen.notice)
    async with opening as runtime, workplace(runtime, PLUGIN) as ctx:
        yield runtime, ctx, found_servers(ctx.settings or McpSettings(), ctx.directory)


def _named(found: Found, name: str) -> Server:
    if name not in found.servers:
        there = ", ".join(found.servers) or "none"
        raise UsageError(f"no MCP server {name!r}; there are: {there}", remedy="codetether mcp list")
    return found.servers[name]


@command.command("list")
@as_json
def list_(as_json: bool) -> int:
    """List the servers, where they come from, and whether they may be used; none is started."""

    async def listing() -> int:
        screen = Screen()
        async with _place(screen) as (_, ctx, found):
            pins = Pins(ctx.state_dir)
            rows = [_row(server, pins.get(server)) for server in found.servers.values()]
            for problem in found.problems:
                screen.say(f"note: {problem}")
        if as_json:
            print_json(screen, rows)
        elif not rows:
            screen.line("No MCP servers found")
        else:
            heads = ("name", "status", "tools", "what", "origin")
            print_table(screen, [head.upper() for head in heads], [[row[head] for head in heads] for row in rows])
        return 0

    return asyncio.run(listing())


def _row(server: Server, pin: Pin) -> dict[str, Any]:
    """A server without the values of its variables and headers."""
    return {
        "name": server.name,
        "status": _status(server, pin),
        "kind": server.kind,
        "what": server.what,
        "env": sorted(server.settings.env),
        "headers": sorted(server.settings.headers),
        "tools": len(pin.listing.tools) if pin.listing else None,
        "origin": server.origin,
    }


def _status(server: Server, pin: Pin) -> str:
    if not server.settings.enabled:
        return "off"
    if not (server.trusted or pin.approved):
        return "waits for approval"
    return "changed: waits for approval" if pin.news else "ready"


@command.command("tools")
@click.argument("name", required=False)
@as_json
def tools(name: str | None, as_json: bool) -> int:
    """List the tools of the servers, or of NAME: those of the last look; a server never looked at is asked now."""

    async def listing() -> int:
        screen = Screen()
        rows = []
        async with _place(screen) as (_, ctx, found):
            pins = Pins(ctx.state_dir)
            for server in [_named(found, name)] if name else found.servers.values():
                if name and not pins.usable(server):
                    raise UsageError(f"{name} is off, or not approved", remedy=f"codetether mcp approve {name}")
                if pins.usable(server):
                    there = pins.get(server).listing or await _looked(server, ctx)
                    rows += [_tool(server, tool) for tool in there.tools]
        if as_json:
            print_json(screen, rows)
        elif not rows:
            screen.line("No MCP tools found")
        else:
            cells = [(row["name"], row["description"].partition("\n")[0]) for row in rows]
            print_table(screen, ("NAME", "DESCRIPTION"), cells)
        return 0

    return asyncio.run(listing())


def _tool(server: Server, tool: ToolEntry) -> dict[str, Any]:
    named = {"name": offered_name(server.name, tool.name), "server": server.name, "tool": tool.name}
    return {**named, "description": tool.told, "schema": tool.parameters}


async def _looked(server: Server, ctx: SessionContext, auth: OAuthClientProvider | None = None) -> Listing:
    """What the server offers, asked now. Raises ServerLost."""
    from codetether_tools_mcp.line import Line

    line = Line(server, ctx, auth)
    try:
        await line.client()
        return line.listing
    finally:
        await line.close()


@command.command("add", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[COMMAND [ARGUMENT]...]", type=click.UNPROCESSED)
@click.option("--url", help="Of a server that is reached, not started.")
@click.option("--sse", is_flag=True, help="The URL speaks the older way, server-sent events.")
@click.option("--env", "-e", multiple=True, metavar="NAME=VALUE", help="A variable for the command; ${NAME} is yours.")
@click.option("--header", "-H", multiple=True, metavar="NAME=VALUE", help="A header for the URL; ${NAME} is yours.")
def add(name: str, words: Sequence[str], url: str | None, sse: bool, env: Sequence[str], header: Sequence[str]) -> int:
    """Add a server to your settings: NAME -- COMMAND ARGUMENT..., or NAME --url URL."""
    table: dict[str, Any] = {"url": url} if url else {}
    if words:
        table |= {"command": words[0], **({"args": list(words[1:])} if words[1:] else {})}
    table |= {"type": "sse"} if sse else {}
    table |= {"env": _pairs("--env", env)} if env else {}
    table |= {"headers": _pairs("--header", header)} if header else {}
    try:
        McpSettings(servers={name: ServerSettings(**table)})
    except ValueError as error:
        raise UsageError(f"MCP server {name}: {error}", remedy="codetether mcp add --help") from error
    file = keep_setting(("plugins", PLUGIN, "servers", name), table)
    Screen().line(f"{file}: added {name}; codetether mcp tools {name} shows what it offers")
    return 0


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    found = dict(pair.split("=", 1) for pair in given if "=" in pair)
    if len(found) < len(given):
        raise UsageError(f"{option} takes NAME=VALUE, each name once")
    return found


@command.command("remove")
@click.argument("name")
def remove(name: str) -> int:
    """Take a server out of your settings."""

    async def known() -> Server:
        async with _place(Screen()) as (_, _ctx, found):
            return _named(found, name)

    server = asyncio.run(known())
    if server.origin != "settings":
        raise UsageError(f"{name} stands in {server.origin}, not in your settings", remedy="remove it there")
    file = keep_setting(("plugins", PLUGIN, "servers", name), None)
    Screen().line(f"{file}: removed {name}")
    return 0


@command.command("approve")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--revoke", is_flag=True, help="Take the approval back.")
def approve(name: str, yes: bool, revoke: bool) -> int:
    """Look at a server of a repository's files, or at tools that changed, and let them be used."""

    async def approving() -> int:
        screen = Screen()
        async with _place(screen) as (runtime, ctx, found):
            server, pins = _named(found, name), Pins(ctx.state_dir)
            if revoke:
                async with _recorded(runtime, "config", "mcp:revoke", server):
                    pins.revoke(server)
                screen.line(f"{name} is approved no longer")
                return 0
            before, known = pins.get(server), pins.usable(server)
            if not known:
                _show_server(screen, server)
                if not _agreed(yes, "Start it, to see what it offers?"):
                    return 1
            async with _recorded(runtime, "config", "mcp:look", server):
                now = await _looked(server, ctx)
            offered = before.listing or (now if known else Listing())
            _show_tools(screen, server, offered, now)
            if known and not offered.news(now):
                return 0
            if not _agreed(yes, "Let these be used?"):
                if not known:
                    pins.revoke(server)
                return 1
            async with _recorded(runtime, "config", "mcp:approve", server):
                pins.approve(server, now)
        screen.line(f"{name} is approved, with {len(now.tools)} tools")
        return 0

    return asyncio.run(approving())


def _recorded(runtime: Runtime, category: str, action: str, server: Server) -> AbstractAsyncContextManager[object]:
    """What is done inside, between its intent and its outcome in the audit trail."""
    detail = {"server": server.name, "what": server.what, "origin": server.origin, "fingerprint": server.fingerprint}
    return runtime.audit.around(category, action, detail=detail)


def _agreed(yes: bool, question: str) -> bool:
    """Whether the user agrees. Raises UsageError where nobody can be asked."""
    if not (yes or (sys.stdin.isatty() and sys.stderr.isatty())):
        raise UsageError("nobody is here to look at it", remedy="run it at a terminal, or with --yes")
    return yes or click.confirm(question, err=True)


def _show_server(screen: Screen, server: Server) -> None:
    """All that would run or be reached, word for word."""
    settings = server.settings
    screen.line(f"{server.name}, of {server.origin}")
    words = [settings.command, *settings.args] if settings.command is not None else [settings.url or ""]
    for number, word in enumerate(words):
        screen.line(f"  {'argument' if number else 'command' if settings.command is not None else 'url'}: {word}")
    for label, table in (("variable", settings.env), ("header", settings.headers)):
        for key, value in table.items():
            screen.line(f"  {label}: {key}={value}")
    if settings.cwd:
        screen.line(f"  directory: {settings.cwd}")


def _show_tools(screen: Screen, server: Server, before: Listing, now: Listing) -> None:
    changed = before.news(now)
    if not changed:
        screen.line(f"{server.name} offers what you know: {len(now.tools)} tools")
    for tool in now.tools:
        if tool.name not in changed:
            continue
        old = before.tool(tool.name)
        screen.line(f"\n{offered_name(server.name, tool.name)}{' (changed)' if old else ' (new)'}")
        if old:
            screen.line(f"- {old.shown}")
        screen.line(f"{'+ ' if old else ''}{tool.shown}")


@command.command("login")
@click.argument("name")
@click.option("--no-browser", is_flag=True, help="Only show the address.")
def login(name: str, no_browser: bool) -> int:
    """Sign in to a server that is reached by its URL, with a browser on this machine."""

    async def signing() -> int:
        from codetether_tools_mcp.oauth import Tokens, signing_in

        screen = Screen()

        async def show(url: str) -> None:
            screen.say(f"Sign in here:\n\n  {url}\n")
            if not no_browser and url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
                import threading
                import webbrowser

                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

        async with _place(screen) as (runtime, ctx, found):
            server = _named(found, name)
            if server.kind == "stdio":
                raise UsageError(f"{name} is started here, so there is nothing to sign in to", remedy=server.what)
            if not Pins(ctx.state_dir).usable(server):
                raise UsageError(f"{name} is not approved", remedy=f"codetether mcp approve {name}")
            async with (
                _recorded(runtime, "auth", "mcp:login", server),
                signing_in(server, ctx.state_dir, show) as auth,
            ):
                await _looked(server, ctx, auth)
            kept = Tokens(ctx.state_dir, server).path.is_file()
        screen.line(f"{name}: signed in" if kept else f"{name} asked for no sign-in: it can be used as it is")
        return 0

    return asyncio.run(signing())


@command.command("serve")
@click.option("--http", "port", type=int, metavar="PORT", help="On 127.0.0.1, not standard input; 0: any free port.")
@click.option("--tool", "-t", "globs", multiple=True, metavar="GLOB", help="Only tools whose names fit.")
@click.option("--allow", multiple=True, metavar="RULE", help="Let a tool or an effect run unasked.")
@click.option("--mode", help="What is allowed without asking; nobody is asked here, so the rest is denied.")
def serve(port: int | None, globs: Sequence[str], allow: Sequence[str], mode: Any) -> int:
    """Serve the tools of a session in this directory to an MCP client; each call is judged and audited."""
    asyncio.run(_serve(port, globs or ("*",), allow, mode))
    return 0


async def _serve(port: int | None, globs: Sequence[str], allow: Sequence[str], mode: Any) -> None:
    from codetether_tools_mcp.caller import NAME, Caller
    from codetether_tools_mcp.serving import serve_loopback, serve_pipes, server_of

    screen, caller = Screen(), Caller()
    own = {"plugins": {PLUGIN: {"enabled": False}}}  # a server that starts itself would never end
    opening = Runtime.open(own, plugins=[caller], directory=Path.cwd(), on_notice=screen.notice)
    async with opening as runtime, runtime.session(model=NAME, mode=mode, allow=allow) as session:
        server = server_of(session, caller, globs)
        if port is None:
            await serve_pipes(server)
            return
        token = _token(screen)
        await serve_loopback(server, port, token, lambda at: screen.say(f"serving http://127.0.0.1:{at}/mcp"))


def _token(screen: Screen) -> str:
    """The token of the variable, else a new one, said once."""
    import secrets

    if token := os.environ.get(TOKEN):
        return token
    token = secrets.token_urlsafe(32)
    screen.say(f"token: {token}")
    return token
