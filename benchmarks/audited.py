"""What an entry of the audit log costs, and what proving a log costs."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import orjson
from codetether import derived_key
from codetether.record.redact import Redactor
from codetether.record.trail import AuditTrail
from codetether_sink_audit_jsonl import plugin
from codetether_sink_audit_jsonl.chain import Chain
from codetether_sink_audit_jsonl.log import AuditLog
from codetether_sink_audit_jsonl.settings import AuditJsonlSettings
from codetether_sink_audit_jsonl.verify import verify

from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks

KEY = os.urandom(32)
RECORDS = 100_000
DETAIL = {"output_len": 1234}
ENTRY = {
    "id": "0" * 32,
    "timestamp": "2026-03-01T12:00:00.000001Z",
    "category": "tool_execution",
    "action": "tool:bash",
    "outcome": "success",
    "principal": "someone@somewhere",
    "session_id": "01jzzzzzzzzzzzzzzzzzzzzzzz",
    "turn": 3,
    "call_id": "call_1",
    "decision": "allow",
    "rule": "--allow bash",
    "duration_ms": 12.5,
    "detail": DETAIL,
}


def audit(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """Entries without and with fsync beside a plain chain of JSON; a log of 100,000 beside the MACs alone."""
    yield _entries("without fsync", "second", 3000, rounds, 15.0)
    yield _entries("with fsync", "always", 60, rounds, 2.0)
    yield _proof(rounds)


def _entries(name: str, fsync: Literal["second", "always"], count: int, rounds: int, bar: float) -> Figure:
    ours, floor = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            ours.append(asyncio.run(_recorded(Path(place), fsync, count)) / count * 1e6)
            floor.append(_plain(Path(place, "plain"), fsync == "always", count) / count * 1e6)
    return Figure(
        name=f"audit entry {name}", unit="us" if fsync == "always" else "us CPU", ours=ours, floor=floor, bar=bar
    )


async def _recorded(place: Path, fsync: Literal["second", "always"], count: int) -> float:
    clock = time.perf_counter if fsync == "always" else time.process_time
    async with AuditLog(AuditJsonlSettings(fsync=fsync), lambda: place, print) as log:
        (spec,) = plugin.codetether_audit_sinks()
        trail = AuditTrail([("audit-jsonl", spec, log)], Redactor(), "someone@somewhere", print)
        began = clock()
        for number in range(count):
            await trail.record(
                "tool_execution",
                "tool:bash",
                "success",
                session_id="01jzzzzzzzzzzzzzzzzzzzzzzz",
                turn=3,
                call_id=str(number),
                decision="allow",
                rule="--allow bash",
                duration_ms=12.5,
                detail=DETAIL,
            )
        took = clock() - began
        await trail.close()
    return took


def _plain(path: Path, sync: bool, count: int) -> float:
    """The same as a loop: JSON, MAC, write, and a sync where there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    before = ""
    clock = time.perf_counter if sync else time.process_time
    began = clock()
    for number in range(count):
        data = orjson.dumps({**ENTRY, "call_id": str(number), "prev": before})
        before = hmac.digest(KEY, data, hashlib.sha256).hex()
        os.write(descriptor, data + before.encode() + b"\n")
        if sync:
            os.fdatasync(descriptor)
    took = clock() - began
    os.close(descriptor)
    return took


def _proof(rounds: int) -> Figure:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        log, anchors = place / "audit.jsonl", place / "audit.anchors"
        line = orjson.dumps(ENTRY) + b"\n"
        lines = Chain(derived_key(KEY, "chain"), tuple).link(line * RECORDS, b"")
        log.write_bytes(lines)
        anchor = {"at": "2026-03-01T12:00:00Z", "records": 0, "head": "0" * 64}
        anchors.write_bytes(Chain(derived_key(KEY, "anchor"), tuple).link(orjson.dumps(anchor) + b"\n", b""))
        ours, floor = [], []
        for _ in range(rounds):
            began = time.process_time()
            found = verify(log, [KEY], anchors)
            ours.append(time.process_time() - began)
            assert (found.bad, found.records) == (None, RECORDS), found
            floor.append(_macs(log))
    return Figure(name=f"audit verify, {RECORDS} records", unit="s CPU", ours=ours, floor=floor, bar=4.0)


def _macs(log: Path) -> float:
    began = time.process_time()
    with log.open("rb") as file:
        for line in file:
            hmac.digest(KEY, line, hashlib.sha256).hex()
    return time.process_time() - began
