"""Stories about agents of one's own: Markdown files with a head, of the user and of a repository."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import attrs
import pytest
from codetether import AgentSpec, Mode, Runtime, SettingsError
from codetether.cli.config import trust
from codetether.cli.listings import agents as agents_command
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.sessions import ONLY, Tools, results

CAREFUL = """\
---
description: Looks twice.
tools: [read, "job_*", "!job_kill"]
mode: plan
model: scripted/model
limits:
  max_steps: 7
  max_seconds: 90
  max_tokens: 100000
  max_cost: 0.5
---

Look twice.
"""


@pytest.fixture(autouse=True)
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home directory."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


async def agents_at(directory: Path, **settings: Any) -> dict[str, AgentSpec]:
    async with Runtime.open({**ONLY, **settings}, directory=directory, on_notice=lambda *_: None) as runtime:
        return runtime.agents()


async def test_the_users_files_are_agents_in_the_words_of_three_products(
    codetether_home: Path, user_home: Path, tmp_path: Path
) -> None:
    write(codetether_home / "config" / "agents" / "careful.md", CAREFUL)
    claude = (
        "---\nname: reviewer\ndescription: Use: <b>a: b</b>\ntools: Read, Grep, Bash(git *)\nmodel: opus\n---\nReview."
    )
    write(user_home / ".claude" / "agents" / "reviewer.md", claude)
    denials = "tools: {write: false}\npermission: {edit: deny, bash: ask}"
    opencode = f"---\ndescription: Asks.\nmode: subagent\nmodel: zai/glm-5\n{denials}\n---\nAsk."
    write(user_home / ".config" / "opencode" / "agent" / "asker.md", opencode)
    found = await agents_at(tmp_path)
    assert {name: found[name] for name in ("careful", "reviewer", "asker")} == {
        "careful": AgentSpec(
            name="careful",
            description="Looks twice.",
            prompt="Look twice.",
            tools=("read", "job_*", "!job_kill"),
            mode="plan",
            model="scripted/model",
            max_steps=7,
            max_seconds=90,
            max_tokens=100_000,
            max_cost=0.5,
        ),
        "reviewer": AgentSpec(
            name="reviewer",
            description="Use: <b>a: b</b>",
            prompt="Review.",
            tools=("read", "grep", "bash", "exec", "job_output", "job_kill"),
        ),
        "asker": AgentSpec(
            name="asker",
            description="Asks.",
            prompt="Ask.",
            tools=("!write", "!edit", "!multiedit", "!apply_patch"),
            model="zai/glm-5",
        ),
    }


async def test_a_session_is_the_agent_that_it_was_asked_to_be(codetether_home: Path, tmp_path: Path) -> None:
    write(codetether_home / "config" / "agents" / "build.md", "---\ntools: job_kill read\n---\nOnly look.")
    write(codetether_home / "config" / "agents" / "broken.md", "---\nmode: free\n---\n")

    class Named:
        def __init__(self, name: str) -> None:
            from codetether import ToolDefinition

            schema: Any = {"type": "object", "properties": {}, "additionalProperties": False}
            self.definition = ToolDefinition(name=name, description=name, schema=schema)

    provider = ScriptedProvider(Call("write"), "done")
    tools = Tools(*map(Named, ("read", "write", "job_kill")))
    async with Runtime.open(ONLY, plugins=[provider, tools], directory=tmp_path) as runtime:
        async with runtime.session(model="scripted") as session:
            await session.prompt("go")
            assert results(session) == [("write", False, "Error: Unknown tool 'write'")]
        with pytest.raises(SettingsError, match="the agent 'broken' cannot be used: no mode 'free'; there are: plan"):
            runtime.agent("broken")
        with pytest.raises(SettingsError, match=r"no agent '\.\./build'; there are: build, explore, plan"):
            runtime.agent("../build")
    (first, _) = provider.requests
    assert [tool.name for tool in first.tools] == ["job_kill", "read"]
    assert "Only look." in first.system


def test_a_repositorys_agents_count_when_they_are_trusted_and_only_tighten(
    codetether_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = tmp_path / "repo"
    (repo / ".git").mkdir(parents=True)
    path = write(
        repo / ".codetether" / "agents" / "wide.md", "---\nmode: auto\nmodel: dear/model\nmax_steps: 999\n---\nAll."
    )
    write(repo / ".claude" / "agents" / "plan.md", "---\ndescription: none\n---\nNot the plan.")
    outside = write(tmp_path / "outside.md", "---\n---\nFrom outside.")
    (repo / ".opencode" / "agent").mkdir(parents=True)
    (repo / ".opencode" / "agent" / "linked.md").symlink_to(outside)
    monkeypatch.chdir(repo)
    assert sorted(asyncio.run(agents_at(repo))) == ["build", "explore", "plan"]
    assert run(trust) == 0
    assert capsys.readouterr().out == f"trusted: {path}\ntrusted: {repo}/.claude/agents/plan.md\n"
    trusted = asyncio.run(agents_at(repo, session={"max_steps": 12}))
    assert sorted(trusted) == ["build", "explore", "plan", "wide"]
    assert trusted["wide"] == AgentSpec(name="wide", prompt="All.", mode="auto", max_steps=12)
    assert trusted["plan"].prompt != "Not the plan."
    assert asyncio.run(mode_of(repo, "wide", "plan")) == "plan"
    assert run(agents_command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("wide") and str(path) in line and "50 steps" in line for line in lines)
    assert f"! plan ({repo}/.claude/agents/plan.md): another agent has this name" in lines
    assert any("linked.md): it is a link, or lies behind one" in line for line in lines)
    path.write_text(path.read_text() + "More.")
    assert sorted(asyncio.run(agents_at(repo))) == ["build", "explore", "plan"]
    with pytest.raises(SettingsError, match="not trusted"):
        asyncio.run(mode_of(repo, "wide", "plan"))


async def mode_of(directory: Path, agent: str, mode: Mode) -> Mode:
    async with (
        Runtime.open(ONLY, plugins=[ScriptedProvider()], directory=directory) as runtime,
        runtime.session(model="scripted", agent=agent, mode=mode) as session,
    ):
        return session.mode


def run(command: Any) -> int:
    code: int = command.main([], standalone_mode=False)
    return code


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("mode: unsafe", "no mode 'unsafe'"),
        ("max_steps: -1", "max_steps is no number above 0"),
        ("max_cost: .nan", "max_cost is no number above 0"),
        ("max_tokens: true", "max_tokens is no number above 0"),
        ("limits: 5", "limits is no table"),
        ("limits: {steps: 5}", "unknown key 'steps'"),
        ("permissions: all", "unknown key 'permissions'"),
        ("name: other", "its name is 'other', and its file's 'mine'"),
        ("tools: {bash: true}", "tools is no list of names"),
        ("- mode", "its head is no list of names and values"),
    ],
)
async def test_what_is_wrong_with_a_file_is_said(codetether_home: Path, tmp_path: Path, head: str, why: str) -> None:
    path = write(codetether_home / "config" / "agents" / "mine.md", f"---\n{head}\n---\nPrompt.")
    async with Runtime.open(ONLY, directory=tmp_path) as runtime:
        (found,) = runtime.agents_here.files.all()
    assert (found.path, found.spec) == (path, None)
    assert why in found.problem


def test_agents_of_settings_and_of_files_have_the_same_fields() -> None:
    from codetether.settings.core import AgentSettings

    assert {a.name for a in attrs.fields(AgentSettings)} == {a.name for a in attrs.fields(AgentSpec)} - {"name"}
