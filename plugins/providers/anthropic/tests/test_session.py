"""A whole turn through the house, with a server that thinks, calls a tool and answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from codetether import Runtime, ToolCallComplete
from codetether.testing.faults import STREAM
from codetether.testing.playback import Playback, chunked


def stream(*events: dict[str, Any]) -> bytes:
    data = [b"event: %b\ndata: %b\n\n" % (e["type"].encode(), orjson.dumps(e)) for e in events]
    return chunked(200, STREAM, data)


def block(index: int, begun: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def end(reason: str, output: int) -> list[dict[str, Any]]:
    told = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": output}}
    return [told, {"type": "message_stop"}]


START = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 10, "output_tokens": 1}}}
FIRST = stream(
    START,
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "I must look."},
        {"type": "signature_delta", "signature": "sig"},
    ),
    *block(1, {"type": "tool_use", "id": "toolu_1", "name": "list", "input": {}}),
    *block(
        2,
        {"type": "tool_use", "id": "toolu_2", "name": "read", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"path": "po'},
        {"type": "input_json_delta", "partial_json": 'em.txt"}'},
    ),
    *end("tool_use", 5),
)
SECOND = stream(
    START, *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Roses."}), *end("end_turn", 7)
)


async def test_calls_and_thoughts_go_back_and_the_turn_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "poem.txt").write_text("roses\n")
    answers = iter([FIRST, SECOND])

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(next(answers))

    async with Playback(respond) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-this-test")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
        options = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
        async with (
            Runtime.open({"providers": {"anthropic": {"options": options}}}) as runtime,
            runtime.session(model="anthropic", directory=tmp_path) as session,
        ):
            events = [event async for event in session.stream("what does the poem say?")]
    calls = [(e.name, e.success) for e in events if isinstance(e, ToolCallComplete)]
    assert calls == [("list", True), ("read", True)]
    first, second = map(orjson.loads, server.requests)
    assert (first["model"], first["max_tokens"], "temperature" in first) == ("claude-sonnet-4-20250514", 8192, False)
    question, answer, results = second["messages"]
    assert answer["content"] == [
        {"type": "thinking", "thinking": "I must look.", "signature": "sig"},
        {"type": "tool_use", "id": "toolu_1", "name": "list", "input": {}},
        {"type": "tool_use", "id": "toolu_2", "name": "read", "input": {"path": "poem.txt"}},
    ]
    assert [block["tool_use_id"] for block in results["content"]] == ["toolu_1", "toolu_2"]
    assert "roses" in results["content"][1]["content"][0]["text"]
    assert [m["content"][-1].get("cache_control") for m in (question, answer, results)] == [
        {"type": "ephemeral"},
        None,
        {"type": "ephemeral"},
    ]
    assert first["tools"] == second["tools"]
    assert first["system"] == second["system"]
