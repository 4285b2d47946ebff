"""The file tools of one session, which share what the session has seen of its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codetether import Tool

from codetether_tools_files.changes import Changes
from codetether_tools_files.editing import Edit
from codetether_tools_files.listing import List
from codetether_tools_files.multiediting import MultiEdit
from codetether_tools_files.patching import ApplyPatch
from codetether_tools_files.reading import Read
from codetether_tools_files.searching import Glob, Grep
from codetether_tools_files.workspace import Workspace
from codetether_tools_files.writing import Write


class FileTools:
    """The tools of this plugin, in the order in which they are offered."""

    def __init__(self, directory: Path, changes: Changes) -> None:
        self._workspace = Workspace(directory)
        self._changes = changes

    async def tools(self) -> Sequence[Tool]:
        """list, read, write, edit, multiedit, apply_patch, glob, grep."""
        here = self._workspace
        changing = [kind(here, self._changes) for kind in (Write, Edit, MultiEdit, ApplyPatch)]
        return (List(here), Read(here), *changing, Glob(here), Grep(here))
