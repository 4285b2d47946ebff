"""The real model, fetched once into the user's cache, and one engine for all tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest
from codetether import ConnectionFailed
from codetether_llama import Engine, engine, inspect


@pytest.fixture(scope="session")
def model_path() -> Path:
    fetching = pytest.importorskip("codetether_provider_local.fetch", reason="the model is fetched by the plugin local")
    target: Path = Path(platformdirs.user_cache_path("codetether")) / "local" / str(fetching.SMOLLM2.file)
    try:
        asyncio.run(fetching.fetch(fetching.SMOLLM2, target, lambda done, whole: None))
    except ConnectionFailed as error:
        pytest.skip(f"no model: {error.message}")
    return target


@pytest.fixture(scope="session")
def smollm2(model_path: Path) -> Iterator[Engine]:
    made = engine(inspect(model_path), context=2048, threads=1)
    yield made
    made.close()
