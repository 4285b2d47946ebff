"""What `codetether sessions export` wrote comes in again as it was."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from codetether import ForeignSession, ImagePart, SourceDamaged, TextPart, ToolCallPart, ToolResultPart, Usage
from codetether_format_codetether.reader import SessionFiles
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

USAGE = {"input_tokens": 11, "output_tokens": 3, "cache_read_tokens": 2, "cost": "0.25"}
ABOUT = {"directory": "/work", "agent": "build", "model": "acme/m", "created_at": "2026-01-02T03:04:05Z"}
DOCUMENT: dict[str, Any] = {
    "format": "codetether-session",
    "version": 1,
    "session": {"id": "01abc", "title": "A title", "parent_id": None, **ABOUT},
    "messages": [
        {
            "role": "user",
            "at": "2026-01-02T03:04:06Z",
            "parts": [{"type": "text", "text": "look"}, {"type": "image", "media_type": "image/png", "data": "eHg="}],
        },
        {
            "role": "assistant",
            "at": "2026-01-02T03:04:07Z",
            "provider": "acme",
            "model": "m",
            "usage": USAGE,
            "parts": [
                {"type": "tool_call", "id": "c1", "name": "bash", "arguments": '{"command":"ls"}'},
                {"type": "new"},
            ],
        },
        {
            "role": "tool",
            "at": "2026-01-02T03:04:08Z",
            "duration_ms": 7.5,
            "metadata": {"exit_code": 1},
            "parts": [
                {
                    "type": "tool_result",
                    "tool_call_id": "c1",
                    "name": "bash",
                    "success": False,
                    "content": [{"type": "text", "text": "no"}],
                }
            ],
        },
    ],
    "damage": [{"first_line": 3, "last_line": 3, "why": "…"}],
    "children": [
        {"session": {"id": "02def", "title": None, "parent_id": "01abc", **ABOUT}, "messages": [], "children": []}
    ],
}


async def read(path: Path) -> list[Any]:
    assert SessionFiles().recognises(path)
    return [found async for found in SessionFiles().read(path)]


async def test_a_session_moves_to_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(DOCUMENT))
    found, child = await read(path)
    session = found.session
    said, called, answered = session.messages
    assert (session.id, session.title, session.metadata.directory) == ("codetether_01abc", "A title", "/work")
    assert (child.session.id, child.session.parent_id) == ("codetether_02def", "codetether_01abc")
    assert said.parts == (TextPart(text="look"), ImagePart(media_type="image/png", data=b"xx"))
    assert called.parts == (ToolCallPart(id="c1", name="bash", arguments='{"command":"ls"}'),)
    assert answered.parts == (
        ToolResultPart(tool_call_id="c1", name="bash", success=False, content=(TextPart(text="no"),)),
    )
    assert session.usage == Usage(input_tokens=11, output_tokens=3, cache_read_tokens=2, cost=session.usage.cost)
    assert (str(session.usage.cost), [use.duration_ms for use in session.tool_uses]) == ("0.25", [7.5])
    assert found.lost == ("parts of an unknown type: 1", "records that were damaged before it was exported: 1")


@pytest.mark.parametrize(
    ("changed", "why"), [({"version": 2}, "later version"), ({"session": []}, "no `session` with an `id`")]
)
async def test_what_is_no_such_document_is_named(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(DOCUMENT | changed))
    with pytest.raises(SourceDamaged, match=why):
        await read(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chance=st.randoms(use_true_random=False),
    odd=st.sampled_from([None, 3, "x", [], {}, [None], {"type": 1}, 2.5, True]),
)
async def test_values_of_other_kinds_are_read_around(tmp_path: Path, chance: Any, odd: Any) -> None:
    def wrecked(value: Any) -> Any:
        if chance.random() < 0.08:
            return odd
        if isinstance(value, dict):
            return {key: wrecked(inner) for key, inner in value.items()}
        return [*map(wrecked, value)] if isinstance(value, list) else value

    made = wrecked(copy.deepcopy(DOCUMENT))
    path = tmp_path / "talk.json"
    path.write_text(json.dumps({"format": "codetether-session", **(made if isinstance(made, dict) else {})}))
    try:
        found = [each async for each in SessionFiles().read(path)]
    except SourceDamaged:
        return
    assert all(isinstance(each, ForeignSession) and each.session for each in found)
