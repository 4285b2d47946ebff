"""Every test works in a home of its own: no settings, no sessions, no keys of whoever runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty CODETETHER_HOME."""
    for name in [name for name in os.environ if name.startswith("CODETETHER_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    place = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CODETETHER_HOME", str(place))
    return place
