"""What a store of ten thousand sessions takes for its own work: prints a line of JSON. Run as a child."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from codetether.storage.disk import Disk
from codetether.storage.phrases import Phrases
from codetether.storage.search import Scope
from codetether.storage.store import Store

TIMES = 7


async def main() -> None:
    """Each piece of work some times over, the quickest of them; milliseconds of CPU."""
    data, long_one, word = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    (journal,) = data.glob(f"sessions/*/{long_one}/journal.jsonl")
    disk = Disk()
    async with Store(data, disk) as store:
        measured = {
            "list": await _quickest(store.list),
            "resume": await _quickest(lambda: _resumed(store, long_one)),
            "last": await _quickest(lambda: store.latest(long_one, 200)),
            "search": await _quickest(lambda: store.search(Phrases(word), Scope())),
            "scoped": await _quickest(lambda: store.search(Phrases(word), Scope(directory="/w/7"))),
        }
    await disk.close()
    floors = {"list": _rows(data / "index.sqlite"), "resume": _parsed(journal)}
    print(json.dumps({"ours": measured, "floors": floors}))


async def _quickest(work: Callable[[], Awaitable[Any]]) -> float:
    times = []
    for _ in range(TIMES):
        began = time.process_time()
        await work()
        times.append((time.process_time() - began) * 1000)
    return min(times)


async def _resumed(store: Store, session_id: str) -> None:
    journal = await store.open(session_id)
    assert len(journal.state.session.messages) == 10_000
    await journal.close()


def _rows(index: Path) -> float:
    """The bare rows out of SQLite."""
    connection = sqlite3.connect(index)
    began = time.process_time()
    connection.execute("SELECT * FROM sessions ORDER BY updated_at DESC").fetchall()
    return (time.process_time() - began) * 1000


def _parsed(journal: Path) -> float:
    """The lines of the journal as JSON with their checksums, and no more."""
    began = time.process_time()
    for line in journal.read_bytes().splitlines():
        zlib.crc32(line)
        orjson.loads(line)
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    asyncio.run(main())
