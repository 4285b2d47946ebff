"""`codetether run` as a person sees it, in a real terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pexpect  # type: ignore[import-untyped]
import pytest

from .conftest import Answer, CommandLine, ModelServer


@contextmanager
def terminal(cli: CommandLine, *arguments: str, columns: int = 100, **env: str) -> Iterator[Any]:
    """The command in a terminal of so many columns."""
    argv = cli.argv(*arguments)
    child = pexpect.spawn(
        argv[0],
        argv[1:],
        cwd=str(cli.workspace),
        env={**cli.environment, "TERM": "xterm-256color", **env},
        dimensions=(24, columns),
        encoding="utf-8",
        timeout=20,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def rest(child: Any) -> str:
    """All that is still to come."""
    child.expect(pexpect.EOF)
    child.wait()
    return str(child.before).replace("\r\n", "\n")


def test_text_streams_and_tool_calls_are_in_colour(cli: CommandLine, model: ModelServer) -> None:
    model.script = [
        Answer(texts=["Let me ", "look."], calls=[("bash", {"command": "echo out"})], pauses={1: 1}),
        Answer(texts=["Done."]),
    ]
    with terminal(cli, "run", "hi", "--allow", "bash") as child:
        child.expect_exact("Let me ", timeout=10)
        assert not child.before.replace("\r\n", "")
        shown = rest(child)

    assert child.exitstatus == 0
    assert '\x1b[1;36m● bash command="echo out"\x1b[0m\n' in shown
    assert re.sub(r"\x1b\[[0-9;]*m|\d\.\d s.*", "", shown) == (
        'look.\n● bash command="echo out"\n  out\n  [exit code 0]\nDone.\nopenai/toy · 2 steps · 22 in, 6 out · \n'
    )


@pytest.mark.parametrize(("no_color", "term"), [("1", "xterm"), ("", "dumb")])
def test_no_colour_when_not_wanted_and_a_call_fits_a_narrow_terminal(
    cli: CommandLine, model: ModelServer, no_color: str, term: str
) -> None:
    model.script = [Answer(calls=[("bash", {"command": "true " + "x" * 300})]), Answer(texts=["Done."])]
    with terminal(cli, "run", "hi", "--allow", "bash", columns=40, NO_COLOR=no_color, TERM=term) as child:
        shown = rest(child)

    assert "\x1b" not in shown
    assert "Done.\n" in shown
    header = next(line for line in shown.split("\n") if line.startswith("●"))
    assert header == '● bash command="true xxxxxxxxxxx… (+290)'
    assert len(header) <= 40


def test_withdrawn_text_is_said_to_be(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["half of it"], cut=True), Answer(texts=["whole"])]
    with terminal(cli, "run", "hi", NO_COLOR="1") as child:
        shown = rest(child)

    before, _, after = shown.partition("retrying, the text above is withdrawn\n")
    assert before.startswith("half of it\n— ")
    assert after.startswith("whole\n")


def test_a_person_is_shown_the_whole_request_and_no_is_the_default(cli: CommandLine, model: ModelServer) -> None:
    hidden = "echo safe" + " " * 5000 + "; touch made \x1b[2K"
    model.script = [Answer(calls=[("bash", {"command": hidden})]), Answer(texts=["As you wish."])]
    with terminal(cli, "run", "hi", NO_COLOR="1") as child:
        child.expect_exact(" > ")
        asked = child.before.replace("\r\n", "\n")
        child.sendline("")
        shown = rest(child)

    assert "echo safe <5000 white space characters> ; touch made ␛[2K\n" in asked
    assert "careful: it holds the control character U+001B\n" in asked
    assert asked.endswith("  [n] no, or say why  [y] yes, once")
    assert "\x1b" not in asked
    assert "As you wish.\n" in shown
    assert not (cli.workspace / "made").exists()
    assert child.exitstatus == 0  # an answer was given: nothing was denied for want of one


def test_yes_runs_it_and_for_this_session_asks_no_more(cli: CommandLine, model: ModelServer) -> None:
    call = ("bash", {"command": "echo x >> made"})
    model.script = [Answer(calls=[call]), Answer(calls=[call]), Answer(calls=[call]), Answer(texts=["Made."])]
    with terminal(cli, "run", "hi", NO_COLOR="1") as child:
        child.expect_exact(" > ")
        child.sendline("y")
        child.expect_exact(" > ")
        child.sendline("s")
        shown = rest(child)

    assert "Made.\n" in shown
    assert (cli.workspace / "made").read_text() == "x\nx\nx\n"


def test_what_was_typed_before_the_question_is_no_answer(cli: CommandLine, model: ModelServer) -> None:
    model.script = [
        Answer(texts=["wait"], calls=[("bash", {"command": "touch made"})], pauses={0: 1.5}),
        Answer(texts=["ok"]),
    ]
    with terminal(cli, "run", "hi", NO_COLOR="1") as child:
        child.sendline("y")
        child.expect_exact(" > ")
        child.sendline("")
        rest(child)

    assert not (cli.workspace / "made").exists()


def test_ctrl_c_at_the_question_interrupts(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(calls=[("bash", {"command": "touch made"})]), Answer(texts=["ok"])]
    with terminal(cli, "run", "hi", NO_COLOR="1") as child:
        child.expect_exact(" > ")
        child.sendintr()
        shown = rest(child)

    assert child.exitstatus == 130
    assert "interrupted" in shown
    assert not (cli.workspace / "made").exists()


def test_a_listing_is_cut_at_the_edge_of_a_terminal_only(cli: CommandLine) -> None:
    with terminal(cli, "tools", columns=40) as child:
        shown = rest(child)

    assert max(len(line) for line in shown.split("\n")) == 40
    assert max(len(line) for line in cli("tools").out.split("\n")) > 100


def test_in_a_narrow_terminal_a_session_has_its_title_below(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["ok"])]
    session = cli("run", "name the seven colours of the rainbow", "--format", "json").json["session_id"]
    with terminal(cli, "sessions", "list", "--own", columns=40) as child:
        heads, title, row, name = rest(child).splitlines()

    assert (heads.split()[0], title, row.split()[0]) == ("ID", "  TITLE", session)
    assert (len(row), name) == (40, "  name the seven colours of the rainbow")


def test_a_terminal_that_is_closed_interrupts_the_turn_and_keeps_the_session(
    cli: CommandLine, model: ModelServer
) -> None:
    model.script = [Answer(texts=["so far ", "never"], pauses={1: 30})]
    with terminal(cli, "run", "hi") as child:
        child.expect_exact("so far")
        child.close(force=False)  # sends SIGHUP, as a terminal does
        assert not child.isalive()

    assert child.exitstatus == 130
    (kept,) = cli("sessions", "list", "--json").json
    assert (kept["title"], kept["message_count"]) == ("hi", 2)  # the prompt, and what had come of the answer
