"""`codetether sessions replay`: runs a session again from its record, and shows where it goes another way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codetether.cli.app import EXIT
from codetether.cli.completion import model_names, session_ids
from codetether.cli.sessions import with_store
from codetether.cli.table import as_json, print_json
from codetether.cli.terminal import Screen
from codetether.models.session import JournalRecord

if TYPE_CHECKING:
    from codetether.storage.store import Store
    from codetether.testing.rerun import Rerun


@click.command("replay")
@click.argument("session_id", metavar="ID", shell_complete=session_ids)
@click.option("-m", "--model", metavar="MODEL", shell_complete=model_names, help="Ask this one, not the record.")
@click.option("--save", metavar="FILE", type=click.Path(path_type=Path), help="Also keep it as a cassette for tests.")
@as_json
def replay(session_id: str, model: str | None, save: Path | None, as_json: bool) -> int:
    """Run a session again from its record: no tool runs, and without --model nobody is asked.

    The first request, call or answer that is not as recorded is shown, and the exit code is 1.
    """

    async def replayed(store: Store, screen: Screen) -> int:
        from codetether.testing.rerun import rerun, rerun_live
        from codetether.testing.script import Script

        script = Script.of(await _records(store, screen, session_id))
        if save is not None:
            cassette = script.cassette(save)
            cassette.save()
            screen.say(f"{save}: a cassette of {len(cassette.exchanges)} exchanges")
        found = await (rerun_live(script, model) if model else rerun(script))
        if as_json:
            print_json(screen, _record(found))
        else:
            _show(screen, found)
        return EXIT["done" if found.parting is None else "error"]

    return with_store(replayed)


async def _records(store: Store, screen: Screen, session_id: str) -> Sequence[JournalRecord]:
    """Those of one of ours, else of another agent's, by the id that listings show."""
    from codetether.cli.foreign import read_foreign
    from codetether.errors import SessionNotFound

    try:
        return [record async for record in store.records(session_id)]
    except SessionNotFound:
        return (await read_foreign(store, screen, session_id)).records


def _show(screen: Screen, found: Rerun) -> None:
    counts = {"prompt": found.prompts, "answer": found.answers, "call": found.tool_calls}
    done = ", ".join(f"{count} {word}{'s' * (count != 1)}" for word, count in counts.items())
    if found.parting is None:
        screen.line(f"as recorded: {done}")
        return
    for line in str(found.parting).splitlines():
        screen.line(line)
    screen.line(f"until then as recorded: {done}")


def _record(found: Rerun) -> dict[str, Any]:
    parting = found.parting
    return {
        "prompts": found.prompts,
        "answers": found.answers,
        "tool_calls": found.tool_calls,
        "difference": parting
        and {
            "kind": parting.kind,
            "turn": parting.turn,
            "message": parting.message,
            "path": parting.difference.path,
            "recorded": parting.difference.recorded,
            "now": parting.difference.now,
        },
    }
