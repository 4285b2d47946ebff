"""The settings, and the variables that lie over them."""

from __future__ import annotations

from pathlib import Path

import pytest
from codetether import SettingsError
from codetether.settings.settings import load_settings
from codetether_router_functiongemma.settings import FunctionGemmaSettings

ON = {"CODETETHER_TOOL_ROUTER_ENABLED": "1", "CODETETHER_TOOL_ROUTER_MODEL_PATH": "/m.gguf"}


def settings(directory: Path, environment: dict[str, str]) -> FunctionGemmaSettings:
    where = {"CODETETHER_HOME": str(directory / "home"), **environment}
    return load_settings(directory, environment=where).plugin("functiongemma", FunctionGemmaSettings)


def test_every_variable_is_read(tmp_path: Path) -> None:
    said = {
        "TOKENIZER_PATH": "/t.json",
        "ARCH": "gemma3",
        "DEVICE": "cpu",
        "MAX_TOKENS": "64",
        "TEMPERATURE": "0.5",
    }
    made = settings(tmp_path, {**ON, **{f"CODETETHER_TOOL_ROUTER_{name}": value for name, value in said.items()}})
    assert made == FunctionGemmaSettings(
        enabled=True,
        model_path="/m.gguf",
        tokenizer_path="/t.json",
        arch="gemma3",
        device="cpu",
        max_tokens=64,
        temperature=0.5,
    )
    assert made.active


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"CODETETHER_TOOL_ROUTER_ENABLED": "1"},
        {"CODETETHER_TOOL_ROUTER_MODEL_PATH": "/m.gguf"},
        {**ON, "CODETETHER_TOOL_ROUTER_ENABLED": "0"},
        {**ON, "CODETETHER_FUNCTIONGEMMA_DISABLED": "1"},
    ],
)
def test_it_is_off_until_it_is_on_with_a_model_and_not_disabled(tmp_path: Path, environment: dict[str, str]) -> None:
    assert not settings(tmp_path, environment).active


@pytest.mark.parametrize("said", ["hot", "-1", "3"])
def test_a_value_that_cannot_be_is_an_error_by_name(tmp_path: Path, said: str) -> None:
    with pytest.raises(SettingsError, match=r"plugins\.functiongemma\.temperature"):
        settings(tmp_path, {"CODETETHER_TOOL_ROUTER_TEMPERATURE": said})
