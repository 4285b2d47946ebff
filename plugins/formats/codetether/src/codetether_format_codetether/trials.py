"""How the conformance kit tries this plugin: a session's file with a call, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codetether.testing.trials import Trials

_ID = "7e6d5c4b-3a29-4180-9f8e-7d6c5b4a3928"
_CALL = {"type": "tool_call", "id": "call_1", "name": "bash", "arguments": '{"command":"ls"}'}
_MESSAGES: list[tuple[str, dict[str, Any]]] = [
    ("user", {"type": "text", "text": "what is here?"}),
    ("assistant", _CALL),
    ("tool", {"type": "tool_result", "tool_call_id": "call_1", "content": "größe.txt"}),
    ("assistant", {"type": "text", "text": "A file."}),
]


def _source(directory: Path) -> Path:
    made = directory / f"{_ID}.json"
    session = {
        "id": _ID,
        "title": "What is here",
        "created_at": "2026-01-02T03:04:05.123456789Z",
        "updated_at": "2026-01-02T03:05:05.123456789Z",
        "messages": [{"role": role, "content": [part]} for role, part in _MESSAGES],
        "tool_uses": [],
        "usage": {"prompt_tokens": 90, "completion_tokens": 7, "total_tokens": 97},
        "agent": "build",
        "metadata": {"directory": "/work", "model": "zai/glm-5", "shared": False, "share_url": None},
    }
    made.write_text(json.dumps(session, ensure_ascii=False, indent=2), encoding="utf-8")
    return made


TRIALS = Trials(source=_source, said=("what is here?", "größe.txt", "A file."))
