"""Signing in to a provider: what a plugin's command of `codetether auth` stands on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from attrs import field

from codetether.cli.terminal import BOLD, Screen
from codetether.errors import ProviderError
from codetether.models.record import JSON
from codetether.record.redact import Redactor
from codetether.values import frozen


@frozen(kw_only=True)
class SignedIn:
    """What a sign-in came to.

    Attributes:
        values: what the store keeps, with an `api_key`; None in place of a value: it is kept no longer.
        check: asked once they are kept, says in a line what the account may use. Raises ProviderError.
    """

    values: Mapping[str, JSON] = field(repr=False)
    check: Callable[[], Awaitable[str]] | None = None


class SignIn:
    """A sign-in under way: how it speaks with the user, and how its secrets stay out of all output."""

    def __init__(self, screen: Screen, redactor: Redactor, provider: str) -> None:
        self._screen = screen
        self._redactor = redactor
        self._provider = provider

    @property
    def attended(self) -> bool:
        """Whether somebody sits at the terminal, for whom e.g. a browser may be opened."""
        from codetether.cli.person import TerminalPerson

        return TerminalPerson.present()

    async def enter(self) -> bool:
        """Waits until Enter is pressed; False where the input has ended. Only for where somebody sits there."""
        from codetether.cli.person import typed_line

        return bool(await typed_line())

    def say(self, text: str, *, strong: bool = False) -> None:
        """Lines to standard error."""
        self._screen.say(self._redactor.text(text), *((BOLD,) if strong else ()))

    def hide(self, secret: str) -> None:
        """A value that no output, log or record may show from now on."""
        self._redactor.add(secret, f"{self._provider}.api_key")


def sign_in(provider: str, flow: Callable[[SignIn], Awaitable[SignedIn]], *, source: str | None = None) -> int:
    """Lets the user sign in, keeps what comes of it as `codetether auth login` does, and says whether it can be used.

    Args:
        provider: under which name it is kept. flow: signs in; nothing is kept where it raises.
        source: the store; the first that can be written unless given.

    Returns the exit code: 0 only where the check went well. Raises UsageError, CredentialError, ProviderError.
    """
    from codetether.cli.keeping import answered, chosen_store, keep, say_what_counts
    from codetether.cli.listings import with_runtime
    from codetether.runtime import Runtime

    async def signing(runtime: Runtime, screen: Screen) -> int:
        place, store = await chosen_store(runtime, source)
        before = await answered(store.get, provider, ())
        try:
            done = await flow(SignIn(screen, runtime.redactor, provider))
        except asyncio.CancelledError:
            screen.say("\nnothing was kept")
            raise
        runtime.redactor.add(str(done.values["api_key"]), f"{provider}.api_key")
        merged = {**(before.values if before else {}), **done.values}
        values = {name: value for name, value in merged.items() if value is not None}
        kept = await keep(runtime, screen, provider, place, store, values)
        if done.check is not None:
            try:
                screen.line(f"{provider}: {await done.check()}")
            except ProviderError:
                screen.say(f"note: the sign-in is kept all the same; codetether auth logout {provider} forgets it")
                raise
        await say_what_counts(runtime, screen, provider, kept, None)
        return 0

    return with_runtime(signing)
