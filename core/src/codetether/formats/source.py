"""A file of another product: read with care, never waited for, and never changed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from attrs import define, field

from codetether.errors import SourceDamaged
from codetether.models.foreign import Unreadable
from codetether.models.record import JSON
from codetether.wire import storable

LARGEST = 2 * 1024**3
"""Bytes of a file that are read at most."""
LONGEST_LINE = 256 * 1024**2
_SHOWN = 5


@define
class SourceFile:
    """One file; links to it are followed.

    Attributes:
        problems: the lines that could not be read, once `lines` has gone over them: the first few, then their number.
    """

    path: Path
    _bad: list[Unreadable] = field(factory=list)

    @property
    def regular(self) -> bool:
        """Whether it is a file with bytes in it, and no pipe, device or directory."""
        try:
            found = self.path.stat()
        except (OSError, ValueError):
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size > 0

    def head(self, size: int = 65536) -> bytes:
        """The first bytes; none where it is no file that can be read."""
        if not self.regular:
            return b""
        try:
            with os.fdopen(self._opened(), "rb") as file:
                return file.read(size)
        except OSError:
            return b""

    def contents(self) -> bytes:
        """All of it. Raises SourceDamaged for what is no file, is empty, too large or cannot be read."""
        try:
            with os.fdopen(self._opened(), "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise SourceDamaged(self.path, "it is no regular file")
                if found.st_size > LARGEST:
                    raise SourceDamaged(self.path, f"it is larger than {LARGEST:,} bytes")
                data = file.read(LARGEST)
        except (OSError, ValueError) as error:
            raise SourceDamaged(self.path, _reason(error)) from error
        if not data.strip(b"\0 \r\n\t"):
            raise SourceDamaged(self.path, "it holds nothing but empty space" if data else "it is empty")
        return data.removeprefix(b"\xef\xbb\xbf")

    def json(self) -> JSON:
        """The value in a file of JSON. Raises SourceDamaged."""
        data = self.contents()
        try:
            return json_value(data)
        except ValueError as error:
            raise SourceDamaged(self.path, str(error)) from error

    def lines(self) -> Iterator[tuple[int, Any]]:
        """The values of a file of JSON lines with their numbers, from 1; lines that are none go to `problems`.

        Empty lines are passed over. Raises SourceDamaged where the file as a whole cannot be read.
        """
        lines = self.contents().split(b"\n")
        last = len(lines)
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                if len(line) > LONGEST_LINE:
                    raise ValueError(f"it is longer than {LONGEST_LINE:,} bytes")
                value = json_value(line)
            except ValueError as error:
                cut = "it is cut off: " if number == last else ""
                self._bad.append(Unreadable(source=f"{self.path}:{number}", why=f"{cut}{error}"))
            else:
                yield number, value

    @property
    def problems(self) -> list[Unreadable]:
        """What `lines` could not read."""
        more = len(self._bad) - _SHOWN
        if more <= 0:
            return self._bad
        return [*self._bad[:_SHOWN], Unreadable(source=str(self.path), why=f"{more} more lines cannot be read")]

    @staticmethod
    def below(directory: Path, suffixes: tuple[str, ...], limit: int = 100_000) -> list[Path]:
        """The files below a directory whose names end so, sorted; links to directories are not followed."""
        found: list[Path] = []
        for place, folders, names in os.walk(directory, onerror=lambda _: None):
            folders.sort()
            found += [Path(place, name) for name in sorted(names) if name.endswith(suffixes)]
            if len(found) >= limit:
                break
        return found[:limit]

    def _opened(self) -> int:
        return os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def json_value(data: bytes | str) -> JSON:
    """What JSON text holds; raises ValueError with the reason in words.

    Nothing deeper than about a thousand levels is read. A half of a surrogate pair, which JavaScript writes where it
    cuts text, becomes U+FFFD.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if (b"\\ud" in data or b"\\uD" in data) if isinstance(data, bytes) else "\\u" in data.lower():
            return _with_halves(data, error)
        raise ValueError(_words(error)) from None


def _with_halves(data: bytes | str, first: ValueError) -> JSON:
    import json

    try:
        return storable(json.loads(data))
    except (ValueError, RecursionError):
        raise ValueError(_words(first)) from None


def _reason(error: BaseException) -> str:
    """Why the system refused, in its own words."""
    number = getattr(error, "errno", None)
    if number == errno.ELOOP:
        return "its links lead in a circle"
    return os.strerror(number) if number else str(error) or type(error).__name__


def _words(error: ValueError) -> str:
    text = str(error)
    if "recursion" in text or "depth" in text:
        return "it is nested too deeply"
    if "UTF-8" in text or "utf-8" in text:
        return "it is not UTF-8"
    return f"it is no JSON: {text.partition(': line')[0][:100]}"
