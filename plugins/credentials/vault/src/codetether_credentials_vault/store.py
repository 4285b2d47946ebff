"""Vault as a source of credentials: one list, lazy reads, what was answered remembered for a while."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import field, frozen
from codetether import JSON, CredentialError, Secret

from codetether_credentials_vault import failures
from codetether_credentials_vault.logins import Wallet
from codetether_credentials_vault.naming import NOT_SET, named
from codetether_credentials_vault.settings import VaultSettings
from codetether_credentials_vault.site import Site, site

if TYPE_CHECKING:
    from codetether_credentials_vault.server import Server

T = TypeVar("T")

PAUSE = 15.0
"""Seconds for which a Vault that failed as a whole (unreachable, sealed, token refused) is not asked again."""
_IMPORT_LIMIT = 30.0
_PROVIDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@frozen
class Remembered(Generic[T]):
    """An answer, and until when it holds by the monotonic clock."""

    answer: T = field(repr=False)
    until: float

    @property
    def holds(self) -> bool:
        """Whether it need not be asked for again."""
        return time.monotonic() < self.until


class Vault:
    """The KV version 2 engine of HashiCorp Vault or OpenBao: a secret a provider, `{api_key, base_url, …}`.

    One question at a time: who asks while another is asked finds its answer. A Vault that is unreachable or sealed
    costs one question, and then none for some seconds.
    """

    def __init__(
        self,
        settings: VaultSettings,
        *,
        notice: Callable[[str], None] = lambda text: None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`notice` is told what the user should know; `environment` is the process's own by default."""
        self._settings = settings
        self._notice = notice
        self._environment = os.environ if environment is None else environment
        self._turn = asyncio.Lock()
        self._server: Server | None = None
        self._failed: Remembered[CredentialError] | None = None
        self._names: Remembered[frozenset[str] | None] | None = None
        self._secrets: dict[str, Remembered[Secret | CredentialError | None]] = {}
        self._versions: dict[str, int] = {}

    async def __aenter__(self) -> Vault:
        """Itself: nothing is opened before the first question."""
        return self

    async def __aexit__(self, *why: object) -> None:
        """Lets its connections go."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """The provider's values. Raises CredentialError, with words for each way in which Vault cannot tell."""
        self._check_named()
        if not _PROVIDER.fullmatch(provider):
            return None
        async with self._turn:
            known = self._secrets.get(provider)
            if known is None or not known.holds:
                known = self._remember(await self._asked(provider))
                self._secrets[provider] = known
        if isinstance(known.answer, CredentialError):
            raise _again(known.answer)
        return known.answer

    async def list(self) -> Sequence[str]:
        """The providers that are kept; where Vault forbids to list, those that were found by name so far."""
        if not named(self._settings, self._environment):
            return ()
        async with self._turn:
            listed = await self._listed()
        if listed is None:
            return sorted(name for name, known in self._secrets.items() if isinstance(known.answer, Secret))
        return sorted(name for name in listed if _PROVIDER.fullmatch(name))

    async def usable(self) -> bool:
        """Whether anybody named a Vault."""
        return named(self._settings, self._environment)

    async def put(self, provider: str, values: Mapping[str, JSON]) -> None:
        """Writes a new version, if the one that was last read is still there. Raises CredentialError."""
        self._check_provider(provider)
        async with self._turn:
            try:
                await self._question(lambda server: self._written(server, provider, values))
            finally:
                self._forget(provider)

    async def delete(self, provider: str) -> bool:
        """Deletes the version that counts; `vault kv undelete` brings it back. False where there is none."""
        self._check_provider(provider)

        def delete(server: Server) -> bool:
            if server.read(provider).values is None:
                return False
            server.delete(provider)
            return True

        async with self._turn:
            try:
                return await self._question(delete)
            finally:
                self._forget(provider)

    def _check_named(self) -> None:
        if not named(self._settings, self._environment):
            raise CredentialError(NOT_SET)

    def _check_provider(self, provider: str) -> None:
        self._check_named()
        if not _PROVIDER.fullmatch(provider):
            raise CredentialError(f"{provider!r:.40} cannot be the name of a secret")

    async def _asked(self, provider: str) -> Secret | CredentialError | None:
        """What Vault has now; the failure where it is this provider's alone."""
        listed = await self._listed()
        if listed is not None and provider not in listed:
            return None
        try:
            entry = await self._shared(lambda server: server.read(provider))
        except failures.ProviderFailure as failure:
            return failure
        self._versions[provider] = entry.version
        if entry.values is None:
            return None
        return Secret(values=entry.values, source=f"vault:{self._site().data(provider).replace('/data/', '/', 1)}")

    async def _listed(self) -> frozenset[str] | None:
        """The names that are kept; None where they may not be listed."""
        if self._names is None or not self._names.holds:
            names: frozenset[str] | None
            try:
                names = await self._shared(lambda server: server.names())
            except failures.ListDenied:
                names = None
            self._names = self._remember(names)
        return self._names.answer

    def _remember(self, answer: T) -> Remembered[T]:
        return Remembered(answer, time.monotonic() + self._settings.cache)

    def _forget(self, provider: str) -> None:
        self._failed = self._names = None
        self._secrets.pop(provider, None)
        self._versions.pop(provider, None)

    def _written(self, server: Server, provider: str, values: Mapping[str, JSON]) -> None:
        version = self._versions.get(provider)
        server.write(provider, values, server.read(provider).version if version is None else version)

    def _site(self) -> Site:
        return site(self._settings, self._environment)

    async def _shared(self, question: Callable[[Server], T]) -> T:
        """The question; unless Vault failed as a whole a moment ago."""
        if self._failed is not None and self._failed.holds:
            raise _again(self._failed.answer)
        try:
            return await self._question(question)
        except (failures.ProviderFailure, failures.ListDenied):
            raise
        except CredentialError as error:
            self._failed = Remembered(_again(error), time.monotonic() + PAUSE)
            raise

    async def _question(self, question: Callable[[Server], T]) -> T:
        """Asks on a thread of its own. A connection left in mid-question, or to another place, is not used again."""
        if self._server is None or self._server.site != self._site():
            self._server = await self._opened()
        server, self._server = self._server, None
        answer = await _in_time(lambda: _outcome(lambda: server.answer(question)), self._settings.timeout)
        if answer is None:
            raise failures.silent(server.site, self._settings.timeout)
        self._server = server
        return answer()

    async def _opened(self) -> Server:
        where = self._site()
        if where.plain:
            self._notice(f"{where.shown} is plain http: everybody on the way can read the token and the keys")

        def opened() -> Server:
            from codetether_credentials_vault.server import Server

            return Server(where, Wallet(settings=self._settings, environment=self._environment), self._settings.timeout)

        made = await _in_time(lambda: _outcome(opened), _IMPORT_LIMIT)
        if made is None:
            raise CredentialError(f"the library hvac did not load within {_IMPORT_LIMIT:g} s")
        return made()


def _again(error: CredentialError) -> CredentialError:
    """The same failure for another asker: one exception raised twice would carry both their tracebacks."""
    return type(error)(error.message, remedy=error.remedy)


def _outcome(question: Callable[[], T]) -> Callable[[], T]:
    """What gives the answer, or raises what the question raised."""
    try:
        answer = question()
    except Exception as caught:
        error = caught

        def failed() -> T:
            raise error

        return failed
    return lambda: answer


async def _in_time(work: Callable[[], T], seconds: float) -> T | None:
    """The work on a thread that is left alone when it does not end in time, and holds up no exit; then None."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[T] = loop.create_future()

    def settle(value: T) -> None:
        if not came.done():
            came.set_result(value)

    def run() -> None:
        value = work()
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, value)

    threading.Thread(target=run, name="codetether-vault", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await came
    return None
