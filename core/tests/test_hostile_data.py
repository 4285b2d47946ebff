"""Stories about data that other parsers read in another way, or not at all: it has one meaning here, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from codetether import CodetetherError, Runtime
from codetether.functions import tool
from codetether.testing.policy import CONTRACT, judged, rules_of
from codetether.testing.scripted import Call
from codetether.testing.sessions import ONLY, opened, results

DEEP = 100_000


@tool(effects=("read",))
def echo(text: str) -> str:
    """Says it again.

    Args:
        text: what to say
    """
    return text


async def test_A06_arguments_nested_beyond_measure_are_an_error() -> None:
    calls = ['{"text":' + "[" * DEEP + "]" * DEEP + "}", "[" * DEEP, '{"a":' * DEEP]
    async with opened([Call("echo", each) for each in calls], "ok", tools=[echo]) as (session, _):
        result = await session.prompt("go")
        assert result.status == "done"
        id_ = session.id
    assert [success for _, success, _ in results(session)] == [False] * 3
    async with opened("again", id=id_) as (session, _):
        assert (await session.prompt("go on")).text == "again"


async def test_A06_settings_nested_beyond_measure_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODETETHER_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    for text in ("x = " + "[" * DEEP, "[" + ".".join("a" * DEEP) + "]"):
        (tmp_path / "config" / "config.toml").write_text(text)
        with pytest.raises(CodetetherError, match=r"config\.toml"):
            async with Runtime.open(ONLY):
                pass


async def test_A05_arguments_have_one_meaning() -> None:
    calls = [
        '{"text": "a", "text": "b"}',
        '{"text": NaN}',
        '{"text": 1e400}',
        '\ufeff{"text": "c"}',
        '{"text": "\\ud800"}',
    ]
    async with opened([Call("echo", each) for each in calls], "ok", tools=[echo]) as (session, _):
        await session.prompt("go")
    said = [(success, text.partition(":")[0]) for _, success, text in results(session)]
    assert said[0] == (True, "b")  # the last one counts, as in every other parser of ours
    assert [success for success, _ in said[1:3]] == [False, False]


async def test_A05_settings_that_say_a_thing_twice_stop_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODETETHER_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    for data in (b"model = 'a/b'\nmodel = 'c/d'\n", "model = 'a/b'\n".encode("utf-16"), b"session.max_steps = nan\n"):
        (tmp_path / "config" / "config.toml").write_bytes(data)
        with pytest.raises(CodetetherError, match=r"config\.toml"):
            async with Runtime.open(ONLY):
                pass


@pytest.mark.parametrize("line", ["[" * DEEP, '{"command": ' + "[" * DEEP, '{"command": "ls", "command": "rm f"}'])
def test_A06_A05_what_is_to_be_judged_gets_an_answer_and_never_a_wrong_yes(tmp_path: Path, line: str) -> None:
    answer, _ = judged(line.encode(), rules_of(CONTRACT), tmp_path)
    assert answer["decision"] == "deny"
    assert json.dumps(answer)
