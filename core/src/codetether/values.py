"""attrs' `define` and `frozen`, put off: attrs writes a class's methods when they are first needed, often never."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from operator import attrgetter
from reprlib import recursive_repr
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

__all__ = ["define", "frozen", "maker"]

T = TypeVar("T")

if TYPE_CHECKING:
    from attrs import define, frozen
else:
    _IMMUTABLE = vars(attrs.frozen(type("_Immutable", (), {})))
    _ASKED_FOR = ("__init__", "__match_args__", "__setstate__", "__attrs_attrs__", "__attrs_props__", "_compared")
    _WRITTEN = {*_ASKED_FOR, "__getstate__", "__replace__", "__setattr__", "__attrs_own_setattr__"}
    _WRITING = RLock()

    class _Unwritten:
        """In the place of something that attrs writes: who asks for it, asks attrs to write all of the class."""

        def __init__(self, name, write):
            self.name, self.write = name, write

        def __get__(self, value, owner):
            found = self.write()[self.name]
            bind = getattr(type(found), "__get__", None)
            return bind(found, value, owner) if bind else found

    def _later(decorator: Any) -> Any:
        """The same, but at once a class has only its slots and what all classes share; the rest stays unwritten."""

        def decorate(cls=None, **options):
            if cls is None:
                return lambda cls: decorate(cls, **options)
            if options.keys() - {"kw_only", "eq"} or "__init__" in vars(cls) or _caches(cls):
                return decorator(cls, **options)
            immutable = decorator is attrs.frozen
            cls.__repr__ = vars(cls).get("__repr__", _shown)
            if "__eq__" not in vars(cls) and options.get("eq", True):
                cls.__eq__ = _same
                cls.__hash__ = vars(cls).get("__hash__") or (_hash if immutable else None)

            def write():
                with _WRITING:
                    if isinstance(vars(made)["_compared"], _Unwritten):
                        written = decorator(cls, **options)
                        compared = [a.name for a in attrs.fields(written) if a.eq]
                        written._compared = attrgetter(*compared) if compared else type
                        for name in _WRITTEN & vars(written).keys():
                            setattr(made, name, vars(written)[name])
                return vars(made)

            bases = cls.__mro__[1:-1]
            taken = {slot for base in bases for slot in vars(base).get("__slots__", ())}
            if any("__weakref__" in vars(base) for base in bases):
                taken.add("__weakref__")
            annotated = vars(cls).get("__annotations__", {}).items()
            slots = {name: None for name, kind in annotated if "ClassVar" not in str(kind)} | {"__weakref__": None}
            body = {name: value for name, value in vars(cls).items() if name not in slots and name != "__dict__"}
            body |= {"__slots__": tuple(name for name in slots if name not in taken), "__qualname__": cls.__qualname__}
            body |= {name: _Unwritten(name, write) for name in _ASKED_FOR if name not in body}
            if immutable:
                body |= {name: _IMMUTABLE[name] for name in ("__setattr__", "__delattr__")}
            made = type(cls)(cls.__name__, cls.__bases__, body)
            for value in body.values():  # what says `super()` means the class that is used
                function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
                free = getattr(getattr(function, "__code__", None), "co_freevars", ())
                cell = function.__closure__[free.index("__class__")] if "__class__" in free else None
                if cell and cell.cell_contents is cls:
                    cell.cell_contents = made
            return made

        return decorate

    def _caches(cls):
        return any(isinstance(value, cached_property) for value in vars(cls).values())

    define = _later(attrs.define)
    frozen = _later(attrs.frozen)


@recursive_repr("...")
def _shown(self: Any) -> str:
    shown = (f"{a.name}={getattr(self, a.name)!r}" for a in attrs.fields(type(self)) if a.repr)
    return f"{type(self).__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


def _same(self: Any, other: Any) -> Any:
    return self._compared(self) == self._compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash((type(self), self._compared(self)))


@cache
def maker(cls: type[T]) -> Callable[..., T]:
    """What makes values of a class slot by slot, in half the time of `cls(…)`: for those who make many thousands.

    It takes every field, in their order or by name, and knows no default; every field must be a slot, and no more.
    """
    names = [a.name for a in attrs.fields(cls)]  # type: ignore[arg-type]
    known = {f"set_{name}": getattr(cls, name).__set__ for name in names} | {"new": object.__new__, "cls": cls}
    setting = [f"    set_{name}(made, {name})" for name in names]
    lines = [f"def make({', '.join(names)}):", "    made = new(cls)", *setting, "    return made"]
    exec(compile("\n".join(lines), f"<maker of {cls.__qualname__}>", "exec"), known)
    made: Callable[..., T] = known["make"]
    return made
