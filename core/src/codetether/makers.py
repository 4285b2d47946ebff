"""Makes a session's objects from the records that hooks yielded; what fails is left out, listed and said."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import attrs
from attrs import define

from codetether import specs
from codetether.contexts import ContextFactory, Shared
from codetether.dispatch import OfferedTool
from codetether.errors import ExecutorError, PluginError
from codetether.life import created
from codetether.plugins import Provided
from codetether.prompt import NamedSection
from codetether.protocols import ToolFilter

if TYPE_CHECKING:
    from codetether.runtime import Runtime


@define(kw_only=True)
class Makers:
    """Makes a session's objects from the records that hooks yielded."""

    runtime: Runtime
    stack: AsyncExitStack
    shared: Shared
    contexts: ContextFactory

    def failed(self, plugin: str, hook: str, error: BaseException) -> None:
        """Lists a failure, and tells the user."""
        self.runtime.plugins.report(plugin, hook, error)
        self.runtime.say_problems()

    def failed_section(self, plugin: str, name: str, error: Exception) -> None:
        """Lists a prompt section that failed."""
        self.failed(plugin, f"codetether_prompt_sections {name}", error)

    async def _make(self, provided: Provided[Any]) -> Any:
        ctx = self.contexts.session(provided.plugin, self.shared)
        return await created(self.stack, provided.record, ctx)

    async def _all(self, kind: type[Any]) -> list[tuple[Provided[Any], Any]]:
        """All of a kind in the order of (place, name); those that fail are listed and left out."""
        found = self.runtime.plugins.collect(kind)
        made = []
        for provided in sorted(found, key=lambda p: (getattr(p.record, "place", 0), p.record.name)):
            try:
                made.append((provided, await self._make(provided)))
            except Exception as error:  # the plugin boundary: the session works without it, and the user is told
                self.failed(provided.plugin, f"create of {provided.record.name}", error)
        return made

    async def executor(self) -> Any:
        name = self.runtime.settings.core.session.executor
        found = [p for p in self.runtime.plugins.collect(specs.ExecutorSpec) if p.record.name == name]
        if len(found) != 1:
            there = ", ".join(sorted(p.record.name for p in self.runtime.plugins.collect(specs.ExecutorSpec)))
            raise ExecutorError(
                f"{'no' if not found else 'more than one'} executor {name!r}; there are: {there or 'none'}",
                remedy="set [session] executor",
            )
        return await self._make(found[0])

    async def policies(self) -> list[tuple[str, Any]]:
        """All policies; one that cannot even be created denies everything."""
        made: list[tuple[str, Any]] = []
        for provided in self.runtime.plugins.collect(specs.PolicySpec):
            try:
                policy = await self._make(provided)
            except Exception as error:  # fail closed
                self.failed(provided.plugin, f"create of {provided.record.name}", error)
                policy = _Broken(error)
            made.append((provided.plugin, policy))
        return made

    async def event_sinks(self) -> list[tuple[str, specs.EventSinkSpec, Any]]:
        return [(p.plugin, p.record, made) for p, made in await self._all(specs.EventSinkSpec) if made is not None]

    async def sections(self) -> list[NamedSection]:
        return [
            NamedSection(plugin=p.plugin, name=p.record.name, place=p.record.place, section=made)
            for p, made in await self._all(specs.PromptSectionSpec)
        ]

    async def context_policies(self) -> list[tuple[str, Any]]:
        return [(p.plugin, made) for p, made in await self._all(specs.ContextPolicySpec)]

    async def routers(self) -> list[tuple[str, Any]]:
        return [(p.plugin, made) for p, made in await self._all(specs.RouterSpec)]

    async def tools(self, only: Sequence[str] | None) -> dict[str, OfferedTool]:
        """The tools that the session offers, by name and in the order of their names."""
        found = await self._tools()
        disabled = self.runtime.settings.core.tools.disabled
        globs = self.shared.agent.tools
        filters = await self._filters()
        return {
            name: offered
            for name, offered in sorted(found.items())
            if name not in disabled
            and (only is None or name in only)
            and (globs is None or any(fnmatchcase(name, g) for g in globs))
            and all(self._keeps(plugin, f, offered) for plugin, f in filters)
        }

    async def _filters(self) -> list[tuple[str, ToolFilter | None]]:
        made: list[tuple[str, ToolFilter | None]] = []
        for provided in self.runtime.plugins.collect(specs.ToolFilterSpec):
            try:
                made.append((provided.plugin, await self._make(provided)))
            except Exception as error:  # a filter that fails hides the tools
                self.failed(provided.plugin, f"create of {provided.record.name}", error)
                made.append((provided.plugin, None))
        return made

    def _keeps(self, plugin: str, filter_: ToolFilter | None, offered: OfferedTool) -> bool:
        try:
            return filter_ is not None and bool(filter_.keep(offered.definition))
        except Exception as error:  # a filter that fails hides the tool
            self.failed(plugin, "codetether_tool_filters", error)
            return False

    async def _tools(self) -> dict[str, OfferedTool]:
        """Ours first, so that they keep their names; a stranger's clashing tool gets its plugin's name before it."""
        infos = {info.name: info for info in self.runtime.plugins.plugins}
        found: dict[str, OfferedTool] = {}
        made = await self._all(specs.ToolsetSpec)
        made.sort(key=lambda pair: not infos[pair[0].plugin].distribution.startswith("codetether-tools-"))
        for provided, toolset in made:
            try:
                tools = [(tool.definition, tool) for tool in await toolset.tools()]
            except Exception as error:  # a toolset that fails is absent, and said
                self.failed(provided.plugin, "codetether_tools", error)
                continue
            for definition, tool in tools:
                name = definition.name
                if name in found:
                    name = f"{provided.plugin}__{name}"
                    self.runtime.notify(
                        "plugins", f"{provided.plugin}: the tool {definition.name} exists already, so it is now {name}"
                    )
                    definition = attrs.evolve(definition, name=name)
                found[name] = OfferedTool(plugin=provided.plugin, definition=definition, tool=tool)
        return found


class _Broken:
    """Stands in for a policy that could not be created: it denies everything."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def decide(self, request: Any) -> Any:
        raise PluginError(f"could not be created: {self._error}")
