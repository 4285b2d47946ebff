"""Which tools are offered, and what of a model's wording names one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from codetether import JSON, ToolDefinition

from codetether_router_text.coercion import Written, fitted

NAMES = (
    "name",
    "function",
    "tool",
    "tool_name",
    "function_name",
    "action",
    "recipient_name",
    "toolName",
    "func",
    "api",
)
ARGUMENTS = frozenset(
    [
        *("arguments", "parameters", "args", "params", "input", "inputs", "argument", "kwargs", "action_input"),
        *("tool_input", "tool_args", "tool_arguments", "tool_parameters", "function_args", "function_arguments"),
    ]
)
HOLDERS = ("function", "function_call", "functionCall", "tool_call", "toolCall", "toolUse", "tool_use", "call", "tool")
LISTS = ("tool_calls", "toolCalls", "tool_uses", "function_calls", "functionCalls", "calls", "tools", "actions")
NO_CALL = frozenset(["description", "result", "output", "response", "returns", "error", "observation", "properties"])
"""Keys beside the name that say: a declaration, or the record of a call that was made."""
BEFORE = re.compile(r"(?:to=)?(?:functions?|tools?|default_api)\.")
AFTER = re.compile(r":\d{1,4}$")


@frozen
class Call:
    """A call that was read: `arguments` fit the tool's schema as well as they can."""

    name: str
    arguments: dict[str, JSON]


@define(kw_only=True)
class Offers:
    """The offered tools. `lenient`: what is nearly right counts as well."""

    tools: Mapping[str, ToolDefinition]
    lenient: bool = True
    _properties: dict[str, frozenset[str]] = field(factory=dict)

    @classmethod
    def of(cls, tools: Sequence[ToolDefinition], lenient: bool = True) -> Offers:
        """The offers of these tools."""
        return cls(tools={tool.name: tool for tool in tools}, lenient=lenient)

    def name(self, written: str) -> str | None:
        """The tool that is meant: its exact name, or with `functions.` or itself before it and `:0` after it."""
        if written in self.tools:
            return written
        if not 0 < len(written) <= 300:
            return None
        shorter = AFTER.sub("", written.strip())
        for each in (shorter, BEFORE.sub("", shorter, count=1)):
            if each in self.tools:
                return each
        first, _, rest = shorter.partition(".")
        return first if first == rest and first in self.tools else None

    def properties(self, name: str) -> frozenset[str]:
        """The names of its parameters."""
        if name not in self._properties:
            schema = self.tools[name].schema
            found = schema.get("properties")
            self._properties[name] = frozenset(found) if isinstance(found, Mapping) else frozenset()
        return self._properties[name]

    def required(self, name: str) -> list[str]:
        """Its required parameters."""
        found = self.tools[name].schema.get("required")
        return [key for key in found if isinstance(key, str)] if isinstance(found, Sequence) else []

    def call(self, name: str, arguments: Any) -> Call | None:
        """The call with these arguments: an object, the JSON text of one, or the text for the one parameter."""
        if isinstance(arguments, Written | str):
            arguments = self._from_text(name, str(arguments))
        if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
            return None
        return Call(name, fitted(self._unwrapped(name, arguments), self.tools[name].schema))

    def bare(self, name: str) -> str | None:
        """The parameter that a bare string goes to: the only one, or the only required text."""
        known = self.properties(name)
        if len(known) == 1:
            return next(iter(known))
        schema = self.tools[name].schema["properties"] if known else {}
        texts = [key for key in self.required(name) if _is_text(schema.get(key))]
        return texts[0] if len(texts) == 1 else None

    def _from_text(self, name: str, text: str) -> Any:
        stripped = text.strip()
        if stripped[:1] == "{":
            try:
                return json.loads(stripped, strict=False)
            except (ValueError, RecursionError):
                return None
        parameter = self.bare(name)
        return None if parameter is None else {parameter: Written(text)}

    def _unwrapped(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments without a wrapper that the schema does not know: `{"input": {"city": "Paris"}}`."""
        known = self.properties(name)
        if len(arguments) == 1 and known:
            key, value = next(iter(arguments.items()))
            if key in ARGUMENTS and key not in known:
                if isinstance(value, str) and value.strip()[:1] == "{":
                    value = self._from_text(name, value)
                if isinstance(value, dict) and known.issuperset(value):
                    return value
        return arguments

    def calls(self, value: Any, wrapped: bool = False) -> list[Call] | None:
        """The calls that a JSON value is; None where it is anything else. `wrapped`: it stands between marks for calls.

        A list counts only if each of its members is a call.
        """
        if isinstance(value, list):
            found = [self.calls(item, wrapped) for item in value] if 0 < len(value) <= 256 else []
            if not found or any(calls is None for calls in found):
                return None
            return [call for calls in found for call in calls or ()]
        if not isinstance(value, dict) or not value:
            return None
        if (call := self._named(value)) is not None:
            return [call]
        for key in LISTS:
            if isinstance(value.get(key), list) and not set(value) - {key, "content", "role", "thought", "reasoning"}:
                return self.calls(value[key], wrapped)
        for key in HOLDERS:
            if isinstance(value.get(key), dict) and not set(value) - {key, "id", "type", "index"}:
                return self.calls(value[key], wrapped)
        if wrapped and len(value) == 1:
            key, inner = next(iter(value.items()))
            if isinstance(inner, dict) and (name := self.name(key)) is not None and not _is_schema(inner):
                call = self.call(name, inner)
                return [call] if call else None
        return None

    def _named(self, value: dict[str, Any]) -> Call | None:
        """The call that an object with a name and arguments is."""
        key = next((key for key in NAMES if isinstance(value.get(key), str)), None)
        name = self.name(value[key]) if key else None
        if name is None or not NO_CALL.isdisjoint(value):
            return None
        given = [key for key in ARGUMENTS if key in value]
        if len(given) != 1 or (_is_schema(value[given[0]]) and not {"type", "properties"} <= self.properties(name)):
            return None
        return self.call(name, value[given[0]])

    def placed(self, name: str, values: Sequence[Any], named: dict[str, Any]) -> Call | None:
        """The call with arguments by place: only one, for the parameter that a bare string would go to."""
        if not values:
            return self.call(name, named)
        parameter = self.bare(name)
        first = values[0]
        if len(values) == 1 and isinstance(first, dict) and first and not named and self.properties(name) >= set(first):
            return self.call(name, first)  # the arguments as one object
        if len(values) > 1 or parameter is None or parameter in named:
            return None
        return self.call(name, {parameter: values[0], **named})


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "object" and isinstance(value.get("properties"), dict)


def _is_text(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "string"
