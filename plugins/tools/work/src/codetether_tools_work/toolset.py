"""The tools of one session; the code of each is loaded by its first call."""

from __future__ import annotations

from collections.abc import Sequence

from codetether import DeferredTool, SessionContext, Tool, ToolDefinition

from codetether_tools_work import definitions


class WorkTools:
    """The tools of this plugin."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    async def tools(self) -> Sequence[Tool]:
        """All of them; `skill` only where there are skills."""
        tools: list[Tool] = [
            DeferredTool(definitions.TODO_READ, _todo_read),
            DeferredTool(definitions.TODO_WRITE, _todo_write),
            DeferredTool(definitions.PLAN_ENTER, _plan_enter),
            DeferredTool(definitions.PLAN_EXIT, _plan_exit),
            DeferredTool(definitions.BATCH, _batch),
            DeferredTool(definitions.MEMORY, _memory),
        ]
        task = definitions.task(self._ctx.agents)
        tools.append(DeferredTool(task, lambda: _task(task)))
        if self._has_skills():
            tools.append(DeferredTool(definitions.SKILL, self._skill))
        return tools

    def _has_skills(self) -> bool:
        from codetether_tools_work.places import Places

        return any(Places.of(self._ctx).skill_files())

    def _skill(self) -> Tool:
        from codetether_tools_work.skill import UseSkill

        return UseSkill(self._ctx)


def _todo_read() -> Tool:
    from codetether_tools_work.todo import TodoRead

    return TodoRead()


def _todo_write() -> Tool:
    from codetether_tools_work.todo import TodoWrite

    return TodoWrite()


def _plan_enter() -> Tool:
    from codetether_tools_work.planning import PlanEnter

    return PlanEnter()


def _plan_exit() -> Tool:
    from codetether_tools_work.planning import PlanExit

    return PlanExit()


def _batch() -> Tool:
    from codetether_tools_work.batch import Batch

    return Batch()


def _memory() -> Tool:
    from codetether_tools_work.notes import EditMemory

    return EditMemory()


def _task(definition: ToolDefinition) -> Tool:
    from codetether_tools_work.task import Task

    return Task(definition)
