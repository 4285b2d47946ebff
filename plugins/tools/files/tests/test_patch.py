"""Stories about apply_patch: both formats, all or nothing, and what is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from codetether import Resources, ToolResult
from codetether.testing.workbench import Workbench

CLASS = "\n\nclass {}:\n    def run(self):\n        return 1\n"
PYTHON = "import sys\n" + CLASS.format("A") + CLASS.format("B")


def codex(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"]) + "\n"


def tree(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


async def patched(bench: Workbench, patch: str) -> ToolResult:
    return await bench.call("apply_patch", patch=patch)


async def test_a_patch_of_many_files(bench: Workbench) -> None:
    place = bench.directory
    (place / "a.py").write_text(PYTHON)
    (place / "old.txt").write_text("gone\n")
    (place / "m.sh").write_text("one\ntwo\n")
    (place / "m.sh").chmod(0o755)
    await bench.call("read", path="old.txt")
    result = await patched(
        bench,
        codex(
            "*** Add File: new/b.txt",
            "+grüße",
            "+",
            "*** Update File: a.py",
            "@@ class B:",
            "     def run(self):",
            "-        return 1",
            "+        return 2",
            "*** Delete File: old.txt",
            "*** Update File: m.sh",
            "*** Move to: bin/m.sh",
            "@@",
            " one",
            "-two",
            "+three",
            "*** End of File",
        ),
    )
    assert (result.success, result.output.splitlines()) == (
        True,
        [
            "patch applied to 4 files:",
            "  new/b.txt created",
            "  a.py updated",
            "  old.txt deleted",
            "  m.sh moved to bin/m.sh",
        ],
    )
    assert tree(place) == {
        "a.py": (PYTHON.removesuffix("return 1\n") + "return 2\n").encode(),
        "bin/m.sh": b"one\nthree\n",
        "new/b.txt": "grüße\n\n".encode(),
    }
    assert stat.S_IMODE((place / "bin/m.sh").stat().st_mode) == 0o755
    diff = str(result.metadata["diff"])
    assert [line for line in diff.splitlines() if line.startswith(("---", "+++"))] == [
        "--- /dev/null",
        "+++ b/new/b.txt",
        "--- a/a.py",
        "+++ b/a.py",
        "--- a/old.txt",
        "+++ /dev/null",
        "--- a/m.sh",
        "+++ /dev/null",
        "--- /dev/null",
        "+++ b/bin/m.sh",
    ]


async def test_a_patch_under_its_other_name(bench: Workbench) -> None:
    result = await bench.call("apply_patch", input=codex("*** Add File: a", "+x"))
    assert (result.success, tree(bench.directory)) == (True, {"a": b"x\n"})


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (codex("*** Add File: n", "+x", "*** Update File: a.py", "@@", "-import os", "+x"), "hunk 1 of 1 for a.py"),
        (codex("*** Add File: n", "+x", "*** Delete File: b.txt"), "b.txt exists and was not read in this session"),
        (codex("*** Add File: n", "+x", "*** Add File: b.txt", "+y"), "b.txt exists and was not read in this session"),
        (codex("*** Add File: n", "+x", "*** Delete File: c"), "no such file or directory: c"),
        (codex("*** Update File: a.py", "@@", "     def run(self):", "+        pass"), "fits at lines 5, 10"),
        (codex("*** Update File: a.py", "*** Move to: b.txt"), "b.txt is there already"),
        (codex("*** Update File: a.py"), "changes nothing in a.py"),
        ("*** Begin Patch\n*** Add File: n\n+x\n", "not whole"),
        (codex("*** Add File: n", "x"), "line 3 of the patch must begin with `+`"),
        (codex("*** Update File: bin", "@@", "-a", "+b"), "bin is a binary file"),
        ("hello", "no patch is recognised"),
        ("diff --git a/x b/x\nBinary files a/x and b/x differ\n", "binary"),
        ('diff --git "a/x b/x\n', "names no file"),
        ("@@ -1 +1 @@\n-import\n+x\n--- a/a.py\n+++ b/a.py\n", "belongs to no file"),
        ("diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n", "link"),
        ("--- a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n", "b.txt holds more than the patch removes"),
        (codex("*** Add File: ../O/x", "+x"), "denied"),
        ("--- /dev/null\n+++ b/../O/x\n@@ -0,0 +1 @@\n+x\n", "denied"),
    ],
)
async def test_all_or_nothing(bench: Workbench, patch: str, why: str) -> None:
    (bench.directory / "a.py").write_text(PYTHON)
    (bench.directory / "b.txt").write_text("one\ntwo\n")
    (bench.directory / "bin").write_bytes(b"a\0b\n")
    before = tree(bench.directory.parent)
    result = await patched(bench, patch)
    assert not result.success
    assert why in result.output
    assert tree(bench.directory.parent) == before


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/proc/self"), reason="needs /proc")  # noqa: PTH110
async def test_a_failure_in_the_middle_takes_back_what_was_done(bench: Workbench) -> None:
    place = bench.directory
    (place / "a").write_text("one\n")
    (place / "file").write_text("x\n")
    patch = codex(
        "*** Update File: a", "@@", "-one", "+two", "*** Add File: new", "+n", "*** Add File: file/below", "+x"
    )
    result = await patched(bench, patch)
    assert (result.success, tree(place)) == (False, {"a": b"one\n", "file": b"x\n"})
    assert "nothing was changed" in result.output


async def test_what_a_patch_touches_is_told_before(bench: Workbench) -> None:
    (bench.directory / "a").write_text("one\n")
    patch = codex(
        "*** Update File: a", "*** Move to: b", "@@", "-one", "+two", "*** Add File: c", "+x", "*** Delete File: d"
    )
    call, ctx = bench.prepared("apply_patch", patch=patch)
    assert bench.tools["apply_patch"].resources(call, ctx) == Resources(
        reads=("a", "d"), writes=("a", "b", "c", "d"), preview=patch
    )
    call, ctx = bench.prepared("apply_patch", patch=codex("*** Update File: a", "@@", "-one", "+two"))
    told = bench.tools["apply_patch"].resources(call, ctx)
    assert told.preview == "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-one\n+two\n"


async def test_a_rule_keeps_a_patch_from_any_of_its_files(bench: Workbench) -> None:
    bench.permissions = {"deny": ["write(private/**)"]}
    result = await patched(bench, codex("*** Add File: a", "+x", "*** Add File: private/b", "+x"))
    assert (result.success, tree(bench.directory)) == (False, {})


GIT = """\
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/one.txt b/sub/two.txt
similarity index 80%
rename from one.txt
rename to sub/two.txt
index 1..2 100644
--- a/one.txt
+++ b/sub/two.txt
@@ -1,3 +1,3 @@
 a
-b
+B
 c
diff --git "a/caf\\303\\251.txt" "b/caf\\303\\251.txt"
new file mode 100755
index 0..1
--- /dev/null
+++ "b/caf\\303\\251.txt"
@@ -0,0 +1 @@
+x
\\ No newline at end of file
diff --git a/empty b/empty
new file mode 100644
index 0000000..e69de29
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1,2 +0,0 @@
--- a
-+++ b
"""


async def test_a_diff_of_gits(bench: Workbench) -> None:
    place = bench.directory
    for name, text in {"run.sh": "r\n", "one.txt": "a\nb\nc\n", "gone": "-- a\n+++ b\n"}.items():
        (place / name).write_text(text)
        (place / name).chmod(0o644)
    result = await patched(bench, GIT)
    assert result.success, result.output
    assert tree(place) == {"run.sh": b"r\n", "sub/two.txt": b"a\nB\nc\n", "café.txt": b"x", "empty": b""}
    assert [stat.S_IMODE((place / name).stat().st_mode) & 0o100 for name in ("run.sh", "café.txt")] == [0o100, 0o100]


async def test_names_that_change_places(bench: Workbench) -> None:
    (bench.directory / "a").write_text("A\n")
    (bench.directory / "b").write_text("B\n")
    one = "diff --git a/a b/b\nrename from a\nrename to b\ndiff --git a/b b/a\nrename from b\nrename to a\n"
    result = await patched(bench, one)
    assert (result.success, tree(bench.directory)) == (True, {"a": b"B\n", "b": b"A\n"})


async def test_a_copy_is_of_what_the_file_was_before_the_patch(bench: Workbench) -> None:
    (bench.directory / "a").write_text("A\n")
    change = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-A\n+B\n"
    result = await patched(bench, change + "diff --git a/a b/c\ncopy from a\ncopy to c\n")
    assert (result.success, tree(bench.directory)) == (True, {"a": b"B\n", "c": b"A\n"})


TEN = "".join(f"line {n}\n" for n in range(10))


@pytest.mark.parametrize(
    ("hunk", "said"),
    [
        ("@@ -4,3 +4,3 @@\n line 3\n-line 4\n+LINE\n line 5\n", ""),
        ("@@ -1,3 +1,3 @@\n line 3\n-line 4\n+LINE\n line 5\n", ""),
        ("@@ -4,9 +4,2 @@\n line 3\n-line 4\n+LINE\n line 5\n", ""),
        ("@@ ... @@\n line 3\n-line 4\n+LINE\n line 5\n", ""),
        ("@@ -4,3 +4,3 @@\n line 3  \n-line 4\n+LINE\n line 5\n", " (hunk 1 fits at line 4 but for white space"),
        (
            "@@ -3,5 +3,5 @@\n odd\n line 3\n-line 4\n+LINE\n line 5\n other\n",
            " (hunk 1 fits at line 4 but for the outer",
        ),
    ],
)
async def test_a_hunk_that_is_not_quite_right(bench: Workbench, hunk: str, said: str) -> None:
    (bench.directory / "a").write_text(TEN)
    result = await patched(bench, f"--- a/a\n+++ b/a\n{hunk}")
    assert result.success, result.output
    assert result.output.startswith(f"patch applied to 1 file:\n  a updated{said}")
    assert tree(bench.directory) == {"a": TEN.replace("line 4", "LINE").encode()}


UNSIGNED = "class A:\n    x = 1\n\n    y = 2\n"
DIRECTORIES = "--- old-1/f\t2020-01-01 00:00:00\n+++ old-2/f\t2020-01-02 00:00:00\n"


@pytest.mark.parametrize(
    ("old", "patch", "new"),
    [
        # lines of context without their sign, whether the counts are right or not
        (UNSIGNED, "--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\nclass A:\n     x = 1\n\n-    y = 2\n+    y = 3\n", "y = 3"),
        (UNSIGNED, "--- a/f\n+++ b/f\n@@ -1,2 +1,9 @@\nclass A:\n     x = 1\n\n-    y = 2\n+    y = 3\n```\n", "y = 3"),
        (UNSIGNED, codex("*** Update File: f", "@@", "class A:", "    x = 1", "", "-    y = 2", "+    y = 3"), "y = 3"),
        (
            UNSIGNED,
            codex("*** Update File: f", "@@", "    y = 2", "+    y = 2", "+    y = 3"),
            "y = 2\n    y = 2\n    y = 3",
        ),
        # one format inside the other
        (UNSIGNED, "*** Begin Patch\n--- a/f\n+++ b/f\n@@ -4 +4 @@\n-    y = 2\n+    y = 3\n*** End Patch\n", "y = 3"),
        (
            UNSIGNED,
            codex("*** Update File: f", "--- a/f", "+++ b/f", "@@ -4 +4 @@", "-    y = 2", "+    y = 3"),
            "y = 3",
        ),
        # directories compared, a file that one of them lacks, names written without prefixes
        (UNSIGNED, f"{DIRECTORIES}@@ -4 +4 @@\n-    y = 2\n+    y = 3\n", "y = 3"),
        (None, f"{DIRECTORIES.replace('2020-01-01', '1970-01-01')}@@ -0,0 +1 @@\n+n\n", "n\n"),
        (None, "diff --git a/f a/f\nnew file mode 100644\n--- /dev/null\n+++ a/f\n@@ -0,0 +1 @@\n+n\n", "n\n"),
        # a byte order mark, which git takes for a part of the first line
        ("\ufeffy = 2\n", "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-\ufeffy = 2\n+\ufeffy = 3\n", "y = 3"),
    ],
)
async def test_what_models_and_programs_write(bench: Workbench, old: str | None, patch: str, new: str) -> None:
    where = bench.directory / ("a/f" if "diff --git" in patch else "f")
    if old is not None:
        where.write_text(old)
    result = await patched(bench, patch)
    assert result.success, result.output
    assert where.read_text() == ((old or "").replace("y = 2", new) if old else new)


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (
            codex("*** Update File: f", "@@", " c", "-d", "+D", "@@", " a", "-b", "+B"),
            "stand at line 1, above the hunk",
        ),
        ("--- a/f\n+++ b/f\n@@ -8,4 +8,5 @@\n q\n \n+x\n \n r\n", "its lines do not stand there"),
    ],
)
async def test_hunks_are_not_put_where_little_speaks_for_it(bench: Workbench, patch: str, why: str) -> None:
    (bench.directory / "f").write_text("a\nb\nc\nd\n\n\n")
    result = await patched(bench, patch)
    assert (result.success, why in result.output) == (False, True), result.output


async def test_a_diff_of_a_patch_is_a_diff(bench: Workbench) -> None:
    (bench.directory / "a").write_text("*** Begin Patch\n*** Add File: b\n")
    result = await patched(
        bench, "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n *** Begin Patch\n-*** Add File: b\n+*** Add File: c\n"
    )
    assert (result.success, tree(bench.directory)) == (True, {"a": b"*** Begin Patch\n*** Add File: c\n"})


async def test_fuzz_is_not_for_places_that_are_many(bench: Workbench) -> None:
    (bench.directory / "a").write_text("x\nsame\nold\ny\nz\nsame\nold\nw\n")
    result = await patched(bench, "--- a/a\n+++ b/a\n@@ -1,4 +1,4 @@\n q\n same\n-old\n+new\n r\n")
    assert (result.success, "fits at lines 2, 6" in result.output) == (False, True)


@pytest.mark.parametrize(
    "data", [b"a\r\nb\r\nc\r\n", b"\xef\xbb\xbfa\r\nb\r\nc", b"a\nb\nc", b"\xe9\nb\nc\n", "a\nb\n".encode("utf-16")]
)
async def test_line_ends_marks_and_encodings_survive(bench: Workbench, data: bytes) -> None:
    (bench.directory / "f").write_bytes(data)
    result = await patched(bench, codex("*** Update File: f", "@@", "-b", "+x", "+y"))
    assert result.success, result.output
    end = b"\r\n" if b"\r" in data else b"\n"
    wanted = data.replace(b"b" + end, b"x" + end + b"y" + end)
    if data.startswith(b"\xff\xfe"):
        wanted = "a\nx\ny\n".encode("utf-16")
    assert tree(bench.directory) == {"f": wanted}


async def test_a_new_last_line_ends_as_the_old_one(bench: Workbench) -> None:
    (bench.directory / "f").write_text("a\nb")
    await patched(bench, codex("*** Update File: f", "@@", " a", " b", "+c"))
    assert tree(bench.directory) == {"f": b"a\nb\nc"}


async def test_lines_that_lie_further_in_are_shifted(bench: Workbench) -> None:
    (bench.directory / "f").write_text("class A:\n\tdef f(self):\n\t\treturn 1\n")
    result = await patched(
        bench, codex("*** Update File: f", "@@", " def f(self):", "-\treturn 1", "+\tif self:", "+\t\treturn 2")
    )
    assert tree(bench.directory) == {"f": b"class A:\n\tdef f(self):\n\t\tif self:\n\t\t\treturn 2\n"}
    assert "but for its indentation" in result.output
