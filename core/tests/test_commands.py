"""Stories about commands: what only reads, and where; what a repository could make git run; what is known of them."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from codetether import Decision, Mode, PermissionRequest, Resources, SettingsError, ToolCall, ToolDefinition
from codetether.permissions.rules import Rules

BASH = ToolDefinition(name="bash", description="", schema={})


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace W with a few files, beside a directory O with a secret."""
    (tmp_path / "O").mkdir()
    (tmp_path / "O" / "secret").write_text("s\n")
    made = (tmp_path / "W").resolve()
    (made / "sub").mkdir(parents=True)
    (made / "a.txt").write_text("a\n")
    (made / "sub" / "b.txt").write_text("b\n")
    return made


def decided(workspace: Path, command: str, *, mode: Mode = "default", own: Any = (), **lists: Any) -> Decision:
    """What the rules say of a command."""
    request = PermissionRequest(
        call=ToolCall(id="1", name="bash", arguments={}),
        definition=BASH,
        resources=Resources(commands=(command,)),
        directory=workspace,
        mode=mode,
    )
    return Rules.parse(lists, own=own).decide(request)


def verdict(workspace: Path, command: str, **how: Any) -> str:
    """The verdict alone."""
    return decided(workspace, command, **how).verdict


def repository(workspace: Path, *settings: str) -> None:
    """Makes the workspace a git repository with these settings, `key=value`."""
    run(workspace, "init", "-q")
    for setting in settings:
        run(workspace, "config", *setting.split("=", 1))


def run(directory: Path, *words: str) -> None:
    """Runs git, without anybody's own settings."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    subprocess.run(["git", *identity, *words], cwd=directory, env=environment, check=True, capture_output=True)


@pytest.mark.parametrize("mode", ["default", "edit", "auto", "unsafe"])
def test_what_only_reads_is_free_in_every_mode_but_plan(workspace: Path, mode: Mode) -> None:
    assert verdict(workspace, "ls -la | wc -l", mode=mode) == "allow"
    assert verdict(workspace, "ls -la | wc -l", mode="plan") == "deny"


def test_a_decision_tells_what_is_known_of_a_command(workspace: Path) -> None:
    asked = decided(workspace, "grep x a.txt > out.txt; curl https://example.invalid/y")
    assert asked.reason == (
        "running grep x a.txt > out.txt; curl https://example.invalid/y (which writes out.txt and reaches "
        "example.invalid) needs permission in mode default, since it has a redirection; --allow bash gives it"
    )


@pytest.mark.parametrize(
    "command",
    [
        "cat l",
        "cat d/secret",
        "cat ../O/secret",
        "head < l",
        "grep x d/secret",
        "wc -l /etc/passwd",
        "git diff ../O/secret",
    ],
)
def test_F01_a_link_that_leads_outside_is_seen_by_commands_too(workspace: Path, command: str) -> None:
    (workspace / "l").symlink_to(workspace.parent / "O" / "secret")
    (workspace / "d").symlink_to(workspace.parent / "O")
    assert (verdict(workspace, command), verdict(workspace, command, allow=["bash(cat *)"])) == ("ask", "ask")


@pytest.mark.parametrize(
    "command", ["cat e", "cat .env", "sort < e", "(cat .env)", "x=$(cat e)", "sudo cat .ENV", "head -1 sub/../.env"]
)
def test_F03_a_denied_path_is_denied_to_commands_through_a_link(workspace: Path, command: str) -> None:
    (workspace / ".env").write_text("K=1")
    (workspace / "e").symlink_to(".env")
    assert verdict(workspace, command, mode="unsafe", allow=["bash"], deny=["read(**/.env)"]) == "deny"


@pytest.mark.parametrize(
    "command", ["echo x > .git/hooks/pre-commit", "cp a.txt .bashrc", "tee .github/workflows/x.yml", "cat .env"]
)
def test_F10_guarded_files_ask_in_every_mode_whatever_is_allowed(workspace: Path, command: str) -> None:
    assert verdict(workspace, command, mode="unsafe", allow=["bash"]) == "ask"


@pytest.mark.parametrize(
    "command", ["echo x > .codetether/config.toml", "cp a.txt ../O/state/x", "rm -r ../O/state", "touch .CODETETHER/x"]
)
def test_own_files_are_denied_to_commands_as_far_as_they_can_be_seen(workspace: Path, command: str) -> None:
    own = [workspace.parent / "O" / "state"]
    assert verdict(workspace, command, mode="unsafe", allow=["bash"], own=own) == "deny"


def test_what_a_command_copies_is_read_and_where_to_is_written(workspace: Path) -> None:
    commands = ("cp .env.example .env", "cp .env x", "cp -t sub .env", "cp a.txt .gitconfig", "mv a.txt b.txt")
    found = [verdict(workspace, command, mode="unsafe") for command in commands]
    assert found == ["allow", "ask", "ask", "ask", "allow"]


def test_hosts_that_a_command_names_are_judged(workspace: Path) -> None:
    how: dict[str, Any] = {"allow": ["bash"], "deny": ["network(*.evil.invalid)"]}
    found = [verdict(workspace, f"curl {u}", **how) for u in ("https://a.evil.invalid/x", "https://good.invalid")]
    assert found == ["deny", "allow"]


def test_a_path_outside_is_free_by_a_rule_for_it(workspace: Path) -> None:
    rule = f"read({workspace.parent}/O/**)"
    found = [verdict(workspace, "cat ../O/secret", allow=[r]) for r in (rule, "read(/nowhere/**)", "read")]
    assert found == ["allow", "ask", "ask"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cd sub && cat b.txt", "allow"),
        ("cd sub && cat ../a.txt", "allow"),
        ("cd sub && cat ../../O/secret", "ask"),
        ("cd sub; cat ../a.txt", "ask"),
        ("cd sub; cat b.txt", "allow"),
        ("cd sub || ls", "allow"),
        ("cd sub | cat ../a.txt", "ask"),
        ("cd sub && ls; cat ../a.txt", "ask"),
        ("cd .. && ls", "ask"),
        ("cd d && ls", "ask"),
        ("cd nowhere && ls", "ask"),
        ("ls | cd sub && cat ../a.txt", "ask"),
        ("cd sub && rm b.txt", "ask"),
        ("cd -P sub && ls", "ask"),
    ],
)
def test_a_change_of_directory_is_followed(workspace: Path, command: str, expected: str) -> None:
    (workspace / "d").symlink_to(workspace.parent / "O")
    assert verdict(workspace, command) == expected


def test_patterns_of_file_names_are_matched_before_they_are_judged(workspace: Path) -> None:
    before = [verdict(workspace, command) for command in ("cat *.txt", "cat sub/*", "ls *", "git log *", "cat ?.txt")]
    (workspace / "sub" / "l").symlink_to("/etc/passwd")
    (workspace / "--output=M.txt").write_text("")
    after = [verdict(workspace, command) for command in ("cat *.txt", "cat sub/*", "ls *", "git log *", "cat ?.txt")]
    assert (before, after) == (["allow", "allow", "ask", "ask", "allow"], ["ask", "ask", "ask", "ask", "allow"])


def test_a_search_of_all_files_asks_where_one_holds_secrets(workspace: Path) -> None:
    commands = ("grep -rn x .", "rg x", "rg --hidden x", "grep -n x a.txt", "grep -r x sub")
    before = [verdict(workspace, command) for command in commands]
    (workspace / ".env").write_text("K=1")
    after = [verdict(workspace, command) for command in commands]
    assert (before, after) == (["allow"] * 5, ["ask", "allow", "ask", "allow", "allow"])


def test_S16_a_program_in_the_workspace_is_not_taken_for_the_systems(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for path in (f"{workspace}/bin:/usr/bin:/bin", ".:/usr/bin", ":/usr/bin", "/usr/bin:/bin"):
        monkeypatch.setenv("PATH", path)
        found.append(verdict(workspace, "cat a.txt"))
    for place in (workspace / "bin", workspace):
        place.mkdir(exist_ok=True)
        (place / "cat").write_text("#!/bin/sh\n")
        (place / "cat").chmod(0o755)
    for path in (f"{workspace}/bin:/usr/bin:/bin", ".:/usr/bin", ":/usr/bin", "/usr/bin:/bin"):
        monkeypatch.setenv("PATH", path)
        found.append(verdict(workspace, "cat a.txt"))
    assert found == ["allow", "allow", "allow", "allow", "ask", "ask", "ask", "allow"]


@pytest.mark.parametrize(
    "setting",
    [
        "core.fsmonitor=./x",
        "core.sshCommand=./x",
        "core.pager=./x",
        "core.worktree=/",
        "diff.external=./x",
        "diff.a.textconv=./x",
        "diff.a.command=./x",
        "filter.a.clean=./x",
        "include.path=../x",
        "includeIf.gitdir:/.path=../x",
        "gpg.program=./x",
        "pager.log=./x",
        "log.showSignature=true",
        "remote.origin.uploadpack=./x",
        "remote.origin.promisor=true",
    ],
)
def test_A04_git_is_not_read_only_where_the_repository_names_programs(workspace: Path, setting: str) -> None:
    repository(workspace)
    before = verdict(workspace, "git status")
    repository(workspace, setting)
    assert (before, verdict(workspace, "git status"), verdict(workspace, "git log", allow=["bash(git log *)"])) == (
        "allow",
        "ask",
        "ask",
    )


@pytest.mark.parametrize(
    "setting", ["core.fsmonitor=true", "user.name=a b", "branch.command.remote=x", "core.hooksPath=.husky"]
)
def test_A04_plain_settings_of_a_repository_are_fine(workspace: Path, setting: str) -> None:
    repository(workspace, setting)
    assert verdict(workspace, "git status") == "allow"


def test_A04_settings_on_odd_lines_are_found(workspace: Path) -> None:
    found = []
    for text in (
        '[a "]"] fsmonitor = x\n',
        "[core]fsmonitor=x\n",
        "[core]\n\tfsmonitor\t=\tx\n",
        "[core]\n  FSMonitor = x\n",
        "[core] fsmonitor \\\n = x\n",
        "[CORE]\nbare = true\n",
        "[include]\n path = x\n",
        '[Filter "x"]\n required\n',
    ):
        (workspace / ".git").mkdir(exist_ok=True)
        (workspace / ".git" / "config").write_text(text)
        found.append(verdict(workspace, "git status"))
    assert found == ["ask"] * 8


def test_A04_hooks_and_bare_repositories_and_pointers_are_seen(workspace: Path) -> None:
    repository(workspace)
    hook = workspace / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    found = [verdict(workspace, "git status")]
    hook.write_text("#!/bin/sh\n")
    found.append(verdict(workspace, "git status"))
    hook.unlink()
    (workspace / "bare").mkdir()
    run(workspace / "bare", "init", "-q", "--bare")
    found += [verdict(workspace, command) for command in ("cd bare && git log", "git -C bare log", "git log")]
    (workspace / "sub" / ".git").write_text("gitdir: ../elsewhere\n")
    (workspace / "elsewhere").mkdir()
    (workspace / "elsewhere" / "config").write_text("[core]\nfsmonitor = x\n")
    found.append(verdict(workspace, "git -C sub status"))
    assert found == ["allow", "ask", "ask", "ask", "allow", "ask"]


def test_A04_submodules_have_settings_of_their_own(workspace: Path) -> None:
    inner = workspace / "inner"
    inner.mkdir()
    repository(inner)
    run(inner, "commit", "-q", "--allow-empty", "-m", "x")
    repository(workspace)
    run(workspace, "add", "inner")
    found = [verdict(workspace, "git status")]
    (workspace / ".gitmodules").write_text('[submodule "inner"]\n\tpath = inner\n\turl = ./inner\n')
    found.append(verdict(workspace, "git status"))
    run(inner, "config", "core.fsmonitor", "./x")
    found.append(verdict(workspace, "git status"))
    assert found == ["ask", "allow", "ask"]


def test_a_comparison_of_directories_asks(workspace: Path) -> None:
    commands = ("diff a.txt sub/b.txt", "diff . sub", "diff -q sub .", "cmp a.txt sub/b.txt")
    assert [verdict(workspace, command) for command in commands] == ["allow", "ask", "ask", "allow"]


def test_an_exact_rule_means_the_very_command(workspace: Path) -> None:
    rule = "bash(find . -name '*.pyc' -delete)"
    exact = "bash(sed -i s/a/b/ a.txt)"
    found = [
        verdict(workspace, "sed -i s/a/b/ a.txt", allow=[exact]),
        verdict(workspace, "sed -i s/a/b/ b.txt", allow=[exact]),
        verdict(workspace, "sed -i s/a/b/ a.txt; ls", allow=[exact]),
        verdict(workspace, "sed -i s/a/c/ a.txt", allow=["bash(sed -i *)"]),
        verdict(workspace, "sed -i s/a/c/ ../O/secret", allow=["bash(sed -i *)"]),
        verdict(workspace, "sed -i s/a/c/ a.txt", allow=["bash(sed *)"]),
        verdict(workspace, "timeout 5 npm test", allow=["bash(timeout 5 npm test *)"]),
        verdict(workspace, "timeout 5 npm test", allow=["bash(timeout *)"]),
        verdict(workspace, "find . -name '*.pyc' -delete", allow=[rule]),
    ]
    assert found == ["allow", "ask", "allow", "allow", "ask", "ask", "allow", "ask", "allow"]


def test_examples_of_a_rule_are_checked_when_it_is_read(workspace: Path) -> None:
    good = {
        "rule": "bash(git log *)",
        "match": ["git log", "git log -n 5 | git log"],
        "not_match": ["git logout", "ls"],
    }
    paths = {"rule": "read(**/.env)", "match": [".env", "sub/.env"], "not_match": [".env.example"]}
    hosts = {"rule": "network(*.example.invalid)", "match": "a.example.invalid", "not_match": "example.invalid.evil"}
    denied = {"rule": "bash(rm *)", "match": ["sudo rm f", "x; rm"], "not_match": ["echo rm"]}
    assert verdict(workspace, "git log -n 1 -z", allow=[good], deny=[paths, hosts, denied]) == "allow"


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        ({"rule": "bash(git log *)", "match": ["git logout"]}, ("match",), "does not match its example 'git logout'"),
        ({"rule": "bash(git log *)", "not_match": ["git log x"]}, ("not_match",), "matches its example 'git log x'"),
        ({"rule": "read(.env)", "match": [3]}, ("match",), "is no list of strings"),
        ({"rule": "bash", "matches": ["x"]}, ("matches",), 'unknown key "matches"'),
        ({"match": ["x"]}, (), "None is no rule"),
    ],
)
def test_C10_examples_that_do_not_hold_are_errors(rule: Any, path: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Rules.parse({"allow": [rule]})
    assert (raised.value.path, raised.value.message.endswith(message)) == (("permissions", "allow", "0", *path), True)


def test_C07_the_strictest_layer_wins_for_commands(workspace: Path) -> None:
    assert verdict(workspace, "ls; curl x", allow=["bash", "bash(curl *)"], deny=["bash(curl *)"]) == "deny"


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "$(",
        "`",
        "'",
        '"',
        "sh ",
        "sh -c 'x y' ",
        "env ",
        "find -exec ",
        "a;",
        "a|",
        "git bisect run ",
        "*/",
        "x://",
    ],
)
def test_a_command_of_nothing_but_repetition_is_judged_soon(workspace: Path, piece: str) -> None:
    began = time.process_time()
    assert verdict(workspace, piece * (10_000 // len(piece)), allow=["bash"], deny=["bash(rm *)"]) in ("allow", "ask")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "command",
    ["cd sub && cat b.txt", "cd ./sub; cat b.txt", "cd sub && (cd . && cat ../sub/b.txt)", "pushd sub && cat b.txt"],
)
def test_a_denied_path_is_denied_after_a_change_of_directory_too(workspace: Path, command: str) -> None:
    assert verdict(workspace, command, allow=["bash"], deny=["read(sub/b.txt)"]) == "deny"
