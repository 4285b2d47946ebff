"""The plugin is installed where codetether finds it, and breaks no promise when it is loaded."""

from __future__ import annotations

from importlib.metadata import entry_points

from codetether import Runtime
from codetether_kind_change_me import plugin

NAME = "change-me"


def test_the_entry_point_names_the_module() -> None:
    (point,) = entry_points(group="codetether", name=NAME)
    assert point.load() is plugin


async def test_it_loads_whole() -> None:
    async with Runtime.open({"plugins": {"only": [NAME]}}, strict=True) as runtime:
        listed = {found.name: (found.status, found.problems) for found in runtime.plugins.plugins}
    assert listed[NAME] == ("loaded", [])
