"""What session formats keep."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from codetether.errors import CodetetherError
from codetether.ids import check_session_id
from codetether.models.messages import ToolResultPart
from codetether.models.session import Session
from codetether.testing.promises import BrokenPromise, NotTried, promises, require
from codetether.testing.traces import changed, snapshot
from codetether.testing.trial import Trial
from codetether.wire import from_json, to_json


def strangers(directory: Path) -> list[Path]:
    """Files that are nobody's sessions."""
    place = directory / "strangers"
    place.mkdir(exist_ok=True)
    contents = {
        "empty": b"",
        "empty.json": b"",
        "null.json": b"null",
        "list.json": b"[1, {}, []]",
        "deep.json": b"[" * 20_000,
        "text.txt": b"some: text\n",
        "binary.jsonl": bytes(range(256)) * 100,
        "cut.jsonl": b'{"type": "session", "id": ',
        "surrogates.json": b'{"id": "\\ud800", "messages": null}',
        "database.db": b"SQLite format 3\0" + b"\0" * 100,
        "wide.md": "﻿\u2028日本".encode("utf-16"),
    }
    for name, content in contents.items():
        (place / name).write_bytes(content)
    (place / "folder").mkdir(exist_ok=True)
    return [*(place / name for name in contents), place / "folder", place / "gone", place]


def recognised(made: Any, source: Path) -> bool:
    """What the format says of a source."""
    try:
        said = made.recognises(source)
    except Exception as error:
        raise BrokenPromise(f"recognises({source.name!r}) raised {type(error).__name__}: {str(error)[:200]}") from error
    require(isinstance(said, bool), f"recognises({source.name!r}) gave {said!r:.80}, not True or False")
    return bool(said)


async def sessions(made: Any, source: Path) -> list[Session]:
    """What it reads, in 20 seconds."""
    async with asyncio.timeout(20):
        return [session async for session in made.read(source)]


def its_source(trial: Trial) -> Path:
    """Something that it can read. Raises NotTried where its author gave nothing."""
    if trial.subject.trials.source is None:
        raise NotTried("there is nothing that it could read; give Trials.source")
    return trial.subject.trials.source(trial.directory)


async def what_is_not_its_own_is_left(trial: Trial) -> None:
    """`recognises()` says False for what is missing, empty, binary, cut or a folder, and raises nothing."""
    made = await trial.make()
    for source in strangers(trial.directory):
        require(not recognised(made, source), f"it takes {source.name!r} for a source of its own")


async def its_own_is_recognised_and_read(trial: Trial) -> None:
    """What it is made for is recognised, and holds at least one session."""
    made, source = await trial.make(), its_source(trial)
    require(recognised(made, source), f"it does not recognise {source.name}")
    read = await sessions(made, source)
    require(read and all(isinstance(each, Session) for each in read), f"it reads {read!r:.100}, no sessions")


async def what_it_reads_can_be_kept(trial: Trial) -> None:
    """Each session has an id that we can keep, survives being written and read again, and pairs results with calls."""
    for session in await sessions(await trial.make(), its_source(trial)):
        check_session_id(session.id)
        require(from_json(to_json(session), Session) == session, f"{session.id} is another session after a round trip")
        calls = {call.id for message in session.messages for call in message.tool_calls}
        results = {p.tool_call_id for m in session.messages for p in m.parts if isinstance(p, ToolResultPart)}
        require(results <= calls, f"{session.id} has a result without its call: {sorted(results - calls)[:1]}")


async def reading_twice_gives_the_same(trial: Trial) -> None:
    """The same source gives the same sessions with the same ids, so that nothing is imported twice."""
    made, source = await trial.make(), its_source(trial)
    require(await sessions(made, source) == await sessions(made, source), f"{source.name} reads differently each time")


async def damage_is_a_named_error(trial: Trial) -> None:
    """A source that is cut or has odd bytes is read as far as it goes, or ends in an error of codetether's tree."""
    made, source = await trial.make(), its_source(trial)
    if not source.is_file():
        raise NotTried("its source is no single file")
    whole = source.read_bytes()
    cuts = [whole[: len(whole) * eighth // 8] for eighth in range(1, 8)]
    flips = [whole[:at] + b"\xff\0" + whole[at + 2 :] for at in range(0, len(whole), max(1, len(whole) // 16))]
    for content in (*cuts, *flips):
        source.write_bytes(content)
        if not recognised(made, source):
            continue
        try:
            await sessions(made, source)
        except CodetetherError:
            continue
        except Exception as error:
            raise BrokenPromise(
                f"damaged input ended in {type(error).__name__}: {str(error)[:200]}; raise a CodetetherError"
            ) from error


async def reading_changes_nothing(trial: Trial) -> None:
    """Neither looking at a source nor reading it changes a file."""
    made = await trial.make()
    told = trial.subject.trials.source
    sources = strangers(trial.directory) + ([told(trial.directory)] if told else [])
    before = snapshot(trial.directory)
    for source in sources:
        if recognised(made, source):
            await sessions(made, source)
    touched = changed(before, snapshot(trial.directory))
    require(not touched, f"reading changed {', '.join(touched)}")


PROMISES = promises(
    "session_formats",
    what_is_not_its_own_is_left,
    its_own_is_recognised_and_read,
    what_it_reads_can_be_kept,
    reading_twice_gives_the_same,
    damage_is_a_named_error,
    reading_changes_nothing,
)
