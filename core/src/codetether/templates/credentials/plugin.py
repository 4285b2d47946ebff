"""The credential source `change-me`: a file a provider, in a directory that the settings name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen
from codetether import CredentialError, CredentialSourceSpec, PluginContext, Secret, SettingsSpec, hookimpl

NAME = "change-me"
PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
"""A provider's name that leads to no other directory."""


@frozen(kw_only=True)
class KeySettings:
    """`[plugins.change-me]`: where the files are; without it the source has nothing."""

    directory: Path | None = None


class KeyFiles:
    """The first line of a file is the key of the provider after which the file is named."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """The key, None where there is none. Raises CredentialError for a file that others may read."""
        path = self._directory / provider if self._directory and PLAIN.fullmatch(provider) else None
        if path is None or not path.is_file():
            return None
        if path.stat().st_mode & 0o077:
            raise CredentialError(f"others may read {path}", remedy=f"chmod 600 {path}")
        return Secret(values={"api_key": path.read_text().partition("\n")[0]}, source=f"{NAME}:{path}")

    async def list(self) -> Sequence[str]:
        """The providers that have a key here."""
        return sorted(path.name for path in self._directory.iterdir()) if self._directory else ()


def _create(ctx: PluginContext) -> KeyFiles:
    return KeyFiles(ctx.settings.directory)


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """What `[plugins.change-me]` may hold; anything else is an error with file and line."""
    yield SettingsSpec(cls=KeySettings)


@hookimpl
def codetether_credential_sources() -> Iterable[CredentialSourceSpec]:
    """Asked in the order of (place, name)."""
    yield CredentialSourceSpec(name=NAME, create=_create, place=200)
