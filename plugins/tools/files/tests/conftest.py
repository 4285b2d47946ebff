"""A workspace W with the file tools, beside a directory O that lies outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from codetether.testing.workbench import Workbench, workbench
from codetether_tools_files import plugin


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """The directory O, with a file that holds `secret`."""
    directory = tmp_path / "O"
    directory.mkdir()
    (directory / "secret").write_text("secret\n")
    return directory


@pytest.fixture
async def bench(tmp_path: Path, outside: Path) -> Workbench:
    """The file tools in mode edit."""
    (tmp_path / "W").mkdir()
    return await workbench(tmp_path / "W", plugin)
