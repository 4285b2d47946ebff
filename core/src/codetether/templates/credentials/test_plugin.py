"""Stories about the credential source."""

from __future__ import annotations

from pathlib import Path

import pytest
from codetether import CredentialError, Secret, SettingsError
from codetether.testing.sessions import opened
from codetether_kind_change_me.plugin import KeyFiles

NAME = "change-me"

KEY = "a-key-that-is-none"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A directory with a key of the provider acme."""
    directory = tmp_path / "keys"
    directory.mkdir()
    (directory / "acme").write_text(f"{KEY}\n")
    (directory / "acme").chmod(0o600)
    return directory


async def test_a_key_is_found_by_the_providers_name(keys: Path) -> None:
    source = KeyFiles(keys)
    assert await source.get("acme", ["ACME_API_KEY"]) == Secret(
        values={"api_key": KEY}, source=f"{NAME}:{keys / 'acme'}"
    )
    assert (await source.get("other", []), await source.get("../keys/acme", [])) == (None, None)
    assert await source.list() == ["acme"]
    assert (await KeyFiles(None).get("acme", []), await KeyFiles(None).list()) == (None, ())


async def test_a_file_that_others_may_read_is_refused(keys: Path) -> None:
    (keys / "acme").chmod(0o644)
    with pytest.raises(CredentialError, match="others may read"):
        await KeyFiles(keys).get("acme", [])


async def test_no_representation_shows_the_key(keys: Path) -> None:
    assert KEY not in repr(await KeyFiles(keys).get("acme", []))


async def test_an_unknown_setting_is_named(keys: Path) -> None:
    settings = {"plugins": {"only": [NAME], NAME: {"directroy": str(keys)}}}
    with pytest.raises(SettingsError, match="directroy"):
        async with opened(settings=settings):
            pass
