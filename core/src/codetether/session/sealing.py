"""Seals the event streams of sessions that nobody works on, so that an archive can have them whole."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codetether.errors import CodetetherError, SessionLocked, SessionNotFound
from codetether.record.sinks import EventFeed
from codetether.session.contexts import Shared
from codetether.session.makers import Makers
from codetether.storage.segments import Segments
from codetether.storage.streams import recorded_at, stream_files, stream_sessions, stream_stamp
from codetether.values import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from codetether.runtime import Runtime


@frozen(kw_only=True)
class Sealing:
    """What became of the streams that had an open file.

    Attributes:
        sealed: sessions whose stream is whole now. left: why the others are not, by session.
    """

    sealed: tuple[str, ...]
    left: dict[str, str]


async def seal_streams(runtime: Runtime, spools: tuple[Path, ...]) -> Sealing:
    """Brings every stream with an open file up to its journal, and seals it; a running session's is left alone."""
    sealed: list[str] = []
    left: dict[str, str] = {}
    for session_id in sorted({s for spool in spools for s in stream_sessions(spool) if _is_open(spool, s)}):
        try:
            await _sealed(runtime, session_id, spools, partial(left.__setitem__, session_id))
        except SessionLocked:
            left[session_id] = "it is running, and seals its own"
        except CodetetherError as error:
            left[session_id] = error.message
        if session_id not in left:
            sealed.append(session_id)
    return Sealing(sealed=tuple(sealed), left=left)


def _is_open(spool: Path, session: str) -> bool:
    return any(not file.sealed and file.size for file in stream_files(spool, session))


async def _sealed(runtime: Runtime, session_id: str, spools: tuple[Path, ...], notice: Callable[[str], None]) -> None:
    try:
        journal = await runtime.sessions.open(session_id)
    except SessionNotFound:  # deleted: what its stream holds is all there will be
        for spool in spools:
            _seal_orphan(spool, session_id)
        return
    async with AsyncExitStack() as stack:
        stack.push_async_callback(journal.close)
        session = journal.state.session
        agent = runtime.agents().get(session.agent) or runtime.agent("build")
        shared = Shared(journal=journal, directory=Path(session.metadata.directory), agent=agent, person=None)
        makers = Makers(runtime=runtime, stack=stack, shared=shared, contexts=runtime.contexts)
        feed = EventFeed(await makers.event_sinks(spooling=True), journal, runtime.redactor, notice)
        stack.push_async_callback(feed.close)
        await feed.open()


def _seal_orphan(spool: Path, session: str) -> None:
    if not _is_open(spool, session):
        return
    prefix = next(f for f in stream_files(spool, session) if not f.sealed).path.name.rpartition("-")[0]
    segments = Segments(spool / session, prefix, stamp=stream_stamp, whole=_whole)
    segments.open()
    segments.seal()
    segments.close()


def _whole(line: bytes) -> bool:
    moment: datetime = recorded_at(line)
    return moment.year > 1
