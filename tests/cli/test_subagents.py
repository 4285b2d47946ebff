"""What the user sees of work that is shared out, and of a plan that is being made."""

from __future__ import annotations

import pytest
from codetether import SessionEvent
from codetether.cli.outcome import Outcome
from codetether.cli.terminal import Screen
from codetether.cli.text_output import TextOutput
from codetether.models.events import (
    ApprovalRequired,
    Notice,
    SubagentEvent,
    TextComplete,
    ToolCallComplete,
    ToolCallStart,
)

from .conftest import Answer, CommandLine, ModelServer


def of(agent: str, event: SessionEvent) -> SubagentEvent:
    return SubagentEvent(call_id="c1", session_id=agent, agent=agent, event=event)


def test_what_others_do_for_a_call_stands_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    output, outcome = TextOutput(Screen()), Outcome()
    read = ToolCallStart(call_id="x", name="read", arguments='{"path": "a\\u001b[2J.py"}')
    denied = ApprovalRequired(call_id="y", name="bash", rule="ask", reason="needs permission")
    for event in (
        ToolCallStart(call_id="c1", name="task", arguments='{"agent": "explore"}'),
        of("explore", read),
        of("explore", TextComplete(text="not shown")),
        of("explore", of("build", denied)),
        of("explore", Notice(text="tired", source="x")),
        ToolCallComplete(call_id="c1", name="task", output="found", success=True, duration_ms=1),
        ToolCallStart(call_id="c2", name="batch", arguments="{}"),
        ToolCallStart(call_id="c2.1", name="list", arguments="{}", parent_call_id="c2"),
        ToolCallComplete(call_id="c2.1", name="list", output="a.py", success=True, duration_ms=1),
        ToolCallComplete(call_id="c2", name="batch", output="[1] list: done\na.py", success=True, duration_ms=1),
    ):
        output.show(event)
        outcome.take(event)
    assert capsys.readouterr().err.splitlines() == [
        '● task agent="explore"',
        '  explore > read path="a\\u001b[2J.py"',
        "  explore > build > bash was denied: needs permission",
        "  explore > tired",
        "↳ task",
        "  found",
        "● batch",
        "  list",
        "↳ batch",
        "  [1] list: done",
        "  a.py",
    ]
    assert outcome.unanswered == [denied]
    assert [call["name"] for call in outcome.tool_calls] == ["task", "list", "batch"]


def test_planning_goes_on_until_the_mode_is_typed_anew(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(calls=[("plan_enter", {})]), Answer(texts=["I plan."])]
    typed = b"plan it\n/mode\n/model openai/toy\n/mode\n/mode edit\n/mode\n"
    ran = cli.process("chat", "--mode", "edit", stdin=typed, CODETETHER_PLUGINS="openai,work")
    modes = [line for line in ran.out.splitlines() if "*" in line]
    assert modes == ["*plan default edit auto unsafe"] * 2 + ["plan default *edit auto unsafe"], ran.err
