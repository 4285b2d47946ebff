"""What a patch asks for, whichever format it was written in."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

Kind = Literal["add", "delete", "update"]


@frozen(kw_only=True)
class Hunk:
    """One place of a file: its lines as they are, and as they shall be, each with its line end.

    Attributes:
        line: where the old lines begin, from 1; None where the patch does not say. For no old lines, the line after
            which the new ones go.
        anchors: lines that stand somewhere above, in their order.
        at_end: the old lines are the file's last.
        before, after: how many lines at the beginning and the end are context.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    line: int | None = None
    anchors: tuple[str, ...] = ()
    at_end: bool = False
    before: int = 0
    after: int = 0

    @classmethod
    def of(
        cls,
        signed: list[tuple[str, str]],
        *,
        line: int | None = None,
        anchors: tuple[str, ...] = (),
        at_end: bool = False,
    ) -> Hunk:
        """A hunk of lines with their signs: ` `, `-` or `+`."""
        signs = [sign for sign, _ in signed]
        context = next((i for i, sign in enumerate(signs) if sign != " "), len(signs))
        trailing = next((i for i, sign in enumerate(reversed(signs)) if sign != " "), 0)
        return cls(
            old=tuple(text for sign, text in signed if sign != "+"),
            new=tuple(text for sign, text in signed if sign != "-"),
            line=line,
            anchors=anchors,
            at_end=at_end,
            before=context,
            after=trailing,
        )


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
