"""`codetether sessions`: searched, forked, renamed, resumed, exported, mended and deleted, as a user does it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from .conftest import Answer, CommandLine, ModelServer

KEY = "sk-test-0123456789"
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> [x](javascript:alert(3)) ![t](https://example.com/p.png)"
)
TEXT = f"# Found it\n\n**Two** lines:\n\n```python\ndef f(): return '<b>'\n```\n\n{HOSTILE}\n\u202eback"


@pytest.fixture
def session(cli: CommandLine, model: ModelServer) -> str:
    """A session of two turns, its first with a call that prints the key."""
    model.script = [
        Answer(texts=["Looking."], calls=[("bash", {"command": f"echo '</pre>{HOSTILE}'; cat key"})]),
        Answer(texts=[TEXT]),
        Answer(texts=["Second answer."]),
        Answer(texts=["Resumed."]),
    ]
    (cli.workspace / "key").write_text(f"{KEY}\n")
    said: str = cli("run", f"first question {HOSTILE}", "--allow", "bash", "--format", "json").json["session_id"]
    assert cli("run", "-s", said, "second question").code == 0
    return said


def test_a_session_is_found_and_gone_on_with(cli: CommandLine, session: str) -> None:
    found = cli("sessions", "search", "two", "lines", "--json").json
    (only,) = found["sessions"]
    (hit,) = only.pop("hits")
    assert only == cli("sessions", "list", "--json").json[0]
    assert {k: hit[k] for k in ("kind", "name")} == {"kind": "assistant", "name": "openai/toy"}
    assert [hit["snippet"][start:end] for start, end in hit["matches"]] == ["Two", "lines"]
    assert (found["schema"], found["query"], found["more"]) == (1, "two lines", False)
    assert cli("sessions", "search", "lines two").code == 1  # one argument is a phrase
    today = cli("sessions", "search", "question", "--here", "--since", "2020-01-01", "--until", "2999-01-01").out
    assert today.splitlines()[0].startswith(f"{session}  ")
    assert re.search("^  user: second question$", today, re.MULTILINE)
    assert "result bash: " in cli("sessions", "search", "alert", "--tool", "bash", "--project", ".", "--own").out
    for scope in (["--tool", "read"], ["--model", "other"], ["--until", "2020-01-01"], ["-d", "/"]):
        ran = cli("sessions", "search", "question", *scope)
        assert (ran.code, ran.out) == (1, "Nothing found\n"), scope
    assert cli("sessions", "search", "x", "--here", "-d", ".").code == 2

    fork = cli("sessions", "fork", session, "--turn", "1", "--json").json
    assert (fork["forked_from"], fork["messages"], cli("sessions", "last").out) == (session, 4, f"{fork['id']}\n")
    assert (
        cli("sessions", "rename", fork["id"], f" mine  {KEY}", "--json")
        .json["title"]
        .startswith("mine [redacted:openai")
    )
    resumed = cli("sessions", "resume", fork["id"], "--json", "go", "on").json
    assert (resumed["session_id"], resumed["text"]) == (fork["id"], "Resumed.")
    assert cli("sessions", "resume", session, "again").out == "Resumed.\n"
    tail = cli("sessions", "show", session, "-n", "1").out
    assert tail == "\nassistant:\nResumed.\n"
    assert [m["role"] for m in cli("sessions", "show", session, "-n", "2", "--json").json] == ["user", "assistant"]

    # deleting asks at a terminal, and takes subagents too
    (journal,) = cli.home.glob(f"data/sessions/*/{session}/journal.jsonl")
    child = made_child(journal, session)
    for answer, code, left in ((b"\n", 1, {session, child}), (b"y\n", 0, set())):
        ours, its = pty.openpty()
        with subprocess.Popen(
            cli.argv("sessions", "delete", session),
            cwd=cli.workspace,
            env={**os.environ, **cli.environment},
            stdin=its,
            stdout=subprocess.DEVNULL,
            stderr=its,
        ) as asking:
            os.close(its)
            os.write(ours, answer)
            assert asking.wait(30) == code
            os.close(ours)
        assert {s["id"] for s in cli("sessions", "list", "--subagents", "--json").json if s["id"] != fork["id"]} == left
    assert cli("sessions", "delete", session, "--json").json == {"deleted": [], "missing": [session]}


class Page(HTMLParser):
    """The elements and what they ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_session_is_exported_in_every_form_without_secrets_and_mended(
    cli: CommandLine, session: str, tmp_path: Path
) -> None:
    whole = cli("sessions", "export", session).json
    assert (whole["format"], whole["version"], whole["session"]["id"]) == ("codetether-session", 1, session)
    assert [(m["number"], m["role"], m["turn"]) for m in whole["messages"]] == [
        *((1, "user", 1), (2, "assistant", 1), (3, "tool", 1), (4, "assistant", 1)),
        *((5, "user", 2), (6, "assistant", 2)),
    ]
    assert whole["messages"][1]["usage"]["input_tokens"] == 11
    assert whole["messages"][2]["parts"][0]["tool_call_id"] == whole["messages"][1]["parts"][1]["id"]
    assert whole["messages"][2]["duration_ms"] > 0
    assert [turn["status"] for turn in whole["turns"]] == ["done", "done"]

    page, plain = tmp_path / "s.html", tmp_path / "s.md"
    said = cli("sessions", "export", session, str(page), "--json").json
    assert said == {"id": session, "file": str(page), "format": "html", "bytes": page.stat().st_size, "lost": []}
    assert cli("sessions", "export", session, str(page)).code == 1  # it is there already
    assert cli("sessions", "export", session, str(plain)).code == 0
    refused = cli("sessions", "export", session, str(tmp_path / "s.pdf"))
    assert (refused.code, "ends in .pdf; these do: .json, .md, .markdown, .html, .htm" in refused.err) == (1, True)
    assert cli("sessions", "export", session, str(tmp_path / "s"), "--json").json["format"] == "json"
    texts = [json.dumps(whole), page.read_text(), plain.read_text()]
    assert [KEY in text for text in texts] == [False] * 3
    assert ["[redacted:openai" in text for text in texts] == [True] * 3

    read = Page()
    read.feed(texts[1])
    assert set(read.tags) & {"script", "iframe", "object", "embed", "form", "link", "base"} == set()
    assert [name for name, _ in read.attributes if name.startswith("on")] == []
    for name, value in read.attributes:
        if name in ("src", "href"):
            assert re.match(r"#|https://example\.com/|data:image/", value or ""), value
    assert read.tags.count("img") == 0  # nothing is fetched from elsewhere
    assert "default-src 'none'" in texts[1]
    assert "\u202e" not in texts[1]
    assert "<script>alert(1)</script>" in read.text
    for element in ("details", "h1", "strong", "pre"):
        assert element in read.tags
    assert '<span class="k">def</span>' in texts[1]
    assert "## User" in texts[2]
    assert "<details><summary>bash</summary>" in texts[2]

    # then it is damaged, and mended
    (journal,) = cli.home.glob(f"data/sessions/*/{session}/journal.jsonl")
    journal.write_bytes(journal.read_bytes().replace(b"Second", b"Sec0nd", 1))
    tried = cli("sessions", "repair", "--dry-run")
    mended = cli("sessions", "repair", "--json")
    assert (tried.code, tried.out, "cannot be read" in tried.err) == (0, "1 session looked at, 1 damaged\n", True)
    (damaged,) = mended.json["damaged"]
    assert b"Sec0nd" in Path(damaged["kept"]).read_bytes()
    assert cli("sessions", "repair").out == "1 session looked at, 0 mended\n"
    assert cli("sessions", "repair", "absent").code == 1
    assert cli("sessions", "export", session).json["damage"][0]["why"].startswith("records from")


def made_child(journal: Path, parent: str) -> str:
    """A subagent's session, written as a journal is."""
    from codetether.ids import bucket_of
    from codetether.models.session import JournalRecord, SessionStarted
    from codetether.storage.lines import Reader, encode

    (first, *_) = Reader(journal.read_bytes())
    started = SessionStarted(id="child", directory="/", parent_id=parent)
    place = journal.parents[2] / bucket_of("child") / "child"
    place.mkdir(parents=True)
    record = JournalRecord(sequence=1, recorded_at=first.recorded_at, entry=started)
    (place / journal.name).write_bytes(encode(record))
    return "child"


def test_every_command_says_json() -> None:
    from codetether.cli.sessions import sessions

    group: Any = sessions
    for name in group.list_commands(None):
        options = [option for parameter in group.get_command(None, name).params for option in parameter.opts]
        assert "--json" in options, name
