"""What session formats keep."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson

from codetether.errors import CodetetherError
from codetether.formats.protocols import SessionFinder, SessionWriter
from codetether.ids import check_session_id
from codetether.models.foreign import ForeignSession, Unreadable
from codetether.models.messages import ToolResultPart
from codetether.models.session import JournalEntry
from codetether.testing.promises import BrokenPromise, NotTried, promises, require
from codetether.testing.traces import changed, snapshot
from codetether.testing.trial import Trial
from codetether.wire import reader, to_json


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


async def everything(made: Any, source: Path) -> list[ForeignSession | Unreadable]:
    """What it reads, and what it says it cannot read, in 20 seconds."""
    async with asyncio.timeout(20), aclosing(made.read(source)) as found:
        return [each async for each in found]


async def sessions(made: Any, source: Path) -> list[ForeignSession]:
    """The sessions that it reads."""
    return [each for each in await everything(made, source) if isinstance(each, ForeignSession)]


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
    read = await everything(made, source)
    require(all(isinstance(each, ForeignSession | Unreadable) for each in read), f"it reads {read!r:.100}")
    require(any(isinstance(each, ForeignSession) for each in read), f"it reads {read!r:.100}, no sessions")


async def nothing_that_was_said_is_lost(trial: Trial) -> None:
    """The texts that the author says stand in the source are in the sessions that are read, in their order."""
    made, source, said = await trial.make(), its_source(trial), trial.subject.trials.said
    if not said:
        raise NotTried("what its source says is not known; give Trials.said")
    found = await sessions(made, source)
    told = [message for each in found for message in _told(each)]
    left = iter([text for _, words, _, results in told for text in (words, *results)])
    for text in said:
        require(not found or any(text in each for each in left), f"{text!r:.80} is in no session, or not in its place")


async def what_it_reads_can_be_kept(trial: Trial) -> None:
    """Each session has an id that begins with the format's name, is the same once it was written, and is whole."""
    read_entry = reader(JournalEntry)
    for found in await sessions(await trial.make(), its_source(trial)):
        id_ = check_session_id(found.started.id)
        require(id_.startswith(f"{trial.record.name}_"), f"{id_} does not begin with {trial.record.name}_")
        written = [read_entry(orjson.loads(to_json(record.entry))) for record in found.records]
        require(written == [record.entry for record in found.records], f"{id_} is another session after a round trip")
        require([r.sequence for r in found.records] == [*range(1, len(found.records) + 1)], f"{id_} is not in order")
        calls = [call.id for message in found.session.messages for call in message.tool_calls]
        results = [p.tool_call_id for m in found.session.messages for p in m.parts if isinstance(p, ToolResultPart)]
        require(len(calls) == len(set(calls)), f"{id_} has two calls of one id")
        require(sorted(calls) == sorted(results), f"{id_} has a call without a result, or a result without its call")


async def reading_twice_gives_the_same(trial: Trial) -> None:
    """The same source gives the same sessions with the same ids, so that nothing is imported twice."""
    made, source = await trial.make(), its_source(trial)
    first, second = await everything(made, source), await everything(made, source)
    require(first == second, f"{source.name} reads differently each time")


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
            await everything(made, source)
        except CodetetherError:
            continue
        except Exception as error:
            raise BrokenPromise(
                f"damaged input ended in {type(error).__name__}: {str(error)[:200]}; raise a CodetetherError"
            ) from error


async def a_listing_agrees_with_what_is_read(trial: Trial) -> None:
    """A format that lists shows the sessions that it reads, under their ids, and each can be read by its source."""
    made, source = await trial.make(), its_source(trial)
    if not isinstance(made, SessionFinder):
        raise NotTried("it lists nothing")
    require(all(isinstance(place, Path) for place in made.find()), "find() gives what are no paths")
    listed = {each.session.id: each for each in await made.listed(source)}
    read = {each.started.id: each for each in await sessions(made, source)}
    require(listed.keys() == read.keys(), f"it lists {sorted(listed)}, and reads {sorted(read)}")
    for id_, summary in listed.items():
        again = [each.started.id for each in await sessions(made, Path(summary.source))]
        require(id_ in again, f"{summary.source} does not give {id_}, although it is listed so")


async def what_it_writes_can_be_read(trial: Trial) -> None:
    """A format that writes gives the same words, calls and results when that is read, and says what it cannot hold."""
    made, source = await trial.make(), its_source(trial)
    if not isinstance(made, SessionWriter):
        raise NotTried("it writes nothing")
    for number, found in enumerate(await sessions(made, source)):
        target = trial.directory / f"written-{number}{source.suffix or '.jsonl'}"
        with target.open("wb") as file:
            lost = made.write(found, file)
        require(all(isinstance(what, str) for what in lost), f"write() gave {lost!r:.100}, no lines")
        require(recognised(made, target), "it does not recognise what it wrote")
        (again,) = await sessions(made, target)
        require(_told(again) == _told(found), f"{found.started.id} says something else once it was written")


def _told(found: ForeignSession) -> list[tuple[str, str, list[str], list[str]]]:
    """Who said what, with the names of the calls and the texts of the results."""
    return [
        (m.role, m.text, [c.name for c in m.tool_calls], [p.text for p in m.parts if isinstance(p, ToolResultPart)])
        for m in found.session.messages
        if m.parts
    ]


async def reading_changes_nothing(trial: Trial) -> None:
    """Neither looking at a source nor reading it changes a file."""
    made = await trial.make()
    told = trial.subject.trials.source
    sources = strangers(trial.directory) + ([told(trial.directory)] if told else [])
    before = snapshot(trial.directory)
    for source in sources:
        if recognised(made, source):
            await sessions(made, source)
            if isinstance(made, SessionFinder):
                await made.listed(source)
    touched = changed(before, snapshot(trial.directory))
    require(not touched, f"reading changed {', '.join(touched)}")


PROMISES = promises(
    "session_formats",
    what_is_not_its_own_is_left,
    its_own_is_recognised_and_read,
    nothing_that_was_said_is_lost,
    what_it_reads_can_be_kept,
    reading_twice_gives_the_same,
    damage_is_a_named_error,
    a_listing_agrees_with_what_is_read,
    what_it_writes_can_be_read,
    reading_changes_nothing,
)
