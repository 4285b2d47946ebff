"""How several plugins' records become one: each hook's rule, with two plugins that disagree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import codetether
import pytest
from attrs import frozen
from codetether import Runtime, specs
from codetether.functions import FunctionTools, tool
from codetether.plugins.discovery import Candidate, in_process
from codetether.session import makers
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.sessions import ONLY, Tools, Yields, opened, results


@tool(effects=("read",))
def echo(text: str) -> str:
    """Says it again."""
    return text


def yields(hook: str, name: str, *records: Any) -> Any:
    """A plugin of that name whose hook yields these records."""
    made = Yields(hook, None, name=name)

    def implementation() -> Any:
        return records

    implementation.__name__ = hook
    setattr(made, hook, codetether.hookimpl(implementation))
    return made


class Section:
    def __init__(self, text: str) -> None:
        self._text = text

    async def render(self) -> str:
        return self._text


def section(name: str, place: int, text: str) -> specs.PromptSectionSpec:
    return specs.PromptSectionSpec(name=name, create=lambda ctx: Section(text), place=place)


async def test_sections_stand_in_the_order_of_place_and_name() -> None:
    hook = "codetether_prompt_sections"
    one = yields(hook, "zeta", section("b", 950, "third"), section("a", 940, "first"))
    two = yields(hook, "alpha", section("a", 960, "fourth"), section("b", 940, "second"), section("c", 945, "  "))
    async with opened("hi", plugins=[one, two]) as (session, provider):
        await session.prompt("go")
    assert provider.requests[0].system.split("\n\n")[-4:] == ["first", "second", "third", "fourth"]


async def test_all_filters_must_keep_a_tool() -> None:
    class Keeps:
        def __init__(self, *names: str) -> None:
            self._names = names

        def keep(self, definition: codetether.ToolDefinition) -> bool:
            return definition.name in self._names

    def filter_(name: str, *kept: str) -> Any:
        return yields("codetether_tool_filters", name, specs.ToolFilterSpec(name=name, create=lambda ctx: Keeps(*kept)))

    three = Tools(*(tool(name=name)(lambda: "x") for name in ("a", "b", "c")), name="three")
    async with opened("hi", plugins=[three, filter_("one", "a", "b"), filter_("two", "b", "c")]) as (session, provider):
        await session.prompt("go")
    assert [t.name for t in provider.requests[0].tools] == ["b"]


@pytest.mark.parametrize(
    ("verdicts", "ran"),
    [(("allow", "allow"), True), (("allow", "deny"), False), (("ask", "allow"), False), (("deny", "ask"), False)],
)
async def test_the_strictest_policy_counts(verdicts: tuple[codetether.Verdict, ...], ran: bool) -> None:
    class Judge:
        def __init__(self, verdict: codetether.Verdict) -> None:
            self._verdict = verdict

        async def decide(self, request: codetether.PermissionRequest) -> codetether.Decision:
            return codetether.Decision(verdict=self._verdict, reason=f"it is {self._verdict}")

    def policy(verdict: codetether.Verdict) -> specs.PolicySpec:
        return specs.PolicySpec(name=verdict, create=lambda ctx: Judge(verdict))

    judges = [yields("codetether_permission_policies", f"p{n}", policy(v)) for n, v in enumerate(verdicts)]
    async with opened([Call("echo", {"text": "hi"})], "done", tools=[echo], plugins=judges) as (session, _):
        result = await session.prompt("go")
        ((_, success, _),) = results(session)
    assert success is ran
    assert result.status == ("denied" if verdicts == ("ask", "allow") else "done")


async def test_routers_and_context_policies_are_pipelines_by_place_and_name() -> None:
    seen = []

    class Link:
        def __init__(self, name: str) -> None:
            self._name = name

        async def reformat(self, response: codetether.CompletionResponse, offered: Any) -> Any:
            seen.append(f"router {self._name}")
            return response

        async def choose(self, history: Any) -> Any:
            seen.append(f"context {self._name}")
            return history

    def link(name: str) -> Any:
        return lambda ctx: Link(name)

    routers = [
        yields("codetether_tool_call_routers", "z", specs.RouterSpec(name="a", create=link("2"), place=20)),
        yields("codetether_tool_call_routers", "y", specs.RouterSpec(name="b", create=link("1"), place=10)),
        yields("codetether_tool_call_routers", "x", specs.RouterSpec(name="c", create=link("3"), place=20)),
    ]
    policies = [
        yields("codetether_context_policies", "w", specs.ContextPolicySpec(name="b", create=link("2"), place=10)),
        yields("codetether_context_policies", "v", specs.ContextPolicySpec(name="a", create=link("1"), place=10)),
    ]
    async with opened("hi", tools=[echo], plugins=[*routers, *policies]) as (session, _):
        await session.prompt("go")
    assert seen == ["context 1", "context 2", "router 1", "router 2", "router 3"]


async def test_the_first_selector_with_an_answer_counts() -> None:
    class Selector:
        def __init__(self, model: str | None) -> None:
            self._model = model

        async def select(self, wish: Any, available: Any) -> Any:
            return [codetether.ModelRef(provider="scripted", model=self._model)] if self._model else None

    def selector(name: str, place: int, model: str | None) -> Any:
        spec = specs.SelectorSpec(name=name, create=lambda ctx: Selector(model), place=place)
        return yields("codetether_selectors", f"plugin-{name}", spec)

    given = [selector("late", 50, "late"), selector("early", 10, None), selector("middle", 20, "middle")]
    async with opened("hi", plugins=given, model="whatever") as (session, _):
        assert str(session.model) == "scripted/middle"


@pytest.mark.parametrize(
    ("sources", "key", "source"),
    [(None, "one", "first"), (("second", "env"), "two", "second"), (("env",), None, None)],
)
async def test_credential_sources_are_asked_in_order_and_only_those_that_are_allowed(
    sources: tuple[str, ...] | None, key: str | None, source: str | None
) -> None:
    class Source:
        def __init__(self, key: str, name: str) -> None:
            self._secret = codetether.Secret(values={"api_key": key}, source=name)

        async def get(self, provider: str, names: Any) -> codetether.Secret:
            return self._secret

        async def list(self) -> list[str]:
            return []

    def spec(name: str, place: int, key: str) -> specs.CredentialSourceSpec:
        return specs.CredentialSourceSpec(name=name, create=lambda ctx: Source(key, name), place=place)

    given = [yields("codetether_credential_sources", "s", spec("second", 20, "two"), spec("first", 10, "one"))]
    settings = {**ONLY, "credentials": {"sources": list(sources)}} if sources else ONLY
    async with Runtime.open(settings, plugins=given) as runtime:
        secret = await runtime.contexts.credentials.get("anyone")
    assert (secret.get("api_key") if secret else None, secret.source if secret else None) == (key, source)


async def test_an_agent_of_the_users_own_goes_before_a_plugins_and_twins_are_an_error_when_chosen() -> None:
    given = [
        ScriptedProvider("hi"),
        yields("codetether_agents", "one", specs.AgentSpec(name="mine", prompt="one"), specs.AgentSpec(name="twin")),
        yields("codetether_agents", "two", specs.AgentSpec(name="twin")),
    ]
    settings = {**ONLY, "agents": {"mine": {"prompt": "the user's"}}}
    async with Runtime.open(settings, plugins=given) as runtime:
        assert runtime.agent("mine").prompt == "the user's"
        with pytest.raises(codetether.PluginError, match="the agent 'twin' is offered by one and two"):
            async with runtime.session(model="scripted", agent="twin"):
                pytest.fail("it opened")
        async with runtime.session(model="scripted") as session:
            assert (await session.prompt("go")).text == "hi"


async def test_an_agent_twin_of_cores_own_never_replaces_it_silently() -> None:
    given = [ScriptedProvider(), yields("codetether_agents", "aaa", specs.AgentSpec(name="build", prompt="evil"))]
    async with Runtime.open(ONLY, plugins=given) as runtime:
        with pytest.raises(codetether.PluginError, match="the agent 'build' is offered by aaa and agents"):
            async with runtime.session(model="scripted"):
                pytest.fail("it opened")


@pytest.mark.parametrize("kind", ["wire", "provider"])
async def test_two_of_one_name_are_an_error_that_names_both_when_chosen(kind: str) -> None:
    first, second = ScriptedProvider("hi"), ScriptedProvider("hi", name="other")
    twin = (
        yields("codetether_wires", "twin", specs.WireSpec(name="scripted", create=lambda ctx: second))
        if kind == "wire"
        else yields("codetether_providers", "twin", specs.ProviderSpec(name="scripted", wire="other", keyless=True))
    )
    async with Runtime.open(ONLY, plugins=[first, second, twin], on_notice=lambda *_: None) as runtime:
        async with runtime.session(model="other") as session:
            assert (await session.prompt("go")).text == "hi"
        with pytest.raises((codetether.PluginError, codetether.UnknownModel)) as raised:
            async with runtime.session(model="scripted/model"):
                pytest.fail("it opened")
    assert "scripted and twin" in str(raised.value)


@pytest.mark.parametrize(
    ("records", "chosen", "message"),
    [
        (("a",), "b", "no executor 'b'; there are: a, local"),
        (("a", "a"), "a", "more than one executor 'a'; there are: a, a, local"),
    ],
)
async def test_an_executor_is_chosen_by_its_name(records: tuple[str, ...], chosen: str, message: str) -> None:
    made = [specs.ExecutorSpec(name=name, create=lambda ctx: None) for name in records]  # type: ignore[arg-type,return-value]
    with pytest.raises(codetether.ExecutorError) as raised:
        async with opened(
            plugins=[yields("codetether_executors", "p", *made)], settings={"session": {"executor": chosen}}
        ):
            pytest.fail("it opened")
    assert raised.value.message == message


@frozen(kw_only=True)
class Colours:
    """A plugin's settings."""

    paper: str = "white"
    ink: int = 0


async def test_a_plugins_settings_are_of_its_own_class_and_its_alone() -> None:
    seen: dict[str, Any] = {}

    def remember(ctx: Any) -> Any:
        seen[ctx.plugin] = (ctx.settings, ctx.state_dir.name, ctx.log.name)
        return Section("")

    def both(name: str, *settings: Any) -> Any:
        made = yields("codetether_prompt_sections", name, specs.PromptSectionSpec(name=name, create=remember, place=1))
        own = yields("codetether_settings", name, *settings)
        made.codetether_settings = own.codetether_settings
        return made

    given = [both("one", specs.SettingsSpec(cls=Colours)), both("two", specs.SettingsSpec(cls=Colours)), both("none")]
    settings = {"plugins": {"only": [], "one": {"paper": "blue"}}}
    async with opened("hi", plugins=given, settings=settings):
        assert seen == {
            "one": (Colours(paper="blue"), "one", "codetether.plugins.one"),
            "two": (Colours(), "two", "codetether.plugins.two"),
            "none": (None, "none", "codetether.plugins.none"),
        }
    bad = {"plugins": {"only": [], "one": {"ink": "black"}}}
    with pytest.raises(codetether.SettingsError, match=r"plugins\.one\.ink: is a string, not a whole number"):
        async with opened("hi", plugins=given, settings=bad):
            pytest.fail("it opened")


async def test_a_class_of_settings_that_is_broken_drops_its_plugin_alone() -> None:
    @attrs.frozen
    class Broken:
        colour: str = "red"

        def __attrs_post_init__(self) -> None:
            raise KeyError("colour")

    odd = yields("codetether_settings", "odd", specs.SettingsSpec(cls=Broken))
    odd.codetether_agents = yields("codetether_agents", "odd", specs.AgentSpec(name="odd")).codetether_agents
    notices: list[str] = []
    async with opened("hi", plugins=[odd], notices=notices) as (session, _):
        assert (await session.prompt("go")).text == "hi"
    assert notices == ["plugins: odd (codetether_settings): KeyError: 'colour'"]


class Named:
    """A toolset of tools that tell whose they are."""

    def __init__(self, owner: str, *names: str) -> None:
        self._tools = [tool(name=name, effects=("read",))(self._teller(owner)) for name in names]

    @staticmethod
    def _teller(owner: str) -> Any:
        def tell() -> str:
            """Tells."""
            return owner

        return tell

    async def tools(self) -> Any:
        return self._tools


def toolset(plugin: str, *names: str) -> Any:
    return yields("codetether_tools", plugin, specs.ToolsetSpec(name=plugin, create=lambda ctx: Named(plugin, *names)))


async def test_a_tool_whose_name_is_taken_gets_its_plugins_name_before_it() -> None:
    notices: list[str] = []
    script = [Call("look"), Call("b_1__look"), Call("c__look")]
    given = [toolset("c", "look"), toolset("a", "look"), toolset("b.1", "look", "other")]
    async with opened(script, "done", plugins=given, notices=notices) as (session, provider):
        await session.prompt("go")
        assert [text for _, _, text in results(session)] == ["a", "b.1", "c"]
    assert [t.name for t in provider.requests[0].tools] == ["b_1__look", "c__look", "look", "other"]
    assert notices == [
        "plugins: b.1: the tool look is a's already, so it is now b_1__look",
        "plugins: c: the tool look is a's already, so it is now c__look",
    ]


async def test_two_tools_of_one_name_in_one_plugin_are_one_too_many() -> None:
    notices: list[str] = []
    async with opened("hi", plugins=[toolset("a", "look", "look", "look")], notices=notices) as (session, provider):
        await session.prompt("go")
    assert [t.name for t in provider.requests[0].tools] == ["a__look", "look"]
    assert notices[-1] == "plugins: a (codetether_tools look): the plugin has two tools of this name"


async def test_our_tools_keep_their_names_whatever_a_stranger_calls_its_distribution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def candidate(plugin: str, distribution: str) -> Candidate:
        return attrs.evolve(in_process(toolset(plugin, "bash")), distribution=distribution)

    monkeypatch.setattr(
        "codetether.runtime.installed",
        lambda: [candidate("aaa", "codetether-tools-aaa"), candidate("zzz", "codetether-tools-shell")],
    )
    provider = ScriptedProvider([Call("bash")], "done")
    async with (
        Runtime.open({}, plugins=[provider], on_notice=lambda *_: None) as runtime,
        runtime.session(model="scripted") as session,
    ):
        await session.prompt("go")
        assert [text for _, _, text in results(session)] == ["zzz"]
    assert "codetether-tools-shell" in makers.OURS


async def test_every_audit_sink_and_every_event_sink_has_everything() -> None:
    heard: dict[str, list[str]] = {"audit a": [], "audit b": [], "events a": [], "events b": []}

    class Sink:
        def __init__(self, name: str) -> None:
            self._heard = heard[name]

        async def record(self, entry: codetether.AuditEntry) -> None:
            self._heard.append(f"{entry.action} {entry.outcome}")

        async def cursor(self) -> int:
            return 0

        async def write(self, record: codetether.EventRecord) -> None:
            self._heard.append(type(record.event).__name__)

        async def flush(self) -> None: ...

    def sink(name: str) -> Any:
        return lambda ctx: Sink(name)

    given = [
        yields("codetether_audit_sinks", "one", specs.AuditSinkSpec(name="a", create=sink("audit a"))),
        yields("codetether_audit_sinks", "two", specs.AuditSinkSpec(name="b", create=sink("audit b"))),
        yields("codetether_event_sinks", "three", specs.EventSinkSpec(name="a", create=sink("events a"))),
        yields(
            "codetether_event_sinks",
            "four",
            specs.EventSinkSpec(name="b", create=sink("events b"), delivery="durable"),
        ),
    ]
    async with opened([Call("echo", {"text": "hi"})], "done", tools=[echo], plugins=given) as (session, _):
        await session.prompt("go")
    assert heard["audit a"] == heard["audit b"]
    assert heard["audit a"][:3] == ["session:open success", "tool:echo intent", "tool:echo success"]
    assert [kind for kind in heard["events b"] if kind in heard["events a"]] == heard["events a"]
    assert heard["events a"][-1] == "Done"


async def test_M02_a_broken_promise_is_an_audit_entry() -> None:
    heard: list[Any] = []

    class Sink:
        async def record(self, entry: codetether.AuditEntry) -> None:
            heard.append((entry.category, entry.action, entry.outcome, entry.detail))

    given = [
        yields("codetether_audit_sinks", "book", specs.AuditSinkSpec(name="book", create=lambda ctx: Sink())),
        yields("codetether_agents", "odd", 7),
    ]
    async with Runtime.open(ONLY, plugins=given, on_notice=lambda *_: None):
        pass
    detail = {"hook": "codetether_agents", "error": "yielded int, not AgentSpec"}
    assert heard == [("plugin", "plugin:odd", "failure", detail)]


async def test_objects_are_closed_in_reverse_once(tmp_path: Path) -> None:
    order: list[str] = []

    class Lives(Section):
        async def __aenter__(self) -> Lives:
            order.append(f"open {self._text}")
            return self

        async def __aexit__(self, *why: object) -> None:
            order.append(f"close {self._text}")

    def lives(name: str) -> specs.PromptSectionSpec:
        return specs.PromptSectionSpec(name=name, create=lambda ctx: Lives(name), place=1)

    async with opened("hi", plugins=[yields("codetether_prompt_sections", "p", lives("a"), lives("b"))]) as (s, _):
        await s.prompt("go")
        assert order == ["open a", "open b"]
    assert order == ["open a", "open b", "close b", "close a"]


async def test_a_create_may_be_async_or_a_context_manager_function() -> None:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def managed(ctx: Any) -> Any:
        yield FunctionTools(tool(name="managed", effects=("read",))(lambda: "x"))

    async def later(ctx: Any) -> Any:
        return FunctionTools(tool(name="later", effects=("read",))(lambda: "x"))

    given = yields(
        "codetether_tools",
        "p",
        specs.ToolsetSpec(name="a", create=managed),
        specs.ToolsetSpec(name="b", create=later),
    )
    async with opened("hi", plugins=[given]) as (session, provider):
        await session.prompt("go")
    assert [t.name for t in provider.requests[0].tools] == ["later", "managed"]
