"""Makes JSON schemas of types, and values of these types of what fits the schemas."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSequence, Sequence, Set
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache, partial
from pathlib import Path, PurePath
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NewType,
    NoReturn,
    NotRequired,
    Required,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import UUID

import attrs
import orjson

from codetether.docstrings import read_docstring
from codetether.errors import UsageError
from codetether.plugins.contracts import validator

if TYPE_CHECKING:
    from cattrs import Converter

PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Path: {"type": "string"},
    PurePath: {"type": "string"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    UUID: {"type": "string", "format": "uuid"},
    Decimal: {"anyOf": [{"type": "number"}, {"type": "string"}]},
    bytes: {"type": "string", "contentEncoding": "base64"},
    Any: {},
    object: {},
}
_READERS: dict[Any, Callable[[Any], Any]] = {
    Path: Path,
    PurePath: PurePath,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
    Decimal: lambda value: Decimal(str(value)),
    bytes: partial(b64decode, validate=True),
    type(None): lambda value: value,
}
"""What makes a value of what JSON has for it."""
_LISTS = (list, tuple, set, frozenset, Sequence, MutableSequence, Set)
_MAPPINGS = (dict, Mapping, MutableMapping)
_MISSING = object()
_REMEDY = (
    "use str, int, float, bool, bytes, Path, Decimal, UUID, dates, list, dict, Literal, Enum, a union of them, "
    "an attrs class, a dataclass or a TypedDict"
)


class Schemas:
    """JSON schemas of types; a class that holds itself is described once, under `$defs`."""

    def __init__(self) -> None:
        self._within: list[type[Any]] = []
        self._names: dict[type[Any], str] = {}
        self._defined: dict[str, dict[str, Any]] = {}

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The outermost schema, with what its parts refer to."""
        return {**schema, "$defs": self._defined} if self._defined else schema

    def of(self, hint: Any, where: str = "") -> dict[str, Any]:
        """The schema of a type, as a part of a whole one. Raises UsageError, naming the place, where it has none."""
        origin, args = get_origin(hint), get_args(hint)
        if origin is Annotated:
            said = (a if isinstance(a, str) else getattr(a, "description", None) for a in args[1:])
            notes = [{"description": a} for a in said if isinstance(a, str)]
            return {**self.of(args[0], where), **(notes[0] if notes else {})}
        if origin in (Required, NotRequired):
            return self.of(args[0], where)
        if isinstance(hint, NewType):
            return self.of(hint.__supertype__, where)
        if hasattr(hint, "__value__"):  # type Name = …
            return self.of(hint.__value__, where)
        if origin is None and hint in PLAIN:
            return dict(PLAIN[hint])
        if origin is Literal:
            return _choice([member.value if isinstance(member, enum.Enum) else member for member in args])
        if _is_union(hint):
            return {"anyOf": [self.of(a, where) for a in args]}
        if origin is tuple and args and args[-1] is not Ellipsis:
            items = [self.of(a, f"{where}[{place}]") for place, a in enumerate(args)]
            return {"type": "array", "prefixItems": items, "minItems": len(args), "maxItems": len(args)}
        if hint in _LISTS or origin in _LISTS:
            return {"type": "array", **({"items": self.of(args[0], f"{where}[]")} if args else {})}
        if hint in _MAPPINGS or origin in _MAPPINGS:
            return self._mapping(args, where)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return _choice([member.value for member in hint])
        if isinstance(hint, type) and (attrs.has(hint) or dataclasses.is_dataclass(hint) or is_typeddict(hint)):
            return self._class(hint, where)
        return _refuse(where, f"no JSON schema for the type {hint!r}")

    def _mapping(self, args: tuple[Any, ...], where: str) -> dict[str, Any]:
        if not args:
            return {"type": "object"}
        keys = self.of(args[0], f"{where}: key")
        if keys.get("type") != "string":
            _refuse(where, f"the keys of an object are text, not {args[0]!r}")
        names = {"propertyNames": {"enum": keys["enum"]}} if "enum" in keys else {}
        return {"type": "object", "additionalProperties": self.of(args[1], f"{where}.*"), **names}

    def _class(self, cls: type[Any], where: str) -> dict[str, Any]:
        """An object's; where it holds itself, what refers to that."""
        if cls in self._within:
            same = sum(each.__name__ == cls.__name__ for each in self._names if each is not cls)
            self._names.setdefault(cls, f"{cls.__name__}{same + 1 if same else ''}")
        elif cls not in self._names:
            self._within.append(cls)
            schema = self._object(cls, where)
            self._within.pop()
            if cls not in self._names:
                return schema
            self._defined[self._names[cls]] = schema
        return {"$ref": f"#/$defs/{self._names[cls]}"}

    def _object(self, cls: type[Any], where: str) -> dict[str, Any]:
        """The properties are described by the `Attributes:` of the class's docstring."""
        hints = hints_of(cls, where)
        notes = read_docstring(cls.__doc__ or "")[1]
        properties: dict[str, Any] = {}
        required = []
        for name, default in _members(cls, hints):
            properties[name] = described(self.of(hints[name], f"{where}.{name}"), notes.get(name), default)
            if default is _MISSING:
                required.append(name)
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _members(cls: type[Any], hints: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The members that a value of the class is made of, each with its default; `_MISSING` where it has none."""
    if is_typeddict(cls):
        for name, hint in hints.items():
            needed = {Required: True, NotRequired: False}.get(get_origin(hint), name in cls.__required_keys__)
            yield name, _MISSING if needed else None
        return
    members: Any = attrs.fields(cls) if attrs.has(cls) else dataclasses.fields(cls)
    for member in members:
        fresh = getattr(member, "default_factory", dataclasses.MISSING) is not dataclasses.MISSING
        missing = not fresh and (member.default is attrs.NOTHING or member.default is dataclasses.MISSING)
        if member.init:
            yield member.name, _MISSING if missing else member.default


def _choice(values: Sequence[Any]) -> dict[str, Any]:
    """One of these values, with their type where all have the same."""
    kinds = {type(value) for value in values}
    kind = PLAIN.get(kinds.pop(), {}) if len(kinds) == 1 else {}
    return {**kind, "enum": list(values)}


def described(schema: dict[str, Any], note: str | None, default: Any) -> dict[str, Any]:
    """The schema with a description, unless it has one, and with the default where that says something."""
    if note:
        schema.setdefault("description", note)
    value = default.value if isinstance(default, enum.Enum) and default is not attrs.NOTHING else default
    if isinstance(value, str | int | float) or (isinstance(value, list | tuple) and value):
        with suppress(TypeError):  # what is no JSON is not said
            schema["default"] = orjson.loads(orjson.dumps(value))
    return schema


def hints_of(thing: Any, where: str) -> dict[str, Any]:
    """The types that a function or a class names. Raises UsageError for one that is not there when it runs."""
    try:
        return get_type_hints(thing, include_extras=True)
    except NameError as error:
        _refuse(
            where, f"a type hint cannot be read: {error}", "import the type where the module runs, not only for types"
        )


def schema_of(hint: Any) -> dict[str, Any]:
    """The JSON schema of a type, by itself."""
    schemas = Schemas()
    return schemas.whole(schemas.of(hint))


@cache
def converter() -> Converter:
    """Makes values of what fits the schema of their type."""
    from cattrs import Converter

    made = Converter(forbid_extra_keys=True)
    made.register_structure_hook_factory(_is_union, lambda union: partial(_structured_member, _kinds(union)))
    made.register_structure_hook_factory(
        is_typeddict, lambda cls: partial(_structured_items, typing.get_type_hints(cls))
    )
    made.register_structure_hook_func(lambda hint: hint is object, lambda value, _: value)
    for kind in _READERS:
        made.register_structure_hook(kind, lambda value, hint: _READERS[hint](value))
    return made


def _structured_items(hints: Mapping[str, Any], value: Mapping[str, Any], _: Any) -> dict[str, Any]:
    """The value as a TypedDict. What it may lack is seen here: cattrs does not where annotations are text."""
    return {name: converter().structure(item, hints[name]) for name, item in value.items()}


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (typing.Union, types.UnionType)


def _kinds(union: Any) -> list[tuple[Any, Any]]:
    """The members of a union, each with what tells whether a value fits its schema."""
    return [(member, validator(schema_of(member))) for member in get_args(union)]


def _structured_member(members: Sequence[tuple[Any, Any]], value: Any, _: Any) -> Any:
    """The value as the first member whose schema it fits."""
    for member, check in members:
        if check.is_valid(value):
            return converter().structure(value, member)
    raise ValueError("fits none of the kinds that it may be")


def structured(value: Any, hint: Any, path: str) -> Any:
    """The value as the type. Raises UsageError with each path that does not fit."""
    from cattrs import transform_error

    try:
        return converter().structure(value, hint)
    except Exception as error:  # whatever a class's own checks raise is the caller's to act on
        found = transform_error(error, path, lambda each, _: " ".join(str(each).split()) or type(each).__name__)
        said = (message.rpartition(" @ ") for message in found)
        raise UsageError("; ".join(f"at {place}: {why}" for why, _, place in said)) from error


def _refuse(where: str, why: str, remedy: str = _REMEDY) -> NoReturn:
    raise UsageError(f"{where}: {why}", remedy=remedy)
