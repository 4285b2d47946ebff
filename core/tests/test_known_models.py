"""Stories about what is known of models: layers, what a model refuses or fixes, prices, catalogues that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import codetether
import pytest
from codetether import (
    CatalogueSpec,
    CredentialSourceSpec,
    ModelDefaults,
    ModelLimits,
    ModelRef,
    ProviderSpec,
    Runtime,
    SamplingParams,
    Secret,
    Usage,
    UsageError,
)
from codetether.testing.sessions import ONLY

ACME = ModelRef(provider="acme", model="m-1")


class Catalogue:
    """A catalogue of what it is given."""

    date = "2026-01-02"

    def __init__(self, models: Mapping[str, ModelDefaults]) -> None:
        self.known = dict(models)

    def models(self, provider: str) -> Sequence[str]:
        return [name.partition("/")[2] for name in self.known if name.startswith(f"{provider}/")]

    def defaults(self, ref: ModelRef) -> ModelDefaults | None:
        return self.known.get(str(ref))

    async def refresh(self) -> str:
        self.known = {str(ACME): ModelDefaults(match="x", limits=ModelLimits(output=77))}
        return "2026-02-03"


class Broken(Catalogue):
    """One that fails, each time in another way."""

    def models(self, provider: str) -> Sequence[str]:
        raise SystemExit(3)

    def defaults(self, ref: ModelRef) -> Any:
        return {"limits": 1}


class Models:
    """A plugin with catalogues, defaults, and a provider `acme`."""

    __codetether_name__ = "models-under-test"

    def __init__(self, *defaults: ModelDefaults, catalogues: Mapping[str, Catalogue] | None = None) -> None:
        self.defaults = defaults
        self.catalogues = catalogues or {}

    @codetether.hookimpl
    def codetether_providers(self) -> Iterable[ProviderSpec]:
        yield ProviderSpec(name="acme", wire="w", env=("ACME_API_KEY",), default_model="m-1", aliases=("old-acme",))
        yield ProviderSpec(name="beta", wire="w", env=("BETA_API_KEY",), default_model="b")

    @codetether.hookimpl
    def codetether_model_defaults(self) -> Iterable[ModelDefaults]:
        yield from self.defaults

    @codetether.hookimpl
    def codetether_catalogues(self) -> Iterable[CatalogueSpec]:
        for place, (name, made) in enumerate(self.catalogues.items()):
            yield CatalogueSpec(name=name, create=giving(made), place=place)


def giving(made: Catalogue) -> Callable[[Any], Any]:
    return lambda ctx: made


def listed(**said: Any) -> Mapping[str, Catalogue]:
    return {"one": Catalogue({str(ACME): ModelDefaults(match=str(ACME), **said)})}


GENERAL = SamplingParams(temperature=0.7, max_output_tokens=8192)
NO_TEMPERATURE = frozenset({"temperature"})


@pytest.mark.parametrize(
    ("defaults", "said", "sampling"),
    [
        ((), {}, GENERAL),
        ((), {"omit": NO_TEMPERATURE}, SamplingParams(max_output_tokens=8192)),
        ((), {"omit": frozenset({"stop", "nothing"})}, GENERAL),
        ((), {"limits": ModelLimits(output=100)}, SamplingParams(temperature=0.7, max_output_tokens=100)),
        # a plugin that gives a value knows better than a catalogue
        (
            (ModelDefaults(match="acme/*", sampling=SamplingParams(temperature=0.3)),),
            {"omit": NO_TEMPERATURE},
            SamplingParams(temperature=0.3, max_output_tokens=8192),
        ),
        # and the more specific of two plugins better than the other
        (
            (
                ModelDefaults(match="acme/m-1", omit=NO_TEMPERATURE),
                ModelDefaults(match="acme/*", sampling=SamplingParams(temperature=0.3)),
            ),
            {},
            SamplingParams(max_output_tokens=8192),
        ),
    ],
)
async def test_layers_of_sampling(
    defaults: tuple[ModelDefaults, ...], said: dict[str, Any], sampling: SamplingParams
) -> None:
    async with Runtime.open(ONLY, plugins=[Models(*defaults, catalogues=listed(**said))]) as runtime:
        assert runtime.catalog.defaults(ACME).sampling == sampling


async def test_a_fixed_value_is_not_the_users_to_move() -> None:
    fixed = ModelDefaults(match="acme/*", sampling=SamplingParams(temperature=1.0), fixed=NO_TEMPERATURE)
    settings: dict[str, Any] = {**ONLY, "sampling": {"temperature": 0.2, "top_p": 0.5, "max_output_tokens": 9}}
    async with Runtime.open(settings, plugins=[Models(fixed)]) as runtime:
        one = runtime.catalog.defaults(ACME).sampling
        other = runtime.catalog.defaults(ModelRef(provider="beta", model="m-1")).sampling
    assert one == SamplingParams(temperature=1.0, top_p=0.5, max_output_tokens=9)
    assert other == SamplingParams(temperature=0.2, top_p=0.5, max_output_tokens=9)


async def test_the_first_catalogue_that_knows_a_model_counts() -> None:
    other = ModelRef(provider="acme", model="m-2")
    made = {
        "near": Catalogue({str(ACME): ModelDefaults(match="x", limits=ModelLimits(context=1))}),
        "far": Catalogue({str(r): ModelDefaults(match="x", limits=ModelLimits(context=2)) for r in (ACME, other)}),
    }
    async with Runtime.open(ONLY, plugins=[Models(catalogues=made)]) as runtime:
        contexts = [runtime.catalog.defaults(ref).limits.context for ref in (ACME, other)]
        names = runtime.catalog.models.names("acme")
        where = [runtime.catalog.models.listed_in(r) for r in (ACME, other, ModelRef(provider="acme", model="x"))]
    assert (contexts, names) == ([1, 2], ("m-1",))
    assert where == ["near 2026-01-02", "far 2026-01-02", None]


async def test_a_catalogue_that_fails_counts_as_knowing_nothing_and_is_named() -> None:
    said: list[str] = []
    made: dict[str, Catalogue] = {"broken": Broken({}), "good": Catalogue({str(ACME): ModelDefaults(match="x")})}
    async with Runtime.open(
        ONLY, plugins=[Models(catalogues=made)], on_notice=lambda source, text: said.append(text)
    ) as runtime:
        assert runtime.catalog.models.names("acme") == ("m-1",)
        assert runtime.catalog.models.listed_in(ACME) == "good 2026-01-02"
    assert len(said) == 2
    assert all(line.startswith("models-under-test (codetether_catalogues broken): ") for line in said)


async def test_what_was_refreshed_holds_at_once() -> None:
    async with Runtime.open(ONLY, plugins=[Models(catalogues=listed(limits=ModelLimits(output=50)))]) as runtime:
        assert runtime.catalog.defaults(ACME).limits.output == 50
        assert await runtime.catalog.models.refresh() == {"one": "2026-02-03"}
        assert runtime.catalog.defaults(ACME).limits.output == 77
    async with Runtime.open(ONLY) as runtime:
        with pytest.raises(UsageError, match="no plugin here brings a catalogue"):
            await runtime.catalog.models.refresh()


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(input_tokens=100, output_tokens=10), "0.00012"),
        (Usage(input_tokens=100, output_tokens=10, reasoning_tokens=4), "0.000128"),
        (Usage(input_tokens=100, cache_read_tokens=60, cache_write_tokens=40), "0.000046"),
        (Usage(input_tokens=1000), "0.001"),
        (Usage(input_tokens=1001), "0.003003"),
        (Usage(input_tokens=2001, output_tokens=1), "0.010009"),
        (Usage(), "0"),
    ],
)
async def test_prices_by_kind_and_by_step(usage: Usage, dollars: str) -> None:
    prices = {"input": "1", "output": "2", "reasoning": "4", "cache_read": "0.1", "input>1000": "3", "input>2000": "5"}
    prices["output>2000"] = "4"
    prices["odd>many"] = "9"
    async with Runtime.open(ONLY, plugins=[Models(ModelDefaults(match="acme/*", prices=prices))]) as runtime:
        cost = runtime.catalog.priced(ACME, usage).cost
    assert cost is not None
    assert f"{cost.normalize():f}" == dollars


class Counting:
    """A credential source that counts what it is asked."""

    __codetether_name__ = "counting"

    def __init__(self, **keys: str) -> None:
        self.keys = keys
        self.asked: list[str] = []

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        self.asked.append(provider)
        return Secret(values={"api_key": self.keys[provider]}, source="counting") if provider in self.keys else None

    async def list(self) -> Sequence[str]:
        return [*self.keys]

    @codetether.hookimpl
    def codetether_credential_sources(self) -> Iterable[CredentialSourceSpec]:
        yield CredentialSourceSpec(name="counting", create=lambda ctx: self)


@pytest.mark.parametrize(
    ("provider", "wish", "chosen", "asked"),
    [
        (None, "acme/x", "acme/x", ["acme"]),
        (None, "acme", "acme/m-1", ["acme"]),
        (None, "old-acme/x", "acme/x", ["acme"]),
        ("acme", "x/y", "acme/x/y", ["acme"]),
        ("acme", "beta/y", "beta/y", ["beta"]),
        ("acme", None, "acme/m-1", ["acme"]),
        (None, None, "acme/m-1", ["acme", "beta"]),
        (None, "x/y", "acme/x/y", ["acme", "beta"]),
    ],
)
async def test_only_the_provider_that_is_named_is_asked_for_its_key(
    provider: str | None, wish: str | None, chosen: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Counting(acme="acme-0123456789", beta="beta-0123456789")
    settings = {**ONLY, "provider": provider} if provider else ONLY
    monkeypatch.setenv("BETA_API_KEY", "")
    async with Runtime.open(settings, plugins=[Models(), source]) as runtime:
        assert str(await runtime.resolve(wish)) == chosen
    assert sorted(source.asked) == asked


async def test_what_the_environment_holds_for_others_is_redacted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "acme-0123456789")
    monkeypatch.setenv("BETA_API_KEY", "beta-0123456789")
    async with Runtime.open(ONLY, plugins=[Models()]) as runtime:
        await runtime.resolve("acme/x")
        assert "0123456789" not in runtime.redactor.text("acme-0123456789 beta-0123456789")


async def test_a_key_that_is_kept_under_an_alias_is_found() -> None:
    async with Runtime.open(ONLY, plugins=[Models(), Counting(**{"old-acme": "acme-0123456789"})]) as runtime:
        provider = await runtime.catalog.provider("acme")
        usable = [a.name for a in await runtime.providers() if a.available]
    assert provider.secret is not None
    assert (provider.secret.get("api_key"), usable) == ("acme-0123456789", ["acme"])
