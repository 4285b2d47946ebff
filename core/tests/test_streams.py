"""Streams are read by byte and by time, whole line by whole line, while they are written and sealed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from codetether.storage.streams import byte_at, stream_files, stream_lines, stream_sessions, stream_stamp
from hypothesis import given
from hypothesis import strategies as st

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def line(at: datetime, text: str) -> bytes:
    return json.dumps({"recorded_at": at.isoformat(), "content": text}).encode() + b"\n"


def written(spool: Path, seconds: list[list[float]], *, still_open: bool = False) -> list[tuple[int, datetime]]:
    """Files of lines recorded at those seconds; where each line begins and when it was recorded."""
    directory = spool / "s1"
    directory.mkdir(parents=True)
    place, found = 0, []
    for number, file in enumerate(seconds):
        data = b""
        for second in file:
            at = BEGIN + timedelta(seconds=second)
            found.append((place + len(data), at))
            data += line(at, "x" * int(second * 7 % 50))
        stamp = stream_stamp(data.splitlines()[0])
        name = f"{stamp}-chat-events-{place:020}-{place + len(data):020}.jsonl"
        if still_open and number == len(seconds) - 1:
            name, data = f"chat-events-{place:020}.open", data + b'{"torn'
        (directory / name).write_bytes(data)
        place += len(data)
    return found


@given(
    seconds=st.lists(
        st.lists(st.integers(0, 900).map(lambda n: n / 100), min_size=1, max_size=5), min_size=1, max_size=4
    ),
    still_open=st.booleans(),
)
def test_every_byte_and_every_time_is_an_entrance(seconds: list[list[float]], still_open: bool) -> None:
    flat = sorted(second for file in seconds for second in file)
    ordered = [[flat.pop(0) for _ in file] for file in seconds]
    with TemporaryDirectory() as name:
        spool = Path(name)
        found = written(spool, ordered, still_open=still_open)
        assert [place for place, _ in stream_lines(spool, "s1")] == [place for place, _ in found]
        end = found[-1][0] + 200
        for start in range(0, end, 41):
            assert [p for p, _ in stream_lines(spool, "s1", start)] == [p for p, _ in found if p >= start]
        for second in (0.0, 0.5, 3.0, 4.25, 9.0):
            wanted = BEGIN + timedelta(seconds=second)
            later = [place for place, at in found if at >= wanted]
            at = byte_at(spool, "s1", wanted)
            assert [p for p, _ in stream_lines(spool, "s1", at)] == later


def test_what_is_no_stream_is_left_out(tmp_path: Path) -> None:
    written(tmp_path, [[1, 2], [3]])
    for name in ("notes.txt", "chat-events-1-2.jsonl", ".chat-events-00000000000000000000.open"):
        (tmp_path / "s1" / name).write_text("nothing of ours\n")
    (tmp_path / ".archive").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "s2").symlink_to(tmp_path / "s1")
    assert stream_sessions(tmp_path) == ["s1"]
    assert [file.path.name.count("chat-events-000") for file in stream_files(tmp_path, "s1")] == [1, 1]
    assert stream_sessions(tmp_path / "nowhere") == []
    assert stream_files(tmp_path, "nobody") == []


def test_a_stream_whose_beginning_was_removed_is_read_from_what_is_left(tmp_path: Path) -> None:
    found = written(tmp_path, [[1, 2], [3, 4]])
    stream_files(tmp_path, "s1")[0].remove()
    assert [place for place, _ in stream_lines(tmp_path, "s1")] == [place for place, _ in found[2:]]


def test_a_file_that_is_sealed_while_it_is_read_is_found_again(tmp_path: Path) -> None:
    found = written(tmp_path, [[1, 2], [3, 4]], still_open=True)
    reading = stream_lines(tmp_path, "s1")
    read = [next(reading)[0], next(reading)[0]]
    (still_open,) = (tmp_path / "s1").glob("*.open")
    data = still_open.read_bytes().removesuffix(b'{"torn')
    still_open.unlink()
    first = found[2][0]
    (tmp_path / "s1" / f"20260102T030408Z-chat-events-{first:020}-{first + len(data):020}.jsonl").write_bytes(data)
    assert read + [place for place, _ in reading] == [place for place, _ in found]
