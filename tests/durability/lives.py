"""Prompts one session again and again, and tells each prompt whose end was announced: until the power is gone."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from codetether import Runtime
from codetether.functions import tool
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.sessions import Tools

SETTINGS = {
    "audit": {"required": True},
    "plugins": {
        "only": ["events-jsonl", "audit-jsonl"],
        "events-jsonl": {"max_bytes": 2048},
        "audit-jsonl": {"fsync": "intents", "max_entries": 50},
    },
}


@tool(effects=("write",), name="mark")
def mark(name: str) -> str:
    """Does something that must not be forgotten."""
    print("effect", name, flush=True)
    return f"marked {name}"


async def live(home: Path, first: int, session_id: str | None) -> None:
    """One prompt after another, each with an effect in its midst."""
    script: list[object] = []
    for number in range(first, first + 500):
        script += [[f"thinking of {number}", Call("mark", {"name": f"m{number}"}, id=f"c{number}")], f"answer {number}"]
    plugins = [ScriptedProvider(*script), Tools(mark)]
    async with (
        Runtime.open(SETTINGS, plugins=plugins, directory=home, on_notice=lambda *_: None) as runtime,
        runtime.session(session_id, model="scripted", mode="unsafe") as session,
    ):
        print("session", session.id, flush=True)
        for number in range(first, first + 500):
            await session.prompt(f"prompt {number}")
            print("done", number, flush=True)


def main() -> None:
    home, first, session_id, forgetful = sys.argv[1:]
    os.environ["CODETETHER_HOME"] = str(Path(home) / "home")
    os.environ["CODETETHER_EVENT_STREAM_PATH"] = str(Path(home) / "events")
    if forgetful == "forgetful":  # the control: nothing is ever waited for
        os.fsync = os.fdatasync = lambda descriptor: None  # type: ignore[assignment]
    asyncio.run(live(Path(home), int(first), session_id or None))


if __name__ == "__main__":
    main()
