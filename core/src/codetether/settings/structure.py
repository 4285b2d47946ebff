"""Plain data into attrs classes, strictly: nothing is converted, and what does not fit is named with its path."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs

T = TypeVar("T")


class Misfit(Exception):
    """A value that does not fit: where it stands, and what is wrong with it."""

    def __init__(self, path: tuple[str, ...], why: str) -> None:
        super().__init__(f"{'.'.join(path)}: {why}")
        self.path = path
        self.why = why


def structure(value: Any, kind: type[T], path: tuple[str, ...] = ()) -> T:
    """The value as `kind`. Raises Misfit.

    `kind` may be an attrs class, str, int, float, bool, Path, Any, a Literal, a union with None or of these, a
    list, tuple, frozenset or mapping of them. Keys of a class are its attributes' names without a trailing `_`,
    or what `metadata={"key": …}` of the attribute says.
    """
    return typing.cast(T, _structure(value, kind, path))


def key_of(attribute: attrs.Attribute[Any]) -> str:
    """The key under which an attribute stands in a settings file."""
    return str(attribute.metadata.get("key", attribute.name.removesuffix("_")))


_MANY = 32
"""Words that are worth listing in an error."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`; did you mean "x"?` where one of the known words is near, else the known ones if they are not too many."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known are {', '.join(sorted(known))}" if 0 < len(known) <= _MANY else ""


def _structure(value: Any, kind: Any, path: tuple[str, ...]) -> Any:
    if kind is Any:
        return value
    if attrs.has(kind):
        return _record(value, kind, path)
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return _one_of(value, arguments, path)
    if origin in (typing.Union, types.UnionType):
        return _union(value, arguments, path)
    if origin in _SEQUENCES:
        return _sequence(value, _SEQUENCES[origin], arguments, path)
    if origin in (dict, Mapping):
        key_kind, item_kind = arguments or (str, Any)
        return _mapping(value, key_kind, item_kind, path)
    return _single(value, kind, path)


_SEQUENCES: dict[Any, Any] = {list: list, tuple: tuple, frozenset: frozenset, set: set, Sequence: tuple}
_WORDS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def _record(value: Any, cls: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, cls):
        return value
    table = _table(value, path)
    attributes = {key_of(a): a for a in attrs.fields(attrs.resolve_types(cls) if table else cls) if a.init}
    made: dict[str, Any] = {}
    for key, inner in table.items():
        if key not in attributes:
            raise Misfit((*path, key), f"unknown setting{did_you_mean(key, list(attributes))}")
        made[attributes[key].alias or key] = _structure(inner, attributes[key].type or Any, (*path, key))
    missing = [k for k, a in attributes.items() if a.default is attrs.NOTHING and k not in table]
    if missing:
        raise Misfit((*path, missing[0]), "is missing")
    try:
        return cls(**made)
    except (TypeError, ValueError) as error:  # the class's own validators
        why = str(error.args[0] if error.args else error)
        raise Misfit((*path, *_refused(attributes, made)), why) from error


def _refused(attributes: Mapping[str, attrs.Attribute[Any]], made: Mapping[str, Any]) -> tuple[str, ...]:
    """The key whose validator refuses its value, as far as that can be told without the instance."""
    for key, attribute in attributes.items():
        if attribute.validator is not None and (attribute.alias or key) in made:
            try:
                attribute.validator(None, attribute, made[attribute.alias or key])
            except (TypeError, ValueError):
                return (key,)
            except AttributeError:  # it looks at the whole instance
                continue
    return ()


def _table(value: Any, path: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Misfit(path, f"is {_named(value)}, not a table")
    return value


def _one_of(value: Any, choices: tuple[Any, ...], path: tuple[str, ...]) -> Any:
    if value in choices and isinstance(value, tuple({type(c) for c in choices})):
        return value
    words = [str(c) for c in choices]
    named = f'"{value}"' if isinstance(value, str) and len(value) <= 20 else _named(value)
    raise Misfit(path, f"is {named}, not one of {', '.join(words)}")


def _union(value: Any, kinds: tuple[Any, ...], path: tuple[str, ...]) -> Any:
    real = [kind for kind in kinds if kind is not type(None)]
    if value is None and len(real) < len(kinds):
        return None
    misfits = []
    for kind in real:
        try:
            return _structure(value, kind, path)
        except Misfit as misfit:
            misfits.append(misfit)
    if len(misfits) == 1 or len(misfits[-1].path) > len(path):
        raise misfits[-1]
    raise Misfit(path, f"is {_named(value)}, not {' or '.join(_WORDS.get(kind, str(kind)) for kind in real)}")


def _sequence(value: Any, make: Any, arguments: tuple[Any, ...], path: tuple[str, ...]) -> Any:
    if not isinstance(value, list | tuple | set | frozenset):
        raise Misfit(path, f"is {_named(value)}, not a list")
    kind = arguments[0] if arguments else Any
    return make(_structure(item, kind, (*path, str(index))) for index, item in enumerate(value))


def _mapping(value: Any, key_kind: Any, kind: Any, path: tuple[str, ...]) -> dict[str, Any]:
    known = get_args(key_kind)
    for key in _table(value, path):
        if known and key not in known:
            raise Misfit((*path, str(key)), f"unknown setting{did_you_mean(str(key), known)}")
    return {str(key): _structure(item, kind, (*path, str(key))) for key, item in _table(value, path).items()}


def _single(value: Any, kind: Any, path: tuple[str, ...]) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # A bool is an int to Python, and never what was meant.
    if isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise Misfit(path, f"is {_named(value)}, not {_WORDS.get(kind, getattr(kind, '__name__', str(kind)))}")


def _named(value: Any) -> str:
    """The value's kind in words: `a string`, `the number 5`."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return "a string"  # not the string itself: it may be a secret in the wrong place
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
        case _:
            return f"a {type(value).__name__}"
