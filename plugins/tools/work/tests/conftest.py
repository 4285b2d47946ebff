"""A workspace in a repository, and a home without skills, agents and notes."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home directory."""
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    return place


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The workspace."""
    place = tmp_path / "repo"
    (place / ".git").mkdir(parents=True)
    return place
