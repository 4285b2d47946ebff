"""Reads JSON objects into attrs classes: one generated function a class, because a journal holds many thousands."""

from __future__ import annotations

from collections.abc import Callable
from types import MemberDescriptorType, NoneType, UnionType
from typing import Any, NoReturn, Union, get_args, get_origin

import attrs

from codetether.models.record import Record

Read = Callable[[Any, Any], Any]
"""Takes a JSON value and the type that is wanted; raises ValueError, TypeError or KeyError where it does not fit."""

_PLAIN: dict[Any, str] = {
    str: "{0} if {0}.__class__ is str else refuse({0}, 'text')",
    bool: "{0} if {0}.__class__ is bool else refuse({0}, 'true or false')",
    int: "{0} if {0}.__class__ is int else int({0})",
    float: "{0} if {0}.__class__ is float else float({0})",
}


def refuse(value: object, wanted: str) -> NoReturn:
    """Raises the TypeError for a value that is not what is wanted."""
    raise TypeError(f"{wanted} is needed, not {value!r:.100}")


def record_reader(cls: type[Any], tagged: bool, reader_of: Callable[[Any], Read]) -> Read:
    """A function that reads one class; a `Record` keeps the keys that it does not know under `extra`.

    `tagged` tells whether its objects carry a `type`; `reader_of` gives the reader of a field's type.
    """
    fields = [a for a in attrs.fields(attrs.resolve_types(cls)) if a.name != "extra" or not issubclass(cls, Record)]
    names: dict[str, Any] = {"cls": cls, "new": object.__new__, "refuse": refuse}
    required = [a for a in fields if a.default is attrs.NOTHING]
    lines = ["def read(value, _=None):", f"    found = {len(required) + tagged}"]
    for number, a in enumerate(fields):
        read = _expression(a.type, number, names, reader_of)
        if a.default is attrs.NOTHING:
            lines += [f"    v{number} = value[{a.name!r}]", f"    v{number} = {read}"]
            continue
        made_anew = isinstance(a.default, attrs.Factory)  # type: ignore[arg-type]
        names[f"d{number}"] = a.default.factory if made_anew else a.default
        lines += [f"    if {a.name!r} in value:", "        found += 1", f"        v{number} = value[{a.name!r}]"]
        lines += [f"        v{number} = {read}", "    else:", f"        v{number} = d{number}{'()' * made_anew}"]
    if issubclass(cls, Record):
        known = frozenset(a.name for a in fields) | ({"type"} if tagged else set())
        names["unknown"] = lambda value: {k: v for k, v in value.items() if k not in known}
        lines += ["    extra = unknown(value) if len(value) != found else {}"]
    lines += _making(cls, fields, names)
    exec(compile("\n".join(lines), f"<reader of {cls.__qualname__}>", "exec"), names)
    made: Read = names["read"]
    return made


def _making(cls: type[Any], fields: list[attrs.Attribute[Any]], names: dict[str, Any]) -> list[str]:
    """The lines that make the value: slot by slot in half the time of `cls(…)`, where that would do nothing more."""
    values = {a.name: f"v{number}" for number, a in enumerate(fields)}
    if issubclass(cls, Record):
        values["extra"] = "extra"
    slots = {name: getattr(cls, name, None) for name in values}
    simple = all(isinstance(slot, MemberDescriptorType) for slot in slots.values())
    if not simple or hasattr(cls, "__attrs_post_init__") or any(a.converter or a.validator for a in attrs.fields(cls)):
        return [f"    return cls({', '.join(f'{a.alias}={values[a.name]}' for a in attrs.fields(cls) if a.init)})"]
    names.update({f"set_{name}": slot.__set__ for name, slot in slots.items() if slot is not None})
    return [
        "    made = new(cls)",
        *(f"    set_{name}(made, {value})" for name, value in values.items()),
        "    return made",
    ]


def _expression(kind: Any, number: int, names: dict[str, Any], reader_of: Callable[[Any], Read]) -> str:
    """What reads the variable `v<number>`: plain values in place, all others by their type's reader."""
    value = f"v{number}"
    inner = optional_member(kind)
    if inner is not None:
        return f"None if {value} is None else ({_expression(inner, number, names, reader_of)})"
    if kind in _PLAIN:
        return _PLAIN[kind].format(value)
    names[f"r{number}"], names[f"t{number}"] = reader_of(kind), kind
    return f"r{number}({value}, t{number})"


def optional_member(kind: Any) -> Any:
    """The member of `member | None`; None for every other type."""
    members = get_args(kind)
    if get_origin(kind) not in (Union, UnionType) or len(members) != 2 or NoneType not in members:
        return None
    return members[members[0] is NoneType]


def literal_reader(words: tuple[Any, ...]) -> Read:
    """Reads one of the words."""
    known = frozenset(words)

    def read(value: Any, _: Any = None) -> Any:
        if value not in known:
            raise ValueError(f"one of {', '.join(map(str, words))} is needed, not {value!r:.100}")
        return value

    return read


def tuple_reader(member: Any, reader_of: Callable[[Any], Read]) -> Read:
    """Reads `tuple[member, ...]`."""
    read_member = reader_of(member)

    def read(value: Any, _: Any = None) -> Any:
        if value.__class__ is not list and value.__class__ is not tuple:
            refuse(value, "a list")
        return tuple([read_member(one, member) for one in value])

    return read


def union_reader(members: dict[str, Callable[..., Any]], unknown: Callable[..., Any]) -> Read:
    """Reads an object by the word under its `type`; `unknown` takes those whose word is no member's."""

    def read(value: Any, _: Any = None) -> Any:
        if value.__class__ is not dict:
            refuse(value, "an object")
        return members.get(value.get("type", ""), unknown)(value)

    return read


def read_mapping(value: Any, _: Any = None) -> Any:
    """An object of any JSON values, as it is."""
    return value if value.__class__ is dict else refuse(value, "an object")
