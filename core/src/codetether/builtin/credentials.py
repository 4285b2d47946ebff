"""Credentials from the environment, under the names that vendors usually give them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from codetether.hookspecs import hookimpl
from codetether.models.providers import Secret
from codetether.plugin_contexts import PluginContext
from codetether.specs import CredentialSourceSpec


class Environment:
    """The process's environment."""

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """The first of the variables that is set and not empty."""
        for name in names:
            value = os.environ.get(name, "").strip()
            if value:
                return Secret(values={"api_key": value}, source=f"env:{name}")
        return None

    async def list(self) -> Sequence[str]:
        """Nothing: only a provider knows its variables."""
        return ()


def _create(ctx: PluginContext) -> Environment:
    return Environment()


@hookimpl
def codetether_credential_sources() -> Iterable[CredentialSourceSpec]:
    """Asked before the others: what the user set in this shell is what they mean now."""
    yield CredentialSourceSpec(name="env", create=_create, place=100)
