"""What the lines of a rollout become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from codetether import (
    ForeignSession,
    ImagePart,
    SourceDamaged,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Unreadable,
    Usage,
)
from codetether_format_codex.rollouts import Rollouts

ID = "0199a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b"
META = ("session_meta", {"id": ID, "cwd": "/work", "model_provider": "openai", "timestamp": "2026-01-02T03:04:05Z"})
CONTEXT = ("turn_context", {"cwd": "/work", "model": "gpt-5"})


def said(role: str, *texts: str) -> tuple[str, dict[str, Any]]:
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text} for text in texts]
    return "response_item", {"type": "message", "role": role, "content": content}


def item(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "response_item", {"type": kind, **fields}


def event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "event_msg", {"type": kind, **fields}


def counted(total: int, out: int, cached: int = 0) -> tuple[str, dict[str, Any]]:
    counts = {"input_tokens": total, "cached_input_tokens": cached, "output_tokens": out}
    return event("token_count", info={"total_token_usage": counts, "last_token_usage": {}})


async def read(tmp_path: Path, *records: tuple[str, dict[str, Any]]) -> ForeignSession:
    path = tmp_path / f"rollout-2026-01-02T03-04-05-{ID}.jsonl"
    lines = [
        {"timestamp": f"2026-01-02T03:04:{n:02}.000Z", "type": kind, "payload": payload}
        for n, (kind, payload) in enumerate(records)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (found,) = [found async for found in Rollouts().read(path)]
    assert isinstance(found, ForeignSession)
    return found


def told(found: ForeignSession) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in found.session.messages]


async def test_what_codex_put_in_is_left_out_and_said(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        META,
        said("developer", "be good"),
        said("user", "# AGENTS.md instructions for /work\n\n<INSTRUCTIONS>x</INSTRUCTIONS>"),
        said("user", "<environment_context>\n  <cwd>/work</cwd>\n</environment_context>"),
        said("user", "hello", "<environment_context>y</environment_context>"),
        said("assistant", "hi"),
    )
    assert told(found) == [("user", "hello"), ("assistant", "hi")]
    assert found.lost == ("messages that Codex itself put in (instructions, environment): 4",)


async def test_texts_are_taken_once_of_items_else_of_events(tmp_path: Path) -> None:
    both = await read(tmp_path, META, event("user_message", message="a"), said("user", "a"), said("assistant", "b"))
    events = await read(
        tmp_path, META, event("user_message", message="a"), event("agent_message", message="b"), counted(5, 1)
    )
    assert told(both) == told(events) == [("user", "a"), ("assistant", "b")]
    assert events.usage == Usage(input_tokens=5, output_tokens=1)


async def test_a_response_is_reasoning_a_text_and_the_calls_after_it(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        META,
        CONTEXT,
        said("user", "go"),
        item("reasoning", id="rs_1", summary=[{"type": "summary_text", "text": "hm"}], encrypted_content="sealed"),
        said("assistant", "I look."),
        item("function_call", name="shell", arguments='{"command":["ls"]}', call_id="c1"),
        item("custom_tool_call", name="apply_patch", input="*** Begin", call_id="c2", status="completed"),
        item("local_shell_call", call_id="c3", action={"type": "exec", "command": ["pwd"]}),
        item("function_call_output", call_id="c2", output=json.dumps({"output": "bad", "metadata": {"exit_code": 1}})),
        item("function_call_output", call_id="c1", output={"content": "a.txt", "success": True}),
        item("function_call_output", call_id="c3", output=[{"type": "input_text", "text": "/work"}]),
        counted(100, 10, 40),
        said("assistant", "Done."),
        counted(250, 14, 140),
        counted(250, 14, 140),
    )
    first, *results, last = found.session.messages[1:]
    assert (first.provider, first.model) == ("openai", "gpt-5")
    thought, text, *calls = first.parts
    assert thought == ThinkingPart(
        text="hm",
        provider_data={
            "openai": {
                "item": {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "hm"}],
                    "encrypted_content": "sealed",
                }
            }
        },
    )
    assert text == TextPart(text="I look.")
    assert [(c.id, c.name, c.arguments) for c in calls if isinstance(c, ToolCallPart)] == [
        ("c1", "shell", '{"command":["ls"]}'),
        ("c2", "apply_patch", '{"input":"*** Begin"}'),
        ("c3", "local_shell", '{"type":"exec","command":["pwd"]}'),
    ]
    parts = [part for message in results for part in message.parts if isinstance(part, ToolResultPart)]
    assert [(p.tool_call_id, p.name, p.text, p.success) for p in parts] == [
        ("c2", "apply_patch", '{"output": "bad", "metadata": {"exit_code": 1}}', False),
        ("c1", "shell", "a.txt", True),
        ("c3", "local_shell", "/work", True),
    ]
    assert last.text == "Done."
    assert found.usage == Usage(input_tokens=250, output_tokens=14, cache_read_tokens=140)
    usages = [added.usage for _, added, _ in found.told() if added is not None and added.message.role == "assistant"]
    assert [usage.input_tokens for usage in usages if usage] == [100, 150]


async def test_turns_that_were_rolled_back_are_no_history(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        META,
        event("user_message", message="one"),
        said("user", "one"),
        said("assistant", "1"),
        event("user_message", message="two"),
        said("user", "two"),
        said("assistant", "2"),
        counted(90, 9),
        event("thread_rolled_back", num_turns=1),
        said("user", "three"),
        said("assistant", "3"),
    )
    assert told(found) == [("user", "one"), ("assistant", "1"), ("user", "three"), ("assistant", "3")]
    assert found.usage == Usage(input_tokens=90, output_tokens=9)
    assert found.lost == ("turns that were rolled back: 1",)


async def test_ids_that_come_twice_stay_apart_and_stray_results_are_counted(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        META,
        said("user", "go"),
        item("function_call", name="a", arguments="{}", call_id="c"),
        item("function_call_output", call_id="c", output="first"),
        item("function_call", name="b", call_id="c"),
        item("function_call_output", call_id="c", output="second"),
        item("function_call_output", call_id="c", output="third"),
        item("function_call", name="never", arguments="", call_id="d"),
        ("compacted", {"message": "so far"}),
        ("brand_new", {"x": 1}),
    )
    calls = [call for message in found.session.messages for call in message.tool_calls]
    assert [(c.id, c.name, c.arguments) for c in calls] == [("c", "a", "{}"), ("c_2", "b", "{}"), ("d", "never", "{}")]
    assert (found.tool_calls, found.tool_results) == (3, 2)
    assert found.lost == (
        "calls without a result, closed with an error: 1",
        "records of the unknown type 'brand_new': 1",
        "results of calls that are not there: 1",
        "summaries of compactions (the messages that they stand for are kept): 1",
    )


async def test_a_child_knows_its_parent_and_a_name_its_thread(tmp_path: Path) -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "parent-1"}}}
    (tmp_path / "sessions").mkdir()
    index = [{"id": ID, "thread_name": "Old"}, {"id": ID, "thread_name": "A good name"}]
    (tmp_path / "session_index.jsonl").write_text("\n".join(map(json.dumps, index)))
    found = await read(
        tmp_path / "sessions", ("session_meta", {**META[1], "source": spawned}), META, said("user", "hello")
    )
    assert (found.session.parent_id, found.session.title) == ("codex_parent-1", "A good name")
    fork = await read(tmp_path, ("session_meta", {**META[1], "forked_from_id": "other"}), said("user", "hello"))
    assert fork.session.parent_id is None


async def test_pictures_of_the_user_and_of_tools(tmp_path: Path) -> None:
    url = "data:image/png;base64,iVBORw=="
    found = await read(
        tmp_path,
        META,
        item("message", role="user", content=[{"type": "input_image", "image_url": url}]),
        item("function_call", name="view_image", arguments="{}", call_id="c"),
        item("function_call_output", call_id="c", output=[{"type": "input_image", "image_url": url}]),
    )
    picture = ImagePart(media_type="image/png", data=b"\x89PNG")
    assert found.session.messages[0].parts == (picture,)
    (result,) = found.session.messages[2].parts
    assert isinstance(result, ToolResultPart)
    assert result.content == (picture,)


async def test_what_failed_is_known_from_the_events_of_the_call(tmp_path: Path) -> None:
    found = await read(
        tmp_path,
        META,
        item("function_call", name="shell", arguments="{}", call_id="c"),
        event("exec_command_end", call_id="c", exit_code=2, duration={"secs": 1, "nanos": 500_000_000}),
        item("function_call_output", call_id="c", output="no"),
    )
    completed = next(entry for *_, entry in found.told() if entry is not None)
    assert (completed.result.success, completed.duration_ms) == (False, 1500.0)


async def test_the_first_version_held_one_object(tmp_path: Path) -> None:
    path = tmp_path / "rollout-2025-05-01-abc.json"
    body = {
        "session": {"id": "abc", "timestamp": "2025-05-01T10:00:00Z", "instructions": ""},
        "items": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ls"}]},
            {"type": "local_shell_call", "id": "x", "call_id": "c1", "action": {"type": "exec", "command": ["ls"]}},
            {"type": "local_shell_call_output", "call_id": "c1", "output": "a"},
        ],
    }
    path.write_text(json.dumps(body))
    assert Rollouts().recognises(path)
    (found,) = [found async for found in Rollouts().read(path)]
    assert isinstance(found, ForeignSession)
    assert (found.source_id, found.messages, found.tool_calls, found.tool_results) == ("abc", 2, 1, 1)


async def test_only_its_own_place_is_looked_at(tmp_path: Path) -> None:
    day = tmp_path / "sessions" / "2026" / "01" / "02"
    day.mkdir(parents=True)
    (tmp_path / "auth.json").write_text("{}")
    (day / "notes.jsonl").write_text("{}")
    (day / "rollout-empty.jsonl").touch()
    (day / "rollout-packed.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    made = Rollouts({"CODEX_HOME": str(tmp_path)})
    assert [path.name for path in made.find()] == ["rollout-empty.jsonl", "rollout-packed.jsonl.zst"]
    problems = [found async for found in made.read(tmp_path)]
    assert problems == [
        Unreadable(source=str(day / "rollout-empty.jsonl"), why="it is empty, or no regular file"),
        Unreadable(source=str(day / "rollout-packed.jsonl.zst"), why="it is compressed, which is not read here"),
    ]
    with pytest.raises(SourceDamaged, match="it is compressed"):
        _ = [found async for found in made.read(day / "rollout-packed.jsonl.zst")]
    assert Rollouts({"CODEX_HOME": str(tmp_path / "nowhere")}).find() == []
