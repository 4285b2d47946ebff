"""kill -9 in the midst of uploads through bad weather: the bucket holds what was sealed, each file once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict
from codetether_sink_events_s3.weather import FAULTS, Fault

from .conftest import Site

KILLS = 300 if os.environ.get("CODETETHER_PROOF") else 5
FAULTY = 0.4
"""The share of requests that meet with something."""


class Uploaders:
    """The process that forks those who will be killed."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("uploaders.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _told(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def born(self, site: Site, dies_at: int = 0) -> int:
        said = str(site.spool.parent / "said")
        return self._told(
            {"settings": asdict(site.settings), "spool": str(site.spool), "dies_at": dies_at, "said": said}
        )

    def buried(self, pid: int) -> int:
        """Waits for the end; the signal that ended it, 0 for a natural end."""
        return self._told({"wait": pid}) & 0x7F

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def uploaders() -> Iterator[Uploaders]:
    made = Uploaders()
    yield made
    made.close()


async def test_D13_killed_uploads_leave_each_file_once(site: Site, uploaders: Uploaders) -> None:
    chance = random.Random(os.environ.get("CODETETHER_SEED", "uploads"))

    def fault(method: str, path: str) -> Fault:
        return chance.choice(FAULTS) if chance.random() < FAULTY else ""

    site.weather.fault = fault
    kills = lives = 0
    while kills < KILLS:
        lives += 1
        for _ in range(chance.randint(1, 4)):
            site.seal(f"s{chance.randint(1, 6)}", size=chance.choice([1, 300, 5_000, 200_000]))
        by_itself = chance.random() < 0.4
        pid = uploaders.born(site, dies_at=chance.randint(1, 25) if by_itself else 0)
        rival = uploaders.born(site, dies_at=chance.randint(5, 40)) if chance.random() < 0.2 else None
        if not by_itself:
            await asyncio.sleep(chance.uniform(0.0, 0.4))
            os.kill(pid, signal.SIGKILL)
        if rival is not None:
            await asyncio.sleep(0.05)
            os.kill(rival, signal.SIGKILL)
            kills += await asyncio.to_thread(uploaders.buried, rival) == signal.SIGKILL
        kills += await asyncio.to_thread(uploaders.buried, pid) == signal.SIGKILL
    assert lives < 3 * kills, "most lives ended before they were killed"
    site.weather.fault = lambda method, path: ""
    assert await asyncio.to_thread(uploaders.buried, uploaders.born(site)) == 0
    assert site.stored() == site.sealed()
    said = site.spool.parent / "said"
    assert "ALARM" not in (said.read_text() if said.exists() else "")
