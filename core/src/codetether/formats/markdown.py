"""Markdown with a head of YAML, as agents and skills are written in: `---`, the head, `---`, the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from codetether.formats.unseen import spelled_out
from codetether.models.record import JSON
from codetether.values import frozen

LARGEST = 256 * 1024
"""Bytes of such a file at most."""
LONGEST_HEAD = 16 * 1024
_MOST_BRACKETS = 200
_HEAD = re.compile(r"---[ \t]*\n(?P<head>.*?)(?:^|\n)---[ \t]*(?:\n|\Z)(?P<text>.*)", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"(?P<key>[A-Za-z][\w-]*):[ \t]*(?P<value>.*)")
_PLAIN = (str, int, float, bool, type(None))


@frozen(kw_only=True)
class HeadedText:
    """The head, empty where there is none, and the text below it; characters that nobody sees are spelled out."""

    head: Mapping[str, JSON]
    text: str


def headed_text(data: bytes) -> HeadedText:
    """Reads a file's content. Raises ValueError, in words for the user, for what is no such file.

    A head that is no YAML for a colon in a text without quotes, which other programs write, is read line by line.
    """
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    try:
        text = spelled_out(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from error
    found = _HEAD.match(text)
    if found is None:
        if text.startswith("---\n"):
            raise ValueError("its head has no end: a line --- is missing")
        return HeadedText(head={}, text=text.strip())
    return HeadedText(head=_head(found["head"]), text=found["text"].strip())


def _head(text: str) -> Mapping[str, JSON]:
    import yaml

    if len(text) > LONGEST_HEAD or sum(map(text.count, "[{")) > _MOST_BRACKETS:
        raise ValueError("its head is too long, or nested too deeply")
    try:
        head = yaml.load(text, _loader())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        lines = [_LINE.fullmatch(line) for line in text.splitlines() if line.strip()]
        keys = {line["key"] for line in lines if line}
        if "mapping values are not allowed" not in str(error) or len(keys) < len(lines):
            mark = getattr(error, "problem_mark", None)
            where = f" on line {mark.line + 2}" if mark else ""
            raise ValueError(f"its head is no YAML{where}: {getattr(error, 'problem', None) or error}") from error
        head = {line["key"]: line["value"].strip() for line in lines if line}
    if head is None:
        return {}
    if not isinstance(head, dict) or not all(isinstance(key, str) for key in head):
        raise ValueError("its head is no list of names and values")
    return {key: _json(value, key) for key, value in head.items()}


def _loader() -> Any:
    """YAML's safe loader, but each name stands once and no value stands for another: what is read is what is seen."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(None, None, "aliases are not allowed", None)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names = [key.value for key, _ in node.value]
            twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(None, None, f"{twice!r} stands twice", node.start_mark)
            return super().construct_mapping(node, deep)

    return Loader


def _json(value: Any, path: str) -> JSON:
    """The value as JSON has it; dates and the like as text."""
    match value:
        case dict():
            return {str(key): _json(inner, f"{path}.{key}") for key, inner in value.items()}
        case list():
            return [_json(inner, path) for inner in value]
        case bytes() | set() | tuple():
            raise ValueError(f"{path} in its head is neither text, a number, a list nor a table")
        case _:
            return value if isinstance(value, _PLAIN) else str(value)
