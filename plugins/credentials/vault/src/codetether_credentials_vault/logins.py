"""The ways to log in: which of them is meant, and what each sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen
from codetether import CredentialError

from codetether_credentials_vault.naming import variable
from codetether_credentials_vault.settings import VaultSettings

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""What Kubernetes gives to every pod."""
_REMEDY = (
    "set VAULT_TOKEN, run `vault login` or `bao login`, or set VAULT_ROLE_ID and VAULT_SECRET_ID, VAULT_ROLE and "
    "VAULT_JWT_FILE, or VAULT_USERNAME and VAULT_PASSWORD"
)


@frozen(kw_only=True)
class GivenToken:
    """A token that somebody else got; `place` names where it was found."""

    place: str
    token: str = field(repr=False)


@frozen(kw_only=True)
class Login:
    """A login that can be repeated.

    Attributes:
        method: as people call it. mount: where it is mounted, without `auth/`.
        remedy: what to look at when it is refused.
        enter: logs the client in, and gives Vault's answer.
        secrets: what it sends and nobody may see.
    """

    method: str
    mount: str
    remedy: str
    enter: Callable[[Any], Any] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@frozen(kw_only=True)
class Wallet:
    """Everything that could log in, looked up anew each time: files change while a process lives."""

    settings: VaultSettings
    environment: Mapping[str, str] = field(repr=False)

    def way(self) -> GivenToken | Login:
        """How to log in. Raises CredentialError where nothing is there, or less than the chosen method needs."""
        name, said = variable(self.environment, "AUTH_METHOD")
        method = said.lower() or self.settings.auth
        ways: dict[str, Callable[[], GivenToken | Login | None]] = {
            "token": lambda: self._token() or self._kept_token(),
            "approle": self._approle,
            "jwt": self._jwt,
            "userpass": self._userpass,
            "kubernetes": self._kubernetes,
        }
        if method == "auto":
            order = (self._token, self._approle, self._jwt, self._userpass, self._kept_token, self._kubernetes)
            found = next((way for look in order if (way := look()) is not None), None)
        elif method in ways:
            found = ways[method]()
        else:
            raise CredentialError(f"{name} is {method!r}, not one of {', '.join(ways)}")
        if found is None:
            what = "no token and no way to log in was found" if method == "auto" else f"what {method} needs is not set"
            raise CredentialError(what, remedy=_REMEDY if method == "auto" else _NEEDS[method])
        return found

    def _token(self) -> GivenToken | None:
        name, token = self._secret("TOKEN", self.settings.token_file, "token_file")
        return GivenToken(place=name, token=token) if token else None

    def _kept_token(self) -> GivenToken | None:
        """What `vault login` and `bao login` leave in the home directory."""
        path = Path(variable(self.environment, "TOKEN_PATH")[1] or Path("~/.vault-token")).expanduser()
        try:
            token = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise CredentialError(f"{path} cannot be read: {_why(error)}") from None
        return GivenToken(place=str(path), token=token) if token else None

    def _approle(self) -> Login | None:
        role = variable(self.environment, "ROLE_ID")[1] or self._file("ROLE_ID")[1] or self.settings.role_id
        _, secret = self._secret("SECRET_ID", self.settings.secret_id_file, "secret_id_file")
        if not role:
            return None
        mount = self._mount("approle")
        return Login(
            method="AppRole",
            mount=mount,
            remedy="are VAULT_ROLE_ID and VAULT_SECRET_ID right, and is the secret id neither expired nor used up?",
            enter=lambda client: client.auth.approle.login(role, secret or None, use_token=False, mount_point=mount),
            secrets=(secret,),
        )

    def _jwt(self) -> Login | None:
        _, jwt = self._secret("JWT", self.settings.jwt_file, "jwt_file")
        role = self._role()
        if not jwt or self._is("kubernetes"):
            return None
        mount = self._mount("jwt")
        return Login(
            method="JWT",
            mount=mount,
            remedy="is VAULT_ROLE right, and is the JWT for this audience and not expired?",
            enter=lambda client: client.auth.jwt.jwt_login(role or None, jwt, use_token=False, path=mount),
            secrets=(jwt,),
        )

    def _kubernetes(self) -> Login | None:
        role, file = self._role(), self.settings.jwt_file
        _, jwt = self._secret("JWT", file or (SERVICE_ACCOUNT if SERVICE_ACCOUNT.exists() else None), "jwt_file")
        if not role or not jwt:
            return None
        mount = self._mount("kubernetes")
        return Login(
            method="Kubernetes",
            mount=mount,
            remedy="is VAULT_ROLE right, and bound to this pod's service account and namespace?",
            enter=lambda client: client.auth.kubernetes.login(role, jwt, use_token=False, mount_point=mount),
            secrets=(jwt,),
        )

    def _userpass(self) -> Login | None:
        name = variable(self.environment, "USERNAME")[1] or self.settings.username
        _, password = self._secret("PASSWORD", self.settings.password_file, "password_file")
        if not name or not password:
            return None
        mount = self._mount("userpass")
        return Login(
            method="userpass",
            mount=mount,
            remedy="are VAULT_USERNAME and VAULT_PASSWORD right?",
            enter=lambda client: client.auth.userpass.login(name, password, use_token=False, mount_point=mount),
            secrets=(password,),
        )

    def _is(self, method: str) -> bool:
        return (variable(self.environment, "AUTH_METHOD")[1].lower() or self.settings.auth) == method

    def _role(self) -> str:
        return variable(self.environment, "ROLE")[1] or self.settings.role

    def _mount(self, usual: str) -> str:
        said = variable(self.environment, "AUTH_MOUNT")[1] or self.settings.auth_mount or usual
        return said.strip("/").removeprefix("auth/")

    def _secret(self, name: str, file: Path | None, key: str) -> tuple[str, str]:
        """Where it was found and what it is: the variable, the file that a variable names, the file of the settings."""
        place, value = variable(self.environment, name)
        if value:
            return place, value
        place, value = self._file(name)
        if value:
            return place, value
        return ("", "") if file is None else (str(file), _content(file, f"[plugins.vault] {key}"))

    def _file(self, name: str) -> tuple[str, str]:
        place, path = variable(self.environment, f"{name}_FILE")
        return (path, _content(Path(path), place)) if path else ("", "")


_NEEDS = {
    "token": "set VAULT_TOKEN, or run `vault login` or `bao login`",
    "approle": "set VAULT_ROLE_ID, and VAULT_SECRET_ID or VAULT_SECRET_ID_FILE",
    "jwt": "set VAULT_JWT_FILE, and VAULT_ROLE unless the server has a default",
    "kubernetes": f"set VAULT_ROLE; the token is read from {SERVICE_ACCOUNT} unless VAULT_JWT_FILE names another file",
    "userpass": "set VAULT_USERNAME, and VAULT_PASSWORD or VAULT_PASSWORD_FILE",
}


def _content(path: Path, name: str) -> str:
    """The file's text. Raises CredentialError, without a word of it, where it cannot be read or is empty."""
    path = path.expanduser()
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise CredentialError(f"{name} names {path}, which cannot be read: {_why(error)}") from None
    if not text:
        raise CredentialError(f"{name} names {path}, which is empty")
    return text


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is no text"
