"""Reads patches between `*** Begin Patch` and `*** End Patch`."""

from __future__ import annotations

from collections.abc import Iterator

from codetether_tools_files.patches import FilePatch, Hunk
from codetether_tools_files.workspace import Refused

BEGIN, END = "*** Begin Patch", "*** End Patch"
_ADD, _DELETE, _UPDATE, _MOVE = "*** Add File:", "*** Delete File:", "*** Update File:", "*** Move to:"
_EOF = "*** End of File"


def is_codex(patch: str) -> bool:
    """Whether the patch is written in this format. Some put a unified diff between its first and its last line."""
    begun = False
    for line in patch.splitlines():
        if line.startswith(("diff --git ", "--- ")):
            return False
        if line.startswith((_ADD, _DELETE, _UPDATE)):
            return True
        begun = begun or line.strip() == BEGIN
    return begun


def parse(patch: str) -> list[FilePatch]:
    """The patch's files in their order. Refused, with the line, where it is not understood."""
    lines = patch.replace("\r\n", "\n").split("\n")
    begin = next((i + 1 for i, line in enumerate(lines) if line.strip() == BEGIN), 0)
    end = next((i for i in range(len(lines) - 1, -1, -1) if lines[i].strip() == END), None)
    if begin and end is None:
        raise Refused(f"the patch is not whole: it has no line {END!r}")
    found = []
    for number, head, body in _sections(lines, begin, len(lines) if end is None else end):
        found.append(_file(number, head, body))
    if not found:
        raise Refused(f"the patch names no file; write {_ADD!r}, {_UPDATE!r} or {_DELETE!r} with a path")
    return found


def _sections(lines: list[str], begin: int, end: int) -> Iterator[tuple[int, str, list[str]]]:
    """Each file's head with the number of its line, and the lines below it."""
    head: tuple[int, str] | None = None
    body: list[str] = []
    for number in range(begin, end):
        line = lines[number]
        if line.startswith((_ADD, _DELETE, _UPDATE)):
            if head:
                yield (*head, body)
            head, body = (number + 1, line.rstrip()), []
        elif head:
            body.append(line)
        elif line.strip():
            raise Refused(f"line {number + 1} of the patch is not understood: {line[:200]!r}")
    if head:
        yield (*head, body)


def _file(number: int, head: str, body: list[str]) -> FilePatch:
    mark, _, path = head.partition(": ")
    path = path.strip() or head.partition(":")[2].strip()
    if not path:
        raise Refused(f"line {number} of the patch names no file: {head!r}")
    while body and not body[-1].strip() and body[-1] != " ":
        body.pop()
    if mark.startswith("*** Add"):
        return FilePatch(kind="add", path=path, hunks=(Hunk(signed=tuple(_added(number, body))),))
    if mark.startswith("*** Delete"):
        if body:
            raise Refused(f"line {number + 1} of the patch is not understood; a deleted file has no lines: {body[0]!r}")
        return FilePatch(kind="delete", path=path)
    target = None
    if body and body[0].startswith(_MOVE):
        target, body, number = body[0].removeprefix(_MOVE).strip() or None, body[1:], number + 1
    if body[1:] and body[0].startswith("--- ") and body[1].startswith("+++ "):  # the names again, as in a unified diff
        body, number = body[2:], number + 2
    hunks = tuple(_hunks(number, body))
    if not hunks and target is None:
        raise Refused(f"the patch changes nothing in {path}")
    return FilePatch(kind="update", path=path, target=target, hunks=hunks)


def _added(number: int, body: list[str]) -> Iterator[tuple[str, str]]:
    for below, line in enumerate(body, number + 1):
        if not line.startswith("+"):
            if line.startswith(_EOF):
                return
            raise Refused(f"line {below} of the patch must begin with `+`, as a line of a new file: {line[:200]!r}")
        yield "+", line[1:] + "\n"


def _hunks(number: int, body: list[str]) -> Iterator[Hunk]:
    anchors: list[str] = []
    signed: list[tuple[str, str]] = []
    for below, line in enumerate(body, number + 1):
        if line.startswith("@@"):
            if signed:
                yield Hunk(signed=tuple(signed), anchors=tuple(anchors))
                anchors, signed = [], []
            if anchor := _anchor(line):
                anchors.append(anchor)
        elif line.startswith(_EOF):
            if signed:
                yield Hunk(signed=tuple(signed), anchors=tuple(anchors), at_end=True)
            anchors, signed = [], []
        elif line.startswith("*** "):
            raise Refused(f"line {below} of the patch must begin with a space, `-` or `+`: {line[:200]!r}")
        elif line[:1] in (" ", "-", "+"):
            signed.append((line[0], line[1:] + "\n"))
        else:  # context without its sign
            signed.append((" ", line + "\n"))
    if signed:
        yield Hunk(signed=tuple(signed), anchors=tuple(anchors))


def _anchor(line: str) -> str:
    """What stands after `@@`; line numbers, as in other patches, count for nothing."""
    text = line[2:].strip()
    if text.startswith("-") and "@@" in text:
        text = text.partition("@@")[2].strip()
    return text.removesuffix("@@").strip()
