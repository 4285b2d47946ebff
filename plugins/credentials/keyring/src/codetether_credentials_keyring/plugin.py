"""What the plugin keyring offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import CredentialSource, CredentialSourceSpec, PluginContext, hookimpl


@hookimpl
def codetether_credential_sources() -> Iterable[CredentialSourceSpec]:
    """Asked after what a shell or a site sets, before a plain file."""
    yield CredentialSourceSpec(name="keyring", create=_create, place=600)


def _create(ctx: PluginContext) -> CredentialSource:
    from codetether_credentials_keyring.store import SystemKeyring

    return SystemKeyring()
