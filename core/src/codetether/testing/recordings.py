"""Replays recorded exchanges through the installed wires: `python -m codetether.testing.recordings DIR [--json]`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from inspect import isawaitable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import click
import orjson
from attrs import frozen

from codetether.credentials import Chain
from codetether.errors import IncompleteResponse, ProviderError
from codetether.models.completion import CompletionRequest, Finished, ModelRef, UsageReported
from codetether.models.messages import Message, RefusalPart, TextPart, ThinkingPart, user
from codetether.models.providers import Provider, Secret
from codetether.models.record import JSON
from codetether.plugins.discovery import installed
from codetether.plugins.loaded import LoadedPlugins
from codetether.protocols import Connection, Wire
from codetether.session.assemble import Assembly
from codetether.session.contexts import ProcessContext
from codetether.settings.core import CoreSettings
from codetether.settings.settings import Directories
from codetether.specs import ProviderSpec, WireSpec
from codetether.testing.differences import differences
from codetether.testing.exchanges import retried
from codetether.testing.playback import Playback
from codetether.testing.recording import GROUP, Dialect, Exchange, Recording, Signed, read
from codetether.testing.subjects import Everyone

WAYS = ("whole", "recorded", "bytes")
_KEY = "sk-recording-0123456789"


@frozen(kw_only=True)
class Answer:
    """What a wire made of an answer."""

    message: Message
    finish: Finished | None
    raw_usage: Mapping[str, JSON]
    error: ProviderError | None


@frozen(kw_only=True)
class Verdict:
    """How one recording fared: `why` is empty where it passed."""

    recording: Recording
    why: tuple[str, ...] = ()
    not_modelled: tuple[str, ...] = ()


class Replayer:
    """Replays recordings through wires and dialects by name.

    Args:
        plugins: where wires and providers come from; the installed ones unless given.
        dialects: by `api`; the installed ones unless given.
    """

    def __init__(
        self, plugins: LoadedPlugins | None = None, dialects: Mapping[str, Dialect | Exchange] | None = None
    ) -> None:
        if plugins is None:
            plugins = LoadedPlugins()
            plugins.load(installed(), Everyone())
        self._wire_specs = {p.record.name: (p.plugin, p.record) for p in plugins.collect(WireSpec)}
        self._providers = {p.record.name: p.record for p in plugins.collect(ProviderSpec)}
        self._loads = _installed_dialects() if dialects is None else {}
        self._dialects = dict(dialects or {})
        self._wires: dict[str, Wire] = {}

    async def replay(self, recordings: Iterable[Recording], ways: Sequence[str] = WAYS) -> list[Verdict]:
        """Each recording, in every way that it can be cut."""
        async with Playback() as playback:
            return [await self._judge(recording, ways, playback) for recording in recordings]

    async def _judge(self, recording: Recording, ways: Sequence[str], playback: Playback) -> Verdict:
        try:
            dialect = self._dialect(recording.api)
        except Exception as error:  # of one api; the others are tried all the same
            return Verdict(recording=recording, why=(f"its dialect cannot be loaded: {type(error).__name__}: {error}",))
        spoken = isinstance(dialect, Exchange) or (dialect is not None and dialect.wire in self._wire_specs)
        if dialect is None or not spoken:
            return Verdict(recording=recording, why=(f"no installed plugin speaks {recording.api}",))
        why: list[str] = []
        for way in ways:
            pieces = recording.pieces(way)
            if not pieces:
                continue
            playback.play(recording.status, recording.headers, pieces)
            try:
                async with asyncio.timeout(60):
                    problems = await self._try(recording, dialect, playback)
            except Exception as error:  # a verdict for each recording, whatever a wire does with it
                problems = [f"{type(error).__name__}: {error}"]
            why += [f"{way}: {problem}" for problem in problems]
        if isinstance(dialect, Exchange) or recording.body is None:
            return Verdict(recording=recording, why=tuple(why))
        return Verdict(recording=recording, why=tuple(why), not_modelled=tuple(dialect.not_modelled(recording.body)))

    def _dialect(self, api: str) -> Dialect | Exchange | None:
        if api not in self._dialects and api in self._loads:
            self._dialects[api] = self._loads[api]()
        return self._dialects.get(api)

    async def _try(self, recording: Recording, dialect: Dialect | Exchange, playback: Playback) -> list[str]:
        if isinstance(dialect, Exchange):
            return await retried(recording, dialect, playback)
        provider = self._provider(dialect, recording.provider, playback.base_url)
        request = _request(recording, dialect, provider.name)
        answer = await self._ask(await self._wire(dialect.wire), provider, request)
        problems = compare(recording.expect, answer, dialect)
        if recording.body is not None:
            sent = dialect.meaning(orjson.loads(playback.requests[-1]))
            problems += [f"request {p}" for p in differences(dialect.meaning(recording.body), sent)]
        return problems

    async def _ask(self, wire: Wire, provider: Provider, request: CompletionRequest) -> Answer:
        assembly = Assembly(provider.name, request.model.model)
        finish, usage, error = None, {}, None
        connection: Any = await wire.connect(provider)
        async with connection:
            line: Connection = connection
            try:
                async with aclosing(line.stream(request)) as chunks:  # type: ignore[type-var]
                    async for chunk in chunks:
                        assembly.feed(chunk)
                        if isinstance(chunk, Finished):
                            finish = chunk
                        elif isinstance(chunk, UsageReported):
                            usage = dict(chunk.raw)
            except ProviderError as raised:
                error = raised
        return Answer(message=assembly.message(), finish=finish, raw_usage=usage, error=error)

    async def _wire(self, name: str) -> Wire:
        if name not in self._wires:
            plugin, spec = self._wire_specs[name]
            made: Any = spec.create(_context(plugin))
            self._wires[name] = await made if isawaitable(made) else made
        return self._wires[name]

    def _provider(self, dialect: Dialect, recorded: str, base_url: str) -> Provider:
        name = dialect.provider(recorded)
        spec = self._providers.get(name) or ProviderSpec(name=name, wire=dialect.wire)
        return Provider(
            name=name,
            wire=dialect.wire,
            base_url=base_url,
            secret=Secret(values={"api_key": _KEY}, source="recordings"),
            options=spec.quirks,
            timeout=30.0,
        )


def _context(plugin: str) -> ProcessContext:
    folder = Path(gettempdir()) / "codetether-recordings"
    return ProcessContext(
        plugin=plugin,
        settings=None,
        core=CoreSettings(),
        credentials=Chain(()),
        directories=Directories(config=folder, data=folder, state=folder, cache=folder),
        notify=lambda plugin, text: None,
    )


def _installed_dialects() -> dict[str, Callable[[], Dialect | Exchange]]:
    import importlib_metadata

    return {point.name: point.load for point in importlib_metadata.entry_points(group=GROUP)}


def _request(recording: Recording, dialect: Dialect, provider: str) -> CompletionRequest:
    if recording.body is None:
        return CompletionRequest(model=ModelRef(provider=provider, model="recorded"), messages=(user("hello"),))
    return dialect.request(recording.body, provider)


def compare(expect: Mapping[str, JSON], answer: Answer, dialect: Dialect) -> list[str]:
    """How an answer differs from what is expected, one line each."""
    problems = _compare_end(expect, answer)
    parts = answer.message.parts
    read: dict[str, Any] = {
        "text": "".join(p.text for p in parts if isinstance(p, TextPart)),
        "thinking": "".join(p.text for p in parts if isinstance(p, ThinkingPart)),
        "refusal": "".join(p.text for p in parts if isinstance(p, RefusalPart)),
    }
    wanted: dict[str, Any] = {name: expect.get(name) or "" for name in read}
    wanted["tool_calls"] = [_expected_call(call) for call in expect.get("tool_calls") or ()]
    calls = [_call(p.id, p.arguments, p.name) for p in answer.message.tool_calls]
    half = expect.get("incomplete") or (expect.get("error") or {}).get("mid_stream")
    if half and len(calls) == len(wanted["tool_calls"]) + 1 and not calls[-1].get("arguments"):
        calls.pop()  # a half-sent call may be shown or left out
    for call, other in zip(calls, wanted["tool_calls"], strict=False):
        if other["id"] is None and call["id"]:
            call["id"] = None  # the provider sent none, and one was made
        if half and "raw" in call and "arguments" in other:  # a half-sent call, which an SDK filled up
            del call["raw"], other["arguments"]
    read["tool_calls"] = calls
    if not (expect.get("error") or expect.get("incomplete")):
        read["finish_reason"] = answer.finish.raw if answer.finish else None
        wanted["finish_reason"] = expect.get("finish_reason") or expect.get("block_reason")
        if expect.get("usage") is not None or answer.raw_usage:
            counted = dialect.usage(answer.raw_usage) if answer.raw_usage else None
            read["usage"], wanted["usage"] = counted, expect.get("usage")
        if isinstance(dialect, Signed):
            read["signatures"] = dialect.signatures(answer.message)
            wanted["signatures"] = expect.get("thinking_signature_sha256") or []
    return problems + differences(wanted, read)


def _expected_call(call: Mapping[str, JSON]) -> dict[str, JSON]:
    if call.get("arguments") is None:
        return {"id": call.get("id"), "name": call["name"], "raw": call.get("arguments_raw") or ""}
    return {"id": call.get("id"), "name": call["name"], "arguments": call["arguments"]}


def _call(id_: str, arguments: str, name: str) -> dict[str, JSON]:
    try:
        parsed = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        return {"id": id_, "name": name, "raw": arguments}
    return {"id": id_, "name": name, "arguments": parsed}


def _compare_end(expect: Mapping[str, JSON], answer: Answer) -> list[str]:
    error, expected = answer.error, expect.get("error")
    if expect.get("incomplete"):
        complete = not isinstance(error, IncompleteResponse) or answer.finish is not None
        return [f"taken for a whole answer: {error!r}"] if complete else []
    if expected is None:
        return [f"failed: {error!r}"] if error is not None else [] if answer.finish else ["no terminal event was seen"]
    if error is None:
        return [f"took the error {expected.get('message')!r} for an answer"]
    said = {name: error.details.get(name) for name in ("type", "message", "param")}
    said["code"] = None if error.details.get("code") is None else str(error.details["code"])
    wanted = {name: expected.get(name) for name in ("type", "message", "param")}
    wanted["code"] = None if expected.get("code") is None else str(expected["code"])
    if wanted["message"] is None:  # one that an SDK could not find
        del wanted["message"], said["message"]
    if not (expected.get("in_body_of_200") or expected.get("mid_stream")):
        said["status"], wanted["status"] = error.status, expected.get("status")
    return differences(wanted, said, "error")


def table(verdicts: Sequence[Verdict]) -> str:
    """One line per api: how many recordings there are, and how many passed."""
    apis = sorted({v.recording.api for v in verdicts})
    width = max(map(len, apis), default=3)
    rows = [f"{'api':{width}}  files  passed  failed"]
    for api in apis:
        own = [v for v in verdicts if v.recording.api == api]
        failed = sum(bool(v.why) for v in own)
        rows.append(f"{api:{width}}  {len(own):5}  {len(own) - failed:6}  {failed:6}")
    return "\n".join(rows)


def summary(verdicts: Sequence[Verdict]) -> dict[str, JSON]:
    """`{"files", "passed", "failed": [{"id", "why"}]}`."""
    failed = [{"id": v.recording.name, "why": "; ".join(v.why)} for v in verdicts if v.why]
    return {"files": len(verdicts), "passed": len(verdicts) - len(failed), "failed": failed}


def _report(verdicts: Sequence[Verdict]) -> Iterable[str]:
    yield table(verdicts)
    for verdict in verdicts:
        yield from (f"{verdict.recording.name}: {why}" for why in verdict.why)
    fields = Counter(name for v in verdicts for name in set(v.not_modelled))
    if fields:
        yield "fields of requests that are not modelled, with the files that have them: " + ", ".join(
            f"{name} {count}" for name, count in fields.most_common()
        )


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of the table.")
@click.option(
    "--way", "ways", type=click.Choice(WAYS), multiple=True, help="How answers are cut; all ways unless given."
)
def main(directory: Path, as_json: bool, ways: tuple[str, ...]) -> None:
    """Replays every recording under DIRECTORY; exits with 1 when one of them differs from what is expected."""
    recordings = [read(path) for path in sorted(directory.rglob("*.json"))]
    if not recordings:
        raise click.UsageError(f"no recordings (*.json) under {directory}")
    verdicts = asyncio.run(Replayer().replay(recordings, ways or WAYS))
    if as_json:
        click.echo(orjson.dumps(summary(verdicts), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(_report(verdicts)))
    raise SystemExit(1 if any(v.why for v in verdicts) else 0)


if __name__ == "__main__":
    main()
