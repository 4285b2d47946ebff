"""Makes a session's objects from the records that hooks yielded; what fails is left out, listed and said."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import attrs

from codetether import specs
from codetether.agents import chosen
from codetether.errors import ExecutorError, PluginError
from codetether.models.tools import Mode
from codetether.plugins.boundary import BROKEN, HOOK_LIMIT, Outcome, asked, plain, reason_of
from codetether.plugins.life import created, created_each
from codetether.plugins.loaded import Provided
from codetether.protocols import ToolFilter
from codetether.session.contexts import ContextFactory, Shared
from codetether.session.dispatch import OfferedTool
from codetether.session.prompt import NamedSection
from codetether.values import define

if TYPE_CHECKING:
    from codetether.runtime import Runtime

OURS = frozenset(
    {
        "codetether-core",
        "codetether-tools-files",
        "codetether-tools-lsp",
        "codetether-tools-mcp",
        "codetether-tools-shell",
        "codetether-tools-web",
        "codetether-tools-work",
    }
)
"""The distributions whose tools keep their names; a stranger may call its distribution as it likes."""


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

    def failed_section(self, plugin: str, name: str, error: BaseException) -> None:
        """Lists a prompt section that failed."""
        self.failed(plugin, f"codetether_prompt_sections {name}", error)

    async def _each(self, found: Sequence[Provided[Any]]) -> list[tuple[Provided[Any], Outcome]]:
        """What each record made, or its failure."""
        wanted = [(provided.record, self.contexts.session(provided.plugin, self.shared)) for provided in found]
        return list(zip(found, await created_each(self.stack, wanted), strict=True))

    async def _all(
        self, kind: type[Any], wanted: Callable[[Any], bool] = lambda record: True
    ) -> list[tuple[Provided[Any], Any]]:
        """All of a kind in the order of (place, name); those that fail are listed and left out."""
        found = [provided for provided in self.runtime.plugins.collect(kind) if wanted(provided.record)]
        made = []
        in_order = sorted(found, key=lambda p: (getattr(p.record, "place", 0), p.record.name))
        for provided, outcome in await self._each(in_order):
            if outcome.error is not None:  # the session works without it, and the user is told
                self.failed(provided.plugin, f"create of {provided.record.name}", outcome.error)
            elif outcome.value is not None:
                made.append((provided, outcome.value))
        return made

    async def executor(self, mode: Mode = "default") -> Any:
        """The executor of the settings; by default the sandbox in mode auto, as far as it can be had, else `local`."""
        name = self.runtime.settings.core.session.executor
        if name != "auto":
            return await self._executor(name)
        if mode != "auto":
            return await self._executor("local")
        try:
            return await self._executor("sandbox")
        except ExecutorError as error:  # commands then ask, one by one
            self.runtime.notify("sandbox", f"mode auto: commands ask, since {error.message} {error.remedy}".rstrip())
            return await self._executor("local")

    async def _executor(self, name: str) -> Any:
        found = [p for p in self.runtime.plugins.collect(specs.ExecutorSpec) if p.record.name == name]
        if len(found) != 1:
            there = ", ".join(sorted(p.record.name for p in self.runtime.plugins.collect(specs.ExecutorSpec)))
            raise ExecutorError(
                f"{'no' if not found else 'more than one'} executor {name!r}; there are: {there or 'none'}",
                remedy="set [session] executor",
            )
        try:
            return await created(self.stack, found[0].record, self.contexts.session(found[0].plugin, self.shared))
        except ExecutorError:  # it says itself what is missing
            raise
        except BROKEN as error:  # a session without the executor that was asked for must not open
            self.failed(found[0].plugin, f"create of {name}", error)
            raise ExecutorError(
                f"the executor {name!r} could not start: {reason_of(error)}",
                remedy="codetether doctor tries each; [session] executor names another one",
            ) from error

    async def policies(self) -> list[tuple[str, Any]]:
        """All policies; one that cannot even be created denies everything."""
        made: list[tuple[str, Any]] = []
        for provided, outcome in await self._each(self.runtime.plugins.collect(specs.PolicySpec)):
            if outcome.error is not None:  # fail closed
                self.failed(provided.plugin, f"create of {provided.record.name}", outcome.error)
            made.append((provided.plugin, outcome.value if outcome.error is None else _Broken(outcome.error)))
        return made

    async def event_sinks(self, *, spooling: bool = False) -> list[tuple[str, specs.EventSinkSpec, Any]]:
        """All event sinks; `spooling`: only those that leave files."""
        made = await self._all(specs.EventSinkSpec, lambda spec: not spooling or spec.spool is not None)
        return [(p.plugin, p.record, sink) for p, sink in made]

    async def sections(self) -> list[NamedSection]:
        return [
            NamedSection(plugin=p.plugin, name=p.record.name, place=p.record.place, section=made)
            for p, made in await self._all(specs.PromptSectionSpec)
        ]

    async def context_policies(self) -> list[tuple[str, Any]]:
        return [(p.plugin, made) for p, made in await self._all(specs.ContextPolicySpec)]

    async def routers(self) -> list[tuple[str, Any]]:
        return [(p.plugin, made) for p, made in await self._all(specs.RouterSpec)]

    async def reviewers(self) -> list[tuple[str, Any]]:
        return [(p.plugin, made) for p, made in await self._all(specs.ResultReviewerSpec)]

    async def tools(self, only: Sequence[str] | None) -> dict[str, OfferedTool]:
        """The tools that the session offers, by name and in the order of their names."""
        found = await self._tools()
        disabled = self.runtime.settings.core.tools.disabled
        given = chosen(found, self.shared.agent.tools)
        filters = await self._filters()
        return {
            name: offered
            for name, offered in sorted(found.items())
            if name not in disabled
            and (only is None or name in only)
            and name in given
            and all(self._keeps(plugin, f, offered) for plugin, f in filters)
        }

    async def _filters(self) -> list[tuple[str, ToolFilter | None]]:
        made: list[tuple[str, ToolFilter | None]] = []
        for provided, outcome in await self._each(self.runtime.plugins.collect(specs.ToolFilterSpec)):
            if outcome.error is not None:  # a filter that fails hides the tools
                self.failed(provided.plugin, f"create of {provided.record.name}", outcome.error)
            made.append((provided.plugin, outcome.value))
        return made

    def _keeps(self, plugin: str, filter_: ToolFilter | None, offered: OfferedTool) -> bool:
        if filter_ is None:
            return False
        try:
            kept = filter_.keep(offered.definition)
            if inspect.iscoroutine(kept):  # which would count as true, and keep everything
                kept.close()
                raise PluginError("keep() is an async function, not a plain one")
            if not isinstance(kept, bool):
                raise PluginError(f"keep() gave {type(kept).__name__}, not True or False")
        except BROKEN as error:  # a filter that fails hides the tool
            self.failed(plugin, "codetether_tool_filters", error)
            return False
        return kept

    async def _tools(self) -> dict[str, OfferedTool]:
        """Ours first, so that they keep their names; a stranger's clashing tool gets its plugin's name before it."""
        loaded = (info for info in self.runtime.plugins.plugins if info.status == "loaded")
        ours = {info.name for info in loaded if info.distribution in OURS}
        found: dict[str, OfferedTool] = {}
        owners: dict[str, str] = {}
        made = await self._all(specs.ToolsetSpec)
        for provided, toolset in sorted(made, key=lambda pair: pair[0].plugin not in ours):
            try:
                tools = await asked(toolset.tools, limit=HOOK_LIMIT)
                named = [(tool.definition.name, tool) for tool in tools]
            except BROKEN as error:  # a toolset that fails is absent, and said
                self.failed(provided.plugin, "codetether_tools", error)
                continue
            for name, tool in named:
                try:
                    offered = self._offered(provided.plugin, tool, found, owners)
                except BROKEN as error:  # one bad definition costs neither the others nor the request to the model
                    self.failed(provided.plugin, f"codetether_tools {plain(str(name), 64)}", error)
                else:
                    found[offered.definition.name] = offered
                    owners.setdefault(_read_as(offered.definition.name), provided.plugin)
        return found

    def _offered(
        self, plugin: str, tool: Any, found: Mapping[str, OfferedTool], owners: Mapping[str, str]
    ) -> OfferedTool:
        """The tool under a name that is free; `owners`: whose a name is, by what it is read as.

        Raises PluginError for one that cannot be offered.
        """
        checked = self.runtime.definitions.checked
        definition = checked(plugin, tool.definition)
        name = definition.name
        if (owner := owners.get(_read_as(name))) is not None:
            free = f"{plugin.replace('.', '_')}__{name}"
            if free in found:
                raise PluginError("the plugin has two tools of this name")
            definition = checked(plugin, attrs.evolve(definition, name=free))
            text = f"{plugin}: the tool {name} is {owner}'s already, so it is now {free}"
            self.runtime.notify("plugins", text)
        return OfferedTool(plugin=plugin, definition=definition, tool=tool)


def _read_as(name: str) -> str:
    """What a model, or a person, takes a name for: `Bash` passes for `bash`, `read-file` for `read_file`."""
    return name.casefold().replace("-", "_")


class _Broken:
    """Stands in for a policy that could not be created: it denies everything."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def decide(self, request: Any) -> Any:
        raise PluginError(f"could not be created: {reason_of(self._error)}")
