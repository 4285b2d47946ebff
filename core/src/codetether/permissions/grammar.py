"""Gives a command line to the shell's grammar, its lines joined as the shell joins them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser

MOST_PIPES = 300
"""Beyond so many the parser takes seconds."""
MOST_JOINED = 200
_CONTINUED = re.compile(r"(?<!\\)(?:\\\\)*\\\n")
_STRANGE = re.compile(r"[^\t\n -~]")
_QUOTES = re.compile(r"['\"\\]")
_APART = frozenset({"comment", "raw_string", "ansi_c_string"})
"""Where a backslash before the end of a line is one like any other."""


def parsed(text: str) -> Node | None:
    """The root of the line's tree, of ASCII only; None where the parser would take too long.

    Lines are joined one after the other: where the first backslash stands can be told once all before it is joined.
    """
    if text.count("|") > MOST_PIPES:
        return None
    # A quoted word at the very beginning of a line is to the grammar one more argument of the line before.
    line, at = plain(text).replace("\n\\", "\n \\"), 0
    for _ in range(MOST_JOINED):
        root = _parser().parse(line.encode()).root_node
        while (found := _CONTINUED.search(line, at)) is not None and _stands_apart(root, found.end() - 2):
            at = found.end()
        if found is None:
            return root
        at, end = found.span()
        line = line[: end - 2] + line[end:]
    return None


def plain(text: str) -> str:
    """Visible ASCII only: the grammar's scanner has tables of 256 characters, and no character beyond is a blank."""
    return _STRANGE.sub("_", text)


def text_of(node: Node) -> str:
    """The node as it is written."""
    return (node.text or b"").decode("utf-8", "replace")


def is_literal(body: Node) -> bool:
    """Whether the shell takes a here-document as it is, since its mark is quoted."""
    return bool(_QUOTES.search(_mark(body)))


def ends(end: Node) -> bool:
    """Whether a here-document ends there: the grammar takes the rest of a line for the mark where there is none."""
    return text_of(end).strip("\t") == _QUOTES.sub("", _mark(end))


def _mark(node: Node) -> str:
    siblings = node.parent.children if node.parent is not None else []
    return next((text_of(each) for each in siblings if each.type == "heredoc_start"), "")


def _stands_apart(root: Node, at: int) -> bool:
    node = root.descendant_for_byte_range(at, at)
    while node is not None:
        if node.type in _APART or (node.type == "heredoc_body" and is_literal(node)):
            return True
        node = node.parent
    return False


@lru_cache(maxsize=1)
def _language() -> Language:
    # Only who judges a command pays for the grammar.
    import tree_sitter_bash
    from tree_sitter import Language

    return Language(tree_sitter_bash.language())


def _parser() -> Parser:
    """A parser that has read nothing yet: it costs a microsecond, and what one line left in it touches no other."""
    from tree_sitter import Parser

    return Parser(_language())
