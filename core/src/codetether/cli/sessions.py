"""`codetether sessions`: the group of commands, and the listings of what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codetether.cli.table import as_json, print_json, print_table
from codetether.cli.terminal import DIM, Screen
from codetether.models.session import SessionSummary

if TYPE_CHECKING:
    from codetether.session.foreign import Foreign
    from codetether.storage.store import Store

here = click.option("--here", is_flag=True, help="Only those of this directory.")


class _Commands(click.Group):
    """Those that live in modules of their own are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, by name."""
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, name = _ELSEWHERE[cmd_name]
        found: click.Command = getattr(import_module(module), name)
        return found


_ELSEWHERE = {
    "delete": ("codetether.cli.session_changes", "delete"),
    "export": ("codetether.cli.session_export", "export"),
    "fork": ("codetether.cli.session_changes", "fork"),
    "import": ("codetether.cli.session_import", "import_"),
    "rename": ("codetether.cli.session_changes", "rename"),
    "replay": ("codetether.cli.session_replay", "replay"),
    "repair": ("codetether.cli.session_repair", "repair"),
    "resume": ("codetether.cli.session_resume", "resume"),
    "search": ("codetether.cli.session_search", "search"),
    "show": ("codetether.cli.session_show", "show"),
}


@click.group("sessions", cls=_Commands)
def sessions() -> None:
    """Find, read, go on with, fork, export and mend sessions."""


@sessions.command("list")
@as_json
@here
@click.option("-n", "--limit", type=click.IntRange(1), help="At most so many, the newest.")
@click.option("--own", is_flag=True, help="Without those of other agents.")
@click.option("--subagents", is_flag=True, help="With those that worked for another session.")
@click.option("--all", "patient", is_flag=True, help="Look at every file of other agents, however long it takes.")
def list_(as_json: bool, here: bool, limit: int | None, own: bool, subagents: bool, patient: bool) -> int:
    """List sessions, the last used first; those that other agents keep on this machine stand among them."""

    async def listing(store: Store, screen: Screen) -> int:
        how: dict[str, Any] = {"limit": limit, "subagents": subagents}
        found = await (store.list_for_directory(Path.cwd(), **how) if here else store.list(**how))
        for session_id, why in (await store.unreadable()).items():
            screen.say(f"note: session {session_id} cannot be read: {why}", DIM)
        shown: list[SessionSummary | Foreign] = [*found]
        if not own:
            shown += await _foreign(store, screen, here=here, patient=patient)
            shown = sorted(shown, key=lambda each: _summary(each).updated_at, reverse=True)[:limit]
        if as_json:
            print_json(screen, [described(s) if isinstance(s, SessionSummary) else described_foreign(s) for s in shown])
        elif not shown:
            screen.line("No sessions found")
        else:
            print_table(screen, ("ID", "UPDATED", "MESSAGES", "AGENT", "MODEL", "TITLE"), [*map(_row, shown)])
        return 0

    return with_store(listing)


async def _foreign(store: Store, screen: Screen, *, here: bool, patient: bool) -> list[Foreign]:
    """The sessions of other agents, of this directory or all."""
    from codetether.cli.foreign import listed_beside

    found = await listed_beside(store, screen, patient=patient)
    place = Path.cwd().resolve()
    return [each for each in found if not here or _directory(each) == place]


def _directory(foreign: Foreign) -> Path | None:
    directory = foreign.summary.session.directory
    return Path(directory).resolve() if directory else None


def _row(session: SessionSummary | Foreign) -> tuple[object, ...]:
    about = _summary(session)
    return about.id, when(about.updated_at), about.message_count, about.agent, about.model or "", titled(session)


def _summary(session: SessionSummary | Foreign) -> SessionSummary:
    return session if isinstance(session, SessionSummary) else session.summary.session


@sessions.command("last")
@as_json
@here
def last(as_json: bool, here: bool) -> int:
    """Print the id of the session last used."""

    async def latest(store: Store, screen: Screen) -> int:
        found = await (store.last_for_directory(Path.cwd()) if here else store.last())
        if as_json:
            print_json(screen, described(found) if found else None)
        else:
            screen.line(found.id if found else "No sessions found")
        return 0

    return with_store(latest)


def with_store(command: Callable[[Store, Screen], Awaitable[int]]) -> int:
    """Runs a command on the stored sessions."""
    from codetether.cli.interrupts import launch

    async def opened(_: object) -> int:
        async with stored() as store:
            return await command(store, Screen())

    return launch(opened)


@asynccontextmanager
async def stored() -> AsyncIterator[Store]:
    """The stored sessions; no plugin is loaded."""
    from codetether.settings.settings import directories
    from codetether.storage.disk import Disk
    from codetether.storage.store import Store

    disk = Disk()
    try:
        async with Store(directories().data, disk) as store:
            yield store
    finally:
        await disk.close()


def described(summary: SessionSummary) -> dict[str, Any]:
    """A session as JSON lists it."""
    names = ("id", "title", "created_at", "updated_at", "message_count", "agent", "directory", "model", "parent_id")
    values = {name: getattr(summary, name) for name in names}
    return {k: v.isoformat().replace("+00:00", "Z") if isinstance(v, datetime) else v for k, v in values.items()}


def described_foreign(foreign: Foreign) -> dict[str, Any]:
    """The same of a session that another agent keeps."""
    more = {"title": foreign.title, "format": foreign.format, "source": foreign.summary.source}
    return described(foreign.summary.session) | more


def when(time: datetime) -> str:
    """A time as listings show it: local, to the minute."""
    return datetime.fromtimestamp(time.timestamp()).isoformat(" ", "minutes")  # noqa: DTZ006 - local, as it is meant


def titled(session: SessionSummary | Foreign) -> str:
    """The title, or that there is none; of one that another agent keeps: `[opencode] <title>`."""
    return session.title or "(no title)"
