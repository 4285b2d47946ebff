"""Forks processes that archive a spool until they are killed: a line of JSON in, a process id out."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import codetether_sink_events_s3.archive
from codetether import Secret
from codetether.storage import durable
from codetether_sink_events_s3 import bucket
from codetether_sink_events_s3.settings import EventsS3Settings


class Nobody:
    """No credential sources."""

    async def get(self, provider: str, names: Sequence[str] = ()) -> Secret | None:
        return None


class Mortal:
    """Kills the process before the nth operation on the disk."""

    def __init__(self, dies_at: int) -> None:
        self.left = dies_at

    def __call__(self, operation: str, path: Path) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def live(life: dict[str, Any]) -> None:
    """Looks at the spool until nothing waits."""
    settings = EventsS3Settings(**life["settings"])
    archive = codetether_sink_events_s3.archive.S3Archive(settings, Nobody(), lambda text: say(life["said"], text))
    async with archive:
        while True:
            report = await archive.archive(Path(life["spool"]), lambda progress: None)
            if not report.waiting and not report.busy:
                return
            await asyncio.sleep(0.02)


def say(path: str, text: str) -> None:
    with Path(path).open("a") as file:
        file.write(text + "\n")


def child(life: dict[str, Any]) -> None:
    bucket.PAUSE_FIRST = 0.01
    if life["dies_at"]:
        durable.failpoint = Mortal(life["dies_at"])
    try:
        asyncio.run(live(life))
    except BaseException as error:
        say(life["said"], f"ALARM: {error!r}")
        os._exit(1)
    os._exit(0)


def prepare() -> None:
    """Loads what every life will need; starts no thread."""
    settings = EventsS3Settings(bucket="none", endpoint="http://127.0.0.1:9", access_key="a", secret_key="b")
    bucket.Bucket(settings, {"aws_access_key_id": "a", "aws_secret_access_key": "b"}).close()


def main() -> None:
    """Until the input ends: `{…a life…}` -> its process id; `{"wait": pid}` -> its status."""
    prepare()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitpid(order["wait"], 0)[1], flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            child(order)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
