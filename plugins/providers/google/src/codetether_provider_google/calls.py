"""Ids of tool calls: most models give none, so one is made, which the provider never sees."""

from __future__ import annotations

from uuid import uuid4

MADE = "call_own_"
"""What an id begins with that was made here."""


def made_id() -> str:
    """A new id, of 33 characters."""
    return f"{MADE}{uuid4().hex[:24]}"


def given(id_: str) -> str | None:
    """The id where another gave it, None where it was made here."""
    return None if not id_ or id_.startswith(MADE) else id_
