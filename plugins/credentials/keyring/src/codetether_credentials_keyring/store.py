"""The keyring of the operating system, asked on threads that nobody waits for longer than agreed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from codetether import JSON, CredentialError, Secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE = "codetether"
"""An entry a provider: the user name is the provider's name; the password its values as JSON, or just its key."""
INDEX = ("codetether.index", "providers")
"""The entry that lists the providers: a keyring finds what it is asked for, and lists nothing."""
_REMEDY = "unlock it, or see `keyring diagnose`"
LIMIT = 20.0
"""Seconds for one question: as long as a person needs to unlock the keyring."""


class SystemKeyring:
    """macOS Keychain, Secret Service, KWallet, or what the library `keyring` is set to.

    One that does not answer in time is not asked again in this process: a prompt that nobody sees must not hold up
    every provider in turn.
    """

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._silent = False

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """The provider's values. Raises CredentialError where there is no keyring, or it is locked or silent."""
        text = await self._ask(lambda keyring: keyring.get_password(SERVICE, provider))
        return Secret(values=_values(text), source=f"keyring:{SERVICE}/{provider}") if text else None

    async def list(self) -> Sequence[str]:
        """The providers that were put here by `put`; none where there is no keyring."""
        return await self._ask(_listed) if await self.usable() else ()

    async def usable(self) -> bool:
        """Whether this machine has a keyring."""
        return await self._off_the_loop(_backend) is not None

    async def put(self, provider: str, values: Mapping[str, JSON]) -> None:
        """Writes the provider's entry, then the list of providers."""

        def write(keyring: KeyringBackend) -> None:
            keyring.set_password(SERVICE, provider, json.dumps(dict(values), ensure_ascii=False))
            _list(keyring, {*_listed(keyring), provider})

        await self._ask(write)

    async def delete(self, provider: str) -> bool:
        """Removes the provider's entry."""

        def remove(keyring: KeyringBackend) -> bool:
            there = keyring.get_password(SERVICE, provider) is not None
            if there:
                keyring.delete_password(SERVICE, provider)
            if provider in (listed := _listed(keyring)):
                _list(keyring, {*listed} - {provider})
            return there

        return await self._ask(remove)

    async def _ask(self, question: Callable[[KeyringBackend], T]) -> T:
        def asked() -> T:
            keyring = _backend()
            if keyring is None:
                raise CredentialError("this machine has no keyring that can be used")
            try:
                return question(keyring)
            except Exception as error:  # each backend has exceptions of its own: they all mean that it cannot tell
                what = " ".join(str(error).split()) or type(error).__name__
                raise CredentialError(f"the keyring ({keyring.name}) failed: {what}", remedy=_REMEDY) from error

        return await self._off_the_loop(asked)

    async def _off_the_loop(self, call: Callable[[], T]) -> T:
        """Calls it on a thread of its own, which is left alone when it does not end: a backend may wait for ever."""
        if self._silent:
            raise CredentialError(f"the keyring did not answer within {self._limit:g} s")
        loop = asyncio.get_running_loop()
        came: asyncio.Future[T] = loop.create_future()

        def settle(take: Callable[[Any], None], value: Any) -> None:
            if not came.done():
                take(value)

        def work() -> None:
            try:
                outcome: tuple[Callable[[Any], None], Any] = came.set_result, call()
            except Exception as error:
                outcome = came.set_exception, error
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(settle, *outcome)

        threading.Thread(target=work, name="codetether-keyring", daemon=True).start()
        try:
            async with asyncio.timeout(self._limit):
                return await came
        except TimeoutError:
            self._silent = True
            raise CredentialError(
                f"the keyring did not answer within {self._limit:g} s",
                remedy='unlock it, or leave it out: [plugins] block = ["keyring"]',
            ) from None


def _backend() -> KeyringBackend | None:
    """The machine's keyring; None where it has none, or where it is switched off."""
    if _surely_none():
        return None
    import keyring
    from keyring.backends import fail, null

    found = keyring.get_keyring()
    return None if isinstance(found, fail.Keyring | null.Keyring) else found


def _surely_none() -> bool:
    """Whether it need not even be looked for, which would be a tenth of a start.

    On Linux keyrings answer on the session's bus, unless the library is told of another one, or is in use already.
    """
    if sys.platform != "linux" or "keyring" in sys.modules:
        return False
    runtime, home = os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    bus = bool(os.environ.get("DBUS_SESSION_BUS_ADDRESS")) or (runtime is not None and Path(runtime, "bus").exists())
    told = os.environ.get("PYTHON_KEYRING_BACKEND") or find_spec("keyrings") is not None
    return not bus and not told and not Path(home, "python_keyring", "keyringrc.cfg").expanduser().exists()


def _values(text: str) -> Mapping[str, Any]:
    """A plain password, as `keyring set codetether openai` writes it, is the key itself."""
    with suppress(ValueError, RecursionError):
        values = json.loads(text)
        if isinstance(values, dict):
            return values
    return {"api_key": text.strip()}


def _listed(keyring: KeyringBackend) -> Sequence[str]:
    with suppress(ValueError, RecursionError):
        names = json.loads(keyring.get_password(*INDEX) or "[]")
        if isinstance(names, list):
            return [name for name in names if isinstance(name, str)]
    return ()


def _list(keyring: KeyringBackend, names: set[str]) -> None:
    keyring.set_password(*INDEX, json.dumps(sorted(names)))
