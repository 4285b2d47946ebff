"""Forks, mended journals and the last messages of a long session."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from codetether.errors import JournalDamaged, SessionLocked, UsageError
from codetether.models.completion import Usage
from codetether.models.events import AuditAnchor
from codetether.models.foreign import ORIGIN
from codetether.models.messages import Message, TextPart, ToolCallPart, ToolResultPart, user
from codetether.models.session import (
    Announced,
    Gap,
    JournalEntry,
    JournalRecord,
    MessageAdded,
    MetadataChanged,
    Remembered,
    SessionStarted,
    TitleChanged,
    ToolCompleted,
    TurnEnded,
)
from codetether.storage.forks import FORKED, fork
from codetether.storage.store import Store

SPENT = Usage(input_tokens=10, output_tokens=2, cost=Decimal("0.01"))


def calling(*calls: str, turn: int = 1) -> MessageAdded:
    parts = tuple(ToolCallPart(id=each, name="read", arguments="{}") for each in calls)
    text = (TextPart(text="ok"),)
    message = Message(role="assistant", provider="acme", model="m", parts=text + parts)
    return MessageAdded(message=message, turn=turn, step=1, usage=SPENT)


def answered(call: str) -> ToolCompleted:
    return ToolCompleted(result=ToolResultPart(tool_call_id=call, name="read", success=True), turn=1, step=1)


STORY: list[JournalEntry] = [
    MessageAdded(message=user("one"), turn=1),
    TitleChanged(title="one", automatic=True),
    Remembered(plugin="core", key=ORIGIN, value={"source_id": "x"}),
    Remembered(plugin="work", key="todo", value=["a"]),
    calling("c1", "c2"),
    answered("c1"),
    Announced(event=AuditAnchor(sink="s", detail={}), turn=1),
    answered("c2"),
    calling(),
    TurnEnded(turn=1, status="done", steps=2),
    MetadataChanged(model="acme/other"),
    MessageAdded(message=user("two"), turn=2),
    calling(turn=2),
    TurnEnded(turn=2, status="done", steps=1),
]


async def written(store: Store, id_: str = "s1") -> list[JournalRecord]:
    journal = await store.create(SessionStarted(id=id_, directory="/work", model="acme/m", parent_id="p"))
    for entry in STORY:
        journal.append(entry)
    await journal.close()
    return [item async for item in store.records(id_)]


async def test_a_fork_holds_what_the_other_held_up_to_there_and_spent_nothing(store: Store) -> None:
    records = await written(store)
    whole = (await store.load("s1")).session
    for number, (asked, count, turn) in enumerate(
        [({}, 7, 2), ({"turn": 1}, 5, 1), ({"messages": 2}, 4, 1), ({"messages": 3}, 4, 1), ({"messages": 1}, 1, 1)]
    ):
        await store.adopt(fork(records, f"f{number}", messages=asked.get("messages"), turn=asked.get("turn")))
        made = await store.load(f"f{number}")
        session = made.session
        assert session.messages == whole.messages[:count], asked
        assert (session.turn, session.title, session.parent_id) == (turn, "one (fork)", None)
        assert session.metadata.model == ("acme/other" if turn == 2 else "acme/m")
        forked = made.memory.pop(("core", FORKED))  # type: ignore[attr-defined]
        assert {key: forked[key] for key in ("from", "messages")} == {"from": "s1", "messages": count}
        assert made.memory == {("work", "todo"): ["a"]}
        assert made.open_calls == {}
    assert [each.id for each in await store.list(limit=1)] == ["f4"]
    spent = (await store.tally()).spending
    assert [(each.session_id, each.usage.input_tokens) for each in spent] == [("s1", 30)]
    again = await store.open("f2")
    again.append(calling(turn=2))
    await again.close()
    assert {each.session_id: each.usage.input_tokens for each in (await store.tally()).spending} == {"s1": 30, "f2": 10}
    assert [item async for item in store.records("s1")] == records
    nested = fork([item async for item in store.records("f1")], "f9", title="mine")
    assert [item.entry for item in nested].count(nested[1].entry) == 1
    assert nested[-1].entry == TitleChanged(title="mine")
    for asked, words in (({"messages": 99}, "no more than 7 messages"), ({"turn": 3}, "no more than 2 turns")):
        with pytest.raises(UsageError, match=words):
            fork(records, "x", messages=asked.get("messages"), turn=asked.get("turn"))


async def test_a_damaged_journal_is_mended_and_the_rest_stays_as_it_was(store: Store) -> None:
    records = await written(store)
    (path,) = store.directory.glob("*/s1/journal.jsonl")
    original = path.read_bytes()
    assert (await store.mend("s1", "/here")).problems == ()
    lines = original.split(b"\n")
    damaged = [lines[0], lines[1], lines[2][:30] + b"?" + lines[2][31:], *lines[3:-1], b'{"seq":99,"at"']
    path.write_bytes(b"\n".join(damaged))
    looked, found = (await store.mend("s1", "/here", dry=True), await store.mend("s1", "/here"))
    for each in (looked, found):
        assert [problem.partition(":")[0] for problem in each.problems] == ["line 3", "line 16"]
    assert looked.kept is None
    assert found.kept is not None
    assert found.kept.read_bytes() == damaged[2] + b"\n" + damaged[-1] + b"\n"
    assert path.read_bytes() == b"\n".join([*damaged[:2], *damaged[3:-1], b""])
    after = [item async for item in store.records("s1")]
    assert [item for item in after if not isinstance(item.entry, Gap)] == [*records[:2], *records[3:]]
    assert [type(item.entry) for item in after].count(Gap) == 1
    assert (await store.mend("s1", "/here")).problems == ()
    journal = await store.open("s1")
    assert journal.append(TitleChanged(title="on")).sequence == records[-1].sequence + 1
    with pytest.raises(SessionLocked):
        await store.mend("s1", "/here")
    await journal.close()


async def test_the_first_record_can_be_made_again(store: Store) -> None:
    await written(store)
    (path,) = store.directory.glob("*/s1/journal.jsonl")
    first, rest = path.read_bytes().split(b"\n", 1)
    for head, expected in ((first.replace(b'"acme/m"', b'"acme/n"'), "/work"), (b"\0" * 40, "/here")):
        path.write_bytes(head + b"\n" + rest)
        with pytest.raises(JournalDamaged):
            await store.load("s1")
        assert len((await store.mend("s1", "/here")).problems) == 2
        session = (await store.load("s1")).session
        assert (len(session.messages), session.metadata.directory, session.title) == (7, expected, "one")
    path.write_bytes(first.replace(b'"s1"', b'"s2"') + b"\n" + b"x" * 200)
    with pytest.raises(JournalDamaged, match="there is no whole record in it"):
        await store.mend("s1", "/here")


async def test_any_damage_is_mended_or_named(store: Store) -> None:
    await written(store)
    (path,) = store.directory.glob("*/s1/journal.jsonl")
    original, chance = path.read_bytes(), random.Random(5)
    for _ in range(60):
        data = bytearray(original[: chance.choice([len(original), chance.randrange(300, len(original))])])
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        path.write_bytes(data)
        try:
            await store.mend("s1", "/here")
        except JournalDamaged:
            continue
        assert (await store.mend("s1", "/here")).problems == ()
        assert (await store.load("s1")).session.id == "s1"
        await (await store.open("s1")).close()


async def test_the_last_messages_are_read_from_the_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from codetether.storage import latest

    records = await written(store)
    numbers = [n for n, item in enumerate(records) if isinstance(item.entry, MessageAdded | ToolCompleted)]
    for first in (64, 1000, 256 * 1024):
        monkeypatch.setattr(latest, "_FIRST", first)
        for count in range(1, 8):
            assert await store.latest("s1", count) == records[numbers[-count] :]
        assert await store.latest("s1", 8) == records
