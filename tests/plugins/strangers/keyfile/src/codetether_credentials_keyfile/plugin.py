"""The credential source `keyfile`: a file a provider, in a directory that the settings name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen
from codetether import CredentialError, CredentialSourceSpec, PluginContext, Secret, SettingsSpec, hookimpl


@frozen(kw_only=True)
class KeyfileSettings:
    """`[plugins.keyfile]`: where the files are; without it the source has nothing."""

    directory: Path | None = None


class Keyfile:
    """One line a file."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """The file's first line. Raises CredentialError for a file that others may read."""
        if self._directory is None or provider not in await self.list():
            return None
        path = self._directory / provider
        if path.stat().st_mode & 0o077:
            raise CredentialError(f"others may read {path}", remedy=f"chmod 600 {path}")
        return Secret(values={"api_key": path.read_text().partition("\n")[0]}, source=f"keyfile:{path}")

    async def list(self) -> Sequence[str]:
        """The files' names."""
        if self._directory is None or not self._directory.is_dir():
            return ()
        return sorted(path.name for path in self._directory.iterdir() if path.is_file())


def _create(ctx: PluginContext) -> Keyfile:
    return Keyfile(ctx.settings.directory)


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """What `[plugins.keyfile]` may hold."""
    yield SettingsSpec(cls=KeyfileSettings)


@hookimpl
def codetether_credential_sources() -> Iterable[CredentialSourceSpec]:
    """Asked after the environment."""
    yield CredentialSourceSpec(name="keyfile", create=_create, place=200)
