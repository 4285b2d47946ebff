"""What models.dev publishes about models becomes entries of our catalogue; what makes no sense is left out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

THEIRS: Mapping[str, str] = {
    "alibaba": "alibaba",
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock": "amazon-bedrock",
    "cerebras": "cerebras",
    "deepseek": "deepseek",
    "fireworks-ai": "fireworks-ai",
    "github-copilot": "github-copilot",
    "google": "google",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshotai",
    "novita": "novita-ai",
    "nvidia": "nvidia",
    "openai": "openai",
    "openrouter": "openrouter",
    "stepfun": "stepfun",
    "togetherai": "togetherai",
    "xai": "xai",
    "zai": "zai",
}
"""Our name of a provider -> theirs. One more line puts one more provider into the catalogue."""
CAPABILITIES = ("tool_call", "vision", "attachment", "reasoning", "temperature")
PRICES = ("input", "output", "cache_read", "cache_write", "reasoning")
Entry = dict[str, Any]
"""`context` and `output` in tokens, `prices` in US dollars per million tokens, `can`: what it can of CAPABILITIES."""


def entries_of(api: Any) -> dict[str, dict[str, Entry]]:
    """Entries by provider and model id. Raises ValueError where this is not what they publish."""
    found = {}
    for ours, theirs in THEIRS.items():
        models = _mapping(_mapping(_mapping(api).get(theirs)).get("models"))
        read = {str(id_): _entry(_mapping(model)) for id_, model in sorted(models.items()) if _talks(str(id_), model)}
        if read:
            found[ours] = read
    if len(found) < len(THEIRS) // 2:
        raise ValueError(f"it knows only {len(found)} of {len(THEIRS)} providers")
    return found


def _talks(id_: str, model: Any) -> bool:
    """Whether it answers in text, unlike a model that draws, speaks or embeds."""
    said = _mapping(model)
    modalities = _mapping(said.get("modalities"))
    limit = _mapping(said.get("limit"))
    return "text" in (modalities.get("output") or ()) and bool(_tokens(limit.get("output"))) and "embed" not in id_


def _entry(model: Mapping[str, Any]) -> Entry:
    limit = _mapping(model.get("limit"))
    seen = _mapping(model.get("modalities")).get("input") or ()
    can = {
        "tool_call": model.get("tool_call") is not False,
        "vision": "image" in seen,
        "attachment": bool(model.get("attachment")),
        "reasoning": bool(model.get("reasoning")),
        "temperature": model.get("temperature") is not False,
    }
    entry: Entry = {"context": _tokens(limit.get("context")), "output": _tokens(limit.get("output"))}
    entry["prices"] = _prices(_mapping(model.get("cost")))
    entry["can"] = [name for name in CAPABILITIES if can[name]]
    entry["retired"] = model.get("status") == "deprecated"
    return {name: value for name, value in entry.items() if value or name == "can"}


def _prices(cost: Mapping[str, Any]) -> dict[str, str]:
    prices = {name: dollars(cost[name]) for name in PRICES if _is_price(cost.get(name))}
    if prices.keys() < {"input", "output"}:
        return {}
    tiers = [(_mapping(t.get("tier")), t) for t in cost.get("tiers") or () if isinstance(t, Mapping)]
    steps = [(_tokens(tier.get("size")), t) for tier, t in tiers if tier.get("type", "context") == "context"]
    if not steps:
        steps = [(200_000, _mapping(cost.get("context_over_200k")))]
    for size, step in steps:
        if size:
            prices |= {f"{name}>{size}": dollars(step[name]) for name in PRICES if _is_price(step.get(name))}
    return prices


def dollars(amount: float | Decimal) -> str:
    """An amount as the shortest plain decimal."""
    text = f"{Decimal(str(amount)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and 0 <= value < 1e6


def _tokens(value: Any) -> int | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9
    return int(value) if good else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
