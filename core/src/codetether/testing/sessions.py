"""An open session on a script, for tests of plugins: nothing that is installed interferes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import codetether
from codetether import RunningSession, Runtime, SessionEvent
from codetether.functions import FunctionTools
from codetether.testing.scripted import ScriptedProvider

ONLY: dict[str, Any] = {"plugins": {"only": []}}
"""Settings under which no installed plugin is loaded."""


class Tools:
    """A plugin with the given tools."""

    def __init__(self, *tools: Any, name: str = "tools-under-test") -> None:
        self.__codetether_name__ = name
        self._tools = tools

    @codetether.hookimpl
    def codetether_tools(self) -> Iterable[codetether.ToolsetSpec]:
        yield codetether.ToolsetSpec(name="under-test", create=lambda ctx: FunctionTools(*self._tools))


class Yields:
    """A plugin whose one hook yields the given record."""

    def __init__(self, hook: str, record: Any, name: str = "yields") -> None:
        self.__codetether_name__ = name

        def implementation() -> Iterable[Any]:
            yield record

        implementation.__name__ = hook
        setattr(self, hook, codetether.hookimpl(implementation))


@asynccontextmanager
async def opened(
    *script: Any,
    tools: Sequence[Any] = (),
    plugins: Sequence[Any] = (),
    directory: Path | None = None,
    settings: dict[str, Any] | None = None,
    notices: list[str] | None = None,
    id: str | None = None,  # noqa: A002 - the word of the field
    **how: Any,
) -> AsyncIterator[tuple[RunningSession, ScriptedProvider]]:
    """A session on a script, where nothing that is installed interferes."""
    provider = ScriptedProvider(*script)
    person = how.pop("person", None)
    async with (
        Runtime.open(
            {**ONLY, **(settings or {})},
            plugins=[provider, Tools(*tools), *plugins],
            directory=directory,
            person=person,
            on_notice=lambda source, text: notices.append(f"{source}: {text}") if notices is not None else None,
        ) as runtime,
        runtime.session(id, model=how.pop("model", "scripted"), **how) as session,
    ):
        yield session, provider


async def heard(session: RunningSession, prompt: str = "go") -> list[SessionEvent]:
    """All events of one prompt."""
    return [event async for event in session.stream(prompt)]


def kinds(events: Sequence[SessionEvent]) -> list[str]:
    """The names of the events' kinds."""
    return [type(event).__name__ for event in events]


def results(session: RunningSession) -> list[tuple[str, bool, str]]:
    """The session's tool results: name, success, text."""
    return [
        (part.name, part.success, part.text)
        for message in session.session.messages
        for part in message.parts
        if isinstance(part, codetether.ToolResultPart)
    ]
