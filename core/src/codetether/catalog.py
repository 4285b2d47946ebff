"""Providers and models: what is there, what it costs, and which model a wish means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import attrs

from codetether.credentials import Chain, told_once
from codetether.errors import NoProviderAvailable, PluginError, UnknownModel, UsageError
from codetether.known_models import KnownModels, NamedCatalogue, is_slip
from codetether.models.completion import ModelRef, Usage
from codetether.models.providers import Availability, Provider, Secret
from codetether.plugins.boundary import BROKEN, asked, reason_of
from codetether.plugins.loaded import Provided
from codetether.protocols import Selector
from codetether.settings.core import CoreSettings, ProviderSettings
from codetether.specs import ModelDefaults, ProviderSpec
from codetether.values import frozen

AT_ONCE = 4
"""Providers whose keys are looked for at once: a source that answers one after the other must not run out of time."""
VENDORS = [
    "zai",
    "zhipuai",
    "openai",
    "github-copilot",
    "github-copilot-enterprise",
    "anthropic",
    "minimax",
    "openrouter",
    "novita",
    "moonshotai",
    "google",
    "bedrock",
    "stepfun",
    "cerebras",
    "deepseek",
    "groq",
    "togetherai",
    "fireworks-ai",
    "mistral",
    "nvidia",
    "alibaba",
    "azure",
    "xai",
    "ollama",
    "local",
]
"""Names that mean a vendor in `vendor/model` even where no plugin for it is installed."""


@frozen(kw_only=True)
class NamedSelector:
    """A selector with the plugin that it comes from."""

    plugin: str
    name: str
    selector: Selector


class _NoAddress(PluginError):
    """A provider whose base URL nobody named."""


class Catalog:
    """All providers by name, and the defaults of their models."""

    def __init__(
        self,
        specs: Sequence[Provided[ProviderSpec]],
        defaults: Sequence[Provided[ModelDefaults]],
        settings: CoreSettings,
        credentials: Chain,
        selectors: Sequence[NamedSelector],
        environment: Mapping[str, str],
        failed: Callable[[str, str, BaseException], None],
        notice: Callable[[str], None] = lambda text: None,
        catalogues: Sequence[NamedCatalogue] = (),
    ) -> None:
        """`failed(plugin, hook, error)` is told of an object that broke its promise, `notice` of a doubtful wish."""
        self._settings = settings
        self._credentials = credentials
        self._selectors = selectors
        self._environment = environment
        self._failed = failed
        self._notice = notice
        self._kept: set[str] | None = None
        self._seen: Mapping[str, str] = {}
        self._doubted: set[tuple[str, ModelRef]] = set()
        self._specs: dict[str, list[Provided[ProviderSpec]]] = {}
        for provided in specs:
            self._specs.setdefault(provided.record.name, []).append(provided)
        for name, configured in settings.providers.items():
            if self.canonical(name) not in self._specs:
                spec = ProviderSpec(
                    name=name, wire=configured.wire or "openai-chat", keyless=not configured.api_key_env
                )
                self._specs[name] = [Provided(plugin="settings", record=spec)]
        self.models = KnownModels([d.record for d in defaults], catalogues, settings.sampling, failed)

    def canonical(self, name: str) -> str:
        """The provider's own name for an alias; the name itself where it is none."""
        if name in self._specs:
            return name
        for own, provided in self._specs.items():
            if any(name in p.record.aliases for p in provided):
                return own
        return name

    def knows(self, name: str) -> bool:
        """Whether the name is a provider, an alias, or a vendor that a plugin could add."""
        return self.canonical(name) in self._specs or name in VENDORS

    def spec(self, name: str) -> ProviderSpec:
        """The provider's spec. Raises UnknownModel where there is none, PluginError where two plugins give one."""
        provided = self._specs.get(self.canonical(name))
        if not provided:
            there = ", ".join(sorted(self._specs)) or "none"
            raise UnknownModel(
                f"no provider {name!r} is installed; there are: {there}",
                remedy=how_to_install(name),
            )
        if len(provided) > 1:
            plugins = " and ".join(p.plugin for p in provided)
            raise PluginError(f"the provider {name!r} is offered by {plugins}", remedy="block one: [plugins] block")
        return provided[0].record

    def configured(self, name: str) -> ProviderSettings | None:
        """What the settings say of the provider, under its own name or an alias."""
        for key, value in self._settings.providers.items():
            if self.canonical(key) == self.canonical(name):
                return value
        return None

    def variables(self, name: str) -> tuple[str, ...]:
        """The environment variables that may hold the provider's key."""
        configured = self.configured(name)
        if configured is not None and configured.api_key_env:
            return (configured.api_key_env,)
        provided = self._specs.get(self.canonical(name))
        return provided[0].record.env if provided else ()

    async def provider(self, name: str, model: str = "") -> Provider:
        """The provider with its secret, as the model wants it. Raises NoProviderAvailable when nobody has its key."""
        if self.canonical(name) not in self._specs:
            await self._add_stored()
        try:
            provider, said = await self._build(self.spec(name))
        except _NoAddress as error:
            remedy = f'set it, or: codetether config set providers.{name}.base_url "https://…"'
            raise NoProviderAvailable(f"no base URL for {name}: {error.message}", remedy=remedy) from error
        if provider is None:
            raise NoProviderAvailable(
                f"no key for {name}: {'; '.join(said)}", remedy=_how_to_add(name, self.spec(name))
            )
        if not model:
            return provider
        configured = self.configured(name) or ProviderSettings()
        own = self.defaults(ModelRef(provider=provider.name, model=model))
        options = {**provider.options, **own.quirks, **configured.options}
        return attrs.evolve(provider, wire=configured.wire or own.wire or provider.wire, options=options)

    async def _build(self, spec: ProviderSpec) -> tuple[Provider | None, list[str]]:
        configured = self.configured(spec.name) or ProviderSettings()
        secret, said = await self._secret(spec)
        base_url = configured.base_url or (secret.get("base_url") if secret else None) or self._base_url(spec)
        keyless = spec.keyless or (bool(base_url) and is_loopback(base_url))
        if not keyless and (secret is None or not any(map(secret.get, spec.key_names))):
            return None, said if secret is None else [*said, f"{secret.source} has no {' or '.join(spec.key_names)}"]
        if not base_url and spec.base_url_form is not None:
            raise _NoAddress(f"{', '.join(spec.base_url_env)} not set")
        headers = secret.values.get("headers") if secret else None
        return Provider(
            name=spec.name,
            wire=configured.wire or spec.wire,
            base_url=base_url,
            secret=secret,
            default_model=configured.default_model or spec.default_model,
            headers={**(headers or {}), **configured.headers},
            options={**spec.quirks, **configured.options},
            timeout=configured.timeout or 600.0,
        ), said

    async def _secret(self, spec: ProviderSpec) -> tuple[Secret | None, list[str]]:
        """The provider's secret, under its own name or an alias under which somebody keeps one."""
        secret, said = await self._credentials.look(spec.name, self.variables(spec.name))
        if secret is None and spec.aliases and self._kept is None:
            await self._add_stored()
        for alias in spec.aliases:
            if secret is None and alias in (self._kept or ()):
                secret = await self._credentials.get(alias)
        return secret, said

    def _base_url(self, spec: ProviderSpec) -> str:
        """The base URL that the environment names, else the spec's. Raises _NoAddress where the spec cannot say."""
        found = ((name, value) for name in spec.base_url_env if (value := self._environment.get(name, "").strip()))
        name, value = next(found, ("", ""))
        if not value or spec.base_url_form is None:
            return value or spec.base_url
        try:
            return str(spec.base_url_form(name, value))
        except BROKEN as error:  # the plugin's own code, on what somebody typed
            raise _NoAddress(f"{name} makes no base URL: {reason_of(error)}") from error

    async def _add_stored(self) -> None:
        """Providers that nobody but a secret with a base URL knows: they speak Chat Completions."""
        kept, _ = await self._credentials.kept()
        self._kept = {name for names in kept.values() for name in names}
        for name in sorted(self._kept):
            if self.canonical(name) in self._specs:
                continue
            secret = await self._credentials.get(name)
            if secret is not None and (base_url := secret.get("base_url")):
                spec = ProviderSpec(name=name, wire="openai-chat", base_url=base_url)
                self._specs[name] = [Provided(plugin="credentials", record=spec)]

    async def availability(self) -> list[Availability]:
        """Every provider, by name, with the reason where it cannot be used."""
        await self._add_stored()
        turns = asyncio.Semaphore(AT_ONCE)

        async def asked_for(name: str) -> Availability:
            async with turns:
                return await self._availability(name)

        return list(await asyncio.gather(*(asked_for(name) for name in sorted(self._specs))))

    async def _availability(self, name: str) -> Availability:
        try:
            spec = self.spec(name)
            provider, said = await self._build(spec)
        except PluginError as error:
            lacks = "base URL" if isinstance(error, _NoAddress) else "key"
            return Availability(name=name, available=False, reason=error.message, lacks=lacks)
        configured = self.configured(name) or ProviderSettings()
        return Availability(
            name=name,
            available=provider is not None,
            default_model=configured.default_model or spec.default_model,
            models=tuple(dict.fromkeys((*configured.models, *spec.models))),
            aliases=spec.aliases,
            place=spec.place,
            reason="" if provider else "; ".join(said),
            source=provider.secret.source if provider and provider.secret else "",
            sign_in=spec.sign_in,
        )

    async def resolve(self, wish: str | None) -> ModelRef:
        """The model that a wish (None: no wish) means; raises as `choose` does."""
        return (await self.choose(wish))[0]

    async def choose(self, wish: str | None) -> Sequence[ModelRef]:
        """The model that a wish (None: no wish) means, then those to fall back on, as a selector gave them.

        Raises UnknownModel for a provider or model that is not there, NoProviderAvailable when there is nobody.
        """
        available = await self._asked_for(wish) or await self.availability()
        try:
            chosen = await self._select(wish, available)
        except UnknownModel:  # said again with what the catalogues list, so that the error names what would do
            listed = [attrs.evolve(a, models=self._all_models(a)) for a in available]
            chosen = await self._select(wish, listed)
        if chosen:
            self._doubt(wish or "", chosen[0], available)
            return chosen
        if any(provider.available for provider in available):
            raise UnknownModel(
                "nobody chose a model, although there are providers: no selector answered",
                remedy="name one (-m provider/model); codetether plugins says what is wrong with the selectors",
            )
        raise no_provider(available)

    async def _asked_for(self, wish: str | None) -> list[Availability]:
        """The provider that the wish names, where that alone decides: core's own selector asks for no other then.

        What the environment holds is known to the redactor all the same.
        """
        head = (wish or "").partition("/")[0]
        name = self.canonical(head if self.knows(head) else self._settings.provider or "")
        if name not in self._specs or any(named.plugin != "selection" for named in self._selectors):
            return []
        found = await self._availability(name)
        if not found.available:
            return []
        if "env" in self._credentials.sources and (seen := dict(self._environment)) != self._seen:
            self._seen = seen
            for other in self._specs:
                await self._credentials.ask("env", other, self.variables(other))
        return [found]

    async def _select(self, wish: str | None, available: Sequence[Availability]) -> Sequence[ModelRef]:
        """The first answer of a selector; one that fails passes the question on, and that is said."""
        for named in self._selectors:
            try:
                chosen = await asked(named.selector.select, wish, available)
                _check_chosen(chosen or ())
            except UsageError:  # an answer too: what was asked for is not there
                raise
            except BROKEN as error:
                self._failed(named.plugin, f"codetether_selectors {named.name}", error)
                continue
            if chosen:
                return tuple(chosen)
        return ()

    def _all_models(self, provider: Availability) -> tuple[str, ...]:
        """Those that the provider has by its spec and the settings, then the catalogue's."""
        return tuple(dict.fromkeys((*provider.models, *self.models.names(provider.name))))

    def _doubt(self, wish: str, ref: ModelRef, available: Sequence[Availability]) -> None:
        """Says it where a name may be spelled wrong: a provider's that is taken for a model's, or a model's."""
        from difflib import get_close_matches

        known = next((self._all_models(a) for a in available if a.name == ref.provider), ())
        if not wish or (wish, ref) in self._doubted:
            return
        self._doubted.add((wish, ref))
        if ref.model in known or self.models.listed(ref) is not None:
            return
        if any(wish in p.record.models for provided in self._specs.values() for p in provided):
            return
        head, cut, model = wish.partition("/")
        if cut and wish == ref.model and not self.knows(head):
            near = get_close_matches(head, self._words(), n=1, cutoff=0.65)
            if near and not _plain(head).startswith(_plain(near[0])):  # x-ai, mistralai: gateways name vendors so
                taken = f"taken as a model of {ref.provider}"
                self._notice(f'"{head}" is no provider here; {taken}; did you mean {near[0]}/{model}?')
                return
        near = get_close_matches(ref.model, known, n=1, cutoff=0.8)
        if near and is_slip(ref.model, near[0]):
            self._notice(f"{ref} is in no catalogue here; did you mean {ref.provider}/{near[0]}?")

    def _words(self) -> list[str]:
        """Every name and alias of a provider."""
        return [word for ps in self._specs.values() for p in ps for word in (p.record.name, *p.record.aliases)]

    def defaults(self, ref: ModelRef) -> ModelDefaults:
        """What holds for the model."""
        return self.models.defaults(ref)

    def priced(self, ref: ModelRef, usage: Usage) -> Usage:
        """The usage with its cost, where prices are known and the provider gave none."""
        return self.models.priced(ref, usage)


def _check_chosen(chosen: Sequence[object]) -> None:
    if wrong := [ref for ref in chosen if not isinstance(ref, ModelRef)]:
        raise PluginError(f"select() gave {type(wrong[0]).__name__}, not a ModelRef")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def is_loopback(url: str) -> bool:
    """Whether the URL leads to this machine alone."""
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # it is none: the wire says so when it is used
        return False
    return host in ("localhost", "::1") or host.startswith("127.")


def how_to_install(name: str) -> str:
    """What to do about a provider that is not installed. No package is named: anybody may own a name that was typed."""
    url = f'codetether config set providers.{name}.base_url "https://…/v1"'
    return f"install a plugin that brings it, or, where it speaks OpenAI's chat format, name its URL: {url}"


def _how_to_add(name: str, spec: ProviderSpec) -> str:
    variable = spec.env[0] if spec.env else f"{name.upper().replace('-', '_')}_API_KEY"
    vault = f"keep the key in Vault at secret/codetether/providers/{name}"
    if spec.sign_in:
        return f"run `codetether auth {spec.sign_in}`, or set {variable}, or {vault}"
    return f"set {variable}, or {vault}, or run `codetether auth login {name}`"


def no_provider(available: Sequence[Availability]) -> NoProviderAvailable:
    """The error for nobody at all: each source that was asked and why not, then what to do."""
    unasked = "only with a model that is named: -m {0}/MODEL"
    reasons, often = told_once([a.reason or unasked.format(a.name) for a in available])
    asked = [f"  {a.name}: {reason}" for a, reason in zip(available, reasons, strict=True)] + [f"  {o}" for o in often]
    asked = asked or ["  no provider plugin is installed"]
    return NoProviderAvailable(
        "\n".join(["No providers available.", *asked]),
        remedy="keep a key in Vault at secret/codetether/providers/<provider> (field api_key), or set its variable "
        "(e.g. OPENAI_API_KEY), or run `codetether auth login <provider>` (for Copilot `codetether auth copilot`), "
        "or install the embedded model, which needs no key: "
        'pip install "codetether-agent[local]"',
    )
