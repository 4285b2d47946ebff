"""Stories about keys that are put into Vault and taken out again."""

from __future__ import annotations

from typing import Any

import pytest
from codetether import CredentialError
from codetether_credentials_vault.store import Vault

from .conftest import Corner

KEY = "sk-vault-0123456789"


def writer(corner: Corner) -> Vault:
    """The source of a user who may write."""
    token = corner.token(corner.policy("create,read,update,delete data/*", "list metadata/"))
    return corner.vault(VAULT_TOKEN=token)


def versions(corner: Corner, provider: str) -> Any:
    """The secret's current version, and whether it is deleted."""
    kv = corner.root.secrets.kv.v2
    answer = kv.read_secret_version(f"{corner.path}/{provider}", raise_on_deleted_version=False)["data"]
    return answer["metadata"]["version"], bool(answer["metadata"]["deletion_time"])


async def test_what_is_put_is_there_until_it_is_deleted(corner: Corner) -> None:
    vault = writer(corner)
    assert (await vault.get("mine", ()), await vault.list(), await vault.delete("mine")) == (None, [], False)

    await vault.put("mine", {"api_key": "first"})
    await vault.put("mine", {"api_key": KEY, "headers": {"x-team": "ü"}})
    secret = await vault.get("mine", ())

    assert secret is not None
    assert secret.values == corner.kept("mine") == {"api_key": KEY, "headers": {"x-team": "ü"}}
    assert (await vault.list(), versions(corner, "mine")) == (["mine"], (2, False))
    assert (await vault.delete("mine"), await vault.get("mine", ()), await vault.delete("mine")) == (True, None, False)
    assert versions(corner, "mine") == (2, True)

    await vault.put("mine", {"api_key": KEY})
    assert ((await vault.get("mine", ())) is not None, versions(corner, "mine")) == (True, (3, False))


async def test_what_somebody_else_wrote_meanwhile_is_not_lost(corner: Corner) -> None:
    corner.keep("mine", api_key="first", organization="o")
    vault = writer(corner)
    before = await vault.get("mine", ())
    assert before is not None
    corner.keep("mine", api_key="theirs", organization="p")

    with pytest.raises(CredentialError) as caught:
        await vault.put("mine", {**before.values, "api_key": KEY})
    after = await vault.get("mine", ())
    assert after is not None
    await vault.put("mine", {**after.values, "api_key": KEY})

    assert caught.value.message == (
        f"secret/data/{corner.path}/mine was changed by somebody else meanwhile, so nothing was written"
    )
    assert corner.kept("mine") == {"api_key": KEY, "organization": "p"}


async def test_an_engine_that_demands_the_check_gets_it(corner: Corner) -> None:
    corner.root.sys.enable_secrets_engine("kv", path="strict", options={"version": "2"})
    kv = corner.root.secrets.kv.v2
    kv.configure(cas_required=True, mount_point="strict")
    vault = corner.vault(VAULT_TOKEN=corner.bao.token, VAULT_MOUNT="strict")
    await vault.put("mine", {"api_key": "first"})
    await vault.put("mine", {"api_key": KEY})
    answer = kv.read_secret_version(f"{corner.path}/mine", mount_point="strict", raise_on_deleted_version=True)
    assert answer["data"]["data"] == {"api_key": KEY}


async def test_who_may_only_read_is_told_what_is_missing(corner: Corner) -> None:
    corner.keep("mine", api_key="first")
    vault = corner.open()
    said = []
    for change in (vault.put("mine", {"api_key": KEY}), vault.delete("mine")):
        with pytest.raises(CredentialError) as caught:
            await change
        said.append((caught.value.message, caught.value.remedy))
    path = f"secret/data/{corner.path}/mine"
    assert said == [
        (
            f"permission denied on {path}",
            f'the policy needs: path "{path}" {{ capabilities = [{verbs}] }}',
        )
        for verbs in ('"create", "update", "read"', '"delete"')
    ]
    assert corner.kept("mine") == {"api_key": "first"}
    assert (await vault.get("mine", ())) is not None


async def test_a_name_that_is_a_path_is_never_written(corner: Corner) -> None:
    vault = writer(corner)
    for name in ("", "..", "a/b", "../other", "x" * 200):
        with pytest.raises(CredentialError, match="cannot be the name of a secret"):
            await vault.put(name, {"api_key": KEY})
    assert corner.asked() == []
