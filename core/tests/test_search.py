"""Full-text search: everything is found, only what is new is read, and the index may be lost at any time."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from codetether.errors import UsageError
from codetether.models.messages import Message, TextPart, ThinkingPart, ToolCallPart, ToolResultPart, user
from codetether.models.session import (
    JournalEntry,
    MessageAdded,
    SessionStarted,
    TitleChanged,
    ToolCompleted,
    TurnEnded,
)
from codetether.storage import search as full_text
from codetether.storage.phrases import Phrases
from codetether.storage.search import Other, Scope
from codetether.storage.store import Store
from codetether.storage.texts import Text

CALL = ToolCallPart(id="c1", name="bash", arguments='{"command":"grep -rn\\nsnake_case src"}')
RESULT = ToolResultPart(
    tool_call_id="c1", name="bash", content=(TextPart(text="src/a.py:3: Überprüfung 中文搜索"),), success=True
)
SAID = (ThinkingPart(text="Let me ponder."), TextPart(text="Looking"), CALL)
ANSWER = Message(role="assistant", provider="acme", model="m-1", parts=SAID)


async def made(store: Store, id_: str, directory: str, *entries: JournalEntry) -> None:
    journal = await store.create(SessionStarted(id=id_, directory=directory))
    for entry in entries:
        journal.append(entry)
    await journal.close()


async def found(store: Store, words: str, scope: Scope = Scope(), limit: int = 20) -> list[str]:  # noqa: B008
    return [each.session_id for each in (await store.search(Phrases(words), scope, limit=limit)).sessions]


async def test_every_text_of_a_session_is_found(store: Store) -> None:
    await made(
        store,
        "s1",
        "/work",
        MessageAdded(message=user("Where is the naïve parser?"), turn=1),
        MessageAdded(message=ANSWER, turn=1, step=1),
        ToolCompleted(result=RESULT, turn=1, step=1),
        TitleChanged(title="Parsers and such"),
        TurnEnded(turn=1, status="error", steps=1, error="overloaded 529"),
    )
    for words, kind, name, snippet, matched in (
        ("NAIVE parser", "user", "", "Where is the naïve parser?", ["naïve", "parser"]),
        ("ponder", "thinking", "acme/m-1", "Let me ponder.", ["ponder"]),
        ("looking", "assistant", "acme/m-1", "Looking", ["Looking"]),
        ('"grep rn snake case"', "call", "bash", "grep -rn snake_case src", ["grep -rn snake_case"]),
        ("Uberprufung", "result", "bash", "src/a.py:3: Überprüfung 中文搜索", ["Überprüfung"]),
        ("文搜", "result", "bash", "src/a.py:3: Überprüfung 中文搜索", ["文搜"]),
        ("such", "title", "", "Parsers and such", ["such"]),
        ("529", "error", "", "overloaded 529", ["529"]),
    ):
        (session,) = (await store.search(Phrases(words), Scope())).sessions
        (hit,) = session.hits
        assert (hit.kind, hit.name, hit.snippet) == (kind, name, snippet), words
        assert [hit.snippet[start:end] for start, end in hit.matches] == matched
    for words in ('"parse"', "where -naive", "where ponder", "pars3r", '"is where"'):
        assert await found(store, words) == [], words
    for words in ("", "-", '""', "-only", "!?"):
        with pytest.raises(UsageError, match="no word to search for"):
            Phrases(words)


async def test_a_search_is_scoped(store: Store, tmp_path: Path) -> None:
    for id_, directory in (("a", tmp_path / "x"), ("b", tmp_path / "x" / "deep"), ("c", tmp_path / "x0")):
        await made(store, id_, str(directory), MessageAdded(message=user("hello"), turn=1))
    await made(store, "d", "/d", MessageAdded(message=user("hello"), turn=1), MessageAdded(message=ANSWER, turn=1))
    day = datetime.now(UTC).isoformat()[:10]
    for scope, expected in (
        (Scope(), "dcba"),
        (Scope(directory=str(tmp_path / "x")), "a"),
        (Scope(below=str(tmp_path / "x")), "ba"),
        (Scope(below="/"), "dcba"),
        (Scope(model="m-1"), "d"),
        (Scope(model="acme/*"), "d"),
        (Scope(model="acme"), ""),
        (Scope(tool="bash"), ""),
        (Scope(since=day), "dcba"),
        (Scope(until=day), ""),
        (Scope(since="2999"), ""),
    ):
        assert "".join(await found(store, "hello", scope)) == expected, scope
    assert await found(store, "grep", Scope(tool="ba*")) == ["d"]
    some = await store.search(Phrases("hello"), Scope(), limit=3)
    assert ([each.session_id for each in some.sessions], some.more) == (["d", "c", "b"], True)


async def test_only_what_is_new_is_read_and_what_is_gone_is_not_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_text, "_DEAD", 5)
    for number in range(10):
        await made(store, f"s{number}", "/work", MessageAdded(message=user("hello world"), turn=1))
    told: list[tuple[int, int]] = []
    await store.search(Phrases("hello"), Scope(), lambda *counts: told.append(counts))
    assert told == [(0, 10)]
    journal = await store.open("s0")
    journal.append(MessageAdded(message=user("goodbye"), turn=2))
    assert await found(store, "goodbye") == ["s0"]
    assert len(await found(store, "hello")) == 10
    await journal.close()
    with monkeypatch.context() as nothing:
        nothing.setattr(full_text, "_count_in", None)  # is read a second time
        assert len(await found(store, "hello")) == 10
    for number in range(9):
        await store.delete(f"s{number}")
    forgotten: list[sqlite3.Connection] = []
    real = full_text.forget

    def forget(connection: sqlite3.Connection) -> None:
        forgotten.append(connection)
        real(connection)

    monkeypatch.setattr(full_text, "forget", forget)
    assert (await found(store, "hello"), await found(store, "goodbye")) == (["s9"], [])
    assert len(forgotten) == 1  # their words do not stay for good


@pytest.mark.parametrize("harm", ["delete", "garbage", "no words", "half counted"])
async def test_the_index_is_made_again(store: Store, harm: str) -> None:
    for number in range(3):
        await made(store, f"s{number}", "/work", MessageAdded(message=user("hello"), turn=1))
    await found(store, "hello")
    await store.__aexit__(None, None, None)
    path = store.data / "index.sqlite"
    match harm:
        case "delete":
            path.unlink()
        case "garbage":
            path.write_bytes(b"x" * 5000)
        case "no words":
            with sqlite3.connect(path) as connection:
                connection.execute("DROP TABLE words_data")
            connection.close()
        case _:
            with sqlite3.connect(path) as connection:
                connection.execute("DELETE FROM searched WHERE id <> 's1'")
            connection.close()
    assert await found(store, "hello") == ["s2", "s1", "s0"]


async def test_texts_of_other_products_stand_beside_ours_until_they_are_taken_in(store: Store) -> None:
    await made(store, "s1", "/work", MessageAdded(message=user("hello"), turn=1))
    texts = (("2020-01-02T00:00:00Z", (Text("user", "", "hello from elsewhere"),)),)
    other = Other(id="codex_1", canonical="/work", summary="{}", texts=texts)
    await store.keep_other("codex /f", "1", [other])
    assert await store.others() == {"codex /f": "1"}
    assert await found(store, "hello", Scope(directory="/work")) == ["s1", "codex_1"]
    assert await found(store, "hello", Scope(own=True)) == ["s1"]
    assert await found(store, "hello", limit=1) == ["s1"]
    await store.keep_other("codex /f", "2", [other])
    (finding,) = (await store.search(Phrases("elsewhere"), Scope())).sessions
    assert [(hit.snippet, hit.sequence) for hit in finding.hits] == [("hello from elsewhere", 0)]
    await made(store, "codex_1", "/work", MessageAdded(message=user("taken in"), turn=1))
    assert await found(store, "elsewhere") == []
    await store.delete("codex_1")
    assert await found(store, "elsewhere") == ["codex_1"]
    await store.keep_other("codex /f", None, [])
    assert (await found(store, "elsewhere"), await store.others()) == ([], {})


async def test_a_crash_while_sessions_are_read_leaves_what_was_read_and_no_halves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        await made(store, f"s{number}", "/work", MessageAdded(message=user("hello"), turn=1))
    real, read = full_text._count_in, []

    def crashing(connection: sqlite3.Connection, sessions: Path, session: str, *more: Any) -> int:
        read.append(session)
        if len(read) == 4:
            raise KeyboardInterrupt
        return real(connection, sessions, session, *more)

    monkeypatch.setattr(full_text, "_BATCH", 300)  # two sessions
    monkeypatch.setattr(full_text, "_count_in", crashing)
    with pytest.raises(KeyboardInterrupt):
        store._index.ask(lambda index: index.search(Phrases("hello"), Scope(), lambda *_: None, limit=9, hits=1))
    assert len(await found(store, "hello")) == 6
    assert read[4:] == [*read[2:4], "s4", "s5"]
