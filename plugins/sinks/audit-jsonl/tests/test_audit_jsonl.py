"""The audit log holds every entry that was acknowledged, a line each, whatever fails or dies."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from codetether import AuditEntry, AuditFailed, AuditSinkSpec, from_json
from codetether.record.redact import Redactor
from codetether.record.sinks import AuditTrail
from codetether.settings.settings import load_settings
from codetether.storage import durable
from codetether_sink_audit_jsonl import log, plugin
from codetether_sink_audit_jsonl.log import AuditLog
from codetether_sink_audit_jsonl.settings import AuditJsonlSettings
from hypothesis import given, settings
from hypothesis import strategies as st


class Desk:
    """An audit trail with the log as its only, required sink."""

    def __init__(self, audit_log: AuditLog, said: list[str], state: Path) -> None:
        spec = evolve(next(iter(plugin.codetether_audit_sinks())), required=True)
        self.said = said
        self.file = state / "audit.jsonl"
        self.trail = AuditTrail([("audit-jsonl", spec, audit_log)], Redactor(), "me@here", said.append)

    async def call(self, number: int = 0, **detail: Any) -> None:
        """A tool call: its intent and its outcome."""
        await self.trail.record("tool_execution", "tool:bash", "intent", session_id="s", turn=1, call_id=f"c{number}")
        await self.trail.record(
            "tool_execution",
            "tool:bash",
            "success",
            session_id="s",
            turn=1,
            call_id=f"c{number}",
            decision="allow",
            rule="--allow bash",
            duration_ms=1.5,
            detail=detail,
        )


@asynccontextmanager
async def desk(state: Path, **settings: Any) -> AsyncIterator[Desk]:
    said: list[str] = []
    async with AuditLog(AuditJsonlSettings(**settings), lambda: state, said.append) as audit_log:
        made = Desk(audit_log, said, state)
        yield made
        await made.trail.close()


def entries(file: Path) -> list[AuditEntry]:
    """All entries, the full files first."""
    files = [*sorted(file.parent.glob(f"{file.stem}-*{file.suffix}")), file]
    return [from_json(line, AuditEntry) for path in files if path.exists() for line in path.read_bytes().splitlines()]


def calls(file: Path) -> list[tuple[str, str | None]]:
    return [(e.outcome, e.call_id) for e in entries(file)]


@pytest.fixture
def failing() -> Iterator[Callable[[Callable[[str], bool]], None]]:
    """Lets operations fail with ENOSPC as long as a test of their name says so."""

    def arrange(wanted: Callable[[str], bool]) -> None:
        def reached(operation: str, path: Path) -> None:
            if wanted(operation):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        durable.failpoint = reached

    yield arrange
    durable.failpoint = None


async def test_a_call_leaves_an_intent_and_an_outcome(tmp_path: Path) -> None:
    async with desk(tmp_path / "state") as d:
        await d.call(7, output_len=3)
    assert d.said == []
    found = [json.loads(line) for line in d.file.read_bytes().splitlines()]
    assert [len(e.pop("id")) for e in found] == [32, 32]
    first, second = [(e.pop("seq"), e.pop("prev"), e.pop("mac")) for e in found]
    assert (first[:2], second[:2]) == ((1, "0" * 64), (2, first[2]))
    assert all(e.pop("timestamp").endswith("Z") for e in found)
    who = {"principal": "me@here", "session_id": "s", "turn": 1, "call_id": "c7"}
    assert found == [
        {"category": "tool_execution", "action": "tool:bash", "outcome": "intent", **who},
        {
            "category": "tool_execution",
            "action": "tool:bash",
            "outcome": "success",
            **who,
            "decision": "allow",
            "rule": "--allow bash",
            "duration_ms": 1.5,
            "detail": {"output_len": 3},
        },
    ]
    assert d.file.stat().st_mode & 0o777 == 0o600
    assert d.file.parent.stat().st_mode & 0o777 == 0o700


async def test_an_entry_is_in_the_file_when_it_is_acknowledged(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        for number in range(20):
            await d.call(number)
            assert d.file.read_bytes().count(b"\n") == 2 * number + 2


async def test_full_files_are_kept_and_numbered(tmp_path: Path) -> None:
    path = tmp_path / "log" / "site.audit.log"
    async with desk(tmp_path, path=path, max_entries=3) as d:
        for number in range(4):
            await d.call(number)
    assert calls(path) == [(outcome, f"c{n}") for n in range(4) for outcome in ("intent", "success")]
    names = sorted(p.name for p in path.parent.iterdir())
    ends = [sum((path.parent / name).stat().st_size for name in names[: n + 1]) for n in range(2)]
    assert names == [
        f"site.audit-{0:020}-{ends[0]:020}.log",
        f"site.audit-{ends[0]:020}-{ends[1]:020}.log",
        "site.audit.log",
    ]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (lambda path: path.symlink_to("elsewhere"), "symbolic link"),
    ],
    ids=["fifo", "directory", "link"],
)
async def test_D02_a_path_that_is_no_file_is_a_clear_error_in_time(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    path = tmp_path / "audit.jsonl"
    make(path)
    begun = time.monotonic()
    async with desk(tmp_path, path=path) as d:
        with pytest.raises(AuditFailed, match=rf"{path}.*{why}"):
            await d.call()
    assert time.monotonic() - begun < 2


async def test_D02_a_disk_that_hangs_fails_in_time_and_holds_up_nothing_else(
    tmp_path: Path, failing: Callable[[Callable[[str], bool]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = True

    def hang(operation: str) -> bool:
        while hanging:
            time.sleep(0.01)
        return False

    failing(hang)
    for room in ("book", "trail"):
        monkeypatch.setattr(f"codetether.record.{room}.LIMIT", 0.2)
    monkeypatch.setattr(log, "CLOSE_LIMIT", 0.2)
    begun = time.monotonic()
    async with desk(tmp_path) as d:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        alive = asyncio.create_task(tick())
        with pytest.raises(AuditFailed, match=r"did not answer within 0.2 s"):
            await d.call()
        alive.cancel()
        assert ticks > 5
    assert time.monotonic() - begun < 2
    assert d.said[-1] == "the audit log was not closed: the disk did not answer within 0.2 s"
    hanging = False


async def test_D04_odd_values_are_one_line_each(tmp_path: Path) -> None:
    odd = ["a\nb", "\ud800", "\0", "x" * 10_000_000, float("nan"), "\u2028", 10**400, b"raw", {"\n": ["\r"]}]
    async with desk(tmp_path) as d:
        for number, value in enumerate(odd):
            await d.call(number, error=value)
    lines = d.file.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == 2 * len(odd)
    assert max(map(len, lines)) < 5000
    assert calls(d.file) == [(outcome, f"c{n}") for n in range(len(odd)) for outcome in ("intent", "success")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(details=st.lists(st.dictionaries(st.text(st.characters()), json_values), max_size=8), per_file=st.integers(1, 5))
@settings(max_examples=10, deadline=None)
def test_any_detail_is_one_line_that_can_be_read_again(details: list[dict[str, Any]], per_file: int) -> None:
    async def life(state: Path) -> list[tuple[str, str | None]]:
        async with desk(state, max_entries=per_file) as d:
            for number, detail in enumerate(details):
                await d.call(number, odd=detail)
        assert d.said == []
        return calls(d.file)

    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(life(Path(name)))
    assert found == [(outcome, f"c{n}") for n in range(len(details)) for outcome in ("intent", "success")]


async def test_D06_the_order_is_that_of_the_file_when_the_clock_jumps(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.call(1)
    later = tmp_path / "audit.jsonl"
    later.write_bytes(later.read_bytes().replace(b'"timestamp":"2', b'"timestamp":"9'))
    async with desk(tmp_path) as d:
        await d.call(2)
    assert [e.call_id for e in entries(d.file)] == ["c1", "c1", "c2", "c2"]


async def test_D09_a_full_disk_in_mid_record_fuses_no_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path) as d:
        await d.call(1)
        write, full = os.write, True

        def short(descriptor: int, data: bytes) -> int:
            if not full or not data.startswith((b'{"id"', b'","')):
                return write(descriptor, data)
            if len(data) > 40:
                return write(descriptor, data[:40])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def fail_rest(descriptor: int, data: bytes) -> int:
            if full and b'"category"' in data and not data.startswith(b'{"id"'):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return short(descriptor, data)

        monkeypatch.setattr(os, "write", fail_rest)
        with pytest.raises(AuditFailed, match=r"No space left on device. Free some space"):
            await d.call(2)
        full = False
        await d.call(3)
    assert [c for _, c in calls(d.file)] == ["c1", "c1", "c3", "c3"]
    assert len(d.said) == 2
    assert d.said[1].endswith("works again; 1 audit entries did not reach it")


@pytest.mark.parametrize("fsync", ["second", "always"])
async def test_every_operation_fails_for_a_while_and_all_is_well_after(
    tmp_path: Path, failing: Callable[[Callable[[str], bool]], None], fsync: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the n-th operation on every one fails, for each n: one message, and everything works once they do."""
    monkeypatch.setattr(durable, "_flush", lambda descriptor: None)  # waiting for the disk would take most of the time
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    at, seen, down = 0, 0, True

    def wanted(operation: str) -> bool:
        nonlocal seen
        seen += 1
        return down and seen >= at

    failing(wanted)
    for at in range(1, 60):
        seen, down = 0, True
        state = tmp_path / str(at)
        async with desk(state, max_entries=2, fsync=fsync) as d:
            recorded, errors = [], []
            for number in range(9):
                down = number < 5
                try:
                    await d.trail.record("tool_execution", "tool:x", "intent", call_id=f"c{number}")
                    recorded.append(f"c{number}")
                except AuditFailed as error:
                    errors.append(str(error))
        found = [e.call_id for e in entries(d.file)]
        assert len(set(found)) == len(found)
        assert [c for c in found if c in recorded] == recorded
        assert found == recorded or fsync == "always"  # an intent that was written and not synced may stand there
        assert recorded[-4:] == ["c5", "c6", "c7", "c8"]
        assert [e for e in errors if str(state) not in e or "No space left" not in e] == []
        assert len([text for text in d.said if " fails: " in text]) == (1 if errors else 0)
        if not d.said:
            break
    else:
        raise AssertionError("the operations never ended")


@pytest.mark.parametrize(("fsync", "syncs"), [("second", 0), ("intents", 5), ("always", 10)])
async def test_when_an_entry_is_safe_from_power_loss(
    tmp_path: Path, failing: Callable[[Callable[[str], bool]], None], fsync: str, syncs: int
) -> None:
    async with desk(tmp_path, fsync=fsync) as d:
        await d.call()
        seen: list[str] = []

        def watch(operation: str) -> bool:
            seen.append(operation)
            return False

        failing(watch)
        for number in range(5):
            await d.call(number)
        assert seen.count("fsync") <= syncs + 1
        assert seen.count("fsync") >= syncs
        await asyncio.sleep(1.1)
        assert seen[-1] == "fsync"


PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from codetether import AuditSinkSpec
    from codetether.record.redact import Redactor
    from codetether.record.sinks import AuditTrail
    from codetether_sink_audit_jsonl.log import AuditLog
    from codetether_sink_audit_jsonl.settings import AuditJsonlSettings

    async def main(path, name, count):
        settings = AuditJsonlSettings(path=Path(path), max_entries=150)
        async with AuditLog(settings, lambda: Path(path).parent / "state", print) as log:
            spec = AuditSinkSpec(name="audit-jsonl", create=lambda ctx: log, required=True)
            trail = AuditTrail([("p", spec, log)], Redactor(), name, print)
            for number in range(int(count)):
                await trail.record("tool_execution", "tool:x", "intent", call_id=str(number))
                print(number, flush=True)

    asyncio.run(main(*sys.argv[1:]))
    """
)


def program(path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), name, str(count)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def of(name: str, file: Path) -> list[str | None]:
    return [e.call_id for e in entries(file) if e.principal == name]


def test_two_programs_write_one_log_and_a_killed_one_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    killed, other = program(file, "killed", 100_000), program(file, "other", 600)
    assert killed.stdout is not None
    for _ in range(200):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    acknowledged = 200 + len(killed.communicate()[0].splitlines())
    said, _ = other.communicate(timeout=60)
    assert (other.returncode, said.splitlines()[-1]) == (0, b"599")
    assert of("other", file) == [str(n) for n in range(600)]
    written = of("killed", file)
    assert written == [str(n) for n in range(len(written))]
    assert len(written) >= acknowledged


def test_the_settings_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    environment = {
        "CODETETHER_HOME": str(tmp_path),
        "CODETETHER_AUDIT_LOG_PATH": "/a/b",
        "CODETETHER_AUDIT_MAX_ENTRIES": "7",
    }
    made = load_settings(tmp_path, environment=environment).plugin("audit-jsonl", AuditJsonlSettings)
    assert made == AuditJsonlSettings(path=Path("/a/b"), max_entries=7)
    overrides = {"plugins": {"audit-jsonl": {"fsync": "always", "max_bytes": 2048}}}
    made = load_settings(tmp_path, environment={"CODETETHER_HOME": str(tmp_path)}, overrides=overrides).plugin(
        "audit-jsonl", AuditJsonlSettings
    )
    assert made == AuditJsonlSettings(fsync="always", max_bytes=2048)


def test_the_spec_makes_a_log_that_is_not_required_by_itself() -> None:
    (spec,) = plugin.codetether_audit_sinks()
    assert isinstance(spec, AuditSinkSpec)
    assert (spec.name, spec.required) == ("audit-jsonl", False)
