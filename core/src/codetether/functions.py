"""`@tool`: a typed function becomes a tool."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, overload

from codetether.arguments import expected
from codetether.docstrings import read_docstring
from codetether.errors import UsageError
from codetether.models.tools import Effect, Resources, ToolCall, ToolDefinition, ToolExample, ToolResult, text_result
from codetether.plugin_contexts import SessionContext, ToolContext
from codetether.schemas import Schemas, described, hints_of, structured


class FunctionTool:
    """A tool made of a function. Calling it calls the function, so that it can be tested as one."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        effects: Sequence[Effect] = ("read", "write", "execute", "network"),
        idempotent: bool = False,
        examples: Sequence[ToolExample] = (),
        timeout: float = 600.0,
        touches: Callable[..., Resources] | None = None,
    ) -> None:
        self._function = function
        self._name = name or str(getattr(function, "__name__", type(function).__name__))
        self._effects = tuple(effects)
        self._idempotent = idempotent
        self._examples = tuple(examples)
        self._timeout = timeout
        self._touches = touches
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        """The parameters with their types; text where there is none."""
        if inspect.isclass(self._function) or not hasattr(self._function, "__name__"):
            raise UsageError(f"{self._name}: not a function", remedy="write a def with hints that calls it")
        if inspect.isgeneratorfunction(self._function) or inspect.isasyncgenfunction(self._function):
            raise UsageError(
                f"{self._name}: a tool has one result, and yields none",
                remedy="return it as a whole; show what comes before with ctx.progress",
            )
        hints = hints_of(self._function, self._name)
        parameters = inspect.signature(self._function).parameters.values()
        for each in parameters:
            if each.name in ("self", "cls") and each.name not in hints:
                raise UsageError(
                    f"{self._name}.{each.name}: a method of no object",
                    remedy="make the tool of a bound one: tool(it.do)",
                )
            if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
                raise UsageError(
                    f"{self._name}.{each.name}: a model gives arguments by name",
                    remedy="name each parameter: no *, no /",
                )
        return {each.name: hints.get(each.name, str) for each in parameters}

    @cached_property
    def _context(self) -> str | None:
        """The parameter that takes the ToolContext, where there is one."""
        return next((name for name, hint in self._hints.items() if hint is ToolContext), None)

    @cached_property
    def definition(self) -> ToolDefinition:
        """Name, description and schema, from the function's name, docstring and hints. Raises UsageError."""
        hints = self._hints
        description, notes = read_docstring(self._function.__doc__ or "")
        schemas = Schemas()
        properties: dict[str, Any] = {}
        required = []
        for name, parameter in inspect.signature(self._function).parameters.items():
            if name == self._context:
                continue
            properties[name] = described(
                schemas.of(hints[name], f"{self._name}.{name}"), notes.get(name), parameter.default
            )
            if parameter.default is inspect.Parameter.empty:
                required.append(name)
        schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return ToolDefinition(
            name=self._name,
            description=description,
            schema=schemas.whole(schema),
            effects=self._effects,
            idempotent=self._idempotent,
            examples=self._examples,
            timeout=self._timeout,
        )

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """What `touches` says of these arguments; without it, nothing more than the effects that were declared."""
        return Resources() if self._touches is None else self._touches(**self._values(call))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """Calls the function with structured arguments; a plain function runs in a thread."""
        values = self._values(call)
        if self._context:
            values[self._context] = ctx
        if inspect.iscoroutinefunction(self._function):
            return as_result(await self._function(**values))
        made = await asyncio.to_thread(self._called, values)
        return as_result(await made if inspect.isawaitable(made) else made)

    def _called(self, values: dict[str, Any]) -> Any:
        try:
            return self._function(**values)
        except StopIteration as error:  # a future cannot hold one, and would be waited for without end
            raise RuntimeError(f"{self._name} raised StopIteration") from error

    def _values(self, call: ToolCall) -> dict[str, Any]:
        """The arguments as the types of the hints. Raises UsageError with paths and an example."""
        try:
            return {name: structured(value, self._hints[name], f"$.{name}") for name, value in call.arguments.items()}
        except UsageError as error:
            why = f"invalid arguments for {self._name}: {error.message}. {expected(self.definition)}"
            raise UsageError(why) from error


def as_result(made: Any) -> ToolResult:
    """What a function returned, as a result: text as it is, None as nothing, what else there is as JSON or as str."""
    match made:
        case ToolResult():
            return made
        case str():
            return text_result(made)
        case None:
            return text_result("")
        case _:
            from codetether.wire import to_json

            with suppress(TypeError):
                return text_result(to_json(made).decode())
            return text_result(str(made))


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...
@overload
def tool(
    *,
    name: str | None = ...,
    effects: Sequence[Effect] = ...,
    idempotent: bool = ...,
    examples: Sequence[ToolExample] = ...,
    timeout: float = ...,
    touches: Callable[..., Resources] | None = ...,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    function: Callable[..., Any] | None = None, /, **options: Any
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Makes a tool of a typed function.

    The docstring becomes the description, its `Args:` the parameters' descriptions (NumPy's and Sphinx's way is
    understood too), the hints the schema: str, int, float, bool, bytes, Path, Decimal, UUID, dates, lists, dicts,
    Literal, Enum, Optional, unions, attrs classes, dataclasses and TypedDicts, which may hold themselves; their
    `Attributes:` describe their fields. A parameter annotated `ToolContext` is given the call's context. A plain
    function runs in a thread.

    Say what it can do (`effects=("read",)`): a tool that says nothing is taken to do everything, and asks.
    `touches` is given a call's arguments by name and gives the `Resources` that rules and users are shown:
    `touches=lambda path, **_: Resources(writes=(str(path),))`.
    """
    if function is not None:
        return FunctionTool(function)
    return lambda f: FunctionTool(f, **options)


class FunctionTools:
    """A toolset of fixed tools: `ToolsetSpec(name="mine", create=lambda ctx: FunctionTools(a, b))`."""

    def __init__(self, *tools: Any) -> None:
        self._tools = tools

    async def tools(self) -> Sequence[Any]:
        """The tools as they were given."""
        return self._tools
