"""The gate: where a text says that an offered tool is about to be called. The model is asked about nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen
from codetether import ToolDefinition

from codetether_router_functiongemma.languages import ENGLISH, LANGUAGES, LATER, OVERTAKEN, Language

LONGEST, LONGEST_SENTENCE = 20_000, 1_000
"""Characters that are looked at; what is longer is no announcement."""
MOST = 4
"""Calls that are made of one text at most."""
MARKUP = re.compile(
    r"<\|[^>]*>|<\w+\|>|</?[\w:.-]*(?:tool|function|invoke|call|action|param|arg)|\[/?TOOL"
    r"|\"(?:name|tool|function|action)\"\s*:"
    r"|^\s*action(?: input)?\s*:|call:[\w.-]+\s*\{",
    re.IGNORECASE | re.MULTILINE,
)
"""Marks of a call in some format: what they hold is judged by those who read formats."""
_PLAIN = str.maketrans("\u2018\u2019\u201c\u201d\uff01\uff1f\uff1b\uff5c", "''\"\"!?;|")
"""Signs that come in two shapes, each to its plain one."""
_SENTENCE = re.compile(r".+?(?:[.!?;](?=[\s\"')*_`]|$)[\"')*_`]*|[!?;](?=[^\x00-\x7f])|\u3002|$)")
_DIRECTLY = re.compile(r"[\s,`'\"*_]*(?:(?:now|first|also|just|quickly)\s+)?[`'\"*_]*")
_FENCE = re.compile(r"^\s*(```+|~~~+)")
_ASIDE = re.compile(r"^\s*(?:>|\|)")
_SIGNATURE = re.compile(
    r"[:=]\s*(?:str|int|float|bool|string|number|integer|boolean|list|dict|any|none|object|array)\b", re.IGNORECASE
)
_LITERAL = re.compile(r"[`\"][^`\"\n]+[`\"]|(?<!\w)[\w~.-]*[./\\_*][\w./\\*-]*\w|\d")


@frozen(kw_only=True)
class Evidence:
    """That a tool is about to be called.

    Attributes:
        start, end: where the sentence that says so stands in the text.
        intent: the words by which it says so: no argument is among them.
        bare: the sentence is nothing but the call: `read_file(src/main.py)`.
    """

    tool: ToolDefinition
    sentence: str
    start: int
    end: int
    intent: str = ""
    bare: bool = False

    def of(self, text: str) -> Evidence:
        """The same in the words of the text itself, where it was read in plain signs."""
        begin = self.start + text[self.start : self.end].translate(_PLAIN).find(self.intent)
        sentence = text[self.start : self.end].strip()
        return evolve(self, sentence=sentence, intent=text[begin : begin + len(self.intent)])


def evidence(text: str, offered: Sequence[ToolDefinition]) -> list[Evidence]:
    """The announcements of calls in a text, in their order; mostly none.

    A sentence counts that says, in the first person and of now, that a tool is used, with the tool's name in it:
    "I'll open `a.py` with read_file". So does a last line that is nothing but a tool's name and something in
    brackets. A name that is an ordinary word (`search`) must be marked as a name (quotes, "the search tool", "use
    search to"), or be the very verb of a sentence about something literal ("Let me read `a.py`") where the tool only
    reads.

    Nothing counts in code, quotations and tables; in a text with the marks of a call format, in one that ends with a
    question, and where a later sentence tells of the result. Of sentences that wait for each other the first counts.
    """
    named = [tool for tool in offered if tool.name in text]
    if not named or len(text) > LONGEST:
        return []
    plain = text.translate(_PLAIN)
    sentences = [] if MARKUP.search(plain) else list(_sentences(plain))
    if not sentences or sentences[-1][1].rstrip("\"')*_` ").endswith("?"):
        return []
    found: list[Evidence] = []
    for number, (start, sentence) in enumerate(sentences):
        is_last = number == len(sentences) - 1
        made = _announced(start, sentence, named) or (_bare(start, sentence, named) if is_last else None)
        if made is None:
            if found and OVERTAKEN.search(sentence):
                return []
            continue
        if found and LATER.search(sentence):
            break
        found.append(made.of(text))
    return found[:MOST]


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """The sentences of the prose, each with its place."""
    at, fence = 0, ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence and not _ASIDE.match(line):
            for match in _SENTENCE.finditer(line.rstrip("\r\n")):
                if match[0].strip() and len(match[0]) <= LONGEST_SENTENCE:
                    yield at + match.start(), match[0]
        at += len(line)


def _announced(start: int, sentence: str, named: Sequence[ToolDefinition]) -> Evidence | None:
    """The first use of a tool that the sentence announces, in whichever language."""
    for language in LANGUAGES:
        intent = language.intent.search(sentence)
        if intent is None or language.against.search(sentence) or sentence.rstrip().endswith("?"):
            continue
        uses = [
            (name.start(), tool)
            for tool in named
            for name in _places(tool.name, sentence)
            if _is_used(tool, sentence, intent, name, language)
        ]
        if uses:
            tool = min(uses, key=lambda use: use[0])[1]
            end = start + len(sentence)
            return Evidence(tool=tool, sentence=sentence.strip(), start=start, end=end, intent=intent[0].strip())
    return None


def _is_used(
    tool: ToolDefinition, sentence: str, intent: re.Match[str], name: re.Match[str], language: Language
) -> bool:
    """Whether what is announced is the use of this tool: "I'll open it with NAME", "Let me NAME it"."""
    if name.start() < intent.end():
        return False
    before, after = sentence[: name.start()], sentence[name.end() :]
    directly = _DIRECTLY.fullmatch(sentence, intent.end(), name.start()) is not None
    if _is_word(tool.name) and not _is_marked(before, after):
        return language is ENGLISH and directly and tool.read_only and _LITERAL.search(after) is not None
    return directly or language.link is None or language.link.search(before, intent.start()) is not None


def _bare(start: int, sentence: str, named: Sequence[ToolDefinition]) -> Evidence | None:
    """The last line, where it is nothing but `name(…)`."""
    call = re.fullmatch(r"\s*[`*_]*([\w.-]+)\s*\((.*)\)[`*_]*[.;]?\s*", sentence)
    tool = next((tool for tool in named if call and tool.name == call[1]), None)
    if call is None or tool is None or not call[2].strip() or _SIGNATURE.search(call[2]):
        return None
    if any(call[2].count(left) != call[2].count(right) for left, right in ("()", "[]", "{}")):
        return None
    return Evidence(tool=tool, sentence=sentence.strip(), start=start, end=start + len(sentence), bare=True)


def _places(name: str, sentence: str) -> Iterator[re.Match[str]]:
    return re.finditer(rf"(?<![\w./-]){re.escape(name)}(?![\w/-]|\.\w)", sentence)


def _is_word(name: str) -> bool:
    """Whether a name may be an ordinary word of a language."""
    return name.isalpha() and name.islower()


def _is_marked(before: str, after: str) -> bool:
    """Whether a name is set apart as one."""
    quoted = before[-1:] in ("`", "'", '"', "*") and after[:1] in ("`", "'", '"', "*", "(")
    kinds = r"(?:tool|function|command)s?\b"
    used = re.search(r"\b(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing))\s+\Z", before, re.IGNORECASE) is not None
    ends = re.match(r"\s+(?:to|on|with|for|now)\b|[.,:;]|\s*\Z", after, re.IGNORECASE) is not None
    return (
        (used and ends)
        or quoted
        or after[:1] == "("
        or re.match(rf"[`'\"*]*\s+{kinds}", after, re.IGNORECASE) is not None
        or re.search(rf"\b{kinds}(?:\s+(?:named|called))?:?\s+[`'\"*]*\Z", before, re.IGNORECASE) is not None
    )
