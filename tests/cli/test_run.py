"""`codetether run` as scripts see it: standard output, standard error, exit codes."""

from __future__ import annotations

import re
import signal
import time

import pytest

from .conftest import Answer, CommandLine, ModelServer

USAGE = {
    "input_tokens": 11,
    "output_tokens": 3,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "reasoning_tokens": 0,
}


def test_the_answer_is_on_stdout_and_all_else_on_stderr(cli: CommandLine, model: ModelServer) -> None:
    model.script = [
        Answer(texts=["Let me ", "look."], calls=[("bash", {"command": "echo two; echo lines"})]),
        Answer(texts=["Two ", "lines.\n"]),
    ]

    ran = cli.process("run", "how many?", "--allow", "bash")

    assert ran.code == 0
    assert ran.out == "Let me look.\nTwo lines.\n"
    shown = re.sub(r"\d+\.\d s · session \w{26}", "T s · session ID", ran.err)
    assert shown == (
        '● bash command="echo two; echo lines"\n  two\n  lines\n  [exit code 0]\n'
        "openai/toy · 2 steps · 22 in, 6 out · T s · session ID\n"
    )


def test_json_is_one_object(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(calls=[("bash", {"command": "true"})]), Answer(texts=["fine"])]

    ran = cli("run", "--format", "json", "--allow", "execute", "check")

    made = ran.json
    session_id, (call,) = made.pop("session_id"), made.pop("tool_calls")
    assert ran.code == 0
    assert re.fullmatch(r"[0-9a-z]{26}", session_id)
    assert call.pop("duration_ms") > 0
    assert call == {"id": "call_bash_0", "name": "bash", "success": True}
    twice = {name: count * 2 for name, count in USAGE.items()}
    assert made == {"text": "fine", "status": "done", "provider": "openai", "model": "toy", "usage": twice}


def test_stream_json_begins_with_the_session_and_ends_with_the_json_object(
    cli: CommandLine, model: ModelServer
) -> None:
    import json

    model.script = [Answer(texts=["a", "b"])]

    ran = cli("run", "--format", "stream-json", "hi")

    first, *between, last = [json.loads(line) for line in ran.out.splitlines()]
    session_id = first["session_id"]
    assert first == {
        "type": "session_start",
        "version": 1,
        "session_id": session_id,
        "directory": str(cli.workspace),
        "agent": "build",
        "model": "openai/toy",
    }
    assert [e["type"] for e in between] == [
        "user_message",
        "thinking_start",
        "text_chunk",
        "text_chunk",
        "text_complete",
        "usage_report",
        "session_sync",
    ]
    assert last == {
        "type": "done",
        "text": "ab",
        "session_id": session_id,
        "status": "done",
        "provider": "openai",
        "model": "toy",
        "usage": USAGE,
        "tool_calls": [],
    }


def test_a_call_denied_for_want_of_an_answer_is_code_3_even_when_text_follows(
    cli: CommandLine, model: ModelServer
) -> None:
    model.script = [Answer(calls=[("bash", {"command": "touch made"})]), Answer(texts=["I could not."])]

    ran = cli("run", "make it")

    assert (ran.code, ran.out) == (3, "I could not.\n")
    assert "\ndenied, because nobody could be asked: bash (mode default: execute asks)\n" in ran.err
    (session,) = cli("sessions", "list", "--json").json
    assert (
        "\n  bash: touch made\n    mode default: execute asks\n"
        f"  To allow it: codetether run -s {session['id']} --allow 'bash(touch made)' 'go on', "
        "or answer at a terminal.\n"
    ) in ran.err
    assert not (cli.workspace / "made").exists()


def test_the_limit_of_steps_is_code_4(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(calls=[("bash", {"command": "true"})])]

    ran = cli("run", "--allow", "bash", "--max-steps", "2", "go on for ever")

    assert ran.code == 4
    assert "limit: stopped after 2 steps (--max-steps)\n" in ran.err
    assert len(model.requests) == 2


def test_a_limit_is_named_for_machines_and_the_session_goes_on(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(calls=[("bash", {"command": "true"})])]

    ran = cli("run", "--allow", "bash", "--max-tokens", "1", "--format", "json", "go on for ever")

    assert (ran.code, ran.json["status"], ran.json["limit"]) == (4, "limit", "max_tokens")
    model.script = [Answer(texts=["there"])]
    assert cli("run", "-c", "--max-time", "1h30m", "--max-cost", "2", "go on").out == "there\n"


@pytest.mark.parametrize("form", ["text", "json", "stream-json"])
def test_a_provider_that_refuses_is_code_5(cli: CommandLine, model: ModelServer, form: str) -> None:
    import json

    model.script = [Answer(status=400)]

    ran = cli("run", "hi", "--format", form)

    assert ran.code == 5
    if form == "text":
        assert ran.out == ""
        assert "error: " in ran.err
        assert "out of order" in ran.err
    else:
        last = json.loads(ran.out.splitlines()[-1])
        assert last["status"] == "provider_failed"
        assert "out of order" in last["error"]


def test_text_that_a_retry_withdraws_is_never_written_to_a_pipe(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["withdrawn"], cut=True), Answer(texts=["kept"])]

    ran = cli("run", "hi")

    assert (ran.code, ran.out) == (0, "kept\n")
    assert "retrying" in ran.err


def test_the_prompt_may_come_from_a_pipe(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["ok"])]

    cli.process("run", "-", stdin="\ufeffwith a mark\r\nand lines\n".encode())
    cli.process("run", "look at this:", stdin=b"the data\n")

    assert model.prompts() == ["with a mark\nand lines", "look at this:\n\nthe data"]


def test_a_silent_pipe_does_not_hold_up_a_prompt(cli: CommandLine, model: ModelServer) -> None:
    import subprocess

    model.script = [Answer(texts=["ok"])]
    process = subprocess.Popen(
        cli.argv("run", "hi"),
        cwd=cli.workspace,
        env=dict(cli.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = process.stdout.read(), process.stderr.read().decode()  # its standard input stays open all the while
    assert process.wait() == 0
    assert out == b"ok\n"
    assert "note: nothing came on standard input in 3 s" in err
    process.communicate()


def test_ten_megabytes_of_prompt(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["long"])]
    data = b"0123456789abcde\n" * 655_360

    ran = cli.process("run", stdin=data)

    assert (ran.code, ran.out) == (0, "long\n")
    assert model.prompts() == [data.decode().rstrip("\n")]


def test_files_go_with_the_prompt(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["ok"])]
    (cli.workspace / "a b ☃.txt").write_text("snow\n")

    ran = cli("run", "what is this?", "-f", "a b ☃.txt")

    assert ran.code == 0
    assert "what is this?" in model.prompts()[0]
    assert "File a b ☃.txt:\n\nsnow\n" in model.prompts()[0]


def test_continue_goes_on_and_says_when_there_is_nothing_to_go_on_with(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["ok"])]

    first = cli("run", "-c", "--format", "json", "one")
    second = cli("run", "-c", "--format", "json", "two")
    by_id = cli("run", "-s", first.json["session_id"], "--format", "json", "three")

    assert f"note: no session in {cli.workspace} yet: starting one\n" in first.err
    assert second.json["session_id"] == by_id.json["session_id"] == first.json["session_id"]
    users = [[m["content"] for m in body["messages"] if m["role"] == "user"] for body in model.requests]
    assert [len(u) for u in users] == [1, 2, 3]


@pytest.mark.parametrize(
    ("number", "form"), [(signal.SIGINT, "text"), (signal.SIGTERM, "json"), (signal.SIGHUP, "text")]
)
def test_R09_a_signal_interrupts_the_turn_and_keeps_the_session(
    cli: CommandLine, model: ModelServer, number: int, form: str
) -> None:
    import json

    model.script = [Answer(texts=["so far ", "never"], pauses={1: 20})]
    process = cli.start("run", "hi", "--format", form)
    while not model.requests:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)

    assert process.returncode == 130
    if form == "json":
        assert json.loads(out)["status"] == "interrupted"
    else:
        assert "interrupted" in err.decode()
    (kept,) = cli("sessions", "list", "--json").json
    assert kept["title"] == "hi"


def test_a_reader_that_goes_away_is_no_error(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["x" * 100_000, "\n"] * 5)]
    process = cli.start("run", "hi")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    err = process.stderr.read().decode()

    assert (process.wait(10), err) == (141, "")
    process.stderr.close()


def test_T08_hidden_characters_are_shown_in_text_and_escaped_in_json(cli: CommandLine, model: ModelServer) -> None:
    evil = ["\x1b", "]52;c;aGk=\x07 a\rb \x9b2J ", "\u202eabc\u202c zero\u200bwidth \U000e0041"]
    model.script = [
        Answer(texts=evil, calls=[("bash", {"command": "printf '\\033[2J\\302\\205'"})]),
        Answer(texts=["ok"]),
    ]

    text = cli("run", "hi", "--allow", "bash")
    model.requests.clear()
    lines = cli("run", "hi", "--allow", "bash", "--format", "stream-json")
    model.requests.clear()
    as_json = cli("run", "hi", "--allow", "bash", "--format", "json")

    assert text.out == "␛]52;c;aGk=␇ a␍b <U+009B>2J <U+202E>abc<U+202C> zero<U+200B>width <U+E0041>\nok\n"
    assert "␛[2J<U+0085>" in text.err
    assert as_json.json["text"] == "".join(evil) + "\nok"
    for output in (text.out, text.err, lines.out, lines.err, as_json.out):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e\u202c\U000e0041]", output)


def test_an_answer_by_a_schema_is_json_alone(cli: CommandLine, model: ModelServer) -> None:
    schema = cli.workspace / "schema.json"
    schema.write_text('{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}')
    model.script = [
        Answer(texts=["I look."], calls=[("bash", {"command": "true"})]),
        Answer(texts=["It is 3."]),
        Answer(texts=['{"n": 3}']),
        Answer(texts=["no"]),
        Answer(texts=["no"]),
        Answer(texts=['{"n": "x"}']),
    ]

    ran = cli("run", "how many?", "--allow", "bash", "--schema", "schema.json")
    failed = cli("run", "how many?", "--schema", schema.read_text(), "--format", "json")

    assert (ran.code, ran.out) == (0, '{\n  "n": 3\n}\n')
    assert (failed.code, failed.json["status"]) == (1, "error")
    assert failed.json["error"] == 'the answer does not fit the schema: $.n: "x" is not of type "integer"'


def test_a_schema_that_is_none_is_said(cli: CommandLine) -> None:
    (cli.workspace / "bad.json").write_text('{"type": 5}')
    said = [cli("run", "hi", "--schema", wish) for wish in ("absent.json", "{oops", "bad.json")]
    assert [ran.code for ran in said] == [2, 2, 2]
    assert said[0].err.startswith("error: --schema: absent.json cannot be read: No such file")
    assert said[1].err.startswith("error: --schema is no JSON: ")
    assert said[2].err.startswith("error: bad.json: that is no JSON schema: ")
