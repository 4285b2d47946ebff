"""A session as any of the layouts holds it."""

from __future__ import annotations

from attrs import define, field
from codetether import Fields


@define(kw_only=True)
class Held:
    """What was found of a session, before it is understood.

    Attributes:
        id: of the file's name or the row, which the contents may not tell.
        messages: each with its parts, in order. rows: the messages of 2.0, which hold their parts.
        todos: how many things were on its list. lost: what could not be read, a line each.
    """

    id: str
    info: Fields
    directory: str = ""
    messages: list[tuple[Fields, list[Fields]]] = field(factory=list)
    rows: list[Fields] = field(factory=list)
    todos: int = 0
    lost: list[str] = field(factory=list)
