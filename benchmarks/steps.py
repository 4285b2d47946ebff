"""What the loop costs: a step, its growth, a shell, the first text, a chunk, many sessions at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.children import Command, cost, in_turn
from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks, report

PROMPTS = 60
"""Answers in one run of the floors' mode `ttft`."""
CHUNKS = 500
CROWD, CROWD_STEPS = 200, 10


def steps(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """CPU of a step between the 10th and the 100th, and how it grows to the 400th; streamed, and ours saved."""
    with tempfile.TemporaryDirectory() as home:
        lengths = (10, 100, 400)
        ours = [yardsticks.loop(Path(home), yardsticks.url(f"s{n}"), "--steps", str(n), "--stream") for n in lengths]
        floor = [yardsticks.floor(yardsticks.url(f"s{n}"), "--steps", str(n), "--stream") for n in lengths]
        early, late = [], []
        for said in in_turn(rounds, *(partial(report, c) for pair in zip(ours, floor, strict=True) for c in pair)):
            early.append((_marginal(said[0], said[2]), _marginal(said[1], said[3])))
            late.append((_marginal(said[2], said[4]), _marginal(said[3], said[5])))
        yield Figure(
            name="step, 10 to 100",
            unit="ms CPU",
            ours=[own for own, _ in early],
            floor=[its for _, its in early],
            bar=2,
            command=ours[1],
        )
        yield Figure(
            name="step, 100 to 400, over step, 10 to 100",
            unit="x",
            ours=[after[0] / before[0] for before, after in zip(early, late, strict=True)],
            floor=[after[1] / before[1] for before, after in zip(early, late, strict=True)],
            bar=1.2,
            command=ours[2],
        )


def shell(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """A step that runs a command."""
    with tempfile.TemporaryDirectory() as home:
        few, many = ("--steps", "10", "--stream", "--bash"), ("--steps", "60", "--stream", "--bash")
        ours = [yardsticks.loop(Path(home), yardsticks.url(f"s{o[1]}-xsh"), *o) for o in (few, many)]
        floor = [yardsticks.floor(yardsticks.url(f"s{o[1]}-xfloor"), *o) for o in (few, many)]
        said = in_turn(rounds, *(partial(report, c) for c in (ours[0], floor[0], ours[1], floor[1])))
        yield Figure(
            name="step with a shell",
            unit="ms CPU",
            ours=[_marginal(s[0], s[2]) for s in said],
            floor=[_marginal(s[1], s[3]) for s in said],
            bar=1.5,
            command=ours[1],
        )


def first_text(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """From the call to the first text, by the clock."""
    with tempfile.TemporaryDirectory() as home:
        url = yardsticks.url("s0-xttft")
        ours = yardsticks.loop(Path(home), url, "--mode", "ttft", "--stream")
        said = in_turn(rounds, partial(report, ours), partial(report, yardsticks.floor(url, "--mode", "ttft")))
        yield Figure(
            name="call to first text",
            unit="ms",
            ours=[own["ttft_ms_median"] for own, _ in said],
            floor=[its["ttft_ms_median"] for _, its in said],
            bar=2,
            command=ours,
        )


def chunks(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """CPU of a streamed chunk, by the Python API and on the command line."""
    with tempfile.TemporaryDirectory() as home:
        urls = [yardsticks.url(f"s0-t{n}") for n in (1, CHUNKS + 1)]
        ours = [yardsticks.loop(Path(home), url, "--mode", "ttft", "--stream") for url in urls]
        floor = [yardsticks.floor(url, "--mode", "ttft") for url in urls]
        said = in_turn(rounds, *(partial(report, c) for c in (ours[0], floor[0], ours[1], floor[1])))
        per_chunk = 1e6 / PROMPTS / CHUNKS
        yield Figure(
            name="streamed chunk",
            unit="us CPU",
            ours=[(s[2]["cpu_s"] - s[0]["cpu_s"]) * per_chunk for s in said],
            floor=[(s[3]["cpu_s"] - s[1]["cpu_s"]) * per_chunk for s in said],
            bar=10,
            judged="value",
            command=ours[1],
        )
        count = 20_000
        runs = [
            Command(
                ("-m", "codetether", "run", "-m", "openai/fake", "hello"),
                yardsticks.variables(Path(home), yardsticks.url(f"s0-t{n}")),
            )
            for n in (1, count + 1)
        ]
        spent = in_turn(rounds, *(partial(cost, run) for run in runs))
        yield Figure(
            name="streamed chunk, codetether run",
            unit="us CPU",
            ours=[(many.cpu - one.cpu) * 1e6 / count for one, many in spent],
            bar=10,
            judged="value",
            command=runs[1],
        )


def crowd(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """Two hundred sessions of ten steps in one process."""
    with tempfile.TemporaryDirectory() as home:
        url = yardsticks.url(f"s{CROWD_STEPS}-xcrowd")
        options = ("--steps", str(CROWD_STEPS), "--stream", "--concurrency", str(CROWD))
        ours = yardsticks.loop(Path(home), url, *options)
        floor = yardsticks.floor(url, *options, "--own-client", "--persist", home)
        said = in_turn(rounds, partial(report, ours), partial(report, floor))
        yield Figure(
            name=f"{CROWD} sessions x {CROWD_STEPS} steps",
            unit="ms CPU a step",
            ours=[own["cpu_ms_per_step"] for own, _ in said],
            floor=[its["cpu_ms_per_step"] for _, its in said],
            bar=2,
            command=ours,
        )
        yield Figure(
            name=f"{CROWD} sessions, memory above imports",
            unit="MiB",
            ours=[own["rss_mb"] - own["rss0_mb"] for own, _ in said],
            floor=[its["rss_mb"] - its["rss0_mb"] for _, its in said],
            bar=2,
            command=ours,
        )


def memory(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """The peak of `codetether run` over a hundred steps."""
    with tempfile.TemporaryDirectory() as home:
        command = Command(
            ("-m", "codetether", "run", "--max-steps", "200", "--allow", "bash", "-m", "openai/fake", "go"),
            yardsticks.variables(Path(home), yardsticks.url("s100-xmemory")),
        )
        spent = [cost(command) for _ in range(min(rounds, 3))]
        yield Figure(
            name="memory of 100 steps, codetether run",
            unit="MiB",
            ours=[each.memory for each in spent],
            bar=50,
            judged="value",
            command=command,
        )


def _marginal(few: dict[str, Any], many: dict[str, Any]) -> float:
    """Milliseconds of CPU for each step that the longer run has more."""
    spent = float(many["cpu_s"] - few["cpu_s"])
    return spent / int(many["steps"] - few["steps"]) * 1000
