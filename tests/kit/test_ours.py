"""Our own plugins, by their mere installation, through exactly what a stranger's plugin goes through."""

from __future__ import annotations

from pathlib import Path

import pytest
from codetether.testing.examine import Case, cases, check_excuses, judge
from codetether.testing.subjects import installed_subjects

OURS = ("codetether-core", "codetether-agent", "codetether-")
SUBJECTS = [each for each in installed_subjects() if each.info.distribution.startswith(OURS)]
CASES = [case for subject in SUBJECTS for case in cases(subject)]


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
