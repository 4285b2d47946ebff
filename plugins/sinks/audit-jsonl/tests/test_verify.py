"""What `codetether audit verify` finds: every change of a log, by its first bad record."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import evolve
from codetether import AuditEntry, AuditFailed, SegmentLimits, Segments, derived_key, from_json, to_json
from codetether.record.redact import Redactor
from codetether.record.sinks import AuditTrail
from codetether.storage import durable
from codetether_sink_audit_jsonl import plugin
from codetether_sink_audit_jsonl.anchors import Anchors
from codetether_sink_audit_jsonl.chain import GENESIS, Chain, link_of
from codetether_sink_audit_jsonl.files import files_of
from codetether_sink_audit_jsonl.log import AuditLog
from codetether_sink_audit_jsonl.settings import AuditJsonlSettings
from codetether_sink_audit_jsonl.verify import Bad, Verdict, verify
from hypothesis import given, settings
from hypothesis import strategies as st

PROOF = bool(os.environ.get("CODETETHER_PROOF"))
TAMPERINGS = 10_000 if PROOF else 250
RECORDS, PER_FILE = 130, 40


def write(state: Path, count: int, first: int = 0, **own: Any) -> list[str]:
    """A run that records so many entries; what was said."""
    said: list[str] = []

    async def run() -> None:
        async with AuditLog(AuditJsonlSettings(**own), lambda: state, said.append) as log:
            (spec,) = plugin.codetether_audit_sinks()
            trail = AuditTrail([("audit-jsonl", spec, log)], Redactor(), "me@here", said.append)
            for number in range(first, first + count):
                await trail.record("tool_execution", f"tool:t{number}", "intent", detail={"x": "y" * (number % 7)})
            await trail.close()

    asyncio.run(run())
    return said


def look(state: Path, *witnesses: Path) -> Verdict:
    log = state / "audit.jsonl"
    keys = [bytes.fromhex((state / "audit.key").read_text())]
    return verify(log, keys, state / "audit.anchors", witnesses)


def content(state: Path) -> list[tuple[Path, int, bytes]]:
    """Every line of the log, with its place."""
    return [
        (file.path, number, line)
        for file in files_of(state / "audit.jsonl")
        for number, line in enumerate(file.path.read_bytes().splitlines(keepends=True), 1)
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of two runs over several files."""
    state = tmp_path_factory.mktemp("audit") / "state"
    write(state, RECORDS - 30, max_entries=PER_FILE)
    write(state, 30, first=RECORDS - 30, max_entries=PER_FILE)
    return state


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "copy")


def test_a_log_that_nobody_touched_is_whole(whole: Path) -> None:
    assert look(whole) == Verdict(records=RECORDS)
    entries = [from_json(line, AuditEntry) for _, _, line in content(whole)]
    assert [e.action for e in entries] == [f"tool:t{n}" for n in range(RECORDS)]
    assert len(files_of(whole / "audit.jsonl")) == 4


# -- one tampering of each kind, at a place that chance chooses

Tampering = Callable[[Path, random.Random], None]


def _flip(state: Path, chance: random.Random) -> None:
    path = chance.choice(files_of(state / "audit.jsonl")).path
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _insert_bytes(state: Path, chance: random.Random) -> None:
    path = chance.choice(files_of(state / "audit.jsonl")).path
    data, some = path.read_bytes(), chance.randbytes(chance.randint(1, 20))
    at = chance.randrange(len(data))
    path.write_bytes(data[:at] + some + data[at:])


def _cut_bytes(state: Path, chance: random.Random) -> None:
    path = chance.choice(files_of(state / "audit.jsonl")).path
    data = path.read_bytes()
    at = chance.randrange(len(data))
    path.write_bytes(data[:at] + data[at + chance.randint(1, 300) :])


def _lines(change: Callable[[list[bytes], random.Random], None]) -> Tampering:
    def tamper(state: Path, chance: random.Random) -> None:
        path = chance.choice(files_of(state / "audit.jsonl")).path
        lines = path.read_bytes().splitlines(keepends=True)
        change(lines, chance)
        path.write_bytes(b"".join(lines))

    return tamper


def _delete(lines: list[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(lines))
    del lines[at : at + chance.randint(1, 5)]


def _swap(lines: list[bytes], chance: random.Random) -> None:
    one, two = chance.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]


def _repeat(lines: list[bytes], chance: random.Random) -> None:
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))


def _edit(lines: list[bytes], chance: random.Random) -> None:
    """An entry is changed as one who does not have the key can change it: it stays JSON."""
    at = chance.randrange(len(lines))
    entry = json.loads(lines[at])
    entry[chance.choice(["action", "outcome", "principal", "timestamp", "seq", "prev", "mac", "detail"])] = "other"
    lines[at] = json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _forge(lines: list[bytes], chance: random.Random) -> None:
    """Everything from some record on is written anew, with another key and a chain that is right by itself."""
    at = chance.randrange(len(lines))
    chain, last = Chain(derived_key(chance.randbytes(32), "chain"), tuple), lines[at - 1][:-1] if at else b""
    for number in range(at, len(lines)):
        entry = json.loads(lines[number])
        made = {**{k: v for k, v in entry.items() if k not in ("seq", "prev", "mac")}, "principal": "nobody"}
        lines[number] = chain.link(json.dumps(made).encode() + b"\n", last)
        last = lines[number][:-1]


def _cut_tail(state: Path, chance: random.Random) -> None:
    path = state / "audit.jsonl"
    path.write_bytes(path.read_bytes()[: -chance.randint(1, path.stat().st_size)])


def _cut_tail_by_lines(state: Path, chance: random.Random) -> None:
    path = state / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: -chance.randint(1, len(lines))]))


def _remove_file(state: Path, chance: random.Random) -> None:
    chance.choice(files_of(state / "audit.jsonl")).path.unlink()


def _remove_newest_files(state: Path, chance: random.Random) -> None:
    for file in files_of(state / "audit.jsonl")[chance.randrange(4) :]:
        file.path.unlink()


def _swap_files(state: Path, chance: random.Random) -> None:
    one, two = (file.path for file in chance.sample(files_of(state / "audit.jsonl"), 2))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def _rename_file(state: Path, chance: random.Random) -> None:
    full = [file for file in files_of(state / "audit.jsonl") if file.end is not None]
    file = chance.choice(full)
    first, end = chance.choice([(file.first, (file.end or 0) + 1), (1 + (file.first or 0), file.end)])
    file.path.rename(state / f"audit-{first:020}-{end:020}.jsonl")


def _roll_back(state: Path, chance: random.Random) -> None:
    """An older copy of the log, whole in itself: its newest lines are gone, over files and all."""
    lines = content(state)
    gone = chance.randint(1, len(lines) - 1)
    for path, _, _ in lines[-gone:]:
        path.unlink(missing_ok=True)
    path, number, _ = lines[-gone]
    (state / "audit.jsonl").write_bytes(b"".join(x[2] for x in lines[:-gone] if x[0] == path and x[1] < number))


TAMPERINGS_BY_KIND: list[Tampering] = [
    _flip,
    _insert_bytes,
    _cut_bytes,
    _lines(_delete),
    _lines(_swap),
    _lines(_repeat),
    _lines(_edit),
    _lines(_forge),
    _cut_tail,
    _cut_tail_by_lines,
    _remove_file,
    _remove_newest_files,
    _swap_files,
    _rename_file,
    _roll_back,
]


def test_D01_every_tampering_is_found_and_the_record_named(whole: Path, tmp_path: Path) -> None:
    """Some hundreds by default: the records before the first that was touched are proven, and that one is named."""
    was = [line for _, _, line in content(whole)]
    for seed in range(TAMPERINGS):
        chance = random.Random(seed)
        state = shutil.copytree(whole, tmp_path / str(seed))
        chance.choice(TAMPERINGS_BY_KIND)(state, chance)
        now = content(state)
        both = enumerate(zip(was, now, strict=False))
        good = next((n for n, (one, two) in both if one != two[2]), min(len(was), len(now)))
        found = look(state)
        assert found.bad is not None, seed
        assert found.bad.why, seed
        if good == len(was):  # no line is other than it was: a file has another name
            assert found.records <= good, (seed, found)
        elif good < len(now):
            assert (found.records, found.bad.file, found.bad.line) == (good, *now[good][:2]) or (
                found.records <= good and "file" in found.bad.why
            ), (seed, found, good, now[good][:2])
        else:
            assert found.records == good, (seed, found)
            assert "missing" in found.bad.why or "file" in found.bad.why or "log here" in found.bad.why, (seed, found)
        shutil.rmtree(state)


def test_a_first_record_that_lost_its_mac_is_named_itself(copy: Path) -> None:
    first = files_of(copy / "audit.jsonl")[0].path
    data = first.read_bytes()
    first.write_bytes(data.replace(b'"mac":', b'"cam":', 1))
    assert look(copy).bad == Bad(first, 1, "it has no MAC: it was added or changed")


def test_an_older_copy_that_was_written_on_is_found_for_ever(copy: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    write(old, 40)
    kept = (old / "audit.jsonl").read_bytes()
    write(old, 10, first=40)
    (old / "audit.jsonl").write_bytes(kept)
    said = write(old, 200, first=40)
    assert said == ["the audit log ends with record 40, but its anchor says 50: look at codetether audit verify"]
    found = look(old)
    assert found.bad is not None
    assert (found.records, found.bad.line) == (49, 50)
    assert "the log was rewritten or replaced" in found.bad.why


def test_a_log_that_was_removed_and_begun_anew_is_found(copy: Path) -> None:
    for file in files_of(copy / "audit.jsonl"):
        file.path.unlink()
    assert look(copy).bad is not None
    write(copy, 300)
    found = look(copy)
    assert found.bad is not None
    assert "the log was rewritten or replaced" in found.bad.why


@pytest.mark.parametrize("change", ["removed", "emptied", "cut in the middle", "changed", "garbage after it"])
def test_anchors_that_were_tampered_with_are_found(copy: Path, change: str) -> None:
    path = copy / "audit.anchors"
    lines = path.read_bytes().splitlines(keepends=True)
    match change:
        case "removed":
            path.unlink()
        case "emptied":
            path.write_bytes(b"")
        case "cut in the middle":
            path.write_bytes(b"".join(lines[:1] + lines[2:]))
        case "changed":
            path.write_bytes(b"".join(lines).replace(b'"records":100', b'"records":101'))
        case _:
            path.write_bytes(b"".join(lines) + b"x")
    found = look(copy)
    assert found.bad is not None
    assert found.bad.file == path


def test_anchors_that_were_begun_anew_beside_an_old_log_are_found(copy: Path) -> None:
    (copy / "audit.anchors").unlink()
    write(copy, 5, first=RECORDS)
    found = look(copy)
    assert found.bad is not None
    assert found.bad.why == f"the anchors begin with record {RECORDS}: those before it were removed"


def test_what_other_sinks_stored_proves_the_end_where_the_log_and_its_anchors_were_cut(tmp_path: Path) -> None:
    """Log and anchors of an hour ago are put back; an auditor has the anchors that the syslog kept."""
    state, past, syslog = tmp_path / "state", tmp_path / "past", tmp_path / "syslog"

    class Other:
        def record(self, entry: AuditEntry) -> None:
            with syslog.open("a") as file:
                file.write(f"<110>1 - host codetether - - - {to_json(entry).decode()}\n")

    async def run() -> None:
        async with AuditLog(AuditJsonlSettings(), lambda: state, print) as log:
            (spec,) = plugin.codetether_audit_sinks()
            other = evolve(spec, name="other")
            trail = AuditTrail([("p", spec, log), ("q", other, Other())], Redactor(), "me@here", print)
            for number in range(3):
                await trail.record("tool_execution", f"tool:t{number}", "intent")
            await trail.close()

    asyncio.run(run())
    shutil.copytree(state, past)
    asyncio.run(run())
    told = [json.loads(x.partition("- - - ")[2]) for x in syslog.read_text().splitlines() if "audit:anchor" in x]
    assert [(a["category"], a["outcome"], a["detail"]["sink"], a["detail"]["records"]) for a in told] == [
        ("audit", "success", "audit-jsonl", 3),
        ("audit", "success", "audit-jsonl", 6),
    ]
    assert look(state, syslog) == Verdict(records=6)
    assert look(past) == Verdict(records=3)
    found = look(past, syslog)
    assert found.bad is not None
    assert (found.records, found.bad.line) == (3, 4)
    assert found.bad.why == "records 4 to 6 are missing: the anchor in syslog knows of them"
    strange = tmp_path / "strange"
    strange.write_text("nothing of the kind\n")
    assert look(state, strange).bad is not None


# -- what is no tampering


def test_a_log_from_before_the_chain_is_covered_by_its_first_link(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    line = b'{"id":"%032d","timestamp":"2026-01-01T00:00:00Z","category":"x","action":"a","outcome":"success"}'
    old = [line % number for number in range(3)]
    (state / "audit.jsonl").write_bytes(b"\n".join(old) + b"\n")
    write(state, 4)
    assert look(state) == Verdict(records=7)
    assert len([from_json(line, AuditEntry) for _, _, line in content(state)]) == 7
    lines = (state / "audit.jsonl").read_bytes().splitlines(keepends=True)
    for changed in (lines[1:], [lines[1], lines[0], *lines[2:]], [lines[0], *lines[:]]):
        (state / "audit.jsonl").write_bytes(b"".join(changed))
        assert look(state).bad is not None


def test_a_torn_last_line_is_told_from_a_cut_and_noted_when_it_is_mended(copy: Path) -> None:
    with (copy / "audit.jsonl").open("ab") as file:
        file.write(b'{"id":"0123456789abcdef0123456789abcdef","timest')
    found = look(copy)
    assert (found.records, found.bad) == (RECORDS, None)
    assert "an unfinished write of 48 bytes" in found.notes[0]
    assert "was cut off" in write(copy, 1, first=RECORDS)[0]
    assert look(copy) == Verdict(records=RECORDS + 2)
    last = from_json(content(copy)[-1][2], AuditEntry)
    assert (last.category, last.action) == ("audit", "audit:mended")
    assert "an unfinished write of 48 bytes was cut off" in str(last.detail["what"])


def test_entries_that_are_added_while_it_is_read_are_no_fault(whole: Path, copy: Path) -> None:
    running = writer(copy, 1_000_000, "w")
    assert running.stdout is not None
    running.stdout.readline()
    records = 0
    for _ in range(20):
        found = look(copy)
        assert found.bad is None
        assert found.records >= records
        records = found.records
    running.kill()
    running.communicate()
    assert records > RECORDS


def test_a_former_key_still_proves_what_it_wrote(copy: Path) -> None:
    former = bytes.fromhex((copy / "audit.key").read_text())
    (copy / "audit.key").unlink()
    write(copy, 5, first=RECORDS)
    now = bytes.fromhex((copy / "audit.key").read_text())
    log, anchors = copy / "audit.jsonl", copy / "audit.anchors"
    assert verify(log, [now, former], anchors) == Verdict(records=RECORDS + 5)
    assert verify(log, [now], anchors).bad is not None
    assert verify(log, [former], anchors).bad is not None


def test_a_file_that_was_begun_too_long_ago_is_full_for_the_next_run(tmp_path: Path) -> None:
    state = tmp_path / "state"
    write(state, 3, max_seconds=3600)
    write(state, 3, first=3, max_seconds=3600)
    assert len(files_of(state / "audit.jsonl")) == 1
    time.sleep(0.3)
    write(state, 3, first=6, max_seconds=0.2)
    assert [file.path.read_bytes().count(b"\n") for file in files_of(state / "audit.jsonl")] == [6, 3]
    assert look(state) == Verdict(records=9)


def test_D04_odd_entries_are_links_like_any_other(tmp_path: Path) -> None:
    deep: Any = "end"
    for _ in range(5000):
        deep = [deep]
    odd = ["a\nb", "\ud800", "\0", "x" * 10_000_000, float("nan"), "\u2028", 10**400, deep, ',"seq":1,"prev":"']
    odd.append(f',"seq":9,"prev":"{"0" * 64}","mac":"{"0" * 64}"}}')
    state = tmp_path / "state"

    async def run() -> None:
        async with AuditLog(AuditJsonlSettings(), lambda: state, print) as log:
            (spec,) = plugin.codetether_audit_sinks()
            trail = AuditTrail([("audit-jsonl", spec, log)], Redactor(), "me@here", print)
            for value in odd:
                await trail.record(
                    "tool_execution",
                    "tool:x",
                    "success",
                    detail={"odd": value},
                    rule=value[:99] if isinstance(value, str) else None,
                )
            await trail.close()

    asyncio.run(run())
    assert look(state) == Verdict(records=len(odd))
    assert [line for _, _, line in content(state) if len(line) > 10_000] == []


def test_D06_the_clock_may_jump_and_the_order_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        hours: ClassVar = iter([9, 8, 8, 23, 0, 7, 6, 5, 4, 3])

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(2026, 3, 1, next(cls.hours), tzinfo=tz)

    monkeypatch.setattr("codetether.record.trail.datetime", Clock)
    state = tmp_path / "state"
    write(state, 6)
    assert look(state) == Verdict(records=6)
    entries = [from_json(line, AuditEntry) for _, _, line in content(state)]
    assert [(e.action, e.timestamp.hour) for e in entries] == [
        (f"tool:t{n}", hour) for n, hour in enumerate([9, 8, 8, 23, 0, 7])
    ]


# -- processes that die, and many at once

WRITER = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from codetether import AuditSinkSpec
    from codetether.record.redact import Redactor
    from codetether.record.sinks import AuditTrail
    from codetether_sink_audit_jsonl.log import AuditLog
    from codetether_sink_audit_jsonl.settings import AuditJsonlSettings

    async def main(state, count, name):
        settings = AuditJsonlSettings(max_entries=700)
        async with AuditLog(settings, lambda: Path(state), print) as log:
            spec = AuditSinkSpec(name="audit-jsonl", create=lambda ctx: log, required=True)
            trail = AuditTrail([("p", spec, log)], Redactor(), name, print)
            for number in range(int(count)):
                await trail.record("tool_execution", "tool:x", "intent", call_id=str(number))
                if number % 50 == 0:
                    print(number, flush=True)
            await trail.close()

    asyncio.run(main(*sys.argv[1:]))
    """
)


def writer(state: Path, count: int, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(state), str(count), name], stdout=subprocess.PIPE)


def test_D03_two_processes_write_one_chain_without_a_gap(tmp_path: Path) -> None:
    count = 10_000 if PROOF else 1_000
    state = tmp_path / "state"
    both = [writer(state, count, name) for name in "ab"]
    for process in both:
        process.communicate(timeout=300)
    assert [p.returncode for p in both] == [0, 0]
    assert look(state) == Verdict(records=2 * count)
    entries = [from_json(line, AuditEntry) for _, _, line in content(state)]
    for name in "ab":
        assert [e.call_id for e in entries if e.principal == name] == [str(n) for n in range(count)]


def test_a_log_of_processes_that_were_killed_verifies(tmp_path: Path) -> None:
    state, chance = tmp_path / "state", random.Random(5)
    acknowledged = 0
    for _ in range(60 if PROOF else 2):
        pair = [writer(state, 1_000_000, name) for name in "ab"]
        for process in pair:
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(chance.random() * 0.2)
        for process in pair:
            process.send_signal(signal.SIGKILL)
        for process in pair:
            told = process.communicate()[0].split()
            acknowledged += int(told[-1]) if told else 0
        found = look(state)
        assert found.bad is None
        assert found.records >= acknowledged
    write(state, 1)
    assert look(state).bad is None


# -- limits


def test_a_hundred_thousand_records_are_verified_in_about_a_second(tmp_path: Path) -> None:
    key = os.urandom(32)
    (tmp_path / "audit.key").write_text(key.hex())
    body = b'{"id":"%032d","timestamp":"2026-03-01T12:00:00.000001Z","category":"tool_execution","action":"tool:bash",'
    body += b'"outcome":"success","principal":"someone@somewhere","session_id":"01jzzzzzzzzzzzzzzzzzzzzzzz","turn":3,'
    body += b'"call_id":"call_1","decision":"allow","rule":"--allow bash","detail":{"output_len":9}}\n'
    link = Chain(derived_key(key, "chain"), tuple).link
    log = Segments(tmp_path, "audit", open_name="audit.jsonl", limits=SegmentLimits(lines=40_000), link=link)
    anchors = Anchors(tmp_path / "audit.anchors", key)
    anchors.open(None, int)
    for thousand in range(100):
        log.append(b"".join(body % (1000 * thousand + number) for number in range(1000)))
    last = link_of(log.last_line())
    assert last is not None
    anchors.add(last)
    log.close()
    began = time.process_time()
    assert look(tmp_path) == Verdict(records=100_000)
    assert time.process_time() - began < 3


@cache
def _key() -> bytes:
    return os.urandom(32)


def _garbage() -> st.SearchStrategy[bytes]:
    mac = st.text("0123456789abcdef", min_size=64, max_size=64).map(str.encode)
    ending = st.builds(
        lambda seq, prev, mac: b',"seq":%b,"prev":"%b","mac":"%b"}' % (seq, prev, mac),
        st.integers(-1, 10**30).map(lambda n: str(n).encode()),
        mac | st.just(GENESIS),
        mac,
    )
    link = Chain(derived_key(_key(), "chain"), tuple).link
    signed = st.binary(max_size=30).map(lambda data: link(b"{" + data.translate(None, b"\n\r\x0b\x0c") + b"}\n", b""))
    odd = st.sampled_from([b"\n", b"\0" * 9, b'{"id":"', b'{"a":' * 2000, b'"'])
    piece = st.binary(max_size=40) | ending | signed | odd
    return st.lists(piece, max_size=12).map(b"".join)


@given(log=_garbage(), sealed=_garbage(), anchors=_garbage(), first=st.integers(0, 10**19), end=st.integers(0, 10**19))
@settings(max_examples=20_000 if PROOF else 60, deadline=None)
def test_D05_garbage_is_an_answer_and_no_traceback(
    log: bytes, sealed: bytes, anchors: bytes, first: int, end: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = tmp_path_factory.getbasetemp() / f"garbage-{os.getpid()}"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    (state / "audit.jsonl").write_bytes(log)
    (state / f"audit-{first:020}-{end:020}.jsonl").write_bytes(sealed)
    (state / "audit.anchors").write_bytes(anchors)
    found = verify(state / "audit.jsonl", [_key()], state / "audit.anchors", [state / "audit.jsonl"])
    assert found.bad is not None


@pytest.mark.parametrize("make", [Path, os.mkfifo, os.mkdir, lambda p: p.symlink_to("loop"), Path.touch])
def test_D05_what_is_no_log_is_named(tmp_path: Path, make: Callable[[Path], object]) -> None:
    (tmp_path / "audit.key").write_text("00" * 32)
    make(tmp_path / "audit.jsonl")
    found = look(tmp_path)
    assert found.bad is not None
    assert found.records == 0


def test_D05_a_line_of_a_gigabyte_is_read_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "audit.key").write_text("00" * 32)
    with (tmp_path / "audit.jsonl").open("wb") as file:
        file.truncate(1 << 30)
    found = look(tmp_path)
    assert found.bad is not None


# -- a disk that fails

ERRORS = [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EMFILE, errno.EINTR, errno.EDQUOT]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Waiting for the disk would take most of the time."""
    monkeypatch.setattr(durable, "_flush", lambda descriptor: None)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    yield
    durable.failpoint = None


async def _life(state: Path, next_weather: Callable[[int], object]) -> tuple[list[str], list[str]]:
    """Nine entries in files of three, anchored again and again, while operations fail: what was recorded, and said."""
    recorded: list[str] = []
    said: list[str] = []
    async with AuditLog(AuditJsonlSettings(max_entries=3, fsync="always"), lambda: state, said.append) as log:
        spec = evolve(next(iter(plugin.codetether_audit_sinks())), required=True)
        trail = AuditTrail([("audit-jsonl", spec, log)], Redactor(), "me@here", said.append)
        for number in range(9):
            next_weather(number)
            with suppress(AuditFailed):
                await trail.record("tool_execution", f"tool:t{number}", "intent")
                recorded.append(f"tool:t{number}")
            await trail.anchor()
        await trail.close()
    return recorded, said


@pytest.mark.parametrize("length", [1, 5, 40])
def test_every_operation_of_log_key_and_anchors_fails_for_a_while(
    tmp_path: Path, no_waiting: None, length: int
) -> None:
    """Whichever operations fail: one message, nothing acknowledged is lost, the log proves itself, nobody restarts."""
    chance = random.Random(length)
    seen, at, error = 0, 0, 0

    def reached(operation: str, path: Path) -> None:
        nonlocal seen
        seen += 1
        if at <= seen < at + length:
            raise OSError(error, os.strerror(error))

    def weather(number: int) -> None:
        durable.failpoint = reached if number < 8 else None

    for at in range(1, 400, 1 if PROOF else 3):
        seen, error = 0, chance.choice(ERRORS)
        state = tmp_path / f"{length}-{at}"
        recorded, said = asyncio.run(_life(state, weather))
        found = look(state)
        assert found.bad is None, (at, error, found)
        there = [from_json(line, AuditEntry).action for _, _, line in content(state)]
        assert [action for action in there if action in recorded] == recorded
        assert recorded[-1:] == ["tool:t8"]
        assert [text for text in said if " fails: " in text and str(tmp_path) not in text] == []
        assert len([text for text in said if " fails: " in text]) <= 1
        if seen < at:
            break
    else:
        raise AssertionError("the operations never ended")


def test_D09_writes_that_fall_short_at_any_byte_leave_a_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write takes only some bytes and the rest finds no room: the entry is refused, and no line is fused."""
    write_all, left = os.write, -1

    def short(descriptor: int, data: bytes) -> int:
        nonlocal left
        if left < 0 or not data.startswith((b'{"id"', b'{"at"')):
            if left >= 0 and b'"mac"' in data:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write_all(descriptor, data)
        return write_all(descriptor, data[:left]) if left else _full()

    def _full() -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", short)
    state = tmp_path / "state"
    write(state, 3)
    for cut in range(0, 300, 1 if PROOF else 23):

        def weather(number: int, cut: int = cut) -> None:
            nonlocal left
            left = cut if number % 2 else -1

        asyncio.run(_life(state, weather))
        left = -1
        assert look(state).bad is None
