"""A sink on trial in a process of its own, which can be killed or kept from writing: `python -m … < job`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import orjson

from codetether.testing.promises import NotTried
from codetether.testing.subjects import Subject, candidates, installed_subjects, located, subject
from codetether.testing.trial import Trial, on_trial


@asynccontextmanager
async def child(trial: Trial, work: str, **arguments: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that makes the same object in the same places and does `module:function(trial, made, **arguments)`.

    It ends with the block, killed if need be. Raises NotTried for a plugin that another process cannot find.
    """
    if not trial.subject.locator:
        raise NotTried("another process cannot find this plugin: try a module, or an installed one")
    async with trial.made():  # here rather than there, so that a sink that is off says so
        pass
    number = [each for each in trial.subject.records if each[0] == trial.kind].index((trial.kind, trial.record))
    job = {
        "path": [str(Path(p).absolute()) for p in sys.path],
        "plugin": trial.subject.name,
        "locator": trial.subject.locator,
        "kind": trial.kind,
        "number": number,
        "place": str(trial.place),
        "work": work,
        "arguments": arguments,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys, json; job = json.loads(sys.stdin.readline()); sys.path[:] = job['path'];"
        "from codetether.testing.children import run; run(job)",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(orjson.dumps(job) + b"\n")
    try:
        await process.stdin.drain()
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def said(process: asyncio.subprocess.Process) -> list[str]:
    """The lines that a child wrote until its end. Raises RuntimeError with its last words if it failed."""
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the child failed ({process.returncode}): {err.decode('utf-8', 'replace')[-500:]}")
    return out.decode().splitlines()


def say(text: str) -> None:
    """One line to the parent, at once."""
    os.write(1, text.encode() + b"\n")


def run(job: dict[str, Any]) -> None:
    """What the process does."""
    asyncio.run(_run(job))


async def _run(job: dict[str, Any]) -> None:
    found = _subject(job["plugin"], job["locator"])
    record = [record for kind, record in found.records if kind == job["kind"]][job["number"]]
    async with on_trial(found, job["kind"], record, Path(job["place"])) as trial:
        await located(job["work"])(trial, await trial.make(), **job["arguments"])


def _subject(name: str, locator: str) -> Subject:
    if any((c.name, c.module) == (name, locator) for c in candidates()):
        return installed_subjects([name])[0]
    return attrs.evolve(subject(located(locator), locator=locator), name=name)
