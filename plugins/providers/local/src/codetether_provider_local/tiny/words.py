"""Words of a request: cut, stripped and stemmed, so that wordings can be compared."""

from __future__ import annotations

import re
from functools import lru_cache

import attrs

STOP = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "is",
        "are",
        "be",
        "am",
        "was",
        "were",
        "to",
        "do",
        "does",
        "did",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "i",
        "me",
        "my",
        "we",
        "us",
        "our",
        "you",
        "your",
        "please",
        "can",
        "could",
        "would",
        "will",
        "and",
        "or",
        "for",
        "at",
        "on",
        "by",
        "with",
        "from",
        "as",
        "so",
        "there",
        "here",
        "get",
        "got",
        "have",
        "has",
        "had",
        "any",
        "some",
        "hey",
        "please",
        "tell",
        "like",
        "want",
        "know",
        "let",
        "give",
        "just",
        "kindly",
        "also",
        "need's",
        "thing",
        "stuff",
        "whats",
    ]
)
"""Words that say little about what is asked."""

_TOKEN = re.compile(r"\"[^\"]+\"|'[^']+'(?!\w)|`[^`]+`|\S+")
_SUFFIXES = ("ations", "ation", "ings", "ing", "ies", "ied", "ers", "ed", "es", "s")


@attrs.define(frozen=True, kw_only=True)
class Word:
    """One word of a text: without its punctuation, its stem, where it stands, whether it was quoted."""

    text: str
    stem: str
    start: int
    end: int
    quoted: bool = False

    @property
    def stop(self) -> bool:
        """Whether it says little."""
        return self.stem in STOP or self.text.lower() in STOP


_SAME = """
folder directory dir subfolder subdirectory
show display print view cat open read see present
find search grep seek locate lookup
mention contain include reference
many count number amount total
line row
create make generate add
save store put
replace substitute swap
change modify alter edit update
licence license copying
author maintainer creator
dependency requirement require need depend
function method procedure routine def fn func
class struct interface enum
define declare implement
last latest recent newest
history log
run execute launch
explain describe summarize summarise
first top head beginning
enabled active
big long large length size
test tests
docs doc documentation
config configuration conf settings setting
src source sources
"""


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """What a word is compared by: without its usual English endings, and the same for words that mean the same here."""
    plain = _plain_stem(word)
    return SYNONYMS.get(plain, plain)


def _plain_stem(word: str) -> str:
    low = re.sub("['\u2019]s$", "", word.lower())
    for suffix in _SUFFIXES:
        if low.endswith(suffix) and len(low) - len(suffix) >= (2 if suffix in ("ed", "es") else 3):
            low = low[: -len(suffix)] + ("y" if suffix in ("ies", "ied") else "")
            break
    if len(low) > 2 and low.endswith("e"):
        low = low[:-1]
    if len(low) > 4 and low[-1] == low[-2] and low[-1] not in "ls":
        low = low[:-1]
    return low


SYNONYMS = {
    _plain_stem(word): _plain_stem(line.split()[0]) for line in _SAME.split("\n") if line for word in line.split()
}
"""Stem -> the stem that stands for all that mean the same to a tool."""


def words(text: str) -> tuple[Word, ...]:
    """The words of a text; a quoted phrase is one word."""
    found = (_word(match.group(), match.start()) for match in _TOKEN.finditer(text))
    return tuple(word for word in found if word is not None)


def _word(raw: str, start: int) -> Word | None:
    quoted = len(raw) > 2 and raw[0] == raw[-1] and raw[0] in "\"'`"
    clean = raw[1:-1] if quoted else raw.strip("?,!:;()[]\"'`\u201c\u201d\u2018\u2019")
    if not quoted:
        clean = clean.rstrip(".") or clean
    if not clean:
        return None
    at = start + raw.index(clean)
    return Word(text=clean, stem=stem(clean), start=at, end=at + len(clean), quoted=quoted)
