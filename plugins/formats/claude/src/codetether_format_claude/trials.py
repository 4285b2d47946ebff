"""How the conformance kit tries this plugin: a session with a call, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codetether.testing.trials import Trials

_ID = "3d9f6a0e-1b2c-4d5e-8f70-8192a3b4c5d6"
_RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "größe.txt", "is_error": False}
_CALL = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}
_USAGE = {"input_tokens": 50, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 0, "output_tokens": 7}
_MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "what is here?"},
    {"role": "assistant", "id": "msg_1", "model": "claude-sonnet-4-5", "content": [_CALL], "usage": _USAGE},
    {"role": "user", "content": [_RESULT]},
    {
        "role": "assistant",
        "id": "msg_2",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "A file."}],
        "stop_reason": "end_turn",
        "usage": _USAGE,
    },
]


def _source(directory: Path) -> Path:
    made = directory / f"{_ID}.jsonl"
    records = [
        {
            "type": message["role"],
            "uuid": f"u{number}",
            "parentUuid": f"u{number - 1}" if number else None,
            "sessionId": _ID,
            "cwd": "/work",
            "timestamp": f"2026-01-02T03:04:{number:02}.000Z",
            "message": message,
        }
        for number, message in enumerate(_MESSAGES)
    ]
    made.write_text("".join(json.dumps(record) + "\n" for record in records))
    return made


TRIALS = Trials(source=_source, said=("what is here?", "größe.txt", "A file."))
