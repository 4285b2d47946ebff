"""The benchmarks as a command: what they need, and what they say where it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def benchmarks(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_floors_they_are_skipped_with_a_word(tmp_path: Path) -> None:
    done = benchmarks("--quick", CODETETHER_SHARED=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "skipped: no `bench` with floors and a model server in ../shared; CODETETHER_SHARED names another place\n"
    )


def test_an_unknown_name_is_a_usage_error_that_lists_the_known() -> None:
    done = benchmarks("spees")
    assert done.returncode == 2
    assert "no measurement spees; there are: version, help, first-request, plugins, steps" in done.stderr
