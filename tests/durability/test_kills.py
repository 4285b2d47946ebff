"""kill -9 at random points of scripted sessions: nothing acknowledged is lost, and no completed call runs again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from codetether import MessageAdded, SessionNotFound, ToolCompleted, ToolIntent, TurnEnded
from codetether.models.session import JournalRecord
from codetether.storage.disk import Disk
from codetether.storage.store import Store

KILLS = 200 if os.environ.get("CODETETHER_PROOF") else 15
LIVES = 4
"""How often one session is killed before it is allowed to end."""


class Nursery:
    """The process that forks those who will be killed."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("nursery.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _told(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def born(self, **life: Any) -> int:
        return self._told(life)

    def buried(self, pid: int) -> int:
        """Waits for the end; the signal that ended it, 0 for a natural end."""
        return self._told({"wait": pid}) & 0x7F

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@define
class Witness:
    """One session of many lives: what was told about it, and what it did."""

    place: Path
    seed: int
    session: str | None = None
    told: list[list[str]] = field(factory=list)
    lives: int = 0

    def order(self, dies_at: int = 0) -> dict[str, Any]:
        """The next life."""
        self.lives += 1
        (self.place / "work").mkdir(parents=True, exist_ok=True)
        return {
            "home": str(self.place / "home"),
            "directory": str(self.place / "work"),
            "acknowledged": str(self.place / "acknowledged"),
            "effects": str(self.place / "effects"),
            "session": self.session,
            "name": f"{self.seed}.{self.lives}",
            "prompts": 2,
            "seed": self.seed * 100 + self.lives,
            "dies_at": dies_at,
        }

    def hear(self) -> None:
        """Reads what was told up to now."""
        path = self.place / "acknowledged"
        self.told = [line.split(" ", 1) for line in path.read_text().splitlines()] if path.exists() else []
        self.session = next((rest for word, rest in self.told if word == "session"), None)

    @property
    def effects(self) -> Counter[str]:
        path = self.place / "effects"
        return Counter(path.read_text().split() if path.exists() else ())

    async def check(self) -> None:
        """The journal holds all that was told, and what happened happened once."""
        disk = Disk()
        async with Store(self.place / "home" / "data", disk) as store:
            listed = [summary.id for summary in await store.list()]
            assert await store.unreadable() == {}
            for one in listed:  # killed before it could tell its id, a life leaves a session that nobody knows
                assert (await store.load(one)).session.id == one
            assert len(listed) <= self.lives
            if self.session is not None:
                assert self.session in listed
                self._compare([item async for item in store.records(self.session)])
        await disk.close()
        assert [word for word, _ in self.told if word in ("failed-life", "error")] == []
        assert max(self.effects.values(), default=1) == 1, self.effects

    def _compare(self, items: list[JournalRecord]) -> None:
        entries = [item.entry for item in items]
        messages = [e.message for e in entries if isinstance(e, MessageAdded)]
        results = {e.result.tool_call_id: e.result for e in entries if isinstance(e, ToolCompleted)}
        intents = Counter(e.call_id for e in entries if isinstance(e, ToolIntent))
        prompts = Counter(m.text for m in messages if m.role == "user")
        for word, rest in self.told:
            match word:
                case "prompt":
                    assert prompts[f"prompt {rest}"] == 1
                case "text":
                    assert any(m.text == rest for m in messages if m.role == "assistant"), rest
                case "completed" | "failed":
                    assert results[rest].success == (word == "completed"), rest
        ended = sum(isinstance(e, TurnEnded) for e in entries)
        assert ended >= sum(word == "done" for word, _ in self.told)
        assert [item.sequence for item in items] == list(range(1, len(items) + 1))
        assert max(intents.values(), default=1) == 1
        effects = self.effects
        assert set(effects) <= set(intents), "an effect without an intent"
        done = {r.tool_call_id for r in results.values() if r.success and r.name in ("mark", "side", "command")}
        assert done <= set(effects), "a result without its effect"
        assert len(results) == sum(isinstance(e, ToolCompleted) for e in entries), "a call with two results"


async def test_sessions_survive_being_killed_at_random_points(nursery: Nursery, tmp_path: Path) -> None:
    chosen = random.Random(os.environ.get("CODETETHER_SEED", "kills"))
    kills = late = 0
    witness, number = Witness(tmp_path / "0", 0), 0
    while kills < KILLS:
        if witness.lives == LIVES:
            await finished(nursery, witness)
            number += 1
            witness = Witness(tmp_path / str(number), number)
        by_itself = chosen.random() < 0.5
        pid = nursery.born(**witness.order(dies_at=chosen.randint(1, 55) if by_itself else 0))
        if not by_itself:
            await asyncio.sleep(chosen.uniform(0.0, 0.15))
            os.kill(pid, signal.SIGKILL)
        killed = nursery.buried(pid) == signal.SIGKILL
        kills += killed
        late += not killed
        witness.hear()
        await witness.check()
    await finished(nursery, witness)
    assert late < kills, "most lives ended before they were killed"


async def finished(nursery: Nursery, witness: Witness) -> None:
    """A last life that nobody ends: the session goes on as if nothing had been."""
    assert nursery.buried(nursery.born(**witness.order())) == 0
    witness.hear()
    await witness.check()
    last = f"{witness.seed}.{witness.lives}"
    assert ["finished", last] in witness.told
    assert [rest for word, rest in witness.told if word == "done" and rest.startswith(last)] == [
        f"{last}-0 done",
        f"{last}-1 done",
    ]
    disk = Disk()
    async with Store(witness.place / "home" / "data", disk) as store:
        assert witness.session is not None
        state = await store.load(witness.session)
        assert (state.open_calls, state.ended) == ({}, True)
        calls = [call.id for message in state.session.messages for call in message.tool_calls]
        results = [use.id for use in state.session.tool_uses]
        assert sorted(calls) == sorted(results)
        assert await store.delete(witness.session) is True
        with pytest.raises(SessionNotFound):
            await store.load(witness.session)
    await disk.close()
