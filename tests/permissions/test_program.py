"""Stories about `python -m codetether.testing.policy`: it judges files of commands, whatever stands in them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run(tmp_path: Path, lines: list[bytes], *options: str) -> tuple[list[dict[str, Any]], str]:
    """The answers, and what was said on standard error."""
    file = tmp_path / "commands.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    command = [sys.executable, "-m", "codetether.testing.policy", str(file), *options]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_each_line_gets_its_answer_and_what_is_not_understood_is_denied(tmp_path: Path) -> None:
    lines = [
        b'{"id": "a", "command": "git status"}',
        b'{"id": 2, "command": "sudo rm f"}',
        b"",
        b'{"id": 3, "command": "git push", "policy": {"allow": [], "ask": ["git push"], "deny": []}}',
        b'{"id": 4, "command": "touch M", "policy": {"allow": ["*"]}}',
        b'{"id": 5, "command": "x \\ud800"}',
        b"\xff\x00 nothing",
        b"[" * 100_000,
        b'{"id": 8, "command": 3}',
        b'{"id": 9, "command": "ls", "policy": {"alow": ["ls"]}}',
        b'{"id": 10, "command": "ls", "policy": {"allow": [7]}}',
        b'{"id": 11, "command": "ls", "policy": "all"}',
    ]
    answers, said = run(tmp_path, lines)
    not_understood = "input: not understood"
    assert [(a["id"], a["decision"], a["rule"]) for a in answers] == [
        ("a", "allow", "allow bash(git status *)"),
        (2, "deny", "deny bash(rm *)"),
        (3, "ask", "ask bash(git push *)"),
        (4, "allow", "allow bash"),
        (5, "ask", "mode default: execute asks"),
        (None, "deny", not_understood),
        (None, "deny", not_understood),
        (8, "deny", not_understood),
        (9, "deny", not_understood),
        (10, "deny", not_understood),
        (11, "deny", not_understood),
    ]
    assert (all(a["reason"] for a in answers), said) == (True, "")


def test_hundreds_of_commands_take_no_time(tmp_path: Path) -> None:
    commands = [f"git log -n {n} | grep -n 'a{n} b' | head -{n}; sudo ls {n} && echo $(date)" for n in range(1000)]
    lines = [json.dumps({"id": n, "command": command}).encode() for n, command in enumerate(commands)]
    began = time.perf_counter()
    answers, _ = run(tmp_path, lines)
    assert (len(answers), {a["decision"] for a in answers}) == (1000, {"ask"})
    assert time.perf_counter() - began < 20


def test_what_is_allowed_is_run_in_a_fresh_workspace(tmp_path: Path) -> None:
    lines = [
        b'{"id": 1, "command": "touch M ../M", "policy": {"allow": ["*"]}}',
        b'{"id": 2, "command": "ls | wc -l"}',
        b'{"id": 3, "command": "touch M"}',
    ]
    answers, said = run(tmp_path, lines, "--execute")
    executed = [a.get("markers") for a in answers]
    assert executed in ([[], [], None], [None, None, None])
    assert (executed[0] is None) == said.startswith("note: nothing is executed")
