"""Stories about which model a wish means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import codetether
import pytest
from codetether import (
    JSON,
    Availability,
    CredentialSourceSpec,
    ModelDefaults,
    ModelRef,
    NoProviderAvailable,
    ProviderSpec,
    Runtime,
    SamplingParams,
    Secret,
    UnknownModel,
)
from codetether.builtin.selection import Preference
from codetether.testing.sessions import ONLY

GATEWAY = Availability(
    name="openrouter", available=True, default_model="z-ai/glm-5", models=("z-ai/glm-5", "opus/opus-1")
)
OPENAI = Availability(name="openai", available=True, default_model="gpt-4o")
ZAI = Availability(name="zai", available=True, default_model="glm-5", aliases=("zhipuai",))
LOCAL = Availability(name="local", available=True, default_model="tiny", place=900)
KEYLESS = Availability(name="anthropic", available=False, default_model="c", reason="env: ANTHROPIC_API_KEY not set")


@pytest.mark.parametrize(
    ("wish", "available", "chosen"),
    [
        (None, [LOCAL, OPENAI, GATEWAY], "openai/gpt-4o"),
        (None, [LOCAL, GATEWAY], "openrouter/z-ai/glm-5"),
        (None, [LOCAL], "local/tiny"),
        (None, [OPENAI, ZAI], "zai/glm-5"),
        (None, [Availability(name="acme", available=True, default_model="a"), LOCAL], "acme/a"),
        ("openai/gpt-5", [OPENAI, ZAI], "openai/gpt-5"),
        ("openai", [OPENAI, ZAI], "openai/gpt-4o"),
        ("openai/", [OPENAI, ZAI], "openai/gpt-4o"),
        ("zhipuai/glm-4", [OPENAI, ZAI], "zai/glm-4"),
        ("zhipuai", [OPENAI, ZAI], "zai/glm-5"),
        ("gpt-5", [OPENAI, LOCAL], "openai/gpt-5"),
        ("qwen/qwen3-coder", [GATEWAY, LOCAL], "openrouter/qwen/qwen3-coder"),
        ("openrouter/qwen/qwen3-coder", [GATEWAY, OPENAI], "openrouter/qwen/qwen3-coder"),
    ],
)
async def test_a_wish_means_one_model(wish: str | None, available: list[Availability], chosen: str) -> None:
    refs = await Preference(None).select(wish, available)
    assert [str(r) for r in refs or ()] == [chosen]


async def test_a_default_provider_goes_before_the_preference() -> None:
    assert await Preference("openai").select(None, [ZAI, OPENAI]) == [ModelRef(provider="openai", model="gpt-4o")]
    assert await Preference("openai").select("x", [ZAI, OPENAI]) == [ModelRef(provider="openai", model="x")]


@pytest.mark.parametrize(
    ("wish", "available", "message"),
    [
        (
            "anthropic/claude",
            [KEYLESS, OPENAI, LOCAL],
            (
                "the provider 'anthropic' is not available: it has no key (env: ANTHROPIC_API_KEY not set); "
                "available: openai, local"
            ),
        ),
        ("mistral/large", [OPENAI], "the provider 'mistral' is not available: it is not installed; available: openai"),
        (
            "acme",
            [Availability(name="acme", available=True, models=("a", "b"))],
            "the provider 'acme' has no default model; its models: a, b",
        ),
    ],
)
async def test_a_named_provider_that_is_not_there_is_an_error(
    wish: str, available: list[Availability], message: str
) -> None:
    with pytest.raises(UnknownModel) as caught:
        await Preference(None).select(wish, available)
    assert caught.value.message == message


async def test_a_gateway_that_lists_the_model_is_offered() -> None:
    gateway = Availability(name="openrouter", available=True, models=("anthropic/claude",))
    with pytest.raises(UnknownModel) as caught:
        await Preference(None).select("anthropic/claude", [KEYLESS, gateway])
    assert caught.value.remedy.startswith("openrouter lists that model: -m openrouter/anthropic/claude; ")


async def test_the_only_model_of_a_provider_is_its_default() -> None:
    only = Availability(name="acme", available=True, models=("one",))
    assert await Preference(None).select("acme", [only]) == [ModelRef(provider="acme", model="one")]


class Vendors:
    """A plugin with two providers and a default of its own."""

    __codetether_name__ = "two-vendors"

    @codetether.hookimpl
    def codetether_providers(self) -> Iterable[ProviderSpec]:
        yield ProviderSpec(name="acme", wire="openai-chat", env=("ACME_API_KEY",), default_model="kimi-k2.5")
        yield ProviderSpec(name="beta", wire="openai-chat", env=("BETA_API_KEY", "BETA_TOKEN"))

    @codetether.hookimpl
    def codetether_model_defaults(self) -> Iterable[ModelDefaults]:
        yield ModelDefaults(match="acme/o*", omit=frozenset({"temperature"}))
        yield ModelDefaults(match="acme/o9*", wire="acme-thoughts", quirks={"effort": "low", "stream": False})
        yield ModelDefaults(match="acme/priced", prices={"input": "2", "output": "8", "cache_read": "0.5"})


async def test_nobody_at_all_is_an_error_that_lists_who_was_asked() -> None:
    async with Runtime.open(ONLY, plugins=[Vendors()]) as runtime:
        with pytest.raises(NoProviderAvailable) as caught:
            await runtime.resolve(None)
    assert caught.value.message == (
        "No providers available.\n  acme: env: ACME_API_KEY not set\n  beta: env: BETA_API_KEY, BETA_TOKEN not set"
    )
    for word in ("secret/codetether/providers", "OPENAI_API_KEY", "codetether auth login", "codetether-agent[local]"):
        assert word in caught.value.remedy


async def test_a_key_in_the_environment_makes_a_provider_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BETA_TOKEN", "beta-0123456789")
    async with Runtime.open(ONLY, plugins=[Vendors()]) as runtime:
        found = {a.name: (a.available, a.source) for a in await runtime.providers()}
        provider = await runtime.catalog.provider("beta")
    assert found == {"acme": (False, ""), "beta": (True, "env:BETA_TOKEN")}
    assert "beta-0123456789" not in repr(provider)


@pytest.mark.parametrize(
    ("model", "temperature"),
    [
        ("openai/gpt-4o", 0.7),
        ("acme/kimi-k2.5", 1.0),
        ("acme/GLM-5", 1.0),
        ("x/MiniMax-M2.5", 1.0),
        ("acme/o3", None),
    ],
)
async def test_the_temperature_follows_the_model(model: str, temperature: float | None) -> None:
    provider, _, name = model.partition("/")
    async with Runtime.open(ONLY, plugins=[Vendors()]) as runtime:
        sampling = runtime.catalog.defaults(ModelRef(provider=provider, model=name)).sampling
    assert sampling == SamplingParams(temperature=temperature, max_output_tokens=8192)


async def test_the_users_sampling_is_laid_over_the_defaults() -> None:
    settings: dict[str, Any] = {**ONLY, "sampling": {"temperature": 0.1, "max_output_tokens": 100}}
    async with Runtime.open(settings, plugins=[Vendors()]) as runtime:
        sampling = runtime.catalog.defaults(ModelRef(provider="acme", model="kimi-k2.5")).sampling
        refused = runtime.catalog.defaults(ModelRef(provider="acme", model="o3")).sampling
    assert sampling == SamplingParams(temperature=0.1, max_output_tokens=100)
    assert refused == SamplingParams(max_output_tokens=100)


@pytest.mark.parametrize(
    ("model", "configured", "wire", "options"),
    [
        ("o9-pro", {}, "acme-thoughts", {"effort": "low", "stream": False}),
        ("o9", {"options": {"effort": "high"}}, "acme-thoughts", {"effort": "high", "stream": False}),
        ("o9", {"wire": "openai-chat"}, "openai-chat", {"effort": "low", "stream": False}),
        ("o3", {"options": {"effort": "high"}}, "openai-chat", {"effort": "high"}),
        ("", {}, "openai-chat", {}),
    ],
)
async def test_a_model_may_want_a_wire_and_quirks_of_its_own_but_the_user_has_the_last_word(
    model: str, configured: dict[str, Any], wire: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "acme-0123456789")
    async with Runtime.open({**ONLY, "providers": {"acme": configured}}, plugins=[Vendors()]) as runtime:
        provider = await runtime.catalog.provider("acme", model)
    assert (provider.wire, provider.options) == (wire, options)


async def test_usage_is_priced_by_the_million() -> None:
    ref = ModelRef(provider="acme", model="priced")
    usage = codetether.Usage(input_tokens=1_500_000, cache_read_tokens=500_000, output_tokens=250_000)
    async with Runtime.open(ONLY, plugins=[Vendors()]) as runtime:
        cost = runtime.catalog.priced(ref, usage).cost
    assert str(cost) == "4.25"


async def test_an_unknown_name_with_a_base_url_speaks_openai_chat() -> None:
    settings = {**ONLY, "providers": {"mine": {"base_url": "http://127.0.0.1:1/v1", "default_model": "m"}}}
    async with Runtime.open(settings) as runtime:
        assert str(await runtime.resolve("mine")) == "mine/m"
        provider = await runtime.catalog.provider("mine")
    assert (provider.wire, provider.base_url, provider.secret) == ("openai-chat", "http://127.0.0.1:1/v1", None)


class Keys:
    """A plugin whose one credential source holds the given secrets, and can be written."""

    __codetether_name__ = "keys"

    def __init__(self, **secrets: dict[str, Any]) -> None:
        self.secrets = secrets

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        values = self.secrets.get(provider)
        return Secret(values=values, source=f"keys:{provider}") if values else None

    async def list(self) -> Sequence[str]:
        return list(self.secrets)

    async def usable(self) -> bool:
        return True

    async def put(self, provider: str, values: Mapping[str, JSON]) -> None:
        self.secrets[provider] = dict(values)

    async def delete(self, provider: str) -> bool:
        return self.secrets.pop(provider, None) is not None

    @codetether.hookimpl
    def codetether_credential_sources(self) -> Iterable[CredentialSourceSpec]:
        yield CredentialSourceSpec(name="keys", create=lambda ctx: self)


async def test_a_secret_with_a_base_url_is_a_provider_of_its_own() -> None:
    keys = Keys(mine={"api_key": "mine-0123456789", "base_url": "https://mine.example/v1"}, other={"api_key": "o"})
    async with Runtime.open(ONLY, plugins=[Vendors(), keys]) as runtime:
        found = {a.name: (a.available, a.source) for a in await runtime.providers()}
        ref = await runtime.resolve("mine/some/model")
        provider = await runtime.catalog.provider("mine")
        await keys.put("late", {"api_key": "late-0123456789", "base_url": "http://127.0.0.1:1/v1"})
        late = await runtime.catalog.provider("late")
    assert found == {"acme": (False, ""), "beta": (False, ""), "mine": (True, "keys:mine")}
    assert str(ref) == "mine/some/model"
    assert (provider.wire, provider.base_url) == ("openai-chat", "https://mine.example/v1")
    assert late.base_url == "http://127.0.0.1:1/v1"


async def test_only_allowed_sources_can_be_written() -> None:
    keys = Keys()
    async with Runtime.open(ONLY, plugins=[keys]) as runtime:
        assert (list(runtime.credentials.sources), runtime.credentials.stores()) == (["env", "keys"], {"keys": keys})
    async with Runtime.open({**ONLY, "credentials": {"sources": ["env"]}}, plugins=[keys]) as runtime:
        assert (list(runtime.credentials.sources), runtime.credentials.stores()) == (["env"], {})


@pytest.mark.parametrize(
    ("wish", "note"),
    [
        (
            "acne/kimi",
            '"acne" is no provider here; taken as a model of acme; did you mean acme/kimi?',
        ),
        ("bta/x/y", '"bta" is no provider here; taken as a model of acme; did you mean beta/x/y?'),
        ("acme/kimi", ""),
        ("acme-ai/kimi", ""),
        ("qwen/qwen3-coder", ""),
        ("acne", ""),
        ("acmee/listed", ""),
    ],
)
async def test_a_name_that_is_nearly_a_provider_is_doubted(
    wish: str, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gateway:
        __codetether_name__ = "gateway"

        @codetether.hookimpl
        def codetether_providers(self) -> Iterable[ProviderSpec]:
            yield ProviderSpec(name="zeta", wire="openai-chat", models=("acmee/listed",), place=900)

    monkeypatch.setenv("ACME_API_KEY", "acme-0123456789")
    said: list[str] = []
    async with Runtime.open(
        ONLY, plugins=[Vendors(), Gateway()], on_notice=lambda _, text: said.append(text)
    ) as runtime:
        ref = await runtime.resolve(wish)
    assert ref == ModelRef(provider="acme", model=wish.removeprefix("acme/"))
    assert said == ([note] if note else [])
