"""The shared texts, where they are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    checkout = Path(__file__).parents[4]
    folder = Path(os.environ.get("CODETETHER_SHARED", checkout.parent / "shared")) / "toolcall_text"
    if not (folder / "cases.jsonl").is_file():
        pytest.skip(f"no cases.jsonl at {folder}: CODETETHER_SHARED names the folder that holds toolcall_text")
    return folder
