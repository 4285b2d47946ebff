"""Every object that a plugin makes, failing at each of its doors: the prompt goes on, and one line says who and why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import codetether
import pytest
from codetether import Runtime, SessionResult, credentials, specs
from codetether.functions import tool
from codetether.plugins import boundary
from codetether.plugins.contracts import METHODS
from codetether.session import makers, prompt
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.sessions import ONLY, Tools, Yields, opened, results


@tool(effects=("read",))
def echo(text: str) -> str:
    """Says it again."""
    return text


LIMIT = 0.3
"""Seconds that are short for what hangs, and long for what a busy machine holds up."""


@pytest.fixture(autouse=True)
def short_limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something hangs, the limits are short; elsewhere a busy machine must not be taken for a hang."""
    if "hang" not in request.node.name:
        return
    for room, limit in (
        (boundary, "HOOK_LIMIT"),
        (makers, "HOOK_LIMIT"),
        (prompt, "HOOK_LIMIT"),
        (boundary, "CALL_LIMIT"),
        (credentials, "CREDENTIAL_LIMIT"),
    ):
        monkeypatch.setattr(room, limit, LIMIT)


class Right:
    """An object that keeps every promise, of all kinds at once."""

    async def select(self, wish: Any, available: Any) -> Any:
        return None

    async def tools(self) -> Any:
        return ()

    def keep(self, definition: Any) -> Any:
        return True

    async def render(self) -> Any:
        return "A section."

    async def reformat(self, response: Any, offered: Any) -> Any:
        return response

    async def choose(self, history: Any) -> Any:
        return history

    async def decide(self, request: Any) -> Any:
        return codetether.Decision(verdict="allow")

    async def get(self, provider: Any, names: Any) -> Any:
        return None

    async def record(self, entry: Any) -> Any:
        return None

    async def cursor(self) -> Any:
        return 0

    async def write(self, record: Any) -> Any:
        return None

    async def flush(self) -> Any:
        return None

    async def run(self, *args: Any, **options: Any) -> Any:
        return codetether.Completed(exit_code=0, stdout=b"", stderr=b"")

    async def start(self, *args: Any, **options: Any) -> Any:
        raise codetether.ExecutorError("no")


KINDS: dict[str, type[Any]] = {
    "codetether_selectors": specs.SelectorSpec,
    "codetether_tools": specs.ToolsetSpec,
    "codetether_tool_filters": specs.ToolFilterSpec,
    "codetether_prompt_sections": specs.PromptSectionSpec,
    "codetether_tool_call_routers": specs.RouterSpec,
    "codetether_context_policies": specs.ContextPolicySpec,
    "codetether_permission_policies": specs.PolicySpec,
    "codetether_executors": specs.ExecutorSpec,
    "codetether_credential_sources": specs.CredentialSourceSpec,
    "codetether_audit_sinks": specs.AuditSinkSpec,
    "codetether_event_sinks": specs.EventSinkSpec,
}


def raises(ctx: Any) -> Any:
    raise ValueError("boom")


def exits(ctx: Any) -> Any:
    raise SystemExit(2)


def hangs(ctx: Any) -> Any:
    time.sleep(1)


async def raises_later(ctx: Any) -> Any:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def hangs_later(ctx: Any) -> Any:
    await asyncio.sleep(60)


class Opens(Right):
    def __init__(self, door: Callable[[Any], Any]) -> None:
        self._door = door

    async def __aenter__(self) -> Any:
        made = self._door(None)
        return await made if asyncio.iscoroutine(made) else made

    async def __aexit__(self, *why: object) -> None: ...


def no_method(ctx: Any) -> Any:
    return object()


CREATE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "raises": (raises, "ValueError: boom"),
    "exits": (exits, "SystemExit: 2"),
    "hangs": (hangs, f"took longer than {LIMIT} s; abandoned"),
    "nothing": (lambda ctx: None, "made NoneType, which has no method METHOD()"),
    "nonsense": (no_method, "made object, which has no method METHOD()"),
    "raises later": (raises_later, "ValueError: boom"),
    "hangs later": (hangs_later, f"took longer than {LIMIT} s"),
    "opening raises": (lambda ctx: Opens(raises), "ValueError: boom"),
    "opening exits": (lambda ctx: Opens(exits), "SystemExit: 2"),
    "opening hangs": (lambda ctx: Opens(hangs_later), f"took longer than {LIMIT} s"),
}


async def told(made: dict[str, Callable[[Any], Any]]) -> tuple[SessionResult, list[str], list[Any]]:
    """One prompt with a tool call, beside objects made so: its result, what the user was told, the tool's results."""
    notices: list[str] = []
    settings = {"session": {"executor": "broken"}} if "codetether_executors" in made else {}
    odd = [Yields(hook, KINDS[hook](name="broken", create=create), name=hook[11:]) for hook, create in made.items()]
    async with opened(
        [Call("echo", {"text": "hi"})], "answer", tools=[echo], plugins=odd, notices=notices, settings=settings
    ) as (session, _):
        result = await session.prompt("go")
        called = results(session)
    return result, sorted(notices), called


DONE = [("echo", True, "hi")]
HIDDEN = [("echo", False, "Error: Unknown tool 'echo'")]


@pytest.mark.parametrize("fault", CREATE)
async def test_objects_that_cannot_be_made(fault: str) -> None:
    create, reason = CREATE[fault]
    stops = {"codetether_executors", "codetether_permission_policies", "codetether_tool_filters"}
    if fault == "nothing":  # a sink that its settings leave off
        stops |= {"codetether_audit_sinks", "codetether_event_sinks"}
    hooks = sorted(hook for hook in KINDS if hook not in stops)
    result, notices, called = await told(dict.fromkeys(hooks, create))
    assert notices == [
        f"plugins: {hook[11:]} (create of broken): {reason.replace('METHOD', METHODS[KINDS[hook]][0])}"
        for hook in hooks
    ]
    assert (result.status, result.text, called) == ("done", "answer", DONE)


@pytest.mark.parametrize("fault", CREATE)
async def test_a_policy_that_cannot_be_made_denies(fault: str) -> None:
    create, reason = CREATE[fault]
    reason = reason.replace("METHOD", "decide")
    result, notices, called = await told({"codetether_permission_policies": create})
    assert notices == [f"plugins: permission_policies (create of broken): {reason}"]
    assert called == [("echo", False, f"Error: echo was denied (could not be created: {reason}).")]
    assert result.text == "answer"


@pytest.mark.parametrize("fault", CREATE)
async def test_a_filter_that_cannot_be_made_hides(fault: str) -> None:
    create, reason = CREATE[fault]
    result, notices, called = await told({"codetether_tool_filters": create})
    assert notices == [f"plugins: tool_filters (create of broken): {reason.replace('METHOD', 'keep')}"]
    assert (result.text, called) == ("answer", HIDDEN)


@pytest.mark.parametrize("fault", CREATE)
async def test_a_session_without_its_executor_does_not_open(fault: str) -> None:
    create, reason = CREATE[fault]
    with pytest.raises(codetether.ExecutorError) as raised:
        await told({"codetether_executors": create})
    assert raised.value.message == f"the executor 'broken' could not start: {reason.replace('METHOD', 'run')}"


@pytest.mark.parametrize("fault", CREATE)
async def test_nothing_opens_without_a_required_audit_sink(fault: str) -> None:
    create, reason = CREATE[fault]
    sink = specs.AuditSinkSpec(name="broken", create=create, required=True)
    with pytest.raises(codetether.PluginError) as raised:
        async with Runtime.open(ONLY, plugins=[Yields("codetether_audit_sinks", sink)]):
            pytest.fail("it opened")
    expected = "audit sink 'broken' of yields is off" if fault == "nothing" else reason.replace("METHOD", "record")
    assert expected in raised.value.message
    assert "'broken'" in raised.value.message


async def test_audit_that_is_required_needs_a_sink_that_is_on() -> None:
    off = Yields("codetether_audit_sinks", specs.AuditSinkSpec(name="off", create=lambda ctx: None))
    settings = {**ONLY, "audit": {"required": True}}
    with pytest.raises(codetether.PluginError, match="no audit sink is on"):
        async with Runtime.open(settings, plugins=[off]):
            pytest.fail("it opened")


@pytest.mark.parametrize("fault", CREATE)
async def test_a_wire_that_cannot_be_made_is_an_error_only_if_it_is_chosen(fault: str) -> None:
    create, reason = CREATE[fault]

    class Both:
        __codetether_name__ = "odd"

        @codetether.hookimpl
        def codetether_wires(self) -> Any:
            yield specs.WireSpec(name="odd-wire", create=create)

        @codetether.hookimpl
        def codetether_providers(self) -> Any:
            yield specs.ProviderSpec(name="odd", wire="odd-wire", default_model="m", keyless=True)

    given = [ScriptedProvider("fine"), Both()]
    async with Runtime.open(ONLY, plugins=given, on_notice=lambda *_: None) as runtime:
        async with runtime.session(model="scripted") as session:
            assert (await session.prompt("go")).text == "fine"
        with pytest.raises(codetether.PluginError) as raised:
            async with runtime.session(model="odd"):
                pytest.fail("it opened")
    why = reason.replace("METHOD", "connect")
    assert raised.value.message == f"the wire 'odd-wire' of the plugin odd could not start: {why}"


class Closes(Right):
    def __init__(self, door: Callable[[Any], Any], swallow: bool = False) -> None:
        self._door = door
        self._swallow = swallow

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *why: object) -> Any:
        made = self._door(None)
        await made if asyncio.iscoroutine(made) else None
        return True


@pytest.mark.parametrize(
    ("door", "reason"),
    [(raises, "ValueError: boom"), (exits, "SystemExit: 2"), (hangs_later, f"took longer than {LIMIT} s")],
)
async def test_objects_that_cannot_be_closed(door: Callable[[Any], Any], reason: str) -> None:
    result, notices, called = await told(dict.fromkeys(KINDS, lambda ctx: Closes(door)))
    assert notices == sorted(f"{hook[11:]}: closing broken: {reason}" for hook in KINDS)
    assert (result.status, called) == ("done", DONE)


async def test_no_object_swallows_the_error_of_the_one_who_opened_the_session() -> None:
    section = specs.PromptSectionSpec(name="greedy", create=lambda ctx: Closes(lambda _: None))
    with pytest.raises(ZeroDivisionError):
        async with opened("hi", plugins=[Yields("codetether_prompt_sections", section)]):
            raise ZeroDivisionError


def failing(method: str, fault: Callable[..., Any]) -> Callable[[Any], Any]:
    """Makes an object of which one method fails."""

    async def broken(self: Any, *args: Any) -> Any:
        made = fault()
        return await made if hasattr(made, "__await__") else made

    def sync(self: Any, *args: Any) -> Any:
        return fault()

    made = type("Broken", (Right,), {method: sync if method in ("keep", "scanner") else broken})
    return lambda ctx: made()


def cancelling() -> Any:
    raise asyncio.CancelledError


def nonsense() -> Any:
    return object()


DOORS = {
    "select": ("codetether_selectors", "codetether_selectors broken", DONE),
    "tools": ("codetether_tools", "codetether_tools", DONE),
    "keep": ("codetether_tool_filters", "codetether_tool_filters", HIDDEN),
    "render": ("codetether_prompt_sections", "codetether_prompt_sections broken", DONE),
    "reformat": ("codetether_tool_call_routers", "codetether_tool_call_routers", DONE),
    "scanner": ("codetether_tool_call_routers", "codetether_tool_call_routers", DONE),
    "choose": ("codetether_context_policies", "codetether_context_policies", DONE),
}
FAULTS: dict[str, Callable[[], Any]] = {
    "raises": lambda: raises(None),
    "exits": lambda: exits(None),
    "cancels": cancelling,
    "hangs": lambda: asyncio.sleep(60),
    "nonsense": nonsense,
}


@pytest.mark.parametrize(
    ("method", "fault"),
    [(m, f) for m in DOORS for f in FAULTS if m not in ("keep", "scanner") or f not in ("hangs", "cancels")],
)
async def test_a_method_that_fails(method: str, fault: str) -> None:
    hook, named, calls = DOORS[method]
    result, notices, called = await told({hook: failing(method, FAULTS[fault])})
    (line,) = notices
    said = {"raises": "ValueError: boom", "exits": "SystemExit: 2", "cancels": "cancelled itself"}
    said["hangs"] = f"took longer than {LIMIT} s"
    assert line.startswith(f"plugins: {hook[11:]} ({named}): {said.get(fault, '')}")
    assert (result.status, result.text, called) == ("done", "answer", calls)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raises", "ValueError: boom"),
        ("exits", "SystemExit: 2"),
        ("cancels", "cancelled itself"),
        ("hangs", f"took longer than {LIMIT} s"),
        ("nonsense", "decide() gave "),
    ],
)
async def test_a_policy_that_cannot_judge_denies(fault: str, reason: str) -> None:
    _, _, called = await told({"codetether_permission_policies": failing("decide", FAULTS[fault])})
    ((name, success, text),) = called
    assert (name, success) == ("echo", False)
    assert text.startswith(f"Error: echo was denied ({reason}")


async def test_a_filter_that_is_async_keeps_nothing() -> None:
    async def keep(self: Any, definition: Any) -> bool:
        return True

    made = type("Filter", (), {"keep": keep})
    _, notices, called = await told({"codetether_tool_filters": lambda ctx: made()})
    assert notices == ["plugins: tool_filters (codetether_tool_filters): keep() is an async function, not a plain one"]
    assert called == HIDDEN


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_credential_source_that_fails_is_passed_over_and_quoted(fault: str) -> None:
    class Vendor:
        @codetether.hookimpl
        def codetether_providers(self) -> Any:
            yield specs.ProviderSpec(name="vendor", wire="w", default_model="m", env=("VENDOR_API_KEY",))

    source = specs.CredentialSourceSpec(name="broken", create=failing("get", FAULTS[fault]), place=50)
    given = [Vendor(), Yields("codetether_credential_sources", source)]
    said = {"raises": "ValueError: boom", "exits": "SystemExit: 2", "cancels": "cancelled itself"}
    said |= {"hangs": f"took longer than {LIMIT} s", "nonsense": "gave object, not a Secret"}
    async with Runtime.open(ONLY, plugins=given) as runtime:
        (vendor,) = [a for a in await runtime.providers() if a.name == "vendor"]
    assert vendor.reason == f"broken: {said[fault]}; env: VENDOR_API_KEY not set"


@pytest.mark.parametrize("fault", ["raises", "exits", "cancels"])
async def test_an_audit_sink_that_is_not_required_costs_a_line(fault: str) -> None:
    result, notices, called = await told({"codetether_audit_sinks": failing("record", FAULTS[fault])})
    said = {"raises": "ValueError: boom", "exits": "SystemExit: 2", "cancels": "cancelled"}
    assert len(notices) == 1
    assert notices[0].startswith('audit: audit sink "broken" (audit_sinks) fails: ')
    assert said[fault] in notices[0]
    assert (result.status, called) == ("done", DONE)


@pytest.mark.parametrize("fault", ["raises", "exits", "cancels"])
async def test_no_effect_starts_that_a_required_audit_sink_cannot_record(fault: str) -> None:
    ran = []

    @tool(effects=("write",))
    def write() -> str:
        """Writes."""
        ran.append(1)
        return "written"

    sink = specs.AuditSinkSpec(name="broken", create=failing("record", FAULTS[fault]), required=True)
    async with opened(
        [Call("write")],
        "answer",
        tools=[write],
        allow=["write"],
        plugins=[Yields("codetether_audit_sinks", sink)],
        notices=[],
    ) as (session, _):
        result = await session.prompt("go")
    assert (result.status, ran) == ("error", [])


@pytest.mark.parametrize("fault", ["raises", "exits", "cancels"])
@pytest.mark.parametrize("method", ["write", "flush"])
async def test_an_event_sink_that_fails_costs_a_line(method: str, fault: str) -> None:
    result, notices, called = await told({"codetether_event_sinks": failing(method, FAULTS[fault])})
    assert notices
    assert all(line.startswith('events: event sink "broken" (event_sinks) ') for line in notices)
    assert (result.status, called) == ("done", DONE)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: raises(None), "Error: ValueError: boom"),
        (lambda: exits(None), "Error: SystemExit: 2"),
        (cancelling, "Error: odd_tool cancelled itself"),
        (lambda: None, "Error: PluginError: odd_tool returned NoneType"),
        (lambda: codetether.ToolResult(content="text"), "Error: "),  # type: ignore[arg-type]
        (lambda: codetether.text_result(7), "Error: "),  # type: ignore[arg-type]
    ],
)
async def test_a_tool_that_fails_is_an_error_for_the_model(made: Callable[[], Any], text: str) -> None:
    class Odd:
        definition = codetether.ToolDefinition(
            name="odd_tool", description="Odd.", schema={"type": "object"}, effects=("read",)
        )

        def resources(self, call: Any, ctx: Any) -> codetether.Resources:
            return codetether.Resources()

        async def run(self, call: Any, ctx: Any) -> Any:
            return made()

    async with opened([Call("odd_tool")], "answer", tools=[Odd()]) as (session, _):
        result = await session.prompt("go")
        ((_, success, said),) = results(session)
    assert result.status == "done"
    assert success is False
    assert said.startswith(text.partition("PluginError: odd_tool ")[0])


@pytest.mark.parametrize(
    "fault", [ValueError("boom"), SystemExit(2), asyncio.CancelledError(), KeyError("x"), RecursionError("deep")]
)
async def test_a_wire_that_raises_what_it_should_not_ends_the_turn_with_its_name(fault: BaseException) -> None:
    class Odd:
        async def connect(self, provider: Any) -> Any:
            return self

        async def stream(self, request: Any) -> AsyncIterator[Any]:
            yield codetether.TextDelta("half")
            raise fault

    class Plugin:
        __codetether_name__ = "odd"

        @codetether.hookimpl
        def codetether_wires(self) -> Any:
            yield specs.WireSpec(name="odd", create=lambda ctx: Odd())

        @codetether.hookimpl
        def codetether_providers(self) -> Any:
            yield specs.ProviderSpec(name="odd", wire="odd", default_model="m", keyless=True)

    async with opened(plugins=[Plugin()], model="odd") as (session, _):
        result = await session.prompt("go")
        again = session.session.turn
    cancelled = isinstance(fault, asyncio.CancelledError)
    assert result.status == ("interrupted" if cancelled else "provider_failed")
    assert cancelled or result.reason == f"the wire to odd failed: {boundary.reason_of(fault)}"
    assert again == 1


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": ""}, "its name is not 1 to 64 ASCII letters, digits, '_' and '-'"),
    "long name": ({"name": "x" * 65}, "its name is not 1 to 64 ASCII letters, digits, '_' and '-'"),
    "odd name": ({"name": "a b\x1b"}, "its name is not 1 to 64 ASCII letters, digits, '_' and '-'"),
    "no text": ({"description": None}, "its description is NoneType"),
    "no schema": ({"schema": None}, "its schema is NoneType"),
    "not an object's": ({"schema": {"type": "array"}}, 'its schema is not of the type "object"'),
    "invalid": ({"schema": {"type": "object", "properties": 5}}, "its schema is invalid: 5 is not of type"),
    "huge": ({"schema": {"type": "object", "description": "x" * 10_000_000}}, "its schema has 10000"),
    "remote": (
        {"schema": {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}}},
        "its schema is invalid: Resource 'http://127.0.0.1:9/x.json' is not present",
    ),
    "file": ({"schema": {"type": "object", "allOf": [{"$ref": "file:///etc/passwd"}]}}, "its schema is invalid: "),
    "no JSON": ({"schema": {"type": "object", "x": object()}}, "its schema is no JSON: "),
    "no effect": ({"effects": ("fly",)}, "it has the effect 'fly'; there are read, write, execute and network"),
}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


BAD["deep"] = ({"schema": deep(50_000)}, "its schema is no JSON: ")


@pytest.mark.parametrize("fault", BAD)
async def test_M12_a_definition_that_cannot_be_offered_hides_only_that_tool(fault: str) -> None:
    change, reason = BAD[fault]
    fields: dict[str, Any] = {"name": "bad", "description": "Bad.", "schema": {"type": "object"}, **change}

    class Bad:
        definition = codetether.ToolDefinition(**fields)

    notices: list[str] = []
    both = Tools(Bad(), echo, name="odd")
    async with opened([Call("echo", {"text": "hi"})], "answer", plugins=[both], notices=notices) as (session, provider):
        result = await session.prompt("go")
        assert results(session) == DONE
    assert result.status == "done"
    assert [t.name for t in provider.requests[0].tools] == ["echo"]
    (line,) = notices
    assert line.startswith("plugins: odd (codetether_tools ")
    assert f"): PluginError: {reason}" in line or f"): {reason}" in line
    assert line.isprintable()


async def test_M12_a_schema_that_refers_to_itself_is_fine() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}

    class Linked:
        definition = codetether.ToolDefinition(name="linked", description="L.", schema=schema, effects=("read",))

        def resources(self, call: Any, ctx: Any) -> codetether.Resources:
            return codetether.Resources()

        async def run(self, call: Any, ctx: Any) -> Any:
            return codetether.text_result("fine")

    script = [Call("linked", {"next": {"next": {}}}), Call("linked", {"next": {"next": {"x": 1}}})]
    async with opened(script, "answer", tools=[Linked()]) as (session, _):
        await session.prompt("go")
        assert [success for _, success, _ in results(session)] == [True, False]


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        (raises, "ValueError: boom"),
        (exits, "SystemExit: 2"),
        (no_method, "made object, which has no method run()"),
        (failing("run", lambda: exits(None)), "SystemExit: 2"),
        (failing("run", cancelling), "cancelled itself"),
    ],
)
async def test_a_slash_command_that_fails_is_said_and_the_conversation_goes_on(
    create: Callable[[Any], Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from codetether.cli.chat.conversation import Wishes
    from codetether.cli.chat.slash import SlashCommands
    from codetether.cli.terminal import Screen

    odd = Yields("codetether_slash_commands", specs.SlashCommandSpec(name="odd", create=create), name="plugin")
    given = [ScriptedProvider("hi"), odd]
    async with Runtime.open(ONLY, plugins=given) as runtime, runtime.session(model="scripted") as session:
        commands = SlashCommands(runtime, session, Screen(), Wishes())
        assert await commands.run("/odd and even") is None
        assert (await session.prompt("go")).text == "hi"
    assert capsys.readouterr().err == f"/odd (plugin) failed: {reason}\n"
