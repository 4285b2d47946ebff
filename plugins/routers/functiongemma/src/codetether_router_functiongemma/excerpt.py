"""What the model is shown of a conversation; from nothing else may it copy."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import field, frozen
from codetether import Message

from codetether_router_functiongemma.evidence import Evidence

TEXT, REQUEST = 1_500, 600
"""Characters of the answer around the announcement, and of what the user asked."""
MARKS = re.compile(r"<\|[^|>]{0,40}\|>|</?(?:start|end)_(?:of_turn|function_\w+)>|<escape>|</?s>|<[be]os>")
"""Signs that end a turn or a value: none may come out of a text."""
_PIECE = re.compile(r"\s+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[\w./\\~@%+*#&:-]+|\S")
_EDGE = re.compile(r"(.*?)([.:&#*+-]+)\Z", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,15})?(?![\w])")
_QUOTED = re.compile(r"`([^`\n]+)`|\"([^\"\n]+)\"|\u201c([^\u201d\n]+)\u201d|(?<!\w)'([^'\n]+)'(?!\w)")
_REFERRING = re.compile(
    r"(?:the|this|that|these|those|it|its|them|they|him|his|her|my|your|our|their|you|me|us|an?|some|any|all|each|every|"
    r"what\w*|which\w*|who\w*|how|when\w*|where\w*|as|if|to|so|now|again|first|next|then|there|here|one|things?|before|after|until|once|while)\b",
    re.IGNORECASE,
)


@frozen(kw_only=True)
class Excerpt:
    """An announcement, and the user's request where arguments may come from there.

    Attributes:
        text: the announcing sentence, with what stands around it.
        request: what the user asked; empty where the tool changes anything: then all must stand in the answer itself.
        apart: words that no copy goes over: the tool's name, "I'll".
        literals: what the announcing sentence has in quotes, but for the tool's name.
    """

    text: str
    request: str = ""
    apart: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    _all: str = field(init=False)

    @_all.default
    def _joined(self) -> str:
        return f"{self.text}\n{self.request}" if self.request else self.text

    def runs(self) -> list[list[str]]:
        """The words, signs and white space that a copy is made of: a copy is a part of one of these runs."""
        words = "|".join(map(re.escape, filter(None, self.apart)))
        pieces = re.split(rf"(?<![\w./-])(?:{words})(?![\w/-]|\.\w)", self.text) if words else [self.text]
        return [made for piece in (*pieces, self.request) if (made := self._chunks(piece))]

    def _chunks(self, text: str) -> list[str]:
        chunks: list[str] = []
        for piece in _PIECE.findall(text):
            edge = None if piece in (".", "..") else _EDGE.fullmatch(piece)
            if edge and edge[1]:
                chunks += [edge[1], *edge[2]]
            else:
                chunks.append(piece)
        return chunks if text.strip() else []

    def holds(self, value: str) -> bool:
        """Whether a value stands there, in whole words; white space counts as one blank."""
        words = " ".join(value.split())
        if not words:
            return False
        begins, ends = r"(?<!\w)" if words[0].isascii() and words[0].isalnum() else "", ""
        if words[-1].isascii() and words[-1].isalnum():
            ends = r"(?!\w)"
        return re.search(begins + re.escape(words) + ends, " ".join(self._all.split())) is not None

    def numbers(self) -> list[str]:
        """The numbers that stand there, as JSON writes them."""
        return list(dict.fromkeys(number.lstrip("0") or "0" for number in _NUMBER.findall(self._all)))

    def quotes(self, value: str) -> bool:
        """Whether a value stands in quotes of any kind."""
        return value in _quoted(self._all)

    def describes(self, value: str) -> bool:
        """Whether a value only refers to something (`the config file`, `her`), and is not the thing itself."""
        return _REFERRING.match(value) is not None and not self.quotes(value)

    def speaks_of(self, word: str) -> bool:
        """Whether a word stands there, however it is capitalised."""
        return re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", self._all, re.IGNORECASE) is not None


def excerpt(text: str, announced: Evidence, messages: Sequence[Message]) -> Excerpt:
    """What is shown for an announcement in an answer; of the conversation only where the tool changes nothing."""
    start, end = announced.start, announced.end
    room = max(0, TEXT - (end - start)) // 2
    asked = ""
    if announced.tool.read_only:
        asked = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return Excerpt(
        text=clean(text[max(0, start - room) : end + room]),
        request=clean(asked[-REQUEST:]),
        apart=(announced.tool.name, announced.intent),
        literals=tuple(each for each in dict.fromkeys(_quoted(clean(text[start:end]))) if each != announced.tool.name),
    )


def _quoted(text: str) -> list[str]:
    return [next(filter(None, groups)) for groups in _QUOTED.findall(text)]


def clean(text: str) -> str:
    """The text without signs that a model takes for marks, and without what no encoding takes."""
    return MARKS.sub("", text).encode(errors="ignore").decode().replace("\0", "").strip()
