"""Any session can be run again from its journal, without a network and without effects."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from codetether import (
    Compacted,
    JournalEntry,
    JournalRecord,
    Message,
    MessageAdded,
    RunningSession,
    Runtime,
    SessionStarted,
    TextChunk,
    TextPart,
    ToolCallPart,
    ToolCompleted,
    ToolResultPart,
    tool,
    user,
)
from codetether.cli.session_replay import replay
from codetether.errors import ServerFailed
from codetether.testing.cassette import Cassette
from codetether.testing.rerun import Rerun, rerun, rerun_live
from codetether.testing.script import Script
from codetether.testing.scripted import Call, ScriptedProvider, Think, Wait
from codetether.testing.sessions import ONLY, opened
from codetether.testing.tape import Player

effects: list[int] = []


@tool(effects=("read",))
def look(n: int) -> str:
    """Looks at something."""
    effects.append(n)
    return f"saw {n}"


LOOK = Call("look", {"n": 1})


async def script_of(session: RunningSession) -> Script:
    """What the session's journal tells."""
    await session.journal.sync()
    return Script.of(session.journal.records())


async def test_a_session_is_as_recorded_and_nothing_has_an_effect() -> None:
    steps = [[Think("hm"), "I look.", LOOK, Call("look", {"n": 2})], Call("nothing"), Call("look", "{oops"), "found it"]
    async with opened(*steps, "and more", tools=[look]) as (session, _):
        await session.prompt("what is there?")
        await session.prompt("and else?")
        effects.clear()
        assert await rerun(await script_of(session)) == Rerun(prompts=2, answers=5, tool_calls=4)
        assert effects == []


async def test_turns_that_were_stopped_stop_where_they_did() -> None:
    broken = ServerFailed("down", retry_after=500)
    async with opened(LOOK, ["half", Wait(9)], LOOK, broken, LOOK, LOOK, "end", tools=[look]) as (session, _):
        half = asyncio.Event()
        session.listen(lambda event: half.set() if isinstance(event, TextChunk) else None)
        running = asyncio.ensure_future(session.prompt("one"))
        await half.wait()
        session.cancel()
        assert (await running).status == "interrupted"
        assert (await session.prompt("two")).status == "provider_failed"
        session.agent.limits = attrs.evolve(session.agent.limits, steps=2)
        assert (await session.prompt("three")).status == "limit"
        assert (await session.prompt("four")).status == "done"
        assert await rerun(await script_of(session)) == Rerun(prompts=4, answers=6, tool_calls=4)


async def test_what_the_loop_told_the_model_is_told_again_and_no_limit_counts() -> None:
    async with opened(*[LOOK] * 90, tools=[look]) as (session, _):
        assert (await session.prompt("go")).limit == "runaway"
        session.agent.limits = attrs.evolve(session.agent.limits, steps=70, repeats=0)
        assert (await session.prompt("go on")).limit == "max_steps"
        assert await rerun(await script_of(session)) == Rerun(prompts=2, answers=81, tool_calls=81)


async def test_what_the_model_saw_is_what_it_sees() -> None:
    async with opened("one", "two", "three", "four") as (session, _):
        await session.prompt("1")
        short = Compacted(until=2, messages=session.session.messages[:1], why="asked", tokens_before=2, tokens_after=1)
        session.journal.append(short)
        await session.prompt("2")
        await session.undo_compaction()
        await session.prompt("3")
        assert [len(answer.seen) for answer in (await script_of(session)).answers] == [1, 2, 5]
        assert await rerun(await script_of(session)) == Rerun(prompts=3, answers=3, tool_calls=0)


async def test_sessions_of_other_agents_are_run_as_they_are() -> None:
    call = ToolCallPart(id="a", name="look", arguments="{}")
    entries: list[JournalEntry] = [
        SessionStarted(id="codex_1", directory="/gone"),
        MessageAdded(message=Message(role="assistant", parts=(TextPart(text="Hello."),)), turn=0),
        MessageAdded(message=user("one"), turn=1),
        MessageAdded(message=user("two"), turn=2),
        MessageAdded(message=Message(role="assistant", parts=(call,)), turn=2, step=1),
        ToolCompleted(result=ToolResultPart(tool_call_id="a", name="look", success=True), turn=2, step=1),
    ]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    records = [JournalRecord(sequence=n, recorded_at=at, entry=entry) for n, entry in enumerate(entries, 1)]
    assert await rerun(Script.of(records)) == Rerun(prompts=2, answers=2, tool_calls=1)


async def test_the_first_difference_is_shown() -> None:
    async with opened(LOOK, "saw it", tools=[look]) as (session, _):
        await session.prompt("go")
        script = await script_of(session)
    [result] = script.results.values()
    other = attrs.evolve(result, content=(TextPart(text="saw nothing"),))
    found = await rerun(attrs.evolve(script, results={result.tool_call_id: other}))
    assert found.parting is not None
    assert (found.parting.kind, found.parting.turn, found.parting.message) == ("request", 1, 2)
    assert str(found.parting).splitlines() == [
        "turn 1, message 2: the request at parts[0].content[0].text differs",
        "--- recorded",
        "+++ now",
        "@@ -1 +1 @@",
        "-saw 1",
        "+saw nothing",
    ]


async def test_a_live_model_gets_recorded_results_until_it_calls_something_else(monkeypatch: Any) -> None:
    monkeypatch.setenv("CODETETHER_PLUGINS", "")
    async with opened(LOOK, "saw it", tools=[look]) as (session, _):
        await session.prompt("go")
        script = await script_of(session)
    effects.clear()
    same = ScriptedProvider(["I look.", Call("look", '{"n":  1}', id="own")], "there it is", name="live")
    assert await rerun_live(script, "live", [same]) == Rerun(prompts=1, answers=2, tool_calls=1)
    other = ScriptedProvider(Call("look", {"n": 7}), name="live")
    found = await rerun_live(script, "live", [other])
    assert found.parting is not None
    assert str(found.parting).splitlines() == [
        "turn 1, message 1: the tool call at arguments.n differs",
        "--- recorded",
        "+++ now",
        "@@ -1 +1 @@",
        "-1",
        "+7",
    ]
    assert effects == []


async def test_a_session_becomes_a_cassette_that_plays(tmp_path: Path) -> None:
    async with opened(LOOK, "saw it", "bye", tools=[look], directory=tmp_path) as (session, _):
        await session.prompt(f"go to {tmp_path}")
        await session.prompt("and again")
        script = await script_of(session)
    path = tmp_path / "kept" / "session.jsonl"
    script.cassette(path).save()
    assert str(tmp_path) not in path.read_text()
    player = Player(Cassette.load(path))
    async with (
        Runtime.open(ONLY, plugins=[player.plugin], directory=tmp_path) as runtime,
        runtime.session(model="scripted/model") as session,
    ):
        assert (await session.prompt(f"go to {tmp_path}")).text == "saw it"
        assert (await session.prompt("and again")).text == "bye"
    player.check()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_command_says_whether_it_is_the_same(form: list[str]) -> None:
    async def recorded() -> str:
        async with opened(LOOK, "saw it", tools=[look]) as (session, _):
            await session.prompt("go")
            return session.id

    done = CliRunner().invoke(replay, [asyncio.run(recorded()), *form], standalone_mode=False)
    assert done.return_value == 0
    if form:
        assert json.loads(done.stdout) == {"prompts": 1, "answers": 2, "tool_calls": 1, "difference": None}
    else:
        assert done.stdout == "as recorded: 1 prompt, 2 answers, 1 call\n"
