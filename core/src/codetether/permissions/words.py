"""Reads command lines of a small positive grammar: words, quotes, pipes and lists; all else is not simple."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from codetether.permissions.options import names
from codetether.values import frozen

UNKNOWN = "\0"
"""Stands in a word for what only running the command can tell."""
MOST_PARTS = 50
MOST_BYTES = 10_000

Joint = Literal["", "|", "&&", "||", ";", "\n"]


@frozen(kw_only=True)
class Part:
    """One command of a simple line.

    Attributes:
        words: its argv, quotes removed.
        globs: the places in `words` of those that the shell matches against files.
        reads: files given by `<`.
        joint: what stands before it.
        source: as written.
    """

    words: tuple[str, ...]
    globs: frozenset[int] = frozenset()
    reads: tuple[str, ...] = ()
    joint: Joint = ""
    source: str = ""

    @property
    def text(self) -> str:
        """As written, for people."""
        return self.source


class NotSimple(Exception):
    """Why a command line is beyond the grammar."""


_END = r"(?=[ \t\n;|]|$|&&)"
_TOKEN = re.compile(
    rf"""
    (?:[ \t]|\\\n)*+
  (?:
    (?P<plain>[A-Za-z./-][\w@%+=:,./-]*+(?=[ \t\n;|]|\Z))
  | (?P<joint>\|\|(?!\|)|&&(?!&)|\|(?![|&])|;(?![;&])|\n)
  | (?P<none>(?:[12]?>&[12]|[12]?>{{1,2}}[ \t]*/dev/null|&>{{1,2}}[ \t]*/dev/null|0?<[ \t]*/dev/null|2>&-){_END})
  | (?P<input><[ \t]*(?=[\w./'"-]))
  | (?P<word>(?:
        [\w@%+=:,./^*?-]++
      | (?<=[A-Za-z0-9_^@])~
      | (?<=[@^])\{{[\w.-]*+\}}
      | '[^']*'
      | "(?:[^"\\$`]|\\[^\n]|\$(?=["\ ]))*"
      | (?<![^ \t\n])\\[()!](?=[ \t\n]|$)
      | (?<=[ \t])!(?=[ \t])
    )++)(?P<glued>(?![ \t\n;|&<>]|\Z))?
  | (?P<end>\Z)
  )
    """,
    re.VERBOSE,
)
_PIECE = re.compile(r"""'(?P<raw>[^']*)'|"(?P<double>(?:[^"\\]|\\[^\n])*)"|\\(?P<escaped>[()!])|(?P<plain>[^'"\\]+)""")
_ESCAPE = re.compile(r'\\([$`"\\])')
_ASSIGNS = re.compile(r"[A-Za-z_]\w*(?:\[.*\])?\+?=")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_RESERVED = names("if then elif else fi for while until do done case esac select function in time coproc { } [[ ]] !")
_WORDS = (
    ("$(", "a substitution"),
    ("`", "a substitution"),
    ("${", "an expansion"),
    ("<(", "a substitution"),
    (">(", "a substitution"),
    ("$'", "an encoded word"),
    ('$"', "a translated word"),
    ("$", "an expansion"),
    ("<<", "a here-document"),
    (">", "a redirection"),
    ("<", "a redirection"),
    ("&", "a command in the background"),
    ("|", "a pipe of a special kind"),
    (";", "a list of a special kind"),
    ("#", "a comment"),
    ("{", "a brace"),
    ("}", "a brace"),
    ("[", "a pattern of file names"),
    ("(", "a subshell"),
    (")", "a subshell"),
    ("~", "a home directory"),
    ("\\", "an escape"),
    ("!", "a negation"),
    ("'", "a quote that does not end"),
    ('"', "a quote that does not end, or an expansion in it"),
)


def unprintable(text: str) -> str | None:
    """The first character, in words, that a terminal or a shell may take for another; None where all are plain."""
    found = _CONTROL.search(text)
    if found:
        return f"the control character U+{ord(found[0]):04X}"
    if text.isascii():
        return None
    for char in text:
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs") and char not in " \t\n":
            return f"the invisible character U+{ord(char):04X}"
    return None


@lru_cache(maxsize=256)
def simple_parts(text: str) -> tuple[Part, ...] | str:
    """The parts of a simple command line, or why it is not simple."""
    try:
        return _parts(text)
    except NotSimple as why:
        return str(why)


def _parts(text: str) -> tuple[Part, ...]:
    if len(text if text.isascii() else text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise NotSimple(f"more than {MOST_BYTES} bytes")
    if strange := unprintable(text):
        raise NotSimple(strange)
    parts: list[Part] = []
    words: list[str] = []
    globs: set[int] = set()
    reads: list[str] = []
    joint: Joint = ""
    at = begin = 0
    reading = False

    def close(end: int) -> None:
        if not words:
            raise NotSimple("an empty command")
        if _ASSIGNS.match(words[0]):
            raise NotSimple(f"the assignment {words[0]}")
        if words[0] in _RESERVED or not words[0].isascii() or 0 in globs:
            raise NotSimple(f"{words[0]!r} as a command")
        source = text[begin:end].strip()
        part = Part(words=tuple(words), globs=frozenset(globs), reads=tuple(reads), joint=joint, source=source)
        parts.append(part)
        words.clear()
        globs.clear()
        reads.clear()
        if len(parts) > MOST_PARTS:
            raise NotSimple(f"more than {MOST_PARTS} commands")

    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotSimple(_kind(text, at))
        kind, end = found.lastgroup, found.end()
        if kind == "glued":
            raise NotSimple(_kind(text, end))
        if reading and kind not in ("plain", "word"):
            raise NotSimple("a redirection without a file")
        if kind == "plain" or kind == "word":
            word = found[kind]
            if word.isdecimal() and text[end : end + 1] in ("<", ">"):
                raise NotSimple(_kind(text, end))
            value, glob = (word, False) if kind == "plain" else _value(word)
            if reading:
                if glob or value.startswith(("/dev/tcp/", "/dev/udp/")):
                    raise NotSimple(f"reading from {value}")
                reads.append(value)
                reading = False
            else:
                if glob:
                    globs.add(len(words))
                words.append(value)
        elif kind == "input":
            reading = True
        elif kind == "joint":
            mark: Joint = found["joint"]  # type: ignore[assignment]
            if mark != "\n" or words or reads:
                close(at)
                joint, begin = mark, end
            elif mark == "\n":
                begin = end
        at = end
    if reading:
        raise NotSimple("a redirection without a file")
    if words or reads or joint not in (";", "\n"):
        close(len(text))
    if not parts:
        raise NotSimple("no command")
    return tuple(parts)


def _value(word: str) -> tuple[str, bool]:
    """What the shell makes of a word, and whether it first looks for files that match."""
    if "'" not in word and '"' not in word and "\\" not in word:
        if ":~" in word or "=~" in word:
            raise NotSimple("a home directory")
        return word, "*" in word or "?" in word
    if word[0] in "'\"" and word.find(word[0], 1) == len(word) - 1 and "\\" not in word:
        return word[1:-1], False
    pieces, glob = [], False
    for piece in _PIECE.finditer(word):
        if piece["raw"] is not None:
            pieces.append(piece["raw"])
        elif piece["double"] is not None:
            pieces.append(_ESCAPE.sub(r"\1", piece["double"]))
        elif piece["escaped"] is not None:
            pieces.append(piece["escaped"])
        else:
            glob = glob or "*" in piece["plain"] or "?" in piece["plain"]
            pieces.append(piece["plain"])
    value = "".join(pieces)
    if glob and any(mark in value for mark in "[]\\"):
        raise NotSimple("a pattern of file names with quotes")
    return value, glob


def _kind(text: str, at: int) -> str:
    rest = text[at:].lstrip(" \t")
    for mark, name in _WORDS:
        if rest.startswith(mark):
            return name
    return f"the character {rest[0]!r}" if rest else "an unfinished command"
