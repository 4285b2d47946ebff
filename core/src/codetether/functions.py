"""`@tool`: a typed function becomes a tool."""

from __future__ import annotations

import asyncio
import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, get_args, get_origin, overload

import attrs

from codetether.errors import UsageError
from codetether.models.tools import Effect, Resources, ToolCall, ToolDefinition, ToolExample, ToolResult, text_result
from codetether.plugin_contexts import SessionContext, ToolContext

PLAIN: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


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
    ) -> None:
        self._function = function
        self._name = name or function.__name__
        self._effects = tuple(effects)
        self._idempotent = idempotent
        self._examples = tuple(examples)
        self._timeout = timeout
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        hints = typing.get_type_hints(self._function, include_extras=True)
        return {name: hints.get(name, str) for name in inspect.signature(self._function).parameters}

    @cached_property
    def _context(self) -> str | None:
        """The parameter that takes the ToolContext, where there is one."""
        return next((name for name, hint in self._hints.items() if hint is ToolContext), None)

    @cached_property
    def definition(self) -> ToolDefinition:
        """Name, description and schema, from the function's name, docstring and hints."""
        summary, notes = read_docstring(self._function.__doc__ or "")
        properties: dict[str, Any] = {}
        required = []
        for name, parameter in inspect.signature(self._function).parameters.items():
            if name == self._context:
                continue
            properties[name] = schema_of(self._hints[name], f"{self._name}.{name}")
            if name in notes:
                properties[name].setdefault("description", notes[name])
            if parameter.default is inspect.Parameter.empty:
                required.append(name)
        schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return ToolDefinition(
            name=self._name,
            description=summary,
            schema=schema,
            effects=self._effects,
            idempotent=self._idempotent,
            examples=self._examples,
            timeout=self._timeout,
        )

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing more than the effects that were declared."""
        return Resources()

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """Calls the function with structured arguments; a plain function runs in a thread."""
        from codetether.wire import converter

        values = {name: converter().structure(value, self._hints[name]) for name, value in call.arguments.items()}
        if self._context:
            values[self._context] = ctx
        if inspect.iscoroutinefunction(self._function):
            made = await self._function(**values)
        else:
            made = await asyncio.to_thread(self._function, **values)
        return as_result(made)


def as_result(made: Any) -> ToolResult:
    """What a function returned, as a result: text as it is, None as nothing, other values as JSON."""
    match made:
        case ToolResult():
            return made
        case str():
            return text_result(made)
        case None:
            return text_result("")
        case _:
            from codetether.wire import to_json

            return text_result(to_json(made).decode())


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
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    function: Callable[..., Any] | None = None, /, **options: Any
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Makes a tool of a typed function.

    The docstring's first paragraph becomes the description, its `Args:` the parameters' descriptions, the hints the
    schema: str, int, float, bool, lists, dicts, Literal, Enum, Optional, unions, attrs classes. A parameter annotated
    `ToolContext` is given the call's context. Say what it can do (`effects=("read",)`): a tool that says nothing is
    taken to do everything, and asks.
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


def read_docstring(text: str) -> tuple[str, Mapping[str, str]]:
    """The description without its `Args:` section, and the parameters' descriptions."""
    lines = inspect.cleandoc(text).splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() in ("Args:", "Arguments:", "Parameters:")), None)
    if start is None:
        return "\n".join(lines).strip(), {}
    notes: dict[str, str] = {}
    current = ""
    for line in lines[start + 1 :]:
        if line.strip() and not line.startswith(" "):
            break
        indent = len(line) - len(line.lstrip())
        head, colon, rest = line.strip().partition(":")
        if colon and indent <= 4:
            current = head.split("(")[0].strip()
            notes[current] = rest.strip()
        elif current and line.strip():
            notes[current] += " " + line.strip()
    return "\n".join(lines[:start]).strip(), notes


def schema_of(hint: Any, where: str = "") -> dict[str, Any]:
    """The JSON schema of a type. Raises UsageError, naming the parameter, for a type that has none."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        notes = [a for a in args[1:] if isinstance(a, str)]
        return {**schema_of(args[0], where), **({"description": notes[0]} if notes else {})}
    if hint is Any:
        return {}
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema_of(a, where) for a in args]}
    if hint in (list, tuple, set, Sequence) or origin in (list, tuple, set, frozenset, Sequence):
        item = next((a for a in args if a is not Ellipsis), None)
        return {"type": "array", **({"items": schema_of(item, where)} if item is not None else {})}
    if hint in (dict, Mapping) or origin in (dict, Mapping):
        return {"type": "object", **({"additionalProperties": schema_of(args[1], where)} if args else {})}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if isinstance(hint, type) and attrs.has(hint):
        attrs.resolve_types(hint)
        fields = [a for a in attrs.fields(hint) if a.init]
        return {
            "type": "object",
            "properties": {a.name: schema_of(a.type, f"{where}.{a.name}") for a in fields},
            "required": [a.name for a in fields if a.default is attrs.NOTHING],
            "additionalProperties": False,
        }
    raise UsageError(
        f"{where}: no JSON schema for the type {hint!r}",
        remedy="use str, int, float, bool, list, dict, Literal, Enum, a union of them, or an attrs class",
    )
