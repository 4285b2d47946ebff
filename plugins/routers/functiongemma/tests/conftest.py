"""The real model, fetched once into the user's cache, and a context that keeps what is said."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import platformdirs
import pytest
from attrs import define, field
from codetether import ConnectionFailed, Message
from codetether_llama import engine, inspect
from codetether_router_functiongemma.settings import FunctionGemmaSettings


@pytest.fixture(scope="session")
def fetched_path() -> Path:
    fetching = pytest.importorskip("codetether_provider_local.fetch", reason="the model is fetched by the plugin local")
    target: Path = Path(platformdirs.user_cache_path("codetether")) / "local" / str(fetching.SMOLLM2.file)
    try:
        asyncio.run(fetching.fetch(fetching.SMOLLM2, target, lambda done, whole: None))
    except ConnectionFailed as error:
        pytest.skip(f"no model: {error.message}")
    return target


@pytest.fixture(scope="session")
def model_path(fetched_path: Path) -> Iterator[Path]:
    """The model, with an engine that stays loaded: without a user it would go after each test."""
    loaded = engine(inspect(fetched_path), 2048, 1)
    yield fetched_path
    loaded.close()


@define(kw_only=True)
class Context:
    """What the router takes of a session's context."""

    settings: FunctionGemmaSettings | None = None
    said: list[str] = field(factory=list)
    messages: tuple[Message, ...] = ()
    log: logging.Logger = field(factory=lambda: logging.getLogger("tests"))

    @property
    def session(self) -> SimpleNamespace:
        return SimpleNamespace(messages=self.messages)

    def notice(self, text: str) -> None:
        self.said.append(text)


def context(settings: FunctionGemmaSettings | None = None) -> Any:
    """A context of a session, for the router."""
    return Context(settings=settings)


MARKS = {
    "<repo_name>": "<start_function_call>",
    "<reponame>": "<end_function_call>",
    "<file_sep>": "<escape>",
    "<filename>": "<start_of_turn>",
    "<gh_stars>": "<end_of_turn>",
}
"""Control tokens of SmolLM2 that it makes no use of, and FunctionGemma's."""


@pytest.fixture(scope="session")
def marked_path(fetched_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The model with FunctionGemma's marks in its vocabulary; it was not taught them."""
    whole = fetched_path.read_bytes()
    end = _head(whole)
    head, weights = whole[:end], whole[-(-end // 32) * 32 :]
    for old, new in MARKS.items():
        assert head.count(_text(old)) == 1
        head = head.replace(_text(old), _text(new))
    made = tmp_path_factory.mktemp("marked") / "marked.gguf"
    made.write_bytes(head + b"\0" * (-len(head) % 32) + weights)
    loaded = engine(inspect(made), 2048, 1)
    yield made
    loaded.close()


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _head(whole: bytes) -> int:
    """Where what stands before the weights ends: after the description of the last tensor."""
    last = whole.rindex(b".weight", 0, 8 << 20)
    dimensions: int = struct.unpack_from("<I", whole, last + 7)[0]
    return last + 7 + 4 + 8 * dimensions + 4 + 8
