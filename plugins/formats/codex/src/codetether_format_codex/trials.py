"""How the conformance kit tries this plugin: a rollout with a call, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codetether.testing.trials import Trials

_ID = "0199a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b"
_COUNTS = {"input_tokens": 90, "cached_input_tokens": 40, "output_tokens": 7, "total_tokens": 97}
_LINES: list[tuple[str, dict[str, Any]]] = [
    ("session_meta", {"id": _ID, "cwd": "/work", "cli_version": "0.1.0", "model_provider": "openai"}),
    ("turn_context", {"cwd": "/work", "model": "gpt-5"}),
    (
        "response_item",
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "what is here?"}]},
    ),
    ("response_item", {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "c1"}),
    ("response_item", {"type": "function_call_output", "call_id": "c1", "output": "größe.txt\n"}),
    (
        "response_item",
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A file."}]},
    ),
    ("event_msg", {"type": "token_count", "info": {"total_token_usage": _COUNTS, "last_token_usage": _COUNTS}}),
]


def _source(directory: Path) -> Path:
    made = directory / f"rollout-2026-01-02T03-04-05-{_ID}.jsonl"
    records = [
        {"timestamp": f"2026-01-02T03:04:{second:02}.000Z", "type": kind, "payload": payload}
        for second, (kind, payload) in enumerate(_LINES)
    ]
    made.write_text("".join(json.dumps(record) + "\n" for record in records))
    return made


TRIALS = Trials(source=_source, said=("what is here?", "größe.txt", "A file."))
