"""`codetether sessions show`: what was said and done in a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from codetether.cli.completion import session_ids
from codetether.cli.sessions import when, with_store
from codetether.cli.table import as_json, print_json
from codetether.cli.terminal import Screen, one_line
from codetether.models.messages import Message, TextPart, ThinkingPart, ToolCallPart, ToolResultPart
from codetether.models.session import JournalRecord, MessageAdded, Session, ToolCompleted

if TYPE_CHECKING:
    from codetether.storage.store import Store


@click.command("show")
@click.argument("session_id", metavar="ID", shell_complete=session_ids)
@click.option("-n", "--last", type=click.IntRange(1), help="Only the last messages: at once, however long it is.")
@click.option("--thinking", is_flag=True, help="With what the model thought.")
@as_json
def show(session_id: str, last: int | None, thinking: bool, as_json: bool) -> int:
    """Show a session: its messages, each with its number, tool calls and usage."""

    async def shown(store: Store, screen: Screen) -> int:
        from codetether.wire import to_dict

        if last is not None:
            messages = await _last(store, screen, session_id, last)
            if as_json:
                print_json(screen, [to_dict(message) for message in messages])
            for message in () if as_json else messages:
                _message(screen, message, None, thinking=thinking)
            return 0
        session = await session_named(store, screen, session_id)
        if as_json:
            print_json(screen, to_dict(session))
        else:
            _transcript(screen, session, thinking=thinking)
        return 0

    return with_store(shown)


async def session_named(store: Store, screen: Screen, session_id: str) -> Session:
    """One of ours, else one of another agent's, by the id that listings show."""
    from codetether.cli.foreign import read_foreign
    from codetether.errors import SessionNotFound

    try:
        return (await store.load(session_id)).session
    except SessionNotFound:
        return (await read_foreign(store, screen, session_id)).session


async def _last(store: Store, screen: Screen, session_id: str, count: int) -> Sequence[Message]:
    """The last messages; of one of ours only they are read."""
    from codetether.cli.foreign import read_foreign
    from codetether.errors import SessionNotFound

    try:
        return [*map(_message_of, filter(_says, await store.latest(session_id, count)))]
    except SessionNotFound:
        return (await read_foreign(store, screen, session_id)).session.messages[-count:]


def _says(record: JournalRecord) -> bool:
    return isinstance(record.entry, MessageAdded | ToolCompleted)


def _message_of(record: JournalRecord) -> Message:
    entry = record.entry
    if isinstance(entry, ToolCompleted):
        return Message(role="tool", parts=(entry.result,), created_at=record.recorded_at)
    assert isinstance(entry, MessageAdded)
    return entry.message


def _transcript(screen: Screen, session: Session, *, thinking: bool) -> None:
    screen.line(f"{session.id}  {session.title or '(no title)'}")
    about = [session.metadata.directory, session.agent, session.metadata.model or "no model yet"]
    screen.line("  ".join([*about, f"{when(session.created_at)} to {when(session.updated_at)}"]))
    for number, message in enumerate(session.messages, 1):
        _message(screen, message, number, thinking=thinking)
    usage = session.usage
    cost = "" if usage.cost is None else f", ${usage.cost:.4f}"
    screen.line(f"\n{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out{cost}")


def _message(screen: Screen, message: Message, number: int | None, *, thinking: bool) -> None:
    if message.role != "tool":
        screen.line(f"\n{message.role}:" if number is None else f"\n{message.role}:  #{number}")
    for part in message.parts:
        match part:
            case TextPart():
                screen.line(part.text)
            case ThinkingPart():
                for line in part.text.split("\n") if thinking and part.text else ():
                    screen.line(f"  │ {line}")
            case ToolCallPart():
                screen.line(f"● {part.name} {one_line(part.arguments, 400)}")
            case ToolResultPart():
                for line in part.text.split("\n"):
                    screen.line(f"  {line}")
            case _:
                screen.line(f"[{type(part).__name__.removesuffix('Part').lower()}]")
