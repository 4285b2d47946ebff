"""What a session's file of the codetether before this one becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codetether import ForeignSession, ImagePart, TextPart, ToolResultPart, Unreadable, Usage
from codetether_format_codetether.reader import SessionFiles

ID = "7e6d5c4b-3a29-4180-9f8e-7d6c5b4a3928"


def written(directory: Path, *messages: tuple[str, list[Any]], **more: Any) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{ID}.json"
    body = {
        "id": ID,
        "title": None,
        "created_at": "2026-01-02T03:04:05.123456789Z",
        "updated_at": "2026-01-02T03:05:05Z",
        "messages": [{"role": role, "content": parts} for role, parts in messages],
        "metadata": {"directory": "/work", "model": "zai/glm-5"},
        **more,
    }
    path.write_text(json.dumps(body))
    return path


async def read(path: Path) -> ForeignSession:
    (found,) = [found async for found in SessionFiles().read(path)]
    assert isinstance(found, ForeignSession)
    return found


async def test_a_call_that_failed_is_known_by_its_words_or_by_its_use(tmp_path: Path) -> None:
    calls = [{"type": "tool_call", "id": f"c{n}", "name": "bash", "arguments": "{}"} for n in range(3)]
    answers = [
        {"type": "tool_result", "tool_call_id": f"c{n}", "content": words}
        for n, words in enumerate(["ok", "Error: no", "ok"])
    ]
    uses = [{"id": "c2", "name": "bash", "input": "{}", "output": "ok", "success": False}]
    found = await read(written(tmp_path, ("assistant", calls), ("tool", answers), tool_uses=uses))
    results = [p for m in found.session.messages for p in m.parts if isinstance(p, ToolResultPart)]
    assert [(r.tool_call_id, r.success) for r in results] == [("c0", True), ("c1", False), ("c2", False)]


async def test_times_pictures_usage_and_what_is_lost(tmp_path: Path) -> None:
    picture = {"type": "image", "url": "data:image/png;base64,iVBORw==", "mime_type": "image/png"}
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "cache_read_tokens": 2, "cache_write_tokens": None}
    parts = [
        {"type": "text", "text": "see"},
        picture,
        {"type": "file", "path": "/x", "mime_type": None},
        {"type": "odd"},
    ]
    path = written(
        tmp_path, ("system", []), ("user", parts), ("assistant", [{"type": "text", "text": "ok"}]), usage=usage
    )
    found = await read(path)
    assert found.session.messages[0].parts == (
        TextPart(text="see"),
        ImagePart(media_type="image/png", data=b"\x89PNG"),
        TextPart(text="[file: /x]"),
    )
    assert found.session.created_at.isoformat() == "2026-01-02T03:04:05.123456+00:00"
    assert (found.usage, found.session.title) == (
        Usage(input_tokens=9, output_tokens=4, cache_read_tokens=2),
        "see [file: /x]",
    )
    assert found.lost == (
        "files that are named and not held: 1",
        "parts of the unknown type 'odd': 1",
        "system prompts: 1",
    )


async def test_only_its_own_place_is_looked_at(tmp_path: Path) -> None:
    place = tmp_path / "codetether" / "sessions"
    path = written(place, ("user", [{"type": "text", "text": "hello"}]))
    (place / "notes.json").write_text("{}")
    (place / f"{ID[:-1]}7.json").write_text('{"id": "')
    made = SessionFiles({"XDG_DATA_HOME": str(tmp_path)})
    assert made.find() == [place / f"{ID[:-1]}7.json", path]
    found = [found async for found in made.read(place)]
    assert [each for each in found if isinstance(each, Unreadable)] == [
        Unreadable(source=str(place / f"{ID[:-1]}7.json"), why="it is no JSON: unexpected end of data")
    ]
    assert [each.messages for each in found if isinstance(each, ForeignSession)] == [1]
