"""`python -m codetether.testing`: the table, its JSON, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from codetether.testing import __main__ as program
from codetether.testing.subjects import subject

from tests.kit.broken import policies, prompts

PAGE = "reference/testing.md#permission_policies, reference/hooks.md#codetether_permission_policies"


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that keeps its promises but for one, and one with a promise that cannot be tried."""
    found = [subject(policies.BROKEN["a stricter mode is no milder"])]
    monkeypatch.setattr(program, "installed_subjects", lambda names: found)


def test_the_table_says_which_promise_is_broken_and_why(two: None) -> None:
    result = CliRunner().invoke(program.main, [])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "broken",
        "  ok       plugin: it loads whole",
        "  -        plugin: its import is light",
        "  ok       plugin: it writes nothing when it is loaded",
        "  ok       permission_policies: every call gets a decision [probe]",
        "  ok       permission_policies: the same call is judged the same [probe]",
        "  ok       permission_policies: a call that touches more is judged no milder [probe]",
        "  BROKEN   permission_policies: a stricter mode is no milder [probe]",
        "           ('read', 'write') is judged [0, 1, 1] in ('plan', 'default', 'edit'): a stricter mode is milder",
        "  ok       permission_policies: an unknown effect is judged like the worst [probe]",
        f"In the documentation: {PAGE}",
        "6 kept, 1 broken, 1 not tried",
    ]


def test_as_json_each_promise_is_a_line(two: None) -> None:
    result = CliRunner().invoke(program.main, ["--json"])
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert [(line["promise"], line["judged"]) for line in lines if line["judged"] != "kept"] == [
        ("its import is light", "not tried"),
        ("a stricter mode is no milder", "broken"),
    ]


def test_a_plugin_that_is_not_installed() -> None:
    result = CliRunner().invoke(program.main, ["nobody-has-this"])
    assert (result.exit_code, "no plugin 'nobody-has-this' is installed" in result.output) == (2, True)


def test_an_excuse_is_said_and_must_name_a_promise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from codetether.testing.trials import Trials

    excuse = {"prompt_sections: its text is stable": "it counts", "prompt_sections: its text is stabel": "it counts"}
    found = [subject(prompts.BROKEN["its text is stable"], trials=Trials(excused=excuse))]
    monkeypatch.setattr(program, "installed_subjects", lambda names: found)
    result = CliRunner().invoke(program.main, [])
    assert result.exit_code == 1
    assert "  excused  prompt_sections: its text is stable [probe]\n           it counts\n" in result.output
    assert "Trials.excused names no promise: prompt_sections: its text is stabel" in result.stderr
