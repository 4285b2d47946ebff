"""`codetether audit` over a real run, and what the other commands leave in the log."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

from .conftest import Answer, CommandLine, ModelServer


@pytest.fixture
def site(cli: CommandLine, model: ModelServer) -> CommandLine:
    """The command line with the audit log, after a run with a tool call and a setting that was changed."""
    wanted = {"CODETETHER_PLUGINS": "openai,shell,audit-jsonl,codetether-json"}
    made = attrs.evolve(cli, environment={**cli.environment, **wanted})
    model.script += [Answer(calls=[("bash", {"command": "echo hi"})]), Answer(texts=["done"])]
    assert made("run", "--allow", "bash", "go").code == 0
    assert made("config", "set", "session.max_steps", "7").code == 0
    return made


def log(cli: CommandLine) -> Path:
    return cli.home / "state" / "plugins" / "audit-jsonl" / "audit.jsonl"


def told(cli: CommandLine, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli("audit", "query", "--json", *arguments).out.splitlines()]


def test_a_run_and_a_change_leave_a_log_that_verifies(site: CommandLine) -> None:
    assert [(e["category"], e["action"], e["outcome"]) for e in told(site)] == [
        ("session", "session:open", "success"),
        ("tool_execution", "tool:bash", "intent"),
        ("tool_execution", "tool:bash", "success"),
        ("config", "config:set", "intent"),
        ("config", "config:set", "success"),
    ]
    ran = site("audit", "verify", "--json")
    assert (ran.code, ran.json, ran.err) == (0, {"ok": True, "records": 5}, "")
    plain = site("audit", "verify")
    assert (plain.code, plain.out) == (0, f"ok: 5 records of {log(site)} are as they were written, none is missing\n")
    changed = told(site, "--action", "config:*")[0]
    config = site.home / "config" / "config.toml"
    assert changed["detail"] == {"key": "session.max_steps", "value": 7, "file": str(config)}


def test_a_change_of_the_log_is_named_with_exit_code_1(site: CommandLine) -> None:
    lines = log(site).read_bytes().splitlines(keepends=True)
    log(site).write_bytes(b"".join([*lines[:2], lines[2].replace(b"success", b"failure"), *lines[3:]]))
    bad = {"file": str(log(site)), "line": 3, "why": "its MAC does not fit: it was changed, or another key wrote it"}
    ran = site("audit", "verify", "--json")
    assert (ran.code, ran.json) == (1, {"ok": False, "records": 2, "first_bad": bad})
    plain = site("audit", "verify")
    assert (plain.code, plain.out) == (
        1,
        f"BAD {bad['file']}:3: {bad['why']}\n2 records before it are as they were written\n",
    )
    log(site).write_bytes(b"".join(lines[:-1]))
    cut = site("audit", "verify", "--json")
    assert (cut.code, cut.json["records"], cut.json["first_bad"]["line"]) == (1, 4, 5)
    assert "record 5 is missing" in cut.json["first_bad"]["why"]


def test_an_auditor_verifies_a_copy_with_the_key_and_without_settings(site: CommandLine, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("audit.jsonl", "audit.anchors"):
        (copy / name).write_bytes((log(site).parent / name).read_bytes())
    key = site.home / "config" / "audit.key"
    elsewhere: dict[str, Any] = {"CODETETHER_HOME": str(tmp_path / "other")}
    arguments = ("audit", "verify", str(copy / "audit.jsonl"), "--json")
    assert site(*arguments, "--key", str(key), **elsewhere).json == {"ok": True, "records": 5}
    other = tmp_path / "other.key"
    other.write_text("00" * 32)
    assert site(*arguments, "--key", str(other), **elsewhere).json["first_bad"]["line"] == 1
    without = site(*arguments, **elsewhere)
    assert (without.code, without.json["records"]) == (1, 0)
    assert without.json["first_bad"]["why"].startswith("there is no audit key")
    missing = site(*arguments, "--key", str(tmp_path / "none"), **elsewhere)
    assert missing.json["first_bad"]["why"] == "cannot be read: No such file or directory"


def test_entries_are_asked_for_by_time_session_action_outcome_and_principal(site: CommandLine) -> None:
    session = told(site)[0]["session_id"]
    assert [e["outcome"] for e in told(site, "--action", "tool:*", "--session", session)] == ["intent", "success"]
    assert [e["action"] for e in told(site, "--outcome", "intent", "--since", "1h", "-n", "1")] == ["config:set"]
    assert len(told(site, "--principal", "*@*", "--until", "2999-01-01")) == 5
    assert site("audit", "query", "--until", "2h").code == 1
    wrong = site("audit", "query", "--since", "soon")
    assert (wrong.code, wrong.err.splitlines()[0]) == (1, "error: 'soon' is no time")
    line = site("audit", "query", "--action", "tool:bash", "--outcome", "success").out
    assert " success tool:bash by " in line
    assert f" in {session} [" in line


def test_entries_are_exported_as_lines_and_as_cells(site: CommandLine, tmp_path: Path) -> None:
    lines, cells = tmp_path / "out.jsonl", tmp_path / "out.csv"
    assert site("audit", "export", "-o", str(lines)).out == f"5 entries in {lines}\n"
    assert lines.read_bytes() == log(site).read_bytes()
    assert lines.stat().st_mode & 0o777 == 0o600
    assert site("audit", "export", "-o", str(cells), "--category", "tool_execution").code == 0
    with cells.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["seq"], r["action"], r["outcome"]) for r in rows] == [
        ("2", "tool:bash", "intent"),
        ("3", "tool:bash", "success"),
    ]
    assert [len(r["arguments_digest"]) for r in rows] == [64, 64]
    again = site("audit", "export", "-o", str(lines))
    assert (again.code, again.err.splitlines()[0]) == (1, f"error: {lines} is there already")


def test_the_end_is_followed(site: CommandLine) -> None:
    assert len(site("audit", "tail", "-n", "2").out.splitlines()) == 2
    following = site.start("audit", "tail", "-n", "1", "-f", "--json", CODETETHER_PLUGINS="audit-jsonl")
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["detail"]["value"] == 7
    assert site("config", "set", "session.max_steps", "8").code == 0
    found = [json.loads(following.stdout.readline()) for _ in range(2)]
    following.terminate()
    following.communicate()
    assert [(e["action"], e["outcome"], e["detail"]["value"]) for e in found] == [
        ("config:set", "intent", 8),
        ("config:set", "success", 8),
    ]


def test_a_digest_tells_an_auditor_whether_a_body_is_the_one_meant(site: CommandLine, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_text(json.dumps({"command": "echo hi"}))
    intent = told(site, "--action", "tool:bash", "--outcome", "intent")[0]
    assert site("audit", "digest", str(body)).out == f"{intent['arguments_digest']}\n"


def test_trust_and_what_is_done_to_sessions_are_told(site: CommandLine, tmp_path: Path) -> None:
    file = site.workspace / ".codetether" / "config.toml"
    file.parent.mkdir()
    file.write_text("[session]\nmax_steps = 3\n")
    session = told(site)[0]["session_id"]
    assert [site("config", "trust").code, site("config", "trust", "--revoke").code] == [0, 0]
    (tmp_path / "kept.json").write_text(site("sessions", "export", session).out)
    fork = site("sessions", "fork", session).out.strip()
    assert [site("sessions", "rename", session, "old").code, site("sessions", "repair").code] == [0, 0]
    (journal,) = site.home.glob(f"data/sessions/*/{fork}/journal.jsonl")
    journal.write_bytes(journal.read_bytes().replace(b'"title":', b'"titel":', 1))
    assert site("sessions", "repair").code == 0
    assert site("sessions", "delete", session).out == f"deleted {session}\n"
    assert site("sessions", "import", str(tmp_path / "kept.json")).code == 0
    assert [(e["action"], e["outcome"]) for e in told(site)[5:]] == [
        ("config:trust", "intent"),
        ("config:trust", "success"),
        ("config:untrust", "intent"),
        ("config:untrust", "success"),
        ("session:fork", "intent"),
        ("session:fork", "success"),
        ("session:rename", "intent"),
        ("session:rename", "success"),
        ("session:repair", "intent"),
        ("session:repair", "success"),
        ("session:delete", "intent"),
        ("session:delete", "success"),
        ("session:import", "intent"),
        ("session:import", "success"),
    ]
    assert site("audit", "verify").code == 0


def test_where_the_audit_is_required_and_fails_nothing_is_changed(site: CommandLine) -> None:
    settings = site.home / "config" / "config.toml"
    settings.write_text("[audit]\nrequired = true\n")
    log(site).unlink()
    log(site).mkdir()
    before = settings.read_bytes()
    ran = site("config", "set", "session.max_steps", "9")
    assert ran.code == 1
    assert "could not record the intent of config:set, so it was not started" in ran.err
    assert settings.read_bytes() == before


def test_broken_settings_can_be_mended_and_the_gap_is_said(site: CommandLine) -> None:
    settings = site.home / "config" / "config.toml"
    settings.write_text("[plugins.audit-jsonl]\nmax_entries = 'many'\n")
    ran = site("config", "set", "plugins.audit-jsonl.max_entries", "1000")
    assert (ran.code, "note: this change is not in the audit trail:" in ran.err) == (0, True)
    assert settings.read_text() == "[plugins.audit-jsonl]\nmax_entries = 1000\n"


def test_an_installation_is_told(site: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def installer(command: Any, **how: Any) -> Any:
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr("codetether.cli.plugin_install._startup_files", lambda *_: [])
    monkeypatch.setattr(subprocess, "run", installer)
    assert site("plugins", "install", "codetether-tools-weather").code == 3
    found = [(e["category"], e["action"], e["outcome"], e["detail"]) for e in told(site)[5:]]
    names = {"names": ["codetether-tools-weather"]}
    assert found == [
        ("plugin", "plugin:install", "intent", names),
        ("plugin", "plugin:install", "failure", {**names, "error": "exit code 3"}),
    ]


def test_without_a_log_that_is_said(cli: CommandLine) -> None:
    made = attrs.evolve(cli, environment={**cli.environment, "CODETETHER_PLUGINS": "audit-jsonl"})
    assert made("audit", "tail").err.startswith("error: there is no audit log: ")
    ran = made("audit", "verify", "--json")
    assert (ran.code, ran.json["ok"]) == (1, False)
    blocked = made("audit", "verify", CODETETHER_PLUGINS="openai")
    assert (blocked.code, "is not allowed by the settings" in blocked.err) == (1, True)
