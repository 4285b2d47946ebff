"""Stories about a Vault that cannot tell: each reason in words of its own, and none costs a start."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from codetether import CredentialError, SettingsError
from codetether.settings.settings import load_settings
from codetether_credentials_vault import store
from codetether_credentials_vault.openbao import running
from codetether_credentials_vault.settings import VaultSettings
from codetether_credentials_vault.store import Vault

from .conftest import Corner

KEY = "sk-vault-0123456789"


async def failure(vault: Vault, provider: str = "mine") -> tuple[str, str]:
    """What it says instead of a secret: message and remedy."""
    with pytest.raises(CredentialError) as caught:
        await vault.get(provider, ())
    return caught.value.message, caught.value.remedy


@contextmanager
def served(status: int, body: bytes, kind: str, pair: Path | None = None, **headers: str) -> Iterator[str]:
    """A server that is no Vault, and says the same to everybody; over TLS where `pair` holds OpenBao's own files."""

    class Foreign(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.parse_request():
                return
            self.send_response(status)
            for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    made = HTTPServer(("127.0.0.1", 0), Foreign)
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair / "vault-cert.pem", pair / "vault-key.pem")
        made.socket = context.wrap_socket(made.socket, server_side=True)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if pair else 'http'}://127.0.0.1:{made.server_port}"
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


@contextmanager
def nobody() -> Iterator[tuple[str, list[float]]]:
    """A server that takes connections and says nothing; when each came."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        came: list[float] = []
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listening.accept()[0])
                except OSError:
                    return
                came.append(time.monotonic())

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", came
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in held:
                each.close()


async def test_a_sealed_vault_is_said_and_works_again_when_it_is_opened(
    corner: Corner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PAUSE", 0.05)
    corner.keep("mine", api_key=KEY)
    vault, bao = corner.open(VaultSettings(cache=0)), corner.bao
    corner.root.sys.seal()
    try:
        sealed = await failure(vault)
        with pytest.raises(CredentialError, match="is sealed"):
            await vault.list()
        with pytest.raises(CredentialError, match="is sealed"):
            await vault.put("mine", {"api_key": "other"})
    finally:
        corner.root.sys.submit_unseal_key(bao.unseal_key)
        while not corner.root.sys.is_initialized() or corner.root.sys.read_health_status().status_code != 200:
            time.sleep(0.02)  # noqa: ASYNC251 - nothing else goes on
    await asyncio.sleep(0.06)

    assert sealed == (f"{bao.address} is sealed", "whoever runs it unseals it: `vault operator unseal`")
    assert (await vault.get("mine", ())) is not None


async def test_what_is_not_there_is_told_apart(corner: Corner) -> None:
    corner.keep("mine", api_key=KEY)
    address, token = corner.bao.address, corner.bao.token
    corner.root.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
    corner.root.sys.enable_secrets_engine("totp", path="codes")
    seen = {
        name: await failure(corner.vault(VAULT_TOKEN=token, **variables))
        for name, variables in {
            "mount": {"VAULT_MOUNT": "nowhere"},
            "version": {"VAULT_MOUNT": "/old/"},
            "engine": {"VAULT_MOUNT": "codes"},
            "namespace": {"VAULT_NAMESPACE": "nobody"},
        }.items()
    }

    kv = "VAULT_MOUNT names a KV version 2 engine"
    assert seen == {
        "mount": (f"nothing is mounted at nowhere/ of {address}", f"{kv}, VAULT_NAMESPACE the namespace that has it"),
        "version": (
            f"old/ of {address} is KV version 1, not KV version 2",
            f"{kv}, or `vault kv enable-versioning old/` makes this one such",
        ),
        "engine": (f"codes/ of {address} is an engine of the kind totp, not KV version 2", kv),
        "namespace": (f"{address} has no namespace 'nobody'", "look at VAULT_NAMESPACE"),
    }
    assert await corner.vault(VAULT_TOKEN=token, VAULT_SECRETS_PATH="nothing/here").get("mine", ()) is None


async def test_a_token_that_ended_is_no_policy(corner: Corner) -> None:
    token = corner.token(ttl="1s")
    time.sleep(1.2)  # noqa: ASYNC251 - the server's own clock
    message, remedy = await failure(corner.vault(VAULT_TOKEN=token))
    assert (message, remedy) == (
        f"{corner.bao.address} does not take the token of VAULT_TOKEN: it is wrong, expired or revoked",
        "log in again (`vault login`, `bao login`), or look at VAULT_NAMESPACE",
    )


async def test_a_policy_that_forbids_even_to_look_at_oneself_is_no_bad_token(corner: Corner) -> None:
    token = corner.token(corner.policy("list data/"), no_default_policy=True)
    message, _ = await failure(corner.vault(VAULT_TOKEN=token))
    assert message == f"permission denied on secret/data/{corner.path}/mine"


async def test_a_vault_that_is_not_there_costs_one_question(corner: Corner) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    vault = corner.elsewhere(address).open()

    said = {await failure(vault, f"vendor-{number}") for number in range(30)}
    with pytest.raises(CredentialError, match="unreachable"):
        await vault.list()

    assert said == {
        (f"{address} is unreachable: Connection refused", "look at VAULT_ADDR, the network and whether it runs")
    }
    assert len(corner.asked()) == 1


async def test_a_silent_vault_costs_its_limit_once_and_holds_up_no_exit(corner: Corner) -> None:
    with nobody() as (address, came):
        vault = corner.elsewhere(address).open(VaultSettings(timeout=0.3))
        began = time.monotonic()
        said = {*await asyncio.gather(*(failure(vault, f"vendor-{number}") for number in range(30)))}
        took = time.monotonic() - began

        assert said == {
            (
                f"{address} is unreachable: no answer within 0.3 s",
                "look at VAULT_ADDR and the network, or allow more: [plugins.vault] timeout",
            )
        }
        assert (len(came), 0.3 <= took < 2) == (1, True)


async def test_it_is_asked_again_after_a_pause(corner: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PAUSE", 0.05)
    corner.keep("mine", api_key=KEY)
    with nobody() as (address, _):
        corner.environment["VAULT_ADDR"] = address
        vault = Vault(
            VaultSettings(timeout=0.5),
            environment=(environment := {**corner.environment, "VAULT_TOKEN": corner.token()}),
        )
        await failure(vault)
    environment["VAULT_ADDR"] = corner.bao.address
    await asyncio.sleep(0.06)
    assert (await vault.get("mine", ())) is not None


async def test_who_gives_up_spoils_nothing_for_the_next(corner: Corner) -> None:
    corner.keep("mine", api_key=KEY)
    environment = {**corner.environment, "VAULT_TOKEN": corner.token()}
    vault = Vault(VaultSettings(), environment=environment)
    with nobody() as (address, _):
        environment["VAULT_ADDR"] = address
        asking = asyncio.create_task(vault.get("mine", ()))
        next_one = asyncio.create_task(vault.get("mine", ()))
        await asyncio.sleep(0.1)
        environment["VAULT_ADDR"] = corner.bao.address
        asking.cancel()
        assert (await next_one) is not None
    assert asking.cancelled()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (200, b"<html>Welcome</html>", "text/html", "ADDRESS does not answer as Vault does"),
        (200, b"[1]", "application/json", "ADDRESS does not answer as Vault does"),
        (200, b'{"data": null}', "application/json", "ADDRESS does not answer as Vault does"),
        (200, b'{"data": {"keys": {}}}', "application/json", "ADDRESS does not answer as Vault does"),
        (404, b"<html>Not found</html>", "text/html", "ADDRESS does not answer as Vault does"),
        (400, b"Client sent an HTTP request to an HTTPS server.\n", "text/plain", "ADDRESS speaks TLS"),
        (403, b"<html>Blocked</html>", "text/html", "ADDRESS does not answer as Vault does"),
        (502, b"<html>Bad gateway</html>", "text/html", "ADDRESS failed: BadGateway"),
        (503, b'{"errors": ["no healthy upstream"]}', "application/json", "ADDRESS failed: no healthy upstream"),
        (500, b'{"errors": ["disk t0ken-0123456789 full"]}', "application/json", "ADDRESS failed: disk \u2026 full"),
        (500, b'{"errors": "odd"}', "application/json", "ADDRESS failed: "),
        (501, b'{"errors": []}', "application/json", "ADDRESS is not initialised"),
        (429, b'{"errors": ["quota"]}', "application/json", "ADDRESS takes no more requests for now: quota"),
        (418, b"", "text/plain", "ADDRESS failed: UnexpectedError"),
    ],
)
async def test_whatever_answers_there_is_said(
    corner: Corner, status: int, body: bytes, kind: str, message: str
) -> None:
    with served(status, body, kind) as address:
        said, _ = await failure(corner.elsewhere(address).vault(VAULT_TOKEN="t0ken-0123456789"))
        assert said.startswith(message.replace("ADDRESS", address))


async def test_tls(corner: Corner, tmp_path: Path) -> None:
    with running(tls=True) as secure:
        secure.client().secrets.kv.v2.create_or_update_secret(f"{corner.path}/mine", secret={"api_key": KEY})
        there, authority = corner.elsewhere(secure.address), str(secure.ca_cert)
        token = {"VAULT_TOKEN": secure.token}

        assert (await there.vault(**token, VAULT_CACERT=authority).get("mine", ())) is not None
        assert (await there.vault(VaultSettings(ca_cert=secure.ca_cert), **token).get("mine", ())) is not None
        assert await failure(there.vault(**token)) == (
            f"the certificate of {secure.address} is not trusted: unable to get local issuer certificate",
            "name the file of its CA: VAULT_CACERT=/path/ca.pem",
        )
        plain = secure.address.replace("https", "http")
        _, remedy = await failure(there.vault(**token, VAULT_ADDR=plain))  # told so, or cut off: as the server has time
        assert remedy.endswith("VAULT_ADDR begins with https://")
        named = secure.address.replace("127.0.0.1", "localhost")
        assert (await there.vault(**token, VAULT_ADDR=named, VAULT_CACERT=authority).get("mine", ())) is not None
        with served(307, b"", "text/plain", secure.home, location=corner.bao.address) as address:
            assert await failure(there.vault(**token, VAULT_ADDR=address, VAULT_CACERT=authority)) == (
                f"{address} redirects to plain http, which would show the token",
                "",
            )
    wrong = corner.bao.address.replace("http", "https")
    assert await failure(corner.open(VAULT_ADDR=wrong)) == (f"{wrong} speaks no TLS", "is VAULT_ADDR an http:// one?")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"VAULT_ADDR": "127.0.0.1:8200"}, "VAULT_ADDR does not begin with https:// or http:// and a host"),
        ({"BAO_ADDR": "vault.example"}, "BAO_ADDR does not begin with https:// or http:// and a host"),
        ({"VAULT_ADDR": "http://["}, "VAULT_ADDR is no URL"),
        (
            {"VAULT_ADDR": "unix:///run/vault.sock"},
            "VAULT_ADDR is a unix socket, which cannot be spoken to here: let Vault Agent listen on 127.0.0.1",
        ),
        (
            {"VAULT_SKIP_VERIFY": "true"},
            "VAULT_SKIP_VERIFY is set, and a token is never sent to a server that was not checked",
        ),
        ({"VAULT_CACERT": "/no/ca.pem"}, "VAULT_CACERT names /no/ca.pem, which is not there"),
        ({"VAULT_CLIENT_CERT": "/c"}, "of VAULT_CLIENT_CERT and VAULT_CLIENT_KEY only one is set"),
    ],
)
async def test_what_is_set_wrong_is_said_before_anything_is_sent(
    corner: Corner, variables: dict[str, str], message: str
) -> None:
    assert (await failure(corner.open(**variables)))[0] == message
    assert corner.asked() == []


async def test_a_user_in_the_address_is_never_shown(corner: Corner) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    message, _ = await failure(corner.open(VAULT_ADDR=f"http://ada:pass-word@{host}/"))
    assert message == f"http://{host} is unreachable: Connection refused"


async def test_a_proxy_that_is_not_there_is_said(corner: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    message, remedy = await failure(corner.vault(VAULT_TOKEN="t", VAULT_ADDR="http://vault.example:8200"))
    assert message == "http://vault.example:8200 is unreachable: the proxy does not lead there: Connection refused"
    assert remedy.startswith("look at HTTPS_PROXY and HTTP_PROXY")


async def test_plain_http_to_another_machine_is_said(corner: Corner) -> None:
    said: list[str] = []
    for address in ("http://127.0.0.2:1", "http://localhost:1", "http://vault.invalid:1"):
        vault = Vault(
            VaultSettings(address=address, timeout=2), notice=said.append, environment={"VAULT_TOKEN": "t-0123456789"}
        )
        await failure(vault)
    assert said == ["http://vault.invalid:1 is plain http: everybody on the way can read the token and the keys"]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"address": "vault"}, "plugins.vault.address: does not begin with https:// or http:// and a host"),
        ({"mount": "/"}, "plugins.vault.mount: '/' is no path in Vault"),
        ({"path": "a/../b"}, "plugins.vault.path: 'a/../b' is no path in Vault"),
        ({"timeout": 0}, "plugins.vault.timeout: is 0, not 0.1 to 120 seconds"),
        ({"auth": "ldap"}, 'plugins.vault.auth: is "ldap", not one of auto, token, approle, jwt, kubernetes, userpass'),
        ({"token": "t"}, 'plugins.vault.token: unknown setting; did you mean "token_file"?'),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, table: dict[str, Any], why: str) -> None:
    settings = load_settings(tmp_path, overrides={"plugins": {"vault": table}}, managed=tmp_path / "none")
    with pytest.raises(SettingsError) as caught:
        settings.plugin("vault", VaultSettings)
    assert caught.value.message.endswith(why)
