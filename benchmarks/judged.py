"""What a decision about a command costs, read anew and remembered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from codetether.permissions import denials, effects, shell, words
from codetether.permissions.rules import Rules
from codetether.testing.policy import CONTRACT, judge, rules_of

from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks

COMMANDS = (
    "git status",
    "ls -la src",
    'grep -rn "foo bar" .',
    "git log --oneline -n 5 | head",
    "cat a.txt | sort | uniq -c",
    "npm test",
    "sudo rm f",
    "find . -name '*.py' -exec touch M {} +",
    "python3 - <<'EOF'\nprint(1)\nEOF",
    "for i in a b; do echo $i; done",
    "git commit -m 'a b'",
    "sed -n '1,20p' a.txt",
)
REMEMBERED = (
    *(shell.read_line, words.simple_parts, denials.candidates, denials.named_in),
    *(effects.effects, effects.read),
)
"""What remembers something about a command."""
BAR = 200.0
"""Microseconds."""


def judged(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """The median over commands of several kinds; the server is not asked."""
    rules = rules_of(CONTRACT)
    with TemporaryDirectory() as made:
        workspace = Path(made).resolve()
        (workspace / "a.txt").write_text("a\n")
        for name, anew in (("a command judged, read anew", True), ("a command judged again", False)):
            ours = [median(_cost(command, rules, workspace, anew) for command in COMMANDS * 5) for _ in range(rounds)]
            yield Figure(name=name, unit="us", ours=ours, bar=BAR, judged="value")


def _cost(command: str, rules: Rules, workspace: Path, anew: bool) -> float:
    if anew:
        for remembered in REMEMBERED:
            remembered.cache_clear()
    began = time.perf_counter()
    judge(command, rules, workspace)
    return (time.perf_counter() - began) * 1e6
