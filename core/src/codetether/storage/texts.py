"""The texts that a journal's entries hold, as a search counts them in and shows them again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from codetether.values import frozen

KINDS = (b'"type":"message_added"', b'"type":"tool_completed"', b'"type":"title_changed"', b'"type":"turn_ended"')
_HEAD = 100
"""Bytes of a line within which its kind stands."""

# Scripts that put no spaces between words: each character is a word, and a word of the query a phrase of them.
_SPACELESS = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua000-\ua4cf\uac00-\ud7af\uf900-\ufaff])"
)


@frozen
class Text:
    """One text of an entry: `kind` and `name` as in `Hit`."""

    kind: str
    name: str
    text: str

    @property
    def words(self) -> str:
        """What is counted in."""
        return spaced(f"{self.name} {self.text}" if self.kind == "call" else self.text)


def told_of(line: bytes) -> bool:
    """Whether a journal's line is of a kind that holds texts."""
    head = line[:_HEAD]
    return any(kind in head for kind in KINDS)


def texts_of(entry: Mapping[str, Any]) -> list[Text]:
    """The texts of an entry as it stands in a journal; none where it is not as we write it."""
    try:
        return [*_texts_of(entry)]
    except (KeyError, TypeError, AttributeError):
        return []


def spaced(text: str) -> str:
    """The text with spaces around each character of a script that has none."""
    return text if text.isascii() else _SPACELESS.sub(r" \1 ", text)


def _texts_of(entry: Mapping[str, Any]) -> Iterator[Text]:
    match entry:
        case {"type": "message_added", "message": message}:
            yield from _of_message(message)
        case {"type": "tool_completed", "result": result}:
            yield Text("result", result["name"], "\n".join(_visible(result.get("content", ()))))
        case {"type": "title_changed", "title": str(title)}:
            yield Text("title", "", title)
        case {"type": "turn_ended", "error": str(error)} if error:
            yield Text("error", "", error)


def _of_message(message: Mapping[str, Any]) -> Iterator[Text]:
    model = "/".join(filter(None, (message.get("provider"), message.get("model"))))
    parts = message["parts"]
    yield Text(message["role"], model, "\n".join(_visible(parts)))
    thinking = "\n".join(part["text"] for part in parts if part["type"] == "thinking" and part.get("text"))
    if thinking:
        yield Text("thinking", model, thinking)
    for part in parts:
        if part["type"] == "tool_call":
            yield Text("call", part["name"], _flat(part["arguments"]))


def _visible(parts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        match part:
            case {"type": "text" | "refusal", "text": str(text)} if text:
                yield text
            case {"type": "file", "name": str(name)}:
                yield name


def _flat(arguments: str) -> str:
    """The values in a call's arguments without the marks of JSON."""
    try:
        return " ".join(_values(orjson.loads(arguments)))
    except ValueError:
        return arguments


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)
    elif value is not None:
        yield str(value)
