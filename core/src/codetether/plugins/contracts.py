"""What plugins must give: records of the right kind, objects with the right methods, tools that can be offered."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import orjson

from codetether import specs
from codetether.errors import PluginError
from codetether.models.messages import FilePart, ImagePart, TextPart
from codetether.models.record import Unknown
from codetether.models.tools import ToolDefinition, ToolResult

SCHEMA_LIMIT = 100_000
"""Bytes of one tool's schema: more than that is no description, and every request to the model would carry it."""

YIELDS: dict[str, type[Any]] = {
    "codetether_settings": specs.SettingsSpec,
    "codetether_wires": specs.WireSpec,
    "codetether_providers": specs.ProviderSpec,
    "codetether_model_defaults": specs.ModelDefaults,
    "codetether_catalogues": specs.CatalogueSpec,
    "codetether_selectors": specs.SelectorSpec,
    "codetether_agents": specs.AgentSpec,
    "codetether_tools": specs.ToolsetSpec,
    "codetether_tool_filters": specs.ToolFilterSpec,
    "codetether_prompt_sections": specs.PromptSectionSpec,
    "codetether_tool_call_routers": specs.RouterSpec,
    "codetether_result_reviewers": specs.ResultReviewerSpec,
    "codetether_context_policies": specs.ContextPolicySpec,
    "codetether_permission_policies": specs.PolicySpec,
    "codetether_executors": specs.ExecutorSpec,
    "codetether_credential_sources": specs.CredentialSourceSpec,
    "codetether_audit_sinks": specs.AuditSinkSpec,
    "codetether_event_sinks": specs.EventSinkSpec,
    "codetether_session_formats": specs.SessionFormatSpec,
    "codetether_slash_commands": specs.SlashCommandSpec,
}
"""What each hook must yield."""

METHODS: dict[type[Any], tuple[str, ...]] = {
    specs.WireSpec: ("connect",),
    specs.CatalogueSpec: ("models", "defaults", "refresh"),
    specs.SelectorSpec: ("select",),
    specs.ToolsetSpec: ("tools",),
    specs.ToolFilterSpec: ("keep",),
    specs.PromptSectionSpec: ("render",),
    specs.RouterSpec: ("reformat",),
    specs.ResultReviewerSpec: ("review",),
    specs.ContextPolicySpec: ("choose",),
    specs.PolicySpec: ("decide",),
    specs.ExecutorSpec: ("run", "start"),
    specs.CredentialSourceSpec: ("get",),
    specs.AuditSinkSpec: ("record",),
    specs.EventSinkSpec: ("write", "flush"),
    specs.SlashCommandSpec: ("run",),
    specs.SessionFormatSpec: ("recognises", "read"),
}
"""What the object that a record creates must have, else it counts as failed."""


def check_record(item: Any, kind: type[Any]) -> None:
    """Raises PluginError for a record of another kind than the hook must yield, or not as its class says."""
    if not isinstance(item, kind):
        raise PluginError(f"yielded {type(item).__name__}, not {kind.__name__}")
    for name, hint, fits in _checks(kind.__name__):
        value = getattr(item, name)
        if not fits(value):
            raise PluginError(f"yielded a {kind.__name__} whose `{name}` is {type(value).__name__}, not {_words(hint)}")
        if name == "name" and not (value and value.isprintable() and len(value) <= 100):
            raise PluginError(f"yielded a {kind.__name__} whose `name` is not 1 to 100 printable characters")
        if name == "cls" and not attrs.has(value):
            raise PluginError(f"yielded a {kind.__name__} whose `cls` is no attrs class")


@cache
def _checks(spec: str) -> Sequence[tuple[str, Any, Callable[[Any], bool]]]:
    """Each field of the record: its name, its type, and what tells whether a value is of that type."""
    return [(name, hint, _check(hint)) for name, hint in get_type_hints(getattr(specs, spec)).items()]


def _check(hint: Any) -> Callable[[Any], bool]:
    """Whether a value is of the type, as deep as a plain tuple goes: enough that no reader stumbles over it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: True
    if origin in (Union, types.UnionType):
        members = [_check(member) for member in arguments]
        return lambda value: any(fits(value) for fits in members)
    if origin is Literal:
        return lambda value: value in arguments
    if origin is Callable:
        return callable
    if origin in (tuple, frozenset):
        return lambda value: isinstance(value, origin) and all(isinstance(v, arguments[0]) for v in value)
    return lambda value: isinstance(value, origin or hint)


def _words(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Callable:
        return "a function"
    return str(getattr(hint, "__name__", hint)) if origin is None else str(hint).replace("typing.", "")


def check_definition(definition: ToolDefinition) -> None:
    """Raises PluginError for a definition that no model could be offered; nothing is ever fetched."""
    if not isinstance(definition, ToolDefinition):
        raise PluginError(f"its definition is {type(definition).__name__}, not ToolDefinition")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(definition.name)):
        raise PluginError("its name is not 1 to 64 ASCII letters, digits, '_' and '-'")
    for field, kind in (("name", str), ("description", str), ("schema", Mapping), ("timeout", int | float)):
        if not isinstance(value := getattr(definition, field), kind):
            raise PluginError(f"its {field} is {type(value).__name__}")
    if unknown := [e for e in definition.effects if e not in ("read", "write", "execute", "network")]:
        raise PluginError(f"it has the effect {unknown[0]!r}; there are read, write, execute and network")
    try:
        size = len(orjson.dumps(definition.schema))
    except TypeError as error:
        raise PluginError(f"its schema is no JSON: {error}") from error
    if size > SCHEMA_LIMIT:
        raise PluginError(f"its schema has {size} bytes, more than {SCHEMA_LIMIT}")
    if definition.schema.get("type") != "object":
        raise PluginError('its schema is not of the type "object"')
    try:
        validator(definition.schema)
    except ValueError as error:
        raise PluginError(f"its schema is invalid: {str(error).partition('Failed validating')[0]}") from error


def validator(schema: Mapping[str, Any]) -> Any:
    """A compiled validator of a JSON schema that never fetches anything. Raises ValueError for an invalid one."""
    import jsonschema_rs

    def refuse(uri: str) -> Any:
        raise ValueError(f"a tool's schema refers to {uri}, and nothing is fetched")

    return jsonschema_rs.Draft202012Validator(dict(schema), retriever=refuse)


def check_result(made: Any) -> ToolResult:
    """The result of a tool, its metadata as plain JSON. Raises PluginError for what no journal could hold."""
    if not isinstance(made, ToolResult):
        raise PluginError(f"returned {type(made).__name__}, not a ToolResult")
    for part in made.content:
        if not isinstance(part, TextPart | ImagePart | FilePart | Unknown):
            raise PluginError(f"returned a ToolResult that holds {type(part).__name__}, not parts")
        text: Any = part.text if isinstance(part, TextPart) else ""
        if not isinstance(text, str):
            raise PluginError(f"returned a TextPart of {type(text).__name__}, not str")
    if not made.metadata:
        return made
    try:
        plain = orjson.loads(orjson.dumps(dict(made.metadata), default=str, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:  # it is only for screens and records: a result does not fail for it
        plain = {}
    return attrs.evolve(made, metadata=plain)
