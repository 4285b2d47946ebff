"""The readers of what stands on lines of its own: `Action:` and its input, a name and an object below it."""

from __future__ import annotations

import json
import re

from codetether_router_text.coercion import Written
from codetether_router_text.offers import Call
from codetether_router_text.pieces import Calls, Pieces
from codetether_router_text.source import NoCall, Reading

WORD = re.compile(r"[\w.:/-]*")
BLANK = re.compile(r"[ \t]*")
AROUND = re.compile(r"[`*\[\]]*")
INPUTS = re.compile(
    r"\s*[*_]{0,3}(?:(?:Action[ _]|Tool[ _])?Input|Arguments?|Args|Parameters|✿ARGS✿)(?: \d{1,3})?"
    r"[*_]{0,3}\s*:[*_]{0,3}[ \t]*",
    re.IGNORECASE,
)
INPUT_REACH = 60
CHEVRONS = re.compile(r">>>(?=\w)")
NEXT = re.compile(r"\n\s{0,20}(?:Observation|Thought|Action|Final Answer|✿\w{3,12}✿)[ \t]*:|\nHuman:")
NEXT_REACH = 48


class Lines(Pieces):
    """Reads the rows of the table whose wrapper is a label or a line."""

    def labelled(self, at: int) -> Reading[Calls]:
        """`Action: NAME`, and its input on the next line."""
        source = self.source
        begin = yield from source.run(AROUND, at, 8)
        end = yield from source.run(WORD, begin, 300)
        name = self.offers.name(source.text[begin:end])
        if name is None:
            raise NoCall(end)
        end = yield from source.run(AROUND, end, 8)
        if (yield from source.starts("(", end)):
            call, end = yield from self.python_call(begin)
            return [call], end, False
        at = yield from source.run(BLANK, end, 80)
        if not (yield from source.starts("\n", at)):
            raise NoCall(at)
        yield from source.has((yield from source.space(at)) + INPUT_REACH)
        found = INPUTS.match(source.text, at)
        if not found:
            raise NoCall(at)
        at = found.end()
        begin = yield from source.space(at)
        if (yield from source.starts("{", begin)):
            value, end = yield from self.literal(begin)
            return [self.made(name, value, end)], end, False
        stop = yield from source.search(NEXT, at, longest=NEXT_REACH)
        end = stop.start() if stop else len(source.text)
        written = _unquoted(_unfenced(source.text[at:end].strip()))
        made = self.offers.call(name, Written(written)) if written else None
        if made is None:
            raise NoCall(end)
        return [made], end, stop is None

    def told_text(self, at: int) -> Reading[Calls]:
        """`>>>NAME`, and a text on the lines after it: up to the next one, or to the end."""
        source = self.source
        end = yield from source.run(WORD, at, 300)
        name = self.offers.name(source.text[at:end])
        if source.text[max(0, at - 3) : at] != ">>>" or name is None or not (yield from source.starts("\n", end)):
            raise NoCall(end)
        begin = yield from source.space(end)
        if (yield from source.starts("{", begin)):
            raise NoCall(begin)
        stop = yield from source.search(CHEVRONS, begin, longest=4)
        end = stop.start() if stop else len(source.text)
        written = source.text[begin:end].strip()
        made = self.offers.call(name, Written(written)) if written else None
        if made is None:
            raise NoCall(end)
        return [made], end, stop is None

    def named_lines(self, at: int) -> Reading[Calls]:
        """A name at the beginning of a line, and an object on the next; nothing else on either."""
        source = self.source
        calls: list[Call] = []
        last = at
        while len(calls) < 256:
            try:
                if (yield from source.starts(">>>", at)):
                    at += 3
                end = yield from source.run(WORD, at, 300)
                name = self.offers.name(source.text[at:end])
                blank = yield from source.run(BLANK, end, 80)
                if name is None or not (yield from source.starts("\n", blank)):
                    raise NoCall(end)
                begin = yield from source.space(blank)
                if not (yield from source.starts("{", begin)):
                    raise NoCall(begin)
                value, end = yield from self.literal(begin, lenient=False)
                blank = yield from source.run(BLANK, end, 200)
                if (yield from source.has(blank + 1)) and source.text[blank] != "\n":
                    raise NoCall(blank)
                calls.append(self.made(name, value, end))
            except NoCall:
                if not calls:
                    raise
                break
            last = end
            at = yield from source.space(end)
        return calls, last, False


def _unquoted(text: str) -> str:
    """The text that a JSON string says."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _unfenced(text: str) -> str:
    """The text without a code fence that is all around it."""
    if text.startswith("```") and text.endswith("```") and text.count("\n") >= 2:
        return text[text.index("\n") + 1 : -3].rstrip("\n")
    return text
