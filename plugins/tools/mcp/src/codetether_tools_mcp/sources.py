"""Where servers are described: the settings, and the files of Claude Code, Codex and OpenCode."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from codetether import Fields

from codetether_tools_mcp.servers import Server
from codetether_tools_mcp.settings import McpSettings, Product, ServerSettings

LIMIT = 1024 * 1024
"""Bytes that a repository's file may have; the user's own may hold much else, and have 32 times as many."""
_STRING = r'("(?:[^"\\]|\\.)*(?:"|\\?\Z))'
"""A string, or what would be one to the end of the text: nothing is looked at twice, however odd a file is."""
_COMMENTS = re.compile(_STRING + r"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_LAST_COMMAS = re.compile(_STRING + r"|,(?=\s*[}\]])", re.DOTALL)
_OPENCODE_VARIABLE = re.compile(r"\{env:(\w+)\}")


@frozen(kw_only=True)
class Place:
    """A file that may describe servers, and how it does.

    Attributes:
        entries: its servers by name, each as settings; those that cannot be understood with the reason.
        own: it is the user's, not a repository's.
    """

    product: Product
    path: Path
    entries: Callable[[Any], Mapping[str, ServerSettings | str]]
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
        _add(found, Server(name=name, settings=one, origin="settings", trusted=True))
    for place in places(directory.resolve(), environment):
        if place.product in settings.read and (data := _read(place, found.problems)) is not None:
            for name, entry in _entries(place, data, found.problems).items():
                if isinstance(entry, str):
                    found.problems.append(f"{place.path}: the MCP server {name} is left out: {entry}")
                else:
                    _add(found, Server(name=name, settings=entry, origin=str(place.path), trusted=place.own))
    found.servers = {name: server for name, server in found.servers.items() if _permitted(settings, name)}
    return found


def _permitted(settings: McpSettings, name: str) -> bool:
    allowed = settings.allow is None or any(fnmatchcase(name, glob) for glob in settings.allow)
    return allowed and not any(fnmatchcase(name, glob) for glob in settings.deny)


def _add(found: Found, server: Server) -> None:
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
    yield Place(product="claude", path=claude, entries=_claude_of(directory), own=True)
    yield Place(product="codex", path=codex, entries=_codex, own=True)
    for name in ("opencode.json", "opencode.jsonc"):
        yield Place(product="opencode", path=configs / "opencode" / name, entries=_opencode, own=True)
    for above in _up_to_root(directory):
        yield Place(product="claude", path=above / ".mcp.json", entries=_claude, own=False)
        if above / ".codex" / "config.toml" != codex:
            yield Place(product="codex", path=above / ".codex" / "config.toml", entries=_codex, own=False)
        for name in ("opencode.json", "opencode.jsonc"):
            yield Place(product="opencode", path=above / name, entries=_opencode, own=False)


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


def _entries(place: Place, data: bytes, problems: list[str]) -> Mapping[str, ServerSettings | str]:
    try:
        text = data.decode("utf-8-sig")
        return place.entries(tomllib.loads(text) if place.path.suffix == ".toml" else _json(text))
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        problems.append(f"{place.path}: its MCP servers are left out: {why}")
        return {}


def _json(text: str) -> Any:
    """JSON, with comments and last commas passed over."""
    with suppress(ValueError):  # most have neither, and may be long
        return json.loads(text)
    for pattern in (_COMMENTS, _LAST_COMMAS):
        text = pattern.sub(lambda found: found[1] or "", text)
    return json.loads(text)


def _each(table: Fields, made: Callable[[Fields], ServerSettings]) -> dict[str, ServerSettings | str]:
    entries: dict[str, ServerSettings | str] = {}
    for name, raw in (table.raw if table else {}).items():
        try:
            entries[str(name)] = made(Fields(raw))
        except (TypeError, ValueError) as error:
            entries[str(name)] = str(error)
    return entries


def _claude(file: Any) -> dict[str, ServerSettings | str]:
    return _each(Fields(file).object("mcpServers"), _of_claude)


def _claude_of(directory: Path) -> Callable[[Any], dict[str, ServerSettings | str]]:
    def entries(file: Any) -> dict[str, ServerSettings | str]:
        return {**_claude(file), **_claude(Fields(file).object("projects").get(str(directory)))}

    return entries


def _of_claude(entry: Fields) -> ServerSettings:
    kind = {"streamable-http": "http", "http": "http", "sse": "sse"}.get(entry.text("type"))
    return _made(
        command=entry.text("command") or None,
        args=entry.list("args"),
        env=entry.object("env"),
        url=entry.text("url") or None,
        headers=entry.object("headers"),
        type=kind,
        cwd=entry.text("cwd") or None,
    )


def _opencode(file: Any) -> dict[str, ServerSettings | str]:
    return _each(Fields(file).object("mcp"), _of_opencode)


def _of_opencode(entry: Fields) -> ServerSettings:
    command = [_variables(word) for word in entry.list("command")]
    return _made(
        command=command[0] if command else None,
        args=command[1:],
        env=entry.object("environment"),
        url=_variables(entry.text("url")) or None,
        headers=entry.object("headers"),
        enabled=entry.get("enabled") is not False,
        client_id=entry.object("oauth").text("clientId") or None,
        scope=entry.object("oauth").text("scope") or None,
    )


def _variables(text: Any) -> Any:
    """OpenCode's `{env:NAME}` as `${NAME:-}`: what is not set is empty there."""
    return _OPENCODE_VARIABLE.sub(r"${\1:-}", text) if isinstance(text, str) else text


def _codex(file: Any) -> dict[str, ServerSettings | str]:
    return _each(Fields(file).object("mcp_servers"), _of_codex)


def _of_codex(entry: Fields) -> ServerSettings:
    bearer = entry.text("bearer_token_env_var")
    passed = [str(name) for name in entry.list("env_vars")]
    headers = _texts(entry.object("http_headers"))
    headers |= {name: f"${{{variable}}}" for name, variable in _texts(entry.object("env_http_headers")).items()}
    enabled = [str(name) for name in entry.list("enabled_tools")]
    return _made(
        command=entry.text("command") or None,
        args=entry.list("args"),
        env=Fields({**{name: f"${{{name}:-}}" for name in passed}, **_texts(entry.object("env"))}),
        cwd=entry.text("cwd") or None,
        url=entry.text("url") or None,
        headers=Fields({**headers, **({"Authorization": f"Bearer ${{{bearer}}}"} if bearer else {})}),
        enabled=entry.get("enabled") is not False,
        startup=float(entry.count("startup_timeout_sec") or 30),
        timeout=float(entry.count("tool_timeout_sec") or 300),
        tools=tuple(enabled) if "enabled_tools" in entry else None,
        hidden=tuple(str(name) for name in entry.list("disabled_tools")),
    )


def _made(*, args: Iterable[Any], env: Fields, headers: Fields, **others: Any) -> ServerSettings:
    """The settings of an entry. Raises TypeError or ValueError for one that names no server, or is oddly made."""
    words = tuple(args)
    if any(not isinstance(word, str) for word in (*words, others.get("command") or "")):
        raise TypeError("its command and arguments must be strings")
    return ServerSettings(args=words, env=_texts(env), headers=_texts(headers), **others)


def _texts(table: Fields) -> dict[str, str]:
    raw = table.raw if table else {}
    if any(not isinstance(value, str) for value in raw.values()):
        raise TypeError("its variables and headers must be strings")
    return {str(name): _variables(value) for name, value in raw.items()}
