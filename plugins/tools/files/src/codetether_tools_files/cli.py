"""`codetether undo`: the last turn's changes taken back, without a conversation."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from codetether import as_json

if TYPE_CHECKING:
    from codetether import Runtime

    from codetether_tools_files.changes import Undone

PLUGIN = "files"


@click.command("undo")
@click.argument("session_id", metavar="[SESSION]", required=False)
@as_json
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
def command(session_id: str | None, as_json: bool, dry_run: bool) -> int:
    """Take back what the file tools changed in the last turn of a session, as a whole.

    SESSION is an id; by default the last session of this directory. Again takes back the turn before. Nothing is
    touched when one of the files was changed since.
    """
    from codetether import Screen

    screen = Screen()
    session_id, undone = asyncio.run(_undo(screen, session_id, dry_run))
    if as_json:
        screen.write(json.dumps(_plain(session_id, undone, dry_run)) + "\n")
        return 0
    from codetether_tools_files.changes import told

    said = "nothing to undo: the tools changed no file in this session"
    screen.line(f"session {session_id}: {said if undone is None else told(undone, dry_run=dry_run)}")
    return 0


def _plain(session_id: str, undone: Undone | None, dry_run: bool) -> dict[str, Any]:
    about: dict[str, Any] = {"session_id": session_id, "dry_run": dry_run, "turn": None}
    files = {"restored": [], "removed": [], "untouched": []} if undone is None else _files(undone)
    return {**about, **({} if undone is None else {"turn": undone.turn}), **files}


def _files(undone: Undone) -> dict[str, Any]:
    return {name: list(getattr(undone, name)) for name in ("restored", "removed", "untouched")}


async def _undo(screen: Any, session_id: str | None, dry_run: bool) -> tuple[str, Undone | None]:
    from codetether import Runtime, SessionNotFound

    async with Runtime.open(directory=Path.cwd(), on_notice=screen.notice) as runtime:
        if session_id is None:
            last = await runtime.sessions.last_for_directory(Path.cwd())
            if last is None:
                raise SessionNotFound("no session of this directory", remedy="codetether sessions list")
            session_id = last.id
        return session_id, await _of_session(runtime, session_id, dry_run)


async def _of_session(runtime: Runtime, session_id: str, dry_run: bool) -> Undone | None:
    """What was taken back, with the session held meanwhile, so that nobody works in it."""
    from codetether import Remembered

    from codetether_tools_files.changes import Changes
    from codetether_tools_files.undoing import UNDONE, remembered

    if dry_run:
        directory = (await runtime.sessions.load(session_id)).session.metadata.directory
        changes = Changes(runtime.contexts.process(PLUGIN).state_dir, session_id, _workspace(directory))
        return await asyncio.to_thread(changes.undo, dry_run=True)
    journal = await runtime.sessions.open(session_id)
    try:
        directory = journal.state.session.metadata.directory
        changes = Changes(runtime.contexts.process(PLUGIN).state_dir, session_id, _workspace(directory))
        undone = await _audited(runtime, session_id, changes)
        if undone is not None:
            before = journal.state.memory.get((PLUGIN, UNDONE))
            journal.append(Remembered(plugin=PLUGIN, key=UNDONE, value=remembered(before, undone)))
            await journal.sync()
        return undone
    finally:
        await journal.close()


def _workspace(directory: str | None) -> Path:
    return Path(directory or Path.cwd()).resolve()


async def _audited(runtime: Runtime, session_id: str, changes: Any) -> Undone | None:
    """The effect between its intent and its outcome in the audit trail."""
    async with runtime.audit.around("session", "undo", session_id=session_id) as told:
        undone: Undone | None = await asyncio.to_thread(changes.undo)
        told |= {} if undone is None else {"turn": undone.turn, **_files(undone)}
    return undone
