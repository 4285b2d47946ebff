"""Users of many kinds: those who know other agents, and those whose machine is not as one expects."""

from __future__ import annotations

import os
import sys

import pytest

from .conftest import Answer, CommandLine, ModelServer


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["list the files here"], 'codetether run "list the files here"'),
        (["list", "the", "files"], 'codetether run "list the files"'),
        (["exec", "mend it"], 'codetether run "mend it"'),
        (["-p", "mend it"], 'codetether run "mend it"'),
        (["--print", "--output-format", "json", "mend it"], 'codetether run --format json "mend it"'),
        (["-m", "openai/toy", "mend it"], 'codetether run -m openai/toy "mend it"'),
        (["-c", "go on"], 'codetether run -c "go on"'),
        (["--resume", "abc", "go on"], 'codetether run --session abc "go on"'),
        (["--resume"], "codetether run --continue"),
        (["run", "--yes", "cost: $5"], "codetether run --mode edit 'cost: $5'"),
        (["run", "--permission-mode=plan", "mend it"], 'codetether run --mode plan "mend it"'),
        (["login"], "codetether auth --help"),
        (["logs"], "codetether sessions list"),
        (["version"], "codetether --version"),
        (["-V"], "codetether --version"),
    ],
)
def test_words_of_other_agents_are_answered_with_ours(bare: CommandLine, typed: list[str], meant: str) -> None:
    """Who types what another agent understands is told the same wish as a line that works here."""
    ran = bare(*typed)

    assert (ran.code, ran.out, ran.err.splitlines()[0].partition("; did you mean: ")[2]) == (2, "", meant)


def test_a_slip_in_a_command_is_no_prompt(bare: CommandLine) -> None:
    """The nearest command is meant; an unknown word alone may be either."""
    assert bare("session", "list").err == "error: no command 'session'; did you mean \"sessions\"?\n" + SEE
    assert bare("summarise").err.splitlines()[1] == "  If it is a prompt: codetether run summarise"


SEE = "  See codetether --help.\n"


def test_a_rule_that_is_none_stops_before_anything_is_done(cli: CommandLine, model: ModelServer) -> None:
    """`--allow` with a slip would otherwise deny every call."""
    ran = cli("run", "--allow", "bash(", "hello")

    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: --allow 'bash(': is no rule")
    assert model.requests == []


def test_a_device_without_end_is_no_attachment(cli: CommandLine) -> None:
    """It has no size, so only reading tells."""
    ran = cli("run", "-f", "/dev/zero", "look")

    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: --file /dev/zero: has more than 20 MB")


def test_an_image_that_models_refuse_is_no_attachment(cli: CommandLine, model: ModelServer) -> None:
    """It would get every later request of its session refused."""
    (cli.workspace / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    ran = cli("run", "-f", "cut.png", "look")

    said = "error: --file cut.png: is an image (image/png) that is damaged or cut"
    assert (ran.code, ran.err.splitlines()[0], model.requests) == (2, said, [])


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_a_directory_whose_name_is_no_utf8_keeps_its_sessions(cli: CommandLine, model: ModelServer) -> None:
    """Journals hold its name with U+FFFD; going on there finds the session all the same."""
    model.script[:] = [Answer(texts=["one"]), Answer(texts=["two"])]
    odd = cli.workspace / os.fsdecode(b"\xff\xfe")
    odd.mkdir()

    first, second = cli("run", "begin", cwd=odd), cli("run", "-c", "go on", cwd=odd)

    assert (first.out, second.out) == ("one\n", "two\n")
    assert [m["role"] for m in model.requests[1]["messages"]][-3:] == ["user", "assistant", "user"]


def test_a_directory_in_place_of_the_settings_is_named(cli: CommandLine) -> None:
    """Some tools make a directory where a mount is missing."""
    path = cli.home / "config" / "config.toml"
    path.mkdir(parents=True)

    ran = cli("run", "hello")

    assert ran.err == f"error: {path}: is a directory\n  Remove it, or put a TOML file in its place.\n"


def test_a_repository_turns_no_plugin_off(cli: CommandLine) -> None:
    """What it would block may be the audit trail, or the policy of a site."""
    path = cli.workspace / ".codetether" / "config.toml"
    path.parent.mkdir()
    path.write_text('[plugins]\nblock = ["audit-jsonl", "policy"]\n')

    ran = cli("config", "show", "--json")

    assert "audit-jsonl" not in ran.out
    assert "ignored plugins.block" in ran.err
