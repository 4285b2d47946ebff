"""Finds the place in a file that comes nearest to a text that is not there."""

from __future__ import annotations

from collections import Counter

_COMPARED = 4000
"""Different lines that are compared one by one."""
_SHOWN = 40


def nearest(text: str, wanted: str) -> str:
    """Where the most alike lines are and how they differ from the wanted ones; empty where nothing is alike."""
    lines, sought = text.splitlines(), wanted.splitlines()
    start = _place(lines, sought)
    if start is None:
        return ""
    found = lines[start : start + len(sought)]
    from difflib import ndiff

    difference = [line for line in ndiff(sought[:_SHOWN], found[:_SHOWN]) if not line.startswith("?")]
    return (
        f"The nearest match begins at line {start + 1}. The difference (- what old says, + what the file holds):\n"
        + "\n".join(line.rstrip("\n") for line in difference)
    )


def _place(lines: list[str], sought: list[str]) -> int | None:
    """The line at which most of the wanted lines stand, white space at their ends left aside."""
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        if stripped := line.strip():
            places.setdefault(stripped, []).append(number)
    votes: Counter[int] = Counter()
    for number, line in enumerate(sought):
        for place in places.get(line.strip(), ())[:50]:
            votes[place - number] += 1
    if votes:
        return max(0, max(votes, key=lambda start: (votes[start], -start)))
    longest = max(enumerate(line.strip() for line in sought), key=lambda pair: len(pair[1]), default=(0, ""))
    if len(longest[1]) < 3:
        return None
    candidates = [line for line in places if len(line) < 4 * len(longest[1]) + 40][:_COMPARED]
    from difflib import get_close_matches

    close = get_close_matches(longest[1][:500], candidates, n=1, cutoff=0.5)
    if not close:
        inside = [line for line in candidates if longest[1] in line]
        close = inside[:1]
    return max(0, places[close[0]][0] - longest[0]) if close else None
