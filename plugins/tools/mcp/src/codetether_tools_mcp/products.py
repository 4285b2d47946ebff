"""How Claude Code, Codex and OpenCode describe servers in their files."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, assert_never

from codetether import Fields

from codetether_tools_mcp.settings import Product, ServerSettings

_STRING = r'("(?:[^"\\]|\\.)*(?:"|\\?\Z))'
"""A string, or what would be one to the end of the text: nothing is looked at twice, however odd a file is."""
_COMMENTS = re.compile(_STRING + r"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_LAST_COMMAS = re.compile(_STRING + r"|,(?=\s*[}\]])", re.DOTALL)
_OPENCODE_VARIABLE = re.compile(r"\{env:(\w+)\}")


def described(product: Product, text: str, project: Path | None) -> dict[str, ServerSettings | str]:
    """The servers of a product's file by name; of one that cannot be understood the reason. Raises ValueError.

    Args:
        project: of the user's own file also the servers for work in this directory.
    """
    match product:
        case "claude":
            file = Fields(_json(text))
            projects = [file.object("projects").object(str(project))] if project else []
            tables = [each.object("mcpServers") for each in (file, *projects)]
            return {name: entry for table in tables for name, entry in _each(table, _of_claude).items()}
        case "codex":
            return _each(Fields(tomllib.loads(text)).object("mcp_servers"), _of_codex)
        case "opencode":
            return _each(Fields(_json(text)).object("mcp"), _of_opencode)
        case _:
            assert_never(product)


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
        enabled=entry.get("disabled") is not True,
    )


def _of_opencode(entry: Fields) -> ServerSettings:
    command = [_variables(word) for word in entry.list("command")]
    return _made(
        command=command[0] if command else None,
        args=command[1:],
        env=entry.object("environment"),
        cwd=entry.text("cwd") or None,
        url=_variables(entry.text("url")) or None,
        headers=entry.object("headers"),
        enabled=entry.get("enabled") is not False,
        client_id=entry.object("oauth").text("clientId") or None,
        scope=entry.object("oauth").text("scope") or None,
    )


def _variables(text: Any) -> Any:
    """OpenCode's `{env:NAME}` as `${NAME:-}`: what is not set is empty there."""
    return _OPENCODE_VARIABLE.sub(r"${\1:-}", text) if isinstance(text, str) else text


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
