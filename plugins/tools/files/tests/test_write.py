"""Stories about write: new files, files in place of others, and what survives of those."""

from __future__ import annotations

import os
import stat

import pytest
from codetether.testing.workbench import Workbench


async def test_a_new_file_is_made_with_its_directories(bench: Workbench) -> None:
    result = await bench.call("write", path="new/deep/x.txt", content="one\ntwo\n")
    assert (result.success, result.output) == (True, "new/deep/x.txt created (2 lines, 8 bytes)")
    assert result.metadata == {
        "path": str(bench.directory / "new/deep/x.txt"),
        "diff": "--- /dev/null\n+++ b/new/deep/x.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n",
    }
    assert (bench.directory / "new/deep/x.txt").read_text() == "one\ntwo\n"
    assert os.listdir(bench.directory / "new/deep") == ["x.txt"]  # noqa: PTH208


async def test_a_file_is_read_before_it_is_replaced(bench: Workbench) -> None:
    file = bench.directory / "a"
    file.write_text("old\n")
    refused = await bench.call("write", path="a", content="new\n")
    await bench.call("read", path="a")
    done = await bench.call("write", path="a", content="new\n")
    again = await bench.call("write", path="a", content="newer\n")
    assert (refused.success, refused.output) == (
        False,
        "Error: a exists and was not read in this session; read it first, or change a part of it with edit",
    )
    assert (done.output, done.metadata["diff"]) == (
        "a replaced (1 line, 4 bytes)",
        "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-old\n+new\n",
    )
    assert (again.output, file.read_text()) == ("a replaced (1 line, 6 bytes)", "newer\n")


async def test_a_file_that_changed_since_is_not_replaced(bench: Workbench) -> None:
    file = bench.directory / "a"
    file.write_text("old\n")
    await bench.call("read", path="a")
    file.write_text("somebody else's\n")
    refused = await bench.call("write", path="a", content="new\n")
    assert refused.output == "Error: a was changed since it was read; read it again"
    assert file.read_text() == "somebody else's\n"


async def test_the_same_content_changes_nothing(bench: Workbench) -> None:
    file = bench.directory / "a"
    file.write_text("same\n")
    before = file.stat()
    result = await bench.call("write", path="a", content="same\n")
    assert (result.success, result.output) == (True, "a already holds exactly this (1 line, 5 bytes)")
    assert file.stat() == before


@pytest.mark.parametrize(
    ("old", "content", "new"),
    [
        (b"a\r\nb\r\n", "a\nc\n", b"a\r\nc\r\n"),
        ("\ufeffa\n".encode(), "ä\n", "\ufeffä\n".encode()),
        ("\ufeffa\n".encode(), "\ufeffb\n", "\ufeffb\n".encode()),
        (b"caf\xe9\n", "thé\n", b"th\xe9\n"),
        ("a\n".encode("utf-16"), "b\n", "b\n".encode("utf-16")),
        (b"a\nb\r\nc\n", "x\n", b"x\n"),
    ],
)
async def test_encoding_and_line_ends_survive(bench: Workbench, old: bytes, content: str, new: bytes) -> None:
    (bench.directory / "f").write_bytes(old)
    await bench.call("read", path="f")
    assert (await bench.call("write", path="f", content=content)).success
    assert (bench.directory / "f").read_bytes() == new


async def test_what_the_encoding_cannot_hold_is_refused(bench: Workbench) -> None:
    (bench.directory / "f").write_bytes(b"caf\xe9\n")
    await bench.call("read", path="f")
    outputs = [
        (await bench.call("write", path="f", content="日本\n")).output,
        (await bench.call("write", path="new", content="\ud800")).output,
    ]
    assert outputs == [
        "Error: f is LATIN-1 text, which cannot hold the character \\u65e5",
        "Error: new is UTF-8 text, which cannot hold the character \\ud800",
    ]
    assert os.listdir(bench.directory) == ["f"]  # noqa: PTH208


async def test_F12_the_mode_survives_and_new_files_obey_the_umask(bench: Workbench) -> None:
    script = bench.directory / "run.sh"
    script.write_text("old\n")
    script.chmod(0o751)
    await bench.call("read", path="run.sh")
    mask = os.umask(0o027)
    try:
        await bench.call("write", path="run.sh", content="new\n")
        await bench.call("write", path="new", content="new\n")
    finally:
        os.umask(mask)
    modes = [stat.S_IMODE((bench.directory / name).stat().st_mode) for name in ("run.sh", "new")]
    assert modes == [0o751, 0o640]


async def test_a_directory_or_a_pipe_is_not_replaced(bench: Workbench) -> None:
    (bench.directory / "d").mkdir()
    os.mkfifo(bench.directory / "pipe")
    outputs = [(await bench.call("write", path=path, content="x")).output for path in ("d", "pipe", ".")]
    assert outputs == [
        "Error: d is a directory; use list to see what is in it",
        "Error: pipe is a named pipe, not a file",
        "Error: . is a directory; use list to see what is in it",
    ]


async def test_a_hard_link_elsewhere_keeps_its_content(bench: Workbench) -> None:
    (bench.directory / "a").write_text("old\n")
    os.link(bench.directory / "a", bench.directory / "b")
    await bench.call("read", path="a")
    await bench.call("write", path="a", content="new\n")
    assert (bench.directory / "b").read_text() == "old\n"


async def test_the_preview_is_the_change(bench: Workbench) -> None:
    (bench.directory / "a").write_text("one\ntwo\n")
    call, ctx = bench.prepared("write", path="a", content="one\n2\n")
    resources = bench.tools["write"].resources(call, ctx)
    assert (resources.reads, resources.writes) == ((), ("a",))
    assert resources.preview == "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
