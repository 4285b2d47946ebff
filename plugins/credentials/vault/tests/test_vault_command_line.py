"""Stories about the command line of somebody whose keys are in Vault."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from codetether import Runtime

from .conftest import Corner

KEY = "sk-vault-0123456789"


@frozen
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str


@frozen
class CommandLine:
    """`codetether` for somebody with these variables."""

    home: Path
    corner: Corner
    token: str
    run_here: Callable[..., tuple[int, str, str]]

    def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Ran:
        """Runs a command."""
        own = {"CODETETHER_PLUGINS": "vault,openai,anthropic,file", "VAULT_TOKEN": self.token, "COLUMNS": "120"}
        environment = {**os.environ, **self.corner.environment, **own, **variables}
        ran = Ran(*self.run_here(*arguments, cwd=self.home, environment=environment, stdin=stdin))
        assert KEY not in ran.out + ran.err
        assert self.token not in ran.out + ran.err
        return ran

    def allow(self, *sources: str) -> None:
        """Writes the site's choice to the settings."""
        (self.home / "config").mkdir(exist_ok=True)
        (self.home / "config" / "config.toml").write_text(f"[credentials]\nsources = {json.dumps(sources)}\n")


@pytest.fixture
def cli(home: Path, corner: Corner, run_here: Callable[..., tuple[int, str, str]]) -> CommandLine:
    """For somebody who may write."""
    token = corner.token(corner.policy("create,read,update,delete data/*", "list metadata/"))
    return CommandLine(home, corner, token, run_here)


def test_a_key_is_kept_shown_and_forgotten(cli: CommandLine) -> None:
    place = f"vault:secret/{cli.corner.path}/openai"
    cli.corner.keep("openai", api_key="old-0123456789", organization="o")

    login = cli("auth", "login", "openai", "--stdin", stdin=f"{KEY}\n")
    kept = cli.corner.kept("openai")
    listed = json.loads(cli("auth", "list", "--json").out)
    status = cli("auth", "status", "openai")
    logout = cli("auth", "logout", "openai")

    assert (login.code, login.err) == (0, "")
    assert login.out == f"kept: openai in {place}\nopenai can be used: codetether run -m openai/gpt-4o …\n"
    assert kept == {"api_key": KEY, "organization": "o"}
    assert [(key["provider"], key["place"], key["holds"], key["used"]) for key in listed] == [
        ("openai", place, ["api_key", "organization"], True)
    ]
    assert status.out.splitlines() == [
        "env: OPENAI_API_KEY not set",
        f"vault: has it: {place}",
        "file: has none",
        "openai can be used",
    ]
    assert (logout.code, logout.out) == (0, f"forgotten: openai in {place}\n")
    assert cli.corner.kept("openai") is None


@pytest.fixture
def model() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A model that says what it was sent as its key; its URL and the headers that came."""
    came: list[dict[str, str]] = []

    class Model(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            came.append({name.lower(): value for name, value in self.headers.items()})
            text = f"You sent {self.headers['authorization']}."
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for delta, finish in (({"content": text}, None), ({}, "stop")):
                chunk = {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    made = HTTPServer(("127.0.0.1", 0), Model)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/v1", came
    made.shutdown()
    made.server_close()
    thread.join()


def test_what_vault_has_reaches_the_provider_and_no_screen(
    cli: CommandLine, model: tuple[str, list[dict[str, str]]]
) -> None:
    url, came = model
    cli.corner.keep("mine", api_key=f"{KEY}\n", base_url=url, headers='{"x-team": "t-0123456789"}')

    ran = cli("run", "hi", "-m", "mine/toy")

    assert (ran.code, ran.out) == (0, "You sent Bearer [redacted:mine.api_key].\n")
    assert [(headers["authorization"], headers["x-team"]) for headers in came] == [(f"Bearer {KEY}", "t-0123456789")]
    kept = "".join(path.read_text() for path in cli.home.rglob("*.jsonl"))
    assert ("[redacted:mine.api_key]" in kept, KEY in kept) == (True, False)


def test_where_only_vault_is_allowed_nothing_else_is_asked(cli: CommandLine) -> None:
    cli("auth", "login", "openai", "--source", "file", "--stdin", stdin="sk-file-0123456789")
    cli.corner.keep("anthropic", api_key=KEY)
    cli.allow("vault")

    shown = cli("providers", "--json", OPENAI_API_KEY="sk-env-0123456789", ANTHROPIC_API_KEY="sk-env-0123456789")
    seen = {each["name"]: each["source"] or each["reason"] for each in json.loads(shown.out)}
    elsewhere = cli("auth", "login", "openai", "--source", "file", "--stdin", stdin=f"{KEY}\n")
    ran = cli("run", "hi", "-m", "openai/gpt-4o", OPENAI_API_KEY="sk-env-0123456789")

    assert (seen["anthropic"], seen["openai"]) == (f"vault:secret/{cli.corner.path}/anthropic", "vault: has none")
    assert elsewhere.err.startswith("error: [credentials] sources leaves file out, so nothing is kept there")
    assert (ran.code, "it has no key (vault: has none)" in ran.err) == (1, True)


async def test_each_reason_is_shown(corner: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    address, path, reader = corner.bao.address, corner.path, corner.token()
    closed = corner.token(corner.policy("read data/other"))
    corner.keep("anthropic", key=KEY)
    settings = {"plugins": {"only": ["vault", "openai", "anthropic"]}, "credentials": {"sources": ["vault"]}}

    async def reasons(**variables: str) -> dict[str, str]:
        for name, value in {**corner.environment, **variables}.items():
            monkeypatch.setenv(name, value)
        async with Runtime.open(settings) as runtime:
            return {each.name: each.reason for each in await runtime.providers()}

    without = await reasons(VAULT_ADDR="")
    unknown = await reasons(VAULT_TOKEN="wrong-0123456789")
    denied = await reasons(VAULT_TOKEN=closed)
    nothing = await reasons(VAULT_TOKEN=reader)

    assert without["openai"] == "vault: VAULT_ADDR is not set"
    assert unknown["openai"] == (
        f"vault: {address} does not take the token of VAULT_TOKEN: it is wrong, expired or revoked "
        "(log in again (`vault login`, `bao login`), or look at VAULT_NAMESPACE)"
    )
    assert denied["openai"] == (
        f"vault: permission denied on secret/data/{path}/openai "
        f'(the policy needs: path "secret/data/{path}/openai" {{ capabilities = ["read"] }})'
    )
    assert nothing["openai"] == "vault: has none"
    assert nothing["anthropic"].startswith(f"vault:secret/{path}/anthropic has no api_key")


def test_what_keeps_all_of_them_from_a_key_is_shown_once(cli: CommandLine) -> None:
    cli.allow("vault")
    down = cli("providers", VAULT_ADDR="http://127.0.0.1:1")
    unset = cli("auth", "login", "openai", "--source", "vault", "--stdin", VAULT_ADDR="", stdin=KEY)

    assert [line.split(maxsplit=3)[-1] for line in down.out.splitlines()[1:-1]] == ["vault: see below"] * 3
    assert down.out.splitlines()[-1] == (
        "vault: http://127.0.0.1:1 is unreachable: Connection refused "
        "(look at VAULT_ADDR, the network and whether it runs)"
    )
    assert unset.err == "error: vault cannot be written: VAULT_ADDR is not set\n  those that could be written: none\n"
