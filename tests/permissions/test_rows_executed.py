"""Stories about the attacks of group P, run with everything allowed: the sandbox holds what the rules would miss."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from codetether import ExecutorError
from codetether.testing.policy_runs import Runner, runner_here

from . import commands

LIMIT = 2.0
ROWS = sorted(name for name in vars(commands) if name.startswith("P"))
"""Those that name a real root are only judged, never run."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """The sandbox, with a listener on loopback that nobody may reach."""
    found = runner_here(LIMIT)
    if found is None:
        pytest.skip("the executor sandbox is not installed")
    with ExitStack() as stack:
        try:
            made = stack.enter_context(found)
        except ExecutorError as error:
            pytest.skip(f"no sandbox can be had here: {error}")
        yield made


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listener on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize("row", ROWS)
def test_nothing_appears_outside_the_workspace(runner: Runner, row: str) -> None:
    tried = [command for command in getattr(commands, row) if not command.startswith(("watch", "select"))]
    found = {command: runner.run(_outward(command))["markers"] for command in tried[:8]}
    assert {command: markers for command, markers in found.items() if markers} == {}


def _outward(command: str) -> str:
    """The same with the marker outside."""
    return command.replace(" M", " ../M")


def test_P29_no_connection_is_made(runner: Runner, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    for command in (f"cat < /dev/tcp/127.0.0.1/{port}", f"echo x > /dev/tcp/127.0.0.1/{port}"):
        runner.run(command)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_what_is_made_outside_would_be_seen(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from codetether.builtin.executor import LocalExecutor

    monkeypatch.setattr(runner, "_executor", LocalExecutor())
    (marker,) = runner.run("touch ../O/M")["markers"]
    assert marker.endswith("/O/M")
