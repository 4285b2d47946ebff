"""Every test works in a home of its own and knows no key of the person who runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty CODETETHER_HOME; the variables of codetether and all keys are unset."""
    for name in list(os.environ):
        ours = name.startswith("CODETETHER_") and name not in ("CODETETHER_SHARED", "CODETETHER_PROOF")
        if ours or name.endswith(("_API_KEY", "_AUTH_TOKEN", "_BASE_URL")) or name.startswith(("VAULT_", "BAO_")):
            monkeypatch.delenv(name)
    place = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CODETETHER_HOME", str(place))
    return place
