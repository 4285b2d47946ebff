"""Tells whether a plugin is made for this version of codetether, by what its distribution says that it needs."""

from __future__ import annotations

import re
from itertools import zip_longest

_NEEDED = re.compile(r"\nRequires-Dist:[ \t]*(?i:codetether[-_.]core)(?![\w.-])[ \t]*([^;\r\n]*)(;[^\r\n]*)?")
_CLAUSE = r"(~=|===?|!=|<=?|>=?)\s*v?(\d+(?:\.\d+)*)(\.\*)?[\w.+-]*"


def unfit(metadata: str, version: str) -> str | None:
    """Why a plugin with this metadata is not for that version of `codetether-core`; None where nothing says so.

    Releases are compared by their numbers. One that says nothing, or names a place, is taken to fit.
    """
    for needed, marker in _NEEDED.findall(metadata):
        wanted = needed.strip().strip("()").strip()
        if wanted.startswith(("@", "[")) or "extra" in marker:
            continue
        for clause in filter(None, wanted.split(",")):
            found = re.fullmatch(_CLAUSE, clause.strip())
            if found is None:
                return f"it needs codetether-core {wanted!r}, which is no version"
            if not _holds(found[1], found[2], found[3], version):
                return f"it needs codetether-core {wanted}, and this is {version}: install one that fits"
    return None


def _holds(operator: str, wanted: str, star: str | None, version: str) -> bool:
    numbers = [int(each) for each in wanted.split(".")]
    here = [int(each) for each in re.findall(r"\d+", re.split(r"[a-z+]", version)[0])]
    same_series = here[: len(numbers)] == numbers
    pairs = list(zip_longest(here, numbers, fillvalue=0))
    at_least = [a for a, _ in pairs] >= [b for _, b in pairs]
    equal = same_series if star else all(a == b for a, b in pairs)
    match operator:
        case "~=":
            return at_least and here[: len(numbers) - 1] == numbers[:-1]
        case "!=":
            return not equal
        case ">=":
            return at_least
        case ">":
            return at_least and not equal
        case "<=":
            return not at_least or equal
        case "<":
            return not at_least
        case _:
            return equal
