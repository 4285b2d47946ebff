"""Stories about the keyring of the operating system, with one that ends with the test in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator

import keyring
import pytest
from codetether import CredentialError, CredentialStore, Runtime, Secret
from codetether.testing.sessions import ONLY
from codetether_credentials_keyring.memory import MemoryKeyring
from codetether_credentials_keyring.store import SystemKeyring
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

KEY = "sk-ring-0123456789"


@pytest.fixture
def system() -> Iterator[MemoryKeyring]:
    """The machine's keyring."""
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    made.open.set()
    keyring.set_keyring(before)


async def test_what_is_put_is_there_until_it_is_deleted(system: MemoryKeyring) -> None:
    store = SystemKeyring()
    assert (await store.get("mine", ()), await store.list(), await store.delete("mine")) == (None, [], False)

    await store.put("other", {"api_key": "o"})
    await store.put("mine", {"api_key": KEY, "headers": {"x-team": "ü"}})

    secret = await store.get("mine", ())
    assert secret == Secret(values={"api_key": KEY, "headers": {"x-team": "ü"}}, source="keyring:codetether/mine")
    assert (await store.list(), KEY in repr(secret)) == (["mine", "other"], False)
    assert (await store.delete("mine"), await store.get("mine", ()), await store.list()) == (True, None, ["other"])
    assert {name: json.loads(text) for name, text in system.entries.items()} == {
        ("codetether", "other"): {"api_key": "o"},
        ("codetether.index", "providers"): ["other"],
    }


async def test_a_key_put_there_by_hand_is_just_the_key(system: MemoryKeyring) -> None:
    system.entries["codetether", "mine"] = f"{KEY}\n"
    system.entries["codetether", "digits"] = "123456789012"
    system.entries["codetether.index", "providers"] = "no list"
    store = SystemKeyring()
    found = [await store.get(name, ()) for name in ("mine", "digits")]
    assert [secret and secret.values for secret in found] == [{"api_key": KEY}, {"api_key": "123456789012"}]
    assert (await store.list(), await store.delete("mine")) == ((), True)


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
async def test_no_keyring_is_a_reason_and_no_failure(backend: type[KeyringBackend], system: MemoryKeyring) -> None:
    keyring.set_keyring(backend())
    store = SystemKeyring()
    assert (await store.usable(), await store.list()) == (False, ())
    with pytest.raises(CredentialError, match=r"^this machine has no keyring that can be used$"):
        await store.get("mine", ())


async def test_a_locked_keyring_is_said(system: MemoryKeyring) -> None:
    system.locked = True
    with pytest.raises(CredentialError) as caught:
        await SystemKeyring().get("mine", ())
    assert str(caught.value) == "the keyring (memory) failed: it is locked\n  unlock it, or see `keyring diagnose`"


async def test_a_silent_keyring_costs_its_limit_once(system: MemoryKeyring) -> None:
    system.open.clear()
    store = SystemKeyring(limit=0.05)
    said = []
    for _ in range(3):
        with pytest.raises(CredentialError) as caught:
            await store.get("mine", ())
        said.append(caught.value.message)
    assert (said, system.asked) == (["the keyring did not answer within 0.05 s"] * 3, 1)


async def test_it_is_asked_between_the_environment_and_a_file(system: MemoryKeyring) -> None:
    async with Runtime.open({**ONLY, "plugins": {"only": ["keyring", "file"]}}) as runtime:
        assert list(runtime.credentials.sources) == ["env", "keyring", "file"]
        assert isinstance(runtime.credentials.sources["keyring"], CredentialStore)
