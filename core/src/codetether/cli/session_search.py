"""`codetether sessions search`: words in everything that was said, called and answered."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from codetether.cli.completion import model_names
from codetether.cli.projects import project_of
from codetether.cli.sessions import described, described_foreign, here, when, with_store
from codetether.cli.table import as_json, print_json
from codetether.cli.terminal import BOLD, DIM, YELLOW, Screen, visible

if TYPE_CHECKING:
    from codetether.models.session import SessionSummary
    from codetether.record.redact import Redactor
    from codetether.storage.search import Finding, Findings, Hit, Scope
    from codetether.storage.store import Store

SCHEMA = 1
"""The version of the JSON document. A new field does not change it."""
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
_WORTH_SAYING = 50


_PLACE = click.Path(path_type=Path, file_okay=False)


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@here
@click.option("-d", "--directory", type=_PLACE, help="Only sessions of this directory.")
@click.option("--project", type=_PLACE, help="Only sessions in the repository that this directory lies in.")
@click.option("--since", type=click.DateTime(_TIMES), metavar="DATE", help="Only what was written from then on.")
@click.option("--until", type=click.DateTime(_TIMES), metavar="DATE", help="Only what was written then or before.")
@click.option(
    "-m", "--model", metavar="MODEL", shell_complete=model_names, help="Only sessions in which it answered; * is any."
)
@click.option("--tool", metavar="TOOL", help="Only in calls and results of this tool; * is any.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many sessions.")
@click.option("--own", is_flag=True, help="Without sessions of other agents.")
@click.option("--all", "patient", is_flag=True, help="Read every file of other agents, however long it takes.")
@as_json
def search(words: tuple[str, ...], limit: int, own: bool, patient: bool, as_json: bool, **scoped: Any) -> int:
    """Find the sessions in which all WORDS stand in one text: a message, a thought, a call, a result, a title.

    A word finds longer ones that begin with it; '"two words"' in quotes stand like that, next to each other; -word must
    not be there (put -- before the words then). Case and accents do not matter. What was written last comes first.
    """
    query, scope = (
        " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words),
        _scope(own=own, **scoped),
    )

    async def searching(store: Store, screen: Screen) -> int:
        from codetether.storage.phrases import Phrases

        phrases = Phrases(query)
        if not own:
            await _read_others(store, screen, patient=patient)
        found = await store.search(phrases, scope, _Progress(screen), limit=limit)
        known = await store.some([each.session_id for each in found.sessions])
        shown = [(each, _summary(each, known)) for each in found.sessions]
        if as_json:
            print_json(screen, _document(query, found, shown))
        else:
            _print(screen, found, shown, limit)
        return 0 if shown else 1

    return with_store(searching)


def _scope(
    *,
    here: bool,
    directory: Path | None,
    project: Path | None,
    since: datetime | None,
    until: datetime | None,
    model: str | None,
    tool: str | None,
    own: bool,
) -> Scope:
    from codetether.storage.search import Scope

    if here + (directory is not None) + (project is not None) > 1:
        raise click.UsageError("--here, --directory and --project exclude each other")
    place = Path.cwd() if here else directory
    last = until
    if until is not None and until.time() == datetime.min.time():
        last = until + timedelta(days=1)  # a day is meant whole
    return Scope(
        directory=os.path.realpath(place) if place else None,
        below=project_of(os.path.realpath(project)) if project else None,
        since=_utc(since),
        until=_utc(last),
        model=model,
        tool=tool,
        own=own,
    )


def _utc(time: datetime | None) -> str:
    """A local time as journals write theirs; empty for none."""
    return "" if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


class _Progress:
    """Says that sessions are read for the first time, where that takes a while."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._said = False

    def __call__(self, done: int, all_: int) -> None:
        if all_ >= _WORTH_SAYING and not self._said:
            self._said = True
            self._screen.say(f"note: reading {all_:,} sessions that no search has seen yet", DIM)


def _summary(found: Finding, known: dict[str, SessionSummary]) -> dict[str, Any]:
    """The session as listings show it."""
    from codetether.session.foreign_texts import kept

    if found.summary is not None:
        return described_foreign(kept(found.summary))
    return described(known[found.session_id])


def _document(query: str, found: Findings, shown: list[tuple[Finding, dict[str, Any]]]) -> dict[str, Any]:
    sessions = [{**about, "hits": [attrs.asdict(hit) for hit in each.hits]} for each, about in shown]
    return {"schema": SCHEMA, "query": query, "sessions": sessions, "more": found.more}


def _print(screen: Screen, found: Findings, shown: list[tuple[Finding, dict[str, Any]]], limit: int) -> None:
    bold, dim = (f"\x1b[{BOLD}m", f"\x1b[{DIM}m") if screen.live and screen.coloured else ("", "")
    off = "\x1b[0m" if bold else ""
    for each, about in shown:
        title = visible(about["title"] or "(no title)")
        updated = when(datetime.fromisoformat(about["updated_at"]))
        screen.write(f"{bold}{each.session_id}{off}  {updated}  {title}  {dim}{visible(about['directory'])}{off}\n")
        for hit in each.hits:
            screen.write(f"  {dim}{_origin(hit)}{off} {_marked(hit, bold, off)}\n")
    if not shown:
        screen.line("Nothing found")
    if found.more:
        screen.line(f"and more sessions than {limit} (--limit)")


def _origin(hit: Hit) -> str:
    name = f" {visible(hit.name)}" if hit.kind in ("call", "result") else ""
    return f"{hit.kind}{name}:"


def _marked(hit: Hit, on: str, off: str) -> str:
    """The snippet with what matched set off."""
    made, done = "", 0
    for start, end in hit.matches:
        made += f"{visible(hit.snippet[done:start])}{on}{visible(hit.snippet[start:end])}{off}"
        done = end
    return made + visible(hit.snippet[done:])


async def _read_others(store: Store, screen: Screen, *, patient: bool) -> None:
    """What other products hold is read for the search, as far as it changed and there is time."""
    from codetether.cli.foreign import foreign_sessions
    from codetether.errors import CodetetherError
    from codetether.session.foreign_texts import texts_kept

    def redactor() -> Redactor:
        from codetether.runtime import redactor_of
        from codetether.settings.settings import load_settings

        return redactor_of(load_settings(Path.cwd()))

    try:
        async with foreign_sessions(store, screen, whole=patient) as foreign:
            left = await texts_kept(foreign, None if patient else foreign.patience, redactor)
    except CodetetherError as error:
        screen.say(f"note: sessions of other products are not searched: {error.message}", YELLOW)
        return
    if left:
        screen.say(f"note: {left} files of other products were not read yet: codetether sessions search --all …", DIM)
