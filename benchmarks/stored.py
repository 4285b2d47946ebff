"""What ten thousand stored sessions cost a listing and a continuation."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
from codetether.models.session import SessionStarted
from codetether.storage.lines import Reader, encode
from codetether.storage.store import bucket_of, new_session_id

from benchmarks.children import Command, cost, in_turn, printed
from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks

SESSIONS = 10_000


def stored(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """`sessions list` and `run -c`, with many sessions and with one."""
    with tempfile.TemporaryDirectory() as scratch:
        one, many = Path(scratch, "one"), Path(scratch, "many")
        asked = ("run", "-m", "openai/fake", "hello")
        for home in (one, many):
            printed(_command(yardsticks, home, *asked))
        multiply(many / "data" / "sessions", SESSIONS - 1)
        cases = (
            ("list 20", ("sessions", "list", "-n", "20"), 20),
            ("list all", ("sessions", "list", "--own"), 100),
            ("continue", ("run", "-c", *asked[1:]), 20),
        )
        for name, arguments, bar in cases:
            ours, floor = (_command(yardsticks, home, *arguments) for home in (many, one))
            pairs = in_turn(rounds, partial(cost, ours), partial(cost, floor))
            yield Figure(
                name=f"{name}, {SESSIONS} sessions and 1",
                unit="ms CPU",
                ours=[own.cpu * 1000 for own, _ in pairs],
                floor=[its.cpu * 1000 for _, its in pairs],
                bar=bar,
                judged="difference",
                command=ours,
            )


def multiply(sessions: Path, count: int) -> None:
    """Copies the one session that is there, under new ids and so that the copies are older than it."""
    journal = next(sessions.glob("*/*/journal.jsonl"))
    data = journal.read_bytes()
    first, rest = next(iter(Reader(data))), data[data.index(b"\n") + 1 :]
    assert isinstance(first.entry, SessionStarted)
    before = journal.stat().st_mtime - 3600
    for _ in range(count):
        session_id = new_session_id()
        directory = sessions / bucket_of(session_id) / session_id
        directory.mkdir(parents=True, mode=0o700)
        copy = directory / journal.name
        copy.write_bytes(encode(attrs.evolve(first, entry=attrs.evolve(first.entry, id=session_id))) + rest)
        os.utime(copy, (before, before))


def _command(yardsticks: Yardsticks, home: Path, *arguments: str) -> Command:
    return Command(("-m", "codetether", *arguments), yardsticks.variables(home, yardsticks.url("s0-t3")))
