"""Reads unified diffs, those of git among them."""

from __future__ import annotations

import re
from itertools import islice, takewhile

from attrs import define, field

from codetether_tools_files.patches import FilePatch, Hunk
from codetether_tools_files.workspace import Refused

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_LOOSE = re.compile(r"@@(?!@)")
_OUTSIDE = re.compile(r"diff |--- |@@|Index: |====|Only in |Binary files |From |-- $|```|\*\*\* (?:Begin|End) Patch")
"""What stands between the hunks of a patch, never in one for want of a sign."""
_EPOCH = re.compile(r"\t(1970-01-01|1969-12-31) ")
"""The time that diff gives a file that is missing on one side."""
_PREFIXES = {("a", "b"), ("b", "a"), ("i", "w"), ("c", "i"), ("c", "w"), ("o", "w")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_QUOTED = re.compile(r"\\([0-7]{3}|.)")


@define
class _Head:
    """What the lines before a file's hunks say."""

    git: tuple[str, str] | None = None
    old: str | None = None
    new: str | None = None
    moved: dict[str, str] = field(factory=dict)
    mode: str | None = None
    created: bool = False
    deleted: bool = False
    hunks: list[Hunk] = field(factory=list)


def is_unified(patch: str) -> bool:
    """Whether the patch looks like a unified diff."""
    return re.search(r"^(diff --git |--- .*\r?\n\+\+\+ )", patch, re.MULTILINE) is not None


def parse(patch: str) -> list[FilePatch]:
    """The patch's files in their order. Refused where it is not understood."""
    lines = _lines(patch)
    found: list[_Head] = []
    at = 0
    while at < len(lines):
        line = lines[at].rstrip("\r")
        if line.startswith("diff --git "):
            found.append(_Head(git=_git_names(line.removeprefix("diff --git "))))
        elif line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
            if not found or found[-1].old is not None or found[-1].hunks:
                found.append(_Head())
            found[-1].old, found[-1].new = _name(line[4:]), _name(lines[at + 1][4:])
            found[-1].created |= _EPOCH.search(line) is not None
            found[-1].deleted |= _EPOCH.search(lines[at + 1]) is not None
            at += 1
        elif _LOOSE.match(line):
            hunk, at = _hunk(lines, at, found[-1] if found else _Head())
            found[-1].hunks.append(hunk)
            continue
        elif found:
            _extended(found[-1], line)
        at += 1
    if not found:
        raise Refused("the patch names no file")
    return [_file(head) for head in found]


def _lines(patch: str) -> list[str]:
    """The lines without `\\n`; a patch that was written with CRLF throughout without `\\r` too."""
    lines = patch.split("\n")
    if lines[-1] == "":
        lines.pop()
    heads = [line for line in lines if line.startswith(("@@ ", "--- ", "+++ ", "diff --git "))]
    if heads and all(line.endswith("\r") for line in heads):
        return [line.removesuffix("\r") for line in lines]
    return lines


def _extended(head: _Head, line: str) -> None:
    """A line of git's between the names and the hunks."""
    for word in ("rename from ", "rename to ", "copy from ", "copy to "):
        if line.startswith(word):
            head.moved[word.strip()] = _unquoted(line.removeprefix(word))
    if line.startswith("new file mode "):
        head.created, head.mode = True, line.removeprefix("new file mode ").strip()
    elif line.startswith("deleted file mode "):
        head.deleted = True
    elif line.startswith("new mode "):
        head.mode = line.removeprefix("new mode ").strip()
    elif line.startswith(("Binary files ", "GIT binary patch")):
        raise Refused(f"the patch changes a binary file, which it cannot: {line}")


def _file(head: _Head) -> FilePatch:
    if head.mode in ("120000", "160000"):
        raise Refused("the patch makes a link or a submodule; only plain files can be patched")
    executable = None if head.mode is None else head.mode.endswith("755")
    source, target = head.moved.get("rename from"), head.moved.get("rename to")
    copied = "copy from" in head.moved
    if copied:
        source, target = head.moved["copy from"], head.moved.get("copy to")
    hunks, numbered = tuple(head.hunks), head.git is not None
    if source and target:
        return FilePatch(
            kind="update",
            path=source,
            target=target,
            hunks=hunks,
            executable=executable,
            copied=copied,
            numbered=numbered,
        )
    old, new = head.old, head.new
    if old is None and head.git is not None:
        old, new = head.git
    if not old or not new:
        raise Refused("a part of the patch names no file; write `--- a/path` and `+++ b/path` above its hunks")
    if head.git is None or head.git[0] != head.git[1]:  # the same twice: they were written without prefixes
        old, new = _stripped(old, new)
    if head.created or old == "/dev/null":
        return FilePatch(kind="add", path=new, hunks=hunks, executable=executable, numbered=numbered)
    if head.deleted or new == "/dev/null":
        return FilePatch(kind="delete", path=old, hunks=hunks, numbered=numbered)
    if not hunks and executable is None:
        raise Refused(f"the patch changes nothing in {old}")
    # without git's words for it, other names tell of a copy that was made for the comparison: `x.orig` and `x`
    path = old if old == new or head.git else min(old, new, key=len)
    return FilePatch(kind="update", path=path, hunks=hunks, executable=executable, numbered=numbered)


def _stripped(old: str, new: str) -> tuple[str, str]:
    """Both names without `a/` and `b/`, or what else stands there for the two sides."""
    sides = old.partition("/"), new.partition("/")
    firsts = tuple(side[0] for side in sides)
    marked = (
        firsts in _PREFIXES
        or (firsts[0] != firsts[1] and sides[0][2] == sides[1][2] != "")  # two directories were compared
        or (old == "/dev/null" and firsts[1] in ("b", "w", "i"))
        or (new == "/dev/null" and firsts[0] in ("a", "i", "c", "o"))
    )
    if not marked:
        return old, new
    return tuple(name if name == "/dev/null" else name.partition("/")[2] for name in (old, new))  # type: ignore[return-value]


def _name(text: str) -> str:
    """A file's name after `--- ` or `+++ `, without a time behind a tab; blanks count only before such a tab."""
    if text.startswith('"'):
        return _unquoted(text.rstrip())
    name, tab, _ = text.rstrip("\r").partition("\t")
    return name if tab else name.rstrip()


def _unquoted(text: str) -> str:
    text = text.rstrip("\r")
    if not (text.startswith('"') and '"' in text[1:]):
        return text
    inner = text[1 : text.rindex('"')]

    def byte(found: re.Match[str]) -> str:
        word = found[1]
        return chr(int(word, 8)) if len(word) == 3 else _ESCAPES.get(word, word)

    plain = _QUOTED.sub(byte, inner)
    try:
        return plain.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # not all of it was quoted
        return plain


def _git_names(text: str) -> tuple[str, str] | None:
    """Both names of `diff --git`, which stand there without a mark between them; without one when they differ."""
    if text.startswith('"'):
        found = re.fullmatch(r'("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*"|.+)', text)
        return (_unquoted(found[1]), _unquoted(found[2])) if found else None
    half = len(text) // 2
    if text[half : half + 1] == " " and text[:half].partition("/")[2] == text[half + 1 :].partition("/")[2]:
        return text[:half], text[half + 1 :]
    old, _, new = text.partition(" ")
    return old, new


def _hunk(lines: list[str], at: int, head: _Head) -> tuple[Hunk, int]:
    """The hunk whose head stands at a line, and the line after it."""
    if head.old is None and head.git is None:
        raise Refused("a hunk of the patch belongs to no file")
    numbers = _HUNK.match(lines[at])
    if numbers is None:
        signed, after = _loose(lines, at + 1)
        anchor = lines[at].strip().removeprefix("@@").removesuffix("@@").strip()
        anchors = (anchor,) if anchor and not anchor.startswith(("-", ".")) else ()
        return Hunk(signed=tuple(signed), anchors=anchors), after
    line, old, new = int(numbers[1]), int(numbers[2] or 1), int(numbers[4] or 1)
    counted = _counted(lines, at + 1, old, new)
    signed, after = counted or _loose(lines, at + 1)
    return Hunk(signed=tuple(signed), line=line), after


def _counted(lines: list[str], at: int, old: int, new: int) -> tuple[list[tuple[str, str]], int] | None:
    """As many lines as the head says; None where that cannot be."""
    signed: list[tuple[str, str]] = []
    while old > 0 or new > 0 or (at < len(lines) and lines[at].startswith("\\")):
        if at == len(lines):
            return None
        line = lines[at]
        at += 1
        if line.startswith("\\"):
            _unended(signed)
            continue
        sign = line[:1] or " "
        if sign not in " -+":  # a line of context without its sign
            if _OUTSIDE.match(line):
                return None
            sign = " "
        old -= sign != "+"
        new -= sign != "-"
        if old < 0 or new < 0:
            return None
        signed.append((sign, (line[1:] if line[:1] in (" ", "-", "+") else line) + "\n"))
    follow = takewhile(lambda line: line and not _OUTSIDE.match(line), islice(lines, at, None))
    if any(line[0] in " -+" for line in follow):
        return None  # the counts were wrong
    return signed, at


def _loose(lines: list[str], at: int) -> tuple[list[tuple[str, str]], int]:
    """All lines up to what must be the next hunk or file, whatever the head says."""
    signed: list[tuple[str, str]] = []
    while at < len(lines):
        line = lines[at]
        named = line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")
        if named or line.startswith("diff --git ") or _LOOSE.match(line):
            break
        if line.startswith("\\"):
            _unended(signed)
        elif line[:1] in (" ", "-", "+"):
            signed.append((line[0], line[1:] + "\n"))
        elif _OUTSIDE.match(line):
            break
        else:  # context without its sign
            signed.append((" ", line + "\n"))
        at += 1
    while signed and signed[-1] == (" ", "\n") and lines[at - 1] == "":
        signed.pop()
        at -= 1
    while at < len(lines) and not lines[at]:
        at += 1
    return signed, at


def _unended(signed: list[tuple[str, str]]) -> None:
    if signed:
        sign, text = signed[-1]
        signed[-1] = sign, text.removesuffix("\n")
