"""The end of a journal, read from its end: the last messages of a long session at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

from codetether.models.session import JournalRecord
from codetether.storage.durable import reached, refused
from codetether.storage.lines import Reader, whole

_FIRST = 256 * 1024
_SEQUENCE = re.compile(rb'\{"seq":(\d+),')
_MESSAGE = re.compile(rb'\{"seq":\d+,"at":"[^"]+","type":"(?:message_added|tool_completed)"')


def latest_records(path: Path, messages: int) -> list[JournalRecord]:
    """The last records, back to the one that holds the `messages`-th message from the end, results counted too.

    All of them where there are fewer. Blocks; FileNotFoundError where there is no file, else StorageError.
    """
    try:
        reached("read", path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refused(error, "read", path) from error
    try:
        end, size = os.fstat(descriptor).st_size, _FIRST
        while True:
            start = max(end - size, 0)
            data = os.pread(descriptor, end - start, start)
            place = _place(data, messages, all_=start == 0)
            if place is not None:
                return _read(data[place:])
            size *= 4
    finally:
        os.close(descriptor)


def _place(data: bytes, messages: int, *, all_: bool) -> int | None:
    """Where the line of that message begins; None where more must be read."""
    end = len(data)
    while (begin := data.rfind(b"\n", 0, end)) >= 0:
        if _MESSAGE.match(data, begin + 1):
            messages -= 1
            if messages == 0:
                return begin + 1
        end = begin
    return 0 if all_ else None


def _read(data: bytes) -> list[JournalRecord]:
    made = Reader(data)
    first = next((line for line in data.split(b"\n") if whole(line)), b"")
    if (found := _SEQUENCE.match(first)) is not None:
        made.next_sequence = int(found[1])
    return [*made]
