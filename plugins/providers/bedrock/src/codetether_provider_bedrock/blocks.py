"""Content blocks that are neither words, thoughts nor calls of ours: kept as they came, so that they can go back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from codetether import JSON, Unknown

_TYPE = "converse_block"


def kept(block: Mapping[str, JSON]) -> Unknown:
    """The block as a part of a message."""
    return Unknown(raw={"type": _TYPE, "block": block})


def block_in(part: Unknown) -> Mapping[str, JSON] | None:
    """The block that is kept in a part, None where it holds none."""
    block = part.raw.get("block")
    return block if part.raw.get("type") == _TYPE and isinstance(block, Mapping) else None


def is_run_there(call: Mapping[str, Any]) -> bool:
    """Whether a toolUse is of a tool that Bedrock runs itself, whatever type it gives it."""
    return bool(call.get("type", "tool_use") != "tool_use")


class Growing:
    """A block of a stream that is not whole yet.

    Attributes:
        redacted: reasoning that only its maker can read.
    """

    def __init__(self, start: Mapping[str, Any]) -> None:
        self._kinds: dict[str, Any] = {k: dict(v) if isinstance(v, Mapping) else v for k, v in start.items()}
        self._input: list[str] = []
        self.redacted = b""

    def add(self, delta: Mapping[str, Any]) -> int:
        """Takes a piece; gives its size in bytes."""
        for kind, piece in delta.items():
            match kind, piece:
                case "toolUse", {"input": str(text)}:
                    self._input.append(text)
                case "toolResult", list():
                    _extend(self._kinds.setdefault(kind, {}).setdefault("content", []), piece)
                case "citation", _:
                    self._kinds.setdefault("citationsContent", {}).setdefault("citations", []).append(piece)
                case _, Mapping() if isinstance(self._kinds.get(kind), dict):
                    self._kinds[kind].update(piece)
                case _:
                    self._kinds[kind] = dict(piece) if isinstance(piece, Mapping) else piece
        return len(orjson.dumps(delta))

    def block(self) -> dict[str, JSON]:
        """The block as an answer in one piece has it; empty where nothing is left to keep."""
        call = self._kinds.get("toolUse")
        return (
            {**self._kinds, "toolUse": {**call, "input": self._arguments()}} if isinstance(call, dict) else self._kinds
        )

    def _arguments(self) -> JSON:
        text = "".join(self._input)
        try:
            return orjson.loads(text or "{}")
        except orjson.JSONDecodeError:  # cut by a limit
            return {"input": text}


def _extend(content: list[Any], pieces: list[Any]) -> None:
    """Pieces of a text are joined to one."""
    for piece in pieces:
        match content, piece:
            case [*_, {"text": str(before)}], {"text": str(text)}:
                content[-1] = {"text": before + text}
            case _:
                content.append(piece)
