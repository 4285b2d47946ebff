"""Completion of `@path`: what lies there, and where nothing does, what has it in its name further below."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from prompt_toolkit.completion import Completion
from prompt_toolkit.document import Document

_TYPED = re.compile(r'(?<!\S)@("[^"]*|[^\s"]*)$')
_QUOTED = re.compile(r"[\s']|[.,;:!?]$")
"""A path that would end early, were it not in quotes."""
LOOKED_AT, OFFERED = 20_000, 50
"""Entries of the directories below that are looked at, and those that are offered of them."""
_PASSED_OVER = ("__pycache__", "node_modules")


def path_completions(document: Document, directory: Path) -> Iterable[Completion]:
    """What can stand at the cursor, where a path is being typed."""
    match = _TYPED.search(document.current_line_before_cursor)
    if match is None:
        return
    typed = match[1].removeprefix('"')
    for path in list(_here(typed, directory)) or _below(typed, directory):
        if path.isprintable() and '"' not in path:
            quote = '"' if match[1][:1] == '"' or _QUOTED.search(path) else ""
            end = "" if path.endswith("/") else quote  # more may follow what is a directory
            yield Completion(f"{quote}{path}{end}", -len(match[1]), display=path)


def _here(typed: str, directory: Path) -> Iterator[str]:
    above, slash, start = typed.rpartition("/")
    try:
        with os.scandir(directory / os.path.expanduser(above + slash)) as found:  # noqa: PTH111 - there may be no home
            entries = sorted(found, key=lambda entry: entry.name)
    except (OSError, ValueError):
        return
    for entry in entries:
        if entry.name.casefold().startswith(start.casefold()) and (start or not entry.name.startswith(".")):
            yield f"{above}{slash}{entry.name}{'/' if entry.is_dir() else ''}"


def _below(typed: str, directory: Path) -> list[str]:
    named = (path for path in islice(_files(directory), LOOKED_AT) if typed.casefold() in path.casefold())
    return sorted(named, key=lambda path: (len(path), path))[:OFFERED]


def _files(directory: Path) -> Iterator[str]:
    for where, directories, files in os.walk(directory):
        directories[:] = sorted(d for d in directories if not d.startswith(".") and d not in _PASSED_OVER)
        for name in files:
            yield os.path.relpath(os.path.join(where, name), directory)  # noqa: PTH118 - thousands of them
