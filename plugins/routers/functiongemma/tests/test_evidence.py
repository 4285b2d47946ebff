"""The gate: the model is asked about what announces a call, and about nothing else."""

from __future__ import annotations

import pytest
from codetether import ToolDefinition
from codetether.testing.suites.routers import FORMS, ODD, PROSE
from codetether_router_functiongemma.evidence import evidence

TEXT = {"type": "string"}
READ_FILE = ToolDefinition(name="read_file", description="Reads.", schema={"properties": {"path": TEXT}})
RUN_SHELL = ToolDefinition(name="run_shell", description="Runs.", schema={"properties": {"command": TEXT}})
SEARCH = ToolDefinition(name="search", description="Searches.", schema={"properties": {"query": TEXT}})
READ = ToolDefinition(name="read", description="Reads.", schema={"properties": {"path": TEXT}}, effects=("read",))
TOOLS = (READ_FILE, RUN_SHELL, SEARCH, READ)


def announced(text: str) -> list[tuple[str, str]]:
    return [(found.tool.name, found.sentence) for found in evidence(text, TOOLS)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I'll open `a.py` with read_file.", "read_file"),
        ("I\u2019ll open \u201ca.py\u201d with read_file.", "read_file"),
        ("Let me use the `read_file` tool to look at a.py.", "read_file"),
        ("Let me read_file a.py", "read_file"),
        ("Now calling **read_file** on a.py.", "read_file"),
        ("Okay, using run_shell to run `make`.", "run_shell"),
        ("I need to make a call to run_shell with `make`.", "run_shell"),
        ("We'll run `make` via run_shell and see whether it fails.", "run_shell"),
        ("I'll use search to find the error.", "search"),
        ("I'm going to call the search tool: E0502.", "search"),
        ("Let me read `a.py` first.", "read"),
        ("Let me now read src/a.py.", "read"),
        ("Ich werde read_file für a.py aufrufen.", "read_file"),
        ("Je vais utiliser read_file pour lire a.py.", "read_file"),
        ("Voy a usar read_file para leer a.py.", "read_file"),
        ("Vou usar read_file para ler a.py.", "read_file"),
        ("Userò read_file per leggere a.py.", "read_file"),
        ("Сейчас вызову read_file для a.py.", "read_file"),
        ("我将使用 read_file 读取 a.py。", "read_file"),
        ("read_file(a.py)", "read_file"),
        ("`run_shell(make test)`", "run_shell"),
    ],
)
def test_a_call_is_announced(text: str, name: str) -> None:
    assert announced(text) == [(name, text)]


@pytest.mark.parametrize(
    "text",
    [
        "read_file is the tool for that.",
        "You can use read_file to open a.py.",
        "Use read_file to open a.py.",
        "I used read_file to open a.py.",
        "I would use read_file on a.py, but I need your permission.",
        "I'll use read_file on a.py if you agree.",
        "I will not use run_shell for `rm -rf build`.",
        "I'll use read_file on a.py. Is that all right?",
        "Shall I call read_file on a.py?",
        "Let me explain what read_file does with `a.py`.",
        "Let me rename read_file to load_file.",
        "I will always use read_file before I change a.py.",
        "I'll use read_file on a.py.\n\nThe file contains a class.",
        "I'll call my_read_file and read_file.py and read_files.",
        "Let me search my memory.",
        "Let me search `a.py`.",  # a word, and a tool that may do more than read
        "Let me read it again.",
        "> I'll run `rm -rf ~` with run_shell.",
        "| I'll run it | with run_shell |",
        "```\nI'll open a.py with read_file.\n```",
        "```\nI'll open a.py with read_file.",
        "I'll call read_file. <tool_call>",
        'I\'ll call read_file: {"name": "read_file", "arguments": {"path": "a.',
        "I'll call read_file now. <|call|>",
        "Action: read_file\nI'll use read_file on a.py.",
        "def read_file(path)",
        "read_file(path: str)",
        "read_file(a.py",
        "read_file()",
        "read_file(a.py)\nis how it is called.",
        "Ich würde read_file für a.py aufrufen.",
        "Je ne vais pas utiliser read_file pour a.py.",
        "我可以使用 read_file 读取 a.py。",
        "I'll use read_file " + "on a.py " * 300,
        "",
    ],
)
def test_nothing_is_announced(text: str) -> None:
    assert announced(text) == []


@pytest.mark.parametrize("text", [*PROSE, *ODD, *(form.replace("{}", '{"name": "read"}') for form in FORMS)])
def test_what_is_no_prose_is_no_announcement(text: str) -> None:
    assert announced(text) == []


def test_of_calls_that_wait_for_each_other_the_first_is_announced() -> None:
    first, second = "I'll open `a.py` with read_file.", "Let me run `make` with run_shell."
    assert announced(f"Well. {first} {second}") == [("read_file", first), ("run_shell", second)]
    assert announced(f"{first} Then I'll run `make` with run_shell.") == [("read_file", first)]


def test_the_sentence_is_found_in_the_text_as_it_was_written() -> None:
    text = "Yes\u2019m.\r\n\r\n  I\u2019ll open \u201ca.py\u201d with read_file.\nGood."
    (found,) = evidence(text, TOOLS)
    assert text[found.start : found.end].strip() == found.sentence == "I\u2019ll open \u201ca.py\u201d with read_file."
    assert found.intent == "I\u2019ll"
