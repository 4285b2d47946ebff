"""Keys that `codetether auth` keeps: which store takes them, what is recorded of it, what counts afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from codetether.cli.terminal import YELLOW, Screen
from codetether.errors import CodetetherError, CredentialError, UsageError
from codetether.models.providers import Secret
from codetether.models.record import JSON

if TYPE_CHECKING:
    from codetether.protocols import CredentialStore
    from codetether.runtime import Runtime

T = TypeVar("T")
LIMIT = 60.0
"""Seconds that a store may take for one change: time to unlock it."""


async def answered(method: Callable[..., Awaitable[T]], *args: Any) -> T:
    """What a source's method answers within the limit; whatever else it raises becomes a CredentialError."""
    from codetether.plugins.boundary import BROKEN, asked, reason_of

    try:
        return await asked(method, *args, limit=LIMIT)
    except CodetetherError:
        raise
    except BROKEN as error:  # the plugin boundary
        raise CredentialError(
            f"a source of credentials failed: {reason_of(error)}", remedy="codetether plugins"
        ) from error


async def chosen_store(runtime: Runtime, wanted: str | None) -> tuple[str, CredentialStore]:
    """The store that is named, else the first. Raises UsageError where it may not or cannot be written."""
    stores = runtime.credentials.stores()
    for name, store in stores.items():
        if wanted in (None, name) and await answered(store.usable):
            return name, store
    remedy = f"those that could be written: {listed(name for name in stores if name != wanted)}"
    if wanted is None:
        raise UsageError("no store of credentials can be written here", remedy=f"{_LEFT_OUT}, or set a variable")
    if wanted in stores:
        raise UsageError(f"{wanted} cannot be written: {await why_unusable(runtime, wanted)}", remedy=remedy)
    if wanted in runtime.credentials.sources:
        raise UsageError(f"{wanted} can only be read", remedy=remedy)
    if wanted in installed_sources(runtime):
        raise UsageError(f"[credentials] sources leaves {wanted} out, so nothing is kept there", remedy=remedy)
    raise UsageError(f"no source {wanted!r} is installed", remedy=remedy)


_LEFT_OUT = "look at codetether auth status and at [credentials] sources in the settings"


async def why_unusable(runtime: Runtime, store: str) -> str:
    """What a store that cannot be written says when it is asked for nothing."""
    answer = await runtime.credentials.ask(store, "", ())
    return answer if isinstance(answer, str) else "it is not usable here"


def installed_sources(runtime: Runtime) -> list[str]:
    """Every installed source by name, in the order in which they would be asked."""
    from codetether.specs import CredentialSourceSpec

    found = runtime.plugins.collect(CredentialSourceSpec)
    return [p.record.name for p in sorted(found, key=lambda p: (p.record.place, p.record.name))]


def listed(names: Iterable[str]) -> str:
    """The names as words of a sentence."""
    return ", ".join(names) or "none"


async def keep(
    runtime: Runtime, screen: Screen, name: str, place: str, store: CredentialStore, values: Mapping[str, JSON]
) -> Secret:
    """Keeps the values in the store, recorded as a login. Raises CredentialError where they are not there then."""
    async with runtime.audit.around("auth", "auth:login", detail={"provider": name, "source": place}):
        await answered(store.put, name, values)
    kept = await answered(store.get, name, ())
    if kept is None or kept.get("api_key") != values["api_key"]:
        raise CredentialError(f"{place} took the key of {name}, and does not have it", remedy="choose another --source")
    screen.line(f"kept: {name} in {kept.source}")
    return kept


def keys_of_tools(runtime: Runtime) -> set[str]:
    """The names of keys that are no provider's: those of `[secrets]`, and those that toolsets look for."""
    from codetether.specs import ToolsetSpec

    of_toolsets = (key for found in runtime.plugins.collect(ToolsetSpec) for key in found.record.keys)
    return {*runtime.settings.core.credentials_of_tools, *of_toolsets}


async def say_what_counts(runtime: Runtime, screen: Screen, name: str, kept: Secret, url: str | None) -> None:
    """Looks at the provider as a run would, and says where that is not what the user may expect."""
    from codetether.catalog import is_loopback

    found = {a.name: a for a in await runtime.providers()}.get(name)
    if found is None:
        if name not in keys_of_tools(runtime):
            screen.say(f"note: no plugin for {name} is installed yet", YELLOW)
        return
    if not found.available:
        screen.say(f"note: {name} cannot be used yet: {found.reason}", YELLOW)
        return
    if found.source != kept.source:
        variable = found.source.removeprefix("env:")
        remedy = f"; unset {variable} to use what was kept" if variable != found.source else ""
        screen.say(f"note: {found.source} comes before it, so that is what {name} uses{remedy}", YELLOW)
    used = (await runtime.catalog.provider(name)).base_url
    if url and used != url:
        screen.say(f"note: the settings name another base URL, which is what {name} uses: {used}", YELLOW)
    if url and url.startswith("http://") and not is_loopback(url):
        screen.say("note: the base URL is http://: everybody on the way can read the key", YELLOW)
    model = found.default_model or "MODEL"
    screen.line(f"{name} can be used: codetether run -m {name}/{model} …")
