"""A store of sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from codetether.storage.disk import Disk
from codetether.storage.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty one, under a directory that is not there yet."""
    disk = Disk()
    async with Store(tmp_path / "data", disk) as store:
        yield store
    await disk.close()
