"""Whether anybody named a Vault, and what stands for it where nobody did: a source that costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codetether import JSON, CredentialError, Secret

from codetether_credentials_vault.settings import VaultSettings

NOT_SET = "VAULT_ADDR is not set"
"""Why nothing is asked, where nobody named a Vault."""


def variable(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """The variable's name in full and its value, OpenBao's before Vault's; empty where neither is set."""
    for prefix in ("BAO_", "VAULT_"):
        value = environment.get(prefix + name, "").strip()
        if value:
            return prefix + name, value
    return "", ""


def named(settings: VaultSettings, environment: Mapping[str, str]) -> bool:
    """Whether anybody named a Vault."""
    return bool(settings.address or variable(environment, "ADDR")[1])


class NoVault:
    """The source where no address is set: it says so, and nothing is loaded for it."""

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """Nothing. Raises CredentialError, which says why."""
        raise CredentialError(NOT_SET)

    async def list(self) -> Sequence[str]:
        """None."""
        return ()

    async def usable(self) -> bool:
        """It is not."""
        return False

    async def put(self, provider: str, values: Mapping[str, JSON]) -> None:
        """Raises CredentialError."""
        raise CredentialError(NOT_SET)

    async def delete(self, provider: str) -> bool:
        """Raises CredentialError."""
        raise CredentialError(NOT_SET)
