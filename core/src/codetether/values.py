"""attrs' `define` and `frozen`, put off: attrs writes a class's methods when they are first needed, often never."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property, partial
from operator import attrgetter
from reprlib import recursive_repr
from threading import RLock
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

__all__ = ["define", "frozen", "maker"]

T = TypeVar("T")


@recursive_repr("...")
def _shown(self: Any) -> str:
    shown = (f"{a.name}={getattr(self, a.name)!r}" for a in attrs.fields(type(self)) if a.repr)
    return f"{type(self).__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


def _same(self: Any, other: Any) -> Any:
    return self._compared(self) == self._compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash((type(self), self._compared(self)))


if TYPE_CHECKING:
    from attrs import define, frozen
else:
    _FROZEN = vars(attrs.frozen(type("_Frozen", (), {})))
    _ASKED_FOR = ("__init__", "__match_args__", "__setstate__", "__attrs_attrs__", "__attrs_props__", "_compared")
    _WRITTEN = {*_ASKED_FOR, "__getstate__", "__replace__", "__setattr__", "__attrs_own_setattr__"}
    _WRITING = RLock()
    _FIELD = type(attrs.field())
    _FEW = 16

    class _Unwritten:
        """In the place of something that attrs writes: who asks for it, asks attrs to write all of the class."""

        def __init__(self, name, write):
            self.name, self.write = name, write

        def __get__(self, value, owner):
            found = self.write()[self.name]
            bind = getattr(type(found), "__get__", None)
            return bind(found, value, owner) if bind else found

    class _Filled(_Unwritten):
        """In the place of `__init__` where every default is a plain value: the first few need no code of their own."""

        def __init__(self, write, names, defaults):
            super().__init__("__init__", write)
            self.names, self.defaults, self.left = {*names}, defaults, _FEW

        def __get__(self, value, owner):
            if value is None or self.left == 0:
                return super().__get__(value, owner)
            self.left -= 1
            return partial(self.fill, value)

        def fill(self, value, /, *positional, **given):
            filled = self.defaults | given
            if positional or filled.keys() != self.names:
                self.write()["__init__"](value, *positional, **given)
                return
            for name, each in filled.items():
                object.__setattr__(value, name, each)
            if post := getattr(value, "__attrs_post_init__", None):
                post()

    def _later(decorator: Any) -> Any:
        """The same, but at once a class has only its slots and what all classes share; the rest stays unwritten."""
        shared = {"__repr__": _shown, "__eq__": _same, "__hash__": None}
        if decorator is attrs.frozen:
            shared |= {"__hash__": _hash, "__setattr__": _FROZEN["__setattr__"], "__delattr__": _FROZEN["__delattr__"]}

        def decorate(cls=None, **options):
            if cls is None:
                return lambda cls: decorate(cls, **options)
            own = dict(vars(cls))
            if options.keys() - {"kw_only"} or "__init__" in own or cached_property in map(type, own.values()):
                return decorator(cls, **options)

            def write():
                with _WRITING:
                    if type(vars(made)["_compared"]) is _Unwritten:
                        written = decorator(cls, **options, eq=False, repr=False)
                        compared = [a.name for a in attrs.fields(written) if a.eq]
                        written._compared = attrgetter(*compared) if compared else type
                        for name in _WRITTEN & vars(written).keys():
                            setattr(made, name, vars(written)[name])
                return vars(made)

            fields = [name for name, kind in own.get("__annotations__", {}).items() if "ClassVar" not in str(kind)]
            defaults = {name: own.pop(name) for name in fields if name in own}
            own.pop("__dict__", None)
            own.pop("__weakref__", None)
            slots, alone = dict.fromkeys((*fields, "__weakref__")), bool(options)
            for base in cls.__mro__[1:-1]:
                alone = alone and "__attrs_attrs__" not in vars(base)
                for name in vars(base).get("__slots__", ("__weakref__",)):
                    slots.pop(name, None)
            unwritten = {name: _Unwritten(name, write) for name in _ASKED_FOR}
            if alone and _FIELD not in map(type, defaults.values()):
                unwritten["__init__"] = _Filled(write, fields, defaults)
            body = shared | unwritten | own | {"__slots__": tuple(slots), "__qualname__": cls.__qualname__}
            made = type(cls)(cls.__name__, cls.__bases__, body)
            for value in own.values():  # what says `super()` means the class that is used
                function = getattr(value, "fget", getattr(value, "__func__", value))
                free = function.__code__.co_freevars if type(function) is FunctionType else ()
                if "__class__" in free and (cell := function.__closure__[free.index("__class__")]).cell_contents is cls:
                    cell.cell_contents = made
            return made

        return decorate

    define = _later(attrs.define)
    frozen = _later(attrs.frozen)


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
