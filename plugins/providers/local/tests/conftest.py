"""The real model, fetched once into the user's cache, and one engine for all tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest
from codetether import ConnectionFailed
from codetether_llama import Engine, engine, inspect
from codetether_provider_local.fetch import SMOLLM2, fetch


@pytest.fixture(scope="session")
def model_path() -> Path:
    target = Path(platformdirs.user_cache_path("codetether")) / "local" / SMOLLM2.file
    try:
        asyncio.run(fetch(SMOLLM2, target, lambda done, whole: None))
    except ConnectionFailed as error:
        pytest.skip(f"no model: {error.message}")
    return target


@pytest.fixture(scope="session")
def smollm2(model_path: Path) -> Iterator[Engine]:
    made = engine(inspect(model_path), context=2048, threads=1)
    yield made
    made.close()
