"""Stories about commands that nobody wrote: no reader of them fails, and what is judged harmless is harmless."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from codetether import ExecutorError
from codetether.permissions.shell import read_line
from codetether.testing.policy import CONTRACT, judge, rules_of
from codetether.testing.policy_runs import Runner, runner_here
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

MANY = bool(os.environ.get("CODETETHER_PROOF"))
SHELL = (
    *(
        "a",
        "b",
        " ",
        "  ",
        "\t",
        "|",
        "||",
        "&&",
        ";",
        "&",
        "\n",
        "'",
        '"',
        "\\",
        "$",
        "`",
        "(",
        ")",
        "{",
        "}",
        "<",
        ">",
    ),
    *(
        "2>&1",
        ">/dev/null",
        "2>/dev/null",
        "#",
        "~",
        "=",
        "x",
        "1",
        "-",
        "--",
        "[",
        "]",
        "!",
        "$x",
        "f",
        "./f",
        "^",
        ",",
    ),
    *(
        "..",
        "'a b'",
        '"c d"',
        '\\"',
        "$(",
        "A=1",
        "%",
        "@",
        ":",
        "+",
        " < f",
        "if",
        "time",
        "é",
        "\\(",
        "\\n",
        "\\\n",
        "<f",
        "$'a'",
    ),
)
WORDS = (
    *(
        "git",
        "status",
        "log",
        "diff",
        "show",
        "--output=M",
        "--outp",
        "-o",
        "M",
        "-oM",
        "find",
        ".",
        "-exec",
        "touch M",
    ),
    *(
        "{}",
        "+",
        "-delete",
        "-fprintf",
        "-name",
        "'*'",
        "sed",
        "'w M'",
        "'1e touch M'",
        "s/a/b/e",
        "s/a/b/w",
        "-n",
        "1p",
    ),
    *("-i", "f", "sort", "-u", "uniq", "a.txt", "rg", "--pre", "./x", "|", ";", "&&", ">M", "2>&1", "$(touch M)", "-e"),
    *("`touch M`", "tee", "cat", "ls", "-la", "grep", "-f", "head", "1", "echo", "x", "printf", "%n", "date", "tail"),
    *(
        "xargs",
        "cd",
        "sub",
        "..",
        "src/*",
        "-C",
        "-c",
        "test",
        "-v",
        "diff",
        "cut",
        "-d:",
        "-f1",
        "tr",
        "a",
        "wc",
        "-l",
    ),
    *("awk", "'{print $1}'", "'{print >f}'", "-v", "jq", "xxd", "hexdump", "-C", "--format=%h", "log"),
    *("touch", "timeout", "5", "command", "nice", "-r", "--", "du", "stat", "file", "tree", "seq", "3", "od", "paste"),
)


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(SHELL + WORDS), max_size=40).map("".join)))
@settings(max_examples=20_000 if MANY else 200, deadline=None)
def test_whatever_is_judged_there_is_a_decision(command: str) -> None:
    decision = judge(command, rules_of(CONTRACT), Path("/nowhere"))
    assert decision.verdict in ("allow", "ask", "deny")
    assert decision.reason


@pytest.fixture(scope="module")
def recorder() -> Iterator[Path]:
    """A directory with the programs `a` and `b`, which write down what they are given, each in one piece."""
    with TemporaryDirectory() as made:
        place = Path(os.path.realpath(made))
        (place / "W").mkdir()
        (place / "W" / "f").write_text("x\n")
        for name in "ab":
            program = place / name
            program.write_text(f'#!/bin/sh\nprintf "%s\\0" {name} "$@" "\1" >> "{place}/seen"\n')
            program.chmod(0o755)
        yield place


@given(st.lists(st.sampled_from(SHELL), min_size=1, max_size=9))
@settings(
    max_examples=20_000 if MANY else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_read_is_what_the_shell_runs(recorder: Path, pieces: list[str]) -> None:
    command = "a " + "".join(pieces)
    line = read_line(command)
    assume(line.parts)
    seen = recorder / "seen"
    seen.write_bytes(b"")
    before = sorted(p.name for p in (recorder / "W").iterdir())
    shell = shutil.which("bash") or "/bin/sh"
    environment = {"PATH": str(recorder), "HOME": str(recorder)}
    subprocess.run([shell, "-c", command], cwd=recorder / "W", env=environment, capture_output=True, check=False)
    calls = {tuple(w.decode() for w in call.split(b"\0")[:-1]) for call in seen.read_bytes().split(b"\1\0")[:-1]}
    assert calls <= {part.words for part in line.parts}
    assert sorted(p.name for p in (recorder / "W").iterdir()) == before


HIDING = (
    *("b f", "b f", "b f", "a", "a f", " ", "\t", "#", "# ", "\\\n", "\\\n", "\\\\", "\n", "\n", ";", "&&", "|", "!"),
    *("'", '"', "$'", "\\'", '\\"', "a '", 'a "', "bash -c '", "eval ", "x=b;", "$x f", "${x#", "}", "`", "$(", ")"),
    *("cat <<E\n", "cat <<'E'\n", "cat <<\\E\n", "cat <<-E\n", "bash <<E\n", "cat <<E <<F\n", "E\n", "\nE\n"),
    *("{ ", "; }", "if a; then ", "; fi", "case a in a) ", ";; esac", "((", "))", "[[ a", "]]", "\r", "\x0c", "f() "),
    *(
        "nice ",
        "env ",
        "time ",
        "> x ",
        "2>&- ",
        "< f ",
        "<<< x ",
        "{b,f}",
        "\\b f",
        "$'b' f",
        "${IFS}",
        "x+=b;",
        "y=b ",
        "$y",
    ),
)


@given(st.lists(st.sampled_from(HIDING), min_size=3, max_size=14).map("".join))
@settings(
    max_examples=1_000 if MANY else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_denied_program_that_is_not_seen_is_not_run(recorder: Path, command: str) -> None:
    assume("b" in command)
    assume(judge(command, rules_of({"allow": ("*",), "deny": ("b",)}), recorder / "W").verdict == "allow")
    seen = recorder / "seen"
    seen.write_bytes(b"")
    shell = shutil.which("bash") or "/bin/sh"
    environment = {"PATH": f"{recorder}:/usr/bin:/bin", "HOME": str(recorder)}
    subprocess.run(
        [shell, "-c", command],
        cwd=recorder / "W",
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert [call for call in seen.read_bytes().split(b"\1\0") if call.startswith(b"b\0")] == []


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """The sandbox."""
    found = runner_here(5.0)
    if found is None:
        pytest.skip("the executor sandbox is not installed")
    with ExitStack() as stack:
        try:
            made = stack.enter_context(found)
        except ExecutorError as error:
            pytest.skip(f"no sandbox can be had here: {error}")
        yield made


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join))
@settings(
    max_examples=5_000 if MANY else 50,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_judged_to_read_only_changes_nothing(runner: Runner, command: str) -> None:
    assume(judge(command, rules_of({}), runner.workspace).verdict == "allow")
    answer = runner.run(command)
    assert (answer["markers"], runner.changed()) == ([], [])
