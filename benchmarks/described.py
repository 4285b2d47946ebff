"""What looking for calls in text costs: microseconds a KB, beside `str.find` and regexes as engines keep them."""

from __future__ import annotations

import gc
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from codetether import ToolDefinition
from codetether_router_text.offers import Offers
from codetether_router_text.scanner import Scanner

from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks

SIZE = 200_000
PIECE = 24
"""So many characters come at once, about as a model streams them."""
MARKERS = ("<tool_call>", "<function=", "<|tool_call", "[TOOL_CALLS]", "<invoke", '{"name"', "Action:", "functools[")
REGEXES = (
    re.compile(r"<tool_call>(.*?)</tool_call>|<tool_call>(.*)", re.DOTALL),
    re.compile(r"<function=(.*?)</function>|<function=(.*)$", re.DOTALL),
    re.compile(r"<parameter=(.*?)</parameter>|<parameter=(.*?)$", re.DOTALL),
    re.compile(r"\[TOOL_CALLS\]\s*(\[.*?\])(?=\s|$)", re.DOTALL),
    re.compile(r"<invoke name=\"([^\"]+)\">(.*?)</invoke>", re.DOTALL),
    re.compile(r"\[([a-zA-Z]+\w*\(([a-zA-Z]+\w*=.*,\s*)*([a-zA-Z]+\w*=.*\s)?\),\s*)*([a-zA-Z]+\w*\(.*\)\s*)+\]"),
)
"""One for each of six families of formats, in the style of the engines that are told which one they read."""
WORDS = "The quick brown fox reads the file and says what stands in it, because nobody else (not even you) would. "
PROSE = (WORDS * 6).strip() + "\n\n- one point; a < b, and `inline`\n- another one\n\n"
CODE = PROSE + (
    "```python\ndef total(items: list[dict[str, int]]) -> int:\n"
    '    return sum(item["price"] for item in items if item["price"] > 0)\n```\n\n<b>Bold</b>, [a link](https://x.y).\n'
)
CALL = '<tool_call>\n{"name": "write_file", "arguments": %s}\n</tool_call>\n'
CALLS = PROSE + CALL % json.dumps({"path": "src/app.py", "content": "def main() -> None:\n    print('hello')\n" * 8})
TEXTS = {"prose": PROSE, "prose with code": CODE, "text with calls": CALLS}
NAMES = ("read_file", "write_file", "edit_file", "run_shell", "grep", "list_dir", "fetch", "todo")
BARS = {"prose": 60.0, "prose with code": 240.0, "text with calls": 300.0}
STREAMED = {"prose": 400.0, "prose with code": 800.0, "text with calls": 900.0}


def described(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """Three kinds of text, whole and in pieces; the server is not asked."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}
    offers = Offers.of([ToolDefinition(name=name, description="", schema=schema) for name in NAMES])
    for name, sample in TEXTS.items():
        text = (sample * (SIZE // len(sample) + 1))[:SIZE]
        pieces = [text[at : at + PIECE] for at in range(0, SIZE, PIECE)]
        whole = _measured(partial(_scan, offers, (text,)), rounds)
        yield Figure(
            name=f"{name}, scanned, and found by str.find",
            unit="us/KB",
            ours=whole,
            floor=_measured(partial(_find, text), rounds),
            bar=BARS[name],
            judged="difference",
        )
        yield Figure(
            name=f"{name}, scanned, and by six regexes",
            unit="us/KB",
            ours=whole,
            floor=_measured(partial(_search, text), rounds),
            bar=BARS[name],
            judged="difference",
        )
        yield Figure(
            name=f"{name}, scanned as it streams",
            unit="us/KB",
            ours=_measured(partial(_scan, offers, pieces), rounds),
            bar=STREAMED[name],
            judged="value",
        )


def _scan(offers: Offers, pieces: Sequence[str]) -> None:
    scanner = Scanner(offers)
    for piece in pieces:
        scanner.feed(piece)
    scanner.finish()


def _find(text: str) -> None:
    for marker in MARKERS:
        text.find(marker)


def _search(text: str) -> None:
    for regex in REGEXES:
        regex.findall(text)


def _measured(work: Callable[[], None], rounds: int) -> list[float]:
    """Microseconds a KB, of each round."""
    work()
    made = []
    gc.disable()
    for _ in range(rounds):
        began = time.process_time()
        work()
        made.append((time.process_time() - began) * 1e6 / (SIZE / 1024))
    gc.enable()
    return made
