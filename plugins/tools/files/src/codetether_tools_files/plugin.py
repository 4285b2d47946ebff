"""What the plugin files offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codetether import PromptSectionSpec, SessionContext, SlashCommandSpec, ToolsetSpec, hookimpl

if TYPE_CHECKING:
    from codetether_tools_files.toolset import FileTools
    from codetether_tools_files.undoing import TakenBack, Undo


def _create(ctx: SessionContext) -> FileTools:
    from codetether_tools_files.toolset import FileTools

    return FileTools(ctx)


def _undo(ctx: SessionContext) -> Undo:
    from codetether_tools_files.undoing import Undo

    return Undo(ctx)


def _taken_back(ctx: SessionContext) -> TakenBack:
    from codetether_tools_files.undoing import TakenBack

    return TakenBack(ctx)


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """The tools that find, read and change files."""
    yield ToolsetSpec(name="files", create=_create)


@hookimpl
def codetether_slash_commands() -> Iterable[SlashCommandSpec]:
    """`/undo`."""
    yield SlashCommandSpec(name="undo", create=_undo, help="take back what the file tools changed in the last turn")


@hookimpl
def codetether_prompt_sections() -> Iterable[PromptSectionSpec]:
    """What the user took back, once there is something."""
    yield PromptSectionSpec(name="files-undone", create=_taken_back, place=900)
