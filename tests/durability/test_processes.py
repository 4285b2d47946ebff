"""Several processes want one session: one writes, the others are told who, and may read."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from codetether import SessionLocked
from codetether.models.session import MessageAdded, SessionStarted
from codetether.storage.disk import Disk
from codetether.storage.phrases import Phrases
from codetether.storage.search import Scope
from codetether.storage.store import Store

PROCESSES, APPENDS = (8, 1_000) if os.environ.get("CODETETHER_PROOF") else (4, 150)

HOLDER = """
import asyncio, sys
from pathlib import Path
from codetether.storage.disk import Disk
from codetether.storage.store import Store

async def main():
    async with Store(Path(sys.argv[1]), Disk()) as store:
        await store.open("s1")
        print("open", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""

WRITER = """
import asyncio, random, sys
from pathlib import Path
from codetether import MessageAdded, SessionLocked
from codetether.storage.disk import Disk
from codetether.models.messages import user
from codetether.storage.store import Store

async def main():
    name, left, refused = sys.argv[2], int(sys.argv[3]), 0
    async with Store(Path(sys.argv[1]), disk := Disk()) as store:
        while left:
            try:
                journal = await store.open("s1")
            except SessionLocked as error:
                refused += 1
                assert error.pid is not None or error.message
                await asyncio.sleep(random.uniform(0, 0.005))
                continue
            for _ in range(min(left, random.randint(1, 40))):
                left -= 1
                journal.append(MessageAdded(message=user(f"{name} {left}"), turn=1))
            await journal.close()
    await disk.close()
    print(refused)

asyncio.run(main())
"""


def process(program: str, *given: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, *map(str, given)], stdout=subprocess.PIPE)


async def begun(data: Path) -> None:
    disk = Disk()
    async with Store(data, disk) as store:
        journal = await store.create(SessionStarted(id="s1", directory="/work"))
        await journal.close()
    await disk.close()


async def test_D11_the_second_process_is_refused_at_once_with_the_holders_id_and_free_after_a_kill(
    tmp_path: Path,
) -> None:
    await begun(tmp_path)
    holder = process(HOLDER, tmp_path)
    assert holder.stdout is not None
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        assert await asyncio.to_thread(holder.stdout.readline) == b"open\n"
        waits = []
        for _ in range(20):
            before = time.monotonic()
            with pytest.raises(SessionLocked, match=f"in use by process {holder.pid}") as caught:
                await store.open("s1")
            waits.append(time.monotonic() - before)
            assert caught.value.pid == holder.pid
        assert sorted(waits)[10] < 0.2
        assert (await store.load("s1")).session.id == "s1"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        before = time.monotonic()
        journal = await store.open("s1")
        assert time.monotonic() - before < 1.0
        await journal.close()
    await disk.close()
    holder.stdout.close()


async def test_processes_that_take_turns_lose_nothing(tmp_path: Path) -> None:
    await begun(tmp_path)
    writers = [process(WRITER, tmp_path, f"w{number}", APPENDS) for number in range(PROCESSES)]
    for writer in writers:
        out, _ = await asyncio.to_thread(writer.communicate)
        assert writer.returncode == 0, out
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        items = [item async for item in store.records("s1")]
        journal = await store.open("s1")
        assert journal.repairs == ()
        await journal.close()
    await disk.close()
    assert [item.sequence for item in items] == list(range(1, PROCESSES * APPENDS + 2))
    texts = [item.entry.message.text for item in items if isinstance(item.entry, MessageAdded)]
    for number in range(PROCESSES):
        mine = [int(text.split()[1]) for text in texts if text.startswith(f"w{number} ")]
        assert mine == list(range(APPENDS - 1, -1, -1))


SEARCHER = """
import asyncio, sys
from pathlib import Path
from codetether.models.messages import user
from codetether.models.session import MessageAdded, SessionStarted
from codetether.storage.disk import Disk
from codetether.storage.phrases import Phrases
from codetether.storage.search import Scope
from codetether.storage.store import Store, new_session_id

async def main():
    async with Store(Path(sys.argv[1]), disk := Disk()) as store:
        for _ in range(int(sys.argv[2])):
            found = await store.search(Phrases("hello"), Scope(), limit=1000)
            print(len(found.sessions), len(await store.list()))
            journal = await store.create(SessionStarted(id=new_session_id(), directory="/work"))
            journal.append(MessageAdded(message=user("hello"), turn=1))
            await journal.close()
    await disk.close()

asyncio.run(main())
"""


async def test_processes_that_search_and_write_at_once_share_the_index(tmp_path: Path) -> None:
    count, rounds = (8, 20) if PROCESSES == 8 else (2, 6)
    searchers = [process(SEARCHER, tmp_path, rounds) for _ in range(count)]
    for searcher in searchers:
        out, _ = await asyncio.to_thread(searcher.communicate)
        assert searcher.returncode == 0
        for numbers in zip(*(map(int, line.split()) for line in out.splitlines()), strict=True):
            assert list(numbers) == sorted(numbers)  # what was seen once is seen again
    disk = Disk()
    async with Store(tmp_path, disk) as store:
        found = await store.search(Phrases("hello"), Scope(), limit=1000)
        listed = await store.list()
    await disk.close()
    assert len({each.session_id for each in found.sessions}) == len(listed) == count * rounds
