"""Stories about logging in: each way, each refusal, and a token's life."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from codetether import CredentialError
from codetether_credentials_vault import logins
from codetether_credentials_vault.settings import VaultSettings
from codetether_credentials_vault.store import Vault

from .conftest import Corner, Signer

KEY = "sk-vault-0123456789"
JWT = {"sub": "ci", "aud": "bao", "iss": "stories", "iat": int(time.time()), "exp": int(time.time()) + 600}


@pytest.fixture
def full(corner: Corner) -> Corner:
    """A corner with a key in it."""
    corner.keep("mine", api_key=KEY)
    return corner


@pytest.fixture(scope="session")
def methods(bao: Any) -> None:
    """Every method is mounted."""
    for method in ("approle", "userpass", "jwt"):
        bao.client().sys.enable_auth_method(method)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the plugin's clock is ahead by; the server's own goes on as ever."""
    ahead, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + ahead[0])
    return ahead


def approle(corner: Corner, **how: Any) -> dict[str, str]:
    """A role's variables."""
    name = f"role-{corner.path.replace('/', '-')}"
    auth = corner.root.auth.approle
    auth.create_or_update_approle(name, token_policies=[corner.reader()], **how)
    return {
        "VAULT_ROLE_ID": auth.read_role_id(name)["data"]["role_id"],
        "VAULT_SECRET_ID": auth.generate_secret_id(name)["data"]["secret_id"],
    }


async def key(vault: Vault) -> str | None:
    """The key, asked for anew."""
    secret = await vault.get("mine", ())
    return secret.get("api_key") if secret else None


async def test_a_token_wherever_it_is(full: Corner, person: Path, tmp_path: Path) -> None:
    token = full.token()
    (tmp_path / "token").write_text(f"{token}\n")
    ways = [
        full.vault(VAULT_TOKEN=token),
        full.vault(VAULT_TOKEN="wrong", BAO_TOKEN=token, BAO_ADDR=full.bao.address, VAULT_ADDR="http://127.0.0.1:1"),
        full.vault(VAULT_TOKEN_FILE=str(tmp_path / "token")),
        full.vault(VaultSettings(token_file=tmp_path / "token")),
        full.vault(BAO_TOKEN_PATH=str(tmp_path / "token")),
    ]
    (person / ".vault-token").write_text(token)
    ways.append(full.vault())

    assert [await key(vault) for vault in ways] == [KEY] * 6
    assert full.asked() == ["LIST secret/metadata", "GET secret/data/mine"] * 6


async def test_approle(full: Corner, methods: None, tmp_path: Path) -> None:
    role = approle(full)
    (tmp_path / "id").write_text(role["VAULT_SECRET_ID"])
    ways = [
        full.vault(**role),
        full.vault(VAULT_ROLE_ID=role["VAULT_ROLE_ID"], BAO_SECRET_ID_FILE=str(tmp_path / "id")),
        full.vault(VaultSettings(role_id=role["VAULT_ROLE_ID"], secret_id_file=tmp_path / "id", auth="approle")),
    ]
    assert [await key(vault) for vault in ways] == [KEY] * 3
    assert full.asked() == ["POST auth/approle/login", "LIST secret/metadata", "GET secret/data/mine"] * 3


async def test_userpass(full: Corner, methods: None, tmp_path: Path) -> None:
    full.root.auth.userpass.create_or_update_user("ada", password="pass word", policies=[full.reader()])
    (tmp_path / "password").write_text("pass word\n")
    ways = [
        full.vault(VAULT_USERNAME="ada", VAULT_PASSWORD="pass word"),
        full.vault(VaultSettings(username="ada", password_file=tmp_path / "password")),
    ]
    assert [await key(vault) for vault in ways] == [KEY] * 2


async def test_jwt(full: Corner, methods: None, signer: Signer, tmp_path: Path) -> None:
    auth = full.root.auth.jwt
    auth.configure(jwt_validation_pubkeys=[signer.public_key], bound_issuer="stories")
    auth.create_role(
        "ci",
        role_type="jwt",
        user_claim="sub",
        bound_audiences=["bao"],
        token_policies=[full.reader()],
        allowed_redirect_uris=[],
    )
    (tmp_path / "jwt").write_text(signer.jwt(**JWT))
    assert await key(full.vault(VAULT_ROLE="ci", VAULT_JWT_FILE=str(tmp_path / "jwt"))) == KEY

    late = signer.jwt(**{**JWT, "iat": 1, "exp": 2})
    with pytest.raises(CredentialError) as caught:
        await key(full.vault(VAULT_ROLE="ci", VAULT_JWT=late))
    assert caught.value.message.startswith(f"JWT login at auth/jwt of {full.bao.address} was refused: ")
    assert "expired" in caught.value.message
    assert late not in str(caught.value)


@pytest.fixture
def cluster() -> Iterator[str]:
    """What a Kubernetes API server says of a service account's token when Vault asks it."""

    class Review(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            user = {"username": "system:serviceaccount:build:runner", "uid": "u1", "groups": []}
            status = {"authenticated": True, "user": user, "audiences": ["bao"]}
            body = json.dumps({"kind": "TokenReview", "status": status}).encode()
            self.send_response(201)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    made = HTTPServer(("127.0.0.1", 0), Review)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


async def test_kubernetes(
    full: Corner, signer: Signer, cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.root.sys.enable_auth_method("kubernetes", path="cluster-a")
    auth = full.root.auth.kubernetes
    full.root.sys.enable_secrets_engine("pki")
    authority = full.root.secrets.pki.generate_root("internal", "stories")["data"]["certificate"]
    auth.configure(
        cluster,
        kubernetes_ca_cert=authority,
        token_reviewer_jwt=signer.jwt(**JWT),
        mount_point="cluster-a",
    )
    auth.create_role(
        "runner",
        bound_service_account_names=["runner"],
        bound_service_account_namespaces=["build"],
        policies=[full.reader()],
        mount_point="cluster-a",
    )
    account = {"kubernetes.io": {"namespace": "build", "serviceaccount": {"name": "runner", "uid": "u1"}}}
    pod = tmp_path / "serviceaccount"
    pod.write_text(signer.jwt(**{**JWT, "aud": ["bao"], "iss": "kubernetes/serviceaccount", **account}))
    monkeypatch.setattr(logins, "SERVICE_ACCOUNT", pod)

    found = await key(full.vault(VAULT_ROLE="runner", VAULT_AUTH_MOUNT="auth/cluster-a/"))
    assert (found, full.asked()[0]) == (KEY, "POST auth/cluster-a/login")

    with pytest.raises(CredentialError) as caught:
        await key(full.vault(VAULT_ROLE="other", VAULT_AUTH_MOUNT="cluster-a"))
    assert caught.value.message == (
        f'Kubernetes login at auth/cluster-a of {full.bao.address} was refused: invalid role name "other"'
    )


async def test_a_namespace_has_keys_and_logins_of_its_own(full: Corner) -> None:
    full.root.adapter.post("/v1/sys/namespaces/tenant")
    tenant = full.bao.client(namespace="tenant")
    tenant.sys.enable_secrets_engine("kv", path="keys", options={"version": "2"})
    tenant.secrets.kv.v2.create_or_update_secret(
        f"{full.path}/mine", secret={"api_key": "sk-tenant-0123456789"}, mount_point="keys"
    )
    tenant.sys.create_or_update_policy("all", 'path "keys/*" { capabilities = ["read", "list"] }')
    tenant.sys.enable_auth_method("userpass")
    tenant.auth.userpass.create_or_update_user("bob", password="secret-word", policies=["all"])
    bob = {"VAULT_USERNAME": "bob", "VAULT_PASSWORD": "secret-word", "VAULT_MOUNT": "keys"}

    assert await key(full.vault(**bob, VAULT_NAMESPACE="tenant/")) == "sk-tenant-0123456789"
    assert await key(full.vault(VaultSettings(namespace="tenant"), **bob)) == "sk-tenant-0123456789"
    with pytest.raises(CredentialError, match="userpass login at auth/userpass"):
        await key(full.vault(**bob))


@pytest.mark.parametrize(
    ("variables", "message", "remedy"),
    [
        ({}, "no token and no way to log in was found", "set VAULT_TOKEN, run `vault login`"),
        ({"VAULT_AUTH_METHOD": "approle"}, "what approle needs is not set", "set VAULT_ROLE_ID, and VAULT_SECRET_ID"),
        ({"VAULT_AUTH_METHOD": "ldap"}, "VAULT_AUTH_METHOD is 'ldap', not one of token, approle, jwt, ", ""),
        ({"VAULT_TOKEN_FILE": "/no/such"}, "VAULT_TOKEN_FILE names /no/such, which cannot be read: No such file", ""),
        (
            {"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s-0123456789"},
            "AppRole login at auth/approle of ADDRESS was refused: invalid role or secret ID",
            "are VAULT_ROLE_ID and VAULT_SECRET_ID right, and is the secret id neither expired nor used up?",
        ),
        (
            {"VAULT_USERNAME": "eve", "VAULT_PASSWORD": "guess-0123456789"},
            "userpass login at auth/userpass of ADDRESS was refused: invalid username or password",
            "are VAULT_USERNAME and VAULT_PASSWORD right?",
        ),
        (
            {"VAULT_USERNAME": "eve", "VAULT_PASSWORD": "guess-0123456789", "VAULT_AUTH_MOUNT": "staff"},
            "userpass login at auth/staff of ADDRESS was refused: permission denied",
            "is it mounted there (VAULT_AUTH_MOUNT, VAULT_NAMESPACE)? are VAULT_USERNAME and VAULT_PASSWORD right?",
        ),
        (
            {"VAULT_TOKEN": "wrong-0123456789"},
            "ADDRESS does not take the token of VAULT_TOKEN: it is wrong, expired or revoked",
            "log in again (`vault login`, `bao login`), or look at VAULT_NAMESPACE",
        ),
    ],
)
async def test_what_is_refused_is_said(
    corner: Corner, methods: None, variables: dict[str, str], message: str, remedy: str
) -> None:
    with pytest.raises(CredentialError) as caught:
        await corner.vault(**variables).get("mine", ())
    assert caught.value.message.startswith(message.replace("ADDRESS", corner.bao.address))
    assert caught.value.remedy.startswith(remedy)
    assert not [value for value in variables.values() if value.endswith("0123456789") and value in str(caught.value)]


READ = ["LIST secret/metadata", "GET secret/data/mine"]
LOGIN, RENEW, LOOK = "POST auth/approle/login", "POST auth/token/renew-self", "GET auth/token/lookup-self"


async def test_K09_a_login_is_renewed_in_time_and_repeated_when_it_is_over(
    full: Corner, methods: None, clock: list[float]
) -> None:
    vault = full.vault(VaultSettings(cache=0), **approle(full, token_ttl="30s"))
    steps = []
    for ahead in (0, 15, 21, 30, 42):
        clock[0] = ahead
        steps.append((await key(vault), full.asked()))
    full.root.sys.revoke_prefix("auth/approle/")
    steps.append((await key(vault), full.asked()))
    clock[0] = 70
    full.root.sys.revoke_prefix("auth/approle/")
    steps.append((await key(vault), full.asked()))

    assert steps == [
        (KEY, [LOGIN, *READ]),
        (KEY, READ),
        (KEY, [RENEW, *READ]),
        (KEY, READ),
        (KEY, [RENEW, *READ]),
        (KEY, [READ[0], LOOK, LOGIN, *READ]),  # somebody revoked it: it is found out, and mended
        (KEY, [RENEW, LOGIN, *READ]),
    ]


async def test_a_login_that_ended_meanwhile_is_repeated(full: Corner, methods: None) -> None:
    vault = full.vault(VaultSettings(cache=0), **approle(full, token_ttl="2s", token_type="batch"))
    assert (await key(vault), full.asked()) == (KEY, [LOGIN, *READ])
    time.sleep(2.1)  # noqa: ASYNC251 - the server's own clock
    assert (await key(vault), full.asked()) == (KEY, [LOGIN, *READ])


async def test_a_token_of_somebody_elses_is_renewed_too(full: Corner, clock: list[float]) -> None:
    renewable, fixed = full.token(period="30s"), full.token(ttl="30s", renewable=False)
    steps: dict[str, list[list[str]]] = {renewable: [], fixed: []}
    for token, asked in steps.items():
        clock[0], vault = 0, full.vault(VaultSettings(cache=0), VAULT_TOKEN=token)
        for ahead in (0, 4, 6, 15, 22, 30):
            clock[0] = ahead
            assert await key(vault) == KEY
            asked.append(full.asked())

    assert steps[renewable] == [READ, READ, [LOOK, *READ], READ, READ, [RENEW, *READ]]
    assert steps[fixed] == [READ, READ, [LOOK, *READ], READ, READ, READ]


async def test_a_token_that_is_replaced_in_its_file_is_found(full: Corner, person: Path) -> None:
    first = full.token()
    (person / ".vault-token").write_text(first)
    vault = full.vault(VaultSettings(cache=0))
    assert await key(vault) == KEY

    full.root.auth.token.revoke(first)
    (person / ".vault-token").write_text(full.token())

    assert await key(vault) == KEY


async def test_a_secret_id_that_is_used_up_is_said(full: Corner, methods: None, clock: list[float]) -> None:
    vault = full.vault(VaultSettings(cache=0), **approle(full, secret_id_num_uses=1, token_ttl="30s"))
    assert await key(vault) == KEY
    full.root.sys.revoke_prefix("auth/approle/")
    with pytest.raises(CredentialError, match=r"AppRole login at .* was refused: invalid role or secret ID"):
        await key(vault)
