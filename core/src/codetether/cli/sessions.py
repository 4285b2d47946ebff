"""`codetether sessions`: what is stored; only to delete it are plugins loaded, for the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from codetether.cli.table import print_json, print_table
from codetether.cli.terminal import DIM, Screen, one_line
from codetether.ids import check_session_id
from codetether.models.messages import Message, TextPart, ThinkingPart, ToolCallPart, ToolResultPart
from codetether.models.session import Session, SessionSummary

if TYPE_CHECKING:
    from codetether.runtime import Runtime
    from codetether.storage.store import Store

as_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")
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
    "export": ("codetether.cli.session_export", "export"),
    "import": ("codetether.cli.session_import", "import_"),
}


@click.group("sessions", cls=_Commands)
def sessions() -> None:
    """List, show, delete, import and export sessions."""


@sessions.command("list")
@as_json
@here
@click.option("-n", "--limit", type=click.IntRange(1), help="At most so many, the newest.")
@click.option("--own", is_flag=True, help="Without those of other agents.")
@click.option("--all", "patient", is_flag=True, help="Look at every file of other agents, however long it takes.")
def list_(as_json: bool, here: bool, limit: int | None, own: bool, patient: bool) -> int:
    """List sessions, the last used first; those that other agents keep on this machine stand among them."""

    async def listing(store: Store, screen: Screen) -> int:
        found = await (store.list_for_directory(Path.cwd(), limit=limit) if here else store.list(limit=limit))
        for session_id, why in (await store.unreadable()).items():
            screen.say(f"note: session {session_id} cannot be read: {why}", DIM)
        shown = [(s, _titled(s), _summary(s)) for s in found]
        if not own:
            shown += await _foreign(store, screen, here=here, patient=patient)
            shown = sorted(shown, key=lambda each: each[0].updated_at, reverse=True)[:limit]
        if as_json:
            print_json(screen, [about for _, _, about in shown])
        elif not shown:
            screen.line("No sessions found")
        else:
            rows = [(s.id, _when(s.updated_at), s.message_count, s.agent, s.model or "", t) for s, t, _ in shown]
            print_table(screen, ("ID", "UPDATED", "MESSAGES", "AGENT", "MODEL", "TITLE"), rows)
        return 0

    return with_store(listing)


async def _foreign(
    store: Store, screen: Screen, *, here: bool, patient: bool
) -> list[tuple[SessionSummary, str, dict[str, Any]]]:
    """The sessions of other agents as a listing shows them: `[opencode] <title>`."""
    from codetether.cli.foreign import listed_beside

    shown = []
    for each in await listed_beside(store, screen, patient=patient):
        about = each.summary.session
        if here and not (about.directory and Path(about.directory).resolve() == Path.cwd().resolve()):
            continue
        described = {**_summary(about), "title": each.title, "format": each.format, "source": each.summary.source}
        shown.append((about, each.title, described))
    return shown


@sessions.command("last")
@as_json
@here
def last(as_json: bool, here: bool) -> int:
    """Print the id of the session last used."""

    async def latest(store: Store, screen: Screen) -> int:
        found = await (store.last_for_directory(Path.cwd()) if here else store.last())
        if as_json:
            print_json(screen, _summary(found) if found else None)
        else:
            screen.line(found.id if found else "No sessions found")
        return 0

    return with_store(latest)


@sessions.command("show")
@click.argument("session_id", metavar="ID")
@as_json
def show(session_id: str, as_json: bool) -> int:
    """Show a session: its messages, tool calls and usage."""

    async def shown(store: Store, screen: Screen) -> int:
        from codetether.wire import to_dict

        session = await _session(store, screen, session_id)
        if as_json:
            print_json(screen, to_dict(session))
        else:
            _transcript(screen, session)
        return 0

    return with_store(shown)


async def _session(store: Store, screen: Screen, session_id: str) -> Session:
    """One of ours, else one of another agent's, by the id that listings show."""
    from codetether.cli.foreign import read_foreign
    from codetether.errors import SessionNotFound

    try:
        return (await store.load(session_id)).session
    except SessionNotFound:
        if "_" not in session_id:
            raise
        return (await read_foreign(store, screen, session_id)).session


@sessions.command("delete")
@click.argument("session_ids", metavar="ID...", nargs=-1, required=True)
def delete(session_ids: tuple[str, ...]) -> int:
    """Delete sessions; one that is not there is said, and no error."""

    from codetether.cli.listings import with_runtime

    async def deleted(runtime: Runtime, screen: Screen) -> int:
        for session_id in session_ids:
            gone = await _deleted(runtime, session_id)
            screen.line(f"deleted {session_id}" if gone else f"no session {session_id}: nothing to delete")
        return 0

    return with_runtime(deleted)


async def _deleted(runtime: Runtime, session_id: str) -> bool:
    """Whether the session was there, between its intent and its outcome in the audit trail."""
    from codetether.record.trail import reason

    check_session_id(session_id)
    record = partial(runtime.audit.record, "session", "session:delete", session_id=session_id, call_id=uuid4().hex)
    await record("intent")
    try:
        gone = await runtime.sessions.delete(session_id)
    except Exception as error:
        await record("failure", detail={"error": reason(error)})
        raise
    await record("success", detail={"there": gone})
    return gone


def with_store(command: Callable[[Store, Screen], Awaitable[int]]) -> int:
    """Runs a command on the stored sessions; no plugin is loaded."""
    from codetether.cli.interrupts import launch
    from codetether.settings.settings import directories
    from codetether.storage.disk import Disk
    from codetether.storage.store import Store

    async def opened(_: object) -> int:
        disk = Disk()
        try:
            async with Store(directories().data, disk) as store:
                return await command(store, Screen())
        finally:
            await disk.close()

    return launch(opened)


def _summary(summary: SessionSummary) -> dict[str, Any]:
    names = ("id", "title", "created_at", "updated_at", "message_count", "agent", "directory", "model", "parent_id")
    values = {name: getattr(summary, name) for name in names}
    return {k: v.isoformat().replace("+00:00", "Z") if isinstance(v, datetime) else v for k, v in values.items()}


def _when(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def _titled(summary: SessionSummary) -> str:
    return summary.title or "(no title)"


def _transcript(screen: Screen, session: Session) -> None:
    screen.line(f"{session.id}  {session.title or '(no title)'}")
    about = [session.metadata.directory, session.agent, session.metadata.model or "no model yet"]
    screen.line("  ".join([*about, f"{_when(session.created_at)} to {_when(session.updated_at)}"]))
    for message in session.messages:
        _message(screen, message)
    usage = session.usage
    screen.line(f"\n{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out")


def _message(screen: Screen, message: Message) -> None:
    if message.role != "tool":
        screen.line(f"\n{message.role}:")
    for part in message.parts:
        match part:
            case TextPart():
                screen.line(part.text)
            case ThinkingPart():
                continue
            case ToolCallPart():
                screen.line(f"● {part.name} {one_line(part.arguments, 400)}")
            case ToolResultPart():
                for line in part.text.split("\n"):
                    screen.line(f"  {line}")
            case _:
                screen.line(f"[{type(part).__name__.removesuffix('Part').lower()}]")
