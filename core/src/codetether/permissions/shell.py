"""Reads any command line: the commands at every depth of it, and whether it is simple enough to be allowed."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeVar

from attrs import field

from codetether.permissions.options import names
from codetether.permissions.variables import NAMED, is_sure, may_set_others
from codetether.permissions.words import MOST_BYTES, UNKNOWN, Part, simple_parts
from codetether.values import define, frozen

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser

T = TypeVar("T")
_SIMPLE = names(
    "program list pipeline redirected_statement command command_name word number string string_content raw_string"
    ' concatenation file_redirect file_descriptor | && || ; " > < >& &> >> &>> >&- $'
) | {"\n", ""}
_WORDS = names(
    "word number string raw_string concatenation ansi_c_string simple_expansion expansion command_substitution"
    " arithmetic_expansion process_substitution translated_string brace_expression extglob_pattern regex variable_name"
    " special_variable_name test_operator"
)
_TEXTS = frozenset({"comment", "heredoc_start", "heredoc_end", "file_descriptor"})
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_IN_QUOTES = re.compile(r'\\([$`"\\])')
_ENCODED = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_ALL = re.compile(r'"\$(?:@|\{@\}|\{\w+\[@\]\})"')
"""What becomes many words although it stands in quotes."""
_PARTS = re.compile(r"[;&|\n\r(){}\[\]`<>,=:\s]+|\$\(")
_TICKED = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL)
_SUBSTITUTED = re.compile(r"\$\((.*)\)", re.DOTALL)
_TAKEN = frozenset(
    {
        *("command", "declaration_command", "unset_command", "test_command", "variable_assignment", "file_redirect"),
        *("herestring_redirect", "heredoc_body", "expansion", "arithmetic_expansion", "function_definition"),
    }
)
_QUOTED = r"[\w ./:@%+,=*?()|<>;&#~^{}\[\]-]*+"
_COMMAND = rf"""[A-Za-z./][\w./:%+,-]*+(?: (?:[\w./:@%+,-]++|'{_QUOTED}'|"{_QUOTED}"))*+"""
_PLAIN = re.compile(rf"{_COMMAND}(?: (?:\|\|?|&&) {_COMMAND})*+", re.ASCII)
"""Commands of plain words, and of quotes that hold nothing special: any shell reads them in one way."""
_WIDE = re.compile(r"[^\x00-\x7f]")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BRACES = str.maketrans("{,}", "\ue001\ue002\ue003")
_NO_BRACES = str.maketrans("", "", "{,}")
_PLAIN_BRACES = str.maketrans("\ue001\ue002\ue003", "{,}")
_BRACED = re.compile("\ue001([^\ue001\ue003]*)\ue003")
MOST_SPREAD = 100
"""Words that one with braces becomes, at the most."""
MOST_NODES = 20_000
MOST_PIPES = 300
"""Beyond so many the parser takes seconds."""


@frozen(kw_only=True)
class Line:
    """A command line as read.

    Attributes:
        parts: its commands, if it is simple; else none, and `why` tells why not.
        commands: argv of each command found at any depth, the outermost first; UNKNOWN stands for what cannot be told.
        reads, writes: files of redirections.
        texts: here-documents and here-strings, which a shell may be given to run.
        run: lines that the shell runs within others, where the parser does not look.
        assigned: variables with what they are set to, as written: `NAME=value`.
        broken: the parser did not understand all of it.
    """

    parts: tuple[Part, ...] = ()
    why: str = ""
    commands: tuple[tuple[str, ...], ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()
    broken: bool = False

    def __hash__(self) -> int:  # of a part only: lines are looked up many times for one decision
        return hash((self.why, self.commands))


@define
class _Found:
    """What was found so far.

    Attributes:
        values: what variables hold as it seems; `sure`: those of them that cannot hold anything else.
        named: how often each name stands in the line, other than to be read.
        seeming: whether variables are read as they seem; else one that is not sure may hold anything.
    """

    commands: list[tuple[str, ...]] = field(factory=list)
    reads: list[str] = field(factory=list)
    writes: list[str] = field(factory=list)
    texts: list[str] = field(factory=list)
    run: list[str] = field(factory=list)
    assigned: list[str] = field(factory=list)
    values: dict[str, str] = field(factory=dict)
    sure: set[str] = field(factory=set)
    named: Mapping[str, int] = field(factory=dict)
    seeming: bool = True
    kinds: set[str] = field(factory=set)


@lru_cache(maxsize=256)
def read_line(text: str) -> Line:
    """The command line as read. Never raises: what is not understood is said to be so."""
    if len(text) > MOST_BYTES:
        return Line(why=f"more than {MOST_BYTES} bytes", commands=crude(text), broken=True)
    parts = simple_parts(text)
    if isinstance(parts, tuple) and _PLAIN.fullmatch(text):
        return Line(parts=parts, commands=tuple(part.words for part in parts))
    found, broken = _parsed(text, whole=isinstance(parts, tuple))
    commands, why = tuple(found.commands), "" if isinstance(parts, tuple) else parts
    if broken:
        why = why or "something that the parser does not understand"
        commands = (*commands, *crude(text), *crude(text.translate(_NO_BRACES)))
    elif isinstance(parts, tuple):
        # Two readers that were made apart must agree word for word: where one errs, nothing is allowed by that.
        agreed = found.kinds <= _SIMPLE and commands == tuple(
            tuple(_WIDE.sub("_", word) for word in part.words) for part in parts
        )
        why = "" if agreed else "words that shells may read in different ways"
    return Line(
        parts=parts if isinstance(parts, tuple) and not why else (),
        why=why,
        commands=commands,
        reads=tuple(found.reads),
        writes=tuple(found.writes),
        texts=tuple(found.texts),
        run=tuple(found.run),
        assigned=tuple(found.assigned),
        broken=broken,
    )


def crude(text: str) -> tuple[tuple[str, ...], ...]:
    """Commands as a careless reader would find them: for lines that nobody can parse."""
    plain = re.sub(r"[\"'\\]", "", text)
    return tuple((word,) for word in dict.fromkeys(_PARTS.split(plain)) if word)[:1000]


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


def _parsed(text: str, *, whole: bool) -> tuple[_Found, bool]:
    """What was found, and whether the parser did not understand all of it; `kinds` are all only of the whole tree."""
    if text.count("|") > MOST_PIPES:
        return _Found(), True
    # As the shell joins lines; ASCII only, since the grammar's scanner asks tables of 256 entries about characters.
    data = _WIDE.sub("_", _UNSEEN.sub(" ", text.replace("\\\n", ""))).encode()
    root = _parser().parse(data).root_node
    found, broken = _walked(root, Counter(NAMED.findall(text)), whole=whole)
    if "$" in text and may_set_others(text, found.commands, found.sure):
        found, broken = _walked(root, {}, whole=whole)
    return found, broken or "\\`" in text


def _walked(root: Node, named: Mapping[str, int], *, whole: bool) -> tuple[_Found, bool]:
    """What was found below the root; with no names no variable is sure."""
    home = os.environ.get("HOME") or os.path.expanduser("~")
    sure = {"HOME", "PWD"} - named.keys() if named else set()
    found = _Found(values={"HOME": home, "PWD": "."}, sure=sure, named=named)
    left = MOST_NODES
    stack = [root]
    while stack:
        node = stack.pop()
        left -= 1
        if left == 0:
            return found, True
        kind = node.type
        found.kinds.add(kind)
        if kind in _TEXTS:
            continue
        if kind in _TAKEN:
            _take(kind, node, node.children, found)
        stack += reversed(node.children if whole else node.named_children)
    return found, root.has_error


def _take(kind: str, node: Node, children: list[Node], found: _Found) -> None:
    match kind:
        case "command":
            found.commands += filter(None, _readings(lambda: tuple(_words(children, found)), found))
        case "declaration_command" | "unset_command":
            found.commands.append((_text(children[0]), *_joined(children[1:], found)))
        case "test_command":
            found.commands.append(("test", UNKNOWN, _text(node)))
        case "variable_assignment":
            name, value = _text(children[0]), children[-1]
            given = _readings(lambda: _assigned(value, found), found)
            found.values[name] = given[0]
            found.assigned.append(f"{name}={given[0]}")
            if len(given) == 1 and is_sure(node, found.named):
                found.sure.add(name)
        case "file_redirect":
            _redirect(children, found)
        case "herestring_redirect":
            here = [child for child in children if child.type in _WORDS]
            found.texts += [text for child in here for text in _readings(partial(_value, child, found), found)]
        case "heredoc_body":
            found.texts.append(_text(node))
            found.run += _run_within(node)
        case "expansion" | "arithmetic_expansion":
            found.run += _TICKED.findall(_text(node))
        case "function_definition":
            found.commands.append(("function", UNKNOWN))


def _assigned(value: Node, found: _Found) -> str:
    return _value(value, found) if value.type in _WORDS else "" if value.type == "=" else UNKNOWN


def _run_within(body: Node) -> list[str]:
    """What the shell runs within a here-document, where the parser does not look; nothing where its mark is quoted."""
    start = body.prev_sibling
    if start is not None and set(_text(start)) & set("'\"\\"):
        return []
    text = _text(body)
    return _TICKED.findall(text) + ([] if body.named_children else _SUBSTITUTED.findall(text))


def _readings(read: Callable[[], T], found: _Found) -> list[T]:
    """What is read where variables are as they seem, and where those that are not sure may hold anything."""
    first = read()
    found.seeming = False
    other = read()
    found.seeming = True
    return [first] if other == first else [first, other]


def _words(children: list[Node], found: _Found) -> Iterator[str]:
    for child in children:
        if child.type == "command_name":
            yield from _split(child.children[0], found)
        elif child.type in _WORDS:
            yield from _split(child, found)
        elif child.type == "variable_assignment" and child.parent is not None and child.parent.type != "command":
            yield _text(child)


def _joined(children: list[Node], found: _Found) -> list[str]:
    """The words of a declaration: the parser takes pieces that touch each other for words of their own."""
    words: list[str] = []
    end = -1
    for child in children:
        pieces = list(_words([child], found))
        if pieces and words and child.start_byte == end:
            words[-1] += pieces.pop(0)
        words += pieces
        end = child.end_byte
    return words


def _split(node: Node, found: _Found) -> Iterator[str]:
    """Braces and variables without quotes become several words, as the shell splits them; nobody knows how many."""
    braced = node.type == "concatenation" and any(_text(child) == "{" for child in node.children)
    for value in _spread(node, found) if braced else [_value(node, found)]:
        if value == UNKNOWN and _expands(node):
            yield from (UNKNOWN, UNKNOWN)
        elif " " in value and _expands(node):
            yield from value.split()
        else:
            yield value


def _spread(node: Node, found: _Found) -> list[str]:
    """The words that a word with braces becomes: `a{b,c}` is `ab ac`."""
    pieces = (
        _value(child, found) if child.type != "word" else _value(child, found).translate(_BRACES)
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
        return bool(_ALL.fullmatch(_text(node)))
    return node.type in ("simple_expansion", "expansion", "command_substitution")


def _redirect(children: list[Node], found: _Found) -> None:
    operator = next((c.type for c in children if c.type in _OPERATORS), ">")
    for child in children:
        if child.type not in _WORDS:
            continue
        value = _value(child, found)
        if operator in (">&", "<&") and (value.isdigit() or value == "-"):
            continue
        if value != "/dev/null":
            (found.reads if operator in ("<", "<&") else found.writes).append(value)


_DEFAULTS = frozenset({":-", "-", ":=", "="})
_OPERATORS = frozenset({"<", ">", ">>", ">&", "<&", "&>", "&>>", ">|", "<>"})


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _value(node: Node, found: _Found) -> str:
    """What the shell makes of a word, as far as that can be told."""
    text = _text(node)
    match node.type:
        case "word" | "number" | "test_operator" | "variable_name" | "regex":
            return text if "\\" not in text else _ESCAPE.sub(r"\1", text.replace("\\\n", ""))
        case "raw_string":
            return text[1:-1]
        case "string":
            return _quoted(node, text, found)
        case "ansi_c_string":
            return _ENCODED.sub(_decoded, text[2:-1])
        case "concatenation" | "command_name":
            return "".join(_value(child, found) for child in node.children)
        case "translated_string":
            return _value(node.children[-1], found)
        case "simple_expansion" | "expansion":
            return _expanded(node, found)
        case "$" | "=" | "," | "{" | "}" | "[" | "]" | "!" | "^" | ":":
            return text
        case _:
            return UNKNOWN


def _quoted(node: Node, text: str, found: _Found) -> str:
    kinds = {child.type for child in node.children}
    if kinds <= {'"', "string_content", "$"}:
        return _IN_QUOTES.sub(r"\1", text[1:-1].replace("\\\n", ""))
    values = (
        _IN_QUOTES.sub(r"\1", _text(c)) if c.type == "string_content" else _value(c, found)
        for c in node.children
        if c.type != '"'
    )
    return "".join(values)


def _expanded(node: Node, found: _Found) -> str:
    named = [_text(child) for child in node.children if child.type in ("variable_name", "special_variable_name")]
    if named == ["IFS"]:
        return " "
    kinds = {child.type for child in node.children}
    if len(named) != 1 or not kinds <= {"$", "${", "}", "variable_name", *_DEFAULTS, "word", "string", "raw_string"}:
        return UNKNOWN
    name, defaults = named[0], kinds & _DEFAULTS
    known = found.values.get(name, UNKNOWN) if found.seeming or name in found.sure else UNKNOWN
    if defaults and ((known == UNKNOWN and found.seeming) or (not known and defaults & {":-", ":="})):
        return _value(node.children[-2], found)
    return known


def _decoded(match: re.Match[str]) -> str:
    for digits, base in ((match[1], 16), (match[2], 16), (match[3], 16), (match[4], 8)):
        if digits:
            number = int(digits, base)
            return chr(number) if number < 0x110000 else UNKNOWN
    if match[5]:
        return chr(ord(match[5]) & 0x1F)
    return _LETTERS.get(match[6], match[6])
