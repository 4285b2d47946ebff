"""Plugins as strangers write them: what the kit says of those that know nothing of it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import attrs
import pytest
from codetether.testing.examine import cases, judge
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


COSTLY = {
    "audit_sinks: processes share it",
    "event_sinks: no event is kept twice",
    "plugin: its import is light",
}
"""They start many processes: tried on our own plugins."""
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
                "standard error can be started apart",
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


@pytest.mark.parametrize("stranger", list(strangers()), ids=lambda stranger: stranger.name)
async def test_every_promise_is_kept(stranger: Subject, tmp_path: Path) -> None:
    tried = [case for case in cases(stranger) if case.promise.id not in COSTLY]
    verdicts = {case.id: await judge(case, tmp_path / str(number)) for number, case in enumerate(tried)}
    assert {name: v.why for name, v in verdicts.items() if v.judged == "broken"} == {}
    assert "kept" in {verdict.judged for verdict in verdicts.values()}
