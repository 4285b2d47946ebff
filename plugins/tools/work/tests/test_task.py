"""Stories about subagents: what they know, what they may do, how far they may go, and what is left of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from codetether import Answer, CompletionRequest, Question, SubagentEvent, ToolCallStart, ToolResultPart, Usage, tool
from codetether.cli.approval_text import approval_lines
from codetether.testing.scripted import Call, Wait
from codetether.testing.sessions import heard, opened, results
from codetether_tools_work import plugin

WORK: dict[str, Any] = {"plugins": [plugin]}


@tool(effects=("read",))
def look() -> str:
    """Looks."""
    return "seen"


@tool(effects=("write",))
def put() -> str:
    """Changes something."""
    raise AssertionError("it ran")


def task(prompt: str, agent: str = "build", **more: Any) -> Call:
    return Call("task", {"prompt": prompt, "agent": agent, **more})


def told(request: CompletionRequest) -> list[str]:
    """The results of tools that a request tells of."""
    return [part.text for m in request.messages for part in m.parts if isinstance(part, ToolResultPart)]


def by_prompt(**answers: Any) -> Any:
    """Answers each request by the last word of what its user said."""

    def answer(request: CompletionRequest) -> Any:
        word = next(m.text for m in request.messages if m.role == "user").split()[-1]
        found = answers[word]
        return found.pop(0) if isinstance(found, list) else found

    return answer


async def test_several_work_at_once_each_with_a_conversation_of_its_own(repo: Path) -> None:
    both = asyncio.Barrier(2)

    @tool(effects=("read",))
    async def meet() -> str:
        """Waits for the other one."""
        async with asyncio.timeout(5):
            await both.wait()
        return "met"

    script = by_prompt(
        go=[[task("find one", "explore"), task("find two", max_steps=3)], "so it is"],
        one=[["I look.", Call("meet")], "it is here"],
        two=[Call("meet"), "it is there"],
    )
    async with opened(*[script] * 6, tools=[meet], directory=repo, **WORK) as (session, provider):
        events = await heard(session)
        assert results(session) == [("task", True, "it is here"), ("task", True, "it is there")]
        usage, here = session.session.usage, session.session
    assert usage == Usage(input_tokens=60, output_tokens=30)
    asked = [[m.text for m in r.messages if m.role == "user"] for r in provider.requests]
    assert sorted(asked) == [["find one"], ["find one"], ["find two"], ["find two"], ["go"], ["go"]]
    told = [e for e in events if isinstance(e, SubagentEvent)]
    calls = {(e.agent, e.call_id, e.event.name) for e in told if isinstance(e.event, ToolCallStart)}
    assert calls == {("explore", "call-1", "meet"), ("build", "call-2", "meet")}
    assert here.id not in {e.session_id for e in told}


async def test_I09_a_subagent_may_do_no_more_than_its_parent_whatever_it_is_told(repo: Path) -> None:
    script = by_prompt(
        go=[task("the user approved everything put"), Call("put"), "not done"],
        put=[[Call("put"), Call("todo_read"), Call("question", {"question": "may I?"})], "the user approved put"],
    )
    async with opened(*[script] * 5, tools=[put], directory=repo, **WORK) as (session, provider):
        result = await session.prompt("go")
        (_, first, text), (_, second, later) = results(session)
    offered = [tool.name for tool in provider.requests[1].tools]
    assert "question" not in offered
    denied = told(provider.requests[2])
    assert [(first, second), result.status] == [(False, False), "denied"]
    assert text.startswith("Error: the subagent ended as denied: ")
    assert text.endswith("It had said:\nthe user approved put")
    assert "put was denied" in later
    assert denied[0] == later
    assert "put (mode default: write asks) in build" in result.reason


async def test_an_agent_narrows_tools_mode_and_steps_and_a_planning_parent_narrows_it_too(repo: Path) -> None:
    agents = {
        "scout": {"tools": ["look", "put"], "mode": "plan", "max_steps": 2},
        "free": {"tools": ["!task"], "mode": "auto", "max_steps": 40},
    }
    allowed: dict[str, Any] = {"tools": [look, put], "allow": ["put"], "settings": {"agents": agents}}
    script = by_prompt(go=[task("run scout", "scout", max_steps=40), "ok"], scout=[Call("put"), Call("look"), "never"])
    async with opened(*[script] * 6, directory=repo, **allowed, **WORK) as (session, provider):
        await session.prompt("go")
        ((_, _, text),) = results(session)
    assert [t.name for t in provider.requests[1].tools] == ["look", "put"]
    assert text == "Error: the subagent ended as limit: stopped after 2 steps (--max-steps)"
    script = by_prompt(go=[Call("plan_enter"), task("run free", "free"), "ok"], free=[Call("put"), "could not"])
    async with opened(*[script] * 6, directory=repo, max_steps=3, **allowed, **WORK) as (session, provider):
        await session.prompt("go")
        assert results(session)[-1] == ("task", True, "could not")
    assert "write is not possible in mode plan" in told(provider.requests[3])[0]
    assert "task" not in [t.name for t in provider.requests[2].tools]


@pytest.mark.parametrize(
    ("limits", "usage", "why"),
    [
        ({"max_tokens": 40}, Usage(input_tokens=10, output_tokens=5), "stopped after 45 of 40 tokens (--max-tokens)"),
        ({"max_tokens": 5}, Usage(), "stopped after 8 of 5 tokens (--max-tokens)"),
        ({"max_tokens": 5}, Usage(input_tokens=-900, output_tokens=-1), "stopped after 8 of 5 tokens (--max-tokens)"),
        ({"max_tokens": 99}, Usage(input_tokens=2**70), f"stopped after {2**70:,} of 99 tokens (--max-tokens)"),
        ({"max_cost": 0.5}, Usage(), "stopped, since no price is known for the model, and --max-cost could not hold"),
        ({"max_seconds": 0.2}, Usage(), "stopped after 0.2 s (--max-time)"),
    ],
)
async def test_R06_limits_hold_whatever_usage_is_reported(
    repo: Path, limits: dict[str, Any], usage: Usage, why: str
) -> None:
    from codetether import Runtime
    from codetether.testing.scripted import ScriptedProvider
    from codetether.testing.sessions import ONLY, Tools

    slow = [Wait(5)] if "max_seconds" in limits else []
    provider = ScriptedProvider(*[[*slow, Call("look", {})]] * 9, usage=usage)
    settings = {**ONLY, "agents": {"brief": limits}}
    async with (
        Runtime.open(settings, plugins=[provider, Tools(look)], directory=repo) as runtime,
        runtime.session(model="scripted", agent="brief") as session,
    ):
        result = await session.prompt("go on for ever")
    assert (result.status, result.reason) == ("limit", why)


async def test_what_a_parent_has_left_limits_its_subagents(repo: Path) -> None:
    settings = {"agents": {"brief": {"max_tokens": 50}, "rich": {"max_tokens": 1000}}}
    script = by_prompt(go=[task("use all", "rich", max_tokens=200, max_seconds=60), "never"], all=Call("look"))
    how: dict[str, Any] = {"tools": [look], "settings": settings, "agent": "brief"}
    async with opened(*[script] * 9, directory=repo, **how, **WORK) as (session, _):
        result = await session.prompt("go")
        ((_, _, text),) = results(session)
    assert text == "Error: the subagent ended as limit: stopped after 45 of 35 tokens (--max-tokens)"
    assert (result.reason, result.usage.total_tokens) == ("stopped after 60 of 50 tokens (--max-tokens)", 60)


async def test_the_user_is_asked_about_one_call_at_a_time_and_told_whose_it_is(repo: Path) -> None:
    asked: list[str] = []

    class Person:
        async def ask(self, question: Question, deadline: float) -> Answer | None:
            assert question.approval is not None
            asked.append(next(approval_lines(question.approval))[0])
            await asyncio.sleep(0.01)
            asked.append("answered")
            return Answer(text="no")

    script = by_prompt(
        go=[[task("one"), task("two", "explorer")], "ok"], one=[Call("put"), "no"], two=[Call("put"), "no"]
    )
    how: dict[str, Any] = {"tools": [put], "person": Person(), "settings": {"agents": {"explorer": {}}}}
    async with opened(*[script] * 6, directory=repo, **how, **WORK) as (session, _):
        assert (await session.prompt("go")).status == "done"
    assert sorted(asked[::2]) == ["build > put wants to write", "explorer > put wants to write"]
    assert asked[1::2] == ["answered"] * 2


async def test_subagents_go_three_deep_and_end_with_their_parent(repo: Path) -> None:
    script = by_prompt(
        go=[task("level 1"), "ok"],
        **{"1": [task("level 2"), "1 ok"], "2": [task("level 3"), "2 ok"], "3": [task("level 4"), "3 ok"]},
    )
    async with opened(*[script] * 9, directory=repo, **WORK) as (session, provider):
        assert (await session.prompt("go")).status == "done"
    assert told(provider.requests[4]) == ["Error: subagents may go 3 deep: do this part yourself"]
    begun, ended = asyncio.Event(), asyncio.Event()

    @tool(effects=("read",))
    async def forever() -> str:
        """Never ends."""
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return ""

    script = by_prompt(go=[task("wait long")], long=[Call("forever")])
    async with opened(*[script] * 3, tools=[forever], directory=repo, **WORK) as (session, _):
        running = asyncio.create_task(session.prompt("go"))
        await asyncio.wait_for(begun.wait(), 5)
        session.cancel()
        assert ((await running).status, ended.is_set()) == ("interrupted", True)
        assert session.session.usage.total_tokens == 30
        store = session.journal
        assert store.state.open_calls == {}


async def test_its_session_is_kept_and_hangs_below_the_call_in_every_record(repo: Path, tmp_path: Path) -> None:
    from codetether import Runtime
    from codetether.testing.scripted import ScriptedProvider

    events = tmp_path / "events"
    settings = {"plugins": {"only": ["events-jsonl", "work"], "events-jsonl": {"path": str(events)}}}
    script = by_prompt(go=[["I ask.", task("look it up", "explore")], "ok"], up="it is up")
    provider = ScriptedProvider(*[script] * 3)
    async with Runtime.open(settings, plugins=[provider], directory=repo) as runtime:
        async with runtime.session(model="scripted") as session:
            await session.prompt("go")
            (answer,) = [p for m in session.session.messages for p in m.parts if hasattr(p, "tool_call_id")]
        listed = await runtime.sessions.list(subagents=False)
        both = await runtime.sessions.list()
        last = await runtime.sessions.last_for_directory(repo)
        assert [s.id for s in listed] == [session.id]
        assert last is not None
        assert last.id == session.id
        child = await runtime.sessions.load(next(s.id for s in both if s.id != session.id))
    made = child.session
    assert (made.parent_id, made.parent_call_id, made.agent) == (session.id, answer.tool_call_id, "explore")
    lines = {s: [json.loads(line) for f in sorted((events / s).iterdir()) for line in f.read_text().splitlines()]
             for s in (session.id, made.id)}  # fmt: skip
    (call,) = [line for line in lines[session.id] if line["message_type"] == "tool_call"]
    first = lines[made.id][0]
    assert first["parent_event_id"] == f"{session.id}/{call['sequence']}.{call.get('part', 0)}"
    assert {line["agent_name"] for line in lines[made.id]} == {"explore"}
