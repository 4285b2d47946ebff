"""Stories about the attacks of group P: what the rules say of each command. They are run in `test_rows_executed`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from codetether.testing.policy import CONTRACT, judge, rules_of

from . import commands

Judged = Callable[..., str]
INTERPRETERS = (
    *("python3", "node", "perl", "awk", "tar", "vim", "ssh", "sh", "bash", "env", "xargs", "sudo", "timeout", "npm"),
    *("git", "make", "ruby", "php"),
)


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """The verdict on a command in an empty, trusted workspace."""
    workspace = (tmp_path / "W").resolve()
    workspace.mkdir()

    def verdict(command: str, **policy: tuple[str, ...]) -> str:
        return judge(command, rules_of(policy or CONTRACT), workspace).verdict

    return verdict


@pytest.mark.parametrize("command", commands.P01)
def test_P01_chain(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P02)
def test_P02_background(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P03)
def test_P03_pipe_into_a_shell(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P04)
def test_P04_backticks(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P05)
def test_P05_redirections(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P08)
def test_P08_assignment_prefix(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P09)
def test_P09_bare_assignment(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P10)
def test_P10_find_that_runs_or_writes(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P11)
def test_P11_sed_that_runs_or_writes(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P12)
def test_P12_pipe_into_a_writing_sed(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P13)
def test_P13_output_options_of_git(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P14)
def test_P14_helpers_and_files_of_search_tools(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P15)
def test_P15_here_documents(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P16)
def test_P16_carriage_returns(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P17)
def test_P17_unicode_spaces(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P18)
def test_P18_encoded_words(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P19)
def test_P19_braces(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P20)
def test_P20_expansions_that_evaluate(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P21)
def test_P21_eval_source_exec_trap(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P22)
def test_P22_comments(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P23)
def test_P23_word_boundaries(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P24)
def test_P24_quotes_that_do_not_end(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P25)
def test_P25_interpreters(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P26)
def test_P26_names_sent_to_dns(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P27)
def test_P27_file_names_as_options(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P28)
def test_P28_escaped_options(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P29)
def test_P29_network_devices(judged: Judged, command: str) -> None:
    assert judged(command) != "allow"


@pytest.mark.parametrize("command", commands.P06)
def test_P06_a_denied_program_by_another_spelling(judged: Judged, command: str) -> None:
    assert (judged(command), judged(command, allow=("*",), deny=("rm",))) == ("deny", "deny")


@pytest.mark.parametrize("command", commands.P07)
def test_P07_a_denied_program_through_wrappers(judged: Judged, command: str) -> None:
    assert (judged(command), judged(command, allow=("*",), deny=("rm", "curl"))) == ("deny", "deny")


@pytest.mark.parametrize("command", commands.P25_UNDER_BROAD_RULES)
def test_P25_a_rule_for_an_interpreter_is_none_for_code_in_its_arguments(judged: Judged, command: str) -> None:
    assert judged(command, allow=INTERPRETERS) != "allow"


@pytest.mark.parametrize("command", commands.P31)
def test_P31_options_in_other_words(judged: Judged, command: str) -> None:
    assert judged(command, allow=("git push",), deny=("git push --force",)) == "deny"


@pytest.mark.parametrize("command", ["git push", "git push origin main", "git push -u origin x", "git log --oneline"])
def test_P31_other_options_are_not_meant(judged: Judged, command: str) -> None:
    assert judged(command, allow=("git push",), deny=("git push --force",)) == "allow"


@pytest.mark.parametrize("command", commands.S20)
def test_S20_whole_trees_and_what_lies_outside(judged: Judged, command: str) -> None:
    assert judged(command, allow=("rm", "git", "cp", "mv", "touch")) != "allow"


@pytest.mark.parametrize("command", commands.NEVER_UNASKED)
def test_what_nobody_allowed_is_never_run_unasked(judged: Judged, command: str) -> None:
    assert (judged(command) != "allow", judged(command, allow=()) != "allow") == (True, True)


@pytest.mark.parametrize("command", commands.BENIGN)
def test_what_people_expect_to_run_unasked(judged: Judged, command: str) -> None:
    assert (judged(command), "npm" in command or judged(command, allow=())) in (("allow", "allow"), ("allow", True))


@pytest.mark.parametrize("command", ["git push", "sudo git push", "sh -c 'git push'", "cd x && git -C y push"])
def test_a_rule_that_asks_is_seen_through_wrappers(judged: Judged, command: str) -> None:
    assert judged(command, allow=("*",), ask=("git push",)) == "ask"


@pytest.mark.parametrize(
    "command", ["git commit -m 'rm x'", "man rm", "echo rm", "grep rm f", "command -v rm", "env A=$B make", './x "$Y"']
)
def test_a_word_is_no_command(judged: Judged, command: str) -> None:
    assert judged(command, allow=("*",), deny=("rm",)) == "allow"


@pytest.mark.parametrize("command", ["$X f", "`cat x` f", "sudo $X f", "xargs $X", '"$(x)" y'])
def test_where_only_running_tells_what_runs_a_denied_command_may_hide(judged: Judged, command: str) -> None:
    assert judged(command, allow=("*",), deny=("rm",)) == "ask"
