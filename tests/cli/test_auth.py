"""Keys are kept, found, doubted and forgotten; none is ever shown."""

from __future__ import annotations

import json
import termios
from collections.abc import Iterator
from typing import Any

import attrs
import keyring
import pexpect  # type: ignore[import-untyped]
import pytest
from codetether_credentials_keyring.memory import MemoryKeyring
from keyring.errors import PasswordSetError

from .conftest import Answer, CommandLine, ModelServer

KEY, OTHER = "sk-kept-0123456789", "sk-other-0123456789"


@pytest.fixture
def system() -> Iterator[MemoryKeyring]:
    """The machine has a keyring."""
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def with_plugins(cli: CommandLine, *names: str) -> CommandLine:
    wanted = {"CODETETHER_PLUGINS": ",".join(("openai", "audit-jsonl", *names))}
    return attrs.evolve(cli, environment={**cli.environment, **wanted})


@pytest.fixture
def keys(bare: CommandLine) -> CommandLine:
    """The command line with the file as its only store."""
    return with_plugins(bare, "file")


def kept(cli: CommandLine) -> Any:
    """What the file holds."""
    path = cli.home / "config" / "credentials.json"
    return json.loads(path.read_text()) if path.exists() else None


def audited(cli: CommandLine) -> list[tuple[str, str, str, dict[str, Any]]]:
    """The audit entries, but for ids and times."""
    lines = (cli.home / "state" / "plugins" / "audit-jsonl" / "audit.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [(e["category"], e["action"], e["outcome"], e["detail"]) for e in entries if e["category"] == "auth"]


def test_a_key_is_kept_used_and_forgotten(keys: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["Hello."])]
    path = keys.home / "config" / "credentials.json"

    before = keys("auth", "list")
    login = keys("auth", "login", "openai", "--stdin", stdin=f"{KEY}\n")
    (shown,) = keys("providers", "--json").json
    ran = keys("run", "hi", "-m", "openai/toy", OPENAI_BASE_URL=model.url)
    table = keys("auth", "list")
    logout = keys("auth", "logout", "openai")
    again = keys("auth", "logout", "openai")

    assert before.out == "No keys found\n"
    assert (login.code, login.err) == (0, "")
    assert login.out == f"kept: openai in file:{path}\nopenai can be used: codetether run -m openai/gpt-4o …\n"
    assert (shown["available"], shown["source"]) == (True, f"file:{path}")
    assert (ran.code, ran.out) == (0, "Hello.\n")
    assert table.out.splitlines()[1].split() == ["openai", f"file:{path}", "api_key", "yes"]
    assert (logout.code, logout.out) == (0, f"forgotten: openai in file:{path}\n")
    assert (again.code, again.out) == (0, "no key of openai is kept in file: nothing to forget\n")
    assert (kept(keys), path.stat().st_mode & 0o777) == ({}, 0o600)
    detail = {"provider": "openai", "source": "file"}
    assert audited(keys) == [
        ("auth", f"auth:{what}", outcome, detail) for what in ("login", "logout") for outcome in ("intent", "success")
    ]
    assert KEY not in "".join(ran.out + ran.err for ran in (login, ran, table, logout))


def test_an_own_server_needs_a_base_url_once(keys: CommandLine, model: ModelServer) -> None:
    model.script = [Answer(texts=["Hello."])]

    first = keys("auth", "login", "mine", "--stdin", "--base-url", model.url, stdin=KEY)
    second = keys("auth", "login", "mine", "--stdin", stdin=OTHER)
    ran = keys("run", "hi", "-m", "mine/some/model")
    keys("auth", "logout", "mine")
    gone = keys("run", "hi", "-m", "mine")

    assert first.out.splitlines()[1] == "mine can be used: codetether run -m mine/MODEL …"
    assert (second.code, second.err) == (0, "")
    assert (ran.out, model.requests[0]["model"]) == ("Hello.\n", "some/model")
    assert (gone.code, kept(keys)) == (1, {})


def test_a_key_that_a_tool_looks_for_is_kept_too(keys: CommandLine) -> None:
    path = keys.home / "config" / "credentials.json"

    login = keys("auth", "login", "brave", "--stdin", stdin=f"{KEY}\n", CODETETHER_PLUGINS="file,web")
    unknown = keys("auth", "login", "brave", "--stdin", stdin=f"{KEY}\n", CODETETHER_PLUGINS="file")

    assert (login.code, login.out, login.err) == (0, f"kept: brave in file:{path}\n", "")
    assert unknown.code == 1


def test_what_a_user_may_not_expect_is_said(keys: CommandLine) -> None:
    shadowed = keys("auth", "login", "openai", "--stdin", stdin=KEY, OPENAI_API_KEY=OTHER)
    left = keys("auth", "logout", "openai", OPENAI_API_KEY=OTHER)
    absent = keys("auth", "login", "mistral", "--stdin", stdin=KEY)
    open_line = keys("auth", "login", "mine", "--stdin", "--base-url", "http://mine.example/v1", stdin=KEY)
    keys.settings('[providers.mine]\nbase_url = "https://else.example/v1"\n')
    elsewhere = keys("auth", "login", "mine", "--stdin", "--base-url", "https://mine.example/v1", stdin=KEY)

    assert [ran.err for ran in (shadowed, left, absent, open_line, elsewhere)] == [
        (
            "note: env:OPENAI_API_KEY comes before it, so that is what openai uses; "
            "unset OPENAI_API_KEY to use what was kept\n"
        ),
        "note: openai still has a key, from env:OPENAI_API_KEY\n",
        "note: no plugin for mistral is installed yet\n",
        "note: the base URL is http://: everybody on the way can read the key\n",
        "note: the settings name another base URL, which is what mine uses: https://else.example/v1\n",
    ]
    assert [ran.code for ran in (shadowed, left, absent, open_line, elsewhere)] == [0] * 5


OWN = "  for an OpenAI-compatible server of your own: codetether auth login {} --base-url URL\n"
SLIPS = {
    "login opnai --stdin": "error: no provider 'opnai'; did you mean \"openai\"?\n" + OWN.format("opnai"),
    "status opnai": "error: no provider 'opnai'; did you mean \"openai\"?\n" + OWN.format("opnai"),
    "login a/b --stdin --base-url https://x/v1": (
        "error: 'a/b' is no name of a provider\n  letters, digits, `_`, `-` and `.`, without a `/`\n"
    ),
    "login mine --stdin --base-url nonsense": (
        "error: --base-url is no http:// or https:// address of a host\n  e.g. https://models.example/v1\n"
    ),
    "login mine --stdin --base-url https://me:pw@x/v1": (
        "error: --base-url holds more than an address\n  the key is asked for, and kept apart from it\n"
    ),
    "login openai": (
        "error: there is no terminal at which the key could be typed\n"
        "  pipe it: … | codetether auth login openai --stdin\n"
    ),
    "login openai --stdin --source env": "error: env can only be read\n  those that could be written: file\n",
    "login openai --stdin --source vault": (
        "error: no source 'vault' is installed\n  those that could be written: file\n"
    ),
}


@pytest.mark.parametrize("line", SLIPS)
def test_a_slip_is_named_and_nothing_is_kept(keys: CommandLine, line: str) -> None:
    ran = keys("auth", *line.split(), stdin=KEY)
    assert (ran.code, ran.out, ran.err) == (1, "", SLIPS[line])
    assert kept(keys) is None


@pytest.mark.parametrize("text", ["", "\n", "two words\n", f"{KEY}\n{OTHER}\n", "schlüssel", "a\0b", "x" * 70_000])
def test_what_is_no_key_is_refused(keys: CommandLine, text: str) -> None:
    ran = keys("auth", "login", "openai", "--stdin", stdin=text)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: that is no key" if text.strip() else "error: no key was given")
    assert kept(keys) is None


def test_a_key_is_never_an_argument(keys: CommandLine) -> None:
    ran = keys("auth", "login", "openai", KEY)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: Got unexpected extra argument")


def test_a_source_that_may_not_be_asked_is_not_written(keys: CommandLine) -> None:
    keys("auth", "login", "openai", "--stdin", stdin=KEY)
    keys.settings('[credentials]\nsources = ["env"]\n')

    named = keys("auth", "login", "openai", "--stdin", "--source", "file", stdin=OTHER)
    any_ = keys("auth", "login", "openai", "--stdin", stdin=OTHER)
    forgotten = keys("auth", "logout", "openai")
    status = keys("auth", "status", "--json")

    assert named.err == (
        "error: [credentials] sources leaves file out, so nothing is kept there\n  those that could be written: none\n"
    )
    assert any_.err.startswith("error: no store of credentials can be written here\n")
    assert forgotten.out == "no key of openai is kept in none: nothing to forget\n"
    assert kept(keys) == {"openai": {"api_key": KEY}}
    left_out = "left out by [credentials] sources, or could not start"
    assert status.json == [
        {"source": "env", "writable": False, "providers": [], "reason": ""},
        {"source": "file", "writable": False, "providers": [], "reason": left_out},
    ]


def test_the_keyring_comes_before_the_file(bare: CommandLine, system: MemoryKeyring) -> None:
    cli = with_plugins(bare, "file", "keyring")

    login = cli("auth", "login", "openai", "--stdin", stdin=KEY)
    into_file = cli("auth", "login", "openai", "--stdin", "--source", "file", stdin=OTHER)
    listed = cli("auth", "list", "--json", OPENAI_API_KEY="sk-set-0123456789").json
    of_one = cli("auth", "status", "openai")
    status = cli("auth", "status").out.splitlines()
    logout = cli("auth", "logout", "openai")

    path = f"file:{cli.home / 'config' / 'credentials.json'}"
    assert login.out.startswith("kept: openai in keyring:codetether/openai\n")
    assert into_file.err == "note: keyring:codetether/openai comes before it, so that is what openai uses\n"
    places = [("env", "env:OPENAI_API_KEY"), ("keyring", "keyring:codetether/openai"), ("file", path)]
    assert listed == [
        {
            "provider": "openai",
            "source": source,
            "place": place,
            "holds": ["api_key"],
            "hidden_by": "" if source == "env" else "env:OPENAI_API_KEY",
            "used": source == "env",
        }
        for source, place in places
    ]
    assert of_one.out == (
        f"env: OPENAI_API_KEY not set\nkeyring: has it: {places[1][1]}\nfile: has it: {path}\nopenai can be used\n"
    )
    assert [line.split() for line in status] == [
        ["SOURCE", "WRITABLE", "KEEPS", "WHAT", "IS", "WRONG"],
        ["env", "no"],
        ["keyring", "yes", "openai"],
        ["file", "yes", "openai"],
    ]
    assert logout.out == f"forgotten: openai in keyring:codetether/openai\nforgotten: openai in {path}\n"
    assert (kept(cli), system.entries) == ({}, {("codetether.index", "providers"): "[]"})


def test_a_store_that_fails_is_recorded_and_the_key_goes_nowhere_else(
    bare: CommandLine, system: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = with_plugins(bare, "file", "keyring")

    def full(*_: str) -> None:
        raise PasswordSetError("it is full")

    monkeypatch.setattr(system, "set_password", full)

    ran = cli("auth", "login", "openai", "--stdin", stdin=KEY)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: the keyring (memory) failed: it is full\n  unlock it, or see `keyring diagnose`\n"
    detail = {"provider": "openai", "source": "keyring"}
    why = "the keyring (memory) failed: it is full. unlock it, or see `keyring diagnose`"
    assert audited(cli) == [
        ("auth", "auth:login", "intent", detail),
        ("auth", "auth:login", "failure", {**detail, "error": why}),
    ]
    assert (kept(cli), system.entries) == (None, {})


def test_without_its_audit_nothing_is_kept(keys: CommandLine) -> None:
    keys.settings("[audit]\nrequired = true\n")
    ran = keys("auth", "login", "openai", "--stdin", stdin=KEY, CODETETHER_AUDIT_LOG_PATH="/proc/no/audit.jsonl")
    assert ran.code == 1
    assert "could not record the intent of auth:login, so it was not started" in ran.err
    assert kept(keys) is None


def test_a_file_that_is_damaged_is_named_and_left(keys: CommandLine) -> None:
    path = keys.home / "config" / "credentials.json"
    keys("auth", "login", "openai", "--stdin", stdin=KEY)
    path.write_text(f'{{"openai": {{"api_key": "{KEY}"}},\n oops}}')
    before = path.read_text()

    login = keys("auth", "login", "openai", "--stdin", stdin=OTHER)
    listed = keys("auth", "list")
    of_one = keys("auth", "status", "openai")

    why = f"{path}:2: not JSON: Expecting property name enclosed in double quotes"
    assert (login.code, login.err) == (1, f"error: {why}\n")
    assert (listed.out, listed.err) == ("No keys found\n", f"note: file: {why}\n")
    assert (of_one.code, of_one.out) == (
        1,
        f"env: OPENAI_API_KEY not set\nfile: {why}\nopenai cannot be used\n",
    )
    assert path.read_text() == before


def test_a_key_is_typed_unseen(keys: CommandLine) -> None:
    def started(provider: str) -> pexpect.spawn:
        argv = keys.argv("auth", "login", provider)
        child = pexpect.spawn(argv[0], argv[1:], cwd=str(keys.workspace), env=dict(keys.environment), encoding="utf-8")
        child.expect_exact(f"the key of {provider} (it is not shown): ")
        return child

    child = started("openai")
    child.sendline(KEY)
    child.expect(pexpect.EOF)
    child.close()
    stopped = started("mistral")
    stopped.sendintr()
    stopped.expect(pexpect.EOF)
    echoes = bool(termios.tcgetattr(stopped.child_fd)[3] & termios.ECHO)
    stopped.close()

    assert (child.exitstatus, KEY in str(child.before)) == (0, False)
    assert (stopped.exitstatus, echoes) == (130, True)
    assert kept(keys) == {"openai": {"api_key": KEY}}
