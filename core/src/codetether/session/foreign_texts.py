"""The texts of other products' sessions, kept for searches until their files change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from codetether.models.foreign import ForeignSession
from codetether.record.redact import Redactor
from codetether.session.foreign import Foreign, ForeignSessions, state_of
from codetether.storage.search import Other
from codetether.storage.texts import Text, texts_of
from codetether.wire import from_dict, to_dict, to_json


async def texts_kept(foreign: ForeignSessions, patience: float | None, redactor: Callable[[], Redactor]) -> int:
    """Reads what changed since the last time, for `patience` seconds at most; how many sources are left then.

    `redactor` is made when there is something to read: what it finds is not kept.
    """
    known = await foreign.store.others()
    end = None if patience is None else time.monotonic() + patience
    clean: Redactor | None = None
    left = 0
    for name in await foreign.formats():
        for source in await foreign.places(name):
            key, state = f"{name} {source}", orjson.dumps(state_of(source)).decode()
            if known.pop(key, None) == state:
                continue
            if end is not None and time.monotonic() > end:
                left += 1
                continue
            clean = clean or redactor()
            found = [each async for each in foreign.read(source, name) if isinstance(each, ForeignSession)]
            others = [_other(name, source, clean.value(each)) for each in found]
            await foreign.store.keep_other(key, state, others)
    if not left:
        for key in known:  # gone from the disk
            await foreign.store.keep_other(key, None, [])
    return left


def kept(summary: str) -> Foreign:
    """The session of a finding."""
    return from_dict(orjson.loads(summary), Foreign)


def _other(name: str, source: Path, session: ForeignSession) -> Other:
    listed = Foreign(format=name, summary=session.summary(str(source)))
    directory = listed.summary.session.directory
    return Other(
        id=listed.id,
        canonical=os.path.realpath(directory) if directory else "",
        summary=to_json(listed).decode(),
        texts=tuple(_texts(session)),
    )


def _texts(session: ForeignSession) -> Iterator[tuple[str, tuple[Text, ...]]]:
    for record in session.records:
        texts = texts_of(to_dict(record.entry))
        if texts:
            yield record.recorded_at.isoformat(timespec="microseconds")[:26] + "Z", tuple(texts)
