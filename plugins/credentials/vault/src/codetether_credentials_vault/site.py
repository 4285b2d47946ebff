"""Where Vault is, from the variables of the environment and then the settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from attrs import field, frozen
from codetether import CredentialError

from codetether_credentials_vault.naming import NOT_SET, variable
from codetether_credentials_vault.settings import VaultSettings


@frozen(kw_only=True)
class Site:
    """One Vault, and the place in it that keeps the providers.

    Attributes:
        address: its URL. shown: the same without a user's name or password in it, for screens.
        mount, path: the KV engine and the folder in it, without slashes at their ends.
        verify: True, or the file or directory of the CA. cert: the client's certificate and key.
        proxy: of Vault alone; what HTTPS_PROXY and NO_PROXY say holds without it.
    """

    address: str = field(repr=False)
    shown: str
    namespace: str
    mount: str
    path: str
    verify: bool | str
    cert: tuple[str, str] | None
    proxy: str = field(repr=False)

    def data(self, provider: str) -> str:
        """The path of a provider's values, as policies name it."""
        return f"{self.mount}/data/{self.path}/{provider}"

    @property
    def folder(self) -> str:
        """The path of the list of providers, as policies name it."""
        return f"{self.mount}/metadata/{self.path}"

    @property
    def plain(self) -> bool:
        """Whether everything can be read on the way: http to another machine."""
        parts = urlsplit(self.address)
        host = parts.hostname or ""
        return parts.scheme == "http" and host not in ("localhost", "::1") and not host.startswith("127.")


def site(settings: VaultSettings, environment: Mapping[str, str]) -> Site:
    """The Vault that is named. Raises CredentialError where none is, or where what names it is wrong."""
    name, address = variable(environment, "ADDR")
    name, address = (name, address) if address else ("[plugins.vault] address", settings.address)
    if not address:
        raise CredentialError(NOT_SET)
    if why := wrong_address(address):
        raise CredentialError(f"{name} {why}", remedy="e.g. https://vault.example:8200")
    _refuse_blindness(environment)
    return Site(
        address=address.rstrip("/").removesuffix("/v1"),
        shown=_without_user(address),
        namespace=(variable(environment, "NAMESPACE")[1] or settings.namespace).strip("/"),
        mount=(environment.get("VAULT_MOUNT", "").strip() or settings.mount).strip("/"),
        path=(environment.get("VAULT_SECRETS_PATH", "").strip() or settings.path).strip("/"),
        verify=_authority(settings, environment),
        cert=_certificate(settings, environment),
        proxy=variable(environment, "PROXY_ADDR")[1] or variable(environment, "HTTP_PROXY")[1],
    )


def wrong_address(address: str) -> str:
    """Why this is no address of a Vault; empty where it is one. What it says repeats no part of it but the scheme."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme == "unix":
        return "is a unix socket, which cannot be spoken to here: let Vault Agent listen on 127.0.0.1"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "does not begin with https:// or http:// and a host"
    return ""


def _without_user(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def _refuse_blindness(environment: Mapping[str, str]) -> None:
    """A token sent to whoever answers is everybody's token."""
    name, value = variable(environment, "SKIP_VERIFY")
    if value and value.lower() not in ("0", "f", "false"):
        raise CredentialError(
            f"{name} is set, and a token is never sent to a server that was not checked",
            remedy=f"unset {name} and name the CA's file: VAULT_CACERT=/path/ca.pem",
        )


def _authority(settings: VaultSettings, environment: Mapping[str, str]) -> bool | str:
    for short in ("CACERT", "CAPATH"):
        name, value = variable(environment, short)
        if value:
            return str(_there(Path(value), name))
    return str(_there(settings.ca_cert, "[plugins.vault] ca_cert")) if settings.ca_cert else True


def _certificate(settings: VaultSettings, environment: Mapping[str, str]) -> tuple[str, str] | None:
    cert_name, cert = variable(environment, "CLIENT_CERT")
    key_name, key = variable(environment, "CLIENT_KEY")
    cert, key = cert or str(settings.client_cert or ""), key or str(settings.client_key or "")
    if not cert and not key:
        return None
    if not cert or not key:
        raise CredentialError(
            "of VAULT_CLIENT_CERT and VAULT_CLIENT_KEY only one is set", remedy="set both, or neither"
        )
    return (
        str(_there(Path(cert), cert_name or "[plugins.vault] client_cert")),
        str(_there(Path(key), key_name or "[plugins.vault] client_key")),
    )


def _there(path: Path, name: str) -> Path:
    path = path.expanduser()
    if not path.exists():
        raise CredentialError(f"{name} names {path}, which is not there")
    return path
