"""Files that only grow, files replaced whole, locks and the I/O thread keep their promises on a real disk."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from codetether.errors import StorageError
from codetether.storage import durable
from codetether.storage.durable import AppendFile, Disk, FileLock, private_directory, replace


@contextmanager
def failing(operation: str, error: int = errno.EIO, times: int = 1) -> Iterator[list[Path]]:
    """Lets the next operations of a kind fail; gives the paths on which they did."""
    failed: list[Path] = []

    def point(name: str, path: Path) -> None:
        if name == operation and len(failed) < times:
            failed.append(path)
            raise OSError(error, os.strerror(error))

    durable.failpoint = point
    try:
        yield failed
    finally:
        durable.failpoint = None


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: a real short write, then a real error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_an_append_returns_where_it_stands_and_continues_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = AppendFile(path)
    assert [file.append(b"one\n"), file.append(b"two\n")] == [0, 4]
    file.sync()
    file.close()
    file.close()
    again = AppendFile(path)
    assert (again.offset, again.append(b"three\n")) == (8, 8)
    again.close()
    assert path.read_bytes() == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_modes_are_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        directory = private_directory(tmp_path / "a" / "b")
        AppendFile(directory / "log").close()
        replace(directory / "state", b"1")
        replace(directory / "open", b"1", mode=0o644)
        lock = FileLock(directory / "lock")
        assert lock.acquire()
        lock.release()
    assert {p.name: mode(p) for p in [directory.parent, directory, *directory.iterdir()]} == {
        "a": "0o700",
        "b": "0o700",
        "log": "0o600",
        "state": "0o600",
        "open": "0o644",
        "lock": "0o600",
    }


def test_a_file_left_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    path.chmod(0o666)
    AppendFile(path).close()
    assert mode(path) == "0o600"


def test_a_real_short_write_is_cut_back_and_the_next_append_works(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = AppendFile(path)
    file.append(b"acknowledged\n")
    with largest_file(20), pytest.raises(StorageError, match="log: File too large"):
        file.append(b"too much for it\n")
    assert (path.read_bytes(), file.offset) == (b"acknowledged\n", 13)
    file.append(b"there is space again\n")
    file.sync()
    file.close()
    assert path.read_bytes() == b"acknowledged\nthere is space again\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named_with_its_remedy(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "log")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file._descriptor)
    with pytest.raises(StorageError) as caught:
        file.append(b"x")
    os.close(full)
    file.close()
    assert str(caught.value).startswith(f"cannot write {tmp_path / 'log'}: No space left on device\n  Free some space")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EINTR, errno.EDQUOT, errno.EROFS])
def test_a_failed_write_changes_nothing(tmp_path: Path, error: int) -> None:
    file = AppendFile(tmp_path / "log")
    file.append(b"one\n")
    with failing("write", error), pytest.raises(StorageError, match=f"{file.path}: {os.strerror(error)}"):
        file.append(b"two\n")
    file.append(b"three\n")
    file.close()
    assert file.path.read_bytes() == b"one\nthree\n"


def test_a_cut_back_that_fails_is_done_before_the_next_append(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "log")
    file.append(b"one\n")
    with largest_file(6), failing("truncate"), pytest.raises(StorageError):
        file.append(b"two and more\n")
    assert file.path.read_bytes() == b"one\ntw"
    file.append(b"three\n")
    file.close()
    assert file.path.read_bytes() == b"one\nthree\n"


def test_after_a_failed_sync_a_file_is_not_trusted_until_reopened(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "log")
    file.append(b"one\n")
    with failing("fsync"), pytest.raises(StorageError, match="cannot sync"):
        file.sync()
    for again in (file.sync, lambda: file.append(b"two\n")):
        with pytest.raises(StorageError, match="an earlier sync failed"):
            again()
    file.close()
    again_open = AppendFile(file.path)
    again_open.append(b"two\n")
    again_open.sync()
    again_open.close()
    assert file.path.read_bytes() == b"one\ntwo\n"


def test_a_removed_file_is_noticed_by_the_next_sync(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "log")
    file.append(b"one\n")
    file.path.unlink()
    with pytest.raises(StorageError, match="No such file"):
        file.sync()
    file.close()


def test_links_and_other_things_are_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "directory", "pipe"):
        with pytest.raises(StorageError, match=name):
            AppendFile(tmp_path / name)
    with pytest.raises(StorageError, match="link"):
        durable.read(tmp_path / "link")
    with pytest.raises(StorageError, match="pipe"):
        durable.read(tmp_path / "pipe")
    replace(tmp_path / "link", b"new")
    assert (target.read_bytes(), (tmp_path / "link").is_symlink()) == (b"mine", False)


@pytest.mark.parametrize("operation", ["open", "write", "fsync", "rename", "fsync_directory"])
def test_a_replaced_file_is_old_or_new_and_leaves_nothing_beside(tmp_path: Path, operation: str) -> None:
    path = tmp_path / "state"
    replace(path, b"old")
    with failing(operation, errno.ENOSPC) as failed, pytest.raises(StorageError):
        replace(path, b"new")
    assert len(failed) == 1
    assert path.read_bytes() == (b"new" if operation == "fsync_directory" else b"old")
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=f"cannot make {tmp_path}/file"):
        private_directory(tmp_path / "file" / "inner")
    with failing("mkdir", errno.EACCES), pytest.raises(StorageError, match="Check who owns it"):
        private_directory(tmp_path / "new")
    assert private_directory(tmp_path / "new").is_dir()


def test_a_lock_has_one_holder_and_tells_who(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert (first.acquire(), second.acquire(), second.holder()) == (True, False, os.getpid())
    first.release()
    first.release()
    assert (second.holder(), second.acquire(), first.acquire()) == (None, True, False)
    second.release()


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = FileLock(path)
    assert holder.acquire()
    path.unlink()
    newcomer = FileLock(path)
    assert newcomer.acquire()
    assert newcomer.holder() == os.getpid()
    newcomer.release()
    holder.release()


def test_a_lock_is_free_once_its_holder_was_killed_and_commands_do_not_inherit_it(tmp_path: Path) -> None:
    program = """
import subprocess, sys, time
from pathlib import Path
from codetether.storage.durable import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.acquire()
child = subprocess.Popen(["sleep", "60"], close_fds=False)
print(child.pid, flush=True)
time.sleep(60)
"""
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        lock = FileLock(path)
        assert (lock.acquire(), lock.holder()) == (False, holder.pid)
        holder.kill()
        holder.wait()
        assert lock.acquire()
        assert lock.holder() == os.getpid()
        lock.release()
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


async def until(condition: Callable[[], bool]) -> None:
    """Waits, two seconds at most."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    assert condition()


class Counted:
    """Something to sync that counts how often it was, and takes its time."""

    def __init__(self, seconds: float = 0.0, error: StorageError | None = None) -> None:
        self.seconds = seconds
        self.error = error
        self.syncs: list[float] = []
        self.threads: set[str] = set()

    def sync(self) -> None:
        time.sleep(self.seconds)
        self.syncs.append(time.monotonic())
        self.threads.add(threading.current_thread().name)
        if self.error:
            raise self.error


async def test_waiting_syncs_of_a_file_share_one(tmp_path: Path) -> None:
    disk = Disk()
    slow, other = Counted(0.05), Counted()
    waits = [asyncio.ensure_future(disk.sync(file)) for file in [slow, *[other] * 50]]
    await asyncio.gather(*waits)
    await disk.close()
    assert (len(slow.syncs), len(other.syncs), other.threads) == (1, 1, {"codetether-disk"})


async def test_a_dirty_file_is_synced_within_a_second(tmp_path: Path) -> None:
    disk = Disk()
    file = Counted()
    marked = time.monotonic()
    for _ in range(20):
        disk.dirty(file)
        await asyncio.sleep(0.01)
    await until(lambda: len(file.syncs) == 1)
    assert file.syncs[0] - marked < 1.0
    assert len(file.syncs) == 1
    again = time.monotonic()
    disk.dirty(file)
    await until(lambda: len(file.syncs) == 2)
    assert file.syncs[1] - again < 1.0
    await disk.close()


async def test_a_steady_stream_of_jobs_does_not_starve_the_dirty_files() -> None:
    disk = Disk()
    file = Counted()
    begun = time.monotonic()
    disk.dirty(file)
    while not file.syncs and time.monotonic() - begun < 2:
        await disk.call(time.sleep, 0.001)
    assert file.syncs
    assert file.syncs[0] - begun < 1.0
    await disk.close()


async def test_closing_syncs_what_is_dirty_and_ends_the_thread() -> None:
    disk = Disk()
    file = Counted()
    disk.dirty(file)
    await disk.close()
    await disk.close()
    assert len(file.syncs) == 1
    with pytest.raises(StorageError, match="ended"):
        await disk.call(int)
    thread = disk._thread
    assert thread is not None
    await until(lambda: not thread.is_alive())


async def test_an_idle_disk_has_no_thread() -> None:
    disk = Disk()
    before = threading.active_count()
    await disk.close()
    assert threading.active_count() == before


async def test_errors_reach_all_who_wait_and_the_thread_goes_on() -> None:
    disk = Disk()
    bad = Counted(0.01, StorageError("gone"))
    disk.dirty(bad)
    found = await asyncio.gather(disk.sync(bad), disk.sync(bad), return_exceptions=True)
    assert [str(error) for error in found] == ["gone", "gone"]
    with pytest.raises(ZeroDivisionError):
        await disk.call(lambda: 1 / 0)
    assert await disk.call(max, 1, 2) == 2
    disk.dirty(bad)
    await disk.close()


async def test_a_cancelled_wait_leaves_the_disk_in_order() -> None:
    disk = Disk()
    slow = Counted(0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await disk.sync(slow)
    assert await disk.call(lambda: len(slow.syncs)) == 1
    await disk.close()


async def test_the_event_loop_never_waits_for_the_disk() -> None:
    disk = Disk()
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - before)

    watcher = asyncio.create_task(watch())
    file = Counted(0.5)
    disk.dirty(file)
    await asyncio.gather(disk.sync(file), disk.call(time.sleep, 0.5))
    watcher.cancel()
    await disk.close()
    assert longest < 0.45


def test_every_message_names_the_path_and_a_remedy(tmp_path: Path) -> None:
    calls: list[tuple[str, Callable[[], object]]] = [
        ("open", lambda: AppendFile(tmp_path / "x")),
        ("lock", lambda: FileLock(tmp_path / "x").acquire()),
        ("mkdir", lambda: private_directory(tmp_path / "x" / "y")),
        ("read", lambda: durable.read(tmp_path / "x")),
        ("write", lambda: replace(tmp_path / "x", b"")),
    ]
    for error in (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EACCES, errno.EROFS, errno.EMFILE, errno.ENAMETOOLONG):
        for operation, call in calls:
            with failing(operation, error), pytest.raises(StorageError) as caught:
                call()
            assert str(tmp_path / "x") in caught.value.message
            assert os.strerror(error) in caught.value.message
            assert caught.value.remedy.endswith((".", ")."))
