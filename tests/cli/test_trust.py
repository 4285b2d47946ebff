"""Stories about the attacks of group C: what a repository says of itself frees nothing."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import Answer, CommandLine, ModelServer

OBEDIENT = Answer(calls=[("bash", {"command": "touch M"})])
LOOSE = '[session]\nmode = "auto"\nexecutor = "local"\n[permissions]\nallow = ["*"]\n'


def test_C01_an_env_file_of_a_repository_does_not_move_the_home(cli: CommandLine, model: ModelServer) -> None:
    model.script = [OBEDIENT, Answer(texts=["ok"])]
    (cli.workspace / ".env").write_text("CODETETHER_HOME=./.codetether\nCODETETHER_MODE=auto\n")
    (cli.workspace / ".codetether" / "config").mkdir(parents=True)
    (cli.workspace / ".codetether" / "config" / "config.toml").write_text(LOOSE)
    assert cli("run", "go").code == 3
    assert not (cli.workspace / "M").exists()
    assert sorted(path.name for path in (cli.workspace / ".codetether").iterdir()) == ["config"]


def test_C02_what_git_knows_of_a_repository_runs_nothing(cli: CommandLine, model: ModelServer) -> None:
    evil = "$(touch${IFS}M)`touch${IFS}M`"
    for argv in (
        ("init", "-q", "-b", "main"),
        ("config", "user.email", f"{evil}@x"),
        ("config", "user.name", evil),
        ("remote", "add", "origin", f"ssh://{evil}/x"),
        ("commit", "-q", "--allow-empty", "-m", evil),
        ("tag", evil),
        ("checkout", "-q", "-b", evil),
    ):
        subprocess.run(["git", "-c", "commit.gpgsign=false", *argv], cwd=cli.workspace, check=True)
    model.script = [Answer(calls=[("bash", {"command": "git status && git log --oneline"})]), Answer(texts=["ok"])]
    ran = cli("run", "go", "--format", "json")
    assert (ran.code, [call["success"] for call in ran.json["tool_calls"]]) == (0, [True])
    assert not (cli.workspace / "M").exists()


def test_C04_C05_a_repository_that_nobody_trusts_frees_nothing(cli: CommandLine, model: ModelServer) -> None:
    model.script = [OBEDIENT, Answer(texts=["ok"])]
    project = cli.workspace / ".codetether" / "config.toml"
    project.parent.mkdir()
    project.write_text(LOOSE)
    ran = cli("run", "go")
    assert ran.code == 3
    assert f"{project} is not trusted" in ran.err
    assert "permissions.allow" in ran.err
    assert "session.mode" in ran.err
    assert not (cli.workspace / "M").exists()


def test_C07_no_lower_layer_loosens_a_deny(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(calls=[("bash", {"command": "curl --version > M"})]), Answer(texts=["ok"])]
    cli.settings('[permissions]\ndeny = ["bash(curl *)"]\n')
    project = cli.workspace / ".codetether" / "config.toml"
    project.parent.mkdir()
    project.write_text('[permissions]\nallow = ["bash(curl *)"]\n')
    assert cli("config", "trust").code == 0
    ran = cli("run", "go", "--allow", "*", "--mode", "unsafe", "--format", "json")
    assert [call["success"] for call in ran.json["tool_calls"]] == [False]
    assert not (cli.workspace / "M").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[permissions\n", ":1: "),
        ("[permissions]\ndeni = ['bash']\n", ":2: "),
        ("[permissions]\ndeny = 'bash'\n", ":2: "),
        ("#" * 10_000_000, "config.toml"),
        (None, "config.toml"),
    ],
    ids=["syntax", "unknown key", "wrong type", "10 MB", "no file"],
)
def test_C10_a_file_of_rules_that_cannot_be_used_stops_every_tool(
    cli: CommandLine, model: ModelServer, text: str | None, why: str
) -> None:
    model.script = [OBEDIENT, Answer(texts=["ok"])]
    settings = cli.settings(text or "")
    if text is None:
        settings.unlink()
        settings.mkdir()
    ran = cli("run", "go", "--allow", "bash")
    assert ran.code == 1
    assert f"error: {settings}" in ran.err
    assert why in ran.err
    assert (model.requests, (cli.workspace / "M").exists()) == ([], False)
