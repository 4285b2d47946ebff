"""Stories about multiedit, and about what edits repair."""

from __future__ import annotations

import pytest
from codetether.testing.workbench import Workbench


async def test_edits_are_made_in_their_order(bench: Workbench) -> None:
    file = bench.directory / "a"
    file.write_text("one\ntwo\n")
    edits = [{"old": "one", "new": "two"}, {"old": "two", "new": "three", "replace_all": True}]
    result = await bench.call("multiedit", path="a", edits=edits)
    assert result.output == "a edited, 2 edits:\n  1. 1 replacement at line 1\n  2. 2 replacements at lines 1, 2"
    assert file.read_text() == "three\nthree\n"
    assert result.metadata["diff"] == "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n-one\n-two\n+three\n+three\n"


async def test_one_edit_that_cannot_be_made_means_none_is(bench: Workbench) -> None:
    file = bench.directory / "a"
    file.write_text("one\ntwo\n")
    edits = [{"old": "one", "new": "1"}, {"old": "nine", "new": "9"}]
    result = await bench.call("multiedit", path="a", edits=edits)
    assert (result.success, file.read_text()) == (False, "one\ntwo\n")
    assert result.output.startswith("Error: edit 2 of 2: old does not stand in a")
    assert result.output.endswith(". No edit was made")


@pytest.mark.parametrize(
    ("text", "old", "new", "after", "what"),
    [
        ("a  \nb\n", "a\nb\n", "x\ny\n", "x\ny\n", "white space at line ends"),
        ("a\nb\n", "a \nb", "x\ny", "x\ny\n", "white space at line ends"),
        (
            "if x:\n        go()\n        stop()\n",
            "go()\nstop()",
            "if y:\n    go()",
            "if x:\n        if y:\n            go()\n",
            "indentation",
        ),
        (
            "if x:\n\tgo()\n\tstop()\n",
            "    go()\n    stop()\n",
            "    go()\n    end()\n",
            "if x:\n\tgo()\n\tend()\n",
            "indentation",
        ),
        (
            "f {\n\tif x {\n\t\tgo()  \n\t}\n}\n",
            "    if x {\n        go()\n    }\n",
            "    if y {\n        if z {\n            go()\n        }\n    }\n",
            "f {\n\tif y {\n\t\tif z {\n\t\t\tgo()\n\t\t}\n\t}\n}\n",
            "indentation",
        ),
        ("say(“hi”)\n", 'say("hi")', 'say("hi", 1)', "say(“hi”, 1)\n", "typographic quotes or dashes"),
        ("say('hi')\n", "say(\u2018hi\u2019)", "say(\u2018ho\u2019)", "say('ho')\n", "typographic quotes or dashes"),
        ("a\r\nb  \r\nc\r\n", "a\nb\n", "x\ny\n", "x\r\ny\r\nc\r\n", "white space at line ends"),
    ],
)
async def test_an_edit_is_repaired_where_one_place_fits(
    bench: Workbench, text: str, old: str, new: str, after: str, what: str
) -> None:
    file = bench.directory / "a"
    file.write_bytes(text.encode())
    result = await bench.call("edit", path="a", old=old, new=new)
    assert (file.read_bytes().decode(), result.output.partition(" (")[2]) == (
        after,
        f"old differs there in {what}; the file's was kept)",
    )


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("  a\n  b\n\ta\n\tb\n", "a\nb"),
        ("a \nb\na  \nb\n", "a\nb\n"),
        ("  a\n    b\n", "a\nb\n"),
        ("\ta\n\t\tb\n", "    a\n      b\n"),
        ("“a” ”a“\n", '"a"'),
        ("a\n", "\n\n\n"),
    ],
)
async def test_an_edit_is_not_repaired_where_it_could_mean_other_places(bench: Workbench, text: str, old: str) -> None:
    file = bench.directory / "a"
    file.write_text(text)
    result = await bench.call("edit", path="a", old=old, new="x")
    assert (result.success, file.read_text()) == (False, text)
