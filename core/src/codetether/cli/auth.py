"""`codetether auth`: the keys of providers, kept and forgotten where the site allows it, none ever shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs
import click

from codetether.cli.completion import provider_names
from codetether.cli.keeping import (
    answered,
    chosen_store,
    installed_sources,
    keep,
    keys_of_tools,
    listed,
    say_what_counts,
    why_unusable,
)
from codetether.cli.listings import with_runtime
from codetether.cli.plugin_commands import AUTH, PluginGroup
from codetether.cli.table import as_json, print_json, print_table
from codetether.cli.terminal import YELLOW, Screen
from codetether.errors import CredentialError, UnknownModel, UsageError
from codetether.models.providers import Secret

if TYPE_CHECKING:
    from codetether.protocols import CredentialStore
    from codetether.runtime import Runtime

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

source_option = click.option("--source", metavar="NAME", help="The store, e.g. file or keyring.")


class AuthCommands(PluginGroup):
    """Core's own, then the ways to sign in that plugins bring."""

    entry_points = AUTH


@click.group("auth", cls=AuthCommands)
def auth() -> None:
    """Keep, forget and look at the keys of providers; no key is ever shown.

    A key is typed unseen or piped in. Without --source it goes to the first store that this machine has and that
    [credentials] sources allows; an environment variable counts before any store.
    """


@auth.command("login")
@click.argument("provider", shell_complete=provider_names)
@click.option("--stdin", "piped", is_flag=True, help="Read the key from standard input.")
@source_option
@click.option("--base-url", metavar="URL", help="Where it is, for a provider of your own that is OpenAI-compatible.")
def login(provider: str, piped: bool, source: str | None, base_url: str | None) -> int:
    """Keep the key of PROVIDER in place of the one that is kept there."""
    from codetether.cli.key_input import checked_url, piped_key, typed_key

    url = checked_url(base_url) if base_url else None
    given = piped_key() if piped else None

    async def keeping(runtime: Runtime, screen: Screen) -> int:
        name = await _provider_to_keep(runtime, provider, url)
        place, store = await chosen_store(runtime, source)
        before = await answered(store.get, name, ())
        key = given or await typed_key(screen, name)
        runtime.redactor.add(key, f"{name}.api_key")
        values = {**(before.values if before else {}), "api_key": key, **({"base_url": url} if url else {})}
        kept = await keep(runtime, screen, name, place, store, values)
        await say_what_counts(runtime, screen, name, kept, url)
        return 0

    return with_runtime(keeping)


@auth.command("logout")
@click.argument("provider", shell_complete=provider_names)
@source_option
def logout(provider: str, source: str | None) -> int:
    """Forget the key of PROVIDER in every store, or in the one that is named."""

    async def forgetting(runtime: Runtime, screen: Screen) -> int:
        await runtime.providers()  # aliases, and providers that only a secret knows
        name = runtime.catalog.canonical(provider)
        stores = dict([await chosen_store(runtime, source)]) if source else runtime.credentials.stores()
        gone, failed = 0, None
        for place, store in stores.items():
            try:
                gone += await _forgotten(runtime, screen, name, place, store)
            except CredentialError as error:  # the other stores forget it all the same
                failed = failed or error
        if failed is not None:
            raise failed
        if not gone:
            screen.line(f"no key of {name} is kept in {listed(stores)}: nothing to forget")
        left, _ = await runtime.credentials.look(name, runtime.catalog.variables(name))
        if left is not None:
            screen.say(f"note: {name} still has a key, from {left.source}", YELLOW)
        return 0

    return with_runtime(forgetting)


async def _forgotten(runtime: Runtime, screen: Screen, name: str, place: str, store: CredentialStore) -> bool:
    secret = await answered(store.get, name, ()) if await answered(store.usable) else None
    if secret is None:
        return False
    async with runtime.audit.around("auth", "auth:logout", detail={"provider": name, "source": place}):
        await answered(store.delete, name)
    screen.line(f"forgotten: {name} in {secret.source}")
    return True


@attrs.frozen(kw_only=True)
class _Kept:
    """A key that a source has: what it holds beside it, by name, and whose key counts (empty: this one)."""

    provider: str
    source: str
    place: str
    holds: tuple[str, ...]
    hidden_by: str


@auth.command("list")
@as_json
def list_(as_json: bool) -> int:
    """List the keys that there are, and which of them count."""

    async def listing(runtime: Runtime, screen: Screen) -> int:
        found, failed = await _kept(runtime)
        for source, why in failed.items():
            screen.notice(source, why)
        if as_json:
            print_json(screen, [{**attrs.asdict(each), "used": not each.hidden_by} for each in found])
        elif not found:
            screen.line("No keys found")
        else:
            rows = [
                (k.provider, k.place, ", ".join(k.holds), f"no: {k.hidden_by} comes first" if k.hidden_by else "yes")
                for k in found
            ]
            print_table(screen, ("PROVIDER", "FROM", "HOLDS", "USED"), rows)
        return 0

    return with_runtime(listing)


@auth.command("status")
@click.argument("provider", required=False, shell_complete=provider_names)
@as_json
def status(provider: str | None, as_json: bool) -> int:
    """Say of each source whether it can be asked and written; of PROVIDER, what each source answers (1: no key)."""

    async def of_one(runtime: Runtime, screen: Screen) -> int:
        name = await _known(runtime, str(provider))
        found = {a.name: a for a in await runtime.providers()}.get(name)
        answers = {source: await _said(runtime, source, name) for source in runtime.credentials.sources}
        usable = found is not None and found.available
        if as_json:
            print_json(screen, {"provider": name, "usable": usable, "sources": answers})
        else:
            for source, answer in answers.items():
                screen.line(f"{source}: {answer}")
            why = "" if found else " (no plugin for it is installed)"
            screen.line(f"{name} can be used" if usable else f"{name} cannot be used{why}")
        return 0 if usable else 1

    async def of_all(runtime: Runtime, screen: Screen) -> int:
        rows = await _sources(runtime)
        if as_json:
            print_json(screen, rows)
        else:
            cells = [
                (r["source"], "yes" if r["writable"] else "no", ", ".join(r["providers"]), r["reason"]) for r in rows
            ]
            print_table(screen, ("SOURCE", "WRITABLE", "KEEPS", "WHAT IS WRONG"), cells)
        return 0

    return with_runtime(of_one if provider else of_all)


async def _names(runtime: Runtime) -> list[str]:
    """Every name by which a provider is known, here or at a vendor."""
    from codetether.catalog import VENDORS

    here = [name for a in await runtime.providers() for name in (a.name, *a.aliases)]
    return sorted({*here, *VENDORS})


async def _known(runtime: Runtime, provider: str) -> str:
    """The provider's own name, or that of a key of tools. Raises UsageError for one that nobody knows."""
    from codetether.settings.structure import did_you_mean

    if provider in keys_of_tools(runtime):
        return provider
    known = await _names(runtime)
    if provider not in known:
        raise UsageError(
            f"no provider {provider!r}{did_you_mean(provider, known)}",
            remedy=f"for an OpenAI-compatible server of your own: codetether auth login {provider} --base-url URL",
        )
    return runtime.catalog.canonical(provider)


async def _provider_to_keep(runtime: Runtime, provider: str, base_url: str | None) -> str:
    """The name under which the key is kept; a new one is fine with a base URL."""
    if not _NAME.fullmatch(provider):
        raise UsageError(
            f"{provider!r} is no name of a provider", remedy="letters, digits, `_`, `-` and `.`, without a `/`"
        )
    if base_url and provider not in await _names(runtime):
        return provider
    name = await _known(runtime, provider)
    try:
        keyless = runtime.catalog.spec(name).keyless and runtime.catalog.configured(name) is None
    except UnknownModel:  # a vendor whose plugin may come later
        keyless = False
    if keyless:
        raise UsageError(f"the provider {name} needs no key", remedy=f"codetether run -m {name} …")
    return name


async def _said(runtime: Runtime, source: str, provider: str) -> str:
    """What a source answers for the provider, in words."""
    answer = await runtime.credentials.ask(source, provider, runtime.catalog.variables(provider))
    return f"has it: {answer.source}" if isinstance(answer, Secret) else answer


async def _kept(runtime: Runtime) -> tuple[list[_Kept], dict[str, str]]:
    """Every key of every source, by provider, those that count first; and why a source cannot tell."""
    names = {a.name for a in await runtime.providers()}
    lists, failed = await runtime.credentials.kept()
    found = []
    for name in sorted(names.union(*lists.values())):
        first = ""
        for source in runtime.credentials.sources:
            answer = await runtime.credentials.ask(source, name, runtime.catalog.variables(name))
            if isinstance(answer, Secret):
                holds = tuple(sorted(answer.values))
                found.append(_Kept(provider=name, source=source, place=answer.source, holds=holds, hidden_by=first))
                first = first or answer.source
    return found, failed


async def _sources(runtime: Runtime) -> list[dict[str, Any]]:
    """Every source that is installed, those that may be asked first and in that order."""
    found, failed = await _kept(runtime)
    stores, allowed = runtime.credentials.stores(), list(runtime.credentials.sources)
    rows = []
    for name in [*allowed, *(other for other in installed_sources(runtime) if other not in allowed)]:
        writable, reason = False, failed.get(name, "")
        if name not in allowed:
            reason = "left out by [credentials] sources, or could not start"
        elif name in stores and not reason:
            writable = await answered(stores[name].usable)
            reason = "" if writable else await why_unusable(runtime, name)
        keeps = [kept.provider for kept in found if kept.source == name]
        rows.append({"source": name, "writable": writable, "providers": keeps, "reason": reason})
    return rows
