"""`codetether sessions export`: a session as a file of another product."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codetether.cli.terminal import YELLOW, Screen

if TYPE_CHECKING:
    from codetether.models.foreign import ForeignSession
    from codetether.runtime import Runtime
    from codetether.session.foreign import ForeignSessions
    from codetether.storage.store import Store


async def written(foreign: ForeignSessions, session: ForeignSession, name: str) -> tuple[bytes, list[str]]:
    """A session as the format writes it, and what that cannot hold. Raises UsageError where it writes none."""
    from codetether.errors import UsageError
    from codetether.formats.protocols import SessionWriter

    formats = await foreign.formats()
    writers = {each: made for each, made in formats.items() if isinstance(made, SessionWriter)}
    if name not in writers:
        raise UsageError(f"no plugin writes {name!r}; there are: {', '.join(writers) or 'none'}")
    target = io.BytesIO()
    lost = writers[name].write(session, target)
    return target.getvalue(), list(lost)


async def journal_of(store: Store, session_id: str) -> ForeignSession:
    """One of our sessions as formats take it. Raises InvalidSessionId, SessionNotFound, JournalDamaged."""
    from codetether.models.foreign import ORIGIN, ForeignSession
    from codetether.models.session import Remembered

    await store.load(session_id)  # raises what is wrong with it
    records = [record async for record in store.records(session_id)]
    origins = [e.value for r in records if isinstance(e := r.entry, Remembered) and e.key == ORIGIN]
    known = origins[-1] if origins and isinstance(origins[-1], dict) else {}
    source_id = known.get("source_id")
    return ForeignSession(source_id=source_id if isinstance(source_id, str) else "", records=tuple(records))


@click.command("export")
@click.argument("session_id", metavar="ID")
@click.argument("target", metavar="[FILE]", default="-")
@click.option("--to", "name", metavar="FORMAT", required=True, help="opencode, codex, claude, …")
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
def export(session_id: str, target: str, name: str, force: bool) -> int:
    """Write a session as a file of another agent, to FILE or to standard output (-)."""
    from codetether.cli.listings import with_runtime
    from codetether.errors import UsageError
    from codetether.storage.durable import replace

    async def exporting(runtime: Runtime, screen: Screen) -> int:
        await runtime.providers()  # what they find of keys is taken out of what goes
        session = await journal_of(runtime.sessions, session_id)
        session = runtime.redactor.value(session)
        data, lost = await written(runtime.foreign, session, name)
        if target == "-":
            sys.stdout.buffer.write(data)
        else:
            path = Path(target).expanduser()
            if path.exists() and not force:
                raise UsageError(f"{path} is there already", remedy="Name another file, or add --force.")
            replace(path.absolute(), data)
            screen.say(f"wrote {path}")
        for what in lost:
            screen.say(f"not held by {name}: {what}", YELLOW)
        return 0

    return with_runtime(exporting)
