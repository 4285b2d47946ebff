"""The table of vendors: every row can be reached, and no name takes a gateway's model away."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from urllib.parse import urlsplit

import pytest
from codetether import ModelRef, NoProviderAvailable, Runtime, UnknownModel
from codetether.catalog import VENDORS as KNOWN
from codetether_provider_openai.quirks import Quirks
from codetether_provider_vendors.plugin import codetether_providers
from codetether_provider_vendors.table import VENDORS, azure_url, with_path

SPECS = {spec.name: spec for spec in codetether_providers()}
GATEWAYS = ("openrouter", "novita", "togetherai", "nvidia", "fireworks-ai", "groq")
DEFAULTS = {
    "zai": "glm-5",
    "moonshotai": "kimi-k2.5",
    "openrouter": "z-ai/glm-5",
    "novita": "qwen/qwen3-coder-next",
}
OURS = {"plugins": {"only": ["openai", "vendors"]}}


@pytest.fixture(autouse=True)
def nobody_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in SPECS.values():
        for name in (*spec.env, *spec.base_url_env):
            monkeypatch.delenv(name, raising=False)


def test_every_vendor_is_there_by_its_name() -> None:
    assert list(SPECS) == [
        *("zai", "moonshotai", "openrouter", "novita", "stepfun", "cerebras", "deepseek", "groq", "togetherai"),
        *("fireworks-ai", "mistral", "nvidia", "alibaba", "azure", "xai", "ollama"),
    ]
    assert set(SPECS) <= set(KNOWN)
    assert {name: spec.default_model for name, spec in SPECS.items() if spec.default_model} == DEFAULTS


@pytest.mark.parametrize("name", SPECS)
def test_a_vendor_can_be_reached(name: str) -> None:
    spec = SPECS[name]
    url = urlsplit(spec.base_url or azure_url("AZURE_RESOURCE_NAME", "mine"))
    assert (url.scheme, spec.wire) == ("http" if name == "ollama" else "https", "openai-chat")
    assert not spec.base_url.endswith("/")
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*_API_KEY", variable) for variable in spec.env)
    assert spec.base_url_env
    Quirks(**spec.quirks)


def test_no_variable_and_no_word_means_two_vendors() -> None:
    variables = [v for spec in SPECS.values() for v in (*spec.env, *spec.base_url_env)]
    words = [word for spec in SPECS.values() for word in (spec.name, *spec.aliases)]
    assert len(variables) == len(set(variables))
    assert len(words) == len(set(words))


def test_no_alias_is_how_a_gateway_begins_its_models_ids() -> None:
    heads = set()
    for gateway in GATEWAYS:
        entries = json.loads((files("codetether_provider_vendors") / "catalogue" / f"{gateway}.json").read_text())
        heads |= {id_.split("/")[0] for id_, e in entries.items() if "/" in id_ and not e.get("retired")}
    assert {alias for vendor in VENDORS for alias in vendor.aliases} & heads == set()


@pytest.mark.parametrize("name", [name for name in SPECS if name not in ("azure", "ollama")])
async def test_a_key_is_enough_and_a_model_of_another_stays_the_vendors(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPECS[name]
    for variable in spec.env:
        with monkeypatch.context() as patch:
            patch.setenv(variable, "key-0123456789")
            async with Runtime.open(OURS) as runtime:
                (usable,) = [a for a in await runtime.providers() if a.available and a.name != "ollama"]
                provider = await runtime.catalog.provider(name)
                chosen = [await runtime.resolve(f"{word}/m/n") for word in (name, *spec.aliases)]
                foreign = await runtime.resolve("qwen/qwen3-coder")
                bare = await runtime.resolve("some-model")
        assert (usable.name, usable.source, provider.base_url) == (name, f"env:{variable}", spec.base_url)
        assert chosen == [ModelRef(provider=name, model="m/n")] * len(chosen)
        assert foreign == ModelRef(provider=name, model="qwen/qwen3-coder")
        assert bare == ModelRef(provider=name, model="some-model")


@pytest.mark.parametrize("name", SPECS)
async def test_without_a_wish_the_default_answers_or_the_models_are_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if SPECS[name].env:
        monkeypatch.setenv(SPECS[name].env[0], "key-0123456789")
    monkeypatch.setenv("AZURE_RESOURCE_NAME", "mine")
    async with Runtime.open(OURS) as runtime:
        if name in DEFAULTS:
            assert await runtime.resolve(None) == await runtime.resolve(name)
            assert (await runtime.resolve(name)).model == DEFAULTS[name]
            return
        with pytest.raises(UnknownModel) as caught:
            await runtime.resolve(name)
        listed = runtime.catalog.models.names(name)
    assert caught.value.message.startswith(f"the provider {name!r} has no default model; its models: ")
    assert all(model in caught.value.message for model in listed[:3])


async def test_a_provider_takes_its_only_model() -> None:
    here = {"base_url": "http://127.0.0.1:1/v1"}
    settings = {**OURS, "providers": {"stepfun": {**here, "models": ["only"]}, "mine": {**here, "models": ["a", "b"]}}}
    async with Runtime.open(settings) as runtime:
        assert await runtime.resolve("stepfun") == ModelRef(provider="stepfun", model="only")
        with pytest.raises(UnknownModel, match="has no default model; its models: a, b"):
            await runtime.resolve("mine")


async def test_a_gateway_that_lists_the_model_of_one_without_key_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "key-0123456789")
    async with Runtime.open(OURS) as runtime:
        with pytest.raises(UnknownModel) as caught:
            await runtime.resolve("openai/gpt-5")
    assert caught.value.remedy.startswith("openrouter lists that model: -m openrouter/openai/gpt-5; ")


@pytest.mark.parametrize(
    ("wish", "noted"),
    [
        ("zai/glm-5", ""),
        ("zai/gml-5", "zai/gml-5 is in no catalogue here; did you mean zai/glm-5?"),
        ("zai/glm-6", ""),  # another number is a newer one
        ("zai/brand-new", ""),
        ("zia/glm-5", '"zia" is no provider here; taken as a model of zai; did you mean zai/glm-5?'),
        ("meta-llama/llama-4", ""),
        ("z-ai/glm-5", ""),
        ("mistralai/mistral-large", ""),
    ],
)
async def test_a_slip_in_a_name_is_said(wish: str, noted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZAI_API_KEY", "key-0123456789")
    said: list[str] = []
    async with Runtime.open(OURS, on_notice=lambda _, text: said.append(text)) as runtime:
        await runtime.resolve(wish)
    assert said == ([noted] if noted else [])


async def test_the_old_name_of_zai_means_it_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIPU_API_KEY", "key-0123456789")
    settings = {**OURS, "providers": {"zhipuai": {"default_model": "glm-4.7"}}}
    async with Runtime.open(settings) as runtime:
        assert await runtime.resolve(None) == ModelRef(provider="zai", model="glm-4.7")
        assert await runtime.resolve("zhipuai/glm-4.6") == ModelRef(provider="zai", model="glm-4.6")


@pytest.mark.parametrize(
    ("name", "variable", "value", "url"),
    [
        ("azure", "AZURE_RESOURCE_NAME", "mine", "https://mine.openai.azure.com/openai/v1"),
        ("azure", "AZURE_OPENAI_ENDPOINT", "https://m.openai.azure.com/", "https://m.openai.azure.com/openai/v1"),
        ("azure", "AZURE_OPENAI_ENDPOINT", "m.services.ai.azure.com", "https://m.services.ai.azure.com/openai/v1"),
        ("azure", "AZURE_OPENAI_BASE_URL", "https://m.example/openai/v1/", "https://m.example/openai/v1"),
        ("ollama", "OLLAMA_HOST", "box", "http://box:11434/v1"),
        ("ollama", "OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("ollama", "OLLAMA_HOST", "0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
        ("ollama", "OLLAMA_HOST", ":8080", "http://127.0.0.1:8080/v1"),
        ("ollama", "OLLAMA_HOST", "[::1]:8080", "http://[::1]:8080/v1"),
        ("ollama", "OLLAMA_HOST", "https://box.example", "https://box.example/v1"),
        ("ollama", "OLLAMA_HOST", "https://box.example/own/v1/", "https://box.example/own/v1"),
        ("groq", "GROQ_BASE_URL", "https://api.groq.com", "https://api.groq.com/openai/v1"),
        ("cerebras", "CEREBRAS_BASE_URL", "https://api.cerebras.ai/", "https://api.cerebras.ai/v1"),
        ("zai", "ZAI_BASE_URL", "https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/coding/paas/v4"),
    ],
)
async def test_a_variable_moves_the_address(
    name: str, variable: str, value: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv(SPECS[name].env[0], "key-0123456789")
    async with Runtime.open(OURS) as runtime:
        assert (await runtime.catalog.provider(name)).base_url == url


async def test_what_makes_no_address_is_the_reason_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "box:port")
    monkeypatch.setenv("AZURE_API_KEY", "key-0123456789")
    async with Runtime.open(OURS) as runtime:
        reasons = {a.name: a.reason for a in await runtime.providers()}
        with pytest.raises(UnknownModel, match=r"it has no base URL \(AZURE_OPENAI_BASE_URL, "):
            await runtime.resolve("azure/gpt-5.4")
        with pytest.raises(NoProviderAvailable, match="no base URL for azure: ") as caught:
            await runtime.catalog.provider("azure")
    assert reasons["azure"] == "AZURE_OPENAI_BASE_URL, AZURE_OPENAI_ENDPOINT, AZURE_RESOURCE_NAME not set"
    assert reasons["ollama"].startswith("OLLAMA_HOST makes no base URL: ")
    assert "codetether config set providers.azure.base_url" in caught.value.remedy


async def test_ollama_needs_no_key_and_is_never_taken_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Runtime.open(OURS) as runtime:
        assert await runtime.resolve("ollama/qwen3-coder:30b") == ModelRef(provider="ollama", model="qwen3-coder:30b")
        with pytest.raises(Exception, match="No providers available") as caught:
            await runtime.resolve(None)
    assert "ollama: only with a model that is named: -m ollama/MODEL" in str(caught.value)
    settings = {**OURS, "providers": {"ollama": {"default_model": "qwen3"}}}
    async with Runtime.open(settings) as runtime:
        assert await runtime.resolve(None) == ModelRef(provider="ollama", model="qwen3")
        monkeypatch.setenv("GROQ_API_KEY", "key-0123456789")
        assert (await runtime.resolve("x")).provider == "groq"


def test_a_port_is_only_added_where_none_is_meant() -> None:
    form = with_path("/v1", 11434)
    assert [form("X", v) for v in ("http://h", "h", "h:1", "https://h:2/x")] == [
        *("http://h/v1", "http://h:11434/v1", "http://h:1/v1", "https://h:2/x"),
    ]
