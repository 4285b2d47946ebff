"""Knows the harmless part of two small languages: scripts of sed, expressions of find."""

from __future__ import annotations

import re

from codetether.permissions.options import NotHarmless, names

_ADDRESS = r"(?:\d+|\$|/(?:[^/\\\n\[]|\\[^\n]|\[\^?(?:[^\]/\\\n]|\\[A-Za-z])+\])*/I?)"
_RANGE = re.compile(rf"{_ADDRESS}(?:[,~](?:{_ADDRESS}|[+~]\d+))?[ \t]*!?[ \t]*")
_PLAIN = re.compile(r"(?:[pdPDgGhHnNxlz=]|[qQ]\d*)(?=[ \t]*(?:[;\n}]|$))")
_LABEL = re.compile(r":[ \t]*\w+(?=[ \t]*(?:[;\n]|$))|[btT][ \t]*\w*(?=[ \t]*(?:[;\n}]|$))")
_TEXT = re.compile(r"[aic](?:\\|[ \t])[ \t]*[^\s\\][^\\\n]*(?=\n|$)")
"""Text that is added, on one line: all up to the end of that is text."""
_FLAGS = re.compile(r"[gpiImM0-9]*(?=[ \t]*(?:[;\n}]|$))")
_BETWEEN = re.compile(r"[ \t\n;]*")
_DELIMITERS = "/|,:#@%!_"
_TESTS = names(
    "-print -print0 -empty -true -false -not -a -and -o -or -prune -readable -writable -executable -depth -mount -xdev"
    " -noleaf -daystart -nouser -nogroup -ls -quit ( ) ! , -nowarn -warn -ignore_readdir_race"
)
_WITH_VALUE = names(
    "-name -iname -path -ipath -wholename -iwholename -regex -iregex -regextype -type -xtype -size -mtime -atime -ctime"
    " -mmin -amin -cmin -newermt -maxdepth -mindepth -perm -user -group -links -inum -printf -lname -ilname -fstype"
    " -uid -gid -used"
)
_WITH_FILE = names("-newer -anewer -cnewer -samefile")


def check_sed(script: str) -> None:
    """Raises NotHarmless unless the script only prints, deletes, counts, joins, substitutes and adds text."""
    at, depth = 0, 0
    while True:
        at = _end(_BETWEEN, script, at)
        if at == len(script):
            break
        if script[at] == "}":
            depth, at = depth - 1, at + 1
            continue
        at = _end(_RANGE, script, at)
        command = script[at : at + 1]
        if command == "{":
            depth, at = depth + 1, at + 1
        elif command in ("s", "y"):
            at = _substitution(script, at)
        elif found := _PLAIN.match(script, at) or _LABEL.match(script, at) or _TEXT.match(script, at):
            at = found.end()
        else:
            raise NotHarmless(f"the sed command {command!r}" if command else "an unfinished sed script")
    if depth:
        raise NotHarmless("an unfinished sed script")


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _substitution(script: str, at: int) -> int:
    delimiter = script[at + 1 : at + 2]
    if not delimiter or delimiter not in _DELIMITERS:
        raise NotHarmless("a sed substitution with an odd delimiter")
    mark = re.escape(delimiter)
    # A delimiter within brackets ends the pattern for some seds and not for others: such a script is not read at all.
    section = rf"(?:[^{mark}\\\n\[]|\\[^\n]|\[\^?\]?(?:[^\]{mark}\\\n]|\\[A-Za-z])*\])*"
    replaced = rf"(?:[^{mark}\\\n]|\\[^\n])*"
    found = re.compile(rf"[sy]{mark}{section}{mark}{replaced}{mark}").match(script, at)
    flags = _FLAGS.match(script, found.end()) if found else None
    if found is None or flags is None:
        raise NotHarmless("a sed substitution that does more than substitute")
    return flags.end()


def find_paths(words: tuple[str, ...]) -> tuple[str, ...]:
    """The starting points, and files compared with, of find's arguments. Raises NotHarmless."""
    left = list(reversed(words))
    paths: list[str] = []
    while left and (left[-1] in ("-H", "-P", "--") or left[-1].startswith("-O")):
        left.pop()
    while left and not left[-1].startswith("-") and left[-1] not in ("(", "!", ","):
        paths.append(left.pop())
    starts = len(paths)
    while left:
        word = left.pop()
        if word in _TESTS:
            continue
        if word not in _WITH_VALUE and word not in _WITH_FILE:
            raise NotHarmless(f"find's {word}")
        if not left:
            raise NotHarmless(f"find's {word} without its value")
        value = left.pop()
        if word in _WITH_FILE:
            paths.append(value)
    return tuple(paths) if starts else (".", *paths)
