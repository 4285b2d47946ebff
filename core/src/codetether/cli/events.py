"""`codetether events`: the streams that sessions leave in files, and their way to an archive."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codetether.cli.completion import session_ids
from codetether.cli.listings import with_runtime
from codetether.cli.table import as_json, print_json, print_table
from codetether.cli.terminal import DIM, YELLOW, Screen, json_line, one_line
from codetether.errors import UsageError

if TYPE_CHECKING:
    from codetether.models.archive import ArchiveProgress, ArchiveReport
    from codetether.runtime import Runtime
    from codetether.session.sealing import Sealing

LOOK = 0.25
"""Seconds between two looks at a stream that is followed."""

NO_SPOOL = "no events are kept in files"
REMEDY = "name a directory by CODETETHER_EVENT_STREAM_PATH, or in the settings: [plugins.events-jsonl] path"


@click.group("events")
def events() -> None:
    """List, show and follow the event streams of sessions; archive them."""


@events.command("list")
@as_json
def list_(as_json: bool) -> int:
    """List the sessions that have an event stream, the last written first."""

    async def listing(spools: tuple[Path, ...], runtime: Runtime, screen: Screen) -> int:
        from codetether.storage.streams import stream_sessions

        found = [_summary(spool, session) for spool in spools for session in stream_sessions(spool)]
        found = sorted((each for each in found if each["files"]), key=lambda each: each["updated_at"], reverse=True)
        if as_json:
            print_json(screen, found)
        elif not found:
            screen.line("No event streams found")
        else:
            rows = [(e["session_id"], _local(e["updated_at"]), e["bytes"], e["files"], e["open_bytes"]) for e in found]
            print_table(screen, ("SESSION", "UPDATED", "BYTES", "FILES", "NOT SEALED"), rows)
        return 0

    return _with_spools(listing)


def _summary(spool: Path, session: str) -> dict[str, Any]:
    from codetether.storage.streams import stream_files

    files = stream_files(spool, session)
    times = [_modified(file.path) for file in files]
    return {
        "session_id": session,
        "updated_at": max(times, default=0.0) and datetime.fromtimestamp(max(times), UTC).isoformat(),
        "bytes": files[-1].end if files else 0,
        "files": len(files),
        "open_bytes": sum(file.size for file in files if not file.sealed),
        "directory": str(spool / session),
    }


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # sealed under another name, or gone, since it was listed
        return 0.0


@events.command("show")
@click.argument("session_id", metavar="ID", shell_complete=session_ids)
@click.option("--from-byte", type=click.IntRange(0), help="From the first line that begins there or later.")
@click.option("--since", metavar="TIME", help="From that time on: 2026-01-31T09:30, 09:30 or 15m (ago).")
@click.option("--until", metavar="TIME", help="Up to that time.")
@click.option("-n", "--limit", type=click.IntRange(1), help="At most so many events.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are, each with its place as `byte`.")
def show(
    session_id: str, from_byte: int | None, since: str | None, until: str | None, limit: int | None, as_json: bool
) -> int:
    """Show a session's events, from a byte or a time on."""
    if from_byte is not None and since is not None:
        raise UsageError("--from-byte and --since both say where to begin", remedy="give one of them")
    begin, end = (_moment(text) if text else None for text in (since, until))

    async def shown(spools: tuple[Path, ...], runtime: Runtime, screen: Screen) -> int:
        from codetether.storage.streams import byte_at, recorded_at, stream_lines

        spool = _holding(spools, session_id)
        start = from_byte or (0 if begin is None else byte_at(spool, session_id, begin))
        for count, (place, line) in enumerate(stream_lines(spool, session_id, start)):
            if count == limit or (end is not None and recorded_at(line) > end):
                break
            _print(screen, place, line, as_json)
        return 0

    return _with_spools(shown)


@events.command("tail")
@click.argument("session_id", metavar="[ID]", required=False, shell_complete=session_ids)
@click.option("-n", "--limit", type=click.IntRange(0), default=10, show_default=True, help="So many events to begin.")
@click.option("-f", "--follow", is_flag=True, help="Go on as events come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are, each with its place as `byte`.")
def tail(session_id: str | None, limit: int, follow: bool, as_json: bool) -> int:
    """Show the last events of a session, of the one last written by default."""

    async def shown(spools: tuple[Path, ...], runtime: Runtime, screen: Screen) -> int:
        from codetether.storage.streams import stream_lines

        session = session_id or _newest(spools)
        spool = _holding(spools, session)
        place = 0
        for place, line in _last(spool, session, limit):
            _print(screen, place, line, as_json)
            place += len(line) + 1
        while follow:
            for at, line in stream_lines(spool, session, place):
                _print(screen, at, line, as_json)
                place = at + len(line) + 1
            await asyncio.sleep(LOOK)
        return 0

    return _with_spools(shown)


@events.command("flush")
@click.option(
    "--timeout", type=click.FloatRange(0), help="Give up after so many seconds; else when nothing was stored for 60."
)
@as_json
def flush(timeout: float | None, as_json: bool) -> int:
    """Seal what no running session writes, and archive everything that waits."""

    async def flushed(spools: tuple[Path, ...], runtime: Runtime, screen: Screen) -> int:
        from codetether.session.sealing import seal_streams

        sealing = await seal_streams(runtime, spools)
        progress = _Progress(screen)
        reports = await runtime.archiving.flush(progress.tell, limit=timeout)
        progress.end()
        lacking = any(report.waiting or report.problem for _, report in reports)
        if as_json:
            print_json(screen, _flushed(sealing, reports))
        else:
            _say_flushed(screen, sealing, reports)
        return 1 if lacking else 0

    return _with_spools(flushed)


def _flushed(sealing: Sealing, reports: list[tuple[str, ArchiveReport]]) -> dict[str, Any]:
    names = ("stored", "stored_bytes", "waiting", "waiting_bytes", "problem")
    archives = [{"archive": name, **{n: getattr(report, n) for n in names}} for name, report in reports]
    ok = not any(report.waiting or report.problem for _, report in reports)
    return {"ok": ok, "sealed": sealing.sealed, "not_sealed": sealing.left, "archives": archives}


def _say_flushed(screen: Screen, sealing: Sealing, reports: list[tuple[str, ArchiveReport]]) -> None:
    for session, why in sealing.left.items():
        screen.say(f"note: the stream of {session} is not sealed: {why}", DIM)
    screen.line(f"{len(sealing.sealed)} streams sealed")
    if not reports:
        screen.say("note: no archive is set up: codetether-agent[s3] and CODETETHER_S3_BUCKET make one", DIM)
    for name, report in reports:
        screen.line(f"{name}: {report.stored} files stored ({report.stored_bytes:,} bytes), {report.waiting} wait")
        if report.problem:
            screen.say(f"note: {report.problem}", YELLOW)


class _Progress:
    """A line on standard error that tells how far an archive is: on a terminal only, and at most ten times a second."""

    def __init__(self, screen: Screen) -> None:
        self._shown = 0.0
        self._live = os.isatty(2)
        self._screen = screen

    def tell(self, progress: ArchiveProgress) -> None:
        if not self._live or time.monotonic() - self._shown < 0.1:
            return
        self._shown = time.monotonic()
        share = 100 * (progress.done_bytes + progress.sent) / max(1, progress.bytes)
        text = f"{progress.done}/{progress.files} files, {share:.0f} %  {one_line(progress.file, 50)}"
        os.write(2, f"\r\x1b[K{text}".encode())

    def end(self) -> None:
        if self._shown:
            os.write(2, b"\r\x1b[K")


def _with_spools(command: Callable[[tuple[Path, ...], Runtime, Screen], Awaitable[int]]) -> int:
    async def found(runtime: Runtime, screen: Screen) -> int:
        spools = (await runtime.archiving.made()).spools
        if not spools:
            raise UsageError(NO_SPOOL, remedy=REMEDY)
        return await command(spools, runtime, screen)

    return with_runtime(found)


def _holding(spools: tuple[Path, ...], session: str) -> Path:
    from codetether.ids import check_session_id
    from codetether.storage.streams import stream_files

    check_session_id(session)
    for spool in spools:
        if stream_files(spool, session):
            return spool
    raise UsageError(f"session {session} has no event stream", remedy="codetether events list")


def _newest(spools: tuple[Path, ...]) -> str:
    from codetether.storage.streams import stream_sessions

    found = [_summary(spool, session) for spool in spools for session in stream_sessions(spool)]
    found = [each for each in found if each["files"]]
    if not found:
        raise UsageError("there are no event streams yet", remedy="codetether run")
    newest: str = max(found, key=lambda each: each["updated_at"])["session_id"]
    return newest


def _last(spool: Path, session: str, count: int) -> Iterator[tuple[int, bytes]]:
    """The last lines: read from the last files only, as many as it takes."""
    from codetether.storage.streams import stream_files, stream_lines

    files = stream_files(spool, session)
    found: list[tuple[int, bytes]] = []
    for file in reversed(files):
        found = list(stream_lines(spool, session, file.first))
        if len(found) >= count:
            break
    yield from found[max(0, len(found) - count) :]


def _print(screen: Screen, place: int, line: bytes, as_json: bool) -> None:
    if as_json:
        body = (
            line if line.startswith(b"{") and line.rstrip().endswith(b"}") else json.dumps({"raw": str(line)}).encode()
        )
        screen.write(json_line(b'{"byte":%d,' % place + body[1:]) + "\n")
        return
    try:
        event = json.loads(line)
        when = _local(event["recorded_at"])
    except (ValueError, TypeError, KeyError):
        screen.write(f"[{place}] {one_line(line.decode('utf-8', 'replace'), 200)}\n")
        return
    about = " ".join(
        str(part)
        for part in (event.get("tool_name"), event.get("status"), event.get("model"), event.get("content"))
        if part
    )
    kind = one_line(f"{event.get('role', '')}/{event.get('message_type', '')}", 60)
    screen.write(f"{when}  {kind}  {one_line(about, 200)}\n")  # at once: somebody may follow


def _local(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else ""


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _moment(text: str) -> datetime:
    """A time as people and programs write it: ISO 8601, a time of today, or how long ago. Raises UsageError."""
    now = datetime.now().astimezone()
    try:
        if text[-1:] in _UNITS and text[:-1].isdigit():
            return now - timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
        if "-" not in text and ":" in text:
            return datetime.combine(now.date(), datetime.strptime(text, "%H:%M").time()).astimezone()  # noqa: DTZ007
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time", remedy="write 2026-01-31T09:30, 09:30 or 15m") from None
