"""Damaged and hostile sources end in a named error or in what could be read: never a traceback, never a wait."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from codetether import ForeignSession, SessionFinder, SessionWriter, SourceDamaged, ToolResultPart, Unreadable
from codetether.storage.lines import encode
from codetether_format_claude.projects import Projects
from codetether_format_codetether.reader import SessionFiles
from codetether_format_codex.rollouts import Rollouts
from codetether_format_opencode.layouts import Layouts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .samples import SHARED, database, every_file, needs_samples, newer_database

FORMATS: dict[str, Any] = {
    "claude": Projects(),
    "codetether": SessionFiles(),
    "codex": Rollouts(),
    "opencode": Layouts(),
}
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 1e308, 2**70, "", "xxx", "\ud800", [], {}, [[]], {"a": {}}, [1, None, "a", {}], {"type": 3}]
)


def whole(found: ForeignSession) -> None:
    """A session keeps what is promised of it, whatever it was read from."""
    calls = [call.id for message in found.session.messages for call in message.tool_calls]
    results = [p.tool_call_id for m in found.session.messages for p in m.parts if isinstance(p, ToolResultPart)]
    assert sorted(calls) == sorted(results)
    assert len(calls) == len(set(calls))
    assert found.tool_results <= found.tool_calls == len(calls)
    for record in found.records:
        encode(record)
    for made in FORMATS.values():
        if isinstance(made, SessionWriter):
            made.write(found, io.BytesIO())


async def tried(made: Any, source: Path) -> list[ForeignSession | Unreadable]:
    """What is read of a source that may be anything."""
    assert isinstance(made.recognises(source), bool)
    try:
        found = [each async for each in made.read(source)]
        if isinstance(made, SessionFinder):
            await made.listed(source)
    except SourceDamaged as error:
        return [Unreadable(source=error.source, why=error.why)]
    for each in found:
        if isinstance(each, ForeignSession):
            whole(each)
        else:
            assert each.why
    return found


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, bytes]]:
    """(format, file name, content) of each sample that is one file."""
    place = tmp_path_factory.mktemp("databases")
    sources = [*every_file(), ("opencode", database(place)), ("opencode", newer_database(place))]
    return [(name, path.name, path.read_bytes()) for name, path in sources]


@needs_samples
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_bytes_that_were_changed(originals: list[tuple[str, str, bytes]], data: st.DataObject) -> None:
    name, file, content = data.draw(st.sampled_from(originals))
    at = data.draw(st.integers(0, len(content)))
    if data.draw(st.booleans()):
        content = content[:at]
    else:
        content = content[:at] + data.draw(st.binary(max_size=40)) + content[at + data.draw(st.integers(0, 40)) :]
    with tempfile.TemporaryDirectory() as place:
        Path(place, file).write_bytes(content)
        await tried(FORMATS[name], Path(place, file))


@needs_samples
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_values_of_other_kinds_everywhere(originals: list[tuple[str, str, bytes]], data: st.DataObject) -> None:
    texts = [each for each in originals if not each[1].endswith(".db")]
    name, file, content = data.draw(st.sampled_from(texts))
    random, odds = data.draw(st.randoms(use_true_random=False)), data.draw(st.lists(ODD, min_size=1, max_size=4))
    often = data.draw(st.sampled_from([0.02, 0.1, 0.4]))

    def wrecked(value: Any) -> Any:
        if random.random() < often:
            return random.choice(odds)
        if isinstance(value, dict):
            return {key: wrecked(inner) for key, inner in value.items() if random.random() > often / 2}
        if isinstance(value, list):
            made = [wrecked(inner) for inner in value]
            return made * 2 if random.random() < often else made
        return value

    lines = content.decode().splitlines() if file.endswith(".jsonl") else [content.decode()]
    body = "\n".join(json.dumps(wrecked(json.loads(line))) for line in lines if line.strip())
    with tempfile.TemporaryDirectory() as place:
        Path(place, file).write_text(body)
        await tried(FORMATS[name], Path(place, file))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".db"])
async def test_what_is_no_file_of_sessions(name: str, suffix: str, tmp_path: Path) -> None:
    made = FORMATS[name]
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"loop{suffix}").symlink_to(tmp_path / f"loop{suffix}")
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"empty{suffix}").touch()
    (tmp_path / f"nothing{suffix}").write_bytes(b"\0" * 5000)
    (tmp_path / f"archive{suffix}").write_bytes(b"PK\x03\x04" + bytes(range(256)) * 20)
    (tmp_path / f"database{suffix}").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    (tmp_path / f"deep{suffix}").write_bytes(b'{"a":' * 100_000 + b"}" * 100_000)
    (tmp_path / f"wide{suffix}").write_bytes('{"type":"user","message":{"content":"é"}}'.encode("utf-16"))
    (tmp_path / f"long{suffix}").write_bytes(b'{"type":"user","text":"' + b"x" * 5_000_000)
    for source in [*sorted(tmp_path.iterdir()), tmp_path / f"gone{suffix}"]:
        assert not made.recognises(source), source.name
        (found,) = await tried(made, source)
        assert isinstance(found, Unreadable), source.name
        assert source.name in found.source
        assert found.why
    assert not made.recognises(tmp_path)


@needs_samples
async def test_the_end_of_a_rollout_may_be_missing(tmp_path: Path) -> None:
    sample = next(path for name, path in every_file() if name == "codex" and "2026-09-30" in path.name)
    cut = tmp_path / sample.name
    cut.write_bytes(sample.read_bytes()[:-300])
    found, problem = await tried(Rollouts(), cut)
    assert isinstance(found, ForeignSession)
    assert (found.messages, found.tool_calls, found.tool_results) == (3, 1, 1)
    last = len(sample.read_bytes().splitlines())
    assert isinstance(problem, Unreadable)
    assert problem.source == f"{cut}:{last}"
    assert problem.why.startswith("it is cut off: it is no JSON")


@needs_samples
async def test_a_tree_is_read_around_what_is_damaged_in_it(tmp_path: Path) -> None:
    tree = tmp_path / "storage"
    shutil.copytree(SHARED / "opencode" / "json-storage", tree)
    (part,) = (tree / "part" / "msg_0f21aff2e001y84CAhBLtC5Dm9").iterdir()
    part.write_bytes(b"")
    message = tree / "message" / "ses_f0de500f8ffeXvsiYJDOg5JtrU" / "msg_0f21b031b0014ZxYbhc4DxjZrb.json"
    message.unlink()
    os.mkfifo(message)
    found, *problems = await tried(Layouts(), tmp_path)
    assert isinstance(found, ForeignSession)
    assert (found.messages, found.tool_calls, found.tool_results) == (2, 1, 1)
    assert "messages that cannot be read: 1" in found.lost
    assert "parts of messages that cannot be read: 1" in found.lost
    assert problems == [
        Unreadable(source=str(part), why="it is empty"),
        Unreadable(source=str(message), why="it is no regular file"),
    ]


async def test_records_that_answer_each_other_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "circle.jsonl"
    records = [
        {"type": "user", "uuid": "a", "parentUuid": "b", "sessionId": "s", "message": {"content": "one"}},
        {"type": "user", "uuid": "b", "parentUuid": "a", "sessionId": "s", "message": {"content": "two"}},
        {"type": "user", "uuid": "c", "parentUuid": "c", "sessionId": "s", "message": {"content": "three"}},
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    (found,) = await tried(Projects(), path)
    assert isinstance(found, ForeignSession)
    assert [m.text for m in found.session.messages] == ["one", "two", "three"]


async def test_a_long_file_takes_no_longer_than_its_length_asks(tmp_path: Path) -> None:
    """What could make a reader slow: one id for all calls, one for all answers, nothing but totals and roll-backs."""
    lines: list[dict[str, Any]] = [{"type": "session_meta", "payload": {"id": "x", "cwd": "/"}}]
    call = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "same"}
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    count = {"type": "token_count", "info": {"total_token_usage": {"input_tokens": 5}}}
    for _ in range(1000):
        lines += [{"type": "response_item", "payload": call}, {"type": "event_msg", "payload": count}]
    for _ in range(1000):
        lines += [{"type": "response_item", "payload": said}, {"type": "event_msg", "payload": count}]
    lines += [{"type": "event_msg", "payload": {"type": "thread_rolled_back", "num_turns": 1}}] * 750
    (tmp_path / "rollout-x.jsonl").write_text("\n".join(map(json.dumps, lines)))
    answer = {"id": "same", "content": [{"type": "tool_use", "id": "same", "name": "f", "input": {}}]}
    records = [
        {"type": "assistant", "uuid": f"u{n}", "parentUuid": f"u{n // 2}", "sessionId": "s", "message": answer}
        for n in range(1, 3000)
    ]
    (tmp_path / "claude.jsonl").write_text("\n".join(map(json.dumps, records)))
    (rollout,) = await tried(Rollouts(), tmp_path / "rollout-x.jsonl")
    (session,) = await tried(Projects(), tmp_path / "claude.jsonl")
    assert isinstance(rollout, ForeignSession)
    assert isinstance(session, ForeignSession)
    assert (rollout.tool_calls, rollout.messages) == (1000, 1250)
