"""Stories about glob and grep: what is found, what is left out, and what is never taken for an option."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from codetether.testing.workbench import Workbench
from codetether_tools_files import ripgrep, searching
from codetether_tools_files.globs import compiled
from codetether_tools_files.workspace import Refused


@pytest.fixture
def tree(bench: Workbench) -> Path:
    """A small project, with files that are ignored, hidden and secret."""
    files = {
        ".gitignore": "build/\n*.log\n",
        ".env": "TOKEN=needle\n",
        ".aws/credentials": "needle\n",
        ".github/ci.yml": "needle: yes\n",
        ".git/config": "needle\n",
        "README.md": "# Needle\n",
        "src/a.py": "x = 1\nneedle = 2\n",
        "src/sub/b.py": "    needle()\n",
        "build/out.py": "needle\n",
        "debug.log": "needle\n",
        "logo.bin": "needle\0\0",
        "!important": "",
        ".env.example": "TOKEN=\n",
    }
    for place, (name, content) in enumerate(files.items()):
        path = bench.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (1_000_000 + place, 1_000_000 + place))
    return bench.directory


async def found(bench: Workbench, tool: str, **arguments: str) -> list[str]:
    """The lines of the output but for the last two, which count."""
    return (await bench.call(tool, **arguments)).output.splitlines()[:-2]


async def test_glob_finds_newest_first_what_is_not_ignored(bench: Workbench, tree: Path) -> None:
    result = await bench.call("glob", pattern="**/*.py")
    assert result.output == "src/sub/b.py\nsrc/a.py\n\n2 files fit **/*.py in ."
    assert result.metadata == {"files": 2}


@pytest.mark.parametrize(
    ("pattern", "path", "names"),
    [
        ("*.md", ".", ["README.md"]),
        ("*.{md,yml}", ".", ["README.md"]),
        ("**/*.{md,yml}", ".", ["README.md", ".github/ci.yml"]),
        ("src/*.py", ".", ["src/a.py"]),
        ("src/**", ".", ["src/sub/b.py", "src/a.py"]),
        ("**/b.py", "src", ["src/sub/b.py"]),
        ("./src/?.py", ".", ["src/a.py"]),
        ("src/[!b].py", ".", ["src/a.py"]),
        ("b.py", ".", ["src/sub/b.py"]),
        ("**/[ab].py", ".", ["src/sub/b.py", "src/a.py"]),
        ("**/{README.md,b.{py,rs}}", ".", ["src/sub/b.py", "README.md"]),
        ("**/*.log", ".", []),
        ("**/config", ".", []),
        ("**/!important", ".", ["!important"]),
    ],
)
async def test_globs(bench: Workbench, tree: Path, pattern: str, path: str, names: list[str]) -> None:
    assert await found(bench, "glob", pattern=pattern, path=path) == names


async def test_what_git_keeps_for_itself_is_left_out_whatever_gitignore_brings_back(
    bench: Workbench, tree: Path
) -> None:
    (tree / ".gitignore").write_text("*\n!*/\n!*.md\n!config\n!.env*\n")
    assert await found(bench, "glob", pattern="**/*") == [".env.example", "README.md", ".env"]
    assert await found(bench, "grep", pattern="(?i)needle|token") == [".env.example:1: TOKEN=", "README.md:1: # Needle"]


async def test_glob_says_when_there_is_nothing_and_when_it_lies_deeper(bench: Workbench, tree: Path) -> None:
    outputs = [(await bench.call("glob", pattern=pattern)).output for pattern in ("*.rs", "a.py", f"{tree}/src/*.py")]
    assert outputs == [
        "0 files fit *.rs in .",
        "src/a.py\n\nnone directly in .; 1 file below it",
        "src/a.py\n\n1 file fits src/*.py in .",
    ]


ODD = {"x{y}.py": "one(\r\n  two\r\n", "[id]/new\nline.py": "two\n", "i/a.md": "two\n"}


async def test_names_and_line_ends_that_mean_something_elsewhere(bench: Workbench) -> None:
    for name, text in ODD.items():
        (bench.directory / name).parent.mkdir(exist_ok=True)
        (bench.directory / name).write_text(text, newline="")
    globs = [await found(bench, "glob", pattern=pattern) for pattern in ("x{y}.py", r"\[id\]/*", "[id]/*")]
    assert globs == [["x{y}.py"], [r"[id]/new\nline.py"], ["i/a.md"]]
    lines = [r"[id]/new\nline.py:1: two", "i/a.md:1: two", "x{y}.py:2:   two"]
    assert await found(bench, "grep", pattern="two$") == lines
    assert await found(bench, "grep", pattern="two", glob="!*.md") == [lines[0], lines[2]]
    assert await found(bench, "grep", pattern=r"\(\r?\n\s+two") == ["x{y}.py:1: one(", lines[2]]


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "a/../../b"])
async def test_a_glob_does_not_lead_out(bench: Workbench, tree: Path, pattern: str) -> None:
    for call in (bench.call("glob", pattern=pattern), bench.call("grep", pattern="x", glob=pattern)):
        result = await call
        assert (result.success, "leads out of the directory" in result.output) == (False, True)


async def test_grep_finds_lines_in_what_is_neither_ignored_nor_secret(bench: Workbench, tree: Path) -> None:
    result = await bench.call("grep", pattern="(?i)needle")
    assert result.output == (
        ".github/ci.yml:1: needle: yes\nREADME.md:1: # Needle\nsrc/a.py:2: needle = 2\nsrc/sub/b.py:1:     needle()\n\n"
        "4 matches in 4 files"
    )
    assert result.metadata == {"matches": 4, "files": 4, "complete": True}


async def test_F03_grep_leaves_out_what_a_rule_keeps_from_being_read(bench: Workbench, tree: Path) -> None:
    bench.permissions = {"deny": ["read(src/sub/**)"], "ask": ["read(*.yml)"]}
    assert await found(bench, "grep", pattern="(?i)needle") == ["README.md:1: # Needle", "src/a.py:2: needle = 2"]
    assert (await bench.call("grep", pattern="sub.needle", path="src")).metadata["matches"] == 0


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ({"path": "src"}, ["src/a.py:2: needle = 2", "src/sub/b.py:1:     needle()"]),
        ({"path": "src/a.py"}, ["src/a.py:2: needle = 2"]),
        ({"glob": "*.py"}, ["src/a.py:2: needle = 2", "src/sub/b.py:1:     needle()"]),
        ({"glob": "src/*.py"}, ["src/a.py:2: needle = 2"]),
        ({"glob": "*.{yml,md}"}, [".github/ci.yml:1: needle: yes"]),
        ({"glob": "{src/sub,other}/*.py"}, ["src/sub/b.py:1:     needle()"]),
        ({"path": "src", "glob": "sub/**"}, ["src/sub/b.py:1:     needle()"]),
    ],
)
async def test_grep_where(bench: Workbench, tree: Path, arguments: dict[str, str], lines: list[str]) -> None:
    assert await found(bench, "grep", pattern="needle", **arguments) == lines


async def test_grep_says_when_there_is_nothing(bench: Workbench, tree: Path) -> None:
    outputs = [
        (await bench.call("grep", pattern="hay")).output,
        (await bench.call("grep", pattern="needle()", path="src")).output,
        (await bench.call("grep", pattern="sub(", path="src")).output,
        (await bench.call("grep", pattern="x", path="nope")).output,
    ]
    assert outputs == [
        "no matches for hay in .",
        "src/a.py:2: needle = 2\nsrc/sub/b.py:1:     needle()\n\n2 matches in 2 files",
        "no matches for sub( in src (searched as plain text, since it is no regular expression: unclosed group)",
        "Error: no such file or directory: nope",
    ]


async def test_what_is_no_regular_expression_is_searched_as_it_is(bench: Workbench, tree: Path) -> None:
    output = (await bench.call("grep", pattern="needle(", path="src")).output
    assert output == (
        "src/sub/b.py:1:     needle()\n\n"
        "1 match in 1 file (searched as plain text, since it is no regular expression: unclosed group)"
    )


async def test_grep_caps_matches_and_lines(bench: Workbench) -> None:
    (bench.directory / "many").write_text("needle\n" * 5000)
    (bench.directory / "wide").write_text("needle" + "x" * 1_000_000 + "\n")
    many = await bench.call("grep", pattern="needle", path="many")
    wide = await bench.call("grep", pattern="needle", path="wide")
    assert many.output.splitlines()[-1] == (
        "the first 500 matches in 1 file; there are more: narrow the pattern, the path or the glob"
    )
    assert (many.metadata["complete"], len(many.output.splitlines())) == (False, 502)
    assert len(wide.output) < 600


async def test_F15_arguments_are_never_options(bench: Workbench, tree: Path) -> None:
    marker = bench.directory.parent / "O" / "marker"
    script = tree / "x"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    (tree / "-rf").write_text("--pre=./x needle\n")
    (tree / "--files").mkdir()
    outputs = [
        (await bench.call("grep", pattern=f"--pre={script}")).output,
        (await bench.call("grep", pattern="-e", path="-rf")).output,
        (await bench.call("grep", pattern="needle", path="-rf")).output,
        (await bench.call("grep", pattern="needle", path="--files")).output,
        (await bench.call("grep", pattern="needle", glob=f"--pre={script}")).output,
        (await bench.call("grep", pattern="needle", glob="include:all")).output,
        (await bench.call("grep", pattern="needle", glob="x" * 100_000)).output,
        (await bench.call("glob", pattern="--files0-from=x")).output,
        (await bench.call("glob", pattern="*", path="--files")).output,
    ]
    assert outputs == [
        f"no matches for --pre={script} in .",
        "no matches for -e in -rf",
        "-rf:1: --pre=./x needle\n\n1 match in 1 file",
        "no matches for needle in --files",
        "no matches for needle in .",
        "no matches for needle in .",
        "no matches for needle in .",
        "0 files fit --files0-from=x in .",
        "0 files fit * in --files",
    ]
    assert not marker.exists()


async def test_F15_the_users_own_configuration_runs_nothing(
    bench: Workbench, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = bench.directory.parent / "O" / "marker"
    script = bench.directory.parent / "O" / "pre"
    script.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    script.chmod(0o755)
    (bench.directory.parent / "O" / "rc").write_text(f"--pre={script}\n")
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", str(bench.directory.parent / "O" / "rc"))
    assert await found(bench, "grep", pattern="needle", path="src/a.py") == ["src/a.py:2: needle = 2"]
    assert not marker.exists()


async def test_F16_a_hostile_pattern_ends_in_time(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.directory / "a").write_text("a" * 100_000 + "!\n")
    began = time.monotonic()
    results = [
        (await bench.call("grep", pattern="(a+)+$")).output,
        (await bench.call("grep", pattern="(a|aa)+$", path="a")).output,
        (await bench.call("grep", pattern="((a{1,100}){1,100}){1,100}x")).success,
    ]
    assert time.monotonic() - began < 10
    assert results == ["no matches for (a+)+$ in .", "no matches for (a|aa)+$ in a", False]


def test_F16_a_hostile_glob_takes_no_time() -> None:
    began = time.monotonic()
    hostile = ["*a" * 60 + "b", "**/" * 12 + "x", "[a-z]*" * 40 + "!"]
    assert [bool(compiled(glob).fullmatch("/".join(["a" * 250] * 12))) for glob in hostile] == [False, False, False]
    assert time.monotonic() - began < 2
    with pytest.raises(Refused, match="stand for more than 200 patterns"):
        compiled("{a,b}" * 20)


async def test_a_search_that_takes_too_long_says_so(
    bench: Workbench, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = bench.directory.parent / "O" / "rg"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(ripgrep, "program", lambda: str(slow))
    monkeypatch.setattr(searching, "DEADLINE", 0.1)
    outputs = [(await bench.call("grep", pattern="needle")).output, (await bench.call("glob", pattern="*.py")).output]
    assert outputs == [
        "no matches for needle in . (the search was ended after 0.1 s: there may be more)",
        "0 files fit *.py in . (the search was ended after 0.1 s or too many files: there may be more)",
    ]
