"""`codetether stats` over sessions that were really run."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from codetether.cli.stats import short

from .conftest import Answer, CommandLine, ModelServer

PRICED = {"CODETETHER_PLUGINS": "openai,shell,vendors", "CODETETHER_DEFAULT_MODEL": "openai/gpt-4o-mini"}
"""A model that the catalogue has a price for."""
ZERO = {"cache_read_tokens": 0, "cache_write_tokens": 0, "reasoning_tokens": 0}


def tokens(answers: int, cost: str | None, unpriced: int = 0) -> dict[str, Any]:
    counted = {"responses": answers, "input_tokens": 11 * answers, "output_tokens": 3 * answers, **ZERO}
    return counted | {"cost": cost, "unpriced_responses": unpriced}


def calls(number: int, failures: int, ms: Any, denied: int = 0) -> dict[str, Any]:
    return {"tool_calls": number, "tool_failures": failures, "tool_denied": denied, "tool_ms": ms}


def test_nothing_yet(bare: CommandLine) -> None:
    assert bare("stats").out == "Nothing was spent\n"
    assert bare("stats", "--json").json == {
        "schema": 1,
        "by": "model",
        "since": None,
        "directory": None,
        "rows": [],
        "rows_left_out": 0,
        "total": {"sessions": 0, **tokens(0, None), **calls(0, 0, 0.0)},
        "unpriced_models": [],
    }
    assert not bare.home.exists() or not [*bare.home.rglob("*.sqlite")]


def test_tokens_and_costs_by_every_word(cli: CommandLine, model: ModelServer, tmp_path: Path) -> None:
    other = tmp_path / "other" / "deep"
    other.mkdir(parents=True)
    (tmp_path / "other" / ".git").mkdir()
    model.script += [
        Answer(calls=[("bash", {"command": "pwd"}), ("bash", {"command": "touch x"})]),
        Answer(texts=["done"]),
        Answer(texts=["hi"]),
    ]
    priced = evolve(cli, environment={**cli.environment, **PRICED})
    assert priced("run", "look").code == 3  # touch is denied, because nobody can be asked
    said = priced("run", "hi", "--format", "json", cwd=other).json
    cost = Decimal(said["usage"]["cost"])  # of one answer; all are as long
    once, twice, thrice = str(cost), str(2 * cost), str(3 * cost)
    assert cost > 0
    one, two = (s["id"] for s in reversed(cli("sessions", "list", "--json").json))
    by_model = cli("stats", "--json").json
    ms = by_model["total"]["tool_ms"]
    used = calls(2, 1, ms, denied=1)
    assert ms > 0
    assert by_model["rows"] == [{"model": "openai/gpt-4o-mini", "sessions": 2, **tokens(3, thrice)}]
    assert by_model["total"] == {"sessions": 2, **tokens(3, thrice), **used}
    assert cli("stats", "--by", "provider", "--json").json["rows"] == [
        {"provider": "openai", "sessions": 2, **tokens(3, thrice)}
    ]
    assert cli("stats", "--by", "session", "--json").json["rows"] == [
        {
            "session": one,
            "title": "look",
            "directory": os.path.realpath(cli.workspace),
            "parent_id": None,
            **tokens(2, twice),
            **used,
        },
        {
            "session": two,
            "title": "hi",
            "directory": os.path.realpath(other),
            "parent_id": None,
            **tokens(1, once),
            **calls(0, 0, 0.0),
        },
    ]
    projects = cli("stats", "--by", "project", "--json").json["rows"]
    assert [(p["project"], p["cost"]) for p in projects] == [
        (os.path.realpath(cli.workspace), twice),
        (os.path.realpath(tmp_path / "other"), once),
    ]
    assert cli("stats", "--by", "tool", "--json").json["rows"] == [{"tool": "bash", "sessions": 1, **used}]
    (day,) = cli("stats", "--by", "day", "--json").json["rows"]
    assert {**day, "day": ""} == {"day": "", "sessions": 2, **tokens(3, thrice), **used}
    below = cli("stats", "-d", str(tmp_path / "other"), "--json").json
    assert (below["directory"], below["total"]["responses"]) == (os.path.realpath(tmp_path / "other"), 1)
    later = cli("stats", "--since", "2999-12-31", "--json").json
    assert (later["since"], later["rows"], later["total"]["sessions"]) == ("2999-12-31", [], 0)
    limited = cli("stats", "--by", "session", "-n", "1", "--json").json
    assert ([row["session"] for row in limited["rows"]], limited["rows_left_out"]) == ([one], 1)
    assert limited["total"] == by_model["total"]


def test_the_table(cli: CommandLine, model: ModelServer) -> None:
    model.script += [Answer(texts=["hi"])]
    cli("run", "hi")
    assert cli("stats").out == (
        "COST  IN  CACHED  OUT  ANSWERS  MODEL\n"
        "   ?  11       0    3        1  openai/toy\n"
        "   ?  11       0    3        1  (total)\n"
        "+ no price is known for 1 answer of openai/toy: its cost is not in it\n"
    )
    model.script += [Answer(texts=["hi"])]
    evolve(cli, environment={**cli.environment, **PRICED})("run", "hi")
    assert cli("stats", "--by", "provider").out == (
        "    COST  IN  CACHED  OUT  ANSWERS  PROVIDER\n"
        "$0.0000+  22       0    6        2  openai\n"
        "$0.0000+  22       0    6        2  (total)\n"
        "+ no price is known for 1 answer of openai/toy: its cost is not in it\n"
    )


def test_wrong_words(bare: CommandLine) -> None:
    assert bare("stats", "--by", "moon").code == 2
    assert bare("stats", "--since", "yesterday").code == 2


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (9_994, "9.99k"),
        (9_995, "10.0k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (1_234_567, "1.23M"),
        (999_500_000, "1.00G"),
        (12_345_678_901_234, "12346G"),
    ],
)
def test_short_numbers(number: int, expected: str) -> None:
    assert short(number) == expected
