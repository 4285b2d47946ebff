"""From a prompt to the bucket: sessions that end, that are killed, that meet a store which is away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codetether.testing.scripted import Call
from codetether.testing.sessions import opened

from .conftest import Site

ONLY = {"plugins": {"only": ["events-jsonl", "events-s3"]}}


@pytest.fixture
def home(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose environment names the spool and the bucket."""
    for name, value in {
        "CODETETHER_HOME": str(tmp_path / "home"),
        "CODETETHER_EVENT_STREAM_PATH": str(site.spool),
        "CODETETHER_S3_BUCKET": site.name,
        "CODETETHER_S3_ENDPOINT": site.settings.endpoint,
        "CODETETHER_S3_ACCESS_KEY": site.settings.access_key,
        "CODETETHER_S3_SECRET_KEY": site.settings.secret_key,
    }.items():
        assert value is not None
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def codetether(run_here: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """The command line, within this process: it has loaded boto3."""
    return lambda *argv: run_here(*argv, cwd=Path.cwd(), environment=dict(os.environ))


def lines(site: Site) -> list[dict[str, Any]]:
    """The events in the bucket, in order of their keys' bytes."""
    keys = sorted(site.stored(), key=lambda key: key.partition("chat-events-")[2])
    bodies = [site.client.get_object(Bucket=site.name, Key=key)["Body"].read() for key in keys]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


async def test_when_the_process_ends_its_events_are_in_the_bucket(site: Site, home: Path) -> None:
    said: list[str] = []
    async with opened("hello", "again", settings=ONLY, notices=said) as (session, _):
        await session.prompt("one")
        await session.prompt("two")
    assert site.stored() == site.sealed() != {}
    assert [e["content"] for e in lines(site) if e["message_type"] == "text"] == ["one", "hello", "two", "again"]
    assert said == []


async def test_a_secret_of_the_archive_reaches_no_event(site: Site, home: Path) -> None:
    secret = site.settings.secret_key
    async with opened(f"it is {secret}", settings=ONLY) as (session, _):
        await session.prompt("what is the key?")
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert secret is not None
    assert secret.encode() not in written
    assert secret not in str(lines(site))


async def prompted(answer: str, prompt: str, **options: Any) -> list[str]:
    """What is said of a session with one prompt."""
    said: list[str] = []
    async with opened(answer, settings=ONLY, notices=said, **options) as (session, _):
        await session.prompt(prompt)
    return said


def test_a_store_that_is_away_holds_nobody_up_and_flush_does_the_rest(
    site: Site, home: Path, codetether: Callable[..., tuple[int, str, str]]
) -> None:
    site.weather.fault = lambda method, path: "drop"
    began = time.monotonic()
    said = asyncio.run(prompted("hello", "one"))
    assert time.monotonic() - began < 8
    assert [line for line in said if "lacks 1 files of events" in line and "codetether events flush" in line]
    code, out, _ = codetether("events", "flush", "--json", "--timeout", "1")
    assert (code, json.loads(out)["ok"], json.loads(out)["archives"][0]["stored"]) == (1, False, 0)
    site.weather.fault = lambda method, path: ""
    code, out, err = codetether("events", "flush", "--json")
    (archive,) = (told := json.loads(out))["archives"]
    assert (code, err, told["ok"], told["sealed"], told["not_sealed"]) == (0, "", True, [], {})
    assert (archive["stored"], archive["waiting"], archive["problem"]) == (1, 0, "")
    assert site.stored() == site.sealed() != {}
    code, out, err = codetether("events", "flush")
    assert (code, out, err) == (
        0,
        '0 streams sealed\narchive "events-s3" (events-s3): 0 files stored (0 bytes), 0 wait\n',
        "",
    )


KILLED = textwrap.dedent(
    """\
    import asyncio, sys
    from codetether.testing.sessions import opened

    async def main():
        settings = {"plugins": {"only": ["events-jsonl"]}}
        async with opened("hello", settings=settings) as (session, _):
            await session.prompt("one")
            print(session.id, flush=True)
            await asyncio.sleep(60)

    asyncio.run(main())
    """
)


def test_what_a_killed_process_left_is_sealed_and_stored(
    site: Site, home: Path, codetether: Callable[..., tuple[int, str, str]]
) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        session = process.stdout.readline().strip()
        code, out, err = codetether("events", "flush", "--json")
        told = json.loads(out)
        assert (code, told["sealed"], told["not_sealed"]) == (0, [], {session: "it is running, and seals its own"}), err
        assert site.stored() == {}
        process.send_signal(signal.SIGKILL)
    code, out, err = codetether("events", "flush", "--json")
    assert (code, json.loads(out)["sealed"]) == (0, [session]), err
    assert site.stored() == site.sealed() != {}
    assert [e["message_type"] for e in lines(site)] == ["text", "text", "usage", "done"]
    asyncio.run(prompted("more", "two", id=session))  # and the stream goes on where it was
    assert [(e["sequence"], e.get("part", 0)) for e in lines(site)] == sorted(
        {(e["sequence"], e.get("part", 0)) for e in lines(site)}
    )
    assert [e["content"] for e in lines(site) if e["message_type"] == "text"] == ["one", "hello", "two", "more"]


def test_the_stream_of_a_deleted_session_is_sealed_too(
    site: Site, home: Path, codetether: Callable[..., tuple[int, str, str]]
) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        session = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    assert codetether("sessions", "delete", session)[0] == 0
    code, out, err = codetether("events", "flush", "--json")
    assert (code, json.loads(out)["sealed"]) == (0, [session]), err
    assert site.stored() == site.sealed() != {}


async def test_an_archive_without_files_says_what_is_missing(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CODETETHER_EVENT_STREAM_PATH")
    said: list[str] = []
    async with opened("hello", settings=ONLY, notices=said) as (session, _):
        await session.prompt("one")
    what = 'archive "events-s3" (events-s3) has nothing to archive: name a directory by CODETETHER_EVENT_STREAM_PATH'
    assert said == [f"events: {what}"]


def test_nothing_is_loaded_while_no_bucket_is_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODETETHER_S3_BUCKET")
    program = """
import asyncio, sys
from codetether.testing.sessions import opened

async def main():
    async with opened("hello", settings={"plugins": {"only": ["events-jsonl", "events-s3"]}}) as (session, _):
        await session.prompt("one")

asyncio.run(main())
print([name for name in ("boto3", "botocore") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


async def test_a_tool_call_and_its_result_are_paired_in_the_bucket(site: Site, home: Path) -> None:
    from codetether.functions import tool

    @tool(effects=("read",), name="look")
    def look() -> str:
        """Looks."""
        return "seen"

    async with opened([Call("look", id="c1")], "end", settings=ONLY, tools=[look]) as (session, _):
        await session.prompt("one")
    events = lines(site)
    ids = {f"{e['sequence']}.{e.get('part', 0)}": e["message_type"] for e in events}
    assert [(e["message_type"], ids.get(e.get("parent_event_id", ""))) for e in events] == [
        ("text", None),
        ("usage", "text"),
        ("tool_call", "text"),
        ("tool_result", "tool_call"),
        ("text", "text"),
        ("usage", "text"),
        ("done", "text"),
    ]
