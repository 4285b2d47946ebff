"""Stories about read and list: what the model sees of files and directories."""

from __future__ import annotations

import os
import resource
import sys
import time

import pytest
from codetether.testing.workbench import Workbench


async def test_a_file_comes_with_its_line_count_and_numbers(bench: Workbench) -> None:
    (bench.directory / "data.csv").write_text("name,age\np1,21\n")
    result = await bench.call("read", path="data.csv")
    assert result.success
    assert result.output == "data.csv: 2 lines\n     1\tname,age\n     2\tp1,21"
    assert result.metadata == {"path": str(bench.directory / "data.csv"), "lines": 2, "first": 1, "last": 2}


async def test_a_part_says_where_to_go_on(bench: Workbench) -> None:
    (bench.directory / "a").write_text("".join(f"{n}\n" for n in range(1, 6)))
    outputs = [
        (await bench.call("read", path="a", offset=2, limit=2)).output,
        (await bench.call("read", path="a", offset=4)).output,
        (await bench.call("read", path="a", offset=6)).output,
    ]
    assert outputs == [
        "a: 5 lines, 2 to 3 shown\n     2\t2\n     3\t3\n… go on with offset 4",
        "a: 5 lines, 4 to 5 shown\n     4\t4\n     5\t5",
        "Error: a has only 5 lines; offset 6 is past its end",
    ]


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (b"", "f: empty file, 0 lines"),
        (b"a", "f: 1 line, no line end at the end of the file"),
        (b"a\nb", "f: 2 lines, no line end at the end of the file"),
        (b"\n", "f: 1 line"),
        (b"a\r\nb\r\n", "f: 2 lines, CRLF line ends"),
        (b"caf\xe9\nx\n", "f: 2 lines, LATIN-1"),
        ("\ufeffä\n".encode(), "f: 1 line, UTF-8 with a byte order mark"),
        ("ä\nb".encode("utf-16"), "f: 2 lines, no line end at the end of the file, UTF-16-LE with a byte order mark"),
        (b"x" * 5000 + b"\ny\n", "f: 2 lines"),
    ],
)
async def test_the_first_line_tells_what_the_text_is(bench: Workbench, data: bytes, head: str) -> None:
    (bench.directory / "f").write_bytes(data)
    result = await bench.call("read", path="f")
    assert (result.success, result.output.splitlines()[0]) == (True, head)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"caf\xe9\n", "     1\tcafé"),
        ("\ufeffä\n".encode(), "     1\tä"),
        ("ä\n".encode("utf-16"), "     1\tä"),
        (b"a\x1b[31m\n", "     1\ta\x1b[31m"),
        ("ä".encode() * 3000 + b"\n", f"     1\t{'ä' * 2000}… [line cut]"),
        (b"x" * 8003 + "é".encode() * 9 + b"\n", f"     1\t{'x' * 2000}… [line cut]"),
        ("日本".encode() * 3000 + b"\r\n", f"     1\t{'日本' * 1000}… [line cut]"),
        (b"x" * 3_000_000 + b"\n", f"     1\t{'x' * 2000}… [line cut]"),
    ],
)
async def test_lines_are_shown_as_text_and_cut(bench: Workbench, data: bytes, line: str) -> None:
    (bench.directory / "f").write_bytes(data)
    assert (await bench.call("read", path="f")).output.split("\n")[1] == line


async def test_a_long_file_comes_in_parts_that_fit(bench: Workbench) -> None:
    (bench.directory / "f").write_text("".join(f"{n} {'x' * 90}\n" for n in range(1, 3001)))
    seen: list[str] = []
    offset = 1
    while True:
        result = await bench.call("read", path="f", offset=offset)
        assert len(result.output.encode()) < 64 * 1024
        rows = result.output.splitlines()
        seen += [row.split("\t")[1] for row in rows[1:] if "\t" in row]
        if not rows[-1].startswith("… go on"):
            break
        offset = int(rows[-1].split()[-1])
    assert seen == [f"{n} {'x' * 90}" for n in range(1, 3001)]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("src", "Error: src is a directory; use list to see what is in it"),
        ("readme.md", "Error: no such file or directory: readme.md; did you mean README.md?"),
        ("zzz/y", "Error: no such file or directory: zzz/y"),
        ("logo.png", "Error: logo.png is a binary file of 6 bytes, not text"),
        ("README.md/x", "Error: cannot open README.md/x: Not a directory"),
        ("pipe", "Error: pipe is a named pipe, not a file"),
        ("a\0b", "Error: not a path: 'a\\x00b'"),
    ],
)
async def test_what_cannot_be_read_is_said(bench: Workbench, path: str, error: str) -> None:
    (bench.directory / "src").mkdir()
    (bench.directory / "README.md").write_text("x\n")
    (bench.directory / "logo.png").write_bytes(b"\x89PNG\0\0")
    os.mkfifo(bench.directory / "pipe")
    result = await bench.call("read", path=path)
    assert (result.success, result.output) == (False, error)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and sparse files")
async def test_F14_endless_files_are_capped(bench: Workbench) -> None:
    with (bench.directory / "sparse").open("wb") as file:
        file.truncate(2**40)
    with (bench.directory / "words").open("wb") as file:
        file.write(b"word\n" * 100)
        file.truncate(2**40)
        file.seek(0)
        file.write(b"word\n" * 2000)
    bench.mode = "unsafe"
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    outputs = [
        (await bench.call("read", path="sparse")).output,
        (await bench.call("read", path="words", limit=1)).output,
        (await bench.call("read", path="/dev/zero")).output,
    ]
    status = await bench.call("read", path="/proc/self/status")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert outputs == [
        f"Error: sparse is a binary file of {2**40} bytes, not text",
        "words: very many lines, 1 to 1 shown\n     1\tword\n… go on with offset 2",
        "Error: /dev/zero is a device, not a file",
    ]
    assert "Name:" in status.output
    assert grown < 64
    assert time.monotonic() - began < 10


async def test_a_directory_is_listed_with_its_path_and_counts(bench: Workbench) -> None:
    (bench.directory / "src").mkdir()
    (bench.directory / "b.txt").touch()
    (bench.directory / "a.txt").touch()
    (bench.directory / "link").symlink_to("a.txt")
    result = await bench.call("list")
    assert result.output == f"{bench.directory}\na.txt\nb.txt\nlink -> a.txt\nsrc/\n\n3 files, 1 directory"
    assert (await bench.call("list", path="src")).output == f"{bench.directory}/src\n\n0 files, 0 directories"


async def test_what_cannot_be_listed_is_said(bench: Workbench) -> None:
    (bench.directory / "a.txt").touch()
    outputs = [(await bench.call("list", path=path)).output for path in ("a.txt", "nope")]
    assert outputs == [
        "Error: a.txt is a file; use read to see its content",
        "Error: no such file or directory: nope",
    ]


async def test_a_crowded_directory_is_capped_but_counted(bench: Workbench) -> None:
    for n in range(1100):
        (bench.directory / f"{n:04}").touch()
    lines = (await bench.call("list")).output.splitlines()
    assert (len(lines), lines[-3:]) == (1004, ["… and 100 more", "", "1100 files, 0 directories"])


async def test_F06_strange_names_are_made_visible(bench: Workbench) -> None:
    (bench.directory / "a\nb\x1b[31m").touch()
    (bench.directory / os.fsdecode(b"caf\xe9")).touch()
    output = (await bench.call("list")).output
    assert output.splitlines()[1:3] == ["a\\nb\\x1b[31m", "caf\\xe9"]
    output.encode()
