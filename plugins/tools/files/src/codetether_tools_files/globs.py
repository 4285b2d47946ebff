"""Globs over paths, as patterns that take time in proportion to the path."""

from __future__ import annotations

import re

from codetether_tools_files.workspace import Refused

MOST = 200
"""Alternatives that braces may stand for."""
_TOKEN = re.compile(r"\*+|\?|\[!?\]?[^\]/]*\]|\\.|.", re.DOTALL)


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern of a glob with `*`, `**`, `?`, `[…]` and `{…,…}`, over relative paths. Raises Refused."""
    import bracex

    try:
        alternatives = bracex.expand(pattern, keep_escapes=True, limit=MOST)
    except bracex.ExpansionLimitException as error:
        raise Refused(f"the braces of {pattern!r} stand for more than {MOST} patterns") from error
    return re.compile("|".join(f"(?:{_path(alternative)})" for alternative in alternatives), re.DOTALL)


def _path(pattern: str) -> str:
    """Names between two `**` are taken where they first fit, which is enough and never tried again."""
    groups: list[list[str]] = [[]]
    for part in pattern.split("/"):
        if part == "**":
            groups.append([])
        else:
            groups[-1].append(_part(part))
    head, *rest = groups
    if not rest:
        return "/".join(head)
    *between, tail = rest
    middle = "".join(f"(?>(?:[^/]+/)*?{_directories(group)})" for group in between if group)
    return _directories(head) + middle + ("(?:[^/]+/)*" + "/".join(tail) if tail else ".*")


def _directories(parts: list[str]) -> str:
    return "".join(part + "/" for part in parts)


def _part(part: str) -> str:
    """One name. What stands between two stars is taken where it first fits, which is enough and never tried again."""
    pieces = [""]
    for token in _TOKEN.findall(part):
        match token[0]:
            case "*":
                pieces.append("")
            case "?":
                pieces[-1] += "[^/]"
            case "[" if len(token) > 2:
                pieces[-1] += _set(token[1:-1])
            case "\\" if len(token) == 2:
                pieces[-1] += re.escape(token[1])
            case _:
                pieces[-1] += re.escape(token)
    head, *middle = pieces
    if not middle:
        return head
    *between, tail = middle
    return head + "".join(f"(?>[^/]*?{piece})" for piece in between if piece) + f"[^/]*{tail}"


def _set(members: str) -> str:
    negative = members.startswith("!")
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members[negative:])
    return f"(?!/)[{'^' if negative else ''}{escaped}]"
