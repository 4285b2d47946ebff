"""A model that writes its tool calls as text, seen from the command line."""

from __future__ import annotations

from .conftest import Answer, CommandLine, ModelServer

CALL = '<tool_call>\n{"name": "bash", "arguments": {"command": "echo two"}}\n</tool_call>'
WRITTEN = f"Let me look.\n{CALL}\n"
PLUGINS = "openai,shell,text"
PIECES = [WRITTEN[at : at + 3] for at in range(0, len(WRITTEN), 3)]


def test_the_call_is_made_and_only_the_prose_is_printed(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=PIECES), Answer(texts=["It says two."])]

    ran = cli("run", "what does it say?", "--allow", "bash", CODETETHER_PLUGINS=PLUGINS)

    assert (ran.code, ran.out) == (0, "Let me look.\nIt says two.\n")
    assert '● bash command="echo two"' in ran.err
    assert "tool_call" not in ran.out + ran.err


def test_a_resumed_session_gives_the_model_structured_calls(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=PIECES), Answer(texts=["Two."])]

    cli("run", "what does it say?", "--allow", "bash", CODETETHER_PLUGINS=PLUGINS)
    ran = cli("run", "-c", "again?", CODETETHER_PLUGINS=PLUGINS)

    assert ran.code == 0
    asked, said, result, *_ = [m for m in model.requests[-1]["messages"] if m["role"] != "system"]
    assert (asked["role"], said["content"], result["role"]) == ("user", "Let me look.", "tool")
    [call] = said["tool_calls"]
    assert call["function"] == {"name": "bash", "arguments": '{"command": "echo two"}'}
    assert result["tool_call_id"] == call["id"]


def test_switched_off_the_text_is_printed_as_it_is(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=PIECES)]
    cli.settings('[plugins.text]\nenabled = "off"\n')

    ran = cli("run", "what does it say?", "--allow", "bash", CODETETHER_PLUGINS=PLUGINS)

    assert (ran.code, ran.out) == (0, WRITTEN)


def test_text_about_tools_stays_text(cli: CommandLine, model: ModelServer) -> None:
    text = f"I could run bash:\n\n```\n{CALL}\n```\n\nShall I?\n"
    model.script = [Answer(texts=[text[at : at + 4] for at in range(0, len(text), 4)])]

    ran = cli("run", "what would you do?", "--allow", "bash", CODETETHER_PLUGINS=PLUGINS)

    assert (ran.code, ran.out) == (0, text)
    assert len(model.requests) == 1
