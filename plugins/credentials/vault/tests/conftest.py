"""A real OpenBao server for a worker's stories, and a corner of it for each of them."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from attrs import define, evolve, field
from codetether_credentials_vault.openbao import OpenBao, running
from codetether_credentials_vault.settings import VaultSettings
from codetether_credentials_vault.store import Vault

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def bao() -> Iterator[OpenBao]:
    """The server; started once a worker, and only where a story needs it."""
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody who never logged in to any Vault, on a machine without proxies."""
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "person").mkdir()
    return tmp_path / "person"


@define(kw_only=True)
class Corner:
    """A folder of the server's KV engine, and what its user sets.

    Attributes:
        environment: the user's variables; without a token unless a story adds one.
        sent: method and path of every request, logins and look-ups too.
    """

    bao: OpenBao
    path: str
    environment: dict[str, str]
    sent: list[tuple[str, str]] = field(factory=list)

    @property
    def root(self) -> Any:
        """A client that may do everything."""
        return self.bao.client()

    def keep(self, provider: str, **values: Any) -> None:
        """Puts a secret there, as another tool would."""
        self.root.secrets.kv.v2.create_or_update_secret(f"{self.path}/{provider}", secret=values)

    def kept(self, provider: str) -> Mapping[str, Any]:
        """What is there."""
        answer = self.root.secrets.kv.v2.read_secret_version(f"{self.path}/{provider}", raise_on_deleted_version=False)
        values: Mapping[str, Any] = answer["data"]["data"]
        return values

    def policy(self, *rules: str) -> str:
        """A policy of these rules, e.g. `read data/*`, below the folder; its name."""
        name = f"stories-{next(_NUMBERS)}"
        lines = []
        for rule in rules:
            verbs, kind, rest = rule.replace("/", " ", 1).split(" ")
            listed = ", ".join(f'"{verb}"' for verb in verbs.split(","))
            lines.append(f'path "secret/{kind}/{self.path}{rest and "/" + rest}" {{ capabilities = [{listed}] }}')
        self.root.sys.create_or_update_policy(name, "\n".join(lines))
        return name

    def reader(self) -> str:
        """The policy that the documentation names."""
        return self.policy("read data/*", "list metadata/")

    def token(self, policy: str | None = None, **how: Any) -> str:
        """A token with that policy, the reader's by default."""
        made = self.root.auth.token.create(policies=[policy or self.reader()], **how)
        token: str = made["auth"]["client_token"]
        return token

    def vault(self, settings: VaultSettings | None = None, /, **variables: str) -> Vault:
        """The source as a user has it who sets these variables too."""
        return Vault(settings or VaultSettings(), environment={**self.environment, **variables})

    def open(self, settings: VaultSettings | None = None, /, **variables: str) -> Vault:
        """The source of a user with a reader's token."""
        return self.vault(settings, VAULT_TOKEN=self.token(), **variables)

    def asked(self) -> list[str]:
        """The requests for keys since the last time, without the folder's own name."""
        found = [f"{method} {path}".replace(f"/{self.path}", "") for method, path in self.sent]
        self.sent.clear()
        return found

    def elsewhere(self, address: str) -> Corner:
        """The same folder, said to be at another address."""
        return evolve(self, environment={**self.environment, "VAULT_ADDR": address})


@pytest.fixture
def corner(bao: OpenBao, monkeypatch: pytest.MonkeyPatch) -> Corner:
    """An empty folder."""
    path = f"stories/{next(_NUMBERS)}"
    made = Corner(bao=bao, path=path, environment={"VAULT_ADDR": bao.address, "VAULT_SECRETS_PATH": path})
    send = requests.Session.send

    def noted(self: Any, request: Any, **how: Any) -> Any:
        if request.headers.get("X-Vault-Token") != bao.token:
            made.sent.append((request.method, request.path_url.removeprefix("/v1/")))
        return send(self, request, **how)

    monkeypatch.setattr(requests.Session, "send", noted)
    return made


@define
class Signer:
    """Who signs JWTs: a key that the server keeps in its transit engine."""

    bao: OpenBao

    @property
    def public_key(self) -> str:
        """PEM."""
        answer = self.bao.client().secrets.transit.read_key("signer")
        key: str = answer["data"]["keys"]["1"]["public_key"]
        return key

    def jwt(self, **claims: Any) -> str:
        """The claims, signed with ES256."""
        head, body = (_encoded(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, claims))
        signed = self.bao.client().secrets.transit.sign_data(
            "signer",
            hash_input=base64.b64encode(f"{head}.{body}".encode()).decode(),
            hash_algorithm="sha2-256",
            marshaling_algorithm="jws",
        )
        return f"{head}.{body}.{signed['data']['signature'].rpartition(':')[2]}"


@pytest.fixture(scope="session")
def signer(bao: OpenBao) -> Signer:
    """Signs for the whole session."""
    client = bao.client()
    client.sys.enable_secrets_engine("transit")
    client.secrets.transit.create_key("signer", key_type="ecdsa-p256")
    return Signer(bao)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
