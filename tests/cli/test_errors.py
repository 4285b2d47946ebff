"""Every mistake a user can make: one `error:` line, what to do about it, the right code, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Answer, CommandLine, ModelServer

SLIPS = {
    "rum": "error: no command 'rum'; did you mean \"run\"?\n  See codetether --help.\n",
    "--verison": "error: No such option '--verison'. Did you mean '--version'?\n  See codetether --help.\n",
    "run": 'error: there is no prompt: codetether run "…", or pipe one in\n  See codetether run --help.\n',
    "run -": 'error: there is no prompt: codetether run "…", or pipe one in\n  See codetether run --help.\n',
    "run --max-steps 0 hi": (
        "error: Invalid value for '--max-steps': 0 is not in the range x>=1.\n  See codetether run --help.\n"
    ),
    "run --max-steps many hi": (
        "error: Invalid value for '--max-steps': 'many' is not a valid integer range.\n  See codetether run --help.\n"
    ),
    "run --max-time soon hi": (
        "error: Invalid value for '--max-time': 'soon' is no time; e.g. 90, 90s, 10m or 1h30m\n"
        "  See codetether run --help.\n"
    ),
    "run --mode yolo hi": (
        "error: Invalid value for '--mode': 'yolo' is not one of 'plan', 'default', 'edit', 'auto', 'unsafe'.\n"
        "  See codetether run --help.\n"
    ),
    "run --format xml hi": (
        "error: Invalid value for '--format': 'xml' is not one of 'text', 'json', 'stream-json'.\n"
        "  See codetether run --help.\n"
    ),
    "run -c -s abc hi": "error: --continue and --session exclude each other\n  See codetether run --help.\n",
    "run -s ../x hi": (
        "error: '../x' is no session id\n"
        "  An id is 1 to 100 letters, digits, `_` and `-`, and begins with a letter or digit.\n"
    ),
    "run -f absent.txt hi": "error: --file absent.txt: No such file or directory\n  See codetether run --help.\n",
    "run -f . hi": "error: --file .: is a directory\n  See codetether run --help.\n",
    "run -m": "error: Option '-m' requires an argument.\n",
    "sessions show": "error: Missing argument 'ID'.\n  See codetether sessions show --help.\n",
    "sessions list --limit 0": (
        "error: Invalid value for '-n' / '--limit': 0 is not in the range x>=1.\n"
        "  See codetether sessions list --help.\n"
    ),
    "sessions rm x": "error: No such command 'rm'.\n  See codetether sessions --help.\n",
    "sessions delete ../x": (
        "error: '../x' is no session id\n"
        "  An id is 1 to 100 letters, digits, `_` and `-`, and begins with a letter or digit.\n"
    ),
}


@pytest.mark.parametrize("line", SLIPS)
def test_a_slip_of_the_command_line_is_code_2(bare: CommandLine, line: str) -> None:
    ran = bare(*line.split())
    assert (ran.code, ran.out, ran.err) == (2, "", SLIPS[line])


ERRORS = {
    "run -s absent hi": "error: no session absent\n  `codetether sessions list` shows what there is.\n",
    "run --agent absent hi": "error: no agent 'absent'; there are: build, explore, plan\n",
    "sessions show absent": "error: no session absent\n  `codetether sessions list` shows what there is.\n",
    "models --provider opnai": "error: no provider 'opnai'; did you mean \"openai\"?\n  codetether providers\n",
    "models pull": (
        'error: no provider here keeps model files\n  Install one: pip install "codetether-agent[local]"\n'
    ),
    "config set modle x": 'error: modle: unknown setting; did you mean "model"?\n',
    "config set session.max_steps many": "error: session.max_steps: is a string, not a whole number\n",
    "config set a..b 1": "error: 'a..b' is no dotted path\n  For example: session.max_steps\n",
    "config set session.mode unsafe": (
        'error: session.mode: "unsafe" is typed on every start, never kept\n  Use --mode unsafe.\n'
    ),
    "config set plugins.x.api_key abc": (
        "error: plugins.x.api_key would put a secret into a settings file\n"
        "  Keys never stand in settings: put it into a variable, and name that: [providers.NAME] api_key_env.\n"
    ),
    "config set model sk-0123456789abcdef": (
        "error: model would put a secret into a settings file\n"
        "  Keys never stand in settings: put it into a variable, and name that: [providers.NAME] api_key_env.\n"
    ),
    "config trust": (
        "error: there is no project file to trust: {work}/.codetether/config.toml\n"
        "  codetether config set --project makes one\n"
    ),
}


@pytest.mark.parametrize("line", ERRORS)
def test_an_error_is_code_1(cli: CommandLine, line: str) -> None:
    ran = cli(*line.split())
    assert (ran.code, ran.out, ran.err) == (1, "", ERRORS[line].format(work=cli.workspace))
    assert not (cli.home / "config").exists()


@pytest.mark.parametrize(
    "arguments", [["run", "hi"], ["plugins"], ["tools"], ["config", "show"], ["config", "set", "model", "x"]]
)
def test_a_broken_settings_file_stops_everything(cli: CommandLine, arguments: list[str]) -> None:
    path = cli.settings("model = 'a/b'\n[session]\nmax_setps = 5\n")

    ran = cli(*arguments)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f'error: {path}:3: session.max_setps: unknown setting; did you mean "max_steps"?\n'


def test_a_broken_setting_can_be_mended_by_setting_it(cli: CommandLine) -> None:
    cli.settings("[session]\nmax_steps = 'five'\n")
    assert cli("config", "set", "session.max_steps", "5").code == 0
    assert cli("config", "show", "--json").json["session.max_steps"] == 5


def test_no_provider_at_all(bare: CommandLine) -> None:
    text = bare("run", "hi")
    as_json = bare("run", "hi", "--format", "json")
    lines = bare("run", "hi", "--format", "stream-json")

    first, *more = text.err.splitlines()
    assert (text.code, text.out) == (1, "")
    assert first == "error: No providers available."
    assert "OPENAI_API_KEY not set" in more[0]
    assert (as_json.code, as_json.json["status"]) == (1, "error")
    assert as_json.json["session_id"] is None
    assert as_json.json["error"].startswith("No providers available.\n")
    assert lines.out.splitlines()[0] == '{"type":"session_start","version":1,"session_id":null}'


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/v1", "http://[::1"])
def test_a_base_url_that_is_none_is_said_at_once_and_leaves_no_session(cli: CommandLine, url: str) -> None:
    ran = cli("run", "hi", OPENAI_BASE_URL=url)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error: openai: the base URL {url!r} cannot be used: ")
    assert "retrying" not in ran.err
    assert cli("sessions", "list").out == "No sessions found\n"


def test_a_session_in_use_is_refused_with_the_holders_pid(cli: CommandLine, model: ModelServer) -> None:
    import time

    model.script = [Answer(texts=["first"]), Answer(texts=["a", "b"], pauses={1: 20})]
    session_id = cli("run", "hi", "--format", "json").json["session_id"]
    process = cli.start("run", "-c", "again")
    while len(model.requests) < 2:
        time.sleep(0.01)

    second = cli("run", "-s", session_id, "me too")
    deleted = cli("sessions", "delete", session_id)
    process.terminate()
    process.communicate()

    for ran in (second, deleted):
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith(f"error: session {session_id} is in use by process {process.pid}\n")


def test_a_fault_is_said_in_one_line_and_shown_when_debugging(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["ok"])]
    blocked = cli.home / "data"
    cli.home.mkdir()
    blocked.write_text("no directory")

    ran = cli("run", "hi")
    debugged = cli.process("--debug", "run", "hi")

    assert ran.code == debugged.code == 1
    assert ran.err.startswith("error: ")
    assert str(blocked) in ran.err
    assert "Traceback" not in ran.err
    assert "Traceback" in debugged.err


def test_there_is_no_home(bare: CommandLine) -> None:
    ran = bare.process("sessions", "list", CODETETHER_HOME="", HOME="")
    assert "Traceback" not in ran.err


def test_the_current_directory_is_gone(bare: CommandLine) -> None:
    gone = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
    for arguments in (["run", "hi"], ["sessions", "list", "--here"]):
        bare.workspace.mkdir(exist_ok=True)
        argv = [sys.executable, "-c", gone, *bare.argv(*arguments)]
        done = subprocess.run(argv, cwd=bare.workspace, env=dict(bare.environment), capture_output=True, check=False)
        message = b"error: the current directory does not exist any more\n  Change to one that does.\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, b"", message)


def test_an_allowance_that_can_never_apply_is_said(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["ok"])]

    fine = ("bash(git status)", "b*", "write", "secret(TOKEN)")
    ran = cli("run", "hi", "--allow", "bsh", *(word for rule in fine for word in ("--allow", rule)))

    assert ran.code == 0
    assert ran.err.startswith('note: --allow bsh: there is no such tool or effect; did you mean "bash"?\nopenai/toy')


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", [["--version"], ["sessions", "list"]])
def test_a_full_disk_behind_standard_output_is_said(bare: CommandLine, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            bare.argv(*arguments),
            cwd=bare.workspace,
            env=dict(bare.environment),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"error: standard output: No space left on device\n")


@pytest.mark.parametrize("arguments", [["--version"], ["sessions", "list"]])
def test_closed_streams_are_no_error(bare: CommandLine, arguments: list[str]) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *bare.argv(*arguments)],
        cwd=bare.workspace,
        env=dict(bare.environment),
        check=False,
    )
    assert done.returncode == 0
