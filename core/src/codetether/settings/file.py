"""One settings file: TOML that is read whole, with the line on which each setting stands."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field

from codetether.errors import SettingsError
from codetether.values import frozen

LIMIT = 1024 * 1024
"""Bytes a settings file may have."""
_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


_LONG_KEY = re.compile(r"""(?:["']?[\w-]*+["']?[ \t]*+\.[ \t]*+){100}""")
"""The parser takes a time that grows with the square of the parts: minutes for a file of 1 MB."""


@frozen(kw_only=True)
class SettingsFile:
    """A settings file as it was read.

    Attributes:
        sha256: of its bytes, in hex: what `codetether config trust` records.
    """

    path: Path
    text: str = field(repr=False)
    values: Mapping[str, Any]
    sha256: str

    def line(self, path: Sequence[str]) -> int | None:
        """The line, from 1, on which the setting or table first stands; None where it is not in the file."""
        return _line(self.text.replace("\r\n", "\n"), path)


def read_settings_file(path: Path) -> SettingsFile | None:
    """Reads the file; None where there is none. Raises SettingsError for one that is there but cannot be used."""
    data = _bytes(path)
    return None if data is None else parse_settings(path, data)


def parse_settings(path: Path, data: bytes) -> SettingsFile:
    """The file that these bytes would be at `path`. Raises SettingsError."""
    text = _text(path, data)
    return SettingsFile(path=path, text=text, values=_values(path, text), sha256=hashlib.sha256(data).hexdigest())


def _bytes(path: Path) -> bytes | None:
    try:
        # Without blocking: a pipe put in the file's place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=path, remedy=_READABLE) from error
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode):
        os.close(descriptor)
        raise SettingsError("is a directory", file=path, remedy="Remove it, or put a TOML file in its place.")
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(found.st_mode):
            raise SettingsError("is not a regular file", file=path, remedy="Replace it by a TOML file, or remove it.")
        if found.st_size > LIMIT:
            size = f"{found.st_size / LIMIT:.1f} MB"
            raise SettingsError(f"has {size}; settings files may have 1 MB", file=path, remedy="Shorten or remove it.")
        try:
            return file.read(LIMIT + 1)
        except OSError as error:
            raise SettingsError(f"cannot be read: {error.strerror}", file=path, remedy=_READABLE) from error


_READABLE = "Make it readable for you, or remove it."


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError("is not UTF-8", file=path, line=line, remedy="Save it as UTF-8.") from error


def _values(path: Path, text: str) -> dict[str, Any]:
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise SettingsError("not valid TOML: a key of more than 100 parts", file=path, line=line, remedy=_MEND)
    import tomllib  # here: where nobody has settings, nothing needs it

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _AT_LINE.search(str(error))
        why = _AT_LINE.sub("", str(error)).rstrip(".")
        line = int(place[1]) if place and place[1] else text.count("\n") + (not text.endswith("\n"))
        raise SettingsError(f"not valid TOML: {why}", file=path, line=line, remedy=_MEND) from error
    except (RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SettingsError(f"not valid TOML: {why}", file=path, remedy=_MEND) from None  # the chain is deep too


_MEND = "Mend that line; nothing is started with settings that were only read in part."


def _line(text: str, path: Sequence[str]) -> int | None:
    """Goes statement by statement, each parsed alone: a table's header, or a key with its value."""
    import tomllib

    table: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    for number, statement in _statements(text):
        values = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _table(values, counts, repeated=statement.lstrip().startswith("[["))
            found = table[: len(path)] == tuple(path)
        else:
            found = table == tuple(path[: len(table)]) and _holds(values, path[len(table) :])
        if values and found:
            return number
    return None


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement of a valid document with the number of its first line."""
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        end = start + 1
        while end < len(lines) and not _parses("\n".join(lines[start:end])):
            end += 1
            while end < len(lines) and not _CLOSES.search(lines[end - 1]):
                end += 1
        yield start + 1, "\n".join(lines[start:end])
        start = end


_CLOSES = re.compile(r"[\]}]|\"\"\"|'''")
"""What a line must hold to end a value of several lines."""


def _parses(text: str) -> bool:
    import tomllib

    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _table(header: Mapping[str, Any], counts: dict[tuple[str, ...], int], *, repeated: bool) -> tuple[str, ...]:
    """The path of a table from its header, with the index of each array of tables on the way."""
    keys: tuple[str, ...] = ()
    value: Any = header
    while isinstance(value, Mapping) and value:
        (key, value), *_ = value.items()
        keys = (*keys, key)
        if keys in counts and value not in ([{}], {}):
            keys = (*keys, str(counts[keys]))
    if repeated:
        counts[keys] = counts.get(keys, -1) + 1
        keys = (*keys, str(counts[keys]))
    return keys


def _holds(value: Any, path: Sequence[str]) -> bool:
    for key in path:
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return False
    return True
