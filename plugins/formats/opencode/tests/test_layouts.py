"""What rows and files become, and that nothing is written beside them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from codetether import (
    FilePart,
    ForeignSession,
    ImagePart,
    SourceDamaged,
    TextPart,
    ThinkingPart,
    ToolResultPart,
    Unreadable,
    Usage,
)
from codetether_format_opencode.layouts import Layouts

ID = "ses_6a1b2c3d4ffeAbCdEfGhIjKlMn"
ANSWER = {"role": "assistant", "providerID": "anthropic", "modelID": "claude-sonnet-4-5"}
TOKENS = {"input": 50, "output": 7, "reasoning": 3, "cache": {"read": 40, "write": 2}}


def tool(id_: str, **state: Any) -> dict[str, Any]:
    return {"type": "tool", "callID": id_, "tool": "bash", "state": {"input": {"command": id_}, **state}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


Messages = Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]]


async def read(source: Path) -> ForeignSession:
    (found,) = [found async for found in Layouts().read(source)]
    assert isinstance(found, ForeignSession)
    return found


async def exported(tmp_path: Path, messages: Messages, **info: Any) -> ForeignSession:
    about = {"id": ID, "directory": "/work", "title": "T", "time": {"created": 1767323045000}, **info}
    body = [
        {"info": dict(message, id=f"msg_{n}", time={"created": 1767323045000 + n}), "parts": list(parts)}
        for n, (message, parts) in enumerate(messages)
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps({"info": about, "messages": body}))
    return await read(path)


def told(found: ForeignSession) -> list[str]:
    return [
        " ".join([m.role, m.text, *(c.id for c in m.tool_calls), *(p.tool_call_id for p in results(m.parts))]).strip()
        for m in found.session.messages
    ]


def results(parts: Any) -> list[ToolResultPart]:
    return [part for part in parts if isinstance(part, ToolResultPart)]


def database(path: Path, *, newer: bool = False, messages: Messages = ()) -> sqlite3.Connection:
    """A database with one session, open for more."""
    made = sqlite3.connect(path)
    made.executescript("""
        CREATE TABLE session (id TEXT, project_id TEXT, parent_id TEXT, directory TEXT, title TEXT, version TEXT,
          time_created INTEGER, time_updated INTEGER, mark_of_a_fork TEXT);
        CREATE TABLE message (id TEXT, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);
        CREATE TABLE part (id TEXT, message_id TEXT, session_id TEXT, time_created INTEGER, data TEXT);
        CREATE TABLE account (id TEXT, secret TEXT);
    """)
    values = (ID, "p", None, "/work", "T", "1.2.3", 1767323045000, 1767323046000)
    made.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", values)
    for n, (message, parts) in enumerate(messages):
        row = (f"msg_{n}", ID, 1767323045000 + n, 0, json.dumps(message))
        made.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", row)
        for m, part in enumerate(parts):
            made.execute("INSERT INTO part VALUES (?, ?, ?, 0, ?)", (f"prt_{n}_{m}", f"msg_{n}", ID, json.dumps(part)))
    made.commit()
    return made


async def test_states_of_tools(tmp_path: Path) -> None:
    picture = {"type": "file", "mime": "image/png", "url": "data:image/png;base64,iVBORw=="}
    time = {"start": 1767323045000, "end": 1767323045250}
    found = await exported(
        tmp_path,
        [
            ({"role": "user"}, [text("go"), text("hidden", ignored=True)]),
            (
                {**ANSWER, "tokens": TOKENS, "cost": 0.01, "finish": "tool-calls"},
                [
                    {"type": "step-start"},
                    tool("c1", status="completed", output="done", time=time, attachments=[picture]),
                    tool("c2", status="error", error="it broke", time=time),
                    tool("c3", status="running"),
                    tool("c4", status="pending", raw='{"comm'),
                    {"type": "step-finish", "tokens": TOKENS},
                    {"type": "patch", "hash": "x", "files": []},
                    {"type": "from-the-future"},
                ],
            ),
        ],
    )
    assert told(found)[1] == "assistant  c1 c2 c3 c4"
    answers = [results(m.parts)[0] for m in found.session.messages[2:]]
    assert [(r.tool_call_id, r.text, r.success) for r in answers[:2]] == [
        ("c1", "done", True),
        ("c2", "it broke", False),
    ]
    assert answers[0].content[1:] == (ImagePart(media_type="image/png", data=b"\x89PNG"),)
    assert (found.tool_calls, found.tool_results, len(answers)) == (4, 2, 4)
    assert found.usage == Usage(
        input_tokens=92,
        output_tokens=10,
        cache_read_tokens=40,
        cache_write_tokens=2,
        reasoning_tokens=3,
        cost=found.usage.cost,
    )
    assert str(found.usage.cost) == "0.01"
    assert found.lost == (
        "calls without a result, closed with an error: 2",
        "parts of the unknown type 'from-the-future': 1",
        "patches that name changed files: 1",
        "texts that were kept from the model: 1",
    )


async def test_steps_within_one_message_come_in_order_and_count_as_one(tmp_path: Path) -> None:
    parts = [
        {"type": "step-start"},
        text("I look."),
        tool("c1", status="completed", output="a"),
        {"type": "step-start"},
        tool("c2", status="completed", output="b"),
        {"type": "step-start"},
        text("Done."),
    ]
    found = await exported(tmp_path, [({"role": "user"}, [text("go")]), ({**ANSWER, "tokens": TOKENS}, parts)])
    assert told(found) == [
        "user go",
        "assistant I look. c1",
        "tool  c1",
        "assistant  c2",
        "tool  c2",
        "assistant Done.",
    ]
    assert (found.messages, found.usage.output_tokens) == (2, 10)


async def test_what_providers_want_back_is_kept(tmp_path: Path) -> None:
    signed = {"type": "reasoning", "text": "hm", "metadata": {"anthropic": {"signature": "sig"}}}
    sealed = {"openai": {"itemId": "rs_1", "reasoningEncryptedContent": "blob"}}
    found = await exported(
        tmp_path,
        [
            ({"role": "user"}, [text("go")]),
            (ANSWER, [signed]),
            ({**ANSWER, "providerID": "openai"}, [{"type": "reasoning", "text": "", "metadata": sealed}]),
        ],
    )
    item = {"type": "reasoning", "id": "rs_1", "encrypted_content": "blob", "summary": []}
    assert [m.parts[0] for m in found.session.messages[1:]] == [
        ThinkingPart(text="hm", provider_data={"anthropic": {"signature": "sig"}}),
        ThinkingPart(provider_data={"openai": {"item": item}}),
    ]


async def test_files_of_the_user(tmp_path: Path) -> None:
    held = {"type": "file", "mime": "text/plain", "filename": "a.txt", "url": "data:text/plain;base64,aGk="}
    named = {"type": "file", "mime": "text/plain", "filename": "b.txt", "url": "file:///home/me/b.txt"}
    found = await exported(tmp_path, [({"role": "user"}, [text("see"), held, named])])
    assert found.session.messages[0].parts == (
        TextPart(text="see"),
        FilePart(media_type="text/plain", name="a.txt", data=b"hi"),
        TextPart(text="[file: b.txt]"),
    )
    assert found.lost == ("files that are named and not held: 1",)


async def test_messages_of_the_time_when_they_held_their_parts(tmp_path: Path) -> None:
    place = tmp_path / "project" / "work" / "storage" / "session"
    call = {"state": "result", "toolCallId": "c1", "toolName": "bash", "args": {"command": "ls"}, "result": "a.txt"}
    about = {"assistant": {"providerID": "anthropic", "modelID": "m", "tokens": TOKENS, "path": {"cwd": "/work"}}}
    old = {
        "role": "assistant",
        "metadata": {**about, "time": {"created": 1750000000000}},
        "parts": [{"type": "step-start"}, {"type": "tool-invocation", "toolInvocation": call}],
    }
    (place / "info").mkdir(parents=True)
    (place / "info" / f"{ID}.json").write_text(json.dumps({"title": "Old", "time": {"created": 1750000000000}}))
    (place / "message" / ID).mkdir(parents=True)
    (place / "message" / ID / "msg_1.json").write_text(json.dumps(old))
    found = await read(tmp_path)
    assert told(found) == ["assistant  c1", "tool  c1"]
    assert (found.session.metadata.directory, found.session.metadata.model) == ("/work", "anthropic/m")
    assert found.usage.output_tokens == 10


async def test_a_database_is_read_with_its_log_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    with closing(database(path, messages=[({"role": "user"}, [text("one")])])) as live:
        live.execute("PRAGMA journal_mode = WAL")
        row = ("msg_9", ID, 1767323045009, 0, json.dumps({"role": "user"}))
        live.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", row)
        part = ("prt_9", "msg_9", ID, json.dumps(text("two, only in the log")))
        live.execute("INSERT INTO part VALUES (?, ?, ?, 0, ?)", part)
        live.commit()
        before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.iterdir()}
        found = await read(path)
        (listed,) = await Layouts().listed(path)
        assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.iterdir()} == before
    assert told(found) == ["user one", "user two, only in the log"]
    assert (listed.session.id, listed.session.message_count, listed.source) == (f"opencode_{ID}", 2, f"{path}#{ID}")


async def test_a_database_that_is_closed_gets_no_file_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    made = database(path, messages=[({"role": "user"}, [text("one")])])
    made.execute("PRAGMA journal_mode = WAL")
    made.close()
    path.chmod(0o400)
    assert told(await read(path)) == ["user one"]
    assert [p.name for p in tmp_path.iterdir()] == ["opencode.db"]


async def test_of_a_session_in_several_layouts_the_newest_counts(tmp_path: Path) -> None:
    with closing(database(tmp_path / "opencode.db", messages=[({"role": "user"}, [text("of 1.2")])])) as made:
        made.executescript("""
            CREATE TABLE session_v2 (id TEXT, parent_id TEXT, directory TEXT, title TEXT, time_created INTEGER);
            CREATE TABLE session_message (
              id TEXT, session_id TEXT, type TEXT, seq INTEGER, time_created INTEGER, data TEXT
            );
        """)
        made.execute("INSERT INTO session_v2 VALUES (?, 'ses_parent00000', '/work', 'Two', 1767323045000)", (ID,))
        said = json.dumps({"text": "of 2.0", "files": [], "agents": []})
        made.execute("INSERT INTO session_message VALUES ('m', ?, 'user', 7, 1767323045000, ?)", (ID, said))
        made.execute(
            "INSERT INTO session_message VALUES ('n', ?, 'shell', 9, 1767323045001, ?)",
            (ID, '{"command":"ls","output":"a"}'),
        )
        made.execute("INSERT INTO session_message VALUES ('o', ?, 'comet', 11, 1767323045001, '{}')", (ID,))
        made.execute("INSERT INTO session_message VALUES ('p', ?, 'user', 12, 1767323045001, '[]')", (ID,))
        made.commit()
    (tmp_path / "storage" / "session" / "p").mkdir(parents=True)
    (tmp_path / "storage" / "session" / "p" / f"{ID}.json").write_text('{"title": "of the tree"}')
    found, problem = [found async for found in Layouts().read(tmp_path)]
    assert isinstance(found, ForeignSession)
    assert told(found) == ["user of 2.0", "user $ ls\na"]
    assert (found.session.title, found.session.parent_id) == ("Two", "opencode_ses_parent00000")
    assert problem == Unreadable(source=f"{tmp_path / 'opencode.db'}#{ID}/p", why="it holds no object")
    assert found.lost == ("messages of the unknown type 'comet': 1", "messages that cannot be read: 1")


async def test_one_session_of_a_database_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    database(path, messages=[({"role": "user"}, [text("one")])]).close()
    assert Layouts().recognises(Path(f"{path}#{ID}"))
    assert told(await read(Path(f"{path}#{ID}"))) == ["user one"]
    with pytest.raises(SourceDamaged, match="it holds no session ses_none"):
        await read(Path(f"{path}#ses_none"))


async def test_a_table_that_never_ends_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    with closing(sqlite3.connect(path)) as made:
        made.executescript("""
            CREATE TABLE message (id TEXT, session_id TEXT, time_created INTEGER, data TEXT);
            CREATE VIEW session AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n;
        """)
    assert not Layouts().recognises(path)


async def test_only_its_own_place_is_looked_at(tmp_path: Path) -> None:
    data = tmp_path / "opencode"
    data.mkdir()
    (data / "auth.json").write_text("{}")
    (data / "mcp-auth.json").write_text("{}")
    database(data / "opencode.db").close()
    (data / "opencode-empty.db").touch()
    made = Layouts({"XDG_DATA_HOME": str(tmp_path)})
    assert made.find() == [data / "opencode.db"]
    assert Layouts({"XDG_DATA_HOME": str(tmp_path / "nowhere")}).find() == []
    named = {"XDG_DATA_HOME": str(tmp_path), "OPENCODE_DB": str(tmp_path / "other.db")}
    database(tmp_path / "other.db").close()
    assert Layouts(named).find() == [tmp_path / "other.db", data / "opencode.db"]
    found = [found async for found in made.read(data)]
    assert [type(each) for each in found] == [Unreadable, ForeignSession]
