"""`codetether audit`: shows what is in the audit log, and proves that nothing was changed in it."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click
from codetether import AuditEntry, AuditKey, Runtime, Screen, Settings, StorageError, UsageError, as_json, load_settings
from codetether import key_bytes as as_key

from codetether_sink_audit_jsonl.files import anchor_path, log_path
from codetether_sink_audit_jsonl.reading import Entries, Found, Wanted, moment
from codetether_sink_audit_jsonl.settings import AuditJsonlSettings
from codetether_sink_audit_jsonl.verify import Bad, Verdict, verify

T = TypeVar("T")
COLUMNS = (
    "timestamp",
    "seq",
    "category",
    "action",
    "outcome",
    "principal",
    "session_id",
    "turn",
    "call_id",
    "decision",
    "rule",
    "duration_ms",
    "arguments_digest",
    "output_digest",
    "detail",
    "id",
)
"""Of a CSV file."""

a_file = click.Path(path_type=Path)
path_argument = click.argument("path", type=a_file, required=False)


@click.group("audit")
def command() -> None:
    """Look at the audit log, and prove that nothing was changed in it.

    PATH is the open file of the log (audit.jsonl); the full ones beside it belong to it. By default that of the
    settings.
    """


@command.command("verify")
@path_argument
@click.option(
    "--key", "keys", type=a_file, multiple=True, metavar="FILE", help="The audit key; repeat for former ones."
)
@click.option("--anchors", type=a_file, metavar="FILE", help="The log's anchors, where they lie elsewhere.")
@click.option(
    "--witness",
    "witnesses",
    type=a_file,
    multiple=True,
    metavar="FILE",
    help="A file in which another sink stored audit:anchor entries (syslog, events); repeatable.",
)
@as_json
def verify_(
    path: Path | None, keys: tuple[Path, ...], anchors: Path | None, witnesses: tuple[Path, ...], as_json: bool
) -> int:
    """Prove that the log is whole and unchanged, without a network; exit code 1 names the first bad record."""
    screen = Screen()
    try:
        log, anchors = _place(path, anchors)
        verdict = verify(log, _keys(keys), anchors, witnesses)
    except _NoKeyError as error:
        log, verdict = path or Path(), Verdict(records=0, bad=Bad(error.file, 0, str(error)))
    if as_json:
        screen.write(json.dumps(_plain(verdict)) + "\n")
        return 0 if verdict.bad is None else 1
    for note in verdict.notes:
        screen.say(f"note: {note}")
    if verdict.bad is not None:
        screen.line(f"BAD {verdict.bad.file}:{verdict.bad.line}: {verdict.bad.why}")
        screen.line(f"{verdict.records} records before it are as they were written")
        return 1
    screen.line(f"ok: {verdict.records} records of {log} are as they were written, none is missing")
    return 0


def _plain(verdict: Verdict) -> dict[str, Any]:
    bad = verdict.bad
    where = {} if bad is None else {"first_bad": {"file": str(bad.file), "line": bad.line, "why": bad.why}}
    return {"ok": bad is None, "records": verdict.records, **where}


class _NoKeyError(Exception):
    """There is no key, so nothing can be proven."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(why)
        self.file = file


def _keys(files: Iterable[Path]) -> list[bytes]:
    made = []
    for file in files:
        try:
            made.append(as_key(file.read_bytes(), str(file)))
        except OSError as error:
            raise _NoKeyError(file, f"cannot be read: {error.strerror or error}") from error
        except StorageError as error:
            raise _NoKeyError(file, error.message) from error
    return made or [_own_key(_settings())]


def _own_key(settings: Settings) -> bytes:
    """The key of this installation: mostly a file; else what a credential source has."""
    audit = settings.core.audit
    file = (audit.key_file or settings.directories.config / "audit.key").expanduser()

    async def found() -> bytes | None:
        kept = await AuditKey(None, lambda: file, "file").look() if audit.key != "credentials" else None
        if kept is not None or audit.key == "file":
            return kept
        async with Runtime.open(settings, on_notice=lambda source, text: None) as runtime:
            return await AuditKey(runtime.credentials, lambda: file, audit.key).look()

    try:
        key = asyncio.run(found())
    except StorageError as error:
        raise _NoKeyError(file, error.message) from error
    if key is None:
        raise _NoKeyError(file, "there is no audit key, here or in a credential source (--key FILE names one)")
    return key


def _settings() -> Settings:
    return load_settings(Path.cwd())


def _place(path: Path | None, anchors: Path | None = None) -> tuple[Path, Path]:
    """The log, and its anchors: those named, those beside the log, or where this installation keeps them."""
    if path is not None and anchors is not None:
        return path.absolute(), anchors
    settings = _settings()
    own = settings.plugin("audit-jsonl", AuditJsonlSettings)
    state = settings.directories.state / "plugins" / "audit-jsonl"
    log = path.expanduser().absolute() if path else log_path(own, lambda: state)
    if anchors is None:
        anchors = log.with_name(f"{log.stem}.anchors")
        if not anchors.exists():
            anchors = anchor_path(own, log, lambda: state)
    return log, anchors


# -- reading


def _choices(function: Callable[..., T]) -> Callable[..., T]:
    """The options that say which entries are wanted; the function is given a Wanted."""

    @click.option("--since", metavar="TIME", help="From then on: 2026-03-01T12:30, or 2h for two hours ago.")
    @click.option("--until", metavar="TIME", help="Before then.")
    @click.option("--session", default="", metavar="ID", help="Of this session. * and ? match in all of these.")
    @click.option("--action", default="", metavar="ACTION", help="E.g. tool:bash, or auth:*.")
    @click.option("--category", default="", metavar="WORD", help="E.g. tool_execution, config.")
    @click.option("--outcome", default="", metavar="WORD", help="intent, success, failure or denied.")
    @click.option("--principal", default="", metavar="WHO", help="E.g. ann@host.")
    @click.option("--call", default="", metavar="ID", help="Of this call.")
    @wraps(function)
    def made(*args: Any, since: str | None, until: str | None, **options: Any) -> T:
        names = ("session", "action", "category", "outcome", "principal", "call")
        chosen = {name: options.pop(name) for name in names}
        first, end = (moment(text) if text else None for text in (since, until))
        return function(*args, wanted=Wanted(since=first, until=end, **chosen), **options)

    return made


@command.command("tail")
@path_argument
@click.option("-n", "--lines", "count", type=click.IntRange(0), default=10, show_default=True, help="So many entries.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is recorded from now on.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are.")
@_choices
def tail(path: Path | None, count: int, follow: bool, as_json: bool, wanted: Wanted) -> int:
    """Show the last entries."""
    screen, entries = Screen(), Entries(_place(path)[0])
    with _readable(screen, entries):
        for found in deque((f for f in entries.new() if wanted.takes(f.entry)), maxlen=count):
            _show(screen, found, as_json)
        if follow:
            with suppress(KeyboardInterrupt):
                screen.out.flush()
                for found in entries.followed():
                    if wanted.takes(found.entry):
                        _show(screen, found, as_json)
                        screen.out.flush()
    return 0


@command.command("query")
@path_argument
@click.option("-n", "--limit", type=click.IntRange(1), help="At most so many, the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line, as in the log.")
@_choices
def query(path: Path | None, limit: int | None, as_json: bool, wanted: Wanted) -> int:
    """Show the entries that fit, oldest first; exit code 1 where none does."""
    screen, entries = Screen(), Entries(_place(path)[0])
    shown = 0
    with _readable(screen, entries):
        chosen: Iterable[Found] = (found for found in entries.new() if wanted.takes(found.entry))
        for found in chosen if limit is None else deque(chosen, maxlen=limit):
            _show(screen, found, as_json)
            shown += 1
    return 0 if shown else 1


@command.command("export")
@path_argument
@click.option("-o", "--output", type=a_file, required=True, metavar="FILE", help="Where to; must not be there yet.")
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), help="By the name of FILE, else jsonl.")
@_choices
def export(path: Path | None, output: Path, kind: str | None, wanted: Wanted) -> int:
    """Write the entries that fit to a private file, as JSON lines or as CSV."""
    screen, entries = Screen(), Entries(_place(path)[0])
    kind = kind or ("csv" if output.suffix.lower() == ".csv" else "jsonl")
    written = 0
    with _readable(screen, entries), _new_file(output) as file:
        rows = csv.writer(file)
        if kind == "csv":
            rows.writerow(COLUMNS)
        for found in entries.new():
            if not wanted.takes(found.entry):
                continue
            if kind == "csv":
                rows.writerow(_cells(found))
            else:
                file.write(found.line.decode("utf-8", "replace") + "\n")
            written += 1
    screen.line(f"{written} entries in {output}")
    return 0


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """A new private file, gone again when it cannot be finished."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already", remedy="name another file") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _readable(screen: Screen, entries: Entries) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(f"there is no audit log: {error.filename}", remedy="codetether doctor") from error
    if entries.unreadable:
        screen.say(f"note: {entries.unreadable} lines hold no entry: look at codetether audit verify")


def _show(screen: Screen, found: Found, as_json: bool) -> None:
    screen.line(found.line.decode("utf-8", "replace") if as_json else _line(found.entry))


def _line(entry: AuditEntry) -> str:
    """An entry on one line."""
    when = entry.timestamp.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    words = [when, f"{entry.outcome:<7}", entry.action, f"by {entry.principal}" if entry.principal else ""]
    words += [f"in {entry.session_id}" if entry.session_id else "", f"[{entry.rule}]" if entry.rule else ""]
    words += [f"{entry.duration_ms:.0f} ms" if entry.duration_ms is not None else ""]
    words += [json.dumps(dict(entry.detail), ensure_ascii=False)[:200] if entry.detail else ""]
    return " ".join(word for word in words if word.strip()).replace("\n", " ")


def _cells(found: Found) -> list[str]:
    """The values of a row; one that a spreadsheet would take for a formula is marked as text."""
    values = json.loads(found.line)
    cells = []
    for name in COLUMNS:
        value = values.get(name, "")
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        cells.append(f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text)
    return cells


@command.command("digest")
@click.argument("file", type=a_file, required=False)
@click.option("--key", type=a_file, metavar="FILE", help="The audit key.")
def digest(file: Path | None, key: Path | None) -> int:
    """Print the keyed digest of a body (FILE, or standard input), to compare with an entry's."""
    from codetether import body_digest

    data = file.read_bytes() if file else sys.stdin.buffer.read()
    try:
        (found,) = _keys([key] if key else [])
    except _NoKeyError as error:
        raise StorageError(f"{error.file}: {error}") from error
    Screen().line(body_digest(found, data.decode("utf-8", "replace")))
    return 0
