"""Each promise has a plugin that breaks it, and it alone: a suite that nothing can fail proves nothing.

Every broken plugin is tried with the promise that it breaks and with each third of the others; in the proof with all.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from codetether.plugins import boundary
from codetether.testing import examine, manners
from codetether.testing.examine import SUITES, Case, all_promises, judge
from codetether.testing.promises import Promise
from codetether.testing.subjects import Subject, subject
from codetether.testing.suites import prompts

from tests.kit.broken.also import ALSO
from tests.kit.broken.manners import ENDED, ILL

PROOF = "CODETETHER_PROOF" in os.environ
COSTLY = {
    "audit_sinks: what is recorded survives a kill",
    "audit_sinks: a failure is raised",
    "audit_sinks: processes share it",
    "audit_sinks: it works again",
    "event_sinks: its cursor is honest after a kill",
    "event_sinks: no event is kept twice",
    "event_sinks: what cannot be kept is not claimed",
    "plugin: its import is light",
}
"""They start processes: tried on the plugin that breaks them, and on the others in the proof."""
PROMISES = all_promises()
MODULES = {name: import_module(f"tests.kit.broken.{name}") for name in SUITES}
SUITE_OF = {
    promise.id: name for name in SUITES for promise in import_module(f"codetether.testing.suites.{name}").PROMISES
}


def test_every_promise_has_a_plugin_that_breaks_it() -> None:
    broken = [(name, promise) for name, module in MODULES.items() for promise in module.BROKEN]
    assert sorted(broken) == sorted((SUITE_OF[promise.id], promise.name) for promise in PROMISES)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.id)
async def test_the_suite_fails_on_that_promise_alone(promise: Promise, tmp_path: Path) -> None:
    module = MODULES[SUITE_OF[promise.id]]
    tried = _subject(module, promise.name)
    records = [record for kind, record in tried.records if kind == promise.kind] or [tried.info]
    others = [e for e in PROMISES if e.kind == promise.kind and e != promise]
    if not PROOF:
        others = [e for e in others if e.id not in COSTLY][PROMISES.index(promise) % 3 :: 3]
    verdicts = []
    for number, each in enumerate([promise, *others]):
        case = Case(subject=tried, promise=each, record=records[0])
        verdicts.append(await judge(case, tmp_path / str(number)))
    assert {v.promise.name: v.why for v in verdicts if v.judged == "broken"}.keys() == {promise.name}


@pytest.mark.parametrize(("name", "plugin", "says"), ALSO)
async def test_a_promise_can_be_broken_in_other_ways(
    name: str, plugin: object, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBE_SEEN", "no")
    monkeypatch.setattr(prompts, "TYPED", 0.2)
    promise = next(each for each in PROMISES if each.id == name)
    tried = subject(plugin)
    record = next((record for kind, record in tried.records if kind == promise.kind), tried.info)
    verdict = await judge(Case(subject=tried, promise=promise, record=record), tmp_path)
    assert (verdict.judged, verdict.why[: len(says)]) == ("broken", says)


@pytest.mark.parametrize(("says", "plugin"), ILL.items(), ids=ILL)
async def test_bad_manners_break_whatever_is_tried(
    says: str, plugin: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, limit, seconds in (
        (manners, "STALL", 0.3),
        (manners, "STUCK", 0.9),
        (manners, "PATIENCE", 0.2),
        (examine, "LIMIT", 1.5),
        (boundary, "HOOK_LIMIT", 0.2),
    ):
        monkeypatch.setattr(module, limit, seconds)
    ENDED.clear()
    before = {what: look() for what, (look, _) in manners.SHARED.items()}
    tried = subject(plugin, locator="tests.kit.broken.manners:ILL")
    kind, record = tried.records[0]
    names = {"tools": "effects are true", "audit_sinks": "every entry is kept in order"}
    promise = next(e for e in PROMISES if (e.kind, e.name) == (kind, names[kind]))
    verdict = await judge(Case(subject=tried, promise=promise, record=record), tmp_path)
    ENDED.set()
    assert (verdict.judged, verdict.why[: len(says)]) == ("broken", says)
    assert {what: look() for what, (look, _) in manners.SHARED.items()} == before


def _subject(module: ModuleType, name: str) -> Subject:
    plugin = module.BROKEN[name]
    if isinstance(plugin, str):
        return subject(import_module(plugin))
    return subject(plugin, locator=f"{module.__name__}:BROKEN/{name}")
