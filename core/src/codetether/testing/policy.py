"""Judges commands of a file by the rules: `python -m codetether.testing.policy FILE [--execute]`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from codetether.models.tools import Decision, PermissionRequest, Resources, ToolCall, ToolDefinition
from codetether.permissions.rules import Rules
from codetether.values import frozen

CONTRACT: Mapping[str, Sequence[str]] = {
    "allow": (
        "git status",
        "git log",
        "git diff",
        "ls",
        "cat",
        "grep",
        "rg",
        "find",
        "sed",
        "sort",
        "echo",
        "npm test",
    ),
    "ask": (),
    "deny": ("rm", "curl"),
}
"""The rules of a command that brings none: prefixes of commands, as words."""
_BASH = ToolDefinition(name="bash", description="", schema={})


@frozen(kw_only=True)
class Case:
    """One line of the file: what is judged, by which rules."""

    id: Any
    command: str
    rules: Rules


def rules_of(policy: Mapping[str, Any]) -> Rules:
    """Lists of prefixes as rules; `*` or an empty prefix is every command. Raises SettingsError, ValueError."""
    if not isinstance(policy, Mapping):
        raise ValueError("the policy is no object")
    lists: dict[str, list[Any]] = {}
    for verdict, prefixes in policy.items():
        if not isinstance(prefixes, list | tuple):
            raise ValueError(f"{verdict} is no list")
        lists[str(verdict)] = [_rule(prefix) for prefix in prefixes]
    return Rules.parse(lists)


def _rule(prefix: Any) -> Any:
    if not isinstance(prefix, str):
        return prefix
    words = prefix.strip().removesuffix("*").rstrip()
    return f"bash({words} *)" if words else "bash"


def judge(command: str, rules: Rules, directory: Path) -> Decision:
    """What a session in mode `default` with these rules says of the command."""
    request = PermissionRequest(
        call=ToolCall(id="1", name="bash", arguments={"command": command}),
        definition=_BASH,
        resources=Resources(commands=(command,)),
        directory=directory,
        mode="default",
    )
    return rules.decide(request)


def read_case(line: bytes, contract: Rules) -> Case:
    """A line as a case. Raises ValueError, SettingsError."""
    found = json.loads(line)
    if not isinstance(found, dict) or not isinstance(found.get("command"), str):
        raise ValueError('no object with a "command"')
    rules = rules_of(found["policy"]) if found.get("policy") is not None else contract
    return Case(id=found.get("id"), command=found["command"], rules=rules)


def judged(line: bytes, contract: Rules, directory: Path) -> tuple[dict[str, Any], Case | None]:
    """The answer to one line, and the case if it is allowed. What cannot be judged is denied."""
    case = None
    try:
        case = read_case(line, contract)
        decision = judge(case.command, case.rules, directory)
    except Exception as error:  # whatever is given: an answer, and never a yes
        decision = Decision(verdict="deny", rule="input: not understood", reason=f"{type(error).__name__}: {error}")
    answer = {
        "id": case.id if case else _id(line),
        "decision": decision.verdict,
        "rule": decision.rule,
        "reason": decision.reason,
    }
    return answer, case if decision.verdict == "allow" else None


def _id(line: bytes) -> Any:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found.get("id") if isinstance(found, dict) else None


def printed(answer: Mapping[str, Any]) -> bytes:
    """The answer as a line, all but ASCII escaped."""
    return json.dumps(answer).encode() + b"\n"


def answers(lines: Iterable[bytes], *, execute: bool) -> Iterable[Mapping[str, Any]]:
    """The answer to each line that is not blank, in their order."""
    contract = rules_of(CONTRACT)
    with ExitStack() as stack:
        workspace = Path(os.path.realpath(stack.enter_context(TemporaryDirectory(prefix="codetether-policy-"))), "W")
        workspace.mkdir()
        runner = None
        if execute:
            from codetether.testing.policy_runs import runner_here

            try:
                found = runner_here()
                runner = stack.enter_context(found) if found else None
            except Exception as error:  # the decisions are wanted all the same
                sys.stderr.write(f"note: nothing is executed: {error}\n")
        for line in lines:
            if not line.strip():
                continue
            answer, case = judged(line, contract, workspace)
            yield {**answer, **runner.run(case.command)} if runner and case else answer


@click.command(name="python -m codetether.testing.policy")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--execute", is_flag=True, help="Also run what is allowed, in the sandbox; list what it makes outside.")
def main(file: str, execute: bool) -> None:
    """Judge the commands of FILE, JSON lines {"id", "command", "policy"?}; print JSON lines with the decisions.

    `policy` holds the lists allow, ask and deny of prefixes; a command without one is judged by the prefixes
    that the project's own tests use. Mode default, trusted workspace.
    """
    with click.open_file(file, "rb") as lines:
        for answer in answers(lines, execute=execute):
            sys.stdout.buffer.write(printed(answer))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
