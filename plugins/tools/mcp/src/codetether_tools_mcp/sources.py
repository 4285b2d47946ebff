"""Where servers are described: the settings, and the files of Claude Code, Codex and OpenCode."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from codetether_tools_mcp.settings import McpSettings, Product, ServerSettings

if TYPE_CHECKING:
    from codetether_tools_mcp.servers import Server

LIMIT = 1024 * 1024
"""Bytes that a repository's file may have; the user's own may hold much else, and have 32 times as many."""


@frozen(kw_only=True)
class Place:
    """A file that may describe servers, as a product does; `own`: it is the user's, not a repository's."""

    product: Product
    path: Path
    own: bool


@define(kw_only=True)
class Found:
    """All servers that may be used or could be approved, by name; what is wrong with the files is said."""

    servers: dict[str, Server] = field(factory=dict)
    problems: list[str] = field(factory=list)


def found_servers(settings: McpSettings, directory: Path, environment: Mapping[str, str] = os.environ) -> Found:
    """The servers for work in the directory. Of two with one name the user's own counts, and of files the first."""
    found = Found()
    if not settings.enabled:
        return found
    for name, one in settings.servers.items():
        _add(found, name, one, origin="settings", trusted=True)
    directory = directory.resolve()
    for place in places(directory, environment):
        if place.product in settings.read and (data := _read(place, found.problems)) is not None:
            for name, entry in _entries(place, data, directory, found.problems).items():
                if isinstance(entry, str):
                    found.problems.append(f"{place.path}: the MCP server {name} is left out: {entry}")
                else:
                    _add(found, name, entry, origin=str(place.path), trusted=place.own)
    found.servers = {name: server for name, server in found.servers.items() if settings.permits(name)}
    return found


def _add(found: Found, name: str, settings: ServerSettings, *, origin: str, trusted: bool) -> None:
    from codetether_tools_mcp.servers import Server

    server = Server(name=name, settings=settings, origin=origin, trusted=trusted)
    first = found.servers.setdefault(server.name, server)
    if first.origin != server.origin and not server.trusted:  # the user may well have told several products of one
        found.problems.append(
            f"{server.origin}: its MCP server {server.name} is not used, since {first.origin} has one of that name"
        )


def places(directory: Path, environment: Mapping[str, str]) -> Iterator[Place]:
    """The user's files, then those of the repository from the work's directory up to its root."""
    home = Path(environment.get("HOME") or "~").expanduser()
    configs = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    claude = Path(environment.get("CLAUDE_CONFIG_DIR") or home) / ".claude.json"
    codex = Path(environment.get("CODEX_HOME") or home / ".codex") / "config.toml"
    yield Place(product="claude", path=claude, own=True)
    yield Place(product="codex", path=codex, own=True)
    for name in ("opencode.json", "opencode.jsonc"):
        yield Place(product="opencode", path=configs / "opencode" / name, own=True)
    for above in _up_to_root(directory):
        yield Place(product="claude", path=above / ".mcp.json", own=False)
        if above / ".codex" / "config.toml" != codex:
            yield Place(product="codex", path=above / ".codex" / "config.toml", own=False)
        for name in ("opencode.json", "opencode.jsonc"):
            yield Place(product="opencode", path=above / name, own=False)


def _up_to_root(directory: Path) -> list[Path]:
    """The directory and those above it up to the root of its git repository; alone where it is in none."""
    above = [directory, *directory.parents]
    return above[: next((n + 1 for n, place in enumerate(above) if (place / ".git").exists()), 1)]


def _read(place: Place, problems: list[str]) -> bytes | None:
    path, limit = place.path, LIMIT * 32 if place.own else LIMIT
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > limit:
            problems.append(f"{path}: has more than {limit} bytes, so its MCP servers are left out")
            return None
        return path.read_bytes()
    except OSError as error:
        problems.append(f"{path}: cannot be read, so its MCP servers are left out: {error.strerror}")
        return None


def _entries(place: Place, data: bytes, directory: Path, problems: list[str]) -> Mapping[str, ServerSettings | str]:
    from codetether_tools_mcp.products import described

    try:
        return described(place.product, data.decode("utf-8-sig"), directory if place.own else None)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        problems.append(f"{place.path}: its MCP servers are left out: {why}")
        return {}
