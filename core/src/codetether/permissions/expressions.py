"""Knows the harmless part of three small languages: scripts of sed and awk, expressions of find."""

from __future__ import annotations

import re

from codetether.permissions.options import NotHarmless, Options, names

_ADDRESS = r"(?:\d+|\$|/(?:[^/\\\n\[]|\\[^\n]|\[\^?(?:[^\]/\\\n]|\\[A-Za-z])+\])*/I?)"
_RANGE = re.compile(rf"{_ADDRESS}(?:[,~](?:{_ADDRESS}|[+~]\d+))?[ \t]*!?[ \t]*")
_PLAIN = re.compile(r"(?:[pdPDgGhHnNxlz=]|[qQ]\d*)(?=[ \t]*(?:[;\n}]|$))")
_LABEL = re.compile(r":[ \t]*\w+(?=[ \t]*(?:[;\n]|$))|[btT][ \t]*\w*(?=[ \t]*(?:[;\n}]|$))")
_SCRIPT = re.compile(r"(?:--expression(?==|$)=?|-[nErsuz]*e)(.+)?", re.DOTALL)
_SED = Options(
    flags="nErsuz", long=names("quiet silent regexp-extended separate unbuffered null-data posix debug sandbox")
)
_TEXT = re.compile(r"[aic](?:\\|[ \t])[ \t]*[^\s\\][^\\\n]*(?=\n|$)")
"""Text that is added, on one line: all up to the end of that is text."""
_FLAGS = re.compile(r"[gpiImM0-9]*(?=[ \t]*(?:[;\n}]|$))")
_BETWEEN = re.compile(r"[ \t\n;]*")
_DELIMITERS = "/|,:#@%!_"
_AWK_OPTIONS = Options(valued="Fv")
_AWK = re.compile(r"[\w\s$,.\"';:+*/%={}!~^\\()\[\]<>&|?-]*")
_AWK_MAY_OPEN = re.compile(r">|(?<!\|)\|(?!\|)")
_AWK_CALL = re.compile(r"([A-Za-z_]\w*)[ \t]*\(")
_AWK_CALLS = names(
    "length substr index split sub gsub gensub match tolower toupper sprintf int sqrt exp log sin cos atan2 rand srand"
    " strftime systime mktime asort asorti if while for print printf in return exit BEGIN END"
)
_AWK_BEYOND = re.compile(
    r"\b(?:getline|system|close|fflush|ENVIRON|PROCINFO|SYMTAB|FUNCTAB|ARGV|ARGC|ARGIND|func|function|BEGINFILE"
    r"|ENDFILE)\b|\\\n|\|{3}|\|&"
)
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


def check_awk(script: str) -> None:
    """Raises NotHarmless unless the script only computes and prints: it neither runs nor opens anything."""
    if not _AWK.fullmatch(script) or _AWK_BEYOND.search(script):
        raise NotHarmless("an awk script that may do more than print")
    if any(name not in _AWK_CALLS for name in _AWK_CALL.findall(script)):
        raise NotHarmless("an awk script with a function of its own")
    for found in _AWK_MAY_OPEN.finditer(script):
        # What follows print is a file, unless its statement ended; quotes and patterns may only look like an end.
        _, prints, between = script[: found.start()].rpartition("print")
        if prints and (not set(between) & set(";}") or set(between) & set('"/\\')):
            raise NotHarmless("an awk script that may print into a file")


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


def sed_paths(words: tuple[str, ...]) -> tuple[str, ...]:
    """The files of sed's arguments: scripts are the first operand, or in options. Raises NotHarmless."""
    scripts: list[str] = []
    others: list[str] = []
    left = list(reversed(words))
    while left and left[-1] != "--":
        word = left.pop()
        given = _SCRIPT.fullmatch(word)
        if given is None:
            others.append(word)
        elif given[1] is None and not left:
            raise NotHarmless("sed without a script")
        else:
            scripts.append(given[1] or left.pop())
    operands = _SED.read([*others, *reversed(left)]).operands
    if not scripts and not operands:
        raise NotHarmless("sed without a script")
    for script in scripts or operands[:1]:
        check_sed(script)
    return operands if scripts else operands[1:]


def awk_paths(words: tuple[str, ...]) -> tuple[str, ...]:
    """The files of awk's arguments: the script is the first operand. Raises NotHarmless."""
    operands = _AWK_OPTIONS.read(words).operands
    if not operands:
        raise NotHarmless("awk without a script")
    check_awk(operands[0])
    return operands[1:]


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
