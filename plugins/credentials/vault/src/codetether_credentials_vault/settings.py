"""The table `[plugins.vault]`: where Vault is, and how to log in; no secret may stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs
from attrs import field, frozen

Method = Literal["auto", "token", "approle", "jwt", "kubernetes", "userpass"]


def _address(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if not value:
        return
    from codetether_credentials_vault.site import wrong_address

    if why := wrong_address(value):
        raise ValueError(why)


def _path(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if not value.strip("/") or any(part in ("", ".", "..") for part in value.strip("/").split("/")):
        raise ValueError(f"{value!r} is no path in Vault")


def _within(least: float, most: float) -> Any:
    def check(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
        if not least <= value <= most:
            raise ValueError(f"is {value:g}, not {least:g} to {most:g} seconds")

    return check


@frozen(kw_only=True)
class VaultSettings:
    """`[plugins.vault]`; a variable of the environment counts before each.

    Attributes:
        address: e.g. `https://vault.example:8200`; without it Vault is not asked (VAULT_ADDR).
        namespace: of Vault Enterprise or OpenBao (VAULT_NAMESPACE).
        mount: where the KV version 2 engine is mounted (VAULT_MOUNT).
        path: below it, a secret a provider (VAULT_SECRETS_PATH).
        auth: how to log in; by default, what is there: a token, AppRole, JWT, userpass, `~/.vault-token`, then the
            service account of a pod (VAULT_AUTH_METHOD).
        auth_mount: where that method is mounted; by default its own name (VAULT_AUTH_MOUNT).
        role: for JWT and Kubernetes (VAULT_ROLE). role_id: of AppRole (VAULT_ROLE_ID). username: for userpass
            (VAULT_USERNAME).
        token_file, secret_id_file, password_file, jwt_file: files that hold just that (VAULT_TOKEN_FILE, …).
        ca_cert: a PEM file, or a directory of them, that vouches for the server (VAULT_CACERT, VAULT_CAPATH).
        client_cert, client_key: PEM files, where the server asks for them (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY).
        timeout: seconds that one question may take in all, logging in included.
        cache: seconds for which an answer holds.
    """

    address: str = field(default="", validator=_address)
    namespace: str = ""
    mount: str = field(default="secret", validator=_path)
    path: str = field(default="codetether/providers", validator=_path)
    auth: Method = "auto"
    auth_mount: str = ""
    role: str = ""
    role_id: str = ""
    username: str = ""
    token_file: Path | None = None
    secret_id_file: Path | None = None
    password_file: Path | None = None
    jwt_file: Path | None = None
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    timeout: float = field(default=5.0, validator=_within(0.1, 120))
    cache: float = field(default=120.0, validator=_within(0, 86400))
