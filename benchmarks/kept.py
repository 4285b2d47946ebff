"""What the store takes for listing, resuming and searching when there is much of it."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from codetether.models.messages import Message, TextPart, ToolCallPart, ToolResultPart, user
from codetether.models.session import JournalEntry, JournalRecord, MessageAdded, SessionStarted, ToolCompleted
from codetether.storage.lines import encode
from codetether.storage.store import bucket_of, new_session_id

from benchmarks.children import Command, in_turn, printed
from benchmarks.figures import Figure, Judged
from benchmarks.yardsticks import Yardsticks

SESSIONS, MESSAGES, LONG = 10_000, 8, 10_000
BARS: dict[str, tuple[str, float, Judged]] = {
    "list": (f"list all of {SESSIONS} sessions", 4, "ratio"),
    "resume": (f"resume {LONG} messages", 6, "ratio"),
    "last": (f"the last 200 of {LONG} messages", 5, "value"),
    "search": (f"search {SESSIONS} sessions", 100, "value"),
    "scoped": (f"search {SESSIONS} sessions, one directory", 100, "value"),
}
"""Milliseconds; or how many times what SQLite and the parser of JSON take alone, 25 ms each where nothing else runs, so
that 100 and 150 ms are held there."""


def kept(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """Each in a process of its own, with the index made and the file cache warm."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "data")
        long_one, word = _fill(data / "sessions")
        command = Command(("-m", "benchmarks.kept_loop", str(data), long_one, word))
        printed(command)  # makes the index
        said = [json.loads(line) for (line,) in in_turn(rounds, lambda: printed(command))]
        for key, (name, bar, judged) in BARS.items():
            yield Figure(
                name=name,
                unit="ms CPU",
                ours=[each["ours"][key] for each in said],
                floor=[each["floors"][key] for each in said] if key in said[0]["floors"] else (),
                bar=bar,
                judged=judged,
                command=command,
            )


def _fill(sessions: Path) -> tuple[str, str]:
    """Sessions of some messages each, in fifty directories, and a long one; its id, and a word that is quite common."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(4, 9))) for _ in range(20_000)]
    weights = [1 / (n + 5) for n in range(len(words))]
    stock = chance.choices(words, weights, k=1_000_000)
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def text(count: int) -> str:
        place = chance.randrange(len(stock) - count)
        return " ".join(stock[place : place + count])

    def said(number: int) -> JournalEntry:
        match number % 4:
            case 0:
                return MessageAdded(message=user(text(30)), turn=1 + number // 4)
            case 2:
                result = ToolResultPart(
                    tool_call_id=f"c{number - 1}", name="bash", content=(TextPart(text=text(150)),), success=True
                )
                return ToolCompleted(result=result, turn=1 + number // 4, step=1)
            case _:
                call = ToolCallPart(id=f"c{number}", name="bash", arguments=f'{{"command":"ls {text(3)}"}}')
                parts = (TextPart(text=text(60)), call) if number % 4 == 1 else (TextPart(text=text(60)),)
                message = Message(role="assistant", provider="acme", model="m", parts=parts)
                return MessageAdded(message=message, turn=1 + number // 4, step=1)

    long_one = new_session_id()
    for place in range(SESSIONS):
        session_id = long_one if place == 0 else new_session_id()
        started = SessionStarted(id=session_id, directory=f"/w/{place % 50}")
        entries = [started, *map(said, range(LONG if place == 0 else MESSAGES))]
        directory = sessions / bucket_of(session_id) / session_id
        directory.mkdir(parents=True, mode=0o700)
        records = (
            JournalRecord(sequence=n, recorded_at=start + timedelta(minutes=place, milliseconds=n), entry=entry)
            for n, entry in enumerate(entries, 1)
        )
        (directory / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    return long_one, words[40]
