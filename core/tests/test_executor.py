"""Stories about commands on this machine: what they are given, what comes back, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path

import pytest
from codetether import Completed, ExecutorError
from codetether.builtin.executor import HeadAndTail, LocalExecutor
from codetether.builtin.lineage import MARK

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor()


def alive(pid: int) -> bool:
    """Whether a process lives; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_bytes().rpartition(b")")[2].split()[0] != b"Z"


async def gone(pid: int, seconds: float = 2.0) -> bool:
    """Whether the process is gone within so many seconds."""
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0.02)
    return not alive(pid)


async def written(path: Path) -> int:
    """The process id that a command writes into a file."""
    async with asyncio.timeout(5):
        while not (path.exists() and path.read_text().strip()):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    return int(path.read_text())


async def test_output_error_and_exit_code_come_back_apart(executor: LocalExecutor, tmp_path: Path) -> None:
    done = await executor.run(["sh", "-c", "pwd; echo err >&2; exit 3"], directory=tmp_path)
    assert done == Completed(exit_code=3, stdout=f"{tmp_path}\n".encode(), stderr=b"err\n")


async def test_merged_output_keeps_its_order_and_is_heard_as_it_comes(executor: LocalExecutor) -> None:
    heard: list[bytes] = []
    done = await executor.run(["sh", "-c", "echo a; echo b >&2; echo c"], merged=True, on_output=heard.append)
    assert (done, b"".join(heard)) == (Completed(exit_code=0, stdout=b"a\nb\nc\n", stderr=b""), b"a\nb\nc\n")


async def test_a_signal_is_a_negative_exit_code(executor: LocalExecutor) -> None:
    assert await executor.run(["sh", "-c", "kill -9 $$"]) == Completed(exit_code=-9, stdout=b"", stderr=b"")


@pytest.mark.parametrize("argv", [["no-such-program-here"], ["sh", "-c", "a\0b"], ["/"], ["sh", "-c", "#" * 200_000]])
async def test_what_cannot_start_is_named(executor: LocalExecutor, argv: list[str]) -> None:
    with pytest.raises(ExecutorError, match=f"cannot run '{argv[0]}'"):
        await executor.run(argv)
    with pytest.raises(ExecutorError, match=f"cannot start '{argv[0]}'"):
        await executor.start(argv)


async def test_keys_are_kept_from_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = ["OPENAI_API_KEY", "VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY", "ANTHROPIC_AUTH_TOKEN", "CORP_LLM", "x_api_key"]
    hidden += ["BAO_TOKEN", "BAO_SECRET_ID", "VAULT_PASSWORD", "VAULT_JWT"]
    for name in [*hidden, "HARMLESS"]:
        monkeypatch.setenv(name, "canary")
    executor = LocalExecutor(withheld=["CORP_LLM"])
    done = await executor.run(["env"], environment={"MORE": "canary"})
    assert sorted(line.split("=")[0] for line in done.stdout.decode().splitlines() if "canary" in line) == [
        "HARMLESS",
        "MORE",
    ]


async def test_a_deadline_ends_the_command(executor: LocalExecutor) -> None:
    began = time.monotonic()
    done = await executor.run(["sh", "-c", "echo begun; sleep 30; echo never"], timeout=0.3)
    assert (done.stdout, done.timed_out, done.left_behind) == (b"begun\n", True, False)
    assert time.monotonic() - began < 1.3


async def test_a_command_that_ignores_requests_is_killed(executor: LocalExecutor) -> None:
    began = time.monotonic()
    done = await executor.run(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], timeout=0.3)
    assert (done.exit_code, done.timed_out) == (-9, True)
    assert time.monotonic() - began < 1.3


SURVIVORS = {
    "holds the output": "setsid sleep 60 & echo $! > pid; exit 0",
    "holds nothing we read": "setsid sleep 60 >/dev/null 2>&1 & echo $! > pid; exit 0",
    "forgot its environment": "env -i setsid sleep 60 >/dev/null 2>&1 & echo $! > pid; exit 0",
    "double fork": "( setsid sh -c 'echo $$ > pid; exec sleep 60' & ) ; sleep 0.2; exit 0",
    "nohup": "nohup sleep 60 >/dev/null 2>&1 & echo $! > pid; exit 0",
    "ignores requests": "(trap '' TERM; exec sleep 60) & echo $! > pid; exit 0",
}


@LINUX
@pytest.mark.parametrize("command", SURVIVORS.values(), ids=SURVIVORS.keys())
async def test_R03_what_outlives_a_command_does_not_hold_the_call_and_is_ended(
    executor: LocalExecutor, tmp_path: Path, command: str
) -> None:
    began = time.monotonic()
    done = await executor.run(["sh", "-c", command], directory=tmp_path, timeout=20)
    assert (done.exit_code, done.timed_out, done.left_behind) == (0, False, True)
    assert time.monotonic() - began < 1.5
    assert await gone(await written(tmp_path / "pid"))


@LINUX
@pytest.mark.parametrize("command", SURVIVORS.values(), ids=SURVIVORS.keys())
async def test_R03_the_deadline_ends_the_whole_tree(executor: LocalExecutor, tmp_path: Path, command: str) -> None:
    began = time.monotonic()
    done = await executor.run(["sh", "-c", command.replace("exit 0", "sleep 60")], directory=tmp_path, timeout=0.5)
    assert done.timed_out
    assert time.monotonic() - began < 1.5
    assert await gone(await written(tmp_path / "pid"))


@LINUX
async def test_cancelling_ends_the_whole_tree(executor: LocalExecutor, tmp_path: Path) -> None:
    command = "setsid sleep 60 & echo $! > pid; sleep 60"
    running = asyncio.create_task(executor.run(["sh", "-c", command], directory=tmp_path))
    pid = await written(tmp_path / "pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await gone(pid)


@LINUX
async def test_cancelling_twice_ends_it_at_once(executor: LocalExecutor, tmp_path: Path) -> None:
    command = "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done"
    running = asyncio.create_task(executor.run(["sh", "-c", command], directory=tmp_path))
    pid = await written(tmp_path / "pid")
    running.cancel()
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await gone(pid)


async def test_a_late_writer_is_still_heard(executor: LocalExecutor) -> None:
    done = await executor.run(["sh", "-c", "(sleep 0.1; echo late) & echo early"])
    assert done == Completed(exit_code=0, stdout=b"early\nlate\n", stderr=b"")


def peak_megabytes() -> float:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@LINUX
async def test_R04_a_flood_of_output_is_capped_with_little_memory(executor: LocalExecutor) -> None:
    limit = 1024 * 1024
    await executor.run(["sh", "-c", "yes | head -c 1000000"], limit=limit)
    before = peak_megabytes()
    flood = "echo FIRST; yes | head -c 150000000; yes | head -c 150000000 >&2; echo LAST"
    done = await executor.run(["sh", "-c", flood], limit=limit)
    grown = peak_megabytes() - before
    assert (done.exit_code, done.timed_out) == (0, False)
    assert done.stdout.startswith(b"FIRST\ny\n")
    assert done.stdout.endswith(b"y\nLAST\n")
    assert b"bytes left out" in done.stdout
    assert len(done.stdout) < limit + 100
    assert len(done.stderr) < limit + 100
    assert grown < 16


async def test_R04_an_endless_flood_ends_at_the_deadline(executor: LocalExecutor) -> None:
    began = time.monotonic()
    done = await executor.run(["yes"], timeout=0.5, limit=4096)
    assert done.timed_out
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("argv", [["cat"], [sys.executable], ["sh", "-c", "read answer; echo got:$answer"]])
async def test_R05_nobody_is_waited_for(executor: LocalExecutor, argv: list[str]) -> None:
    done = await executor.run(argv, timeout=20)
    assert not done.timed_out


async def test_R05_git_opens_no_editor(executor: LocalExecutor, tmp_path: Path) -> None:
    script = "git init -q . && git -c user.name=a -c user.email=a@b.c commit --allow-empty"
    done = await executor.run(["sh", "-c", script], directory=tmp_path, merged=True, timeout=20)
    assert (done.exit_code, done.timed_out) == (1, False)
    assert b"empty commit message" in done.stdout


@pytest.mark.parametrize(
    ("limit", "pieces", "value"),
    [
        (8, [b"abcdefgh"], b"abcdefgh"),
        (8, [b"abc", b"def"], b"abcdef"),
        (8, [b"abcdefghi"], "abcd\n[… 1 bytes left out …]\nfghi".encode()),
        (8, [b"a"] * 20, "aaaa\n[… 12 bytes left out …]\naaaa".encode()),
        (4, [b"abcdef", b"gh", b"", b"ijk"], "ab\n[… 7 bytes left out …]\njk".encode()),
    ],
)
def test_head_and_tail(limit: int, pieces: list[bytes], value: bytes) -> None:
    kept = HeadAndTail(limit)
    for piece in pieces:
        kept.add(piece)
    assert kept.value() == value


async def test_no_descriptor_is_left_open(executor: LocalExecutor) -> None:
    async def several() -> int:
        await executor.run(["true"])
        await executor.run(["sh", "-c", "sleep 9 & exit 1"])
        await executor.run(["sleep", "9"], timeout=0.05)
        return len(os.listdir("/dev/fd"))  # noqa: PTH208

    assert await several() == await several()


async def test_a_server_speaks_over_pipes_and_ends_with_its_children(executor: LocalExecutor, tmp_path: Path) -> None:
    process = await executor.start(["sh", "-c", "setsid sleep 60 & echo $! > pid; cat"], directory=tmp_path)
    await process.write(b"hello\n")
    heard = await anext(process.output())
    pid = await written(tmp_path / "pid")
    await process.kill()
    assert (heard, await process.wait()) == (b"hello\n", -15)
    assert await gone(pid)


async def test_commands_know_by_whom_they_were_started(executor: LocalExecutor) -> None:
    one, other = [(await executor.run(["printenv", MARK])).stdout for _ in range(2)]
    assert len(one) == len(other) == 17
    assert one != other
