"""`codetether stats`: what sessions spent, added up from their journals, without loading any plugin."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import field

from codetether.cli.projects import project_of
from codetether.cli.sessions import with_store
from codetether.cli.table import as_json, print_json, print_table
from codetether.cli.terminal import DIM, Screen
from codetether.models.completion import Usage
from codetether.values import define

if TYPE_CHECKING:
    from codetether.storage.store import Store
    from codetether.storage.tallies import Spending, Tally, ToolTally

SCHEMA = 1
"""The version of the JSON document. A new field does not change it."""
BY = ("session", "model", "provider", "day", "project", "tool")


@define(kw_only=True)
class Sum:
    """What adds up under one name."""

    usage: Usage = field(factory=Usage)
    responses: int = 0
    unpriced: int = 0
    calls: int = 0
    failures: int = 0
    denied: int = 0
    tool_ms: float = 0.0
    sessions: set[str] = field(factory=set)

    def spend(self, spent: Spending) -> None:
        """Adds what a model was asked for."""
        self.usage += spent.usage
        self.responses += spent.responses
        self.unpriced += spent.unpriced
        self.sessions.add(spent.session_id)

    def use(self, used: ToolTally) -> None:
        """Adds tool calls."""
        self.calls += used.calls
        self.failures += used.failures
        self.denied += used.denied
        self.tool_ms += used.duration_ms
        self.sessions.add(used.session_id)


@click.command("stats")
@click.option("--by", type=click.Choice(BY), default="model", show_default=True, help="What each line adds up.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="From this day on (UTC).")
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Only sessions of this directory and those below it.",
)
@click.option("-n", "--limit", type=click.IntRange(1), help="At most so many lines; the total is of all.")
@as_json
def stats(by: str, since: datetime | None, directory: Path | None, limit: int | None, as_json: bool) -> int:
    """Add up tokens, costs and tool calls of the sessions on this machine.

    Days are those of UTC. Costs are in US dollars, at the prices of the day they were spent; answers without a known
    price are counted, and named.
    """

    async def added(store: Store, screen: Screen) -> int:
        tally = await store.tally(since.date() if since else None)
        for session_id, why in (await store.unreadable()).items():
            screen.say(f"note: session {session_id} cannot be read: {why}", DIM)
        report = _report(_within(tally, directory), by, limit)
        if as_json:
            given = {
                "since": since.date().isoformat() if since else None,
                "directory": os.path.realpath(directory) if directory else None,
            }
            print_json(screen, {"schema": SCHEMA, "by": by, **given, **report})
        elif not report["rows"]:
            screen.line("Nothing was spent")
        else:
            _print(screen, by, report)
        return 0

    return with_store(added)


def _within(tally: Tally, directory: Path | None) -> Tally:
    """The sessions of a directory and those below it."""
    if directory is None:
        return tally
    import attrs

    top = os.path.realpath(directory)
    below = top.rstrip("/") + "/"
    kept = {s.id: s for s in tally.sessions.values() if s.directory == top or s.directory.startswith(below)}
    return attrs.evolve(
        tally,
        sessions=kept,
        spending=tuple(spent for spent in tally.spending if spent.session_id in kept),
        tools=tuple(used for used in tally.tools if used.session_id in kept),
    )


def _report(tally: Tally, by: str, limit: int | None) -> dict[str, Any]:
    """Rows and total as the JSON document has them."""
    sums: dict[str, Sum] = {}
    total = Sum()
    key = _key(tally, by)
    for spent in tally.spending:
        total.spend(spent)
        if by != "tool":
            sums.setdefault(key(spent), Sum()).spend(spent)
    for used in tally.tools:
        total.use(used)
        if by not in ("model", "provider"):
            sums.setdefault(key(used), Sum()).use(used)
    ordered = sorted(sums.items(), key=lambda pair: pair[0])
    ordered.sort(key=lambda pair: _weight(by, *pair), reverse=True)
    rows = [{by: name, **_more(tally, by, name), **_numbers(by, found)} for name, found in ordered[:limit]]
    return {
        "rows": rows,
        "rows_left_out": len(ordered) - len(rows),
        "total": _numbers("", total),
        "unpriced_models": sorted({_key(tally, "model")(spent) for spent in tally.spending if spent.unpriced}),
    }


def _key(tally: Tally, by: str) -> Callable[[Any], str]:
    """What a line adds up: the name under which something that was spent or used goes."""
    project = cache(project_of)
    match by:
        case "model":
            return lambda one: "/".join(filter(None, (one.provider, one.model)))
        case "session":
            return lambda one: str(one.session_id)
        case "project":
            return lambda one: project(tally.sessions[one.session_id].directory)
        case _:
            return lambda one: str(getattr(one, by))


def _weight(by: str, name: str, found: Sum) -> Any:
    """Days newest first; tools by their calls; all else by what it cost, then by its tokens."""
    match by:
        case "day":
            return name
        case "tool":
            return found.calls
        case _:
            return found.usage.cost or Decimal(0), found.usage.total_tokens, found.calls


def _more(tally: Tally, by: str, name: str) -> dict[str, Any]:
    if by != "session":
        return {}
    session = tally.sessions[name]
    return {"title": session.title, "directory": session.directory, "parent_id": session.parent_id}


def _numbers(by: str, found: Sum) -> dict[str, Any]:
    """The fields that a row of this kind has; the total has all of them."""
    usage = found.usage
    tokens = {
        "responses": found.responses,
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost": None if usage.cost is None else format(usage.cost, "f"),
        "unpriced_responses": found.unpriced,
    }
    calls = {
        "tool_calls": found.calls,
        "tool_failures": found.failures,
        "tool_denied": found.denied,
        "tool_ms": round(found.tool_ms, 3),
    }
    sessions = {} if by == "session" else {"sessions": len(found.sessions)}
    match by:
        case "tool":
            return sessions | calls
        case "model" | "provider":
            return sessions | tokens
        case _:
            return sessions | tokens | calls


def _print(screen: Screen, by: str, report: Mapping[str, Any]) -> None:
    """A table whose columns fit 80 characters and more, the name last; then what the numbers leave out."""
    rows: Sequence[Mapping[str, Any]] = report["rows"]
    total = report["total"]
    if by == "tool":
        heads: tuple[str, ...] = ("CALLS", "FAILED", "DENIED", "SECONDS")
        cells = [_tool_cells(row) for row in (*rows, total)]
    else:
        heads = ("COST", "IN", "CACHED", "OUT", "ANSWERS")
        cells = [_token_cells(row) for row in (*rows, total)]
    names = [by.upper(), *(_name(by, row) for row in rows), "(total)"]
    first, *others = [(*line, name) for line, name in zip(_aligned([heads, *cells]), names, strict=True)]
    print_table(screen, first, others)
    if report["rows_left_out"]:
        screen.line(f"and {report['rows_left_out']} more (--limit)")
    if by != "tool" and (lacking := total["unpriced_responses"]):
        answers, its = ("1 answer", "its") if lacking == 1 else (f"{lacking} answers", "their")
        models = ", ".join(report["unpriced_models"])
        screen.line(f"+ no price is known for {answers} of {models}: {its} cost is not in it")


def _aligned(lines: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Numbers flush right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [tuple(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]


def _token_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    more = "+" if row["unpriced_responses"] else " "
    cost = "?" if row["cost"] is None else f"${_money(Decimal(row['cost']))}{more}"
    tokens = (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"])
    return (cost, *map(short, tokens), short(row["responses"]))


def _tool_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    seconds = f"{row['tool_ms'] / 1000:,.1f}"
    return (short(row["tool_calls"]), short(row["tool_failures"]), short(row["tool_denied"]), seconds)


def _name(by: str, row: Mapping[str, Any]) -> str:
    return f"{row['session']}  {row['title'] or '(no title)'}" if by == "session" else str(row[by] or "(unknown)")


def _money(cost: Decimal) -> str:
    """Cents, or four digits where there are not many of them."""
    return f"{cost:,.2f}" if cost >= 100 else f"{cost:.4f}"


def short(number: int) -> str:
    """At most five characters: `999`, `12.3k`, `4.56M`, `7.89G`."""
    if number < 1000:
        return str(number)
    power = next(n for n in (1, 2, 3) if number < 999.5 * 1000**n or n == 3)
    value = number / 1000**power
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{'kMG'[power - 1]}"
