"""Stories about the list of what is to be done, and about plans that a user approves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from codetether import Answer, Question, tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import opened, results
from codetether_tools_work import plugin

WORK: dict[str, Any] = {"plugins": [plugin]}


@tool(effects=("write",))
def put() -> str:
    """Changes something."""
    return "changed"


@define
class Asked:
    """A person who gives these answers, and keeps the questions."""

    answers: list[str]
    questions: list[str] = field(factory=list)

    async def ask(self, question: Question, deadline: float) -> Answer | None:
        self.questions.append(question.text)
        return Answer(text=self.answers.pop(0)) if self.answers else None


async def test_a_list_is_kept_with_the_session(repo: Path) -> None:
    todos = [
        {"content": "look", "status": "completed"},
        {"content": "mend\nit", "status": "in_progress"},
        {"content": "test", "status": "pending"},
        {"content": "rest", "status": "cancelled"},
    ]
    shown = "[x] look\n[>] mend it\n[ ] test\n[-] rest\n1 of 4 done"
    script = [Call("todo_read"), Call("todo_write", {"todos": todos})]
    async with opened(script, "noted", directory=repo, **WORK) as (session, _):
        await session.prompt("go")
        assert results(session) == [("todo_read", True, "nothing is to be done"), ("todo_write", True, shown)]
        kept = session.id
    wrong = Call("todo_write", {"todos": [{"content": "x", "status": "begun"}]})
    async with opened([wrong, Call("todo_read")], "done", id=kept, directory=repo, **WORK) as (session, _):
        await session.prompt("go on")
        refused, read = results(session)[2:]
    assert (refused[1], read) == (False, ("todo_read", True, shown))


async def test_while_a_plan_is_made_nothing_changes_until_the_user_approves(repo: Path) -> None:
    person = Asked(["first the tests", "yes"])
    plan = Call("plan_exit", {"plan": "1. put"})
    script: list[Any] = [[Call("plan_enter"), Call("put")], plan, plan, Call("put"), "done"]
    allowed: dict[str, Any] = {"tools": [put], "allow": ["put"], "person": person, **WORK}
    async with opened(*script, directory=repo, **allowed) as (session, _):
        assert (await session.prompt("plan it")).status == "done"
        assert [(name, done) for name, done, _ in results(session)] == [
            ("plan_enter", True),
            ("put", False),
            ("plan_exit", False),
            ("plan_exit", True),
            ("put", True),
        ]
        told = [text for _, _, text in results(session)]
    assert "write is not possible in mode plan" in told[1]
    assert told[2] == "The user says: first the tests\nStill only reading is possible."
    assert person.questions == ["1. put\n\nIs this plan approved? (or say what to change)"] * 2


async def test_a_session_goes_on_planning_when_it_is_resumed_until_the_user_says_otherwise(repo: Path) -> None:
    allowed: dict[str, Any] = {"tools": [put], "allow": ["put"], "directory": repo, **WORK}
    notices: list[str] = []
    async with opened(Call("plan_enter"), Call("plan_exit", {"plan": "1. put"}), notices=notices, **allowed) as (s, p):
        result = await s.prompt("plan it")
        assert (result.text, result.status, result.steps, len(p.requests)) == ("1. put", "done", 3, 2)
        kept, last = s.id, s.session.messages[-1]
    assert (last.role, last.text) == ("assistant", "1. put")
    assert any("go on with --mode default" in notice for notice in notices)
    async with opened(Call("put"), "no", id=kept, **allowed) as (session, provider):
        await session.prompt("go on")
        assert results(session)[-1][1] is False
        assert "only reading is possible until the user approves" in provider.requests[0].system
    async with opened(Call("put"), "yes", id=kept, mode="default", **allowed) as (session, _):
        await session.prompt("go on")
        assert results(session)[-1] == ("put", True, "changed")


@pytest.mark.parametrize("how", [{"mode": "plan"}, {"agent": "plan"}])
async def test_in_a_session_that_only_reads_the_plan_is_the_answer(repo: Path, how: dict[str, Any]) -> None:
    person = Asked(["yes"])
    script = [Call("plan_enter"), Call("plan_exit", {"plan": "1. put"})]
    async with opened(*script, directory=repo, person=person, **how, **WORK) as (session, _):
        result = await session.prompt("plan it")
        assert (result.text, session.shared.mode, person.questions) == ("1. put", "plan", [])


async def test_a_rule_can_deny_a_tool_that_touches_nothing(repo: Path) -> None:
    rules = {"permissions": {"deny": ["todo_*"], "ask": ["plan_enter"]}}
    script = [Call("todo_read"), Call("plan_enter")]
    async with opened(script, "so be it", directory=repo, settings=rules, **WORK) as (session, _):
        result = await session.prompt("go")
        assert [text.partition(")")[0] for _, _, text in results(session)] == [
            "Error: todo_read was denied (todo_read is denied by the rule todo_*",
            "Error: plan_enter was denied (plan_enter needs permission by the rule plan_enter",
        ]
    assert result.status == "denied"
