"""Sessions of other agents at the command line: listed, shown, taken in, gone on with, sent back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from .conftest import Answer, CommandLine, ModelServer

PLUGINS = "openai,shell,opencode,codex,claude,codetether-json"
ID = "0199a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b"


def others(cli: CommandLine) -> CommandLine:
    """The command line with the formats."""
    return attrs.evolve(cli, environment={**cli.environment, "CODETETHER_PLUGINS": PLUGINS})


def rollout(cli: CommandLine, *, model: str = "toy", provider: str = "openai", said: str = "what is here?") -> Path:
    """A session of Codex in the workspace, in its own place on this machine."""
    place = Path(cli.environment["HOME"], ".codex", "sessions", "2026", "01", "02")
    place.mkdir(parents=True, exist_ok=True)
    lines: list[tuple[str, dict[str, Any]]] = [
        ("session_meta", {"id": ID, "cwd": str(cli.workspace), "model_provider": provider}),
        ("turn_context", {"cwd": str(cli.workspace), "model": model}),
        ("response_item", {"type": "message", "role": "user", "content": [{"type": "input_text", "text": said}]}),
        ("response_item", {"type": "function_call", "name": "ls", "arguments": "{}", "call_id": "c1"}),
        ("response_item", {"type": "function_call_output", "call_id": "c1", "output": "a.txt"}),
        ("response_item", {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}),
    ]
    path = place / f"rollout-2026-01-02T03-04-05-{ID}.jsonl"
    records = [
        {"timestamp": f"2026-01-02T03:04:{n:02}.000Z", "type": kind, "payload": payload}
        for n, (kind, payload) in enumerate(lines)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_they_stand_in_the_listing_until_they_are_ours(bare: CommandLine) -> None:
    cli = others(bare)
    path = rollout(cli)
    before = cli("sessions", "list", "--json").json
    shown = cli("sessions", "show", f"codex_{ID}")
    assert [(s["id"], s["title"], s["message_count"], s["source"]) for s in before] == [
        (f"codex_{ID}", "[codex] what is here?", 3, str(path))
    ]
    assert "● ls {}" in shown.out
    assert cli("sessions", "list", "--json", "--own").json == []
    assert cli("sessions", "list", "--here", "--json").json == before

    taken = cli("sessions", "import", "--from", "codex")
    after = cli("sessions", "list", "--json").json

    assert taken.code == 0
    assert taken.out.startswith(f"imported codex_{ID}  what is here?\n")
    assert [(s["id"], s["title"], s["created_at"]) for s in after] == [
        (f"codex_{ID}", "what is here?", "2026-01-02T03:04:00Z")
    ]
    again = cli("sessions", "import", "--from", "codex")
    assert (again.code, again.out.partition("\n")[0]) == (0, f"codex_{ID} is here already  what is here?")
    copy = cli("sessions", "import", "--again", str(path))
    assert copy.out.startswith(f"imported codex_{ID}_2 ")


def test_one_of_anothers_is_shown_and_never_deleted_and_taken_in_to_be_renamed(bare: CommandLine) -> None:
    cli, name = others(bare), f"codex_{ID}"
    path = rollout(cli)
    assert cli("sessions", "show", name, "-n", "1").out == "\nassistant:\na\n"
    kept = cli("sessions", "delete", name)
    assert (kept.code, kept.out) == (0, f"{name} is kept by another agent: nothing is deleted there\n")
    renamed = cli("sessions", "rename", name, "mine")
    assert (renamed.out, renamed.err) == (f"{name}  mine\n", f"note: imported {name}\n")
    assert path.exists()


def test_a_listing_sees_what_changed_and_looks_at_nothing_twice(bare: CommandLine) -> None:
    cli = others(bare)
    path = rollout(cli)
    assert cli("sessions", "list", "--json").json[0]["title"] == "[codex] what is here?"
    cache = cli.home / "cache" / "foreign-sessions.json"
    cache.write_text(cache.read_text().replace("what is here?", "seen before"))
    assert cli("sessions", "list", "--json").json[0]["title"] == "[codex] seen before"
    rollout(cli, said="what is there, then?")
    assert cli("sessions", "list", "--json").json[0]["title"] == "[codex] what is there, then?"
    cache.write_text("{ not a cache")
    assert cli("sessions", "list", "--json").json[0]["title"] == "[codex] what is there, then?"
    path.unlink()
    assert cli("sessions", "list", "--json").json == []


def test_import_prints_what_was_read_and_what_could_not_be(bare: CommandLine, tmp_path: Path) -> None:
    cli = others(bare)
    path = rollout(cli)
    damaged = tmp_path / "rollout-damaged.jsonl"
    damaged.write_text(path.read_text() + '{"timestamp": "2026')
    cut = tmp_path / "cut.db"
    cut.write_bytes(b"SQLite format 3\0 and so on")

    ran = cli("sessions", "import", "--dry-run", "--json", str(damaged), str(cut), str(tmp_path / "gone"))

    assert ran.code == 0
    assert ran.json["sessions"] == [
        {
            "source_id": ID,
            "title": "what is here?",
            "directory": str(cli.workspace),
            "model": "openai/toy",
            "messages": 3,
            "tool_calls": 1,
            "tool_results": 1,
            "usage": {
                "input_tokens": 0,
                "output_tokens": 0,
                "cache_read_tokens": 0,
                "cache_write_tokens": 0,
                "reasoning_tokens": 0,
                "cost": None,
            },
            "lost": [],
        }
    ]
    known = "claude, codetether, codex, opencode"
    assert sorted(ran.json["errors"], key=lambda error: error["source"]) == [
        {"source": str(cut), "why": f"it is no session that is known here ({known})"},
        {"source": str(tmp_path / "gone"), "why": "No such file or directory"},
        {"source": f"{damaged}:7", "why": "it is cut off: it is no JSON: unexpected end of data"},
    ]
    assert cli("sessions", "list", "--own", "--json").json == []


@pytest.mark.parametrize("arguments", [("nowhere",), ("--from", "cobol"), ("--from", "codex", "."), ()])
def test_nothing_that_can_be_read_is_an_error(bare: CommandLine, arguments: tuple[str, ...]) -> None:
    ran = others(bare)("sessions", "import", "--json", *arguments)
    assert ran.code == 1
    assert ran.json["sessions"] == []
    assert len(ran.json["errors"]) == (1 if arguments else 0)


def test_continue_takes_the_newest_of_this_directory_and_ours_first(cli: CommandLine, model: ModelServer) -> None:
    cli = others(cli)
    model.script = [Answer(texts=["ok"])]
    rollout(cli)

    first = cli("run", "-c", "--format", "json", "and now?")
    rollout(cli, said="newer, but ours comes first")
    second = cli("run", "-c", "--format", "json", "go on")

    assert f"note: going on with [codex] what is here?\nnote: imported codex_{ID}\n" in first.err
    assert first.json["session_id"] == second.json["session_id"] == f"codex_{ID}"
    assert [m["role"] for m in model.requests[0]["messages"]][1:] == ["user", "assistant", "tool", "assistant", "user"]
    assert model.prompts() == ["and now?", "go on"]


def test_a_model_that_only_the_other_agent_has_is_replaced(cli: CommandLine, model: ModelServer) -> None:
    cli = others(cli)
    model.script = [Answer(texts=["ok"])]
    rollout(cli, provider="elsewhere", model="big")

    ran = cli("run", "-s", f"codex_{ID}", "--format", "json", "and now?")

    assert ran.code == 0, ran.err
    assert ran.json["model"] == "toy"
    assert "its model elsewhere/big cannot be had here" in ran.err


def test_known_secrets_do_not_come_in_and_do_not_go_out(cli: CommandLine) -> None:
    cli = others(cli)
    key = cli.environment["OPENAI_API_KEY"]
    path = rollout(cli, said=f"use {key}")
    assert cli("sessions", "import").code == 0
    assert key not in "".join(path.read_text() for path in (cli.home / "data").rglob("*.jsonl"))
    assert cli("sessions", "import", "--again", str(path), OPENAI_API_KEY="sk-another-9876543210").code == 0
    kept = "".join(path.read_text() for path in (cli.home / "data").rglob("*.jsonl"))
    assert key in kept  # it was not known then
    sent = cli("sessions", "export", f"codex_{ID}_2", "--to", "opencode")
    assert key not in sent.out
    assert json.loads(sent.out)["messages"][0]["parts"][0]["text"] == "use [redacted:openai.api_key]"


def test_export_replaces_no_file_and_names_what_can_be_written(bare: CommandLine) -> None:
    cli = others(bare)
    rollout(cli)
    cli("sessions", "import")
    assert cli("sessions", "export", f"codex_{ID}", "back.jsonl", "--to", "codex").code == 0
    refused = cli("sessions", "export", f"codex_{ID}", "back.jsonl", "--to", "codex")
    unknown = cli("sessions", "export", f"codex_{ID}", "--to", "cobol")
    assert (refused.code, "is there already" in refused.err) == (1, True)
    assert (unknown.code, "there are: claude, codex, opencode" in unknown.err) == (1, True)
    back = cli("sessions", "import", "--dry-run", "--json", "back.jsonl").json["sessions"][0]
    assert (back["source_id"], back["messages"], back["tool_calls"], back["tool_results"]) == (ID, 3, 1, 1)


def test_formats_are_looked_for_again_when_other_plugins_are_there(bare: CommandLine) -> None:
    cli = others(bare)
    rollout(cli)
    listings = [
        cli("sessions", "list", "--json", CODETETHER_PLUGINS=plugins).json
        for plugins in ("openai", PLUGINS, "openai,claude", PLUGINS, PLUGINS)
    ]
    assert [len(listing) for listing in listings] == [0, 1, 0, 1, 1]


def test_without_formats_ours_are_listed_all_the_same(bare: CommandLine) -> None:
    rollout(bare)
    ran = bare("sessions", "list")
    assert (ran.code, ran.out, ran.err) == (0, "No sessions found\n", "")
    bare.settings("broken = [")
    ran = bare("sessions", "list")
    assert (ran.code, ran.out) == (0, "No sessions found\n")
    assert "sessions of other products are not shown" in ran.err


def test_they_are_searched_exported_and_forked_like_ours(bare: CommandLine) -> None:
    cli = others(bare)
    path = rollout(cli, said="what lies here? my key is hunter-canary-99")
    key = "hunter-canary-99"
    found = cli("sessions", "search", "what lies", "--here", "--json", ACME_API_KEY=key).json
    (only,) = found["sessions"]
    assert (only["id"], only["format"], only["source"]) == (f"codex_{ID}", "codex", str(path))
    assert {hit["kind"] for hit in only["hits"]} == {"title", "user"}
    assert b"canary" not in (cli.home / "data" / "index.sqlite").read_bytes()
    assert cli("sessions", "search", "lies", "--own").code == 1
    assert cli("sessions", "search", "a.txt", "--tool", "ls").out.splitlines()[1] == "  result ls: a.txt"
    path.write_text(path.read_text().replace("what lies", "where stands"))
    assert [cli("sessions", "search", word).code for word in ("lies", "stands")] == [1, 0]
    page = cli("sessions", "export", f"codex_{ID}", "--format", "html", ACME_API_KEY=key).out
    assert ("where stands here?" in page, "canary" in page) == (True, False)
    assert cli("sessions", "fork", f"codex_{ID}", "--message", "1", "--json").json["messages"] == 1
    path.unlink()
    assert cli("sessions", "search", "a.txt").code == 1
