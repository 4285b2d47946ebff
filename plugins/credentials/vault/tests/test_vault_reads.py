"""Stories about what is kept in Vault, and how seldom it is asked."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from codetether import CredentialError, CredentialStore, Runtime, Secret
from codetether.testing.sessions import ONLY
from codetether_credentials_vault.settings import VaultSettings
from codetether_credentials_vault.store import Vault

from .conftest import Corner

KEY = "sk-vault-0123456789"


async def test_what_is_kept_is_given(corner: Corner) -> None:
    corner.keep("mine", api_key=KEY, base_url="https://mine.example/v1", organization="o", headers={"x-team": "ü"}, n=3)
    vault = corner.open()

    secret = await vault.get("mine", ("MINE_API_KEY",))

    assert secret == Secret(
        values={
            "api_key": KEY,
            "base_url": "https://mine.example/v1",
            "organization": "o",
            "headers": {"x-team": "ü"},
            "n": 3,
        },
        source=f"vault:secret/{corner.path}/mine",
    )
    assert (await vault.get("nobody", ()), await vault.list(), await vault.usable()) == (None, ["mine"], True)
    assert KEY not in f"{secret!r}{vault!r}{vars(vault)!r}"


async def test_an_address_may_end_as_the_api_does(corner: Corner) -> None:
    corner.keep("mine", api_key=KEY)
    assert await corner.open(VAULT_ADDR=f"{corner.bao.address}/v1/").list() == ["mine"]


async def test_what_a_command_line_makes_of_it_is_understood(corner: Corner) -> None:
    corner.keep("typed", api_key=f"{KEY}\n", headers='{"x-team": "a", "x-number": 1}')
    corner.keep("plain", api_key=KEY, headers="")
    corner.keep("folder/inner", api_key=KEY)
    corner.keep("empty")
    corner.keep("gone", api_key=KEY)
    corner.root.secrets.kv.v2.delete_latest_version_of_secret(f"{corner.path}/gone")
    vault = corner.open()

    found = {name: await vault.get(name, ()) for name in ("typed", "plain", "folder", "folder/inner", "empty", "gone")}

    assert {name: secret and secret.values for name, secret in found.items()} == {
        "typed": {"api_key": KEY, "headers": {"x-team": "a", "x-number": "1"}},
        "plain": {"api_key": KEY},
        "folder": None,
        "folder/inner": None,
        "empty": None,
        "gone": None,
    }
    assert await vault.list() == ["empty", "gone", "plain", "typed"]


async def test_a_damaged_secret_is_named_and_spoils_no_other(corner: Corner) -> None:
    corner.keep("damaged", api_key=KEY, headers="x-team: a")
    corner.keep("mine", api_key=KEY)
    vault = corner.open()

    with pytest.raises(CredentialError) as caught:
        await vault.get("damaged", ())

    assert caught.value.message == f"secret/data/{corner.path}/damaged: `headers` is no object of names and values"
    assert (await vault.get("mine", ())) is not None


async def test_one_list_and_only_what_is_wanted(corner: Corner) -> None:
    for name in ("mine", "other", "third"):
        corner.keep(name, api_key=KEY)
    vault = corner.open()

    absent = [await vault.get(f"vendor-{number}", ()) for number in range(30)]
    first = corner.asked()
    together = await asyncio.gather(*(vault.get("mine", ()) for _ in range(10)), vault.get("other", ()))
    second = corner.asked()
    later = [await vault.get("mine", ()), await vault.get("other", ()), await vault.get("nobody", ())]

    assert ({*absent}, first) == ({None}, ["LIST secret/metadata"])
    assert sum(secret is not None for secret in (*together, *later)) == 13
    assert (second, corner.asked()) == (["GET secret/data/mine", "GET secret/data/other"], [])


async def test_an_answer_holds_for_its_time(corner: Corner) -> None:
    corner.keep("mine", api_key="first-0123456789")
    lasting, short = corner.open(), corner.open(VaultSettings(cache=0.05))
    before = [await vault.get("mine", ()) for vault in (lasting, short)]
    corner.keep("mine", api_key=KEY)
    corner.keep("new", api_key=KEY)
    await asyncio.sleep(0.1)

    after = [await vault.get("mine", ()) for vault in (lasting, short)]

    assert [secret and secret.get("api_key") for secret in before] == ["first-0123456789"] * 2
    assert [secret and secret.get("api_key") for secret in after] == ["first-0123456789", KEY]
    assert (await lasting.list(), await short.list()) == (["mine"], ["mine", "new"])


async def test_where_listing_is_forbidden_it_reads_by_name_and_remembers(corner: Corner) -> None:
    corner.keep("mine", api_key=KEY)
    corner.keep("closed", api_key=KEY)
    vault = corner.vault(VAULT_TOKEN=corner.token(corner.policy("read data/mine", "read data/nobody")))

    said = set()
    for _ in range(2):
        assert ((await vault.get("mine", ())) is not None, await vault.get("nobody", ())) == (True, None)
        with pytest.raises(CredentialError) as caught:
            await vault.get("closed", ())
        said.add((caught.value.message, caught.value.remedy))

    path = f"secret/data/{corner.path}/closed"
    remedy = f'the policy needs: path "{path}" {{ capabilities = ["read"] }}'
    assert said == {(f"permission denied on {path}", remedy)}
    assert await vault.list() == ["mine"]
    assert corner.asked() == [
        "LIST secret/metadata",
        "GET secret/data/mine",
        "GET secret/data/nobody",
        "GET secret/data/closed",
    ]


async def test_without_an_address_it_says_so_and_does_nothing() -> None:
    vault = Vault(VaultSettings(), environment={"VAULT_TOKEN": "t"})
    with pytest.raises(CredentialError) as caught:
        await vault.get("mine", ())
    assert (str(caught.value), await vault.list(), await vault.usable()) == ("VAULT_ADDR is not set", (), False)


def test_without_an_address_no_library_is_loaded() -> None:
    code = (
        "import asyncio, sys; from codetether import Runtime\n"
        "async def main():\n"
        "    async with Runtime.open({'plugins': {'only': ['vault', 'openai']}}) as runtime:\n"
        "        print([p.reason for p in await runtime.providers() if p.name == 'openai'])\n"
        "asyncio.run(main()); print({'hvac', 'requests', 'codetether_credentials_vault.server'} & {*sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == (
        "['env: OPENAI_API_KEY not set; vault: VAULT_ADDR is not set']\nset()\n",
        "",
    )


async def test_it_is_asked_after_the_environment_and_before_this_machine(corner: Corner) -> None:
    settings = {**ONLY, "plugins": {"only": ["vault", "file"], "vault": {"address": corner.bao.address}}}
    async with Runtime.open(settings) as runtime:
        assert list(runtime.credentials.sources) == ["env", "vault", "file"]
        vault = runtime.credentials.sources["vault"]
        assert isinstance(vault, CredentialStore)
        assert await vault.usable()
