"""What the records of a session become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codetether import FilePart, ForeignSession, ImagePart, TextPart, ThinkingPart, ToolResultPart, Unreadable, Usage
from codetether_format_claude.projects import Projects

ID = "3d9f6a0e-1b2c-4d5e-8f70-8192a3b4c5d6"
MODEL = "claude-sonnet-4-5"


def user(uuid: str, parent: str | None, content: Any, **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": content}
    return {
        "type": "user",
        "uuid": uuid,
        "parentUuid": parent,
        "sessionId": ID,
        "cwd": "/work",
        "message": message,
        **more,
    }


def answer(uuid: str, parent: str | None, *blocks: Any, id: str = "", **more: Any) -> dict[str, Any]:  # noqa: A002
    usage = more.pop("usage", {})
    message = {"role": "assistant", "id": id or uuid, "model": MODEL, "content": list(blocks), "usage": usage}
    return {
        "type": "assistant",
        "uuid": uuid,
        "parentUuid": parent,
        "sessionId": ID,
        "requestId": f"req-{id or uuid}",
        "message": message,
        **more,
    }


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def call(id_: str, name: str = "Bash") -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": {"of": id_}}


def result(id_: str, content: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **more}


def written(path: Path, *records: dict[str, Any]) -> Path:
    lines = [{"timestamp": f"2026-01-02T03:04:{n:02}.000Z", **record} for n, record in enumerate(records)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def everything(path: Path) -> list[ForeignSession]:
    found = [found async for found in Projects().read(path)]
    return [each for each in found if isinstance(each, ForeignSession)]


async def read(tmp_path: Path, *records: dict[str, Any]) -> ForeignSession:
    (found,) = await everything(written(tmp_path / f"{ID}.jsonl", *records))
    return found


def told(found: ForeignSession) -> list[str]:
    return [
        " ".join([m.role, m.text, *(c.id for c in m.tool_calls), *(p.tool_call_id for p in results(m.parts))]).strip()
        for m in found.session.messages
    ]


def results(parts: Any) -> list[ToolResultPart]:
    return [part for part in parts if isinstance(part, ToolResultPart)]


async def test_the_branch_of_the_newest_message_is_the_conversation(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        user("a", None, "first try"),
        answer("b", "a", text("one")),
        user("c", "b", "left alone"),
        answer("d", "c", text("two")),
        user("e", "b", "and then?"),
        answer("f", "e", text("three")),
        {"type": "last-prompt", "leafUuid": "f", "sessionId": ID},
    )
    assert told(found) == ["user first try", "assistant one", "user and then?", "assistant three"]
    assert found.lost == ("messages on branches that were left (branches: 1): 2",)


async def test_a_first_message_that_was_written_again_is_another_branch(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        user("a", None, "old"),
        answer("b", "a", text("x")),
        user("c", None, "new"),
        answer("d", "c", text("y")),
    )
    assert told(found) == ["user new", "assistant y"]
    assert found.lost == ("messages on branches that were left (branches: 1): 2",)


async def test_lines_of_one_answer_are_joined_and_counted_once(tmp_path: Path) -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 3, "output_tokens": 1}
    whole = {**usage, "output_tokens": 44}
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    found = await read(
        tmp_path,
        user("a", None, "go"),
        answer("b", "a", thought, id="m", usage=usage),
        answer("c", "b", text("I look."), id="m", usage=usage),
        answer("d", "c", call("t1"), id="m", usage=whole),
        user("e", "d", [result("t1")]),
        answer("f", "e", text("done"), id="n", usage=whole),
    )
    assert told(found) == ["user go", "assistant I look. t1", "tool  t1", "assistant done"]
    first = found.session.messages[1]
    assert first.parts[0] == ThinkingPart(text="hm", provider_data={"anthropic": {"signature": "sig"}})
    once = Usage(input_tokens=28, output_tokens=44, cache_read_tokens=20, cache_write_tokens=3)
    assert found.usage == once + once
    assert (found.messages, found.tool_calls, found.tool_results) == (3, 1, 1)


async def test_calls_made_side_by_side_keep_their_results(tmp_path: Path) -> None:
    """Each result hangs below its own call, and the conversation goes on below the last."""
    found = await read(
        tmp_path,
        user("a", None, "go"),
        answer("b", "a", call("t1"), id="m"),
        user("r1", "b", [result("t1", "one")]),
        answer("c", "b", call("t2"), id="m"),
        user("r2", "c", [result("t2", "two", is_error=True)]),
        answer("d", "r2", text("done")),
    )
    assert told(found) == ["user go", "assistant  t1 t2", "tool  t1", "tool  t2", "assistant done"]
    (second,) = results(found.session.messages[3].parts)
    assert (second.text, second.success) == ("two", False)
    assert found.lost == ()


async def test_what_claude_code_put_in_is_left_out_and_said(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        {"type": "summary", "summary": "Another branch", "leafUuid": "zzz"},
        {"type": "summary", "summary": "The  title", "leafUuid": "c"},
        user("a", None, "Caveat: …", isMeta=True),
        user("b", "a", "hello"),
        {"type": "attachment", "uuid": "x", "parentUuid": "b", "attachment": {}, "sessionId": ID},
        answer("c", "x", text("hi")),
        {"type": "system", "subtype": "api_error", "uuid": "s", "parentUuid": "c"},
        {"type": "never-seen", "uuid": "n", "parentUuid": "s"},
        user("d", "n", "bye"),
    )
    assert told(found) == ["user hello", "assistant hi", "user bye"]
    assert found.session.title == "The title"
    assert found.lost == (
        "attachments that Claude Code itself put in (environment, files, reminders): 1",
        "messages that Claude Code itself put in (reminders, caveats): 1",
        "notes of Claude Code itself (records of the type system): 1",
        "records of the unknown type 'never-seen': 1",
    )


async def test_what_was_said_before_a_compaction_is_kept(tmp_path: Path) -> None:
    boundary = {"type": "system", "subtype": "compact_boundary", "parentUuid": None, "logicalParentUuid": "b"}
    found = await read(
        tmp_path,
        user("a", None, "hello"),
        answer("b", "a", text("hi")),
        {**boundary, "uuid": "c", "sessionId": ID},
        user("d", "c", "This session is being continued", isCompactSummary=True, isVisibleInTranscriptOnly=True),
        answer("e", "d", text("on")),
    )
    assert told(found) == ["user hello", "assistant hi", "user This session is being continued", "assistant on"]
    assert found.lost == ("boundaries of compactions (the messages before them are kept): 1",)


async def test_subagents_are_sessions_of_their_own(tmp_path: Path) -> None:
    main = written(
        tmp_path / f"{ID}.jsonl",
        user("a", None, "go"),
        answer("b", "a", call("t1", "Task")),
        user("s1", None, "find it", isSidechain=True),
        answer("s2", "s1", text("found"), isSidechain=True),
        user("c", "b", [result("t1", "found")]),
        answer("d", "c", text("done")),
    )
    written(
        tmp_path / ID / "subagents" / "agent-77.jsonl",
        user("q1", None, "look", isSidechain=True, agentId="77"),
        answer("q2", "q1", text("seen"), isSidechain=True, agentId="77"),
    )
    whole, inner, beside = await everything(main)
    assert told(whole) == ["user go", "assistant  t1", "tool  t1", "assistant done"]
    assert (told(inner), told(beside)) == (["user find it", "assistant found"], ["user look", "assistant seen"])
    assert inner.session.parent_id == beside.session.parent_id == whole.started.id == f"claude_{ID}"
    assert beside.started.id == f"claude_{ID}_agent-77"
    assert [each.session.id for each in await Projects().listed(main)] == [
        whole.started.id,
        inner.started.id,
        beside.started.id,
    ]


async def test_pictures_and_documents(tmp_path: Path) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    document = {
        "type": "document",
        "title": "a.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
    }
    gone = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!"}}
    found = await read(
        tmp_path,
        user("a", None, [text("see"), image, document, gone]),
        answer("b", "a", call("t1", "Read")),
        user("c", "b", [result("t1", [image, text("a picture")])]),
    )
    picture = ImagePart(media_type="image/png", data=b"\x89PNG")
    assert found.session.messages[0].parts == (
        TextPart(text="see"),
        picture,
        FilePart(media_type="application/pdf", name="a.pdf", data=b"%PDF"),
        TextPart(text="[image]"),
    )
    (read_back,) = results(found.session.messages[2].parts)
    assert read_back.content == (picture, TextPart(text="a picture"))
    assert found.lost == ("images whose content is not in the session: 1",)


async def test_lines_that_are_copied_count_once(tmp_path: Path) -> None:
    first = [user("a", None, "go"), answer("b", "a", text("hi"), usage={"input_tokens": 5, "output_tokens": 2})]
    found = await read(tmp_path, *first, *first, user("c", "b", "on"))
    assert told(found) == ["user go", "assistant hi", "user on"]
    assert found.usage == Usage(input_tokens=5, output_tokens=2)


async def test_only_its_own_place_is_looked_at(tmp_path: Path) -> None:
    project = tmp_path / "projects" / "-work"
    written(project / f"{ID}.jsonl", user("a", None, "hello"))
    written(project / ID / "subagents" / "agent-1.jsonl", user("b", None, "inner", isSidechain=True))
    (tmp_path / ".credentials.json").write_text("{}")
    empty = project / f"{ID[:-1]}7.jsonl"
    empty.touch()
    made = Projects({"CLAUDE_CONFIG_DIR": str(tmp_path)})
    assert [path.name for path in made.find()] == [f"{ID}.jsonl", empty.name]
    found = [found async for found in made.read(tmp_path)]
    assert [each.started.id for each in found if isinstance(each, ForeignSession)] == [
        f"claude_{ID}",
        f"claude_{ID}_agent-1",
    ]
    assert [each for each in found if isinstance(each, Unreadable)] == [
        Unreadable(source=str(empty), why="it is empty, or no file")
    ]
