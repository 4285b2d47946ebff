"""Tries plugins: which promises fit which record, and the verdict on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from attrs import frozen

from codetether.errors import PluginError
from codetether.plugins.boundary import reason_of
from codetether.testing.manners import tasks_ended, threads_ended, well_behaved
from codetether.testing.promises import BrokenPromise, Judged, NotTried, Promise, Verdict, require
from codetether.testing.subjects import Subject
from codetether.testing.trial import on_trial

SUITES = (
    "plugin",
    "tools",
    "audit_sinks",
    "event_sinks",
    "policies",
    "routers",
    "reviewers",
    "context",
    "executors",
    "credentials",
    "wires",
    "formats",
    "prompts",
    "choices",
)
LIMIT = 60.0
"""Seconds that one promise may take to be tried."""


def all_promises() -> tuple[Promise, ...]:
    """Every promise of every kind."""
    return tuple(p for name in SUITES for p in import_module(f"codetether.testing.suites.{name}").PROMISES)


@frozen(kw_only=True)
class Case:
    """A promise to be tried on a record of a plugin."""

    subject: Subject
    promise: Promise
    record: Any

    @property
    def name(self) -> str:
        """The record's own name; empty for the plugin as a whole."""
        own = getattr(self.record, "name", getattr(self.record, "match", None)) or self.record
        return own if isinstance(own, str) else getattr(getattr(self.record, "cls", None), "__name__", "")

    @property
    def id(self) -> str:
        """`kind: promise [record]`."""
        return f"{self.promise.id} [{self.name}]" if self.name and self.promise.kind != "plugin" else self.promise.id


def cases(subject: Subject, promises: Sequence[Promise] | None = None) -> list[Case]:
    """Every promise that fits the plugin, record by record."""
    records = [("plugin", subject.info), *subject.records]
    wanted = all_promises() if promises is None else promises
    return [
        Case(subject=subject, promise=promise, record=record)
        for kind, record in records
        for promise in wanted
        if promise.kind == kind
    ]


async def judge(case: Case, place: Path | None = None) -> Verdict:
    """Tries one promise, in the given empty directory or one of its own."""
    if place is None:
        with TemporaryDirectory(prefix="codetether-trial-", ignore_cleanup_errors=True) as directory:
            return await judge(case, Path(directory))
    began = time.perf_counter()
    why, judged = await _tried(case, place)
    excuse = case.subject.trials.excused.get(case.promise.id)
    if excuse and judged == "broken":
        judged, why = "excused", excuse
    return Verdict(
        plugin=case.subject.name,
        record=case.name,
        promise=case.promise,
        judged=judged,
        why=why,
        seconds=time.perf_counter() - began,
    )


async def _tried(case: Case, place: Path) -> tuple[str, Judged]:
    try:
        with threads_ended(case.subject.package), well_behaved(case.subject.package):
            await _checked(case, place)
    except NotTried as reason:
        return str(reason), "not tried"
    except BrokenPromise as broken:  # where one led to the other, the first says it best
        return str(broken.__cause__ if isinstance(broken.__cause__, BrokenPromise) else broken), "broken"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a verdict on each promise, whatever a plugin does
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return f"{'' if isinstance(error, PluginError) else 'it raised '}{reason_of(error)}", "broken"
    return "", "kept"


async def _checked(case: Case, place: Path) -> None:
    tasks, clock, said = asyncio.all_tasks(), asyncio.timeout(LIMIT), list[str]()
    try:
        async with clock, on_trial(case.subject, case.promise.kind, case.record, place, notices=said) as trial:
            await case.promise.check(trial)
    except TimeoutError as error:
        if clock.expired():
            raise BrokenPromise(f"it was not over after {LIMIT:g} s") from error
        raise
    failed = [text for text in said if text.startswith("closing ")]
    require(not failed, "; ".join(failed))
    await tasks_ended(tasks)


async def examine(subjects: Iterable[Subject], promises: Sequence[Promise] | None = None) -> list[Verdict]:
    """The verdicts on everything that fits the plugins."""
    return [await judge(case) for subject in subjects for case in cases(subject, promises)]


def check_excuses(subject: Subject) -> list[str]:
    """The excuses that name no promise."""
    known = {promise.id for promise in all_promises()}
    return sorted(set(subject.trials.excused) - known)


def renamed(subject: Subject, **changes: Any) -> Subject:
    """The subject with other fields, e.g. `trials`."""
    return attrs.evolve(subject, **changes)
