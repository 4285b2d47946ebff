"""`codetether models refresh` asks Copilot for the account's models, and they are known from then on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen
from codetether import ModelDefaults, ModelLimits, ModelRef, Secret
from codetether_provider_copilot import plugin
from codetether_provider_copilot.catalogue import AccountCatalogue

from .conftest import MODELS_AT, TOKEN_AT, Hub, Reply

DAY = "2001-02-03"
MINE = ModelRef(provider="github-copilot", model="GPT-9")
LIST = [
    {"id": "gpt-9-mini", "supported_endpoints": ["/chat/completions"]},
    {
        "id": "gpt-9",
        "model_picker_enabled": True,
        "supported_endpoints": ["/responses"],
        "capabilities": {"type": "chat", "limits": {"max_prompt_tokens": 9000, "max_output_tokens": 900}},
    },
    {"id": "embedding-9", "capabilities": {"type": "embeddings"}},
]


@define
class Credentials:
    kept: dict[str, Secret] = field(factory=dict)

    async def get(self, provider: str) -> Secret | None:
        return self.kept.get(provider)


@frozen(kw_only=True)
class Core:
    providers: Mapping[str, Any] = field(factory=dict)


@define
class Context:
    """As much of a plugin's context as a catalogue asks for."""

    cache_dir: Path
    credentials: Credentials = field(factory=Credentials)
    core: Core = field(factory=Core)
    notices: list[str] = field(factory=list)

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return Context(tmp_path)


def catalogue(ctx: Any) -> AccountCatalogue:
    return AccountCatalogue(ctx, tuple(plugin.codetether_providers()), DAY)


def signed_in(ctx: Context, hub: Hub) -> None:
    secret = Secret(values={"api_key": "gho_0123456789", "enterprise_url": hub.url}, source="file")
    ctx.credentials.kept["github-copilot"] = secret


async def test_nothing_is_known_and_nobody_is_asked_before(ctx: Context) -> None:
    before = catalogue(ctx)
    assert (before.date, before.models("github-copilot"), before.defaults(MINE)) == (DAY, [], None)
    assert (await before.refresh(), ctx.notices, list(ctx.cache_dir.iterdir())) == (DAY, [], [])


async def test_what_the_account_has_is_known_from_then_on(ctx: Context, hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token()], MODELS_AT: [Reply({"data": LIST})]}
    signed_in(ctx, hub)
    first = catalogue(ctx)
    first.models("github-copilot")
    date = await first.refresh()
    assert date > "2026"
    for made in (first, catalogue(ctx)):
        assert (made.date, made.models("github-copilot")) == (date, ["gpt-9", "gpt-9-mini"])
        assert made.defaults(MINE) == ModelDefaults(
            match="github-copilot/gpt-9",
            limits=ModelLimits(context=9000, output=900),
            wire="copilot-responses",
            capabilities={"attachment": False},
        )
        assert made.defaults(ModelRef(provider="github-copilot", model="gpt-8")) is None
        assert made.models("github-copilot-enterprise") == []
        assert (made.models("openai"), made.defaults(ModelRef(provider="openai", model="gpt-9"))) == ([], None)


async def test_a_sign_in_of_the_environment_counts(ctx: Context, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.script = {TOKEN_AT: [hub.token()], MODELS_AT: [Reply({"data": LIST})]}
    monkeypatch.setenv("GITHUB_COPILOT_ENTERPRISE_TOKEN", "gho_0123456789")
    monkeypatch.setenv("GITHUB_COPILOT_ENTERPRISE_URL", hub.url)
    made = catalogue(ctx)
    await made.refresh()
    assert made.models("github-copilot-enterprise") == ["gpt-9", "gpt-9-mini"]


async def test_a_list_that_cannot_be_had_leaves_the_last_one(ctx: Context, hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token()], MODELS_AT: [Reply({"data": LIST}), Reply("<html>", 502, "text/html")]}
    signed_in(ctx, hub)
    made = catalogue(ctx)
    await made.refresh()
    await made.refresh()
    assert made.models("github-copilot") == ["gpt-9", "gpt-9-mini"]
    assert ctx.notices == [
        "the models of github-copilot stay as they are: github-copilot answered 502: a page of HTML, no API's answer"
    ]


@pytest.mark.parametrize("kept", ["", "{", "[]", "{}", '{"date": "2001-01-01", "data": 7}', '{"data": []}'])
def test_a_spoiled_file_counts_as_none(ctx: Context, kept: str) -> None:
    (ctx.cache_dir / "github-copilot.json").write_text(kept)
    made = catalogue(ctx)
    assert (made.date, made.models("github-copilot"), made.defaults(MINE)) == (DAY, [], None)
