"""Names that look alike: what a person reads as one name and a program as two."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from codetether.cli.plugin_files import FileProblem
from codetether.plugins.entry_points import normalised

_TWINS = str.maketrans(
    {
        **dict(zip("аеорсухіјѕһԁԛԝвкмнтгпг", "aeopcyxijshdqwbkmhtrnr", strict=True)),
        **dict(zip("αβεικνορτυχ", "abeikvoptux", strict=True)),
        **dict(zip("01\u0131\u0142", "olil", strict=True)),
        "|": "l",
    }
)  # fmt: skip
"""Letters of other alphabets, and digits, with the Latin letters that they are read as."""


def read_as(name: str) -> str:
    """What a person reads: without marks and look-alikes. Two names that give the same are taken for each other."""
    plain = unicodedata.normalize("NFKD", normalised(name).casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c)).translate(_TWINS)
    return plain.replace("rn", "m").replace("vv", "w").replace("i", "l").replace("-", "")


def lookalikes(names: Iterable[tuple[str, str]]) -> dict[str, list[FileProblem]]:
    """Of (owner, name): per owner, the names that are written in other letters than ASCII or look like another's."""
    found: dict[str, list[FileProblem]] = defaultdict(list)
    alike: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for owner, name in names:
        alike[read_as(name)].add((owner, name))
        if not name.isascii():
            why = "it is not written in plain letters: " + ", ".join(
                unicodedata.name(c, f"U+{ord(c):04X}") for c in name if not c.isascii()
            )
            found[owner].append(FileProblem(kind="lookalike", what=name, why=why))
    for same in alike.values():
        for owner, name in sorted(same):
            others = sorted({f"{other} ({whose})" for whose, other in same if whose != owner})
            if others:
                found[owner].append(
                    FileProblem(kind="lookalike", what=name, why=f"it can be taken for {', '.join(others)}")
                )
    return found
