"""Stories about the attacks of group P: what the rules say of each command. They are run in `test_rows_executed`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from codetether.testing.policy import CONTRACT, judge, rules_of

from . import commands, more_commands

Judged = Callable[..., str]
INTERPRETERS = (
    *("python3", "node", "perl", "awk", "tar", "vim", "ssh", "sh", "bash", "env", "xargs", "sudo", "timeout", "npm"),
    *("git", "make", "ruby", "php"),
)


ALL_BUT = {"allow": ("*",), "deny": ("rm", "curl")}


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """The verdict on a command in an empty, trusted workspace."""
    workspace = (tmp_path / "W").resolve()
    workspace.mkdir()

    def verdict(command: str, **policy: tuple[str, ...]) -> str:
        return judge(command, rules_of(policy or CONTRACT), workspace).verdict

    return verdict


def test_P01_chain(judged: Judged) -> None:
    assert [c for c in commands.P01 if judged(c) == "allow"] == []


def test_P02_background(judged: Judged) -> None:
    assert [c for c in commands.P02 if judged(c) == "allow"] == []


def test_P03_pipe_into_a_shell(judged: Judged) -> None:
    assert [c for c in commands.P03 if judged(c) == "allow"] == []


def test_P04_backticks(judged: Judged) -> None:
    assert [c for c in commands.P04 if judged(c) == "allow"] == []


def test_P05_redirections(judged: Judged) -> None:
    assert [c for c in commands.P05 if judged(c) == "allow"] == []


def test_P08_assignment_prefix(judged: Judged) -> None:
    assert [c for c in commands.P08 if judged(c) == "allow"] == []


def test_P09_bare_assignment(judged: Judged) -> None:
    assert [c for c in commands.P09 if judged(c) == "allow"] == []


def test_P10_find_that_runs_or_writes(judged: Judged) -> None:
    assert [c for c in commands.P10 if judged(c) == "allow"] == []


def test_P11_sed_that_runs_or_writes(judged: Judged) -> None:
    assert [c for c in commands.P11 if judged(c) == "allow"] == []


def test_P12_pipe_into_a_writing_sed(judged: Judged) -> None:
    assert [c for c in commands.P12 if judged(c) == "allow"] == []


def test_P13_output_options_of_git(judged: Judged) -> None:
    assert [c for c in commands.P13 if judged(c) == "allow"] == []


def test_P14_helpers_and_files_of_search_tools(judged: Judged) -> None:
    assert [c for c in commands.P14 if judged(c) == "allow"] == []


def test_P15_here_documents(judged: Judged) -> None:
    assert [c for c in commands.P15 if judged(c) == "allow"] == []


def test_P16_carriage_returns(judged: Judged) -> None:
    assert [c for c in commands.P16 if judged(c) == "allow"] == []


def test_P17_unicode_spaces(judged: Judged) -> None:
    assert [c for c in commands.P17 if judged(c) == "allow"] == []


def test_P18_encoded_words(judged: Judged) -> None:
    assert [c for c in commands.P18 if judged(c) == "allow"] == []


def test_P19_braces(judged: Judged) -> None:
    assert [c for c in commands.P19 if judged(c) == "allow"] == []


def test_P20_expansions_that_evaluate(judged: Judged) -> None:
    assert [c for c in commands.P20 if judged(c) == "allow"] == []


def test_P21_eval_source_exec_trap(judged: Judged) -> None:
    assert [c for c in commands.P21 if judged(c) == "allow"] == []


def test_P22_comments(judged: Judged) -> None:
    assert [c for c in commands.P22 if judged(c) == "allow"] == []


def test_P23_word_boundaries(judged: Judged) -> None:
    assert [c for c in commands.P23 if judged(c) == "allow"] == []


def test_P24_quotes_that_do_not_end(judged: Judged) -> None:
    assert [c for c in commands.P24 if judged(c) == "allow"] == []


def test_P25_interpreters(judged: Judged) -> None:
    assert [c for c in commands.P25 if judged(c) == "allow"] == []


def test_P26_names_sent_to_dns(judged: Judged) -> None:
    assert [c for c in commands.P26 if judged(c) == "allow"] == []


def test_P27_file_names_as_options(judged: Judged) -> None:
    assert [c for c in commands.P27 if judged(c) == "allow"] == []


def test_P28_escaped_options(judged: Judged) -> None:
    assert [c for c in commands.P28 if judged(c) == "allow"] == []


def test_P29_network_devices(judged: Judged) -> None:
    assert [c for c in commands.P29 if judged(c) == "allow"] == []


def test_P06_a_denied_program_by_another_spelling(judged: Judged) -> None:
    assert [c for c in commands.P06 if judged(c) != "deny" or judged(c, **ALL_BUT) != "deny"] == []


def test_P07_a_denied_program_through_wrappers(judged: Judged) -> None:
    hidden = (*commands.P07, *more_commands.P07_MORE)
    assert [c for c in hidden if judged(c) != "deny" or judged(c, **ALL_BUT) != "deny"] == []


def test_P25_a_rule_for_an_interpreter_is_none_for_code_in_its_arguments(judged: Judged) -> None:
    assert [c for c in commands.P25_UNDER_BROAD_RULES if judged(c, allow=INTERPRETERS) == "allow"] == []


def test_P25_a_rule_for_a_whole_program_means_no_code_and_no_file_outside(judged: Judged) -> None:
    programs = more_commands.P25_PROGRAMS
    assert [c for c in more_commands.P25_MORE if judged(c, allow=programs) == "allow"] == []
    assert [c for c in more_commands.P25_MEANT if judged(c, allow=programs) != "allow"] == []


def test_P07_a_denied_program_behind_a_name_that_only_running_tells(judged: Judged) -> None:
    assert [c for c in more_commands.HIDDEN_NAMES if judged(c, **ALL_BUT) == "allow"] == []


def test_P07_a_denied_program_that_another_is_told_to_run(judged: Judged) -> None:
    assert [c for c in more_commands.TOLD_TO_RUN if judged(c, **ALL_BUT) != "deny"] == []


def test_P22_a_denied_program_on_another_line(judged: Judged) -> None:
    assert [c for c in more_commands.ON_ANOTHER_LINE if judged(c, **ALL_BUT) != "deny"] == []


def test_P31_options_in_other_words(judged: Judged) -> None:
    rules = {"allow": ("git push",), "deny": ("git push --force",)}
    assert [c for c in (*commands.P31, *more_commands.P31_MORE) if judged(c, **rules) != "deny"] == []


def test_P31_other_programs_have_synonyms_too(judged: Judged) -> None:
    assert [(d, c) for d, c in more_commands.P31_PAIRS if judged(c, allow=("*",), deny=(d,)) != "deny"] == []


@pytest.mark.parametrize("command", ["git push", "git push origin main", "git push -u origin x", "git log --oneline"])
def test_P31_other_options_are_not_meant(judged: Judged, command: str) -> None:
    assert judged(command, allow=("git push",), deny=("git push --force",)) == "allow"


def test_S20_whole_trees_and_what_lies_outside(judged: Judged) -> None:
    broad = ("rm", "git", "cp", "mv", "touch")
    assert [c for c in commands.S20 if judged(c, allow=broad) == "allow"] == []


def test_what_nobody_allowed_is_never_run_unasked(judged: Judged) -> None:
    tried = (*commands.NEVER_UNASKED, *more_commands.NEVER_UNASKED_MORE, *more_commands.BEYOND_READING)
    assert [c for c in tried if "allow" in (judged(c), judged(c, allow=()))] == []


def test_what_people_expect_to_run_unasked(judged: Judged) -> None:
    benign = (*commands.BENIGN, *more_commands.BENIGN_MORE, *more_commands.READING)
    assert [c for c in benign if judged(c) != "allow"] == []
    assert [c for c in benign if judged(c, allow=()) != "allow" and not c.startswith("npm test")] == []


@pytest.mark.parametrize("command", ["npm tests", "npm", "npmtest", "/x/npm test", "./npm test", "sudo npm test"])
def test_P23_words_are_whole(judged: Judged, command: str) -> None:
    assert (judged(command, allow=("npm test",)), judged("npm test -- x", allow=("npm test",))) == ("ask", "allow")


@pytest.mark.parametrize("command", ["git push", "sudo git push", "sh -c 'git push'", "cd x && git -C y push"])
def test_a_rule_that_asks_is_seen_through_wrappers(judged: Judged, command: str) -> None:
    assert judged(command, allow=("*",), ask=("git push",)) == "ask"


def test_what_only_speaks_of_a_denied_program_is_no_command(judged: Judged) -> None:
    assert [c for c in more_commands.NO_COMMANDS if judged(c, **ALL_BUT) != "allow"] == []


@pytest.mark.parametrize(
    "command", ["git commit -m 'rm x'", "man rm", "echo rm", "grep rm f", "command -v rm", "env A=$B make", './x "$Y"']
)
def test_a_word_is_no_command(judged: Judged, command: str) -> None:
    assert judged(command, allow=("*",), deny=("rm",)) == "allow"


@pytest.mark.parametrize("command", ["$X f", "`cat x` f", "sudo $X f", "xargs $X", '"$(x)" y'])
def test_where_only_running_tells_what_runs_a_denied_command_may_hide(judged: Judged, command: str) -> None:
    assert judged(command, allow=("*",), deny=("rm",)) == "ask"
