"""Reads any command line: the commands at every depth of it, and whether it is simple enough to be allowed."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from attrs import field

from codetether.permissions.expansion import WORDS, Variables, declared, value_of, words_of
from codetether.permissions.grammar import ends, is_literal, parsed, plain, text_of
from codetether.permissions.options import names
from codetether.permissions.variables import NAMED, is_sure, may_set_others
from codetether.permissions.words import MOST_BYTES, UNKNOWN, Part, simple_parts
from codetether.values import define, frozen

if TYPE_CHECKING:
    from tree_sitter import Node

_SIMPLE = names(
    "program list pipeline redirected_statement command command_name word number string string_content raw_string"
    ' concatenation file_redirect file_descriptor | && || ; " > < >& &> >> &>> >&- $'
) | {"\n", ""}
_TEXTS = frozenset({"comment", "heredoc_start", "file_descriptor"})
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
_OPERATORS = frozenset({"<", ">", ">>", ">&", "<&", "&>", "&>>", ">|", "<>"})
_LISTS = names("list pipeline negated_command")
_MISREAD = {
    "word": re.compile(r"(?<!\\)[ \t\n]"),
    "compound_statement": re.compile(r"\A\{\S"),
}
"""What no such node holds: there the parser takes several words for one, or a word for a brace."""
_NO_BRACES = str.maketrans("", "", "{,}")
MOST_NODES = 20_000


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
    """What was found so far; `kinds`: of all nodes that were seen."""

    variables: Variables
    commands: list[tuple[str, ...]] = field(factory=list)
    reads: list[str] = field(factory=list)
    writes: list[str] = field(factory=list)
    texts: list[str] = field(factory=list)
    run: list[str] = field(factory=list)
    assigned: list[str] = field(factory=list)
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
        agreed = found.kinds <= _SIMPLE and commands == tuple(tuple(map(plain, part.words)) for part in parts)
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
    readings = (re.sub(marks, "", text) for marks in (r"[\"'\\]", r"[\"']|\\\n?"))
    return tuple((word,) for word in dict.fromkeys(_PARTS.split("\n".join(readings))) if word)[:1000]


def _parsed(text: str, *, whole: bool) -> tuple[_Found, bool]:
    """What was found, and whether the parser did not understand all of it; `kinds` are all only of the whole tree."""
    root = parsed(text)
    if root is None:
        return _Found(variables=Variables(values={}, sure=set())), True
    line = text_of(root)
    found, broken = _walked(root, Counter(NAMED.findall(line)), whole=whole)
    if "$" in line and may_set_others(line, found.commands, found.variables.sure):
        found, broken = _walked(root, {}, whole=whole)
    return found, broken or "\\`" in line


def _walked(root: Node, named: Mapping[str, int], *, whole: bool) -> tuple[_Found, bool]:
    """What was found below the root; with no names no variable is sure."""
    home = os.environ.get("HOME") or os.path.expanduser("~")
    sure = {"HOME", "PWD"} - named.keys() if named else set()
    found = _Found(variables=Variables(values={"HOME": home, "PWD": "."}, sure=sure, named=named))
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
        if (kind in _MISREAD and _MISREAD[kind].search(text_of(node))) or (kind == "heredoc_end" and not ends(node)):
            return found, True
        if kind in _TAKEN:
            _take(kind, node, node.children, found)
        stack += reversed(node.children if whole else node.named_children)
    return found, root.has_error


def _take(kind: str, node: Node, children: list[Node], found: _Found) -> None:
    variables = found.variables
    match kind:
        case "command":
            children = [*children, *_behind_redirections(node)]
            found.commands += filter(None, variables.readings(lambda: tuple(words_of(children, variables))))
        case "declaration_command" | "unset_command":
            given = declared([*children[1:], *_behind_redirections(node)], variables)
            found.commands.append((text_of(children[0]), *given))
        case "test_command":
            found.commands.append(("test", UNKNOWN, text_of(node)))
        case "variable_assignment":
            _assign(node, children, found)
            behind = list(_behind_redirections(node))
            found.commands += filter(None, variables.readings(lambda: tuple(words_of(behind, variables))))
        case "file_redirect":
            _redirect(children, found)
        case "herestring_redirect":
            here = [child for child in children if child.type in WORDS]
            found.texts += [text for child in here for text in variables.readings(partial(value_of, child, variables))]
        case "heredoc_body":
            found.texts.append(text_of(node))
            found.run += _run_within(node)
        case "expansion" | "arithmetic_expansion":
            found.run += _TICKED.findall(text_of(node))
        case "function_definition":
            found.commands.append(("function", UNKNOWN))


def _assign(node: Node, children: list[Node], found: _Found) -> None:
    name, operator, value, variables = text_of(children[0]), children[1].type, children[-1], found.variables
    before = variables.values.get(name, "") if operator == "+=" else ""
    given = variables.readings(lambda: before + _assigned(value, variables))
    variables.values[name] = given[0]
    found.assigned.append(f"{name}={given[0]}")
    if len(given) == 1 and is_sure(node, variables.named):
        variables.sure.add(name)


def _assigned(value: Node, variables: Variables) -> str:
    return value_of(value, variables) if value.type in WORDS else "" if value.type in ("=", "+=") else UNKNOWN


def _run_within(body: Node) -> list[str]:
    """What the shell runs within a here-document, where the parser does not look; nothing where its mark is quoted."""
    if is_literal(body):
        return []
    text = text_of(body)
    return _TICKED.findall(text) + ([] if body.named_children else _SUBSTITUTED.findall(text))


def _redirect(children: list[Node], found: _Found) -> None:
    operator = next((c.type for c in children if c.type in _OPERATORS), ">")
    words = [child for child in children if child.type in WORDS]
    if not words or not _names_file(children):
        return
    value = value_of(words[0], found.variables)
    is_descriptor = operator in (">&", "<&") and (value.isdigit() or value == "-")
    if not is_descriptor and value != "/dev/null":
        (found.reads if operator in ("<", "<&") else found.writes).append(value)


def _behind_redirections(node: Node) -> Iterator[Node]:
    """The words of a command that stand behind a redirection: the parser counts them to that."""
    command = node
    while (around := command.parent) is not None and around.type in _LISTS and around.children[-1] == command:
        command = around
    if around is not None and around.type == "redirected_statement":
        for redirection in around.children[1:]:
            yield from _words_behind(redirection)


def _names_file(redirection: list[Node]) -> bool:
    kinds = {child.type for child in redirection}
    return "heredoc_start" not in kinds and kinds.isdisjoint({">&-", "<&-"})


def _words_behind(redirection: Node) -> Iterator[Node]:
    words = [child for child in redirection.children if child.type in WORDS]
    yield from words[1:] if _names_file(redirection.children) else words
    for child in redirection.children:
        if child.type == "file_redirect":
            yield from _words_behind(child)
