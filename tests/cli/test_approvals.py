"""Stories about approvals at the command line: answered at a terminal, kept, taken back; and where nobody answers."""

from __future__ import annotations

import json

from codetether import ApprovalRequest
from codetether.cli.denied import allowances

from .conftest import Answer, CommandLine, ModelServer
from .test_terminal import rest, terminal

MAKE = Answer(calls=[("bash", {"command": "sh make.sh"})])


def denied(cli: CommandLine) -> int:
    """How many calls a run without a person was not allowed."""
    ran = cli("run", "again", "--format", "json")
    found = ran.json.get("denied", [])
    assert ran.code == (3 if found else 0)
    return len(found)


def test_P30_always_at_the_terminal_reaches_other_processes_until_it_is_taken_back(
    cli: CommandLine, model: ModelServer
) -> None:
    model.script = [
        MAKE,
        Answer(calls=[("bash", {"command": f"touch other{' ' * 5000}; touch M"})]),
        *[MAKE, Answer(texts=["ok"])] * 9,
    ]
    model.script.insert(2, Answer(texts=["Made."]))
    script = cli.workspace / "make.sh"
    script.write_text("touch made")
    with terminal(cli, "run", "make it", NO_COLOR="1", CODETETHER_PLUGINS="openai,shell,audit-jsonl") as child:
        child.expect_exact(" > ")
        asked = child.before.replace("\r\n", "\n")
        child.sendline("a")
        child.expect_exact(" > ")
        padded = child.before.partition("bash wants to ")[2]
        child.sendline("no, one is enough")
        shown = rest(child)

    assert asked.partition("bash wants to ")[2] == (
        "read and write and execute and network\n"
        "    command: sh make.sh\n"
        f"    runs, or is told by: {script}\n"
        "    sandbox: none: it runs with your rights\n"
        "    rule: mode default: execute asks\n"
        "? running sh make.sh needs permission in mode default, since no rule allows sh make.sh; "
        "--allow bash gives it\n"
        "  [n] no, or say why  [y] yes, once  [s] yes, for this session  [a] yes, always: 30 days, exactly this"
    )
    assert len(padded) < 1500
    assert "bash was denied (the user said no: one is enough)" in shown
    assert ((cli.workspace / "made").exists(), (cli.workspace / "other").exists()) == (True, False)

    (kept,) = cli("policy", "approvals", "--json").json
    told = {name: kept[name] for name in ("tool", "about", "directory", "rule", "by", "state")}
    assert told == {
        "tool": "bash",
        "about": "sh make.sh",
        "directory": str(cli.workspace),
        "rule": "mode default: execute asks",
        "by": "terminal",
        "state": "holds",
    }
    assert kept["id"] in cli("policy", "approvals").out
    assert kept["id"] in cli("policy", "explain").out
    assert [each["id"] for each in cli("policy", "explain", "--json").json["approvals"]] == [kept["id"]]

    assert denied(cli) == 0
    script.write_text("touch M")
    assert (denied(cli), cli("policy", "approvals", "--json").json[0]["state"]) == (1, "files changed")
    assert not (cli.workspace / "M").exists()
    script.write_text("touch made")
    cli.settings('[permissions]\nask = ["bash(git *)"]\n')
    assert (denied(cli), cli("policy", "approvals", "--json").json[0]["state"]) == (1, "rules changed")
    cli.settings("")
    assert denied(cli) == 0
    gone = cli("policy", "revoke", kept["id"], CODETETHER_PLUGINS="openai,shell,audit-jsonl")
    assert (gone.code, gone.out) == (0, f"taken back: {kept['id']}\n")
    assert (denied(cli), cli("policy", "approvals").out) == (1, "No approvals are kept\n")
    assert cli("policy", "revoke", kept["id"]).code == 1
    assert cli("policy", "revoke").code == cli("policy", "revoke", "--all", "x").code == 2
    assert cli("policy", "revoke", "--all").code == 0

    trail = [json.loads(line) for path in cli.home.rglob("audit.jsonl") for line in path.read_text().splitlines()]
    noted = [(e["action"], e["outcome"]) for e in trail if e["category"] == "permission"]
    assert noted == [
        *(("approval:bash", "intent"), ("approval:bash", "success"), ("approval:bash", "intent")),
        *(("approval:bash", "denied"), ("approval:revoke", "intent"), ("approval:revoke", "success")),
    ]


def test_the_rules_that_would_allow_a_call_are_the_narrowest() -> None:
    mode, outside = "mode default: network asks", "outside the workspace: write asks"
    requests = [
        ApprovalRequest(tool="fetch", effects=("network",), hosts=("docs.example",), rule=mode),
        ApprovalRequest(tool="write", effects=("write",), writes=("/w/a",), rule=mode),
        ApprovalRequest(tool="write", effects=("write",), writes=("/w/a[1]",), rule=mode),
        ApprovalRequest(tool="bash", commands=("git add a; ls *.py",), rule=mode),
        ApprovalRequest(tool="write", effects=("write",), writes=("/o/a",), rule=outside),
        ApprovalRequest(tool="write", effects=("write",), writes=("/w/.git/x",), rule="guarded file .git: write asks"),
    ]
    assert [list(allowances(each)) for each in requests] == [
        *(["network(docs.example)"], ["write(/w/a)"], ["write"], ["bash"], ["write(/o/a)"], [])
    ]


def test_without_a_person_a_run_says_what_it_was_not_allowed_and_how_to_go_on(
    cli: CommandLine, model: ModelServer
) -> None:
    line = "touch 'a b' && wc -l made"
    calls = [("bash", {"command": c}) for c in (line, "echo x > out", "touch .git/hooks/x")]
    model.script = [
        Answer(calls=calls),
        Answer(texts=["I could not."]),
        Answer(calls=calls[:1]),
        Answer(texts=["Now."]),
    ]
    events = cli("run", "make it", "--format", "stream-json")
    found = [json.loads(text) for text in events.out.splitlines()]
    required = [each for each in found if each["type"] == "approval_required"]
    last = found[-1]
    assert (events.code, last["status"]) == (3, "denied")
    assert [each["request"]["commands"] for each in required] == [[line], ["echo x > out"], ["touch .git/hooks/x"]]
    assert [each["allow"] for each in last["denied"]] == [["bash(touch 'a b')", "bash(wc -l made)"], ["bash"], []]
    assert last["denied"][2]["request"]["dangers"] == [".git runs or steers programs later"]

    allow = [word for rule in last["denied"][0]["allow"] for word in ("--allow", rule)]
    gone_on = cli("run", "-c", *allow, "go on", "--format", "json")
    assert (gone_on.code, gone_on.json["session_id"]) == (0, last["session_id"])
    assert (cli.workspace / "a b").exists()

    model.requests.clear()
    shown = cli("run", "make it").err
    session = cli("sessions", "list", "--json").json[0]["id"]
    assert (
        f"  bash: {line}\n    mode default: execute asks\n"
        "  bash: echo x > out\n    mode default: execute asks\n"
        "  bash: touch .git/hooks/x\n    guarded file .git: write asks\n"
        f"  To allow it: codetether run -s {session} --allow 'bash(touch '\"'\"'a b'\"'\"')' "
        "--allow 'bash(wc -l made)' "
        "--allow bash 'go on', or answer at a terminal.\n"
        f"  Some of it asks each time: go on at a terminal (codetether chat -s {session}).\n"
    ) in shown
