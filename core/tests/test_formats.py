"""What readers of foreign files stand on: fields of any kind, files of any kind, transcripts that always add up."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from codetether.errors import SourceDamaged
from codetether.formats.fields import Fields, data_url, moment
from codetether.formats.source import SourceFile, json_value
from codetether.formats.transcript import NO_RESULT, Transcript, foreign_id
from codetether.ids import is_session_id
from codetether.models.completion import Usage
from codetether.models.messages import TextPart, ToolCallPart, ToolResultPart
from codetether.models.record import JSON

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00.000000000+01:00",
        "2026-01-01",
        1767225600,
        1767225600.0,
        1767225600000,
    ],
)
def test_a_time_in_any_of_its_forms(value: JSON) -> None:
    assert moment(value) == NEW_YEAR


@pytest.mark.parametrize(
    "value", [None, "", "soon", True, 0, -5, 1e300, float("nan"), float("inf"), [], {}, "9999999-01-01"]
)
def test_what_is_no_time(value: JSON) -> None:
    assert moment(value) is None


def test_a_field_of_another_kind_is_absent() -> None:
    found = Fields(
        {"a": 1, "b": "x", "c": [1, {"d": "y"}], "e": {"f": True}, "g": -3, "h": 1e400, "i": True, "j": "0.5"}
    )
    assert (found.text("a", "b"), found.text("c")) == ("x", "")
    assert [inner.text("d") for inner in found.objects("c")] == ["y"]
    assert (found.object("e").flag("f"), found.object("b").flag("f")) == (True, False)
    assert [found.count(name) for name in "abghi"] == [1, 0, 0, 0, 0]
    assert [found.money(name) for name in "agij"] == [Decimal(1), None, None, Decimal("0.5")]
    nothing: list[JSON] = [None, [], {}, "x"]
    assert not any(map(Fields, nothing))
    assert Fields({"a": 1})


def test_data_urls() -> None:
    assert data_url("data:image/png;base64,iVBORw==") == ("image/png", b"\x89PNG")
    assert data_url("data:,a%20b") == ("text/plain", b"a b")
    assert [data_url(url) for url in ("https://x/y,z", "data:image/png;base64,!", "data:")] == [None, None, None]


def test_json_as_others_write_it() -> None:
    assert json_value(b'{"cut": "\\ud83d", "whole": "\\ud83d\\ude00"}') == {"cut": "\ufffd", "whole": "😀"}
    for data, why in [
        (b"[" * 5000 + b"]" * 5000, "it is nested too deeply"),
        (b'"\xff"', "it is not UTF-8"),
        (b'{"a": NaN}', "it is no JSON"),
        (b'{"a": "\\ud83d', "it is no JSON"),
    ]:
        with pytest.raises(ValueError, match=why):
            json_value(data)


def test_the_first_bad_lines_are_named_and_the_others_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf{}\n\n" + b"{\n" * 9 + b'{"last"')
    file = SourceFile(path)
    assert list(file.lines()) == [(1, {})]
    assert [problem.source for problem in file.problems] == [*(f"{path}:{n}" for n in range(3, 8)), str(path)]
    assert file.problems[-1].why == "5 more lines cannot be read"
    with pytest.raises(SourceDamaged, match="No such file"):
        SourceFile(tmp_path / "gone").contents()


@pytest.mark.parametrize("theirs", ["ses_1", "a/../b", "", "é" * 300, "x" * 300, "-", "A b", "..", "a\nb"])
def test_ids_that_can_be_kept(theirs: str) -> None:
    made = foreign_id("claude", theirs)
    assert is_session_id(made)
    assert (made == f"claude_{theirs}") == (theirs in ("ses_1", "-"))
    assert made != foreign_id("claude", theirs + "x")


def test_a_transcript_adds_up_whatever_is_told() -> None:
    talk = Transcript(format="x", source_id="1")
    talk.result("late", [TextPart(text="before its call")])
    talk.spend(Usage(input_tokens=3))
    talk.user([TextPart(text="go")])
    calls = [ToolCallPart(id=id_, name="f", arguments="{}") for id_ in ("late", "same", "same_2", "same", "")]
    talk.assistant(calls, usage=Usage(output_tokens=2))
    talk.user([TextPart(text="meanwhile")])
    talk.result("same", [TextPart(text="one")], success=False)
    talk.result("nobody", [])
    found = talk.finish()
    ids = [call.id for call in found.session.messages[2].tool_calls]
    assert ids == ["late", "same", "same_2", "same_3", "call"]
    results = [p for m in found.session.messages[3:8] for p in m.parts if isinstance(p, ToolResultPart)]
    assert [(r.tool_call_id, r.text, r.success) for r in results] == [
        ("same", "one", False),
        ("late", "before its call", True),
        *((id_, NO_RESULT, False) for id_ in ("same_2", "same_3", "call")),
    ]
    assert (found.messages, found.tool_calls, found.tool_results) == (3, 5, 2)
    assert found.usage == Usage(input_tokens=3, output_tokens=2)
    assert found.lost == ("calls without a result, closed with an error: 3", "results of calls that are not there: 1")
    assert talk.finish() == found
