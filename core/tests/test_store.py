"""Sessions are made, found, listed, continued and deleted; one that is damaged disturbs no other."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from codetether.errors import InvalidSessionId, SessionLocked, SessionNotFound, StorageError
from codetether.models.messages import Message, TextPart, ToolCallPart, ToolResultPart, user
from codetether.models.session import (
    JournalEntry,
    MessageAdded,
    MetadataChanged,
    Remembered,
    Session,
    SessionStarted,
    SessionSummary,
    TitleChanged,
    ToolCompleted,
    TurnEnded,
)
from codetether.storage.disk import Disk
from codetether.storage.store import Journal, Store, bucket_of, check_session_id, new_session_id
from hypothesis import given, settings
from hypothesis import strategies as st


async def made(store: Store, session_id: str, directory: str = "/work", *texts: str) -> Journal:
    """A closed session with some messages."""
    journal = await store.create(SessionStarted(id=session_id, directory=directory))
    for text in texts:
        journal.append(MessageAdded(message=user(text), turn=1))
    await journal.close()
    return journal


async def ids(store: Store) -> list[str]:
    return [summary.id for summary in await store.list()]


def summary_of(session: Session) -> SessionSummary:
    return SessionSummary(
        id=session.id,
        title=session.title,
        created_at=session.created_at,
        updated_at=session.updated_at,
        message_count=len(session.messages),
        agent=session.agent,
        directory=session.metadata.directory,
        model=session.metadata.model,
        parent_id=session.parent_id,
    )


# ids


def test_new_ids_sort_by_the_time_they_were_made() -> None:
    many = [new_session_id() for _ in range(20_000)]
    assert many == sorted(set(many))
    assert all(re.fullmatch("[0-9a-hjkmnp-tv-z]{26}", one) for one in many)
    milliseconds = 0
    for letter in many[0][:10]:
        milliseconds = milliseconds * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    assert abs(milliseconds / 1000 - datetime.now(UTC).timestamp()) < 10


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_two_forked_processes_never_make_the_same_ids() -> None:
    new_session_id()
    made_by_child, child = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(child, "".join(new_session_id() for _ in range(200)).encode())
        os._exit(0)
    own = {new_session_id() for _ in range(200)}
    os.close(child)
    with os.fdopen(made_by_child) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    others = {text[start : start + 26] for start in range(0, len(text), 26)}
    assert (len(own), len(others), own & others) == (200, 200, set())


@settings(max_examples=10_000 if os.environ.get("CODETETHER_PROOF") else 60)
@given(st.text(max_size=120) | st.from_regex(r"[A-Za-z0-9_.\-/ ]{0,110}"))
def test_only_ids_are_ids(text: str) -> None:
    if re.match(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z", text, re.ASCII):
        assert check_session_id(text) == text
        assert Path("/data/sessions", bucket_of(text), text).resolve() == Path("/data/sessions", bucket_of(text), text)
    else:
        with pytest.raises(InvalidSessionId, match="no session id"):
            check_session_id(text)


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "../x", "a\n", "a\0", "-a", "_a", "ä", "x" * 101, "a b", "a.b"])
async def test_F09_a_bad_id_is_refused_at_every_door_and_touches_nothing(store: Store, bad: str) -> None:
    async def all_records() -> None:
        async for _ in store.records(bad):
            pass

    for door in (
        store.create(SessionStarted(id=bad, directory="/work")),
        store.open(bad),
        store.load(bad),
        store.delete(bad),
        all_records(),
    ):
        with pytest.raises(InvalidSessionId):
            await door
    assert not store.directory.exists()


async def test_a_twin_by_case_is_refused_at_every_door(store: Store) -> None:
    await made(store, "Import_7aB")
    for door in (
        store.create(SessionStarted(id="import_7ab", directory="/work")),
        store.open("import_7ab"),
        store.load("IMPORT_7AB"),
        store.delete("import_7ab"),
    ):
        with pytest.raises(InvalidSessionId, match="differs from the existing Import_7aB by case only"):
            await door
    assert await ids(store) == ["Import_7aB"]


async def test_an_id_that_is_taken_is_refused_and_its_session_untouched(store: Store) -> None:
    first = await made(store, "s1", "/work", "hello")
    with pytest.raises(InvalidSessionId, match="s1 exists already"):
        await store.create(SessionStarted(id="s1", directory="/other"))
    assert await store.load("s1") == first.state
    await (await store.open("s1")).close()


async def test_an_absent_session_is_named(store: Store) -> None:
    for door in (store.open("nobody"), store.load("nobody")):
        with pytest.raises(SessionNotFound, match="no session nobody"):
            await door
    with pytest.raises(SessionNotFound):
        [item async for item in store.records("nobody")]
    assert await store.delete("nobody") is False


# modes and links


async def test_all_that_is_made_is_private(store: Store) -> None:
    before = os.umask(0)
    try:
        journal = await made(store, "s1", "/work", "hello")
        reopened = await store.open("s1")
        reopened.side_file("out", b"")
        await reopened.close()
        await store.list()
    finally:
        os.umask(before)
    found = {p: stat.S_IMODE(p.stat().st_mode) for p in [store.data, *store.data.rglob("*")]}
    assert {p for p, mode in found.items() if mode != (0o700 if p.is_dir() else 0o600)} == set()
    assert journal.path in found


async def test_a_link_in_the_place_of_a_session_is_never_followed(store: Store, tmp_path: Path) -> None:
    journal = await made(store, "s1", "/work", "hello")
    elsewhere = tmp_path / "elsewhere"
    journal.directory.rename(elsewhere)
    before = {p.name: p.read_bytes() for p in elsewhere.iterdir()}
    journal.directory.symlink_to(elsewhere)
    for door in (
        store.open("s1"),
        store.load("s1"),
        store.delete("s1"),
        store.create(SessionStarted(id="s1", directory="/work")),
    ):
        with pytest.raises(StorageError, match="symbolic link"):
            await door
    assert await ids(store) == []
    assert {p.name: p.read_bytes() for p in elsewhere.iterdir()} == before


async def test_a_link_in_the_place_of_a_file_is_never_followed(store: Store, tmp_path: Path) -> None:
    for name in ("journal.jsonl", "lock"):
        journal = await made(store, f"s-{name[0]}", "/work", "hello")
        target = tmp_path / name
        (journal.directory / name).rename(target)
        (journal.directory / name).symlink_to(target)
        before = target.read_bytes()
        with pytest.raises(StorageError, match=name):
            await store.open(journal.id)
        assert target.read_bytes() == before


# listing


async def test_a_fresh_machine_has_no_sessions_and_asking_makes_nothing(store: Store) -> None:
    assert (await store.list(), await store.last(), await store.last_for_directory(Path("/work"))) == ([], None, None)
    assert not store.data.exists()


async def test_listings_go_by_updated_at_newest_first(store: Store) -> None:
    for name in ("a", "b", "c"):
        await made(store, name, f"/{name}", "hello")
    journal = await store.open("a")
    journal.append(MessageAdded(message=user("again"), turn=2))
    await journal.close()
    assert await ids(store) == ["a", "c", "b"]
    assert [s.id for s in await store.list(limit=2)] == ["a", "c"]
    last = await store.last()
    assert last is not None
    assert last == summary_of((await store.load("a")).session)


async def test_an_automatic_title_leaves_updated_at_alone_and_a_chosen_one_does_not(store: Store) -> None:
    await made(store, "old", "/work", "hello")
    await made(store, "new", "/work", "hello")
    journal = await store.open("old")
    journal.append(TitleChanged(title="made", automatic=True))
    journal.append(Remembered(plugin="p", key="k", value=1))
    assert await ids(store) == ["new", "old"]
    journal.append(TitleChanged(title="chosen"))
    assert [(s.id, s.title) for s in await store.list()] == [("old", "chosen"), ("new", None)]
    await journal.close()


async def test_directories_are_compared_by_canonical_path(store: Store, tmp_path: Path) -> None:
    real, other = tmp_path / "real", tmp_path / "other"
    real.mkdir()
    other.mkdir()
    (tmp_path / "link").symlink_to(real)
    await made(store, "a", str(real))
    await made(store, "b", str(other))
    await made(store, "c", str(tmp_path / "link"))
    await made(store, "d", str(tmp_path / "other" / ".." / "real"))
    for spelled in (real, tmp_path / "link", tmp_path / "other" / ".." / "link"):
        assert [s.id for s in await store.list_for_directory(spelled)] == ["d", "c", "a"]
    assert [s.id for s in await store.list_for_directory(real, limit=1)] == ["d"]
    found = await store.last_for_directory(other)
    assert found is not None
    assert found.id == "b"
    assert await store.last_for_directory(tmp_path) is None
    await made(store, "said", str(tmp_path), "hello")
    await made(store, "only-opened", str(tmp_path))
    found = await store.last_for_directory(tmp_path)
    assert found is not None
    assert found.id == "said"
    journal = await store.open("b")
    journal.append(MetadataChanged(directory=str(real)))
    await journal.close()
    assert [s.id for s in await store.list_for_directory(real)] == ["b", "d", "c", "a"]


async def test_a_summary_says_what_the_whole_journal_says(store: Store) -> None:
    journal = await store.create(
        SessionStarted(id="s1", directory="/work", agent="plan", model="p/m", parent_id="s0", version="1")
    )
    call = ToolCallPart(id="c1", name="read", arguments="{}")
    entries: list[JournalEntry] = [
        MessageAdded(message=user('hello\n ü \u2028 \\ "'), turn=1),
        TitleChanged(title='hello " ü', automatic=True),
        MessageAdded(message=Message(role="assistant", parts=(TextPart(text="x"), call)), turn=1, step=1),
        ToolCompleted(result=ToolResultPart(tool_call_id="c1", name="read", success=True), turn=1, step=1),
        MetadataChanged(model="p/other"),
        MetadataChanged(agent="build", shared=True),
        TurnEnded(turn=1, status="done", steps=1),
        TitleChanged(title=None),
        TitleChanged(title="z", automatic=True),
    ]
    for entry in entries:
        journal.append(entry)
        assert await store.list() == [summary_of(journal.state.session)]
        async with Store(store.data, Disk()) as fresh:
            (store.data / "index.sqlite").unlink(missing_ok=True)
            assert await fresh.list() == [summary_of(journal.state.session)]
    await journal.close()


async def test_a_session_removed_by_hand_is_gone_from_the_listing(store: Store) -> None:
    journal = await made(store, "s1")
    await made(store, "s2")
    assert await ids(store) == ["s2", "s1"]
    for path in journal.directory.iterdir():
        path.unlink()
    journal.directory.rmdir()
    assert await ids(store) == ["s2"]


async def test_other_things_among_the_sessions_are_left_alone(store: Store) -> None:
    await made(store, "s1")
    (store.directory / "README").write_text("mine")
    (store.directory / "ab").mkdir(exist_ok=True)
    (store.directory / "ab" / "notes.txt").write_text("mine")
    (store.directory / "ab" / "empty").mkdir()
    assert await ids(store) == ["s1"]
    assert await store.unreadable() == {}


async def test_R08_one_damaged_session_never_breaks_a_listing(store: Store) -> None:
    for number, damage in enumerate([b"", b"\n", b"\x00" * 4096, b"{}\n", b'{"seq":1}\n' * 3, b"\xff\xfe\n\n"]):
        journal = await made(store, f"bad{number}")
        journal.path.write_bytes(damage)
    swapped = await made(store, "swapped")
    await made(store, "good", "/work", "hello")
    swapped.path.write_bytes((await made(store, "other")).path.read_bytes())
    assert await ids(store) == ["other", "good"]
    assert {name: bool(why) for name, why in (await store.unreadable()).items()} == {
        "bad1": True,
        "bad3": True,
        "bad4": True,
        "bad5": True,
        "swapped": True,
    }
    assert (await store.load("good")).session.id == "good"


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
async def test_a_session_that_may_not_be_read_is_named(store: Store) -> None:
    journal = await made(store, "s1")
    await made(store, "s2")
    journal.path.chmod(0)
    assert await ids(store) == ["s2"]
    assert await store.unreadable() == {"s1": "Permission denied"}


@pytest.mark.parametrize("harm", ["delete", "garbage", "empty", "flip", "old", "directory", "truncate"])
async def test_the_index_is_only_a_cache(store: Store, harm: str) -> None:
    for name in ("a", "b", "c"):
        await made(store, name, f"/{name}", "hello " * 200)
    expected = await store.list()
    path = store.data / "index.sqlite"
    async with Store(store.data, Disk()) as other:
        assert await other.list() == expected
    match harm:
        case "delete":
            path.unlink()
        case "garbage":
            path.write_bytes(random.Random(3).randbytes(9_000))
        case "empty":
            path.write_bytes(b"")
        case "flip":
            data = bytearray(path.read_bytes())
            data[100:4000] = random.Random(3).randbytes(3900)
            path.write_bytes(data)
        case "old":
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA user_version=0")
            connection.close()
        case "directory":
            path.unlink()
            path.mkdir()
        case "truncate":
            path.write_bytes(path.read_bytes()[:5000])
    async with Store(store.data, Disk()) as other:
        assert await other.list() == expected
        assert [s.id for s in await other.list_for_directory(Path("/b"))] == ["b"]
    assert await store.list() == expected


async def test_two_stores_share_the_index(store: Store) -> None:
    async with Store(store.data, Disk()) as other:
        await made(store, "a")
        assert await ids(other) == ["a"]
        await made(store, "b")
        both = await asyncio.gather(*(s.list() for s in [store, other] * 10))
        assert [[summary.id for summary in found] for found in both] == [["b", "a"]] * 20


async def test_a_listing_reads_only_what_changed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from codetether.storage import index

    for number in range(20):
        await made(store, f"s{number}", "/work", "hello " * 100)
    await store.list()
    read: list[tuple[str, int]] = []
    real = index._read_from

    def counting(path: str, offset: int, end: int) -> bytes:
        read.append((Path(path).parent.name, end - offset))
        return real(path, offset, end)

    monkeypatch.setattr(index, "_read_from", counting)
    assert len(await store.list()) == 20
    assert read == []
    journal = await store.open("s7")
    before = journal.path.stat().st_size
    journal.append(MessageAdded(message=user("more"), turn=2))
    assert (await ids(store))[0] == "s7"
    assert read == [("s7", journal.path.stat().st_size - before)]
    await journal.close()


# locks and deleting


async def test_the_second_writer_is_refused_with_the_holders_id_and_may_still_read(store: Store) -> None:
    journal = await store.create(SessionStarted(id="s1", directory="/work"))
    async with Store(store.data, Disk()) as other:
        with pytest.raises(SessionLocked, match=f"s1 is in use by process {os.getpid()}") as caught:
            await other.open("s1")
        assert caught.value.pid == os.getpid()
        with pytest.raises(SessionLocked):
            await other.create(SessionStarted(id="s1", directory="/work"))
        with pytest.raises(SessionLocked):
            await other.delete("s1")
        assert await other.load("s1") == journal.state
        assert len(await other.list()) == 1
        await journal.close()
        await (await other.open("s1")).close()


async def test_closing_twice_and_closing_after_the_disk_give_the_lock_back(store: Store) -> None:
    disk = Disk()
    async with Store(store.data, disk) as other:
        journal = await other.create(SessionStarted(id="s1", directory="/work"))
        journal.append(MessageAdded(message=user("hello"), turn=1))
        await disk.close()
        await journal.close()
        await journal.close()
    assert (await store.load("s1")).sequence == 2
    await (await store.open("s1")).close()


async def test_a_cancelled_opening_leaves_no_lock_behind(store: Store) -> None:
    await made(store, "s1")
    for _ in range(20):
        opening = asyncio.ensure_future(store.open("s1"))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    await (await store.open("s1")).close()


async def test_a_deleted_session_leaves_nothing(store: Store) -> None:
    journal = await made(store, "s1", "/work", "hello")
    (journal.directory / "files").mkdir()
    (journal.directory / "files" / "big").write_bytes(b"x" * 1000)
    assert await store.delete("s1") is True
    assert await store.delete("s1") is False
    assert list(journal.directory.parent.iterdir()) == []
    assert await store.list() == []
    with pytest.raises(SessionNotFound):
        await store.open("s1")
    await made(store, "s1", "/again")
    assert (await store.load("s1")).session.metadata.directory == "/again"


async def test_deleting_never_follows_a_link(store: Store, tmp_path: Path) -> None:
    journal = await made(store, "s1")
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "gold").write_bytes(b"mine")
    (journal.directory / "files").symlink_to(treasure)
    assert await store.delete("s1") is True
    assert (treasure / "gold").read_bytes() == b"mine"


async def test_which_of_some_ids_are_there_is_told_also_of_one_that_cannot_be_read(store: Store) -> None:
    await made(store, "whole")
    journal = await made(store, "broken")
    journal.path.write_bytes(b"nothing of ours\n" + journal.path.read_bytes())
    assert await store.known(["whole", "broken", "nobody", "who'le"]) == {"whole", "broken"}
    assert await store.known([]) == set()
    assert [*await store.some(["whole", "broken", "nobody", "../x", "\ud800"])] == ["whole"]


async def test_the_sessions_of_subagents_are_found_by_the_one_above(store: Store) -> None:
    for name, above in (("a", None), ("c", "a"), ("b", "a"), ("d", "b")):
        journal = await store.create(SessionStarted(id=name, directory="/work", parent_id=above))
        await journal.close()
    assert [[each.id for each in await store.children(name)] for name in "abcd"] == [["b", "c"], ["d"], [], []]
    assert [summary.id for summary in await store.list(subagents=False)] == ["a"]
