"""What the plugin vault offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import CredentialSourceSpec, hookimpl


@hookimpl
def codetether_credential_sources() -> Iterable[CredentialSourceSpec]:
    """Vault, asked after the environment."""
    yield from ()
