"""The tool multiedit: several replacements in one file, one after the other, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codetether import JSON

from codetether_tools_files.editing import Change, change
from codetether_tools_files.workspace import Refused, counted


def all_edited(text: str, arguments: Mapping[str, JSON], name: str) -> Change:
    """What the tool makes of a text. Refused, with the number of the edit, where one cannot be made."""
    edits: Any = arguments["edits"]
    said = f", {counted(len(edits), 'edit')}:"
    for number, edit in enumerate(edits, 1):
        try:
            made = change(text, edit, name)
        except Refused as refused:
            raise Refused(f"edit {number} of {len(edits)}: {refused.message}. No edit was made") from refused
        text = made.after
        said += f"\n  {number}. {made.said}"
    return Change(after=text, said=said)
