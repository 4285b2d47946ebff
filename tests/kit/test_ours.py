"""Our own plugins, by their mere installation, through exactly what a stranger's plugin goes through.

That their modules import nothing heavy is seen in one process for all of them by the tests of the architecture; the
kit starts one for each, and does so here for one of them, and for all in the proof; so it is with what starts more.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from codetether.testing.examine import cases, check_excuses, judge
from codetether.testing.subjects import Subject, installed_subjects

OURS = ("codetether-core", "codetether-agent", "codetether-")
SUBJECTS = [each for each in installed_subjects() if each.info.distribution.startswith(OURS)]
COSTLY = {
    "audit_sinks: processes share it": "audit-jsonl",
    "audit_sinks: what is recorded survives a kill": "audit-jsonl",
    "audit_sinks: a failure is raised": "audit-jsonl",
    "audit_sinks: it works again": "audit-jsonl",
    "event_sinks: no event is kept twice": "events-jsonl",
    "plugin: its import is light": "files",
}
"""What starts many processes, and the plugin on which it is tried; in the proof on all."""
PROOF = "CODETETHER_PROOF" in os.environ


def test_every_plugin_in_the_box_is_tried() -> None:
    names = {subject.name for subject in SUBJECTS}
    assert names >= {"files", "shell", "openai", "local", "audit-jsonl", "events-jsonl", "executor", "policy"}


def test_every_excuse_is_for_a_promise() -> None:
    assert {subject.name: check_excuses(subject) for subject in SUBJECTS if check_excuses(subject)} == {}


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
async def test_every_promise_is_kept(subject: Subject, tmp_path: Path) -> None:
    tried = [case for case in cases(subject) if PROOF or COSTLY.get(case.promise.id, subject.name) == subject.name]
    verdicts = {case.id: await judge(case, tmp_path / str(number)) for number, case in enumerate(tried)}
    others = {name: (v.judged, v.why) for name, v in verdicts.items() if v.judged not in ("kept", "not tried")}
    assert others == {}
    assert "kept" in {verdict.judged for verdict in verdicts.values()}
