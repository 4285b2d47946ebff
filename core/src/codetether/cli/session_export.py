"""`codetether sessions export`: a session as JSON, Markdown, a page, or a file of another product."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codetether.cli.completion import session_ids
from codetether.cli.table import print_json
from codetether.cli.terminal import YELLOW, Screen

if TYPE_CHECKING:
    from codetether.cli.exports.document import Document, Exported
    from codetether.models.foreign import ForeignSession
    from codetether.runtime import Runtime
    from codetether.session.foreign import ForeignSessions

FORMS = ("json", "md", "html")
_ENDINGS = {".json": "json", ".md": "md", ".markdown": "md", ".html": "html", ".htm": "html"}


async def written(foreign: ForeignSessions, session: ForeignSession, name: str) -> tuple[bytes, list[str]]:
    """A session as the format writes it, and what that cannot hold. Raises UsageError where it writes none."""
    from codetether.errors import UsageError
    from codetether.formats.protocols import SessionWriter

    formats = await foreign.formats()
    writers = {each: made for each, made in formats.items() if isinstance(made, SessionWriter)}
    if name not in writers:
        there = ", ".join(writers) or "none"
        raise UsageError(f"no plugin writes {name!r}; there are: {there}", remedy="codetether plugins list shows them")
    target = io.BytesIO()
    lost = writers[name].write(session, target)
    return target.getvalue(), list(lost)


async def journal_of(runtime: Runtime, session_id: str) -> ForeignSession:
    """A session as formats take it: one of ours, else one that another agent keeps.

    Raises InvalidSessionId, SessionNotFound, JournalDamaged, SourceDamaged.
    """
    from codetether.errors import SessionNotFound
    from codetether.models.foreign import ORIGIN, ForeignSession
    from codetether.models.session import Remembered

    try:
        await runtime.sessions.load(session_id)  # raises what is wrong with it
    except SessionNotFound:
        return await runtime.foreign.one(session_id)
    records = [record async for record in runtime.sessions.records(session_id)]
    origins = [e.value for r in records if isinstance(e := r.entry, Remembered) and e.key == ORIGIN]
    known = origins[-1] if origins and isinstance(origins[-1], dict) else {}
    source_id = known.get("source_id")
    return ForeignSession(source_id=source_id if isinstance(source_id, str) else "", records=tuple(records))


@click.command("export")
@click.argument("session_id", metavar="ID", shell_complete=session_ids)
@click.argument("target", metavar="[FILE]", default="-")
@click.option("--format", "form", type=click.Choice(FORMS), help="By the ending of FILE; json where it has none.")
@click.option("--to", "name", metavar="AGENT", help="As a file of another agent: opencode, codex, claude, …")
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
@click.option(
    "--json", "as_json", is_flag=True, help="Say as JSON what was written to FILE; without FILE: --format json."
)
def export(session_id: str, target: str, form: str | None, name: str | None, force: bool, as_json: bool) -> int:
    """Write a session to FILE, or to standard output (-), with those of its subagents.

    As JSON (see the reference), Markdown or a page of HTML that needs nothing else; or, by --to, as another agent keeps
    its sessions. Known secrets are taken out.
    """
    from codetether.cli.listings import with_runtime
    from codetether.errors import UsageError
    from codetether.storage.durable import replace

    if form and name:
        raise click.UsageError("--format and --to exclude each other")
    path = None if target == "-" else Path(target).expanduser().absolute()
    if path is not None and path.exists() and not force:
        raise UsageError(f"{path} is there already", remedy="Name another file, or add --force.")
    kind = form or ("json" if path is None or name else _form_of(path))

    async def exporting(runtime: Runtime, screen: Screen) -> int:
        await runtime.providers()  # what they find of keys is taken out of what goes
        lost: list[str] = []
        if name is None:
            data = _formed(await _exported(runtime, session_id), kind)
        else:
            session = runtime.redactor.value(await journal_of(runtime, session_id))
            data, lost = await written(runtime.foreign, session, name)
        if path is None:
            sys.stdout.buffer.write(data)
        else:
            replace(path, data)
        for what in lost:
            screen.say(f"not held by {name}: {what}", YELLOW)
        if path is not None and as_json:
            file = {"id": session_id, "file": str(path), "format": name or kind, "bytes": len(data), "lost": lost}
            print_json(screen, file)
        elif path is not None:
            screen.say(f"wrote {path}")
        return 0

    return with_runtime(exporting)


def _form_of(path: Path) -> str:
    """The form by the ending of a file's name, json where it has none. Raises UsageError for one that means nothing."""
    from codetether.errors import UsageError

    if path.suffix and path.suffix.lower() not in _ENDINGS:
        known = ", ".join(_ENDINGS)
        raise UsageError(
            f"no form of a session ends in {path.suffix}; these do: {known}",
            remedy="Name such a file, or say what to write: --format json, md or html, or --to AGENT.",
        )
    return _ENDINGS.get(path.suffix.lower(), "json")


async def _exported(runtime: Runtime, session_id: str) -> Exported:
    """A session and those of its subagents, secrets taken out."""
    from codetether.cli.exports.document import Exported

    records = runtime.redactor.value((await journal_of(runtime, session_id)).records)
    children = await runtime.sessions.children(session_id)
    return Exported(records=records, children=[await _exported(runtime, child.id) for child in children])


def _formed(exported: Exported, form: str) -> bytes:
    from codetether.cli.exports.document import document

    made = document(exported)
    match form:
        case "json":
            import orjson

            return orjson.dumps(made, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        case "md":
            from codetether.cli.exports.markdown import markdown

            return markdown(made).encode()
        case _:
            return _page(made).encode()


def _page(made: Document) -> str:
    from codetether.errors import UsageError

    try:
        from codetether.cli.exports.page import page
    except ImportError as error:
        raise UsageError(
            f"a page needs {error.name}, which is not installed", remedy='pip install "codetether-core[html]"'
        ) from error
    return page(made)
