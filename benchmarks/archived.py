"""Writes events or archives files, as codetether does or plainly, and prints what it cost as JSON. Run as a child."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from codetether import EventRecord, Secret, ToolCallComplete, ToolCallStart

EVENTS = 20_000
FILES, FILE_BYTES = 6, 8 << 20
TEXT = "a line of what some tool has said, as they do\n" * 10


def record(number: int) -> EventRecord:
    """A call's start, or its result."""
    call = f"call_{number // 2}"
    event = (
        ToolCallComplete(call_id=call, name="bash", output=TEXT, success=True, duration_ms=12.5)
        if number % 2
        else ToolCallStart(call_id=call, name="bash", arguments='{"command":"make check"}')
    )
    return EventRecord(
        sequence=number + 1,
        part=0,
        recorded_at=datetime.now(UTC),
        session_id="01m7zxyq6nq5p4f7y2c0b9d8ee",
        directory="/home/somebody/project",
        agent="build",
        turn=1,
        step=number // 2 + 1,
        event=event,
    )


async def events(directory: Path) -> None:
    """The sink events-jsonl, given events as fast as it takes them."""
    from codetether_sink_events_jsonl.settings import EventsJsonlSettings
    from codetether_sink_events_jsonl.stream import EventStream

    made = [record(number) for number in range(EVENTS)]
    began = meter()
    async with EventStream(directory / "s", EventsJsonlSettings(path=directory), print) as stream:
        await stream.cursor()
        for number, event in enumerate(made):
            stream.write(event)
            if number % 200 == 199:
                await stream.flush()
    tell(began)


async def events_plainly(directory: Path) -> None:
    """The same lines from plain dictionaries, each written as it comes; synced as often."""
    made = [record(number) for number in range(EVENTS)]
    began = meter()
    with (directory / "lines").open("ab", buffering=0) as file:
        for number, event in enumerate(made):
            inner: Any = event.event
            line = {
                "recorded_at": event.recorded_at,
                "workspace": event.directory,
                "session_id": event.session_id,
                "role": "tool" if number % 2 else "assistant",
                "message_type": "tool_result" if number % 2 else "tool_call",
                "sequence": event.sequence,
                "agent_name": event.agent,
                "content": inner.output if number % 2 else inner.arguments,
                "tool_name": inner.name,
                "tool_call_id": inner.call_id,
                "turn": event.turn,
                "step": event.step,
            }
            file.write(orjson.dumps(line) + b"\n")
            if number % 200 == 199:
                os.fdatasync(file.fileno())
    tell(began)


class Nobody:
    """No credential sources."""

    async def get(self, provider: str, names: Sequence[str] = ()) -> Secret | None:
        """None."""
        return None


async def archive(directory: Path) -> None:
    """The archive events-s3, from its first question on."""
    from codetether_sink_events_s3.archive import S3Archive
    from codetether_sink_events_s3.settings import EventsS3Settings

    settings = EventsS3Settings(**json.loads(os.environ["BENCH_BUCKET"]))
    async with S3Archive(settings, Nobody(), print) as made:
        fill(directory, "a", 1, 1000)
        await made.archive(directory, lambda progress: None)  # boto3 is loaded, and the store's abilities are known
        fill(directory, "b", FILES, FILE_BYTES)
        began = meter()
        report = await made.archive(directory, lambda progress: None)
        tell(began)
    if report.waiting:
        raise RuntimeError(report.problem)


async def archive_plainly(directory: Path) -> None:
    """boto3 with nothing around it."""
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    where = json.loads(os.environ["BENCH_BUCKET"])
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=where["endpoint"],
        region_name="us-east-1",
        aws_access_key_id=where["access_key"],
        aws_secret_access_key=where["secret_key"],
        config=Config(s3={"addressing_style": "path"}),
    )
    fill(directory, "a", 1, 1000)
    client.put_object(Bucket=where["bucket"], Key=f"{where['prefix']}first", Body=b"first")
    fill(directory, "b", FILES, FILE_BYTES)
    began = meter()
    for path in sorted(directory.glob("b/*.jsonl")):
        key = f"{where['prefix']}{path.parent.name}/{path.name}"
        client.put_object(Bucket=where["bucket"], Key=key, Body=path.read_bytes())
    tell(began)
    client.close()


def fill(spool: Path, session: str, files: int, size: int) -> None:
    """So many sealed files of random bytes."""
    (spool / session).mkdir(parents=True)
    for number in range(files):
        name = f"20260102T030405Z-chat-events-{number * size:020}-{(number + 1) * size:020}.jsonl"
        (spool / session / name).write_bytes(os.urandom(size))


def meter() -> tuple[float, float]:
    """The clock and the CPU that was used so far."""
    return time.perf_counter(), time.process_time()


def tell(began: tuple[float, float]) -> None:
    """Prints what it cost since then."""
    print(json.dumps({"wall_s": time.perf_counter() - began[0], "cpu_s": time.process_time() - began[1]}))


def main() -> None:
    """`events`, `events-plainly`, `archive DIRECTORY` or `archive-plainly DIRECTORY`."""
    run: Callable[[Path], Any] = globals()[sys.argv[1].replace("-", "_")]
    if len(sys.argv) > 2:
        asyncio.run(run(Path(sys.argv[2])))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            asyncio.run(run(Path(scratch)))


if __name__ == "__main__":
    main()
