"""How the conformance kit tries this plugin: an export with a call, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codetether.testing.trials import Trials

_ID = "ses_6a1b2c3d4ffeAbCdEfGhIjKlMn"
_TOKENS = {"input": 50, "output": 7, "reasoning": 0, "cache": {"read": 40, "write": 0}}
_ANSWER: dict[str, Any] = {
    "role": "assistant",
    "providerID": "anthropic",
    "modelID": "claude-sonnet-4-5",
    "tokens": _TOKENS,
    "cost": 0,
}
_STATE = {"status": "completed", "input": {"command": "ls"}, "output": "größe.txt", "title": "ls", "metadata": {}}
_MESSAGES: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"role": "user"}, [{"type": "text", "text": "what is here?"}]),
    (_ANSWER, [{"type": "step-start"}, {"type": "tool", "callID": "call_1", "tool": "bash", "state": _STATE}]),
    ({**_ANSWER, "finish": "stop"}, [{"type": "step-start"}, {"type": "text", "text": "A file."}]),
]


def _source(directory: Path) -> Path:
    made = directory / "export.json"
    info = {
        "id": _ID,
        "directory": "/work",
        "title": "What is here",
        "version": "1.0.0",
        "time": {"created": 1767323045000},
    }
    messages = [
        {"info": dict(about, id=f"msg_{number}", time={"created": 1767323045000 + number}), "parts": parts}
        for number, (about, parts) in enumerate(_MESSAGES)
    ]
    made.write_text(json.dumps({"info": info, "messages": messages}, ensure_ascii=False, indent=2), encoding="utf-8")
    return made


TRIALS = Trials(source=_source, said=("what is here?", "größe.txt", "A file."))
