"""`codetether models`: what is listed, from which day, what a run would take, and a catalogue fetched when asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .conftest import CommandLine

OURS: dict[str, Any] = {"CODETETHER_PLUGINS": "openai,vendors"}
KEYS: dict[str, Any] = {"OPENROUTER_API_KEY": "key-0123456789", "GROQ_API_KEY": "key-0123456789"}
PUBLISHED = {
    "modalities": {"input": ["text"], "output": ["text"]},
    "limit": {"context": 4321, "output": 123},
    "cost": {"input": 7, "output": 8},
}


@pytest.fixture
def published() -> Iterator[str]:
    """The address of a catalogue of one model a provider."""
    names = (
        "alibaba",
        "anthropic",
        "azure",
        "cerebras",
        "deepseek",
        "google",
        "groq",
        "mistral",
        "openai",
        "xai",
        "zai",
    )
    body = json.dumps({name: {"models": {"newest": PUBLISHED}} for name in names}).encode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/api.json"
    server.shutdown()
    thread.join()
    server.server_close()


def test_models_are_listed_with_what_they_take_and_cost(bare: CommandLine) -> None:
    shown = bare("models", "--provider", "kimi", **OURS)
    head, first, *_ = shown.out.splitlines()
    assert head.split() == ["MODEL", "USABLE", "CONTEXT", "OUTPUT", "$", "IN", "$", "OUT", "CAN"]
    assert first.split() == [
        *("moonshotai/kimi-k2.5", "no", "262,144", "262,144", "0.6", "3", "tools", "vision", "reasoning", "default")
    ]
    assert shown.err.startswith("note: catalogue models.dev of 2026-")


def test_what_can_be_used_comes_first_and_what_a_run_would_take_is_marked(bare: CommandLine) -> None:
    rows = bare("models", "--json", **OURS, **KEYS).json
    usable = [row["provider"] for row in rows if row["available"]]
    assert list(dict.fromkeys(row["provider"] for row in rows))[:2] == ["groq", "openrouter"]
    assert usable == [row["provider"] for row in rows[: len(usable)]]
    (chosen,) = [row for row in rows if row["chosen"]]
    assert {k: v for k, v in chosen.items() if k not in ("prices", "capabilities", "catalogue")} == {
        "id": "openrouter/z-ai/glm-5",
        "provider": "openrouter",
        "model": "z-ai/glm-5",
        "default": True,
        "chosen": True,
        "available": True,
        "configured": True,
        "context": 204800,
        "output": 128000,
    }
    assert chosen["prices"] == {"input": "1", "output": "3.2", "cache_read": "0.2"}
    assert chosen["capabilities"]["tool_call"]
    assert chosen["catalogue"].startswith("models.dev 2026-")


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        ({"CODETETHER_DEFAULT_MODEL": "groq/x"}, "groq/x"),
        ({"CODETETHER_DEFAULT_PROVIDER": "groq", "CODETETHER_DEFAULT_MODEL": "gw/bar"}, "groq/gw/bar"),
        ({"CODETETHER_DEFAULT_PROVIDER": "groq", "CODETETHER_DEFAULT_MODEL": "openrouter/gw/bar"}, "openrouter/gw/bar"),
        ({"CODETETHER_DEFAULT_PROVIDER": "openrouter"}, "openrouter/z-ai/glm-5"),
        ({"CODETETHER_DEFAULT_PROVIDER": "groq"}, None),
        ({"CODETETHER_DEFAULT_PROVIDER": "zai"}, None),
    ],
)
def test_the_environment_decides_which_one_a_run_takes(
    variables: dict[str, Any], chosen: str | None, bare: CommandLine
) -> None:
    rows = bare("models", "--json", **OURS, **KEYS, **variables).json
    assert [row["id"] for row in rows if row["chosen"]] == ([chosen] if chosen else [])


def test_a_slip_in_a_providers_name_is_answered_with_the_name(bare: CommandLine) -> None:
    ran = bare("models", "--provider", "opnrouter", **OURS)
    assert (ran.code, ran.out) == (1, "")
    assert "no provider 'opnrouter'; did you mean \"openrouter\"?" in ran.err


def test_a_catalogue_is_fetched_when_asked_and_used_from_then_on(bare: CommandLine, published: str) -> None:
    mirror = {**OURS, "CODETETHER_CATALOGUE_URL": published}
    before = bare("models", "--provider", "xai", "--json", **mirror).json
    done = bare("models", "refresh", "--json", **mirror)
    after = bare("models", "--provider", "xai", "--json", **mirror).json
    (fetched,) = done.json
    assert fetched["catalogue"] == "models.dev"
    assert "xai/newest" not in [row["id"] for row in before]
    assert [(row["id"], row["context"], row["prices"]) for row in after] == [
        ("xai/newest", 4321, {"input": "7", "output": "8"})
    ]
    assert after[0]["catalogue"] == f"models.dev {fetched['date']}"


def test_without_network_the_one_that_is_there_stays(bare: CommandLine) -> None:
    ran = bare("models", "refresh", **OURS, CODETETHER_CATALOGUE_URL="http://127.0.0.1:9/api.json")
    assert (ran.code > 0, ran.out) == (True, "")
    assert ran.err.startswith("error: the catalogue at http://127.0.0.1:9/api.json cannot be fetched: ")
    assert "The catalogue that is shipped stays in use." in ran.err
    assert bare("models", "--provider", "zai", "--json", **OURS).json
