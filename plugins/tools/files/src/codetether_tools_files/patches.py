"""What a patch asks for, whichever format it was written in."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from attrs import frozen

Kind = Literal["add", "delete", "update"]


@frozen(kw_only=True)
class Hunk:
    """One place of a file.

    Attributes:
        signed: its lines with their signs, ` `, `-` or `+`, each line with its line end.
        line: where the old lines begin, from 1; None where the patch does not say. For no old lines, the line after
            which the new ones go.
        anchors: lines that stand somewhere above, in their order.
        at_end: the old lines are the file's last.
    """

    signed: tuple[tuple[str, str], ...]
    line: int | None = None
    anchors: tuple[str, ...] = ()
    at_end: bool = False

    @cached_property
    def old(self) -> tuple[str, ...]:
        """The lines as they are."""
        return tuple(text for sign, text in self.signed if sign != "+")

    @cached_property
    def new(self) -> tuple[str, ...]:
        """The lines as they shall be."""
        return tuple(text for sign, text in self.signed if sign != "-")

    @property
    def before(self) -> int:
        """How many lines at the beginning are context."""
        return next((i for i, (sign, _) in enumerate(self.signed) if sign != " "), len(self.signed))

    @property
    def after(self) -> int:
        """How many lines at the end are context; none where all are."""
        return next((i for i, (sign, _) in enumerate(reversed(self.signed)) if sign != " "), 0)


@frozen(kw_only=True)
class FilePatch:
    """What a patch asks of one file.

    Attributes:
        path: the file as it is named before; of a new file its name.
        target: its name afterwards, where that is another.
        hunks: for a new file one with no old lines; for a deleted one its content, where the patch tells it.
        executable: whether it shall be a program afterwards; None where that stays.
        copied: the file at `path` stays as it is.
        numbered: the hunks name lines of the file as it was before the whole patch.
    """

    kind: Kind
    path: str
    target: str | None = None
    hunks: tuple[Hunk, ...] = ()
    executable: bool | None = None
    copied: bool = False
    numbered: bool = False

    @property
    def place(self) -> str:
        """Where the file is afterwards."""
        return self.target or self.path
