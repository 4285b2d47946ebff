"""A workspace in which tools are called as the loop calls them, without a model and without a journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from attrs import define, field

from codetether.builtin.executor import LocalExecutor
from codetether.models.record import JSON
from codetether.models.session import Session, SessionMetadata
from codetether.models.tools import (
    Decision,
    Mode,
    PermissionRequest,
    Resources,
    ToolCall,
    ToolDefinition,
    ToolResult,
    error_result,
)
from codetether.permissions.rules import Rules
from codetether.plugin_contexts import ToolContext
from codetether.plugins.contracts import validator
from codetether.protocols import Executor, Tool
from codetether.settings.core import CoreSettings


@define(kw_only=True)
class BenchContext:
    """As much of a ToolContext as a tool needs that neither remembers nor asks a model.

    Attributes:
        shown: what the call showed while it ran.
    """

    directory: Path
    executor: Executor = field(factory=LocalExecutor)
    person: None = None
    core: CoreSettings = field(factory=CoreSettings)
    settings: Any = None
    call_id: str = ""
    shown: list[str] = field(factory=list)
    judge: Callable[[Resources], Decision] = lambda resources: Decision(verdict="deny")

    session: Session = field()

    @session.default
    def _default_session(self) -> Session:
        now = datetime.now(UTC)
        where = SessionMetadata(directory=str(self.directory))
        return Session(id="bench", created_at=now, updated_at=now, metadata=where, turn=1)

    @property
    def root(self) -> Session:
        """The session itself."""
        return self.session

    @property
    def state_dir(self) -> Path:
        """A plugin's own directory, away from the workspace and what lies beside it; made when first asked for."""
        above = self.directory.parent
        place = above.parent / f".{above.name}-{self.directory.name}.state"
        place.mkdir(mode=0o700, exist_ok=True)
        return place

    @property
    def cache_dir(self) -> Path:
        """The same directory."""
        return self.state_dir

    def progress(self, text: str) -> None:
        """Keeps what the call shows."""
        self.shown.append(text)

    async def permitted(self, resources: Resources) -> Decision:
        """What the rules of the workbench say; without one, nothing more is permitted."""
        return self.judge(resources)


@define(kw_only=True)
class Workbench:
    """Tools by name, with the rules that their calls pass.

    Attributes:
        directory: the workspace, absolute and resolved.
        permissions: like the table `[permissions]`.
    """

    directory: Path
    tools: Mapping[str, Tool]
    mode: Mode = "edit"
    permissions: Mapping[str, Any] = field(factory=dict)
    context: BenchContext = field()
    _calls: int = 0

    @context.default
    def _default_context(self) -> BenchContext:
        return BenchContext(directory=self.directory)

    def definition(self, name: str) -> ToolDefinition:
        """A tool's definition."""
        return self.tools[name].definition

    def prepared(self, name: str, **arguments: JSON) -> tuple[ToolCall, ToolContext]:
        """A call whose arguments fit the tool's schema, and its context."""
        problems = [error.message for error in validator(self.definition(name).schema).iter_errors(arguments)]
        if problems:
            raise ValueError(f"{name}: {'; '.join(problems)}")
        self._calls += 1
        self.context.call_id = f"call_{self._calls}"
        call = ToolCall(id=self.context.call_id, name=name, arguments=arguments)
        return call, cast(ToolContext, self.context)

    def decide(self, call: ToolCall, resources: Resources) -> Decision:
        """What the rules say of a call."""
        request = PermissionRequest(
            call=call,
            definition=self.definition(call.name),
            resources=resources,
            directory=self.directory,
            mode=self.mode,
        )
        return Rules.parse(self.permissions).decide(request)

    async def call(self, name: str, **arguments: JSON) -> ToolResult:
        """Judges and runs a call. Where the rules do not allow it, the error result says which one."""
        call, ctx = self.prepared(name, **arguments)
        try:
            resources = self.tools[name].resources(call, ctx)
        except Exception as error:  # the loop turns whatever a tool raises into an error result
            return error_result(str(error))
        decision = self.decide(call, resources)
        if decision.verdict != "allow":
            return error_result(f"{name} was denied ({decision.rule})", decision=decision.verdict)
        self.context.judge = partial(self.decide, call)
        return await self.tools[name].run(call, ctx)


async def workbench(directory: Path, *plugins: Any, **how: Any) -> Workbench:
    """A workbench with the tools of the given plugin modules."""
    context = BenchContext(directory=directory.resolve())
    found: list[Tool] = []
    for plugin in plugins:
        for spec in plugin.codetether_tools():
            found += await _tools(spec.create(context))
    named = {tool.definition.name: tool for tool in found}
    return Workbench(directory=context.directory, tools=named, context=context, **how)


async def _tools(toolset: Any) -> Sequence[Tool]:
    return cast(Sequence[Tool], await toolset.tools())
