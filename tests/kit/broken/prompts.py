"""One plugin for each promise of prompt sections, tool filters and commands of a conversation."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codetether import PromptSectionSpec, SessionContext, SlashCommandSpec, ToolDefinition, ToolFilterSpec

from tests.kit.broken import breaking


class Section:
    """A section that says what a function says of the workspace."""

    def __init__(self, text: Callable[[Path], str], directory: Path) -> None:
        self.text = text
        self.directory = directory
        self.times = 0

    async def render(self) -> str:
        self.times += 1
        return self.text(self.directory).replace("{times}", str(self.times))


def section(text: Callable[[Path], str]) -> Any:
    """A plugin with such a section."""
    return breaking("prompt_sections", PromptSectionSpec(name="probe", create=lambda ctx: Section(text, ctx.directory)))


def touching(directory: Path) -> str:
    """Leaves a file."""
    (directory / "touched").touch()
    return "touched"


def whole(directory: Path) -> str:
    """The whole of a file."""
    path = directory / "README.md"
    return path.read_text(errors="replace") if path.exists() else ""


def strict(directory: Path) -> str:
    """A file that had better be text."""
    path = directory / "pyproject.toml"
    return path.read_text("utf-8")[:100] if path.exists() else ""


class Truthy:
    def __init__(self, ctx: SessionContext) -> None:
        self.times = 0

    def keep(self, definition: ToolDefinition) -> Any:
        return definition.effects


class Moody(Truthy):
    def keep(self, definition: ToolDefinition) -> Any:
        self.times += 1
        return self.times % 2 == 0


class Parser:
    def __init__(self, ctx: SessionContext) -> None:
        pass

    async def run(self, arguments: str) -> str:
        if arguments == "--help":
            raise SystemExit(0)
        return arguments


BROKEN: dict[str, Any] = {
    "its text is stable": section(lambda directory: "Asked {times} times."),
    "its text is of moderate length": section(whole),
    "an odd workspace is no trouble": section(strict),
    "rendering changes nothing": section(touching),
    "no key is in it": section(lambda directory: os.environ.get("CONFORMANCE_API_KEY", "")),
    "every tool gets a yes or no": breaking("tool_filters", ToolFilterSpec(name="probe", create=Truthy)),
    "a tool is judged the same each time": breaking("tool_filters", ToolFilterSpec(name="probe", create=Moody)),
    "whatever is typed is answered": breaking("slash_commands", SlashCommandSpec(name="probe", create=Parser)),
}
