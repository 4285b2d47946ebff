"""What the plugin file offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from attrs import frozen
from codetether import LAST, CredentialSource, CredentialSourceSpec, PluginContext, SettingsSpec, hookimpl


@frozen(kw_only=True)
class FileSettings:
    """`[plugins.file]`: `path` is the file; `credentials.json` beside the user's settings by default."""

    path: Path | None = None


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.file]`."""
    yield SettingsSpec(cls=FileSettings)


@hookimpl
def codetether_credential_sources() -> Iterable[CredentialSourceSpec]:
    """Asked last: what is kept better elsewhere counts before it."""
    yield CredentialSourceSpec(name="file", create=_create, place=LAST)


def _create(ctx: PluginContext) -> CredentialSource:
    from codetether_credentials_file.store import KeyFile

    settings: FileSettings = ctx.settings or FileSettings()
    return KeyFile(settings.path or ctx.config_dir / "credentials.json")
