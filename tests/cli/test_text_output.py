"""How a run is shown, event by event."""

from __future__ import annotations

import sys
from io import StringIO

import pytest
from codetether import Notice, Retry, TextChunk, TextComplete, ToolCallComplete, ToolCallOutput, ToolCallStart, Unknown
from codetether.cli.terminal import Screen
from codetether.cli.text_output import TextOutput


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> tuple[TextOutput, StringIO, StringIO]:
    """An output for which nobody watches, and what it writes to standard output and error."""
    out, err = StringIO(), StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return TextOutput(Screen()), out, err


Shown = tuple[TextOutput, StringIO, StringIO]


def start(call_id: str, arguments: str = '{"path": "a b", "deep": true}') -> ToolCallStart:
    return ToolCallStart(call_id=call_id, name=f"tool_{call_id}", arguments=arguments)


def complete(call_id: str, output: str) -> ToolCallComplete:
    return ToolCallComplete(call_id=call_id, name=f"tool_{call_id}", output=output, success=True, duration_ms=1)


def test_the_results_of_calls_that_ran_together_say_whose_they_are(shown: Shown) -> None:
    output, out, err = shown
    for event in (start("1"), start("2", '{"broken'), complete("2", "second"), complete("1", "first\n"), start("3"),
                  complete("3", "")):  # fmt: skip
        output.show(event)

    assert out.getvalue() == ""
    assert err.getvalue() == (
        '● tool_1 path="a b" deep=true\n● tool_2 {"broken\n  second\n↳ tool_1\n  first\n● tool_3 path="a b" deep=true\n'
    )


def test_a_long_output_is_cut_in_the_middle_and_the_cut_is_counted(shown: Shown) -> None:
    output, _, err = shown
    output.show(start("1", "{}"))
    output.show(complete("1", "\n".join(f"line {n}" for n in range(100)) + "\n" + "x" * 1000))

    lines = err.getvalue().split("\n")
    assert lines[:2] == ["● tool_1", "  line 0"]
    assert lines[40:43] == ["  line 39", "  … 51 more lines", "  line 91"]
    assert lines[-2] == "  " + "x" * 390 + "… (+610)"


def test_only_whole_steps_are_written_where_nobody_watches(shown: Shown) -> None:
    output, out, err = shown
    for event in (
        TextChunk("with"),
        Retry(attempt=1, delay=0.5, reason="openai: the stream ended early"),
        TextChunk("whole"),
        TextComplete(text="whole\r\ntext\n\n"),
        Notice(text="mind the gap", source="weather"),
        Unknown(raw={"type": "of a later version"}),
        ToolCallOutput(call_id="1", text="more"),
    ):
        output.show(event)

    assert out.getvalue() == "whole\ntext\n"
    assert err.getvalue() == "— openai: the stream ended early: retrying\nnote: weather: mind the gap\n"
