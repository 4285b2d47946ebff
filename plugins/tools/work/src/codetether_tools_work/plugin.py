"""What the plugin work offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codetether import PromptSectionSpec, SessionContext, SlashCommandSpec, ToolsetSpec, hookimpl

if TYPE_CHECKING:
    from codetether import PromptSection

    from codetether_tools_work.todo import ShowTodo
    from codetether_tools_work.toolset import WorkTools


def _tools(ctx: SessionContext) -> WorkTools:
    from codetether_tools_work.toolset import WorkTools

    return WorkTools(ctx)


def _planning(ctx: SessionContext) -> PromptSection:
    from codetether_tools_work.sections import Planning

    return Planning(ctx)


def _skills(ctx: SessionContext) -> PromptSection:
    from codetether_tools_work.sections import SkillList

    return SkillList(ctx)


def _memory(ctx: SessionContext) -> PromptSection:
    from codetether_tools_work.sections import Notes

    return Notes(ctx)


def _todo(ctx: SessionContext) -> ShowTodo:
    from codetether_tools_work.todo import ShowTodo

    return ShowTodo(ctx)


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """The tools by which work is planned, shared out and remembered."""
    yield ToolsetSpec(name="work", create=_tools)


@hookimpl
def codetether_prompt_sections() -> Iterable[PromptSectionSpec]:
    """The skills that there are, what was noted, and that only a plan is wanted; each empty where there is nothing."""
    yield PromptSectionSpec(name="work-skills", create=_skills, place=450)
    yield PromptSectionSpec(name="work-memory", create=_memory, place=460)
    yield PromptSectionSpec(name="work-planning", create=_planning, place=850)


@hookimpl
def codetether_slash_commands() -> Iterable[SlashCommandSpec]:
    """`/todo`."""
    yield SlashCommandSpec(name="todo", create=_todo, help="show the list of what is to be done")
