"""The marks that models put around calls: tags with a name and attributes, and special tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from attrs import field, frozen

from codetether_router_text.source import NoCall, Reading, Source

LONGEST = 400
OPENS = re.compile(r"[/|\uff5cA-Za-z_✿]")
INSIDE = re.compile(r"[^<>\n]*")
PIPES = "|\uff5c"
GAP = r"\s{0,9}"
REACH = 800
"""A tag that `pair` finds is never longer than this."""
TAG = re.compile(
    r"""(?P<shut>/)?\s*
    (?P<prefix>[|\uff5c]\s*[\w▁-]+\s*[|\uff5c]\s*|[A-Za-z_][\w-]*[:|\uff5c])?
    (?P<shut2>/)?
    (?P<name>[A-Za-z_][\w.-]*)
    (?:\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s"'>/]+))?
    (?P<attributes>(?:\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))*)
    \s*(?P<alone>/)?""",
    re.VERBOSE,
)
GLUED = re.compile(r"^(function|param|parameter|invoke)(?=name\s*=)")
ATTRIBUTE = re.compile(r"""([A-Za-z_][\w.:-]*)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
BRACKETED = re.compile(r"\[/?[A-Za-z][A-Za-z0-9_ ]{2,30}\]")
BRACKET_INSIDE = re.compile(r"/?[\w ]*")
SHOUTED = re.compile(r"\[/?[A-Z][A-Z0-9_]+\]")
ABOUT_CALLS = re.compile(r"tool|func|call|args|arguments|action", re.IGNORECASE)
ENDS = re.compile(r"^(?:call|return|close)$|(?:^|[^a-z])(?:end|eo[smt]|stop|suffix)(?:$|[^a-z])", re.IGNORECASE)
NAMESPACED = re.compile(r"\]<\]\w{1,30}\[>\[")
ECHOES = re.compile(
    r"(?:tool|function|call)s?[ _▁-]?(?:response|result|output|declaration)s?"
    r"|(?:^|\b)(?:observations?|declarations?|think|thinking|thought|function_results?|tool_results?)(?:$|\b)"
    r"|^(?:examples?|documents?|documentation|pre|code)$",
    re.IGNORECASE,
)


@frozen(kw_only=True)
class Token:
    """A tag or a special token.

    Attributes:
        text: as it stands there; `end` is where it ends.
        name: of a tag, without its prefix; what stands in a special token.
        closes: it ends something.
        alone: a tag without a body, `<x/>`.
        prefix: what the tags of the same format begin with, `<` aside: a namespace, a special token.
        value: what a tag is equal to, as in `<function=NAME>`.
        kind: `tag`, `special` or `frame` (`<|open|>… <|sep|>`).
    """

    text: str
    end: int
    name: str
    kind: str = "special"
    closes: bool = False
    alone: bool = False
    prefix: str = ""
    value: str | None = None
    attributes: Mapping[str, str] = field(factory=dict)

    @property
    def echoes(self) -> bool:
        """Whether what follows is said about tools, or by them, not to them."""
        return ECHOES.search(self.name) is not None


def token(source: Source, at: int) -> Reading[Token | None]:
    """The token that begins there, or None. Waits only while it could still be one."""
    first = source.text[at : at + 1]
    if first == "]":
        return (yield from _namespaced(source, at))
    if first == "[":
        return (yield from _bracketed(source, at))
    if first == "<":
        return (yield from _angled(source, at, at))
    return None


def _namespaced(source: Source, at: int) -> Reading[Token | None]:
    """`]<]name[>[<tag>`."""
    if not (yield from source.starts("]<]", at)):
        return None
    end = yield from source.run(re.compile(r"\w*"), at + 3, 40)
    if not (yield from source.starts("[>[", end)):
        return None
    if not (yield from source.starts("<", end + 3)):
        return None
    return (yield from _angled(source, end + 3, at))


def _bracketed(source: Source, at: int) -> Reading[Token | None]:
    """`[TOOL_CALLS]`, `[tool_call]`, `[/TOOL_CALLS]`."""
    try:
        end = yield from source.run(BRACKET_INSIDE, at + 1, 32)
    except NoCall:
        return None
    text = source.text[at : end + 1]
    if not BRACKETED.fullmatch(text) or not (SHOUTED.fullmatch(text) or ABOUT_CALLS.search(text)):
        return None
    name = text[1:-1]
    return Token(text=text, end=end + 1, name=name, closes=name[0] == "/" or name.upper().startswith("END_"))


def _angled(source: Source, at: int, start: int) -> Reading[Token | None]:
    if not (yield from source.has(at + 2)) or not OPENS.match(source.text[at + 1]):
        return None
    if (yield from source.starts("<|open|>", at)) or (yield from source.starts("<|close|>", at)):
        return (yield from _framed(source, at))
    try:
        end = yield from source.run(INSIDE, at + 1, LONGEST)
    except NoCall:
        return None
    if source.text[end : end + 1] != ">":
        return None
    made = _read(source.text[at + 1 : end])
    if made is None:
        return None
    text = source.text[start : end + 1]
    prefix = source.text[start:at] + "\0" if start != at else ""
    name, kind, closes, alone, own, value, attributes = made
    return Token(
        text=text,
        end=end + 1,
        name=name,
        kind=kind,
        closes=closes,
        alone=alone,
        prefix=prefix + own,
        value=value,
        attributes=dict(attributes),
    )


def _framed(source: Source, at: int) -> Reading[Token | None]:
    """`<|open|>call tool="x"<|sep|>`, `<|close|>call<|sep|>`."""
    body = at + (8 if source.text.startswith("<|open|>", at) else 9)
    try:
        end = yield from source.run(INSIDE, body, LONGEST)
    except NoCall:
        return None
    found = TAG.fullmatch(source.text[body:end].strip())
    if not found or not (yield from source.starts("<|sep|>", end)):
        return None
    return Token(
        text=source.text[at : end + 7],
        end=end + 7,
        name=found["name"],
        kind="frame",
        closes=body == at + 9,
        value=_bare(found["value"]),
        attributes=dict(_attributes(found["attributes"])),
    )


Made = tuple[str, str, bool, bool, str, str | None, tuple[tuple[str, str], ...]]


@lru_cache(maxsize=1024)
def _read(inside: str) -> Made | None:
    """What stands between `<` and `>`."""
    if "Ġ" in inside:  # a space as some tokenizers keep it
        inside = inside.replace("Ġ", " ")
    inside = GLUED.sub(r"\1 ", inside)
    if found := TAG.fullmatch(inside):
        closes = bool(found["shut"] or found["shut2"] or found["name"].startswith("end_"))
        value, attributes = _bare(found["value"]), _attributes(found["attributes"])
        return found["name"], "tag", closes, bool(found["alone"]), found["prefix"] or "", value, attributes
    name = inside.strip("/| \uff5c")
    if inside[0] in PIPES or inside[-1] in PIPES:
        closes = inside[0] not in PIPES or inside[1:2] == "/" or bool(ENDS.search(name))
        return name, "special", closes, False, "", None, ()
    return None


def _attributes(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, _bare(value) or "") for key, value in ATTRIBUTE.findall(text or ""))


def _bare(value: str | None) -> str | None:
    return value[1:-1] if value and value[0] in "\"'" else value


@lru_cache(maxsize=512)
def pair(kind: str, prefix: str, name: str) -> re.Pattern[str]:
    """Finds the tags of that name; the group `open` is there in one that opens."""
    own = re.escape(name)
    if kind == "frame":
        return re.compile(
            rf"(?P<open><\|open\|>{GAP}{own}\b[^<>\n]{{0,200}}<\|sep\|>)|<\|close\|>{GAP}{own}{GAP}<\|sep\|>"
        )
    outer, _, inner = prefix.rpartition("\0")
    space = GAP.join(re.escape(piece) for piece in inner.split())
    before = re.escape(outer) + "<"
    opens = rf"(?P<open>{before}{GAP}{space}{GAP}{own}(?=[\s=>])[^<>\n]{{0,200}}>)"
    return re.compile(rf"{opens}|{before}(?:/{GAP}{space}|{space}{GAP}/){GAP}{own}{GAP}>")
