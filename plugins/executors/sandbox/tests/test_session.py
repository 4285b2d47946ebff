"""Stories about sessions whose commands are confined: what is asked, what is kept, what is refused."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from codetether import (
    ExecutorError,
    Resources,
    Tool,
    ToolCall,
    ToolContext,
    ToolDefinition,
    ToolResult,
    ToolsetSpec,
    text_result,
)
from codetether.testing.scripted import Call
from codetether.testing.sessions import Yields, heard, opened, results
from codetether_executor_sandbox import choice
from codetether_executor_sandbox.bubblewrap import find_bubblewrap
from codetether_executor_sandbox.choice import Choice
from codetether_executor_sandbox.landlock import landlock_version
from codetether_executor_sandbox.settings import SandboxSettings
from codetether_executor_sandbox.trial import MEANING

from .conftest import Ground

NEEDS_BUBBLEWRAP = pytest.mark.skipif(find_bubblewrap() is None, reason="bubblewrap is not installed")


class Shell:
    """A tool that runs a command line."""

    definition = ToolDefinition(
        name="sh",
        description="Runs a command.",
        schema={"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
        effects=("read", "write", "execute", "network"),
    )

    def resources(self, call: ToolCall, ctx: Any) -> Resources:
        return Resources(commands=(str(call.arguments["command"]),))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        done = await ctx.executor.run(["sh", "-c", str(call.arguments["command"])], merged=True)
        return text_result(done.stdout.decode().strip(), success=done.exit_code == 0)


class Shells:
    """Yields the tool."""

    async def tools(self) -> Sequence[Tool]:
        return (Shell(),)


async def outcome(tmp_path: Path, command: str, **how: Any) -> tuple[list[Any], list[Any], list[str]]:
    """What a command came to in a session, what the session keeps, and what was said."""
    workspace = tmp_path / "W"
    workspace.mkdir()
    notices: list[str] = []
    only = ["sandbox"] if how.pop("installed", True) else []
    plugins = {"only": only, "sandbox": how.pop("sandbox", {})}
    settings = {"session": {"executor": how.pop("executor", "auto")}, "plugins": plugins}
    shells = Yields("codetether_tools", ToolsetSpec(name="shells", create=lambda ctx: Shells()), name="shells")
    async with opened(
        Call("sh", {"command": command}),
        plugins=[shells],
        directory=workspace,
        settings=settings,
        notices=notices,
        **how,
    ) as (session, _):
        await heard(session)
        told = results(session)
        kept = session.journal.state.memory.get(("core", "confinement"))
    return told, [kept], notices


@NEEDS_BUBBLEWRAP
async def test_mode_auto_runs_commands_in_the_sandbox_without_asking(tmp_path: Path) -> None:
    outside = tmp_path / "mark"
    told, kept, notices = await outcome(tmp_path, f"echo x > mine; echo x > {outside}; cat mine", mode="auto")
    assert "x" in str(told)
    assert (tmp_path / "W" / "mine").read_text() == "x\n"
    assert not outside.exists()
    assert kept == [{"backend": "bwrap", "properties": dict.fromkeys(MEANING, "enforced")}]
    assert notices == []


@pytest.mark.parametrize("mode", ["default", "edit"])
async def test_other_modes_ask_before_each_command(tmp_path: Path, mode: str) -> None:
    told, kept, _ = await outcome(tmp_path, "touch mine", mode=mode)
    assert "permission" in str(told).lower()
    assert not (tmp_path / "W" / "mine").exists()
    assert kept == [None]


@pytest.mark.parametrize("how", [{"installed": False}, {"sandbox": {"require": ["x"]}}])
async def test_without_a_sandbox_mode_auto_asks_and_says_why(tmp_path: Path, how: dict[str, Any]) -> None:
    told, kept, notices = await outcome(tmp_path, "touch mine", mode="auto", **how)
    assert "permission" in str(told).lower()
    assert not (tmp_path / "W" / "mine").exists()
    assert any(notice.startswith("sandbox: mode auto: commands ask, since ") for notice in notices)
    assert kept == [None]


async def test_a_sandbox_that_was_asked_for_is_never_left_out(tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="no property 'no-such' to require"):
        await outcome(tmp_path, "true", executor="sandbox", sandbox={"require": ["no-such"]})


async def test_a_backend_that_is_missing_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "find_bubblewrap", lambda: None)
    with pytest.raises(ExecutorError) as raised:
        await Choice(workspace=tmp_path, settings=SandboxSettings(backend="bwrap")).executor()
    assert raised.value.message == "bubblewrap is not installed"
    assert "bubblewrap" in raised.value.remedy
    monkeypatch.setattr(choice, "landlock_version", lambda: 0)
    with pytest.raises(ExecutorError, match="bubblewrap is not installed"):
        await Choice(workspace=tmp_path, settings=SandboxSettings()).executor()


async def test_a_weaker_backend_is_refused_where_it_lacks_what_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not landlock_version():
        pytest.skip("this kernel has no Landlock")
    monkeypatch.setattr(choice, "find_bubblewrap", lambda: None)
    settings = SandboxSettings(require=("writes", "metadata"))
    with pytest.raises(ExecutorError, match="landlock does not enforce metadata") as raised:
        await Choice(workspace=tmp_path, settings=settings).executor()
    assert "bubblewrap is not installed" in raised.value.remedy
    made = await Choice(workspace=tmp_path, settings=evolve(settings, require=("writes",))).executor()
    assert (made.confinement.backend, made.confinement.complete) == ("landlock", False)


@pytest.mark.parametrize("workspace", ["/", "/usr", "/etc/x", "/usr/local/src"])
def test_a_workspace_of_the_system_is_refused(workspace: str) -> None:
    with pytest.raises(ExecutorError, match="cannot be a sandbox's workspace"):
        Choice(workspace=Path(workspace), settings=SandboxSettings()).backend("landlock", Path(workspace))


PROGRAM = """
import asyncio, sys
from pathlib import Path
from codetether_executor_sandbox.choice import Choice
from codetether_executor_sandbox.landlock import landlock_version
from codetether_executor_sandbox.settings import SandboxSettings
async def main():
    settings = SandboxSettings(backend=sys.argv[2], require=())
    executor = await Choice(workspace=Path(sys.argv[1]), settings=settings).executor()
    await executor.run(["sh", "-c", "setsid sh -c 'while sleep 0.02; do echo >> beat; done' & sleep 60"])
asyncio.run(main())
"""


@NEEDS_BUBBLEWRAP
async def test_nothing_outlives_codetether_itself(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(tmp_path), "bwrap")
    beat = tmp_path / "beat"
    async with asyncio.timeout(20):
        while not beat.exists() or not beat.stat().st_size:  # noqa: ASYNC110 - another process fills it
            await asyncio.sleep(0.05)
    process.kill()
    await process.wait()
    await asyncio.sleep(0.1)
    size = beat.stat().st_size
    await asyncio.sleep(0.2)
    assert beat.stat().st_size == size
    assert not (tmp_path / ".git" / "hooks").exists()


async def test_a_server_takes_nothing_back_that_others_made_meanwhile(ground: Ground) -> None:
    process = await ground.executor.start(["cat"])
    ground.file(ground.workspace / ".envrc", "the user's own")
    await process.write(b"here\n")
    async for piece in process.output():
        assert piece == b"here\n"
        break
    await process.kill()
    assert (ground.workspace / ".envrc").read_text() == "the user's own"
    assert [p.name for p in ground.workspace.iterdir()] == [".envrc"]
