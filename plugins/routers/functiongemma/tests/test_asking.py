"""Which format a model is asked in."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from codetether_llama import Engine, inspect
from codetether_router_functiongemma.asking import asking
from codetether_router_functiongemma.settings import FunctionGemmaSettings

TEMPLATE = (Path(__file__).parent / "data" / "template.jinja").read_text()


@pytest.mark.parametrize(
    ("architecture", "template", "arch", "format_"),
    [
        ("gemma3", TEMPLATE, "auto", "_FunctionGemma"),
        ("gemma3", TEMPLATE, "gemma3", "_FunctionGemma"),
        ("gemma3", "", "auto", "_FunctionGemma"),
        ("gemma3", "{{ messages }}", "auto", "_Chat"),
        ("llama", "", "auto", "_Chat"),
        ("llama", "", "FunctionGemma", "_FunctionGemma"),
        ("gemma3", TEMPLATE, "chat", "_Chat"),
    ],
)
def test_the_file_decides_unless_the_format_is_named(
    model_path: Path, architecture: str, template: str, arch: str, format_: str
) -> None:
    model = evolve(inspect(model_path), architecture=architecture, template=template)
    made = asking(Engine(model, 512, 1), FunctionGemmaSettings(arch=arch))  # never asked, so never loaded
    assert type(made).__name__ == format_
