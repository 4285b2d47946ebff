"""Stories about where commands run: a directory holds from one to the next, nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from codetether import Resources
from codetether.testing.workbench import Workbench, workbench
from codetether_tools_shell import plugin
from codetether_tools_shell.place import Follower


@pytest.fixture
async def bench(tmp_path: Path) -> Workbench:
    """The shell tools, allowed, and two directories."""
    (tmp_path / "W" / "sub" / "my dir").mkdir(parents=True)
    return await workbench(tmp_path / "W", plugin, permissions={"allow": ["bash", "exec"]})


async def outputs(bench: Workbench, *commands: str) -> list[str]:
    return [(await bench.call("bash", command=command)).output for command in commands]


async def test_a_directory_holds_for_the_next_command(bench: Workbench) -> None:
    place = bench.directory
    assert await outputs(bench, "cd sub && X=1", "pwd; echo $X", "cd 'my dir'; exit 3", "pwd", "cd ../..", "pwd") == [
        "(no output)\n[exit code 0; the next command starts in sub]",
        f"{place}/sub\n[exit code 0]",
        "(no output)\n[exit code 3; the next command starts in sub/my dir]",
        f"{place}/sub/my dir\n[exit code 0]",
        "(no output)\n[exit code 0]",
        f"{place}\n[exit code 0]",
    ]
    await bench.call("bash", command="cd sub")
    assert (await bench.call("exec", argv=["pwd"])).output == f"{place}/sub\n[exit code 0]"


@pytest.mark.parametrize(
    "command",
    [
        "(cd sub)",
        "cd sub & wait",
        "cd sub | cat",
        "bash -c 'cd sub'",
        "cd sub; exec true",
        "trap - EXIT; cd sub",
        "cd sub; kill -9 $$",
        "echo cd sub",
    ],
)
async def test_what_does_not_move_the_shell_itself_holds_for_nothing(bench: Workbench, command: str) -> None:
    assert (await outputs(bench, command, "pwd"))[1] == f"{bench.directory}\n[exit code 0]"


@pytest.mark.parametrize(
    ("command", "output", "exit_code"),
    [
        ("cd sub; echo $# $1; set -eu; false; echo no", "0\n", 1),
        ("cd sub; printf 'a\\0b'", "a\0b\n", 0),
        ("cd sub; exec >/dev/null; echo hidden", "", 0),
        ("cd sub; exec 2>&1 >/dev/null; echo seen >&2", "seen\n", 0),
        ("cat <<X; cd sub\n$((1 + 1))\nX", "2\n", 0),
    ],
)
async def test_following_changes_nothing_for_the_command(
    bench: Workbench, command: str, output: str, exit_code: int
) -> None:
    result = await bench.call("bash", command=command)
    status = f"[exit code {exit_code}; the next command starts in sub]"
    assert (result.output, result.metadata["exit_code"]) == ((output or "(no output)\n") + status, exit_code)
    assert "".join(bench.context.shown) == output.removesuffix("\n" if "printf" in command else "")


async def test_a_link_that_leads_out_is_outside(bench: Workbench) -> None:
    (bench.directory / "out").symlink_to("/")
    said, then = await outputs(bench, "cd out", "pwd")
    assert ("since / lies outside of it" in said, then) == (True, f"{bench.directory}\n[exit code 0]")


async def test_a_directory_that_goes_or_becomes_a_link_is_left(bench: Workbench) -> None:
    await outputs(bench, "cd sub")
    (bench.directory / "sub").rename(bench.directory / "other")
    assert await outputs(bench, "pwd") == [f"{bench.directory}\n[exit code 0]"]
    await outputs(bench, "cd other")
    (bench.directory / "other").rename(bench.directory / "sub")
    (bench.directory / "other").symlink_to("/")
    assert await outputs(bench, "pwd") == [f"{bench.directory}\n[exit code 0]"]


async def test_what_is_judged_says_where_it_runs(bench: Workbench) -> None:
    await outputs(bench, "cd 'sub/my dir'")
    call, ctx = bench.prepared("bash", command="git status")
    told = "cd 'sub/my dir' && git status"
    assert bench.tools["bash"].resources(call, ctx) == Resources(commands=(told,), preview=told)
    bench.permissions = {"allow": ["bash(git status)"], "deny": ["read(sub/private)"]}
    assert (await bench.call("bash", command="git status")).metadata.get("decision") is None
    assert (await bench.call("bash", command="git push")).metadata["decision"] == "ask"
    (bench.directory / "sub" / "private").write_text("x")
    assert (await bench.call("bash", command="cat ../private")).metadata["decision"] == "deny"


def test_the_mark_is_never_shown_however_the_output_is_cut() -> None:
    follower = Follower(shell="bash", mark="abcd")
    whole = b"one\0two\0abcd/there\n\0late"
    for size in range(1, len(whole) + 1):
        shown, held = b"", b""
        for at in range(0, len(whole), size):
            more, held = follower.shown(held, whole[at : at + size])
            shown += more
        assert shown == b"one\0twolate"
    assert follower.split(whole) == (b"one\0twolate", "/there")
