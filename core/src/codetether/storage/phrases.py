"""What a user types to search: words and phrases, as the index takes them and as a snippet shows them."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property

from codetether.errors import UsageError
from codetether.storage.texts import spaced
from codetether.values import frozen

_TERM = re.compile(r'(?P<no>-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_BEFORE, _AFTER = 60, 140
_LONG = 3
"""Letters from which on a word is found as the beginning of others too: `file` in `files`."""


@frozen
class _Term:
    """`words` in this order next to each other; `begun`: the last is only the beginning of a word."""

    words: tuple[str, ...]
    begun: bool = False

    def written(self) -> str:
        """For the index."""
        return f'"{" ".join(self.words)}"' + ("*" if self.begun else "")

    def pattern(self) -> str:
        """For texts: between the words stands anything that is no letter."""
        found = r"[\W_]+".join(map(re.escape, self.words))
        spaceless = spaced(found) != found
        if spaceless:
            return found.replace(r"[\W_]+", r"[\W_]*")
        return rf"(?<![^\W_]){found}" + (r"[^\W_]*" if self.begun else r"(?![^\W_])")


class Phrases:
    """`words "a phrase" -without`: all of them in one text, whatever their case and accents; in quotes as they are."""

    def __init__(self, query: str) -> None:
        """Raises UsageError where there is no word in it."""
        wanted: list[_Term] = []
        refused: list[_Term] = []
        for found in _TERM.finditer(query):
            text = found["phrase"] if found["phrase"] is not None else found["word"]
            words = tuple(re.findall(r"[^\W_]+", spaced(_folded(text))))
            if words:
                begun = found["word"] is not None and (len(words[-1]) >= _LONG or text.endswith("*"))
                (refused if found["no"] else wanted).append(_Term(words, begun))
        if not wanted:
            raise UsageError("there is no word to search for", remedy='e.g.: codetether sessions search "no such file"')
        self._wanted, self._refused = wanted, refused

    def match(self) -> str:
        """As FTS5 wants it."""
        made = " AND ".join(term.written() for term in self._wanted)
        return f"({made})" + "".join(f" NOT {term.written()}" for term in self._refused)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(term.pattern() for term in self._wanted), re.IGNORECASE)

    def snippet(self, text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
        """The text around the first match, on one line, and where in it words stand."""
        first = self._pattern.search(_folded(text))
        start = max((first.start() if first else 0) - _BEFORE, 0)
        end = (first.end() if first else 0) + _AFTER
        if start:
            start = text.find(" ", start, start + 20) + 1 or start
        shown = " ".join(text[start:end].split())
        shown = f"{'…' if start else ''}{shown}{'…' if end < len(text) else ''}"
        return shown, tuple(found.span() for found in self._pattern.finditer(_folded(shown)))


def _folded(text: str) -> str:
    """The text without accents, character for character."""
    return text if text.isascii() else "".join(unicodedata.normalize("NFD", letter)[0] for letter in text)
