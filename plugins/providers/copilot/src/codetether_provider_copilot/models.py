"""The models of an account, as Copilot itself lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from codetether import ModelDefaults, ModelLimits, Provider

from codetether_provider_copilot.asking import ask, line
from codetether_provider_copilot.token import Token
from codetether_provider_copilot.wire import Access, SignIns, access

ADDRESS = "/models"
_CAPABILITIES = {
    "tool_calls": "tool_call",
    "parallel_tool_calls": "parallel_tool_calls",
    "vision": "attachment",
    "structured_outputs": "structured_output",
    "streaming": "streaming",
    "adaptive_thinking": "reasoning",
    "reasoning_effort": "reasoning",
}
"""Copilot's word -> ours."""


@frozen(kw_only=True)
class AccountModel:
    """One model of an account.

    Attributes:
        kind: `chat`, `embeddings` or `completion`; empty where it is not said.
        endpoints: where it answers, e.g. `/chat/completions`; empty where it is not said, which means that one.
        limits: tokens of the window, and of an answer. prompt: tokens of a request; None where it is not said.
        capabilities: by the catalogue's words, e.g. `tool_call`.
        policy: `enabled`, `disabled` or `unconfigured`: all but the first has to be accepted; empty: nothing has to.
        offered: whether Copilot's own menu shows it. preview: it may go again.
    """

    id: str
    name: str = ""
    vendor: str = ""
    kind: str = ""
    endpoints: tuple[str, ...] = ()
    limits: ModelLimits = field(factory=ModelLimits)
    prompt: int | None = None
    capabilities: Mapping[str, bool] = field(factory=dict)
    policy: str = ""
    offered: bool = False
    preview: bool = False

    @property
    def usable(self) -> bool:
        """Whether an agent can ask it now: it talks, on a wire of ours, and its policy is accepted."""
        return self.kind in ("", "chat") and self.policy in ("", "enabled") and bool(self.wire)

    @property
    def wire(self) -> str:
        """The wire that it is asked on, chat before others; empty where it has none of ours."""
        if not self.endpoints or "/chat/completions" in self.endpoints:
            return "copilot-chat"
        return "copilot-responses" if "/responses" in self.endpoints else ""

    def defaults(self, provider: str) -> ModelDefaults:
        """What it says of itself, for the catalogue."""
        return ModelDefaults(
            match=f"{provider}/{self.id}".lower(),
            limits=ModelLimits(context=self.prompt or self.limits.context, output=self.limits.output),
            wire=self.wire or None,
            capabilities=self.capabilities,
        )


def read_models(body: Mapping[str, Any]) -> tuple[AccountModel, ...]:
    """The models in an answer, each once, in its order; what is no model is passed over."""
    listed = body.get("data")
    found = [model for entry in (listed if isinstance(listed, list) else ()) if (model := _model(entry))]
    return tuple({model.id: model for model in found}.values())


def _model(entry: Any) -> AccountModel | None:
    said = _mapping(entry)
    if not (id_ := _text(said.get("id"))):
        return None
    capabilities = _mapping(said.get("capabilities"))
    limits, supports = _mapping(capabilities.get("limits")), _mapping(capabilities.get("supports"))
    endpoints = said.get("supported_endpoints")
    return AccountModel(
        id=id_,
        name=_text(said.get("name")),
        vendor=_text(said.get("vendor")),
        kind=_text(capabilities.get("type")),
        endpoints=tuple(e for e in endpoints if isinstance(e, str)) if isinstance(endpoints, list) else (),
        limits=ModelLimits(
            context=_count(limits.get("max_context_window_tokens")), output=_count(limits.get("max_output_tokens"))
        ),
        prompt=_count(limits.get("max_prompt_tokens")),
        capabilities=_supported(supports, "vision" in limits),
        policy=_text(_mapping(said.get("policy")).get("state")),
        offered=said.get("model_picker_enabled") is True,
        preview=said.get("preview") is True,
    )


def _supported(supports: Mapping[str, Any], sees: bool) -> dict[str, bool]:
    made = {"attachment": sees}
    for word, ours in _CAPABILITIES.items():
        if word in supports:  # a list of efforts, or a plain yes
            made[ours] = made.get(ours, False) or bool(supports[word])
    return made


async def account_models(provider: Provider) -> tuple[AccountModel, ...]:
    """Asks Copilot for the models of the account whose sign-in the provider holds. Raises ProviderError."""
    return read_models(await fetch_models(provider))


async def fetch_models(provider: Provider) -> Mapping[str, Any]:
    """The same as Copilot writes it."""
    reached = access(provider, SignIns())
    token, grant = await reached.grant()
    to = _line(reached, token, {**grant.headers}, grant.base_url)
    try:
        return await ask(to, ADDRESS)
    finally:
        await to.aclose()


def _line(reached: Access, token: Token | None, granted: dict[str, str], base_url: str) -> Any:
    headers = {**reached.headers, **granted, **reached.provider.headers}
    secret = reached.provider.secret
    secrets = tuple(v for v in (secret.values.values() if secret else ()) if isinstance(v, str) and "://" not in v)
    return line(
        reached.provider.name,
        base_url or reached.provider.base_url,
        headers,
        secrets=(*secrets, *((token.value,) if token else ())),
        key=secret.source if secret else "",
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 200 else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12 else None
