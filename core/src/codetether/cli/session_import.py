"""`codetether sessions import`: sessions of other products become ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codetether.cli.app import EXIT
from codetether.cli.terminal import DIM, RED, YELLOW, Screen

if TYPE_CHECKING:
    from codetether.models.foreign import ForeignSession, Unreadable
    from codetether.runtime import Runtime
    from codetether.session.foreign import ForeignSessions

AUTO = "auto"


@click.command("import")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--from", "name", metavar="FORMAT", default=AUTO, help="opencode, codex, claude, codetether, … or auto.")
@click.option("--dry-run", is_flag=True, help="Only say what would come in.")
@click.option("--again", is_flag=True, help="Take in what is here already once more, under another id.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: what was read, and what could not be.")
def import_(paths: tuple[Path, ...], name: str, dry_run: bool, again: bool, as_json: bool) -> int:
    """Take in sessions of other agents: OpenCode, Codex, Claude Code, and what plugins read besides.

    PATH is a session's file, a database or a directory; without one it is where the product keeps its sessions.
    Nothing is ever written there. A session comes in whole or not at all, as <format>_<its id>.
    """
    from codetether.cli.listings import with_runtime

    async def importing(runtime: Runtime, screen: Screen) -> int:
        made = _Import(runtime, screen, dry_run=dry_run, again=again, quiet=as_json)
        if not dry_run:
            await runtime.providers()  # what they find of keys is taken out of what comes in
        async for found in _found(runtime.foreign, name, paths):
            await made.take(found)
        if as_json:
            from codetether.cli.table import print_json

            print_json(screen, {"sessions": made.sessions, "errors": made.errors})
        return made.end(paths)

    return with_runtime(importing)


async def _found(
    foreign: ForeignSessions, name: str, paths: tuple[Path, ...]
) -> AsyncIterator[ForeignSession | Unreadable]:
    """Everything that is meant: of the paths, else of the products' own places; no session twice."""
    from codetether.models.foreign import ForeignSession, Unreadable

    seen: set[str] = set()
    formats = list(await foreign.formats()) if name == AUTO else [name]
    sources = [(each, source) for source in paths for each in await _names(foreign, name, source)]
    known = {source for _, source in sources}
    for source in paths:
        if source not in known:
            yield Unreadable(source=str(source), why=_why_nobodys(source, formats))
    if not paths:
        if name != AUTO and name not in await foreign.formats():
            sources = [(name, Path(name))]  # reading says that there is no such format
        else:
            sources = [(each, source) for each in formats for source in await foreign.places(each)]
    for each, source in sources:
        empty = True
        async for found in foreign.read(source, each):
            empty = False
            if isinstance(found, ForeignSession):
                if found.started.id in seen:
                    continue
                seen.add(found.started.id)
            yield found
        if empty and paths:
            yield Unreadable(source=str(source), why=f"it holds no sessions of {each}")


async def _names(foreign: ForeignSessions, name: str, source: Path) -> list[str]:
    return [name] if name != AUTO else await foreign.recognised(source)


def _why_nobodys(source: Path, formats: list[str]) -> str:
    try:
        source.stat()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    what = "it holds no sessions" if source.is_dir() else "it is no session"
    return f"{what} that is known here ({', '.join(formats) or 'no plugin reads any'})"


class _Import:
    """Takes in one session after the other, and tells of each."""

    def __init__(self, runtime: Runtime, screen: Screen, *, dry_run: bool, again: bool, quiet: bool) -> None:
        self.runtime = runtime
        self.screen = screen
        self.dry_run = dry_run
        self.again = again
        self.quiet = quiet
        self.sessions: list[dict[str, Any]] = []
        self.errors: list[dict[str, str]] = []
        self.refused = False

    async def take(self, found: ForeignSession | Unreadable) -> None:
        """One more."""
        from codetether.cli.foreign import report
        from codetether.errors import StorageError
        from codetether.models.foreign import Unreadable

        if isinstance(found, Unreadable):
            self._fault(found.source, found.why)
            return
        told = report(found)
        try:
            said = await self._kept(found)
        except StorageError as error:
            self.refused = True
            self._fault(found.started.id, error.message)
            return
        self.sessions.append(told)
        if self.quiet:
            if said.endswith("already"):
                self.screen.say(f"note: {said}", DIM)
            return
        self.screen.line(f"{said}  {told['title'] or '(no title)'}")
        counted = f"{told['messages']} messages, {told['tool_calls']} calls of tools"
        tokens = f"{told['usage']['input_tokens']:,} tokens in, {told['usage']['output_tokens']:,} out"
        self.screen.line(f"  {counted}, {tokens}; {told['model'] or 'no model'}; {told['directory'] or 'no directory'}")
        for what in found.lost:
            self.screen.line(f"  not taken over: {what}")

    async def _kept(self, found: ForeignSession) -> str:
        id_ = found.started.id
        if self.dry_run:
            return f"would import {id_}"
        made = await self.runtime.foreign.take_in(found, directory=self.runtime.directory, again=self.again)
        return f"imported {made}" if made is not None else f"{id_} is here already"

    def _fault(self, source: str, why: str) -> None:
        self.errors.append({"source": source, "why": why})
        if not self.quiet:
            self.screen.say(f"cannot read {source}: {why}", RED)

    def end(self, paths: tuple[Path, ...]) -> int:
        """The exit code: 1 where nothing could be read, or something could not be kept."""
        if not self.sessions and not self.errors and not self.quiet:
            where = ", ".join(map(str, paths)) or "the places where other agents keep theirs"
            self.screen.say(f"no sessions found in {where}", YELLOW)
        return EXIT["done"] if self.sessions and not self.refused else EXIT["error"]
