"""`codetether sessions repair`: journals that are damaged are mended, and what was wrong is said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codetether.cli.completion import session_ids
from codetether.cli.table import as_json, print_json
from codetether.cli.terminal import RED, YELLOW, Screen

if TYPE_CHECKING:
    from codetether.runtime import Runtime


@click.command("repair")
@click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=session_ids)
@click.option("--dry-run", is_flag=True, help="Only say what is wrong.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where a session works whose first record is lost; this directory by default.",
)
@as_json
def repair(ids: tuple[str, ...], dry_run: bool, directory: Path | None, as_json: bool) -> int:
    """Look at the journals of sessions, of all by default, and mend those that are damaged.

    What cannot be read is put aside in a file beside the journal; the records around it stay as they are.
    """
    from codetether.cli.listings import with_runtime

    work = str((directory or Path.cwd()).resolve())

    async def repairing(runtime: Runtime, screen: Screen) -> int:
        from codetether.errors import StorageError

        store = runtime.sessions
        wanted = ids or tuple(sorted([*(s.id for s in await store.list()), *await store.unreadable()]))
        damaged: list[dict[str, Any]] = []
        failed: list[dict[str, str]] = []
        for session_id in wanted:
            try:
                found = await store.mend(session_id, work, dry=True)
                if found.problems and not dry_run:
                    async with runtime.audit.around("session", "session:repair", session_id=session_id):
                        found = await store.mend(session_id, work)
            except StorageError as error:
                failed.append({"id": session_id, "why": error.message})
                screen.say(f"{session_id}: {error.message}" + (f"\n  {error.remedy}" if error.remedy else ""), RED)
                continue
            if not found.problems:
                continue
            kept = str(found.kept) if found.kept else None
            damaged.append({"id": session_id, "problems": found.problems, "kept": kept})
            for problem in found.problems:
                screen.say(f"{session_id}: {problem}", YELLOW)
            if kept:
                screen.say(f"{session_id}: put aside in {kept}")
        if as_json:
            print_json(screen, {"looked_at": len(wanted), "dry_run": dry_run, "damaged": damaged, "failed": failed})
        else:
            sessions = "1 session" if len(wanted) == 1 else f"{len(wanted)} sessions"
            screen.line(f"{sessions} looked at, {len(damaged)} {'damaged' if dry_run else 'mended'}")
        return 1 if failed else 0

    return with_runtime(repairing)
