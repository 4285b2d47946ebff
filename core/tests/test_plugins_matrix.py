"""Every way in which a hook can fail, in every hook: the rest works, and one line names plugin, hook and reason."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import attrs
import codetether
import pytest
from attrs import frozen
from codetether import specs
from codetether.plugins.contracts import YIELDS
from codetether.plugins.discovery import in_process
from codetether.plugins.loaded import LoadedPlugins, Problem, Provided
from codetether.settings.core import PluginSettings

LIMIT = 1.0
"""Seconds that a hook may take: a busy machine must not be taken for one that hangs."""
RELEASED = threading.Event()
"""Set at the end, so that the threads of hooks that hang can go."""


@frozen
class Own:
    """A plugin's own settings."""

    colour: str = "red"


def nothing(ctx: Any) -> Any:
    return None


RECORDS: dict[str, Any] = {
    "codetether_settings": specs.SettingsSpec(cls=Own),
    "codetether_wires": specs.WireSpec(name="w", create=nothing),
    "codetether_providers": specs.ProviderSpec(name="p", wire="w"),
    "codetether_model_defaults": specs.ModelDefaults(match="*"),
    "codetether_catalogues": specs.CatalogueSpec(name="c", create=nothing),
    "codetether_selectors": specs.SelectorSpec(name="s", create=nothing),
    "codetether_agents": specs.AgentSpec(name="a"),
    "codetether_tools": specs.ToolsetSpec(name="t", create=nothing),
    "codetether_tool_filters": specs.ToolFilterSpec(name="f", create=nothing),
    "codetether_prompt_sections": specs.PromptSectionSpec(name="s", create=nothing),
    "codetether_result_reviewers": specs.ResultReviewerSpec(name="r", create=nothing),
    "codetether_tool_call_routers": specs.RouterSpec(name="r", create=nothing),
    "codetether_context_policies": specs.ContextPolicySpec(name="c", create=nothing),
    "codetether_permission_policies": specs.PolicySpec(name="p", create=nothing),
    "codetether_executors": specs.ExecutorSpec(name="e", create=nothing),
    "codetether_credential_sources": specs.CredentialSourceSpec(name="c", create=nothing),
    "codetether_audit_sinks": specs.AuditSinkSpec(name="a", create=nothing),
    "codetether_event_sinks": specs.EventSinkSpec(name="e", create=nothing),
    "codetether_slash_commands": specs.SlashCommandSpec(name="s", create=nothing),
    "codetether_session_formats": specs.SessionFormatSpec(name="f", create=nothing),
}
"""One right record per hook."""

Hook = Callable[[], Any]


def raising(error: BaseException) -> Callable[[Any], Hook]:
    """A hook that yields a right record, then raises."""

    def faulty(record: Any) -> Hook:
        def hook() -> Iterator[Any]:
            yield record
            raise error

        return hook

    return faulty


def at_once(record: Any) -> Hook:
    def hook() -> Iterable[Any]:
        raise ValueError("boom,\n\x1b[31m\u202eright\x00away" + "y" * 5000)

    return hook


def endless_recursion(record: Any) -> Hook:
    def hook() -> Any:
        return hook()

    return hook


def returning(value: Any) -> Callable[[Any], Hook]:
    return lambda record: lambda: value


def asynchronous(record: Any) -> Hook:
    async def hook() -> Any:
        return [record]

    return hook


def endless(record: Any) -> Hook:
    def hook() -> Iterator[Any]:
        while True:
            yield record

    return hook


def hanging(record: Any) -> Hook:
    def hook() -> Iterator[Any]:
        yield record
        RELEASED.wait(60)

    return hook


def ill_made(record: Any) -> Hook:
    """A record of the right class with a field that is not what the class says."""
    field = attrs.fields(type(record))[0].name
    broken = attrs.evolve(record, **{field: 7})
    return lambda: [record, broken]


def of_another_hook(record: Any) -> Hook:
    other = RECORDS["codetether_agents"]
    return lambda: [record, RECORDS["codetether_tools"] if type(record) is type(other) else other]


FAULTS: dict[str, tuple[Callable[[Any], Hook], str]] = {
    "at once": (at_once, "ValueError: " + r"boom, \x1b[31m\u202eright\x00away".ljust(999, "y") + "…"),
    "half way": (raising(ValueError("boom")), "ValueError: boom"),
    "no text": (raising(ValueError()), "ValueError"),
    "exit": (raising(SystemExit(3)), "SystemExit: 3"),
    "interrupt": (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
    "generator exit": (raising(GeneratorExit()), "GeneratorExit"),
    "cancelled": (raising(asyncio.CancelledError()), "CancelledError"),
    "memory": (raising(MemoryError()), "MemoryError"),
    "stop": (raising(StopIteration("x")), "RuntimeError: generator raised StopIteration"),
    "group": (raising(BaseExceptionGroup("many", [SystemExit(1)])), "BaseExceptionGroup: many (1 sub-exception)"),
    "recursion": (endless_recursion, "RecursionError: maximum recursion depth exceeded"),
    "nothing": (returning(None), "returned NoneType, nothing that yields records"),
    "a number": (returning(7), "returned int, nothing that yields records"),
    "text": (returning("records"), "yielded str, not KIND"),
    "another record": (of_another_hook, "yielded OTHER, not KIND"),
    "ill made": (ill_made, "yielded a KIND whose `FIELD` is int, not "),
    "async": (asynchronous, "is an async function; a hook is a plain one"),
    "endless": (endless, "yielded more than 10000 records"),
    "hang": (hanging, f"took longer than {LIMIT:g} s; abandoned"),
}


@pytest.fixture(scope="module", autouse=True)
def released() -> Iterator[None]:
    yield
    RELEASED.set()


def plugin(name: str, **hooks: Hook) -> Any:
    """A plugin with these hooks."""
    made = type(name, (), {"__codetether_name__": name})()
    for hook, function in hooks.items():
        function.__name__ = hook
        setattr(made, hook, codetether.hookimpl(function))
    return made


def loaded(
    *plugins: Any, strict: bool = False, settings: PluginSettings | None = None, limit: float = LIMIT
) -> LoadedPlugins:
    made = LoadedPlugins(strict=strict, import_limit=5, hook_limit=limit)
    made.load([in_process(p) for p in plugins], settings or PluginSettings())
    return made


def test_the_table_has_every_hook() -> None:
    assert {hook: type(record) for hook, record in RECORDS.items()} == YIELDS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_hook_that_fails_costs_only_itself(fault: str) -> None:
    with ThreadPoolExecutor(len(YIELDS)) as together:  # those that hang are waited for at once
        list(together.map(check_that_it_costs_only_itself, YIELDS, repeat(fault)))


def check_that_it_costs_only_itself(hook: str, fault: str) -> None:
    make, reason = FAULTS[fault]
    record = RECORDS[hook]
    other = "codetether_agents" if hook != "codetether_agents" else "codetether_tools"
    broken = plugin("broken", **{hook: make(record), other: lambda: [RECORDS[other]]})
    plugins = loaded(plugin("good", **{hook: lambda: [record]}), broken, limit=LIMIT if fault == "hang" else 10)

    collected = plugins.collect(type(record))
    again = plugins.collect(type(record))
    rest = plugins.collect(YIELDS[other])

    dropped = hook == "codetether_settings"
    expected = (
        reason.replace("KIND", type(record).__name__)
        .replace("OTHER", "ToolsetSpec" if hook == "codetether_agents" else "AgentSpec")
        .replace("FIELD", attrs.fields(type(record))[0].name)
    )
    assert collected == [Provided(plugin="good", record=record)]
    assert again == collected
    assert rest == ([] if dropped else [Provided(plugin="broken", record=RECORDS[other])])
    ((info, problem),) = plugins.problems()
    assert (info.name, info.status) == ("broken", "failed" if dropped else "loaded")
    assert problem.hook == hook
    assert problem.reason == expected or (fault in ("ill made", "recursion") and problem.reason.startswith(expected))
    assert not info.whole
    assert "\n" not in problem.reason
    assert len(problem.reason) < 1100


def test_strict_turns_the_report_into_a_raise() -> None:
    for hook, kind in YIELDS.items():
        plugins = loaded(plugin("broken", **{hook: raising(ValueError("boom"))(RECORDS[hook])}), strict=True)
        with pytest.raises(codetether.PluginError) as raised:
            plugins.collect(kind)
        assert raised.value.message == f"plugin broken, hook {hook}: ValueError: boom"


def test_after_a_hang_the_next_plugin_is_asked_on_a_thread_of_its_own() -> None:
    hook = "codetether_agents"
    record = RECORDS[hook]
    names = ["one", "two", "three"]
    plugins = loaded(*(plugin(n, **{hook: hanging(record)}) for n in names), plugin("z", **{hook: lambda: [record]}))
    assert plugins.collect(specs.AgentSpec) == [Provided(plugin="z", record=record)]
    hung = Problem(hook=hook, reason=f"took longer than {LIMIT:g} s; abandoned")
    assert [(info.name, problem) for info, problem in plugins.problems()] == [(name, hung) for name in names]


def test_two_classes_of_settings_are_one_too_many() -> None:
    hook = "codetether_settings"
    plugins = loaded(plugin("broken", **{hook: lambda: [RECORDS[hook], RECORDS[hook]]}))
    assert plugins.collect(specs.SettingsSpec) == []
    ((info, problem),) = plugins.problems()
    assert (info.status, info.hooks) == ("failed", ())
    assert problem == Problem(hook=hook, reason="yielded 2 classes of settings, and a plugin has one")


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "x" * 101])
def test_the_name_of_a_record_can_be_shown(name: str) -> None:
    plugins = loaded(plugin("broken", codetether_agents=lambda: [specs.AgentSpec(name=name)]))
    assert plugins.collect(specs.AgentSpec) == []
    ((_, problem),) = plugins.problems()
    assert problem.reason == "yielded a AgentSpec whose `name` is not 1 to 100 printable characters"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (specs.ProviderSpec(name="p", wire=None), "whose `wire` is NoneType, not str"),  # type: ignore[arg-type]
        (specs.ProviderSpec(name="p", wire="w", aliases=None), "whose `aliases` is NoneType, not tuple[str, ...]"),  # type: ignore[arg-type]
        (specs.ProviderSpec(name="p", wire="w", models=(1,)), "whose `models` is tuple, not tuple[str, ...]"),  # type: ignore[arg-type]
        (specs.ProviderSpec(name="p", wire="w", place="first"), "whose `place` is str, not int"),  # type: ignore[arg-type]
        (specs.AgentSpec(name="a", tools="bash"), "whose `tools` is str, not tuple[str, ...] | None"),  # type: ignore[arg-type]
        (specs.AgentSpec(name="a", mode="wild"), "whose `mode` is str, not "),  # type: ignore[arg-type]
        (specs.ToolsetSpec(name="t", create="no"), "whose `create` is str, not a function"),  # type: ignore[arg-type]
        (specs.ModelDefaults(match="*", sampling={}), "whose `sampling` is dict, not SamplingParams"),  # type: ignore[arg-type]
        (specs.SettingsSpec(cls=int), "whose `cls` is no attrs class"),
    ],
)
def test_what_others_sort_and_read_is_what_its_class_says(record: Any, reason: str) -> None:
    hook = next(name for name, kind in YIELDS.items() if kind is type(record))
    plugins = loaded(plugin("broken", **{hook: lambda: [record]}))
    assert plugins.collect(type(record)) == []
    ((_, problem),) = plugins.problems()
    assert problem.reason.startswith(f"yielded a {type(record).__name__} {reason}")
