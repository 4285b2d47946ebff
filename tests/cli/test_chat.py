"""`codetether chat` as a person sees it: a real terminal, drawn by a terminal emulator."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
import pyte
import pytest

from .conftest import Answer, CommandLine, ModelServer

PATIENCE = 20.0
PROMPT = "\u203a"


class Terminal:
    """A chat in a terminal: keys in, the screen out."""

    def __init__(self, child: pexpect.spawn, rows: int, columns: int) -> None:
        self._child = child
        self._screen = pyte.HistoryScreen(columns, rows, history=2000)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""

    def keys(self, text: str) -> None:
        """Types."""
        self._child.send(text)

    def prompt(self, text: str) -> None:
        """Types a prompt when the editor is ready, and sends it."""
        self.ready()
        self.keys(text + "\r")

    def ready(self) -> None:
        """Waits for the editor: the cursor stands behind an empty prompt."""
        self.wait(lambda: self._screen.display[self._screen.cursor.y].rstrip() == PROMPT, "the prompt")

    def lines(self) -> list[str]:
        """The lines on the screen and above it, the empty ones at the end left out."""
        above = ["".join(row[x].data for x in range(self._screen.columns)) for row in self._screen.history.top]
        return [line.rstrip() for line in "\n".join([*above, *self._screen.display]).rstrip().split("\n")]

    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines())

    def see(self, text: str) -> str:
        """Waits until the text stands on the screen."""
        self.wait(lambda: text in self.text(), repr(text))
        return self.text()

    def asked(self, model: ModelServer, times: int) -> None:
        """Waits until the model was asked so often, and the editor is ready again."""
        self.wait(lambda: len(model.requests) == times, f"request {times}")
        self.ready()

    def wait(self, holds: Callable[[], object], what: str) -> None:
        """Reads what comes until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come; the screen:\n{self.text()}")
            self._read()

    def _read(self) -> None:
        try:
            data = self._child.read_nonblocking(65536, timeout=0.05)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.raw += data
        self._stream.feed(data)
        # What a terminal answers when it is asked where the cursor is.
        for _ in range(data.count(b"\x1b[6n")):
            self._child.send(f"\x1b[{self._screen.cursor.y + 1};{self._screen.cursor.x + 1}R")

    def resize(self, rows: int, columns: int) -> None:
        """The window changes its size."""
        self._child.setwinsize(rows, columns)
        self._screen.resize(rows, columns)

    def leave(self) -> int:
        """Ctrl-D, and the exit code."""
        self.ready()
        self.keys("\x04")
        self.wait(lambda: not self._child.isalive(), "the end")
        return int(self._child.exitstatus)


@contextmanager
def chat(cli: CommandLine, *arguments: str, rows: int = 40, columns: int = 90, **env: str) -> Iterator[Terminal]:
    """A chat in a terminal of that size."""
    argv = cli.argv("chat", *arguments)
    environment = {**cli.environment, "TERM": "xterm-256color", **env}
    child = pexpect.spawn(argv[0], argv[1:], cwd=str(cli.workspace), env=environment, dimensions=(rows, columns))
    child.delaybeforesend = None
    try:
        yield Terminal(child, rows, columns)
    finally:
        child.close(force=True)


def test_prompts_are_typed_pasted_completed_and_emptied(cli: CommandLine, model: ModelServer) -> None:
    (cli.workspace / "my papers").mkdir()
    (cli.workspace / "my papers" / "notes.txt").write_text("the secret word is heron\n")
    model.script = [Answer(texts=["ok"])]
    with chat(cli) as terminal:
        terminal.ready()
        terminal.keys("one\x1b\rtwo\\\rthree\r")  # Alt-Enter, and a backslash at the end
        terminal.asked(model, 1)
        terminal.prompt("\x1b[200~pasted 1\npasted 2\x1b[201~")
        terminal.asked(model, 2)
        terminal.keys("not this\x03this\r")  # Ctrl-C empties the line
        terminal.asked(model, 3)
        terminal.keys("/mod\t")
        terminal.see("show the models, or change to one")
        terminal.keys("\x03")
        terminal.keys("read @MY\t")
        terminal.see('read @"my papers/')
        terminal.keys("no\t")
        terminal.see('read @"my papers/notes.txt"')
        terminal.keys("\r")
        terminal.asked(model, 4)
        terminal.keys("@otes\t")  # lies further below
        terminal.see('@"my papers/notes.txt"')
        terminal.keys("\x03\x03")
        terminal.see("Ctrl-C again, or Ctrl-D, leaves.")
        terminal.keys("\x03")
        terminal.wait(lambda: not terminal._child.isalive(), "the end")
    *typed, completed = model.prompts()
    assert typed == ["one\ntwo\nthree", "pasted 1\npasted 2", "this"]
    assert "the secret word is heron" in completed


def test_answers_are_drawn_fail_and_are_stopped_and_the_chat_goes_on(cli: CommandLine, model: ModelServer) -> None:
    model.script = [
        Answer(
            texts=["Use **bold** and `co", "de`:\n\n```py", "thon\nx = 1\n```\n\n", "- one\n- two\n"], pauses={2: 0.2}
        ),
        Answer(status=400),
        Answer(texts=["first ", "never"], pauses={1: 30}),
        Answer(texts=["second"]),
    ]
    with chat(cli) as terminal:
        terminal.prompt("hello")
        shown = terminal.see("11 in, 3 out")
        terminal.prompt("fail")
        terminal.see("out of order")
        terminal.prompt("go")
        terminal.see("first")
        terminal.keys("meanwhile\x03")
        terminal.see("interrupted")
        terminal.prompt("go on")
        terminal.see("second")
        assert terminal.leave() == 0
    assert "meanwhile" not in terminal.text()
    assert "Use bold and code:" in shown
    assert " x = 1" in shown
    assert " • one" in shown
    assert "```" not in shown
    users = [m["content"] for m in model.requests[-1]["messages"] if m["role"] == "user"]
    assert users[-2:] == ["go", "go on"]


def test_a_call_asks_in_place_and_nothing_acts_on_the_terminal(cli: CommandLine, model: ModelServer) -> None:
    (cli.workspace / "a.txt").write_text("one\n")
    model.script = [
        Answer(calls=[("read", {"path": "a.txt"})]),
        Answer(calls=[("edit", {"path": "a.txt", "old": "one", "new": "two"})]),
        Answer(texts=["changed"]),
        Answer(calls=[("bash", {"command": "touch made"})]),
        Answer(texts=["understood"]),
        Answer(
            texts=["\x1b]0;ev", "il\x07 \x1b[2J\u202egone\n\n"], calls=[("bash", {"command": "printf '\\033[31mred'"})]
        ),
        Answer(texts=["end"]),
    ]
    with chat(cli, "--allow", "bash(printf *)", CODETETHER_PLUGINS="openai,files,shell") as terminal:
        terminal.prompt("change it")
        asked = terminal.see("[y] yes")
        assert "-one" in asked
        assert "+two" in asked
        assert (cli.workspace / "a.txt").read_text() == "one\n"
        terminal.keys("y\n")
        terminal.see("changed")
        terminal.prompt("make it")
        terminal.wait(lambda: terminal.text().count("[y] yes") == 2, "the second question")
        assert "touch made" in terminal.text()
        terminal.keys("\n")  # an empty answer is a no
        terminal.see("understood")
        terminal.prompt("show it")
        shown = terminal.see("end")
        terminal.leave()
    assert (cli.workspace / "a.txt").read_text() == "two\n"
    assert not (cli.workspace / "made").exists()
    assert b"\x1b]0;ev" not in terminal.raw
    assert b"\x1b[31mred" not in terminal.raw
    assert "␛]0;evil" in shown
    assert "<U+202E>gone" in shown


def test_slash_commands_change_the_session_and_the_history_outlives_it(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["ok"]), Answer(texts=["**bold** `code`\n\n```python\nx = 1\n```\n"])]
    with chat(cli) as terminal:
        terminal.prompt("/mode plan")
        terminal.prompt("/mode")
        terminal.see("*plan default edit auto unsafe")
        terminal.prompt("/agent explore")
        terminal.prompt("/agent")
        terminal.see("* explore")
        terminal.prompt("/model nosuch/model")
        terminal.prompt("/nope")
        terminal.see("no command /nope")
        terminal.prompt("/title A fine title")
        terminal.prompt("hello")
        terminal.see("11 in, 3 out")
        terminal.prompt("/new")
        terminal.prompt("/sessions")
        terminal.see("A fine title")
        terminal.prompt("/exit")
        terminal.wait(lambda: not terminal._child.isalive(), "the end")
    with chat(cli, NO_COLOR="1") as terminal:
        terminal.ready()
        for line in ("/exit", "/sessions", "/new", "hello"):
            terminal.keys("\x1b[A")
            terminal.see(f"{PROMPT} {line}")
        terminal.keys("\r")
        terminal.see("11 in, 3 out")
        terminal.leave()
    (history,) = cli.home.rglob("chat-history")
    assert history.stat().st_mode & 0o777 == 0o600
    assert model.prompts() == ["hello", "hello"]
    kept = cli("sessions", "list", "--json").json
    assert [(each["title"], each["message_count"]) for each in kept] == [("hello", 2), ("A fine title", 2)]
    assert not re.search(rb"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])(?:;\d+)*m", terminal.raw)


def test_a_narrow_window_and_a_changed_one_hold_every_line(cli: CommandLine, model: ModelServer) -> None:
    words = "word " * 60
    model.script = [Answer(texts=[words], calls=[("bash", {"command": "echo " + "x" * 200})]), Answer(texts=[words])]
    with chat(cli, "--allow", "bash", rows=24, columns=40) as terminal:
        terminal.prompt("go")
        shown = terminal.see("out")
        terminal.resize(24, 60)
        terminal.prompt("/cost")
        terminal.see("tokens in")
        terminal.leave()
    assert shown.count("word") >= 60


def test_piped_lines_are_prompts(cli: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["**one**"]), Answer(texts=["two"])]
    with (cli.workspace / "big").open("wb") as file:
        file.truncate(20 * 2**20 + 1)
    lines = (b"first", b"", b"/mode", b"look at @big", b"/cost now", b"/tmp/caf\xe9 is @" + b"x" * 300)
    ran = cli.process("chat", stdin=b"\n".join(lines))
    assert (ran.code, ran.out) == (0, "**one**\nplan *default edit auto unsafe\ntwo\n")
    assert model.prompts() == ["first", f"/tmp/caf\ufffd is @{'x' * 300}"]
    assert f"error: @{cli.workspace}/big: has more than 20 MB\n" in ran.err
    assert "error: /cost takes nothing: not 'now'\n" in ran.err


def test_without_its_libraries_it_says_what_to_install(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "prompt_toolkit.py").write_text("raise ImportError('gone', name='prompt_toolkit')")
    argv = cli.argv("chat")
    environment = {**cli.environment, "PYTHONPATH": str(tmp_path)}
    child = pexpect.spawn(argv[0], argv[1:], env=environment, cwd=str(cli.workspace), encoding="utf-8", timeout=20)
    child.expect(pexpect.EOF)
    child.wait()
    assert (
        child.before.replace("\r\n", "\n")
        == ('error: chat needs prompt_toolkit, which is not installed\n  pip install "codetether-agent[chat]"\n')
        or "chat needs prompt_toolkit" in child.before
    )
    assert child.exitstatus == 1


@pytest.mark.parametrize("arguments", [("-c", "-s", "x")])
def test_options_that_exclude_each_other_are_named(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    ran = cli("chat", *arguments)
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: --continue and --session exclude each other")


def test_compact_shortens_what_the_model_sees_and_undo_takes_it_back(cli: CommandLine, model: ModelServer) -> None:
    long = Answer(texts=["word " * 2000])
    model.script = [long, long, Answer(texts=["Goal: words"])]

    typed = b"one\ntwo\n/compact\n/compact undo\n/compact undo\n"
    ran = cli.process("chat", stdin=typed, CODETETHER_PLUGINS="openai,compaction")

    lines = ran.out.splitlines()[-3:]
    assert lines[0].startswith("2 messages are now 1 to the model, about ")
    assert lines[1:] == [
        "the last compaction is undone: the model sees again what it stood for",
        "there is no compaction to undo",
    ]
