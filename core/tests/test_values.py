"""Our `define` and `frozen` make classes that behave as those of attrs do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import attrs
import pytest
from codetether import values


def made(room: ModuleType) -> dict[str, type[Any]]:
    """A few classes by the decorators of `attrs` or of `values`."""

    @room.frozen(kw_only=True)
    class Point:
        x: int
        y: int = 0
        note: str = attrs.field(default="", eq=False, repr=False)

    @room.frozen
    class Nothing:
        pass

    @room.define
    class Counter:
        count: int = 0
        other: Any = None

    @room.frozen
    class Loud:
        word: str

        def __repr__(self) -> str:
            return self.word.upper()

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Loud) and self.word.lower() == other.word.lower()

        def __hash__(self) -> int:
            return hash(self.word.lower())

    return {kind.__name__: kind for kind in (Point, Nothing, Counter, Loud)}


@pytest.mark.parametrize("room", [attrs, values])
def test_equal_hashed_and_shown_by_the_fields_that_count(room: ModuleType) -> None:
    point, nothing, counter, loud = made(room).values()
    assert point(x=1, note="a") == point(x=1, y=0, note="b")
    assert point(x=1) != point(x=2)
    assert point(x=1) != (1, 0)
    assert len({point(x=1, note="a"), point(x=1), point(x=2), nothing(), nothing()}) == 3
    assert repr(point(x=1, note="a")) == "Point(x=1, y=0)"
    assert repr(nothing()) == "Nothing()"
    assert counter(1) == counter(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter(1))
    assert [repr(loud("a")), loud("a") == loud("A"), hash(loud("a")) == hash(loud("A"))] == ["A", True, True]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        point(x=1).x = 2


def test_a_maker_makes_the_same_values() -> None:
    point: Any = made(values)["Point"]
    making: Any = values.maker(point)
    one = making(1, 0, note="a")
    assert (one, one.note, type(one)) == (point(x=1), "a", point)
    with pytest.raises(TypeError, match="missing"):
        making(1)


@pytest.mark.parametrize("room", [attrs, values])
def test_one_that_holds_itself_can_be_shown(room: ModuleType) -> None:
    counter = made(room)["Counter"]()
    counter.other = counter
    assert repr(counter) == "Counter(count=0, other=...)"


@pytest.mark.parametrize("room", [attrs, values])
def test_a_subclass_is_another_value(room: ModuleType) -> None:
    counter = made(room)["Counter"]
    more = room.define(type("More", (counter,), {"__annotations__": {"name": "str"}, "name": ""}))
    assert more(1, name="a") == more(1, name="a")
    assert more(1, name="a") != more(1, name="b")
    assert counter(1) != more(1)
