"""`codetether events`: streams are listed, shown from a byte and a time on, followed and sealed."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from attrs import evolve

from .conftest import Answer, CommandLine, ModelServer


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where the streams are."""
    return tmp_path / "events"


@pytest.fixture
def cli(cli: CommandLine, spool: Path) -> CommandLine:
    """A command line that keeps events there."""
    added = {"CODETETHER_EVENT_STREAM_PATH": str(spool), "CODETETHER_PLUGINS": "openai,shell,events-jsonl"}
    return evolve(cli, environment={**cli.environment, **added})


def session(cli: CommandLine) -> str:
    return str(json.loads(cli("sessions", "last", "--json").out)["id"])


def test_a_session_is_listed_and_shown(cli: CommandLine, model: ModelServer, spool: Path) -> None:
    model.script = [Answer(texts=["Good ", "day"])]
    assert cli("run", "hello").code == 0
    (listed,) = json.loads(cli("events", "list", "--json").out)
    (path,) = spool.glob("*/*.jsonl")
    assert listed["session_id"] == session(cli) == path.parent.name
    assert (listed["bytes"], listed["files"], listed["open_bytes"]) == (path.stat().st_size, 1, 0)
    assert path.parent.name in cli("events", "list").out
    shown = [json.loads(line) for line in cli("events", "show", path.parent.name, "--json").out.splitlines()]
    assert [e["message_type"] for e in shown] == ["text", "text", "usage", "done"]
    data = path.read_bytes()
    places = [0, *(n + 1 for n, byte in enumerate(data) if byte == 10)][:-1]
    assert [e.pop("byte") for e in shown] == places
    assert shown == [json.loads(line) for line in data.splitlines()]
    said = cli("events", "show", path.parent.name).out.splitlines()
    assert [line.split("  ")[1:] for line in said[:2]] == [["user/text", "hello"], ["assistant/text", "Good day"]]


def test_a_stream_is_entered_at_a_byte(cli: CommandLine, model: ModelServer, spool: Path) -> None:
    model.script = [Answer(texts=["one"]), Answer(texts=["two"])]
    assert cli("run", "a").code == cli("run", "-c", "b").code == 0
    every = [json.loads(line) for line in cli("events", "show", session(cli), "--json").out.splitlines()]
    assert len(list(spool.glob("*/*.jsonl"))) == 2
    for begin in (0, 1, every[1]["byte"], every[4]["byte"] - 1, every[4]["byte"], every[-1]["byte"] + 1, 10**9):
        done = cli("events", "show", session(cli), "--json", "--from-byte", str(begin))
        assert done.code == 0
        assert [json.loads(line) for line in done.out.splitlines()] == [e for e in every if e["byte"] >= begin]
    assert len(cli("events", "show", session(cli), "-n", "3").out.splitlines()) == 3


def test_a_stream_is_entered_at_a_time(cli: CommandLine, model: ModelServer, spool: Path) -> None:
    model.script = [Answer(texts=["one"]), Answer(texts=["two"])]
    assert cli("run", "a").code == cli("run", "-c", "b").code == 0
    every = [json.loads(line) for line in cli("events", "show", session(cli), "--json").out.splitlines()]
    for event in every:
        at = event["recorded_at"]
        since = cli("events", "show", session(cli), "--json", "--since", at).out.splitlines()
        assert [json.loads(line) for line in since] == [e for e in every if e["recorded_at"] >= at]
        until = cli("events", "show", session(cli), "--json", "--until", at).out.splitlines()
        assert [json.loads(line) for line in until] == [e for e in every if e["recorded_at"] <= at]
    assert cli("events", "show", session(cli), "--since", "1h", "--json").out.splitlines()[0].startswith('{"byte":0,')
    assert cli("events", "show", session(cli), "--since", "2999-01-01").out == ""


def test_the_tail_is_of_the_newest(cli: CommandLine, model: ModelServer, spool: Path) -> None:
    model.script = [Answer(texts=["one"]), Answer(texts=["two"])]
    assert cli("run", "a").code == cli("run", "b").code == 0
    tail = [json.loads(line) for line in cli("events", "tail", "-n", "3", "--json").out.splitlines()]
    assert [e.get("content") for e in tail] == ["two", None, None]
    assert cli("events", "tail", "-n", "0").out == ""


def test_a_running_session_is_followed(cli: CommandLine, model: ModelServer, spool: Path) -> None:
    model.script = [Answer(texts=["one"]), Answer(texts=["two ", "and"])]
    assert cli("run", "a").code == 0
    with subprocess.Popen(
        cli.argv("events", "tail", session(cli), "-f", "-n", "1", "--json"),
        cwd=cli.workspace,
        env=dict(cli.environment),
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["message_type"] == "done"
        assert cli("run", "-c", "b").code == 0
        told = [json.loads(following.stdout.readline()) for _ in range(4)]
        following.send_signal(signal.SIGINT)
        time.sleep(0.1)
        following.send_signal(signal.SIGINT)
    assert [e.get("content") for e in told] == ["b", "two and", None, None]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["show", "nobody"], "session nobody has no event stream"),
        (["show", "../up"], "../up"),
        (["tail"], "there are no event streams yet"),
        (["show", "x", "--since", "yesterdayish"], "'yesterdayish' is no time"),
        (["show", "x", "--since", "1h", "--from-byte", "1"], "both say where to begin"),
    ],
)
def test_slips_are_told(cli: CommandLine, model: ModelServer, spool: Path, arguments: list[str], error: str) -> None:
    done = cli("events", *arguments)
    assert done.code in (1, 2)
    assert done.out == ""
    assert error in done.err
    assert "Traceback" not in done.err


def test_without_a_directory_it_says_how_to_name_one(cli: CommandLine, model: ModelServer) -> None:
    done = cli("events", "list", CODETETHER_EVENT_STREAM_PATH="")
    assert done.code != 0
    assert "CODETETHER_EVENT_STREAM_PATH" in done.err


def test_flush_without_an_archive_seals_and_says_so(cli: CommandLine, model: ModelServer, spool: Path) -> None:
    model.script = [Answer(texts=["one"])]
    assert cli("run", "a").code == 0
    (path,) = spool.glob("*/*.jsonl")
    path.rename(path.parent / f"chat-events-{0:020}.open")
    done = cli("events", "flush", "--json")
    assert (done.code, json.loads(done.out)) == (
        0,
        {"ok": True, "sealed": [path.parent.name], "not_sealed": {}, "archives": []},
    )
    assert path.exists()
