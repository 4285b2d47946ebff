"""`codetether sessions fork`, `rename` and `delete`: what changes which sessions there are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from codetether.cli.completion import session_ids
from codetether.cli.sessions import titled
from codetether.cli.table import as_json, print_json
from codetether.cli.terminal import Screen

if TYPE_CHECKING:
    from codetether.models.session import SessionSummary
    from codetether.runtime import Runtime

one_id = click.argument("session_id", metavar="ID", shell_complete=session_ids)


@click.command("fork")
@one_id
@click.option("--message", type=click.IntRange(1), help="Only up to this message, as `show` numbers them.")
@click.option("--turn", type=click.IntRange(1), help="Only up to the end of this turn: a prompt and its answer.")
@click.option("--title", help="What to call it; the other's title and (fork) by default.")
@as_json
def fork(session_id: str, message: int | None, turn: int | None, title: str | None, as_json: bool) -> int:
    """Begin a new session with what another one holds.

    The other stays as it is. `codetether run -s NEW …` goes on with the fork, and so does `run -c` in its directory.
    """
    from codetether.cli.listings import with_runtime

    if message is not None and turn is not None:
        raise click.UsageError("--message and --turn exclude each other")

    async def forking(runtime: Runtime, screen: Screen) -> int:
        from codetether.cli.session_export import journal_of
        from codetether.storage.forks import fork as forked
        from codetether.storage.store import new_session_id

        await runtime.providers()  # what they find of keys is taken out of what is written
        source = await journal_of(runtime, session_id)
        new_id = new_session_id()
        records = forked(source.records, new_id, messages=message, turn=turn, title=title)
        async with runtime.audit.around("session", "session:fork", session_id=new_id, detail={"of": session_id}):
            await runtime.sessions.adopt(records)
        fresh = (await runtime.sessions.load(new_id)).session
        if as_json:
            count = len(fresh.messages)
            print_json(screen, {"id": fresh.id, "forked_from": session_id, "title": fresh.title, "messages": count})
        else:
            screen.line(fresh.id)
            screen.say(f"forked {session_id} with {len(fresh.messages)} messages: {fresh.title}")
        return 0

    return with_runtime(forking)


@click.command("rename")
@one_id
@click.argument("title")
@as_json
def rename(session_id: str, title: str, as_json: bool) -> int:
    """Give a session another title; an empty one takes it away. One of another agent's is taken in first."""
    from codetether.cli.foreign import taken_in
    from codetether.cli.listings import with_runtime
    from codetether.models.session import TitleChanged

    async def renaming(runtime: Runtime, screen: Screen) -> int:
        await runtime.providers()  # what they find of keys is taken out of what is written
        own_id = await taken_in(runtime, session_id, runtime.directory, screen.notice)
        async with runtime.audit.around("session", "session:rename", session_id=own_id):
            journal = await runtime.sessions.open(own_id)
            journal.append(TitleChanged(title=" ".join(title.split()) or None))
            await journal.close()
        named = journal.state.session.title
        if as_json:
            print_json(screen, {"id": session_id, "title": named})
        else:
            screen.line(f"{session_id}  {named or '(no title)'}")
        return 0

    return with_runtime(renaming)


@click.command("delete")
@click.argument("session_ids", metavar="ID...", nargs=-1, required=True, shell_complete=session_ids)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@as_json
def delete(session_ids: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Delete sessions, with those of their subagents, for good; one that is not there is said, and no error.

    At a terminal it asks first.
    """
    from codetether.cli.listings import with_runtime

    async def deleted(runtime: Runtime, screen: Screen) -> int:
        wanted = [*dict.fromkeys([each for id_ in session_ids for each in (id_, *await _below(runtime, id_))])]
        there = await runtime.sessions.some(wanted)
        if not yes and not _agreed(screen, [there[id_] for id_ in wanted if id_ in there]):
            screen.say("nothing was deleted")
            return 1
        done: dict[str, list[str]] = {"deleted": [], "missing": []}
        for session_id in (*wanted, *(id_ for n, id_ in enumerate(session_ids) if id_ in session_ids[:n])):
            gone = await deleted_session(runtime, session_id)
            done["deleted" if gone else "missing"].append(session_id)
            if not as_json:
                screen.line(f"deleted {session_id}" if gone else await _kept_elsewhere(runtime, session_id))
        if as_json:
            print_json(screen, done)
        return 0

    return with_runtime(deleted)


async def _below(runtime: Runtime, session_id: str) -> list[str]:
    """The subagents of a session, and theirs."""
    children = [each.id for each in await runtime.sessions.children(session_id)]
    return [id_ for child in children for id_ in (child, *await _below(runtime, child))]


async def _kept_elsewhere(runtime: Runtime, session_id: str) -> str:
    """Why nothing was deleted."""
    from codetether.errors import SessionNotFound

    try:
        found = await runtime.foreign.one(session_id)
    except SessionNotFound:
        return f"no session {session_id}: nothing to delete"
    return f"{found.started.id} is kept by another agent: nothing is deleted there"


def _agreed(screen: Screen, sessions: list[SessionSummary]) -> bool:
    """What somebody at the terminal says; where nobody sits there, the command itself is the word."""
    from codetether.cli.person import TerminalPerson

    if not sessions or not TerminalPerson.present():
        return True
    for each in sessions:
        below = f" (of {each.parent_id})" if each.parent_id else ""
        screen.say(f"{each.id}  {each.message_count} messages  {titled(each)}{below}")
    screen.err.write("Delete for good? [y/N] ")
    screen.err.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def deleted_session(runtime: Runtime, session_id: str) -> bool:
    """Whether the session was there, between its intent and its outcome in the audit trail."""
    from codetether.ids import check_session_id

    check_session_id(session_id)
    async with runtime.audit.around("session", "session:delete", session_id=session_id) as told:
        gone = told["there"] = await runtime.sessions.delete(session_id)
    return gone
