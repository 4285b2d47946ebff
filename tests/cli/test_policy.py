"""Stories about `codetether policy`: a command, the rules in force, a past session under other rules."""

from __future__ import annotations

import pytest

from .conftest import Answer, CommandLine, ModelServer

RULES = """
[permissions]
allow = ["bash(npm test *)"]
deny = [
  "read(**/.env)",
  { rule = "bash(git push --force *)", match = ["git push -f", "git push origin +main"], not_match = ["git push"] },
]
"""


@pytest.mark.parametrize(
    ("command", "code", "decision", "rule", "line"),
    [
        (["git", "status"], 0, "allow", "read-only commands: allowed", "core"),
        (["npm test -- -x | tail -3"], 0, "allow", "allow bash(npm test *)", "user {settings}:3"),
        (["git", "-C", ".", "push", "-uf"], 3, "deny", "deny bash(git push --force *)", "user {settings}:4"),
        (["cat .env | wc"], 3, "deny", "deny read(**/.env)", "user {settings}:4"),
        (["touch M"], 10, "ask", "mode default: execute asks", "mode"),
    ],
)
def test_a_command_is_checked_with_rule_layer_and_reason(
    bare: CommandLine, command: list[str], code: int, decision: str, rule: str, line: str
) -> None:
    settings = bare.settings(RULES)
    ran = bare("policy", "check", "--json", *command)
    told = ran.json
    assert (ran.code, told["decision"], told["rule"], told["layer"]) == (
        code,
        decision,
        rule,
        line.format(settings=settings),
    )
    assert bare("policy", "check", *command).out.splitlines()[:3] == [
        f"{decision}: {told['command']}",
        f"  rule: {rule}",
        f"  from: {told['layer']}",
    ]


def test_a_check_may_suppose_a_mode_and_a_rule(bare: CommandLine) -> None:
    codes = [
        bare("policy", "check", *how, "touch", "M").code
        for how in ([], ["--mode", "unsafe"], ["--mode", "plan"], ["--allow", "bash(touch *)"])
    ]
    assert codes == [10, 0, 3, 0]


def test_an_option_that_came_too_late_is_no_word_of_the_command(bare: CommandLine) -> None:
    ran = bare("policy", "check", "git push --force", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: options stand before the command: codetether policy check --json …\n")


def test_the_rules_in_force_are_explained_with_their_origin(bare: CommandLine) -> None:
    settings = bare.settings(RULES)
    project = bare.workspace / ".codetether" / "config.toml"
    project.parent.mkdir()
    project.write_text('[permissions]\nallow = ["bash"]\nask = [{ rule = "bash(git *)", match = ["git push"] }]\n')
    told = bare("policy", "explain", "--json").json
    assert told["rules"] == [
        {"verdict": "deny", "rule": "read(**/.env)", "origin": f"user {settings}:4"},
        {"verdict": "deny", "rule": "bash(git push --force *)", "origin": f"user {settings}:4"},
        {"verdict": "ask", "rule": "bash(git *)", "origin": f"project {project}:3"},
        {"verdict": "allow", "rule": "bash(npm test *)", "origin": f"user {settings}:3"},
    ]
    (notice,) = told["notices"]
    assert "ignored permissions.allow" in notice
    bare("config", "trust")
    trusted = bare("policy", "explain", "--json").json["rules"]
    assert {"verdict": "allow", "rule": "bash", "origin": f"project {project}:2"} in trusted
    assert bare("policy", "explain").out.startswith("Mode default. Deny beats ask beats allow")


@pytest.mark.parametrize("command", [["policy", "explain"], ["policy", "check", "ls"], ["run", "hi"]])
def test_C10_a_rule_whose_example_does_not_hold_stops_everything(bare: CommandLine, command: list[str]) -> None:
    settings = bare.settings('[permissions]\n\ndeny = [{ rule = "bash(rm *)", not_match = ["sudo rm f"] }]\n')
    ran = bare(*command)
    assert (ran.code, ran.err.splitlines()[0]) == (
        1,
        f"error: {settings}:3: permissions.deny.0.not_match: the rule bash(rm *) matches its example 'sudo rm f'",
    )


def test_a_past_session_is_judged_by_the_rules_of_today(cli: CommandLine, model: ModelServer) -> None:
    batch = {"calls": [{"tool": "bash", "arguments": {"command": "git push -f"}}]}
    calls = [("bash", {"command": c}) for c in ("echo out", "touch made")] + [("batch", batch), ("nothing", {})]
    model.script = [Answer(texts=["Looking."], calls=calls), Answer(texts=["Done."])]
    session = cli("run", "first", "--allow", "bash", "--format", "json").json["session_id"]
    (cli.workspace / "made").unlink()
    cli.settings(RULES + '[providers.openai]\nbase_url = "http://127.0.0.1:1"\n')
    told = cli("policy", "replay", session, "--json", CODETETHER_PLUGINS="openai,shell,work").json
    assert [(c["decision"], c.get("rule"), c["ran"]) for c in told] == [
        ("allow", "read-only commands: allowed", True),
        ("ask", "mode default: execute asks", True),
        ("allow", "no effects", False),
        ("deny", "deny bash(git push --force *)", False),
        (None, None, False),
    ]
    assert not (cli.workspace / "made").exists()
    again = ("policy", "replay", session, "--allow", "bash(touch *)")
    text = cli(*again, CODETETHER_PLUGINS="openai,shell,work").out.splitlines()
    assert text[-1] == "5 calls: 3 allow, 0 ask, 1 deny"
