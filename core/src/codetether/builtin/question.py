"""The tool `question`: the model asks the person who sits there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codetether.hookspecs import hookimpl
from codetether.models.tools import Question, Resources, ToolCall, ToolDefinition, ToolResult, error_result, text_result
from codetether.plugin_contexts import SessionContext, ToolContext
from codetether.specs import ToolsetSpec

DEADLINE = 600.0
"""Seconds that a person has for an answer."""


class Asking:
    """Hidden where nobody can answer; the loop refuses it there when it is called anyhow."""

    definition = ToolDefinition(
        name="question",
        description="Asks the user a question and waits for the answer. Use it only when the work cannot go on without "
        "a decision that is the user's to make; give options where there are few.",
        schema={
            "type": "object",
            "properties": {
                "question": {"type": "string", "minLength": 1, "description": "what to ask"},
                "options": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "description": "answers to choose from; none for free text",
                },
            },
            "required": ["question"],
            "additionalProperties": False,
        },
        effects=(),
        interactive=True,
        timeout=DEADLINE + 10,
    )

    async def tools(self) -> Sequence[Asking]:
        """Itself: it is all of its toolset."""
        return (self,)

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """It touches nothing."""
        return Resources()

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The answer, or that there was none."""
        if ctx.person is None:
            return error_result("nobody can be asked")
        question = Question(text=call.arguments["question"], choices=tuple(call.arguments.get("options", ())))
        answer = await ctx.person.ask(question, DEADLINE)
        return text_result(answer.text) if answer else error_result("the user gave no answer")


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """One tool."""
    yield ToolsetSpec(name="question", create=lambda ctx: Asking())
