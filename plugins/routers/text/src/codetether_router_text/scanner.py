"""Finds the calls in a text, as it streams or whole: prose comes out at once, calls when they are whole."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import suppress

from attrs import frozen

from codetether_router_text.examples import ASSIGNED, EXAMPLE, QUOTES, SUPPOSED
from codetether_router_text.offers import Call, Offers
from codetether_router_text.sites import Echo, Site, Sites
from codetether_router_text.source import NoCall, Reading, Source
from codetether_router_text.tokens import SHOUTED, Token, pair

BEGINS = re.compile(
    r"""`|\n|>(?:>>(?=\w|\Z)|>?\Z)|<(?=[/|\uff5cA-Za-z_!✿]|\Z)|\{(?=\s*(?:["'\w]|\Z))|\[(?=\s*(?:["'\w{/]|\Z))|\](?=<(?:\]|\Z)|\Z)"""
)
"""Where anything but prose can begin; the end of what is there may be the end of what must be looked at. Each branch
begins with a plain character, so that `re` skips over prose at once."""
FOLLOWS = {
    c: re.compile(p) for c, p in (("<", "[/|\uff5cA-Za-z_!✿]"), ("{", "[\"'\\w]"), ("[", "[\"'\\w{/]"), ("]", "<"))
}
LABELS = ("Calling tools", "Action", *(f"{a}{b}" for a in ("Tool", "Function") for b in ("", " Call", " Name")))
LABEL = re.compile(
    r"[*_]{0,3}(?:Calling tools|Action|(?:Tool|Function)(?: Call| Name)?|✿FUNCTION✿)(?: \d{1,3})?"
    r"[*_]{0,3}[ \t]?:[*_]{0,3}"
)
NAME = re.compile(r"[\w.:/-]*")
FINAL = re.compile(r"[*_]{0,3}(?:Final Answer|Observation)(?: \d{1,3})?[*_]{0,3}[ \t]?:")
"""After one of these no `Action:` counts: it is done, or what follows rests on a result that nobody gave."""
DECORATION = re.compile(r"[ \t*_#]*")
LETTERS = re.compile(r"[\w ✿.:>*=\[|/-]*")
INDENT = re.compile(r"[ \t]*")
TICKS = re.compile(r"`*")
INLINE = re.compile(r"`+|\n[ \t]*\n")
MESSAGE_ENDS = re.compile(r"<\|(?:end|eom|eot|start|return|call)\|>| to=[\w.:-]{1,80}<\|message\|>")
BEHIND = 500
"""So much is kept, for what looks back."""
MANY = 1000  # pieces of prose that are kept apart before they are looked at as a whole
TRANSPORT = 1 << 16  # so much text that is done with is forgotten at once
PATIENCE = 3
"""How often the text may be read in vain, all sites together, before the rest of it passes as it is."""


@frozen
class Found:
    """A piece of the text: calls, or none where it is prose; `text` is what was written.

    `cut`: only the end of the text ended these calls.
    """

    text: str
    calls: tuple[Call, ...] = ()
    cut: bool = False


class Scanner:
    """Feed it the text in whatever pieces; the pieces that come back, joined, are the text."""

    def __init__(self, offers: Offers) -> None:
        self._source = Source()
        self._offers = offers
        self._sites = Sites(self._source, offers)
        self._out: list[Found] = []
        self._done = 0
        """What was given out, of the source's text."""
        self._waiting: list[str] = []
        self._waiting_size = 0
        self._idle = False
        """Whether all that came was given out as prose, in the middle of a line."""
        self._ended = -1
        self._vain = 0
        self._before = 0
        """How much of the text the source has forgotten."""
        self._final = False
        self._blank = True
        names = sorted(offers.tools)
        words = (
            *LABELS,
            "✿FUNCTION✿",
            *names,
            *(f"functions.{name}" for name in names),
            "functools[",
            "function call<",
            "to=",
        )
        self._words = (*words, *(f">>>{name}" for name in names), "Final Answer", "Observation", "```", "~~~", ">")
        self._work: Generator[None, None, None] = self._scan()
        next(self._work)

    def feed(self, text: str) -> list[Found]:
        """What can be said by now."""
        self._waiting.append(text)
        if self._idle and len(self._waiting) < MANY and not BEGINS.search(text):  # more prose: the usual case, in short
            self._done += len(text)
            self._blank = self._blank and not text.strip()
            return [Found(text)] if text else []
        self._waiting_size += len(text)
        held = len(self._source.text) - self._done
        if self._waiting_size * 16 < held:  # so that a long call in small pieces is not copied for each of them
            return []
        return self._advance()

    def finish(self) -> list[Found]:
        """What is left."""
        self._source.ended = True
        return self._advance()

    def _advance(self) -> list[Found]:
        self._source.text += "".join(self._waiting)
        self._waiting.clear()
        self._waiting_size = 0
        with suppress(StopIteration):
            next(self._work)
        found, self._out = self._out, []
        return found

    def _prose(self, end: int) -> None:
        """Everything up to there is prose."""
        if end > self._done:
            text = self._source.text[self._done : end]
            self._out.append(Found(text))
            self._blank = self._blank and not text.strip()
            self._done = end

    def _calls(self, site: Site, at: int) -> None:
        self._prose(at)
        self._out.append(Found(self._source.text[at : site.end], site.calls, site.cut))
        self._done = self._ended = site.end
        self._blank = False

    def _scan(self) -> Generator[None, None, None]:
        source = self._source
        at = 0
        fresh = True  # at the beginning of a line
        while True:
            if at >= TRANSPORT:
                self._prose(at)
                source.drop(at - BEHIND)
                self._before += at - BEHIND
                self._ended -= at - BEHIND
                self._done = at = BEHIND
            if fresh:
                at = yield from self._line(at)
                fresh = False
                continue
            found = BEGINS.search(source.text, at)
            if found is None:
                at = len(source.text)
                self._prose(at)
                if source.ended:
                    return
                self._idle = True
                yield
                self._idle = False
                continue
            at = found.start()
            if found[0] == "\n":
                at, fresh = at + 1, True
                continue
            self._prose(at)
            if found[0][0] == ">":
                at = yield from self._chevrons(at)
            elif found[0] == "<" and (yield from source.starts("<!--", at)):
                at = yield from self._comment(at + 4)
            elif found[0] == "`":
                at = yield from self._ticks(at)
            else:
                at = yield from self._site(at, self._sites.read(at))

    def _line(self, at: int) -> Reading[int]:
        """What may only stand at the beginning of a line."""
        source = self._source
        start = yield from source.run(DECORATION, at)
        while True:
            rest = source.text[start : start + 300]
            if len(rest) == 300 or source.ended or "\n" in rest or not any(w.startswith(rest) for w in self._words):
                break
            yield
        if not rest.startswith(self._words):
            return start if "\n" not in source.text[at:start] else at
        if rest[0] == ">" and not rest.startswith(">>>"):
            return (yield from self._quoted(start))
        if rest[:3] in ("```", "~~~"):
            return (yield from self._fence(start))
        if (yield from self._matches(FINAL, start)):
            self._final = True
            return start
        self._prose(at)
        if (after := (yield from self._matches(LABEL, start))) and not self._final:
            return (yield from self._site(at, self._sites.label(after), resume=after))
        if rest.startswith("functools["):
            return (yield from self._site(at, self._sites.read(start + 9), resume=start + 9))
        if rest.startswith("function call<"):
            return (yield from self._site(at, self._sites.read(start + 13), resume=start + 13))
        if rest.startswith("to="):
            return (yield from self._site(at, self._sites.addressed(start), resume=start + 3))
        return (yield from self._site(at, self._sites.line(start), resume=start + 1))

    def _matches(self, pattern: re.Pattern[str], at: int) -> Reading[int]:
        """The end of the match there, or 0; the pattern matches forty characters at most."""
        yield from self._source.has(at + 40)
        found = pattern.match(self._source.text, at)
        return found.end() if found else 0

    def _site(self, at: int, reading: Reading[Site], resume: int = 0) -> Reading[int]:
        """Reads a site; where it is none, the position from which to go on."""
        source = self._source
        if not resume and not (yield from self._could(at)):
            return at + 1
        if at and at == self._ended and source.text[at - 1 : at + 1] == ">[":  # said again, without the mark before it
            return at + 1
        if self._vain > PATIENCE * (self._before + at + TRANSPORT):
            return max(resume, at + 1)
        try:
            site = yield from self._sites.whole(reading)
            while isinstance(site, Echo):  # what is quoted may end with a message to a tool
                at = yield from self._echoed(site)
                self._prose(at)
                if not (yield from source.starts(" to=", at)):
                    return at
                resume = at + 4
                site = yield from self._sites.whole(self._sites.addressed(at + 1))
        except NoCall as no:
            self._vain += max(0, no.at - at)
            if resume or no.resume:
                return max(resume, no.resume)
            end = max(no.at, at + 1)
            line = source.text.rfind("\n", at + 1, end)  # what may only begin a line may begin there
            return line if line > 0 and source.text[line:end].isspace() else end
        if (yield from self._is_quoted(at, site.end)):
            self._prose(site.end)
            return site.end
        self._calls(site, at)
        return site.end

    def _could(self, at: int) -> Reading[bool]:
        """Whether a site could begin with the character there, by the one that follows it."""
        first = self._source.text[at]
        begin = (yield from self._source.space(at + 1)) if first in "{[" else at + 1
        if not (yield from self._source.has(begin + 1)) or not FOLLOWS[first].match(self._source.text, begin):
            return False
        if first == "[" and self._source.text[begin] not in "{\"'/":  # a list of Python calls, a mark, or any link
            end = yield from self._source.run(NAME, begin)
            if not (yield from self._source.has(end + 1)):
                return False
            word = self._source.text[begin:end]
            return self._source.text[end] in "] " or self._offers.name(word) is not None
        return True

    def _is_quoted(self, at: int, end: int) -> Reading[bool]:
        """Whether the site is said to be an example, or stands between quotation marks, or is assigned in code."""
        text = self._source.text
        before = text[max(0, at - BEHIND) : at]
        if self._blank or not before:
            return False
        if before[-1] in QUOTES and (yield from self._source.starts(QUOTES[before[-1]], end)):
            return True
        if text[at] in "{[" and not self._is_mark(at) and (ASSIGNED.search(before) or SUPPOSED.search(before)):
            return True
        return EXAMPLE.search(before) is not None

    def _is_mark(self, at: int) -> bool:
        return bool(SHOUTED.match(self._source.text, at))

    def _echoed(self, echo: Echo) -> Reading[int]:
        """Shows what is quoted, up to the mark that ends it."""
        mark, at = echo.mark, echo.mark.end
        if mark.alone:
            return at
        if echo.message:
            pattern = MESSAGE_ENDS
        elif mark.kind == "special":
            pattern = _ending(mark)
        else:
            pattern = pair(mark.kind, mark.prefix, mark.name)
        while True:
            found = pattern.search(self._source.text, at)
            if found and "open" in pattern.groupindex and found["open"]:
                at = found.end()
                continue
            if found and (self._source.ended or found.start() + 100 <= len(self._source.text)):
                end = found.start() if echo.message else found.end()
                self._prose(end)
                return end
            if self._source.ended:
                return len(self._source.text)
            at = found.start() if found else max(at, len(self._source.text) - 100)
            self._prose(at)
            yield

    def _chevrons(self, at: int) -> Reading[int]:
        """`>>>NAME` within a line."""
        if not (yield from self._source.starts(">>>", at)):
            return at + 1
        end = yield from self._source.run(NAME, at + 3)
        if self._offers.name(self._source.text[at + 3 : end]) is None:
            return at + 3
        return (yield from self._site(at, self._sites.line(at), resume=at + 3))

    def _comment(self, at: int) -> Reading[int]:
        """What stands in an HTML comment, shown as it comes; its end."""
        while (end := self._source.text.find("-->", at)) < 0:
            at = len(self._source.text) if self._source.ended else max(at, len(self._source.text) - 2)
            self._prose(at)
            if self._source.ended:
                return at
            yield
        return end + 3

    def _quoted(self, at: int) -> Reading[int]:
        """A line of a block quote, shown as it comes; its end."""
        while (end := self._source.text.find("\n", at)) < 0:
            at = len(self._source.text)
            self._prose(at)
            if self._source.ended:
                return at
            yield
        return end

    def _fence(self, at: int) -> Reading[int]:
        """Calls that a code fence is, or the fence shown as it comes; where it ends."""
        source = self._source
        self._prose(at)
        mark = source.text[at]
        try:
            site = yield from self._sites.fence(at, alone=self._blank)
        except NoCall as no:
            self._vain += max(0, no.at - at)
        else:
            self._calls(site, at)
            return site.end
        width = yield from source.run(re.compile(re.escape(mark) + "*"), at)
        closing = re.compile(rf"\n[ \t>]*{re.escape(source.text[at:width])}{mark}*[ \t]*(?=\n|\Z)")
        end = width
        while True:
            found = closing.search(source.text, end)
            if found and (found.end() < len(source.text) or source.ended):
                self._prose(found.end())
                return found.end()
            if source.ended:
                return len(source.text)
            last = source.text.rfind("\n", end)
            if last >= 0:
                end = last
            if closing.match(source.text + mark * (width - at), end) is None and last >= 0:
                self._prose(len(source.text))
            else:
                self._prose(end)
            yield

    def _ticks(self, at: int) -> Reading[int]:
        """Inline code, within a paragraph; a fence that begins within a line."""
        source = self._source
        width = yield from source.run(TICKS, at)
        if width - at >= 3:
            end = yield from source.run(re.compile(r"\w*"), width, 60)
            if (yield from source.starts("\n", end)):
                return (yield from self._fence(at))
        end = width
        while True:
            found = yield from source.search(INLINE, end, longest=width - at + 1)
            if found is None or found[0][0] == "\n":
                return width
            run = yield from source.run(TICKS, found.start())
            if run - found.start() == width - at:
                self._prose(run)
                return run
            end = run


def _ending(mark: Token) -> re.Pattern[str]:
    """Finds the special token that ends what the given one begins."""
    name = mark.name
    if mark.text.startswith("["):
        return re.compile(rf"\[(?:END_|/){re.escape(name.rstrip('sS'))}[sS]?\]", re.IGNORECASE)
    for begin in ("begin", "start"):
        if begin in name:
            return re.compile(re.escape(mark.text.replace(begin, "end")))
    return re.compile(rf"<[/|\uff5c]{{0,2}}{re.escape(name)}[|\uff5c]?>|<[|\uff5c](?:end|im_end|eot)[^<>\n]{{0,40}}>")


def scanned(text: str, offers: Offers) -> list[Found]:
    """The whole text at once."""
    scanner = Scanner(offers)
    return [*scanner.feed(text), *scanner.finish()]


def prose(found: Iterable[Found]) -> str:
    """What is left of a text without its calls: the pieces before, between and after, each trimmed where a call was."""
    pieces = [""]
    for piece in found:
        if piece.calls:
            pieces.append("")
        else:
            pieces[-1] += piece.text
    kept = [text for piece in pieces if (text := piece.strip())]
    return "\n\n".join(kept)
