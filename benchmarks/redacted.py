"""What it costs to keep secrets out of a text: ten of them, in every way in which they are written down."""

from __future__ import annotations

import inspect
import random
import string
import time
from argparse import ArgumentParser
from collections.abc import Iterator

from codetether.record.forms import forms
from codetether.record.redact import Redactor
from codetether.record.search import ShapeSearch
from codetether.record.shapes import shapes

from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks

SIZE = 10_000_000
SECRETS = 10
BAR = 20.0
"""Milliseconds for a million characters: 50 MB/s."""


def redacted(_: Yardsticks, rounds: int) -> Iterator[Figure]:
    """Program text, once with known secrets alone and once with those that only look like one; beside `in`."""
    chance = random.Random(1)
    letters = string.ascii_letters + string.digits + "-_"
    secrets = ["".join(chance.choices(letters, k=chance.choice([24, 40, 64, 108]))) for _ in range(SECRETS)]
    written = [form for secret in secrets for form in forms(secret)]
    source = inspect.getsource(inspect.getmodule(ArgumentParser) or inspect)
    text = (source * (SIZE // len(source) + 1))[:SIZE]
    for name, search in (
        ("a million characters redacted, known secrets", None),
        ("a million characters redacted, shapes too", ShapeSearch(shapes())),
    ):
        redactor = Redactor(search)
        for number, secret in enumerate(secrets):
            redactor.add(secret, f"s{number}")
        redactor.text(text)  # what is searched with is made once
        pairs = [(_spent(redactor, text), _floor(written, text)) for _ in range(rounds)]
        ours, floor = [a for a, _ in pairs], [b for _, b in pairs]
        yield Figure(name=name, unit="ms", ours=ours, floor=floor, bar=BAR, judged="value")


def _spent(redactor: Redactor, text: str) -> float:
    began = time.perf_counter()
    redactor.text(text)
    return (time.perf_counter() - began) * 1000 / (SIZE / 1e6)


def _floor(written: list[str], text: str) -> float:
    """A search for each form by itself."""
    began = time.perf_counter()
    for form in written:
        assert form not in text
    return (time.perf_counter() - began) * 1000 / (SIZE / 1e6)
