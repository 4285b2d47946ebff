"""Every door leaves an intent before what it does and an outcome after it; without the intent nothing starts."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import codetether
import pytest
from codetether import AuditEntry, AuditSinkSpec, Runtime, StorageError, from_json
from codetether.cli.chat.conversation import Wishes
from codetether.cli.chat.slash import SlashCommands
from codetether.cli.terminal import Screen
from codetether.models.events import AuditAnchor
from codetether.models.session import Announced
from codetether.record.audit_key import AuditKey, body_digest
from codetether.record.redact import Redactor
from codetether.record.trail import AuditTrail
from codetether.settings.settings import load_settings
from codetether.testing.scripted import Call
from codetether.testing.sessions import Yields, opened

FAILURES = 1_000 if os.environ.get("CODETETHER_PROOF") else 150


class Book:
    """A sink that keeps entries, has anchors, and fails when it is told to."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.failing = False
        self.anchored = 0

    async def record(self, entry: AuditEntry) -> None:
        if self.failing:
            raise StorageError("the book is wet")
        self.entries.append(entry)

    async def anchor(self) -> dict[str, Any] | None:
        if len(self.entries) == self.anchored:
            return None
        self.anchored = len(self.entries)
        return {"log": "0" * 16, "records": self.anchored, "head": "1" * 64}

    def told(self, *categories: str) -> list[tuple[str, str]]:
        return [(e.action, e.outcome) for e in self.entries if not categories or e.category in categories]


@asynccontextmanager
async def kept(*script: Any, book: Book | None = None, **how: Any) -> AsyncIterator[tuple[Any, Book]]:
    book = book or Book()
    spec = AuditSinkSpec(name="book", create=lambda ctx: book, required=True)
    plugin = Yields("codetether_audit_sinks", spec, name="the-book")
    async with opened(*script, plugins=[plugin], allow=["*"], **how) as (session, _):
        yield session, book


async def test_as_often_as_a_required_sink_fails_no_tool_is_started(codetether_home: Path, tmp_path: Path) -> None:
    started: list[str] = []

    @codetether.tool(effects=["write"])
    def strike(n: str) -> str:
        """Strikes."""
        started.append(n)
        return "struck"

    chance, refused, allowed = random.Random(9), 0, []
    steps: list[Any] = []
    plan = []
    for number in range(FAILURES + 60):
        fails = chance.random() < 0.96
        plan.append(fails)
        steps += [Call("strike", {"n": str(number)})] if fails else [Call("strike", {"n": str(number)}), "done"]
    async with kept(*steps, tools=[strike], directory=tmp_path) as (session, book):
        for number, fails in enumerate(plan):
            book.failing = fails
            result = await session.prompt("go")
            if fails:
                refused += 1
                assert (result.status, "was not started: the book is wet" in result.error) == ("error", True)
            else:
                allowed.append(str(number))
                assert result.status == "done"
    assert refused >= FAILURES
    assert started == allowed


async def test_K08_a_call_is_told_with_keyed_digests_of_its_arguments_and_its_output(
    codetether_home: Path, tmp_path: Path
) -> None:
    @codetether.tool
    def greet(name: str) -> str:
        """Greets."""
        return f"hello {name}"

    async with kept(Call("greet", {"name": "ann"}), "done", tools=[greet], directory=tmp_path) as (session, book):
        await session.prompt("go")
    key = bytes.fromhex((codetether_home / "config" / "audit.key").read_text())
    assert (codetether_home / "config" / "audit.key").stat().st_mode & 0o777 == 0o600
    intent, outcome = (e for e in book.entries if e.category == "tool_execution")
    arguments = body_digest(key, '{"name":"ann"}')
    assert (intent.outcome, intent.arguments_digest, intent.output_digest) == ("intent", arguments, None)
    assert (outcome.outcome, outcome.arguments_digest) == ("success", arguments)
    assert (outcome.output_digest, outcome.detail) == (body_digest(key, "hello ann"), {"output_len": 9})
    assert "ann" not in str(book.entries)


async def test_bodies_and_requests_to_models_are_told_where_the_settings_say_so(
    codetether_home: Path, tmp_path: Path
) -> None:
    @codetether.tool
    def greet(name: str) -> str:
        """Greets."""
        return f"hello {name}"

    settings = {"audit": {"bodies": True, "model_calls": True, "principal": "ann"}}
    script = (Call("greet", {"name": "ann"}), "done")
    async with kept(*script, tools=[greet], directory=tmp_path, settings=settings) as (session, book):
        await session.prompt("go")
    assert book.told("api", "tool_execution") == [
        ("model:scripted/model", "intent"),
        ("model:scripted/model", "success"),
        ("tool:greet", "intent"),
        ("tool:greet", "success"),
        ("model:scripted/model", "intent"),
        ("model:scripted/model", "success"),
    ]
    outcome = next(e for e in book.entries if (e.action, e.outcome) == ("tool:greet", "success"))
    assert outcome.detail == {"output_len": 9, "arguments": '{"name":"ann"}', "output": "hello ann"}
    first = next(e for e in book.entries if (e.category, e.outcome) == ("api", "success"))
    assert (first.session_id, first.turn) == (session.id, 1)
    assert first.detail["output_tokens"] == 5


async def test_a_plugins_own_request_to_the_model_is_told_too(codetether_home: Path, tmp_path: Path) -> None:
    async with kept("an answer", directory=tmp_path, settings={"audit": {"model_calls": True}}) as (session, book):
        request = codetether.CompletionRequest(model=session.model, messages=(codetether.user("hello"),))
        assert (await session.complete(request)).message.text == "an answer"
    assert [(e.action, e.outcome, e.session_id) for e in book.entries if e.category == "api"] == [
        ("model:scripted/model", "intent", session.id),
        ("model:scripted/model", "success", session.id),
    ]


async def test_a_subagent_leaves_entries_under_its_own_session(codetether_home: Path, tmp_path: Path) -> None:
    @codetether.tool
    async def hand_on(ctx: codetether.ToolContext) -> str:
        """Hands the work on."""
        return (await ctx.delegate("look", tools=["peek"])).text

    @codetether.tool
    def peek() -> str:
        """Peeks."""
        return "seen"

    script = (Call("hand_on", {}), Call("peek", {}), "child done", "done")
    async with kept(*script, tools=[hand_on, peek], directory=tmp_path) as (session, book):
        await session.prompt("go")
    ours = [(e.action, e.outcome) for e in book.entries if e.session_id == session.id]
    child = [(e.action, e.outcome) for e in book.entries if e.session_id not in (session.id, None)]
    assert ours == [("session:open", "success"), ("tool:hand_on", "intent"), ("tool:hand_on", "success")]
    assert child == [("session:open", "success"), ("tool:peek", "intent"), ("tool:peek", "success")]


async def test_an_anchor_reaches_the_other_sinks_and_the_session(codetether_home: Path, tmp_path: Path) -> None:
    other = Book()
    other.anchor = None  # type: ignore[assignment, method-assign]
    spec = AuditSinkSpec(name="other", create=lambda ctx: other)
    beside = Yields("codetether_audit_sinks", spec, name="beside")
    book = Book()
    mine = Yields("codetether_audit_sinks", AuditSinkSpec(name="book", create=lambda ctx: book), name="the-book")
    async with opened(*["done"] * 3, plugins=[mine, beside], directory=tmp_path) as (session, _):
        await session.prompt("go")
        path = session.journal.directory
    anchors = [e for e in other.entries if e.action == "audit:anchor"]
    assert [e.detail for e in anchors] == [{"sink": "book", "log": "0" * 16, "records": 1, "head": "1" * 64}]
    assert [e.action for e in book.entries] == ["session:open"]
    async with Runtime.open({"plugins": {"only": []}}, on_notice=lambda *_: None) as runtime:
        records = [r.entry async for r in runtime.sessions.records(session.id)]
    told = [e.event for e in records if isinstance(e, Announced) and isinstance(e.event, AuditAnchor)]
    assert told == [AuditAnchor(sink="book", detail={"log": "0" * 16, "records": 1, "head": "1" * 64})]
    assert path.exists()


async def test_of_many_sessions_each_keeps_the_anchor_of_its_own_end_and_all_those_in_between(tmp_path: Path) -> None:
    trail = AuditTrail(
        [("p", AuditSinkSpec(name="book", create=lambda ctx: book), book := Book())], Redactor(), "me", print
    )
    heard: dict[str, list[Any]] = {"a": [], "b": []}
    trail.listeners["a"] = lambda entry: heard["a"].append(entry.detail["records"])
    trail.listeners["b"] = lambda entry: heard["b"].append(entry.detail["records"])
    for asking in ("a", "b", None, "b"):
        await trail.record("session", "session:open", "success", session_id=asking)
        await trail.anchor(asking)
    await trail.anchor("a")  # nothing is new: it is given the last
    assert heard == {"a": [1, 3, 4], "b": [2, 3, 4]}
    await trail.close()


async def test_sessions_that_end_at_the_same_time_each_keep_an_anchor_of_their_end(tmp_path: Path) -> None:
    class Slow(Book):
        async def anchor(self) -> dict[str, Any] | None:
            made = await super().anchor()
            await asyncio.sleep(0)
            return made

    trail = AuditTrail(
        [("p", AuditSinkSpec(name="book", create=lambda ctx: book), book := Slow())], Redactor(), "me", print
    )
    heard: dict[str, list[Any]] = {"a": [], "b": []}
    trail.listeners["a"] = lambda entry: heard["a"].append(entry.detail["records"])
    trail.listeners["b"] = lambda entry: heard["b"].append(entry.detail["records"])
    for ending in ("a", "b"):
        await trail.record("session", "session:close", "success", session_id=ending)
    await asyncio.gather(trail.anchor("a"), trail.anchor("b"))
    assert heard == {"a": [2], "b": [2]}
    await trail.close()


async def test_slash_commands_that_change_something_are_told(codetether_home: Path, tmp_path: Path) -> None:
    async with (
        kept("done", directory=tmp_path) as (session, book),
        Runtime.open({"plugins": {"only": []}}, on_notice=lambda *_: None) as runtime,
    ):
        runtime.audit = session.agent.dispatch.audit
        slash = SlashCommands(runtime, session, Screen(), Wishes())
        for line in ("/mode plan", "/mode", "/title a new one", "/title", "/cost", "/agent nobody"):
            await slash.run(line)
    assert book.told("session")[1:] == [
        ("slash:mode", "intent"),
        ("slash:mode", "success"),
        ("slash:title", "intent"),
        ("slash:title", "success"),
        ("slash:agent", "intent"),
        ("slash:agent", "failure"),
    ]


# -- who decides


def test_a_trusted_repository_has_no_say_in_the_audit(codetether_home: Path, tmp_path: Path) -> None:
    from codetether.settings.file import read_settings_file
    from codetether.settings.trust import trust_file, trust_record

    (codetether_home / "config").mkdir()
    (codetether_home / "config" / "config.toml").write_text("[audit]\nrequired = true\nprincipal = 'ann'\n")
    file = tmp_path / ".codetether" / "config.toml"
    file.parent.mkdir()

    def read(text: str) -> Any:
        file.write_text(text)
        found = read_settings_file(file)
        assert found is not None
        state = codetether_home / "state"
        state.mkdir(exist_ok=True)
        trust_file(state).write_bytes(trust_record({str(file): found.sha256}))
        return load_settings(tmp_path)

    loose = read("model = 'x/y'\n[audit]\nrequired = false\nprincipal = 'nobody'\nkey = 'file'\n")
    assert (loose.core.audit.required, loose.core.audit.principal, loose.core.audit.key) == (True, "ann", "auto")
    assert loose.core.model == "x/y"
    assert [n for n in loose.notices if "audit.principal" in n and "a repository does not decide this" in n]
    (codetether_home / "config" / "config.toml").write_text("")
    assert read("[audit]\nrequired = true\n").core.audit.required is True
    sink = read("[plugins.audit-jsonl]\npath = '/dev/null'\n")
    with pytest.raises(codetether.SettingsError, match="a repository does not decide this") as refused:
        sink.refuse_repository("audit-jsonl")
    assert (refused.value.file, refused.value.line) == (file, 2)


# -- the key


class Source:
    """Credentials that have one secret, or none."""

    def __init__(self, **values: str) -> None:
        self.values = values

    async def get(self, provider: str) -> codetether.Secret | None:
        return codetether.Secret(values=self.values, source="vault") if provider == "audit" and self.values else None


async def test_where_the_key_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "audit.key"

    def key(source: Any, which: Any) -> AuditKey:
        return AuditKey(source, lambda: file, which)

    assert await key(Source(), "auto").look() is None
    assert await key(Source(key="ab" * 32), "auto").load() == b"\xab" * 32
    assert (
        await key(Source(api_key="a passphrase of some length"), "credentials").load() == b"a passphrase of some length"
    )
    assert not file.exists()
    with pytest.raises(codetether.CredentialError, match="no credential source has the key of the audit trail"):
        await key(Source(), "credentials").load()
    with pytest.raises(StorageError, match="holds no key of the audit trail: 5 bytes"):
        await key(Source(key="short"), "auto").load()
    made = await key(Source(), "auto").load()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [await key(Source(key="ab" * 32), w).load() for w in ("auto", "file")] == [made, made]
    assert await key(Source(key="ab" * 32), "auto").look() == made


def test_an_entry_of_an_earlier_version_is_read() -> None:
    line = b'{"id":"a","timestamp":"2026-01-01T00:00:00Z","category":"x","action":"y","outcome":"success","mac":"z"}'
    entry = from_json(line, AuditEntry)
    assert (entry.action, entry.arguments_digest, entry.detail) == ("y", None, {})
