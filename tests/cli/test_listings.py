"""Sessions, plugins, providers, models, tools and settings as listings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
import pytest

from .conftest import Answer, CommandLine, ModelServer


def test_sessions_are_listed_shown_and_deleted(cli: CommandLine, model: ModelServer, tmp_path: Path) -> None:
    model.script = [Answer(texts=["Looking."], calls=[("bash", {"command": "echo out"})]), Answer(texts=["Done."])]
    elsewhere = tmp_path / "else where ☃"
    elsewhere.mkdir()
    one = cli("run", "first\nquestion", "--allow", "bash", "--format", "json").json["session_id"]
    two = cli("run", "second", "--format", "json", cwd=elsewhere).json["session_id"]

    table = cli("sessions", "list").out.splitlines()
    listed = cli("sessions", "list", "--json").json
    here = cli("sessions", "list", "--here", "--json").json
    shown = cli("sessions", "show", one).out
    shown_json = cli("sessions", "show", one, "--json").json

    assert [row.split()[0] for row in table] == ["ID", two, one]
    assert table[2].endswith("  4         build  openai/toy  first question")
    assert [s["id"] for s in listed] == [two, one]
    assert {k: v for k, v in listed[0].items() if not k.endswith("_at")} == {
        "id": two,
        "title": "second",
        "message_count": 2,
        "agent": "build",
        "directory": str(elsewhere),
        "model": "openai/toy",
        "parent_id": None,
    }
    assert [s["id"] for s in here] == [one]
    assert cli("sessions", "last").out == f"{two}\n"
    assert cli("sessions", "last", "--here").out == f"{one}\n"
    assert cli("sessions", "last", "--here", "--json").json["id"] == one
    assert "user:  #1\nfirst\nquestion\n" in shown
    assert '● bash {"command": "echo out"}\n  out\n' in shown
    assert shown.endswith("\nassistant:  #4\nDone.\n\n22 tokens in, 6 out\n")
    assert [m["role"] for m in shown_json["messages"]] == ["user", "assistant", "tool", "assistant"]

    gone = cli("sessions", "delete", one, one)
    assert (gone.code, gone.out) == (0, f"deleted {one}\nno session {one}: nothing to delete\n")
    assert [s["id"] for s in cli("sessions", "list", "--json").json] == [two]


def test_no_sessions(bare: CommandLine) -> None:
    for arguments in (["list"], ["list", "--here"], ["last"], ["last", "--here"]):
        ran = bare("sessions", *arguments)
        assert (ran.code, ran.out, ran.err) == (0, "No sessions found\n", "")
    assert bare("sessions", "list", "--json").json == []
    assert bare("sessions", "last", "--json").json is None
    assert {path.name for path in bare.home.glob("*")} <= {"cache"}  # looking makes nothing but what can be made again


def test_plugins(bare: CommandLine) -> None:
    table = bare("plugins").out.splitlines()
    listed = {p["name"]: p for p in bare("plugins", "--json").json}
    traced = bare("plugins", "--trace", "--json").json

    assert table[0].split() == ["NAME", "FROM", "STATUS", "HOOKS"]
    assert {k: v for k, v in listed["openai"].items() if k != "version"} == {
        "name": "openai",
        "distribution": "codetether-provider-openai",
        "module": "codetether_provider_openai.plugin",
        "status": "loaded",
        "hooks": ["codetether_model_defaults", "codetether_providers", "codetether_wires"],
        "problems": [],
    }
    assert listed["files"]["status"] == "not_allowed"
    assert {"seconds", "hook_seconds"} <= traced[0].keys()
    assert "WHAT" in bare("plugins", "--trace").out


def test_providers_and_models(cli: CommandLine, bare: CommandLine) -> None:
    (usable,) = cli("providers", "--json").json
    (unusable,) = bare("providers", "--json").json
    models = cli("models", "--json").json
    of_one = cli("models", "--provider", "openai", "--json").json

    assert (usable["name"], usable["available"]) == ("openai", True)
    assert (unusable["available"], "OPENAI_API_KEY" in unusable["reason"]) == (False, True)
    assert "sk-test" not in cli("providers").out + cli("providers", "--json").out
    assert models == of_one
    assert {
        "id": "openai/gpt-4o",
        "provider": "openai",
        "model": "gpt-4o",
        "default": True,
        "chosen": False,
        "available": True,
        "configured": True,
        "context": 128_000,
        "output": 16_384,
        "prices": {},
        "capabilities": {"structured_output": True},
        "catalogue": None,
    } in models
    assert [m["id"] for m in models if m["chosen"]] == ["openai/toy"]
    assert "openai/gpt-4o" in cli("models").out
    assert cli("models", "list").out == "No model files found\n"
    assert cli("models", "list", "--json").json == []


def test_tools(bare: CommandLine) -> None:
    bash, *_ = bare("tools", "--json").json
    assert bash["name"] == "bash"
    assert bash["effects"] == ["read", "write", "execute", "network"]
    assert bash["schema"]["type"] == "object"
    assert bare("tools").out.splitlines()[1].startswith("bash        read,write,execute,network  ")


def test_tools_with_what_their_definitions_take(bare: CommandLine) -> None:
    cost = bare("tools", "--cost", "--json").json
    tokens = [row["tokens"] for row in cost["tools"]]
    assert tokens == sorted(tokens, reverse=True)
    assert cost["tokens"] == cost["tokens_at_once"] == sum(tokens)
    assert bare("tools", "--cost").out.endswith(f"\nabout {sum(tokens):,} tokens in each request\n")

    bare.settings("[tools]\noffered = 3\n")
    waiting = bare("tools", "--cost", "--json").json
    at_once = {row["name"]: row["tokens"] for row in waiting["tools"] if row["at_once"]}
    assert set(at_once) == {"bash", "tool_search"}
    assert waiting["tokens_at_once"] == sum(at_once.values()) < waiting["tokens"]
    assert "when found\n" in bare("tools", "--cost").out


def test_settings_are_shown_with_their_origin(bare: CommandLine) -> None:
    path = bare.settings('model = "a/b"\n[plugins.weather]\nurl = "u"\nauth_token = "CANARY"\n')

    shown = bare("config", "show", "--origin", CODETETHER_MAX_STEPS="7").out
    as_json = bare("config", "show", "--json").json
    origins = bare("config", "show", "--json", "--origin").json

    assert f'model = "a/b"  # user {path}:1\n' in shown
    assert "session.max_steps = 7  # environment CODETETHER_MAX_STEPS\n" in shown
    assert 'session.mode = "default"  # default\n' in shown
    assert f'plugins.weather.auth_token = "[redacted]"  # user {path}:4\n' in shown
    assert "CANARY" not in shown
    assert as_json["plugins.weather.url"] == "u"
    assert origins["model"] == {"value": "a/b", "origin": f"user {path}:1"}


def test_settings_are_changed_and_comments_stay(bare: CommandLine) -> None:
    path = bare.settings('# mine\nmodel = "a/b" # the best\n\n[session]\n# few\nmax_steps = 5\n')

    assert bare("config", "set", "session.max_steps", "9").out == f"{path}: session.max_steps = 9\n"
    assert bare("config", "set", "model", "c/d").code == 0
    assert bare("config", "set", "permissions.deny", '["curl", "rm"]').code == 0
    assert bare("config", "set", 'providers."my box".base_url', "http://box/v1").code == 0

    assert path.read_text() == (
        '# mine\nmodel = "c/d" # the best\n\n[session]\n# few\nmax_steps = 9\n\n[permissions]\ndeny = ["curl", "rm"]\n'
        '\n[providers."my box"]\nbase_url = "http://box/v1"\n'
    )
    assert bare("config", "path").out == f"{path}\n"


def test_what_a_plugin_does_not_take_is_not_set(cli: CommandLine) -> None:
    path = cli.settings('model = "a/b"\n')
    named = "shell,audit-jsonl"
    wrong = [("max_entries", "many"), ("max_entris", "5"), ("max_entries", "1.5")]
    ran = [cli("config", "set", f"plugins.audit-jsonl.{key}", value, CODETETHER_PLUGINS=named) for key, value in wrong]
    assert ([one.code for one in ran], path.read_text()) == ([1, 1, 1], 'model = "a/b"\n')
    assert "plugins.audit-jsonl.max_entries" in ran[0].err
    assert cli("config", "set", "plugins.audit-jsonl.max_entries", "1000", CODETETHER_PLUGINS=named).code == 0
    assert cli("config", "set", "plugins.weather.units", "metric", CODETETHER_PLUGINS=named).code == 0


def test_a_new_file_is_private(bare: CommandLine) -> None:
    bare("config", "set", "model", "a/b")
    path = bare.home / "config" / "config.toml"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_projects_settings_are_trusted_listed_and_revoked(bare: CommandLine) -> None:
    path = bare.workspace / ".codetether" / "config.toml"
    path.parent.mkdir()
    path.write_text('model = "a/b"\n')

    before = bare("config", "show")
    trusted = bare("config", "trust")
    after = bare("config", "show")
    listed = bare("config", "trust", "--list", "--json").json
    path.write_text('model = "a/evil"\n')
    changed = bare("config", "show")
    listed_changed = bare("config", "trust", "--list").out
    revoked = bare("config", "trust", "--revoke")

    assert before.err == f"note: {path} is not trusted: ignored model (read it, then: codetether config trust)\n"
    assert "model =" not in before.out
    assert trusted.out == f'trusted: {path}\n  model = "a/b"\n'
    assert (after.err, after.out.splitlines()[0]) == ("", 'model = "a/b"')
    assert [(f["path"], f["state"]) for f in listed] == [(str(path), "trusted")]
    assert "changed since you trusted it" in changed.err
    assert listed_changed == f"changed: {path}\n"
    assert revoked.out == f"no longer trusted: {path}\n"
    assert bare("config", "trust", "--list").out == "No trusted files\n"


@pytest.mark.parametrize("link", [".codetether", ".codetether/config.toml"])
def test_F13_a_folder_of_the_repository_that_is_a_link_is_not_written_through(
    bare: CommandLine, tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "O"
    outside.mkdir()
    (bare.workspace / link).parent.mkdir(exist_ok=True)
    (bare.workspace / link).symlink_to(outside if link == ".codetether" else outside / "new.toml")
    ran = bare("config", "set", "--project", "model", "a/b")
    assert (ran.code, list(outside.iterdir())) == (1, [])
    assert "leads out of the project" in ran.err


def test_what_the_user_sets_for_a_project_is_trusted(bare: CommandLine) -> None:
    path = bare.workspace / ".codetether" / "config.toml"

    assert bare("config", "set", "--project", "model", "a/b").out == f'{path}: model = "a/b"\n'
    assert bare("config", "set", "--project", "model", "a/c").code == 0

    shown = bare("config", "show")
    assert (shown.err, shown.out.splitlines()[0]) == ("", 'model = "a/c"')
    assert bare("config", "path", "--project").out == f"{path}\n"


def test_what_somebody_else_wrote_is_not_trusted_by_setting_one_value(bare: CommandLine) -> None:
    path = bare.workspace / ".codetether" / "config.toml"
    path.parent.mkdir()
    path.write_text('[permissions]\nallow = ["bash"]\n')

    assert bare("config", "set", "--project", "model", "a/b").code == 0

    assert "is not trusted: ignored model, permissions.allow" in bare("config", "show").err


@pytest.mark.parametrize(
    "arguments", [["config", "path", "--json"], ["config", "show", "--json"], ["sessions", "list", "--json"]]
)
def test_json_is_the_same_for_a_terminal(bare: CommandLine, arguments: list[str]) -> None:
    argv = bare.argv(*arguments)
    child = pexpect.spawn(argv[0], argv[1:], cwd=str(bare.workspace), env=dict(bare.environment), encoding="utf-8")
    child.expect(pexpect.EOF)
    child.close()

    assert json.loads(re.sub(r"\s*\r\n", "\n", str(child.before))) == bare(*arguments).json


@pytest.mark.parametrize(
    ("begun", "words"),
    [
        ("run --mo", ["--model", "--mode"]),
        ("run -m openai/", ["openai/gpt-4o"]),
        ("run --agent ex", ["explore"]),
        ("auth login opena", ["openai"]),
        ("plugins verify she", ["shell"]),
        ("sessions show ", []),
    ],
)
def test_a_shell_is_told_what_can_stand_there(cli: CommandLine, begun: str, words: list[str]) -> None:
    at = str(len(begun.split(" ")))
    ran = cli(_CODETETHER_COMPLETE="bash_complete", COMP_WORDS=f"codetether {begun}", COMP_CWORD=at)
    assert (ran.code, [line.partition(",")[2] for line in ran.out.split()]) == (0, words)
