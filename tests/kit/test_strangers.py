"""Plugins as strangers write them: what the kit says of those that know nothing of it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import attrs
import pytest
from codetether.testing.examine import Case, cases, judge
from codetether.testing.subjects import Subject, subject
from codetether.testing.trials import SecretTrial, Trials

STRANGERS = Path(__file__).parents[1] / "plugins" / "strangers"


def transcript(directory: Path) -> Path:
    """A conversation of two lines."""
    path = directory / "talk.txt"
    path.write_text("user: hello\nassistant: good day\n")
    return path


def key(directory: Path) -> None:
    """A file with a key that only its owner reads."""
    (directory / "probe").write_text("sk-probe-0123456789\n")
    (directory / "probe").chmod(0o600)


RUNS_NOTHING = "it runs nothing, on purpose"
TRIALS = {
    "keyfile": Trials(
        settings=lambda directory: {"directory": str(directory)},
        secret=SecretTrial(
            provider="probe",
            value="sk-probe-0123456789",
            prepare=key,
            spoil=lambda directory: (directory / "probe").chmod(0o644),
        ),
    ),
    "transcript": Trials(source=transcript),
    "dry-run": Trials(
        excused={
            f"executors: {promise}": RUNS_NOTHING
            for promise in (
                "a command tells how it ended",
                "output can be merged",
                "the time limit ends the tree",
                "output is capped",
                "directory and environment are obeyed",
                "what cannot start is an ExecutorError",
                "pipes can be talked to",
            )
        }
    ),
}


def strangers() -> Iterator[Subject]:
    """Those with a plugin, from their sources."""
    for project in sorted(STRANGERS.glob("*/pyproject.toml")):
        sys.path.append(str(project.parent / "src"))
        points = tomllib.loads(project.read_text())["project"]["entry-points"].get("codetether", {})
        for name, module in points.items():
            plugin = import_module(module)
            plugin.__codetether_name__ = name  # type: ignore[attr-defined]
            found = subject(plugin, trials=TRIALS.get(name))
            yield attrs.evolve(found, info=attrs.evolve(found.info, distribution=project.parent.name))


CASES = [c for stranger in strangers() for c in cases(stranger) if c.promise.name != "its import is light"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.subject.name} {case.id}")
async def test_the_promise_is_kept(case: Case, tmp_path: Path) -> None:
    verdict = await judge(case, tmp_path)
    if verdict.judged in ("not tried", "excused"):
        pytest.skip(verdict.why)
    assert (verdict.judged, verdict.why) == ("kept", "")
