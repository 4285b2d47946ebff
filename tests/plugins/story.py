"""Run by the tests in an environment of their own: sessions on a scripted model, each told as a line of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from codetether import Runtime, ToolResultPart, to_dict
from codetether.testing.scripted import Call, ScriptedProvider


def step(pieces: Any) -> Any:
    """A text, or a list of texts and calls `{"call": name, "arguments": {…}}`."""
    if isinstance(pieces, str):
        return pieces
    return [piece if isinstance(piece, str) else Call(piece["call"], piece["arguments"]) for piece in pieces]


async def told(wish: dict[str, Any]) -> dict[str, Any]:
    """The results of the prompts, the requests that the model saw, the tools' results, and what the user was told."""
    scripted = ScriptedProvider(*map(step, wish["script"]))
    notices: list[str] = []
    how = {key: wish[key] for key in ("model", "agent", "mode", "allow") if key in wish}
    async with (
        Runtime.open(
            wish.get("settings"),
            plugins=[scripted],
            directory=Path(wish["directory"]),
            strict=True,
            on_notice=lambda source, text: notices.append(f"{source}: {text}"),
        ) as runtime,
        runtime.session(**{"model": "scripted", **how}) as session,
    ):
        results = [await session.prompt(prompt) for prompt in wish["prompts"]]
        parts = [part for message in session.session.messages for part in message.parts]
    return {
        "results": [to_dict(result) for result in results],
        "requests": [
            {
                "model": str(request.model),
                "system": request.system,
                "texts": [message.text for message in request.messages],
                "tools": [tool.name for tool in request.tools],
                "sampling": to_dict(request.sampling),
            }
            for request in scripted.requests
        ],
        "tools": [[part.name, part.success, part.text] for part in parts if isinstance(part, ToolResultPart)],
        "session": session.id,
        "notices": notices,
    }


if __name__ == "__main__":
    for line in sys.stdin:
        wish = json.loads(line)
        os.environ.update(wish.pop("environment"))
        print(json.dumps(asyncio.run(told(wish))), flush=True)
