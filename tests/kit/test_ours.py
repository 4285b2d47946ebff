"""Our own plugins, by their mere installation, through exactly what a stranger's plugin goes through.

That their modules import nothing heavy is seen in one process for all of them by the tests of the architecture; the
kit starts one for each, and does so here for one of them, and for all in the proof.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from codetether.testing.examine import Case, cases, check_excuses, judge
from codetether.testing.subjects import installed_subjects

OURS = ("codetether-core", "codetether-agent", "codetether-")
SUBJECTS = [each for each in installed_subjects() if each.info.distribution.startswith(OURS)]
LIGHT = "its import is light"
PROOF = "CODETETHER_PROOF" in os.environ
CASES = [
    case
    for subject in SUBJECTS
    for case in cases(subject)
    if PROOF or subject.name == "files" or case.promise.name != LIGHT
]


def test_every_plugin_in_the_box_is_tried() -> None:
    names = {subject.name for subject in SUBJECTS}
    assert names >= {"files", "shell", "openai", "local", "audit-jsonl", "events-jsonl", "executor", "policy"}


def test_every_excuse_is_for_a_promise() -> None:
    assert {subject.name: check_excuses(subject) for subject in SUBJECTS if check_excuses(subject)} == {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.subject.name} {case.id}")
async def test_the_promise_is_kept(case: Case, tmp_path: Path) -> None:
    verdict = await judge(case, tmp_path)
    if verdict.judged == "not tried":
        pytest.skip(verdict.why)
    assert (verdict.judged, verdict.why) == ("kept", "")
