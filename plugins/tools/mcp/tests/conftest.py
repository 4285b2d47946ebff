"""What the tests of MCP share: a workspace with odd servers, and the servers of npm where they are."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from codetether import Person, Runtime, ToolResultPart
from codetether.testing.scripted import ScriptedProvider

ODD = Path(__file__).with_name("odd_server.py")
NPM = Path(__file__).parents[4] / "build" / "npm" / "node_modules" / "@modelcontextprotocol"


@pytest.fixture(autouse=True)
def no_files_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home of whoever runs the tests may describe servers too."""
    for name in ("HOME", "XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def npm_server() -> Callable[[str], str]:
    """The program of a server of npm; skips where it cannot be had."""

    def program(name: str) -> str:
        found = NPM / name / "dist" / "index.js"
        if shutil.which("node") is None or not found.is_file():
            pytest.skip("needs node, and the servers of npm: make npm")
        return str(found)

    return program


@define(kw_only=True)
class Desk:
    """A workspace, with what is said to the user while sessions run in it."""

    directory: Path
    servers: dict[str, dict[str, Any]] = field(factory=dict)
    settings: dict[str, Any] = field(factory=dict)
    notices: list[str] = field(factory=list)

    def odd(self, name: str, *tools: str, args: Sequence[str] = (), **told: Any) -> dict[str, Any]:
        """The entry of an odd server with these tools, or with those of `told["tools"]`."""
        place = self.directory.parent / name
        place.mkdir(exist_ok=True)
        plain = [{"name": tool, "description": f"does {tool}", "inputSchema": {"type": "object"}} for tool in tools]
        (place / "told.json").write_text(json.dumps({"tools": plain, **told}))
        return {"command": sys.executable, "args": ["-S", "-E", str(ODD), str(place / "told.json"), *args]}

    def starts(self, name: str) -> list[dict[str, Any]]:
        """How often the odd server was started, and with what."""
        path = self.directory.parent / name / "starts"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @asynccontextmanager
    async def runtime(self, *plugins: Any, person: Person | None = None) -> AsyncIterator[Runtime]:
        """A runtime with this plugin alone, and the servers in its settings."""
        own = {"only": ["mcp"], **self.settings.get("plugins", {}), "mcp": {"servers": self.servers}}
        settings = {**self.settings, "plugins": own}
        told = lambda source, text: self.notices.append(text)  # noqa: E731
        async with Runtime.open(
            settings, plugins=plugins, directory=self.directory, on_notice=told, person=person
        ) as runtime:
            yield runtime

    async def offered(self) -> list[str]:
        """The names of the tools that a session is offered."""
        async with self.runtime() as runtime:
            return [tool.name for tool in await runtime.tools() if tool.name.startswith("mcp__")]

    async def run(
        self, *steps: Any, allow: Sequence[str] = ("mcp__*",), mode: Any = None, person: Person | None = None
    ) -> list[ToolResultPart]:
        """The results of the calls in these steps of a model."""
        model = ScriptedProvider(*steps)
        async with (
            self.runtime(model, person=person) as runtime,
            runtime.session(model="scripted", allow=allow, mode=mode) as session,
        ):
            await session.prompt("go")
            parts = [part for message in session.session.messages for part in message.parts]
        return [part for part in parts if isinstance(part, ToolResultPart)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty workspace."""
    (tmp_path / "W").mkdir()
    return Desk(directory=tmp_path / "W")
