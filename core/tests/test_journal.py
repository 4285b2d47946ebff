"""A journal's format is fixed by golden files; torn, flipped, lost and later records are met as promised."""

from __future__ import annotations

import json
import os
import random
import re
import time
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import orjson
import pytest
from codetether.errors import JournalDamaged, JournalTooNew, StorageError
from codetether.models.completion import Usage
from codetether.models.messages import Message, TextPart, ToolCallPart, ToolResultPart, user
from codetether.models.record import Unknown
from codetether.models.replay import UNKNOWN_OUTCOME, replay
from codetether.models.session import (
    Gap,
    JournalEntry,
    JournalRecord,
    MessageAdded,
    SessionStarted,
    TitleChanged,
    ToolCompleted,
    ToolIntent,
    TurnEnded,
)
from codetether.record.redact import Redactor
from codetether.storage.disk import Disk
from codetether.storage.lines import Reader, encode, whole
from codetether.storage.store import Journal, Store
from codetether.wire import to_dict
from hypothesis import given, settings
from hypothesis import strategies as st

GOLDEN = Path(__file__).parent / "golden"
PROOF = bool(os.environ.get("CODETETHER_PROOF"))


def turn(number: int, text: str = "some text that is not short") -> list[JournalEntry]:
    """A prompt, a call with its result, an answer, the end."""
    call = ToolCallPart(id=f"call_{number}", name="read", arguments='{"path": "a.txt"}')
    answer = Message(role="assistant", parts=(TextPart(text=text), call), provider="scripted", model="m")
    result = ToolResultPart(tool_call_id=call.id, name="read", content=(TextPart(text=text),), success=True)
    last = Message(role="assistant", parts=(TextPart(text="done"),), provider="scripted", model="m")
    return [
        MessageAdded(message=user(f"do {number}"), turn=number),
        MessageAdded(message=answer, turn=number, step=1, usage=Usage(input_tokens=9, output_tokens=3)),
        ToolIntent(call_id=call.id, name="read", turn=number, step=1, repeatable=True),
        ToolCompleted(result=result, turn=number, step=1, duration_ms=1.5),
        MessageAdded(message=last, turn=number, step=2, usage=Usage(input_tokens=12, output_tokens=1)),
        TurnEnded(turn=number, status="done", steps=2),
    ]


async def written(store: Store, turns: int, session_id: str = "s1") -> Path:
    """The file of a closed session of some turns."""
    journal = await store.create(SessionStarted(id=session_id, directory="/work"))
    for number in range(1, turns + 1):
        for entry in turn(number):
            journal.append(entry)
    await journal.close()
    return journal.path


async def reopened(store: Store, session_id: str = "s1") -> Journal:
    """The journal opened, and closed again at once: its state and repairs stay."""
    journal = await store.open(session_id)
    await journal.close()
    return journal


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.jsonl")), ids=lambda p: p.name)
def test_golden_journals_stay_readable(path: Path) -> None:
    data = path.read_bytes()
    state = replay(Reader(data))
    assert state is not None
    assert to_dict(state.session) == orjson.loads(path.with_suffix(".session.json").read_bytes())


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.jsonl")), ids=lambda p: p.name)
def test_golden_records_are_written_back_byte_for_byte(path: Path) -> None:
    data = path.read_bytes()
    reader = Reader(data)
    assert b"".join(map(encode, reader)) == data
    assert reader.problems() == ()


async def test_every_line_is_json_with_its_place_time_and_checksum(store: Store) -> None:
    path = await written(store, 2)
    lines = path.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["seq"] for row in rows] == list(range(1, 14))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["at"]) for row in rows)
    assert [list(row)[:3] + list(row)[-1:] for row in rows] == [["seq", "at", "type", "crc"]] * 13
    assert all(whole(line.encode()) for line in lines)
    assert (rows[0]["type"], rows[0]["format"]) == ("session_started", 1)


async def test_a_journal_continues_where_it_was(store: Store) -> None:
    journal = await store.create(SessionStarted(id="s1", directory="/work", model="p/m"))
    made = [journal.append(entry) for entry in turn(1)]
    await journal.close()
    again = await store.open("s1")
    assert (again.state, again.repairs) == (journal.state, ())
    made += [again.append(entry) for entry in turn(2)]
    assert list(again.records(1)) == made
    assert list(again.records(made[-1].sequence)) == []
    assert [item async for item in store.records("s1", 3)] == made[2:]
    assert await store.load("s1") == again.state
    await again.close()


async def test_D07_cut_at_every_byte_of_the_last_three_records(store: Store) -> None:
    path = await written(store, 1)
    data = path.read_bytes()
    ends = [found.end() for found in re.finditer(rb"\n", data)]
    for length in range(ends[-4], len(data)):
        path.write_bytes(data[:length])
        loaded = await store.load("s1")
        whole_records = sum(end <= length + 1 for end in ends)  # a record whose line end alone is cut is whole
        assert loaded.sequence == whole_records
        if not PROOF and length % 5 and length + 1 not in ends:
            continue
        journal = await store.open("s1")
        assert journal.state == loaded
        torn = length - max(end for end in (*ends, *(e - 1 for e in ends)) if end <= length)
        assert len(journal.repairs) == (torn > 0), (length, journal.repairs)
        added = journal.append(TitleChanged(title="on"))
        assert added.sequence == whole_records + 1
        await journal.close()
        assert (await reopened(store)).repairs == ()
        if torn:
            kept = [p.read_bytes() for p in path.parent.glob("cut-*")]
            assert kept == [data[length - torn : length]]
        for copy in path.parent.glob("cut-*"):
            copy.unlink()


async def test_a_session_cut_within_its_first_record_never_began(store: Store) -> None:
    path = await written(store, 1)
    first = path.read_bytes().partition(b"\n")[0]
    for length in range(len(first)):
        path.write_bytes(first[:length])
        assert await store.list() == []
        with pytest.raises(Exception, match="no session s1"):
            await store.open("s1")
    journal = await store.create(SessionStarted(id="s1", directory="/other"))
    assert journal.state.session.metadata.directory == "/other"
    await journal.close()


def test_D08_every_flipped_byte_is_found_and_costs_one_record_at_most() -> None:
    at = replay(Reader((GOLDEN / "journal-1.jsonl").read_bytes()))
    assert at is not None
    entries: list[JournalEntry] = [SessionStarted(id="s1", directory="/work"), *turn(1), *turn(2), *turn(3)]
    items = [
        JournalRecord(sequence=n, recorded_at=at.session.created_at, entry=entry) for n, entry in enumerate(entries, 1)
    ]
    data = b"".join(map(encode, items))
    first = data.index(b"\n") + 1
    chosen = random.Random(7)
    for place in range(10_000 if PROOF else 3_000):
        position = place if place < len(data) else chosen.randrange(len(data))
        flipped = bytearray(data)
        flipped[position] ^= 1 << chosen.randrange(8) if place % 2 else chosen.randrange(1, 256)
        reader = Reader(bytes(flipped))
        read = list(reader)
        torn = bytes(flipped)[reader.lines.end :]
        assert reader.problems() or torn or reader.lines.unended, position
        survivors = [item for item in read if not isinstance(item.entry, Gap)]
        assert all(item in items for item in survivors)
        assert len(survivors) >= len(items) - 1
        assert (replay(read) is None) == (position < first and items[0] not in survivors)


@cache
def golden_records() -> list[JournalRecord]:
    return list(Reader((GOLDEN / "journal-1.jsonl").read_bytes()))


PIECES = st.binary(max_size=30) | st.sampled_from([b"\n", b',"crc":"00000000"}', b'{"seq":1,', b"\xff", b"[" * 2000])
EDITS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), PIECES), min_size=1, max_size=6)


@settings(max_examples=3_000 if PROOF else 60, deadline=None)
@given(EDITS)
def test_whatever_happened_to_a_file_it_is_read_without_a_crash(edits: list[tuple[float, float, float, bytes]]) -> None:
    """Cut out, moved, doubled, overwritten: the records that are left are those that were written, in order."""
    data = (GOLDEN / "journal-1.jsonl").read_bytes()
    written = golden_records()
    for start, length, target, piece in edits:
        first = int(start * len(data))
        chunk = data[first : first + int(length * 400)]
        rest = data[:first] + data[first + len(chunk) :] if piece[:1] < b"@" else data
        place = int(target * len(rest))
        data = rest[:place] + piece + chunk + rest[place:]
    reader = Reader(data)
    read = list(reader)
    kept = [item for item in read if not isinstance(item.entry, Gap)]
    assert all(item in written for item in kept)
    assert [item.sequence for item in kept] == sorted({item.sequence for item in kept})
    assert kept == written or reader.problems() or data[reader.lines.end :] or reader.lines.unended
    replay(read)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("tool_call"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "id", "x"]), inner),
    max_leaves=4,
)


def places(value: object, here: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The paths of all values in JSON data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*here, key)
        yield from places(inner, (*here, key))


@settings(max_examples=5_000 if PROOF else 60, deadline=None)
@given(st.data(), JSONS)
def test_a_record_that_was_written_strangely_is_a_gap_or_read(data: st.DataObject, value: object) -> None:
    """Its checksum fits, its content does not: as another program, or a later version, may write it."""
    lines = (GOLDEN / "journal-1.jsonl").read_bytes().splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    row = orjson.loads(lines[number])
    del row["crc"]
    *way, last = data.draw(st.sampled_from(list(places(row))))
    inner = row
    for key in way:
        inner = inner[key]
    inner[last] = value
    try:
        body = orjson.dumps(row)[:-1]
    except TypeError:  # an integer that JSON cannot hold here
        return
    lines[number] = body + b',"crc":"%08x"}' % zlib.crc32(body)
    read = list(Reader(b"\n".join(lines) + b"\n"))
    kept = {item.sequence: item for item in read if not isinstance(item.entry, Gap)}
    written = golden_records()
    assert sum(kept.get(item.sequence) == item for item in written) >= len(written) - 1 or (way == [] and last == "seq")
    replay(read)


def test_a_line_made_to_be_slow_is_not() -> None:
    line = b'{"seq":1,' + b'"x":1,"crc":"00000000"}' * 50_000
    before = time.process_time()
    assert replay(Reader(line + b"\n" + line)) is None
    assert time.process_time() - before < 10


async def test_a_damaged_record_leaves_a_visible_gap_and_is_kept_as_it_is(store: Store) -> None:
    path = await written(store, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b"not short", b"not shorT")
    path.write_bytes(b"".join(lines))
    journal = await store.open("s1")
    assert journal.repairs == (f"{path}: line 5 cannot be read (its checksum does not fit); its record is left out",)
    gaps = [item for item in journal.records() if isinstance(item.entry, Gap)]
    assert [(g.sequence, g.entry) for g in gaps] == [
        (5, Gap(first_line=5, last_line=5, why="its checksum does not fit"))
    ]
    journal.append(TitleChanged(title="after"))
    await journal.close()
    assert path.read_bytes().splitlines(keepends=True)[:13] == lines


async def test_a_call_whose_result_was_lost_counts_as_started_and_is_answered(store: Store) -> None:
    path = await written(store, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    answered = ["some text that is not short"]
    for lost, expected in (
        ({4}, answered),
        ({5}, [UNKNOWN_OUTCOME]),
        ({4, 5}, [UNKNOWN_OUTCOME]),
        ({3}, []),
        ({7}, answered),
    ):
        path.write_bytes(b"".join(line for number, line in enumerate(lines, 1) if number not in lost))
        state = await store.load("s1")
        results = [part.text for m in state.session.messages for part in m.parts if isinstance(part, ToolResultPart)]
        assert results == expected, lost
        assert [m.role for m in state.session.messages].count("tool") == len(results)


async def test_missing_lines_are_seen_by_their_numbers(store: Store) -> None:
    path = await written(store, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[4:]))
    journal = await reopened(store)
    assert journal.repairs == (
        f"{path}: line 3 cannot be read (records from 3 on are missing); its record is left out",
    )
    assert journal.state.sequence == 7


async def test_a_line_that_stands_twice_counts_once(store: Store) -> None:
    path = await written(store, 1)
    before = await store.load("s1")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], lines[3], *lines[4:]]))
    journal = await reopened(store)
    assert len(journal.repairs) == 1
    assert journal.state.session == before.session


async def test_a_head_that_cannot_be_read_is_named(store: Store) -> None:
    path = await written(store, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0].replace(b"/work", b"/wor!"), *lines[1:]]))
    with pytest.raises(JournalDamaged, match=re.escape(str(path))):
        await store.load("s1")
    path.write_bytes(b"\x00\n\xff\xfe\n")
    with pytest.raises(JournalDamaged, match="its first line is damaged"):
        await store.open("s1")


async def test_a_directory_under_another_sessions_id_is_named(store: Store) -> None:
    path = await written(store, 1)
    other = await written(store, 1, "s2")
    other.write_bytes(path.read_bytes())
    with pytest.raises(JournalDamaged, match="is the journal of session s1, not of s2"):
        await store.open("s2")


async def test_a_later_format_is_read_but_not_continued(store: Store) -> None:
    later = SessionStarted(id="s1", directory="/work", format=2, extra={"compression": "none"})
    journal = await store.create(later)
    journal.append(Unknown(raw={"type": "branch_made", "at_message": 3}))
    await journal.close()
    state = await store.load("s1")
    assert (state.session.metadata.directory, state.sequence) == ("/work", 2)
    with pytest.raises(JournalTooNew, match=r"format 2; this one writes 1"):
        await store.open("s1")
    journal.path.write_bytes(b'{"v":2,"format":2,"packed":"..."}\n')
    with pytest.raises(JournalTooNew):
        await store.load("s1")


async def test_D10_unknown_entries_and_fields_survive_reading_and_writing(store: Store) -> None:
    journal = await store.create(SessionStarted(id="s1", directory="/work"))
    unknown = Unknown(raw={"type": "branch_made", "from": 3})
    known = TurnEnded(turn=1, status="done", steps=1, extra={"mood": "good"})
    journal.append(unknown)
    journal.append(known)
    assert [item.entry for item in journal.records(1)] == [unknown, known]
    await journal.close()


async def test_an_entry_may_not_take_the_lines_own_keys(store: Store) -> None:
    journal = await store.create(SessionStarted(id="s1", directory="/work"))
    before = journal.path.read_bytes()
    for key in ("seq", "at", "crc"):
        with pytest.raises(ValueError, match=key):
            journal.append(Unknown(raw={"type": "new", key: 1}))
    assert journal.path.read_bytes() == before
    await journal.close()


async def test_secrets_never_reach_the_file_nor_the_state(tmp_path: Path) -> None:
    redactor = Redactor()
    disk = Disk()
    async with Store(tmp_path, disk, redactor) as store:
        journal = await store.create(SessionStarted(id="s1", directory="/work"))
        redactor.add("hunter2hunter2", "vault")
        for entry in turn(1, "the key is hunter2hunter2."):
            journal.append(entry)
        await journal.close()
        assert b"hunter2" not in journal.path.read_bytes()
        assert b"the key is [redacted:vault]." in journal.path.read_bytes()
        assert await store.load("s1") == journal.state
    await disk.close()


async def test_side_files_lie_beside_the_journal_under_plain_names(store: Store) -> None:
    journal = await store.create(SessionStarted(id="s1", directory="/work"))
    plain = journal.side_file("call_1.txt", b"x" * 100_000)
    odd = journal.side_file("../../../etc/passwd", b"y")
    same = journal.side_file("call_1.txt", b"z")
    await journal.sync()
    await journal.close()
    files = journal.directory / "files"
    assert (plain, same, odd.parent) == (files / "call_1.txt", files / "call_1.txt", files)
    assert {p.name: p.read_bytes() for p in files.iterdir()} == {"call_1.txt": b"z", odd.name: b"y"}
    assert re.fullmatch(r"_.._.._etc_passwd-[0-9a-f]{8}", odd.name)
    assert {oct(p.stat().st_mode)[-3:] for p in files.iterdir()} == {"600"}


async def test_a_closed_journal_takes_nothing(store: Store) -> None:
    path = await written(store, 1)
    journal = await reopened(store)
    with pytest.raises(StorageError, match="is closed"):
        journal.append(TitleChanged(title="late"))
    await journal.close()
    assert b"late" not in path.read_bytes()
