"""Providers and models: what is there, what it costs, and which model a wish means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import attrs

from codetether.errors import CredentialError, NoProviderAvailable, PluginError, UnknownModel, UsageError
from codetether.models.completion import ModelLimits, ModelRef, SamplingParams, Usage
from codetether.models.providers import Availability, Provider, Secret
from codetether.plugins.boundary import BROKEN, asked, reason_of
from codetether.plugins.loaded import Provided
from codetether.protocols import CredentialSource, CredentialStore, Selector
from codetether.settings.core import CoreSettings, ProviderSettings, SamplingSettings
from codetether.specs import ModelDefaults, ProviderSpec
from codetether.values import frozen

CREDENTIAL_LIMIT = 30.0
"""Seconds that one source of credentials may take for one secret."""
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


class Chain:
    """The allowed credential sources, asked in order; the first that has the secret counts.

    Attributes:
        sources: by name, in the order in which they are asked.
    """

    def __init__(self, sources: Sequence[tuple[str, Any]], learn: Any = None) -> None:
        self.sources: Mapping[str, CredentialSource] = dict(sources)
        self._learn = learn

    def stores(self) -> dict[str, CredentialStore]:
        """Those that can be written, in the same order."""
        return {name: source for name, source in self.sources.items() if isinstance(source, CredentialStore)}

    async def get(self, provider: str) -> Secret | None:
        """The first secret found."""
        secret, _ = await self.look(provider, ())
        return secret

    async def look(self, provider: str, names: Sequence[str]) -> tuple[Secret | None, list[str]]:
        """The first secret found, and what the sources before it said."""
        said: list[str] = []
        for name in self.sources:
            found = await self.ask(name, provider, names)
            if isinstance(found, Secret):
                return found, said
            said.append(f"{name}: {found}")
        return None, said

    async def ask(self, name: str, provider: str, names: Sequence[str]) -> Secret | str:
        """What one source has for the provider, or why it gives nothing."""
        try:
            secret = await asked(self.sources[name].get, provider, names, limit=CREDENTIAL_LIMIT)
            if not isinstance(secret, Secret | None):
                raise PluginError(f"gave {type(secret).__name__}, not a Secret")
        except BROKEN as error:  # one source's failure must not hide the next: it is listed with its words
            return _said_by(error)
        if secret is None:
            return f"{', '.join(names)} not set" if name == "env" and names else "has none"
        if self._learn is not None:
            self._learn(provider, secret)
        return secret

    async def kept(self) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """The providers that each source says it has, and why a source could not say."""
        kept, failed = {}, {}
        for name, source in self.sources.items():
            try:
                kept[name] = tuple(map(str, await asked(source.list, limit=CREDENTIAL_LIMIT)))
            except BROKEN as error:  # the others can tell all the same
                failed[name] = _said_by(error)
        return kept, failed


def _said_by(error: BaseException) -> str:
    if not isinstance(error, CredentialError):
        return reason_of(error)
    return f"{error.message} ({error.remedy})" if error.remedy else error.message


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
    ) -> None:
        """`failed(plugin, hook, error)` is told of a selector that broke its promise, `notice` of a doubtful wish."""
        self._settings = settings
        self._credentials = credentials
        self._selectors = selectors
        self._environment = environment
        self._failed = failed
        self._notice = notice
        self._specs: dict[str, list[Provided[ProviderSpec]]] = {}
        for provided in specs:
            self._specs.setdefault(provided.record.name, []).append(provided)
        for name, configured in settings.providers.items():
            if self.canonical(name) not in self._specs:
                spec = ProviderSpec(
                    name=name, wire=configured.wire or "openai-chat", keyless=not configured.api_key_env
                )
                self._specs[name] = [Provided(plugin="settings", record=spec)]
        self._defaults = sorted((d.record for d in defaults), key=lambda d: len(d.match.replace("*", "")))

    def canonical(self, name: str) -> str:
        """The provider's own name for an alias; the name itself where it is none."""
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
        provider, said = await self._build(self.spec(name))
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
        secret, said = await self._credentials.look(spec.name, self.variables(spec.name))
        base_url = configured.base_url or (secret.get("base_url") if secret else None) or self._base_url(spec)
        keyless = spec.keyless or (bool(base_url) and is_loopback(base_url))
        if not keyless and (secret is None or not any(map(secret.get, spec.key_names))):
            return None, said
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

    def _base_url(self, spec: ProviderSpec) -> str:
        found = (self._environment.get(name) for name in spec.base_url_env)
        return next((url for url in found if url), spec.base_url)

    async def _add_stored(self) -> None:
        """Providers that nobody but a secret with a base URL knows: they speak Chat Completions."""
        kept, _ = await self._credentials.kept()
        for name in sorted({name for names in kept.values() for name in names}):
            if self.canonical(name) in self._specs:
                continue
            secret = await self._credentials.get(name)
            if secret is not None and (base_url := secret.get("base_url")):
                spec = ProviderSpec(name=name, wire="openai-chat", base_url=base_url)
                self._specs[name] = [Provided(plugin="credentials", record=spec)]

    async def availability(self) -> list[Availability]:
        """Every provider, by name, with the reason where it cannot be used."""
        await self._add_stored()
        return [await self._availability(name) for name in sorted(self._specs)]

    async def _availability(self, name: str) -> Availability:
        try:
            spec = self.spec(name)
        except PluginError as error:
            return Availability(name=name, available=False, reason=error.message)
        provider, said = await self._build(spec)
        return Availability(
            name=name,
            available=provider is not None,
            default_model=provider.default_model if provider else spec.default_model,
            models=spec.models,
            aliases=spec.aliases,
            place=spec.place,
            reason="" if provider else "; ".join(said),
            source=provider.secret.source if provider and provider.secret else "",
        )

    async def resolve(self, wish: str | None) -> ModelRef:
        """The model that a wish (None: no wish) means.

        Raises UnknownModel for a provider or model that is not there, NoProviderAvailable when there is nobody.
        """
        available = await self.availability()
        for named in self._selectors:
            try:
                chosen = await asked(named.selector.select, wish, available)
                if chosen and not isinstance(chosen[0], ModelRef):
                    raise PluginError(f"select() gave {type(chosen[0]).__name__}, not a ModelRef")
            except UsageError:  # an answer too: what was asked for is not there
                raise
            except BROKEN as error:  # a selector that fails passes the question on, and that is said
                self._failed(named.plugin, f"codetether_selectors {named.name}", error)
                continue
            if chosen:
                self._doubt(wish or "", chosen[0], available)
                return chosen[0]
        if any(provider.available for provider in available):
            raise UnknownModel(
                "nobody chose a model, although there are providers: no selector answered",
                remedy="name one (-m provider/model); codetether plugins says what is wrong with the selectors",
            )
        raise no_provider(available)

    def _doubt(self, wish: str, ref: ModelRef, available: Sequence[Availability]) -> None:
        """Says it where a model's id may be meant as a provider, spelled wrong, and its model."""
        head, cut, model = wish.partition("/")
        if not cut or wish != ref.model or self.knows(head) or any(wish in a.models for a in available):
            return
        from difflib import get_close_matches

        near = get_close_matches(head, [word for a in available for word in (a.name, *a.aliases)], n=1)
        if near and not _plain(head).startswith(_plain(near[0])):  # x-ai, mistralai: gateways name vendors so
            self._notice(
                f'"{head}" is no provider here; taken as a model of {ref.provider}; did you mean {near[0]}/{model}?'
            )

    def defaults(self, ref: ModelRef) -> ModelDefaults:
        """What holds for the model: all that match, the most specific last, then the user's settings."""
        name = f"{ref.provider}/{ref.model}".lower()
        merged = ModelDefaults(match=name)
        for layer in self._defaults:
            if fnmatchcase(name, layer.match.lower()):
                merged = _laid_over(merged, layer)
        sampling = _over(merged.sampling, self._settings.sampling)
        refused: dict[str, Any] = {field: None for field in merged.omit if field in attrs.fields_dict(SamplingParams)}
        return attrs.evolve(merged, sampling=attrs.evolve(sampling, **refused))

    def priced(self, ref: ModelRef, usage: Usage) -> Usage:
        """The usage with its cost, where prices are known and the provider gave none."""
        prices = self.defaults(ref).prices
        if usage.cost is not None or not prices:
            return usage
        cached = usage.cache_read_tokens + usage.cache_write_tokens
        amounts = {
            "input": usage.input_tokens - cached,
            "cache_read": usage.cache_read_tokens,
            "cache_write": usage.cache_write_tokens,
            "output": usage.output_tokens,
        }
        rate = {kind: Decimal(prices.get(kind, prices.get("input", "0"))) for kind in amounts}
        cost = sum((rate[kind] * count for kind, count in amounts.items()), Decimal(0)) / 1_000_000
        return attrs.evolve(usage, cost=cost)


def _laid_over(base: ModelDefaults, layer: ModelDefaults) -> ModelDefaults:
    return attrs.evolve(
        base,
        sampling=_over(base.sampling, layer.sampling),
        limits=ModelLimits(
            context=layer.limits.context or base.limits.context, output=layer.limits.output or base.limits.output
        ),
        omit=base.omit | layer.omit,
        wire=layer.wire or base.wire,
        quirks={**base.quirks, **layer.quirks},
        prices={**base.prices, **layer.prices},
        capabilities={**base.capabilities, **layer.capabilities},
    )


def _over(base: SamplingParams, layer: SamplingParams | SamplingSettings) -> SamplingParams:
    fields = ("temperature", "top_p", "max_output_tokens", "stop", "seed")
    said: Mapping[str, Any] = {f: value for f in fields if (value := getattr(layer, f, None)) not in (None, ())}
    return attrs.evolve(base, **said)


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
    return f"set {variable}, or {vault}, or run `codetether auth login {name}`"


def no_provider(available: Sequence[Availability]) -> NoProviderAvailable:
    """The error for nobody at all: each source that was asked and why not, then what to do."""
    asked = [f"  {a.name}: {a.reason or 'not chosen'}" for a in available] or ["  no provider plugin is installed"]
    return NoProviderAvailable(
        "\n".join(["No providers available.", *asked]),
        remedy="keep a key in Vault at secret/codetether/providers/<provider> (field api_key), or set its variable "
        "(e.g. OPENAI_API_KEY), or run `codetether auth login <provider>`, or install the embedded model, "
        "which needs no key: "
        'pip install "codetether-agent[local]"',
    )
