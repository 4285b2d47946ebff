"""Recorded exchanges: those kept here, and all those of a shared folder where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from codetether.testing.recording import Recording, read

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def kept() -> list[Recording]:
    return [read(path) for path in sorted((_HERE / "recordings").glob("*.json"))]


@pytest.fixture(scope="session")
def shared() -> Path:
    checkout = _HERE.parents[3]
    folder = Path(os.environ.get("CODETETHER_SHARED", checkout.parent / "shared")) / "recordings"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}: CODETETHER_SHARED names the folder that holds them")
    return folder
