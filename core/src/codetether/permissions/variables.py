"""Tells which variables of a command line cannot hold anything but what the line plainly sets them to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from codetether.permissions.grammar import text_of
from codetether.permissions.options import names
from codetether.permissions.words import UNKNOWN

if TYPE_CHECKING:
    from tree_sitter import Node

NAMED = re.compile(r"(?<![\w$])(?<!\$\{)[A-Za-z_]\w*|\$'")
"""What may name a variable other than to read it, and quotes in which names can be hidden."""
_SHELLS_OWN = names("_ REPLY MAPFILE OPTARG OPTIND PWD OLDPWD COPROC LINENO SECONDS RANDOM HISTCMD")
_SETTERS = names(
    "read mapfile readarray printf declare typeset local export readonly let getopts unset wait eval trap alias"
    " source ."
)
"""What sets variables that are named in a word, or runs what may set any."""
_FILES = names("source .")
_GIVEN = re.compile(r"[A-Za-z_]\w*\+?=")
_UNTOLD = re.compile(rf"[{UNKNOWN}$`*?\[]")
_REFERENCE = re.compile(r"-[A-Za-z]*n")


def is_sure(node: Node, named: Mapping[str, int]) -> bool:
    """Whether a variable has the value from here on: a plain statement gives it, and nothing else names it."""
    name, operator, parent = text_of(node.children[0]), node.children[1].type, node.parent
    if operator != "=" or named.get(name) != 1 or name in _SHELLS_OWN or "IFS" in named or "$'" in named:
        return False
    if parent is not None and parent.type == "declaration_command":
        if {child.type for child in parent.children} != {"export", "variable_assignment"}:
            return False
        node, parent = parent, parent.parent
    while parent is not None and parent.type == "list" and parent.children[0] == node:
        node, parent = parent, parent.parent
    after = node.next_sibling
    return parent is not None and parent.type == "program" and (after is None or after.type != "&")


def may_set_others(text: str, commands: Iterable[tuple[str, ...]], sure: set[str]) -> bool:
    """Whether a command may set one of these variables by a name that is put together, or that nobody can read."""
    return "${!" in text or any(_sets(text, words, sure) for words in commands)


def _sets(text: str, words: tuple[str, ...], sure: set[str]) -> bool:
    at = next((at for at, word in enumerate(words) if word in _SETTERS), None)
    if at is None and UNKNOWN not in words[0]:
        return False
    program, given = words[at or 0], words[(at or 0) + 1 :]
    if program == "printf" and not any(word.startswith(("-", UNKNOWN)) for word in given[:1]):
        return False
    if program in _FILES:
        return True
    refers = any(map(_REFERENCE.fullmatch, given))
    for word in given:
        plain = _GIVEN.match(word) and not refers
        if _UNTOLD.search(word) and not plain:
            return True
        named = sure.intersection(NAMED.findall(word)) or (word[:1] == "-" and word.endswith(tuple(sure)))
        if named and not (plain and word in text):
            return True
    return False
