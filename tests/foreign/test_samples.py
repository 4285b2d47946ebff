"""The shared samples all come in, with what an independent reading counts in them, and can be sent to any provider."""

from __future__ import annotations

import importlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from codetether import (
    CompletionRequest,
    ForeignSession,
    ImagePart,
    ModelRef,
    SessionFinder,
    SessionWriter,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    Transcript,
    Usage,
    user,
)
from codetether.storage.disk import Disk
from codetether.storage.store import Store
from codetether_format_claude.projects import Projects
from codetether_format_codetether.reader import SessionFiles
from codetether_format_codex.rollouts import Rollouts
from codetether_format_opencode.layouts import Layouts

from . import independent
from .independent import Counts
from .samples import SHARED, database, every_file, files, needs_samples, newer_database, rows

pytestmark = needs_samples

FORMATS: dict[str, Any] = {
    "claude": Projects(),
    "codetether": SessionFiles(),
    "codex": Rollouts(),
    "opencode": Layouts(),
}
RENDERERS = ("anthropic", "bedrock", "google", "openai", "responses")


async def sessions(made: Any, source: Path) -> list[ForeignSession]:
    return [found async for found in made.read(source) if isinstance(found, ForeignSession)]


def counts(found: ForeignSession) -> Counts:
    usage = found.usage
    spent = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)
    return Counts(found.messages, found.tool_calls, found.tool_results, *spent)


@pytest.mark.parametrize("path", files("claude"), ids=lambda p: p.name)
async def test_claude_samples_hold_what_is_counted(path: Path) -> None:
    (found,) = await sessions(Projects(), path)
    assert counts(found) == independent.claude(path)


@pytest.mark.parametrize("path", files("codex"), ids=lambda p: p.name)
async def test_codex_samples_hold_what_is_counted(path: Path) -> None:
    (found,) = await sessions(Rollouts(), path)
    assert counts(found) == independent.codex(path)


@pytest.mark.parametrize("path", files("codetether"), ids=lambda p: p.name)
async def test_samples_of_the_old_codetether_hold_what_is_counted(path: Path) -> None:
    (found,) = await sessions(SessionFiles(), path)
    assert counts(found) == independent.codetether(path)


async def test_one_session_is_the_same_in_every_layout_of_opencode(tmp_path: Path) -> None:
    export = SHARED / "opencode" / "export-v1.json"
    whole = json.loads(export.read_text())
    expected = independent.opencode([(m["info"], m["parts"]) for m in whole["messages"]])
    tree = SHARED / "opencode" / "json-storage"
    data = tmp_path / "opencode"  # as it lies on a machine: `storage` in the data directory
    shutil.copytree(tree, data / "storage")
    of_project = tmp_path / "oldest" / "project" / "home-user-proj" / "storage" / "session"
    for kind in ("info", "message", "part"):
        (of_project / kind).mkdir(parents=True)
    for info in (tree / "session").glob("*/*.json"):
        shutil.copy(info, of_project / "info" / info.name)
        shutil.copytree(tree / "message" / info.stem, of_project / "message" / info.stem)
        for message in (tree / "message" / info.stem).iterdir():
            shutil.copytree(tree / "part" / message.stem, of_project / "part" / info.stem / message.stem)
    read = []
    for source in (export, tree, data, tmp_path / "oldest", database(tmp_path)):
        assert Layouts().recognises(source)
        (found,) = await sessions(Layouts(), source)
        read.append(found)
    assert [counts(found) for found in read] == [expected] * 5
    said = [[(m.role, m.parts, m.provider, m.model) for m in found.session.messages] for found in read]
    assert said == said[:1] * 5
    assert {(f.source_id, f.session.title, f.session.metadata.directory) for f in read} == {
        ("ses_f0de500f8ffeXvsiYJDOg5JtrU", "The command printed fixture.", "/home/user/proj")
    }


async def test_the_rows_of_opencode_2_hold_what_is_counted(tmp_path: Path) -> None:
    (found,) = await sessions(Layouts(), newer_database(tmp_path))
    assert counts(found) == independent.opencode_rows([row for table, row in rows() if table == "session_message"])
    assert found.session.metadata.model == "opencode/big-pickle"
    assert isinstance(found.session.messages[1].parts[0], ThinkingPart)
    assert found.lost == (
        "snapshots of files: 2",
        "tokens that the session counts and no message does (titles, summaries): 919",
    )


async def every_sample(place: Path) -> list[tuple[str, Path, ForeignSession]]:
    """All sessions of all samples."""
    sources = [*every_file(), ("opencode", database(place)), ("opencode", newer_database(place))]
    return [(name, path, found) for name, path in sources for found in await sessions(FORMATS[name], path)]


async def test_each_sample_is_recognised_by_its_own_format_alone() -> None:
    for product, path in every_file():
        assert [name for name, made in FORMATS.items() if made.recognises(path)] == [product], path.name
    for product in ("claude", "codetether", "codex"):
        assert [name for name, made in FORMATS.items() if made.recognises(SHARED / product)] == [product]


async def test_what_comes_in_is_read_back_from_its_journal(tmp_path: Path) -> None:
    disk = Disk()
    try:
        async with Store(tmp_path / "data", disk) as store:
            for _, _, found in await every_sample(tmp_path):
                if found.started.id in {summary.id for summary in await store.list()}:
                    continue
                await store.adopt(found.records)
                assert (await store.load(found.started.id)).session == found.session
    finally:
        await disk.close()


@pytest.mark.parametrize("provider", RENDERERS)
async def test_what_comes_in_can_be_sent_to_any_provider(provider: str, tmp_path: Path) -> None:
    render: Any = importlib.import_module(f"codetether_provider_{provider}.render")
    quirks: Any = importlib.import_module(f"codetether_provider_{provider}.quirks")
    for name, path, found in await every_sample(tmp_path):
        for speaker in ("acme", "anthropic", "openai"):
            request = CompletionRequest(
                model=ModelRef(provider=speaker, model="m"), messages=(*found.session.messages, user("and now?"))
            )
            body = orjson.loads(render.Renderer(speaker, quirks.Quirks()).render(request))
            history = next(body[key] for key in ("messages", "contents", "input") if key in body)
            assert all(PIECES[provider](message) for message in history), f"{name} {path.name}: {history}"
            asked, answered = pairs(body)
            assert asked == answered, f"{name} {path.name}"


def _full(message: dict[str, Any]) -> bool:
    """A message says something, calls something or answers a call."""
    return bool(message.get("content") or message.get("tool_calls"))


PIECES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "anthropic": _full,
    "bedrock": _full,
    "google": lambda message: bool(message["parts"]),
    "openai": lambda message: _full(message) or message["role"] == "tool",
    "responses": lambda item: item["type"] != "message" or bool(item["content"]),
}


def pairs(body: Any) -> tuple[list[Any], list[Any]]:
    """The ids of calls and of results anywhere in a request, whatever the provider calls them."""
    asked: list[Any] = []
    answered: list[Any] = []

    def look(value: Any) -> None:
        match value:
            case {"type": "tool_use", "id": id_} | {"toolUse": {"toolUseId": id_}}:
                asked.append(id_)
            case {"type": "tool_result", "tool_use_id": id_} | {"toolResult": {"toolUseId": id_}}:
                answered.append(id_)
            case {"type": "function_call", "call_id": id_} | {"type": "function", "id": id_}:
                asked.append(id_)
            case {"type": "function_call_output", "call_id": id_} | {"role": "tool", "tool_call_id": id_}:
                answered.append(id_)
            case {"functionCall": {"name": name}}:
                asked.append(name)
            case {"functionResponse": {"name": name}}:
                answered.append(name)
            case dict():
                for inner in value.values():
                    look(inner)
            case list():
                for inner in value:
                    look(inner)

    look(body)
    return sorted(asked), sorted(answered)


async def test_every_session_can_go_to_every_product_and_come_back(tmp_path: Path) -> None:
    for _, path, found in await every_sample(tmp_path):
        for name, made in FORMATS.items():
            if isinstance(made, SessionWriter):
                assert isinstance(made, SessionFinder)
                await back(found, name, made, tmp_path, path)


async def back(found: ForeignSession, name: str, made: Any, place: Path, path: Path) -> None:
    target = place / ("there.json" if name == "opencode" else "there.jsonl")
    body = io.BytesIO()
    lost = made.write(found, body)
    target.write_bytes(body.getvalue())
    (again,) = await sessions(made, target)
    one, other = found.session, again.session
    held = [message for message in one.messages if message.parts]
    there = [message for message in other.messages if message.parts]
    where = f"{path.name} to {name}: {lost}"
    assert [(m.role, m.text) for m in there] == [(m.role, m.text) for m in held], where
    calls = [[(c.id, c.name, json.loads(c.arguments)) for c in m.tool_calls] for m in held]
    assert [[(c.id, c.name, json.loads(c.arguments)) for c in m.tool_calls] for m in there] == calls, where
    results = [[(p.tool_call_id, p.content, p.success) for p in m.parts if isinstance(p, ToolResultPart)] for m in held]
    assert [
        [(p.tool_call_id, p.content, p.success) for p in m.parts if isinstance(p, ToolResultPart)] for m in there
    ] == results, where
    assert other.title == one.title or not one.title, where
    assert other.metadata.directory == one.metadata.directory, where
    assert again.usage.total_tokens == found.usage.total_tokens, where
    assert again.tool_results == found.tool_results, where


async def test_pictures_failures_and_signatures_go_home(tmp_path: Path) -> None:
    talk = Transcript(format="x", source_id="1", directory="/work", title="A picture")
    picture = ImagePart(media_type="image/png", data=b"\x89PNG")
    signed = ThinkingPart(text="hm", provider_data={"anthropic": {"signature": "sig"}})
    talk.user([TextPart(text="what is this?"), picture])
    talk.assistant(
        [signed, ToolCallPart(id="c1", name="look", arguments='{"at":1}')],
        provider="anthropic",
        model="claude-sonnet-4-5",
        usage=Usage(input_tokens=30, cache_read_tokens=20, output_tokens=5, reasoning_tokens=2),
        finish_reason="tool_calls",
    )
    talk.result("c1", [TextPart(text="no light")], success=False, duration_ms=12)
    talk.assistant(
        [TextPart(text="It is dark.")], provider="anthropic", model="claude-sonnet-4-5", finish_reason="stop"
    )
    found = talk.finish()
    for made, name in ((Projects(), "x.jsonl"), (Layouts(), "x.json")):
        target = tmp_path / name
        with target.open("wb") as file:
            assert made.write(found, file) == []
        (again,) = await sessions(made, target)
        told = [(m.role, m.parts) for m in again.session.messages]
        assert told == [(m.role, m.parts) for m in found.session.messages]
        assert again.usage == found.usage
