"""Forks processes that live through scripted sessions until they are killed: a line of JSON in, a process id out.

Each child appends what it was told to an acknowledgement file, one write(2) a line, and its unsafe tool appends to an
effect file. Both belong to the operating system at once, so that nothing of them is lost by kill -9.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import random
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen
from codetether import (
    Done,
    Error,
    JournalEntry,
    MessageAdded,
    RunningSession,
    Runtime,
    SessionEvent,
    TextComplete,
    ToolCallComplete,
    ToolCallStart,
    UserMessage,
)
from codetether.functions import tool
from codetether.models.messages import user
from codetether.storage import durable
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.sessions import ONLY, Tools
from codetether.wire import from_json, to_json


@frozen
class Life:
    """What one child is to live through.

    Attributes:
        session: the id to go on with; None begins a new session.
        name: of this life; its prompts and calls carry it.
        dies_at: the I/O operation of the store before which the child kills itself; 0 waits to be killed.
    """

    home: str
    directory: str
    acknowledged: str
    effects: str
    session: str | None
    name: str
    prompts: int
    seed: int
    dies_at: int = 0


class Ledger:
    """A file that lines are appended to, each by one write(2)."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *words: str) -> None:
        os.write(self._descriptor, (" ".join(words) + "\n").encode())


def script(life: Life) -> list[Any]:
    """Every prompt: thought and text with one to three calls of all kinds, then another unsafe call, then an answer."""
    chosen = random.Random(life.seed)
    steps: list[Any] = []
    for prompt in range(life.prompts):
        kinds = chosen.sample(["mark", "look", "again", "command", "side"], chosen.randint(1, 3))
        calls = [_call(kind, f"{life.name}-{prompt}-{place}") for place, kind in enumerate(kinds)]
        steps += [[f"step one of {life.name}-{prompt}", *calls], [_call("mark", f"{life.name}-{prompt}-last")]]
        steps += [f"answer {life.name}-{prompt}"]
    return steps


def _call(kind: str, name: str) -> Call:
    return Call(kind, {"name": name}, id=name)


def tools(life: Life, runtime: list[RunningSession]) -> Tools:
    effects = Ledger(life.effects)

    @tool(effects=("write",), name="mark")
    async def mark(name: str) -> str:
        """Does something that must never happen twice."""
        effects.write(name)
        await asyncio.sleep(0)
        return f"marked {name}"

    @tool(effects=("read",), name="look")
    async def look(name: str) -> str:
        """Reads."""
        await asyncio.sleep(0.001)
        return f"saw {name} " * 50

    @tool(effects=("write",), idempotent=True, name="again")
    def again(name: str) -> str:
        """May be done again."""
        return f"did {name}"

    @tool(effects=("execute",), name="command")
    async def command(name: str) -> str:
        """Runs a command that takes its time."""
        text = f"echo {name} >> {life.effects}; sleep 0.02; echo ran"
        executor = runtime[0].shared.executor
        assert executor is not None
        done = await executor.run(["sh", "-c", text])
        return done.stdout.decode()

    @tool(effects=("write",), name="side")
    def side(name: str) -> str:
        """Keeps a whole output beside the session."""
        effects.write(name)
        return str(runtime[0].journal.side_file(f"{name}.txt", name.encode() * 1000))

    return Tools(mark, look, again, command, side)


async def live(life: Life) -> None:
    """Opens or begins the session, and prompts it."""
    told = Ledger(life.acknowledged)
    running: list[RunningSession] = []
    plugins = [ScriptedProvider(*script(life)), tools(life, running)]
    async with (
        Runtime.open(ONLY, plugins=plugins, directory=life.directory, on_notice=lambda *_: None) as runtime,
        runtime.session(life.session, model="scripted", mode="unsafe") as session,
    ):
        running.append(session)
        told.write("session", session.id)
        for prompt in range(life.prompts):
            async for event in session.stream(f"prompt {life.name}-{prompt}"):
                tell(told, event, f"{life.name}-{prompt}")
        told.write("finished", life.name)


def tell(told: Ledger, event: SessionEvent, prompt: str) -> None:
    """Acknowledges an event."""
    match event:
        case UserMessage():
            told.write("prompt", prompt)
        case TextComplete(text=text):
            told.write("text", text)
        case ToolCallStart(call_id=call_id):
            told.write("started", call_id)
        case ToolCallComplete(call_id=call_id, success=success):
            told.write("completed" if success else "failed", call_id)
        case Done(status=status):
            told.write("done", prompt, status)
        case Error(message=message):
            told.write("error", message.replace("\n", " "))
        case _:
            pass


class Mortal:
    """Kills the process before the nth operation of the store."""

    def __init__(self, dies_at: int) -> None:
        self.left = dies_at

    def __call__(self, operation: str, path: Path) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def child(life: Life) -> None:
    os.environ["CODETETHER_HOME"] = life.home
    if life.dies_at:
        durable.failpoint = Mortal(life.dies_at)
    try:
        asyncio.run(live(life))
    except BaseException as error:
        Ledger(life.acknowledged).write("failed-life", repr(error).replace("\n", " "))
        os._exit(1)
    os._exit(0)


def prepare() -> None:
    """Loads what every life will need, so that a fork is born grown up; starts no thread."""
    with tempfile.TemporaryDirectory() as directory:
        names = f"{directory}/names"
        pid = os.fork()
        if pid == 0:
            os.environ["CODETETHER_HOME"] = f"{directory}/home"
            ledger = f"{directory}/ledger"
            asyncio.run(live(Life(directory, directory, ledger, ledger, None, "first", 1, 3)))
            Path(names).write_text("\n".join(name for name in sys.modules if not name.startswith("_")))
            os._exit(0)
        os.waitpid(pid, 0)
        for name in Path(names).read_text().split():
            with suppress(ImportError):
                importlib.import_module(name)
    from_json(to_json(MessageAdded(message=user("x"), turn=1)), JournalEntry)  # type: ignore[arg-type]


def main() -> None:
    """Until the input ends: `{…a life…}` -> its process id; `{"wait": pid}` -> its status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitpid(order["wait"], 0)[1], flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            child(Life(**order))
        print(pid, flush=True)


if __name__ == "__main__":
    main()
