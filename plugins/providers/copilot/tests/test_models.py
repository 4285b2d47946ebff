"""What an account may use is read from Copilot's own list."""

from __future__ import annotations

from typing import Any

import pytest
from codetether import AuthenticationFailed, ModelDefaults, ModelLimits, Provider, Secret
from codetether_provider_copilot.models import AccountModel, account_models, read_models

from .conftest import MODELS_AT, TOKEN_AT, Hub, Reply


def entry(id_: str, *endpoints: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "capabilities": {"type": "chat"}, "supported_endpoints": list(endpoints), **more}


SONNET = {
    "id": "claude-sonnet-4.5",
    "name": "Claude Sonnet 4.5",
    "vendor": "Anthropic",
    "model_picker_enabled": True,
    "preview": False,
    "policy": {"state": "enabled", "terms": "…"},
    "supported_endpoints": ["/chat/completions", "/v1/messages"],
    "capabilities": {
        "type": "chat",
        "family": "claude-sonnet-4.5",
        "limits": {
            "max_context_window_tokens": 144000,
            "max_output_tokens": 16000,
            "max_prompt_tokens": 128000,
            "vision": {"max_prompt_images": 5},
        },
        "supports": {
            "tool_calls": True,
            "parallel_tool_calls": True,
            "adaptive_thinking": False,
            "reasoning_effort": ["low", "high"],
            "structured_outputs": False,
        },
    },
}


def test_a_model_is_read_whole() -> None:
    (model,) = read_models({"data": [SONNET]})
    assert model == AccountModel(
        id="claude-sonnet-4.5",
        name="Claude Sonnet 4.5",
        vendor="Anthropic",
        kind="chat",
        endpoints=("/chat/completions", "/v1/messages"),
        limits=ModelLimits(context=144_000, output=16_000),
        prompt=128_000,
        capabilities={
            "attachment": True,
            "tool_call": True,
            "parallel_tool_calls": True,
            "structured_output": False,
            "reasoning": True,
        },
        policy="enabled",
        offered=True,
    )
    assert model.defaults("github-copilot") == ModelDefaults(
        match="github-copilot/claude-sonnet-4.5",
        limits=ModelLimits(context=128_000, output=16_000),
        wire="copilot-chat",
        capabilities=model.capabilities,
    )


@pytest.mark.parametrize(
    ("said", "wire", "can"),
    [
        (entry("a", "/chat/completions", "/responses"), "copilot-chat", True),
        (entry("a", "/responses", "ws:/responses"), "copilot-responses", True),
        (entry("a", "/v1/messages"), "", False),
        (entry("a"), "copilot-chat", True),
        ({"id": "a"}, "copilot-chat", True),
        ({"id": "a", "capabilities": {"type": "embeddings"}}, "copilot-chat", False),
        (entry("a", "/responses", policy={"state": "disabled"}), "copilot-responses", False),
        (entry("a", "/responses", policy={"state": "unconfigured"}), "copilot-responses", False),
        (entry("a", "/responses", policy="odd"), "copilot-responses", True),
    ],
)
def test_where_a_model_is_asked_and_whether_it_can_be(said: dict[str, Any], wire: str, can: bool) -> None:
    (model,) = read_models({"data": [said]})
    assert (model.wire, model.usable) == (wire, can)


@pytest.mark.parametrize("data", [None, {}, "x", [None, 7, {}, {"id": 7}, {"id": ""}, {"id": "a\x1b"}]])
def test_what_is_no_model_is_passed_over(data: Any) -> None:
    assert read_models({"data": data}) == ()


def test_odd_fields_are_taken_as_not_said() -> None:
    odd = {"limits": {"max_output_tokens": -1, "max_prompt_tokens": "9"}, "supports": [1], "type": None}
    (model,) = read_models({"data": [{"id": "a", "name": 7, "capabilities": odd, "supported_endpoints": "x"}]})
    assert model == AccountModel(id="a", capabilities={"attachment": False})


def test_each_is_listed_once() -> None:
    listed = [entry("a"), entry("b"), entry("a", "/responses")]
    assert [(m.id, m.wire) for m in read_models({"data": listed})] == [
        ("a", "copilot-responses"),
        ("b", "copilot-chat"),
    ]


async def test_an_account_is_asked_for_its_models(hub: Hub) -> None:
    hub.script = {TOKEN_AT: [hub.token("tid=1")], MODELS_AT: [Reply({"data": [SONNET]})]}
    secret = Secret(values={"api_key": "gho_0123456789", "enterprise_url": hub.url}, source="file")
    asked = Provider(name="github-copilot", wire="", base_url="https://api.githubcopilot.com", secret=secret)
    assert [model.id for model in await account_models(asked)] == ["claude-sonnet-4.5"]
    assert [(a.method, a.path, a.headers["authorization"]) for a in hub.asked] == [
        ("GET", TOKEN_AT, "token gho_0123456789"),
        ("GET", MODELS_AT, "Bearer tid=1"),
    ]
    hub.script[MODELS_AT] = [Reply("unauthorized: tid=1", 401, "text/plain")]
    with pytest.raises(AuthenticationFailed):
        await account_models(asked)
