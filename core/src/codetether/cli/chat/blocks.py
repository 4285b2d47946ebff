"""Markdown as the conversation reads it, and where it can be cut while it streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from codetether.cli.terminal import readable


def finished_blocks(text: str) -> tuple[str, str]:
    """The blocks that will never be drawn otherwise, and the last one, which may still grow."""
    whole, _, _ = text.rpartition("\n")  # how a line reads is known when it is whole
    starts = [token.map[0] for token in _blocks().parse(whole) if token.level == 0 and token.map]
    lines = text.split("\n")
    last = starts[-1] if len(starts) > 1 else 0
    return "\n".join(lines[:last]), "\n".join(lines[last:])


def parsed(text: str) -> list[Token]:
    """What is to be drawn: HTML is text like any other, and nothing hidden comes in by an entity."""
    tokens = _parser().parse(text)
    for token in _all(tokens):
        token.content = readable(token.content)
    return tokens


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


@cache
def _blocks() -> MarkdownIt:
    """Reads blocks as they are drawn, and does not look into them."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable(["inline", "text_join"])
