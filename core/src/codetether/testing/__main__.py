"""Tries plugins: `python -m codetether.testing [PLUGIN…] [--json]`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence

import click
import orjson

from codetether.errors import CodetetherError
from codetether.testing.examine import cases, check_excuses, judge
from codetether.testing.promises import Judged, Verdict
from codetether.testing.subjects import Subject, installed_subjects

SIGNS: dict[Judged, str] = {"kept": "ok", "broken": "BROKEN", "excused": "excused", "not tried": "-"}


@click.command(name="python -m codetether.testing")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN…]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each promise and record, a line each.")
@click.option("--why", is_flag=True, help="Say why a promise was not tried, too.")
def main(plugins: tuple[str, ...], as_json: bool, why: bool) -> None:
    """Tries every promise that fits on each PLUGIN, by default on all that are installed.

    Exits with 1 when one is broken, and with 2 when there is no such plugin.
    """
    try:
        subjects = installed_subjects(plugins)
    except CodetetherError as error:
        raise click.UsageError(str(error)) from error
    verdicts = asyncio.run(_judged(subjects, as_json, why))
    wrong = [f"{s.name}: Trials.excused names no promise: {e}" for s in subjects for e in check_excuses(s)]
    for line in wrong:
        click.echo(line, err=True)
    if not as_json:
        broken = [verdict.promise for verdict in verdicts if verdict.judged == "broken"]
        for page in dict.fromkeys(promise.page for promise in broken):
            click.echo(f"In the documentation: {page}")
        click.echo(summary(verdicts))
    sys.exit(1 if wrong or any(v.judged == "broken" for v in verdicts) else 0)


async def _judged(subjects: Iterable[Subject], as_json: bool, why: bool) -> list[Verdict]:
    verdicts = []
    for subject in subjects:
        if not as_json:
            version = f" ({subject.info.distribution} {subject.info.version})" if subject.info.distribution else ""
            click.echo(click.style(f"{subject.name}{version}", bold=True))
        for case in cases(subject):
            verdict = await judge(case)
            verdicts.append(verdict)
            click.echo(orjson.dumps(as_data(verdict)) if as_json else line(verdict, case.id, why))
    return verdicts


def line(verdict: Verdict, title: str, why: bool) -> str:
    """One row of the table: the sign, the promise, the record, and why it is not kept."""
    said = verdict.why if verdict.judged != "not tried" or why else ""
    return f"  {SIGNS[verdict.judged]:8} {title}" + (f"\n           {said}" if said else "")


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many are kept, broken, excused, not tried."""
    counts = {sign: sum(v.judged == sign for v in verdicts) for sign in SIGNS}
    return ", ".join(f"{count} {sign}" for sign, count in counts.items() if count)


def as_data(verdict: Verdict) -> dict[str, object]:
    """A verdict as plain data."""
    return {
        "plugin": verdict.plugin,
        "kind": verdict.promise.kind,
        "record": verdict.record,
        "promise": verdict.promise.name,
        "judged": verdict.judged,
        "why": verdict.why,
        "seconds": round(verdict.seconds, 3),
    }


if __name__ == "__main__":
    main()
