"""Stories about more tools than a model should be told of: the rest waits, and is found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from codetether import FunctionTools, ToolDefinition, ToolsetSpec, tool
from codetether.session.offering import ranked
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.sessions import Yields, heard, opened, results

SUBJECTS = ("issue", "branch", "release", "label", "milestone", "comment", "webhook", "runner", "secret", "package")
VERBS = ("create", "list", "close", "rename", "export", "archive", "lock", "pin", "merge", "watch")


def made(name: str, description: str) -> Any:
    """A tool of that name."""

    def function(title: str = "") -> str:
        return f"{name}: {title}"

    function.__doc__ = f"{description}\n\nArgs:\n    title: its title\n"
    return tool(name=name, effects=("read",))(function)


def toolset(plugin: str, *tools: Any) -> Any:
    """A plugin with the tools."""
    spec = ToolsetSpec(name=plugin, create=lambda ctx: FunctionTools(*tools))
    return Yields("codetether_tools", spec, name=plugin)


MANY = [
    made(f"{where}__{verb}_{subject}", f"Can {verb} a {subject} of {where}.")
    for where in ("forge", "tracker")
    for verb in VERBS
    for subject in SUBJECTS
]
FEW = [made("zoom", "Zooms in."), made("ask_oracle", "Asks the oracle.")]
PLUGINS = [toolset("many", *MANY), toolset("few", *FEW)]
UNKNOWN = "Error: Unknown tool 'tracker__create_issue'; tool_search finds it"
LOCKS = [f"forge__lock_{subject}" for subject in SUBJECTS]
HOW: dict[str, Any] = {"plugins": PLUGINS}


def offered(provider: ScriptedProvider) -> list[list[str]]:
    """The tools of each request."""
    return [[definition.name for definition in request.tools] for request in provider.requests]


async def test_of_200_tools_the_largest_toolset_waits_until_it_is_searched(tmp_path: Path) -> None:
    script = [
        [
            Call("tracker__create_issue", {"title": "too early"}),
            Call("tool_search", {"query": "create issues", "count": 2}),
        ],
        Call("tracker__create_issue", {"title": "found"}),
        Call("tool_search", {"query": "forge__pin_label zoom"}),
        "done",
    ]
    async with opened(*script, directory=tmp_path, **HOW) as (session, provider):
        await heard(session)
        said, first = results(session), offered(provider)
    at_once = ["ask_oracle", "tool_search", "zoom"]
    issues = ["forge__create_issue", "tracker__create_issue"]
    assert first[:3] == [at_once, [*at_once, *issues], [*at_once, *issues]]
    assert first[3][:5] == [*at_once, *issues]
    assert first[3][5] == "forge__pin_label"
    refused, search_result, call, _ = said
    assert refused == (
        "tracker__create_issue",
        False,
        "Error: Unknown tool 'tracker__create_issue'; tool_search finds it",
    )
    lines = search_result[2].splitlines()
    assert (lines[0], [json.loads(line)["name"] for line in lines[1:]]) == ("These can be called now:", issues)
    assert call == ("tracker__create_issue", True, "tracker__create_issue: found")
    search_tool = next(d for d in provider.requests[0].tools if d.name == "tool_search")
    assert "There are 100 of forge, 100 of tracker." in search_tool.description
    assert search_tool in provider.requests[3].tools
    async with opened("again", id=session.id, directory=tmp_path, **HOW) as (_, resumed):
        await heard(_)
        assert offered(resumed) == [first[3]]


@pytest.mark.parametrize(
    ("settings", "at_once"),
    [
        ({"offered": 300}, [*(t.definition.name for t in FEW), *(t.definition.name for t in MANY)]),
        ({"offered": 2}, ["ask_oracle", "tool_search", "zoom"]),
        ({"offered": 1}, ["tool_search"]),
        (
            {"offered": 1, "first": ["z*", "forge__lock_*"]},
            ["zoom", "tool_search", *LOCKS],
        ),
        ({"offered": 2, "disabled": ["tool_search", "zoom"]}, ["ask_oracle", *(t.definition.name for t in MANY)]),
    ],
)
async def test_which_tools_are_given_at_once(settings: dict[str, Any], at_once: Sequence[str]) -> None:
    async with opened("hello", settings={"plugins": {"only": []}, "tools": settings}, **HOW) as (session, provider):
        await heard(session)
    assert offered(provider) == [sorted(at_once)]


async def test_what_is_hidden_is_not_found_either(tmp_path: Path) -> None:
    settings = {"plugins": {"only": []}, "tools": {"disabled": ["forge__pin_label"]}}
    script = Call("tool_search", {"query": "forge__pin_label"}), Call("tool_search", {"query": "bake bread"}), "done"
    async with opened(*script, settings=settings, **HOW) as (session, _):
        await heard(session)
        named, none = results(session)
    assert "forge__pin_label" not in named[2]
    assert none[1:] == (
        False,
        "Error: no tool fits 'bake bread'; try other words. There are 95 of forge, 99 of tracker",
    )


def test_the_best_fit_comes_first() -> None:
    def told(name: str, description: str, **properties: str) -> ToolDefinition:
        schema = {"type": "object", "properties": {n: {"description": d} for n, d in properties.items()}}
        return ToolDefinition(name=name, description=description, schema=schema)

    tools = [
        told("sendMail", "Sends a message to somebody.", recipient="who gets it"),
        told("read_mail", "Shows the messages of a folder."),
        told("weather", "Tells the weather of a place.", city="where"),
        told("calendar_add", "Adds a meeting, and invites people by mail."),
    ]
    assert [
        ranked(query, tools) for query in ("send a mail", "weathers in the city", "messages", "weather mail", "")
    ] == [
        ["sendMail", "read_mail", "calendar_add"],
        ["weather", "read_mail"],
        ["read_mail", "sendMail"],
        ["weather", "read_mail", "sendMail", "calendar_add"],
        [],
    ]
