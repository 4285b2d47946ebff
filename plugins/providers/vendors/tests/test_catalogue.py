"""The dated catalogue: what is shipped, how it lies under what plugins say, and how it is refreshed when asked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest
from codetether import ConnectionFailed, MalformedResponse, ModelLimits, ModelRef, Runtime, SamplingParams, Usage
from codetether.testing.playback import Playback
from codetether_provider_vendors.published import THEIRS, entries_of

SHIPPED = files("codetether_provider_vendors") / "catalogue"
OURS: dict[str, Any] = {"plugins": {"only": ["openai", "vendors"]}}
MODEL = {
    "tool_call": True,
    "temperature": False,
    "reasoning": True,
    "attachment": True,
    "modalities": {"input": ["text", "image"], "output": ["text"]},
    "limit": {"context": 1000, "output": 100},
    "cost": {"input": 1, "output": 2.5, "cache_read": 0.1, "tiers": [{"input": 2, "tier": {"size": 500}}]},
}
PUBLISHED: dict[str, Any] = {name: {"models": {"new-1": MODEL}} for name in THEIRS.values()}


def ref(name: str) -> ModelRef:
    provider, _, model = name.partition("/")
    return ModelRef(provider=provider, model=model)


def test_a_file_for_every_provider_and_a_date() -> None:
    about = json.loads((SHIPPED / "about.json").read_text())
    names = {Path(str(file)).stem for file in SHIPPED.iterdir()}
    assert names == {*THEIRS, "about"}
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", about["date"])
    assert all("(MIT)" in source for source in about["sources"])


@pytest.mark.parametrize("name", THEIRS)
def test_what_is_shipped_is_plausible(name: str) -> None:
    entries = json.loads((SHIPPED / f"{name}.json").read_text())
    assert entries
    for id_, entry in entries.items():
        assert entry.keys() <= {"context", "output", "prices", "can", "retired"}, id_
        assert entry.get("context", 1) >= entry.get("output", 1) > 0 or entry.get("output", 0) <= 1_100_000, id_
        assert all(re.fullmatch(r"\d+(\.\d+)?", price) for price in entry.get("prices", {}).values()), id_
        assert all(re.fullmatch(r"\w+(>\d+)?", kind) for kind in entry.get("prices", {})), id_


@pytest.mark.parametrize(
    "model",
    [
        *("zai/glm-5", "openai/gpt-4o", "github-copilot/gpt-5-mini", "anthropic/claude-sonnet-4-20250514"),
        *("minimax/MiniMax-M2.5", "openrouter/z-ai/glm-5", "novita/qwen/qwen3-coder-next", "moonshotai/kimi-k2.5"),
        *("google/gemini-2.5-pro", "github-copilot-enterprise/gpt-5-mini", "openrouter/anthropic/claude-sonnet-4.5"),
    ],
)
async def test_every_default_model_is_known(model: str) -> None:
    async with Runtime.open(OURS) as runtime:
        known = runtime.catalog.defaults(ref(model))
    assert known.limits.context
    assert known.limits.context >= 100_000
    assert known.capabilities["tool_call"]


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("openai/gpt-4o", "openai/GPT-4o"),
        ("minimax/MiniMax-M2.5", "minimax/minimax-m2.5"),
        ("openai/gpt-5.4", "openai/gpt-5.4-2026-03-05"),
        ("openrouter/z-ai/glm-5", "openrouter/z-ai/glm-5:nitro"),
        ("bedrock/anthropic.claude-sonnet-4-6", "bedrock/jp.anthropic.claude-sonnet-4-6"),
    ],
)
async def test_a_name_is_found_under_what_it_is_listed_as(listed: str, asked: str) -> None:
    async with Runtime.open(OURS) as runtime:
        one, other = (runtime.catalog.models.listed(ref(name)) for name in (listed, asked))
    assert one is not None
    assert other is not None
    assert (one.limits, one.prices) == (other.limits, other.prices)


async def test_it_lies_over_what_holds_for_all_and_under_what_plugins_say() -> None:
    async with Runtime.open(OURS) as runtime:
        known = {name: runtime.catalog.defaults(ref(name)) for name in ("openai/gpt-5", "openai/gpt-3.5-turbo", "x/y")}
    assert known["openai/gpt-5"].sampling == SamplingParams(max_output_tokens=8192)
    assert known["openai/gpt-5"].capabilities["reasoning"]
    assert known["openai/gpt-3.5-turbo"].sampling == SamplingParams(temperature=0.7, max_output_tokens=4096)
    assert (known["x/y"].limits, known["x/y"].prices) == (ModelLimits(), {})


async def test_the_users_limit_is_not_cut() -> None:
    async with Runtime.open({**OURS, "sampling": {"max_output_tokens": 9000}}) as runtime:
        assert runtime.catalog.defaults(ref("openai/gpt-3.5-turbo")).sampling.max_output_tokens == 9000


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(input_tokens=100_000, output_tokens=10_000), "0.45"),
        (Usage(input_tokens=100_000, cache_read_tokens=60_000, cache_write_tokens=40_000), "0.168"),
        (Usage(input_tokens=300_000, output_tokens=10_000), "2.025"),  # beyond 200,000 all of it is dearer
        (Usage(input_tokens=10, cache_read_tokens=50), "0.000015"),  # a provider that counts them apart
    ],
)
async def test_cached_and_long_requests_have_their_own_price(usage: Usage, dollars: str) -> None:
    async with Runtime.open(OURS) as runtime:
        cost = runtime.catalog.priced(ref("anthropic/claude-sonnet-4-5"), usage).cost
    assert cost is not None
    assert str(cost.normalize()) == dollars


def test_what_is_published_is_read_and_nonsense_left_out() -> None:
    odd = {
        **MODEL,
        "limit": {"context": "many", "output": 10},
        "cost": {"input": -1, "output": float("nan")},
        "modalities": {"input": None, "output": ["text"]},
        "status": "deprecated",
    }
    images = {**MODEL, "modalities": {"input": ["text"], "output": ["image"]}}
    api = {**PUBLISHED, "zai": {"models": {"odd": odd, "draws": images, "text-embed": MODEL, "none": None}}}
    entries = entries_of(api)
    assert entries["openai"]["new-1"] == {
        "context": 1000,
        "output": 100,
        "prices": {"input": "1", "output": "2.5", "cache_read": "0.1", "input>500": "2"},
        "can": ["tool_call", "vision", "attachment", "reasoning"],
    }
    assert entries["zai"] == {"odd": {"output": 10, "can": ["tool_call", "attachment", "reasoning"], "retired": True}}


@pytest.mark.parametrize("api", [None, [], {}, {"openai": {}}, {"openai": {"models": {"a": MODEL}}}, "text"])
def test_something_else_is_no_catalogue(api: Any) -> None:
    with pytest.raises(ValueError, match="it knows only"):
        entries_of(api)


async def test_it_is_refreshed_when_asked_and_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Playback() as server:
        server.play(200, {"content-type": "application/json"}, [orjson.dumps(PUBLISHED)])
        monkeypatch.setenv("CODETETHER_CATALOGUE_URL", f"{server.base_url}/api.json")
        async with Runtime.open(OURS) as runtime:
            before = runtime.catalog.models.dates()["models.dev"]
            assert runtime.catalog.models.listed(ref("zai/new-1")) is None
            dates = await runtime.catalog.models.refresh()
            assert runtime.catalog.models.names("zai") == ("new-1",)
        assert server.heads[0].startswith("get /v1/api.json ")
    async with Runtime.open(OURS) as runtime:
        again = runtime.catalog.models.dates()
        new, old = (runtime.catalog.models.listed(ref(f"zai/{name}")) for name in ("new-1", "glm-5"))
    assert again == dates
    assert dates["models.dev"] > before
    assert new is not None
    assert (new.limits, new.omit) == (ModelLimits(context=1000, output=100), frozenset({"temperature", "top_p"}))
    assert old is not None
    assert old.prices["input"] == "1"


async def test_a_damaged_copy_counts_as_none(home: Path) -> None:
    kept = home / "cache" / "vendors" / "catalogue.json"
    kept.parent.mkdir(parents=True)
    for text in ("", "{", "[]", '{"date": "9999-01-01"}', '{"date": 3, "providers": {}}', "\0" * 100):
        kept.write_text(text)
        async with Runtime.open(OURS) as runtime:
            assert "glm-5" in runtime.catalog.models.names("zai")
            assert runtime.catalog.models.dates()["models.dev"].startswith("2026-")


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (404, b"{}", ConnectionFailed, "404"),
        (200, b"<html>", MalformedResponse, "gave no catalogue of models"),
        (200, b"{}", MalformedResponse, "it knows only 0 of"),
    ],
)
async def test_what_is_no_catalogue_changes_nothing(
    status: int, body: bytes, error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Playback() as server:
        server.play(status, {"content-type": "application/json"}, [body])
        monkeypatch.setenv("CODETETHER_CATALOGUE_URL", server.base_url)
        async with Runtime.open(OURS) as runtime:
            with pytest.raises(error, match=words):
                await runtime.catalog.models.refresh()
            assert "glm-5" in runtime.catalog.models.names("zai")


async def test_without_network_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODETETHER_CATALOGUE_URL", "http://127.0.0.1:9/api.json")
    async with Runtime.open(OURS) as runtime:
        with pytest.raises(ConnectionFailed, match="cannot be fetched") as caught:
            await runtime.catalog.models.refresh()
    assert "that is shipped stays in use" in caught.value.remedy


def test_opening_reads_only_the_provider_in_question() -> None:
    script = """
import asyncio, os, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from codetether import ModelRef, Runtime
async def main():
    async with Runtime.open({"plugins": {"only": ["openai", "vendors"]}}) as runtime:
        await runtime.providers()
        read = [path for path in opened if "catalogue" in path and path.endswith(".json")]
        assert read == [], read
        assert "codetether_provider_vendors.shipped" in sys.modules
        runtime.catalog.defaults(ModelRef(provider="zai", model="glm-5"))
    print([path.rsplit("/", 1)[-1] for path in opened if "vendors/catalogue/" in path], "httpx" in sys.modules)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("['zai.json'] False\n", "")
