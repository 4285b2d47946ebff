"""The tiny profile: requests in many wordings become calls of tools that it knows by their own examples."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from codetether import (
    CompletionRequest,
    Effect,
    Finished,
    Message,
    ModelRef,
    StreamChunk,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    ToolDefinition,
    ToolExample,
    ToolResultPart,
    user,
)
from codetether_llama import Engine
from codetether_provider_local.tiny.candidates import candidates
from codetether_provider_local.tiny.evidence import evidence, listed, speakable, wants_names
from codetether_provider_local.tiny.profile import TinyProfile
from codetether_provider_local.tiny.ranking import ranking
from codetether_provider_local.tiny.talk import TALK
from codetether_provider_local.tiny.templates import reply, templates
from codetether_provider_local.tiny.workspace import Workspace, explore
from hypothesis import given
from hypothesis import strategies as st


def tool(name: str, effects: tuple[Effect, ...], *examples: tuple[str, dict[str, Any]]) -> ToolDefinition:
    made = tuple(ToolExample(prompt=prompt, arguments=arguments) for prompt, arguments in examples)
    return ToolDefinition(name=name, description="", schema={"type": "object"}, effects=effects, examples=made)


TOOLS = (
    tool(
        "list",
        ("read",),
        ("list the files", {"path": "."}),
        ("what is in the lib folder?", {"path": "lib"}),
        ("how many files are in lib", {"path": "lib"}),
    ),
    tool(
        "read",
        ("read",),
        ("show notes.txt", {"path": "notes.txt"}),
        ("what is the name in setup.cfg?", {"path": "setup.cfg"}),
        ("show the first 5 lines of notes.txt", {"path": "notes.txt", "limit": 5}),
        ("what is this project about?", {"path": "README.md"}),
    ),
    tool(
        "grep",
        ("read",),
        ("find FIXME in the code", {"pattern": "(?i)fixme"}),
        ("where is parse_date defined?", {"pattern": "(?i)parse_date"}),
        ("what is the version?", {"pattern": "(?i)version"}),
    ),
    tool("glob", ("read",), ("list all py files", {"pattern": "**/*.py"})),
    tool(
        "write",
        ("write",),
        ("create a file note.txt with the text bye", {"path": "note.txt", "content": "bye\n"}),
        ("put good night into plan.md", {"path": "plan.md", "content": "good night\n"}),
    ),
    tool("edit", ("read", "write"), ("replace foo with bar in app.py", {"path": "app.py", "old": "foo", "new": "bar"})),
    tool(
        "bash",
        ("read", "write", "execute", "network"),
        ("run the tests", {"command": "pytest -q"}),
        ("git status", {"command": "git status"}),
        ("run lib/app.py", {"command": "python3 lib/app.py"}),
    ),
)
KNOWN = ranking([*(t for tool in TOOLS for t in templates(tool)), *(reply(*talk) for talk in TALK)])
FILES = (
    "README.rst",
    "Makefile",
    "conf/app.toml",
    "src/weird name;x.py",
    "src/engine.py",
    "src/ui/menu.css",
    "soups/leek.md",
)
WORKSPACE = Workspace(
    kinds={**dict.fromkeys(FILES, "file"), **dict.fromkeys(("conf", "src", "src/ui", "soups"), "dir")}
)


def best(asked: str) -> tuple[str | None, Mapping[str, Any]]:
    found = candidates(asked, WORKSPACE, KNOWN)
    return (found[0].tool.name if found[0].tool else None, found[0].arguments) if found else (None, {})


@pytest.mark.parametrize(
    ("asked", "call"),
    [
        ("please list all files here", ("list", {"path": "."})),
        ("which files does src/ui hold?", ("list", {"path": "src/ui"})),
        ("what's inside the conf directory", ("list", {"path": "conf"})),
        ("display engine.py", ("read", {"path": "src/engine.py"})),
        ("open the leek soup", ("read", {"path": "soups/leek.md"})),
        ("shwo me Makefile", ("read", {"path": "Makefile"})),
        ("what is this program about", ("read", {"path": "README.rst"})),
        ("print the first 3 lines of engine.py", ("read", {"path": "src/engine.py", "limit": 3})),
        ("which name does conf/app.toml set", ("read", {"path": "conf/app.toml"})),
        ("look for BROKEN in the code", ("grep", {"pattern": "(?i)BROKEN"})),
        ("where is makeSoup implemented", ("grep", {"pattern": "(?i)makeSoup"})),
        ("which version is it", ("grep", {"pattern": "(?i)version"})),
        ("show all python files", ("glob", {"pattern": "**/*.py"})),
        ("which css files are there", ("glob", {"pattern": "**/*.css"})),
        (
            "create todo.txt with the text buy three leeks",
            ("write", {"path": "todo.txt", "content": "buy three leeks\n"}),
        ),
        ("write 'a b' into new.md", ("write", {"path": "new.md", "content": "a b\n"})),
        (
            "replace leek with onion in soups/leek.md",
            ("edit", {"path": "soups/leek.md", "old": "leek", "new": "onion"}),
        ),
        ("execute the tests", ("bash", {"command": "pytest -q"})),
        ("run src/engine.py", ("bash", {"command": "python3 src/engine.py"})),
        ("greet my friend Tilda", (None, {})),
        ("thanks!", (None, {})),
    ],
)
def test_a_request_becomes_the_call_that_answers_it(asked: str, call: tuple[str | None, dict[str, Any]]) -> None:
    assert best(asked) == call


WORDS = st.sampled_from(
    [
        *("run", "create", "write", "put", "rm", "-rf", "/", ";", "|", "$(x)", "`id`", "&&", "status && rm x", "ünï"),
        *("the", "tests", "git", "in", "into", "with", "a", "file", "new.txt", "README.rst", "src/engine.py"),
        *("src/weird name;x.py", "'weird name;x.py'"),
    ]
)


@given(st.lists(WORDS, max_size=9).map(" ".join))
def test_commands_are_those_of_the_examples_over_paths_that_exist(asked: str) -> None:
    runnable = {f"python3 {shlex.quote(path)}" for path in FILES if path.endswith(".py")}
    commands = {"pytest -q", "git status", *runnable}
    for found in candidates(asked, WORKSPACE, KNOWN):
        if found.tool and found.tool.name == "bash":
            assert found.arguments["command"] in commands


@given(st.lists(WORDS, max_size=9).map(" ".join))
def test_nothing_is_written_unless_it_was_asked_for(asked: str) -> None:
    writing = {"create", "write", "put", "new.txt"} & set(asked.split()) - {"new.txt"}
    found = {candidate.tool.name for candidate in candidates(asked, WORKSPACE, KNOWN) if candidate.tool}
    assert writing or not found & {"write", "edit"}


def test_a_tool_without_examples_is_known_by_its_description() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    weather = ToolDefinition(name="weather", description="The weather of a city.", schema=schema, effects=("read",))
    known = ranking(templates(weather) + [t for tool in TOOLS for t in templates(tool)])
    first = candidates("what is the weather in Oslo?", WORKSPACE, known)[0]
    assert (first.tool, first.arguments) == (weather, {"city": "Oslo"})
    wiping = ToolDefinition(name="wipe", description="Wipes a disk.", schema=schema)
    assert templates(wiping) == []


def test_what_is_to_be_done_names_no_file() -> None:
    workspace = Workspace(kinds={"tools": "dir", "tools/files": "dir", "tools/files/listing.py": "file"})
    (first, *_) = candidates("list the files here", workspace, KNOWN)
    assert first.tool is not None
    assert (first.tool.name, first.arguments) == ("list", {"path": "."})


def test_a_workspace_is_walked_without_what_is_hidden_or_generated(tmp_path: Path) -> None:
    for name in ("a/b.txt", ".git/config", "node_modules/x.js", "c.md", ".env"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert explore(str(tmp_path)).kinds == {"a": "dir", "a/b.txt": "file", "c.md": "file"}


READ = "app.toml: 12 lines\n" + "\n".join(f"{i:>6}\tkey{i} = {i}" for i in range(1, 12)) + "\n    12\tport = 8080"
LISTED = "/home/ann/work\nsrc/\na.py\n\n1 file, 1 directory"


@pytest.mark.parametrize(
    ("asked", "output", "shown"),
    [
        ("how many lines has app.toml", READ, "app.toml: 12 lines"),
        ("which port is set", READ, "port = 8080"),
        ("what files are here", LISTED, "src/\na.py"),
        ("how many files are here", LISTED, "1 file, 1 directory"),
        ("in which directory am I", LISTED, "/home/ann/work\nsrc/\na.py"),
        (
            "what about logging",
            "# Guide\nx\n## Logging\nSet LOG=1.\n## Other\ny",
            "## Logging\nSet LOG=1.\n## Other\ny",
        ),
    ],
)
def test_the_model_reads_the_lines_that_can_hold_the_answer(asked: str, output: str, shown: str) -> None:
    assert evidence(asked, output) == shown


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("list the files here", True),
        ("which css files are there", True),
        ("are there any css files?", True),
        ("what is in docs?", True),
        ("what files are in this directory?", True),
        ("how many files are here", False),
        ("is there a Makefile?", False),
        ("in which folder am I", False),
    ],
)
def test_a_listing_is_told_to_who_wants_the_names(asked: str, names: bool) -> None:
    assert wants_names(asked) is names


def test_a_listing_becomes_a_sentence() -> None:
    assert listed(LISTED) == "The files are src/ and a.py."
    assert listed("src/\n  deep.py\na.py\nb.py\n\n3 files, 1 directory") == "The files are src/, a.py and b.py."
    assert listed("a.py") == "The only file is a.py."
    assert listed("/home/ann/work\n0 files") == "There are no files."
    assert listed("\n".join(f"f{n}" for n in range(50))).endswith("f38, f39 and 10 more.")
    assert listed("b.py\na.py\n… and 842 more\n\n844 files fit *.py in .") == "The files are b.py, a.py and 842 more."


async def heard(profile: TinyProfile, directory: Path, *messages: Message) -> list[StreamChunk]:
    request = CompletionRequest(
        model=ModelRef(provider="local", model="some"), messages=messages, tools=TOOLS, directory=str(directory)
    )
    return [chunk async for chunk in profile.answer(request)]


async def test_it_calls_then_says_what_came_of_it_in_the_outputs_own_words(smollm2: Engine, tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text("port = 8080\nhost = 'x'\n")
    profile = TinyProfile(smollm2)
    asked = user("what port is set in app.toml?")
    called = await heard(profile, tmp_path, asked)
    (call,) = [chunk for chunk in called if isinstance(chunk, ToolCallDelta)]
    assert (call.name, json.loads(call.arguments)) == ("read", {"path": "app.toml"})
    assert called[-1] == Finished(reason="tool_calls", raw="stop")
    output = "app.toml: 2 lines\n     1\tport = 8080\n     2\thost = 'x'"
    part = ToolResultPart(tool_call_id=call.id or "", name="read", content=(TextPart(text=output),), success=True)
    answered = await heard(
        profile,
        tmp_path,
        asked,
        Message(role="assistant", parts=(ToolCallPart(id=call.id or "", name="read", arguments=call.arguments),)),
        Message(role="tool", parts=(part,)),
    )
    text = "".join(chunk.text for chunk in answered if isinstance(chunk, TextDelta))
    assert sum(isinstance(chunk, TextDelta) for chunk in answered) > 1
    assert set(text.rstrip(".!").split()) <= {
        word + mark for word in speakable(asked.text, evidence(asked.text, output)) for mark in ("", ",", ":")
    }
    assert answered[-1] == Finished(reason="stop")


async def test_a_failed_call_is_said_and_not_tried_again(smollm2: Engine, tmp_path: Path) -> None:
    part = ToolResultPart(
        tool_call_id="1", name="bash", content=(TextPart(text="Error: denied: nobody to ask"),), success=False
    )
    answered = await heard(TinyProfile(smollm2), tmp_path, user("run the tests"), Message(role="tool", parts=(part,)))
    assert answered == [TextDelta(text="That did not work: denied: nobody to ask"), Finished(reason="stop")]


async def test_what_is_beyond_it_is_said_and_what_was_written_is_told_in_the_tools_words(
    smollm2: Engine, tmp_path: Path
) -> None:
    profile = TinyProfile(smollm2)
    (refused, end) = await heard(profile, tmp_path, user("refactor the code and run the tests"))
    assert isinstance(refused, TextDelta)
    assert refused.text.startswith("That is more than a tiny model can do.")
    part = ToolResultPart(tool_call_id="1", name="write", content=(TextPart(text="wrote a.md, 1 line"),), success=True)
    answered = await heard(profile, tmp_path, user("create a.md with the text b"), Message(role="tool", parts=(part,)))
    assert answered == [TextDelta(text="Done: wrote a.md, 1 line"), end]


async def test_words_are_answered_with_words(smollm2: Engine, tmp_path: Path) -> None:
    answered = await heard(TinyProfile(smollm2), tmp_path, user("say hello to Mina"))
    assert "Mina" in "".join(chunk.text for chunk in answered if isinstance(chunk, TextDelta))
    assert answered[-1] == Finished(reason="stop")
