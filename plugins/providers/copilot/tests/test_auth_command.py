"""`codetether auth copilot` as a user meets it: signed in, kept, seen in `auth status`, and nothing secret shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]
import pytest
from attrs import frozen

from .conftest import CHAT_AT, CODE_AT, SIGNED_IN_AT, TOKEN_AT, Hub, Reply

KEY, DEVICE = "gho_0123456789abcdef", "device-0123456789abcdef"
TOKEN = "tid=one;exp=9999999999;secret-0123456789"
SAID = Reply('data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n', kind="text/event-stream")
NAME = "github-copilot-enterprise"


@frozen(kw_only=True)
class Ran:
    code: int
    out: str
    err: str


@frozen(kw_only=True)
class CommandLine:
    """`codetether` with a file as its only store."""

    home: Path
    run_here: Callable[..., tuple[int, str, str]]

    @property
    def file(self) -> Path:
        return self.home / "config" / "credentials.json"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CODETETHER_PLUGINS": "github-copilot,file,audit-jsonl,openai"}

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "codetether", *arguments]

    def __call__(self, *arguments: str, **more: str) -> Ran:
        code, out, err = self.run_here(*arguments, cwd=self.home, environment={**self.environment, **more})
        for secret in (KEY, DEVICE, TOKEN):
            assert secret not in out + err
        return Ran(code=code, out=out, err=err)

    def kept(self) -> Any:
        return json.loads(self.file.read_text()) if self.file.exists() else None


@pytest.fixture
def cli(home: Path, run_here: Callable[..., tuple[int, str, str]]) -> CommandLine:
    return CommandLine(home=home, run_here=run_here)


def codes(hub: Hub, **more: Any) -> list[Reply]:
    uri = f"{hub.url}/login/device"
    said = {"device_code": DEVICE, "user_code": "WDJB-MJHT", "verification_uri": uri, "expires_in": 900}
    return [Reply({**said, "interval": 0.01, **more})]


PENDING = Reply({"error": "authorization_pending"})
DONE = Reply({"access_token": KEY, "token_type": "bearer", "scope": "read:user"})


def test_a_sign_in_is_kept_checked_and_used(cli: CommandLine, hub: Hub) -> None:
    hub.script = {
        CODE_AT: codes(hub),
        SIGNED_IN_AT: [PENDING, DONE],
        TOKEN_AT: [hub.token(TOKEN)],
        CHAT_AT: [SAID],
    }
    signed_in = cli("auth", "copilot", "--enterprise", hub.url, CODETETHER_COPILOT_OAUTH_CLIENT_ID="mine")
    status = cli("auth", "status", NAME)
    ran = cli("run", "hi", "-m", f"{NAME}/gpt-4o")

    assert (signed_in.code, signed_in.out.splitlines()) == (
        0,
        [
            f"kept: {NAME} in file:{cli.file}",
            f"{NAME}: an account (monthly_subscriber), its models at {hub.url}/here",
            f"{NAME} can be used: codetether run -m {NAME}/gpt-5-mini …",
        ],
    )
    assert signed_in.err.splitlines() == [
        f"Open {hub.url}/login/device and type in this code:",
        "",
        "    ╔═══════════════╗",
        "    ║   WDJB-MJHT   ║",
        "    ╚═══════════════╝",
        "",
        "Waiting for GitHub, 15 minutes at most; Ctrl-C gives up.",
    ]
    assert [asked.body["client_id"] for asked in hub.asked if "client_id" in asked.body] == ["mine"] * 3
    assert (cli.kept(), cli.file.stat().st_mode & 0o777) == ({NAME: {"api_key": KEY, "enterprise_url": hub.url}}, 0o600)
    assert (status.code, status.out.splitlines()[-2:]) == (
        0,
        [f"file: has it: file:{cli.file}", f"{NAME} can be used"],
    )
    assert (ran.code, ran.out) == (0, "Hi\n")
    entries = [json.loads(line) for line in next(cli.home.rglob("audit.jsonl")).read_text().splitlines()]
    auth = [(e["action"], e["outcome"], e["detail"]) for e in entries if e["category"] == "auth"]
    assert auth == [("auth:login", said, {"provider": NAME, "source": "file"}) for said in ("intent", "success")]
    shown = "".join(p.read_text() for p in cli.home.rglob("*") if p.is_file() and p != cli.file and p.suffix != ".db")
    assert all(secret not in shown for secret in (KEY, DEVICE, TOKEN))


def test_a_client_id_on_the_command_line_comes_first_and_other_values_stay(cli: CommandLine, hub: Hub) -> None:
    cli.file.parent.mkdir(parents=True, exist_ok=True)
    cli.file.write_text(json.dumps({NAME: {"api_key": "old", "token": "old", "organization": "octo"}}))
    cli.file.chmod(0o600)
    hub.script = {CODE_AT: codes(hub), SIGNED_IN_AT: [DONE], TOKEN_AT: [hub.token(TOKEN)]}
    line = ("auth", "copilot", "--enterprise", hub.url, "--client-id", "own", "--source", "file", "--no-browser")
    assert cli(*line, CODETETHER_COPILOT_OAUTH_CLIENT_ID="other").code == 0
    assert hub.asked[0].body["client_id"] == "own"
    assert cli.kept() == {NAME: {"api_key": KEY, "organization": "octo", "enterprise_url": hub.url}}


REFUSED: Mapping[str, tuple[list[Reply], str]] = {
    "declined": ([PENDING, Reply({"error": "access_denied"})], "error: GitHub: the sign-in was declined at GitHub\n"),
    "expired": ([Reply({"error": "expired_token"})], "error: GitHub: the code has expired\n"),
    "refused": ([Reply({"message": "no"}, 403)], "error: GitHub answered 403: no\n"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_sign_in_that_fails_keeps_nothing(cli: CommandLine, hub: Hub, how: str) -> None:
    replies, words = REFUSED[how]
    hub.script = {CODE_AT: codes(hub), SIGNED_IN_AT: replies}
    ran = cli("auth", "copilot", "--enterprise", hub.url)
    assert (ran.code, ran.out) == (5, "")
    assert words in ran.err
    assert cli.kept() is None


def test_a_github_that_fails_for_a_while_is_said(cli: CommandLine, hub: Hub) -> None:
    hub.script = {CODE_AT: codes(hub, expires_in=1), SIGNED_IN_AT: [Reply("<html>", 502, "text/html")]}
    ran = cli("auth", "copilot", "--enterprise", hub.url)
    assert ran.code == 5
    assert "GitHub answered 502: a page of HTML, no API's answer; trying on\n" in ran.err


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"message": "Bad credentials"}, 401), "GitHub does not take the sign-in (any more): Bad credentials"),
        (Reply({"message": "Not Found"}, 404), "this GitHub account may not use Copilot (404): Not Found"),
        (Reply({"message": "no"}, 403), "this GitHub account may not use Copilot (403): no"),
    ],
)
def test_an_account_without_copilot_is_told_so(cli: CommandLine, hub: Hub, reply: Reply, words: str) -> None:
    hub.script = {CODE_AT: codes(hub), SIGNED_IN_AT: [DONE], TOKEN_AT: [reply]}
    ran = cli("auth", "copilot", "--enterprise", hub.url)
    assert (ran.code, ran.out) == (5, f"kept: {NAME} in file:{cli.file}\n")
    assert f"error: {NAME}: {words}\n" in ran.err
    assert f"codetether auth logout {NAME} forgets it" in ran.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("--enterprise", "http://octocorp.ghe.com"), "has to be asked over https://"),
        (("--enterprise", "ftp://x"), "that is no URL of a GitHub Enterprise"),
        (("--source", "vault"), "no source 'vault' is installed"),
        (("--source", "env"), "env can only be read"),
    ],
)
def test_a_slip_is_named_before_anybody_is_asked(cli: CommandLine, line: tuple[str, ...], words: str) -> None:
    ran = cli("auth", "copilot", *line)
    assert (ran.code, ran.out) == (1, "")
    assert words in ran.err


def test_ctrl_c_gives_up_cleanly(cli: CommandLine, hub: Hub) -> None:
    hub.script = {CODE_AT: codes(hub, interval=30), SIGNED_IN_AT: [PENDING]}
    with subprocess.Popen(
        cli.argv("auth", "copilot", "--enterprise", hub.url),
        env=cli.environment,
        cwd=cli.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stderr is not None
        said = [waiting.stderr.readline() for _ in range(7)]
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=10)
    assert said[-1].startswith("Waiting for GitHub")
    assert (waiting.returncode, out, err) == (130, "", "\nnothing was kept\n")
    assert cli.kept() is None


def test_a_blocked_plugin_signs_nobody_in(cli: CommandLine) -> None:
    ran = cli("auth", "copilot", CODETETHER_NO_PLUGINS="github-copilot")
    assert ran.code == 1
    assert "is blocked by the settings" in ran.err


def test_enter_opens_the_page_in_a_browser_while_the_sign_in_is_waited_for(
    cli: CommandLine, hub: Hub, tmp_path: Path
) -> None:
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    address = "https://github.com/login/device"
    hub.script = {
        CODE_AT: codes(hub, verification_uri=address, interval=0.2),
        SIGNED_IN_AT: [PENDING],
        TOKEN_AT: [hub.token(TOKEN)],
    }
    environment = {**cli.environment, "BROWSER": str(browser), "TERM": "xterm"}
    first, *rest = cli.argv("auth", "copilot", "--enterprise", hub.url)
    terminal = pexpect.spawn(first, rest, env=environment, cwd=str(cli.home), encoding="utf-8", timeout=20)
    terminal.expect("Enter opens the page in a browser")
    terminal.sendline("")
    while not opened.exists() and terminal.isalive():
        time.sleep(0.02)
    hub.script[SIGNED_IN_AT] = [DONE]
    terminal.expect(f"kept: {NAME}")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert (terminal.exitstatus, opened.read_text()) == (0, f"{address}\n")
    assert cli.kept()[NAME]["api_key"] == KEY


def test_ctrl_c_at_the_terminal_leaves_it_as_it_was(cli: CommandLine, hub: Hub) -> None:
    hub.script = {CODE_AT: codes(hub, verification_uri="https://x.example", interval=30), SIGNED_IN_AT: [PENDING]}
    first, *rest = cli.argv("auth", "copilot", "--enterprise", hub.url)
    environment = {**cli.environment, "TERM": "xterm"}
    terminal = pexpect.spawn(first, rest, env=environment, cwd=str(cli.home), encoding="utf-8", timeout=20)
    terminal.expect("Enter opens the page in a browser")
    terminal.sendintr()
    terminal.expect("nothing was kept")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert (terminal.exitstatus, cli.kept()) == (130, None)


@pytest.mark.parametrize(("provider", "command"), [("github-copilot", "copilot"), (NAME, "copilot --enterprise URL")])
def test_who_has_no_key_is_told_how_to_sign_in(cli: CommandLine, provider: str, command: str) -> None:
    ran = cli("run", "hi", "-m", provider)
    assert ran.code != 0
    assert f"a key for {provider} (codetether auth {command})" in ran.err
