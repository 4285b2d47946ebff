"""Stories about where servers are described, and the commands that list, add and remove them; none is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from codetether.cli.app import run
from codetether_tools_mcp.definitions import offered_name
from codetether_tools_mcp.settings import McpSettings, ServerSettings
from codetether_tools_mcp.sources import found_servers

CLAUDE = {
    "mcpServers": {
        "github": {"type": "http", "url": "https://mcp.example/x?key=1", "headers": {"Authorization": "Bearer ${T}"}},
        "db": {"command": "npx", "args": ["-y", "db", "--dsn=${DSN:-sqlite:///a b}"], "env": {"LEVEL": "2"}},
        "none": {"type": "stdio"},
        "odd": {"command": "x", "args": [1]},
    }
}
CODEX = """
model = "x"
[mcp_servers.docs]
command = "docs"
args = ["serve"]
env_vars = ["HOME"]
env = { A = "1" }
startup_timeout_sec = 20
tool_timeout_sec = 45.5
disabled_tools = ["rm"]
[mcp_servers.remote]
url = "https://mcp.example/codex"
bearer_token_env_var = "TOKEN"
http_headers = { X = "y" }
env_http_headers = { Z = "ZED" }
enabled = false
"""
OPENCODE = """{
  // comments, and last commas
  "$schema": "https://example/config.json",
  "mcp": {
    "local": {"type": "local", "command": ["bun", "x", "{env:WHERE}//not a comment"], "environment": {"A": "{env:B}"},
      "cwd": "/w",},
    "far": {"type": "remote", "url": "https://mcp.example/o", "enabled": false, "oauth": {"scope": "read"}}, /* x */
  },
}"""


def settings(**told: Any) -> ServerSettings:
    return ServerSettings(**told)


def test_the_files_of_other_products_are_read(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "repo" / "deep"
    work.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    (home / ".codex").mkdir(parents=True)
    (home / ".codex" / "config.toml").write_text(CODEX)
    (home / ".claude.json").write_text(
        json.dumps({"projects": {str(work): {"mcpServers": {"db": {"command": "own", "disabled": True}}}}})
    )
    (tmp_path / "repo" / ".mcp.json").write_text(json.dumps(CLAUDE))
    (work / "opencode.jsonc").write_text(OPENCODE)
    (tmp_path / ".mcp.json").write_text('{"mcpServers": {"above": {"command": "x"}}}')
    found = found_servers(McpSettings(servers={"mine": settings(command="m")}), work, {"HOME": str(home)})
    codex, repository, opencode = home / ".codex/config.toml", tmp_path / "repo/.mcp.json", work / "opencode.jsonc"
    assert {name: (one.settings, one.origin, one.trusted) for name, one in found.servers.items()} == {
        "mine": (settings(command="m"), "settings", True),
        "db": (settings(command="own", enabled=False), str(home / ".claude.json"), True),
        "docs": (
            settings(
                command="docs",
                args=("serve",),
                env={"HOME": "${HOME:-}", "A": "1"},
                startup=20,
                timeout=45,
                hidden=("rm",),
            ),
            str(codex),
            True,
        ),
        "remote": (
            settings(
                url="https://mcp.example/codex",
                headers={"X": "y", "Z": "${ZED}", "Authorization": "Bearer ${TOKEN}"},
                enabled=False,
            ),
            str(codex),
            True,
        ),
        "local": (
            settings(command="bun", args=("x", "${WHERE:-}//not a comment"), env={"A": "${B:-}"}, cwd="/w"),
            str(opencode),
            False,
        ),
        "far": (settings(url="https://mcp.example/o", enabled=False, scope="read"), str(opencode), False),
        "github": (
            settings(type="http", url="https://mcp.example/x?key=1", headers={"Authorization": "Bearer ${T}"}),
            str(repository),
            False,
        ),
    }
    assert found.problems == [
        f"{repository}: its MCP server db is not used, since {home / '.claude.json'} has one of that name",
        f"{repository}: the MCP server none is left out: needs either a command or a url",
        f"{repository}: the MCP server odd is left out: its command and arguments must be strings",
    ]
    assert found.servers["github"].what == "https://mcp.example/x?…"
    dsn = found_servers(McpSettings(read=("claude",)), tmp_path / "repo", {"HOME": "/"}).servers["db"]
    assert dsn.expanded(dsn.settings.args[2], {}) == "--dsn=sqlite:///a b"
    assert dsn.what == "npx -y db '--dsn=${DSN:-sqlite:///a b}'"


@pytest.mark.parametrize(
    ("text", "times"),
    [("{", 1), ("[1]", 1), ('{"mcpServers": 3}', 1), ('{"mcpServers": {"a": 1}}', 1), ("[", 100_000)]
    + [(text, 100_000) for text in ("/*", '"\\"', ", ")],
)
def test_a_broken_file_costs_nothing_but_its_servers(tmp_path: Path, text: str, times: int) -> None:
    (tmp_path / ".mcp.json").write_text(text * times)
    (tmp_path / "opencode.json").write_text('{"mcp": {"fine": {"command": ["x"]}}}')
    found = found_servers(McpSettings(), tmp_path, {"HOME": str(tmp_path / "home")})
    assert list(found.servers) == ["fine"]


def test_no_two_tools_share_a_name() -> None:
    pairs = [(s, t) for s in ("a", "a_", "a__b", "b", "ä", "ö", "a b") for t in ("c", "_c", "b__c", "__c", "x" * 70)]
    names = [offered_name(server, tool) for server, tool in pairs]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 64
    assert all(name.isascii() and name.replace("_", "a").isalnum() for name in names)


def test_M14_servers_are_added_listed_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODETETHER_PLUGINS", "mcp")
    (tmp_path / ".mcp.json").write_text(json.dumps({"mcpServers": {"evil": {"command": "sh", "args": ["-c", "a; b"]}}}))
    assert run(["mcp", "add", "db", "-e", "DSN=${DSN}", "--", "npx", "-y", "--flag", "db"]) == 0
    assert run(["mcp", "add", "far", "--url", "https://u:p@mcp.example/x?k=v", "-H", "X-Api-Key=${K}"]) == 0
    capsys.readouterr()
    assert run(["mcp", "list", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    common = {"tools": None, "origin": "settings", "status": "ready"}
    assert listed == {
        "db": {
            **common, "name": "db", "kind": "stdio", "what": "npx -y --flag db", "env": ["DSN"], "headers": []
        },
        "far": {
            **common, "name": "far", "kind": "http", "what": "https://mcp.example/x?…", "env": [],
            "headers": ["X-Api-Key"],
        },
        "evil": {
            "name": "evil", "kind": "stdio", "what": "sh -c 'a; b'", "env": [], "headers": [], "tools": None,
            "origin": str(tmp_path / ".mcp.json"), "status": "waits for approval",
        },
    }  # fmt: skip
    assert run(["mcp", "remove", "db"]) == 0
    wrong = (
        ["remove", "evil"],
        ["add", "x"],
        ["add", "x", "--url", "u", "-H", "Cookie=c"],
        ["tools", "y"],
        ["approve", "evil"],
    )
    assert [run(["mcp", *words]) for words in wrong] == [1] * 5
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert said == [
        f"error: evil stands in {tmp_path / '.mcp.json'}, not in your settings",
        "error: MCP server x: needs either a command or a url",
        'error: MCP server x: x: the header "Cookie" holds a secret; write ${VARIABLE} in its place',
        "error: no MCP server 'y'; there are: far, evil",
        "error: nobody is here to look at it",
    ]
