"""The shared texts without calls: the gate lets none of them through to the model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from codetether import ToolDefinition
from codetether_router_functiongemma.evidence import evidence

SHARED = Path(os.environ.get("CODETETHER_SHARED") or Path(__file__).resolve().parents[5] / "shared")
CASES = SHARED / "toolcall_text" / "cases.jsonl"


@pytest.mark.skipif(not CASES.exists(), reason="no shared/toolcall_text beside the checkout (CODETETHER_SHARED)")
def test_no_text_without_a_call_gets_as_far_as_the_model() -> None:
    asked = []
    for case in map(json.loads, CASES.read_text().splitlines()):
        tools = [
            ToolDefinition(name=tool["name"], description=tool.get("description") or "", schema=tool["parameters"])
            for tool in case["tools"]
        ]
        if not case["expect"]["calls"] and evidence(case["text"], tools):
            asked.append(case["id"])
    assert asked == []
