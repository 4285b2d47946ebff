"""Plugins of strangers: installed from wheels beside ours, listed, and used."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from codetether.plugins.contracts import YIELDS

from .conftest import Site

PLUGINS = {
    "branch": ("codetether-prompt-branch", ["codetether_prompt_sections"]),
    "dry-run": ("codetether-executor-dry-run", ["codetether_executors"]),
    "fenced": ("codetether-router-fenced", ["codetether_tool_call_routers"]),
    "fixme": ("codetether-review-fixme", ["codetether_result_reviewers"]),
    "house-models": ("codetether-models-house", ["codetether_catalogues", "codetether_model_defaults"]),
    "keyfile": ("codetether-credentials-keyfile", ["codetether_credential_sources", "codetether_settings"]),
    "last-turns": ("codetether-context-last-turns", ["codetether_context_policies", "codetether_settings"]),
    "ledger": ("codetether-sink-ledger", ["codetether_audit_sinks"]),
    "nicknames": ("codetether-selector-nicknames", ["codetether_selectors", "codetether_settings"]),
    "no-force": ("codetether-policy-no-force", ["codetether_permission_policies"]),
    "offline": ("codetether-filter-offline", ["codetether_tool_filters"]),
    "parrot": ("codetether-provider-parrot", ["codetether_providers", "codetether_wires"]),
    "reviewer": ("codetether-agent-reviewer", ["codetether_agents"]),
    "tally": ("codetether-sink-tally", ["codetether_event_sinks"]),
    "transcript": ("codetether-format-transcript", ["codetether_session_formats"]),
    "units": ("codetether-units", ["codetether_tools"]),
    "whereabouts": ("codetether-slash-whereabouts", ["codetether_slash_commands"]),
}
"""Name -> distribution and hooks."""


def only(*names: str) -> dict[str, str]:
    """Nothing else is loaded."""
    return {"CODETETHER_PLUGINS": ",".join(names)}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace."""
    place = tmp_path / "work"
    place.mkdir()
    return place


def test_every_hook_has_a_stranger() -> None:
    assert {hook for _, hooks in PLUGINS.values() for hook in hooks} == set(YIELDS)


def test_all_of_them_are_listed_whole(site: Site) -> None:
    listed = site.plugins()
    seen = {name: (listed[name]["distribution"], listed[name]["hooks"]) for name in PLUGINS}
    assert seen == PLUGINS
    assert {name: (p["status"], p["problems"]) for name, p in listed.items() if name in PLUGINS} == dict.fromkeys(
        PLUGINS, ("loaded", [])
    )
    assert listed["units"]["version"] == "1.0"


def test_a_tool_is_offered_and_run(site: Site, work: Path) -> None:
    call = {"call": "convert", "arguments": {"length": 26.2, "unit": "mi", "into": "km"}}
    told = site.story([[call], "That far."], cwd=work, only="units")
    assert told["tools"] == [["convert", True, "42.1648 km"]]
    assert told["results"][0]["text"] == "That far."
    assert "convert" in told["requests"][0]["tools"]
    assert told["notices"] == []
    assert "convert" in site.cli("tools", cwd=work, environment=only("units")).out


def test_a_provider_answers_the_command_line(site: Site, work: Path) -> None:
    done = site.cli(
        "run", "-m", "polly/green", "pieces of eight", "--format", "json", cwd=work, environment=only("parrot")
    )
    answer = json.loads(done.out)
    assert (done.code, answer["text"], answer["status"]) == (0, "pieces of eight", "done")
    assert (answer["provider"], answer["model"]) == ("parrot", "green")
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (3, 3)
    listed = json.loads(site.cli("providers", "--json", cwd=work, environment=only("parrot")).out)
    assert next(p for p in listed if p["name"] == "parrot")["available"] is True


def test_an_audit_sink_has_intent_and_outcome(site: Site, work: Path, home: Path) -> None:
    call = {"call": "convert", "arguments": {"length": 1, "unit": "km", "into": "m"}}
    site.story([[call], "Done."], cwd=work, only="ledger,units")
    rows = list(csv.reader((home / "state" / "plugins" / "ledger" / "ledger.csv").read_text().splitlines()))
    told = [(action, outcome, decision) for _, _, action, outcome, decision in rows if action.startswith("tool:")]
    assert told == [("tool:convert", "intent", "allow"), ("tool:convert", "success", "allow")]


def test_what_a_required_audit_sink_cannot_record_is_not_done(site: Site, work: Path, home: Path) -> None:
    (home / "state" / "plugins" / "ledger" / "ledger.csv").mkdir(parents=True)
    call = {"call": "convert", "arguments": {"length": 1, "unit": "km", "into": "m"}}
    told = site.story([[call], "Done."], cwd=work, only="ledger,units")
    assert told["results"][0]["status"] == "error"
    assert "ledger" in told["results"][0]["error"]
    assert told["tools"][0][:2] == ["convert", False]


def test_an_event_sink_holds_every_event(site: Site, work: Path, home: Path) -> None:
    call = {"call": "convert", "arguments": {"length": 1, "unit": "km", "into": "m"}}
    told = site.story([[call], "Done."], cwd=work, only="tally,units")
    log = home / "state" / "plugins" / "tally" / f"{told['session']}.log"
    lines = [line.split()[1:] for line in log.read_text().splitlines()]
    kinds = [kind for _, kind in lines]
    assert kinds[0] == "UserMessage"
    assert kinds[-1] == "Done"
    assert kinds.index("ToolCallStart") < kinds.index("ToolCallComplete") < kinds.index("TextComplete")


def test_a_router_turns_text_into_calls(site: Site, work: Path) -> None:
    wish = json.dumps({"name": "convert", "arguments": {"length": 1, "unit": "km", "into": "m"}})
    told = site.story([f"Let me see.\n```tool\n{wish}\n```\n", "Done."], cwd=work, only="fenced,units")
    assert told["tools"] == [["convert", True, "1000 m"]]
    assert told["results"][0]["text"] == "Let me see.\nDone."


def test_a_reviewer_adds_to_results(site: Site, work: Path) -> None:
    call = {"call": "write", "arguments": {"path": "a.py", "content": "x = 1\ny = 2  # FIXME\n"}}
    told = site.story([[call], "Done."], cwd=work, only="fixme,files", allow=["write"])
    shown = "a.py created (2 lines, 21 bytes)\nleft to be done:\na.py:2: y = 2  # FIXME"
    assert told["tools"] == [["write", True, shown]]


@pytest.mark.parametrize(
    ("command", "success"), [("echo forced > made", True), ("git push --force", False), ("echo 'open", False)]
)
def test_a_policy_denies_what_the_user_allowed(site: Site, work: Path, command: str, success: bool) -> None:
    call = {"call": "bash", "arguments": {"command": command}}
    told = site.story([[call], "Done."], cwd=work, only="no-force,shell", allow=["bash"])
    ((_, ran, text),) = told["tools"]
    assert ran is success
    assert success or text == "Error: bash was denied (nothing is forced here)."


def test_a_credential_source_gives_a_key(site: Site, work: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "openai").write_text("sk-a-key-of-the-house\n")
    (keys / "openai").chmod(0o600)
    chosen = only("keyfile", "openai")

    def told() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(site.cli("providers", "--json", cwd=work, environment=chosen).out)
        return listed

    site.cli("config", "set", "plugins.keyfile.directory", str(keys), cwd=work, environment=chosen)
    (listed,) = [p for p in told() if p["name"] == "openai"]
    assert (listed["available"], listed["source"]) == (True, f"keyfile:{keys / 'openai'}")

    (keys / "openai").chmod(0o644)
    (listed,) = [p for p in told() if p["name"] == "openai"]
    assert listed["available"] is False
    assert f"keyfile: others may read {keys / 'openai'}" in listed["reason"]


def test_a_plugins_own_settings_are_checked(site: Site, work: Path, home: Path) -> None:
    (home / "config").mkdir(parents=True, exist_ok=True)
    file = home / "config" / "config.toml"
    file.write_text('[plugins.keyfile]\ndirectroy = "x"\n')
    done = site.cli("providers", cwd=work, environment=only("keyfile"))
    assert done.code != 0
    assert f"{file}:2" in done.err
    assert "plugins.keyfile.directroy" in done.err
    assert 'did you mean "directory"?' in done.err


def test_an_executor_runs_the_commands_when_it_is_chosen(site: Site, work: Path) -> None:
    call = {"call": "bash", "arguments": {"command": "touch made"}}
    settings = {"session": {"executor": "dry-run"}}
    told = site.story([[call], "Done."], cwd=work, only="dry-run,shell", allow=["bash"], settings=settings)
    ((_, success, text),) = told["tools"]
    assert success is True
    assert "would run: " in text
    assert list(work.iterdir()) == []


def test_a_prompt_section_is_in_its_place(site: Site, work: Path) -> None:
    (work / ".git").mkdir()
    (work / ".git" / "HEAD").write_text("ref: refs/heads/topic\n")
    (work / "AGENTS.md").write_text("Be brief.")
    system = site.story(["Done."], cwd=work, only="branch")["requests"][0]["system"]
    assert system.index("Working directory") < system.index("Git branch: topic") < system.index("Be brief.")


def test_a_context_policy_chooses_what_the_model_sees(site: Site, work: Path) -> None:
    settings = {"plugins": {"last-turns": {"turns": 2}}}
    script = ["one", "two", "three"]
    told = site.story(script, "first", "second", "third", cwd=work, only="last-turns", settings=settings)
    assert [request["texts"] for request in told["requests"]] == [
        ["first"],
        ["first", "one", "second"],
        ["second", "two", "third"],
    ]


def test_a_filter_hides_tools(site: Site, work: Path) -> None:
    offered = site.story(["Done."], cwd=work, only="offline,files,shell,units")["requests"][0]["tools"]
    assert "bash" not in offered
    assert {"convert", "read"} <= set(offered)


def test_an_agent_has_its_prompt_and_its_tools(site: Site, work: Path) -> None:
    (request,) = site.story(["Done."], cwd=work, only="reviewer,files,shell", agent="reviewer")["requests"]
    assert "You review code." in request["system"]
    assert request["tools"] == ["glob", "grep", "list", "read"]


def test_a_selector_answers_before_the_preference_order(site: Site, work: Path) -> None:
    settings = {"plugins": {"nicknames": {"models": {"fast": "scripted/model", "far": "elsewhere/m"}}}}
    told = site.story(["Done."], cwd=work, only="nicknames", model="fast", settings=settings)
    assert told["requests"][0]["model"] == "scripted/model"


def test_model_defaults_are_laid_over_each_other(site: Site, work: Path) -> None:
    small = site.story(["Done."], cwd=work, only="house-models", model="scripted/house-small")
    large = site.story(["Done."], cwd=work, only="house-models", model="scripted/house-large")
    assert small["requests"][0]["sampling"] == {"temperature": 0.0, "max_output_tokens": 1024}
    assert large["requests"][0]["sampling"] == {"temperature": 0.2, "max_output_tokens": 1024}
    assert large["results"][0]["usage"]["cost"] == "0.00004"


def test_a_catalogue_lies_under_the_defaults_and_over_what_holds_for_all(site: Site, work: Path) -> None:
    medium = site.story(["Done."], cwd=work, only="house-models", model="scripted/house-medium")
    assert medium["requests"][0]["sampling"] == {"temperature": 0.2, "max_output_tokens": 512}
    assert medium["results"][0]["usage"]["cost"] == "0.00004"


def test_a_session_format_reads_what_it_recognises(site: Site, work: Path) -> None:
    (work / "talk.txt").write_text("user: hello\nassistant: hi there\n")
    script = """
import asyncio, pathlib, codetether
from codetether import Runtime, SessionFormatSpec
async def main():
    async with Runtime.open() as runtime:
        (found,) = runtime.plugins.collect(SessionFormatSpec)
        made = found.record.create(None)
        for path in sorted(pathlib.Path().iterdir()):
            if made.recognises(path):
                async for found in made.read(path):
                    print(found.session.id, [(m.role, m.text) for m in found.session.messages])
asyncio.run(main())
"""
    done = site.run("-c", script, cwd=work, environment=only("transcript"))
    assert done.err == ""
    assert done.out == "transcript_talk [('user', 'hello'), ('assistant', 'hi there')]\n"


def test_a_slash_command_answers_in_the_conversation(site: Site, work: Path) -> None:
    script = """
import asyncio, pathlib, sys
from codetether import Runtime
from codetether.cli.chat.conversation import Wishes
from codetether.cli.chat.slash import SlashCommands
from codetether.cli.terminal import Screen
async def main():
    async with Runtime.open(directory=pathlib.Path.cwd()) as runtime, runtime.session(model="parrot") as session:
        await SlashCommands(runtime, session, Screen(), Wishes()).run("/where is it")
asyncio.run(main())
"""
    done = site.run("-c", script, cwd=work, environment=only("whereabouts", "parrot"))
    assert (done.err, done.out) == ("", f"{work.resolve() / 'is it'}\n")


def test_a_command_is_listed_from_metadata_and_run(site: Site, work: Path) -> None:
    site.cli("run", "-m", "parrot", "hello", cwd=work, environment=only("parrot"))
    shown = site.cli("--help", cwd=work).out
    done = site.cli("census", "--here", cwd=work)
    assert "census" in shown
    assert "codetether-command-census 1.0" in shown
    assert (done.code, done.out) == (0, "1\n")


def test_all_of_them_work_together(site: Site, work: Path) -> None:
    said: dict[str, Any] = json.loads(
        site.cli("run", "-m", "parrot", "all together now", "--format", "json", cwd=work).out
    )
    assert (said["text"], said["status"]) == ("all together now", "done")
