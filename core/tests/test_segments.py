"""A stream in files: true byte ranges, whatever fails or dies in between."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from codetether.errors import StorageError
from codetether.storage import durable
from codetether.storage.durable import AppendFile
from codetether.storage.segments import SegmentLimits, Segments
from hypothesis import given
from hypothesis import strategies as st


def line(number: int, size: int = 20) -> bytes:
    return f"{number:0{size - 1}}\n".encode()


def contents(segments: Segments) -> bytes:
    """The whole stream as its files tell it, each at its place."""
    found = b""
    for segment in segments.sealed():
        data = segment.path.read_bytes()
        assert (segment.first, segment.end) == (len(found), len(found) + len(data))
        found += data
    left = [p for p in segments.directory.iterdir() if p.suffix == ".open" or p.name == segments._open_name]
    assert len(left) <= 1
    for path in left:
        found += path.read_bytes()
    return found


@pytest.fixture
def fail() -> Iterator[dict[str, object]]:
    """Lets the n-th operation fail: `fail["at"] = n`; counts them in `fail["seen"]`."""
    plan: dict[str, object] = {"at": 0, "seen": 0, "error": errno.EIO, "name": ""}

    def reached(operation: str, path: Path) -> None:
        plan["seen"] = int(str(plan["seen"])) + 1
        if plan["seen"] == plan["at"]:
            plan["name"] = operation
            code = int(str(plan["error"]))
            raise OSError(code, os.strerror(code))

    durable.failpoint = reached
    yield plan
    durable.failpoint = None


def test_the_files_tell_where_in_the_stream_they_belong(tmp_path: Path) -> None:
    segments = Segments(tmp_path / "s", "chat", limits=SegmentLimits(bytes=60), stamp=lambda first: first[:3].decode())
    segments.open()
    assert not (tmp_path / "s").exists()
    assert [segments.append(line(n)) for n in range(7)] == [0, 20, 40, 60, 80, 100, 120]
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == [
        "000-chat-00000000000000000000-00000000000000000060.jsonl",
        "000-chat-00000000000000000060-00000000000000000120.jsonl",
        "chat-00000000000000000120.open",
    ]
    assert segments.last_line() == line(6)[:-1]
    last = segments.seal()
    assert last is not None
    assert last.path.name == "000-chat-00000000000000000120-00000000000000000140.jsonl"
    assert segments.last_line() == line(6)[:-1]
    assert segments.seal() is None
    segments.close()
    assert contents(segments) == b"".join(map(line, range(7)))
    assert {oct(p.stat().st_mode & 0o777) for p in (tmp_path / "s").iterdir()} == {"0o600"}
    assert oct((tmp_path / "s").stat().st_mode & 0o777) == "0o700"


def test_the_stream_goes_on_where_it_ended(tmp_path: Path) -> None:
    for n in range(6):
        segments = Segments(tmp_path, "chat", limits=SegmentLimits(bytes=60))
        segments.open()
        assert segments.end == n * 20
        assert segments.append(line(n)) == n * 20
        segments.close()
    assert contents(Segments(tmp_path, "chat")) == b"".join(map(line, range(6)))


def test_limits_of_lines_and_of_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = Segments(tmp_path, "audit", open_name="audit.jsonl", limits=SegmentLimits(lines=2))
    for n in range(5):
        segments.append(line(n))
    assert [s.end for s in segments.sealed()] == [40, 80]
    assert (tmp_path / "audit.jsonl").read_bytes() == line(4)
    segments.close()
    now = 100.0
    monkeypatch.setattr("codetether.storage.segments.time.monotonic", lambda: now)
    aged = Segments(tmp_path / "aged", "chat", limits=SegmentLimits(seconds=300))
    aged.append(line(0))
    now += 299
    aged.append(line(1))
    now += 1
    aged.append(line(2), cut=False)
    assert aged.sealed() == []
    aged.append(line(3))
    assert [s.end for s in aged.sealed()] == [60]
    aged.close()


def test_a_line_longer_than_a_segment_gets_its_own(tmp_path: Path) -> None:
    segments = Segments(tmp_path, "chat", limits=SegmentLimits(bytes=60))
    for data in (line(1), line(2, 200_000), line(3)):
        segments.append(data)
    assert segments.last_line() == line(3)[:-1]
    segments.seal()
    assert [s.end - s.first for s in segments.sealed()] == [20, 200_000, 20]
    segments.close()
    assert Segments(tmp_path, "chat").last_line() == line(3)[:-1]


def test_every_tail_of_a_killed_writer_is_mended(tmp_path: Path) -> None:
    whole = b"".join(map(line, range(3)))
    for cut in range(len(whole) + 1):
        directory = tmp_path / str(cut)
        directory.mkdir()
        (directory / "chat-00000000000000000000.open").write_bytes(whole[:cut])
        segments = Segments(directory, "chat")
        segments.open()
        assert segments.end == cut // 20 * 20
        assert len(segments.repairs) == (1 if cut % 20 else 0)
        segments.append(line(9))
        segments.close()
        assert contents(segments) == whole[: cut // 20 * 20] + line(9)


def test_what_can_be_added_at_once_and_what_cannot(tmp_path: Path) -> None:
    limits = SegmentLimits(bytes=60)
    segments, other = (Segments(tmp_path, "a", open_name="a.jsonl", limits=limits, shared=True) for _ in range(2))
    assert segments.append_at_once(line(0)) is None  # not open yet
    segments.append(line(0))
    assert segments.append_at_once(line(1)) == 20
    other.append(line(2))
    assert segments.append_at_once(line(3)) is None  # another process has written
    segments.append(line(3))
    assert segments.append_at_once(line(4)) == 80
    held = AppendFile(tmp_path / "a.jsonl")
    fcntl.flock(held.fileno(), fcntl.LOCK_EX)
    assert segments.append_at_once(line(5)) is None  # another process writes
    held.close()
    assert segments.append_at_once(line(5)) == 100
    assert segments.append_at_once(line(6)) is None  # it is full
    segments.append(line(6))
    assert segments.append_at_once(line(7)) == 140
    for stream in (segments, other):
        stream.close()
    assert contents(segments) == b"".join(map(line, range(8)))


def test_what_is_not_whole_is_cut_with_all_behind_it(tmp_path: Path) -> None:
    (tmp_path / "chat-00000000000000000000.open").write_bytes(line(0) + bytes(19) + b"\n" + line(2))
    segments = Segments(tmp_path, "chat", whole=lambda data: data.isdigit())
    segments.open()
    assert (segments.end, segments.last_line()) == (20, line(0)[:-1])
    assert segments.repairs == [
        f"{tmp_path}/chat-00000000000000000000.open: an unfinished write of 40 bytes was cut off"
    ]
    segments.close()


def test_of_several_open_segments_all_but_the_last_are_sealed(tmp_path: Path) -> None:
    (tmp_path / "chat-00000000000000000000.open").write_bytes(line(0) + b"torn")
    (tmp_path / "chat-00000000000000000020.open").write_bytes(b"")
    (tmp_path / "chat-00000000000000000021.open").write_bytes(b"")
    segments = Segments(tmp_path, "chat")
    segments.open()
    assert segments.append(line(1)) == 21
    segments.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "chat-00000000000000000000-00000000000000000020.jsonl",
        "chat-00000000000000000021.open",
    ]


def again(errors: list[StorageError], act: Callable[[], object]) -> None:
    """Does it, a second time where the first fails."""
    try:
        act()
    except StorageError as failed:
        errors.append(failed)
        act()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EMFILE])
@pytest.mark.parametrize("shared", [False, True])
def test_every_operation_fails_once_and_all_is_well_after(
    tmp_path: Path, fail: dict[str, object], shared: bool, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One operation fails, each in its turn: one clear error, nothing lost or doubled, and the next attempt works."""
    monkeypatch.setattr(durable, "_flush", lambda descriptor: None)  # waiting for the disk would take most of the time
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    names = set()
    for at in range(1, 200):
        fail.update(at=at, seen=0, error=error, name="")
        segments = Segments(tmp_path / str(at), "chat", limits=SegmentLimits(bytes=60), shared=shared)
        errors: list[StorageError] = []
        attempt = partial(again, errors)
        for n in range(8):
            attempt(partial(segments.append, line(n)))
            attempt(segments.sync)
        attempt(segments.seal)
        attempt(segments.close)
        seen, fail["at"] = int(str(fail["seen"])), 0
        assert len(errors) <= 1
        assert all(str(tmp_path) in str(e) and e.remedy for e in errors)
        assert contents(segments) == b"".join(map(line, range(8)))
        if seen < at:
            break
        names.add(fail["name"])
    assert names >= {"mkdir", "open", "write", "fsync", "rename", "fsync_directory", "close", "read"}


def test_a_short_write_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = Segments(tmp_path, "chat")
    segments.append(line(0))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]) if len(data) > 7 else _full())
    with pytest.raises(StorageError, match="No space left"):
        segments.append(line(1))
    monkeypatch.setattr(os, "write", write)
    segments.append(line(2))
    segments.close()
    assert contents(segments) == line(0) + line(2)


def _full() -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_removed_file_is_noticed(tmp_path: Path) -> None:
    segments = Segments(tmp_path, "chat", limits=SegmentLimits(bytes=40))
    for n in range(3):
        segments.append(line(n))
    (tmp_path / "chat-00000000000000000040.open").unlink()
    with pytest.raises(StorageError, match=r"chat-00000000000000000040\.open was removed"):
        segments.append(line(3))
    assert segments.last_line() == line(1)[:-1]
    assert segments.append(line(2)) == 40
    segments.close()


@given(
    steps=st.lists(st.sampled_from(["append", "sync", "seal", "reopen", "tear", "big"]), max_size=40),
    limit=st.integers(20, 100),
)
def test_any_life_leaves_the_whole_stream(steps: list[str], limit: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        segments = Segments(directory, "chat", limits=SegmentLimits(bytes=limit))
        expected = b""
        for n, step in enumerate(steps):
            if step in ("append", "big"):
                data = line(n, 20 if step == "append" else 70)
                assert segments.append(data) == len(expected)
                expected += data
            elif step == "sync":
                segments.sync()
            elif step == "seal":
                segments.seal()
            else:
                path = next(directory.glob("*.open"), None)
                segments.close()
                if step == "tear" and path is not None:
                    with path.open("ab") as file:
                        file.write(b"torn")
                segments = Segments(directory, "chat", limits=SegmentLimits(bytes=limit))
                segments.open()
            assert segments.end == len(expected)
            assert segments.last_line() == expected[:-1].rpartition(b"\n")[2]
        segments.close()
        segments.open()
        assert contents(segments) == expected
        segments.close()


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from codetether.storage.segments import SegmentLimits, Segments
    directory, name, count, per_file = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    segments = Segments(directory, "audit", open_name="audit.jsonl", limits=SegmentLimits(lines=per_file), shared=True)
    for number in range(count):
        segments.append(f"{name} {number}\\n".encode())
        print(number, flush=True)
    segments.close()
    """
)


def writer(directory: Path, name: str, count: int, per_file: int) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", WRITER, str(directory), name, str(count), str(per_file)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE)


def shared_stream(directory: Path) -> tuple[list[str], list[int]]:
    reader = Segments(directory, "audit", open_name="audit.jsonl", shared=True)
    lines = contents(reader).decode().splitlines()
    return lines, [s.path.read_bytes().count(b"\n") for s in reader.sealed()]


def test_D03_two_writers_make_one_stream(tmp_path: Path) -> None:
    count = 1500
    writers = [writer(tmp_path, name, count, 100) for name in "ab"]
    for process in writers:
        process.communicate(timeout=60)
        assert process.returncode == 0
    lines, per_file = shared_stream(tmp_path)
    for name in "ab":
        assert [x for x in lines if x[0] == name] == [f"{name} {n}" for n in range(count)]
    assert len(lines) == 2 * count
    assert set(per_file) == {100}


def test_a_killed_writer_loses_nothing_and_stops_nobody(tmp_path: Path) -> None:
    killed, other = writer(tmp_path, "a", 100_000, 50), writer(tmp_path, "b", 1000, 50)
    assert killed.stdout is not None
    for _ in range(300):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    acknowledged = 300 + len(killed.communicate()[0].splitlines())
    other.communicate(timeout=60)
    lines, _ = shared_stream(tmp_path)
    written = [x for x in lines if x[0] == "a"]
    assert written == [f"a {n}" for n in range(len(written))]
    assert len(written) >= acknowledged
    assert [x for x in lines if x[0] == "b"] == [f"b {n}" for n in range(1000)]
