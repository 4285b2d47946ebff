"""Planning: nothing is changed until the user has approved a plan."""

from __future__ import annotations

from attrs import evolve
from codetether import (
    Question,
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolResult,
    error_result,
    text_result,
)

from codetether_tools_work.definitions import HOUR, PLAN_ENTER, PLAN_EXIT
from codetether_tools_work.sections import PLANNING

NO, YES = "no", "yes"


class PlanEnter:
    """Begins planning."""

    definition = PLAN_ENTER

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing: it only takes away."""
        return Resources()

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """What holds from now on."""
        if ctx.mode != "plan":
            await ctx.remember(PLANNING, True)
            await ctx.restrict("plan")
        return text_result("Only reading is possible now. When the plan is ready, give it to plan_exit.")


class PlanExit:
    """Hands a plan over."""

    definition = PLAN_EXIT

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing: what the plan allows is the user's to say."""
        return Resources()

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """What the user said of it; where there is nothing to approve, or nobody who could, it is the answer."""
        plan = str(call.arguments["plan"])
        if ctx.mode != "plan":
            return error_result("nothing is being planned; plan_enter begins it, or go on with the work")
        if not ctx.recall(PLANNING):  # the user wanted a session that only reads: no plan widens that
            return evolve(text_result("the plan is the answer"), answer=plan)
        if ctx.person is None:
            ctx.notice("the session still plans: to let it work, go on with --mode default, or another one")
            return evolve(text_result("nobody can approve it here: the plan is the answer"), answer=plan)
        question = Question(text=f"{plan}\n\nIs this plan approved? (or say what to change)", choices=(NO, YES))
        answer = await ctx.person.ask(question, HOUR - 10)
        if answer is not None and answer.text == YES:
            await ctx.remember(PLANNING, None)
            await ctx.restrict(None)
            return text_result("The user approved the plan. Carry it out.")
        said = f"The user says: {answer.text}" if answer and answer.text != NO else "The user did not approve the plan."
        return text_result(f"{said}\nStill only reading is possible.", success=False)
