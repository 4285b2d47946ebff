"""What the plugin vault offers to codetether's hooks."""

from __future__ import annotations

import os
from collections.abc import Iterable

from codetether import CredentialSource, CredentialSourceSpec, PluginContext, SettingsSpec, hookimpl

from codetether_credentials_vault.settings import VaultSettings


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.vault]`."""
    yield SettingsSpec(cls=VaultSettings)


@hookimpl
def codetether_credential_sources() -> Iterable[CredentialSourceSpec]:
    """Vault, asked after the environment and before what is kept on this machine."""
    yield CredentialSourceSpec(name="vault", create=_create, place=200)


def _create(ctx: PluginContext) -> CredentialSource:
    from codetether_credentials_vault.naming import NoVault, named

    settings = ctx.settings or VaultSettings()
    if not named(settings, os.environ):
        return NoVault()
    from codetether_credentials_vault.store import Vault

    return Vault(settings, notice=ctx.notice)
