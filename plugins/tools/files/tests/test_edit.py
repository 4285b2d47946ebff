"""Stories about edit: what is replaced, what is not, and what survives."""

from __future__ import annotations

import os
import stat
import time

import pytest
from codetether.testing.workbench import Workbench
from codetether_tools_files.diffs import unified
from codetether_tools_files.nearest import nearest

PYTHON = "import sys\n\ndef greet(name):\n    return name\n\ndef main():\n    return 1\n"


async def test_an_exact_text_is_replaced(bench: Workbench) -> None:
    file = bench.directory / "a.py"
    file.write_text(PYTHON)
    result = await bench.call("edit", path="a.py", old="def greet(name):\n", new="def greet(whom):\n")
    assert (result.success, result.output) == (True, "a.py edited: 1 replacement at line 3")
    assert file.read_text() == PYTHON.replace("greet(name)", "greet(whom)")
    assert result.metadata["diff"].splitlines() == [
        "--- a/a.py",
        "+++ b/a.py",
        "@@ -1,6 +1,6 @@",
        " import sys",
        " ",
        "-def greet(name):",
        "+def greet(whom):",
        "     return name",
        " ",
        " def main():",
    ]


async def test_a_text_that_stands_there_twice_needs_a_word(bench: Workbench) -> None:
    file = bench.directory / "a.py"
    file.write_text(PYTHON)
    refused = await bench.call("edit", path="a.py", old="return", new="yield")
    error = (
        "old stands 2 times in a.py, at lines 4, 7; give more of the lines around the one you mean, or set replace_all"
    )
    assert (refused.success, refused.output) == (False, f"Error: {error}")
    done = await bench.call("edit", path="a.py", old="return", new="yield", replace_all=True)
    assert done.output == "a.py edited: 2 replacements at lines 4, 7"
    assert file.read_text() == PYTHON.replace("return", "yield")


async def test_a_text_that_is_not_there_is_answered_with_the_nearest(bench: Workbench) -> None:
    (bench.directory / "a.py").write_text(PYTHON)
    result = await bench.call("edit", path="a.py", old="def greet(name):\n  return name\n", new="x")
    where = "old does not stand in a.py. The nearest match begins at line 3."
    difference = "  def greet(name):\n-   return name\n+     return name"
    assert (result.success, result.output) == (
        False,
        f"Error: {where} The difference (- what old says, + what the file holds):\n{difference}",
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"old": "x", "new": "x"}, "old and new are the same, so nothing would change"),
        ({"old": "qqqqqq", "new": "x"}, "old does not stand in a.py; read it"),
    ],
)
async def test_what_cannot_be_done_is_said(bench: Workbench, arguments: dict[str, str], error: str) -> None:
    (bench.directory / "a.py").write_text(PYTHON)
    assert (await bench.call("edit", path="a.py", **arguments)).output == f"Error: {error}"


async def test_a_missing_file_is_named(bench: Workbench) -> None:
    (bench.directory / "main.py").write_text(PYTHON)
    result = await bench.call("edit", path="mian.py", old="a", new="b")
    assert result.output == "Error: no such file or directory: mian.py; did you mean main.py?"


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\n", b"x\r\ny\r\nc\r\n"),
        (b"a\r\nb\r\n", "a\r\n", "x\r\n", b"x\r\nb\r\n"),
        ("\ufeffa\nb".encode(), "b", "ä", "\ufeffa\nä".encode()),
        (b"caf\xe9\nb\n", "é", "è", b"caf\xe8\nb\n"),
        ("a\nb\n".encode("utf-16"), "b", "ü", "a\nü\n".encode("utf-16")),
        ("grüße schön \n".encode() + b"\xff\n", "grüße", "gruß", "gruß schön \n".encode() + b"\xff\n"),
        (b"\ta\n\tb", "\tb", "\tc", b"\ta\n\tc"),
        ("a\u2028b\x0cc\n".encode(), "b\x0cc", "d", "a\u2028d\n".encode()),
        (b"a\r\nb\nc\n", "b\nc", "x\ny", b"a\r\nx\ny\n"),
        (b"one  \ntwo\n", "one\ntwo", "one\n2", b"one  \n2\n"),
        ("cafe\u0301 au\n".encode(), "caf\u00e9", "th\u00e9", "the\u0301 au\n".encode()),
    ],
)
async def test_all_else_stays_byte_for_byte(bench: Workbench, before: bytes, old: str, new: str, after: bytes) -> None:
    file = bench.directory / "f"
    file.write_bytes(before)
    file.chmod(0o755)
    result = await bench.call("edit", path="f", old=old, new=new)
    assert (result.success, file.read_bytes()) == (True, after)
    assert stat.S_IMODE(file.stat().st_mode) == 0o755
    assert os.listdir(bench.directory) == ["f"]  # noqa: PTH208


async def test_an_edited_file_is_known_to_the_session(bench: Workbench) -> None:
    (bench.directory / "a.py").write_text(PYTHON)
    await bench.call("edit", path="a.py", old="sys", new="os")
    assert (await bench.call("write", path="a.py", content="new\n")).success


async def test_a_binary_file_is_refused(bench: Workbench) -> None:
    for data in (b"a\0b", "a\n".encode("utf-32")):
        (bench.directory / "f").write_bytes(data)
        assert (await bench.call("edit", path="f", old="a", new="b")).output == (
            "Error: f is a binary file; edit changes text only"
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
async def test_a_file_that_may_not_be_written_is_not_replaced_either(bench: Workbench) -> None:
    (bench.directory / "f").write_text("a\n")
    (bench.directory / "f").chmod(0o444)
    result = await bench.call("edit", path="f", old="a", new="b")
    assert (result.output, (bench.directory / "f").read_text()) == (
        "Error: f is read-only (mode 444); nothing was written",
        "a\n",
    )


def test_the_nearest_place_is_found_quickly_in_a_large_file() -> None:
    lines = [f"    value_{n} = compute({n}, {n * 7})" for n in range(200_000)]
    began = time.monotonic()
    found = nearest("\n".join(lines), "value_150000 = compute(150000, 0)\nvalue_150001 = compute(150001, 1050007)")
    assert found.startswith("The nearest match begins at line 150001.")
    assert time.monotonic() - began < 2


def test_differences_of_large_files_are_quick_and_true() -> None:
    before = "".join(f"{n}\n" for n in range(100_000))
    after = before.replace("\n50000\n", "\nx\n")
    other = "".join(f"{n * 3 % 7919}\n" for n in range(100_000))
    began = time.monotonic()
    small, large = unified(before, after, "f"), unified(before, other, "f")
    assert time.monotonic() - began < 2
    assert small == (
        "--- a/f\n+++ b/f\n@@ -49998,7 +49998,7 @@\n 49997\n 49998\n 49999\n-50000\n+x\n 50001\n 50002\n 50003\n"
    )
    assert large.startswith("--- a/f\n+++ b/f\n@@ -1,100000 +1,100000 @@\n-0\n-1\n")
    assert large.endswith("… and 99500 more lines\n")


def test_a_missing_line_end_shows_in_the_difference() -> None:
    assert (
        unified("a\nb", "a\nb\n", "f")
        == "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"
    )
    assert unified("a", "a", "f") == ""
