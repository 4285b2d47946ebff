"""What each hook must yield, and what the objects that its records create must be able to do."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from codetether import specs
from codetether.errors import PluginError

YIELDS: dict[str, type[Any]] = {
    "codetether_settings": specs.SettingsSpec,
    "codetether_wires": specs.WireSpec,
    "codetether_providers": specs.ProviderSpec,
    "codetether_model_defaults": specs.ModelDefaults,
    "codetether_selectors": specs.SelectorSpec,
    "codetether_agents": specs.AgentSpec,
    "codetether_tools": specs.ToolsetSpec,
    "codetether_tool_filters": specs.ToolFilterSpec,
    "codetether_prompt_sections": specs.PromptSectionSpec,
    "codetether_tool_call_routers": specs.RouterSpec,
    "codetether_context_policies": specs.ContextPolicySpec,
    "codetether_permission_policies": specs.PolicySpec,
    "codetether_executors": specs.ExecutorSpec,
    "codetether_credential_sources": specs.CredentialSourceSpec,
    "codetether_audit_sinks": specs.AuditSinkSpec,
    "codetether_event_sinks": specs.EventSinkSpec,
    "codetether_session_formats": specs.SessionFormatSpec,
}
"""What each hook must yield."""

METHODS: dict[type[Any], tuple[str, ...]] = {
    specs.WireSpec: ("connect",),
    specs.SelectorSpec: ("select",),
    specs.ToolsetSpec: ("tools",),
    specs.ToolFilterSpec: ("keep",),
    specs.PromptSectionSpec: ("render",),
    specs.RouterSpec: ("reformat",),
    specs.ContextPolicySpec: ("choose",),
    specs.PolicySpec: ("decide",),
    specs.ExecutorSpec: ("run", "start"),
    specs.CredentialSourceSpec: ("get",),
    specs.AuditSinkSpec: ("record",),
    specs.EventSinkSpec: ("write", "flush"),
    specs.SessionFormatSpec: ("recognises", "read"),
}
"""What the object that a record creates must have, else it counts as failed."""


def check_record(item: Any, kind: type[Any]) -> None:
    """Raises PluginError for a record of another kind than the hook must yield, or not as its class says."""
    if not isinstance(item, kind):
        raise PluginError(f"yielded {type(item).__name__}, not {kind.__name__}")
    for name, hint in _hints(kind.__name__).items():
        value = getattr(item, name)
        if not _fits(value, hint):
            raise PluginError(f"yielded a {kind.__name__} whose `{name}` is {type(value).__name__}, not {_words(hint)}")
        if name == "name" and not (value and value.isprintable() and len(value) <= 100):
            raise PluginError(f"yielded a {kind.__name__} whose `name` is not 1 to 100 printable characters")
        if name == "cls" and not attrs.has(value):
            raise PluginError(f"yielded a {kind.__name__} whose `cls` is no attrs class")


@cache
def _hints(spec: str) -> dict[str, Any]:
    return get_type_hints(getattr(specs, spec))


def _fits(value: Any, hint: Any) -> bool:
    """Whether the value is of the type, as deep as a plain tuple goes: enough that no reader stumbles over it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, h) for h in arguments)
    if origin is Literal:
        return value in arguments
    if origin is Callable:
        return callable(value)
    if origin in (tuple, frozenset):
        return isinstance(value, origin) and all(isinstance(v, arguments[0]) for v in value)
    return isinstance(value, Mapping if origin is Mapping else origin or hint)


def _words(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Callable:
        return "a function"
    return str(getattr(hint, "__name__", hint)) if origin is None else str(hint).replace("typing.", "")
