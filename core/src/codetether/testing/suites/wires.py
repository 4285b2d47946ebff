"""What wires keep, tried against a server on loopback that answers as no server should."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, get_args

from codetether.errors import ProviderError
from codetether.models.completion import CompletionRequest, Finished, FinishReason, ModelRef
from codetether.models.messages import user
from codetether.models.providers import Provider, Secret
from codetether.session.assemble import Assembly
from codetether.testing.faults import KEY, faults, says
from codetether.testing.playback import Playback, Respond, chunked
from codetether.testing.promises import BrokenPromise, NotTried, promises, require
from codetether.testing.trial import Trial

SOME = (
    "refused",
    "closed at once",
    "no HTTP",
    "reset within a stream",
    "closed within a stream",
    "silent",
    "400",
    "401",
    "404",
    "429 with seconds",
    "500",
    "502 in HTML",
    "200 in HTML",
    "a redirect",
    "an empty stream",
    "an empty body",
    "a body of null",
    "a body of 10,000 levels",
    "an event of no JSON",
    "an event of bad UTF-8",
)
"""The faults that are quick to have; a wire's own tests should try all of `codetether.testing.faults`."""
DEADLINE = 0.5
REQUEST = CompletionRequest(model=ModelRef(provider="faulty", model="some"), messages=(user("hello"),))


@asynccontextmanager
async def connected(trial: Trial, base_url: str) -> AsyncIterator[Any]:
    """A connection to a server, with a key and half a second."""
    options: Mapping[str, Any] = next((r.quirks for kind, r in trial.subject.records if kind == "providers"), {})
    secret = Secret(values={"api_key": KEY}, source="trial")
    wire = await trial.make()
    provider = Provider(
        name="faulty", wire=trial.record.name, base_url=base_url, secret=secret, timeout=DEADLINE, options=options
    )
    connection = await wire.connect(provider)
    if hasattr(connection, "__aenter__"):
        async with connection as entered:
            yield entered
    else:
        yield connection


async def answered(connection: Any) -> tuple[Assembly, list[Finished], ProviderError | None]:
    """What came, its ends, and the error; whatever else is raised goes on."""
    assembly, ends = Assembly("faulty", "some"), list[Finished]()
    try:
        async with aclosing(connection.stream(REQUEST)) as chunks:
            async for chunk in chunks:
                assembly.feed(chunk)
                if isinstance(chunk, Finished):
                    ends.append(chunk)
    except ProviderError as error:
        return assembly, ends, error
    return assembly, ends, None


async def spoken(trial: Trial, respond: Respond | None) -> tuple[Playback, list[Finished], ProviderError | None]:
    """One request to a server that answers so. Raises NotTried where the wire asks no server."""
    async with Playback(respond) as server:
        base_url = server.base_url if respond is not None else "http://127.0.0.1:9/v1"
        async with connected(trial, base_url) as connection:
            _, ends, error = await answered(connection)
        if respond is not None and not server.heads:
            raise NotTried("it asks no HTTP server at its base_url")
    return server, ends, error


async def an_answer_is_whole_or_an_error(trial: Trial) -> None:
    """Each answer ends with `Finished`, once, or with a ProviderError, and no part of one passes for the whole."""
    server = Playback(says(chunked(500, {"content-type": "text/plain"}, [b"no"])))
    async with server, connected(trial, server.base_url) as connection:
        _, ends, error = await answered(connection)
    require(ends or error, "the stream ended without Finished, and without an error")
    require(not (ends and error), f"Finished came, and then {type(error).__name__}")
    require(len(ends) < 2, "Finished came twice")
    for reason in (end.reason for end in ends):
        require(reason in get_args(FinishReason), f"Finished has the reason {reason!r:.80}, which is none")


async def every_fault_is_a_named_error(trial: Trial) -> None:
    """What a faulty server does ends as the error of its kind, within the deadline and two seconds."""
    await spoken(trial, says(chunked(500, {}, [b"no"])))
    for fault in (fault for fault in faults(trial.subject.trials.stream) if fault.name in SOME):
        began = time.perf_counter()
        try:
            _, ends, error = await spoken(trial, fault.respond)
        except NotTried:
            ends, error = [], None
        except Exception as raised:
            raise BrokenPromise(
                f"{fault.name}: raised {type(raised).__name__}, no ProviderError: {str(raised)[:150]}"
            ) from raised
        took = time.perf_counter() - began
        require(error is not None and not ends, f"{fault.name}: it took the answer for whole")
        require(
            isinstance(error, fault.raises),
            f"{fault.name}: {fault.raises.__name__} expected, got {type(error).__name__}",
        )
        require(took < DEADLINE + 2, f"{fault.name}: it took {took:.1f} s, with a deadline of {DEADLINE} s")


async def keys_stay_secret(trial: Trial) -> None:
    """The key stands in no error, repr or log, even where the server sends it back."""
    seen: list[str] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    root, body = logging.getLogger(), b'{"error": {"message": "bad key %s"}}' % KEY.encode()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        _, _, error = await spoken(trial, says(chunked(401, {"content-type": "application/json"}, [body])))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    async with connected(trial, "http://127.0.0.1:9/v1") as connection:
        require(KEY not in repr(connection), "the API key stands in the connection's repr")
    require(KEY not in f"{error}{error!r}", "the API key stands in the error that the user sees")
    require(KEY not in "\n".join(seen), "the API key stands in the log")


async def a_cancelled_request_is_over(trial: Trial) -> None:
    """A request that is cancelled while the server is silent is over within a second."""

    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with Playback(silence) as server, connected(trial, server.base_url) as connection:
        task = asyncio.create_task(answered(connection))
        await asyncio.wait({task}, timeout=0.2)
        task.cancel()
        began = time.perf_counter()
        await asyncio.wait({task}, timeout=3)
        took = time.perf_counter() - began
        if not task.done():
            task.cancel()
    require(took < 1.0, f"it went on for {took:.1f} s after it was cancelled")


async def its_recordings_are_read_as_they_should(trial: Trial) -> None:
    """Recorded answers of real servers give what a correct client reports, however they are cut."""
    directory = trial.subject.trials.recordings
    if directory is None:
        raise NotTried("there are no recordings; give Trials.recordings")
    from codetether.testing.recording import read
    from codetether.testing.recordings import Replayer

    verdicts = await Replayer().replay([read(path) for path in sorted(directory.rglob("*.json"))], ("whole",))
    require(verdicts, f"there is no recording (*.json) in {directory}")
    failed = [f"{verdict.recording.name}: {'; '.join(verdict.why)}" for verdict in verdicts if verdict.why]
    require(not failed, f"{len(failed)} of {len(verdicts)} recordings: {failed[:1]}")


PROMISES = promises(
    "wires",
    an_answer_is_whole_or_an_error,
    every_fault_is_a_named_error,
    keys_stay_secret,
    a_cancelled_request_is_over,
    its_recordings_are_read_as_they_should,
)
