"""What the shell makes of the words of a tree: quotes removed, braces and variables as far as they can be told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from attrs import field

from codetether.permissions.grammar import text_of
from codetether.permissions.options import names
from codetether.permissions.words import UNKNOWN
from codetether.values import define

if TYPE_CHECKING:
    from tree_sitter import Node

T = TypeVar("T")
WORDS = names(
    "word number string raw_string concatenation ansi_c_string simple_expansion expansion command_substitution"
    " arithmetic_expansion process_substitution translated_string brace_expression extglob_pattern regex variable_name"
    " special_variable_name test_operator"
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_IN_QUOTES = re.compile(r'\\([$`"\\])')
_ENCODED = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_ALL = re.compile(r'"\$(?:@|\{@\}|\{\w+\[@\]\})"')
"""What becomes many words although it stands in quotes."""
_BRACES = str.maketrans("{,}", "\ue001\ue002\ue003")
_PLAIN_BRACES = str.maketrans("\ue001\ue002\ue003", "{,}")
_BRACED = re.compile("\ue001([^\ue001\ue003]*)\ue003")
_DEFAULTS = frozenset({":-", "-", ":=", "="})
MOST_SPREAD = 100
"""Words that one with braces becomes, at the most."""


@define
class Variables:
    """What variables hold as it seems.

    Attributes:
        sure: those that cannot hold anything else.
        named: how often each name stands in the line, other than to be read.
        seeming: whether variables are read as they seem; else one that is not sure may hold anything.
    """

    values: dict[str, str]
    sure: set[str]
    named: Mapping[str, int] = field(factory=dict)
    seeming: bool = True

    def readings(self, read: Callable[[], T]) -> list[T]:
        """What is read where variables are as they seem, and where those that are not sure may hold anything."""
        first = read()
        self.seeming = False
        other = read()
        self.seeming = True
        return [first] if other == first else [first, other]


def words_of(children: list[Node], variables: Variables) -> Iterator[str]:
    """The words of a command; UNKNOWN stands for what only running it can tell."""
    for child in children:
        if child.type == "command_name":
            yield from _split(child.children[0], variables)
        elif child.type in WORDS:
            yield from _split(child, variables)
        elif child.type == "variable_assignment" and child.parent is not None and child.parent.type != "command":
            yield text_of(child)


def declared(children: list[Node], variables: Variables) -> list[str]:
    """The words of a declaration: the parser takes pieces that touch each other for words of their own."""
    words: list[str] = []
    end = -1
    for child in children:
        pieces = list(words_of([child], variables))
        if pieces and words and child.start_byte == end:
            words[-1] += pieces.pop(0)
        words += pieces
        end = child.end_byte
    return words


def _split(node: Node, variables: Variables) -> Iterator[str]:
    """Braces and variables without quotes become several words, as the shell splits them; nobody knows how many."""
    braced = node.type == "concatenation" and any(text_of(child) == "{" for child in node.children)
    for value in _spread(node, variables) if braced else [value_of(node, variables)]:
        if value == UNKNOWN and _expands(node):
            yield from (UNKNOWN, UNKNOWN)
        elif " " in value and _expands(node):
            yield from value.split()
        else:
            yield value


def _spread(node: Node, variables: Variables) -> list[str]:
    """The words that a word with braces becomes: `a{b,c}` is `ab ac`."""
    pieces = (
        value_of(child, variables) if child.type != "word" else value_of(child, variables).translate(_BRACES)
        for child in node.children
    )
    words = ["".join(pieces)]
    while len(words) < MOST_SPREAD and any(map(_BRACED.search, words)):
        words = [word for each in words for word in _alternatives(each)]
    return [UNKNOWN] if len(words) >= MOST_SPREAD else [word.translate(_PLAIN_BRACES) for word in words]


def _alternatives(word: str) -> list[str]:
    braced = _BRACED.search(word)
    if braced is None:
        return [word]
    before, after, inner = word[: braced.start()], word[braced.end() :], braced[1].split("\ue002")
    if ".." in braced[1]:
        return [f"{before}{UNKNOWN}{after}"]
    return [f"{before}{each}{after}" for each in (inner if len(inner) > 1 else [f"{{{inner[0]}}}"])]


def _expands(node: Node) -> bool:
    if node.type in ("concatenation", "command_name"):
        return any(_expands(child) for child in node.children)
    if node.type == "string":
        return bool(_ALL.fullmatch(text_of(node)))
    return node.type in ("simple_expansion", "expansion", "command_substitution")


def value_of(node: Node, variables: Variables) -> str:
    """What the shell makes of a word, as far as that can be told."""
    text = text_of(node)
    match node.type:
        case "word" | "number" | "test_operator" | "variable_name" | "regex":
            return text if "\\" not in text else _ESCAPE.sub(r"\1", text)
        case "raw_string":
            return text[1:-1]
        case "string":
            return _quoted(node, text, variables)
        case "ansi_c_string":
            return _ENCODED.sub(_decoded, text[2:-1])
        case "concatenation" | "command_name":
            return "".join(value_of(child, variables) for child in node.children)
        case "translated_string":
            return value_of(node.children[-1], variables)
        case "simple_expansion" | "expansion":
            return _expanded(node, variables)
        case "$" | "=" | "," | "{" | "}" | "[" | "]" | "!" | "^" | ":":
            return text
        case _:
            return UNKNOWN


def _quoted(node: Node, text: str, variables: Variables) -> str:
    kinds = {child.type for child in node.children}
    if kinds <= {'"', "string_content", "$"}:
        return _IN_QUOTES.sub(r"\1", text[1:-1])
    values = (
        _IN_QUOTES.sub(r"\1", text_of(c)) if c.type == "string_content" else value_of(c, variables)
        for c in node.children
        if c.type != '"'
    )
    return "".join(values)


def _expanded(node: Node, variables: Variables) -> str:
    named = [text_of(child) for child in node.children if child.type in ("variable_name", "special_variable_name")]
    if named == ["IFS"]:
        return " "
    kinds = {child.type for child in node.children}
    if len(named) != 1 or not kinds <= {"$", "${", "}", "variable_name", *_DEFAULTS, "word", "string", "raw_string"}:
        return UNKNOWN
    name, defaults = named[0], kinds & _DEFAULTS
    known = variables.values.get(name, UNKNOWN) if variables.seeming or name in variables.sure else UNKNOWN
    if defaults and ((known == UNKNOWN and variables.seeming) or (not known and defaults & {":-", ":="})):
        return value_of(node.children[-2], variables)
    return known


def _decoded(match: re.Match[str]) -> str:
    for digits, base in ((match[1], 16), (match[2], 16), (match[3], 16), (match[4], 8)):
        if digits:
            number = int(digits, base)
            return chr(number) if number < 0x110000 else UNKNOWN
    if match[5]:
        return chr(ord(match[5]) & 0x1F)
    return _LETTERS.get(match[6], match[6])
